//! An open file, read and written piece by piece.
//!
//! A job cannot borrow the buffer of whoever reads, who may be gone before it ends. So it reads into one of its own, and what
//! it has read stays with the file until somebody takes it. What is written is taken over at once, and written by a job behind
//! the caller's back; the next operation waits for that, and tells if it has failed.
//!
//! ```text
//!   read   Idle ──job──► Reading ──► bytes kept ──► taken, in as many pieces as it pleases
//!   write  Idle ──bytes taken over, job──► Writing        "written"; the next one waits, and so does flush
//!   seek   Idle ──job──► Seeking ──► the new position     bytes that nobody took are accounted for
//! ```
//!
//! Either way, a read or write that is cancelled has not happened: nothing is lost, and nothing is there twice.

use super::{OpenOptions, job};
use crate::blocking::{Blocking, spawn_blocking};
use crate::error::Result;
use crate::sigpipe;
use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};
use std::fmt;
use std::fs::Metadata;
use std::future::poll_fn;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The most that one job reads or writes.
const MOST: usize = 256 * 1024;

/// An open file: reads, writes and seeks with futures-io's traits, and hence with all that others have built on them.
///
/// Small reads and writes each take a job; put a `BufReader` or `BufWriter` around it where there are many.
///
/// A write is over when the file has taken the bytes over. That they could not be written, the next operation says, or
/// `flush`, or `close`; dropped before that, the file still writes them, and the error goes to the hook for unhandled errors.
/// That they are on the disk, only [`sync_all`](File::sync_all) says.
///
/// A write to a pipe with a name (FIFO) that nobody reads any more is an error of kind `BrokenPipe`. On Linux it raises no
/// `SIGPIPE`, whatever the program does with that.
///
/// # Errors
///
/// The operating system's; those of [`spawn_blocking`]. A cancelled operation is an `io::Error` out of which `?` takes the
/// `Cancelled` again.
///
/// # Cancel safety
///
/// A read or write that is cancelled or dropped has not happened, as far as the file's user can tell: bytes that were read come
/// out of the next read. A seek may have taken place.
///
/// # asyncio
///
/// Has none: there one calls `asyncio.to_thread`, or uses a package.
///
/// ```
/// use futures_util::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
/// use homing::fs::File;
///
/// homing::run(async {
///     let path = std::env::temp_dir().join(format!("homing-file-doc-{}", std::process::id()));
///     let mut file = File::open_with(std::fs::OpenOptions::new().read(true).write(true).create(true), &path).await?;
///     file.write_all(b"one two three").await?;
///     file.seek(std::io::SeekFrom::Start(4)).await?;
///     let mut word = [0; 3];
///     file.read_exact(&mut word).await?;
///     assert_eq!(&word, b"two");
///     drop(file);
///     homing::fs::remove_file(&path).await
/// })
/// # .unwrap();
/// ```
pub struct File {
    file: Arc<std::fs::File>,
    /// Read, and not taken yet: from `taken` on.
    ahead: Vec<u8>,
    taken: usize,
    state: State,
}

/// The job that is under way. There is one at a time.
enum State {
    Idle,
    Reading(Blocking<Vec<u8>>),
    Writing(Blocking<()>),
    Seeking(SeekFrom, Blocking<u64>),
}

impl File {
    /// Opens a file, to read it.
    ///
    /// # Errors
    ///
    /// As [`fs::read`](super::read).
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> Blocking<File> {
        job("opening", path, |path| std::fs::File::open(path).map(File::from_std))
    }

    /// Makes a file, in place of what may be there, to write it.
    ///
    /// # Errors
    ///
    /// As [`fs::read`](super::read).
    #[track_caller]
    pub fn create(path: impl AsRef<Path>) -> Blocking<File> {
        job("making", path, |path| std::fs::File::create(path).map(File::from_std))
    }

