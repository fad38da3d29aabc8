//! A task that the runtime polls, whoever has gone, cannot hold the scope.
use homing::{scope, spawn};

async fn case() -> homing::Result<()> {
    scope(async |s| {
        spawn(async move {
            s.spawn(async { Ok(()) });
            Ok(())
        });
        Ok(())
    })
    .await
}

fn main() {
    homing::run(case()).unwrap();
}
