//! How a wake crosses from one thread to another, in every order that the memory model allows.
//!
//! Compiles `remote.rs` as it stands, with loom's atomics in the place of the standard library's, and explores all
//! interleavings of a few threads: `RUSTFLAGS="--cfg loom" cargo test -p homing-executor --test loom_remote --release`.
//! A wake that is lost shows as a deadlock, a value that is not visible to the poll likewise. The tests at the end have
//! the model fail on purpose: they show that it would notice.
#![cfg(loom)]
#![allow(dead_code, reason = "a part of `remote.rs` is for the runtime only")]

#[path = "../src/remote.rs"]
mod remote;

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use loom::sync::{Arc, Notify};
use loom::thread;
use remote::{Mark, Outpost, Ring, RowWord};

/// What `remote.rs` is written with.
mod sync {
    use loom::sync::atomic::AtomicUsize;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, fence};
    use std::marker::PhantomData;

    /// A swap, where the runtime has a store: see there.
    pub(crate) fn overwrite(word: &AtomicU64, value: u64) {
        word.swap(value, Ordering::Relaxed);
    }

    const SLOTS: usize = 4;

    /// A queue for several senders and one receiver that promises as little as it can: a value is there once its slot
    /// was written, and nothing is ordered but by that. What is right with this queue is right with a better one.
    pub(crate) struct Queue<T> {
        slots: [AtomicU64; SLOTS],
        sent: AtomicUsize,
        received: AtomicUsize,
        _values: PhantomData<T>,
    }

    impl Queue<u64> {
        pub(crate) fn new() -> Self {
            Queue {
                slots: std::array::from_fn(|_| AtomicU64::new(0)),
                sent: AtomicUsize::new(0),
                received: AtomicUsize::new(0),
                _values: PhantomData,
            }
        }

        pub(crate) fn push(&self, value: u64) {
            let slot = self.sent.fetch_add(1, Ordering::Relaxed);
            self.slots[slot].store(value | 1, Ordering::Release);
        }

        pub(crate) fn pop(&self) -> Option<u64> {
            let slot = self.received.load(Ordering::Relaxed);
            let value = self.slots.get(slot)?.load(Ordering::Acquire);
            if value == 0 {
                return None;
            }
            self.received.store(slot + 1, Ordering::Relaxed);
            Some(value & !1)
        }

        pub(crate) fn is_empty(&self) -> bool {
            let slot = self.received.load(Ordering::Relaxed);
            self.slots.get(slot).is_none_or(|slot| slot.load(Ordering::Acquire) == 0)
        }
    }
}

const FIRST: u64 = 1 << 32 | 6;
const SECOND: u64 = 2 << 32 | 6;

type Post = Outpost<Notify, ()>;

/// A row, and the outposts of the two runtimes that may own it.
struct World {
    word: RowWord,
    owner: AtomicUsize,
    outposts: [Post; 2],
}

impl World {
    fn new(id: u64) -> Arc<World> {
        let outposts = [Outpost::new(Notify::new()), Outpost::new(Notify::new())];
        Arc::new(World { word: RowWord::new(id), owner: AtomicUsize::new(0), outposts })
    }

    /// What a waker does on a thread that is not the owner's.
    fn wake(&self, id: u64) {
        let outpost = &self.outposts[self.owner.load(Ordering::Acquire)];
        match self.word.mark(id) {
            Mark::Send => match outpost.send(id) {
                Ring::Now => outpost.bell.notify(),
                Ring::NotNeeded => {}
            },
            Mark::AlreadySent | Mark::Stale => {}
        }
    }

    /// What a runtime does: polls whoever was woken, and sleeps when nobody was, until the task has ended.
    fn run(&self, outpost: usize, id: u64, mut poll: impl FnMut() -> bool) {
        let outpost = &self.outposts[outpost];
        if poll() {
            return;
        }
        loop {
            while let Some(received) = outpost.receive() {
                if self.word.unmark(received) && received == id && poll() {
                    return;
                }
            }
            outpost.fall_asleep();
            if outpost.is_empty() {
                outpost.bell.wait();
            }
            outpost.wake_up();
        }
    }
}

fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

