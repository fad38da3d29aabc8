//! What else can be read, written, or waited for; and what one does with it.
//!
//! ```text
//!   Async<S>              anything that mio can listen to: pipes, devices, other people's sockets
//!   Descriptor<T>         anything that has a descriptor, as such a source
//!   copy_bidirectional    two streams, each into the other, until both have ended
//!   Lines                 a stream cut at its line ends, with a limit
//! ```
//!
//! Readers and writers are those of futures-io, whose combinators (`futures_util::io`, `futures_lite::io`) have the rest:
//! buffers, `copy`, `split`, and so on. For frames there is `asynchronous-codec`, which takes the same traits.
//!
//! | file               | what it answers                                                 |
//! |--------------------|-----------------------------------------------------------------|
//! | `async_source.rs`  | how does one wait for something that we do not know?            |
//! | `descriptor.rs`    | and for something that is only a descriptor?                    |
//! | `copy.rs`          | how do bytes go both ways at once, and what has gone?           |
//! | `lines.rs`         | where does a line end, and how long may it be?                  |

mod async_source;
mod copy;
mod descriptor;
mod lines;

pub use async_source::Async;
pub use copy::{Copied, CopyBidirectional, copy_bidirectional};
pub use descriptor::Descriptor;
pub use lines::{LineTooLong, Lines};

/// The crate whose [`Source`](mio::event::Source) an [`Async`] is made of, in the version that is meant.
pub use mio;
