//! Tasks: what they are made of, and how the program holds on to them.
//!
//! ```text
//!  the program's side            the runtime's side
//!  Task, SharedTask, TaskRef ──► row (pages, state) ──► cell (future, output)
//!  WeakTaskRef ─ ─ ─ ─ ─ ─ ─ ─ ─┘
//!  spawn ───────────────────────► life: birth, step, end
//! ```

mod birth;
pub(crate) mod cell;
mod driven;
mod end;
pub(crate) mod extras;
mod handle;
pub(crate) mod joiner;
mod lent;
pub(crate) mod life;
pub(crate) mod nodes;
pub(crate) mod options;
mod owner;
pub(crate) mod pages;
mod record;
pub(crate) mod reference;
pub(crate) mod row;
mod shared;
mod spawn;
pub(crate) mod state;
mod step;
pub(crate) mod types;
pub(crate) mod waits;
mod weak;

pub use driven::{Drive, DrivenBuilder, Driver, ScopedTask};
pub use handle::Task;
pub use options::TaskOptions;
pub use owner::{Attention, Outcome, Owner};
pub use reference::{CallbackKey, TaskId, TaskRef};
pub use shared::SharedTask;
pub use spawn::{TaskBuilder, all_tasks, cancelling, current, spawn, task, uncancel};
pub use weak::WeakTaskRef;
