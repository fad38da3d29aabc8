//! What has to hold for every sequence of events: random ones, beside simple models.
//!
//! ```text
//!   by hand      waits are polled and dropped one by one, outside of tasks: after each step, who has been woken, and
//!                what is kept for whom, is what the model says
//!   in tasks     workers that are cancelled, aborted and timed out at random, in random orders of the ready queue: in
//!                the end nothing is lost, nothing doubled, nobody waits in vain, and no line has anybody in it
//! ```

use futures_util::future::{Either, FutureExt, select};
use homing::sync::{
    Barrier, BrokenBarrier, Condition, Event, LifoQueue, Mutex, OwnedMutexGuard, OwnedPermit, Queue,
    QueueShutDown, Semaphore, Shutdown, channel,
};
use homing::{Result, Task, sleep, spawn, timeout};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Has it been woken?
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A wait in progress, polled by hand.
struct Waiting<T> {
    future: Pin<Box<dyn Future<Output = Result<T>>>>,
    bell: Arc<Bell>,
    /// How many permits it wants, or which item it puts.
    want: usize,
}

impl<T> Waiting<T> {
    /// Polls it for the first time: it is ready, or begins to wait.
    fn start(
        future: impl Future<Output = Result<T>> + 'static,
        want: usize,
    ) -> Result<Result<T>, Waiting<T>> {
        let mut waiting = Waiting { future: Box::pin(future), bell: Arc::default(), want };
        match waiting.poll() {
            Poll::Ready(outcome) => Ok(outcome),
            Poll::Pending => Err(waiting),
        }
    }

