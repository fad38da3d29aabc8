//! Inside a loop of one's own around `poll(2)`.
//!
//! ```sh
//! cargo run -p homing-examples-hosts --bin poll
//! ```
//!
//! The host waits for two things: the runtime's one descriptor, and a socket of its own.

use homing::Runtime;
use homing::runtime::Budget;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

fn main() -> homing::Result<()> {
    let runtime = Runtime::new();
    let guest = runtime.spawn(hosts::guest());

    let (own, feed) = UnixStream::pair()?;
    let feeder = thread::spawn(|| feed_the_host(feed));
    // `None` once it has ended: a socket at its end is readable for ever, and not to be waited for.
    let mut own = Some(own);
    let (mut turns, mut words) = (0, 0);

    loop {
        let turn = runtime.turn(Budget::time(Duration::from_millis(1)))?;
        turns += 1;
        // Here, and not at the loop's head: it may be this turn that has ended it, and nothing is left to wait for.
        if own.is_none() && guest.is_finished() {
            break;
        }
        let [_, own_is_readable] =
            wait_for([Some(runtime.descriptor()?), own.as_ref().map(AsFd::as_fd)], turn.wait_millis())?;
        if own_is_readable {
            match own.as_mut().map_or(Ok(0), |own| own.read(&mut [0; 3]))? {
                0 => own = None,
                _ => words += 1,
            }
        }
    }

    feeder.join().expect("it does not panic")?;
    println!("guest: {}", runtime.block_on(guest)?);
    println!("host: {words} words of its own");
    eprintln!("{turns} turns");
    Ok(())
}

fn feed_the_host(mut feed: UnixStream) -> io::Result<()> {
    for word in [b"one", b"two", b"six"] {
        thread::sleep(Duration::from_millis(4));
        feed.write_all(word)?;
    }
    Ok(())
}

/// Waits until one of them is readable, at most so many milliseconds; says which are.
fn wait_for<const N: usize>(waited: [Option<BorrowedFd<'_>>; N], millis: i32) -> io::Result<[bool; N]> {
    // A negative one is passed over.
    let number =
        |descriptor: Option<BorrowedFd<'_>>| descriptor.map_or(-1, |descriptor| descriptor.as_raw_fd());
    let mut polled = waited.map(|one| libc::pollfd { fd: number(one), events: libc::POLLIN, revents: 0 });
    // SAFETY: they are `N` entries, which live as long as the call; the descriptors are open, for they are borrowed.
    if unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, millis) } < 0 {
        let error = io::Error::last_os_error();
        // A signal: nothing is known to be readable.
        return if error.kind() == io::ErrorKind::Interrupted { Ok([false; N]) } else { Err(error) };
    }
    Ok(polled.map(|polled| polled.revents != 0))
}
