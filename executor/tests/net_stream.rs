//! Connections: bytes go in and come out, whatever happens in between.

mod net_support;

use futures_util::{AsyncReadExt, AsyncWriteExt, future::try_join, future::try_join_all};
use homing::net::{TcpListener, TcpStream};
use homing::{Error, Result, spawn, yield_now};
use net_support::{connected_pair, in_runtime, io_kind, pattern, read_to_end, reset};
use std::cell::Cell;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;

#[test]
fn what_is_written_is_read_on_the_other_side() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        left.write_all(b"to the right").await?;
        right.write_all(b"to the left").await?;
        let mut buffer = [0; 64];
        let length = right.read(&mut buffer).await?;
        assert_eq!(&buffer[..length], b"to the right");
        let length = left.read(&mut buffer).await?;
        assert_eq!(&buffer[..length], b"to the left");
        Ok(())
    });
}

#[test]
fn both_ends_know_their_addresses() {
    in_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let left = TcpStream::connect(listener.local_addr()?).await?;
        let (right, peer) = listener.accept().await?;
        assert_eq!((left.local_addr()?, left.peer_addr()?), (peer, listener.local_addr()?));
        assert_eq!((right.local_addr()?, right.peer_addr()?), (listener.local_addr()?, peer));
        left.set_nodelay(true)?;
        left.set_ttl(9)?;
        assert_eq!((left.nodelay()?, left.ttl()?), (true, 9));
        assert!(left.take_error()?.is_none());
        Ok(())
    });
}

#[test]
fn a_refused_connection_is_an_error_that_names_the_address() {
    in_runtime(async {
        let address = nobody_listens()?;
        let error = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(io_kind(&error), ErrorKind::ConnectionRefused);
        assert!(error.notes().any(|note| note.contains(&address.to_string())), "{error:#}");
        Ok(())
    });
}

#[test]
fn of_several_addresses_the_first_that_answers_is_connected_to() {
    in_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addresses = [nobody_listens()?, nobody_listens()?, listener.local_addr()?];
        let stream = TcpStream::connect(&addresses[..]).await?;
        assert_eq!(stream.peer_addr()?, addresses[2]);
        Ok(())
    });
}

#[test]
fn without_an_address_there_is_nothing_to_connect_to() {
    in_runtime(async {
        let error = TcpStream::connect(&[] as &[SocketAddr]).await.unwrap_err();
        assert_eq!(io_kind(&error), ErrorKind::InvalidInput);
        Ok(())
    });
}

#[test]
fn to_move_no_bytes_waits_for_nothing() {
    in_runtime(async {
        let (left, _right) = connected_pair().await?;
        assert_eq!(left.read(&mut []).await?, 0);
        assert_eq!(left.read_vectored(&mut []).await?, 0);
        assert_eq!(left.write(&[]).await?, 0);
        left.read_exact(&mut []).await?;
        left.write_all(&[]).await?;
        Ok(())
    });
}

#[test]
fn the_end_is_found_by_a_read_that_waits_for_it_and_by_each_after_that() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let reader = spawn(async move {
            let mut buffer = [0; 8];
            Ok((left.read(&mut buffer).await?, left.read(&mut buffer).await?, left.read(&mut buffer).await?))
        });
        yield_now().await?;
        right.shutdown(Shutdown::Write)?;
        assert_eq!(reader.await?, (0, 0, 0));
        Ok(())
    });
}

#[test]
fn an_end_that_comes_together_with_the_last_bytes_is_found_though_no_edge_follows() {
    in_runtime(async {
        // Before the reader listens, and when it has listened for a while.
        for parked_before in [false, true] {
            let (left, right) = connected_pair().await?;
            let mut buffer = [0; 100];
            let reader = spawn(async move {
                if parked_before {
                    assert_eq!(left.read(&mut buffer).await?, 5);
                }
                assert_eq!(left.read(&mut buffer).await?, 4);
                left.read(&mut buffer).await
            });
            if parked_before {
                yield_now().await?;
                right.write_all(b"first").await?;
                homing::sleep(std::time::Duration::from_millis(2)).await?;
            }
            right.write_all(b"last").await?;
            drop(right);
            assert_eq!(reader.await?, 0);
        }
        Ok(())
    });
}

/// A read stops before an urgent byte (`MSG_OOB`), so it may return less than there is.
#[test]
fn what_follows_an_urgent_byte_is_read_though_no_edge_follows() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
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
        left.write_all(b"abc").await?;
        socket2::SockRef::from(&left).send_out_of_band(b"!")?;
        left.write_all(b"de").await?;
        assert_eq!(reader.await?, b"abcde");
        Ok(())
    });
}

