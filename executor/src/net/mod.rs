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
//! TCP and Unix sockets are one implementation: [`Stream`], [`Listener`] and [`Datagram`] are generic over the protocol,
//! which only says what an address is. What differs has files of its own.
//!
//! | file              | what it answers                                                 |
//! |-------------------|-----------------------------------------------------------------|
//! | `registered.rs`   | how does an operation wait, and where does a socket belong?     |
//! | `transfer.rs`     | how are bytes moved, and what remains of it when it is stopped? |
//! | `call.rs`         | with which system calls?                                        |
//! | `ready.rs`        | would one block now?                                            |
//! | `duplex.rs`       | what do futures-io's traits have to remember?                   |
//! | `protocol.rs`     | in what do TCP, UDP and Unix sockets differ?                    |
//! | `stream.rs`       | a connection                                                    |
//! | `split.rs`        | its two directions, each by itself                              |
//! | `listener.rs`     | where do they come in, and what if there is no room for them?   |
//! | `datagram.rs`     | single messages                                                 |
//! | `connect.rs`      | which of several addresses?                                     |
//! | `lookup.rs`       | which addresses does a name have?                               |
//! | `bind.rs`, `tcp_*.rs`, `udp_*.rs`, `unix_*.rs` | what only one kind has: addresses, options |

mod bind;
pub(crate) mod call;
mod connect;
mod datagram;
pub(crate) mod duplex;
mod listener;
mod lookup;
mod protocol;
mod ready;
pub(crate) mod registered;
mod split;
mod stream;
mod tcp_listener;
mod tcp_stream;
mod transfer;
mod udp_socket;
mod unix_datagram;
mod unix_stream;

pub use connect::Connect;
pub use datagram::{Datagram, UdpSocket, UnixDatagram};
pub use listener::{Incoming, Listener, TcpListener, UnixListener, is_exhaustion};
pub use lookup::{Destination, LookupHost, Target, lookup_host};
pub use protocol::{Addresses, Connections, Messages, Tcp, Udp, Unix};
pub use split::{Closing, NotOfOneStream, OwnedReadHalf, OwnedWriteHalf, ReadHalf, Shared, WriteHalf};
pub use stream::{Stream, TcpStream, UnixStream};
pub use transfer::{ReadExact, WriteAll};

/// Every option that a socket has, by reference: `SockRef::from(&stream).set_recv_buffer_size(1 << 20)`. (From the crate
/// `socket2`.)
///
/// The options that are used most have methods on the sockets themselves.
///
/// ```
/// use homing::net::{SockRef, UnixStream};
///
/// let (stream, _other) = UnixStream::pair()?;
/// SockRef::from(&stream).set_send_buffer_size(256 << 10)?;
/// assert!(SockRef::from(&stream).send_buffer_size()? >= 256 << 10);
/// # std::io::Result::Ok(())
/// ```
pub use socket2::SockRef;
