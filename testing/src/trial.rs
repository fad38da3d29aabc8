//! A trial: one test, in one order of its tasks or in many.
//!
//! ```text
//!   for each seed:   runtime ──► body ──► settle ──► what is left? ──► cancel it, wait ──► what is left now?
//!                                  └ longer than the limit: fails, and shows where everybody stands
//! ```

use super::finding::Finding;
use super::limit::{Limited, Overdue};
use homing_executor::error::Result;
use homing_executor::runtime::{Builder, settle};
use homing_executor::task;
use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

/// The environment variable with the one seed that all trials are to use.
const SEED: &str = "HOMING_TEST_SEED";

/// Runs a test in virtual time, first in, first out: `Trial::new().run(body)`. See [`Trial`].
///
/// # Panics
///
/// If the test fails: see [`Trial::run`].
///
/// ```
/// fn an_hour_passes_in_no_time() {
///     homing::testing::run(async || {
///         homing::sleep(std::time::Duration::from_secs(3600)).await
///     });
/// }
/// # an_hour_passes_in_no_time();
/// ```
#[track_caller]
pub fn run<T>(body: impl AsyncFnMut() -> Result<T>) -> T {
    Trial::new().run(body)
}

/// A test to be run. Made with [`new`](Trial::new), told what it is to be like, and [run](Trial::run).
///
/// # asyncio
///
/// `unittest.IsolatedAsyncioTestCase`, which has neither a clock of its own nor any seeds, and reports what was left as
/// warnings at best.
pub struct Trial {
    orders: Orders,
    clock: Clock,
    limit: Duration,
    tolerated: Rc<RefCell<Vec<Tolerance>>>,
}