#[test]
fn no_wake_is_lost_and_what_was_written_before_it_is_seen() {
    model(|| {
        let world = World::new(FIRST);
        let flags: Arc<[AtomicBool; 2]> = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let threads = [0, 1].map(|number| {
            let (world, flags) = (world.clone(), flags.clone());
            thread::spawn(move || {
                // Relaxed: it is the wake that has to make it visible, also when it finds the bit set.
                flags[number].store(true, Ordering::Relaxed);
                world.wake(FIRST);
            })
        });
        world.run(0, FIRST, || flags.iter().all(|flag| flag.load(Ordering::Relaxed)));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn no_ring_is_lost_when_the_runtime_falls_asleep_again_and_again() {
    model(|| {
        let world = World::new(FIRST);
        let count = Arc::new(AtomicUsize::new(0));
        let thread = {
            let (world, count) = (world.clone(), count.clone());
            thread::spawn(move || {
                for number in 1..=2 {
                    count.store(number, Ordering::Relaxed);
                    world.wake(FIRST);
                }
            })
        };
        world.run(0, FIRST, || count.load(Ordering::Relaxed) == 2);
        thread.join().unwrap();
    });
}

#[test]
fn a_stale_wake_does_not_swallow_one_for_the_rows_next_task() {
    model(|| {
        let world = World::new(FIRST);
        let stale = {
            let world = world.clone();
            thread::spawn(move || world.wake(FIRST))
        };
        // The task ends, and the row goes to another one of the same runtime.
        world.word.renew(SECOND);
        let flag = Arc::new(AtomicBool::new(false));
        let fresh = {
            let (world, flag) = (world.clone(), flag.clone());
            thread::spawn(move || {
                flag.store(true, Ordering::Relaxed);
                world.wake(SECOND);
            })
        };
        world.run(0, SECOND, || flag.load(Ordering::Relaxed));
        stale.join().unwrap();
        fresh.join().unwrap();
    });
}

#[test]
fn a_stale_wake_does_not_swallow_one_for_a_task_of_the_rows_next_runtime() {
    model(|| {
        let world = World::new(FIRST);
        let stale = {
            let world = world.clone();
            thread::spawn(move || world.wake(FIRST))
        };
        // The first runtime ends, and another one checks the row's page out.
        world.word.renew(SECOND);
        world.owner.store(1, Ordering::Release);
        let flag = Arc::new(AtomicBool::new(false));
        let fresh = {
            let (world, flag) = (world.clone(), flag.clone());
            thread::spawn(move || {
                flag.store(true, Ordering::Relaxed);
                world.wake(SECOND);
            })
        };
        world.run(1, SECOND, || flag.load(Ordering::Relaxed));
        stale.join().unwrap();
        fresh.join().unwrap();
    });
}

#[test]
fn a_wake_that_comes_as_the_task_ends_marks_nobody_elses_row() {
    model(|| {
        let world = World::new(FIRST);
        let thread = {
            let world = world.clone();
            thread::spawn(move || world.wake(FIRST))
        };
        world.word.renew(SECOND);
        while let Some(id) = world.outposts[0].receive() {
            assert!(!world.word.unmark(id), "it is over");
        }
        thread.join().unwrap();
        assert_eq!(world.word.id(), SECOND);
        assert_eq!(world.word.mark(SECOND), Mark::Send, "the bit is clear");
    });
}

// What the model would notice.

#[test]
#[should_panic(expected = "deadlock")]
fn with_a_bare_flag_instead_of_a_generation_a_wake_would_be_lost() {
    struct Flag {
        queued: AtomicBool,
        id: AtomicUsize,
        owner: AtomicUsize,
        outposts: [Post; 2],
    }
    fn wake(flag: &Flag, id: u64) {
        let outpost = &flag.outposts[flag.owner.load(Ordering::Acquire)];
        if !flag.queued.swap(true, Ordering::AcqRel) && outpost.send(id) == Ring::Now {
            outpost.bell.notify();
        }
    }
    model(|| {
        let flag = Arc::new(Flag {
            queued: AtomicBool::new(false),
            id: AtomicUsize::new(1),
            owner: AtomicUsize::new(0),
            outposts: [Outpost::new(Notify::new()), Outpost::new(Notify::new())],
        });
        let stale = {
            let flag = flag.clone();
            thread::spawn(move || wake(&flag, FIRST))
        };
        flag.queued.store(false, Ordering::Release);
        flag.owner.store(1, Ordering::Release);
        let done = Arc::new(AtomicBool::new(false));
        let fresh = {
            let (flag, done) = (flag.clone(), done.clone());
            thread::spawn(move || {
                done.store(true, Ordering::Relaxed);
                wake(&flag, SECOND);
            })
        };
        let outpost = &flag.outposts[1];
        while !done.load(Ordering::Relaxed) {
            while outpost.receive().is_some() {
                flag.queued.swap(false, Ordering::AcqRel);
            }
            if done.load(Ordering::Relaxed) {
                break;
            }
            outpost.fall_asleep();
            if outpost.is_empty() {
                outpost.bell.wait();
            }
            outpost.wake_up();
        }
        stale.join().unwrap();
        fresh.join().unwrap();
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_fences_a_ring_would_be_lost() {
    model(|| {
        let inbox = Arc::new(AtomicBool::new(false));
        let asleep = Arc::new(AtomicBool::new(false));
        let bell = Arc::new(Notify::new());
        let thread = {
            let (inbox, asleep, bell) = (inbox.clone(), asleep.clone(), bell.clone());
            thread::spawn(move || {
                inbox.store(true, Ordering::Release);
                fence(Ordering::AcqRel);
                if asleep.load(Ordering::Relaxed) && asleep.swap(false, Ordering::AcqRel) {
                    bell.notify();
                }
            })
        };
        asleep.store(true, Ordering::Relaxed);
        fence(Ordering::AcqRel);
        if !inbox.load(Ordering::Acquire) {
            bell.wait();
        }
        thread.join().unwrap();
    });
}
