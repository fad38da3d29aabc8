//! Sockets and the runtimes that listen to them: in which one may they be used, and what if it is gone?

mod net_support;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use homing::error::RuntimeError;
use homing::net::{TcpListener, TcpStream};
use homing::{Result, Runtime, sleep, spawn, yield_now};
use net_support::{connected_pair, in_runtime};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

/// A pair of which the left has waited in this runtime, and so is listened to there.
fn listened_to(runtime: &Runtime) -> (TcpStream, TcpStream) {
    runtime
        .block_on(async {
            let (left, right) = connected_pair().await?;
            assert!(homing::timeout(Duration::from_millis(1), left.read(&mut [0; 8])).await.is_err());
            Ok((left, right))
        })
        .unwrap()
}

fn misuse(result: Result<usize>) -> RuntimeError {
    result.unwrap_err().downcast_ref::<RuntimeError>().unwrap().clone()
}

#[test]
fn a_stream_may_go_to_another_runtime_until_it_has_waited() {
    let (left, right) = Runtime::new().block_on(connected_pair()).unwrap();
    let thread = std::thread::spawn(move || {
        homing::run(async {
            let mut buffer = [0; 8];
            let length = left.read(&mut buffer).await?;
            Ok(buffer[..length].to_vec())
        })
    });
    homing::run(async {
        sleep(Duration::from_millis(5)).await?;
        right.write_all(b"over").await
    })
    .unwrap();
    assert_eq!(thread.join().unwrap().unwrap(), b"over");
}

#[test]
fn a_stream_that_another_runtime_listens_to_is_refused() {
    let (first, second) = (Runtime::new(), Runtime::new());
    let (left, right) = listened_to(&first);
    assert_eq!(misuse(second.block_on(left.read(&mut [0; 8]))), RuntimeError::OtherRuntime);
    // At home it still works.
    first.block_on(right.write_all(b"x")).unwrap();
    assert_eq!(first.block_on(left.read(&mut [0; 8])).unwrap(), 1);
    assert_eq!(misuse(second.block_on(left.write(b"x"))), RuntimeError::OtherRuntime);
}

#[test]
fn a_stream_whose_runtime_is_gone_says_so() {
    let first = Runtime::new();
    let (left, _right) = listened_to(&first);
    drop(first);
    // The next runtime has the same outpost, and is not taken for the first.
    let second = Runtime::new();
    assert_eq!(misuse(second.block_on(left.read(&mut [0; 8]))), RuntimeError::RuntimeGone);
    assert_eq!(misuse(second.block_on(left.read(&mut [0; 8]))), RuntimeError::RuntimeGone);
    // A new start: nobody listens to it any more.
    let left = TcpStream::from_std(left.into_std()).unwrap();
    second.block_on(left.write_all(b"x")).unwrap();
}

