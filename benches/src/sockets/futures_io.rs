//! Echo for all whose streams read and write as futures-io does.

use super::{ROOM, Served};
use crate::tally::Tally;
use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use std::rc::Rc;

/// Sends back whatever comes.
pub(super) async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin, tally: Rc<Tally>) -> Served {
    let mut buffer = vec![0; ROOM];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..read]).await?;
        tally.answered(read);
    }
}
