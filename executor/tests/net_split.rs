//! The two directions of a stream, each by itself.

mod net_support;

use futures_util::{AsyncReadExt, AsyncWriteExt};
use homing::net::UnixStream;
use homing::{spawn, yield_now};
use net_support::{connected_pair, in_runtime, pattern, read_to_end};
use std::time::Duration;

#[test]
fn both_directions_go_on_at_the_same_time_in_two_tasks() {
    in_runtime(async {
        let (near, far) = connected_pair().await?;
        let bytes = pattern(4 << 20);
        let (reader, writer) = near.into_split();
        let sent = bytes.clone();
        let writing = spawn(async move { writer.write_all(&sent).await });
        let (mut from, mut to) = far.into_split();
        let echo = spawn(async move { Ok(futures_util::io::copy(&mut from, &mut to).await?) });
        let mut all = vec![0; bytes.len()];
        reader.read_exact(&mut all).await?;
        assert!(all == bytes);
        // The writer has been dropped, so the other side has found the end, and has gone itself.
        assert_eq!(reader.read(&mut [0; 8]).await?, 0);
        assert_eq!(echo.await?, bytes.len() as u64);
        writing.await
    });
}

#[test]
fn who_drops_the_writing_half_can_read_on() {
    in_runtime(async {
        let (near, far) = UnixStream::pair()?;
        let (reader, writer) = near.into_split();
        drop(writer);
        assert_eq!(far.read(&mut [0; 8]).await?, 0);
        far.write_all(b"still here").await?;
        let mut buffer = [0; 16];
        assert_eq!(reader.read(&mut buffer).await?, 10);
        Ok(())
    });
}

#[test]
fn halves_are_reunited_with_their_own_and_no_other() {
    in_runtime(async {
        let (near, far) = UnixStream::pair()?;
        let (near_reader, near_writer) = near.into_split();
        let (far_reader, far_writer) = far.into_split();
        let apart = near_reader.reunite(far_writer).unwrap_err();
        assert_eq!(apart.to_string(), "these halves are of two streams");
        let near = apart.0.reunite(near_writer).unwrap();
        let far = far_reader.reunite(apart.1).unwrap();
        // Nothing has been closed by that.
        near.write_all(b"x").await?;
        assert_eq!(far.read(&mut [0; 8]).await?, 1);
        far.write_all(b"y").await?;
        assert_eq!(near.read(&mut [0; 8]).await?, 1);
        Ok(())
    });
}

#[test]
fn borrowed_halves_read_and_write_through_the_traits() {
    in_runtime(async {
        let (near, far) = connected_pair().await?;
        let (mut reader, mut writer) = near.split();
        let mut answer = Vec::new();
        let conversation = async {
            writer.write_all(b"question").await?;
            writer.close().await?;
            reader.read_to_end(&mut answer).await?;
            Ok::<_, homing::Error>(())
        };
        let other = async {
            assert_eq!(read_to_end(&far).await?, b"question");
            far.write_all(b"answer").await?;
            Ok::<_, homing::Error>(far.shutdown(std::net::Shutdown::Write)?)
        };
        futures_util::try_join!(conversation, other)?;
        assert_eq!(answer, b"answer");
        Ok(())
    });
}

#[test]
fn a_cancelled_reader_does_not_disturb_the_writer() {
    in_runtime(async {
        let (near, far) = connected_pair().await?;
        let (reader, writer) = near.into_split();
        let reading = spawn(async move { reader.read(&mut [0; 8]).await.map(drop) });
        let bytes = pattern(8 << 20);
        let expected = bytes.clone();
        let writing = spawn(async move { writer.write_all(&bytes).await });
        yield_now().await?;
        reading.cancel();
        assert!(reading.await.unwrap_err().is_cancelled());
        assert!(homing::timeout(Duration::from_secs(10), read_to_end(&far)).await? == expected);
        writing.await
    });
}
