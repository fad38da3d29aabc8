//! A supervisor: keeps programs running, and sees them all home in the end.
//!
//! ```text
//!   cargo run --example supervisor -- 'python3 -m http.server 8000' 'sleep 5'
//!
//!   started   python3 -m http.server 8000   process 4711
//!   started   sleep 5                       process 4712
//!   ended     sleep 5                       exit status: 0; again in 200ms
//!   …
//!   Ctrl-C, or SIGTERM: each is asked to end, killed if it does not, and waited for
//!   stopped   sleep 5                       signal: 15 (SIGTERM)
//! ```
//!
//! A program that has ended is started again after a while, which doubles each time, up to a limit; unless it had been
//! running for long, then it begins anew. All that the supervisor has to do in the end is to let its group be cancelled: each
//! task is told at its `wait`, and stops its own child.

use homing::process::Command;
use homing::signal::{self, SignalKind};
use homing::{GroupCancelled, Instant, Interrupted, Result, TaskGroup, sleep};
use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Who has run for so long has a clean record.
const LONG: Duration = Duration::from_secs(10);
/// How long a program has to end by itself.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) fn main() -> Result<()> {
    run(std::env::args().skip(1))
}

pub(crate) fn run(lines: impl Iterator<Item = String>) -> Result<()> {
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return Err(homing::Error::msg("which programs? Each is one argument: 'sleep 5'"));
    }
    let supervised = homing::run(async {
        let mut terminate = signal::unix(SignalKind::TERMINATE)?;
        // Of those who fail (there is no such program), the others are to know nothing.
        let group = TaskGroup::builder().name("programs").supervise();
        let ended = group.run(async |tg| {
            for line in lines {
                tg.task(keep_running(line.clone())).name(line).spawn();
            }
            terminate.recv().await?;
            Ok(tg.cancel())
        });
        ended.await
    });
    match supervised {
        // That is how it was to end: by SIGTERM, or by Ctrl-C.
        Err(error) if error.is::<GroupCancelled>() || error.is::<Interrupted>() => Ok(()),
        outcome => outcome,
    }
}

/// Runs one program, again and again.
async fn keep_running(line: String) -> Result<()> {
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = Instant::now();
        // The shell makes way for the program, so that signals reach that.
        let mut child = Command::new("sh").args(["-c", &format!("exec {line}")]).spawn()?;
        say("started", &line, format_args!("process {}", child.id()))?;
        let status = match child.wait().await {
            Ok(status) => status,
            Err(cancelled) => {
                let status = child.stop(GRACE).await?;
                say("stopped", &line, status)?;
                return Err(cancelled);
            }
        };
        if begun.elapsed() > LONG {
            pause = FIRST_PAUSE;
        }
        say("ended", &line, format_args!("{status}; again in {pause:?}"))?;
        sleep(pause).await?;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn say(what: &str, line: &str, more: impl Display) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what:<9} {line:<29} {more}")?;
    Ok(out.flush()?)
}
