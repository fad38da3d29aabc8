//! Numbers in no order, the same for each runtime and in each round.

use std::time::Duration;

/// Multiples of the golden ratio: evenly spread, and neighbours far apart.
pub(crate) fn scattered(number: u32) -> u32 {
    number.wrapping_mul(0x9E37_79B9)
}

/// Between an hour and some ten hours. Far enough for a round under a profiler, which may take minutes.
pub(crate) fn hours_away(number: u32) -> Duration {
    Duration::from_secs(3_600) + Duration::from_micros(u64::from(scattered(number)) * 8)
}

/// Between none and all of `span`.
pub(crate) fn within(span: Duration, number: u32) -> Duration {
    span.mul_f64(f64::from(scattered(number)) / 2_f64.powi(32))
}
