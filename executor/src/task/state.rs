//! A task's life, as a state machine.
//!
//! A task is polled by one thread only, so a plain enum can hold its state. Every change goes through one of the
//! methods here; what has no row in the table changes nothing.
//!
//! | from               | on                        | to      | then                                |
//! |--------------------|---------------------------|---------|-------------------------------------|
//! | Free               | spawn                     | Created | push on the ready queue             |
//! | Free               | eager spawn               | Running | poll, inside the spawning call      |
//! | Free               | spawn, held back          | Held    | nothing                             |
//! | Held               | start, cancel             | Created | push on the ready queue             |
//! | Created or Ready   | its turn                  | Running | poll                                |
//! | Running            | wake                      | Rewoken | nothing until the poll returns      |
//! | Running            | the poll returns pending  | Parked  | nothing                             |
//! | Rewoken            | the poll returns pending  | Ready   | push on the ready queue             |
//! | Parked or Watched  | wake                      | Ready   | push on the ready queue             |
//! | Parked             | its poll was watched      | Watched | nothing                             |
//! | any but Free, Done | end (ready, panic, abort) | Done    | store the outcome, wake the joiners |
//! | Done               | the last handle is gone   | Free    | recycle the row                     |
//!
//! A task whose future is being dropped counts as running until it is done: what its destructors do to it comes too late.
//!
//! That a running task is not queued before its poll returns keeps the queue free of tasks that end in that very poll.

use crate::outside::{Label, LabelKind, Meaning};

/// Where a task stands. See the [table](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// No task at all.
    Free = 0,
    /// Spawned, and not polled yet: cancelled now, its body never runs (CX-8).
    Created = 1,
    /// In the ready queue.
    Ready = 2,
    /// Being polled.
    Running = 3,
    /// Being polled, and to be polled again.
    Rewoken = 4,
    /// Waiting for somebody to wake it.
    Parked = 5,
    /// Over; its outcome is kept for whoever still has a handle.
    Done = 6,
    /// Spawned, and not even in line before somebody starts it. (There is no waker of it yet, so a wake is a start.)
    Held = 7,
    /// As `Parked`, where somebody wants to hear of the wake: so that this takes the long way, and others pay nothing. See
    /// [`observe`](crate::observe).
    Watched = 8,
}

impl State {
    /// All of them. What is missing here, other processes do not understand.
    const ALL: [State; 9] = [
        State::Free,
        State::Created,
        State::Ready,
        State::Running,
        State::Rewoken,
        State::Parked,
        State::Done,
        State::Held,
        State::Watched,
    ];

    /// What another process is told that they are called.
    pub(crate) const LABELS: [Label; Self::ALL.len()] = {
        let mut labels = [Label::new(LabelKind::State, 0, "", Meaning::Plain); Self::ALL.len()];
        let mut at = 0;
        while at < labels.len() {
            let name = match Self::ALL[at] {
                State::Free => "free",
                State::Created => "created",
                State::Ready => "ready",
                State::Running | State::Rewoken => "running",
                State::Parked | State::Watched => "parked",
                State::Done => "done",
                State::Held => "held",
            };
            labels[at] = Label::new(LabelKind::State, Self::ALL[at] as u32, name, Meaning::Plain);
            at += 1;
        }
        labels
    };
}

/// What a wake amounts to.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// The task has become ready: push it.
    Enqueue,
    /// It is in line already, or will be as soon as its poll returns; or it is over.
    Nothing,
}

impl State {
    /// Somebody wakes the task.
    #[inline(always)]
    pub(crate) fn wake(self) -> (State, Wake) {
        match self {
            State::Parked | State::Watched => (State::Ready, Wake::Enqueue),
            State::Held => (State::Created, Wake::Enqueue),
            State::Running => (State::Rewoken, Wake::Nothing),
            State::Created | State::Ready | State::Rewoken | State::Done | State::Free => {
                (self, Wake::Nothing)
            }
        }
    }

    /// The task that is being polled wakes itself.
    #[inline(always)]
    pub(crate) fn rewake(self) -> State {
        debug_assert!(self.on_cpu());
        State::Rewoken
    }

    /// Its poll returned pending.
    #[inline(always)]
    pub(crate) fn suspend(self) -> (State, Wake) {
        match self {
            State::Rewoken => (State::Ready, Wake::Enqueue),
            _ => {
                debug_assert_eq!(self, State::Running);
                (State::Parked, Wake::Nothing)
            }
        }
    }

    /// Whether it waits for its turn.
    #[inline(always)]
    pub(crate) fn is_in_line(self) -> bool {
        matches!(self, State::Created | State::Ready)
    }

    /// Whether it is being polled at this moment.
    pub(crate) fn on_cpu(self) -> bool {
        matches!(self, State::Running | State::Rewoken)
    }

    /// Whether there is a task that has not ended.
    pub(crate) fn is_alive(self) -> bool {
        !matches!(self, State::Free | State::Done)
    }
}
