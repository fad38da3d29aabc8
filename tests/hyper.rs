//! HTTP/1.1 with hyper, server and client on one thread.

use homing::cancel::unswallowed;
use homing::hyper::{HyperExecutor, HyperTimer, Io, serve};
use homing::net::{TcpListener, TcpStream};
use homing::{Error, Result, Task, current, sleep, spawn, timeout, yield_now};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::rt::{Executor, Timer};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, client, server};
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

fn in_runtime(test: impl Future<Output = Result<()>>) {
    homing::run(timeout(Duration::from_secs(20), test)).unwrap();
}

type Answer = Result<Response<Full<Bytes>>>;

/// Answers one connection with `handler`.
async fn serve_one<F>(listener: TcpListener, handler: impl Fn(Request<Incoming>) -> F) -> Result<()>
where
    F: Future<Output = Answer>,
{
    let (stream, _) = listener.accept().await?;
    let handler = service_fn(|request| {
        let answer = handler(request);
        // hyper asks for an error of the standard library's kind.
        async move { answer.await.map_err(Error::into_std) }
    });
    Ok(server::conn::http1::Builder::new().timer(HyperTimer).serve_connection(stream, handler).await?)
}

async fn connect(address: SocketAddr) -> Result<(SendRequest<Full<Bytes>>, Task<()>)> {
    let stream = TcpStream::connect(address).await?;
    let (sender, connection) = client::conn::http1::handshake(stream).await?;
    Ok((sender, spawn(async { Ok(connection.await?) })))
}

fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).body(Full::default()).unwrap()
}

fn bind() -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

#[test]
fn many_requests_use_one_connection() {
    in_runtime(async {
        let (listener, address) = bind()?;
        let server = spawn(serve_one(listener, async |request| {
            yield_now().await?;
            Ok(Response::new(Full::from(request.uri().path().to_owned())))
        }));
        let (mut sender, connection) = connect(address).await?;
        for number in 0..20 {
            let path = format!("/{number}");
            let response = sender.send_request(get(&path)).await?;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.into_body().collect().await?.to_bytes(), path);
        }
        drop(sender);
        connection.await?;
        server.await
    });
}

#[test]
fn a_large_body_goes_both_ways_at_once() {
    in_runtime(async {
        let (listener, address) = bind()?;
        // The answer is the request's own body, passed on while it is still coming in.
        let server = spawn(async move {
            let (stream, _) = listener.accept().await?;
            let echo = service_fn(async |request: Request<Incoming>| {
                Ok::<_, Infallible>(Response::new(request.into_body()))
            });
            Ok(server::conn::http1::Builder::new().serve_connection(stream, echo).await?)
        });
        let bytes: Vec<u8> = (0..8 << 20).map(|place: usize| (place ^ (place >> 8)) as u8).collect();
        let bytes = Bytes::from(bytes);
        let (mut sender, connection) = connect(address).await?;
        let request = Request::post("/").body(Full::from(bytes.clone()))?;
        let response = sender.send_request(request).await?;
        assert!(response.into_body().collect().await?.to_bytes() == bytes);
        drop(sender);
        connection.await?;
        server.await
    });
}

#[test]
fn a_wrapped_stream_of_futures_io_serves_as_well() {
    in_runtime(async {
        let (listener, address) = bind()?;
        let server = spawn(async move {
            let (stream, _) = listener.accept().await?;
            let greet =
                service_fn(async |_| Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("wrapped"))));
            Ok(server::conn::http1::Builder::new().serve_connection(Io::new(stream), greet).await?)
        });
        let stream = Io::new(TcpStream::connect(address).await?);
        let (mut sender, connection) = client::conn::http1::handshake(stream).await?;
        let connection = spawn(async { Ok(connection.await?) });
        let response = sender.send_request(Request::get("/").body(Empty::<Bytes>::new())?).await?;
        assert_eq!(response.into_body().collect().await?.to_bytes(), "wrapped");
        drop(sender);
        connection.await?;
        server.await
    });
}

