//! A file as the body of an answer: read piece by piece, as the client takes them.

use super::range::Part;
use homing::blocking::Blocking;
use homing::fs::File;
use homing::{Error, Result};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The size of a piece.
const PIECE: u64 = 128 * 1024;

/// See the [module](self).
pub(crate) struct FileBody {
    file: File,
    part: Part,
    /// The piece that is being read.
    job: Option<Blocking<Vec<u8>>>,
}

impl FileBody {
    pub(crate) fn new(file: File, part: Part) -> FileBody {
        FileBody { file, part, job: None }
    }

    fn left(&self) -> u64 {
        self.part.end - self.part.first
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.left() == 0 {
            return Poll::Ready(None);
        }
        let job = this.job.get_or_insert_with(|| {
            let length = (this.part.end - this.part.first).min(PIECE);
            this.file.read_at(this.part.first, length as usize)
        });
        let read = ready!(Pin::new(job).poll(cx));
        this.job = None;
        let bytes = read?;
        if bytes.is_empty() {
            // It was longer when we promised its length.
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())));
        }
        this.part.first += bytes.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(bytes.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}
