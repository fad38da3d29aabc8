//! `Server`: connections, each a child of one group, from the first accept to the last answer.
//!
//! ```text
//!   accept ─► handler ─► handler ─► …  │ at most so many; then nobody is accepted until one has ended
//!   stop ──────────────────────────────┼─► nobody is accepted any more
//!            handlers are told ────────┤   each finishes what it has in hand
//!                            grace ────┼─► who is still there is cancelled, and cleans up
//!                                      └─► the group ends, and so does the server
//! ```
//!
//! It is what a program would write with a group, a semaphore and a timeout, and no more; here so that the order of
//! things at the end is right in one place.

use crate::sync::Semaphore;
use crate::{TaskGroup, TimeoutScope};
use homing_executor::error::Result;
use homing_executor::time::Instant;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How long handlers may go on after the end, if nothing else is said.
const GRACE: Duration = Duration::from_secs(10);

/// Accepts connections and has each handled by a task of its own, until it is told to stop.
///
/// Made with [`new`](Server::new), set up, and [`run`](Server::run).
///
/// ```
/// use homing::net::{TcpListener, TcpStream};
/// use homing::sync::Event;
/// use homing::{Served, Server};
/// use std::{rc::Rc, time::Duration};
///
/// homing::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let address = listener.local_addr()?;
///     let stop = Rc::new(Event::new());
///     let told = stop.clone(); // in a program: ctrl_c()
///     let server = homing::spawn(async move {
///         Server::new()
///             .limit(1_000)
///             .grace(Duration::from_secs(5))
///             .run(told.wait(), async || listener.accept().await, async |(stream, _peer), _stopping| {
///                 stream.write_all(b"hello").await
///             })
///             .await
///     });
///     let stream = TcpStream::connect(address).await?;
///     assert_eq!(stream.read(&mut [0; 16]).await?, 5);
///     stop.set();
///     assert_eq!(server.await?, Served::ToTheEnd);
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a server does nothing until it is run"]
pub struct Server {
    limit: usize,
    grace: Duration,
}

/// How a [`Server`] that was told to stop has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// All handlers have ended by themselves.
    ToTheEnd,
    /// Their time was over, and some had to be cancelled.
    Cancelled,
}

impl Server {
    /// A server with as many connections as come, of which the last have ten seconds at the end.
    pub fn new() -> Server {
        Server { limit: usize::MAX, grace: GRACE }
    }

    /// Handles at most so many connections at a time. While there are so many, none is accepted: the others wait in the
    /// operating system's line, which is what tells clients to slow down, and cost nothing here.
    ///
    /// # Panics
    ///
    /// If it is zero.
    ///
    /// # asyncio
    ///
    /// Nothing: `asyncio.start_server` accepts whatever comes.
    pub fn limit(mut self, connections: usize) -> Server {
        assert!(connections > 0, "a server that handles no connection would wait for ever");
        self.limit = connections;
        self
    }

    /// How long handlers may go on after the server was told to stop. Then they are cancelled, and their clean-up is
    /// waited for.
    pub fn grace(mut self, duration: Duration) -> Server {
        self.grace = duration;
        self
    }

