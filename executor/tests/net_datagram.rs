//! UDP: single messages.

mod net_support;

use futures_util::future::{Either, select};
use homing::net::UdpSocket;
use homing::{Result, current, sleep, spawn, timeout, yield_now};
use net_support::{in_runtime, io_kind};
use std::cell::RefCell;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

/// Two sockets, each connected to the other.
fn pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    one.connect(other.local_addr()?)?;
    other.connect(one.local_addr()?)?;
    Ok((one, other))
}

#[test]
fn a_message_arrives_whole_with_the_address_of_its_sender() {
    in_runtime(async {
        let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        let (from, to) = (one.local_addr()?, other.local_addr()?);
        let receiver = spawn(async move {
            let mut buffer = [0; 4];
            Ok([other.recv_from(&mut buffer).await?, other.recv_from(&mut buffer).await?])
        });
        yield_now().await?;
        assert_eq!(one.send_to(b"ab", to).await?, 2);
        assert_eq!(one.send_to(b"longer than there is room", &to).await?, 25);
        // What does not fit is lost: the second message did not go on where the buffer had ended.
        assert_eq!(receiver.await?, [(2, from), (4, from)]);
        Ok(())
    });
}

#[test]
fn an_empty_message_is_one_too() {
    in_runtime(async {
        let (one, other) = pair()?;
        one.send(b"").await?;
        one.send(b"x").await?;
        assert_eq!(other.recv(&mut [0; 8]).await?, 0);
        assert_eq!(other.peek(&mut [0; 8]).await?, 1);
        assert_eq!(other.recv(&mut [0; 8]).await?, 1);
        Ok(())
    });
}

#[test]
fn a_connected_socket_hears_its_peer_only() {
    in_runtime(async {
        let (one, other) = pair()?;
        let stranger = UdpSocket::bind("127.0.0.1:0")?;
        stranger.send_to(b"not for you", other.local_addr()?).await?;
        one.send(b"for you").await?;
        assert_eq!(other.recv_from(&mut [0; 16]).await?, (7, one.local_addr()?));
        assert_eq!(one.peer_addr()?, other.local_addr()?);
        Ok(())
    });
}

#[test]
fn a_message_to_nobody_comes_back_as_an_error() {
    in_runtime(async {
        let (one, other) = pair()?;
        drop(other);
        one.send(b"hello?").await?;
        let error = timeout(Duration::from_secs(5), one.recv(&mut [0; 8])).await.unwrap_err();
        assert_eq!(io_kind(&error), io::ErrorKind::ConnectionRefused);
        Ok(())
    });
}

#[test]
fn a_cancelled_or_dropped_receive_takes_no_message() {
    in_runtime(async {
        let (one, other) = pair()?;
        let receiver = spawn(async move {
            let mut buffer = [0; 8];
            assert!(other.recv(&mut buffer).await.unwrap_err().is_cancelled());
            current().unwrap().uncancel();
            let mut messages = Vec::new();
            let mut dropped = 0;
            while messages.len() < 50 {
                let received = match select(pin!(yield_now()), pin!(other.recv(&mut buffer))).await {
                    Either::Left(_) => None,
                    Either::Right((length, _)) => Some(length?),
                };
                match received {
                    None => dropped += 1,
                    Some(length) => messages.push(buffer[..length].to_vec()),
                }
            }
            Ok((messages, dropped))
        });
        yield_now().await?;
        one.send(&[0]).await?;
        receiver.cancel();
        for number in 1..50_u8 {
            one.send(&[number]).await?;
            sleep(Duration::from_micros(100)).await?;
        }
        let (messages, dropped) = receiver.await?;
        assert!(messages.iter().map(|message| message[0]).eq(0..50));
        assert!(dropped > 0);
        Ok(())
    });
}

#[test]
fn several_tasks_may_receive_from_one_socket() {
    in_runtime(async {
        let (one, other) = pair()?;
        let other = Rc::new(other);
        let receivers: Vec<_> = (0..4)
            .map(|_| {
                let socket = other.clone();
                spawn(async move {
                    let mut byte = [0];
                    socket.recv(&mut byte).await?;
                    Ok(byte[0])
                })
            })
            .collect();
        yield_now().await?;
        for number in 0..4 {
            one.send(&[number]).await?;
        }
        let mut received: Vec<u8> = Vec::new();
        for receiver in receivers {
            received.push(receiver.await?);
        }
        // First come, first served.
        assert_eq!(received, [0, 1, 2, 3]);
        Ok(())
    });
}

#[test]
fn who_has_waited_longest_is_served_first_also_where_others_have_left_the_line() {
    in_runtime(async {
        let (one, other) = pair()?;
        let other = Rc::new(other);
        let receive = |name: &'static str, order: &Rc<RefCell<Vec<&'static str>>>| {
            let (socket, order) = (other.clone(), order.clone());
            spawn(async move {
                socket.recv(&mut [0; 8]).await?;
                Ok(order.borrow_mut().push(name))
            })
        };
        let order = Rc::default();
        let gone = receive("gone", &order);
        let first = receive("first", &order);
        yield_now().await?;
        gone.cancel();
        yield_now().await?;
        // Gets the place that has become free, before the one of who is there already.
        let second = receive("second", &order);
        yield_now().await?;
        one.send(b"a").await?;
        one.send(b"b").await?;
        first.await?;
        second.await?;
        assert_eq!(*order.borrow(), ["first", "second"]);
        assert!(gone.await.unwrap_err().is_cancelled());
        Ok(())
    });
}

#[test]
fn options_are_set_before_a_socket_has_its_address() {
    in_runtime(async {
        let first = UdpSocket::bind_with("127.0.0.1:0", |socket| socket.set_reuse_port(true))?;
        let second = UdpSocket::bind_with(first.local_addr()?, |socket| socket.set_reuse_port(true))?;
        assert_eq!(first.local_addr()?, second.local_addr()?);
        assert_eq!(UdpSocket::bind(first.local_addr()?).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        first.set_broadcast(true)?;
        assert!(first.broadcast()?);
        first.set_ttl(9)?;
        assert_eq!(first.ttl()?, 9);
        assert_eq!(UdpSocket::from_std(first.into_std())?.ttl()?, 9);
        Ok(())
    });
}

#[test]
fn a_socket_waits_until_it_can_be_written_or_read() -> Result<()> {
    in_runtime(async {
        let (one, other) = pair()?;
        one.writable().await?;
        let waiting = spawn(async move {
            other.readable().await?;
            other.recv(&mut [0; 8]).await
        });
        yield_now().await?;
        assert!(!waiting.is_finished());
        one.send(b"now").await?;
        assert_eq!(waiting.await?, 3);
        Ok(())
    });
    Ok(())
}
