//! Streams, wires and names in memory.

use futures_util::{AsyncReadExt, AsyncWriteExt};
use homing::testing::net::{Duplex, Listener, Network, duplex};
use homing::testing::{self, Trial, advance, settle};
use homing::{Error, Instant, Result, spawn, task_group, timeout};
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

fn kind(error: Error) -> ErrorKind {
    error.downcast_ref::<io::Error>().unwrap_or_else(|| panic!("an io::Error: {error:?}")).kind()
}

async fn read_to_end(stream: &Duplex) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 7];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

#[test]
fn bytes_come_out_as_they_went_in_whatever_the_capacity() {
    for capacity in [1, 2, 3, 1000] {
        testing::run(async || {
            let (one, other) = duplex(capacity);
            let sent: Vec<u8> = (0..=255).collect();
            let writing = spawn({
                let sent = sent.clone();
                async move {
                    one.write_all(&sent).await?;
                    one.close();
                    Ok(())
                }
            });
            assert_eq!(read_to_end(&other).await?, sent);
            writing.await
        });
    }
}

#[test]
fn a_writer_waits_for_room_and_a_reader_for_bytes() {
    testing::run(async || {
        let (one, other) = duplex(4);
        let one = Rc::new(one);
        let writing = spawn({
            let one = one.clone();
            async move { one.write_all(b"sixsix").await }
        });
        settle().await?;
        assert!(!writing.is_finished());
        let mut seen = [0; 6];
        other.read_exact(&mut seen).await?;
        assert_eq!((&seen, writing.await?), (b"sixsix", 6));
        Ok(())
    });
}

#[test]
fn both_ends_of_a_stream_work_in_several_tasks_at_once() {
    testing::run(async || {
        let (one, other) = duplex(1);
        let one = Rc::new(one);
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let one = one.clone();
                spawn(async move { one.write_all(b"xx").await })
            })
            .collect();
        let mut seen = [0; 8];
        other.read_exact(&mut seen).await?;
        assert_eq!(&seen, b"xxxxxxxx");
        for writer in writers {
            writer.await?;
        }
        Ok(())
    });
}

#[test]
fn latency_is_what_a_byte_takes_and_bytes_do_not_overtake() {
    testing::run(async || {
        let (one, other) = duplex(64);
        one.link().set_latency(40 * MILLISECOND);
        let begin = Instant::now();
        one.write_all(b"slow").await?;
        one.link().set_latency(Duration::ZERO);
        one.write_all(b"fast").await?;
        let mut seen = [0; 8];
        assert_eq!(other.read(&mut seen).await?, 8);
        assert_eq!((&seen, begin.elapsed()), (b"slowfast", 40 * MILLISECOND));
        Ok(())
    });
}

#[test]
fn the_end_takes_as_long_as_a_byte() {
    testing::run(async || {
        let (one, other) = duplex(64);
        one.link().set_latency(40 * MILLISECOND);
        let begin = Instant::now();
        one.close();
        assert_eq!(other.read(&mut [0; 8]).await?, 0);
        assert_eq!(begin.elapsed(), 40 * MILLISECOND);
        assert_eq!(kind(one.write(b"more").await.unwrap_err()), ErrorKind::BrokenPipe);
        other.write_all(b"still here").await?;
        let mut seen = [0; 10];
        one.read_exact(&mut seen).await?;
        assert_eq!(&seen, b"still here");
        Ok(())
    });
}

#[test]
fn a_dropped_end_is_the_end_for_readers_and_a_broken_pipe_for_writers() {
    testing::run(async || {
        let (one, other) = duplex(64);
        one.write_all(b"bye").await?;
        let waiting = Rc::new(other);
        let writing = spawn({
            let waiting = waiting.clone();
            async move { waiting.write_all(&[0; 100]).await }
        });
        settle().await?;
        drop(one);
        assert_eq!(read_to_end(&waiting).await?, b"bye");
        assert_eq!(kind(writing.await.unwrap_err()), ErrorKind::BrokenPipe);
        Ok(())
    });
}