#[test]
fn one_direction_may_end_before_the_other() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        left.write_all(b"question").await?;
        left.shutdown(Shutdown::Write)?;
        assert_eq!(read_to_end(&right).await?, b"question");
        right.write_all(b"answer").await?;
        drop(right);
        assert_eq!(read_to_end(&left).await?, b"answer");
        assert_eq!(io_kind(&left.write_all(b"more").await.unwrap_err()), ErrorKind::BrokenPipe);
        Ok(())
    });
}

#[test]
fn an_exact_read_says_how_far_it_came_when_the_stream_ends() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        right.write_all(b"half").await?;
        drop(right);
        let mut buffer = [0; 8];
        let mut read = left.read_exact(&mut buffer);
        let error = (&mut read).await.unwrap_err();
        assert_eq!((io_kind(&error), read.filled()), (ErrorKind::UnexpectedEof, 4));
        assert!(error.notes().any(|note| note.starts_with("4 of 8 bytes")), "{error:#}");
        Ok(())
    });
}

#[test]
fn several_buffers_are_moved_in_one_call() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let written =
            left.write_vectored(&[IoSlice::new(b"one"), IoSlice::new(b""), IoSlice::new(b"two")]).await?;
        assert_eq!(written, 6);
        let (mut first, mut second) = ([0; 4], [0; 4]);
        let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(right.read_vectored(&mut buffers).await?, 6);
        assert_eq!((&first, &second[..2]), (b"onet", &b"wo"[..]));
        Ok(())
    });
}

#[test]
fn several_buffers_arrive_in_their_order_be_they_small_or_large() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        // Up to 2,048 bytes in all are copied together.
        for length in [2, 700, 2_047, 2_048, 2_049, 20_000] {
            let bytes = pattern(length);
            let (head, body) = bytes.split_at(length / 3);
            let buffers = [IoSlice::new(head), IoSlice::new(b""), IoSlice::new(body)];
            assert_eq!(left.write_vectored(&buffers).await?, length);
            let mut received = vec![0; length];
            right.read_exact(&mut received).await?;
            assert!(received == bytes, "{length} bytes");
        }
        Ok(())
    });
}

#[test]
fn what_was_peeked_at_is_still_there() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let peeker = spawn(async move {
            let mut buffer = [0; 16];
            assert_eq!(left.peek(&mut buffer).await?, 4);
            assert_eq!(left.peek(&mut buffer).await?, 4);
            assert_eq!(left.read(&mut buffer).await?, 4);
            Ok(buffer)
        });
        yield_now().await?;
        right.write_all(b"seen").await?;
        assert_eq!(&peeker.await?[..4], b"seen");
        Ok(())
    });
}

#[test]
fn readable_waits_for_bytes_and_takes_none() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let reader = spawn(async move {
            left.readable().await?;
            left.readable().await?;
            let mut buffer = [0; 16];
            let length = left.read(&mut buffer).await?;
            left.writable().await?;
            Ok(length)
        });
        for _ in 0..5 {
            yield_now().await?;
        }
        assert!(!reader.is_finished());
        right.write_all(b"now").await?;
        assert_eq!(reader.await?, 3);
        Ok(())
    });
}

#[test]
fn large_buffers_in_both_directions_at_once_arrive_whole() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let (left, right) = (Rc::new(left), Rc::new(right));
        let bytes = Rc::new(pattern(3 << 20));
        let mut tasks = Vec::new();
        for (from, to) in [(&left, &right), (&right, &left)] {
            let (from, to, sent, expected) = (from.clone(), to.clone(), bytes.clone(), bytes.clone());
            tasks.push(spawn(async move {
                from.write_all(&sent).await?;
                Ok(from.shutdown(Shutdown::Write)?)
            }));
            tasks.push(spawn(async move {
                assert!(read_to_end(&to).await? == *expected);
                Ok(())
            }));
        }
        for task in tasks {
            task.await?;
        }
        Ok(())
    });
}

#[test]
fn a_stream_that_has_waited_to_read_is_woken_to_write_too() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let bytes = pattern(16 << 20);
        let expected = bytes.clone();
        let answerer = spawn(async move {
            assert_eq!(left.read(&mut [0; 8]).await?, 5);
            // More than the kernel takes, with nothing to read meanwhile.
            left.write_all(&bytes).await
        });
        yield_now().await?;
        right.write_all(b"start").await?;
        assert!(read_to_end(&right).await? == expected);
        answerer.await
    });
}

