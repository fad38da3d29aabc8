//! The report: one run, written as Markdown, as JSON, and as a page with plots.
//!
//! ```text
//! workloads ──rounds──► Results ─┬─► report.json     all samples: for `compare`, and for better statistics
//!                                ├─► report.md       tables and notes
//!                                └─► report.html     the same with plots, in one file
//! ```

mod html;
mod markdown;
mod plot;
mod progress;
mod text;

use crate::results::{Measurement, Results};
use crate::rounds::{Plan, take_turns};
use crate::runtimes::packages;
use crate::setting::Setting;
use crate::workload::Scale;
use crate::workloads;
use progress::Progress;
use std::fs;
use std::io;
use std::panic;
use std::path::Path;

/// Measures all workloads whose name contains the filter, and shows how far it has come.
pub fn measure(filter: &str, scale: Scale) -> Results {
    let entries: Vec<_> = workloads::all().into_iter().filter(|entry| entry.name.contains(filter)).collect();
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut setting = Setting::now(scale, packages());
    #[cfg(feature = "peers")]
    setting.versions.extend(crate::python::LOOPS.map(|name| (name.to_owned(), crate::python::version(name))));
    let progress = Progress::new(entries.len());
    // Who panics is left out, and the report says why.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let mut measurements = Vec::new();
    for entry in &entries {
        progress.begin(entry.name);
        let rounds = take_turns(entry, Plan::of(scale), |done, of| progress.round(done, of));
        measurements.extend(Measurement::all_of(entry, &rounds));
        progress.end();
    }
    panic::set_hook(hook);
    Results { setting, measurements }
}

/// The summary, in Markdown.
pub fn summary(results: &Results) -> String {
    markdown::summary(results)
}

/// Each measurement with all its contestants, in Markdown.
pub fn details(results: &Results) -> String {
    results.measurements.iter().map(markdown::details).collect()
}

/// Writes the three files into a directory, which is made if it is not there.
///
/// # Errors
///
/// If they cannot be written.
pub fn write(results: &Results, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join("report.json"), serde_json::to_string_pretty(results)?)?;
    fs::write(directory.join("report.md"), markdown::page(results))?;
    fs::write(directory.join("report.html"), html::page(results))
}

/// Reads a run that was written as JSON.
///
/// # Errors
///
/// If there is no such file, or it is of another kind.
pub fn read(file: &Path) -> io::Result<Results> {
    let text = fs::read_to_string(file)?;
    serde_json::from_str(&text).map_err(|error| io::Error::other(format!("{}: {error}", file.display())))
}
