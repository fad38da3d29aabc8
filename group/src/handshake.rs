//! The handshake of a child that is being started with its starter.
//!
//! | from                | on                   | to        | then                                                   |
//! |---------------------|----------------------|-----------|--------------------------------------------------------|
//! | Starting            | `set(value)`         | Started   | wake the starter, who takes the value                  |
//! | Starting            | the token is dropped | GivenUp   | wake the starter, who cancels the child, and waits on  |
//! | Starting or GivenUp | the child ends       | Ended     | wake the starter, who gives what the child ended with  |
//! | Starting or GivenUp | the start is dropped | Abandoned | abort the child                                        |
//! | Started             | the start is dropped | Abandoned | nothing: the child goes on                             |
//! | Started, Abandoned  | the child ends       | the same  | its error is the group's                               |

use crate::waiter::Waiter;
use homing_executor::cancel::AwaitedTasks;
use std::cell::{OnceCell, RefCell};

/// What starter and child share.
pub(crate) struct Handshake<V> {
    state: RefCell<State<V>>,
    /// There once the child is spawned.
    pub(crate) forward_to: OnceCell<AwaitedTasks>,
    pub(crate) starter: Waiter,
}

/// See the [table](self).
pub(crate) enum State<V> {
    Starting,
    GivenUp,
    /// The value is there until the starter takes it.
    Started(Option<V>),
    Ended,
    Abandoned,
}

/// What a starter leaves behind who waits no more.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Unstarted,
    StartedOrOver,
}

/// Whom a child's error concerns.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concerns {
    TheStarter,
    TheGroup,
}

impl<V> Handshake<V> {
    pub(crate) fn new(state: State<V>) -> Handshake<V> {
        Handshake { state: RefCell::new(state), forward_to: OnceCell::new(), starter: Waiter::default() }
    }

    /// The starter goes on in its next turn, and a cancel of it is no more the child's affair.
    fn tell_starter(&self) {
        self.starter.wake();
    }

    pub(crate) fn set(&self, value: V) {
        let unwanted = {
            let mut state = self.state.borrow_mut();
            match *state {
                State::Starting => {
                    *state = State::Started(Some(value));
                    None
                }
                State::GivenUp | State::Started(_) | State::Ended | State::Abandoned => Some(value),
            }
        };
        if unwanted.is_some() {
            return drop(unwanted);
        }
        if let Some(forward_to) = self.forward_to.get() {
            forward_to.close();
        }
        self.tell_starter();
    }

    pub(crate) fn give_up(&self) {
        let was_starting = {
            let mut state = self.state.borrow_mut();
            let was_starting = matches!(*state, State::Starting);
            if was_starting {
                *state = State::GivenUp;
            }
            was_starting
        };
        if was_starting {
            self.tell_starter();
        }
    }

    pub(crate) fn child_ended(&self) -> Concerns {
        {
            let mut state = self.state.borrow_mut();
            match *state {
                State::Starting | State::GivenUp => *state = State::Ended,
                State::Started(_) | State::Ended | State::Abandoned => return Concerns::TheGroup,
            }
        }
        self.tell_starter();
        Concerns::TheStarter
    }

    pub(crate) fn abandon(&self) -> Left {
        // Taken out first: a value that nobody has taken may do anything when it is dropped.
        let before = self.state.replace(State::Abandoned);
        match before {
            State::Starting | State::GivenUp => Left::Unstarted,
            // The child stays what it is.
            State::Started(_) | State::Ended | State::Abandoned => Left::StartedOrOver,
        }
    }

    pub(crate) fn is_given_up(&self) -> bool {
        matches!(*self.state.borrow(), State::GivenUp)
    }

    /// Whether there is nothing left to wait for.
    pub(crate) fn is_decided(&self) -> bool {
        matches!(*self.state.borrow(), State::Started(_) | State::Ended)
    }

    pub(crate) fn take_value(&self) -> Option<V> {
        match &mut *self.state.borrow_mut() {
            State::Started(value) => value.take(),
            State::Starting | State::GivenUp | State::Ended | State::Abandoned => None,
        }
    }
}
