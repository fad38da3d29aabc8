//! An interpreter of parity scenarios: small concurrent programs, written as data, with the traces that CPython's
//! asyncio produced for them.
//!
//! ```text
//!   scenario (JSON) ──► tasks, groups, timeouts of homing, in virtual time ──► trace and end of each task ──► compare
//! ```
//!
//! It is written on homing's public API alone, and knows nothing of its inside. An operation is done, returns a value,
//! or fails; a block ends as its body does.

use homing::error::{ExceptionGroup, RuntimeError};
use homing::sync::{
    Condition, Event, Mutex, OwnedMutexGuard, Queue, QueueEmpty, QueueFull, QueueShutDown, Semaphore,
    Shutdown, TaskDoneTooOften,
};
use homing::{Error, GroupClosed, Instant, Result, ReturnWhen, SharedTask, TaskGroup, TaskRef, TimeoutScope};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

/// What became of a scenario.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Every trace is CPython's.
    Same,
    /// The tasks whose traces differ: expected and actual.
    Different(Vec<(String, Value, Value)>),
}

/// Runs one scenario (a line of the corpus) and compares. With a seed, what is ready at one instant runs in an order of
/// its own: no scenario depends on that.
pub(crate) fn check(line: &Value, seed: Option<u64>) -> Verdict {
    let actual = run(&line["scenario"], seed);
    let expected = line["expected"].as_object().expect("`expected` is an object");
    let mut names: Vec<&String> = expected.keys().chain(actual.keys()).collect();
    names.sort();
    names.dedup();
    let different: Vec<_> = names
        .into_iter()
        .filter_map(|name| {
            let expected = expected.get(name).map(canonical).unwrap_or(Value::Null);
            let actual = actual.get(name).map(canonical).unwrap_or(Value::Null);
            (expected != actual).then(|| (name.clone(), expected, actual))
        })
        .collect();
    if different.is_empty() { Verdict::Same } else { Verdict::Different(different) }
}

/// Members of exception groups in a fixed order: theirs does not count.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        Value::Object(fields) => {
            let mut fields: Map<String, Value> =
                fields.iter().map(|(key, value)| (key.clone(), canonical(value))).collect();
            if let Some(Value::Array(members)) = fields.get_mut("group") {
                members.sort_by_key(Value::to_string);
            }
            Value::Object(fields)
        }
        other => other.clone(),
    }
}

/// Runs a scenario. Gives `{trace, end}` of every task that was ever spawned.
pub(crate) fn run(scenario: &Value, seed: Option<u64>) -> BTreeMap<String, Value> {
    let builder = homing::Builder::new().virtual_time().debug(false).on_unhandled(|_| ());
    let runtime = seed.into_iter().fold(builder, homing::Builder::seed).build();
    let world = runtime
        .block_on(async {
            let world = Rc::new(World::new(scenario));
            world.spawn("main", scenario["main"].clone(), Start::Queued);
            // Until every task has ended, whoever started it.
            while let Some(task) = world.unfinished() {
                let _ = task.await;
            }
            // The last one's end is recorded by a callback.
            homing::yield_now().await?;
            Ok(world)
        })
        .expect("nobody cancels the harness");
    world.results()
}

/// A plain error of the scenario's.
#[derive(Debug, Clone)]
struct Raised {
    kind: String,
    message: String,
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:?})", self.kind, self.message)
    }
}

impl std::error::Error for Raised {}

/// An error as the traces write it.
fn error_json(error: &Error) -> Value {
    if let Some(group) = error.as_group() {
        return json!({ "group": group.errors().iter().map(error_json).collect::<Vec<_>>() });
    }
    if error.is_cancelled() {
        return json!("cancelled");
    }
    if let Some(raised) = error.downcast_ref::<Raised>() {
        return json!({ "type": raised.kind, "msg": raised.message });
    }
    let kind = if error.is_timeout() {
        "Timeout"
    } else if error.is::<RuntimeError>() || error.is::<GroupClosed>() || error.is::<homing::Reschedule>() {
        "Runtime"
    } else if error.is::<QueueShutDown>() {
        "QueueShutDown"
    } else if error.is::<QueueEmpty>() {
        "QueueEmpty"
    } else if error.is::<QueueFull>() {
        "QueueFull"
    } else if error.is::<TaskDoneTooOften>() {
        "Value"
    } else {
        panic!("an error that no scenario knows: {error:#}")
    };
    json!({ "type": kind, "msg": "" })
}

