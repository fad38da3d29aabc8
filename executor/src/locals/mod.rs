//! Task-locals: values that belong to a task, found by a key instead of being passed along.
//!
//! A key is a `static`, and says when it is declared whether a task that is spawned gets the value of its
//! spawner. The values of a task are its [`Context`]; it has one from the moment it needs it, and a task that
//! does not, costs nothing.
//!
//! ```text
//!   static KEY ──find──► the context in force ──► inherited:  [ REQUEST_ID: 7 │ … ]  ◄─── shared with tasks that
//!                         │                  └──► own:        [ DEPTH: 3 ]                it spawned, until either
//!                         │                                                               side changes something
//!                         ├─ the running task's       (in its extras)
//!                         └─ one that was entered     a callback's, a dropped task's, `Context::run`'s
//! ```
//!
//! Spawning copies the pointer to the inherited values, and no value: changes on either side are made in a
//! copy of the list, so they are not seen by the other (CV-1). A value that has inner mutability would be:
//! hence `own` keys.

mod context;
mod error;
pub(crate) mod in_force;
mod key;
mod scoped;
mod values;

pub use context::Context;
pub use error::LocalError;
pub use key::TaskLocal;
pub use scoped::Scoped;
