//! One wait in a line: the future behind every `acquire`, `lock`, `wait`, `get` and `put`.
//!
//! What is waited for differs; how one waits, is cancelled, or goes away does not, and is written here. What differs is
//! said by a [`Claim`]: whether a newcomer may take it at once, what a waiter gets whose turn has come, and who is next
//! when one has left.
//!
//! ```text
//!            ready at once ──────────────► take          (no delivery point: CX-11)
//!  poll ──►  not: leaf.park ─► line.join ─► Pending
//!  again ─►  leaf.resume ─► cancelled: leave the line, and what was kept goes to the next (CX-7: cancel wins)
//!                        └► granted?   collect
//!                        └► not:       leaf.park ─► Pending
//!  drop ──►  leave the line, and what was kept goes to the next
//! ```

use super::wait_list::{Left, Uncollected, WaitList, Who};
use homing_executor::cancel::ScopeId;
use homing_executor::cancel::{Awaiting, Leaf, keep_waker};
use homing_executor::error::{Cancelled, Result};
use homing_executor::observe::{Futurelock, polls_of};
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A place in the source: where something was asked for.
pub(crate) type At = &'static Location<'static>;

/// What somebody wants of `S`, and waits for in its line.
pub(crate) trait Claim<S: ?Sized> {
    /// What stands with the waiter in the line.
    type Note: Copy;
    /// What it has when its turn has come.
    type Gain;

    /// The line to stand in.
    fn line(source: &S) -> &WaitList<Self::Note>;

    /// What is waited for, for people who look at the task; the number is the address of the line.
    fn awaited(source: &S, line: u64) -> Awaiting;

    /// What to write on the place in line.
    fn note(&self) -> Self::Note;

    /// A newcomer: takes it, if it is there and nobody has to be served before.
    /// It is asked for at this place.
    fn take_at_once(&mut self, source: &S, at: At) -> Option<Self::Gain>;

    /// A waiter for whom something was kept takes it. Its place in the line is gone already.
    fn collect(&mut self, source: &S, kept: Self::Note, at: At) -> Self::Gain;

    /// Something was kept for another future of the same task, which does not come for it. What becomes of it.
    fn instead(&self, source: &S, kept: Self::Note) -> Instead<Self::Note> {
        let _ = (source, kept);
        Instead::Kept
    }

    /// Somebody has come to stand in line: from now on others want to know who is in his way.
    fn awaited_for(&self, source: &S) {
        let _ = source;
    }

    /// A waiter has left the line empty-handed: hands on what was kept, or what it stood in the way of.
    fn left(&mut self, source: &S, left: Left<Self::Note>);
}

/// What becomes of something that was kept for a future whose task does not poll it any more, when another one of that task
/// waits for the same.
#[must_use]
pub(crate) enum Instead<N> {
    /// It stays where it is.
    Kept,
    /// The other one has this. If that is less than was kept, the rest has been given back.
    Has(N),
    /// It was given back, and is not enough: the other one waits for the rest, in the first one's place at the head of the line.
    First,
}

/// A wait for a claim on what `source` points to: a reference, or an `Rc`.
pub(crate) struct Turn<R: Deref, C: Claim<R::Target>, T> {
    source: R,
    claim: C,
    stage: Stage,
    /// It is to stand at the head of the line: see [`Instead::First`].
    goes_first: bool,
    leaf: Leaf,
    finish: fn(&R, C::Gain) -> Result<T>,
}

/// | from     | on                                   | to       |
/// |----------|--------------------------------------|----------|
/// | Fresh    | polled: there is something to take   | Over     |
/// | Fresh    | polled: there is not                 | Standing |
/// | Fresh    | polled: not, and a cancel is pending | Over     |
/// | Standing | polled: granted, or cancelled        | Over     |
/// | Standing | dropped                              | Over     |
enum Stage {
    Fresh,
    /// Under this key in the line.
    Standing(usize),
    Over,
}

