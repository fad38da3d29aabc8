//! A descriptor with its registration: what every socket is built on.

use crate::cancel::{Awaiting, Leaf};
use crate::context;
use crate::error::{Error, Result, RuntimeError};
use crate::reactor::{Place, Share, Source, SourceBlock, Standing, Way};
use crate::runtime::core::Core;
use mio::unix::SourceFd;
use mio::{Interest, event};
use std::cell::OnceCell;
use std::io;
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
    block: Arc<SourceBlock>,
    /// Which source of the block it is.
    key: u32,
    /// By which we have registered it; or [`OWNERS`].
    descriptor: RawFd,
}

/// In place of a descriptor: its owner has registered it, and knows how to take it out again.
const OWNERS: RawFd = -1;

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
    /// Whether it is over when it has worked, and its place in line goes to the next. Others may go on from there.
    const ONCE: bool = false;

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

/// That of an operation that is over when it has worked.
pub(crate) struct Once<'a>(pub(crate) &'a mut Waiting);

impl Keeps for Once<'_> {
    const ONCE: bool = true;

    #[inline]
    fn present(&mut self) -> Option<&mut Waiting> {
        Some(self.0)
    }

    #[inline]
    fn needed(&mut self) -> &mut Waiting {
        self.0
    }
}

/// How a poll of an operation begins.
#[derive(Clone, Copy)]
enum Begin<'a> {
    /// It may be worth a try. There is a source, if the runtime that is running here listens.
    Try(Option<&'a Source>),
    Pause(Pause<'a>),
}

/// Why an operation is not over yet.
#[derive(Clone, Copy)]
enum Pause<'a> {
    /// There is nothing to be had. The source, if it is known already, and that this is its home.
    Wait(Option<&'a Source>),
    /// There may be, but others want their turn.
    GiveWay,
}

impl<S: AsRawFd> Registered<S> {
    /// Takes charge of something that has been set not to block.
    pub(crate) fn new(io: S) -> Registered<S> {
        Registered { home: OnceCell::new(), io }
    }

    /// Takes charge of something that stands for a source: registers that with the running runtime. Its owner takes it out
    /// again, with [`deregister`](Registered::deregister).
    pub(crate) fn at_home(
        io: S,
        source: &mut impl event::Source,
        interest: Interest,
    ) -> Result<Registered<S>> {
        let core = context::running().ok_or(RuntimeError::NoRuntime)?;
        let (block, key) = core.with_reactor(|reactor| reactor.register(source, interest))?;
        // What is true already is reported as the first edge.
        block.source(key).exhausted(Way::Read);
        block.source(key).exhausted(Way::Write);
        Ok(Registered { home: OnceCell::from(Home { block, key, descriptor: OWNERS }), io })
    }

    /// Takes out what was registered with it.
    pub(crate) fn deregister(&self, source: &mut impl event::Source) {
        if let Some(home) = self.home.get() {
            home.deregister(source);
        }
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
    pub(crate) fn poll_as<T, K: Keeps>(
        &self,
        cx: &mut Context<'_>,
        way: Way,
        mut waiting: K,
        awaiting: impl FnOnce() -> Awaiting,
        mut try_io: impl FnMut(&S) -> io::Result<Tried<T>>,
    ) -> Poll<Result<T>> {
        let begin = match begin_at_home(&self.home, way, waiting.present()) {
            Some(begin) => begin,
            None => match begin_otherwise(&self.home, way, waiting.present()) {
                Ok(begin) => begin,
                Err(error) => return Poll::Ready(Err(error)),
            },
        };
        let source = match begin {
            Begin::Try(source) => source,
            Begin::Pause(pause) => return self.suspend(cx, way, waiting.needed(), awaiting, pause),
        };
        let result = loop {
            match try_io(&self.io) {
                Ok(Tried::Ready(value)) => break Ok(value),
                Ok(Tried::Drained(value)) => {
                    if let Some(source) = source {
                        source.drained(way);
                    }
                    break Ok(value);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if let Some(source) = source {
                        source.exhausted(way);
                    }
                    return self.suspend(cx, way, waiting.needed(), awaiting, Pause::Wait(source));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error.into()),
            }
        };
        if let Some(waiting) = waiting.present() {
            waiting.leaf.unpark();
            if K::ONCE
                && waiting.place != Place::Nowhere
                && let Some(source) = source
            {
                source.leave(way, &mut waiting.place);
            }
        }
        Poll::Ready(result)
    }

    /// Parks the leaf and stands in line.
    #[track_caller]
    #[inline]
    fn suspend<T>(
        &self,
        cx: &mut Context<'_>,
        way: Way,
        waiting: &mut Waiting,
        awaiting: impl FnOnce() -> Awaiting,
        pause: Pause<'_>,
    ) -> Poll<Result<T>> {
        let place = waiting.leaf.place_of_await();
        match self.suspend_at(cx, way, waiting, awaiting, pause, place) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    #[inline(never)]
    fn suspend_at(
        &self,
        cx: &mut Context<'_>,
        way: Way,
        waiting: &mut Waiting,
        awaiting: impl FnOnce() -> Awaiting,
        pause: Pause<'_>,
        place: &'static Location<'static>,
    ) -> Result<()> {
        if let Err(cancelled) = waiting.leaf.park_at(cx, awaiting(), place) {
            self.leave(way, waiting);
            return Err(cancelled.into());
        }
        let source = match pause {
            Pause::GiveWay => {
                cx.waker().wake_by_ref();
                return Ok(());
            }
            Pause::Wait(Some(source)) if source.listens(way) => source,
            Pause::Wait(_) => match self.listen(way) {
                Ok(source) => source,
                Err(error) => {
                    waiting.leaf.abandon();
                    return Err(error);
                }
            },
        };
        source.wait(way, &mut waiting.place, cx.waker());
        Ok(())
    }

    /// Sees to it that the running runtime's reactor reports edges in this direction.
    #[cold]
    fn listen(&self, way: Way) -> Result<&Source> {
        let Some(core) = context::running() else { return Err(RuntimeError::NoRuntime.into()) };
        let Some(home) = self.home.get() else {
            let home = Home::found(core, self.io.as_raw_fd(), way)?;
            return Ok(self.home.get_or_init(|| home).source());
        };
        let source = home.source();
        if home.standing(Some(core)) != Standing::Home {
            return Err(stranded(home));
        }
        if !source.listens(way) {
            home.listen_also(way)?;
        }
        Ok(source)
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
        leave(&self.home, way, waiting);
    }
}

/// What there is to do before the system call, in the usual case: in the runtime that listens, by a task of which nothing has
/// been asked.
#[inline(always)]
fn begin_at_home<'a>(home: &'a OnceCell<Home>, way: Way, waiting: Option<&mut Waiting>) -> Option<Begin<'a>> {
    let core = context::running()?;
    let row = core.current.get()?;
    let source = home.get()?.source();
    let is_undisturbed = waiting.is_none_or(|waiting| waiting.leaf.may_go_on(row));
    if !is_undisturbed || !source.is_home(core.serial) {
        return None;
    }
    if !source.is_ready(way) {
        return Some(Begin::Pause(Pause::Wait(Some(source))));
    }
    match core.draw_io() {
        Share::Left => Some(Begin::Try(Some(source))),
        Share::UsedUp => Some(Begin::Pause(Pause::GiveWay)),
    }
}

/// The same in all cases.
#[cold]
#[inline(never)]
fn begin_otherwise<'a>(
    home: &'a OnceCell<Home>,
    way: Way,
    waiting: Option<&mut Waiting>,
) -> Result<Begin<'a>> {
    let core = context::running();
    // A cancelled operation has not happened.
    if let Some(waiting) = waiting
        && let Err(cancelled) = waiting.leaf.resume_in(core.and_then(|core| core.current.get()))
    {
        leave(home, way, waiting);
        return Err(cancelled.into());
    }
    let source = match home.get() {
        // At home wherever it is: the first wait decides.
        None => None,
        Some(home) => match home.standing(core) {
            Standing::Home => Some(home.source()),
            // Readiness is not ours to change here, so it tells us nothing.
            Standing::Outside => None,
            Standing::Elsewhere | Standing::Gone => return Err(stranded(home)),
        },
    };
    if source.is_some_and(|source| !source.is_ready(way)) {
        return Ok(Begin::Pause(Pause::Wait(source)));
    }
    if core.map(Core::draw_io) == Some(Share::UsedUp) {
        return Ok(Begin::Pause(Pause::GiveWay));
    }
    Ok(Begin::Try(source))
}

