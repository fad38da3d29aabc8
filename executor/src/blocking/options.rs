//! What a pool can be told before it begins.

use std::borrow::Cow;
use std::time::Duration;

/// Options of a runtime's threads for [blocking jobs](super::spawn_blocking): see
/// [`Builder::blocking`](crate::runtime::Builder::blocking).
///
/// # asyncio
///
/// The arguments of the `ThreadPoolExecutor` that `loop.set_default_executor` is given.
///
/// ```
/// use homing::blocking::BlockingOptions;
/// use std::time::Duration;
///
/// let jobs = BlockingOptions::new().threads(2).name("indexer").keep_alive(Duration::from_millis(100));
/// homing::Builder::new().blocking(jobs).build().run(async {
///     let name = homing::spawn_blocking(|| Ok(std::thread::current().name().map(str::to_owned))).await?;
///     assert_eq!(name.as_deref(), Some("indexer-1"));
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct BlockingOptions {
    pub(super) threads: usize,
    pub(super) keep_alive: Duration,
    pub(super) name: Cow<'static, str>,
    pub(super) stack_size: Option<usize>,
    pub(super) patience: Duration,
}

impl BlockingOptions {
    /// The defaults: at most 64 threads, which leave after 10 seconds without work and are called `homing-job-1` and so on,
    /// with the stacks that the standard library gives threads, and waited for at the runtime's end as long as it takes.
    pub fn new() -> BlockingOptions {
        BlockingOptions {
            threads: 64,
            keep_alive: Duration::from_secs(10),
            name: Cow::Borrowed("homing-job"),
            stack_size: None,
            patience: Duration::MAX,
        }
    }

    /// How many threads there are at most, and so how many jobs run at once. Others wait in line.
    ///
    /// # Panics
    ///
    /// If it is zero: nobody would ever run a job.
    #[track_caller]
    pub fn threads(mut self, threads: usize) -> Self {
        assert!(threads > 0, "without a thread, no job would ever run");
        self.threads = threads;
        self
    }

    /// How long a thread without work stays for the next job before it ends.
    pub fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// What the threads are called, before the number. Linux shows 15 bytes of it all.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// How large their stacks are, in bytes.
    pub fn stack_size(mut self, stack_size: usize) -> Self {
        self.stack_size = Some(stack_size);
        self
    }

    /// How long the end of the runtime waits for jobs that are running or in line then. What takes longer goes on by itself,
    /// and that is reported through the hook for unhandled errors; its own error is then printed.
    ///
    /// # asyncio
    ///
    /// The `timeout` of `loop.shutdown_default_executor`, which `asyncio.run` sets to five minutes. Here it is unlimited
    /// unless told otherwise.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

impl Default for BlockingOptions {
    fn default() -> Self {
        BlockingOptions::new()
    }
}