/// Whether a finding is no reason to fail.
type Tolerance = Box<dyn Fn(&Finding<'_>) -> bool>;

/// In which orders tasks are polled that are ready at once.
#[derive(Debug)]
enum Orders {
    /// First in, first out.
    Fifo,
    /// As each of these seeds says.
    Seeds(Range<u64>),
}

#[derive(Debug)]
enum Clock {
    Virtual,
    Real,
}

impl Trial {
    /// In virtual time, first in, first out, for at most a day of that time; nothing that is left is tolerated.
    pub fn new() -> Trial {
        Trial {
            orders: Orders::Fifo,
            clock: Clock::Virtual,
            limit: Duration::from_secs(24 * 3600),
            tolerated: Rc::default(),
        }
    }

    /// Polls tasks that are ready at once in the order that this seed says.
    pub fn seed(self, seed: u64) -> Trial {
        self.seeds(seed..seed.saturating_add(1))
    }

    /// Runs the test once with each of these seeds: `.seeds(0..100)`. If it fails, it says with which; the environment
    /// variable `HOMING_TEST_SEED` then has it, and every other trial, run with that one alone.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn seeds(mut self, seeds: Range<u64>) -> Trial {
        assert!(!seeds.is_empty(), "a trial with no seed would test nothing");
        self.orders = Orders::Seeds(seeds);
        self
    }

    /// Uses the operating system's clock, for tests of real sockets, processes and threads: virtual time does not wait for
    /// these. The limit is a minute then, if it is not set afterwards.
    pub fn real_time(mut self) -> Trial {
        self.clock = Clock::Real;
        self.limit = Duration::from_secs(60);
        self
    }

    /// How long the body may take, by the trial's clock. If it takes longer the trial fails, and shows where every task
    /// stands: so a test that hangs in virtual time fails at once.
    pub fn limit(mut self, limit: Duration) -> Trial {
        self.limit = limit;
        self
    }

    /// Does not fail because of such findings.
    ///
    /// ```
    /// use homing::testing::{Finding, Trial};
    ///
    /// Trial::new().tolerate(|finding| matches!(finding, Finding::Task(task) if task.name() == "logger")).run(async || {
    ///     homing::task(std::future::pending::<homing::Result<()>>()).name("logger").spawn();
    ///     Ok(())
    /// });
    /// ```
    pub fn tolerate(self, tolerated: impl Fn(&Finding<'_>) -> bool + 'static) -> Trial {
        self.tolerated.borrow_mut().push(Box::new(tolerated));
        self
    }

    /// Runs the test: `body` is called in a new runtime, once for each seed. Returns what it returned last.
    ///
    /// # Panics
    ///
    /// If the body panics, with its panic. If it returns an error; if it takes longer than the [limit](Trial::limit); or if
    /// anything was found afterwards that is not [tolerated](Trial::tolerate). The message has the whole error, and the places
    /// of what was left.
    #[track_caller]
    pub fn run<T>(self, mut body: impl AsyncFnMut() -> Result<T>) -> T {
        match self.seeds_to_use() {
            None => self.run_once(None, &mut body),
            Some(seeds) => {
                let mut last = None;
                for seed in seeds {
                    last = Some(self.run_once(Some(seed), &mut body));
                }
                last.expect("there is a seed")
            }
        }
    }

    fn seeds_to_use(&self) -> Option<Range<u64>> {
        if let Ok(seed) = std::env::var(SEED) {
            let seed: u64 = seed.parse().unwrap_or_else(|_| panic!("{SEED} is not a number: {seed:?}"));
            return Some(seed..seed.saturating_add(1));
        }
        match &self.orders {
            Orders::Fifo => None,
            Orders::Seeds(seeds) => Some(seeds.clone()),
        }
    }

    #[track_caller]
    fn run_once<T>(&self, seed: Option<u64>, body: &mut impl AsyncFnMut() -> Result<T>) -> T {
        let again = seed.map(|seed| format!("with seed {seed} ({SEED}={seed} repeats it)"));
        let outcome = match catch_unwind(AssertUnwindSafe(|| self.attempt(seed, body))) {
            Ok(outcome) => outcome,
            Err(payload) => {
                again.into_iter().for_each(|again| eprintln!("the test panicked {again}"));
                resume_unwind(payload);
            }
        };
        outcome.unwrap_or_else(|failure| {
            panic!("the test failed{}:\n{failure}", again.map_or(String::new(), |again| format!(" {again}")))
        })
    }

    /// One run: the value, or why it has failed.
    fn attempt<T>(&self, seed: Option<u64>, body: &mut impl AsyncFnMut() -> Result<T>) -> Result<T, String> {
        // What is found is put into words at once: a task has its name only as long as its runtime is there.
        let found = Rc::new(Found { tolerated: self.tolerated.clone(), text: RefCell::default() });
        let builder = Builder::new().debug(true).on_unhandled({
            let found = found.clone();
            move |unhandled| found.add(&Finding::Unhandled(unhandled))
        });
        let builder = match self.clock {
            Clock::Virtual => builder.virtual_time(),
            Clock::Real => builder,
        };
        let builder = match seed {
            Some(seed) => builder.seed(seed),
            None => builder,
        };
        let runtime = builder.build();
        let outcome = runtime.run(async {
            let main = task::current();
            let outcome = Limited::new(body(), self.limit).await;
            // What has just been dropped or cancelled takes its last turns.
            settle().await?;
            for task in task::all_tasks().iter().filter(|task| Some(*task) != main.as_ref()) {
                found.add(&Finding::Task(task));
            }
            Ok(outcome)
        });
        let left = runtime.resources();
        if left.timers > 0 {
            found.add(&Finding::Timers(left.timers));
        }
        if left.descriptors > 0 {
            found.add(&Finding::Descriptors(left.descriptors));
        }
        drop(runtime);

        let found = found.text.take();
        match outcome {
            Ok(Ok(Ok(value))) if found.is_empty() => Ok(value),
            Ok(Ok(Ok(_))) => Err(found),
            Ok(Err(Overdue(everybody))) => Err(format!(
                "it took longer than {:?}; this is where everybody stood:\n{everybody}\n{found}",
                self.limit
            )),
            Ok(Ok(Err(error))) | Err(error) => Err(format!("{error:#}\n{found}")),
        }
    }
}

/// What was found in one run, in words.
struct Found {
    tolerated: Rc<RefCell<Vec<Tolerance>>>,
    text: RefCell<String>,
}

impl Found {
    fn add(&self, finding: &Finding<'_>) {
        if !self.tolerated.borrow().iter().any(|tolerates| tolerates(finding)) {
            *self.text.borrow_mut() += &format!("{finding}\n");
        }
    }
}

impl Default for Trial {
    fn default() -> Self {
        Trial::new()
    }
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial")
            .field("orders", &self.orders)
            .field("clock", &self.clock)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
