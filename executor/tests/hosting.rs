//! What a host may do with turns, and when: `Runtime::turn` promises it, row by row.

mod support;

use homing::error::RuntimeError;
use homing::runtime::Budget;
use homing::{Builder, Runtime, Unhandled, yield_now};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};
use support::{Drops, Gate, OnDrop, blow_up, failure, forever, millis, runtime, yields};

const LONG: Duration = Duration::from_secs(60);

fn is_refused<T: std::fmt::Debug>(outcome: homing::Result<T>) -> bool {
    outcome.unwrap_err().downcast_ref() == Some(&RuntimeError::NestedRuntime)
}

/// One in real time, that says nothing of tasks that are left.
fn quiet() -> Runtime {
    Builder::new().on_unhandled(|_| {}).build()
}

// Budgets.

#[test]
fn a_budget_of_time_goes_on_from_batch_to_batch_until_nothing_is_ready() {
    let runtime = Runtime::new();
    let tasks: Vec<_> = (0..10).map(|_| runtime.spawn(yields_often())).collect();
    let turn = runtime.turn(Budget::time(LONG)).unwrap();
    assert!(!turn.more_ready && tasks.iter().all(|task| task.is_finished()));
}

async fn yields_often() -> homing::Result<()> {
    for _ in 0..1000 {
        yield_now().await?;
    }
    Ok(())
}

/// A task that never has done, and how often it has been polled.
fn restless(runtime: &Runtime) -> Rc<Cell<u32>> {
    let polls = Rc::new(Cell::new(0));
    let counted = polls.clone();
    let task = runtime.spawn(async move {
        loop {
            counted.set(counted.get() + 1);
            yield_now().await?;
        }
        #[allow(unreachable_code)]
        Ok(())
    });
    drop(task);
    polls
}

#[test]
fn a_budget_of_time_is_over_when_the_time_is_and_makes_some_progress_however_short_it_is() {
    let (runtime, _) = runtime();
    let polls = restless(&runtime);
    for turn in 1..=3 {
        assert!(runtime.turn(Budget::time(Duration::ZERO)).unwrap().more_ready);
        assert_eq!(polls.get(), turn);
    }
    let begin = Instant::now();
    assert!(runtime.turn(Budget::time(millis(2))).unwrap().more_ready);
    assert!(begin.elapsed() >= millis(2));
    assert!(polls.get() > 4);
}

#[test]
fn a_budget_of_time_takes_in_what_happens_meanwhile() {
    let runtime = quiet();
    let _polls = restless(&runtime);
    let nap = runtime.spawn(homing::sleep(millis(1)));
    let handle = runtime.handle();
    let other = std::thread::spawn(move || handle.spawn_remote(|| async { Ok(7) }).wait());
    let begin = Instant::now();
    while !(nap.is_finished() && other.is_finished()) && begin.elapsed() < LONG {
        runtime.turn(Budget::time(millis(20))).unwrap();
    }
    assert!(nap.is_finished());
    assert_eq!(other.join().unwrap().unwrap(), 7);
}

#[test]
fn a_budget_of_time_is_of_real_time_also_where_the_clock_is_virtual() {
    let runtime = Builder::new().virtual_time().build();
    let task = runtime.spawn(async { homing::sleep(LONG).await });
    // Nothing is due: the turn makes the clock jump, at its beginning, as every turn does.
    runtime.turn(Budget::time(LONG)).unwrap();
    assert!(!task.is_finished());
    runtime.turn(Budget::time(LONG)).unwrap();
    assert!(task.is_finished());
}

#[test]
fn a_turn_of_no_polls_only_looks() {
    let runtime = Runtime::new();
    let task = runtime.spawn(async { Ok(()) });
    assert!(runtime.turn(Budget::polls(0)).unwrap().more_ready);
    assert!(!task.is_finished());
    runtime.turn(Budget::polls(1)).unwrap();
    assert!(task.is_finished());
}

#[test]
fn a_host_that_takes_few_polls_now_and_then_finds_its_timers_and_messages_in_time() {
    let runtime = quiet();
    let _polls = restless(&runtime);
    let nap = runtime.spawn(homing::sleep(millis(1)));
    let handle = runtime.handle();
    let mut remote = None;
    // Far fewer polls than there are between two looks in the middle of work.
    for frame in 0..12 {
        runtime.turn(Budget::polls(2)).unwrap();
        std::thread::sleep(millis(1));
        if frame == 2 {
            remote = Some(handle.spawn_remote(|| async { Ok(()) }));
        }
    }
    assert!(nap.is_finished() && remote.unwrap().is_finished());
}

