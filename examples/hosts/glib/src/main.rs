//! Inside a glib main loop, as GTK programs have it.
//!
//! ```sh
//! apt-get install libglib2.0-dev     # or whatever the system calls it
//! cargo run --manifest-path examples/hosts/glib/Cargo.toml
//! ```
//!
//! glib polls level-triggered: a source for the descriptor, and a turn whenever it is readable.

use glib::{ControlFlow, IOCondition, MainLoop};
use homing::Runtime;
use homing::runtime::Budget;
use std::cell::{Cell, RefCell};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

fn main() -> homing::Result<()> {
    let runtime = Rc::new(Runtime::new());
    let main_loop = MainLoop::new(None, false);
    let (turns, ticks) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let outcome = Rc::new(RefCell::new(None));

    // The runtime's own tasks may use glib like any other code of this thread.
    let guest = runtime.spawn({
        let (main_loop, outcome) = (main_loop.clone(), outcome.clone());
        async move {
            outcome.replace(Some(hosts::guest().await));
            main_loop.quit();
            Ok(())
        }
    });

    let source = glib::source::unix_fd_add_local(runtime.descriptor()?.as_raw_fd(), IOCondition::IN, {
        let (runtime, turns) = (runtime.clone(), turns.clone());
        move |_, _| {
            turns.set(turns.get() + 1);
            match runtime.turn(Budget::time(Duration::from_millis(1))) {
                Ok(_) => ControlFlow::Continue,
                Err(error) => {
                    eprintln!("{error}");
                    ControlFlow::Break
                }
            }
        }
    });
    glib::timeout_add_local(Duration::from_millis(4), {
        let ticks = ticks.clone();
        move || {
            ticks.set(ticks.get() + 1);
            if ticks.get() < 3 { ControlFlow::Continue } else { ControlFlow::Break }
        }
    });

    main_loop.run();
    // Before the runtime: glib is not to poll a descriptor that is closed.
    source.remove();

    println!("guest: {}", outcome.take().expect("it has quit the loop")?);
    println!("host: {} ticks of its own", ticks.get());
    eprintln!("{} turns", turns.get());
    runtime.block_on(guest)
}
