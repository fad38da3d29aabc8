//! Waiting for a signal.

use super::SignalKind;
use super::handler::Listener;
use crate::cancel::Awaiting;
use crate::error::{Error, Result};
use crate::net::registered::{Registered, Tried, Waiting};
use crate::reactor::Way;
use futures_core::Stream;
use std::fmt;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Listens to a signal, from this call on and until the [`Signal`] is dropped.
///
/// Every listener hears of it, in whichever runtime; and so does a handler that somebody else had installed before. The
/// signal's own effect, such as ending the process, is gone meanwhile, and back afterwards.
///
/// # Errors
///
/// An [`io::Error`] of kind `InvalidInput` for what is no signal, for `SIGKILL` and `SIGSTOP`, which cannot be listened to,
/// and for those that tell of a fault of the program; the operating system's, if it has no descriptor left.
///
/// # asyncio
///
/// `loop.add_signal_handler`, which replaces a former handler and calls back; here any number may listen, and await.
///
/// ```
/// use homing::signal::{self, SignalKind};
///
/// homing::run(async {
///     let mut reloads = signal::unix(SignalKind::HANGUP)?;
///     std::process::Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status()?;
///     reloads.recv().await?;
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn unix(kind: SignalKind) -> Result<Signal> {
    let listening = |error: io::Error| Error::from(error).with_note(format!("listening to {kind}"));
    let (listener, pipe) = Listener::open(kind.as_raw()).map_err(listening)?;
    let hearing = Hearing { kind, seen: 0, listener, pipe: Registered::new(pipe) };
    Ok(Signal { hearing, waiting: Waiting::new() })
}

/// Waits for Ctrl-C, from this call on.
///
/// While somebody listens to it, it does not cancel the main task of [`run`](crate::runtime::run): whoever listens has taken
/// that upon himself. Dropped, everything is as it was.
///
/// # Errors
///
/// Those of [`unix`] and of [`Signal::recv`].
///
/// # Cancel safety
///
/// Nothing to lose but the wait.
///
/// # asyncio
///
/// `loop.add_signal_handler(signal.SIGINT, …)`. To clean up after Ctrl-C, none of it is needed: it cancels main.
///
/// ```no_run
/// homing::run(async {
///     println!("Ctrl-C ends it");
///     homing::signal::ctrl_c().await?;
///     println!("as you wish");
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn ctrl_c() -> CtrlC {
    CtrlC { signal: unix(SignalKind::INTERRUPT) }
}

/// A signal that is listened to: [`recv`](Signal::recv) waits for the next, and so does the [`Stream`], which never ends.
///
/// The kernel does not count: several that come in short succession may come as one, and do so here too, if nobody has asked
/// in between.
pub struct Signal {
    hearing: Hearing,
    /// What the stream has to remember from poll to poll.
    waiting: Waiting,
}

/// The part that is the same for all who wait with it.
struct Hearing {
    kind: SignalKind,
    /// The listener's count, when it was last looked at.
    seen: u32,
    /// Before the pipe, so that it is dropped before that is closed, and no handler writes where nobody reads.
    listener: Listener,
    pipe: Registered<UnixStream>,
}

impl Signal {
    /// Which it is.
    pub fn kind(&self) -> SignalKind {
        self.hearing.kind
    }

    /// Waits until the signal comes, or has come since the last time.
    ///
    /// # Errors
    ///
    /// `Cancelled`, if the task is cancelled while it stands here;
    /// [`RuntimeError`](crate::error::RuntimeError): `NoRuntime` outside of one, `OtherRuntime` in another than that in which
    /// it has first waited.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, no signal is lost: the next call hears of it.
    ///
    /// ```
    /// # use homing::signal::{self, SignalKind};
    /// # use std::time::Duration;
    /// homing::run(async {
    ///     let mut winch = signal::unix(SignalKind::WINDOW_CHANGE)?;
    ///     let nothing = homing::timeout(Duration::from_millis(1), async { winch.recv().await }).await;
    ///     assert!(nothing.unwrap_err().is_timeout());
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    #[track_caller]
    pub fn recv(&mut self) -> Recv<'_> {
        Recv { signal: self, waiting: Waiting::new() }
    }
}

/// For who waits for something else that the signal tells of.
impl Signal {
    #[track_caller]
    pub(crate) fn poll_as(
        &mut self,
        cx: &mut Context<'_>,
        waiting: &mut Waiting,
        awaiting: impl FnOnce() -> Awaiting,
    ) -> Poll<Result<()>> {
        self.hearing.poll_as(cx, waiting, awaiting)
    }

    pub(crate) fn leave(&self, waiting: &mut Waiting) {
        self.hearing.pipe.leave(Way::Read, waiting);
    }
}

impl Hearing {
    #[track_caller]
    fn poll(&mut self, cx: &mut Context<'_>, waiting: &mut Waiting) -> Poll<Result<()>> {
        let signal = self.kind.as_raw() as u64;
        self.poll_as(cx, waiting, || Awaiting::Signal(signal))
    }

    #[track_caller]
    fn poll_as(
        &mut self,
        cx: &mut Context<'_>,
        waiting: &mut Waiting,
        awaiting: impl FnOnce() -> Awaiting,
    ) -> Poll<Result<()>> {
        let polled = self.pipe.poll_as(cx, Way::Read, waiting, awaiting, |pipe| {
            // Emptied first and looked at afterwards: what comes in between leaves a byte for the next time.
            empty(pipe)?;
            match self.listener.came() {
                came if came == self.seen => Err(io::ErrorKind::WouldBlock.into()),
                came => Ok(Tried::Ready(came)),
            }
        });
        polled.map_ok(|came| self.seen = came)
    }
}

fn empty(mut pipe: &UnixStream) -> io::Result<()> {
    let mut bytes = [0; 256];
    loop {
        match pipe.read(&mut bytes) {
            Ok(length) if length == bytes.len() => {}
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Stream for Signal {
    type Item = Result<()>;

    #[track_caller]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<()>>> {
        let this = &mut *self;
        this.hearing.poll(cx, &mut this.waiting).map(Some)
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        self.hearing.pipe.leave(Way::Read, &mut self.waiting);
    }
}

/// The future of [`Signal::recv`].
#[must_use = "futures do nothing unless awaited"]
pub struct Recv<'a> {
    signal: &'a mut Signal,
    waiting: Waiting,
}

impl Future for Recv<'_> {
    type Output = Result<()>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        this.signal.hearing.poll(cx, &mut this.waiting)
    }
}

impl Drop for Recv<'_> {
    fn drop(&mut self) {
        self.signal.hearing.pipe.leave(Way::Read, &mut self.waiting);
    }
}

/// The future of [`ctrl_c`].
#[must_use = "futures do nothing unless awaited"]
pub struct CtrlC {
    signal: Result<Signal>,
}

impl Future for CtrlC {
    type Output = Result<()>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.signal {
            Ok(signal) => Pin::new(signal).poll_next(cx).map(|next| next.unwrap_or(Ok(()))),
            Err(error) => Poll::Ready(Err(error.clone())),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("kind", &self.hearing.kind).finish_non_exhaustive()
    }
}

impl fmt::Debug for Recv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").field("kind", &self.signal.hearing.kind).finish()
    }
}

impl fmt::Debug for CtrlC {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CtrlC")
    }
}