fn result_json(result: &Result<Value>) -> Value {
    match result {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "err": error_json(error) }),
    }
}

/// How a list of operations went.
enum Flow {
    /// To its end.
    Done,
    /// It returned a value, which ends the task.
    Return(Value),
}

/// How a task is started.
#[derive(Clone, Copy, PartialEq)]
enum Start {
    Queued,
    Eager,
}

/// What the tasks of a scenario share.
struct World {
    begin: Instant,
    procs: Value,
    traces: RefCell<BTreeMap<String, Vec<Value>>>,
    ends: RefCell<BTreeMap<String, Value>>,
    tasks: RefCell<HashMap<String, TaskRef>>,
    handles: RefCell<Vec<(String, SharedTask<Value>)>>,
    groups: RefCell<HashMap<String, TaskGroup>>,
    timeouts: RefCell<HashMap<String, TimeoutScope>>,
    objects: HashMap<String, Object>,
}

/// Something that tasks share, and meet at.
enum Object {
    Semaphore(Rc<Semaphore>),
    Event(Rc<Event>),
    /// A lock, or a condition with a lock of its own.
    Lock(Rc<Mutex<()>>, Condition),
    Queue(Box<Queue<Value>>),
}

impl Object {
    fn declared(declaration: &Value) -> Option<Object> {
        let number = |key: &str| declaration[key].as_u64().unwrap_or(0) as usize;
        Some(match text(declaration, "kind") {
            "semaphore" => Object::Semaphore(Rc::new(Semaphore::new(number("value")))),
            "event" => Object::Event(Rc::new(Event::new())),
            "lock" | "condition" => Object::Lock(Rc::new(Mutex::new(())), Condition::new()),
            "queue" => Object::Queue(Box::new(Queue::new(number("maxsize")))),
            "group" => return None,
            kind => panic!("an object that this interpreter does not know: {kind}"),
        })
    }
}

fn milliseconds(value: &Value) -> Option<Duration> {
    value.as_u64().map(Duration::from_millis)
}

fn text<'a>(op: &'a Value, key: &str) -> &'a str {
    op[key].as_str().unwrap_or_else(|| panic!("`{key}` is missing in {op}"))
}

fn list<'a>(op: &'a Value, key: &str) -> &'a [Value] {
    op[key].as_array().map_or(&[], Vec::as_slice)
}

impl World {
    fn new(scenario: &Value) -> World {
        let objects = scenario["objects"].as_object().into_iter().flatten();
        let groups = objects.clone().filter(|(_, object)| object["kind"] == json!("group"));
        World {
            begin: Instant::now(),
            procs: scenario["procs"].clone(),
            traces: RefCell::default(),
            ends: RefCell::default(),
            tasks: RefCell::default(),
            handles: RefCell::default(),
            groups: RefCell::new(groups.map(|(name, _)| (name.clone(), TaskGroup::new())).collect()),
            timeouts: RefCell::default(),
            objects: objects
                .filter_map(|(name, object)| Some((name.clone(), Object::declared(object)?)))
                .collect(),
        }
    }

    fn object(&self, op: &Value) -> &Object {
        let name = text(op, "obj");
        self.objects.get(name).unwrap_or_else(|| panic!("there is no object {name}"))
    }

    fn semaphore(&self, op: &Value) -> &Rc<Semaphore> {
        match self.object(op) {
            Object::Semaphore(semaphore) => semaphore,
            _ => panic!("no semaphore: {op}"),
        }
    }

    fn event(&self, op: &Value) -> &Event {
        match self.object(op) {
            Object::Event(event) => event,
            _ => panic!("no event: {op}"),
        }
    }

    fn lock(&self, op: &Value) -> (&Rc<Mutex<()>>, &Condition) {
        match self.object(op) {
            Object::Lock(mutex, condition) => (mutex, condition),
            _ => panic!("no lock or condition: {op}"),
        }
    }

    fn queue(&self, op: &Value) -> &Queue<Value> {
        match self.object(op) {
            Object::Queue(queue) => queue,
            _ => panic!("no queue: {op}"),
        }
    }

    fn now(&self) -> u64 {
        (Instant::now() - self.begin).as_millis() as u64
    }

