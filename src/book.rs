//! The chapters of the book, for the doc-test runner: every Rust snippet in them is a test.
//!
//! Two are not here, since others look after them: `parity.md` is written by `examples/parity_table.rs`, and the snippets
//! in `cookbook.md` are parts of the examples, with which `tests/examples` compares them. (So are those of
//! `troubleshooting.md` that are not tested here.)

#[doc = include_str!("../docs/src/architecture.md")]
struct Architecture;
#[doc = include_str!("../docs/src/loop.md")]
struct Loop;
#[doc = include_str!("../docs/src/tasks.md")]
struct Tasks;
#[doc = include_str!("../docs/src/wakers.md")]
struct Wakers;
#[doc = include_str!("../docs/src/timers.md")]
struct Timers;
#[doc = include_str!("../docs/src/cancellation.md")]
struct Cancellation;
#[doc = include_str!("../docs/src/errors.md")]
struct Errors;
#[doc = include_str!("../docs/src/groups.md")]
struct Groups;
#[doc = include_str!("../docs/src/scope.md")]
struct Scope;
#[doc = include_str!("../docs/src/asyncio.md")]
struct Asyncio;
#[doc = include_str!("../docs/src/semantics.md")]
struct Semantics;
#[doc = include_str!("../docs/src/decisions.md")]
struct Decisions;
#[doc = include_str!("../docs/src/glossary.md")]
struct Glossary;
#[doc = include_str!("../docs/src/reading.md")]
struct Reading;
#[doc = include_str!("../docs/src/benchmarks.md")]
struct Benchmarks;
#[doc = include_str!("../docs/src/sync.md")]
struct Sync;
#[doc = include_str!("../docs/src/introspection.md")]
struct Introspection;
#[doc = include_str!("../docs/src/troubleshooting.md")]
struct Troubleshooting;
#[doc = include_str!("../docs/src/sockets.md")]
#[cfg(all(unix, feature = "hyper"))]
struct Sockets;
#[doc = include_str!("../docs/src/serving.md")]
#[cfg(all(unix, feature = "hyper"))]
struct Serving;
#[doc = include_str!("../docs/src/blocking.md")]
#[cfg(unix)]
struct Blocking;
#[doc = include_str!("../docs/src/processes.md")]
#[cfg(unix)]
struct Processes;
#[doc = include_str!("../docs/src/recording.md")]
#[cfg(feature = "record")]
struct Recording;
#[doc = include_str!("../docs/src/testing.md")]
#[cfg(feature = "testing")]
struct Testing;
#[doc = include_str!("../docs/src/embedding.md")]
struct Embedding;
#[doc = include_str!("../docs/src/threads.md")]
struct Threads;
#[doc = include_str!("../docs/src/platforms.md")]
struct Platforms;
#[doc = include_str!("../docs/src/hard_use.md")]
struct HardUse;
#[doc = include_str!("../README.md")]
struct Readme;
