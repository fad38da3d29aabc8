//! What a runtime is built with, and what it takes to see what it does.
//!
//! [`Builder`](super::Builder) fills it in; [`Core::new`](super::core::Core::new) uses it up.

use crate::blocking::BlockingOptions;
use crate::clock::ClockKind;
use crate::hook::Hook;
use crate::introspect::{self, Finder, StuckHook};
use crate::observe::{self, FuturelockHook, Futurelocks, Observer, Post, SlowHook, Watch};
use crate::task::options::Start;
use crate::waker;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a runtime is built with.
pub(crate) struct Settings {
    pub(crate) clock: ClockKind,
    pub(crate) seed: Option<u64>,
    pub(crate) default_start: Start,
    pub(crate) debug: bool,
    pub(crate) hook: Option<Hook>,
    pub(crate) blocking: BlockingOptions,
    pub(crate) observers: Vec<Box<dyn Observer>>,
    pub(crate) count_polls: bool,
    pub(crate) grain: Duration,
    /// If nothing is said, as `debug` is.
    pub(crate) find_stuck: Option<bool>,
    pub(crate) on_stuck: Option<StuckHook>,
    pub(crate) on_futurelock: Option<FuturelockHook>,
    pub(crate) slow_poll: Option<Duration>,
    pub(crate) on_slow_poll: Option<SlowHook>,
    pub(crate) black_box: Option<PathBuf>,
}

impl Settings {
    /// What is needed for all that is to be seen.
    pub(super) fn watch(&mut self) -> Option<Box<Watch>> {
        let counts_polls = self.count_polls || !self.observers.is_empty();
        // A limit of zero would make every poll a slow one.
        let limit = self.slow_poll.filter(|limit| !limit.is_zero());
        let is_watched = counts_polls || limit.is_some() || self.finds_stuck();
        is_watched.then(|| {
            let observers = std::mem::take(&mut self.observers);
            let hook = self.on_slow_poll.take();
            let post =
                limit.map(|limit| Post::new(limit, hook.unwrap_or_else(|| Arc::new(observe::print_slow))));
            let wakers = if self.finds_stuck() { waker::Kind::Counted } else { waker::Kind::Plain };
            Box::new(Watch::new(observers, post, counts_polls, wakers))
        })
    }

    fn finds_stuck(&self) -> bool {
        self.find_stuck.unwrap_or(self.debug)
    }

    pub(super) fn finder(&mut self) -> Option<Box<Finder>> {
        let hook = self.on_stuck.take();
        let finder = || Finder::new(hook.unwrap_or_else(|| Box::new(introspect::print_stuck)));
        self.finds_stuck().then(|| Box::new(finder()))
    }

    pub(super) fn futurelocks(&mut self) -> Option<Futurelocks> {
        let hook = self.on_futurelock.take().or_else(|| {
            let print: FuturelockHook = Box::new(observe::print_futurelock);
            self.debug.then_some(print)
        });
        hook.map(Futurelocks::new)
    }
}
