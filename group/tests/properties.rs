//! Random trees of groups, timeouts and tasks, with failures, cancels, drops and swallows, shields, permits and deferred
//! clean-ups at random: what must hold of all.

mod common;

use common::{Alive, Guard};
use futures_util::future::{join, pending};
use homing::sync::Semaphore;
use homing::{
    Builder, Error, Result, Task, TaskGroup, TimedOut, Unhandled, current, shield, sleep, timeout, yield_now,
};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// What a task does, one step after the other.
#[derive(Clone, Debug)]
enum Step {
    Nap(u64),
    Yield,
    /// Ends the block with an error of its own.
    Fail,
    /// A foreign await, which a cancel can only drop.
    Foreign(u64),
    /// Asks its own task to cancel.
    CancelSelf,
    /// Waits for so long, and swallows a cancel that comes meanwhile.
    Swallow(u64),
    /// Cleans up after a cancel for so long.
    CleanUp {
        nap: u64,
        after: u64,
    },
    /// Puts an error in the place of a cancel.
    Replace(u64),
    /// Waits for one of a few permits, and keeps it for so long.
    Permit(u64),
    Group(GroupTree),
    Timeout {
        after: u64,
        steps: Vec<Step>,
    },
    /// Both at once, in one task.
    Both(Vec<Step>, Vec<Step>),
    /// Given up after so many polls.
    Dropped {
        polls: u32,
        steps: Vec<Step>,
    },
    /// Goes on after whatever error comes out, but for a cancel.
    Handled(Vec<Step>),
}

#[derive(Clone, Debug)]
struct GroupTree {
    children: Vec<Child>,
    body: Vec<Step>,
    /// Whether a child, after so many milliseconds, ends the group quietly.
    cancelled_after: Option<u64>,
    clean_ups: Vec<CleanUp>,
}

/// What a group's body defers.
#[derive(Clone, Debug)]
struct CleanUp {
    nap: u64,
    fails: bool,
}

#[derive(Clone, Debug)]
struct Child {
    eager: bool,
    steps: Vec<Step>,
    /// Whether the body waits until it has started, for so long.
    starts_after: Option<u64>,
    awaited: Awaited,
}

/// What becomes of a child's handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    /// It is dropped.
    Never,
    /// The body awaits it at its end,
    AtTheEnd,
    /// and does not drag it along.
    Shielded,
}

/// Which trees there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trees {
    /// All.
    Wild,
    /// Those in which no two things happen at the same time, and every task waits before it does anything else: so that
    /// nothing depends on the order of things at one instant.
    Orderly,
}

/// A length of time, in nanoseconds: such that many are equal, or none.
fn pauses(trees: Trees) -> BoxedStrategy<u64> {
    match trees {
        Trees::Wild => (0..30u64).prop_map(|milliseconds| milliseconds * 1_000_000).boxed(),
        Trees::Orderly => (1..30_000_000u64).boxed(),
    }
}

