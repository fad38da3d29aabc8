//! `homing top`: as text, once, or on the screen until somebody has seen enough.

use crate::sampler::{Row, Sampler};
use crate::{Failure, screen};
use clap::Args;
use homing_reader::open;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// What `top` is asked for.
#[derive(Args)]
pub(crate) struct Options {
    /// The id of a process.
    what: String,
    /// Prints one table as text, and ends. So does output that is no terminal.
    #[arg(long)]
    once: bool,
    /// Seconds from one table to the next.
    #[arg(long, default_value_t = 1.0)]
    interval: f64,
    /// Tasks in a table of text.
    #[arg(long, default_value_t = 50)]
    lines: usize,
}

/// The heads of the columns, and what is in them.
pub(crate) const HEADS: [&str; COLUMNS] =
    ["thread", "name", "state", "polls", "polls/s", "wakes", "busy %", "longest", "unchanged", "stands at"];

pub(crate) const COLUMNS: usize = 10;

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let interval = Duration::try_from_secs_f64(options.interval).unwrap_or(Duration::from_secs(1));
    let interval = interval.clamp(Duration::from_millis(50), Duration::from_secs(3600));
    let reader = open(&options.what)?;
    if !reader.is_alive() {
        return Err(Failure::Still(reader.describe()));
    }
    let mut sampler = Sampler::new(reader);
    if options.once || !io::stdout().is_terminal() {
        sampler.read()?;
        sampler.look(interval, |pause| {
            std::thread::sleep(pause);
            true
        });
        let (_, rows) = sampler.read()?;
        io::stdout().lock().write_all(text(&rows, options.lines).as_bytes())?;
        return Ok(());
    }
    screen::run(&mut sampler, interval)
}

/// What stands in a row.
pub(crate) fn cells(row: &Row) -> [String; COLUMNS] {
    [
        row.thread.to_string(),
        row.name.clone(),
        row.state.to_string(),
        row.polls.to_string(),
        format!("{:.1}", row.polls_per_second),
        row.wakes.to_string(),
        format!("{:.0}", row.busy * 100.0),
        time(row.longest),
        time(row.unchanged),
        row.stands_at.clone(),
    ]
}

/// With as many digits as one cares for; nothing, if nothing was seen.
fn time(time: Duration) -> String {
    match time.as_millis() {
        0 => "-".to_owned(),
        ms @ 1..1000 => format!("{ms}ms"),
        ms @ 1000..60_000 => format!("{:.1}s", ms as f64 / 1e3),
        ms => format!("{}m{:02}s", ms / 60_000, ms / 1000 % 60),
    }
}

fn text(rows: &[Row], at_most: usize) -> String {
    /// How wide a column may be.
    const WIDEST: usize = 60;
    let mut lines = vec![HEADS.map(str::to_owned)];
    lines.extend(rows.iter().take(at_most).map(cells));
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..HEADS.len()).map(|column| width(column).min(WIDEST)).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    match rows.len().saturating_sub(at_most) {
        0 => {}
        more => text += &format!("and {more} more\n"),
    }
    text
}
