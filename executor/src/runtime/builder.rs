//! What a runtime can be told before it begins.

use super::Runtime;
use super::core::{Core, Settings};
use crate::blocking::BlockingOptions;
use crate::clock::ClockKind;
use crate::hook::Unhandled;
use crate::observe::Observer;
use crate::task::options::Start;
use crate::time::GRAIN;
use std::fmt;
use std::time::Duration;

/// Options of a [`Runtime`].
///
/// ```
/// let runtime = homing::Builder::new().virtual_time().seed(7).build();
/// let begin = std::time::Instant::now();
/// runtime.block_on(homing::sleep(std::time::Duration::from_secs(3600))).unwrap();
/// assert!(begin.elapsed().as_secs() < 60);
/// ```
#[must_use = "nothing is built before `.build()`"]
pub struct Builder {
    settings: Settings,
}

impl Builder {
    /// The defaults: real time, first in, first out, tasks queued, debug mode as the program was built.
    pub fn new() -> Builder {
        Builder {
            settings: Settings {
                clock: ClockKind::Monotonic,
                seed: None,
                default_start: Start::Queued,
                debug: cfg!(debug_assertions),
                hook: None,
                blocking: BlockingOptions::new(),
                observers: Vec::new(),
                count_polls: false,
                grain: GRAIN,
            },
        }
    }

    /// A clock that stands still while anything can run, and then jumps to the next deadline. Events of real I/O are
    /// taken in before each jump, and waited for when there is no deadline.
    pub fn virtual_time(mut self) -> Self {
        self.settings.clock = ClockKind::Virtual;
        self
    }

    /// How long timers may be put off so that they are served together: 50 µs, if this is not called.
    ///
    /// To be woken for a deadline costs the thread some ten microseconds. So where several timers were due at once, the next
    /// wake-up for a deadline comes a grain later, and serves all that have come due by then. A timer that is alone does not
    /// wait, and none is ever early. A larger grain is for programs with very many timers that need not be so exact: with a
    /// timer every ten microseconds, 1 ms takes a hundredth of the wake-ups. With zero, every deadline is waited for by
    /// itself.
    ///
    /// # asyncio
    ///
    /// The resolution of its loop's clock, by which timers fire together there, only that none is early here.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = homing::Builder::new().timer_grain(Duration::from_millis(1)).build();
    /// # drop(runtime);
    /// ```
    pub fn timer_grain(mut self, grain: Duration) -> Self {
        self.settings.grain = grain;
        self
    }

    /// Polls each turn's tasks in a random order that depends on the seed alone: for tests that must not rely on the
    /// order.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Whether tasks are started eagerly unless they say otherwise (see
    /// [`TaskBuilder::eager`](crate::task::TaskBuilder::eager)).
    ///
    /// # asyncio
    ///
    /// `loop.set_task_factory(asyncio.eager_task_factory)` (EA-5).
    pub fn eager_tasks(mut self, eager: bool) -> Self {
        self.settings.default_start = if eager { Start::Eager } else { Start::Queued };
        self
    }

    /// Debug mode: also reports cancellations that a task has swallowed. By default it is on in programs that are built
    /// with debug assertions.
    ///
    /// # asyncio
    ///
    /// `asyncio.run(…, debug=True)` (RU-1).
    pub fn debug(mut self, debug: bool) -> Self {
        self.settings.debug = debug;
        self
    }

    /// The threads for [blocking jobs](crate::blocking::spawn_blocking): how many, how long they stay, what they are called.
    ///
    /// # asyncio
    ///
    /// `loop.set_default_executor`.
    pub fn blocking(mut self, options: BlockingOptions) -> Self {
        self.settings.blocking = options;
        self
    }

    /// What is called with errors that nobody else will see. By default they are printed to the standard error.
    ///
    /// A panic in the hook is caught, and what it was called with is printed.
    ///
    /// # asyncio
    ///
    /// `loop.set_exception_handler`.
    pub fn on_unhandled(mut self, hook: impl Fn(&Unhandled) + 'static) -> Self {
        self.settings.hook = Some(Box::new(hook));
        self
    }

    /// Has an observer told of what becomes of the tasks. Several are told one after the other, in the order in which they
    /// were added.
    ///
    /// Without one, there is nearly nothing to pay; see [`observe`](crate::observe), also for an example.
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.settings.observers.push(Box::new(observer));
        self
    }

    /// Whether polls and wakes are counted, for [`metrics`](Runtime::metrics): two readings of the clock for each poll. Where
    /// there is an observer, they are anyway.
    pub fn count_polls(mut self, count: bool) -> Self {
        self.settings.count_polls = count;
        self
    }

    /// Builds the runtime. It asks nothing of the operating system before it has to.
    pub fn build(self) -> Runtime {
        Runtime::from_core(Core::new(self.settings))
    }
}

impl Default for Builder {
    fn default() -> Self {
        Builder::new()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("clock", &self.settings.clock)
            .field("seed", &self.settings.seed)
            .finish_non_exhaustive()
    }
}
