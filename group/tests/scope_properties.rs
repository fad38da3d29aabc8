//! Random trees of blocks, run with groups and with scopes: everything ends in the same way, at the same time.

mod common;

use common::Alive;
use homing::{Builder, Error, Result, Scope, TaskGroup, Unhandled, current, sleep, timeout};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

/// What a task does, one step after the other.
#[derive(Clone, Debug)]
enum Step {
    Nap(u64),
    /// Ends the block with an error of its own.
    Fail,
    /// A foreign await, which a cancel can only drop.
    Foreign(u64),
    /// After a while, asks its own task to cancel.
    CancelSelf(u64),
    /// Asks the first of its siblings to cancel, or drops that one's future; and waits, to see what comes of it.
    Meddle {
        abort: bool,
        after: u64,
    },
    /// Waits for so long, and swallows a cancel that comes meanwhile.
    Swallow(u64),
    /// Cleans up after a cancel for so long.
    CleanUp {
        nap: u64,
        after: u64,
    },
    Panic,
    Block(Tree),
    Timeout {
        after: u64,
        steps: Vec<Step>,
    },
    /// Goes on after whatever error comes out, but for a cancel.
    Handled(Vec<Step>),
}

#[derive(Clone, Debug)]
struct Tree {
    children: Vec<Child>,
    body: Vec<Step>,
    /// Whether a child, after so long, ends the block quietly.
    cancelled_after: Option<u64>,
    options: Options,
}

#[derive(Clone, Debug)]
struct Options {
    supervise: bool,
    grace: Option<u64>,
}

#[derive(Clone, Debug)]
struct Child {
    eager: bool,
    steps: Vec<Step>,
    /// Whether the body awaits it at its end, or its handle is dropped.
    awaited: bool,
}

/// A length of time, in nanoseconds: so many of them that no two moments are the same.
fn pause() -> impl Strategy<Value = u64> + Clone {
    // Not shrunk: they would all become one.
    (1..30_000_000_000u64).no_shrink()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => pause().prop_map(Step::Nap),
        2 => Just(Step::Fail),
        2 => pause().prop_map(Step::Foreign),
        1 => pause().prop_map(Step::CancelSelf),
        1 => (any::<bool>(), pause()).prop_map(|(abort, after)| Step::Meddle { abort, after }),
        2 => pause().prop_map(Step::Swallow),
        2 => (pause(), pause()).prop_map(|(nap, after)| Step::CleanUp { nap, after }),
        1 => Just(Step::Panic),
    ];
    let step =
        step.prop_recursive(4, 48, 4, |step| {
            let steps = begun(prop::collection::vec(step, 0..4));
            let child = (any::<bool>(), steps.clone(), any::<bool>())
                .prop_map(|(eager, steps, awaited)| Child { eager, steps, awaited });
            let options = (any::<bool>(), prop::option::weighted(0.2, pause()))
                .prop_map(|(supervise, grace)| Options { supervise, grace });
            let block = (
                prop::collection::vec(child, 0..5),
                steps.clone(),
                prop::option::weighted(0.2, pause()),
                options,
            )
                .prop_map(|(children, body, cancelled_after, options)| Tree {
                    children,
                    body,
                    cancelled_after,
                    options,
                });
            prop_oneof![
                4 => block.prop_map(Step::Block),
                2 => (pause(), steps.clone()).prop_map(|(after, steps)| Step::Timeout { after, steps }),
                1 => steps.prop_map(Step::Handled),
            ]
        });
    begun(prop::collection::vec(step, 1..4))
}

/// With a nap before the first step, for the order of what happens at one moment must not matter.
fn begun(
    steps: impl Strategy<Value = Vec<Step>> + Clone + 'static,
) -> impl Strategy<Value = Vec<Step>> + Clone {
    (pause(), steps)
        .prop_map(|(pause, mut steps)| {
            steps.insert(0, Step::Nap(pause));
            steps
        })
        .boxed()
}

#[derive(Debug)]
struct Failure;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failure")
    }
}

impl std::error::Error for Failure {}

/// What happened when, in one run.
#[derive(Clone, Default)]
struct Books {
    alive: Alive,
    log: Rc<RefCell<Vec<(u128, String)>>>,
    begin: Rc<Cell<Option<homing::Instant>>>,
}

