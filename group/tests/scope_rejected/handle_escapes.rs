//! A handle does not leave the scope, not as its value.
use homing::scope;

async fn case() -> homing::Result<()> {
    let handle = scope(async |s| Ok(s.spawn(async { Ok(1) }))).await?;
    handle.await?;
    Ok(())
}

fn main() {
    homing::run(case()).unwrap();
}
