//! The servers, each end to end against a client that nobody here wrote.

mod programs;

use programs::{Program, Scratch, client, outcome, run};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const HTTP_SERVER: &str = env!("CARGO_BIN_EXE_http_server");
const REVERSE_PROXY: &str = env!("CARGO_BIN_EXE_reverse_proxy");
const CHAT: &str = env!("CARGO_BIN_EXE_chat");
const TLS_ECHO: &str = env!("CARGO_BIN_EXE_tls_echo");
const REDIS: &str = env!("CARGO_BIN_EXE_redis");

/// curl, as a test wants it: it tells of errors, follows no proxy, and does not wait for ever.
fn curl() -> Option<Command> {
    let mut curl = client("curl")?;
    curl.args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "25"]);
    Some(curl)
}

/// Bytes in which each place tells where it is.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place.wrapping_mul(31) ^ (place >> 8)) as u8).collect()
}

#[test]
fn curl_gets_pages_in_both_versions_of_http() {
    let mut server = Program::server(HTTP_SERVER, &[]);
    let address = server.address("http");
    for (version, number) in [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")] {
        let Some(mut curl) = curl() else { return };
        curl.args([version, "--write-out", "%{http_version}"]);
        let told = run(curl.arg(format!("http://{address}/hello/you")));
        assert_eq!(told, format!("hello, you\n{number}"));
    }
    let missing = outcome(curl().unwrap().arg(format!("http://{address}/nowhere")));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("404"));
    assert_eq!(server.stop(), ["served at ToTheEnd"]);
}

#[test]
fn curl_gets_pages_over_tls_and_at_a_path() {
    let (certificate, path) = (Scratch::new("certificate"), Scratch::new("socket"));
    let tls = ["--tls", "127.0.0.1:0", "--certificate", certificate.text(), "--unix", path.text()];
    let mut server = Program::server(HTTP_SERVER, &tls);
    server.address("http");
    let address = server.address("https");
    assert_eq!(server.place("unix"), path.text());
    for (version, number) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let Some(mut curl) = curl() else { return };
        // Both over one connection.
        let page = |name: &str| format!("https://localhost:{}/hello/{name}", address.port());
        curl.args([version, "--cacert", certificate.text()]);
        curl.args(["--write-out", "%{http_version} %{num_connects}\\n"]);
        let told = run(curl.args([page("one"), page("another")]));
        assert_eq!(told, format!("hello, one\n{number} 1\nhello, another\n{number} 0\n"));
    }
    // Who does not trust the certificate does not get anything, and does no harm.
    let distrust = outcome(curl().unwrap().arg(format!("https://localhost:{}/", address.port())));
    assert_eq!(distrust.status.code(), Some(60));
    let told = run(curl().unwrap().args(["--unix-socket", path.text(), "http://here/hello/neighbour"]));
    assert_eq!(told, "hello, neighbour\n");
    assert_eq!(server.stop(), ["served at ToTheEnd"; 3]);
    assert!(!path.path().exists());
}

#[test]
fn a_large_body_comes_back_as_it_went() {
    let mut server = Program::server(HTTP_SERVER, &[]);
    let address = server.address("http");
    let (there, back) = (Scratch::new("there"), Scratch::new("back"));
    let bytes = pattern(20 << 20);
    std::fs::write(there.path(), &bytes).unwrap();
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let Some(mut curl) = curl() else { return };
        curl.args([version, "--header", "Expect:", "--output", back.text()]);
        curl.args(["--data-binary", &format!("@{}", there.text())]);
        run(curl.arg(format!("http://{address}/echo")));
        assert!(std::fs::read(back.path()).unwrap() == bytes, "{version}");
    }
    server.stop();
}

#[test]
fn python_asks_several_times_over_one_connection() {
    let mut server = Program::server(HTTP_SERVER, &[]);
    let address = server.address("http");
    let Some(mut python) = client("python3") else { return };
    let program = "
import http.client, sys
connection = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=20)
ports = set()
for number in range(20):
    connection.request('GET', f'/hello/{number}')
    ports.add(connection.sock.getsockname())
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, f'hello, {number}\\n'.encode())
connection.request('POST', '/echo', body=(bytes([number]) * 1000 for number in range(100)), encode_chunked=True,
                   headers={'Transfer-Encoding': 'chunked'})
assert connection.getresponse().read() == b''.join(bytes([number]) * 1000 for number in range(100))
print(len(ports))
";
    let told = run(python.args(["-c", program, &address.port().to_string()]));
    assert_eq!(told, "1\n");
    server.stop();
}