impl Books {
    fn note(&self, what: String) {
        let now = self.begin.get().expect("begun").elapsed().as_nanos();
        self.log.borrow_mut().push((now, what));
    }
}

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// How blocks are run: as groups, of plans that live for ever, or as scopes, of borrowed ones.
trait Blocks<'a>: 'a {
    async fn block(books: &Books, path: &str, tree: &'a Tree) -> Result<()>;
}

struct Groups;
struct Scopes;

fn builder(options: &Options) -> homing::GroupBuilder {
    let mut builder = TaskGroup::builder();
    if options.supervise {
        builder = builder.supervise();
    }
    if let Some(grace) = options.grace {
        builder = builder.grace(Duration::from_nanos(grace));
    }
    builder
}

/// The body of a block, of whichever kind: they have the same methods.
macro_rules! body {
    ($block:ident, $blocks:ident, $books:ident, $path:ident, $tree:ident, |$stop:ident| $cancel:expr) => {{
        let mut awaited = Vec::new();
        for (number, child) in $tree.children.iter().enumerate() {
            let name = format!("{}.{number}", $path);
            let task = $block.task(run_all::<$blocks>($books.clone(), name.clone(), &child.steps)).name(name);
            let task = if child.eager { task.eager() } else { task };
            // A child may have ended the block by then.
            match task.try_spawn() {
                Ok(task) if child.awaited => awaited.push(task),
                Ok(_) | Err(_) => {}
            }
        }
        if let Some(pause) = $tree.cancelled_after {
            let $stop = $block.clone();
            let _ = $block.try_spawn(async move {
                nap(pause).await?;
                Ok($cancel)
            });
        }
        run_all::<$blocks>($books.clone(), format!("{} body", $path), &$tree.body).await?;
        for task in awaited {
            let name = task.name();
            let outcome = task.await;
            $books.note(format!("{name} awaited: {}", shape(&outcome)));
            // Its error is the group's to tell. A cancel of our own is passed on to it, and comes back from it.
            if let Err(error) = outcome
                && error.is_cancelled()
                && current().expect("a task").cancelling() > 0
            {
                return Err(error);
            }
        }
        Ok(())
    }};
}

impl Blocks<'static> for Groups {
    async fn block(books: &Books, path: &str, tree: &'static Tree) -> Result<()> {
        builder(&tree.options)
            .run(async |tg: &TaskGroup| body!(tg, Groups, books, path, tree, |stop| stop.cancel()))
            .await
    }
}

impl<'a> Blocks<'a> for Scopes {
    async fn block(books: &Books, path: &str, tree: &'a Tree) -> Result<()> {
        async fn body<'scope, 'a: 'scope>(
            s: &'scope Scope<'scope, '_>,
            books: &Books,
            path: &str,
            tree: &'a Tree,
        ) -> Result<()> {
            body!(s, Scopes, books, path, tree, |stop| stop.cancel())
        }
        builder(&tree.options).scope(async |s| body(s, books, path, tree).await).await
    }
}