#[test]
fn a_wait_in_milliseconds_is_rounded_up() {
    let runtime = quiet();
    assert_eq!(runtime.turn(Budget::batch()).unwrap().wait_millis(), -1);
    let nap = runtime.spawn(async { homing::sleep(Duration::from_micros(700)).await });
    let turn = runtime.turn(Budget::batch()).unwrap();
    // 0, if the machine was so slow that the time has come already.
    assert_eq!(turn.wait_millis(), i32::from(turn.wait().unwrap() > Duration::ZERO));
    nap.abort();
    let _ages = runtime.spawn(async { homing::sleep(Duration::from_secs(1 << 32)).await });
    assert_eq!(runtime.turn(Budget::batch()).unwrap().wait_millis(), i32::MAX);
    drop(runtime.spawn(yields(1)));
    assert_eq!(runtime.turn(Budget::polls(1)).unwrap().wait_millis(), 0);
}

// Turns within turns.

/// A waker of somebody else's, that takes a turn.
struct TakesATurn {
    refused: std::sync::Mutex<Option<bool>>,
}

thread_local! {
    static HOSTED: RefCell<Option<Rc<Runtime>>> = const { RefCell::new(None) };
}

fn a_turn_is_refused() -> bool {
    HOSTED.with_borrow(|runtime| {
        let runtime = runtime.as_ref().unwrap();
        is_refused(runtime.turn(Budget::batch()))
            && is_refused(runtime.run_until_stalled())
            && is_refused(runtime.block_on(async { Ok(()) }))
            && is_refused(Runtime::new().turn(Budget::batch()))
    })
}

impl Wake for TakesATurn {
    fn wake(self: Arc<Self>) {
        *self.refused.lock().unwrap() = Some(a_turn_is_refused());
    }
}

#[test]
fn a_turn_within_a_turn_is_refused_wherever_it_comes_from_and_the_turn_goes_on() {
    let hook_was_refused = Rc::new(Cell::new(false));
    let noted = hook_was_refused.clone();
    let hook = move |_: &Unhandled| noted.set(a_turn_is_refused());
    let runtime = Rc::new(Builder::new().on_unhandled(hook).build());
    HOSTED.set(Some(runtime.clone()));
    let waker = Arc::new(TakesATurn { refused: Default::default() });
    let foreign = Waker::from(waker.clone());
    let refusals = Rc::new(Cell::new(0));
    let count = refusals.clone();
    let task = runtime.spawn(async move {
        let refused = move || count.set(count.get() + u32::from(a_turn_is_refused()));
        refused();
        homing::call_soon(refused.clone());
        let at_end = refused.clone();
        drop(homing::spawn(async move {
            let _guard = OnDrop(move || at_end.clone()());
            Err::<(), _>(failure("for the hook"))
        }));
        let mut timer = homing::time::Timer::new(homing::Instant::now());
        assert!(timer.poll(&foreign).is_pending());
        homing::sleep(millis(1)).await?;
        Ok("went on")
    });
    while !task.is_finished() {
        runtime.turn(Budget::batch()).unwrap();
    }
    assert_eq!(runtime.block_on(task).unwrap(), "went on");
    assert_eq!((refusals.get(), hook_was_refused.get()), (3, true));
    assert_eq!(*waker.refused.lock().unwrap(), Some(true));
    HOSTED.set(None);
}

#[test]
fn between_two_turns_a_destructor_may_not_take_one_either_while_it_runs_within_the_runtime() {
    let runtime = Rc::new(Runtime::new());
    HOSTED.set(Some(runtime.clone()));
    let refused = Rc::new(Cell::new(false));
    let noted = refused.clone();
    let task = runtime.spawn(async move {
        let _guard = OnDrop(move || noted.set(a_turn_is_refused()));
        forever().await
    });
    runtime.run_until_stalled().unwrap();
    task.abort();
    assert!(refused.get());
    HOSTED.set(None);
    runtime.turn(Budget::batch()).unwrap();
}

// Several runtimes, moved ones, dropped ones.

#[test]
fn two_runtimes_of_one_thread_take_turns_and_wake_each_other() {
    let (first, second) = (Runtime::new(), Runtime::new());
    let rounds = 50;
    let (there, back): (Vec<Gate>, Vec<Gate>) =
        (0..rounds).map(|_| (Gate::default(), Gate::default())).unzip();
    let ping = first.spawn({
        let (there, back) = (there.clone(), back.clone());
        async move {
            for (there, back) in there.into_iter().zip(back) {
                there.open();
                back.await;
            }
            Ok(())
        }
    });
    let pong = second.spawn(async move {
        for (there, back) in there.into_iter().zip(back) {
            there.await;
            back.open();
        }
        Ok(())
    });
    let mut turns = 0;
    while !(ping.is_finished() && pong.is_finished()) {
        let turn = first.turn(Budget::batch()).unwrap();
        assert!(turn.more_ready || !second.turn(Budget::batch()).unwrap().more_ready || ping.is_finished());
        turns += 1;
        assert!(turns < 10 * rounds, "a wake was lost");
    }
}

