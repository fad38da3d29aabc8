//! Protocol libraries on homing's streams: HTTP in both versions, over TCP, Unix sockets and TLS; axum; WebSockets; and
//! what becomes of them when things go wrong.

use async_tungstenite::tungstenite::Message;
use async_tungstenite::{accept_async, client_async};
use asynchronous_codec::{Framed, LinesCodec};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::get;
use futures_rustls::TlsConnector;
use futures_rustls::rustls::pki_types::ServerName;
use futures_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use futures_util::{AsyncReadExt, AsyncWriteExt, SinkExt, StreamExt};
use homing::hyper::{HyperExecutor, Io};
use homing::net::{TcpListener, TcpStream, UnixStream};
use homing::sync::Event;
use homing::{
    Error, Result, Served, Server, TaskGroup, current, sleep, spawn, task_group, timeout, yield_now,
};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper::{Request, Response, Version as Spoken};
use send_wrapper::SendWrapper;
use serving::http::{Version, converse};
use serving::tls::Certificate;
use std::cell::Cell;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

fn in_runtime(test: impl Future<Output = Result<()>>) {
    homing::run(timeout(Duration::from_secs(50), test)).unwrap();
}

fn pattern(length: usize) -> Bytes {
    (0..length).map(|place| (place.wrapping_mul(31) ^ (place >> 8)) as u8).collect::<Vec<u8>>().into()
}

/// Serves one connection with the request's own body, passed on while it is still coming in.
async fn echo(stream: impl Read + Write + Unpin + 'static, version: Version) -> Result<()> {
    let service = service_fn(async |request: Request<Incoming>| {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    });
    converse(stream, version, service, pending()).await
}

fn post(body: Bytes) -> Request<Full<Bytes>> {
    Request::post("http://localhost/echo").body(Full::from(body)).unwrap()
}

/// Asks once over HTTP/1.1, and gives the answer's body.
async fn ask(stream: impl Read + Write + Unpin + 'static, body: Bytes) -> Result<Bytes> {
    let (mut sender, connection) = http1::handshake(stream).await?;
    // The connection has to be driven while the request is under way, and no longer.
    task_group(async |tg| {
        tg.spawn(async { Ok(connection.await?) });
        let answer = sender.send_request(post(body)).await?;
        let body = answer.into_body().collect().await?.to_bytes();
        drop(sender);
        Ok(body)
    })
    .await
}

/// Asks several times at once over HTTP/2.
async fn ask_at_once(stream: impl Read + Write + Unpin + 'static, requests: usize) -> Result<()> {
    let (sender, connection) = http2::handshake(HyperExecutor, stream).await?;
    task_group(async |tg| {
        tg.spawn(async { Ok(connection.await?) });
        let answers: Vec<_> = (0..requests)
            .map(|number| {
                let mut sender = sender.clone();
                let body = pattern(number * 3_000);
                tg.spawn(async move {
                    let answer = sender.send_request(post(body.clone())).await?;
                    assert_eq!(answer.version(), Spoken::HTTP_2);
                    assert!(answer.into_body().collect().await?.to_bytes() == body);
                    Ok(())
                })
            })
            .collect();
        drop(sender);
        homing::gather(answers).await?;
        Ok(())
    })
    .await
}

async fn tcp_pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = TcpStream::connect(listener.local_addr()?).await?;
    Ok((near, listener.accept().await?.0))
}

#[test]
fn http2_carries_many_requests_at_once_over_tcp_and_unix_sockets() {
    in_runtime(async {
        let (near, far) = tcp_pair().await?;
        let server = spawn(echo(far, Version::Http2));
        ask_at_once(near, 40).await?;
        server.await?;
        let (near, far) = UnixStream::pair()?;
        let server = spawn(echo(far, Version::Http2));
        ask_at_once(near, 40).await?;
        server.await
    });
}

#[test]
fn both_versions_of_http_go_through_tls() {
    in_runtime(async {
        let certificate = Certificate::new()?;
        let acceptor = certificate.acceptor(&["h2", "http/1.1"])?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der())?;
        for (protocol, version) in [("http/1.1", Version::Http1), ("h2", Version::Http2)] {
            let mut config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
            config.alpn_protocols = vec![protocol.into()];
            let connector = TlsConnector::from(Arc::new(config));
            let (near, far) = tcp_pair().await?;
            let acceptor = acceptor.clone();
            let server = spawn(async move {
                let stream = acceptor.accept(far).await?;
                assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
                echo(Io::new(stream), version).await
            });
            let stream = Io::new(connector.connect(ServerName::try_from("localhost")?, near).await?);
            match version {
                Version::Http1 => {
                    let body = pattern(1 << 20);
                    assert!(ask(stream, body.clone()).await? == body);
                }
                Version::Http2 => ask_at_once(stream, 20).await?,
            }
            server.await?;
        }
        Ok(())
    });
}