fn steps(trees: Trees) -> BoxedStrategy<Vec<Step>> {
    let pause = || pauses(trees);
    let leaf = prop_oneof![
        4 => pause().prop_map(Step::Nap),
        1 => Just(Step::Fail),
        1 => pause().prop_map(Step::Foreign),
        1 => Just(Step::CancelSelf),
        1 => pause().prop_map(Step::Swallow),
        1 => (pause(), pause()).prop_map(|(nap, after)| Step::CleanUp { nap, after }),
        1 => pause().prop_map(Step::Replace),
        1 => pause().prop_map(Step::Permit),
    ];
    let leaf = match trees {
        Trees::Wild => prop_oneof![8 => leaf, 1 => Just(Step::Yield)].boxed(),
        Trees::Orderly => leaf.boxed(),
    };
    let step = leaf.prop_recursive(4, 48, 4, move |step| {
        let steps = begun(trees, prop::collection::vec(step, 0..4).boxed());
        let awaited = prop_oneof![Just(Awaited::Never), Just(Awaited::AtTheEnd), Just(Awaited::Shielded)];
        let starts_after = prop::option::weighted(0.2, pauses(trees));
        let child = (any::<bool>(), steps.clone(), starts_after, awaited)
            .prop_map(|(eager, steps, starts_after, awaited)| Child { eager, steps, starts_after, awaited });
        let clean_up =
            (pauses(trees), prop::bool::weighted(0.2)).prop_map(|(nap, fails)| CleanUp { nap, fails });
        let group = (
            prop::collection::vec(child, 0..4),
            steps.clone(),
            prop::option::weighted(0.2, pauses(trees)),
            prop::collection::vec(clean_up, 0..3),
        )
            .prop_map(|(children, body, cancelled_after, clean_ups)| GroupTree {
                children,
                body,
                cancelled_after,
                clean_ups,
            });
        let timeout =
            (pauses(trees), steps.clone()).prop_map(|(after, steps)| Step::Timeout { after, steps });
        let nested = prop_oneof![
            4 => group.prop_map(Step::Group),
            2 => timeout,
            1 => steps.clone().prop_map(Step::Handled),
        ];
        match trees {
            Trees::Orderly => nested.boxed(),
            Trees::Wild => prop_oneof![
                4 => nested,
                1 => (steps.clone(), steps.clone()).prop_map(|(a, b)| Step::Both(a, b)),
                1 => (0..6u32, steps).prop_map(|(polls, steps)| Step::Dropped { polls, steps }),
            ]
            .boxed(),
        }
    });
    begun(trees, prop::collection::vec(step, 1..4).boxed())
}

/// Puts a nap before the first step, where the order of things must not matter.
fn begun(trees: Trees, steps: BoxedStrategy<Vec<Step>>) -> BoxedStrategy<Vec<Step>> {
    match trees {
        Trees::Wild => steps,
        Trees::Orderly => (pauses(trees), steps)
            .prop_map(|(pause, mut steps)| {
                steps.insert(0, Step::Nap(pause));
                steps
            })
            .boxed(),
    }
}

async fn nap(nanoseconds: u64) -> Result<()> {
    sleep(Duration::from_nanos(nanoseconds)).await
}

/// An error with a number that no other has.
#[derive(Clone, Copy, Debug)]
struct Numbered(u32);

impl fmt::Display for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}", self.0)
    }
}

impl std::error::Error for Numbered {}

/// How many permits there are for all tasks of a run.
const PERMITS: usize = 2;

/// The books that are kept of one run.
#[derive(Clone)]
struct Books {
    alive: Alive,
    permits: Rc<Semaphore>,
    /// What clean-ups hold, which may outlive their group if it is dropped.
    cleaning: Alive,
    /// Clean-ups that were deferred and have not ended: in one group, and in all.
    owed: Rc<Cell<u32>>,
    owed_in_all: Rc<Cell<u32>>,
    made: Rc<Cell<u32>>,
    /// How often any task has asked itself to cancel.
    asked_by_itself: Rc<Cell<u32>>,
    /// How often each error was seen by a handler, came out at the end, or was reported.
    seen: Rc<RefCell<BTreeMap<u32, u32>>>,
    /// What should not have happened.
    broken: Rc<RefCell<Vec<String>>>,
}

impl Books {
    fn new() -> Books {
        Books {
            alive: Alive::default(),
            permits: Rc::new(Semaphore::new(PERMITS)),
            cleaning: Alive::default(),
            owed: Rc::default(),
            owed_in_all: Rc::default(),
            made: Rc::default(),
            asked_by_itself: Rc::default(),
            seen: Rc::default(),
            broken: Rc::default(),
        }
    }

    fn complain(&self, of: &str) {
        // Not a panic, which would be one task's affair.
        self.broken.borrow_mut().push(of.to_owned());
    }

    fn new_error(&self) -> Error {
        self.made.set(self.made.get() + 1);
        Numbered(self.made.get()).into()
    }

