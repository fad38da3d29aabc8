//! The table as a graph for Graphviz: `dot -Tsvg`.
//!
//! ```text
//!   [ main    ] ── group 'pages' ──► [ user   ]        an arrow goes from who awaits to what is awaited,
//!   [ running ]                      [ parked ]        as the stack does from the outer to the inner
//! ```

use super::frame::Frame;
use super::table::TaskTable;
use std::collections::HashSet;
use std::fmt::Write;

impl TaskTable {
    /// The table in the language of Graphviz: a box for each task, with its name, its state and the await at which it stands;
    /// an arrow from each awaiter, with the place of that await.
    pub fn to_dot(&self) -> String {
        let mut dot = String::from("digraph tasks {\n    node [shape=box];\n");
        let known: HashSet<u64> = self.tasks().map(|task| task.id).collect();
        let mut unknown = HashSet::new();
        for task in self.tasks() {
            let stands_at = task.stack.first().map(Frame::to_string).unwrap_or_default();
            let label = [task.shown_name(), task.state.as_str(), &stands_at].map(escaped).join("\\n");
            // Writing to a string cannot fail.
            let _ = writeln!(dot, "    \"{:#x}\" [label=\"{label}\"];", task.id);
            for by in &task.awaited_by {
                if !known.contains(&by.awaiter) && unknown.insert(by.awaiter) {
                    let _ = writeln!(dot, "    \"{:#x}\" [label=\"Unknown\", style=dashed];", by.awaiter);
                }
                let label = by.stack.first().map(|frame| escaped(&frame.to_string())).unwrap_or_default();
                let _ = writeln!(dot, "    \"{:#x}\" -> \"{:#x}\" [label=\"{label}\"];", by.awaiter, task.id);
            }
        }
        dot.push_str("}\n");
        dot
    }
}

/// For within quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