#[test]
fn an_end_too_early_is_an_error_that_knows_how_far_it_came() {
    testing::run(async || {
        let (one, other) = duplex(64);
        one.write_all(b"abc").await?;
        one.close();
        let mut buffer = [0; 5];
        let mut reading = other.read_exact(&mut buffer);
        assert_eq!(kind((&mut reading).await.unwrap_err()), ErrorKind::UnexpectedEof);
        assert_eq!(reading.filled(), 3);
        Ok(())
    });
}

#[test]
fn what_is_held_arrives_later_and_what_is_cut_never() {
    testing::run(async || {
        let (one, other) = duplex(64);
        let link = one.link().clone();
        link.hold();
        one.write_all(b"held ").await?;
        assert!(timeout(Duration::from_secs(9), other.read(&mut [0; 8])).await.unwrap_err().is_timeout());
        link.release();
        let mut seen = [0; 5];
        other.read_exact(&mut seen).await?;
        assert_eq!(&seen, b"held ");

        link.cut();
        one.write_all(&[0; 1000]).await?;
        one.close();
        assert!(timeout(Duration::from_secs(9), other.read(&mut [0; 8])).await.unwrap_err().is_timeout());
        Ok(())
    });
}

#[test]
fn a_cancelled_read_has_read_nothing() {
    Trial::new().seeds(0..20).run(async || {
        let (one, other) = duplex(64);
        let other = Rc::new(other);
        let reading = spawn({
            let other = other.clone();
            async move { other.read(&mut [0; 8]).await }
        });
        settle().await?;
        // Both in the same turn: the cancel wins, and the bytes stay where they are.
        one.write_all(b"kept").await?;
        reading.cancel();
        assert!(reading.await.unwrap_err().is_cancelled());
        let mut seen = [0; 4];
        other.read_exact(&mut seen).await?;
        assert_eq!(&seen, b"kept");
        Ok(())
    });
}

/// Asks for something, and is answered: what a client of the exchange below sees.
async fn exchange(client: Duplex) -> Result<Vec<u8>> {
    client.write_all(b"get it\n").await?;
    client.close();
    read_to_end(&client).await
}

#[test]
fn a_reset_at_every_byte_of_an_exchange_fails_one_side_or_none() {
    const ANSWER: &[u8] = b"here it is";
    const ALL: usize = 7 + ANSWER.len();
    for bytes in 0..ALL + 2 {
        testing::run(async || {
            let (client, server) = duplex(4);
            client.link().reset_after(bytes);
            let serving = spawn(async move {
                assert_eq!(read_to_end(&server).await?, b"get it\n");
                server.write_all(ANSWER).await
            });
            let (asked, served) = (exchange(client).await, serving.await);
            if bytes > ALL {
                assert_eq!((asked?, served?), (ANSWER.to_vec(), ANSWER.len()));
            } else {
                assert_eq!(kind(asked.unwrap_err()), ErrorKind::ConnectionReset, "after {bytes} bytes");
                let got_all = bytes == ALL;
                assert_eq!(served.is_ok(), got_all, "after {bytes} bytes: {served:?}");
            }
            Ok(())
        });
    }
}

#[test]
fn the_traits_behave_as_the_methods_do() {
    testing::run(async || {
        let (one, other) = duplex(3);
        let (mut reader, mut writer) = other.split();
        let echoing = spawn(async move {
            futures_util::io::copy(&mut reader, &mut writer).await?;
            writer.close().await?;
            Ok(())
        });
        let mut both = &one;
        let written = async {
            one.write_all(b"there and back").await?;
            AsyncWriteExt::close(&mut &one).await?;
            Ok::<_, Error>(())
        };
        let mut answer = String::new();
        let (written, read) = futures_util::join!(written, both.read_to_string(&mut answer));
        written?;
        read?;
        assert_eq!(answer, "there and back");
        echoing.await
    });
}

