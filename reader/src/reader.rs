//! The reader: from memory to records, once or again and again.

use crate::ahead;
use crate::block::Block;
use crate::budget::{Budget, Budgets};
use crate::details::Details;
use crate::error::Error;
use crate::find;
use crate::layout::Layout;
use crate::limits;
use crate::locks::Locks;
use crate::memory::{Memory, read_u64};
use crate::room;
use crate::rows::{self, Extent};
use crate::texts::{Texts, shown, text};
use homing_executor::introspect::{
    Few, Running, RuntimeRecord, ScopeRecord, TaskName, TaskRecord, TaskState, TaskTable, WaitRecord, What,
};
use homing_executor::outside::Meaning;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

/// Reads the tasks of one process.
pub struct Reader {
    memory: Box<dyn Memory>,
    /// One for each homing in the process: the program's own, and those of libraries.
    parts: Vec<(Layout, Texts)>,
}

/// What was found at one moment.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The runtimes that have tasks.
    pub runtimes: Vec<RuntimeRecord>,
    /// The tasks that are being polled.
    pub busy: Vec<Busy>,
    /// How many tasks have changed each time that they were read.
    pub changing: usize,
    /// What was left out.
    pub left: Left,
}

/// A task that is being polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// The thread.
    pub thread: u64,
    /// The task's id.
    pub task: u64,
    /// Which of its polls it is.
    pub polls: u32,
    /// How long ago the runtime has last looked at its clock: so it is not much longer that it has been in this poll. `None`
    /// if that cannot be known.
    pub looked: Option<Duration>,
}

/// What was left out, because there was more of it than a reader takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Tasks, of which [`limits::TASKS`] are read, or fewer, if [`limits::READS`] bytes of rows were not enough for that.
    pub tasks: bool,
    /// Names, places, scopes and leaves of some tasks.
    pub details: bool,
}

impl Reading {
    /// All that was found, as a table.
    pub fn table(&self) -> TaskTable {
        TaskTable::of_records(&self.runtimes)
    }

    /// How many tasks there are.
    pub fn task_count(&self) -> usize {
        self.runtimes.iter().map(|runtime| runtime.tasks.len()).sum()
    }
}

/// A runtime as it is in the list.
#[derive(Clone, Copy, Debug)]
struct Runtime {
    outpost: u64,
    thread: u64,
    /// The address of the row that is being polled; 0 for none.
    current: u64,
    /// What its clock last said, and whether that goes by itself.
    clock: u64,
    is_virtual: bool,
}

