//! A call graph as text, as near to asyncio's as it goes (CG-9).
//!
//! ```text
//! * Task(name='orders', id=0x100000004)
//!   + Call stack:
//!   |   File 'src/main.rs', line 9, awaiting timer due in 2s
//!   |   File 'src/main.rs', line 14, spawned async app::fetch()
//!   + Awaited by:
//!     * Task(name='main', id=0x100000002)
//!       …
//! ```
//!
//! A task is described once. Where it comes again, be it by another way or in a circle, the text refers back (CG-10): the
//! way that asyncio does it, the text can be longer than memory for a few dozen tasks.

use super::frame::{Frame, FrameKind};
use super::graph::{CallGraph, FutureCallGraph, Subject};
use std::fmt;

/// From this level on the text goes no further to the right, and the level is written out: a chain of a hundred thousand
/// tasks would be indented to death.
const DEEPEST: usize = 40;

pub(super) fn write(graph: &CallGraph, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut seen = vec![false; graph.iter().count()];
    let mut on_path: Vec<usize> = Vec::new();
    // Depth first, without recursion: on the stack is what is still to be written, each at its level.
    let mut rest = vec![(graph.root(), 0)];
    let mut separator = "";
    while let Some((node, level)) = rest.pop() {
        f.write_str(separator)?;
        separator = "\n";
        on_path.truncate(level);
        let indent = Indent(level);
        write!(f, "{indent}* {}", Head(node))?;
        if level > DEEPEST {
            write!(f, " (level {level})")?;
        }
        if std::mem::replace(&mut seen[node.index()], true) {
            f.write_str(if on_path.contains(&node.index()) {
                " (a cycle: see above)"
            } else {
                " (see above)"
            })?;
            continue;
        }
        on_path.push(node.index());
        if !node.call_stack().is_empty() {
            write!(f, "\n{indent}  + Call stack:")?;
            for frame in node.call_stack() {
                write!(f, "\n{indent}  |   {}", Line(frame))?;
            }
        }
        let awaited_by: Vec<_> = node.awaited_by().collect();
        if !awaited_by.is_empty() {
            write!(f, "\n{indent}  + Awaited by:")?;
            rest.extend(awaited_by.into_iter().rev().map(|awaiter| (awaiter, level + 1)));
        }
    }
    Ok(())
}

struct Indent(usize);

impl fmt::Display for Indent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:1$}", "", 4 * self.0.min(DEEPEST))
    }
}

struct Head<'a>(FutureCallGraph<'a>);

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subject() {
            Subject::Task(task) => {
                write!(f, "Task(name='{}', id={})", task.name().escape_debug(), task.id())
            }
            Subject::Gone(task) => write!(f, "Task(id={task}, gone)"),
            Subject::Thing { name, number } => write!(f, "{name}(id={number:#x})"),
        }
    }
}

pub(super) struct Line<'a>(pub(super) &'a Frame);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Frame { kind, name, detail, place, .. } = self.0;
        if let Some(place) = place {
            write!(f, "File '{}', line {}, ", place.file, place.line)?;
        }
        let space = if detail.is_empty() { "" } else { " " };
        match kind {
            FrameKind::Running => f.write_str("running"),
            FrameKind::Await if name == "foreign" => f.write_str("awaiting a future of another library"),
            FrameKind::Await if name == "more" => write!(f, "and more {detail}"),
            FrameKind::Await => write!(f, "awaiting {name}{space}{detail}"),
            FrameKind::Scope => write!(f, "in {name}{space}{detail}"),
            FrameKind::Spawn => write!(f, "spawned async {name}()"),
            FrameKind::Function => write!(f, "in {name}()"),
        }
    }
}
