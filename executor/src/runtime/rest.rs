//! Rest: what the loop does when nothing is ready, and how it knows until when.
//!
//! ```text
//!   nothing is ready ──► a grant that is let go?         it is reported
//!                        somebody waits for just that?   `settle` wakes him
//!                        nobody can ever be woken?       a deadlock
//!                        a virtual clock?                it jumps to the next deadline
//!                        a flood of messages?            it lingers for the next one (module `linger`)
//!                        otherwise                       the thread sleeps in the reactor: for an event, a message
//!                                                        of another thread, or the next deadline
//! ```
//!
//! The reactor is made when it is first needed. A program that never sleeps has none.

use super::core::{Core, LOOK_EVERY, Phase};
use super::linger::Lingered;
use crate::blocking::Pool;
use crate::clock::Nanos;
use crate::error::{Result, RuntimeError};
use crate::introspect::{Alarm, Verdict};
use crate::observe::{self, Cause};
use crate::reactor::{Brought, Patience, Reactor, Waking, Woken};
use crate::task::life;
use std::io;

/// How many polls of the usual kind take as long as [lingering](super::linger) for a message does.
const LINGER_POLLS: u32 = 16;

impl Core {
    /// The one place where the thread may block.
    #[cold]
    pub(super) fn sleep(&self) -> Result<()> {
        let until_look = self.until_look.replace(LOOK_EVERY);
        self.look_for_futurelocks();
        if !self.ready.is_empty() {
            return Ok(()); // the hook has made something ready
        }
        if !self.settling.is_empty() {
            return Ok(self.come_to_rest()?);
        }
        if let Some(finder) = &self.finder
            && self.outpost.is_empty()
        {
            let alarm = if self.next_deadline().is_some() { Alarm::Set } else { Alarm::None };
            if let Verdict::Deadlock(stuck) = self.look_for_stuck(finder, alarm) {
                return Err(RuntimeError::Deadlock(stuck).into());
            }
            if !self.ready.is_empty() {
                return Ok(()); // the same
            }
        }
        if let Some(deadline) = self.next_jump() {
            return Ok(self.sleep_virtually(deadline)?);
        }
        if self.linger.until(|| !self.outpost.is_empty()) == Lingered::Heard {
            // It has taken as long as some polls, and is counted as these: events and deadlines must not wait for ever.
            self.until_look.set(until_look.saturating_sub(LINGER_POLLS).max(1));
            self.count_poll();
            return Ok(());
        }
        let deadline = self.next_real_deadline();
        let now = self.clock.read();
        let patience = match deadline {
            Some(deadline) if deadline <= now => return Ok(()),
            Some(deadline) => Patience::Until { deadline: self.crowd.alarm(deadline), now },
            None => Patience::Forever,
        };
        self.open_reactor()?;
        let asleep = self.watch.as_ref().map(|watch| watch.go_off_duty());
        self.outpost.fall_asleep();
        let result = self.listen(if self.outpost.is_empty() { patience } else { Patience::Look });
        self.outpost.wake_up();
        observe::add(&self.counts.sleeps, 1);
        let slept = self.clock.read().saturating_sub(now);
        observe::add(&self.counts.slept, slept);
        // By a virtual clock any sleep is short: it says nothing.
        self.linger.note_sleep(slept, !self.outpost.is_empty() && !self.clock.is_virtual());
        if let Some(from) = asleep {
            self.tell_slept(from);
        }
        Ok(result?)
    }

    /// Real events first, then the jump.
    fn sleep_virtually(&self, deadline: Nanos) -> io::Result<()> {
        self.listen(Patience::Look)?;
        if self.ready.is_empty() && self.outpost.is_empty() {
            self.clock.jump(deadline);
        }
        Ok(())
    }

    /// Takes in what has happened, without waiting.
    pub(super) fn look_at_events(&self) -> io::Result<()> {
        self.listen(Patience::Look)
    }

    /// Waits for events, and wakes whom they concern. Does nothing if nobody ever needed a reactor.
    pub(super) fn listen(&self, patience: Patience) -> io::Result<()> {
        let mut later = {
            let mut reactor = self.reactor.borrow_mut();
            let Some(reactor) = reactor.as_mut() else { return Ok(()) };
            let nothing_to_hear =
                !reactor.has_sources() && !self.rung.get() && self.phase.get() != Phase::Hosted;
            if patience == Patience::Look && nothing_to_hear {
                return Ok(());
            }
            self.rung.set(false);
            let later = self.woken.take();
            let mut waking = match &self.watch {
                None => Waking::at_once(self, later),
                Some(_) => Waking::later(later),
            };
            let mut brought = reactor.wait(patience, &mut waking)?;
            // A host that waits for an edge does not hear of what is left.
            while brought == Brought::AsMuchAsFits && self.phase.get() != Phase::Running {
                // If this fails, so will the next look, and whom the last one has brought is to be woken.
                brought = reactor.wait(Patience::Look, &mut waking).unwrap_or(Brought::All);
            }
            observe::add(&self.counts.io_wakes, waking.count());
            waking.into_later()
        };
        if !later.is_empty() {
            self.because(Cause::Io, || later.drain(..).for_each(|who| self.wake_woken(who)));
        }
        self.woken.set(later);
        Ok(())
    }

    fn wake_woken(&self, who: Woken) {
        match who {
            Woken::Task(task) => self.wake_by_id(task),
            Woken::Foreign(waker) => life::wake_foreign(waker),
        }
    }

    /// How many sources the reactor listens to.
    pub(crate) fn source_count(&self) -> usize {
        self.reactor.borrow_mut().as_mut().map_or(0, Reactor::source_count)
    }

    /// The reactor, made if it is not there yet.
    pub(crate) fn with_reactor<R>(&self, f: impl FnOnce(&mut Reactor) -> io::Result<R>) -> io::Result<R> {
        self.open_reactor()?;
        f(self.reactor.borrow_mut().as_mut().expect("just opened"))
    }

    fn open_reactor(&self) -> io::Result<()> {
        if self.reactor.borrow().is_none() {
            let reactor = Reactor::new(self.serial)?;
            self.outpost.bell.hang(Some(reactor.bell()));
            *self.reactor.borrow_mut() = Some(reactor);
        }
        Ok(())
    }

    /// Whether another turn would find something to do, by the clock as it was last read.
    pub(crate) fn has_work(&self) -> bool {
        !self.is_at_rest() || !self.settling.is_empty()
    }

    /// Whether nothing can run, by the clock as it was last read.
    pub(crate) fn is_at_rest(&self) -> bool {
        let is_due = |deadline| deadline <= self.clock.turn();
        self.ready.is_empty() && self.outpost.is_empty() && !self.next_deadline().is_some_and(is_due)
    }

    /// When the earliest timer is due. One that is set to the end of time never is.
    pub(crate) fn next_deadline(&self) -> Option<Nanos> {
        self.deadlines.next()
    }

    /// Whether somebody awaits such a job: its end is sure to come, so a virtual clock does not jump over it.
    fn awaits_jobs(&self) -> bool {
        self.blocking.get().is_some_and(Pool::is_awaited)
    }

    /// Where a virtual clock would jump to, if nothing can run.
    pub(super) fn next_jump(&self) -> Option<Nanos> {
        if self.clock.is_virtual() && !self.awaits_jobs() { self.next_deadline() } else { None }
    }

    /// Until when a clock that is not virtual has to be waited for.
    pub(super) fn next_real_deadline(&self) -> Option<Nanos> {
        if self.clock.is_virtual() { None } else { self.next_deadline() }
    }
}
