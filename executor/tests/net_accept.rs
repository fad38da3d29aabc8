//! Accepting connections, also when there are no descriptors left for them.

mod net_support;

use futures_util::TryStreamExt;
use homing::net::{TcpListener, TcpStream};
use homing::{Instant, sleep, spawn, yield_now};
use net_support::{in_runtime, io_kind, reset};
use std::cell::Cell;
use std::net::SocketAddr;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

#[test]
fn connections_are_accepted_in_the_order_in_which_they_came() {
    in_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut clients = Vec::new();
        for _ in 0..20 {
            clients.push(TcpStream::connect(listener.local_addr()?).await?);
        }
        for client in &clients {
            assert_eq!(listener.accept().await?.1, client.local_addr()?);
        }
        Ok(())
    });
}

#[test]
fn several_tasks_may_accept_from_one_listener() {
    in_runtime(async {
        let listener = Rc::new(TcpListener::bind("127.0.0.1:0")?);
        let acceptors: Vec<_> = (0..4)
            .map(|_| {
                let listener = listener.clone();
                spawn(async move { Ok(listener.accept().await?.1) })
            })
            .collect();
        yield_now().await?;
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(TcpStream::connect(listener.local_addr()?).await?);
        }
        let mut accepted = Vec::new();
        for acceptor in acceptors {
            accepted.push(acceptor.await?);
        }
        let mut connected: Vec<_> = clients.iter().map(|client| client.local_addr().unwrap()).collect();
        accepted.sort();
        connected.sort();
        assert_eq!(accepted, connected);
        Ok(())
    });
}

#[test]
fn the_stream_of_connections_yields_one_after_the_other() {
    in_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let clients = spawn(async move {
            for _ in 0..3 {
                TcpStream::connect(address).await?.write_all(b"x").await?;
                sleep(Duration::from_millis(1)).await?;
            }
            Ok(())
        });
        let mut incoming = listener.incoming();
        for _ in 0..3 {
            let (stream, _) = incoming.try_next().await?.unwrap();
            assert_eq!(stream.read(&mut [0; 8]).await?, 1);
        }
        clients.await
    });
}

#[test]
fn a_connection_that_was_reset_in_the_backlog_does_not_stop_the_others() {
    in_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        reset(TcpStream::connect(listener.local_addr()?).await?);
        let client = TcpStream::connect(listener.local_addr()?).await?;
        // Some systems hand the first one out, to fail at its first read; others pass it over.
        loop {
            let (stream, peer) = listener.accept().await?;
            if peer == client.local_addr()? {
                break Ok(());
            }
            assert!(stream.read(&mut [0; 8]).await.is_err());
        }
    });
}

#[test]
fn an_address_in_use_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = TcpListener::bind(listener.local_addr().unwrap()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(TcpListener::bind(&[] as &[SocketAddr]).is_err());
}

#[test]
fn a_listener_goes_to_the_standard_library_and_comes_back() {
    in_runtime(async {
        let listener = TcpListener::from_std(TcpListener::bind("127.0.0.1:0")?.into_std())?;
        listener.set_ttl(7)?;
        assert_eq!(listener.ttl()?, 7);
        let client = TcpStream::connect(listener.local_addr()?).await?;
        assert_eq!(listener.accept().await?.1, client.local_addr()?);
        Ok(())
    });
}

const CHILD: &str = "HOMING_TEST_WITHOUT_DESCRIPTORS";

/// Runs one test of this file once more, in a process that may open only so many descriptors.
fn with_few_descriptors(test: &str, descriptors: u32, in_the_child: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some() {
        return in_the_child();
    }
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The processor's time that this thread has used.
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call fills the struct.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn without_descriptors_a_loop_that_ignores_the_errors_of_accept_starves_nobody() {
    with_few_descriptors(
        "without_descriptors_a_loop_that_ignores_the_errors_of_accept_starves_nobody",
        40,
        || {
            in_runtime(async {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                let address = listener.local_addr()?;
                // The reactor opens its descriptors while there are some.
                sleep(Duration::from_millis(1)).await?;
                let _ = homing::timeout(Duration::from_millis(1), listener.accept()).await;
                let errors = Rc::new(Cell::new(0));
                let counted = errors.clone();
                let mut clients = Vec::new();
                let last = loop {
                    match std::net::TcpStream::connect(address) {
                        Ok(client) => clients.push(client),
                        Err(error) => break error,
                    }
                };
                assert_eq!(last.raw_os_error(), Some(libc::EMFILE));
                let server = spawn(async move {
                    loop {
                        match listener.accept().await {
                            Ok((_, peer)) => break Ok((peer, listener)),
                            Err(error) => {
                                assert!(!error.is_cancelled());
                                io_kind(&error);
                                counted.set(counted.get() + 1);
                            }
                        }
                    }
                });
                // The others go on.
                let (begin, processor) = (Instant::now(), thread_time());
                let mut ticks = 0;
                while begin.elapsed() < Duration::from_millis(250) {
                    sleep(Duration::from_millis(5)).await?;
                    ticks += 1;
                }
                let processor = thread_time() - processor;
                assert!((3..=8).contains(&errors.get()), "{} errors", errors.get());
                assert!(ticks >= 20, "{ticks} ticks");
                assert!(processor < Duration::from_millis(100), "{processor:?} of the processor");
                // And when there are descriptors again, so is the server.
                let first = clients[0].local_addr()?;
                clients.truncate(2);
                let (peer, listener) = server.await?;
                assert_eq!(peer, first);
                let before = Instant::now();
                listener.accept().await?;
                assert!(before.elapsed() < Duration::from_millis(5), "the pause is over with the exhaustion");
                Ok(())
            });
        },
    );
}

#[test]
fn an_accept_that_pauses_can_be_cancelled() {
    with_few_descriptors("an_accept_that_pauses_can_be_cancelled", 40, || {
        in_runtime(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            sleep(Duration::from_millis(1)).await?;
            let mut clients = Vec::new();
            while let Ok(client) = std::net::TcpStream::connect(listener.local_addr()?) {
                clients.push(client);
            }
            let server = spawn(async move {
                assert!(!listener.accept().await.unwrap_err().is_cancelled());
                let error = listener.accept().await.unwrap_err();
                assert!(error.is_cancelled());
                Err::<(), _>(error)
            });
            yield_now().await?;
            server.cancel();
            assert!(server.await.unwrap_err().is_cancelled());
            Ok(())
        });
    });
}