impl<R: Deref, C: Claim<R::Target>, T> Turn<R, C, T> {
    /// A wait that makes its result of what it gains with `finish`.
    #[track_caller]
    #[inline]
    pub(crate) fn new(source: R, claim: C, finish: fn(&R, C::Gain) -> Result<T>) -> Self {
        Turn { source, claim, stage: Stage::Fresh, goes_first: false, leaf: Leaf::new(), finish }
    }

    /// One poll, without the finish.
    #[track_caller]
    #[inline]
    pub(crate) fn poll_claim(&mut self, cx: &mut Context<'_>) -> Poll<Result<C::Gain, Cancelled>> {
        match self.look() {
            Look::Cancelled(cancelled) => {
                self.leave();
                return Poll::Ready(Err(cancelled));
            }
            Look::Gained(gain) => return Poll::Ready(Ok(gain)),
            Look::Nothing => {}
        }
        if C::line(&self.source).granted() > 0
            && let Some(gain) = self.relieve(cx, self.leaf.place_of_await())
        {
            return Poll::Ready(Ok(gain));
        }
        if let Err(cancelled) = self.leaf.park(cx, self.awaiting()) {
            self.leave();
            if std::mem::take(&mut self.goes_first) {
                // What was given back for it is for those in line.
                self.claim.left(&self.source, Left::Waiting);
            }
            return Poll::Ready(Err(cancelled));
        }
        self.stand(cx, self.leaf.place_of_await());
        Poll::Pending
    }

    /// Somebody in front was woken, and has not come yet. If he will not, because his task polls him no more, that is reported;
    /// and if it is the task of this one, this one has it instead.
    #[cold]
    fn relieve(&mut self, cx: &Context<'_>, here: &'static Location<'static>) -> Option<C::Gain> {
        let me = ScopeId::current()?.task();
        let line = C::line(&self.source);
        // Whom his task still awaits, it has polled in the first poll since.
        let does_not_come = |other: &Uncollected<C::Note>| {
            polls_of(other.who.task).is_some_and(|polls| polls.wrapping_sub(other.woken_at) >= 2)
        };
        while let Some(own) = line.find_uncollected(|other| other.who.task == me) {
            if !does_not_come(&own) {
                // Perhaps he comes in this poll. If not, it shows in the next one.
                cx.waker().wake_by_ref();
                break;
            }
            match self.claim.instead(&self.source, own.note) {
                Instead::Kept => break,
                Instead::Has(instead) => return Some(self.take_over(own, instead, here)),
                Instead::First => {
                    line.pass_over(own.key);
                    self.goes_first = true;
                    self.report(own.who, here, true);
                }
            }
        }
        let line = C::line(&self.source);
        let other = line.find_uncollected(does_not_come)?;
        if line.note_report(other.key) {
            self.report(other.who, here, false);
        }
        None
    }

    fn take_over(
        &mut self,
        own: Uncollected<C::Note>,
        instead: C::Note,
        here: &'static Location<'static>,
    ) -> C::Gain {
        let line = C::line(&self.source);
        line.pass_over(own.key);
        if let Stage::Standing(key) = std::mem::replace(&mut self.stage, Stage::Over) {
            let _nothing_was_kept_here = line.leave(key);
        }
        self.leaf.unpark();
        let gain = self.claim.collect(&self.source, instead, self.leaf.place());
        self.report(own.who, here, true);
        gain
    }

    fn report(&self, who: Who, here: &'static Location<'static>, taken_over: bool) {
        let found = Futurelock::found(self.awaiting(), who.task, who.place, here, taken_over);
        found.iter().for_each(Futurelock::report);
    }