#[test]
fn a_connection_of_http2_that_is_cancelled_takes_its_streams_with_it() {
    in_runtime(async {
        let (near, far) = tcp_pair().await?;
        let begun = Rc::new(Cell::new(0));
        let count = begun.clone();
        let server = spawn(async move {
            let service = service_fn(move |_: Request<Incoming>| {
                count.set(count.get() + 1);
                async { pending::<Result<Response<Full<Bytes>>>>().await }
            });
            converse(far, Version::Http2, service, pending()).await
        });
        let (mut sender, connection) = http2::handshake(HyperExecutor, near).await?;
        let driving = spawn(async { Ok(drop(connection.await)) });
        let asking = spawn(async move { Ok(sender.send_request(post(Bytes::new())).await?) });
        while begun.get() == 0 {
            sleep(Duration::from_millis(1)).await?;
        }
        server.cancel();
        assert!(server.await.unwrap_err().is_cancelled());
        assert!(asking.await.unwrap_err().is::<hyper::Error>());
        driving.await
    });
}

#[test]
fn an_axum_router_answers_also_where_its_state_is_not_send() {
    in_runtime(async {
        let asked = SendWrapper::new(Rc::new(Event::new()));
        let answered = asked.clone();
        let router = Router::new()
            .route(
                "/wait/{who}",
                get(
                    |State(event): State<SendWrapper<Rc<Event>>>,
                     axum::extract::Path(who): axum::extract::Path<String>| {
                        // `Event::wait` is not `Send`, and never leaves this thread.
                        SendWrapper::new(async move {
                            event
                                .wait()
                                .await
                                .map(|()| format!("{who} has waited"))
                                .map_err(|error| error.to_string())
                        })
                    },
                ),
            )
            .with_state(asked);
        let (near, far) = tcp_pair().await?;
        let service =
            service_fn(move |request: Request<Incoming>| router.clone().oneshot(request.map(Body::new)));
        let server = spawn(converse(far, Version::Http1, service, pending()));
        let waking = spawn(async move {
            sleep(Duration::from_millis(5)).await?;
            Ok(answered.set())
        });
        let (mut sender, connection) = http1::handshake(near).await?;
        let driving = spawn(async { Ok(connection.await?) });
        let request = Request::get("/wait/somebody").body(Full::<Bytes>::default())?;
        let answer = sender.send_request(request).await?;
        assert_eq!(answer.into_body().collect().await?.to_bytes(), "somebody has waited");
        drop(sender);
        driving.await?;
        waking.await?;
        server.await
    });
}

#[test]
fn websockets_carry_messages_both_ways_and_close_in_order() {
    in_runtime(async {
        let (near, far) = tcp_pair().await?;
        let server = spawn(async move {
            let mut socket = accept_async(far).await?;
            while let Some(message) = socket.next().await {
                // The other side's close is answered when it is read past.
                if let message @ (Message::Text(_) | Message::Binary(_)) = message? {
                    socket.send(message).await?;
                }
            }
            Ok(())
        });
        let (mut socket, _) = client_async("ws://localhost/", near).await?;
        let large = Message::binary(pattern(1 << 20));
        for message in [Message::text("hello"), large, Message::text("")] {
            socket.send(message.clone()).await?;
            assert!(socket.next().await.unwrap()? == message);
        }
        socket.close(None).await?;
        while let Some(message) = socket.next().await {
            assert!(message?.is_close());
        }
        server.await
    });
}

#[test]
fn a_websocket_that_is_cancelled_says_so() {
    in_runtime(async {
        let (near, far) = UnixStream::pair()?;
        let server = spawn(async move {
            let mut socket = accept_async(far).await?;
            let error = Error::from(socket.next().await.unwrap().unwrap_err());
            assert!(error.is_cancelled(), "{error:#}");
            Err::<(), _>(error)
        });
        let (socket, _) = client_async("ws://localhost/", near).await?;
        sleep(Duration::from_millis(2)).await?;
        server.cancel();
        assert!(server.await.unwrap_err().is_cancelled());
        drop(socket);
        Ok(())
    });
}

#[test]
fn frames_are_cut_by_a_codec_and_a_cancelled_frame_is_not_lost() {
    in_runtime(async {
        let (near, mut far) = UnixStream::pair()?;
        let mut frames = Framed::new(near, LinesCodec);
        far.write_all(b"one\nha").await?;
        assert_eq!(frames.next().await.unwrap()?, "one\n");
        let cut_off = timeout(Duration::from_millis(5), async { Ok(frames.next().await.unwrap()?) }).await;
        assert!(cut_off.unwrap_err().is_timeout());
        AsyncWriteExt::write_all(&mut far, b"lf\n").await?;
        assert_eq!(frames.next().await.unwrap()?, "half\n");
        frames.send("answer\n".to_owned()).await?;
        let mut answer = [0; 7];
        AsyncReadExt::read_exact(&mut far, &mut answer).await?;
        assert_eq!(&answer, b"answer\n");
        Ok(())
    });
}

