//! Nor can another thread.
use homing::scope;

async fn case() -> homing::Result<()> {
    scope(async |s| {
        std::thread::scope(|threads| {
            threads.spawn(|| s.len());
        });
        Ok(())
    })
    .await
}

fn main() {
    homing::run(case()).unwrap();
}