    /// Opens a file in any other way.
    ///
    /// # Errors
    ///
    /// As [`fs::read`](super::read).
    #[track_caller]
    pub fn open_with(options: &OpenOptions, path: impl AsRef<Path>) -> Blocking<File> {
        let options = options.clone();
        job("opening", path, move |path| options.open(path).map(File::from_std))
    }

    /// Takes over a file of the standard library.
    pub fn from_std(file: std::fs::File) -> File {
        File { file: Arc::new(file), ahead: Vec::new(), taken: 0, state: State::Idle }
    }

    /// The file for the standard library: another descriptor of the same open file, when all has been written.
    ///
    /// # Errors
    ///
    /// That of the last write; and when the operating system refuses.
    pub async fn into_std(mut self) -> Result<std::fs::File> {
        self.settle().await?;
        Ok(self.file.try_clone()?)
    }

    /// What is known of it.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    #[track_caller]
    pub fn metadata(&self) -> Blocking<Metadata> {
        let file = self.file.clone();
        spawn_blocking(move || Ok(file.metadata()?))
    }

    /// Waits until all that was written is on the disk.
    ///
    /// # Errors
    ///
    /// That of the last write; and when the operating system refuses.
    pub async fn sync_all(&mut self) -> Result<()> {
        self.settle().await?;
        let file = self.file.clone();
        spawn_blocking(move || Ok(file.sync_all()?)).await
    }

    /// Cuts it off, or fills it up with zeros, to this length.
    ///
    /// # Errors
    ///
    /// That of the last write; and when the operating system refuses.
    pub async fn set_len(&mut self, length: u64) -> Result<()> {
        self.settle().await?;
        let file = self.file.clone();
        spawn_blocking(move || Ok(file.set_len(length)?)).await
    }

    /// Up to so many bytes from this place on; none at the end. The position of the other reads stays where it is, so any
    /// number of these may go on at once.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    #[cfg(unix)]
    #[track_caller]
    pub fn read_at(&self, offset: u64, length: usize) -> Blocking<Vec<u8>> {
        use std::os::unix::fs::FileExt;
        let file = self.file.clone();
        spawn_blocking(move || {
            let mut bytes = vec![0; length];
            let read = retried(|| file.read_at(&mut bytes, offset))?;
            bytes.truncate(read);
            Ok(bytes)
        })
    }

    /// Writes all of the bytes at this place. The position of the other writes stays where it is.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    #[cfg(unix)]
    #[track_caller]
    pub fn write_all_at(&self, offset: u64, bytes: impl AsRef<[u8]> + Send + 'static) -> Blocking<()> {
        use std::os::unix::fs::FileExt;
        let file = self.file.clone();
        spawn_blocking(move || Ok(file.write_all_at(bytes.as_ref(), offset)?))
    }

    /// Waits until no job is under way that has been begun for somebody else.
    fn settle(&mut self) -> impl Future<Output = Result<()>> {
        poll_fn(|cx| self.poll_settled(cx))
    }