#[test]
fn a_cancel_comes_out_of_the_traits_as_one() {
    testing::run(async || {
        let (_one, mut other) = duplex(3);
        let reading = spawn(async move { Ok(AsyncReadExt::read(&mut other, &mut [0; 4]).await?) });
        settle().await?;
        reading.cancel();
        assert!(reading.await.unwrap_err().is_cancelled());
        Ok(())
    });
}

#[test]
#[should_panic(expected = "could carry nothing")]
fn a_wire_without_capacity_is_refused() {
    let _wire = duplex(0);
}

#[test]
fn connecting_takes_a_round_trip() {
    testing::run(async || {
        let network = Network::new().latency(30 * MILLISECOND);
        let listener = network.listen("server")?;
        let begin = Instant::now();
        let stream = network.connect("server").await?;
        assert_eq!(begin.elapsed(), 60 * MILLISECOND);
        let (accepted, peer) = listener.accept().await?;
        assert_eq!(peer, "client-1");
        accepted.write_all(b"welcome").await?;
        let mut seen = [0; 7];
        stream.read_exact(&mut seen).await?;
        assert_eq!(begin.elapsed(), 90 * MILLISECOND);
        Ok(())
    });
}

#[test]
fn a_name_has_one_listener_and_is_free_when_that_is_gone() {
    testing::run(async || {
        let network = Network::new();
        let listener = network.listen("server")?;
        assert_eq!(kind(network.listen("server").unwrap_err()), ErrorKind::AddrInUse);
        // Connected, and never accepted.
        let waiting = network.connect("server").await?;
        drop(listener);
        assert_eq!(kind(waiting.read(&mut [0; 4]).await.unwrap_err()), ErrorKind::ConnectionReset);
        assert_eq!(kind(network.connect("server").await.unwrap_err()), ErrorKind::ConnectionRefused);
        let _listener = network.listen("server")?;
        Ok(())
    });
}

#[test]
fn who_stands_in_line_when_the_listener_goes_is_refused() {
    testing::run(async || {
        let network = Network::new();
        let listener = network.listen("server")?;
        let mut connected = Vec::new();
        let late = loop {
            let mut connecting = Box::pin(spawn({
                let network = network.clone();
                async move { network.connect("server").await }
            }));
            settle().await?;
            match futures_util::poll!(&mut connecting) {
                std::task::Poll::Ready(stream) => connected.push(stream?),
                std::task::Poll::Pending => break connecting,
            }
        };
        assert_eq!(connected.len(), 128);
        drop(listener);
        assert_eq!(kind(late.await.unwrap_err()), ErrorKind::ConnectionRefused);
        Ok(())
    });
}

/// Serves one after the other.
async fn echo(listener: Listener) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let mut byte = [0];
        while stream.read(&mut byte).await? > 0 {
            stream.write_all(&byte).await?;
        }
    }
}

#[test]
fn an_unplugged_server_answers_nobody_until_it_is_back() {
    testing::run(async || {
        let network = Network::new().latency(MILLISECOND);
        let listener = network.listen("server")?;
        task_group(async |tg| {
            tg.spawn(echo(listener));
            let stream = network.connect("server").await?;
            stream.write_all(b"a").await?;
            stream.read_exact(&mut [0]).await?;
            assert_eq!(network.links("server").len(), 1);

            network.unplug("server");
            stream.write_all(b"b").await?;
            let second = Duration::from_secs(1);
            assert!(timeout(second, stream.read(&mut [0])).await.unwrap_err().is_timeout());
            assert!(timeout(second, network.connect("server")).await.unwrap_err().is_timeout());

            network.plug("server");
            stream.write_all(b"c").await?;
            let mut byte = [0];
            stream.read_exact(&mut byte).await?;
            assert_eq!(&byte, b"c", "what was lost stays lost");
            drop(stream);
            advance(second).await?;
            assert!(network.links("server").is_empty());
            tg.cancel();
            Ok(())
        })
        .await
    });
}
