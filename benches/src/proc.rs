//! What Linux has noted down about this process, in `/proc`.

use std::fs;
use std::path::Path;
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
#[derive(Clone, Copy, Debug, Default)]
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
            // A thread may have ended since.
            let Some(one) = Noted::about(&thread.path()) else { continue };
            noted.sleeps += one.sleeps;
            noted.cpu += one.cpu;
        }
        noted
    }

    fn about(thread: &Path) -> Option<Noted> {
        let read = |file: &str| fs::read_to_string(thread.join(file)).ok();
        let (status, schedule) = (read("status")?, read("schedstat")?);
        let nanos = schedule.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
        Some(Noted {
            sleeps: field(&status, "voluntary_ctxt_switches:").unwrap_or(0),
            cpu: Duration::from_nanos(nanos.unwrap_or(0)),
        })
    }
}

fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Instant;

    #[test]
    fn a_thread_that_ticks_is_noticed_and_so_is_one_that_computes() {
        let noted = || Noted::about(Path::new("/proc/thread-self")).expect("this thread is there");
        let before = noted();
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(1));
        }
        let ticked = noted();
        let begin = Instant::now();
        // On a busy machine it may take a while to come by so much time on a CPU.
        while noted().cpu - ticked.cpu < Duration::from_millis(10) {
            assert!(begin.elapsed() < Duration::from_secs(30), "no CPU time is noted");
        }
        assert!(ticked.sleeps - before.sleeps >= 20, "{before:?}, {ticked:?}");
    }
}
