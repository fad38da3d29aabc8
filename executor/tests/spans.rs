//! Spans of `tracing` for tasks, seen by a subscriber that writes everything down.

use homing::observe::Spans;
use homing::{Builder, task, yield_now};
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

#[derive(Clone, Default)]
struct Writer {
    log: Arc<Mutex<Vec<String>>>,
    names: Arc<Mutex<HashMap<u64, String>>>,
    ids: Arc<AtomicU64>,
}

impl Writer {
    fn note(&self, what: String) {
        self.log.lock().unwrap().push(what);
    }

    fn name(&self, id: &Id) -> String {
        self.names.lock().unwrap()[&id.into_u64()].clone()
    }
}

/// Takes one field as text.
struct Take(&'static str, Option<String>);

impl Visit for Take {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == self.0 {
            self.1 = Some(format!("{value:?}"));
        }
    }
}

fn field(name: &'static str, visit: impl FnOnce(&mut Take)) -> Option<String> {
    let mut take = Take(name, None);
    visit(&mut take);
    take.1
}

impl Subscriber for Writer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("homing") || metadata.target() == "test"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.ids.fetch_add(1, Ordering::Relaxed) + 1;
        let name = field("task.name", |take| span.record(take)).unwrap();
        let place = field("task.spawned_at", |take| span.record(take)).unwrap();
        assert!(place.contains("spans.rs"), "{place}");
        assert!(span.is_contextual());
        self.note(format!("new {name}"));
        self.names.lock().unwrap().insert(id, name);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let outcome = field("task.outcome", |take| values.record(take)).unwrap();
        self.note(format!("{} {outcome}", self.name(span)));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.note(field("message", |take| event.record(take)).unwrap());
    }

    fn enter(&self, span: &Id) {
        self.note(format!("enter {}", self.name(span)));
    }

    fn exit(&self, span: &Id) {
        self.note(format!("exit {}", self.name(span)));
    }
}

#[test]
fn a_task_logs_within_its_span_which_is_entered_at_each_poll() {
    let writer = Writer::default();
    let log = writer.log.clone();
    tracing::subscriber::with_default(writer, || {
        let runtime = Builder::new().observe(Spans::new()).build();
        let main = async {
            let fetch = task(async {
                tracing::info!(target: "test", "one");
                yield_now().await?;
                tracing::info!(target: "test", "two");
                Ok(())
            });
            fetch.name("fetch").eager().spawn().await
        };
        runtime.block_on(main).unwrap();
    });
    let expected = [
        "new main",
        "enter main",
        "new fetch",
        "enter fetch",
        "one",
        "exit fetch",
        "exit main",
        "enter fetch",
        "two",
        "exit fetch",
        "fetch \"value\"",
        "enter main",
        "exit main",
        "main \"value\"",
    ];
    assert_eq!(*log.lock().unwrap(), expected);
}
