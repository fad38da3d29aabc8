//! homing: a single-threaded async runtime in which every task comes home.
#![forbid(unsafe_code)]

pub use homing_executor::error::{Cancelled, Error, Except, ExceptionGroup, Panicked, Result, TimedOut};
pub use homing_executor::runtime::{Builder, Handle, Runtime, call_soon, run};
pub use homing_executor::task::{SharedTask, Task, TaskId, TaskRef, all_tasks, current, spawn, task};
pub use homing_executor::time::{Instant, sleep, sleep_until, yield_now};
pub use homing_executor::{Unhandled, cancel, error, runtime, time};
