//! Two children, one value, both to change it.
use homing::scope;

async fn case() -> homing::Result<()> {
    let mut number = 0;
    scope(async |s| {
        s.spawn(async { Ok(number += 1) });
        s.spawn(async { Ok(number += 1) });
        Ok(())
    })
    .await
}

fn main() {
    homing::run(case()).unwrap();
}
