//! What is in a directory.

use super::noted;
use crate::blocking::{Blocking, spawn_blocking};
use crate::error::Result;
use futures_core::Stream;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Of the standard library: something in a directory. Its `metadata` and, on some file systems, `file_type` ask the disk.
pub use std::fs::DirEntry;

/// How many entries are read in one job.
const BATCH: usize = 128;

/// What is in a directory, in no particular order: a [`Stream`], and [`next_entry`](ReadDir::next_entry).
///
/// # Errors
///
/// Those of the operating system come out of the stream, with the path; and those of [`spawn_blocking`].
///
/// # Cancel safety
///
/// Cancelled or dropped, a `next_entry` has lost no entry.
///
/// ```
/// homing::run(async {
///     let mut entries = homing::fs::read_dir(".");
///     let mut names = Vec::new();
///     while let Some(entry) = entries.next_entry().await {
///         names.push(entry?.file_name());
///     }
///     assert!(names.iter().any(|name| name == "Cargo.toml"));
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub fn read_dir(path: impl AsRef<Path>) -> ReadDir {
    let path = path.as_ref().to_owned();
    ReadDir { path, read: VecDeque::new(), source: Source::Closed }
}

/// See [`read_dir`].
#[must_use = "nothing is read before it is asked for"]
pub struct ReadDir {
    path: PathBuf,
    /// Read, and not handed out yet.
    read: VecDeque<io::Result<DirEntry>>,
    source: Source,
}

/// | from    | on                              | to      |
/// |---------|---------------------------------|---------|
/// | Closed  | somebody asks                   | Reading |
/// | Reading | a batch has come                | Open    |
/// | Reading | the last one has, or an error   | Over    |
/// | Open    | all is handed out, and asked for more | Reading |
enum Source {
    Closed,
    Open(std::fs::ReadDir),
    Reading(Blocking<Batch>),
    Over,
}

type Batch = (Option<std::fs::ReadDir>, VecDeque<io::Result<DirEntry>>);

fn batch(mut entries: std::fs::ReadDir) -> Batch {
    let read: VecDeque<_> = entries.by_ref().take(BATCH).collect();
    let has_more = read.len() == BATCH;
    (has_more.then_some(entries), read)
}

impl ReadDir {
    /// The next entry; `None` at the end.
    pub fn next_entry(&mut self) -> impl Future<Output = Option<Result<DirEntry>>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx))
    }
}

impl Stream for ReadDir {
    type Item = Result<DirEntry>;

    #[track_caller]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<DirEntry>>> {
        let this = &mut *self;
        loop {
            if let Some(entry) = this.read.pop_front() {
                return Poll::Ready(Some(entry.map_err(|error| noted(error, "listing", &this.path))));
            }
            match &mut this.source {
                Source::Reading(job) => match ready!(Pin::new(&mut *job).poll(cx)) {
                    Ok((rest, read)) => {
                        this.read = read;
                        this.source = rest.map_or(Source::Over, Source::Open);
                    }
                    // It has been read all the same: the next call gives it.
                    Err(error) if job.has_kept() => return Poll::Ready(Some(Err(error))),
                    Err(error) => {
                        this.source = Source::Over;
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                Source::Over => return Poll::Ready(None),
                Source::Closed => {
                    let path = this.path.clone();
                    let job = spawn_blocking(move || {
                        let entries = std::fs::read_dir(&path);
                        entries.map(batch).map_err(|error| noted(error, "listing", &path))
                    });
                    this.source = Source::Reading(job.in_any_case());
                }
                Source::Open(_) => {
                    if let Source::Open(entries) = std::mem::replace(&mut this.source, Source::Over) {
                        let job = spawn_blocking(move || Ok(batch(entries)));
                        this.source = Source::Reading(job.in_any_case());
                    }
                }
            }
        }
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReadDir").field(&self.path).finish()
    }
}
