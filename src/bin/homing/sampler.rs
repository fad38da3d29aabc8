//! What tasks do, as it shows to somebody who looks again and again.
//!
//! ```text
//!   every 10 ms    which task is being polled?        share of the looks: busy; the same poll again: how long
//!   every second   all tasks                          polls since the last time; since when nothing has changed
//! ```
//!
//! The program keeps no account of it, so it costs the program nothing; a poll that is over before the next look is not
//! seen. Times are those for which something *was seen*: at least that long.

use homing::introspect::{SharedStr, TaskState};
use homing_reader::{Busy, Error, Reader, Reading};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How often is looked for who is being polled.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A line of `top`.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) thread: u64,
    pub(crate) name: String,
    pub(crate) state: TaskState,
    pub(crate) polls: u32,
    pub(crate) polls_per_second: f64,
    pub(crate) wakes: u32,
    /// The share of the looks in which it was being polled.
    pub(crate) busy: f64,
    /// The longest that one poll was seen to last.
    pub(crate) longest: Duration,
    /// For how long it has been seen without being polled anew.
    pub(crate) unchanged: Duration,
    pub(crate) stands_at: String,
}

/// What is remembered of a task from one time to the next.
#[derive(Clone, Copy, Debug)]
struct Seen {
    polls: u32,
    since: Instant,
    longest: Duration,
}

pub(crate) struct Sampler {
    reader: Reader,
    seen: HashMap<u64, Seen>,
    last: Option<Instant>,
    /// Looks in which a task was being polled, since the last reading.
    hits: HashMap<u64, u32>,
    looks: u32,
    /// The polls that were seen in the last look, and since when.
    running: Vec<(Busy, Instant)>,
    /// The longest that a poll was seen to last, by task, since the last reading.
    longest: HashMap<u64, Duration>,
}

impl Sampler {
    pub(crate) fn new(reader: Reader) -> Sampler {
        Sampler {
            reader,
            seen: HashMap::new(),
            last: None,
            hits: HashMap::new(),
            looks: 0,
            running: Vec::new(),
            longest: HashMap::new(),
        }
    }

    pub(crate) fn describe(&self) -> String {
        self.reader.describe()
    }

    /// Looks for so long which tasks are being polled. `pause` passes the time in between, and says whether to go on.
    pub(crate) fn look(&mut self, how_long: Duration, mut pause: impl FnMut(Duration) -> bool) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < how_long {
            let now = Instant::now();
            let running = self.reader.busy();
            self.looks += 1;
            let before = std::mem::take(&mut self.running);
            for busy in running {
                let same =
                    |other: &&(Busy, Instant)| (other.0.task, other.0.polls) == (busy.task, busy.polls);
                let since = before.iter().find(same).map_or(now, |(_, since)| *since);
                *self.hits.entry(busy.task).or_default() += 1;
                let longest = self.longest.entry(busy.task).or_default();
                *longest =
                    (*longest).max(now - since).max(busy.looked.filter(|_| since != now).unwrap_or_default());
                self.running.push((busy, since));
            }
            if !pause(LOOK_EVERY) {
                return false;
            }
        }
        true
    }

    /// Reads all tasks, the busiest first.
    pub(crate) fn read(&mut self) -> Result<(Reading, Vec<Row>), Error> {
        let reading = self.reader.read()?;
        let now = Instant::now();
        let seconds = self.last.map(|last| (now - last).as_secs_f64());
        let mut seen = HashMap::new();
        let mut rows = Vec::new();
        let table = reading.table();
        for thread in &table.threads {
            for task in &thread.tasks {
                let before = self.seen.get(&task.id).copied();
                let since = before.filter(|seen| seen.polls == task.polls).map_or(now, |seen| seen.since);
                let longest = before.map_or(Duration::ZERO, |seen| seen.longest);
                let longest = longest.max(self.longest.get(&task.id).copied().unwrap_or_default());
                seen.insert(task.id, Seen { polls: task.polls, since, longest });
                let polls_since = before.map_or(0, |seen| task.polls.wrapping_sub(seen.polls));
                let hits = self.hits.get(&task.id).copied().unwrap_or_default();
                rows.push(Row {
                    thread: thread.thread,
                    name: task.name.clone().unwrap_or_default(),
                    state: task.state,
                    polls: task.polls,
                    polls_per_second: seconds.map_or(0.0, |seconds| f64::from(polls_since) / seconds),
                    wakes: task.wakes(),
                    busy: f64::from(hits) / f64::from(self.looks.max(1)),
                    longest,
                    unchanged: now - since,
                    stands_at: task.stack.first().map_or_else(String::new, |frame| {
                        let place =
                            frame.place.as_ref().map(|place| format!(" {}", short(&place.file, place.line)));
                        format!("{} {}{}", frame.name, frame.detail, place.unwrap_or_default())
                    }),
                });
            }
        }
        self.seen = seen;
        self.last = Some(now);
        self.hits.clear();
        self.longest.clear();
        self.looks = 0;
        rows.sort_by(|a, b| {
            let by_busy = b.busy.total_cmp(&a.busy);
            by_busy.then(b.polls_per_second.total_cmp(&a.polls_per_second))
        });
        Ok((reading, rows))
    }
}

/// The end of a path is what tells it from others.
fn short(file: &SharedStr, line: u32) -> String {
    let from = file.rmatch_indices('/').nth(1).map_or(0, |(at, _)| at + 1);
    format!("{}:{line}", &file[from..])
}