    /// Somebody has come to know of an error, and so of all that it holds.
    fn see(&self, error: &Error) {
        if let Some(Numbered(number)) = error.downcast_ref() {
            *self.seen.borrow_mut().entry(*number).or_default() += 1;
        }
        if let Some(group) = error.as_group() {
            group.errors().iter().for_each(|member| self.see(member));
        }
        if let Some(cause) = error.downcast_ref::<TimedOut>().and_then(TimedOut::cause) {
            self.see(cause.as_error());
        }
        error.displaced().for_each(|displaced| self.see(displaced));
    }
}

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

fn run_all(books: Books, steps: Vec<Step>) -> Boxed<'static> {
    let guard = books.alive.guard();
    Box::pin(async move {
        let _guard: Guard = guard;
        for step in steps {
            run_one(&books, step).await?;
        }
        Ok(())
    })
}

async fn run_one(books: &Books, step: Step) -> Result<()> {
    match step {
        Step::Nap(milliseconds) => nap(milliseconds).await,
        Step::Yield => yield_now().await,
        Step::Fail => Err(books.new_error()),
        Step::Foreign(milliseconds) => {
            // `pending` and a nap beside it: the nap is what ends it, and what a cancel gets through to first.
            let mut nap = Box::pin(nap(milliseconds));
            let mut pending = Box::pin(pending::<()>());
            poll_fn(|cx| {
                let _ = pending.as_mut().poll(cx);
                nap.as_mut().poll(cx)
            })
            .await
        }
        Step::CancelSelf => {
            books.asked_by_itself.set(books.asked_by_itself.get() + 1);
            current().expect("a task").cancel();
            Ok(())
        }
        Step::Swallow(milliseconds) => {
            if let Err(cancelled) = nap(milliseconds).await {
                books.see(&cancelled);
                current().expect("a task").uncancel();
            }
            Ok(())
        }
        Step::CleanUp { nap: milliseconds, after } => {
            let outcome = nap(milliseconds).await;
            if outcome.is_err() {
                // A second cancel interrupts the clean-up, and is as good as the first.
                let _ = nap(after).await;
            }
            outcome
        }
        Step::Replace(milliseconds) => nap(milliseconds).await.map_err(|_| books.new_error()),
        Step::Permit(milliseconds) => {
            // Nothing but a nap: who holds one and waits for another might wait for ever.
            let _permit = books.permits.acquire().await?;
            nap(milliseconds).await
        }
        Step::Group(tree) => run_group(books, tree).await,
        Step::Timeout { after, steps } => {
            timeout(Duration::from_nanos(after), run_all(books.clone(), steps)).await
        }
        Step::Both(a, b) => {
            // An error that `join` holds while it waits for the other side is lost if `join` is dropped then: not ours.
            let side = async |steps| {
                let outcome = run_all(books.clone(), steps).await;
                if let Err(error) = &outcome {
                    books.see(error);
                }
                outcome
            };
            let (a, b) = join(side(a), side(b)).await;
            a.and(b)
        }
        Step::Dropped { polls, steps } => {
            let mut given_up = run_all(books.clone(), steps);
            let mut left = polls;
            let outcome = poll_fn(|cx| {
                if left == 0 {
                    return Poll::Ready(Ok(()));
                }
                left -= 1;
                given_up.as_mut().poll(cx)
            })
            .await;
            drop(given_up);
            outcome
        }
        Step::Handled(steps) => match run_all(books.clone(), steps).await {
            Err(error) if !error.is_cancelled() => {
                books.see(&error);
                Ok(())
            }
            outcome => outcome,
        },
    }
}

