//! The chapters of the book, for the doc-test runner: every Rust snippet in them is a test.

#[doc = include_str!("../docs/src/architecture.md")]
struct Architecture;
#[doc = include_str!("../docs/src/loop.md")]
struct Loop;