    fn poll(&mut self) -> Poll<Result<T>> {
        let waker = Waker::from(self.bell.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn is_woken(&self) -> bool {
        self.bell.0.load(Ordering::Relaxed)
    }
}

/// A line of waits, in the order in which they began.
type Line<T> = Vec<Waiting<T>>;

fn woken<T>(line: &Line<T>) -> usize {
    line.iter().filter(|waiting| waiting.is_woken()).count()
}

/// Those who were woken came before those who were not.
fn is_fair<T>(line: &Line<T>) -> bool {
    line.iter().map(Waiting::is_woken).is_sorted_by(|first, second| first >= second)
}

/// Polls one of those who wait: ready if it was woken, and only then.
fn poll_one<T>(line: &mut Line<T>, which: usize) -> Option<(Result<T>, usize)> {
    if line.is_empty() {
        return None;
    }
    let index = which % line.len();
    let woken = line[index].is_woken();
    match line[index].poll() {
        Poll::Ready(outcome) => {
            assert!(woken, "ready, and was not woken");
            let want = line.remove(index).want;
            Some((outcome, want))
        }
        Poll::Pending => {
            assert!(!woken, "woken for nothing");
            None
        }
    }
}

fn drop_one<T>(line: &mut Line<T>, which: usize) -> bool {
    let any = !line.is_empty();
    if any {
        let index = which % line.len();
        drop(line.remove(index));
    }
    any
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Begin to wait: for so many permits, to get an item, …
    Begin(usize),
    /// Begin the other kind of wait: to put an item.
    BeginOther,
    Poll(usize),
    PollOther(usize),
    Drop(usize),
    DropOther(usize),
    /// Release so many permits, unlock, put or get at once.
    Now(usize),
    NowOther,
    /// Shut down, reset, abort.
    End(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_usize).prop_map(Step::Begin),
        6 => Just(Step::BeginOther),
        6 => (0..8_usize).prop_map(Step::Poll),
        6 => (0..8_usize).prop_map(Step::PollOther),
        3 => (0..8_usize).prop_map(Step::Drop),
        3 => (0..8_usize).prop_map(Step::DropOther),
        4 => (0..4_usize).prop_map(Step::Now),
        4 => Just(Step::NowOther),
        1 => (0..8_usize).prop_map(Step::End),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..80)
}

/// A semaphore as rules SE-2 to SE-7 have it, in a vector.
struct Permits {
    free: usize,
    /// Who waits, for how many, and whether they are kept for him.
    line: Vec<(usize, bool)>,
}

impl Permits {
    fn serve(&mut self) {
        while let Some(first) =
            self.line.iter_mut().find(|(_, kept)| !kept).filter(|(want, _)| *want <= self.free)
        {
            self.free -= first.0;
            first.1 = true;
        }
    }
}

fn semaphore_by_hand(permits: usize, steps: &[Step]) {
    let semaphore = Rc::new(Semaphore::new(permits));
    let mut model = Permits { free: permits, line: Vec::new() };
    let mut line: Line<OwnedPermit> = Vec::new();
    let mut held: Vec<OwnedPermit> = Vec::new();
    let mut total = permits;
    for step in steps {
        match *step {
            Step::Begin(want) => match Waiting::start(semaphore.acquire_owned(want), want) {
                Ok(permit) => {
                    assert!(model.line.is_empty() && model.free >= want, "overtook somebody");
                    model.free -= want;
                    held.push(permit.unwrap());
                }
                Err(waiting) => {
                    assert!(!model.line.is_empty() || model.free < want, "waited without need");
                    model.line.push((want, false));
                    line.push(waiting);
                }
            },
            Step::Poll(which) | Step::PollOther(which) => {
                if let Some((permit, want)) = poll_one(&mut line, which) {
                    assert_eq!(permit.as_ref().unwrap().count(), want);
                    held.push(permit.unwrap());
                    model.line.remove(which % model.line.len());
                    model.serve();
                }
            }
            Step::Drop(which) => {
                if drop_one(&mut line, which) {
                    let (want, kept) = model.line.remove(which % model.line.len());
                    model.free += if kept { want } else { 0 };
                    model.serve();
                }
            }
            Step::DropOther(which) => {
                if !held.is_empty() {
                    let permit = held.swap_remove(which % held.len());
                    if permit.count() > 0 {
                        model.free += permit.count();
                        model.serve();
                    }
                    drop(permit);
                }
            }
            Step::Now(released) => {
                total += released;
                model.free += released;
                semaphore.add_permits(released);
                model.serve();
            }
            Step::NowOther | Step::BeginOther => {
                if let Some(permit) = semaphore.try_acquire_owned(1) {
                    assert!(model.line.is_empty());
                    model.free -= 1;
                    held.push(permit);
                } else {
                    assert!(!model.line.is_empty() || model.free == 0);
                }
            }
            Step::End(_) => {
                if let Some(permit) = held.pop() {
                    total -= permit.count();
                    permit.forget();
                }
            }
        }
        assert_eq!(semaphore.available_permits(), model.free);
        assert_eq!(semaphore.is_locked(), model.free == 0 || !model.line.is_empty());
        let kept: usize = model.line.iter().filter(|(_, kept)| *kept).map(|(want, _)| want).sum();
        let taken: usize = held.iter().map(OwnedPermit::count).sum();
        assert_eq!(model.free + kept + taken, total, "permits are conserved");
        let woken: Vec<bool> = line.iter().map(Waiting::is_woken).collect();
        let expected: Vec<bool> = model.line.iter().map(|(_, kept)| *kept).collect();
        assert_eq!(woken, expected);
        assert!(is_fair(&line));
    }
    drop((line, held));
    assert_eq!(semaphore.available_permits(), total);
    assert_eq!(Rc::strong_count(&semaphore), 1);
}

fn mutex_by_hand(steps: &[Step]) {
    let lock = Rc::new(Mutex::new(0));
    let mut held: Option<OwnedMutexGuard<i32>> = None;
    let mut line: Line<OwnedMutexGuard<i32>> = Vec::new();
    for step in steps {
        match *step {
            Step::Begin(_) | Step::BeginOther => match Waiting::start(lock.lock_owned(), 0) {
                Ok(guard) => {
                    assert!(held.is_none() && line.is_empty(), "overtook somebody");
                    held = Some(guard.unwrap());
                }
                Err(waiting) => {
                    assert!(held.is_some() || !line.is_empty(), "waited without need");
                    line.push(waiting);
                }
            },
            Step::Poll(which) | Step::PollOther(which) => {
                if let Some((guard, _)) = poll_one(&mut line, which) {
                    assert!(held.replace(guard.unwrap()).is_none(), "two owners");
                }
            }
            Step::Drop(which) | Step::DropOther(which) => {
                drop_one(&mut line, which);
            }
            Step::Now(_) | Step::End(_) => held = None,
            Step::NowOther => match lock.try_lock_owned() {
                Some(guard) => {
                    assert!(line.is_empty());
                    assert!(held.replace(guard).is_none(), "two owners");
                }
                None => assert!(held.is_some() || !line.is_empty()),
            },
        }
        assert_eq!(lock.is_locked(), held.is_some());
        let expected = usize::from(held.is_none() && !line.is_empty());
        assert_eq!(woken(&line), expected, "the first in line, and nobody else, is woken when it is free");
        assert!(is_fair(&line));
    }
    drop((line, held));
    assert_eq!(format!("{lock:?}"), "Mutex [unlocked]");
    assert_eq!(Rc::strong_count(&lock), 1);
}

fn queue_by_hand(capacity: usize, steps: &[Step]) {
    let queue = Rc::new(Queue::new(capacity));
    let (mut getters, mut putters): (Line<usize>, Line<()>) = (Vec::new(), Vec::new());
    let mut items = VecDeque::new();
    let mut shut = false;
    let mut next = 0;
    let get = || {
        let queue = queue.clone();
        async move { queue.get().await }
    };
    let check = |got: Result<usize>, items: &mut VecDeque<usize>, shut: bool| match got {
        Ok(item) => assert_eq!(Some(item), items.pop_front(), "in order, none lost, none doubled"),
        Err(error) => assert!(shut && error.is::<QueueShutDown>() && items.is_empty()),
    };
    for step in steps {
        match *step {
            Step::Begin(_) => match Waiting::start(get(), 0) {
                Ok(got) => check(got, &mut items, shut),
                Err(waiting) => getters.push(waiting),
            },
            Step::BeginOther => {
                next += 1;
                let (queue, item) = (queue.clone(), next);
                match Waiting::start(async move { queue.put(item).await }, item) {
                    Ok(Ok(())) => {
                        assert!(!shut && woken(&putters) == putters.len(), "overtook somebody");
                        items.push_back(next);
                    }
                    Ok(Err(error)) => assert!(shut && error.is::<QueueShutDown>()),
                    Err(waiting) => putters.push(waiting),
                }
            }
            Step::Poll(which) => {
                if let Some((got, _)) = poll_one(&mut getters, which) {
                    check(got, &mut items, shut);
                }
            }
            Step::PollOther(which) => match poll_one(&mut putters, which) {
                Some((Ok(()), item)) => {
                    assert!(!shut);
                    items.push_back(item);
                }
                Some((Err(error), _)) => assert!(shut && error.is::<QueueShutDown>()),
                None => {}
            },
            Step::Drop(which) => drop(drop_one(&mut getters, which)),
            Step::DropOther(which) => drop(drop_one(&mut putters, which)),
            Step::Now(_) => {
                if let Ok(item) = queue.get_nowait() {
                    assert!(items.len() > woken(&getters), "it was kept for a getter");
                    assert_eq!(Some(item), items.pop_front());
                }
            }
            Step::NowOther => {
                next += 1;
                match queue.put_nowait(next) {
                    Ok(()) => items.push_back(next),
                    Err(refused) => assert_eq!(refused.is_full(), !shut),
                }
            }
            Step::End(0) => {
                queue.shutdown(Shutdown::Immediate);
                items.clear();
                shut = true;
            }
            Step::End(1) => {
                queue.shutdown(Shutdown::Drain);
                shut = true;
            }
            Step::End(_) => {}
        }
        assert_eq!(queue.len(), items.len());
        assert!(is_fair(&getters) && is_fair(&putters));
        if shut {
            assert_eq!(woken(&putters), putters.len());
            if items.is_empty() {
                assert_eq!(woken(&getters), getters.len());
            }
        } else {
            assert_eq!(
                woken(&getters),
                getters.len().min(items.len()),
                "an item is there for each who is woken"
            );
            if capacity > 0 {
                let free = capacity - items.len();
                assert!(woken(&putters) <= free, "a slot is there for each who is woken");
                assert_eq!(woken(&putters), putters.len().min(free));
            }
        }
    }
    drop((getters, putters));
    assert_eq!(queue.len(), items.len());
    items.into_iter().for_each(|item| assert_eq!(queue.get_nowait(), Ok(item)));
    assert_eq!(Rc::strong_count(&queue), 1);
}

/// A barrier as rules BA-2 to BA-8 have it, in a vector: what each in line finds when it is polled.
struct Round {
    parties: usize,
    broken: bool,
    line: Vec<Option<Result<usize, ()>>>,
}

impl Round {
    fn is_filling(&self) -> bool {
        !self.broken && self.line.iter().all(Option::is_none)
    }

