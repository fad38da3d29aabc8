//! Errors: any error in one word, cancellations, timeouts, panics, and groups of errors with `except*`.
//!
//! Every task of homing ends in a [`Result`], so every failure becomes an [`Error`] sooner or later: of the user's, of
//! ours, or a whole tree of them. The module has this shape:
//!
//! ```text
//!            Cancelled ◄──┐ the same word,     ┌──► ExceptionGroup ──leaves, split──> parts of it
//!             causes      │ from another side  │     message, members ──> Error, Error, …
//!                         └────── Error ───────┘
//!                        is one word: repr.rs
//!                                   │ points to
//!                                 Body ───────┬─ kind   cancelled | group | any other error (TimedOut, Panicked, yours)
//!                                             └─ story  origin, trail, notes, displaced errors, context
//! ```
//!
//! | file           | what it answers                                                     |
//! |----------------|---------------------------------------------------------------------|
//! | `error.rs`     | what is an `Error`, and how does one get at what is in it?          |
//! | `std_error.rs` | how does `?` make one, and how does one leave and come back?        |
//! | `chain.rs`     | what lies behind it: is it a cancellation or a timeout at heart?    |
//! | `story.rs`     | which task did it come from, and which way did it take?             |
//! | `cancelled.rs` | a cancellation; `cause.rs`: who asked, and why                      |
//! | `timed_out.rs` | a timeout                                                           |
//! | `panicked.rs`  | a panic                                                             |
//! | `interrupted.rs` | Ctrl-C                                                            |
//! | `misuse.rs`    | wrong use of the runtime                                            |
//! | `group.rs`     | several errors as one; `split.rs`: how to take them apart           |
//! | `except.rs`    | how to handle the parts of a group by type                          |
//! | `report.rs`    | what is printed                                                     |
//! | `repr.rs`      | how it fits in a word (the only `unsafe`); `body.rs`: what it points to |
//!
//! Rules such as (EG-5) are those of the semantics chapter of the book.

mod body;
mod cancelled;
mod cause;
mod chain;
#[expect(clippy::module_inception, reason = "`Error` is the noun that this file explains")]
mod error;
mod except;
mod group;
mod interrupted;
mod misuse;
mod panicked;
mod report;
mod repr;
mod split;
mod std_error;
mod story;
mod timed_out;

pub use cancelled::Cancelled;
pub use cause::{Asker, Cause};
pub use chain::Chain;
pub use error::{Error, Result};
pub use except::{Clause, ClauseOutcome, Clauses, Except};
pub use group::{EmptyGroup, ExceptionGroup};
pub use interrupted::Interrupted;
pub use misuse::RuntimeError;
pub use panicked::Panicked;
pub use split::Leaves;
pub use std_error::StdError;
pub use story::{Origin, ScopeNote};
pub use timed_out::TimedOut;