/// Cancels the task where `future` suspends for the nth time. Ready with whether it came so far, and with its output.
async fn cancelled_at<T>(nth: usize, future: impl Future<Output = Result<T>>) -> (bool, Result<T>) {
    let mut future = pin!(future);
    let mut suspensions = 0;
    let output = poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() {
            suspensions += 1;
            if suspensions == nth {
                current().unwrap().cancel_with("at this await");
            }
        }
        polled
    })
    .await;
    (suspensions >= nth, output)
}

#[test]
fn a_server_that_is_cancelled_at_any_await_sends_a_whole_answer_or_none() {
    in_runtime(async {
        let body = pattern(300_000);
        let (mut whole, mut broken) = (0, 0);
        for nth in 1.. {
            let (near, far) = tcp_pair().await?;
            let cancelled = Rc::new(Cell::new(true));
            let noted = cancelled.clone();
            let server = spawn(async move {
                let (came_so_far, output) = cancelled_at(nth, echo(far, Version::Http1)).await;
                noted.set(came_so_far);
                if came_so_far {
                    assert!(output.as_ref().unwrap_err().is_cancelled(), "at suspension {nth}");
                }
                output
            });
            match timeout(Duration::from_secs(10), ask(near, body.clone())).await {
                Ok(answer) => {
                    assert!(answer == body, "cancelled at suspension {nth}");
                    whole += 1;
                }
                Err(error) => {
                    assert!(!error.is_timeout() && !error.is_cancelled(), "at suspension {nth}: {error:#}");
                    broken += 1;
                }
            }
            let ended = server.await;
            if !cancelled.get() {
                ended?;
                break;
            }
            assert!(ended.unwrap_err().is_cancelled(), "at suspension {nth}");
        }
        assert!(whole >= 1 && broken >= 2, "{whole} whole, {broken} broken");
        Ok(())
    });
}

#[test]
fn a_client_that_is_cancelled_at_any_await_leaves_a_server_that_serves_the_next() {
    in_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let body = pattern(300_000);
        let server = spawn(async move {
            let handler = |(stream, _), _| echo(stream, Version::Http1);
            Server::new().run(pending(), async || listener.accept().await, handler).await
        });
        for nth in 1.. {
            let sent = body.clone();
            let client = spawn(async move {
                let exchange = async { ask(TcpStream::connect(address).await?, sent).await };
                let (came_so_far, output) = cancelled_at(nth, exchange).await;
                match output {
                    Err(error) if came_so_far => assert!(error.is_cancelled(), "{error:#}"),
                    output => drop(output?),
                }
                // The clean-up of a task that was cancelled is not cancelled again.
                Ok(came_so_far)
            });
            let came_so_far = client.await?;
            let whole = timeout(Duration::from_secs(10), async {
                ask(TcpStream::connect(address).await?, body.clone()).await
            });
            assert!(whole.await? == body, "after a client that was cancelled at suspension {nth}");
            if !came_so_far {
                break;
            }
        }
        assert!(!server.is_finished());
        server.cancel();
        assert!(server.await.unwrap_err().is_cancelled());
        Ok(())
    });
}

#[test]
fn a_proxy_that_is_cancelled_at_any_await_and_goes_on_changes_no_byte_of_an_exchange() {
    in_runtime(async {
        let body = pattern(200_000);
        for nth in 1.. {
            let (client, mut near) = tcp_pair().await?;
            let (mut far, upstream) = UnixStream::pair()?;
            let server = spawn(echo(upstream, Version::Http1));
            let proxy = spawn(async move {
                let mut copying = homing::io::copy_bidirectional(&mut near, &mut far);
                let (came_so_far, output) = cancelled_at(nth, &mut copying).await;
                match output {
                    Err(error) if error.is_cancelled() => {
                        current().unwrap().uncancel();
                        copying.await?;
                    }
                    output => drop(output?),
                }
                Ok(came_so_far)
            });
            let answer = timeout(Duration::from_secs(10), ask(client, body.clone())).await;
            assert!(answer? == body, "cancelled at suspension {nth}");
            server.await?;
            if !proxy.await? {
                break;
            }
        }
        Ok(())
    });
}

/// Closes a connection the hard way: the peer is told of a reset.
fn reset(stream: TcpStream) {
    stream.set_linger(Some(Duration::ZERO)).unwrap();
}