    fn arrive(&mut self) -> Option<Result<usize, ()>> {
        if self.broken {
            return Some(Err(()));
        }
        if self.is_filling() && self.line.len() + 1 == self.parties {
            self.line.iter_mut().enumerate().for_each(|(place, found)| *found = Some(Ok(place)));
            return Some(Ok(self.parties - 1));
        }
        self.line.push(None);
        None
    }

    fn leave(&mut self, index: usize) {
        self.line.remove(index);
        if self.is_filling() && self.line.len() >= self.parties {
            (0..self.parties).for_each(|place| self.line[place] = Some(Ok(place)));
        }
    }

    fn reset(&mut self) {
        let filling = self.line.iter().all(Option::is_none);
        self.broken = false;
        for found in self.line.iter_mut().filter(|found| filling || found.is_some()) {
            *found = Some(Err(()));
        }
    }

    fn abort(&mut self) {
        self.broken = true;
        self.line.iter_mut().for_each(|found| *found = Some(Err(())));
    }
}

fn barrier_by_hand(parties: usize, steps: &[Step]) {
    let barrier = Rc::new(Barrier::new(parties));
    let mut model = Round { parties, broken: false, line: Vec::new() };
    let mut line: Line<usize> = Vec::new();
    let short =
        |outcome: Result<usize>| outcome.map_err(|error| assert!(error.is::<BrokenBarrier>(), "{error}"));
    for step in steps {
        match *step {
            Step::Begin(_) | Step::BeginOther | Step::NowOther => {
                let waiter = barrier.clone();
                let started = Waiting::start(async move { waiter.wait().await }, 0);
                match (started, model.arrive()) {
                    (Ok(outcome), Some(expected)) => assert_eq!(short(outcome), expected),
                    (Err(waiting), None) => line.push(waiting),
                    (Ok(_), None) => panic!("did not wait"),
                    (Err(_), Some(_)) => panic!("waited"),
                }
            }
            Step::Poll(which) | Step::PollOther(which) | Step::Now(which) => {
                if let Some((outcome, _)) = poll_one(&mut line, which) {
                    let index = which % model.line.len();
                    assert_eq!(Some(short(outcome)), model.line[index]);
                    model.leave(index);
                }
            }
            Step::Drop(which) | Step::DropOther(which) => {
                if drop_one(&mut line, which) {
                    model.leave(which % model.line.len());
                }
            }
            Step::End(0..3) => {
                barrier.reset();
                model.reset();
            }
            Step::End(3) => {
                barrier.abort();
                model.abort();
            }
            Step::End(_) => {}
        }
        let woken: Vec<bool> = line.iter().map(Waiting::is_woken).collect();
        let expected: Vec<bool> = model.line.iter().map(Option::is_some).collect();
        assert_eq!(woken, expected);
        assert_eq!(barrier.is_broken(), model.broken);
        assert_eq!(barrier.n_waiting(), if model.is_filling() { model.line.len() } else { 0 });
    }
    drop(line);
    assert_eq!(barrier.n_waiting(), 0);
}

fn event_by_hand(steps: &[Step]) {
    let event = Rc::new(Event::new());
    let mut line: Line<()> = Vec::new();
    let mut to_be_woken = Vec::new();
    for step in steps {
        match *step {
            Step::Begin(_) | Step::BeginOther => {
                let waiter = event.clone();
                match Waiting::start(async move { waiter.wait().await }, 0) {
                    Ok(outcome) => assert!(event.is_set() && outcome.is_ok()),
                    Err(waiting) => {
                        assert!(!event.is_set());
                        line.push(waiting);
                        to_be_woken.push(false);
                    }
                }
            }
            Step::Poll(which) | Step::PollOther(which) => {
                if poll_one(&mut line, which).is_some() {
                    to_be_woken.remove(which % to_be_woken.len());
                }
            }
            Step::Drop(which) | Step::DropOther(which) => {
                if drop_one(&mut line, which) {
                    to_be_woken.remove(which % to_be_woken.len());
                }
            }
            Step::Now(_) | Step::End(_) => {
                event.set();
                to_be_woken.fill(true);
            }
            Step::NowOther => event.clear(),
        }
        let woken: Vec<bool> = line.iter().map(Waiting::is_woken).collect();
        assert_eq!(woken, to_be_woken);
    }
}

/// What is done to the workers from outside.
#[derive(Clone, Copy, Debug)]
struct Blow {
    after: u64,
    whom: usize,
    how: How,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Cancel,
    Abort,
}

fn blows() -> impl Strategy<Value = Vec<Blow>> {
    let how = prop_oneof![3 => Just(How::Cancel), 1 => Just(How::Abort)];
    let blow = (0..4_u64, 0..8_usize, how).prop_map(|(after, whom, how)| Blow { after, whom, how });
    prop::collection::vec(blow, 0..12)
}

/// How a worker waits.
#[derive(Clone, Copy, Debug)]
enum Patience {
    /// For as long as it takes.
    Endless,
    /// So many milliseconds, by a timeout of ours.
    Timeout(u64),
    /// So many milliseconds: then the wait is dropped.
    Dropped(u64),
}

fn patience() -> impl Strategy<Value = Patience> {
    prop_oneof![
        3 => Just(Patience::Endless),
        1 => (0..4_u64).prop_map(Patience::Timeout),
        1 => (0..4_u64).prop_map(Patience::Dropped),
    ]
}

/// Each worker's turns: how it waits, and how long it holds what it got.
type Plan = Vec<Vec<(Patience, u64)>>;

fn plan() -> impl Strategy<Value = Plan> {
    prop::collection::vec(prop::collection::vec((patience(), 0..4_u64), 1..5), 1..8)
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Waits in the way that was asked for. An `Err`, whatever the cause, means that there is nothing.
async fn patiently<T>(patience: Patience, wait: impl Future<Output = Result<T>>) -> Result<T> {
    match patience {
        Patience::Endless => wait.await,
        Patience::Timeout(after) => timeout(ms(after), wait).await,
        Patience::Dropped(after) => match select(wait.boxed_local(), sleep(ms(after))).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right((slept, _)) => {
                slept?;
                Err(homing::TimedOut::new().into())
            }
        },
    }
}

/// Runs in virtual time, in a random order. It hangs for ever if anybody waits in vain.
fn in_tasks(seed: u64, eager: bool, test: impl AsyncFnOnce() -> Result<()>) {
    let runtime = homing::Builder::new().virtual_time().seed(seed).eager_tasks(eager).debug(false).build();
    let outcome = runtime.block_on(async { timeout(Duration::from_secs(3600), test()).await });
    outcome.expect("nobody waits in vain");
    assert_eq!(runtime.task_count(), 0);
}

async fn deal(blows: &[Blow], workers: &[Task<()>]) -> Result<()> {
    for blow in blows {
        sleep(ms(blow.after)).await?;
        let Some(worker) = workers.get(blow.whom % workers.len()) else { continue };
        match blow.how {
            How::Cancel => worker.cancel(),
            How::Abort => worker.abort(),
        };
    }
    Ok(())
}

/// Counts who is inside.
struct Inside<'a>(&'a Cell<usize>);

