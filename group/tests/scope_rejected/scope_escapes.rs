//! Nor does the scope itself.
use homing::scope;

async fn case() -> homing::Result<()> {
    let escaped = scope(async |s| Ok(s)).await?;
    escaped.spawn(async { Ok(()) });
    Ok(())
}

fn main() {
    homing::run(case()).unwrap();
}