impl Reader {
    /// Finds the headers.
    ///
    /// # Errors
    ///
    /// [`Error::NoHoming`]; [`Error::Version`] or [`Error::Corrupt`], if there is no header that can be used.
    pub fn new(memory: Box<dyn Memory>) -> Result<Reader, Error> {
        let mut layouts = Vec::new();
        let mut failed = None;
        let known = memory.header().map(|header| vec![header]);
        for address in known.unwrap_or_else(|| find::candidates(&*memory)) {
            match Layout::read(&*memory, address) {
                Ok(Some(layout)) => layouts.push(layout),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
            if layouts.len() == limits::PARTS {
                break;
            }
        }
        let share = limits::TEXTS / layouts.len().max(1);
        let parts: Vec<_> = layouts.into_iter().map(|layout| (layout, Texts::new(share))).collect();
        match failed {
            _ if !parts.is_empty() => Ok(Reader { memory, parts }),
            Some(error) => Err(error),
            None => Err(Error::NoHoming(memory.describe())),
        }
    }

    /// What is read from: `process 4711`.
    pub fn describe(&self) -> String {
        self.memory.describe()
    }

    /// Whether time goes on there: not in a core file, of which all readings are the same.
    pub fn is_alive(&self) -> bool {
        self.memory.now().is_some()
    }

    /// What else there is to be said of it: whether the process of a black box was killed.
    pub fn story(&self) -> Vec<String> {
        self.memory.story()
    }

    /// The versions of homing in it, and where their headers are.
    pub fn headers(&self) -> impl Iterator<Item = (&str, u64)> {
        self.parts.iter().map(|(layout, _)| (layout.release.as_str(), layout.address))
    }

    /// Reads all tasks.
    ///
    /// # Errors
    ///
    /// [`Error::Ended`], if there is nothing to be read any more.
    pub fn read(&mut self) -> Result<Reading, Error> {
        let memory = &*self.memory;
        let mut reading = Reading::default();
        let mut budgets = Budgets::new();
        let mut is_there = false;
        let mut told = Budget::new(limits::TOLD);
        for (layout, texts) in &mut self.parts {
            is_there |= read_u64(memory, layout.address).is_ok();
            texts.update(memory, layout, &mut budgets.reads);
            let runtimes = runtimes(memory, layout, &mut budgets);
            let mut part = Part::new(memory, layout, texts, &runtimes);
            let extent = ahead::read_all(memory, layout, &mut budgets, |block| part.fill(block, &mut told));
            part.finish(&mut reading);
            reading.left.tasks |= extent == Extent::CutOff;
            reading.left.details |= texts.is_cut_off();
        }
        reading.left.details |= budgets.details.is_used_up() || told.is_used_up();
        if is_there { Ok(reading) } else { Err(Error::Ended(memory.describe())) }
    }

    /// Which tasks are being polled at this moment: a few small reads, to be done often.
    pub fn busy(&self) -> Vec<Busy> {
        let memory = &*self.memory;
        let mut budgets = Budgets::new();
        let mut busy = Vec::new();
        for (layout, _) in &self.parts {
            for runtime in runtimes(memory, layout, &mut budgets) {
                let mut row = vec![0; layout.row.size];
                if runtime.current != 0
                    && memory.read(runtime.current, &mut row).is_ok()
                    && rows::state(layout, &row) == Some(TaskState::Running)
                {
                    busy.push(busy_task(memory, layout, &row, &runtime));
                }
            }
        }
        busy
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("memory", &self.describe()).finish_non_exhaustive()
    }
}

/// The list of runtimes, those in use.
fn runtimes(memory: &dyn Memory, layout: &Layout, budgets: &mut Budgets) -> Vec<Runtime> {
    let mut found = Vec::new();
    let mut known = HashSet::new();
    let mut outpost = read_u64(memory, layout.runtimes).unwrap_or_default();
    let mut record = vec![0; layout.runtime.size];
    let mut core = vec![0; layout.core.size];
    while outpost != 0 && known.insert(outpost) {
        let is_paid = budgets.runtimes.take_all(1) && budgets.reads.take_all(record.len() + core.len());
        if !is_paid || memory.read(outpost, &mut record).is_err() {
            break;
        }
        let address = layout.runtime.core.number(&record);
        if address != 0 && memory.read(address, &mut core).is_ok() {
            found.push(Runtime {
                outpost,
                thread: layout.runtime.thread.number(&record),
                current: layout.core.current.number(&core),
                clock: layout.core.now.number(&core),
                is_virtual: layout.core.clock.number(&core) == layout.virtual_clock,
            });
        }
        outpost = layout.runtime.next.number(&record);
    }
    // The first one first.
    found.reverse();
    found
}

/// What the runtime's clock would say now, if somebody asked; and how long ago it was asked.
fn clock(memory: &dyn Memory, layout: &Layout, runtime: &Runtime) -> (u64, Option<Duration>) {
    let origin = read_u64(memory, layout.clock_origin).unwrap_or_default();
    match memory.now() {
        Some(now) if !runtime.is_virtual && origin != 0 => {
            let now = now.saturating_sub(origin);
            (now, Some(Duration::from_nanos(now.saturating_sub(runtime.clock))))
        }
        _ => (runtime.clock, None),
    }
}

fn busy_task(memory: &dyn Memory, layout: &Layout, row: &[u8], runtime: &Runtime) -> Busy {
    Busy {
        thread: runtime.thread,
        task: id(layout, row),
        polls: layout.row.polls.number(row) as u32,
        looked: clock(memory, layout, runtime).1,
    }
}

/// The lowest bit is another thread's wake that is on its way.
fn id(layout: &Layout, row: &[u8]) -> u64 {
    layout.row.word.number(row) & !1
}

/// One homing of the process, while it is read.
struct Part<'a> {
    memory: &'a dyn Memory,
    layout: &'a Layout,
    texts: &'a mut Texts,
    runtimes: &'a [Runtime],
    by_outpost: HashMap<u64, usize>,
    /// Those of the runtimes, and one for tasks of a runtime that is not in the list, which has just begun or ended.
    records: Vec<RuntimeRecord>,
    busy: Vec<Busy>,
    changing: usize,
    locks: Locks,
}