impl Inside<'_> {
    fn enter(count: &Cell<usize>) -> Inside<'_> {
        count.set(count.get() + 1);
        Inside(count)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A semaphore with two permits and a mutex: all who are left get through, and never too many at a time.
async fn locks_in_tasks(plan: Plan, blows: &[Blow]) -> Result<()> {
    let shared = Rc::new((Semaphore::new(2), Mutex::new(()), Cell::new(0), Cell::new(0)));
    let workers: Vec<Task<()>> = plan
        .into_iter()
        .map(|turns| {
            let shared = shared.clone();
            spawn(async move {
                let (semaphore, lock, permitted, locked) = &*shared;
                for (turn, (patience, hold)) in turns.into_iter().enumerate() {
                    // Whatever comes out, cancelled or not, it goes on with its next turn.
                    let wanted = 1 + turn % 2;
                    if let Ok(permit) = patiently(patience, semaphore.acquire_many(wanted)).await {
                        let _inside: Vec<_> = (0..permit.count()).map(|_| Inside::enter(permitted)).collect();
                        assert!(permitted.get() <= 2, "too many permits");
                        let _ = sleep(ms(hold)).await;
                    }
                    if let Ok(_guard) = patiently(patience, lock.lock()).await {
                        let _inside = Inside::enter(locked);
                        assert_eq!(locked.get(), 1, "two owners");
                        let _ = sleep(ms(hold)).await;
                    }
                }
                Ok(())
            })
        })
        .collect();
    deal(blows, &workers).await?;
    for worker in workers {
        let _ = worker.await;
    }
    assert_eq!(format!("{:?}", shared.0), "Semaphore [unlocked, value: 2]");
    assert_eq!(format!("{:?}", shared.1), "Mutex [unlocked]");
    assert_eq!(Rc::strong_count(&shared), 1);
    Ok(())
}

