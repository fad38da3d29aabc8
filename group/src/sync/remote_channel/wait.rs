//! One wait for an item or for room, by a task of any runtime.
//!
//! It goes as all waiting in `sync` does (see `turn.rs`), except that between two steps another thread may have taken one.
//! So who is about to stand in line looks once more, under the lock under which it then stands.
//!
//! ```text
//!   poll ──► look ─► there: take it                         (no delivery point: CX-11)
//!              └──► not: leaf.park ─► look, or stand ─► Pending
//!   again ─► leaf.resume ─► cancelled: leave the line, and what was kept goes to the next (CX-7)
//!              └──► called: take what was kept
//! ```

use super::closed;
use super::line::{Left, Line};
use super::state::{Shared, State, Woken};
use crate::sync::turn::number_of;
use homing_executor::cancel::{Awaiting, Leaf};
use homing_executor::error::Result;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// What is waited for.
pub(super) trait Claim<T> {
    type Gain;

    fn line(state: &mut State<T>) -> &mut Line;

    /// Takes it, if there is some that is kept for nobody.
    fn take_free(&mut self, state: &mut State<T>) -> Option<(Result<Self::Gain>, Woken)>;

    /// Takes what was kept.
    fn take_kept(&mut self, state: &mut State<T>) -> (Result<Self::Gain>, Woken);

    /// What comes of it if there never will be any more.
    fn hopeless(&self, state: &State<T>) -> Option<Result<Self::Gain>>;

    /// Somebody has left the line empty-handed.
    fn left(state: &mut State<T>, left: Left) -> Woken;
}

/// The claim of a receiver.
#[derive(Debug)]
pub(super) struct AnItem;

/// The claim of a sender, with what it sends.
#[derive(Debug)]
pub(super) struct Room<T>(pub(super) Option<T>);

impl<T> Claim<T> for AnItem {
    type Gain = Option<T>;

    fn line(state: &mut State<T>) -> &mut Line {
        &mut state.getters
    }

    fn take_free(&mut self, state: &mut State<T>) -> Option<(Result<Option<T>>, Woken)> {
        state.has_free_item().then(|| self.take_kept(state))
    }

    fn take_kept(&mut self, state: &mut State<T>) -> (Result<Option<T>>, Woken) {
        let (item, woken) = state.pop();
        (Ok(Some(item)), woken)
    }

    fn hopeless(&self, state: &State<T>) -> Option<Result<Option<T>>> {
        state.is_exhausted().then_some(Ok(None))
    }

    fn left(state: &mut State<T>, left: Left) -> Woken {
        state.getter_left(left)
    }
}

impl<T> Claim<T> for Room<T> {
    type Gain = ();

    fn line(state: &mut State<T>) -> &mut Line {
        &mut state.putters
    }

    fn take_free(&mut self, state: &mut State<T>) -> Option<(Result<()>, Woken)> {
        (state.receivers > 0 && state.has_free_room()).then(|| self.take_kept(state))
    }

    fn take_kept(&mut self, state: &mut State<T>) -> (Result<()>, Woken) {
        if state.receivers == 0 {
            return (closed(), Woken::default());
        }
        let item = self.0.take().expect("an item is sent once");
        (Ok(()), state.push(item))
    }

    fn hopeless(&self, state: &State<T>) -> Option<Result<()>> {
        (state.receivers == 0).then(closed)
    }

    fn left(state: &mut State<T>, left: Left) -> Woken {
        state.putter_left(left)
    }
}

/// The future of `send` and `recv`.
#[must_use = "futures do nothing unless awaited"]
pub(super) struct Wait<'a, T, C: Claim<T>> {
    shared: &'a Shared<T>,
    claim: C,
    stage: Stage,
    leaf: Leaf,
}