#[inline]
fn leave(home: &OnceCell<Home>, way: Way, waiting: &mut Waiting) {
    if waiting.place != Place::Nowhere
        && let Some(home) = home.get()
    {
        home.source().leave(way, &mut waiting.place);
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
    fn found(core: &Core, descriptor: RawFd, way: Way) -> Result<Home> {
        let interest = match way {
            Way::Read => TO_READ,
            Way::Write => TO_READ | Interest::WRITABLE,
        };
        let registered = core.with_reactor(|reactor| reactor.register(&mut SourceFd(&descriptor), interest));
        let (block, key) = registered.map_err(|error| could_not_listen(error, descriptor))?;
        // The kernel reports what is true already as the first edge, also what came since the last try.
        block.source(key).exhausted(way);
        Ok(Home { block, key, descriptor })
    }

    #[inline(always)]
    fn source(&self) -> &Source {
        self.block.source(self.key)
    }

    /// How it stands to the runtime that is running here.
    #[inline(always)]
    fn standing(&self, running: Option<&Core>) -> Standing {
        self.block.registrar.standing(self.source(), running)
    }

    /// Listens in the other direction, too.
    #[cold]
    fn listen_also(&self, way: Way) -> Result<()> {
        if self.descriptor == OWNERS {
            return Err(not_interested(way));
        }
        let descriptor = self.descriptor;
        self.block
            .registrar
            .reregister(&mut SourceFd(&descriptor), self.key, TO_READ | Interest::WRITABLE)
            .map_err(|error| could_not_listen(error, descriptor))?;
        self.source().listens_also(way);
        Ok(())
    }

    fn deregister(&self, io: &mut impl event::Source) {
        self.block.registrar.deregister(io, self.source(), self.key);
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.descriptor != OWNERS {
            self.deregister(&mut SourceFd(&self.descriptor));
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
    let (why, note) = match home.standing(context::running()) {
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
        this.socket.poll(cx, this.way, Once(&mut this.waiting), &mut this.try_io)
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
