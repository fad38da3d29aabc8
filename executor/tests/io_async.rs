//! Sources that homing does not know: pipes, descriptors, whatever implements mio's `Source`.

mod net_support;

use futures_util::{AsyncReadExt, AsyncWriteExt};
use homing::io::{Async, Descriptor, mio};
use homing::{Runtime, RuntimeError, current, introspect, sleep, spawn, yield_now};
use net_support::{in_runtime, io_kind, pattern};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

#[test]
fn a_pipe_is_read_and_written_through_the_traits() {
    in_runtime(async {
        let (sender, receiver) = mio::unix::pipe::new()?;
        let (mut sender, mut receiver) = (Async::new(sender)?, Async::new(receiver)?);
        let bytes = pattern(1 << 20);
        let expected = bytes.clone();
        let writing = spawn(async move {
            sender.write_all(&bytes).await?;
            Ok(sender.close().await?)
        });
        let mut all = Vec::new();
        receiver.read_to_end(&mut all).await?;
        assert!(all == expected);
        writing.await
    });
}

#[test]
fn an_operation_is_called_until_it_does_not_block() {
    in_runtime(async {
        let (mut sender, receiver) = mio::unix::pipe::new()?;
        let receiver = Async::new(receiver)?;
        sender.write_all(b"x")?;
        let reading = spawn(async move {
            let (mut calls, mut buffer) = (0, [0; 8]);
            receiver.read_with(|mut pipe| pipe.read(&mut buffer)).await?;
            let length = receiver
                .read_with(|mut pipe| {
                    calls += 1;
                    pipe.read(&mut buffer)
                })
                .await?;
            Ok((calls, length))
        });
        sleep(Duration::from_millis(5)).await?;
        assert!(!reading.is_finished());
        sender.write_all(b"now")?;
        assert_eq!(reading.await?, (2, 3));
        Ok(())
    });
}

