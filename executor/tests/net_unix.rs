//! Unix sockets: the streams are those of TCP, and keep the same promises at paths and in pairs.

mod net_support;

use homing::net::{UnixDatagram, UnixListener, UnixStream};
use homing::{sleep, spawn, yield_now};
use net_support::{in_runtime, io_kind, pattern, scratch};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

#[test]
fn a_listener_at_a_path_accepts_who_connects_to_it() {
    in_runtime(async {
        let place = scratch("accepts");
        let listener = UnixListener::bind(place.path())?;
        let near = UnixStream::connect(place.path()).await?;
        let (far, peer) = listener.accept().await?;
        assert!(peer.is_unnamed());
        assert_eq!(near.peer_addr()?.as_pathname(), Some(place.path()));
        assert_eq!(listener.local_addr()?.as_pathname(), Some(place.path()));
        let bytes = pattern(1 << 20);
        let expected = bytes.clone();
        let writer = spawn(async move {
            near.write_all(&bytes).await?;
            near.shutdown(Shutdown::Write)?;
            Ok(near)
        });
        let mut all = vec![0; 1 << 20];
        far.read_exact(&mut all).await?;
        assert!(all == expected);
        assert_eq!(far.read(&mut [0; 8]).await?, 0);
        assert!(format!("{far:?}").starts_with("UnixStream {"));
        writer.await?;
        Ok(())
    });
}

#[test]
fn where_nobody_listens_connecting_says_so() {
    in_runtime(async {
        let place = scratch("nobody");
        let error = UnixStream::connect(place.path()).await.unwrap_err();
        assert_eq!(io_kind(&error), io::ErrorKind::NotFound);
        drop(UnixListener::bind(place.path())?);
        let error = UnixStream::connect(place.path()).await.unwrap_err();
        assert_eq!(io_kind(&error), io::ErrorKind::ConnectionRefused);
        assert_eq!(UnixListener::bind(place.path()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let too_long = "x".repeat(500);
        assert_eq!(io_kind(&UnixStream::connect(too_long).await.unwrap_err()), io::ErrorKind::InvalidInput);
        Ok(())
    });
}

#[test]
fn who_finds_the_line_full_waits_for_room_and_can_be_cancelled() {
    in_runtime(async {
        let place = scratch("full");
        let path = place.path().to_path_buf();
        let listener = UnixListener::bind(&path)?;
        homing::net::SockRef::from(&listener).listen(0)?;
        let mut in_line = Vec::new();
        let waiting = loop {
            let connect = spawn(UnixStream::connect(path.clone()));
            sleep(Duration::from_millis(2)).await?;
            if !connect.is_finished() {
                break connect;
            }
            in_line.push(connect.await?);
            assert!(in_line.len() < 100);
        };
        let impatient = spawn(UnixStream::connect(path.clone()));
        yield_now().await?;
        impatient.cancel();
        assert!(impatient.await.unwrap_err().is_cancelled());
        for _ in 0..=in_line.len() {
            listener.accept().await?;
        }
        waiting.await?;
        Ok(())
    });
}

#[test]
fn a_cancelled_read_of_a_pair_leaves_the_bytes_to_the_next() {
    in_runtime(async {
        let (near, far) = UnixStream::pair()?;
        let reader = spawn(async move {
            let mut buffer = [0; 16];
            let error = near.read(&mut buffer).await.unwrap_err();
            assert!(error.is_cancelled());
            homing::current().unwrap().uncancel();
            near.read(&mut buffer).await.map(|length| buffer[..length].to_vec())
        });
        yield_now().await?;
        far.write_all(b"kept").await?;
        reader.cancel();
        assert_eq!(reader.await?, b"kept");
        Ok(())
    });
}

#[test]
fn bytes_may_be_peeked_at_and_come_in_several_buffers() {
    in_runtime(async {
        let (near, far) = UnixStream::pair()?;
        far.write_vectored(&[IoSlice::new(b"one "), IoSlice::new(b"two")]).await?;
        let mut seen = [0; 3];
        assert_eq!(near.peek(&mut seen).await?, 3);
        assert_eq!(&seen, b"one");
        let (mut one, mut two) = ([0; 4], [0; 8]);
        let length = near.read_vectored(&mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)]).await?;
        assert_eq!((length, &one, &two[..3]), (7, b"one ", &b"two"[..]));
        Ok(())
    });
}

