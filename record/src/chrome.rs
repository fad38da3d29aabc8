//! Chrome's trace format, which Perfetto's page reads.
//!
//! ```text
//!   thread_name, thread_sort_index   a lane, in the order of the layout
//!   X  complete event                a poll, a wait, a time in line; a sleep of the runtime
//!   b, e  nestable async event       a scope
//!   s, f  flow                       an arrow: binds to the slices at its ends
//!   i  instant                       a request to cancel
//! ```
//!
//! The format: [Trace Event Format](https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU),
//! Google, 2016. Times are microseconds, with fractions.

use crate::timeline::{Doing, Ended, Lane, Reason, TimeLine, Unit};
use serde_json::{Value, json};

/// The thread id of the runtime's own lane; tasks follow.
const RUNTIME: usize = 0;

pub(crate) fn write(line: &TimeLine) -> String {
    let writer = Writer { line, events: Vec::new() };
    let trace = json!({
        "displayTimeUnit": "ns",
        "otherData": {
            "recorded by": concat!("homing ", env!("CARGO_PKG_VERSION")),
            "unit": line.unit,
            "events left out": line.left_out,
        },
        "traceEvents": writer.all(),
    });
    trace.to_string()
}

struct Writer<'a> {
    line: &'a TimeLine,
    events: Vec<Value>,
}

impl Writer<'_> {
    fn all(mut self) -> Vec<Value> {
        self.events.push(json!({"ph": "M", "pid": 1, "name": "process_name", "args": {"name": "homing"}}));
        self.name(RUNTIME, "the runtime");
        for (from, to) in &self.line.sleeps {
            self.slice(RUNTIME, "asleep", "sleep", *from, *to, json!({}));
        }
        for (index, lane) in self.line.lanes.iter().enumerate() {
            self.lane(index, lane);
        }
        self.blocks();
        self.arrows();
        self.events
    }

    fn name(&mut self, thread: usize, name: &str) {
        let named = |what: &str, key: &str, value: Value| json!({"ph": "M", "pid": 1, "tid": thread, "name": what, "args": {key: value}});
        self.events.push(named("thread_name", "name", name.into()));
        self.events.push(named("thread_sort_index", "sort_index", thread.into()));
    }

    fn lane(&mut self, index: usize, lane: &Lane) {
        let thread = thread(index);
        self.name(thread, &format!("{}{}", "  ".repeat(lane.depth), lane.name));
        for segment in &lane.segments {
            let what = segment.what.map(|what| self.line.strings.text(what));
            let (name, category) = match segment.kind {
                Doing::Ready => ("in line".to_owned(), "ready"),
                Doing::Poll => ("poll".to_owned(), "poll"),
                Doing::Wait => (format!("awaits {}", what.unwrap_or("something")), "wait"),
            };
            let place = segment.place.map(|place| self.line.strings.text(place));
            self.slice(thread, &name, category, segment.from, segment.to, json!({"place": place}));
        }
        for (at, why) in &lane.requests {
            let args = json!({"why": self.line.strings.text(*why)});
            self.instant(thread, "asked to cancel", *at, args);
        }
        if let Some(at) = lane.to {
            let outcome = match lane.outcome {
                Ended::Value => "ended with a value",
                Ended::Failed => "failed",
                Ended::Cancelled => "ended cancelled",
                Ended::NotYet => "has not ended",
            };
            let args = json!({
                "error": lane.error.map(|error| self.line.strings.text(error)),
                "future": self.line.strings.text(lane.type_name),
                "spawned at": lane.place.map(|place| self.line.strings.text(place)),
                "id": lane.id,
            });
            self.instant(thread, outcome, at, args);
        }
    }

    fn slice(&mut self, thread: usize, name: &str, category: &str, from: u64, to: u64, args: Value) {
        let (at, took) = (self.micros(from), self.micros(to - from));
        self.events.push(json!({
            "ph": "X", "pid": 1, "tid": thread, "name": name, "cat": category, "ts": at, "dur": took, "args": args,
        }));
    }

    fn instant(&mut self, thread: usize, name: &str, at: u64, args: Value) {
        let at = self.micros(at);
        self.events.push(json!({
            "ph": "i", "s": "t", "pid": 1, "tid": thread, "name": name, "ts": at, "args": args,
        }));
    }

    fn blocks(&mut self) {
        for (id, block) in self.line.blocks.iter().enumerate() {
            let text = |text: u32| self.line.strings.text(text);
            let kind = text(block.kind);
            let name = block.name.map_or_else(|| kind.to_owned(), |name| format!("{kind} '{}'", text(name)));
            let args = json!({"task": self.line.lanes[block.lane].name, "place": block.place.map(text)});
            for (phase, at) in [("b", block.from), ("e", block.to)] {
                let at = self.micros(at);
                self.events.push(json!({
                    "ph": phase, "pid": 1, "tid": thread(block.lane), "cat": "scope", "id": id, "name": name,
                    "ts": at, "args": args,
                }));
            }
        }
    }

    fn arrows(&mut self) {
        for (id, arrow) in self.line.arrows.iter().enumerate() {
            let name = match arrow.kind {
                Reason::Spawn => "spawn",
                Reason::Wake => "wake",
                Reason::Cancel => "cancel",
            };
            for (phase, lane, at) in [("s", arrow.lane, arrow.at), ("f", arrow.to_lane, arrow.to)] {
                let at = self.micros(at);
                self.events.push(json!({
                    "ph": phase, "bp": "e", "pid": 1, "tid": thread(lane), "cat": name, "name": name, "id": id, "ts": at,
                }));
            }
        }
    }

    /// A step is shown as a microsecond.
    fn micros(&self, time: u64) -> f64 {
        match self.line.unit {
            Unit::Nanoseconds => time as f64 / 1000.0,
            Unit::Steps => time as f64,
        }
    }
}

fn thread(lane: usize) -> usize {
    lane + 1
}