#[test]
fn a_runtime_may_be_moved_between_two_turns() {
    let (runtime, reports) = runtime();
    let handle = runtime.handle();
    let gate = Gate::default();
    let (waits, drops) = (gate.clone(), Drops::default());
    let guard = drops.guard();
    let task = runtime.spawn(async move {
        let _guard = guard;
        waits.await;
        homing::sleep(millis(1)).await?;
        handle.spawn_remote(|| async { Ok("all is where it was") }).await
    });
    runtime.turn(Budget::batch()).unwrap();
    let boxed = Box::new(runtime);
    boxed.turn(Budget::batch()).unwrap();
    gate.open();
    let mut shelf = vec![Runtime::new(), *boxed, Runtime::new()];
    shelf[1].turn(Budget::batch()).unwrap();
    shelf.swap(0, 1);
    shelf.truncate(1);
    let runtime = shelf.remove(0);
    assert_eq!(runtime.block_on(task).unwrap(), "all is where it was");
    assert_eq!(drops.count(), 1);
    reports.assert_none();
}

#[test]
fn a_runtime_that_is_dropped_between_two_turns_drops_its_tasks_and_reports_them() {
    let (runtime, reports) = runtime();
    let drops = Drops::default();
    let guard = drops.guard();
    let task = runtime.spawn(async move {
        let _guard = guard;
        forever().await
    });
    // In the middle of a batch: one is parked, the other has not begun.
    runtime.turn(Budget::batch()).unwrap();
    let guard = drops.guard();
    let unbegun = runtime.spawn(async move {
        let _guard = guard;
        Ok(())
    });
    assert!(runtime.turn(Budget::polls(0)).unwrap().more_ready);
    drop(runtime);
    assert_eq!(drops.count(), 2);
    assert!(task.is_finished() && unbegun.is_finished());
    assert_eq!(reports.take().len(), 2);
}

#[test]
fn a_runtime_is_not_dropped_by_a_task_of_its_own_turn_but_may_be_by_one_of_another() {
    // Its own: the host's is never the last but one.
    let runtime = Rc::new(Runtime::new());
    let held = runtime.clone();
    let task = runtime.spawn(async move {
        drop(held);
        yield_now().await?;
        Ok("goes on")
    });
    runtime.run_until_stalled().unwrap();
    assert_eq!(runtime.block_on(task).unwrap(), "goes on");
    // Another's: at once.
    let drops = Drops::default();
    let guard = drops.guard();
    let other = Builder::new().on_unhandled(|_| {}).build();
    drop(other.spawn(async move {
        let _guard = guard;
        forever().await
    }));
    other.turn(Budget::batch()).unwrap();
    let counted = drops.clone();
    let task = runtime.spawn(async move {
        drop(other);
        Ok(counted.count())
    });
    runtime.turn(Budget::batch()).unwrap();
    assert_eq!(runtime.block_on(task).unwrap(), 1);
}

// Panics.

struct Explosive;

impl Wake for Explosive {
    fn wake(self: Arc<Self>) {
        blow_up("in a waker");
    }
}

#[test]
fn no_panic_gets_out_of_a_turn() {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let told = heard.clone();
    let hook = move |unhandled: &Unhandled| {
        told.borrow_mut().push(unhandled.to_string());
        blow_up("in the hook");
    };
    let runtime = Builder::new().on_unhandled(hook).build();
    let task = runtime.spawn(async { if true { blow_up("in a poll") } else { Ok(()) } });
    drop(runtime.spawn(async {
        homing::call_soon(|| blow_up("in a callback"));
        homing::current().unwrap().on_done(|_| blow_up("in an on_done"));
        let waker = Waker::from(Arc::new(Explosive));
        let mut timer = homing::time::Timer::new(homing::Instant::now());
        assert!(timer.poll(&waker).is_pending());
        let _guard = OnDrop(|| blow_up("in a destructor"));
        homing::sleep(millis(1)).await
    }));
    let handle = runtime.handle();
    handle.call_soon(|| blow_up("in a call")).unwrap();
    let begin = Instant::now();
    while runtime.task_count() > 0 && begin.elapsed() < LONG {
        runtime.turn(Budget::batch()).unwrap();
    }
    runtime.run_until_stalled().unwrap();
    assert!(task.is_finished());
    let heard = heard.borrow().join("\n");
    for place in ["poll", "callback", "on_done", "waker", "destructor", "call"] {
        assert!(
            heard.contains(&format!("in a {place}")) || heard.contains(&format!("in an {place}")),
            "{place}: {heard}"
        );
    }
}

