//! monoio, with its `legacy` driver (epoll) and with io_uring. Timers are enabled, and the feature `sync`,
//! without which a waker may not leave its thread.

use crate::runtime::{Ability, Runtime};
use crate::sockets::monoio::MonoioSockets;
use ::monoio::time::TimeDriver;
use ::monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// monoio, with epoll.
pub(crate) type MonoioEpoll = Monoio<LegacyDriver>;
/// monoio, with io_uring.
pub(crate) type MonoioUring = Monoio<IoUringDriver>;

/// monoio, with some driver.
pub(crate) struct Monoio<D: 'static>(Rc<RefCell<::monoio::Runtime<TimeDriver<D>>>>);

const LACKS: &[Ability] = &[Ability::Eager, Ability::Cancel];

macro_rules! runtime {
    ($driver:ty, $name:literal, $unavailable:expr) => {
        impl Runtime for Monoio<$driver> {
            const NAME: &'static str = $name;
            const PACKAGE: &'static str = "monoio";
            const LACKS: &'static [Ability] = LACKS;

            type Handle = ::monoio::task::JoinHandle<()>;
            type Sockets = MonoioSockets;

            fn new() -> Self {
                let runtime = RuntimeBuilder::<$driver>::new().enable_timer().build();
                Monoio(Rc::new(RefCell::new(runtime.expect("a runtime"))))
            }

            fn unavailable() -> Option<String> {
                $unavailable
            }

            fn block_on<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
                self.0.borrow_mut().block_on(main)
            }

            fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Self::Handle {
                ::monoio::spawn(future)
            }

            fn join(handle: Self::Handle) -> impl Future<Output = ()> {
                handle
            }

            fn sleep(duration: Duration) -> impl Future + 'static {
                ::monoio::time::sleep(duration)
            }

            fn note(workload: &str) -> Option<&'static str> {
                note(workload)
            }
        }
    };
}

runtime!(LegacyDriver, "monoio", None);
runtime!(IoUringDriver, "monoio-uring", super::without_io_uring());

fn note(workload: &str) -> Option<&'static str> {
    Some(match workload {
        "spawn-eager" => "no eager start: queued",
        "yield-common-1000" | "yield-own-1000" | "group-100-unordered" => {
            "a task that gives way is polled again at once: the others do not get a turn"
        }
        "group-100" => "a vector of handles, awaited in order; who gives way is polled again at once",
        "timers-fire" | "sleep-1ms" | "sleep-100us" => "timers have a grain of 1 ms, rounded up",
        "wake-asleep" | "wake-flood" => "with the feature sync, without which this panics",
        _ => return None,
    })
}

impl<D: 'static> Clone for Monoio<D> {
    fn clone(&self) -> Self {
        Monoio(self.0.clone())
    }
}