    /// Serves until `stop` has ended, and then until the last handler has.
    ///
    /// `accept` gives the next connection, whatever that is: `async || listener.accept().await`. Each is handed to
    /// `handler`, with a [`Stopping`] that tells when to come to an end, and the future that it makes is a child of the
    /// server's group.
    ///
    /// # Errors
    ///
    /// As in every group, a handler's failure ends the rest, and is in the [`ExceptionGroup`] that comes out. So a
    /// handler deals itself with what is one connection's affair only, such as a client that has hung up.
    ///
    /// An error of `accept` or of `stop` ends it likewise. That the system has run out of descriptors does not: the
    /// connection waits in the system's line until there are some (a [listener] takes care not to spin).
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it cancels its handlers at once: a cancel is no polite request, `stop` is. Dropped, it aborts them.
    ///
    /// # asyncio
    ///
    /// `Server.serve_forever()`, `Server.close()` and `Server.wait_closed()`, `Server.close_clients()` in one.
    ///
    /// [`ExceptionGroup`]: homing_executor::error::ExceptionGroup
    /// [listener]: https://docs.rs/homing/latest/homing/net/struct.Listener.html#method.accept
    pub async fn run<C, H, F>(
        self,
        stop: impl Future<Output = Result<()>>,
        mut accept: impl AsyncFnMut() -> Result<C>,
        handler: H,
    ) -> Result<Served>
    where
        H: Fn(C, Stopping) -> F,
        F: Future<Output = Result<()>> + 'static,
    {
        let stopping = Stopping::new();
        let room = Rc::new(Semaphore::new(self.limit));
        let time = TimeoutScope::new(None);
        let served = time.clone().run(async |time| {
            TaskGroup::builder()
                .name("connections")
                .run(async |group| {
                    let accepting = async {
                        loop {
                            let place = room.acquire_owned(1).await?;
                            let connection = match accept().await {
                                Ok(connection) => connection,
                                Err(error) if is_exhaustion(&error) => continue,
                                Err(error) => return Err(error),
                            };
                            let handling = handler(connection, stopping.clone());
                            group
                                .task(async move {
                                    let _place = place;
                                    handling.await
                                })
                                .name("connection")
                                .spawn();
                        }
                    };
                    until(stop, accepting).await?;
                    stopping.announce();
                    // From here on: the group waits for its children, and the timeout for the group.
                    time.reschedule(Instant::now() + self.grace)?;
                    Ok(())
                })
                .await
        });
        match served.await {
            Ok(()) => Ok(Served::ToTheEnd),
            Err(error) if error.is_timeout() && time.expired() => Ok(Served::Cancelled),
            Err(error) => Err(error),
        }
    }
}

impl Default for Server {
    fn default() -> Server {
        Server::new()
    }
}

#[cfg(unix)]
fn is_exhaustion(error: &homing_executor::error::Error) -> bool {
    homing_executor::net::is_exhaustion(error)
}

#[cfg(not(unix))]
fn is_exhaustion(_error: &homing_executor::error::Error) -> bool {
    false
}

/// Runs `forever`, which only fails, until `stop` has ended.
async fn until(
    stop: impl Future<Output = Result<()>>,
    forever: impl Future<Output = Result<()>>,
) -> Result<()> {
    let (mut stop, mut forever) = (pin!(stop), pin!(forever));
    poll_fn(|cx| match stop.as_mut().poll(cx) {
        Poll::Pending => forever.as_mut().poll(cx),
        stopped => stopped,
    })
    .await
}

/// Tells a handler that its [`Server`] has stopped: a future that is ready then, and for ever after.
///
/// It is to be polled beside what is to be stopped, and leaves a cancel to that: awaited all by itself, it is a foreign
/// future, which a cancel drops with all around it. Clones are told as well.
#[derive(Clone)]
#[must_use = "futures do nothing unless awaited"]
pub struct Stopping {
    shared: Rc<Shared>,
    place: Place,
}

#[derive(Default)]
struct Shared {
    stopped: Cell<bool>,
    line: RefCell<Slab<Waker>>,
}

/// Where in the line somebody stands. A clone stands nowhere yet.
#[derive(Default)]
struct Place(Option<usize>);

impl Clone for Place {
    fn clone(&self) -> Place {
        Place(None)
    }
}

impl Stopping {
    fn new() -> Stopping {
        Stopping { shared: Rc::default(), place: Place(None) }
    }

    /// Whether the server has stopped.
    pub fn is_stopping(&self) -> bool {
        self.shared.stopped.get()
    }

    fn announce(&self) {
        self.shared.stopped.set(true);
        // They are woken while nothing is borrowed: a foreign waker may do anything.
        let line = self.shared.line.take();
        line.into_iter().for_each(|(_, waker)| waker.wake());
    }

    fn leave(&mut self) {
        if let Some(place) = self.place.0.take() {
            let left = self.shared.line.borrow_mut().try_remove(place);
            drop(left);
        }
    }
}

impl Future for Stopping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_stopping() {
            return Poll::Ready(());
        }
        let waker = cx.waker();
        let kept = match self.place.0 {
            Some(place) => self.shared.line.borrow().get(place).is_some_and(|kept| kept.will_wake(waker)),
            None => false,
        };
        if !kept {
            self.leave();
            // Cloned before the line is borrowed, as above.
            let waker = waker.clone();
            let place = self.shared.line.borrow_mut().insert(waker);
            self.place = Place(Some(place));
        }
        Poll::Pending
    }
}

impl Drop for Stopping {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopping").field("is_stopping", &self.is_stopping()).finish()
    }
}