#[test]
fn outside_of_a_runtime_what_is_ready_works_and_what_would_wait_is_refused() {
    let runtime = Runtime::new();
    // One that nobody listens to, and one that somebody does.
    for (left, right) in [runtime.block_on(connected_pair()).unwrap(), listened_to(&runtime)] {
        let mut buffer = [0; 8];
        assert_eq!(misuse(left.read(&mut buffer).now_or_never().unwrap()), RuntimeError::NoRuntime);
        right.write_all(b"abc").now_or_never().unwrap().unwrap();
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(left.read(&mut buffer).now_or_never().unwrap().unwrap(), 3);
        // Back at home nothing is confused by it.
        runtime
            .block_on(async {
                let reader = spawn(async move { left.read(&mut [0; 8]).await });
                yield_now().await?;
                right.write_all(b"defg").await?;
                assert_eq!(reader.await?, 4);
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn streams_may_be_dropped_anywhere() {
    let runtime = Runtime::new();
    // Between two turns.
    let (left, right) = listened_to(&runtime);
    drop(left);
    assert_eq!(runtime.block_on(right.read(&mut [0; 8])).unwrap(), 0);
    // On another thread.
    let (left, right) = listened_to(&runtime);
    std::thread::spawn(move || drop(left)).join().unwrap();
    assert_eq!(runtime.block_on(right.read(&mut [0; 8])).unwrap(), 0);
    // In another runtime.
    let (left, right) = listened_to(&runtime);
    let drop_it = async move {
        drop(left);
        Ok(())
    };
    Runtime::new().block_on(drop_it).unwrap();
    assert_eq!(runtime.block_on(right.read(&mut [0; 8])).unwrap(), 0);
    // After the runtime.
    let (left, right) = listened_to(&runtime);
    drop(runtime);
    drop((left, right));
}

#[test]
fn a_stream_that_waited_under_a_combinator_may_be_dropped_on_another_thread() {
    let runtime = Runtime::new();
    let left = runtime
        .block_on(async {
            let (mut left, _right) = connected_pair().await?;
            let mut buffer = [0; 8];
            let mut reads = FuturesUnordered::new();
            reads.push(futures_util::AsyncReadExt::read(&mut left, &mut buffer));
            assert!(reads.next().now_or_never().is_none());
            drop(reads);
            std::mem::forget(_right);
            Ok(left)
        })
        .unwrap();
    std::thread::spawn(move || drop(left)).join().unwrap();
}

#[test]
fn the_place_of_a_stream_that_is_gone_is_used_again() {
    in_runtime(async {
        for round in 0..1000_u32 {
            let (left, right) = connected_pair().await?;
            let reader = spawn(async move {
                let mut buffer = [0; 4];
                left.read_exact(&mut buffer).await?;
                Ok(u32::from_le_bytes(buffer))
            });
            yield_now().await?;
            right.write_all(&round.to_le_bytes()).await?;
            assert_eq!(reader.await?, round);
        }
        Ok(())
    });
}

#[test]
fn tasks_that_wait_for_streams_may_be_dropped_with_their_runtime() {
    let runtime = homing::Builder::new().on_unhandled(|_| {}).build();
    let (left, right) = runtime.block_on(connected_pair()).unwrap();
    let left = Rc::new(left);
    for _ in 0..3 {
        let left = left.clone();
        drop(runtime.spawn(async move { left.read(&mut [0; 8]).await }));
    }
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    assert_eq!(Rc::strong_count(&left), 1);
    drop(right);
}

#[test]
fn a_listener_may_be_made_outside_of_a_runtime_and_sent_to_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || homing::run(async { Ok(listener.accept().await?.1) }));
    let stream = std::net::TcpStream::connect(address).unwrap();
    assert_eq!(thread.join().unwrap().unwrap(), stream.local_addr().unwrap());
}

#[test]
fn one_thread_may_accept_and_another_serve() {
    let server = Runtime::new();
    let handle = server.handle();
    let acceptor = std::thread::spawn(move || {
        homing::run(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            let mut clients = Vec::new();
            for number in 0..3_u8 {
                let client = TcpStream::connect(address).await?;
                let (stream, _) = listener.accept().await?;
                let served = handle.spawn_remote(move || async move {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).await?;
                    stream.write_all(&[byte[0] + 1]).await
                });
                clients.push((number, client, served));
            }
            for (number, client, served) in clients {
                client.write_all(&[number]).await?;
                let mut byte = [0];
                client.read_exact(&mut byte).await?;
                assert_eq!(byte[0], number + 1);
                served.await?;
            }
            Ok(())
        })
    });
    while !acceptor.is_finished() {
        server.block_on(sleep(Duration::from_millis(1))).unwrap();
    }
    acceptor.join().unwrap().unwrap();
}

#[test]
fn in_a_flood_of_wakes_from_another_thread_sockets_and_timers_are_noticed_all_the_same() {
    let over = Arc::new(AtomicBool::new(false));
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let left = Rc::new(left);
        let flooded = spawn(poll_fn({
            let (over, mut flood) = (over.clone(), None);
            move |cx| {
                flood.get_or_insert_with(|| {
                    let (waker, over) = (cx.waker().clone(), over.clone());
                    std::thread::spawn(move || {
                        while !over.load(Ordering::Relaxed) {
                            waker.wake_by_ref();
                        }
                        waker.wake_by_ref();
                    })
                });
                if over.load(Ordering::Relaxed) { Poll::Ready(Ok(())) } else { Poll::Pending }
            }
        }));
        for message in 0..100_u8 {
            let reader = spawn({
                let left = left.clone();
                async move { left.read(&mut [0; 8]).await }
            });
            sleep(Duration::from_micros(100)).await?;
            right.write_all(&[message]).await?;
            assert_eq!(homing::timeout(Duration::from_secs(10), reader).await?, 1);
        }
        over.store(true, Ordering::Relaxed);
        flooded.await
    });
}

/// How often the thread has given up the processor of its own accord: once for each time it slept.
#[cfg(target_os = "linux")]
fn sleeps_so_far() -> i64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the call fills the struct.
    let usage = unsafe {
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()), 0);
        usage.assume_init()
    };
    usage.ru_nvcsw
}

#[cfg(target_os = "linux")]
#[test]
fn idle_connections_cost_no_wake_ups() {
    in_runtime(async {
        let mut pairs = Vec::new();
        for _ in 0..50 {
            let (left, right) = connected_pair().await?;
            let reader = spawn(async move { left.read(&mut [0; 8]).await });
            pairs.push((reader, right));
        }
        // Whatever registering brings with it.
        sleep(Duration::from_millis(5)).await?;
        let before = sleeps_so_far();
        sleep(Duration::from_millis(50)).await?;
        let slept = sleeps_so_far() - before;
        assert!(slept <= 3, "slept {slept} times in the place of once");
        for (reader, right) in pairs {
            drop(right);
            assert_eq!(reader.await?, 0);
        }
        Ok(())
    });
}