#[test]
fn wrk_gets_an_answer_to_each_of_its_requests() {
    // With room for fewer than come: the others wait outside, and are served in their turn.
    for limit in ["10000", "8"] {
        let mut server = Program::server(HTTP_SERVER, &["--limit", limit]);
        let address = server.address("http");
        let Some(mut wrk) = client("wrk") else { return };
        let told = run(wrk.args(["-t1", "-c16", "-d1s"]).arg(format!("http://{address}/hello/wrk")));
        assert!(told.contains("requests in") && !told.contains("Non-2xx"), "{told}");
        let errors = told.lines().find(|line| line.contains("Socket errors"));
        // Those that were not let in have no answer when it is over.
        assert!(limit == "8" || errors.is_none(), "{told}");
        let requests: u64 = told
            .lines()
            .find_map(|line| line.trim().split_once(" requests in"))
            .and_then(|(number, _)| number.parse().ok())
            .unwrap_or_default();
        assert!(requests > 100, "{told}");
        assert_eq!(server.stop(), ["served at ToTheEnd"]);
    }
}

#[test]
fn a_server_that_is_told_to_stop_lets_a_request_finish_and_accepts_no_other() {
    let mut server = Program::server(HTTP_SERVER, &["--grace", "20000"]);
    let address = server.address("http");
    let Some(mut curl) = curl() else { return };
    let mut waiting = Program::start(curl.arg(format!("http://{address}/slow/1500")));
    assert_eq!(server.place("thinking"), "1500 ms");
    server.terminate();
    // It stops to listen at once, while the request is still in hand.
    let begin = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(begin.elapsed() < programs::PATIENCE, "it listens on");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(waiting.ended(), ["thought about it for 1500 ms"]);
    assert_eq!(server.ended(), ["served at ToTheEnd"]);
}

#[test]
fn a_server_whose_time_is_over_cancels_what_is_still_in_hand() {
    let mut server = Program::server(HTTP_SERVER, &["--grace", "100"]);
    let address = server.address("http");
    let Some(mut curl) = curl() else { return };
    let asking = thread::spawn(move || outcome(curl.arg(format!("http://{address}/slow/600000"))));
    assert_eq!(server.place("thinking"), "600000 ms");
    let begin = Instant::now();
    assert_eq!(server.stop(), ["served at Cancelled"]);
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert!(!asking.join().unwrap().status.success());
}

#[test]
fn a_server_without_descriptors_serves_who_waits_once_there_are_some() {
    if client("sh").is_none() {
        return;
    }
    let few = "ulimit -n 24; exec \"$0\"";
    let mut server = Program::start(Command::new("sh").args(["-c", few, HTTP_SERVER]));
    let address = server.address("http");
    // More than it can have at a time. The system connects them all.
    let mut streams: Vec<TcpStream> = (0..60)
        .map(|number| {
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "GET /hello/{number} HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
            stream.set_read_timeout(Some(programs::PATIENCE)).unwrap();
            stream
        })
        .collect();
    // In the order in which they came. Who has its answer makes room for somebody else.
    for (number, mut stream) in streams.drain(..).enumerate() {
        let mut answer = Vec::new();
        while !answer.ends_with(b"\n") || answer.ends_with(b"\r\n") {
            let mut byte = [0; 1024];
            let length = stream.read(&mut byte).unwrap();
            assert!(length > 0, "an answer to {number}");
            answer.extend_from_slice(&byte[..length]);
        }
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.ends_with(&format!("hello, {number}\n")), "{answer}");
    }
    assert_eq!(server.stop(), ["served at ToTheEnd"]);
}

#[test]
fn a_proxy_passes_requests_on_and_says_so_when_nobody_is_behind() {
    let mut server = Program::server(HTTP_SERVER, &[]);
    let upstream = server.address("http").to_string();
    let mut proxy = Program::server(REVERSE_PROXY, &["--upstream", &upstream]);
    let address = proxy.address("proxy");
    let Some(mut several) = curl() else { return };
    let pages = (0..10).map(|number| format!("http://{address}/hello/{number}"));
    let told = run(several.args(pages));
    assert_eq!(told, (0..10).map(|number| format!("hello, {number}\n")).collect::<String>());

    let (there, back) = (Scratch::new("there"), Scratch::new("back"));
    let bytes = pattern(5 << 20);
    std::fs::write(there.path(), &bytes).unwrap();
    let mut posting = curl().unwrap();
    posting.args(["--output", back.text(), "--data-binary", &format!("@{}", there.text())]);
    run(posting.arg(format!("http://{address}/echo")));
    assert!(std::fs::read(back.path()).unwrap() == bytes);

    if let Some(mut wrk) = client("wrk") {
        let told = run(wrk.args(["-t1", "-c8", "-d1s"]).arg(format!("http://{address}/hello/wrk")));
        assert!(!told.contains("Non-2xx") && !told.contains("Socket errors"), "{told}");
    }

    server.stop();
    let gone = outcome(curl().unwrap().arg(format!("http://{address}/")));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("502"), "{gone:?}");
    assert_eq!(proxy.stop(), ["served at ToTheEnd"]);
}