/// Items come out in the order in which they went in, all of them, and each once.
async fn queue_in_tasks(capacity: usize, plan: Plan, blows: &[Blow]) -> Result<()> {
    let queue = Rc::new(Queue::new(capacity));
    let (sent, got) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(Vec::new())));
    let workers: Vec<Task<()>> = plan
        .into_iter()
        .enumerate()
        .map(|(worker, turns)| {
            let (queue, sent, got) = (queue.clone(), sent.clone(), got.clone());
            spawn(async move {
                for (turn, (patience, pause)) in turns.into_iter().enumerate() {
                    if worker % 2 == 0 {
                        let item = worker * 100 + turn;
                        if patiently(patience, queue.put(item)).await.is_ok() {
                            sent.borrow_mut().push(item);
                        }
                    } else if let Ok(item) = patiently(patience, queue.get()).await {
                        got.borrow_mut().push(item);
                        queue.task_done()?;
                    }
                    let _ = sleep(ms(pause)).await;
                }
                Ok(())
            })
        })
        .collect();
    deal(blows, &workers).await?;
    sleep(ms(100)).await?;
    // Who still waits, waits with reason.
    let state = format!("{queue:?}");
    assert!(!(state.contains("getters") && (!queue.is_empty() || state.contains("putters"))), "{state}");
    assert!(!state.contains("putters") || queue.is_full(), "{state}");
    queue.shutdown(Shutdown::Drain);
    for worker in workers {
        let _ = worker.await;
    }
    while let Ok(item) = queue.get_nowait() {
        got.borrow_mut().push(item);
        queue.task_done()?;
    }
    assert_eq!(sent.take(), got.take());
    queue.join().await?;
    assert_eq!(Rc::strong_count(&queue), 1);
    Ok(())
}

