//! What a runtime holds: for whoever wants to know whether everything has come home.

use super::Runtime;

/// What a runtime holds at the moment. See [`Runtime::resources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resources {
    /// Tasks that have not ended.
    pub tasks: usize,
    /// Timers that are armed: of sleeps and timeouts that somebody has polled, and neither finished nor dropped.
    pub timers: usize,
    /// Descriptors that it listens to: sockets, and whatever else has once had to wait.
    pub descriptors: usize,
    /// [Blocking jobs](crate::blocking::spawn_blocking) that are in line or running.
    pub jobs: usize,
}

impl Runtime {
    /// What it holds at the moment. When a program has ended, all of it should be zero: what is left was forgotten somewhere.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = homing::Runtime::new();
    /// let nap = runtime.spawn(homing::sleep(Duration::from_secs(60)));
    /// runtime.run_until_stalled().unwrap();
    /// assert_eq!((runtime.resources().tasks, runtime.resources().timers), (1, 1));
    ///
    /// nap.abort();
    /// assert_eq!(runtime.resources(), Default::default());
    /// ```
    pub fn resources(&self) -> Resources {
        Resources {
            tasks: self.core.alive.get(),
            timers: self.core.deadlines.len(),
            descriptors: self.core.source_count(),
            jobs: self.core.blocking_jobs(),
        }
    }
}