impl<'a> Part<'a> {
    fn new(
        memory: &'a dyn Memory,
        layout: &'a Layout,
        texts: &'a mut Texts,
        runtimes: &'a [Runtime],
    ) -> Part<'a> {
        let record = |runtime: &Runtime| RuntimeRecord {
            thread: runtime.thread,
            thread_name: memory
                .thread_name(runtime.thread)
                .map_or_else(String::new, |name| shown(name.as_bytes(), name.len() as u64)),
            now: clock(memory, layout, runtime).0,
            tasks: Vec::new(),
        };
        let records = runtimes.iter().map(record).chain([RuntimeRecord::default()]).collect();
        let by_outpost = runtimes.iter().enumerate().map(|(at, runtime)| (runtime.outpost, at)).collect();
        let (busy, changing, locks) = (Vec::new(), 0, Locks::default());
        Part { memory, layout, texts, runtimes, by_outpost, records, busy, changing, locks }
    }

    /// Makes records of rows. `told`: the bytes that may be had of names of scopes, and of locks, which are read only now.
    fn fill(&mut self, block: &mut Block, told: &mut Budget) {
        let Block { rows, found } = block;
        let (memory, layout) = (self.memory, self.layout);
        // Rows of one runtime are together.
        let mut latest = (0, None);
        let names = &found.names;
        let mut details = found.details.drain(..).peekable();
        for at in 0..rows.len() {
            let (row, bytes) = (rows.get(at), rows.bytes(at));
            let details = details.next_if(|(of, _)| *of == at).map(|(_, details)| details);
            let Some(state) = row.state else { continue };
            self.changing += usize::from(!row.settled);
            let details = details.unwrap_or_default();
            let name = details.name.as_ref().map(|name| names.text(name));
            let mut task = self.task(bytes, state, !row.settled, name, &details, told);
            let outpost = layout.row.owner.number(bytes);
            if latest.0 != outpost {
                latest = (outpost, self.by_outpost.get(&outpost).copied());
            }
            let owner = latest.1;
            if let Some(runtime) = owner.map(|at| &self.runtimes[at])
                && state == TaskState::Running
                && runtime.current == row.address
            {
                let busy = busy_task(memory, layout, bytes, runtime);
                task.running = Some(Box::new(Running { detail: busy.to_string(), place: None }));
                self.busy.push(busy);
            }
            let tasks = &mut self.records[owner.unwrap_or(self.runtimes.len())].tasks;
            room::make(tasks);
            tasks.push(task);
        }
    }

    fn finish(self, reading: &mut Reading) {
        reading.busy.extend(self.busy);
        reading.changing += self.changing;
        reading.runtimes.extend(self.records.into_iter().filter(|runtime| !runtime.tasks.is_empty()));
    }

    /// What a row and its details say.
    fn task(
        &mut self,
        bytes: &[u8],
        state: TaskState,
        changing: bool,
        name: Option<String>,
        details: &Details,
        told: &mut Budget,
    ) -> TaskRecord {
        let (memory, layout) = (self.memory, &self.layout.row);
        let parent = layout.parent.number(bytes);
        let polls = layout.polls.number(bytes) as u32;
        let kind = layout.await_kind.number(bytes);
        let mut waits = Few::default();
        // What has a list has a node.
        let meaning = self.layout.meaning(kind);
        if meaning != Meaning::Tasks {
            let scope = layout.await_scope.number(bytes) as u32;
            let (operand, place) = (layout.await_operand.number(bytes), layout.await_place.number(bytes));
            waits.extend(self.wait(kind, operand, scope, place, details, told));
        }
        let recorded = [kind, layout.await_operand.number(bytes), layout.await_place.number(bytes)];
        let mut seen = 0;
        for node in &details.nodes {
            let fields = &self.layout.node;
            let (kind, operand) = (fields.kind.number(node), fields.operand.number(node));
            let place = fields.place.number(node);
            let is_of_last_poll = fields.poll.number(node) as u32 == polls;
            let has_list = self.layout.meaning(kind) == Meaning::Tasks;
            if is_of_last_poll && kind != 0 && !(has_list && [kind, operand, place] == recorded) {
                seen += 1;
            }
            if is_of_last_poll || fields.linked.number(node) != 0 {
                let scope = fields.scope.number(node) as u32;
                waits.extend(self.wait(kind, operand, scope, place, details, told));
            }
        }
        TaskRecord {
            id: id(self.layout, bytes),
            name: name.map_or_else(|| self.other_name(bytes), TaskName::from),
            state,
            type_name: self.texts.type_name(layout.table.number(bytes)),
            spawned_at: self.texts.place(memory, layout.place.number(bytes)),
            polls,
            cancelling: layout.count.number(bytes) as u32,
            parent: parent & !1,
            group: (parent & 1 != 0).then(|| layout.group.number(bytes) as u32),
            running: None,
            waits,
            more: (layout.await_more.number(bytes) as u32).saturating_sub(seen),
            is_asked: meaning == Meaning::Request,
            scopes: details.scopes.iter().map(|scope| self.scope(scope, polls, told)).collect(),
            changing,
        }
    }

    /// The name of a task that was given none.
    fn other_name(&self, row: &[u8]) -> TaskName {
        let layout = &self.layout.row;
        if layout.flags.number(row) & self.layout.main != 0 {
            return TaskName::Given("main".into());
        }
        TaskName::Number(layout.number.number(row) as u32)
    }

    fn wait(
        &mut self,
        kind: u64,
        operand: u64,
        scope: u32,
        place: u64,
        details: &Details,
        told: &mut Budget,
    ) -> Option<WaitRecord> {
        let what = match self.layout.meaning(kind) {
            Meaning::Nothing | Meaning::Request => return None,
            Meaning::Plain => What::Plain,
            Meaning::Task => What::Task(operand),
            Meaning::Tasks => What::Tasks(details.tasks(operand).into()),
            Meaning::Deadline => What::Deadline(operand),
            Meaning::Descriptor => What::Descriptor(operand),
            Meaning::Left => What::Left(operand),
            Meaning::Number => What::Number(operand),
            Meaning::Thing => What::Thing(operand),
            Meaning::Lock => {
                let lock = self.locks.lock(self.memory, self.layout, self.texts, operand, told);
                lock.map_or(What::Thing(operand), What::Lock)
            }
        };
        let name = self.layout.awaited(kind).0;
        Some(WaitRecord { name, what, scope, place: self.texts.place(self.memory, place) })
    }

    fn scope(&mut self, scope: &[u8], polls: u32, told: &mut Budget) -> ScopeRecord {
        let polled = self.layout.scope_polled.map(|polled| polled.number(scope) as u32);
        let (memory, layout) = (self.memory, &self.layout.scope);
        let (kind, kind_length) = layout.kind.pair(scope);
        let (name, name_length) = layout.name.pair(scope);
        let length = usize::try_from(name_length).unwrap_or(usize::MAX).min(limits::NAME);
        let is_named = length > 0 && told.take_all(length);
        ScopeRecord {
            id: layout.id.number(scope) as u32,
            parent: layout.parent.number(scope) as u32,
            kind: self.texts.text(memory, kind, kind_length),
            name: is_named.then(|| text(memory, name, name_length, limits::NAME)),
            place: self.texts.place(memory, layout.place.number(scope)),
            deadline: Some(layout.deadline.number(scope)).filter(|deadline| *deadline != 0),
            was_passed_by: polled.is_some_and(|polled| polled != polls),
        }
    }
}

/// Reads `on thread 4711, which has not looked at its clock for 3.2s`.
impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "on thread {}", self.thread)?;
        match self.looked {
            // Less than that is usual: it looks once in a while.
            Some(looked) if looked >= Duration::from_millis(100) => {
                let looked = Duration::from_millis(looked.as_millis() as u64);
                write!(f, ", which has not looked at its clock for {looked:?}")
            }
            _ => Ok(()),
        }
    }
}