#[test]
fn no_edge_is_missed_however_small_the_reads_and_writes() {
    in_runtime(async {
        for (write_size, read_size) in [(1, 1), (1, 4096), (3, 2), (4096, 1), (1000, 1000), (65536, 7)] {
            let (left, right) = connected_pair().await?;
            left.set_nodelay(true)?;
            let bytes = pattern(20_000);
            let expected = bytes.clone();
            let writer = spawn(async move {
                for chunk in bytes.chunks(write_size) {
                    left.write_all(chunk).await?;
                    if chunk.len() < 100 && chunk[0] % 3 == 0 {
                        yield_now().await?;
                    }
                }
                Ok(())
            });
            let mut buffer = vec![0; read_size];
            let mut all = Vec::new();
            loop {
                match right.read(&mut buffer).await? {
                    0 => break,
                    length => all.extend_from_slice(&buffer[..length]),
                }
            }
            assert!(all == expected, "writes of {write_size}, reads of {read_size}");
            writer.await?;
        }
        Ok(())
    });
}

#[test]
fn many_connections_are_served_at_once() {
    const CONNECTIONS: usize = 200;
    in_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = spawn(async move {
            for _ in 0..CONNECTIONS {
                let (stream, _) = listener.accept().await?;
                drop(spawn(async move {
                    let mut buffer = [0; 16];
                    loop {
                        match stream.read(&mut buffer).await? {
                            0 => break Ok(()),
                            length => stream.write_all(&buffer[..length]).await?,
                        }
                    }
                }));
            }
            Ok(())
        });
        let clients = (0..CONNECTIONS).map(|number| async move {
            let stream = TcpStream::connect(address).await?;
            for round in 0..5 {
                let question = format!("{number}/{round}");
                stream.write_all(question.as_bytes()).await?;
                let mut answer = vec![0; question.len()];
                stream.read_exact(&mut answer).await?;
                assert_eq!(answer, question.as_bytes());
            }
            Ok::<_, Error>(())
        });
        try_join_all(clients).await?;
        server.await
    });
}

#[test]
fn several_tasks_may_wait_to_read_the_same_stream() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let left = Rc::new(left);
        let reader = |_| {
            let left = left.clone();
            spawn(async move {
                let mut byte = [0];
                left.read_exact(&mut byte).await?;
                Ok(byte[0])
            })
        };
        let readers: Vec<_> = (0..5).map(reader).collect();
        yield_now().await?;
        for byte in 0..5 {
            right.write_all(&[byte]).await?;
            homing::sleep(std::time::Duration::from_millis(1)).await?;
        }
        let mut read = Vec::new();
        for reader in readers {
            read.push(reader.await?);
        }
        read.sort();
        assert_eq!(read, [0, 1, 2, 3, 4]);
        Ok(())
    });
}

#[test]
fn the_traits_of_futures_io_read_and_write_too() {
    in_runtime(async {
        let (mut left, right) = connected_pair().await?;
        let echo = spawn(async move {
            let (mut reader, mut writer) = (&right, &right);
            futures_util::io::copy(&mut reader, &mut writer).await?;
            Ok(writer.close().await?)
        });
        let bytes = pattern(100_000);
        AsyncWriteExt::write_all(&mut left, &bytes).await?;
        left.flush().await?;
        left.close().await?;
        let mut answer = Vec::new();
        left.read_to_end(&mut answer).await?;
        assert!(answer == bytes);
        echo.await
    });
}

#[test]
fn a_stream_that_was_split_is_read_and_written_in_one_task() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let echo = spawn(async move {
            let (mut reader, mut writer) = (&right, &right);
            futures_util::io::copy(&mut reader, &mut writer).await?;
            Ok(right.shutdown(Shutdown::Write)?)
        });
        let bytes = pattern(2 << 20);
        let (mut reader, mut writer) = left.split();
        let write = async {
            writer.write_all(&bytes).await?;
            writer.close().await?;
            Ok::<_, Error>(())
        };
        let read = async {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).await?;
            Ok::<_, Error>(all)
        };
        let ((), all) = try_join(write, read).await?;
        assert!(all == bytes);
        echo.await
    });
}

/// Its bytes go from the kernel's memory into the socket's.
#[cfg(target_os = "linux")]
#[test]
fn a_file_is_sent_without_passing_through_our_memory() {
    use std::os::fd::{AsFd, AsRawFd};

    let path = std::env::temp_dir().join(format!("homing-sendfile-{}", std::process::id()));
    // More than the sockets hold, so that it has to wait for room.
    let bytes = pattern(4_000_000);
    std::fs::write(&path, &bytes).unwrap();
    let file = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    in_runtime(async {
        let (near, far) = connected_pair().await?;
        let length = bytes.len();
        let sending = spawn(async move {
            let mut offset = 0;
            while (offset as usize) < length {
                near.write_with(|socket| {
                    let left = length - offset as usize;
                    // SAFETY: both descriptors are open, and the offset is written to by the call alone.
                    let sent = unsafe {
                        libc::sendfile(socket.as_fd().as_raw_fd(), file.as_raw_fd(), &mut offset, left)
                    };
                    if sent < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
                })
                .await?;
            }
            near.shutdown(Shutdown::Write)?;
            Ok(())
        });
        assert!(read_to_end(&far).await? == bytes, "all bytes, in order");
        sending.await
    });
}

