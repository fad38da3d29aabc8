//! What the tests have in common: a world with a clock of its own, in which a test runs in every mode there is.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this")]

use homing::{
    Builder, Error, ExceptionGroup, Instant, Result, Task, Unhandled, current, sleep, spawn, yield_now,
};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// What a test sees of the runtime that it runs in.
pub struct World {
    reports: Rc<RefCell<Vec<String>>>,
    begin: Instant,
    /// Whether tasks start eagerly.
    pub eager: bool,
}

impl World {
    /// What went to the hook for unhandled errors since the last call.
    pub fn reports(&self) -> Vec<String> {
        self.reports.take()
    }

    /// Milliseconds since the test began.
    pub fn now(&self) -> u64 {
        self.begin.elapsed().as_millis() as u64
    }
}

/// Runs a test in virtual time, with tasks that start in their turn, and with tasks that start eagerly.
///
/// Afterwards no task is left, nothing was reported that the test has not looked at, and the task that ran it has
/// neither a request counted nor one pending.
pub fn in_every_mode(test: impl AsyncFn(&World) -> Result<()>) {
    for eager in [false, true] {
        run(eager, None, &test);
    }
}

/// The same, and with the tasks of each turn in several random orders.
pub fn in_every_order(test: impl AsyncFn(&World) -> Result<()>) {
    in_every_mode(&test);
    for seed in [1, 2, 3, 5, 8, 13] {
        for eager in [false, true] {
            run(eager, Some(seed), &test);
        }
    }
}

/// The test, in one mode only.
pub fn run(eager: bool, seed: Option<u64>, test: &impl AsyncFn(&World) -> Result<()>) {
    let _told = TellIfPanicking(format!("with eager_tasks({eager}) and seed {seed:?}"));
    let reports = Rc::new(RefCell::new(Vec::new()));
    let hook = {
        let reports = reports.clone();
        move |unhandled: &Unhandled| reports.borrow_mut().push(report(unhandled))
    };
    let mut builder = Builder::new().virtual_time().eager_tasks(eager).debug(false).on_unhandled(hook);
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    let runtime = builder.build();
    let outcome = runtime.block_on(async {
        let watchdog = spawn(async {
            sleep(Duration::from_secs(1_000_000)).await?;
            eprintln!("the test hangs: nothing was left to do but to wait");
            std::process::abort();
            #[expect(unreachable_code, reason = "it says what the task's result would be")]
            Ok(())
        });
        let world = World { reports: reports.clone(), begin: Instant::now(), eager };
        test(&world).await?;
        assert_eq!(current().expect("main").cancelling(), 0, "the count of main is not what it was");
        watchdog.abort();
        for _ in 0..3 {
            yield_now().await.expect("a request was left pending in main");
        }
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(runtime.task_count(), 0, "tasks were left");
    assert_eq!(reports.take(), [""; 0], "something was reported");
}

struct TellIfPanicking(String);

impl Drop for TellIfPanicking {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

fn report(unhandled: &Unhandled) -> String {
    match unhandled {
        Unhandled::TaskFailed { error, .. } => format!("failed: {}", tree(error)),
        Unhandled::TaskPanicked { error, .. } => format!("panicked: {}", tree(error)),
        Unhandled::CallbackPanicked { error } => format!("callback panicked: {}", tree(error)),
        Unhandled::Displaced { error } => format!("displaced: {}", tree(error)),
        other => other.to_string(),
    }
}

/// An error with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oops(pub &'static str);

impl fmt::Display for Oops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Oops {}

/// An `Err` with an [`Oops`].
pub fn oops<T>(name: &'static str) -> Result<T> {
    Err(Oops(name).into())
}

/// An error in short: `a`, `[a, [b, c]]`, `cancelled`, `timeout`, `panic: a`.
pub fn tree(error: &Error) -> String {
    if let Some(group) = error.as_group() {
        return format!("[{}]", group.errors().iter().map(tree).collect::<Vec<_>>().join(", "));
    }
    if let Some(Oops(name)) = error.downcast_ref() {
        return (*name).to_owned();
    }
    if let Some(panicked) = error.downcast_ref::<homing::Panicked>() {
        return format!("panic: {}", panicked.message());
    }
    match error {
        _ if error.is_cancelled() => "cancelled".to_owned(),
        _ if error.is_timeout() => "timeout".to_owned(),
        _ => error.to_string(),
    }
}

/// A result in short: as [`tree`], or `ok`.
pub fn shown<T>(result: &Result<T>) -> String {
    result.as_ref().map_or_else(tree, |_| "ok".to_owned())
}

/// The group that an error is.
pub fn group<T: fmt::Debug>(result: Result<T>) -> ExceptionGroup {
    result.unwrap_err().as_group().expect("a group").clone()
}

pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Sleeps so many milliseconds.
pub async fn nap(milliseconds: u64) -> Result<()> {
    sleep(ms(milliseconds)).await
}

/// Sleeps until it is cancelled.
pub async fn forever<T>() -> Result<T> {
    sleep(Duration::from_secs(1 << 30)).await?;
    unreachable!("the watchdog barks first")
}

/// The count of the running task.
pub fn count() -> u32 {
    current().expect("a task").cancelling()
}

/// What happened, in order.
#[derive(Clone, Default)]
pub struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub fn new() -> Log {
        Log::default()
    }

    pub fn push(&self, entry: impl Into<String>) {
        self.0.borrow_mut().push(entry.into());
    }

    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }

    /// Writes `entry` when it is dropped.
    pub fn at_drop(&self, entry: &'static str) -> AtDrop {
        AtDrop(self.clone(), entry)
    }
}

pub struct AtDrop(Log, &'static str);

impl Drop for AtDrop {
    fn drop(&mut self) {
        self.0.push(self.1);
    }
}

/// Counts how many of its guards are alive.
#[derive(Clone, Default)]
pub struct Alive(Rc<Cell<usize>>);

impl Alive {
    pub fn guard(&self) -> Guard {
        self.0.set(self.0.get() + 1);
        Guard(self.clone())
    }

    pub fn get(&self) -> usize {
        self.0.get()
    }
}

pub struct Guard(Alive);

impl Drop for Guard {
    fn drop(&mut self) {
        let alive = &self.0.0;
        alive.set(alive.get() - 1);
    }
}

/// Spawns a task, and lets it run up to its first suspension.
pub async fn started<T: 'static>(future: impl Future<Output = Result<T>> + 'static) -> Task<T> {
    let task = homing::task(future).eager().spawn();
    yield_now().await.expect("nobody cancels the test");
    task
}