/// | from     | on                            | to       |
/// |----------|-------------------------------|----------|
/// | Fresh    | polled: taken, or hopeless    | Over     |
/// | Fresh    | polled: nothing to take       | Standing |
/// | Standing | polled: called, or hopeless   | Over     |
/// | any      | cancelled, or dropped         | Over     |
#[derive(Clone, Copy, Debug)]
enum Stage {
    Fresh,
    /// With this ticket.
    Standing(u64),
    Over,
}

impl<'a, T, C: Claim<T>> Wait<'a, T, C> {
    #[track_caller]
    pub(super) fn new(shared: &'a Shared<T>, claim: C) -> Self {
        Wait { shared, claim, stage: Stage::Fresh, leaf: Leaf::new() }
    }

    /// Takes what there is to be had. With a waker, stands in line if there is nothing.
    fn look(&mut self, waker: Option<Waker>) -> Option<Result<C::Gain>> {
        let shared = self.shared;
        let found = self.look_at(&mut shared.lock(), waker);
        // The lock has been released.
        drop(found.former);
        found.woken.wake();
        found.result
    }

    fn look_at(&mut self, state: &mut State<T>, waker: Option<Waker>) -> Found<C::Gain> {
        let ticket = match self.stage {
            Stage::Fresh => None,
            Stage::Standing(ticket) => Some(ticket),
            Stage::Over => panic!("a wait was polled again after it had ended"),
        };
        let taken = match ticket {
            None => self.claim.take_free(state),
            Some(ticket) if C::line(state).is_called(ticket) => {
                C::line(state).collect();
                Some(self.claim.take_kept(state))
            }
            Some(_) => None,
        };
        if let Some((result, woken)) = taken {
            self.stage = Stage::Over;
            return Found { result: Some(result), woken, former: None };
        }
        if let Some(result) = self.claim.hopeless(state) {
            self.stage = Stage::Over;
            let former = ticket.and_then(|ticket| C::line(state).leave(ticket).1);
            return Found { result: Some(result), woken: Woken::default(), former };
        }
        let former = match (ticket, waker) {
            (Some(ticket), Some(waker)) => C::line(state).renew(ticket, waker),
            (None, Some(waker)) => {
                self.stage = Stage::Standing(C::line(state).join(waker));
                None
            }
            (_, None) => None,
        };
        Found { result: None, woken: Woken::default(), former }
    }

    fn leave(&mut self) {
        if let Stage::Standing(ticket) = std::mem::replace(&mut self.stage, Stage::Over) {
            let (waker, woken) = {
                let mut state = self.shared.lock();
                let (left, waker) = C::line(&mut state).leave(ticket);
                (waker, C::left(&mut state, left))
            };
            drop(waker);
            woken.wake();
        }
    }
}

/// What a look at the channel has come to, to be dealt with when the lock is released.
struct Found<G> {
    result: Option<Result<G>>,
    woken: Woken,
    /// A waker that was in the line, and is not any more.
    former: Option<Waker>,
}

impl<T, C: Claim<T>> Future for Wait<'_, T, C> {
    type Output = Result<C::Gain>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Err(cancelled) = this.leaf.resume() {
            this.leave();
            return Poll::Ready(Err(cancelled.into()));
        }
        if let Some(result) = this.look(None) {
            this.leaf.unpark();
            return Poll::Ready(result);
        }
        if let Err(cancelled) = this.leaf.park(cx, Awaiting::Channel(number_of(this.shared))) {
            this.leave();
            return Poll::Ready(Err(cancelled.into()));
        }
        if let Some(result) = this.look(Some(cx.waker().clone())) {
            this.leaf.unpark();
            return Poll::Ready(result);
        }
        Poll::Pending
    }
}

// Nothing in it is ever pinned: it stands in the line by a ticket.
impl<T, C: Claim<T>> Unpin for Wait<'_, T, C> {}

impl<T, C: Claim<T>> Drop for Wait<'_, T, C> {
    fn drop(&mut self) {
        self.leave();
    }
}
