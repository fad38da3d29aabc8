//! Nor by way of a variable outside.
use homing::scope;

async fn case() -> homing::Result<()> {
    let mut handle = None;
    scope(async |s| {
        handle = Some(s.spawn(async { Ok(1) }));
        Ok(())
    })
    .await?;
    handle.unwrap().await?;
    Ok(())
}

fn main() {
    homing::run(case()).unwrap();
}