#[test]
fn a_cancelled_operation_has_not_happened() {
    in_runtime(async {
        let (near, mut far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        let mut near = Async::new(Descriptor(near))?;
        let reader = spawn(async move {
            let mut buffer = [0; 8];
            let error = near.read_with_mut(|source| source.read(&mut buffer)).await.unwrap_err();
            assert!(error.is_cancelled());
            current().unwrap().uncancel();
            near.read_with_mut(|source| source.read(&mut buffer))
                .await
                .map(|length| buffer[..length].to_vec())
        });
        yield_now().await?;
        far.write_all(b"kept")?;
        reader.cancel();
        assert_eq!(reader.await?, b"kept");
        Ok(())
    });
}

#[test]
fn a_full_pipe_is_waited_for_until_it_is_writable() {
    in_runtime(async {
        let (sender, mut receiver) = mio::unix::pipe::new()?;
        let sender = Async::new(sender)?;
        let writing = spawn(async move {
            let mut written = 0;
            while written < 1 << 20 {
                sender.writable().await?;
                written += sender.write_with(|mut pipe| pipe.write(&[7; 4096])).await?;
            }
            Ok(written)
        });
        sleep(Duration::from_millis(5)).await?;
        assert!(!writing.is_finished());
        let mut read = 0;
        let mut buffer = [0; 8192];
        while !writing.is_finished() {
            match receiver.read(&mut buffer) {
                Ok(length) => read += length,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
            yield_now().await?;
        }
        assert!(read <= writing.await?);
        Ok(())
    });
}

#[test]
fn readable_is_believed_until_a_read_says_otherwise() {
    in_runtime(async {
        let (mut sender, receiver) = mio::unix::pipe::new()?;
        let receiver = Async::new(receiver)?;
        sender.write_all(b"x")?;
        receiver.readable().await?;
        assert_eq!(receiver.read_with(|mut pipe| pipe.read(&mut [0; 8])).await?, 1);
        let waiting = spawn(async move {
            let mut times = 0;
            loop {
                receiver.readable().await?;
                times += 1;
                match receiver.read_with(|mut pipe| pipe.read(&mut [0; 8])).await? {
                    0 => return Ok(times),
                    length => assert_eq!(length, 1),
                }
            }
        });
        sleep(Duration::from_millis(5)).await?;
        sender.write_all(b"y")?;
        sleep(Duration::from_millis(5)).await?;
        drop(sender);
        assert!((2..=3).contains(&waiting.await?));
        Ok(())
    });
}

#[test]
fn a_direction_that_was_not_registered_is_an_error_and_no_hang() {
    in_runtime(async {
        let (near, _far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        let near = Async::with_interest(Descriptor(near), mio::Interest::READABLE)?;
        let error = near.write_with(|_| Err::<(), _>(io::ErrorKind::WouldBlock.into())).await.unwrap_err();
        assert_eq!(io_kind(&error), io::ErrorKind::InvalidInput);
        Ok(())
    });
}

#[test]
fn what_cannot_be_listened_to_is_refused() {
    in_runtime(async {
        // The system says of plain files that they are always ready, and refuses to listen.
        let file = std::fs::File::open("/proc/self/exe").or_else(|_| std::fs::File::open("/bin/sh"))?;
        assert!(Async::new(Descriptor(file)).is_err());
        let (near, _far) = UnixStream::pair()?;
        let near = Async::new(Descriptor(near))?;
        let twice = the_same_again(&near);
        assert_eq!(io_kind(&Async::new(twice).unwrap_err()), io::ErrorKind::AlreadyExists);
        Ok(())
    });
    let outside = Async::new(Descriptor(UnixStream::pair().unwrap().0)).unwrap_err();
    assert_eq!(outside.downcast_ref::<RuntimeError>(), Some(&RuntimeError::NoRuntime));
}

/// The same descriptor once more.
fn the_same_again(source: &Async<Descriptor<UnixStream>>) -> Descriptor<std::os::fd::BorrowedFd<'_>> {
    use std::os::fd::AsFd;
    Descriptor(source.get_ref().as_fd())
}

#[test]
fn a_source_that_is_taken_out_can_be_put_in_again() {
    in_runtime(async {
        let (mut sender, receiver) = mio::unix::pipe::new()?;
        let receiver = Async::new(receiver)?;
        sender.write_all(b"ab")?;
        assert_eq!(receiver.read_with(|mut pipe| pipe.read(&mut [0; 1])).await?, 1);
        let receiver = Async::new(receiver.into_inner())?;
        assert_eq!(receiver.read_with(|mut pipe| pipe.read(&mut [0; 8])).await?, 1);
        Ok(())
    });
}

#[test]
fn a_source_belongs_to_the_runtime_in_which_it_was_made() {
    let (one, other) = (Runtime::new(), Runtime::new());
    let (mut sender, receiver) = mio::unix::pipe::new().unwrap();
    let receiver = one.block_on(async { Async::new(receiver) }).unwrap();
    sender.write_all(b"x").unwrap();
    let error =
        other.block_on(async { receiver.read_with(|mut pipe| pipe.read(&mut [0; 8])).await }).unwrap_err();
    assert_eq!(error.downcast_ref::<RuntimeError>(), Some(&RuntimeError::OtherRuntime));
    assert_eq!(
        one.block_on(async { receiver.read_with(|mut pipe| pipe.read(&mut [0; 8])).await }).unwrap(),
        1
    );
    drop(one);
    let error = other.block_on(async { receiver.readable().await }).unwrap_err();
    assert_eq!(error.downcast_ref::<RuntimeError>(), Some(&RuntimeError::RuntimeGone));
}

#[test]
fn who_looks_at_a_task_sees_which_descriptor_it_waits_for() {
    in_runtime(async {
        let (_far, receiver) = mio::unix::pipe::new()?;
        let descriptor = receiver.as_raw_fd();
        let reading = spawn(async move { Async::new(receiver)?.readable().await });
        let (mut sender, _far) = mio::unix::pipe::new()?;
        while sender.write(&[0; 4096]).is_ok() {}
        let sender_descriptor = sender.as_raw_fd();
        let writing = spawn(async move { Ok(Async::new(sender)?.write_all(b"no room").await?) });
        sleep(Duration::from_millis(5)).await?;
        let graph = introspect::format_call_graph_of(&reading);
        assert!(graph.contains(&format!("readable descriptor {descriptor}")), "{graph}");
        let graph = introspect::format_call_graph_of(&writing);
        assert!(graph.contains(&format!("writable descriptor {sender_descriptor}")), "{graph}");
        reading.abort();
        writing.abort();
        Ok(())
    });
}

#[test]
fn a_source_without_a_descriptor_is_shown_as_one() {
    in_runtime(async {
        let (_far, receiver) = mio::unix::pipe::new()?;
        let interest = mio::Interest::READABLE;
        let waiting = spawn(async move { Async::without_descriptor(receiver, interest)?.readable().await });
        sleep(Duration::from_millis(5)).await?;
        let graph = introspect::format_call_graph_of(&waiting);
        assert!(graph.contains("readable") && graph.contains("a source"), "{graph}");
        waiting.abort();
        Ok(())
    });
}
