//! Names and addresses: what has to be asked for, and what has not.
#![cfg(unix)]

mod support;

use homing::blocking::BlockingOptions;
use homing::net::{Destination, TcpListener, UdpSocket, lookup_host};
use homing::{Builder, Error, Result};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    homing::run(homing::timeout(std::time::Duration::from_secs(20), main))
}

fn kind(error: &Error) -> io::ErrorKind {
    error.downcast_ref::<io::Error>().unwrap().kind()
}

#[test]
fn localhost_is_here() {
    let addresses = run(async { lookup_host(("localhost", 80)).await }).unwrap();
    assert!(!addresses.is_empty());
    assert!(
        addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 80),
        "{addresses:?}"
    );
}

#[test]
fn what_is_an_address_asks_nobody() {
    // In a runtime that could not start a thread if it wanted to.
    let options = BlockingOptions::new().stack_size(usize::MAX / 2);
    let address: SocketAddr = "127.0.0.1:8".parse().unwrap();
    let v6: SocketAddr = "[::1]:8".parse().unwrap();
    Builder::new()
        .blocking(options)
        .build()
        .run(async {
            let known = [
                lookup_host(address).await?,
                lookup_host("127.0.0.1:8").await?,
                lookup_host(String::from("127.0.0.1:8")).await?,
                lookup_host(("127.0.0.1", 8)).await?,
                lookup_host((String::from("127.0.0.1"), 8)).await?,
                lookup_host((IpAddr::from(Ipv4Addr::LOCALHOST), 8)).await?,
                lookup_host((Ipv4Addr::LOCALHOST, 8)).await?,
                lookup_host(&[address][..]).await?,
                lookup_host([address]).await?,
                lookup_host(vec![address]).await?,
            ];
            assert!(known.iter().all(|found| *found == [address]), "{known:?}");
            assert_eq!(lookup_host("[::1]:8").await?, [v6]);
            assert_eq!(lookup_host(("::1", 8)).await?, [v6]);
            assert!(lookup_host(("localhost", 8)).await.is_err());
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_cannot_be_meant_is_a_clear_error() {
    for (text, words) in
        [("localhost", "has no port"), ("localhost:http", "no number"), ("a:70000", "no number")]
    {
        let error = run(async { lookup_host(text).await }).unwrap_err();
        assert_eq!(kind(&error), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains(text) && error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_name_that_nobody_has_says_which() {
    // No name server is needed to know that: such a label is too long.
    let name = "x".repeat(70) + ".invalid";
    let error = run(async { lookup_host((&*name, 80)).await }).unwrap_err();
    assert!(error.is::<io::Error>());
    assert!(error.notes().any(|note| note.contains(&name)), "{error:#}");
}

#[test]
fn a_cancelled_look_up_ends_at_once() {
    let options = BlockingOptions::new().threads(1);
    Builder::new()
        .blocking(options)
        .build()
        .run(async {
            let (end, ends) = std::sync::mpsc::channel::<()>();
            let busy = homing::spawn_blocking(move || Ok(ends.recv().is_err()));
            let task = homing::spawn(lookup_host(("localhost", 80)));
            homing::yield_now().await?;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
            drop(end);
            assert!(busy.await?);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_listener_is_bound_to_a_name_while_the_other_tasks_go_on() {
    // The only thread that may be asked is busy, until another task says that it has been running.
    let options = BlockingOptions::new().threads(1);
    Builder::new()
        .blocking(options)
        .build()
        .run(async {
            let (end, ends) = std::sync::mpsc::channel::<()>();
            let busy = homing::spawn_blocking(move || Ok(ends.recv().is_ok()));
            let listener = homing::spawn(TcpListener::bind_host("localhost:0"));
            let socket = homing::spawn(UdpSocket::bind_host(("localhost", 0)));
            for _ in 0..3 {
                homing::yield_now().await?;
                assert!(!listener.is_finished() && !socket.is_finished());
            }
            end.send(())?;
            assert!(busy.await?);
            assert!(listener.await?.local_addr()?.ip().is_loopback());
            assert!(socket.await?.local_addr()?.ip().is_loopback());
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_listener_is_bound_to_an_address_at_once() {
    // In a runtime that could not start a thread if it wanted to.
    let options = BlockingOptions::new().stack_size(usize::MAX / 2);
    Builder::new()
        .blocking(options)
        .build()
        .run(async {
            let listener = homing::task(TcpListener::bind_host("127.0.0.1:0")).eager().spawn();
            assert!(listener.is_finished());
            let address = listener.await?.local_addr()?;
            let socket = homing::task(UdpSocket::bind_host(address)).eager().spawn();
            assert!(socket.is_finished());
            assert_eq!(socket.await?.local_addr()?, address);
            assert!(TcpListener::bind_host(("localhost", 0)).await.is_err());
            Ok(())
        })
        .unwrap();
}

#[test]
fn binding_to_a_name_that_nobody_has_says_which() {
    let name = "x".repeat(70) + ".invalid";
    let error = run(async { TcpListener::bind_host((&*name, 80)).await }).unwrap_err();
    assert!(error.notes().any(|note| note.contains(&name)), "{error:#}");
    let error = run(async { UdpSocket::bind_host((&*name, 80)).await }).unwrap_err();
    assert!(error.notes().any(|note| note.contains(&name)), "{error:#}");
}

#[test]
fn a_target_knows_whether_it_has_to_be_looked_up() {
    assert!("127.0.0.1:1".target().unwrap().known().is_some());
    assert!("localhost:1".target().unwrap().known().is_none());
}
