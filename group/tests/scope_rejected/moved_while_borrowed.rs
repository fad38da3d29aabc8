//! What children borrow is dropped while the scope's future, half polled, is still there.
use homing::scope;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

async fn case() -> homing::Result<usize> {
    let local = String::from("gone");
    let mut scoped = pin!(scope(async |s| s.spawn(async { Ok(local.len()) }).await));
    poll_fn(|cx| Poll::Ready(scoped.as_mut().poll(cx).is_pending())).await;
    drop(local);
    scoped.await
}

fn main() {
    homing::run(case()).unwrap();
}
