//! What the body makes is gone before its children are.
use homing::scope;

async fn case() -> homing::Result<usize> {
    scope(async |s| {
        let local = String::from("gone");
        let child = s.spawn(async { Ok(local.len()) });
        child.await
    })
    .await
}

fn main() {
    homing::run(case()).unwrap();
}
