//! Servers as they are measured: the client is a process, and so is the server where its system calls are counted.

use std::process::{Command, Output};

fn harness(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_homing-benches")).args(arguments).output().expect("the harness runs")
}

fn figures(output: &Output) -> Vec<f64> {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    said.split_whitespace().map(|figure| figure.parse().expect("a figure")).collect()
}

#[test]
fn a_server_is_asked_by_a_process_of_its_own() {
    for (workload, server) in
        [("echo-50", "homing"), ("echo-50", "limit"), ("http-50", "homing"), ("http-50", "limit")]
    {
        let figures = figures(&harness(&["solo", workload, server, "1", "--scale", "quick"]));
        let [throughput, p50, p99, cpu] = figures[..] else { panic!("{figures:?}") };
        assert!(
            throughput > 100.0 && p50 > 0.0 && p50 <= p99 && cpu > 0.0,
            "{workload} on {server}: {figures:?}"
        );
    }
}

#[test]
fn system_calls_are_counted_one_read_and_one_write_a_message_and_few_waits() {
    let output = harness(&["measure", "echo-50-calls"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    if said.contains("cannot be counted") {
        eprintln!("NOT TESTED: processes may not be traced here");
        return;
    }
    for server in ["homing", "limit"] {
        let line = said.lines().find(|line| line.starts_with(&format!("| {server} "))).expect("it took part");
        let figure: f64 = line.split('|').nth(2).unwrap().trim().split(' ').next().unwrap().parse().unwrap();
        assert!((2.0..3.0).contains(&figure), "{line}");
    }
}

#[test]
fn a_client_without_a_server_says_so() {
    // Port 1 is nobody's on loopback.
    let output = harness(&["load", "echo", "127.0.0.1:1", "1", "1"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("could not be opened"), "{output:?}");
}