async fn run_group(books: &Books, tree: GroupTree) -> Result<()> {
    // What is inside of the group, and must be gone when the group is.
    let inside = Books { alive: Alive::default(), owed: Rc::default(), ..books.clone() };
    let _checked = GoneAtEnd(inside.clone());
    let outcome = TaskGroup::new()
        .run_until_cancelled(async |tg| {
            for clean_up in tree.clean_ups {
                defer(tg, books, &inside, clean_up);
            }
            let mut awaited = Vec::new();
            for child in tree.children {
                // A child may have ended the group by then.
                if let Some(task) = spawn_child(tg, &inside, child.clone()).await?
                    && child.awaited != Awaited::Never
                {
                    awaited.push((task, child.awaited));
                }
            }
            if let Some(milliseconds) = tree.cancelled_after {
                let stop = tg.clone();
                let _ = tg.try_spawn(async move {
                    nap(milliseconds).await?;
                    stop.cancel();
                    Ok(())
                });
            }
            run_all(inside.clone(), tree.body).await?;
            for (task, awaited) in awaited {
                let outcome = if awaited == Awaited::Shielded { shield(task).await } else { task.await };
                // Its error is the group's to tell. A cancel of our own is passed on to it, and comes back from it; or
                // from the shield.
                if let Err(error) = outcome
                    && error.is_cancelled()
                    && current().expect("a task").cancelling() > 0
                {
                    return Err(error);
                }
            }
            Ok(())
        })
        .await;
    if inside.owed.get() > 0 {
        books.complain("a group has ended before its clean-ups");
    }
    outcome.map(drop)
}

/// `None` if the group takes no more, or the child has not started.
async fn spawn_child(tg: &TaskGroup, inside: &Books, child: Child) -> Result<Option<Task<()>>> {
    let steps = run_all(inside.clone(), child.steps);
    let Some(pause) = child.starts_after else {
        let task = tg.task(steps);
        return Ok(if child.eager { task.eager() } else { task }.try_spawn().ok());
    };
    let start = tg.start(async move |started| {
        nap(pause).await?;
        started.set(());
        steps.await
    });
    let start = if child.eager { start.eager() } else { start };
    match start.with_task().await {
        Ok(((), task)) => Ok(Some(task)),
        // It fails before that only by being cancelled: as we were, or by somebody else.
        Err(error) if error.is_cancelled() && current().expect("a task").cancelling() > 0 => Err(error),
        Err(error) => {
            inside.see(&error);
            Ok(None)
        }
    }
}

/// The clean-up is not inside of the group, but after it: if the group is dropped, it runs on.
fn defer(tg: &TaskGroup, outside: &Books, inside: &Books, clean_up: CleanUp) {
    let (guard, inside, outside) = (outside.cleaning.guard(), inside.clone(), outside.clone());
    for owed in [&inside.owed, &inside.owed_in_all] {
        owed.set(owed.get() + 1);
    }
    tg.defer(async move || {
        let _guard = guard;
        if inside.alive.get() > 0 {
            outside.complain("a clean-up has begun while something inside was alive");
        }
        nap(clean_up.nap).await?;
        for owed in [&inside.owed, &inside.owed_in_all] {
            owed.set(owed.get() - 1);
        }
        if clean_up.fails { Err(outside.new_error()) } else { Ok(()) }
    });
}

/// No task outlives its scope: not when it returns, and not when it is dropped.
struct GoneAtEnd(Books);

impl Drop for GoneAtEnd {
    fn drop(&mut self) {
        if self.0.alive.get() > 0 {
            self.0.complain("something has outlived its group");
        }
    }
}

/// How a run is to go, beside the tree.
#[derive(Clone, Debug)]
struct Setting {
    eager: bool,
    seed: Option<u64>,
    /// The pauses between cancels from outside, and the one before an abort.
    cancels: Vec<u64>,
    abort: Option<u64>,
}

/// An outcome in short. The order of members is left out of it, and so are the numbers.
fn shape(error: &Error) -> String {
    if let Some(group) = error.as_group() {
        let mut members: Vec<String> = group.errors().iter().map(shape).collect();
        members.sort();
        return format!("[{}]", members.join(", "));
    }
    match error {
        _ if error.is_cancelled() => "cancelled".to_owned(),
        _ if error.is_timeout() => "timeout".to_owned(),
        _ => "error".to_owned(),
    }
}

