//! Time: points in time by the runtime's clock, sleeping, and doing something at intervals.

mod crowd;
mod deadlines;
mod instant;
mod interval;
mod sleep;
mod timer;
mod yield_now;

pub(crate) use crowd::{Crowd, GRAIN};
pub(crate) use deadlines::{Deadlines, Wakes};
pub use instant::Instant;
pub use interval::{Interval, MissedTicks, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use timer::Timer;
pub use yield_now::{YieldNow, yield_now};