    /// One poll of a wait that a cancel does not end: it keeps its place. The latest goes to `cancelled` (CO-6).
    #[track_caller]
    pub(crate) fn poll_stubbornly(
        &mut self,
        cx: &mut Context<'_>,
        mut cancelled: impl FnMut(Cancelled),
    ) -> Poll<C::Gain> {
        loop {
            match self.look() {
                Look::Gained(gain) => return Poll::Ready(gain),
                Look::Cancelled(again) => cancelled(again),
                Look::Nothing => break,
            }
        }
        while let Err(again) = self.leaf.park(cx, self.awaiting()) {
            cancelled(again);
        }
        self.stand(cx, self.leaf.place_of_await());
        Poll::Pending
    }

    fn look(&mut self) -> Look<C::Gain> {
        let gain = match self.stage {
            Stage::Fresh => self.claim.take_at_once(&self.source, self.leaf.place()),
            Stage::Standing(key) => {
                if let Err(cancelled) = self.leaf.resume() {
                    return Look::Cancelled(cancelled);
                }
                if C::line(&self.source).is_asleep(key) {
                    return self.come_anew(key);
                }
                C::line(&self.source).collect(key).map(|kept| {
                    // Before anything else is done: what was kept is ours now, and not to be handed on by a drop.
                    self.stage = Stage::Over;
                    self.claim.collect(&self.source, kept, self.leaf.place())
                })
            }
            Stage::Over => panic!("a wait was polled again after it had ended"),
        };
        match gain {
            None => Look::Nothing,
            Some(gain) => {
                self.stage = Stage::Over;
                self.leaf.unpark();
                Look::Gained(gain)
            }
        }
    }

    /// It was passed over, and is polled again after all.
    #[cold]
    fn come_anew(&mut self, key: usize) -> Look<C::Gain> {
        let _nothing_was_kept = C::line(&self.source).leave(key);
        self.stage = Stage::Fresh;
        self.look()
    }

    fn stand(&mut self, cx: &Context<'_>, place: &'static Location<'static>) {
        let line = C::line(&self.source);
        let who = ScopeId::current().map(|scope| Who { task: scope.task(), place });
        match self.stage {
            Stage::Standing(key) => line.renew(key, cx.waker(), who),
            _ => {
                self.stage = Stage::Standing(line.join(self.claim.note(), keep_waker(cx.waker()), who));
                self.claim.awaited_for(&self.source);
            }
        }
        if std::mem::take(&mut self.goes_first)
            && let Stage::Standing(key) = self.stage
        {
            C::line(&self.source).go_first(key);
        }
    }

    /// Who looks at the task sees which line it stands in.
    fn awaiting(&self) -> Awaiting {
        C::awaited(&self.source, number_of(C::line(&self.source)))
    }

    #[inline]
    fn leave(&mut self) {
        if let Stage::Standing(key) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.leave_line(key);
        }
    }

    fn leave_line(&mut self, key: usize) {
        let left = C::line(&self.source).leave(key);
        self.claim.left(&self.source, left);
    }
}

/// The number by which people tell one thing from another.
pub(crate) fn number_of<T: ?Sized>(thing: &T) -> u64 {
    std::ptr::from_ref(thing).addr() as u64
}

/// What a poll found.
enum Look<G> {
    Gained(G),
    Cancelled(Cancelled),
    Nothing,
}

impl<R: Deref, C: Claim<R::Target>, T> Future for Turn<R, C, T> {
    type Output = Result<T>;

    #[track_caller]
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let this = self.get_mut();
        match this.poll_claim(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(gain)) => Poll::Ready((this.finish)(&this.source, gain)),
            Poll::Ready(Err(cancelled)) => Poll::Ready(Err(cancelled.into())),
        }
    }
}

// Nothing in it is ever pinned: it stands in the line by a key.
impl<R: Deref, C: Claim<R::Target>, T> Unpin for Turn<R, C, T> {}

impl<R: Deref, C: Claim<R::Target>, T> Drop for Turn<R, C, T> {
    #[inline]
    fn drop(&mut self) {
        self.leave();
    }
}