const QUESTION: &[u8] = b"POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 11\r\n\r\nhello there";

#[test]
fn a_client_that_resets_after_any_byte_does_the_server_no_harm() {
    in_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let stop = Rc::new(Event::new());
        let told = stop.clone();
        let server = spawn(async move {
            let handler = |(stream, _), _| echo(stream, Version::Http1);
            Server::new()
                .grace(Duration::from_secs(30))
                .run(told.wait(), async || listener.accept().await, handler)
                .await
        });
        for sent in 0..=QUESTION.len() {
            let stream = TcpStream::connect(address).await?;
            stream.write_all(&QUESTION[..sent]).await?;
            // With and without the server's having seen it.
            for _ in 0..sent % 3 {
                yield_now().await?;
            }
            reset(stream);
        }
        let body = pattern(10_000);
        assert!(ask(TcpStream::connect(address).await?, body.clone()).await? == body);
        stop.set();
        // All have come home by then, and none of them by being cancelled.
        assert_eq!(server.await?, Served::ToTheEnd);
        Ok(())
    });
}

#[test]
fn a_server_that_resets_or_ends_after_any_byte_of_its_answer_is_an_error_of_the_client() {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    in_runtime(async {
        for hard in [true, false] {
            for sent in 0..=ANSWER.len() {
                let (near, far) = tcp_pair().await?;
                let server = spawn(async move {
                    far.read(&mut [0; 1024]).await?;
                    far.write_all(&ANSWER[..sent]).await?;
                    // What was written has to arrive before the reset does.
                    sleep(Duration::from_millis(1)).await?;
                    Ok(if hard { reset(far) } else { drop(far) })
                });
                let outcome = timeout(Duration::from_secs(5), ask(near, Bytes::new())).await;
                match outcome {
                    Ok(body) => assert!(sent == ANSWER.len() && body == "hello", "after {sent} bytes"),
                    Err(error) => {
                        // A reset may overtake the last of what was sent.
                        assert!(sent < ANSWER.len() || hard, "after {sent} bytes: {error:#}");
                        assert!(
                            !error.is_timeout() && !error.is_cancelled(),
                            "after {sent} bytes: {error:#}"
                        );
                    }
                }
                server.await?;
            }
        }
        Ok(())
    });
}

#[test]
fn a_client_that_will_send_no_more_still_gets_its_answer() {
    in_runtime(async {
        let (near, far) = tcp_pair().await?;
        let server = spawn(echo(far, Version::Http1));
        near.write_all(QUESTION).await?;
        near.shutdown(std::net::Shutdown::Write)?;
        let mut answer = Vec::new();
        AsyncReadExt::read_to_end(&mut &near, &mut answer).await?;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("hello there"), "{answer}");
        server.await
    });
}

#[test]
fn who_reads_slowly_keeps_nobody_else_waiting_and_is_not_buffered_for() {
    in_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let made = Rc::new(Cell::new(0));
        let counted = made.clone();
        TaskGroup::new()
            .run_until_cancelled(async |tg| {
                tg.spawn(async move {
                    let handler = move |(stream, _), _| {
                        let counted = counted.clone();
                        // An answer that is made as it is sent, a chunk at a time.
                        let service = service_fn(move |_: Request<Incoming>| {
                            let counted = counted.clone();
                            let chunks = futures_util::stream::iter(0..1_000).map(move |_| {
                                counted.set(counted.get() + 1);
                                Ok::<_, Infallible>(hyper::body::Frame::data(pattern(64 << 10)))
                            });
                            let body = http_body_util::StreamBody::new(chunks);
                            async { Ok::<_, Infallible>(Response::new(body)) }
                        });
                        converse(stream, Version::Http1, service, pending())
                    };
                    Server::new().run(pending(), async || listener.accept().await, handler).await
                });
                let slow = TcpStream::connect(address).await?;
                slow.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await?;
                slow.readable().await?;
                // Until the kernel's buffers are full, and then no further.
                let mut before = 0;
                while made.get() > before {
                    before = made.get();
                    sleep(Duration::from_millis(50)).await?;
                }
                assert!(before < 500, "{before} chunks were made for who has read none");
                // The others are served in the meantime.
                let quick = ask(TcpStream::connect(address).await?, Bytes::new()).await?;
                assert_eq!(quick.len(), 1_000 * (64 << 10));
                // And so is the slow one, once it reads.
                let mut read = 0;
                let mut buffer = vec![0; 100_000];
                while read < 2_000_000 {
                    read += slow.read(&mut buffer).await?;
                }
                tg.cancel();
                Ok(())
            })
            .await?;
        Ok(())
    });
}
