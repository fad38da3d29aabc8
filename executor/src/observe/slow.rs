//! Slow polls: a task that does not give way is reported while it does not.
//!
//! Nothing on the runtime's own thread can do that, because that thread is busy. So there is a watchdog, one thread for the
//! process, and each runtime that wants it keeps a post, on which it writes what it is polling:
//!
//! ```text
//!   the runtime's thread                               the watchdog
//!   poll begins ──► post: who, where, since when ◄──── looks now and then: for how long has that been so?
//!   poll ends   ──► post: nobody; took too long? report      too long: report, once a poll
//!   goes to sleep ─► off duty                           all off duty: sleeps, until somebody is on duty again
//! ```
//!
//! What is written are plain words, guarded by a sequence number: it is even while they are being changed, and whoever reads
//! them while that is so, or finds it changed afterwards, reads again another time.

use crate::clock::Nanos;
use crate::task::TaskId;
use crate::task::cell::VTable;
use crate::task::life;
use crate::task::row::{Flag, Row};
use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// A poll that has taken longer than it should: whatever its task was doing, nothing else could.
///
/// See [`Builder::slow_poll`](crate::runtime::Builder::slow_poll).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SlowPoll {
    /// The task.
    pub task: TaskId,
    /// Its name; of a long one, the beginning.
    pub name: Cow<'static, str>,
    /// The name of the type of its future.
    pub type_name: &'static str,
    /// Where it was spawned.
    pub spawned_at: Option<&'static Location<'static>>,
    /// The await at which it stood before this poll, if it did and that is known: what is slow comes after it.
    pub resumed_at: Option<&'static Location<'static>>,
    /// How long the poll has taken up to now.
    pub took: Duration,
    /// It has not ended: this is reported by the watchdog's thread, at once. Otherwise it has, and the runtime's own thread
    /// reports how long it took in all.
    pub still_running: bool,
}

impl fmt::Display for SlowPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task '{}'", self.name)?;
        if let Some(place) = self.spawned_at {
            write!(f, ", spawned at {place}")?;
        }
        let ms = self.took.as_millis();
        match self.still_running {
            true => write!(f, ", has been running for {ms} ms and does not give way")?,
            false => write!(f, ", ran for {ms} ms without giving way")?,
        }
        match self.resumed_at {
            Some(place) => write!(f, ", since the await at {place}"),
            None => Ok(()),
        }
    }
}

/// What is called with slow polls, on two threads.
pub(crate) type SlowHook = Arc<dyn Fn(&SlowPoll) + Send + Sync>;

/// What the default hook does.
pub(crate) fn print(slow: &SlowPoll) {
    eprintln!("homing: {slow}");
}

/// So much of a name is written down: eight words.
const NAME: usize = 64;

/// One runtime's post. See the [module](self).
pub(crate) struct Post {
    limit: Nanos,
    hook: SlowHook,
    on_duty: AtomicBool,
    /// Odd while what follows is whole.
    sequence: AtomicU64,
    /// Since when the task is being polled; 0 for nobody.
    started: AtomicU64,
    task: AtomicU64,
    number: AtomicU64,
    vtable: AtomicPtr<VTable>,
    spawned_at: AtomicPtr<Location<'static>>,
    resumed_at: AtomicPtr<Location<'static>>,
    name: [AtomicU64; NAME / 8],
    name_length: AtomicU64,
}

/// What is being polled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnPost {
    pub(crate) row: &'static Row,
    pub(crate) resumed_at: Option<&'static Location<'static>>,
    pub(crate) started: Nanos,
}

impl Post {
    /// A post that the watchdog passes by from now on.
    pub(crate) fn new(limit: Duration, hook: SlowHook) -> Arc<Post> {
        let post = Arc::new(Post {
            limit: u64::try_from(limit.as_nanos()).unwrap_or(Nanos::MAX),
            hook,
            on_duty: AtomicBool::new(false),
            sequence: AtomicU64::new(1),
            started: AtomicU64::new(0),
            task: AtomicU64::new(0),
            number: AtomicU64::new(0),
            vtable: AtomicPtr::new(ptr::null_mut()),
            spawned_at: AtomicPtr::new(ptr::null_mut()),
            resumed_at: AtomicPtr::new(ptr::null_mut()),
            name: std::array::from_fn(|_| AtomicU64::new(0)),
            name_length: AtomicU64::new(0),
        });
        watchdog::add(&post);
        post
    }

