//! The microbenchmark harness of homing.
fn main() {}
