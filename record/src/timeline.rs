//! The time line: what was recorded, as it is shown. All formats are written from this.
//!
//! ```text
//!   lane      ▐poll▌── waits for a timer ──░in line░▐poll▌────…     one for each task
//!   block     ┌ group 'page' ──────────────────────────┐            a scope, around the lanes of its children
//!   arrow     spawner ──► child's first poll; who wakes ──► the poll that it brings; who cancels ──► whom
//!   sleeps                                                          of the whole runtime: there was nothing to do
//! ```
//!
//! Times are nanoseconds since the recording began, or [steps](super::Recorder::steps).

use crate::json::{Json, Object};
use crate::strings::{Strings, Text};

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct TimeLine {
    pub(crate) unit: Unit,
    /// When the recording ended.
    pub(crate) end: u64,
    /// How many events were left out, because there had been too many.
    pub(crate) left_out: u64,
    pub(crate) strings: Strings,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) arrows: Vec<Arrow>,
    pub(crate) sleeps: Vec<(u64, u64)>,
}

/// What times are counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unit {
    #[default]
    Nanoseconds,
    Steps,
}

/// One task.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) type_name: Text,
    pub(crate) place: Option<Text>,
    /// The lane of the group's task that it belongs to, or else that of its spawner.
    pub(crate) parent: Option<usize>,
    /// The block of its group.
    pub(crate) group: Option<usize>,
    /// How far it is indented.
    pub(crate) depth: usize,
    pub(crate) from: u64,
    /// `None` if it had not ended when the recording did.
    pub(crate) to: Option<u64>,
    pub(crate) outcome: Ended,
    pub(crate) error: Option<Text>,
    pub(crate) segments: Vec<Segment>,
    /// When it was asked to cancel, and what for.
    pub(crate) requests: Vec<(u64, Text)>,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    NotYet,
    Value,
    Failed,
    Cancelled,
}

/// What a task did for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) kind: Doing,
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// What it waited for.
    pub(crate) what: Option<Text>,
    pub(crate) place: Option<Text>,
}

/// See [`Segment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// In line for its turn.
    Ready,
    /// Being polled.
    Poll,
    /// Waiting.
    Wait,
}

/// A scope: from one lane to another, for some time.
#[derive(Debug)]
pub(crate) struct Block {
    /// The lane of the task that is in it.
    pub(crate) lane: usize,
    /// The last lane of those that belong to it.
    pub(crate) last: usize,
    /// The block around it, of the same task.
    pub(crate) parent: Option<usize>,
    pub(crate) kind: Text,
    pub(crate) name: Option<Text>,
    pub(crate) place: Option<Text>,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// From one task, at one time, to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrow {
    pub(crate) kind: Reason,
    pub(crate) lane: usize,
    pub(crate) at: u64,
    pub(crate) to_lane: usize,
    pub(crate) to: u64,
}

/// Why there is an arrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Spawn,
    Wake,
    Cancel,
}

impl Json for TimeLine {
    fn write(&self, json: &mut String) {
        let Self { unit, end, left_out, strings, lanes, blocks, arrows, sleeps } = self;
        Object(&[
            ("unit", unit),
            ("end", end),
            ("left_out", left_out),
            ("strings", strings),
            ("lanes", lanes),
            ("blocks", blocks),
            ("arrows", arrows),
            ("sleeps", sleeps),
        ])
        .write(json);
    }
}

impl Json for Lane {
    fn write(&self, json: &mut String) {
        let Self { id, name, type_name, place, parent, depth, from, to, outcome, error, .. } = self;
        Object(&[
            ("id", id),
            ("name", name),
            ("type", type_name),
            ("place", place),
            ("parent", parent),
            ("depth", depth),
            ("from", from),
            ("to", to),
            ("outcome", outcome),
            ("error", error),
            ("segments", &self.segments),
            ("requests", &self.requests),
        ])
        .write(json);
    }
}

impl Json for Segment {
    fn write(&self, json: &mut String) {
        let Self { kind, from, to, what, place } = self;
        Object(&[("kind", kind), ("from", from), ("to", to), ("what", what), ("place", place)]).write(json);
    }
}

impl Json for Block {
    fn write(&self, json: &mut String) {
        let Self { lane, last, parent, kind, name, place, from, to } = self;
        Object(&[
            ("lane", lane),
            ("last", last),
            ("parent", parent),
            ("kind", kind),
            ("name", name),
            ("place", place),
            ("from", from),
            ("to", to),
        ])
        .write(json);
    }
}

impl Json for Arrow {
    fn write(&self, json: &mut String) {
        let Self { kind, lane, at, to_lane, to } = self;
        Object(&[("kind", kind), ("lane", lane), ("at", at), ("to_lane", to_lane), ("to", to)]).write(json);
    }
}

impl Json for Unit {
    fn write(&self, json: &mut String) {
        let word = match self {
            Unit::Nanoseconds => "nanoseconds",
            Unit::Steps => "steps",
        };
        word.write(json);
    }
}

impl Json for Ended {
    fn write(&self, json: &mut String) {
        let word = match self {
            Ended::NotYet => "not yet",
            Ended::Value => "value",
            Ended::Failed => "failed",
            Ended::Cancelled => "cancelled",
        };
        word.write(json);
    }
}

impl Json for Doing {
    fn write(&self, json: &mut String) {
        let word = match self {
            Doing::Ready => "ready",
            Doing::Poll => "poll",
            Doing::Wait => "wait",
        };
        word.write(json);
    }
}

impl Json for Reason {
    fn write(&self, json: &mut String) {
        self.as_str().write(json);
    }
}

impl Reason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Reason::Spawn => "spawn",
            Reason::Wake => "wake",
            Reason::Cancel => "cancel",
        }
    }
}