    #[track_caller]
    fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let result = match &mut self.state {
            State::Idle => return Poll::Ready(Ok(())),
            State::Reading(job) => ready!(Pin::new(job).poll(cx)).map(|bytes| self.keep(bytes)),
            State::Writing(job) => ready!(Pin::new(job).poll(cx)),
            State::Seeking(_, job) => ready!(Pin::new(job).poll(cx)).map(|_| self.keep(Vec::new())),
        };
        Poll::Ready(self.after(result))
    }

    /// The job has given this, and is over; unless the await was cancelled, and the job has its value still. Cancelled while
    /// it was in line, it has never run, and the next call begins another.
    fn after<T>(&mut self, result: Result<T>) -> Result<T> {
        let has_more = match &self.state {
            State::Idle => false,
            State::Reading(job) => job.has_kept(),
            State::Writing(job) => job.has_kept(),
            State::Seeking(_, job) => job.has_kept(),
        };
        if !has_more {
            self.state = State::Idle;
        }
        result
    }

    fn keep(&mut self, bytes: Vec<u8>) {
        (self.ahead, self.taken) = (bytes, 0);
    }

    /// How many bytes have been read that nobody has taken: so far the kernel's position is ahead of ours.
    fn untaken(&self) -> usize {
        self.ahead.len() - self.taken
    }

    #[track_caller]
    fn poll_seek_to(&mut self, cx: &mut Context<'_>, to: SeekFrom) -> Poll<Result<u64>> {
        if !matches!(&self.state, State::Seeking(begun, _) if *begun == to) {
            ready!(self.poll_settled(cx))?;
            let real = match to {
                SeekFrom::Current(by) => SeekFrom::Current(by.saturating_sub(self.untaken() as i64)),
                to => to,
            };
            let file = self.file.clone();
            self.state = State::Seeking(to, spawn_blocking(move || Ok((&*file).seek(real)?)).in_any_case());
        }
        let State::Seeking(_, job) = &mut self.state else { unreachable!("just begun") };
        // Until then they stay: a seek that has failed has not moved anything.
        let sought = ready!(Pin::new(job).poll(cx)).inspect(|_| self.keep(Vec::new()));
        Poll::Ready(self.after(sought))
    }

    #[track_caller]
    fn poll_read_some(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if let State::Seeking(..) = &self.state {
            // What was read ahead may be of another place by now.
            ready!(self.poll_settled(cx))?;
        }
        loop {
            if self.untaken() > 0 {
                let length = (&self.ahead[self.taken..]).read(buffer)?;
                self.taken += length;
                return Poll::Ready(Ok(length));
            }
            if let State::Reading(job) = &mut self.state {
                let read = ready!(Pin::new(job).poll(cx));
                let bytes = self.after(read)?;
                self.keep(bytes);
                if self.ahead.is_empty() {
                    return Poll::Ready(Ok(0));
                }
                continue;
            }
            ready!(self.poll_settled(cx))?;
            let (file, length) = (self.file.clone(), buffer.len().min(MOST));
            self.state = State::Reading(spawn_blocking(move || {
                let mut bytes = vec![0; length];
                let read = retried(|| (&*file).read(&mut bytes))?;
                bytes.truncate(read);
                Ok(bytes)
            }));
        }
    }

    #[track_caller]
    fn poll_write_some(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        ready!(self.poll_settled(cx))?;
        if self.untaken() > 0 {
            // Bytes go where the last read has ended, for its reader.
            ready!(self.poll_seek_to(cx, SeekFrom::Current(0)))?;
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let bytes = bytes[..bytes.len().min(MOST)].to_vec();
        let (file, length) = (self.file.clone(), bytes.len());
        // It is promised from here on.
        let job = spawn_blocking(move || Ok(sigpipe::without(|| (&*file).write_all(&bytes))?));
        self.state = State::Writing(job.in_any_case());
        Poll::Ready(Ok(length))
    }
}

/// A signal is no reason to stop.
fn retried(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

impl AsyncRead for File {
    #[track_caller]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_some(cx, buffer).map_err(io::Error::from)
    }
}

impl AsyncWrite for File {
    #[track_caller]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_some(cx, bytes).map_err(io::Error::from)
    }

    /// Waits until the operating system has all that was written.
    #[track_caller]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_settled(cx).map_err(io::Error::from)
    }

    /// The same. The file is closed when it is dropped.
    #[track_caller]
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_settled(cx).map_err(io::Error::from)
    }
}

impl AsyncSeek for File {
    #[track_caller]
    fn poll_seek(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: SeekFrom) -> Poll<io::Result<u64>> {
        self.poll_seek_to(cx, to).map_err(io::Error::from)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // What was taken over is written, come what may; and who was not told of an error is told by the hook.
        if let State::Writing(job) = std::mem::replace(&mut self.state, State::Idle) {
            job.detach();
        }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}
