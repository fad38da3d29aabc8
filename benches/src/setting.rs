//! The setting: where, when, and with which versions something was measured.

use crate::workload::Scale;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// All that a figure depends on besides the code.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The beginning of the run, in UTC.
    pub date: String,
    /// How much was done in a round.
    pub scale: String,
    /// The processor.
    pub cpu: String,
    /// How many of them this process may use.
    pub cpus: usize,
    /// What decides on their clock, if the kernel tells.
    pub governor: String,
    /// How many threads wanted a CPU in the minute before, on average.
    pub load: f64,
    /// The operating system's name and version.
    pub kernel: String,
    /// The compiler, and how it was used.
    pub compiler: String,
    /// For each runtime, its package and version.
    pub versions: BTreeMap<String, String>,
}

impl Setting {
    /// The setting at this moment.
    pub fn now(scale: Scale, runtimes: impl IntoIterator<Item = (&'static str, &'static str)>) -> Setting {
        let first_line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let load = first_line("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok());
        Setting {
            date: utc(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
            scale: scale.name().to_owned(),
            cpu: cpu().unwrap_or_else(|| env::consts::ARCH.to_owned()),
            cpus: thread::available_parallelism().map_or(1, usize::from),
            governor: first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            load: load.unwrap_or(0.0),
            kernel: format!("{} {}", env::consts::OS, first_line("/proc/sys/kernel/osrelease")),
            compiler: format!("{}, {}", rustc(), profile()),
            versions: runtimes
                .into_iter()
                .map(|(name, package)| (name.to_owned(), format!("{package} {}", version(package))))
                .collect(),
        }
    }

    /// What a reader should hold against the figures, if anything.
    pub fn misgivings(&self) -> Vec<String> {
        let mut misgivings = Vec::new();
        if self.load > 0.5 {
            misgivings.push(format!(
                "the machine was busy: {} threads wanted one of its {} CPUs in the minute before",
                self.load, self.cpus
            ));
        }
        if self.compiler.contains("debug") {
            misgivings.push("built without optimisation: say `--release`".to_owned());
        }
        if !["", "performance"].contains(&self.governor.as_str()) {
            misgivings.push(format!("the CPU's clock is let float: the governor is '{}'", self.governor));
        }
        misgivings
    }
}

fn cpu() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The compiler's name and version.
pub fn rustc() -> String {
    let said = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-V").output();
    let said = said.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    if said.trim().is_empty() { "an unknown rustc".to_owned() } else { said.trim().to_owned() }
}

fn profile() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "optimised" }
}

/// What `Cargo.lock` says of a package; the newest one, if there are several.
pub fn version(package: &str) -> String {
    let mut found = "?";
    let mut lines = include_str!("../../Cargo.lock").lines();
    while let Some(line) = lines.next() {
        let name = line.strip_prefix("name = ").map(|name| name.trim_matches('"'));
        if name == Some(package) {
            found = lines
                .next()
                .and_then(|line| line.strip_prefix("version = "))
                .map_or("?", |v| v.trim_matches('"'));
        }
    }
    found.to_owned()
}

/// A date as in RFC 3339, to the second.
fn utc(since_1970: Duration) -> String {
    let (mut days, seconds) = (since_1970.as_secs() / 86_400, since_1970.as_secs() % 86_400);
    let leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", month + 1, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds| utc(Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(4_107_542_399), "2100-02-28T23:59:59Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn versions_come_from_the_lock_file() {
        assert_eq!(version("homing"), env!("CARGO_PKG_VERSION"));
        assert_eq!(version("no such package"), "?");
    }

    #[test]
    fn a_busy_machine_is_a_misgiving_and_an_idle_one_is_none() {
        let misgivings = |load| Setting { load, ..Setting::default() }.misgivings().len();
        assert_eq!((misgivings(0.1), misgivings(3.0)), (0, 1));
    }
}
