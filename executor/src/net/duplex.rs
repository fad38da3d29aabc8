//! Two directions at once: what the `AsyncRead` and `AsyncWrite` of a socket have to remember from poll to poll.
//!
//! The futures of the methods carry their own [`Waiting`]. Those of the traits are others', and know nothing of it; so
//! the socket remembers one reader and one writer for them. A socket is moved into the future of whoever serves it,
//! often through several; so what not every socket needs is made when it first has to wait, and is elsewhere:
//!
//! ```text
//!   socket │ place │ reading │ writing                   48 bytes
//!                       └──────► Waiting    └──► none: most writes find room
//! ```

use super::protocol::sealed::Bytes;
use super::registered::{Keeps, Registered, Tried, Waiting};
use crate::reactor::Way;
use std::cell::{OnceCell, RefCell, RefMut};
use std::io;
use std::os::fd::AsRawFd;
use std::panic::Location;
use std::task::{Context, Poll};

pub(crate) struct Duplex<S> {
    pub(crate) socket: Registered<S>,
    /// Where it was made, which is shown for awaits of the traits that stand in another crate's source.
    place: &'static Location<'static>,
    reading: Slot,
    writing: Slot,
}

type Slot = OnceCell<Box<RefCell<Waiting>>>;

const _: () = assert!(size_of::<Duplex<std::net::TcpStream>>() == 48);

/// What an operation of the traits finds remembered, if anything.
struct Remembered<'a> {
    slot: &'a Slot,
    waiting: Option<RefMut<'a, Waiting>>,
    place: &'static Location<'static>,
}

impl Keeps for Remembered<'_> {
    #[inline]
    fn present(&mut self) -> Option<&mut Waiting> {
        self.waiting.as_deref_mut()
    }

    #[inline]
    fn needed(&mut self) -> &mut Waiting {
        self.waiting.get_or_insert_with(|| {
            self.slot.get_or_init(|| Box::new(RefCell::new(Waiting::made_at(self.place)))).borrow_mut()
        })
    }
}

impl<S: AsRawFd> Duplex<S> {
    #[track_caller]
    pub(crate) fn new(socket: Registered<S>) -> Duplex<S> {
        Duplex { socket, place: Location::caller(), reading: Slot::new(), writing: Slot::new() }
    }

    /// One poll of a read or a write that moves up to `asked` bytes, for the traits.
    #[track_caller]
    #[inline]
    pub(crate) fn poll_transfer(
        &self,
        cx: &mut Context<'_>,
        way: Way,
        asked: usize,
        try_io: impl FnMut(&S) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>>
    where
        S: Bytes,
    {
        self.socket.poll_transfer(cx, way, self.remembered(way), asked, try_io).map_err(io::Error::from)
    }

    /// One poll of a call of which nothing is known but that it may block.
    #[track_caller]
    pub(crate) fn poll_call<T>(
        &self,
        cx: &mut Context<'_>,
        way: Way,
        mut try_io: impl FnMut(&S) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let waiting = self.remembered(way);
        self.socket.poll(cx, way, waiting, |io| try_io(io).map(Tried::Ready)).map_err(io::Error::from)
    }

    #[inline]
    fn remembered(&self, way: Way) -> Remembered<'_> {
        let slot = match way {
            Way::Read => &self.reading,
            Way::Write => &self.writing,
        };
        Remembered { slot, waiting: slot.get().map(|waiting| waiting.borrow_mut()), place: self.place }
    }
}
