//! How a signal's handler and those who listen get out of each other's way, in every order that the memory model allows.
//!
//! Compiles `ears.rs` as it stands, with loom's atomics in the place of the standard library's:
//! `RUSTFLAGS="--cfg loom" cargo test -p homing-executor --test loom_ears --release`. A pipe is a cell that a handler reads and
//! that is written when it is closed; loom complains if the one may happen beside the other. (A handler on a thread of its own
//! is the hardest case: on the thread that it interrupts it is over before that goes on.) The last test has the model fail on
//! purpose: it shows that it would notice.
#![cfg(loom)]
#![allow(dead_code, reason = "a part of `ears.rs` is for the runtime only")]

#[path = "../src/signal/ears.rs"]
mod ears;

use ears::Ears;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicPtr, AtomicUsize};
use loom::thread;

/// What `ears.rs` is written with.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence};
    pub(crate) use loom::thread::yield_now;
}

const HANGUP: i32 = 1;
const TERMINATE: i32 = 15;

struct World {
    ears: Ears,
    /// How many bytes are in each pipe; `None` once it is closed.
    pipes: [UnsafeCell<Option<u32>>; 2],
}

// SAFETY: loom checks each access to the cells.
unsafe impl Sync for World {}
// SAFETY: likewise.
unsafe impl Send for World {}

impl World {
    fn new() -> Arc<World> {
        let ears = Ears { first: AtomicPtr::new(std::ptr::null_mut()), running: AtomicUsize::new(0) };
        Arc::new(World { ears, pipes: [UnsafeCell::new(Some(0)), UnsafeCell::new(Some(0))] })
    }

    fn handle(&self, signal: i32) -> bool {
        self.ears.enter().tell(signal, |pipe| {
            // SAFETY: loom sees to it that nobody writes meanwhile.
            self.pipes[pipe as usize]
                .with(|bytes| assert!(unsafe { *bytes }.is_some(), "the pipe is closed"));
        })
    }

    fn close(&self, pipe: usize) {
        // SAFETY: loom sees to it that nobody reads meanwhile.
        self.pipes[pipe].with_mut(|bytes| unsafe { *bytes = None });
    }
}

#[test]
fn no_handler_writes_to_a_pipe_that_is_being_closed() {
    loom::model(|| {
        let world = World::new();
        let ear = world.ears.open(HANGUP, 0);
        let handler = thread::spawn({
            let world = world.clone();
            move || world.handle(HANGUP)
        });
        world.ears.close(ear);
        world.close(0);
        handler.join().unwrap();
    });
}

#[test]
fn an_ear_that_is_used_again_leads_to_its_new_pipe() {
    loom::model(|| {
        let world = World::new();
        let first = world.ears.open(HANGUP, 0);
        let handler = thread::spawn({
            let world = world.clone();
            move || {
                world.handle(HANGUP);
                world.handle(TERMINATE)
            }
        });
        world.ears.close(first);
        world.close(0);
        let second = world.ears.open(TERMINATE, 1);
        assert!(std::ptr::eq(first, second));
        let was_heard = handler.join().unwrap();
        assert_eq!(second.came(), u32::from(was_heard), "what it has heard of is counted, and nothing else");
    });
}

#[test]
fn who_listens_hears_each_of_two_that_come_at_once() {
    loom::model(|| {
        let world = World::new();
        let (one, other) = (world.ears.open(HANGUP, 0), world.ears.open(HANGUP, 1));
        let handler = thread::spawn({
            let world = world.clone();
            move || assert!(world.handle(HANGUP))
        });
        assert!(world.handle(HANGUP));
        handler.join().unwrap();
        assert_eq!((one.came(), other.came()), (2, 2));
    });
}

#[test]
#[should_panic]
fn the_model_notices_who_closes_without_waiting() {
    loom::model(|| {
        let world = World::new();
        let _ear = world.ears.open(HANGUP, 0);
        let handler = thread::spawn({
            let world = world.clone();
            move || world.handle(HANGUP)
        });
        world.close(0);
        handler.join().unwrap();
    });
}
