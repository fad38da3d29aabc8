//! The body looks at what a child may be changing.
use homing::scope;

async fn case() -> homing::Result<i32> {
    let mut number = 0;
    scope(async |s| {
        s.spawn(async { Ok(number += 1) });
        Ok(number)
    })
    .await
}

fn main() {
    homing::run(case()).unwrap();
}
