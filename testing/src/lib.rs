//! Deterministic tests of programs that run on homing (feature `testing`).
//!
//! A test runs in virtual time, so an hour's sleep takes none; on a network in memory, which is as slow, as lossy and as
//! broken as the test wants; with its tasks in an order that a seed decides; and at its end everything has to have come
//! home.
//!
//! ```text
//!   Trial     one test            the clock, the order, what is tolerated ──► run(body)
//!    └ Finding                    a task, a timer, a descriptor that was left; an error that nobody has read
//!   settle, advance               all that can happen now, happens; time passes
//!   net       wires in memory     latency, loss, half-open connections, a reset after the n-th byte
//! ```
//!
//! ```
//! use homing::testing::{self, advance, net::Network};
//! use homing::{spawn, timeout};
//! use std::time::Duration;
//!
//! testing::run(async || {
//!     let network = Network::new().latency(Duration::from_millis(40));
//!     let listener = network.listen("echo")?;
//!     let server = spawn(async move {
//!         let (stream, _peer) = listener.accept().await?;
//!         let mut line = [0; 5];
//!         stream.read_exact(&mut line).await?;
//!         stream.write_all(&line).await
//!     });
//!
//!     let stream = network.connect("echo").await?;
//!     stream.write_all(b"hello").await?;
//!     let mut answer = [0; 5];
//!     timeout(Duration::from_secs(1), stream.read_exact(&mut answer)).await?;
//!     assert_eq!(&answer, b"hello");
//!     server.await
//! });
//! ```
//!
//! # asyncio
//!
//! `unittest.IsolatedAsyncioTestCase`, and what its users add to it: a loop with a clock of its own, streams in memory.
//! Trio's `trio.testing` (`MockClock`, `wait_all_tasks_blocked`, `memory_stream_pair`) is nearest.
#![forbid(unsafe_code)]

mod advance;
mod finding;
mod limit;
pub mod net;
mod trial;

pub use advance::advance;
pub use finding::Finding;
pub use homing_executor::runtime::{Settle, settle};
pub use trial::{Trial, run};
