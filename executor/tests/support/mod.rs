//! What the executor's tests share: a runtime in virtual time, a log of what happened, a hook that remembers.
#![allow(dead_code, reason = "each test file uses a part")]

use homing::{Builder, Error, Result, Runtime, Unhandled};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Runs a future, and all that it leaves behind, in virtual time. What goes unhandled is printed.
pub(crate) fn in_virtual_time<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new().virtual_time().build().block_on(main)
}

/// A runtime in virtual time whose unhandled errors are remembered.
pub(crate) fn runtime() -> (Runtime, Reports) {
    let reports = Reports::default();
    (Builder::new().virtual_time().on_unhandled(reports.hook()).build(), reports)
}

/// What came to the hook for unhandled errors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reports(Rc<RefCell<Vec<String>>>);

impl Reports {
    pub(crate) fn hook(&self) -> impl Fn(&Unhandled) + 'static {
        let reports = self.0.clone();
        move |unhandled| reports.borrow_mut().push(unhandled.to_string())
    }

    /// Takes what has been reported so far.
    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }

    #[track_caller]
    pub(crate) fn assert_none(&self) {
        assert_eq!(self.take(), Vec::<String>::new(), "nothing should have been reported");
    }

    /// Exactly one report, which contains all of these words.
    #[track_caller]
    pub(crate) fn assert_one(&self, words: &[&str]) {
        let reports = self.take();
        assert_eq!(reports.len(), 1, "one report is due: {reports:?}");
        for word in words {
            assert!(reports[0].contains(word), "'{word}' is missing in: {}", reports[0]);
        }
    }
}

/// What happened, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, what: impl fmt::Display) {
        self.0.borrow_mut().push(what.to_string());
    }

    /// Takes what happened so far.
    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// Counts drops. Clone it into whatever is to be counted with `guard`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drops(Rc<Cell<u32>>);

impl Drops {
    pub(crate) fn guard(&self) -> DropGuard {
        DropGuard(self.0.clone())
    }

    pub(crate) fn count(&self) -> u32 {
        self.0.get()
    }
}

#[derive(Debug)]
pub(crate) struct DropGuard(Rc<Cell<u32>>);

impl Drop for DropGuard {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Does something when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Gives way `turns` times.
pub(crate) async fn yields(turns: usize) -> Result<()> {
    for _ in 0..turns {
        homing::yield_now().await?;
    }
    Ok(())
}

/// A leaf of homing's that nobody ever completes.
pub(crate) fn forever() -> homing::time::Sleep {
    homing::sleep_until(homing::Instant::FAR_FUTURE)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An error of the program's own.
pub(crate) fn failure(text: &'static str) -> Error {
    Error::msg(text)
}

/// The text of a panic's payload.
pub(crate) fn panic_text(payload: Box<dyn std::any::Any + Send>) -> String {
    match payload.downcast::<&'static str>() {
        Ok(text) => (*text).to_owned(),
        Err(payload) => payload.downcast::<String>().map_or_else(|_| "no text".to_owned(), |text| *text),
    }
}

/// A panic that a test provokes: unwinds like one, without being printed.
pub(crate) fn blow_up(text: &'static str) -> ! {
    std::panic::resume_unwind(Box::new(text))
}

/// Polls a future once, with a waker that does nothing.
pub(crate) fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A foreign future: ready once it was opened. It knows nothing of homing, and so nothing of cancellation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Rc<GateState>);

#[derive(Debug, Default)]
struct GateState {
    open: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Gate {
    pub(crate) fn open(&self) {
        self.0.open.set(true);
        let waker = self.0.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The waker of whoever polled last.
    pub(crate) fn waker(&self) -> Option<Waker> {
        self.0.waker.borrow().clone()
    }
}

impl Future for Gate {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.open.get() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        *self.0.waker.borrow_mut() = Some(waker);
        Poll::Pending
    }
}