// Level and edge.

// With timers in the descriptor, which only Linux has.
#[cfg(all(target_os = "linux", not(homing_portable)))]
mod edges {
    use super::*;
    use homing::net::UnixStream;
    use std::io::Write;
    use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
    use std::os::unix::net::UnixStream as StdStream;

    /// A host that waits for edges: an epoll instance around the descriptor.
    struct Edges(OwnedFd);

    impl Edges {
        fn of(runtime: &Runtime) -> Edges {
            // SAFETY: a system call without pointers; what it opens is nobody else's.
            let epoll = unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(libc::EPOLL_CLOEXEC)) };
            let mut event = libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLET) as u32, u64: 0 };
            let descriptor = runtime.as_fd().as_raw_fd();
            // SAFETY: both are open, and the event lives as long as the call.
            let added =
                unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, descriptor, &mut event) };
            assert_eq!(added, 0);
            Edges(epoll)
        }

        fn next(&self, within: Duration) -> bool {
            let mut event = libc::epoll_event { events: 0, u64: 0 };
            // SAFETY: there is room for one event, which lives as long as the call.
            unsafe { libc::epoll_wait(self.0.as_raw_fd(), &mut event, 1, within.as_millis() as i32) == 1 }
        }
    }

    #[test]
    fn a_host_that_waits_for_edges_misses_nothing_if_it_takes_turns_until_nothing_is_left() {
        let runtime = Runtime::new();
        let edges = Edges::of(&runtime);
        let (sender, receiver) = homing::sync::remote_channel::unbounded();
        let task = runtime.spawn(async move {
            let mut sum = 0;
            while let Some(item) = receiver.recv().await? {
                sum += item;
                yields(3).await?;
                homing::sleep(Duration::from_micros(200)).await?;
            }
            Ok(sum)
        });
        let thread = std::thread::spawn(move || {
            for item in 1..=100 {
                sender.try_send(item).unwrap();
                // Sometimes in the middle of a turn, sometimes while the host waits.
                std::thread::sleep(Duration::from_micros(item * 7 % 300));
            }
        });
        let mut waits = 0;
        while !task.is_finished() {
            assert!(edges.next(LONG), "an edge was lost");
            while runtime.turn(Budget::polls(1)).unwrap().more_ready {}
            waits += 1;
        }
        thread.join().unwrap();
        assert_eq!(runtime.block_on(task).unwrap(), 5050);
        assert!(waits < 1000, "{waits} edges");
    }

    #[test]
    fn a_turn_takes_in_all_events_however_many_and_whomever_they_concern() {
        let runtime = Runtime::new();
        let edges = Edges::of(&runtime);
        let (near, far): (Vec<_>, Vec<_>) = (0..300).map(|_| StdStream::pair().unwrap()).unzip();
        let task = runtime.spawn(async move {
            // All are listened to, but nobody waits for any but the last.
            let mut streams = Vec::new();
            for stream in near {
                stream.set_nonblocking(true)?;
                let stream = UnixStream::from_std(stream)?;
                assert!(homing::timeout(Duration::ZERO, stream.read(&mut [0; 8])).await.is_err());
                streams.push(stream);
            }
            streams[299].read(&mut [0; 8]).await
        });
        while runtime.turn(Budget::batch()).unwrap().wait() == Some(Duration::ZERO) {}
        while edges.next(millis(5)) {
            while runtime.turn(Budget::batch()).unwrap().more_ready {}
        }
        for stream in &far {
            (&*stream).write_all(b"x").unwrap();
        }
        while !task.is_finished() {
            assert!(edges.next(millis(2_000)), "the event of the last one was left in the kernel");
            while runtime.turn(Budget::batch()).unwrap().more_ready {}
        }
        assert_eq!(runtime.block_on(task).unwrap(), 1);
    }

    #[test]
    fn what_happens_between_the_last_look_and_the_wait_is_an_edge() {
        let runtime = Runtime::new();
        let edges = Edges::of(&runtime);
        let gate = Gate::default();
        let waits = gate.clone();
        let task = runtime.spawn(async move {
            waits.await;
            Ok(())
        });
        while edges.next(Duration::ZERO) {
            runtime.run_until_stalled().unwrap();
        }
        assert!(!edges.next(Duration::ZERO));
        gate.open();
        assert!(edges.next(LONG));
        runtime.run_until_stalled().unwrap();
        assert!(task.is_finished());
        let handle = runtime.handle();
        std::thread::spawn(move || handle.call_soon(|| {}).unwrap()).join().unwrap();
        assert!(edges.next(LONG));
    }
}
