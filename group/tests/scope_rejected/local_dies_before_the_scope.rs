//! The scope's future is kept for longer than what its children borrow.
use homing::scope;

async fn case() -> homing::Result<usize> {
    let scoped;
    {
        let local = String::from("gone");
        scoped = scope(async |s| s.spawn(async { Ok(local.len()) }).await);
    }
    scoped.await
}

fn main() {
    homing::run(case()).unwrap();
}
