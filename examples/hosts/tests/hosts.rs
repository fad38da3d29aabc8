//! Each host is run, in a process of its own: the guest has done everything, the host has had its share, and nobody has
//! gone round in circles.

use std::process::Command;

const GUEST: &str = "guest: 5 naps, 20 lines echoed, 5 calls from another thread, 1000 yields";

/// What it prints, and what it says on its standard error.
fn run(program: &str, arguments: &[&str]) -> (Vec<String>, String) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{complaints}");
    let printed = String::from_utf8(output.stdout).unwrap();
    (printed.lines().map(str::to_owned).collect(), complaints)
}

/// A host that is woken for something that is not there, or that the runtime does not take in, takes turns without end.
/// Something happens about 60 times: naps, calls, and two for each line. On a slow machine the yields take some
/// milliseconds more, one to a turn.
fn assert_hosts_the_guest(program: &str, own: &str) {
    let (printed, turns) = run(program, &[]);
    assert_eq!(printed, [GUEST, own]);
    let turns: u32 = turns.trim().strip_suffix(" turns").unwrap().parse().unwrap();
    assert!((5..300).contains(&turns), "{turns} turns");
}

#[test]
fn a_loop_around_poll() {
    assert_hosts_the_guest(env!("CARGO_BIN_EXE_poll"), "host: 3 words of its own");
}

#[test]
fn calloop() {
    assert_hosts_the_guest(env!("CARGO_BIN_EXE_calloop"), "host: 3 ticks of its own");
}

#[test]
fn tokio() {
    assert_hosts_the_guest(env!("CARGO_BIN_EXE_tokio"), "host: 3 ticks of its own");
}

/// The number in front of a word.
fn number(line: &str, before: &str, after: &str) -> u64 {
    let rest = &line[line.find(before).unwrap_or_else(|| panic!("{line}")) + before.len()..];
    rest[..rest.find(after).unwrap()].trim().parse().unwrap()
}

#[test]
fn a_game_that_keeps_its_frames() {
    let (printed, _) = run(env!("CARGO_BIN_EXE_game"), &["60"]);
    assert!(printed[0].starts_with("60 frames, "), "{printed:?}");
    // As much as four thoughts in each frame, where there should be eighty: the machine may be doing something else.
    assert!(number(&printed[1], "", " thoughts") >= 240, "{printed:?}");
    // What other processes took is not the runtime's fault. A thought is 50 µs, and a poll is not interrupted.
    let overrun = &printed[3];
    assert!(overrun.starts_with("overrun, without"), "{printed:?}");
    assert!(number(overrun, "p99 ", " µs") <= 500, "{printed:?}");
}