/// One run, with all that must hold of any. Returns the outcome in short.
fn run(steps: &[Step], setting: &Setting) -> String {
    let books = Books::new();
    let hook = {
        let books = books.clone();
        move |unhandled: &Unhandled| match unhandled {
            Unhandled::TaskFailed { error, .. } | Unhandled::Displaced { error } => books.see(error),
            other => books.broken.borrow_mut().push(other.to_string()),
        }
    };
    let mut builder =
        Builder::new().virtual_time().eager_tasks(setting.eager).debug(false).on_unhandled(hook);
    if let Some(seed) = setting.seed {
        builder = builder.seed(seed);
    }
    let runtime = builder.build();
    let outcome = runtime.block_on(async {
        let inner = books.clone();
        let steps = steps.to_vec();
        let requests = Rc::new(Cell::new(0));
        let subject = homing::task(run_all(inner, steps)).queued().spawn();
        let target = subject.task_ref();
        let (cancels, abort) = (setting.cancels.clone(), setting.abort);
        let asked = requests.clone();
        let meddler = homing::spawn(async move {
            for pause in cancels {
                nap(pause).await?;
                asked.set(asked.get() + u32::from(target.cancel()));
            }
            if let Some(pause) = abort {
                nap(pause).await?;
                target.abort();
            }
            Ok(())
        });
        let watched = subject.task_ref();
        let outcome = subject.await;
        if watched.cancelling() > requests.get() + books.asked_by_itself.get() {
            books.broken.borrow_mut().push("a scope has left its request behind".to_owned());
        }
        if let Err(error) = &outcome {
            books.see(error);
        }
        meddler.abort();
        // Until the clean-ups of what was dropped have ended.
        sleep(Duration::from_secs(3600)).await?;
        Ok(outcome.as_ref().map_or_else(shape, |()| "ok".to_owned()))
    });
    assert_eq!(runtime.task_count(), 0, "tasks are left");
    assert_eq!(books.permits.available_permits(), PERMITS, "permits are lost");
    assert_eq!(books.owed_in_all.get(), 0, "clean-ups have not run");
    assert_eq!(books.cleaning.get(), 0, "a clean-up has leaked");
    drop(runtime);
    assert_eq!(books.alive.get(), 0, "something has leaked");
    assert_eq!(*books.broken.borrow(), [""; 0]);
    let seen = books.seen.borrow();
    let unseen: Vec<u32> = (1..=books.made.get()).filter(|number| !seen.contains_key(number)).collect();
    assert!(unseen.is_empty(), "errors that nobody has seen: {unseen:?}");
    outcome.unwrap()
}

fn settings() -> impl Strategy<Value = Setting> {
    let pause = || pauses(Trees::Wild);
    (
        any::<bool>(),
        any::<Option<u64>>(),
        prop::collection::vec(pause(), 0..3),
        prop::option::weighted(0.2, pause()),
    )
        .prop_map(|(eager, seed, cancels, abort)| Setting { eager, seed, cancels, abort })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_task_outlives_its_scope_and_no_error_is_lost(steps in steps(Trees::Wild), setting in settings()) {
        run(&steps, &setting);
    }

    /// EA-14
    #[test]
    fn how_tasks_are_started_makes_no_difference_where_the_order_makes_none(
        steps in steps(Trees::Orderly),
        cancels in prop::collection::vec(pauses(Trees::Orderly), 0..3),
        seed: u64,
    ) {
        let setting = Setting { eager: false, seed: None, cancels, abort: None };
        let queued = run(&steps, &setting);
        assert_eq!(run(&steps, &Setting { eager: true, ..setting.clone() }), queued, "eager");
        assert_eq!(run(&steps, &Setting { seed: Some(seed), ..setting }), queued, "in another order");
    }
}