#[test]
fn more_buffers_than_one_call_takes_are_written_and_read_in_several() {
    in_runtime(async {
        let (near, far) = UnixStream::pair()?;
        let bytes = pattern(3_000);
        let expected = bytes.clone();
        let writer = spawn(async move {
            let pieces: Vec<IoSlice<'_>> = bytes.chunks(1).map(IoSlice::new).collect();
            let mut written = 0;
            while written < pieces.len() {
                written += far.write_vectored(&pieces[written..]).await?;
            }
            Ok(written)
        });
        let mut all = vec![0; 3_000];
        let mut pieces: Vec<IoSliceMut<'_>> = all.chunks_mut(1).map(IoSliceMut::new).collect();
        let mut read = 0;
        while read < 3_000 {
            read += near.read_vectored(&mut pieces[read..]).await?;
        }
        assert_eq!(writer.await?, 3_000);
        assert!(all == expected);
        Ok(())
    });
}

#[test]
fn a_descriptor_goes_over_a_pair_with_a_call_that_has_no_method_here() {
    in_runtime(async {
        let (near, far) = UnixStream::pair()?;
        let sender = spawn(async move {
            sleep(Duration::from_millis(2)).await?;
            far.write_with(|socket| socket.send(b"!")).await?;
            Ok(far)
        });
        let mut byte = [std::mem::MaybeUninit::uninit(); 1];
        assert_eq!(near.read_with(|socket| socket.recv(&mut byte)).await?, 1);
        let far = sender.await?;
        let descriptor: OwnedFd = near.into();
        let near = UnixStream::from_std(descriptor.into())?;
        far.write_all(b"again").await?;
        assert_eq!(near.read(&mut [0; 8]).await?, 5);
        Ok(())
    });
}

#[test]
fn messages_arrive_whole_and_the_sender_waits_while_the_line_is_full() {
    in_runtime(async {
        let (near, far) = UnixDatagram::pair()?;
        let sender = spawn(async move {
            for number in 0..2_000_u32 {
                near.send(&number.to_le_bytes()).await?;
            }
            Ok(())
        });
        sleep(Duration::from_millis(2)).await?;
        assert!(!sender.is_finished(), "the line has no end");
        let mut buffer = [0; 16];
        for number in 0..2_000_u32 {
            assert_eq!(far.recv(&mut buffer).await?, 4);
            assert_eq!(buffer[..4], number.to_le_bytes());
        }
        sender.await
    });
}

#[test]
fn a_message_to_a_path_can_be_answered() {
    in_runtime(async {
        let (here, there) = (scratch("here"), scratch("there"));
        let client = UnixDatagram::bind(here.path())?;
        let server = UnixDatagram::bind(there.path())?;
        client.connect(there.path())?;
        client.send(b"question").await?;
        let mut buffer = [0; 16];
        let (length, peer) = server.recv_from(&mut buffer).await?;
        assert_eq!((length, peer.as_pathname()), (8, Some(here.path())));
        server.send_to(b"answer", &peer).await?;
        assert_eq!(client.recv(&mut buffer).await?, 6);
        let error = UnixDatagram::unbound()?.send(b"to whom?").await.unwrap_err();
        assert_eq!(io_kind(&error), io::ErrorKind::NotConnected);
        Ok(())
    });
}

/// A read stops behind the bytes that a descriptor came with, so it may return less than there is.
#[test]
#[cfg(target_os = "linux")]
fn what_follows_a_descriptor_is_read_though_no_edge_follows() {
    in_runtime(async {
        let (left, right) = UnixStream::pair()?;
        let reader = spawn(async move {
            let mut read = Vec::new();
            let mut buffer = [0; 64];
            while read.len() < 5 {
                let length = right.read(&mut buffer).await?;
                read.extend_from_slice(&buffer[..length]);
            }
            Ok(read)
        });
        // The reader waits before anything comes: from then on it goes by edges.
        yield_now().await?;
        // A `cmsghdr` as `SCM_RIGHTS` wants it: its length, the level and the type, and the descriptor.
        let mut control = 20_usize.to_ne_bytes().to_vec();
        for number in [libc::SOL_SOCKET, libc::SCM_RIGHTS, left.as_raw_fd(), 0] {
            control.extend_from_slice(&number.to_ne_bytes());
        }
        let bytes = [IoSlice::new(b"abc")];
        let message = socket2::MsgHdr::new().with_buffers(&bytes).with_control(&control);
        assert_eq!(socket2::SockRef::from(&left).sendmsg(&message, 0)?, 3);
        left.write_all(b"de").await?;
        assert_eq!(reader.await?, b"abcde");
        Ok(())
    });
}
