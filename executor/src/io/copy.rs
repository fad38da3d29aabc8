//! Copying both ways: what a proxy does with two connections.
//!
//! ```text
//!   left ── read ─► [ buffer ] ── write ─► right        left has ended: flush, close right's direction,
//!   left ◄─ write ─ [ buffer ] ◄─ read ─── right        and the other one goes on until it has ended too
//! ```

use crate::error::{Error, Result};
use futures_io::{AsyncRead, AsyncWrite};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How much is read at once, in each direction.
const BUFFER: usize = 16 << 10;

/// How many bytes have been written, in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// From the left one, to the right one.
    pub left_to_right: u64,
    /// The other way.
    pub right_to_left: u64,
}

/// Copies what comes out of each of two streams into the other, until both have ended.
///
/// When one has ended, what it sent is flushed, and that direction of the other is closed; the opposite direction goes
/// on. What has been read is written and flushed before anything is waited for, so that nothing sticks in between.
///
/// # Errors
///
/// The first error of either stream; the notes tell what had been copied by then. `Cancelled`.
///
/// # Cancel safety
///
/// Cancelled, it keeps what it has read and not yet written: awaited again (by `&mut`), it goes on from there. Dropped,
/// that is lost.
///
/// ```
/// use homing::io::copy_bidirectional;
/// use homing::net::UnixStream;
/// use std::net::Shutdown;
///
/// homing::run(async {
///     let (client, mut near) = UnixStream::pair()?;
///     let (mut far, server) = UnixStream::pair()?;
///     let proxy = homing::spawn(async move { copy_bidirectional(&mut near, &mut far).await });
///
///     client.write_all(b"question").await?;
///     client.shutdown(Shutdown::Write)?;
///     let mut buffer = [0; 8];
///     server.read_exact(&mut buffer).await?;
///     assert_eq!(server.read(&mut [0; 8]).await?, 0); // the end has come through
///     server.write_all(b"answer").await?;
///     drop(server);
///
///     let copied = proxy.await?;
///     assert_eq!((copied.left_to_right, copied.right_to_left), (8, 6));
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub fn copy_bidirectional<'a, L, R>(left: &'a mut L, right: &'a mut R) -> CopyBidirectional<'a, L, R>
where
    L: AsyncRead + AsyncWrite + Unpin + ?Sized,
    R: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    CopyBidirectional { left, right, there: Direction::new(), back: Direction::new() }
}

/// The future of [`copy_bidirectional`].
#[must_use = "futures do nothing unless awaited"]
pub struct CopyBidirectional<'a, L: ?Sized, R: ?Sized> {
    left: &'a mut L,
    right: &'a mut R,
    there: Direction,
    back: Direction,
}

impl<L: ?Sized, R: ?Sized> CopyBidirectional<'_, L, R> {
    /// What has been written so far.
    pub fn copied(&self) -> Copied {
        Copied { left_to_right: self.there.written, right_to_left: self.back.written }
    }
}

impl<L, R> Future for CopyBidirectional<'_, L, R>
where
    L: AsyncRead + AsyncWrite + Unpin + ?Sized,
    R: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    type Output = Result<Copied>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Copied>> {
        let this = self.get_mut();
        let there = this.there.poll(cx, Pin::new(&mut *this.left), Pin::new(&mut *this.right));
        // Also if that has failed: a request to cancel is for both, and each takes it.
        let back = this.back.poll(cx, Pin::new(&mut *this.right), Pin::new(&mut *this.left));
        let error = match (there, back) {
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(Ok(this.copied())),
            (Poll::Ready(Err(error)), Poll::Ready(Err(other))) => both(error.into(), other.into()),
            (Poll::Ready(Err(error)), _) | (_, Poll::Ready(Err(error))) => error.into(),
            _ => return Poll::Pending,
        };
        let Copied { left_to_right, right_to_left } = this.copied();
        let by_then = format!("{left_to_right} bytes had been copied there and {right_to_left} back by then");
        Poll::Ready(Err(error.with_note(by_then)))
    }
}

/// One error of two. A cancellation goes first, for somebody waits for it to come home.
#[cold]
fn both(there: Error, back: Error) -> Error {
    let (first, second) = if back.is_cancelled() { (back, there) } else { (there, back) };
    // Where both are the same request there is nothing more to tell.
    if second.is_cancelled() { first } else { first.with_displaced(second) }
}

/// | from    | on                     | to      |
/// |---------|------------------------|---------|
/// | Copying | the reader has ended   | Closing |
/// | Closing | the writer is closed   | Over    |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Copying,
    Closing,
    Over,
}

/// One way.
struct Direction {
    buffer: Box<[u8]>,
    /// What of the buffer has been read and not yet written.
    held: std::ops::Range<usize>,
    written: u64,
    unflushed: bool,
    phase: Phase,
}

impl Direction {
    fn new() -> Direction {
        Direction {
            buffer: vec![0; BUFFER].into_boxed_slice(),
            held: 0..0,
            written: 0,
            unflushed: false,
            phase: Phase::Copying,
        }
    }

    #[track_caller]
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut from: Pin<&mut (impl AsyncRead + ?Sized)>,
        mut to: Pin<&mut (impl AsyncWrite + ?Sized)>,
    ) -> Poll<io::Result<()>> {
        while self.phase == Phase::Copying {
            while !self.held.is_empty() {
                match ready!(to.as_mut().poll_write(cx, &self.buffer[self.held.clone()]))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    moved => {
                        self.held.start += moved;
                        self.written += moved as u64;
                        self.unflushed = true;
                    }
                }
            }
            match from.as_mut().poll_read(cx, &mut self.buffer)? {
                Poll::Ready(0) => self.phase = Phase::Closing,
                Poll::Ready(length) => self.held = 0..length,
                Poll::Pending => {
                    if self.unflushed {
                        ready!(to.as_mut().poll_flush(cx))?;
                        self.unflushed = false;
                    }
                    return Poll::Pending;
                }
            }
        }
        if self.phase == Phase::Closing {
            ready!(to.as_mut().poll_close(cx))?;
            self.phase = Phase::Over;
        }
        Poll::Ready(Ok(()))
    }
}

impl<L: ?Sized, R: ?Sized> fmt::Debug for CopyBidirectional<'_, L, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let copied = self.copied();
        f.debug_struct("CopyBidirectional")
            .field("left_to_right", &copied.left_to_right)
            .field("right_to_left", &copied.right_to_left)
            .finish_non_exhaustive()
    }
}
