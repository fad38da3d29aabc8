//! Orphans: children that nobody waits for any more. Somebody has to, or they stay zombies after their end.
//!
//! ```text
//!   Child dropped ──► ended already ──────────────────► asked for its status: done
//!                 ├─► within a runtime ───────────────► a task waits for it
//!                 └─► no runtime, or that has ended ──► the list; looked through whenever a process is started or ends
//! ```

use super::exit::Exit;
use crate::net::registered::Waiting;
use crate::runtime::takes_tasks;
use crate::task;
use std::future::poll_fn;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

static LIST: Mutex<Vec<Exit>> = Mutex::new(Vec::new());

/// How long one is waited for that was killed, where there is no runtime: it takes the kernel a moment.
const A_MOMENT: Duration = Duration::from_millis(100);

/// Whether its end is near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Killed,
    /// It runs for as long as it likes.
    Free,
}

/// Sees to it that somebody waits for it.
pub(super) fn adopt(mut child: Exit, fate: Fate) {
    reap();
    if has_ended(&mut child) {
        return;
    }
    if takes_tasks() {
        let name = format!("reaper of process {}", child.id());
        let reaper = task::task(wait_for(Reaped(Some(child)))).name(name).queued().spawn();
        if fate == Fate::Killed {
            // The final sweep waits for it: it is not long.
            reaper.spare_in_sweep();
        }
        return;
    }
    let begin = Instant::now();
    while fate == Fate::Killed && begin.elapsed() < A_MOMENT {
        thread::sleep(Duration::from_millis(1));
        if has_ended(&mut child) {
            return;
        }
    }
    list().push(child);
}

async fn wait_for(mut orphan: Reaped) -> crate::error::Result<()> {
    let mut waiting = Waiting::new();
    let Some(child) = &mut orphan.0 else { return Ok(()) };
    let ended = poll_fn(|cx| child.poll(cx, &mut waiting)).await;
    child.leave(&mut waiting);
    match ended {
        Err(error) if error.is_cancelled() => Err(error),
        // Otherwise an error says that somebody else has its status: then all is well.
        _ => Ok(()),
    }
}

/// A child whose task may end before it does.
struct Reaped(Option<Exit>);

impl Drop for Reaped {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take()
            && !has_ended(&mut child)
        {
            list().push(child);
        }
    }
}

/// Looks through the list.
pub(super) fn reap() {
    list().retain_mut(|child| !has_ended(child));
}

/// Or is not ours any more.
fn has_ended(child: &mut Exit) -> bool {
    !matches!(child.try_wait(), Ok(None))
}

fn list() -> std::sync::MutexGuard<'static, Vec<Exit>> {
    LIST.lock().unwrap_or_else(PoisonError::into_inner)
}