#[test]
fn a_cancelled_connection_is_an_error_of_hypers_that_is_known_for_what_it_is() {
    in_runtime(async {
        let (listener, address) = bind()?;
        let asked = Rc::new(Cell::new(false));
        let begun = asked.clone();
        let server = spawn(async move {
            let (stream, _) = listener.accept().await?;
            let silent = service_fn(|_| {
                begun.set(true);
                pending::<Result<Response<Full<Bytes>>, Infallible>>()
            });
            let error: hyper::Error =
                server::conn::http1::Builder::new().serve_connection(stream, silent).await.unwrap_err();
            let error = Error::from(error);
            assert!(error.is::<hyper::Error>() && error.is_cancelled(), "{error:#}");
            Err::<(), _>(error)
        });
        let (mut sender, connection) = connect(address).await?;
        let request = spawn(async move { Ok(sender.send_request(get("/")).await?) });
        while !asked.get() {
            sleep(Duration::from_millis(1)).await?;
        }
        server.cancel();
        assert!(server.await.unwrap_err().is_cancelled());
        // To the client it is a connection that was closed without an answer.
        let error = request.await.unwrap_err();
        assert!(error.is::<hyper::Error>() && !error.is_cancelled(), "{error:#}");
        let _ = connection.await;
        Ok(())
    });
}

#[test]
fn a_cancelled_client_connection_is_known_for_what_it_is() {
    in_runtime(async {
        let (listener, address) = bind()?;
        let (sender, connection) = connect(address).await?;
        yield_now().await?;
        connection.cancel();
        let error = connection.await.unwrap_err();
        assert!(error.is_cancelled(), "{error:#}");
        drop((sender, listener));
        Ok(())
    });
}

#[test]
fn a_cancelled_request_lets_the_next_one_through() {
    in_runtime(async {
        let (listener, address) = bind()?;
        let server = spawn(async move {
            for _ in 0..2 {
                let (stream, _) = listener.accept().await?;
                let handler = service_fn(async |request: Request<Incoming>| {
                    if request.uri().path() == "/never" {
                        pending::<()>().await;
                    }
                    Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("here")))
                });
                // The first ends when its client goes away.
                let _ = server::conn::http1::Builder::new().serve_connection(stream, handler).await;
            }
            Ok(())
        });
        let (mut sender, connection) = connect(address).await?;
        let request = spawn(async move { Ok(sender.send_request(get("/never")).await?) });
        sleep(Duration::from_millis(5)).await?;
        request.cancel();
        assert!(request.await.unwrap_err().is_cancelled());
        // Its sender was dropped with the request, so hyper has closed the connection.
        let _ = connection.await;

        let (mut sender, connection) = connect(address).await?;
        let response = sender.send_request(get("/")).await?;
        assert_eq!(response.into_body().collect().await?.to_bytes(), "here");
        drop(sender);
        connection.await?;
        server.await
    });
}

#[test]
fn a_client_that_sends_no_header_is_given_up() {
    in_runtime(async {
        let (listener, address) = bind()?;
        let server = spawn(async move {
            let (stream, _) = listener.accept().await?;
            let unused = service_fn(async |_| Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())));
            let mut http = server::conn::http1::Builder::new();
            http.timer(HyperTimer).header_read_timeout(Duration::from_millis(20));
            Ok(http.serve_connection(stream, unused).await?)
        });
        let silent = TcpStream::connect(address).await?;
        silent.write_all(b"GET / HTTP/1.1\r\n").await?;
        let begin = Instant::now();
        let error = server.await.unwrap_err();
        assert!(error.downcast_ref::<hyper::Error>().unwrap().is_timeout(), "{error:#}");
        assert!(begin.elapsed() >= Duration::from_millis(10));
        Ok(())
    });
}

