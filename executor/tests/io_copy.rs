//! Copying both ways, and lines.

mod net_support;

use homing::io::{Copied, LineTooLong, Lines, copy_bidirectional};
use homing::net::UnixStream;
use homing::{Error, current, sleep, spawn, timeout, yield_now};
use net_support::{connected_pair, in_runtime, pattern, reset};
use std::net::Shutdown;
use std::time::Duration;

#[test]
fn bytes_go_both_ways_at_once_until_both_have_ended() {
    in_runtime(async {
        let (client, mut near) = connected_pair().await?;
        let (mut far, server) = UnixStream::pair()?;
        let proxy = spawn(async move { copy_bidirectional(&mut near, &mut far).await });
        let (there, back) = (pattern(3 << 20), pattern(2 << 20));
        let (to_send, to_answer) = (there.clone(), back.clone());
        let client = spawn(async move {
            let mut answer = vec![0; 2 << 20];
            let (written, read) =
                futures_util::join!(client.write_all(&to_send), client.read_exact(&mut answer));
            written?;
            read?;
            client.shutdown(Shutdown::Write)?;
            assert_eq!(client.read(&mut [0; 8]).await?, 0);
            Ok(answer)
        });
        let mut question = vec![0; 3 << 20];
        let (written, read) =
            futures_util::join!(server.write_all(&to_answer), server.read_exact(&mut question));
        written?;
        read?;
        assert_eq!(server.read(&mut [0; 8]).await?, 0);
        drop(server);
        assert!(client.await? == back && question == there);
        assert_eq!(proxy.await?, Copied { left_to_right: 3 << 20, right_to_left: 2 << 20 });
        Ok(())
    });
}

#[test]
fn a_copy_that_is_cancelled_again_and_again_loses_no_byte() {
    in_runtime(async {
        let (client, mut near) = UnixStream::pair()?;
        let (mut far, server) = UnixStream::pair()?;
        let proxy = spawn(async move {
            let mut copying = copy_bidirectional(&mut near, &mut far);
            let mut cancelled = 0;
            loop {
                match (&mut copying).await {
                    Ok(copied) => return Ok((copied, cancelled)),
                    Err(error) if error.is_cancelled() => {
                        assert_eq!(current().unwrap().uncancel(), 0);
                        cancelled += 1;
                    }
                    Err(error) => return Err(error),
                }
            }
        });
        let bytes = pattern(2 << 20);
        let expected = bytes.clone();
        let writing = spawn(async move {
            client.write_all(&bytes).await?;
            client.shutdown(Shutdown::Write)?;
            Ok(client)
        });
        let mut all = Vec::new();
        let mut buffer = [0; 10_000];
        loop {
            match server.read(&mut buffer).await? {
                0 => break,
                length => all.extend_from_slice(&buffer[..length]),
            }
            proxy.cancel();
            yield_now().await?;
        }
        assert!(all == expected);
        drop(server);
        let (copied, cancelled) = proxy.await?;
        assert_eq!(copied, Copied { left_to_right: 2 << 20, right_to_left: 0 });
        assert!(cancelled > 10, "{cancelled}");
        writing.await?;
        Ok(())
    });
}

#[test]
fn an_error_tells_how_much_had_been_copied() {
    in_runtime(async {
        let (client, mut near) = connected_pair().await?;
        let (mut far, server) = UnixStream::pair()?;
        let proxy = spawn(async move { copy_bidirectional(&mut near, &mut far).await });
        client.write_all(b"12345").await?;
        server.read_exact(&mut [0; 5]).await?;
        reset(client);
        let error = proxy.await.unwrap_err();
        assert!(error.is::<std::io::Error>(), "{error:#}");
        assert!(error.notes().any(|note| note.starts_with("5 bytes had been copied")), "{error:#}");
        Ok(())
    });
}

#[test]
fn a_line_in_pieces_is_one_line_and_a_cancelled_read_of_it_loses_nothing() {
    in_runtime(async {
        let (near, far) = UnixStream::pair()?;
        let mut lines = Lines::new(near);
        let (mut whole, mut given_up) = (Vec::new(), 0);
        for byte in b"one\r\ntwo\nthree" {
            far.write_all(&[*byte]).await?;
            if *byte == b'\n' {
                continue;
            }
            // Whatever it has read by then is kept.
            let hurried = timeout(Duration::from_millis(1), lines.next_line()).await;
            match hurried {
                Ok(line) => whole.extend(line),
                Err(error) => {
                    assert!(error.is_timeout());
                    given_up += 1;
                }
            }
        }
        drop(far);
        while let Some(line) = lines.next_line().await? {
            whole.push(line);
        }
        assert_eq!(whole, ["one", "two", "three"]);
        // Of the first line there was never an end in time.
        assert!(given_up >= 4, "given up {given_up} times");
        assert_eq!(lines.next_line().await?, None);
        Ok(())
    });
}

#[test]
fn a_line_that_is_too_long_is_an_error_and_the_next_one_is_not() {
    in_runtime(async {
        let (near, far) = UnixStream::pair()?;
        let writing = spawn(async move {
            far.write_all(b"short\n").await?;
            far.write_all(&[b'x'; 100_000]).await?;
            sleep(Duration::from_millis(1)).await?;
            far.write_all(b"\n123456789\n1234567890\nlast\n").await
        });
        let mut lines = Lines::new(near).limit(10);
        let too_long = |error: Error| *error.downcast_ref::<LineTooLong>().unwrap();
        assert_eq!(lines.next_line().await?.as_deref(), Some("short"));
        assert_eq!(too_long(lines.next_line().await.unwrap_err()), LineTooLong { limit: 10 });
        assert_eq!(lines.next_line().await?.as_deref(), Some("123456789"));
        assert_eq!(too_long(lines.next_line().await.unwrap_err()), LineTooLong { limit: 10 });
        assert_eq!(lines.next_line().await?.as_deref(), Some("last"));
        assert_eq!(lines.next_line().await?, None);
        writing.await
    });
}

#[test]
fn what_is_no_text_can_be_had_as_bytes() {
    in_runtime(async {
        let (near, far) = UnixStream::pair()?;
        far.write_all(b"\xff\nfine\n\xfe\nrest").await?;
        let mut lines = Lines::new(near);
        let error = lines.next_line().await.unwrap_err();
        assert_eq!(error.downcast_ref::<std::string::FromUtf8Error>().unwrap().as_bytes(), b"\xff");
        assert_eq!(lines.next_line().await?.as_deref(), Some("fine"));
        assert_eq!(lines.next_line_bytes().await?.as_deref(), Some(&b"\xfe"[..]));
        let (_near, ahead) = lines.into_parts();
        assert_eq!(ahead, b"rest");
        Ok(())
    });
}
