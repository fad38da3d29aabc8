//! Lines: a stream cut where its lines end.
//!
//! What has been read and is no whole line yet stays here, not in a future: so a cancelled read of a line loses nothing.
//! And a line has a limit. Without one, a peer that never ends its line is given all the memory there is.

use crate::error::Result;
use futures_core::Stream;
use futures_io::AsyncRead;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How long a line may be, if nothing else is said.
const LIMIT: usize = 64 << 10;

/// How much is read at once.
const CHUNK: usize = 8 << 10;

/// The lines of a reader. As a `Stream` it yields strings.
///
/// A line ends in `\n` or `\r\n`, which is cut off; the last one may end with the stream.
///
/// # Cancel safety
///
/// A cancelled or dropped [`next_line`](Lines::next_line) has taken nothing: the beginning of the line is still here.
///
/// # asyncio
///
/// `StreamReader.readline`, and `async for line in reader`, with `limit=`.
///
/// ```
/// use homing::io::Lines;
/// use homing::net::UnixStream;
///
/// homing::run(async {
///     let (near, far) = UnixStream::pair()?;
///     far.write_all(b"one\r\ntwo\n\nfour").await?;
///     drop(far);
///     let mut lines = Lines::new(near);
///     while let Some(line) = lines.next_line().await? {
///         println!("{line}");
/// #       assert!(["one", "two", "", "four"].contains(&&*line));
///     }
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// So much of the buffer holds no line end.
    searched: usize,
    limit: usize,
    phase: Phase,
}

/// | from     | on                                 | to       |
/// |----------|------------------------------------|----------|
/// | Reading  | a line is too long                 | Skipping |
/// | Skipping | the end of that line               | Reading  |
/// | either   | the end of the stream              | Ended    |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Reading,
    /// In the rest of a line that was too long.
    Skipping,
    Ended,
}

/// A line is longer than allowed. The next read skips what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTooLong {
    /// How long one may be.
    pub limit: usize,
}

impl<R> Lines<R> {
    /// The lines of this reader, each of at most 64 KiB.
    pub fn new(reader: R) -> Lines<R> {
        Lines { reader, buffer: Vec::new(), searched: 0, limit: LIMIT, phase: Phase::Reading }
    }

    /// Sets how many bytes a line may have, its end included.
    pub fn limit(mut self, limit: usize) -> Lines<R> {
        self.limit = limit;
        self
    }

    /// The reader, out of which some may have been read ahead.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// The reader, to be changed, or written to if it is a writer as well.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// The reader, and what has been read of it ahead.
    pub fn into_parts(self) -> (R, Vec<u8>) {
        (self.reader, self.buffer)
    }
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The next line; `None` at the end of the stream.
    ///
    /// # Errors
    ///
    /// [`LineTooLong`], after which the next line can be read; [`FromUtf8Error`](std::string::FromUtf8Error), which holds
    /// the line's bytes, likewise; those of the reader; `Cancelled`.
    pub fn next_line(&mut self) -> impl Future<Output = Result<Option<String>>> + Unpin {
        Next { lines: self, made: text }
    }

    /// The same, whatever the bytes are.
    ///
    /// # Errors
    ///
    /// As [`next_line`](Lines::next_line), whose second it does not have.
    pub fn next_line_bytes(&mut self) -> impl Future<Output = Result<Option<Vec<u8>>>> + Unpin {
        Next { lines: self, made: Ok }
    }

    #[track_caller]
    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>>> {
        loop {
            if let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let end = self.searched + end;
                self.searched = 0;
                if self.phase == Phase::Skipping {
                    self.phase = Phase::Reading;
                    self.buffer.drain(..=end);
                    continue;
                }
                if end >= self.limit {
                    self.buffer.drain(..=end);
                    return Poll::Ready(Err(LineTooLong { limit: self.limit }.into()));
                }
                let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
                line.pop();
                line.pop_if(|last| *last == b'\r');
                return Poll::Ready(Ok(Some(line)));
            }
            self.searched = self.buffer.len();
            match self.phase {
                Phase::Skipping => {
                    self.buffer.clear();
                    self.searched = 0;
                }
                Phase::Reading if self.buffer.len() >= self.limit => {
                    self.phase = Phase::Skipping;
                    return Poll::Ready(Err(LineTooLong { limit: self.limit }.into()));
                }
                Phase::Reading => {}
                Phase::Ended => {
                    self.searched = 0;
                    let rest = std::mem::take(&mut self.buffer);
                    return Poll::Ready(Ok((!rest.is_empty()).then_some(rest)));
                }
            }
            ready!(self.poll_more(cx))?;
        }
    }

    /// Reads on.
    #[track_caller]
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let held = self.buffer.len();
        self.buffer.resize(held + CHUNK, 0);
        let polled = Pin::new(&mut self.reader).poll_read(cx, &mut self.buffer[held..]);
        let length = match &polled {
            Poll::Ready(Ok(length)) => *length,
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        };
        self.buffer.truncate(held + length);
        if ready!(polled)? == 0 {
            self.phase = Phase::Ended;
        }
        Poll::Ready(Ok(()))
    }
}

fn text(line: Vec<u8>) -> Result<String> {
    Ok(String::from_utf8(line)?)
}

/// The future of a line, which has no state of its own.
struct Next<'a, R, T> {
    lines: &'a mut Lines<R>,
    made: fn(Vec<u8>) -> Result<T>,
}

impl<R: AsyncRead + Unpin, T> Future for Next<'_, R, T> {
    type Output = Result<Option<T>>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let line = ready!(self.lines.poll_line(cx))?;
        Poll::Ready(line.map(self.made).transpose())
    }
}

impl<R: AsyncRead + Unpin> Stream for Lines<R> {
    type Item = Result<String>;

    #[track_caller]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<String>>> {
        let line = ready!(self.poll_line(cx));
        Poll::Ready(line.transpose().map(|line| line.and_then(text)))
    }
}

impl fmt::Display for LineTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a line is longer than {} bytes", self.limit)
    }
}

impl std::error::Error for LineTooLong {}

impl<R: fmt::Debug> fmt::Debug for Lines<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines")
            .field("reader", &self.reader)
            .field("read_ahead", &self.buffer.len())
            .field("limit", &self.limit)
            .finish()
    }
}