#[test]
fn what_one_member_of_a_chat_says_the_others_hear() {
    let mut server = Program::server(CHAT, &[]);
    let address = server.address("chat");
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let Some(mut nc) = client("nc") else { return };
    let mut one = Program::start(nc.args([&ip, &port]));
    assert_eq!(one.told.line(), "* 1 here");
    let mut other = Program::start(Command::new("nc").args([&ip, &port]));
    other.write("hello\n");
    assert_eq!(other.told.line(), "* 2 here");
    let heard = one.told.line();
    assert!(heard.ends_with("has come"), "{heard}");
    let heard = one.told.line();
    assert!(heard.ends_with(": hello"), "{heard}");
    one.write("welcome\n");
    let heard = other.told.line();
    assert!(heard.ends_with(": welcome"), "{heard}");
    server.terminate();
    assert_eq!(one.told.line(), "* the server stops");
    assert_eq!(other.told.line(), "* the server stops");
    one.end_input();
    other.end_input();
    assert_eq!(server.ended(), ["served at ToTheEnd"]);
}

#[test]
fn openssl_hears_its_own_words_over_tls() {
    let certificate = Scratch::new("certificate");
    let mut server = Program::server(TLS_ECHO, &["--certificate", certificate.text()]);
    let address = server.address("tls").to_string();
    for version in ["-tls1_3", "-tls1_2"] {
        let Some(mut openssl) = client("openssl") else { return };
        openssl.args(["s_client", "-quiet", "-verify_return_error", "-servername", "localhost", version]);
        openssl.args(["-verify_hostname", "localhost", "-CAfile", certificate.text(), "-connect", &address]);
        let mut client = Program::start(openssl.stderr(std::process::Stdio::null()));
        for line in ["one", "two", &"x".repeat(50_000)] {
            client.write(&format!("{line}\n"));
            assert_eq!(client.told.line(), line, "{version}");
        }
    }
    let ended = server.stop();
    assert_eq!(ended.len(), 1, "{ended:?}");
}

#[test]
fn redis_cli_finds_what_it_has_set() {
    let mut server = Program::server(REDIS, &[]);
    let port = server.address("redis").port().to_string();
    let mut said = String::new();
    for command in [
        "PING",
        "SET name homing",
        "GET name",
        "GET nothing",
        "INCR number",
        "INCR number",
        "INCR name",
        "MGET name number nothing",
        "DEL name nothing",
        "DBSIZE",
        "NONSENSE",
    ] {
        let Some(mut cli) = client("redis-cli") else { return };
        said += &run(cli.args(["-h", "127.0.0.1", "-p", &port, "--no-raw"]).args(command.split(' ')));
    }
    let expected = "PONG\nOK\n\"homing\"\n(nil)\n(integer) 1\n(integer) 2\n\
                    (error) ERR value is not an integer or out of range\n\
                    1) \"homing\"\n2) \"2\"\n3) (nil)\n(integer) 1\n(integer) 1\n\
                    (error) ERR unknown command, or wrong number of arguments: 'NONSENSE'\n";
    let told: String = said.lines().filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
    assert_eq!(told, expected);
    server.stop();
}

#[test]
fn redis_benchmark_gets_all_of_its_answers() {
    let mut server = Program::server(REDIS, &[]);
    let port = server.address("redis").port().to_string();
    // Without pipelining, and with.
    for pipelined in ["1", "16"] {
        let Some(mut benchmark) = client("redis-benchmark") else { return };
        benchmark.args(["-h", "127.0.0.1", "-p", &port, "-n", "2000", "-c", "20", "-P", pipelined]);
        let told = run(benchmark.args(["-t", "ping,set,get,incr", "--csv"]));
        for name in ["PING_INLINE", "SET", "GET", "INCR"] {
            assert!(told.contains(&format!("\"{name}\"")), "{told}");
        }
    }
    if let Some(mut cli) = client("redis-cli") {
        let told = run(cli.args(["-h", "127.0.0.1", "-p", &port, "GET", "counter:__rand_int__"]));
        assert_eq!(told.trim(), "4000", "no increment was lost");
    }
    assert_eq!(server.stop(), ["served at ToTheEnd"]);
}
