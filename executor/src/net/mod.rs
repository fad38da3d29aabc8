//! Sockets.
//!
//! A socket is tried first, and listened to only when it has nothing to give: what is ready costs one system call, no
//! allocation, and no look at the reactor.
//!
//! ```text
//!   read ─► leaf.resume ─► readiness: known to be empty? ──no──► recv ─► bytes: Ready
//!             │ Err                 │ yes                         │
//!             ▼                     ▼                             │ nothing there
//!         cancelled, and      leaf.park, stand in line ◄──────────┘ (the first time: register)
//!         nothing consumed          ▲         │
//!                                   └─ edge ──┘
//! ```
//!
//! The whole of it is in `registered.rs`; the sockets only say which system call it is about. Three rules hold for all:
//!
//! * **No byte is lost.** An operation that is cancelled or dropped has not happened: a request is looked for *before*
//!   the system call, and what the call has moved is handed over in that same poll.
//! * **No call just to hear no.** When a read fills less than its buffer, the socket is known to be empty, and the next
//!   one waits at once. That is sound with edges: whatever comes later is a new edge.
//! * **No task has it all.** A socket that is always ready suspends its task now and then all the same, so that others
//!   get their turn and a cancel gets through.
//!
//! A socket listens with the runtime in which it first had to wait, and from then on can only wait there. It may be sent
//! to another thread before that (accept on one, serve on many), and dropped anywhere.
//!
//! All this is for Unix. Elsewhere mio registers a socket only while nobody else has a reference to it, which a socket
//! that is registered by its first wait cannot promise.
//!
//! | file              | what it answers                                                 |
//! |-------------------|-----------------------------------------------------------------|
//! | `registered.rs`   | how does an operation wait, and where does a socket belong?     |
//! | `transfer.rs`     | how are bytes moved, and what remains of it when it is stopped? |
//! | `tcp_stream.rs`   | a connection                                                    |
//! | `connect.rs`      | how is one made?                                                |
//! | `lookup.rs`       | which addresses does a name have?                               |
//! | `tcp_listener.rs` | where do they come in, and what if there is no room for them?   |

mod connect;
mod lookup;
pub(crate) mod registered;
mod tcp_listener;
mod tcp_stream;
mod transfer;

pub use lookup::{Destination, LookupHost, Target, lookup_host};
pub use tcp_listener::{Incoming, TcpListener};
pub use tcp_stream::TcpStream;
pub use transfer::{ReadExact, WriteAll};