    /// Says what is being polled; `None` for nothing.
    pub(crate) fn write(&self, polled: Option<OnPost>) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        // Whoever sees one of the words below sees the even number as well.
        fence(Ordering::Release);
        self.started.store(polled.map_or(0, |polled| polled.started), Ordering::Relaxed);
        if let Some(OnPost { row, resumed_at, .. }) = polled {
            let place = |place: Option<&'static Location<'static>>| {
                place.map_or(ptr::null_mut(), |place| ptr::from_ref(place).cast_mut())
            };
            self.task.store(row.id(), Ordering::Relaxed);
            self.number.store(row.number.get().into(), Ordering::Relaxed);
            let vtable = row.vtable.get().map_or(ptr::null_mut(), |table| ptr::from_ref(table).cast_mut());
            self.vtable.store(vtable, Ordering::Relaxed);
            self.spawned_at.store(place(row.spawned_at.get()), Ordering::Relaxed);
            self.resumed_at.store(place(resumed_at), Ordering::Relaxed);
            self.write_name(row);
        }
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// The name, if it is more than a number.
    fn write_name(&self, row: &Row) {
        let given = row.extras().and_then(|extras| extras.name.get());
        let name = match given.as_deref() {
            Some(name) => name,
            None if row.is(Flag::Main) => "main",
            None if row.is(Flag::Callback) => "a callback",
            None => "",
        };
        let name = beginning(name);
        for (word, bytes) in self.name.iter().zip(name.as_bytes().chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_le_bytes(whole), Ordering::Relaxed);
        }
        self.name_length.store(name.len() as u64, Ordering::Relaxed);
    }

    /// The watchdog looks. `None` if it sees nobody, or not clearly.
    fn read(&self) -> Option<(Nanos, SlowPoll)> {
        let sequence = self.sequence.load(Ordering::Acquire);
        let started = self.started.load(Ordering::Relaxed);
        if sequence.is_multiple_of(2) || started == 0 {
            return None;
        }
        let task = TaskId(self.task.load(Ordering::Relaxed));
        let number = self.number.load(Ordering::Relaxed);
        // SAFETY: null, or a table, all of which are `static`.
        let vtable = unsafe { self.vtable.load(Ordering::Relaxed).as_ref() };
        // SAFETY: null, or a place, all of which are `static`.
        let spawned_at = unsafe { self.spawned_at.load(Ordering::Relaxed).as_ref() };
        // SAFETY: the same.
        let resumed_at = unsafe { self.resumed_at.load(Ordering::Relaxed).as_ref() };
        let bytes: Vec<u8> =
            self.name.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect();
        let length = (self.name_length.load(Ordering::Relaxed) as usize).min(NAME);
        fence(Ordering::Acquire);
        if self.sequence.load(Ordering::Relaxed) != sequence {
            return None;
        }
        let name = match length {
            0 => Cow::Owned(format!("Task-{number}")),
            _ => Cow::Owned(String::from_utf8_lossy(&bytes[..length]).into_owned()),
        };
        let type_name = vtable.map_or("", |table| (table.type_name)());
        let took = Duration::ZERO;
        Some((started, SlowPoll { task, name, type_name, spawned_at, resumed_at, took, still_running: true }))
    }

    /// The poll has ended, at the runtime. Says whether it was slow; then it is reported.
    pub(crate) fn judge(&self, polled: OnPost, took: Duration) -> bool {
        if took.as_nanos() < u128::from(self.limit) {
            return false;
        }
        let row = polled.row;
        let slow = SlowPoll {
            task: TaskId(row.id()),
            name: if row.is(Flag::Callback) { Cow::Borrowed("a callback") } else { life::name(row) },
            type_name: row.vtable.get().map_or("", |table| (table.type_name)()),
            spawned_at: row.spawned_at.get(),
            resumed_at: polled.resumed_at,
            took,
            still_running: false,
        };
        life::contain(|| (self.hook)(&slow));
        true
    }

    /// The runtime is about to poll tasks, after it has not for a while.
    pub(crate) fn come_on_duty(&self) {
        // With the watchdog's own order (asleep, then a look at the posts) one of the two sees the other.
        self.on_duty.store(true, Ordering::SeqCst);
        watchdog::wake_up();
    }

    /// It is about to sleep, or to leave the thread to others.
    pub(crate) fn go_off_duty(&self) {
        self.on_duty.store(false, Ordering::Relaxed);
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// As much of a name as there is room for.
fn beginning(name: &str) -> &str {
    let end = (0..=NAME.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    &name[..end.unwrap_or(0)]
}

/// The thread that passes by the posts.
mod watchdog {
    use super::*;
    use crate::clock::monotonic;
    use std::thread;

    /// The posts, and when what was last reported from each had begun.
    struct Rounds {
        posts: Vec<(Weak<Post>, Nanos)>,
        runs: bool,
    }

    static ROUNDS: Mutex<Rounds> = Mutex::new(Rounds { posts: Vec::new(), runs: false });
    static BELL: Condvar = Condvar::new();
    /// It sleeps until somebody rings.
    static ASLEEP: AtomicBool = AtomicBool::new(false);

    /// It looks this often while a poll lasts as long as it may, and at most so long apart.
    const LOOKS: u64 = 4;

    fn rounds() -> MutexGuard<'static, Rounds> {
        ROUNDS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(post: &Arc<Post>) {
        let mut rounds = rounds();
        rounds.posts.retain(|(post, _)| post.strong_count() > 0);
        rounds.posts.push((Arc::downgrade(post), 0));
        if !rounds.runs {
            // If there is no thread to be had, slow polls are reported when they have ended.
            let started = thread::Builder::new().name("homing watchdog".to_owned()).spawn(patrol);
            rounds.runs = started.is_ok();
        }
    }

    pub(super) fn wake_up() {
        if ASLEEP.load(Ordering::SeqCst) {
            // Under the lock, it is asleep indeed.
            let _rounds = rounds();
            BELL.notify_one();
        }
    }

    fn patrol() {
        let mut seen = rounds();
        loop {
            ASLEEP.store(true, Ordering::SeqCst);
            let shortest = shortest_limit_on_duty(&seen);
            if shortest.is_some() {
                ASLEEP.store(false, Ordering::Relaxed);
            }
            seen = match shortest {
                Some(limit) => {
                    let pause = Duration::from_nanos((limit / LOOKS).max(1_000_000));
                    BELL.wait_timeout(seen, pause).unwrap_or_else(PoisonError::into_inner).0
                }
                None => BELL.wait(seen).unwrap_or_else(PoisonError::into_inner),
            };
            let slow = look(&mut seen);
            if !slow.is_empty() {
                // Not under the lock: a hook may build a runtime.
                drop(seen);
                for (post, slow) in slow {
                    life::contain(|| (post.hook)(&slow));
                }
                seen = rounds();
            }
        }
    }

    fn shortest_limit_on_duty(rounds: &Rounds) -> Option<Nanos> {
        let posts = rounds.posts.iter().filter_map(|(post, _)| post.upgrade());
        posts.filter(|post| post.on_duty.load(Ordering::SeqCst)).map(|post| post.limit).min()
    }

    fn look(rounds: &mut Rounds) -> Vec<(Arc<Post>, SlowPoll)> {
        let mut found = Vec::new();
        let now = monotonic();
        rounds.posts.retain_mut(|(post, reported)| {
            let Some(post) = post.upgrade() else { return false };
            if let Some((started, mut slow)) = post.read()
                && started != *reported
                && now.saturating_sub(started) >= post.limit
            {
                *reported = started;
                slow.took = Duration::from_nanos(now - started);
                found.push((post, slow));
            }
            true
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_name_as_much_is_kept_as_there_is_room_for() {
        assert_eq!(beginning("fetch"), "fetch");
        let long = format!("{}ß", "x".repeat(NAME - 1));
        assert_eq!(beginning(&long).len(), NAME - 1);
        assert_eq!(beginning(&"x".repeat(NAME + 1)).len(), NAME);
    }
}
