//! Cancelling sockets: what is cancelled or dropped has not happened, and no byte is lost.

mod net_support;

use futures_util::future::{Either, select};
use futures_util::{AsyncReadExt, StreamExt};
use homing::net::{TcpListener, TcpStream};
use homing::{Error, Result, TimedOut, current, sleep, spawn, timeout, yield_now};
use net_support::{connected_pair, in_runtime, pattern, read_to_end};
use std::io;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

/// If it is a cancellation, takes the request back and goes on.
fn swallow(error: Error) -> Result<()> {
    if !error.is_cancelled() {
        return Err(error);
    }
    current().unwrap().uncancel();
    Ok(())
}

#[test]
fn a_cancelled_read_loses_no_byte_wherever_the_cancel_strikes() {
    in_runtime(async {
        // The reader is cancelled after 1 to 60 turns, while the bytes trickle in. (Before its first it would not begin.)
        let mut delivered = 0;
        for turns in 1..=60 {
            let (left, right) = connected_pair().await?;
            let bytes = pattern(2_000);
            let expected = bytes.clone();
            let reader = spawn(async move {
                let (mut all, mut buffer, mut cancelled) = (Vec::new(), [0; 64], 0);
                loop {
                    match left.read(&mut buffer).await {
                        Ok(0) => break Ok((all, cancelled)),
                        Ok(length) => all.extend_from_slice(&buffer[..length]),
                        Err(error) => {
                            swallow(error)?;
                            cancelled += 1;
                        }
                    }
                }
            });
            let writer = spawn(async move {
                for (number, chunk) in bytes.chunks(50).enumerate() {
                    right.write_all(chunk).await?;
                    for _ in 0..number % 4 {
                        yield_now().await?;
                    }
                }
                Ok(())
            });
            for _ in 0..turns {
                yield_now().await?;
            }
            reader.cancel();
            let (all, cancelled) = reader.await?;
            assert!(all == expected, "cancelled after {turns} turns");
            delivered += cancelled;
            writer.await?;
        }
        assert!((30..=60).contains(&delivered), "delivered {delivered} times");
        Ok(())
    });
}

#[test]
fn a_read_that_is_cancelled_when_its_bytes_have_come_leaves_them_to_the_next() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let reader = spawn(async move {
            let mut buffer = [0; 16];
            swallow(left.read(&mut buffer).await.unwrap_err())?;
            left.read(&mut buffer).await.map(|length| buffer[..length].to_vec())
        });
        yield_now().await?;
        right.write_all(b"kept").await?;
        // The edge has woken the reader or will before it runs: the cancel comes first all the same.
        reader.cancel();
        assert_eq!(reader.await?, b"kept");
        Ok(())
    });
}

#[test]
fn a_cancel_comes_before_bytes_that_have_been_announced_and_not_yet_read() {
    in_runtime(async {
        let (first, to_first) = connected_pair().await?;
        let (second, to_second) = connected_pair().await?;
        let reader = spawn(async move {
            let mut buffer = [0; 16];
            swallow(second.read(&mut buffer).await.unwrap_err())?;
            second.read(&mut buffer).await.map(|length| buffer[..length].to_vec())
        });
        let writer = spawn(async move {
            yield_now().await?;
            to_first.write_all(b"go").await?;
            to_second.write_all(b"kept").await?;
            Ok((to_first, to_second))
        });
        // Both edges come in one look. The reader is in line already, behind this task.
        assert_eq!(first.read(&mut [0; 8]).await?, 2);
        reader.cancel();
        assert_eq!(reader.await?, b"kept");
        writer.await?;
        Ok(())
    });
}

#[test]
fn a_read_that_is_dropped_in_a_select_loses_no_byte() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let bytes = pattern(5_000);
        let expected = bytes.clone();
        let writer = spawn(async move {
            for chunk in bytes.chunks(7) {
                right.write_all(chunk).await?;
                yield_now().await?;
            }
            Ok(())
        });
        let (mut all, mut buffer, mut dropped) = (Vec::new(), [0; 64], 0);
        loop {
            // Ready in the next turn, which may be the one in which the bytes come.
            let read = match select(pin!(yield_now()), pin!(left.read(&mut buffer))).await {
                Either::Left(_) => None,
                Either::Right((length, _)) => Some(length?),
            };
            match read {
                None => dropped += 1,
                Some(0) => break,
                Some(length) => all.extend_from_slice(&buffer[..length]),
            }
        }
        assert!(all == expected);
        assert!(dropped > 0);
        writer.await
    });
}

#[test]
fn a_read_of_the_traits_that_is_dropped_in_a_select_loses_no_byte() {
    in_runtime(async {
        let (mut left, right) = connected_pair().await?;
        let bytes = pattern(5_000);
        let expected = bytes.clone();
        let writer = spawn(async move {
            for chunk in bytes.chunks(7) {
                right.write_all(chunk).await?;
                yield_now().await?;
            }
            Ok(())
        });
        let (mut all, mut buffer) = (Vec::new(), [0; 64]);
        loop {
            let read = match select(pin!(yield_now()), AsyncReadExt::read(&mut left, &mut buffer)).await {
                Either::Left(_) => None,
                Either::Right((length, _)) => Some(length?),
            };
            match read {
                None => {}
                Some(0) => break,
                Some(length) => all.extend_from_slice(&buffer[..length]),
            }
        }
        assert!(all == expected);
        writer.await
    });
}