/// The same for a channel, whose ends close by themselves.
async fn channel_in_tasks(capacity: usize, plan: Plan, blows: &[Blow]) -> Result<()> {
    let (sender, receiver) = channel::bounded(capacity.max(1));
    let (sent, got) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(Vec::new())));
    let workers: Vec<Task<()>> = plan
        .into_iter()
        .enumerate()
        .map(|(worker, turns)| {
            let (sender, sent) = (sender.clone(), sent.clone());
            spawn(async move {
                for (turn, (patience, pause)) in turns.into_iter().enumerate() {
                    let item = worker * 100 + turn;
                    if turn % 2 == 0 {
                        if patiently(patience, sender.send(item)).await.is_ok() {
                            sent.borrow_mut().push(item);
                        }
                    } else if let Ok(room) = patiently(patience, sender.reserve()).await
                        && sleep(ms(pause)).await.is_ok()
                    {
                        room.send(item);
                        sent.borrow_mut().push(item);
                    }
                }
                Ok(())
            })
        })
        .collect();
    drop(sender);
    let receivers: Vec<Task<()>> = (0..3)
        .map(|number| {
            let (receiver, got) = (receiver.clone(), got.clone());
            spawn(async move {
                loop {
                    let patience = if number == 0 { Patience::Endless } else { Patience::Dropped(number) };
                    match patiently(patience, receiver.recv()).await {
                        Ok(Some(item)) => got.borrow_mut().push(item),
                        Ok(None) => return Ok(()),
                        Err(_) => {}
                    }
                    let _ = sleep(ms(1)).await;
                }
            })
        })
        .collect();
    deal(blows, &workers).await?;
    for worker in workers {
        let _ = worker.await;
    }
    for receiver in receivers {
        receiver.await?;
    }
    assert_eq!(sent.take(), got.take());
    Ok(())
}

