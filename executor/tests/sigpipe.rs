//! In a program that does not ignore `SIGPIPE`, as Rust's do: it never hears of one. (A program of its own, because the
//! handler is the process's.)
#![cfg(target_os = "linux")]

use futures_util::AsyncWriteExt;
use homing::fs;
use homing::process::{Command, Stdio};
use homing::signal::{self, SignalKind};
use std::ffi::CString;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

static ALONE: Mutex<()> = Mutex::new(());
static HEARD: AtomicUsize = AtomicUsize::new(0);

extern "C" fn hear(_signal: libc::c_int) {
    HEARD.fetch_add(1, SeqCst);
}

/// A handler that counts stands for the default, which would end the tests as well.
fn not_ignored() -> MutexGuard<'static, ()> {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the handler counts, and does nothing else.
    unsafe { libc::signal(libc::SIGPIPE, hear as *const () as usize) };
    HEARD.store(0, SeqCst);
    alone
}

fn only_sigpipe() -> libc::sigset_t {
    // SAFETY: all zero is a set, and is made an empty one.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGPIPE);
        set
    }
}

/// What is said to a child that has ended is an error of that kind.
fn write_to_nobody() {
    homing::run(async {
        let mut child = Command::new("true").stdin(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take().unwrap();
        child.wait().await?;
        for _ in 0..2 {
            let error = io::Error::from(stdin.write(b"x").await.unwrap_err());
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_write_to_a_child_that_reads_no_more_raises_no_signal() {
    let _alone = not_ignored();
    write_to_nobody();
    assert_eq!(HEARD.load(SeqCst), 0);
    // SAFETY: asks which signals this thread holds back.
    unsafe {
        let mut held_back = only_sigpipe();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut held_back);
        assert_eq!(libc::sigismember(&held_back, libc::SIGPIPE), 0);
    }
}

#[test]
fn a_signal_that_the_program_holds_back_is_not_taken_away_by_a_write() {
    let _alone = not_ignored();
    let set = only_sigpipe();
    // SAFETY: holds back a signal that has a handler, and sends it to this very thread.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        libc::raise(libc::SIGPIPE);
    }
    write_to_nobody();
    assert_eq!(HEARD.load(SeqCst), 0);
    // SAFETY: lets it through.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut()) };
    assert_eq!(HEARD.load(SeqCst), 1);
}

/// A pipe with a name, until it is dropped.
struct Fifo(PathBuf);

impl Fifo {
    fn make(name: &str) -> Fifo {
        let path = std::env::temp_dir().join(format!("homing-{name}-{}", std::process::id()));
        let c_path = CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: the path is a string of C's.
        assert_eq!(unsafe { libc::mkfifo(c_path.as_ptr(), 0o600) }, 0, "{}", io::Error::last_os_error());
        Fifo(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

#[test]
fn a_write_to_a_fifo_that_nobody_reads_any_more_fails_and_raises_no_signal() {
    let _alone = not_ignored();
    let fifo = Fifo::make("unread");
    homing::run(async {
        // One that does not wait for a writer.
        let reader = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).clone();
        let reader = reader.open(fifo.path())?;
        let mut file = fs::File::open_with(fs::OpenOptions::new().write(true), fifo.path()).await?;
        file.write_all(b"heard").await?;
        file.flush().await?;
        drop(reader);
        // Taken over; the next operation tells what has become of it.
        file.write_all(b"unheard").await?;
        let error = file.flush().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        Ok(())
    })
    .unwrap();
    assert_eq!(HEARD.load(SeqCst), 0);
}

#[test]
fn a_whole_file_that_turns_out_to_be_a_fifo_whose_reader_goes_raises_no_signal() {
    let _alone = not_ignored();
    let fifo = Fifo::make("half_read");
    let reader = thread::spawn({
        let path = fifo.path().to_owned();
        move || std::fs::File::open(path).unwrap().read_exact(&mut [0]).unwrap()
    });
    homing::run(async {
        // More than a pipe has room for, so that the writer is still there when the reader goes.
        let error = fs::write(fifo.path(), vec![0; 4 << 20]).await.unwrap_err();
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::BrokenPipe);
        Ok(())
    })
    .unwrap();
    reader.join().unwrap();
    assert_eq!(HEARD.load(SeqCst), 0);
}

#[test]
fn a_listener_that_goes_while_its_signal_comes_raises_none() {
    let _alone = not_ignored();
    let _keeper = signal::unix(SignalKind::USER_2).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let storm = thread::spawn({
        let over = over.clone();
        move || {
            while !over.load(SeqCst) {
                // SAFETY: sends a signal that somebody listens to.
                unsafe { libc::raise(libc::SIGUSR2) };
            }
        }
    });
    for _ in 0..3000 {
        drop(signal::unix(SignalKind::USER_2).unwrap());
    }
    over.store(true, SeqCst);
    storm.join().unwrap();
    assert_eq!(HEARD.load(SeqCst), 0);
}
