//! Structured concurrency for homing.
