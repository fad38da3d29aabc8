//! nio: a young runtime, a thread per core, of which this is one: its `LocalRuntime` with one worker.

use super::joined::Joined;
use crate::runtime::{Ability, Runtime};
use crate::sockets::nio::NioSockets;
use ::nio::{JoinHandle, LocalRuntime, RuntimeBuilder};
use std::cell::RefCell;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::Duration;

/// nio. Built when it is first used: a thread can have no second one, not even an idle one.
#[derive(Clone)]
pub(crate) struct Nio(Rc<RefCell<Option<LocalRuntime>>>);

impl Runtime for Nio {
    const NAME: &'static str = "nio";
    const PACKAGE: &'static str = "nio";
    const LACKS: &'static [Ability] = &[Ability::Eager];

    type Handle = JoinHandle<()>;
    type Sockets = NioSockets;

    fn new() -> Self {
        Nio(Rc::default())
    }

    fn block_on<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
        let mut runtime = self.0.borrow_mut();
        let runtime = runtime
            .get_or_insert_with(|| RuntimeBuilder::new().worker_threads(1).build().expect("a runtime"));
        runtime.block_on(main)
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Self::Handle {
        ::nio::spawn_local(future)
    }

    fn join(handle: Self::Handle) -> impl Future<Output = ()> {
        // Said again, a panic's message is wrapped in another one.
        Joined::new(handle, |outcome| outcome.unwrap_or_else(|error| resume_unwind(error.into_panic())))
    }

    async fn cancel_all(handles: Vec<Self::Handle>) {
        for handle in &handles {
            handle.abort();
        }
        for handle in handles {
            // Cancelled tasks give an error, as they should.
            let _ = handle.await;
        }
    }

    fn sleep(duration: Duration) -> impl Future + 'static {
        ::nio::sleep(duration)
    }

    fn note(workload: &str) -> Option<&'static str> {
        Some(match workload {
            "spawn-eager" => "no eager start: queued",
            "group-100" => "a vector of handles, awaited in order",
            "timers-bulk" | "timers-single" => {
                "a sleep counts from the beginning of the turn, so it reads no clock, and ends before its time"
            }
            "timers-fire" => "its timers have a grain of 1 ms, and may fire before their time",
            "cancel-sleepers" => {
                "abort: the task's future is dropped, it cannot clean up with further awaits"
            }
            _ => return None,
        })
    }
}