#[test]
fn hypers_timers_may_be_set_anew_and_fire_again() {
    in_runtime(async {
        let begin = Instant::now();
        let mut sleeping = HyperTimer.sleep(Duration::from_secs(3600));
        HyperTimer.reset(&mut sleeping, begin + Duration::from_millis(5));
        sleeping.as_mut().await;
        assert!(begin.elapsed() >= Duration::from_millis(5));
        sleeping.as_mut().await;
        HyperTimer.reset(&mut sleeping, Instant::now() + Duration::from_millis(5));
        sleeping.await;
        assert!(begin.elapsed() >= Duration::from_millis(10));
        HyperTimer.sleep_until(begin).await;
        Ok(())
    });
}

#[test]
fn hypers_timers_follow_a_virtual_clock() {
    let begin = Instant::now();
    let runtime = homing::Builder::new().virtual_time().build();
    let hour = async {
        HyperTimer.sleep(Duration::from_secs(3600)).await;
        Ok(())
    };
    runtime.block_on(hour).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(60));
}

#[test]
#[should_panic(expected = "no runtime is running")]
fn a_timer_that_could_never_fire_panics() {
    let mut sleeping = HyperTimer.sleep(Duration::from_secs(1));
    let _ = sleeping.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
}

#[test]
fn a_server_in_memory_that_hangs_up_after_any_byte_of_its_answer_is_an_error_of_the_client() {
    use homing::testing::{Trial, net::duplex};

    let mut answered = 0;
    for bytes in (20..220).step_by(20) {
        answered += Trial::new().run(async || {
            let (client, server) = duplex(1024);
            server.link().reset_after(bytes);
            let serving = spawn(async move {
                let answer = service_fn(async |_: Request<Incoming>| {
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"here you are"))))
                });
                Ok(server::conn::http1::Builder::new().serve_connection(Io::new(server), answer).await?)
            });
            let (mut sender, connection) = client::conn::http1::handshake(Io::new(client)).await?;
            let connection = spawn(async move { Ok(connection.await?) });
            let answer = async {
                let body = sender.send_request(get("/")).await?.into_body();
                Ok::<_, Error>(body.collect().await?.to_bytes())
            };
            let answer = answer.await;
            drop(sender);
            let (connected, served) = (connection.await, serving.await);
            Ok(match answer {
                Ok(body) => {
                    assert_eq!(body, "here you are", "after {bytes} bytes");
                    1
                }
                Err(_) => {
                    assert!(connected.is_err() || served.is_err(), "after {bytes} bytes somebody is told");
                    0
                }
            })
        });
    }
    assert!((1..10).contains(&answered), "some exchanges are cut short, and some are not: {answered}");
}

#[test]
fn what_hyper_wants_to_have_run_is_a_task_with_a_name() {
    in_runtime(async {
        let name = Rc::new(Cell::new(None));
        let told = name.clone();
        HyperExecutor.execute(async move {
            told.set(current().map(|task| task.name().into_owned()));
            "whatever"
        });
        yield_now().await?;
        assert_eq!(name.take().as_deref(), Some("hyper"));
        Ok(())
    });
}

