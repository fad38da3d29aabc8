//! The example that is spread over several threads: it measures, and it serves, and all of it comes to an end.
#![cfg(unix)]

#[path = "../examples/per_core/main.rs"]
#[allow(dead_code, reason = "its `main` is for who runs it by itself")]
mod per_core;

use homing::threads::Threads;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

#[test]
fn it_measures_three_kinds_of_work_with_one_thread_and_with_several() {
    let table = per_core::measure(2, Duration::from_millis(20), 1).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    for (line, name) in lines[1..].iter().zip(["arithmetic", "echo", "http"]) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[0], name);
        // How much faster it is depends on what else the machine does. That it has worked at all does not.
        let numbers: Vec<f64> = [1, 2, 3, 5].map(|word| words[word].parse().unwrap()).to_vec();
        assert!(numbers.iter().all(|number| *number > 0.0), "{table}");
    }
}

/// A request, as a client of nobody's writes it.
fn fetch(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /page HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_serves_on_all_threads_at_one_address_and_all_come_to_an_end_together() {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    let (stop, stopped) = homing::sync::remote_channel::bounded::<()>(1);
    let client = std::thread::spawn(move || {
        let address = ADDRESS.wait();
        // One that is there to the end, and idles.
        let idle = TcpStream::connect(address).unwrap();
        for _ in 0..60 {
            let answer = fetch(*address);
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with('\n'), "{answer}");
        }
        stop.send_blocking(()).unwrap();
        idle
    });
    let ready = |address| ADDRESS.set(address).unwrap();
    let answered =
        per_core::serve(Threads::new(3), "127.0.0.1:0", ready, async || stopped.recv().await.map(drop))
            .unwrap();
    drop(client.join().unwrap());
    assert_eq!(answered.iter().sum::<u64>(), 60);
    // The system has dealt them out: that all sixty went to one of three has a chance of one in 10^28, unless a listener was
    // late. It may have been.
    assert_eq!(answered.len(), 3);
}
