//! homing: a single-threaded async runtime in which every task comes home.
#![forbid(unsafe_code)]
