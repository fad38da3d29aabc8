//! What an await waits for, as its author says it and as a row has it.

use crate::task::TaskId;
use crate::task::row::{AwaitKind, Wait};

/// What a leaf waits for: for people who look at the task, and nothing else.
///
/// Where it is a thing, the number is its address, or that of the line in which one waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Awaiting {
    /// The end of a task that a cancel is kept away from.
    Task(TaskId),
    /// A deadline, in nanoseconds of the runtime's clock.
    Timer(u64),
    /// That a descriptor becomes readable.
    Readable(u64),
    /// That a descriptor becomes writable.
    Writable(u64),
    /// That the children of a group have ended: how many are left.
    Children(u64),
    /// The next turn.
    Turn,
    /// A future of another library.
    Foreign,
    /// A lock. With the number of its [board](crate::holders::Board), people see who holds it.
    Mutex(u64),
    /// Permits of a semaphore. The same.
    Semaphore(u64),
    /// An event.
    Event(u64),
    /// A condition.
    Condition(u64),
    /// The others at a barrier.
    Barrier(u64),
    /// An item of a queue, or room in it.
    Queue(u64),
    /// A message of a channel, or room in it.
    Channel(u64),
    /// A value that is sent once.
    Oneshot(u64),
    /// The end of a [blocking job](crate::blocking): its number.
    Job(u64),
    /// A signal of the operating system: its number.
    Signal(u64),
    /// The end of another process: its id.
    Process(u64),
    /// Something else: a number of the leaf author's choice.
    Other(u64),
}

impl Awaiting {
    /// What is recorded of it, the other way round. The end of a task is that, whether a cancel goes on to it or not; lists of
    /// tasks, and requests, are nothing of the kind.
    pub(crate) fn of(wait: Wait) -> Option<Awaiting> {
        let operand = wait.operand;
        Some(match wait.kind {
            AwaitKind::Nothing | AwaitKind::Request | AwaitKind::Tasks => return None,
            AwaitKind::Task | AwaitKind::Shielded => Awaiting::Task(TaskId(operand)),
            AwaitKind::Timer => Awaiting::Timer(operand),
            AwaitKind::Readable => Awaiting::Readable(operand),
            AwaitKind::Writable => Awaiting::Writable(operand),
            AwaitKind::Children => Awaiting::Children(operand),
            AwaitKind::Turn => Awaiting::Turn,
            AwaitKind::Foreign => Awaiting::Foreign,
            AwaitKind::Mutex => Awaiting::Mutex(operand),
            AwaitKind::Semaphore => Awaiting::Semaphore(operand),
            AwaitKind::Event => Awaiting::Event(operand),
            AwaitKind::Condition => Awaiting::Condition(operand),
            AwaitKind::Barrier => Awaiting::Barrier(operand),
            AwaitKind::Queue => Awaiting::Queue(operand),
            AwaitKind::Channel => Awaiting::Channel(operand),
            AwaitKind::Oneshot => Awaiting::Oneshot(operand),
            AwaitKind::Job => Awaiting::Job(operand),
            AwaitKind::Signal => Awaiting::Signal(operand),
            AwaitKind::Process => Awaiting::Process(operand),
            AwaitKind::Other => Awaiting::Other(operand),
        })
    }

    #[inline]
    pub(crate) fn recorded(self) -> (AwaitKind, u64) {
        match self {
            Awaiting::Task(task) => (AwaitKind::Shielded, task.as_u64()),
            Awaiting::Timer(deadline) => (AwaitKind::Timer, deadline),
            Awaiting::Readable(descriptor) => (AwaitKind::Readable, descriptor),
            Awaiting::Writable(descriptor) => (AwaitKind::Writable, descriptor),
            Awaiting::Children(left) => (AwaitKind::Children, left),
            Awaiting::Turn => (AwaitKind::Turn, 0),
            Awaiting::Foreign => (AwaitKind::Foreign, 0),
            Awaiting::Mutex(address) => (AwaitKind::Mutex, address),
            Awaiting::Semaphore(address) => (AwaitKind::Semaphore, address),
            Awaiting::Event(address) => (AwaitKind::Event, address),
            Awaiting::Condition(address) => (AwaitKind::Condition, address),
            Awaiting::Barrier(address) => (AwaitKind::Barrier, address),
            Awaiting::Queue(address) => (AwaitKind::Queue, address),
            Awaiting::Channel(address) => (AwaitKind::Channel, address),
            Awaiting::Oneshot(address) => (AwaitKind::Oneshot, address),
            Awaiting::Job(number) => (AwaitKind::Job, number),
            Awaiting::Signal(number) => (AwaitKind::Signal, number),
            Awaiting::Process(id) => (AwaitKind::Process, id),
            Awaiting::Other(number) => (AwaitKind::Other, number),
        }
    }
}
