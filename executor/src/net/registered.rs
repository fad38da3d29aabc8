//! A descriptor with its registration: what every socket is built on.

use crate::cancel::{Awaiting, Leaf};
use crate::context;
use crate::error::{Error, Result, RuntimeError};
use crate::reactor::{Place, Share, Source, Standing, Way};
use crate::runtime::core::Core;
use mio::Interest;
use mio::unix::SourceFd;
use std::cell::{Cell, OnceCell};
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Something with a descriptor that does not block, and, from its first wait on, its place in a reactor.
pub(crate) struct Registered<S> {
    /// Before the descriptor, so that it is dropped before that is closed.
    home: OnceCell<Home>,
    io: S,
}

/// The registration with the runtime that listens.
struct Home {
    source: Arc<Source>,
    descriptor: RawFd,
    interest: Cell<Interest>,
    registered: By,
}

/// Who has registered it, and so can change that and take it out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// We have, by its descriptor.
    Us,
    /// Its owner, who knows how: see [`Registered::at_home`].
    Owner,
}

// What each socket carries along, in every future that holds it.
const _: () = assert!(size_of::<OnceCell<Home>>() == 16);

/// What a try of a system call has come to, if it was not `WouldBlock`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tried<T> {
    /// It has worked, and may be worth another try.
    Ready(T),
    /// It has worked, and the next try would find nothing.
    Drained(T),
}

/// An await of a socket, or of one direction of it: what remains between two polls.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) leaf: Leaf,
    place: Place,
}

impl Waiting {
    #[track_caller]
    #[inline]
    pub(crate) fn new() -> Waiting {
        Waiting { leaf: Leaf::new(), place: Place::Nowhere }
    }

    pub(crate) fn made_at(place: &'static Location<'static>) -> Waiting {
        Waiting { leaf: Leaf::made_at(place), place: Place::Nowhere }
    }
}

/// Where an operation keeps its [`Waiting`]: in its future, or wherever one can be made once it is needed.
pub(crate) trait Keeps {
    /// If there is one.
    fn present(&mut self) -> Option<&mut Waiting>;

    /// One way or the other.
    fn needed(&mut self) -> &mut Waiting;
}

impl Keeps for &mut Waiting {
    #[inline]
    fn present(&mut self) -> Option<&mut Waiting> {
        Some(self)
    }

    #[inline]
    fn needed(&mut self) -> &mut Waiting {
        self
    }
}

/// Why an operation is not over yet.
enum Pause {
    /// There is nothing to be had.
    Wait(Standing),
    /// There may be, but others want their turn.
    GiveWay,
}

impl<S: AsRawFd> Registered<S> {
    /// Takes charge of something that has been set not to block.
    pub(crate) fn new(io: S) -> Registered<S> {
        Registered { home: OnceCell::new(), io }
    }

    /// Takes charge of something that its owner has registered, and will take out again.
    pub(crate) fn at_home(io: S, source: Arc<Source>, interest: Interest) -> Registered<S> {
        // What is true already is reported as the first edge.
        source.direction(Way::Read).exhausted();
        source.direction(Way::Write).exhausted();
        let (descriptor, registered) = (io.as_raw_fd(), By::Owner);
        let home = Home { source, descriptor, interest: Cell::new(interest), registered };
        Registered { home: OnceCell::from(home), io }
    }

    pub(crate) fn get(&self) -> &S {
        &self.io
    }

    /// Stops listening to it.
    pub(crate) fn into_inner(self) -> S {
        self.io
    }

