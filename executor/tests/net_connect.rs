//! Connecting to several addresses: the first that answers is taken, and the others are left alone.

mod net_support;

use homing::net::{SockRef, TcpListener, TcpStream};
use homing::{Builder, Instant, spawn, timeout};
use net_support::{in_runtime, io_kind};
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// An address that does not answer: its listener's line is full, and stays so.
struct Silent {
    address: SocketAddr,
    _listener: std::net::TcpListener,
    _line: Vec<std::net::TcpStream>,
}

impl Silent {
    fn new() -> Silent {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        SockRef::from(&listener).listen(0).unwrap();
        let patience = Duration::from_millis(100);
        let mut line = Vec::new();
        while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, patience) {
            line.push(stream);
            assert!(line.len() < 100);
        }
        Silent { address, _listener: listener, _line: line }
    }
}

/// An address where nobody listens.
fn refused() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn an_address_that_is_silent_is_overtaken_by_the_next() {
    in_runtime(async {
        let silent = Silent::new();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let there = listener.local_addr()?;
        let begin = Instant::now();
        let stream = TcpStream::connect(&[silent.address, there][..]).await?;
        assert_eq!(stream.peer_addr()?, there);
        assert!(begin.elapsed() >= Duration::from_millis(250), "{:?}", begin.elapsed());
        Ok(())
    });
}

#[test]
fn an_address_that_refuses_is_followed_by_the_next_at_once() {
    in_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let there = listener.local_addr()?;
        let addresses = [refused(), refused(), refused(), there];
        let connect = TcpStream::connect(&addresses[..]).stagger(Duration::MAX);
        let stream = timeout(Duration::from_secs(5), connect).await?;
        assert_eq!(stream.peer_addr()?, there);
        Ok(())
    });
}

#[test]
fn one_address_after_the_other_is_tried_as_long_as_none_answers() {
    // With virtual time the pauses take none, and can be measured.
    let runtime = Builder::new().virtual_time().build();
    let silent = Silent::new();
    let begun = Arc::new(Mutex::new(Vec::new()));
    let noted = begun.clone();
    let test = async move {
        let begin = Instant::now();
        let addresses = [silent.address; 4];
        let connect = TcpStream::connect(&addresses[..]).stagger(Duration::from_millis(40)).prepare(
            move |_socket, _address| {
                noted.lock().unwrap().push(begin.elapsed().as_millis());
                Ok(())
            },
        );
        let error = timeout(Duration::from_millis(500), connect).await.unwrap_err();
        assert!(error.is_timeout());
        Ok(())
    };
    runtime.block_on(test).unwrap();
    assert_eq!(*begun.lock().unwrap(), [0, 40, 80, 120]);
}

#[test]
fn when_all_have_failed_the_error_tells_of_each() {
    in_runtime(async {
        let addresses = [refused(), refused()];
        let error = TcpStream::connect(&addresses[..]).await.unwrap_err();
        assert_eq!(io_kind(&error), io::ErrorKind::ConnectionRefused);
        let notes: Vec<_> = error.notes().collect();
        assert_eq!(notes.len(), 2);
        assert!(notes[0].contains(&addresses[0].to_string()), "{notes:?}");
        assert!(notes[1].contains(&addresses[1].to_string()), "{notes:?}");
        let error = TcpStream::connect(&[] as &[SocketAddr]).await.unwrap_err();
        assert_eq!(io_kind(&error), io::ErrorKind::InvalidInput);
        Ok(())
    });
}

#[test]
fn a_socket_that_cannot_be_prepared_is_the_failure_of_its_address() {
    in_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let there = listener.local_addr()?;
        let addresses = ["127.0.0.1:1".parse()?, there];
        let stream = TcpStream::connect(&addresses[..])
            .prepare(move |_socket, address| match address {
                _ if address == there => Ok(()),
                _ => Err(io::Error::other("not this one")),
            })
            .await?;
        assert_eq!(stream.peer_addr()?, there);
        Ok(())
    });
}

#[test]
fn a_cancel_ends_all_attempts_at_once() {
    in_runtime(async {
        let silent = Silent::new();
        let begun = Rc::new(Cell::new(0));
        let addresses = [silent.address; 3];
        let counted = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counts = counted.clone();
        let connect = TcpStream::connect(&addresses[..]).stagger(Duration::ZERO).prepare(move |_, _| {
            counts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        });
        let noted = begun.clone();
        let task = spawn(async move {
            let result = connect.await;
            noted.set(counted.load(std::sync::atomic::Ordering::Relaxed));
            result
        });
        homing::sleep(Duration::from_millis(10)).await?;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(begun.get(), 3);
        Ok(())
    });
}

#[test]
fn a_name_is_looked_up_and_its_addresses_are_tried() {
    in_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        // Where `::1` comes first, it refuses, and the other one follows.
        let stream = TcpStream::connect(("localhost", port)).await?;
        assert_eq!(stream.peer_addr()?, listener.local_addr()?);
        let error = TcpStream::connect("no port").await.unwrap_err();
        assert_eq!(io_kind(&error), io::ErrorKind::InvalidInput);
        Ok(())
    });
}
