//! Time lines: what the tasks of a runtime did, when, and because of whom (feature `record`).
//!
//! ```text
//!   Builder::record(path) ──► Recorder, an observer ──► events, as they happen
//!                                                          │ when the runtime is dropped
//!                                                          ▼
//!                                 TimeLine: a lane for each task, blocks for scopes, arrows
//!                                   ├─ path.json   Chrome's trace format, for ui.perfetto.dev
//!                                   ├─ path.html   one page that needs nothing else: zoom, hover, search
//!                                   └─ path.svg    a drawing, for small programs
//! ```
//!
//! ```
//! use homing::record::Record;
//! use homing::{Builder, sleep, task_group};
//! use std::time::Duration;
//!
//! # let directory = std::env::temp_dir().join(format!("homing-record-{}", std::process::id()));
//! # std::fs::create_dir_all(&directory).unwrap();
//! # let page = directory.join("dashboard.html");
//! Builder::new().record(&page).build().run(async {
//!     task_group(async |tg| {
//!         tg.task(sleep(Duration::from_millis(2))).name("user").spawn();
//!         tg.task(sleep(Duration::from_millis(1))).name("orders").spawn();
//!         Ok(())
//!     })
//!     .await
//! })?;
//! // The runtime was dropped at the end of that line.
//! assert!(std::fs::read_to_string(&page)?.contains("orders"));
//! # std::fs::remove_dir_all(&directory)?;
//! # Ok::<(), homing::Error>(())
//! ```
//!
//! What is recorded costs some hundred nanoseconds an event, and some hundred bytes; so there is a
//! [limit](Recorder::limit), after which nothing more is.
#![forbid(unsafe_code)]

mod chrome;
mod drawing;
mod json;
mod layout;
mod page;
mod recorder;
mod strings;
mod timeline;

pub use recorder::{Format, Record, Recorder};
