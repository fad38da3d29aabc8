//! Tasks fail whose errors nobody reads: who is told?
//!
//! ```text
//! cargo run --example unread_errors
//!
//! unread: 'sends the receipt' failed: the mail server is down
//! read: the printer is on fire
//! unread: 'counts visitors' failed: the counter has run over
//! ```

use homing::{Builder, Error, Result, Unhandled, spawn, task, yield_now};

// ANCHOR: lesson
async fn fails(why: &'static str) -> Result<()> {
    yield_now().await?;
    Err(Error::msg(why))
}

async fn lesson() -> Result<()> {
    // Its handle is gone before it ends: it is reported when it does.
    drop(task(fails("the mail server is down")).name("sends the receipt").spawn());
    // Its handle is kept, and awaited: nothing is reported.
    let printed = spawn(fails("the printer is on fire"));
    // Its handle is kept, and dropped unread: it is reported then.
    let counted = task(fails("the counter has run over")).name("counts visitors").spawn();
    if let Err(error) = printed.await {
        println!("read: {error}");
    }
    yield_now().await?;
    drop(counted);
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    let runtime = Builder::new()
        .on_unhandled(|unhandled| match unhandled {
            Unhandled::TaskFailed { task, error } => println!("unread: '{}' failed: {error}", task.name()),
            other => eprintln!("{other}"),
        })
        .build();
    runtime.run(lesson())
}
// ANCHOR_END: lesson
