//! The tracer: waits for a thread that has stopped, notes why, lets it go on.
//!
//! ```text
//! a thread stops because of …            then
//! ─────────────────────────────────────────────────────────────────────────────────
//! a system call that begins              it counts
//! a system call that ends                nothing
//! a new thread                           nothing: it is traced from its beginning (a new process is not)
//! a signal                               it gets it, but for the stop with which a tracee begins
//! its end                                nothing: with the last one's we are done
//! ```

use super::{BEGIN, END, Traced};
use libc::{c_int, c_uint, c_void, pid_t};
use std::collections::HashSet;
use std::io::{self, Read};
use std::mem;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::ptr;

const OPTIONS: c_int = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_EXITKILL;

/// As a stop for a system call is told from a trap.
const CALL: c_int = libc::SIGTRAP | 0x80;

pub(super) fn run(mut command: Command) -> io::Result<Traced> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: between fork and exec the closure makes one system call, and allocates nothing.
    unsafe { command.pre_exec(|| ptrace(libc::PTRACE_TRACEME, 0, ptr::null_mut())) };
    // Not waited for through this handle: the tracer hears of the end.
    let mut child = command.spawn()?;
    let mut tracer = Tracer::of(child.id() as pid_t);
    let status = tracer.trace()?;
    // Few words, that the pipes have kept.
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    child.stdout.take().expect("it was asked for").read_to_end(&mut stdout)?;
    child.stderr.take().expect("it was asked for").read_to_end(&mut stderr)?;
    Ok(Traced { calls: tracer.calls, output: Output { status, stdout, stderr } })
}

struct Tracer {
    process: pid_t,
    /// The threads that have stopped before.
    known: HashSet<pid_t>,
    counting: bool,
    calls: u64,
}

impl Tracer {
    fn of(process: pid_t) -> Tracer {
        Tracer { process, known: HashSet::new(), counting: false, calls: 0 }
    }

    /// Until all that is traced has ended. Gives the status of the process.
    fn trace(&mut self) -> io::Result<ExitStatus> {
        let mut ended = None;
        loop {
            let mut status = 0;
            // SAFETY: the call writes the number that it is given.
            let thread = unsafe { libc::waitpid(-1, &mut status, libc::__WALL | libc::__WNOTHREAD) };
            if thread < 0 {
                let error = io::Error::last_os_error();
                match error.raw_os_error() {
                    Some(libc::EINTR) => continue,
                    Some(libc::ECHILD) => return ended.ok_or(error),
                    _ => return Err(error),
                }
            }
            if libc::WIFSTOPPED(status) {
                self.stopped(thread, status)?;
            } else if thread == self.process {
                ended = Some(ExitStatus::from_raw(status));
            }
        }
    }

    fn stopped(&mut self, thread: pid_t, status: c_int) -> io::Result<()> {
        let is_new = self.known.insert(thread);
        if is_new && thread == self.process {
            ptrace(libc::PTRACE_SETOPTIONS, thread, OPTIONS as usize as *mut c_void)?;
        }
        let event = status >> 16;
        let signal = match libc::WSTOPSIG(status) {
            CALL => {
                self.call(thread)?;
                0
            }
            _ if event != 0 => 0,
            // With these a tracee begins: after exec, and as a new thread.
            libc::SIGTRAP | libc::SIGSTOP if is_new => 0,
            signal => signal,
        };
        match ptrace(libc::PTRACE_SYSCALL, thread, signal as usize as *mut c_void) {
            // It was killed while it stood.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            done => done,
        }
    }

    fn call(&mut self, thread: pid_t) -> io::Result<()> {
        // SAFETY: the structure is made of numbers, for which zero will do.
        let mut info: libc::ptrace_syscall_info = unsafe { mem::zeroed() };
        let size = size_of_val(&info);
        // SAFETY: the call writes at most `size` bytes, to the structure that it is given.
        let written = unsafe {
            libc::ptrace(
                libc::PTRACE_GET_SYSCALL_INFO,
                thread,
                size as *mut c_void,
                (&raw mut info).cast::<c_void>(),
            )
        };
        if written < 0 {
            return Err(io::Error::last_os_error());
        }
        if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
            return Ok(());
        }
        // SAFETY: the field that the kernel writes when a call begins.
        match unsafe { info.u.entry.nr } {
            BEGIN => self.counting = true,
            END => self.counting = false,
            _ if self.counting => self.calls += 1,
            _ => {}
        }
        Ok(())
    }
}

fn ptrace(request: c_uint, thread: pid_t, data: *mut c_void) -> io::Result<()> {
    // SAFETY: the requests that are made here take `data` as a number, and write nothing to our memory.
    let answer = unsafe { libc::ptrace(request, thread, ptr::null_mut::<c_void>(), data) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
