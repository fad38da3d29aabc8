//! System calls, counted: a process is run under `ptrace`, which tells of every one it makes.
//!
//! Whoever makes them, in whatever way (a library's function, an instruction of its own, a ring's
//! `io_uring_enter`), the kernel stops the thread and tells. What is put on a ring without a call is no call,
//! and counts as none; that is what rings are for.
//!
//! A traced process is slow: each call takes some microseconds more. What it starts (the client) is not traced,
//! so a client must not be one whose speed decides what is counted. Ours sends in volleys: however slow the
//! server is, on each connection there is one message to be read, and then nothing until it has answered all.
//!
//! ```text
//! this process    │ traces
//!                 ▼
//! the server ····│ begin ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓ end │····      counted between two marks: calls that no kernel knows
//!    └ client ──────────────────────────────────        not traced
//! ```

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod tracer;

use std::io;
use std::process::{Command, Output};

/// A process that has ended, and how many system calls it made between the two marks.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) calls: u64,
    pub(crate) output: Output,
}

/// Runs a command to its end, and counts its system calls between [`begin`] and [`end`].
///
/// # Errors
///
/// If it cannot be started, or may not be traced.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn run(command: Command) -> io::Result<Traced> {
    // A tracer is a thread. This one has no other children, so it can wait for any.
    std::thread::spawn(move || tracer::run(command)).join().expect("the tracer does not panic")
}

/// Runs a command to its end, and counts its system calls between [`begin`] and [`end`].
///
/// # Errors
///
/// Always: there is no ptrace here that would tell of system calls.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn run(_command: Command) -> io::Result<Traced> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "system calls are counted on Linux only"))
}

/// Numbers that are no system calls.
const BEGIN: u64 = 0x0BE6_1200;
const END: u64 = 0x0BE6_1201;

/// From here on, system calls count, if this process is traced.
pub(crate) fn begin() {
    mark(BEGIN);
}

/// From here on, they do not.
pub(crate) fn end() {
    mark(END);
}

fn mark(_number: u64) {
    #[cfg(target_os = "linux")]
    // SAFETY: there is no such call, so the kernel refuses it and touches nothing.
    unsafe {
        libc::syscall(_number as libc::c_long)
    };
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;
    use std::env;

    /// Set for the process that is traced, which is this test once more.
    const TRACEE: &str = "HOMING_BENCHES_TRACEE";

    #[test]
    fn calls_count_between_the_marks_whichever_thread_makes_them_and_not_those_of_other_processes() {
        if env::var_os(TRACEE).is_some() {
            return make_some_calls();
        }
        let mut command = Command::new(env::current_exe().unwrap());
        let this = "traced::tests::calls_count_between_the_marks_whichever_thread_makes_them_and_not_those_of_other_processes";
        command.args(["--exact", this, "--nocapture", "--test-threads=1"]).env(TRACEE, "1");
        let traced = match run(command) {
            Ok(traced) => traced,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                eprintln!("NOT TESTED: processes may not be traced here");
                return;
            }
            Err(error) => panic!("{error}"),
        };
        assert!(traced.output.status.success(), "{traced:?}");
        // A thread is started and joined meanwhile, which takes some calls as well.
        assert!((2_000..2_100).contains(&traced.calls), "{}", traced.calls);
    }

    fn make_some_calls() {
        let ask_often = || {
            for _ in 0..1_000 {
                // SAFETY: the call touches nothing.
                unsafe { libc::syscall(libc::SYS_getppid) };
            }
        };
        ask_often();
        let mut child = Command::new("sleep").arg("0.01").spawn();
        begin();
        ask_often();
        std::thread::spawn(ask_often).join().unwrap();
        end();
        ask_often();
        if let Ok(child) = &mut child {
            child.wait().unwrap();
        }
    }

    #[test]
    fn what_a_traced_process_says_and_how_it_ends_is_heard() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        if let Ok(traced) = run(command) {
            assert_eq!((traced.calls, traced.output.status.code()), (0, Some(3)));
            assert_eq!(
                (&traced.output.stdout[..], &traced.output.stderr[..]),
                (&b"out\n"[..], &b"err\n"[..])
            );
        }
    }
}
