//! The table as JSON.
//!
//! Written by hand: a handful of structs, in one direction. A serialisation framework would be the only procedural macro
//! among the dependencies, and the largest of them.
//!
//! Ids are strings, in hexadecimal as elsewhere: they use all of 64 bits, and many readers of JSON have 53.

use super::frame::{Frame, FrameKind, Place};
use super::held_by::HeldBy;
use super::table::{AwaitedBy, TaskEntry, TaskTable, ThreadTasks};
use std::fmt::{self, Display, Write};

impl TaskTable {
    /// The table as JSON, in one line: an object with the member `threads`.
    ///
    /// ```text
    /// { "threads": [ { "thread": 4711, "name": "main", "tasks": [
    ///     { "id": "0x100000002", "name": "main", "state": "parked", "type": "app::main", "spawned_at": { "file": …,
    ///       "line": 8, "column": 5 }, "polls": 2, "cancelling": 0, "changing": false, "parent": null,
    ///       "stack": [ { "kind": "await", "name": "timer", "detail": "due in 2s", "place": … }, … ],
    ///       "awaited_by": [ { "awaiter": "0x100000004", "stack": … }, … ] }, … ] }, … ] }
    /// ```
    ///
    /// A frame that is an await of a lock has the member `held_by` as well, if that is known:
    ///
    /// ```text
    /// [ { "task": "0x100000004", "name": "orders", "taker": "alive", "hold": "held", "permits": 0, "place": … }, … ]
    /// ```
    ///
    /// What is not known is `null`.
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        // Writing to a string cannot fail.
        let _ = write!(json, "{{\"threads\":{}}}", List(&self.threads, thread));
        json
    }
}

type Writer<T> = fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result;

fn thread(thread: &ThreadTasks, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let ThreadTasks { thread, name, tasks } = thread;
    write!(f, "{{\"thread\":{thread},\"name\":{},\"tasks\":{}}}", Text(name), List(tasks, task))
}

fn task(task: &TaskEntry, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let TaskEntry { id, name, state, type_name, spawned_at, polls, cancelling, .. } = task;
    let TaskEntry { parent, changing, stack, awaited_by, .. } = task;
    write!(f, "{{\"id\":\"{id:#x}\",\"name\":{},\"state\":\"{state}\",", OrNull(name.as_deref(), text))?;
    write!(f, "\"type\":{},\"spawned_at\":{},", Text(type_name), OrNull(spawned_at.as_ref(), place))?;
    write!(f, "\"polls\":{polls},\"cancelling\":{cancelling},\"changing\":{changing},")?;
    match parent {
        0 => f.write_str("\"parent\":null,")?,
        parent => write!(f, "\"parent\":\"{parent:#x}\",")?,
    }
    write!(f, "\"stack\":{},", List(stack, frame))?;
    write!(f, "\"awaited_by\":{}}}", List(awaited_by, awaiter))
}

fn awaiter(by: &AwaitedBy, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{{\"awaiter\":\"{:#x}\",\"stack\":{}}}", by.awaiter, List(&by.stack, frame))
}

fn frame(frame: &Frame, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let kind = match frame.kind {
        FrameKind::Running => "running",
        FrameKind::Await => "await",
        FrameKind::Scope => "scope",
        FrameKind::Spawn => "spawn",
        FrameKind::Function => "function",
    };
    let Frame { name, detail, place: at, .. } = frame;
    write!(f, "{{\"kind\":\"{kind}\",\"name\":{},\"detail\":{},", Text(name), Text(detail))?;
    write!(f, "\"place\":{}", OrNull(at.as_ref(), place))?;
    if !frame.held_by.is_empty() {
        write!(f, ",\"held_by\":{}", List(&frame.held_by, held_by))?;
    }
    f.write_char('}')
}

fn held_by(held: &HeldBy, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let HeldBy { task, name, taker, hold, permits, place: at } = held;
    match task {
        0 => f.write_str("{\"task\":null,")?,
        task => write!(f, "{{\"task\":\"{task:#x}\",")?,
    }
    let name = Some(name.as_str()).filter(|name| !name.is_empty());
    write!(f, "\"name\":{},\"taker\":\"{}\",", OrNull(name, text), taker.as_str())?;
    write!(f, "\"hold\":\"{}\",\"permits\":{permits},", hold.as_str())?;
    write!(f, "\"place\":{}}}", OrNull(at.as_ref(), place))
}

fn place(place: &Place, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Place { file, line, column } = place;
    write!(f, "{{\"file\":{},\"line\":{line},\"column\":{column}}}", Text(file))
}

fn text(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    Text(text).fmt(f)
}

struct List<'a, T>(&'a [T], Writer<T>);

impl<T> Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (index, item) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_char(',')?;
            }
            (self.1)(item, f)?;
        }
        f.write_char(']')
    }
}

struct OrNull<'a, T: ?Sized>(Option<&'a T>, Writer<T>);

impl<T: ?Sized> Display for OrNull<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => (self.1)(value, f),
            None => f.write_str("null"),
        }
    }
}

/// A string, in quotes.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for char in self.0.chars() {
            match char {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                control if control < ' ' => write!(f, "\\u{:04x}", u32::from(control))?,
                other => f.write_char(other)?,
            }
        }
        f.write_char('"')
    }
}
