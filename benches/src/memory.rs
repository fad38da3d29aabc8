//! Memory: what the process grows by for a task that waits and does nothing, beyond the task's own future.
//!
//! Moved by: the size of a task's header, the allocator's share, lists that grow with the number of tasks. Resident
//! memory (RSS) after a million spawns, minus that before, in a fresh process for each runtime.

use crate::contender::Contender;
use crate::contenders::{Visitor, visit_all};
use std::cell::Cell;
use std::env;
use std::pin::Pin;
use std::process::{Command, ExitCode};
use std::rc::Rc;
use std::task::{Context, Poll};

const TASKS: usize = 1_000_000;
/// So many are spawned at once, lest the queues through which new tasks go count for more than the tasks.
const AT_ONCE: usize = 1_000;

/// Measures each contender in a process of its own.
pub(crate) fn measure_all() -> ExitCode {
    println!(
        "{TASKS} idle tasks, each with a future of {} bytes: bytes of RSS per task beyond it",
        size_of::<Idle>()
    );
    let mut children = Children { code: ExitCode::SUCCESS };
    visit_all(&mut children);
    children.code
}

/// Measures one contender in this process.
pub(crate) fn measure(contender: &str) -> ExitCode {
    let mut one = One { name: contender, found: false };
    visit_all(&mut one);
    if one.found { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Children {
    code: ExitCode,
}

impl Visitor for Children {
    fn visit<C: Contender>(&mut self) {
        let program = env::current_exe().expect("the program knows where it is");
        let status = Command::new(program).args(["memory", C::NAME]).status();
        if !status.is_ok_and(|status| status.success()) {
            self.code = ExitCode::FAILURE;
        }
    }
}

struct One<'a> {
    name: &'a str,
    found: bool,
}

impl Visitor for One<'_> {
    fn visit<C: Contender>(&mut self) {
        if C::NAME == self.name {
            self.found = true;
            let grown = growth::<C>();
            println!("{:<8} {:>6.1}", C::NAME, grown as f64 / TASKS as f64 - size_of::<Idle>() as f64);
        }
    }
}

/// By how many bytes the process grows.
fn growth<C: Contender>() -> usize {
    let contender = C::new();
    let parked = Rc::new(Cell::new(0));
    // A first batch, so that what is made once is there.
    spawn_idle::<C>(&contender, AT_ONCE, &parked);
    let before = resident_bytes();
    spawn_idle::<C>(&contender, AT_ONCE + TASKS, &parked);
    let after = resident_bytes();
    // A million destructors are of no interest.
    std::mem::forget(contender);
    after - before
}

/// Spawns idle tasks until there are `tasks`, all of them polled once.
fn spawn_idle<C: Contender>(contender: &C, tasks: usize, parked: &Rc<Cell<usize>>) {
    contender.block_on(async {
        while parked.get() < tasks {
            let wanted = parked.get() + AT_ONCE;
            for _ in 0..AT_ONCE {
                drop(C::spawn(Idle { parked: parked.clone(), _ballast: [0; 7] }));
            }
            while parked.get() < wanted {
                C::yield_now().await;
            }
        }
    });
}

/// A future of 64 bytes that never ends.
struct Idle {
    parked: Rc<Cell<usize>>,
    _ballast: [u64; 7],
}

impl Future for Idle {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.parked.set(self.parked.get() + 1);
        Poll::Pending
    }
}

/// The memory of this process that is in RAM.
fn resident_bytes() -> usize {
    let status =
        std::fs::read_to_string("/proc/self/status").expect("resident memory is read from Linux' /proc");
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB")?.trim().parse::<usize>().ok());
    resident.expect("a line that says how much") * 1024
}