/// Tells a connection to stop, without a leaf of homing's: see `hyper::serve`.
#[derive(Default)]
struct Stop {
    told: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Stop {
    fn tell(&self) {
        self.told.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    async fn told(self: Rc<Self>) {
        poll_fn(|cx| {
            self.waker.replace(Some(cx.waker().clone()));
            if self.told.get() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Serves one connection with `hyper::serve`, until it is told to stop, and answers each request with its path.
async fn serve_until(listener: TcpListener, stop: Rc<Stop>) -> Result<()> {
    let (stream, _) = listener.accept().await?;
    let in_hand = stop.clone();
    let answer = service_fn(|request: Request<Incoming>| {
        let in_hand = in_hand.clone();
        async move {
            if request.uri().path() == "/slow" {
                in_hand.tell();
                sleep(Duration::from_millis(20)).await?;
            }
            Ok::<_, Error>(Response::new(Full::<Bytes>::from(request.uri().path().to_owned())))
        }
    });
    let connection = server::conn::http1::Builder::new().serve_connection(stream, answer);
    serve(connection, stop.told(), server::conn::http1::Connection::graceful_shutdown).await
}

#[test]
fn a_connection_that_is_cancelled_while_it_idles_ends_cancelled() {
    in_runtime(async {
        let (listener, address) = bind()?;
        let server = spawn(serve_until(listener, Rc::default()));
        let (mut sender, connection) = connect(address).await?;
        let response = sender.send_request(get("/once")).await?;
        assert_eq!(response.into_body().collect().await?.to_bytes(), "/once");
        sleep(Duration::from_millis(2)).await?;
        // hyper takes the error of its read for the end of a connection that nobody needs.
        server.cancel_with("enough");
        let error = server.await.unwrap_err();
        assert_eq!(error.as_cancelled().and_then(|cancelled| cancelled.reason()), Some("enough"));
        connection.await
    });
}

#[test]
fn a_connection_in_a_group_that_is_cancelled_while_it_idles_lets_the_group_end() {
    in_runtime(async {
        let (listener, address) = bind()?;
        let client = spawn(async move {
            let (mut sender, connection) = connect(address).await?;
            sender.send_request(get("/once")).await?.into_body().collect().await?;
            Ok((sender, connection))
        });
        let ended = homing::TaskGroup::new().run_until_cancelled(async |tg| {
            let server = tg.spawn(serve_until(listener, Rc::default()));
            let kept = client.await?;
            sleep(Duration::from_millis(2)).await?;
            tg.cancel();
            let error = server.await.unwrap_err();
            assert!(error.is_cancelled(), "{error:#}");
            drop(kept);
            Ok(())
        });
        ended.await.map(drop)
    });
}

#[test]
fn a_connection_that_is_told_to_stop_answers_the_request_in_hand() {
    in_runtime(async {
        let (listener, address) = bind()?;
        let server = spawn(serve_until(listener, Rc::default()));
        let (mut sender, connection) = connect(address).await?;
        let response = sender.send_request(get("/slow")).await?;
        assert_eq!(response.headers()["connection"], "close");
        assert_eq!(response.into_body().collect().await?.to_bytes(), "/slow");
        server.await?;
        connection.await?;
        assert!(sender.send_request(get("/late")).await.is_err());
        Ok(())
    });
}

#[test]
fn a_connection_that_idles_ends_at_once_when_it_is_told_to_stop() {
    in_runtime(async {
        let (listener, address) = bind()?;
        let stop = Rc::new(Stop::default());
        let server = spawn(serve_until(listener, stop.clone()));
        let (mut sender, connection) = connect(address).await?;
        sender.send_request(get("/once")).await?.into_body().collect().await?;
        stop.tell();
        server.await?;
        connection.await
    });
}

#[test]
fn a_future_that_takes_its_cancel_back_has_not_swallowed_it() {
    in_runtime(async {
        let task = spawn(unswallowed(async {
            let error = sleep(Duration::from_secs(3600)).await.unwrap_err();
            assert!(error.is_cancelled());
            current().unwrap().uncancel();
            Ok::<_, Error>("meant")
        }));
        yield_now().await?;
        task.cancel();
        assert_eq!(task.await?, "meant");
        // One of whom nobody has asked anything, after one that was cancelled, in the same task.
        let task = spawn(async {
            assert!(sleep(Duration::from_secs(3600)).await.unwrap_err().is_cancelled());
            unswallowed(async {
                yield_now().await?;
                Ok::<_, Error>("cleaned up")
            })
            .await
        });
        yield_now().await?;
        task.cancel();
        assert_eq!(task.await?, "cleaned up");
        Ok(())
    });
}