    /// One poll of an operation: tries it, unless it is known to be useless, and else waits.
    ///
    /// `try_io` is called at most once with effect: if it returns `Ok` or an error, that is the result.
    #[track_caller]
    #[inline]
    pub(crate) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        way: Way,
        waiting: impl Keeps,
        try_io: impl FnMut(&S) -> io::Result<Tried<T>>,
    ) -> Poll<Result<T>> {
        self.poll_as(cx, way, waiting, || self.awaiting(way), try_io)
    }

    /// The same, for a descriptor that stands for something else, which is what people are to see.
    #[track_caller]
    #[inline]
    pub(crate) fn poll_as<T>(
        &self,
        cx: &mut Context<'_>,
        way: Way,
        mut waiting: impl Keeps,
        awaiting: impl FnOnce() -> Awaiting,
        try_io: impl FnMut(&S) -> io::Result<Tried<T>>,
    ) -> Poll<Result<T>> {
        // Before the system call: a cancelled operation has not happened.
        if let Some(waiting) = waiting.present()
            && let Err(cancelled) = waiting.leaf.resume()
        {
            self.leave(way, waiting);
            return Poll::Ready(Err(cancelled.into()));
        }
        match self.attempt(way, try_io) {
            ControlFlow::Break(result) => {
                if let Some(waiting) = waiting.present() {
                    waiting.leaf.unpark();
                }
                Poll::Ready(result)
            }
            ControlFlow::Continue(pause) => {
                match self.suspend(cx, way, waiting.needed(), awaiting(), pause) {
                    Ok(()) => Poll::Pending,
                    Err(error) => Poll::Ready(Err(error)),
                }
            }
        }
    }

    #[inline]
    fn attempt<T>(
        &self,
        way: Way,
        mut try_io: impl FnMut(&S) -> io::Result<Tried<T>>,
    ) -> ControlFlow<Result<T>, Pause> {
        let (standing, direction) = match self.home.get() {
            // At home wherever it is: the first wait decides.
            None => (Standing::Home, None),
            Some(home) => match home.source.registrar().standing() {
                Standing::Home => (Standing::Home, Some(home.source.direction(way))),
                // Readiness is not ours to change here, so it tells us nothing.
                Standing::Outside => (Standing::Outside, None),
                Standing::Elsewhere | Standing::Gone => return ControlFlow::Break(Err(stranded(home))),
            },
        };
        if direction.is_some_and(|direction| !direction.is_ready()) {
            return ControlFlow::Continue(Pause::Wait(standing));
        }
        if context::with(|core| core.map(Core::draw_io)) == Some(Share::UsedUp) {
            return ControlFlow::Continue(Pause::GiveWay);
        }
        loop {
            match try_io(&self.io) {
                Ok(Tried::Ready(value)) => return ControlFlow::Break(Ok(value)),
                Ok(Tried::Drained(value)) => {
                    if let Some(direction) = direction {
                        direction.drained();
                    }
                    return ControlFlow::Break(Ok(value));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if let Some(direction) = direction {
                        direction.exhausted();
                    }
                    return ControlFlow::Continue(Pause::Wait(standing));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return ControlFlow::Break(Err(error.into())),
            }
        }
    }

    /// Parks the leaf and stands in line.
    #[track_caller]
    fn suspend(
        &self,
        cx: &mut Context<'_>,
        way: Way,
        waiting: &mut Waiting,
        awaiting: Awaiting,
        pause: Pause,
    ) -> Result<()> {
        if let Err(cancelled) = waiting.leaf.park(cx, awaiting) {
            self.leave(way, waiting);
            return Err(cancelled.into());
        }
        match pause {
            Pause::GiveWay => cx.waker().wake_by_ref(),
            Pause::Wait(standing) => match self.listen(way, standing) {
                Ok(source) => source.direction(way).wait(&mut waiting.place, cx.waker()),
                Err(error) => {
                    waiting.leaf.abandon();
                    return Err(error);
                }
            },
        }
        Ok(())
    }

    /// Sees to it that the running runtime's reactor reports edges in this direction.
    fn listen(&self, way: Way, standing: Standing) -> Result<&Source> {
        if standing == Standing::Outside {
            return Err(RuntimeError::NoRuntime.into());
        }
        let Some(home) = self.home.get() else {
            let home = Home::found(self.io.as_raw_fd(), way)?;
            return Ok(&self.home.get_or_init(|| home).source);
        };
        home.listen_also(way)?;
        Ok(&home.source)
    }

    fn awaiting(&self, way: Way) -> Awaiting {
        let descriptor = self.io.as_raw_fd() as u64;
        match way {
            Way::Read => Awaiting::Readable(descriptor),
            Way::Write => Awaiting::Writable(descriptor),
        }
    }

    /// The await is over: nobody is to be woken for it.
    #[inline]
    pub(crate) fn leave(&self, way: Way, waiting: &mut Waiting) {
        if waiting.place != Place::Nowhere
            && let Some(home) = self.home.get()
        {
            home.source.direction(way).leave(&mut waiting.place);
        }
    }
}

/// What one listens to in order to read. Of an urgent byte too, where that can be told, for reads stop before it, and so get
/// less than there is.
#[cfg(any(target_os = "linux", target_os = "android"))]
const TO_READ: Interest = Interest::READABLE.add(Interest::PRIORITY);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const TO_READ: Interest = Interest::READABLE;

