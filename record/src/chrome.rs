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

use crate::json::{Json, Object, Written, to_string};
use crate::timeline::{Doing, Ended, Lane, TimeLine, Unit};

/// The thread id of the runtime's own lane; tasks follow.
const RUNTIME: usize = 0;

pub(crate) fn write(line: &TimeLine) -> String {
    let mut writer = Writer { line, events: Vec::new() };
    writer.write();
    let about = Object(&[
        ("recorded by", &concat!("homing ", env!("CARGO_PKG_VERSION"))),
        ("unit", &line.unit),
        ("events left out", &line.left_out),
    ]);
    to_string(&Object(&[("displayTimeUnit", &"ns"), ("otherData", &about), ("traceEvents", &writer.events)]))
}

struct Writer<'a> {
    line: &'a TimeLine,
    events: Vec<Written>,
}

/// Members of an event beside those that all have.
type Members<'a> = &'a [(&'a str, &'a dyn Json)];

impl<'a> Writer<'a> {
    fn write(&mut self) {
        self.put("M", RUNTIME, "process_name", &[("args", &Object(&[("name", &"homing")]))]);
        self.name(RUNTIME, "the runtime");
        for (from, to) in &self.line.sleeps {
            self.slice(RUNTIME, "asleep", "sleep", (*from, *to), Object(&[]));
        }
        for (index, lane) in self.line.lanes.iter().enumerate() {
            self.lane(index, lane);
        }
        self.blocks();
        self.arrows();
    }

    fn put(&mut self, phase: &str, thread: usize, name: &str, more: Members<'_>) {
        let mut members: Vec<(&str, &dyn Json)> =
            vec![("ph", &phase), ("pid", &1_u32), ("tid", &thread), ("name", &name)];
        members.extend(more);
        self.events.push(Written(to_string(&Object(&members))));
    }

    fn name(&mut self, thread: usize, name: &str) {
        self.put("M", thread, "thread_name", &[("args", &Object(&[("name", &name)]))]);
        self.put("M", thread, "thread_sort_index", &[("args", &Object(&[("sort_index", &thread)]))]);
    }

    fn lane(&mut self, index: usize, lane: &Lane) {
        let thread = thread(index);
        self.name(thread, &format!("{}{}", "  ".repeat(lane.depth), lane.name));
        for segment in &lane.segments {
            let (name, category) = match segment.kind {
                Doing::Ready => ("in line".to_owned(), "ready"),
                Doing::Poll => ("poll".to_owned(), "poll"),
                Doing::Wait => (format!("awaits {}", self.text(segment.what).unwrap_or("something")), "wait"),
            };
            let place = self.text(segment.place);
            self.slice(thread, &name, category, (segment.from, segment.to), Object(&[("place", &place)]));
        }
        for (at, why) in &lane.requests {
            let why = self.line.strings.text(*why);
            self.instant(thread, "asked to cancel", *at, Object(&[("why", &why)]));
        }
        if let Some(at) = lane.to {
            let outcome = match lane.outcome {
                Ended::Value => "ended with a value",
                Ended::Failed => "failed",
                Ended::Cancelled => "ended cancelled",
                Ended::NotYet => "has not ended",
            };
            let future = self.line.strings.text(lane.type_name);
            let (error, place) = (self.text(lane.error), self.text(lane.place));
            let args =
                Object(&[("error", &error), ("future", &future), ("spawned at", &place), ("id", &lane.id)]);
            self.instant(thread, outcome, at, args);
        }
    }

    fn slice(&mut self, thread: usize, name: &str, category: &str, (from, to): (u64, u64), args: Object<'_>) {
        let (at, took) = (self.micros(from), self.micros(to - from));
        self.put("X", thread, name, &[("cat", &category), ("ts", &at), ("dur", &took), ("args", &args)]);
    }

    fn instant(&mut self, thread: usize, name: &str, at: u64, args: Object<'_>) {
        let at = self.micros(at);
        self.put("i", thread, name, &[("s", &"t"), ("ts", &at), ("args", &args)]);
    }

    fn blocks(&mut self) {
        for (id, block) in self.line.blocks.iter().enumerate() {
            let kind = self.line.strings.text(block.kind);
            let name =
                self.text(block.name).map_or_else(|| kind.to_owned(), |name| format!("{kind} '{name}'"));
            let (task, place) = (&self.line.lanes[block.lane].name, self.text(block.place));
            for (phase, at) in [("b", block.from), ("e", block.to)] {
                let at = self.micros(at);
                let args = Object(&[("task", task), ("place", &place)]);
                let members: Members<'_> = &[("cat", &"scope"), ("id", &id), ("ts", &at), ("args", &args)];
                self.put(phase, thread(block.lane), &name, members);
            }
        }
    }

    fn arrows(&mut self) {
        for (id, arrow) in self.line.arrows.iter().enumerate() {
            let name = arrow.kind.as_str();
            for (phase, lane, at) in [("s", arrow.lane, arrow.at), ("f", arrow.to_lane, arrow.to)] {
                let at = self.micros(at);
                let members: Members<'_> = &[("bp", &"e"), ("cat", &name), ("id", &id), ("ts", &at)];
                self.put(phase, thread(lane), name, members);
            }
        }
    }

    fn text(&self, number: Option<u32>) -> Option<&'a str> {
        number.map(|number| self.line.strings.text(number))
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