fn run_all<'a, B: Blocks<'a>>(books: Books, path: String, steps: &'a [Step]) -> Boxed<'a> {
    let guard = books.alive.guard();
    Box::pin(async move {
        let _guard = guard;
        let mut outcome = Ok(());
        for (number, step) in steps.iter().enumerate() {
            outcome = run_one::<B>(&books, &format!("{path}/{number}"), step).await;
            if outcome.is_err() {
                break;
            }
        }
        books.note(format!("{path}: {}, {} requests", shape(&outcome), current().unwrap().cancelling()));
        outcome
    })
}

async fn nap(nanoseconds: u64) -> Result<()> {
    sleep(Duration::from_nanos(nanoseconds)).await
}

async fn run_one<'a, B: Blocks<'a>>(books: &Books, path: &str, step: &'a Step) -> Result<()> {
    match step {
        Step::Nap(pause) => nap(*pause).await,
        Step::Fail => Err(Failure.into()),
        Step::Panic => std::panic::resume_unwind(Box::new("on purpose")),
        Step::Foreign(pause) => {
            // `pending` and a nap beside it: the nap is what ends it, and what a cancel gets through to first.
            let mut nap = pin!(nap(*pause));
            let mut pending = pin!(pending::<()>());
            poll_fn(|cx| {
                let _ = pending.as_mut().poll(cx);
                nap.as_mut().poll(cx)
            })
            .await
        }
        Step::CancelSelf(pause) => {
            nap(*pause).await?;
            current().expect("a task").cancel();
            Ok(())
        }
        Step::Meddle { abort, after } => {
            let own = current().expect("a task");
            let mut siblings: Vec<_> = homing::all_tasks()
                .into_iter()
                .filter(|task| task.parent() == own.parent() && *task != own && task.name().contains('.'))
                .collect();
            siblings.sort_by_key(|task| task.name());
            if let Some(first) = siblings.first() {
                books.note(format!("{path} meddles with {}", first.name()));
                let _there = if *abort { first.abort() } else { first.cancel() };
            }
            nap(*after).await
        }
        Step::Swallow(pause) => {
            if nap(*pause).await.is_err() {
                current().expect("a task").uncancel();
            }
            Ok(())
        }
        Step::CleanUp { nap: pause, after } => {
            let outcome = nap(*pause).await;
            if outcome.is_err() {
                let _ = nap(*after).await;
            }
            outcome
        }
        Step::Block(tree) => {
            let inside = Books { alive: Alive::default(), ..books.clone() };
            let outcome = B::block(&inside, path, tree).await;
            assert_eq!(inside.alive.get(), 0, "something has outlived its block");
            books.note(format!("{path} block: {}", shape(&outcome)));
            match outcome {
                Err(error) if error.is::<homing::GroupCancelled>() => Ok(()),
                outcome => outcome,
            }
        }
        Step::Timeout { after, steps } => {
            let inner = run_all::<B>(books.clone(), path.to_owned(), steps);
            timeout(Duration::from_nanos(*after), inner).await
        }
        Step::Handled(steps) => match run_all::<B>(books.clone(), path.to_owned(), steps).await {
            Err(error) if !error.is_cancelled() => Ok(()),
            outcome => outcome,
        },
    }
}

/// An outcome in short. The order of members is left out of it.
fn shape(outcome: &Result<()>) -> String {
    fn of(error: &Error) -> String {
        if let Some(group) = error.as_group() {
            let mut members: Vec<String> = group.errors().iter().map(of).collect();
            members.sort();
            return format!("[{}]", members.join(", "));
        }
        match error {
            _ if error.is_cancelled() => "cancelled".to_owned(),
            _ if error.is_timeout() => "timeout".to_owned(),
            _ => error.to_string(),
        }
    }
    outcome.as_ref().map_or_else(of, |()| "ok".to_owned())
}

#[derive(Clone, Debug)]
struct Setting {
    eager: bool,
    /// The pauses between cancels from outside, and the one before an abort.
    cancels: Vec<u64>,
    abort: Option<u64>,
}

/// One run: all that happened, by time.
fn run<'a, B: Blocks<'a>>(steps: &'a [Step], setting: &Setting) -> Vec<(u128, String)> {
    let books = Books::default();
    let reports = Rc::new(RefCell::new(Vec::new()));
    let hook = {
        let reports = reports.clone();
        move |unhandled: &Unhandled| {
            let kind = match unhandled {
                Unhandled::TaskPanicked { task, .. } => format!("panicked {}", task.name()),
                Unhandled::TaskFailed { task, .. } => format!("failed {}", task.name()),
                Unhandled::Displaced { error } => format!("displaced {}", shape(&Err(error.clone()))),
                other => other.to_string(),
            };
            reports.borrow_mut().push(kind);
        }
    };
    // In the order of waking: at one moment, a seed would let one of them see a failure before the other acts on it.
    let builder = Builder::new().virtual_time().eager_tasks(setting.eager).debug(false).on_unhandled(hook);
    let runtime = builder.build();
    let main = async {
        books.begin.set(Some(homing::Instant::now()));
        let target = current().expect("main");
        let (cancels, abort) = (setting.cancels.clone(), setting.abort);
        let meddler = homing::spawn(async move {
            for pause in cancels {
                nap(pause).await?;
                target.cancel();
            }
            if let Some(pause) = abort {
                nap(pause).await?;
                target.abort();
            }
            Ok(())
        });
        let outcome = run_all::<B>(books.clone(), "main".to_owned(), steps).await;
        meddler.abort();
        Ok(shape(&outcome))
    };
    // A panic of the main task goes on out of `block_on`.
    let main = match catch_unwind(AssertUnwindSafe(|| runtime.block_on(main))) {
        Ok(ended) => ended.unwrap_or_else(|error| shape(&Err(error))),
        Err(_) => "panicked".to_owned(),
    };
    assert_eq!(books.alive.get(), 0, "something has leaked");
    drop(runtime);
    let mut log = books.log.take();
    log.push((u128::MAX, main));
    let mut reports = reports.take();
    reports.sort();
    log.extend(reports.into_iter().map(|report| (u128::MAX, report)));
    log.sort();
    log
}

/// A plan that lives for ever: within reach of who looks for leaks, for this one is meant.
fn for_ever(steps: &[Step]) -> &'static [Step] {
    static KEPT: Mutex<Vec<&'static [Step]>> = Mutex::new(Vec::new());
    let steps: &'static [Step] = Vec::leak(steps.to_vec());
    KEPT.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(steps);
    steps
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_scope_does_what_a_group_does(
        steps in steps(),
        eager: bool,
        cancels in prop::collection::vec(pause(), 0..3),
        abort in prop::option::weighted(0.2, pause()),
    ) {
        let setting = Setting { eager, cancels, abort };
        let as_groups = run::<Groups>(for_ever(&steps), &setting);
        let as_scopes = run::<Scopes>(&steps, &setting);
        prop_assert_eq!(as_scopes, as_groups);
    }
}