    /// The future of a task that runs a list of operations.
    fn body(self: &Rc<Self>, name: &str, ops: Value) -> Pin<Box<dyn Future<Output = Result<Value>>>> {
        let actor = Actor { name: name.into(), world: self.clone(), held: Rc::default() };
        Box::pin(async move {
            actor.register(homing::current().expect("in a task"));
            match actor.run(ops.as_array().expect("a list of operations"), None).await? {
                Flow::Done => Ok(Value::Null),
                Flow::Return(value) => Ok(value),
            }
        })
    }

    fn spawn(self: &Rc<Self>, name: &str, ops: Value, start: Start) {
        let task = homing::task(self.body(name, ops)).name(name.to_owned());
        let task = if start == Start::Eager { task.eager() } else { task };
        self.follow(name, task.spawn().share());
    }

    fn spawn_in(self: &Rc<Self>, group: &TaskGroup, name: &str, ops: Value, start: Start) -> Result<()> {
        let task = group.task(self.body(name, ops)).name(name.to_owned());
        let task = if start == Start::Eager { task.eager() } else { task };
        self.follow(name, task.try_spawn()?.share());
        Ok(())
    }

    /// Keeps a handle, and records the task's end.
    fn follow(self: &Rc<Self>, name: &str, task: SharedTask<Value>) {
        let actor = Actor { name: name.into(), world: self.clone(), held: Rc::default() };
        actor.register(task.task_ref());
        self.handles.borrow_mut().push((name.to_owned(), task.clone()));
        let ended = self.now();
        let record = move |task_ref: &TaskRef, at: u64| {
            let result = task.try_result().expect("the task has ended");
            let end = json!({ "t": at, "result": result_json(&result), "cancelling": task_ref.cancelling() });
            actor.world.ends.borrow_mut().insert(actor.name.to_string(), end);
        };
        let task_ref = self.task(name);
        if task_ref.is_finished() {
            record(&task_ref, ended);
        } else {
            let world = self.clone();
            task_ref.on_done(move |task_ref| record(task_ref, world.now()));
        }
    }

    fn task(&self, name: &str) -> TaskRef {
        self.tasks.borrow().get(name).unwrap_or_else(|| panic!("there is no task {name}")).clone()
    }

    fn handle(&self, name: &str) -> SharedTask<Value> {
        let handles = self.handles.borrow();
        let found = handles.iter().find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("there is no handle of task {name}")).1.clone()
    }

    fn group(&self, id: &str) -> TaskGroup {
        self.groups.borrow().get(id).unwrap_or_else(|| panic!("there is no group {id}")).clone()
    }

    fn unfinished(&self) -> Option<SharedTask<Value>> {
        self.handles.borrow().iter().find(|(_, task)| !task.is_finished()).map(|(_, task)| task.clone())
    }

    fn results(&self) -> BTreeMap<String, Value> {
        let mut traces = self.traces.borrow_mut();
        let with_trace = |(name, end): (&String, &Value)| {
            let trace = traces.remove(name).unwrap_or_default();
            (name.clone(), json!({ "trace": trace, "end": end }))
        };
        self.ends.borrow().iter().map(with_trace).collect()
    }
}

/// One task of a scenario.
#[derive(Clone)]
struct Actor {
    name: Rc<str>,
    world: Rc<World>,
    /// The locks that it holds in the blocks that it is in, the innermost last.
    held: Rc<RefCell<Held>>,
}

/// Locks by name.
type Held = Vec<(String, OwnedMutexGuard<()>)>;

type Step<'a> = Pin<Box<dyn Future<Output = Result<Flow>> + 'a>>;

impl Actor {
    fn register(&self, task: TaskRef) {
        self.world.tasks.borrow_mut().insert(self.name.to_string(), task);
    }

    fn log(&self, event: &str, data: Value) {
        let entry = json!([self.world.now(), event, data]);
        self.world.traces.borrow_mut().entry(self.name.to_string()).or_default().push(entry);
    }

