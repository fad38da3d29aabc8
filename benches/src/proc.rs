//! What Linux has noted down about this process, in `/proc`.

use std::fs;
use std::time::Duration;

/// The memory of this process that is in RAM.
///
/// # Panics
///
/// On systems without `/proc`.
pub(crate) fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("resident memory is read from Linux' /proc");
    let kilobytes = field(&status, "VmRSS:").expect("a line that says how much");
    kilobytes as usize * 1024
}

/// What has been noted down about all threads but the one that asks.
#[derive(Clone, Copy, Default)]
pub(crate) struct Noted {
    /// How often they have given up the CPU to wait for something.
    pub(crate) sleeps: u64,
    /// How long they have been on a CPU.
    pub(crate) cpu: Duration,
}

impl Noted {
    /// As of now.
    ///
    /// # Panics
    ///
    /// On systems without `/proc`.
    pub(crate) fn about_the_others() -> Noted {
        let me = fs::read_link("/proc/thread-self").expect("wake-ups are read from Linux' /proc");
        let mut noted = Noted::default();
        for thread in fs::read_dir("/proc/self/task").expect("every process has threads") {
            let thread = thread.expect("the threads can be listed");
            if Some(thread.file_name().as_os_str()) == me.file_name() {
                continue;
            }
            let read = |file: &str| fs::read_to_string(thread.path().join(file));
            // A thread may have ended since.
            let (Ok(status), Ok(schedule)) = (read("status"), read("schedstat")) else { continue };
            noted.sleeps += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
            let nanos = schedule.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
            noted.cpu += Duration::from_nanos(nanos.unwrap_or(0));
        }
        noted
    }
}

fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}
