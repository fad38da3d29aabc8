//! The executor of homing: the loop, the waker, tasks, cancellation, the clock, sockets, threads and processes.
//!
//! Programs use it through the facade, `homing`. This is the map for readers; each module opens with its idea.
//!
//! ```text
//!  runtime    the loop            task       rows, cells, handles     cancel   requests, leaves, scopes
//!   ├ ready    who is next         ├ state    a task's life           error    what comes out of an await
//!   ├ reactor  how it sleeps       ├ pages    where rows live         time     sleep, interval
//!   ├ clock    what time it is     └ cell     where futures live      net, io  sockets, and others
//!   └ outpost  other threads ◄──── remote, waker: the way back        hook     what nobody else has seen
//!     introspect  who waits for whom    observe  who is told of it    locals   values that belong to a task
//!      ├ holders    who has what others wait for
//!      ├ outside    where another process finds that
//!      └ black_box  where it is still found when the process has been killed
//!     threads     a runtime on each of several
//!     blocking, fs  threads, files      process, signal  other programs, and what they send
//! ```
#![allow(unsafe_code)]

mod black_box;
mod clock;
mod context;
mod hook;
mod memory;
mod outpost;
mod reactor;
mod ready;
mod remote;
mod sigpipe;
mod sync;
mod waker;

pub mod blocking;
pub mod cancel;
pub mod error;
pub mod fs;
pub mod holders;
#[cfg(all(unix, feature = "hyper"))]
pub mod hyper;
pub mod introspect;
#[cfg(unix)]
pub mod io;
pub mod locals;
#[cfg(unix)]
pub mod net;
pub mod observe;
pub mod outside;
#[cfg(unix)]
pub mod process;
pub mod runtime;
#[cfg(unix)]
pub mod signal;
pub mod task;
pub mod threads;
pub mod time;

pub use hook::Unhandled;