    /// Runs a list of operations. `handled` is the error that the innermost handler around it was entered with.
    fn run<'a>(&'a self, ops: &'a [Value], handled: Option<&'a Error>) -> Step<'a> {
        Box::pin(async move {
            for op in ops {
                if let Flow::Return(value) = self.step(op, handled).await? {
                    return Ok(Flow::Return(value));
                }
            }
            Ok(Flow::Done)
        })
    }

    fn step<'a>(&'a self, op: &'a Value, handled: Option<&'a Error>) -> Step<'a> {
        Box::pin(async move {
            match text(op, "op") {
                "raise" => {
                    Err(Raised { kind: text(op, "type").into(), message: text(op, "msg").into() }.into())
                }
                "reraise" => Err(handled.expect("`reraise` in a handler").clone()),
                "return" => Ok(Flow::Return(op["value"].clone())),
                "group" => self.group(op, handled).await,
                "timeout" => self.timeout(op, handled).await,
                "wait_for_block" => self.wait_for_block(op, handled).await,
                "with_sem" | "with_lock" | "with_cond" => self.with_object(op, handled).await,
                "try" => self.attempt(op, handled).await,
                "repeat" => {
                    for _ in 0..op["n"].as_u64().expect("`n` is a number") {
                        if let Flow::Return(value) = self.run(list(op, "body"), handled).await? {
                            return Ok(Flow::Return(value));
                        }
                    }
                    Ok(Flow::Done)
                }
                leaf => {
                    let outcome = self.leaf(leaf, op).await;
                    if let Err(error) = &outcome {
                        self.log("raise", json!([leaf, error_json(error)]));
                    }
                    outcome.map(|()| Flow::Done)
                }
            }
        })
    }

    async fn leaf(&self, name: &str, op: &Value) -> Result<()> {
        let world = &self.world;
        match name {
            "log" => self.log("log", op["label"].clone()),
            "sleep" => homing::sleep(milliseconds(&op["ms"]).expect("`ms` is a number")).await?,
            "yield" => homing::yield_now().await?,
            "spawn" => {
                let (name, ops, start) = self.proc(op, "proc");
                world.spawn(name, ops, start);
            }
            "tg_spawn" => {
                let (name, ops, start) = self.proc(op, "proc");
                world.spawn_in(&world.group(text(op, "group")), name, ops, start)?;
            }
            "group_cancel" => world.group(text(op, "group")).cancel(),
            "cancel" => {
                let name = text(op, "task");
                let accepted = world.task(name).cancel();
                self.log("cancel", json!([name, accepted]));
            }
            "uncancel" => {
                let left = homing::current().expect("in a task").uncancel();
                self.log("uncancel", json!(left));
            }
            "log_cancelling" => {
                self.log("cancelling", json!(homing::current().expect("in a task").cancelling()));
            }
            "probe" => {
                let name = text(op, "task");
                let task = world.task(name);
                let state = match (task.is_finished(), task.is_cancelled()) {
                    (false, _) => "pending",
                    (true, true) => "cancelled",
                    (true, false) => match world.handle(name).try_result() {
                        Some(Ok(_)) => "ok",
                        _ => "error",
                    },
                };
                self.log("probe", json!([name, state, task.cancelling()]));
            }
            "await_task" => {
                let name = text(op, "task");
                let value = world.handle(name).await?;
                self.log("await_task", json!([name, value]));
            }
            "shield" => {
                let name = self.item(&op["item"]);
                let value = homing::shield(world.handle(&name)).await?;
                self.log("shield", json!([name, value]));
            }
            "wait_for" => {
                let name = text(op, "task");
                let value = homing::wait_for(world.handle(name), milliseconds(&op["ms"])).await?;
                self.log("wait_for", json!([name, value]));
            }
            "gather" => {
                let items = self.items(op).into_iter().map(|(_, handle)| handle);
                let gather = homing::gather_iter(items);
                let outcomes = if op["return_exceptions"] == json!(true) {
                    gather.return_exceptions().await?
                } else {
                    gather.await?.into_iter().map(Ok).collect()
                };
                self.log("gather", outcomes.iter().map(result_json).collect());
            }
            "wait" => {
                let when = match text(op, "when") {
                    "ALL" => ReturnWhen::AllCompleted,
                    "FIRST_COMPLETED" => ReturnWhen::FirstCompleted,
                    "FIRST_EXCEPTION" => ReturnWhen::FirstException,
                    other => panic!("a condition that this interpreter does not know: {other}"),
                };
                let items = self.items(op).into_iter().map(|(_, handle)| handle);
                let waited = homing::wait(items, when).timeout(milliseconds(&op["timeout"])).await?;
                let names = |handles: Vec<SharedTask<Value>>| {
                    let mut names: Vec<_> = handles.iter().map(|handle| handle.name()).collect();
                    names.sort();
                    names
                };
                self.log("wait", json!({ "done": names(waited.done), "pending": names(waited.pending) }));
            }
            "as_completed" => {
                let limit = op["limit"].as_u64().unwrap_or(u64::MAX);
                let items = self.items(op).into_iter().map(|(_, handle)| handle);
                let mut tasks = homing::as_completed(items).timeout(milliseconds(&op["timeout"]));
                for _ in 0..limit {
                    let Some(task) = tasks.next().await else { break };
                    let task = task?;
                    let outcome = task.try_result().expect("the task has ended");
                    self.log("completed", json!([task.name(), result_json(&outcome)]));
                }
            }
            "sem_acquire" => {
                world.semaphore(op).acquire().await?.forget();
                self.log("acquired", op["obj"].clone());
            }
            "sem_release" => world.semaphore(op).release(),
            "event_wait" => {
                world.event(op).wait().await?;
                self.log("event", op["obj"].clone());
            }
            "event_set" => world.event(op).set(),
            "event_clear" => world.event(op).clear(),
            "cond_wait" => {
                let (place, mut guard) = self.take_held(op);
                let waited = world.lock(op).1.wait(&mut guard).await;
                self.held.borrow_mut().insert(place, (text(op, "obj").to_owned(), guard));
                waited?;
                self.log("notified", op["obj"].clone());
            }
            "cond_notify" => {
                let (place, guard) = self.take_held(op);
                match op["n"].as_u64() {
                    Some(n) => world.lock(op).1.notify(&guard, n as usize),
                    None => world.lock(op).1.notify_all(&guard),
                }
                self.held.borrow_mut().insert(place, (text(op, "obj").to_owned(), guard));
            }
            "queue_put" => {
                world.queue(op).put(op["value"].clone()).await?;
                self.log("put", json!([op["obj"], op["value"]]));
            }
            "queue_put_nowait" => {
                world.queue(op).put_nowait(op["value"].clone())?;
                self.log("put", json!([op["obj"], op["value"]]));
            }
            "queue_get" => {
                let item = world.queue(op).get().await?;
                self.log("got", json!([op["obj"], item]));
            }
            "queue_get_nowait" => {
                let item = world.queue(op).get_nowait()?;
                self.log("got", json!([op["obj"], item]));
            }
            "queue_task_done" => world.queue(op).task_done()?,
            "queue_join" => {
                world.queue(op).join().await?;
                self.log("joined", op["obj"].clone());
            }
            "queue_shutdown" => world.queue(op).shutdown(match op["immediate"] == json!(true) {
                true => Shutdown::Immediate,
                false => Shutdown::Drain,
            }),
            "reschedule" => {
                let timeout = world.timeouts.borrow().get(text(op, "timeout")).cloned().expect("a timeout");
                timeout.reschedule(milliseconds(&op["ms"]).map(|after| Instant::now() + after))?;
            }
            other => panic!("an operation that this interpreter does not know: {other}"),
        }
        Ok(())
    }

    /// The name, the operations and the start of a task to be spawned.
    fn proc<'a>(&self, op: &'a Value, key: &str) -> (&'a str, Value, Start) {
        let start = if op["eager"] == json!(true) { Start::Eager } else { Start::Queued };
        (text(op, "as"), self.world.procs[text(op, key)].clone(), start)
    }

    /// Takes the guard of a condition's lock out of what the task holds, for the time of one operation.
    fn take_held(&self, op: &Value) -> (usize, OwnedMutexGuard<()>) {
        let mut held = self.held.borrow_mut();
        let place = held.iter().rposition(|(name, _)| name == text(op, "obj"));
        let place = place.unwrap_or_else(|| panic!("not inside `with_cond`: {op}"));
        (place, held.remove(place).1)
    }

    /// A block with a permit, or with a lock held.
    async fn with_object(&self, op: &Value, handled: Option<&Error>) -> Result<Flow> {
        let acquired = match self.world.object(op) {
            Object::Semaphore(semaphore) => semaphore.acquire_owned(1).await.map(Some),
            Object::Lock(mutex, _) => mutex.lock_owned().await.map(|guard| {
                self.held.borrow_mut().push((text(op, "obj").to_owned(), guard));
                None
            }),
            _ => panic!("nothing to acquire: {op}"),
        };
        let permit =
            acquired.inspect_err(|error| self.log("raise", json!([text(op, "op"), error_json(error)])))?;
        self.log("acquired", op["obj"].clone());
        let outcome = self.run(list(op, "body"), handled).await;
        if permit.is_none() {
            let _released = self.held.borrow_mut().pop();
        }
        outcome
    }

    /// An item of an operation: a task's name, or a task to be spawned.
    fn item(&self, item: &Value) -> String {
        match item.as_str() {
            Some(name) => name.to_owned(),
            None => {
                let (name, ops, start) = self.proc(item, "spawn");
                self.world.spawn(name, ops, start);
                name.to_owned()
            }
        }
    }

    fn items(&self, op: &Value) -> Vec<(String, SharedTask<Value>)> {
        let names: Vec<String> = list(op, "items").iter().map(|item| self.item(item)).collect();
        names.into_iter().map(|name| (name.clone(), self.world.handle(&name))).collect()
    }

    async fn group(&self, op: &Value, handled: Option<&Error>) -> Result<Flow> {
        let id = text(op, "id");
        let group = self.world.groups.borrow_mut().entry(id.to_owned()).or_default().clone();
        let outcome = group.run_until_cancelled(async |_| self.run(list(op, "body"), handled).await).await;
        self.log("exit", json!(["group", id, exit_json(&outcome)]));
        Ok(outcome?.unwrap_or(Flow::Done))
    }

    async fn timeout(&self, op: &Value, handled: Option<&Error>) -> Result<Flow> {
        let id = text(op, "id");
        let timeout = TimeoutScope::new(milliseconds(&op["ms"]));
        self.world.timeouts.borrow_mut().insert(id.to_owned(), timeout.clone());
        let outcome = timeout.clone().run(async |_| self.run(list(op, "body"), handled).await).await;
        self.log("exit", json!(["timeout", id, exit_json(&outcome), timeout.expired()]));
        outcome
    }

    async fn wait_for_block(&self, op: &Value, handled: Option<&Error>) -> Result<Flow> {
        // What is waited for must not borrow: it might be a task.
        let (actor, op, handled) = (self.clone(), op.clone(), handled.cloned());
        let duration = milliseconds(&op["ms"]);
        let body = {
            let (actor, op) = (actor.clone(), op.clone());
            async move { actor.run(list(&op, "body"), handled.as_ref()).await }
        };
        let outcome = homing::wait_for(body, duration).await;
        self.log("exit", json!(["wait_for", null, exit_json(&outcome)]));
        outcome
    }

    async fn attempt(&self, op: &Value, handled: Option<&Error>) -> Result<Flow> {
        let outcome = match self.run(list(op, "body"), handled).await {
            Ok(flow) => Ok(flow),
            Err(error) => self.handle_error(op, error).await,
        };
        if op["finally"].is_array() {
            self.log("finally", Value::Null);
            self.run(list(op, "finally"), handled).await?;
        }
        outcome
    }

    async fn handle_error(&self, op: &Value, error: Error) -> Result<Flow> {
        if let Some(group) = error.as_group().cloned() {
            return self.handle_group(op, group, error).await;
        }
        let handler = if error.is_cancelled() {
            op["on_cancelled"].as_array()
        } else {
            let clause = list(op, "on_error").iter().find(|clause| matches(&clause["types"], &error));
            clause.and_then(|clause| clause["ops"].as_array())
        };
        match handler {
            Some(ops) => {
                self.log("caught", error_json(&error));
                self.run(ops, Some(&error)).await
            }
            None => Err(error),
        }
    }

    async fn handle_group(&self, op: &Value, group: ExceptionGroup, error: Error) -> Result<Flow> {
        if !op["on_group"].is_array() {
            return Err(error);
        }
        let mut rest = Some(group);
        for clause in list(op, "on_group") {
            let Some(left) = rest.take() else { break };
            let (caught, others) =
                left.split(|error| error.as_group().is_none() && matches(&clause["types"], error));
            rest = others;
            if let Some(caught) = caught {
                let caught = Error::from(caught);
                self.log("caught", error_json(&caught));
                self.run(list(clause, "ops"), Some(&caught)).await?;
            }
        }
        rest.map_or(Ok(Flow::Done), |rest| Err(rest.into()))
    }
}

/// Whether a clause is for this error: `null` is for any.
fn matches(types: &Value, error: &Error) -> bool {
    let Some(types) = types.as_array() else { return true };
    types.contains(&error_json(error)["type"])
}

fn exit_json<T>(outcome: &Result<T>) -> Value {
    match outcome {
        Ok(_) => json!("ok"),
        Err(error) => error_json(error),
    }
}