/// One token, one notification: as long as there are tokens, nobody who wants one is left asleep.
async fn condition_in_tasks(plan: Plan, blows: &[Blow]) -> Result<()> {
    let shared = Rc::new((Mutex::new(0), Condition::new(), Cell::new(0)));
    let wanted: usize = plan.iter().map(Vec::len).sum();
    let workers: Vec<Task<()>> = plan
        .into_iter()
        .map(|turns| {
            let shared = shared.clone();
            spawn(async move {
                let (lock, condition, taken) = &*shared;
                for (patience, hold) in turns {
                    let Ok(mut guard) = lock.lock().await else { continue };
                    let take = |tokens: &mut usize| tokens.checked_sub(1).map(|left| *tokens = left);
                    let outcome = patiently(patience, condition.wait_for_value(&mut guard, take)).await;
                    if outcome.is_ok() {
                        taken.set(taken.get() + 1);
                    }
                    if !matches!(patience, Patience::Dropped(_)) {
                        assert!(lock.is_locked(), "the lock is held whenever a wait returns");
                        let _ = *guard;
                    }
                    if outcome.is_ok() {
                        let _ = sleep(ms(hold)).await;
                    }
                }
                Ok(())
            })
        })
        .collect();
    let made = Rc::new(Cell::new(0));
    let maker = spawn({
        let (shared, made) = (shared.clone(), made.clone());
        async move {
            for number in 0..wanted {
                let mut guard = shared.0.lock().await?;
                *guard += 1;
                made.set(made.get() + 1);
                shared.1.notify(&guard, 1);
                drop(guard);
                sleep(ms(number as u64 % 3)).await?;
            }
            Ok(())
        }
    });
    deal(blows, &workers).await?;
    maker.await?;
    sleep(ms(200)).await?;
    let left = *shared.0.lock().await?;
    assert_eq!(shared.2.get() + left, made.get(), "tokens are conserved");
    assert!(left == 0 || format!("{:?}", shared.1) == "Condition [waiters: 0]", "a wake-up was lost");
    for worker in workers {
        worker.abort();
        let _ = worker.await;
    }
    assert_eq!(format!("{:?} {:?}", shared.0, shared.1), "Mutex [unlocked] Condition [waiters: 0]");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_semaphore_does_what_the_rules_say(permits in 0..4_usize, steps in steps()) {
        semaphore_by_hand(permits, &steps);
    }

    #[test]
    fn a_mutex_has_one_owner_and_wakes_the_first_in_line_when_it_is_free(steps in steps()) {
        mutex_by_hand(&steps);
    }

    #[test]
    fn a_queue_loses_nothing_and_keeps_what_it_has_for_the_first_in_line(capacity in 0..4_usize, steps in steps()) {
        queue_by_hand(capacity, &steps);
    }

    #[test]
    fn a_barrier_does_what_the_rules_say(parties in 1..5_usize, steps in steps()) {
        barrier_by_hand(parties, &steps);
    }

    #[test]
    fn an_event_wakes_exactly_those_who_waited_when_it_was_set(steps in steps()) {
        event_by_hand(&steps);
    }

    #[test]
    fn a_stack_gives_back_what_was_put_last(items in prop::collection::vec(any::<u8>(), 0..20)) {
        let queue = LifoQueue::unbounded();
        items.iter().for_each(|item| queue.put_nowait(*item).unwrap());
        let got: Vec<u8> = std::iter::from_fn(|| queue.get_nowait().ok()).collect();
        prop_assert!(got.iter().eq(items.iter().rev()));
    }

    #[test]
    fn locks_let_all_through_who_are_left(seed: u64, eager: bool, plan in plan(), blows in blows()) {
        in_tasks(seed, eager, async move || locks_in_tasks(plan, &blows).await);
    }

    #[test]
    fn a_queue_gives_what_it_was_given(seed: u64, eager: bool, capacity in 0..4_usize, plan in plan(), blows in blows()) {
        in_tasks(seed, eager, async move || queue_in_tasks(capacity, plan, &blows).await);
    }

    #[test]
    fn a_channel_gives_what_it_was_given(seed: u64, eager: bool, capacity in 1..4_usize, plan in plan(), blows in blows()) {
        in_tasks(seed, eager, async move || channel_in_tasks(capacity, plan, &blows).await);
    }

    #[test]
    fn a_condition_loses_no_notification(seed: u64, eager: bool, plan in plan(), blows in blows()) {
        in_tasks(seed, eager, async move || condition_in_tasks(plan, &blows).await);
    }
}

#[test]
fn a_permit_of_nothing_that_goes_back_serves_nobody() {
    use Step::{Begin, Drop, DropOther, Now};
    semaphore_by_hand(0, &[Now(3), Begin(0), Begin(2), Begin(2), Begin(0), Drop(0), Begin(0), DropOther(0)]);
}
