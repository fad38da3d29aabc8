//! Who holds a lock: remembered by the lock, and shown to whoever looks at those who wait for it.
//!
//! A lock that is free to be taken writes down who takes it, and where: two words, beside its own. Only when somebody has to
//! wait does it hang up a *board* that says so to all the world, and from then on keeps that up to date as long as somebody
//! stands in line:
//!
//! ```text
//!   lock ── taken ──► Holder: task, place              2 words, of which nobody else knows
//!     └─ waited for ──► Board ──► [ 'orders' since src/page.rs:31 │ … │ and 2 permits more ]
//!                         ▲
//!   row.awaiting: mutex ──┘ its number, which those who wait leave in their rows
//! ```
//!
//! Boards are made as rows are: they lie in pages that are never freed, and are found by their address. So what a row
//! says may be followed without harm, from within the process or from another one, even if the future that has left it
//! was forgotten and the lock is long gone.
//!
//! All that is known is who *took* a lock. A guard can be given to another task, and that is told where it is likely
//! ([`Hold::Owned`]).

mod board;
mod holder;

pub use board::{Board, Posted};
pub use holder::{Hold, Holder};

pub(crate) use board::{FIELDS, Record, read};
#[cfg(all(target_os = "linux", not(homing_portable)))]
pub(crate) use board::{PAGE as BOARDS, enter, release};