#[test]
fn a_reset_ends_whatever_waits() {
    in_runtime(async {
        // A read that waits.
        let (left, right) = connected_pair().await?;
        let reader = spawn(async move { left.read(&mut [0; 8]).await });
        yield_now().await?;
        reset(right);
        assert_eq!(io_kind(&reader.await.unwrap_err()), ErrorKind::ConnectionReset);

        // A write that waits.
        let (left, right) = connected_pair().await?;
        let writer = spawn(async move { left.write_all(&vec![0; 64 << 20]).await });
        yield_now().await?;
        reset(right);
        assert!(matches!(
            io_kind(&writer.await.unwrap_err()),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        ));

        // Both, in one stream.
        let (left, right) = connected_pair().await?;
        let left = Rc::new(left);
        let also = left.clone();
        let reader = spawn(async move { also.read(&mut [0; 8]).await });
        let writer = spawn(async move { left.write_all(&vec![0; 64 << 20]).await });
        yield_now().await?;
        reset(right);
        assert!(reader.await.is_err() || writer.await.is_err());
        Ok(())
    });
}

#[test]
fn a_reset_before_the_read_is_an_error_of_the_read() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        reset(right);
        assert_eq!(io_kind(&left.read(&mut [0; 8]).await.unwrap_err()), ErrorKind::ConnectionReset);

        // After it has waited once.
        let (left, right) = connected_pair().await?;
        let task = spawn(async move {
            assert_eq!(left.read(&mut [0; 8]).await?, 3);
            yield_now().await?;
            left.read(&mut [0; 8]).await
        });
        yield_now().await?;
        right.write_all(b"abc").await?;
        reset(right);
        assert!(task.await.is_err());
        Ok(())
    });
}

#[test]
fn a_reset_of_a_stream_that_is_half_closed_ends_its_other_half() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        left.shutdown(Shutdown::Write)?;
        assert_eq!(right.read(&mut [0; 8]).await?, 0);
        let reader = spawn(async move { left.read(&mut [0; 8]).await });
        yield_now().await?;
        reset(right);
        assert_eq!(io_kind(&reader.await.unwrap_err()), ErrorKind::ConnectionReset);
        Ok(())
    });
}

#[test]
fn a_stream_that_is_always_ready_leaves_the_others_their_turns() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        // Already there, so that no read ever has to wait.
        left.write_all(&[0; 2000]).await?;
        let turns = Rc::new(Cell::new(0));
        let counted = turns.clone();
        let other = spawn(async move {
            loop {
                counted.set(counted.get() + 1);
                yield_now().await?;
            }
            #[allow(unreachable_code)]
            Ok(())
        });
        for _ in 0..2000 {
            assert_eq!(right.read(&mut [0]).await?, 1);
        }
        assert!(turns.get() >= 2000 / 64, "{} turns", turns.get());
        other.cancel();
        Ok(())
    });
}

#[test]
fn a_task_whose_stream_is_always_ready_can_be_cancelled() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let echo = spawn(async move {
            // It writes to itself, so there is always something.
            let mut byte = [1];
            loop {
                left.write_all(&byte).await?;
                right.read_exact(&mut byte).await?;
            }
            #[allow(unreachable_code)]
            Ok(())
        });
        yield_now().await?;
        yield_now().await?;
        echo.cancel();
        assert!(echo.await.unwrap_err().is_cancelled());
        Ok(())
    });
}

#[test]
fn a_stream_goes_to_the_standard_library_and_comes_back() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let reader = async |stream: TcpStream| {
            let mut buffer = [0; 8];
            let length = stream.read(&mut buffer).await?;
            Ok::<_, Error>((stream, buffer[..length].to_vec()))
        };
        let task = spawn(reader(left));
        yield_now().await?;
        right.write_all(b"before").await?;
        let (left, bytes) = task.await?;
        assert_eq!(bytes, b"before");
        // It has waited, so it is listened to, and must not be any more.
        let left = TcpStream::from_std(left.into_std())?;
        let task = spawn(reader(left));
        yield_now().await?;
        right.write_all(b"after").await?;
        assert_eq!(task.await?.1, b"after");
        Ok(())
    });
}

/// An address at which nobody listens.
fn nobody_listens() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