#[test]
fn a_read_that_has_timed_out_may_be_tried_again() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let mut buffer = [0; 16];
        let error = timeout(Duration::from_millis(2), left.read(&mut buffer)).await.unwrap_err();
        assert!(error.is::<TimedOut>());
        right.write_all(b"late").await?;
        assert_eq!(left.read(&mut buffer).await?, 4);
        Ok(())
    });
}

#[test]
fn an_exact_read_that_was_cancelled_goes_on_where_it_was() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let reader = spawn(async move {
            let mut buffer = [0; 10];
            let mut read = left.read_exact(&mut buffer);
            let error = (&mut read).await.unwrap_err();
            assert!(error.notes().any(|note| note.starts_with("4 of 10")), "{error:#}");
            assert_eq!(read.filled(), 4);
            swallow(error)?;
            read.await?;
            Ok(buffer)
        });
        yield_now().await?;
        right.write_all(b"0123").await?;
        sleep(Duration::from_millis(2)).await?;
        reader.cancel();
        yield_now().await?;
        right.write_all(b"456789").await?;
        assert_eq!(&reader.await?, b"0123456789");
        Ok(())
    });
}

#[test]
fn a_long_write_that_was_cancelled_reports_how_far_it_came_and_goes_on() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let bytes = pattern(16 << 20);
        let expected = bytes.clone();
        let writer = spawn(async move {
            let mut write = left.write_all(&bytes);
            let error = (&mut write).await.unwrap_err();
            let written = write.written();
            assert!(error.notes().any(|note| note.starts_with(&format!("{written} of"))), "{error:#}");
            swallow(error)?;
            write.await?;
            left.shutdown(Shutdown::Write)?;
            Ok(written)
        });
        sleep(Duration::from_millis(2)).await?;
        writer.cancel();
        assert!(read_to_end(&right).await? == expected);
        let written = writer.await?;
        assert!(written > 0 && written < expected.len());
        Ok(())
    });
}

#[test]
fn a_cancelled_accept_loses_no_connection() {
    in_runtime(async {
        for turns in 1..6 {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            let server = spawn(async move {
                let mut accepted = 0;
                while accepted < 3 {
                    match listener.accept().await {
                        Ok(_) => accepted += 1,
                        Err(error) => swallow(error)?,
                    }
                }
                Ok(())
            });
            let clients = spawn(async move {
                let mut streams = Vec::new();
                for _ in 0..3 {
                    streams.push(TcpStream::connect(address).await?);
                    yield_now().await?;
                }
                Ok(streams)
            });
            for _ in 0..turns {
                yield_now().await?;
            }
            server.cancel();
            server.await?;
            clients.await?;
        }
        Ok(())
    });
}

#[test]
fn the_stream_of_connections_goes_on_after_a_cancellation() {
    in_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = spawn(async move {
            let mut incoming = listener.incoming();
            swallow(incoming.next().await.unwrap().unwrap_err())?;
            Ok(incoming.next().await.unwrap()?.1)
        });
        yield_now().await?;
        server.cancel();
        let client = TcpStream::connect(address).await?;
        assert_eq!(server.await?, client.local_addr()?);
        Ok(())
    });
}

#[test]
fn a_cancelled_operation_of_the_traits_is_an_io_error_that_is_known_for_what_it_is() {
    in_runtime(async {
        let (mut left, _right) = connected_pair().await?;
        let reader = spawn(async move {
            let error: io::Error = AsyncReadExt::read(&mut left, &mut [0; 8]).await.unwrap_err();
            assert_ne!(error.kind(), io::ErrorKind::Interrupted);
            let error = Error::from(error);
            assert!(error.is_cancelled());
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("enough"));
            Err::<(), _>(error)
        });
        yield_now().await?;
        reader.cancel_with("enough");
        assert!(reader.await.unwrap_err().is_cancelled());
        Ok(())
    });
}

#[test]
fn a_cancel_reaches_a_read_and_a_write_that_wait_in_the_same_task() {
    in_runtime(async {
        let (left, _right) = connected_pair().await?;
        let task = spawn(async move {
            let bytes = vec![0; 64 << 20];
            let mut buffer = [0];
            let (write, read) = futures_util::join!(left.write_all(&bytes), left.read(&mut buffer));
            assert!(write.unwrap_err().is_cancelled());
            assert!(read.unwrap_err().is_cancelled());
            Ok(())
        });
        yield_now().await?;
        task.cancel();
        assert!(task.await.is_ok());
        Ok(())
    });
}

#[test]
fn a_cancelled_connect_gives_up() {
    in_runtime(async {
        // A listener with the shortest line, which is then filled: who comes after that gets no answer.
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        // SAFETY: a system call without pointers.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let address = listener.local_addr()?;
        let mut in_line = Vec::new();
        let waiting = loop {
            let connect = spawn(TcpStream::connect(address));
            sleep(Duration::from_millis(5)).await?;
            if !connect.is_finished() {
                break connect;
            }
            in_line.push(connect.await?);
            assert!(in_line.len() < 100);
        };
        waiting.cancel();
        assert!(waiting.await.unwrap_err().is_cancelled());
        Ok(())
    });
}

#[test]
fn a_waiting_read_that_is_dropped_makes_room_in_the_line() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let left = Rc::new(left);
        for _ in 0..100 {
            let reader = left.clone();
            let task = spawn(async move { reader.read(&mut [0; 8]).await });
            yield_now().await?;
            task.abort();
        }
        right.write_all(b"x").await?;
        assert_eq!(left.read(&mut [0; 8]).await?, 1);
        Ok(())
    });
}
