//! Cancellation: how a request finds the await where the task stands.
//!
//! `cancel()` asks; it stops nothing by itself. The request is *delivered* when an await of the task returns
//! `Err(Cancelled)`, once, and `?` carries it out. In between it is *pending*. Three parties take part:
//!
//! ```text
//!   request                          leaf                                scope
//!   count += 1                       the await itself                    a timeout, a group's body
//!   task parked?                     parked, and polled again:           polls its body with a frame of its own,
//!     on another task: pass it on      epoch has moved? → Err, once      so that *its* requests reach only the
//!     else: epoch += 1, must, wake   about to park: must? → Err, once    leaves inside; drops a foreign future
//!   running or ready: must                                               that lets a request pass by
//! ```
//!
//! * **must** says that a request is pending. The first leaf that would suspend takes it; so does one that is parked.
//!   `uncancel()` down to zero takes it back.
//! * **epoch** says that a request is *bound* to be delivered: it moves when the task is parked at the moment of the
//!   request, and when a leaf takes a `must`. A leaf notes it when it parks; if it has moved when the leaf is polled
//!   again, the leaf was parked at the moment of a request, and returns `Err`. That holds for every leaf parked in the
//!   task, be there several (`join!`, `select!`), each once; and for none that parks later.
//! * Both exist for the task and for each of its [scopes](Scope): a leaf sees the sum of the epochs and any of the
//!   musts of the frames that it is polled in.
//!
//! A task that awaits another one passes the request on to it. That is done at once if the join is certainly what the
//! task stands at; it is in doubt if something else has parked after it in the same poll, for then the join may have
//! been let go (`select!` on `&mut task`, of which nobody is told). In doubt the task is woken instead, and its joins pass
//! the request on as they are polled: those that are polled, still stand.
//!
//! Why two words and not one flag: with a flag alone, the first of two parked leaves would take the request, and a
//! `join!` would wait for the other for ever.

pub(crate) mod awaited_tasks;
mod awaiting;
mod cancellable;
mod frame_mark;
mod join;
pub(crate) mod leaf;
pub(crate) mod place;
pub(crate) mod request;
pub(crate) mod scope;
mod unswallowed;

pub use crate::waker::keep_waker;
pub use awaited_tasks::AwaitedTasks;
pub use awaiting::Awaiting;
pub use cancellable::{Cancellable, WithCancel};
pub(crate) use frame_mark::FrameMark;
pub use join::Resumed;
pub use leaf::Leaf;
pub use scope::{Outside, Scope, ScopeId};
#[cfg(all(unix, feature = "hyper"))]
pub(crate) use unswallowed::Watched;
pub use unswallowed::{Unswallowed, unswallowed};
