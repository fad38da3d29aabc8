//! What the terminal shows while a run goes on: a line for the workload, a bar for its rounds. Where there is no
//! terminal, such as in a log, a line for each workload when its turn comes.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Instant;

/// How far the run has come.
pub(super) struct Progress {
    bar: ProgressBar,
    workloads: usize,
    begun: std::cell::Cell<usize>,
    start: Instant,
}

impl Progress {
    pub(super) fn new(workloads: usize) -> Progress {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{prefix:>7} {msg:<22} {wide_bar} {elapsed}");
        bar.set_style(style.expect("the template is well formed"));
        Progress { bar, workloads, begun: std::cell::Cell::new(0), start: Instant::now() }
    }

    pub(super) fn begin(&self, name: &'static str) {
        self.begun.set(self.begun.get() + 1);
        if self.bar.is_hidden() {
            let seconds = self.start.elapsed().as_secs();
            eprintln!("{:>4} s  {}/{} {name}", seconds, self.begun.get(), self.workloads);
        }
        self.bar.set_prefix(format!("{}/{}", self.begun.get(), self.workloads));
        self.bar.set_message(name);
        self.bar.set_length(0);
        self.bar.set_position(0);
    }

    /// Between two rounds: what is drawn here is not measured. (Nor is it drawn more than some twenty times a
    /// second.)
    pub(super) fn round(&self, done: usize, of: usize) {
        self.bar.set_length(of as u64);
        self.bar.set_position(done as u64);
    }

    pub(super) fn end(&self) {
        if self.begun.get() == self.workloads {
            self.bar.finish_and_clear();
        }
    }
}