impl Home {
    /// Registers a descriptor with the running runtime.
    ///
    /// Who waits to read listens to that alone: most sockets have always room for what is written, and would be
    /// reported as writable for nothing. Who waits to write, or to be connected, will want to read as well.
    #[cold]
    fn found(descriptor: RawFd, way: Way) -> Result<Home> {
        let interest = match way {
            Way::Read => TO_READ,
            Way::Write => TO_READ | Interest::WRITABLE,
        };
        let registered = context::with(|core| {
            let core = core.ok_or_else(|| Error::from(RuntimeError::NoRuntime))?;
            core.with_reactor(|reactor| reactor.register(&mut SourceFd(&descriptor), interest))
                .map_err(|error| could_not_listen(error, descriptor))
        });
        let source = registered?;
        // The kernel reports what is true already as the first edge, also what came since the last try.
        source.direction(way).exhausted();
        Ok(Home { source, descriptor, interest: Cell::new(interest), registered: By::Us })
    }

    fn listen_also(&self, way: Way) -> Result<()> {
        let (listens, wanted) = match way {
            Way::Read => (self.interest.get().is_readable(), Interest::READABLE),
            Way::Write => (self.interest.get().is_writable(), Interest::WRITABLE),
        };
        if listens {
            return Ok(());
        }
        if self.registered == By::Owner {
            return Err(not_interested(way));
        }
        let descriptor = self.descriptor;
        let interest = self.interest.get() | wanted;
        let registrar = self.source.registrar();
        registrar
            .reregister(&mut SourceFd(&descriptor), &self.source, interest)
            .map_err(|error| could_not_listen(error, descriptor))?;
        self.interest.set(interest);
        Ok(())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.registered == By::Us {
            self.source.registrar().deregister(&mut SourceFd(&self.descriptor), &self.source);
        }
    }
}

#[cold]
fn not_interested(way: Way) -> Error {
    let told = match way {
        Way::Read => "this source was registered for writing only: nobody would hear that it is readable",
        Way::Write => "this source was registered for reading only: nobody would hear that it is writable",
    };
    io::Error::new(io::ErrorKind::InvalidInput, told).into()
}

#[cold]
fn stranded(home: &Home) -> Error {
    let (why, note) = match home.source.registrar().standing() {
        Standing::Gone => {
            (RuntimeError::RuntimeGone, "the runtime that listened to this socket has been dropped")
        }
        _ => (
            RuntimeError::OtherRuntime,
            "a socket listens with the runtime in which it first had to wait, and can be used only there",
        ),
    };
    Error::from(why).with_note(note)
}

#[cold]
fn could_not_listen(error: io::Error, descriptor: RawFd) -> Error {
    let note = match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("descriptor {descriptor} is registered already: two sockets own it")
        }
        _ => format!("descriptor {descriptor} could not be listened to"),
    };
    Error::from(error).with_note(note)
}

/// An operation of a socket as a future.
#[must_use = "futures do nothing unless awaited"]
pub(crate) struct Operation<'a, S: AsRawFd, F> {
    socket: &'a Registered<S>,
    way: Way,
    waiting: Waiting,
    try_io: F,
}

impl<'a, S: AsRawFd, F> Operation<'a, S, F> {
    #[track_caller]
    #[inline]
    pub(crate) fn new(socket: &'a Registered<S>, way: Way, try_io: F) -> Self {
        Operation { socket, way, waiting: Waiting::new(), try_io }
    }
}

// The function is called, never pinned.
impl<S: AsRawFd, F> Unpin for Operation<'_, S, F> {}

impl<S: AsRawFd, F, T> Future for Operation<'_, S, F>
where
    F: FnMut(&S) -> io::Result<Tried<T>>,
{
    type Output = Result<T>;

    #[track_caller]
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let this = self.get_mut();
        this.socket.poll(cx, this.way, &mut this.waiting, &mut this.try_io)
    }
}

impl<S: AsRawFd, F> Drop for Operation<'_, S, F> {
    #[inline]
    fn drop(&mut self) {
        self.socket.leave(self.way, &mut self.waiting);
    }
}

impl<S: std::fmt::Debug> std::fmt::Debug for Registered<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.io.fmt(f)
    }
}
