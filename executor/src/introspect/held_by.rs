//! Who holds what is awaited, in words.
//!
//! ```text
//!   held by task 'orders' since src/page.rs:31:20
//!   held by task 'orders' since src/page.rs:31:20, unless it gave the guard away         an owned guard
//!   held by task 'orders' (done), which took it at src/page.rs:31:20                     leaked, or given away
//!   held from outside of any task, taken at src/main.rs:9:5
//!   kept for task 'user', which awaits it at src/page.rs:12:20                           whose turn it is
//! ```

use super::frame::Place;
use crate::holders::Hold;
use std::fmt;

/// One of those who hold a lock, or permits of a semaphore, that a task awaits.
///
/// That is, who has taken it. A guard may be given to another task, or forgotten, and nobody hears of that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HeldBy {
    /// The task's id; 0, if it was taken outside of tasks.
    pub task: u64,
    /// Its name; empty if it is not known any more.
    pub name: String,
    /// What has become of it.
    pub taker: Taker,
    /// How it is held.
    pub hold: Hold,
    /// How many permits; 0 where there are none to be counted.
    pub permits: u32,
    /// Where it was taken; if it is kept, where it is awaited.
    pub place: Option<Place>,
}

/// What is known of who took a lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Taker {
    /// A task that has not ended.
    #[default]
    Alive,
    /// The same, and it is the one that awaits the lock.
    Itself,
    /// A task that has ended. Its guard is somewhere else, or was forgotten.
    Done,
    /// A task of another runtime.
    Foreign,
    /// No task: it was taken by the program around the runtime, or in a callback.
    Outside,
}

impl Taker {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Taker::Alive => "alive",
            Taker::Itself => "itself",
            Taker::Done => "done",
            Taker::Foreign => "foreign",
            Taker::Outside => "outside",
        }
    }
}

impl fmt::Display for HeldBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, took) = match (self.hold, self.permits) {
            (Hold::Kept, _) => ("kept for", "awaits"),
            (Hold::Borrowed | Hold::Owned, _) => ("held by", "took"),
        };
        let it = if self.permits > 1 { "them" } else { "it" };
        let permits = match self.permits {
            0 => String::new(),
            1 => "1 permit".to_owned(),
            many => format!("{many} permits"),
        };
        let apart = |text: &str| if text.is_empty() { String::new() } else { format!(" ({text})") };
        let name = match self.name.as_str() {
            "" => format!("{:#x}", self.task),
            name => format!("'{name}'"),
        };
        let place = |before: &str| self.place.as_ref().map_or_else(String::new, |at| format!("{before}{at}"));
        match self.taker {
            Taker::Outside => {
                let permits = apart(&permits);
                write!(f, "held from outside of any task{permits}{}", place(", taken at "))?;
            }
            Taker::Done => {
                let done = if permits.is_empty() { "done".to_owned() } else { format!("done, {permits}") };
                write!(f, "{verb} task {name} ({done}){}", place(&format!(", which {took} {it} at ")))?;
            }
            Taker::Alive | Taker::Itself | Taker::Foreign => {
                f.write_str(verb)?;
                match self.taker {
                    Taker::Itself => f.write_str(" itself")?,
                    Taker::Foreign => write!(f, " task {name} of another runtime")?,
                    _ => write!(f, " task {name}")?,
                }
                let since = match self.hold {
                    Hold::Kept => format!(", which {took} {it} at "),
                    Hold::Borrowed | Hold::Owned => " since ".to_owned(),
                };
                write!(f, "{}{}", apart(&permits), place(&since))?;
            }
        }
        match self.hold {
            Hold::Owned => f.write_str(", unless it gave the guard away"),
            Hold::Borrowed | Hold::Kept => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_a_lock_reads_as_a_sentence() {
        let place = Some(Place { file: "src/page.rs".into(), line: 31, column: 20 });
        let orders = HeldBy { task: 2, name: "orders".to_owned(), place, ..HeldBy::default() };
        let nameless = HeldBy { name: String::new(), taker: Taker::Done, ..orders.clone() };
        let sentences = [
            (orders.clone(), "held by task 'orders' since src/page.rs:31:20"),
            (
                HeldBy { hold: Hold::Owned, ..orders.clone() },
                "held by task 'orders' since src/page.rs:31:20, unless it gave the guard away",
            ),
            (
                HeldBy { taker: Taker::Done, ..orders.clone() },
                "held by task 'orders' (done), which took it at src/page.rs:31:20",
            ),
            (nameless, "held by task 0x2 (done), which took it at src/page.rs:31:20"),
            (
                HeldBy { taker: Taker::Done, permits: 2, ..orders.clone() },
                "held by task 'orders' (done, 2 permits), which took them at src/page.rs:31:20",
            ),
            (
                HeldBy { taker: Taker::Itself, permits: 1, ..orders.clone() },
                "held by itself (1 permit) since src/page.rs:31:20",
            ),
            (
                HeldBy { taker: Taker::Outside, task: 0, ..orders.clone() },
                "held from outside of any task, taken at src/page.rs:31:20",
            ),
            (
                HeldBy { hold: Hold::Kept, ..orders.clone() },
                "kept for task 'orders', which awaits it at src/page.rs:31:20",
            ),
            (
                HeldBy { place: None, taker: Taker::Foreign, ..orders },
                "held by task 'orders' of another runtime",
            ),
        ];
        for (held, sentence) in sentences {
            assert_eq!(held.to_string(), sentence);
        }
    }
}
