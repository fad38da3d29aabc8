//! Inside a `calloop` event loop, as Wayland programs have it.
//!
//! ```sh
//! cargo run -p homing-examples-hosts --bin calloop
//! ```
//!
//! The runtime is an event source: its descriptor, waited for level-triggered, and a turn when it is readable. The host
//! need not look at what the turn says, for as long as something is left to do the descriptor stays readable.

use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{EventLoop, Interest, Mode, PostAction};
use homing::runtime::Budget;
use homing::{Error, Runtime};
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// What the host's callbacks share.
#[derive(Default)]
struct Host {
    turns: u32,
    ticks: u32,
}

fn main() -> homing::Result<()> {
    let runtime = Rc::new(Runtime::new());
    let guest = runtime.spawn(hosts::guest());

    let mut event_loop = EventLoop::<Host>::try_new()?;
    let source = Generic::new(runtime.clone(), Interest::READ, Mode::Level);
    let turn = |_, runtime: &mut calloop::generic::NoIoDrop<Rc<Runtime>>, host: &mut Host| {
        host.turns += 1;
        runtime.turn(Budget::time(Duration::from_millis(1))).map_err(io::Error::other)?;
        Ok(PostAction::Continue)
    };
    event_loop.handle().insert_source(source, turn).map_err(|error| Error::new(error.error))?;

    let tick = |_, _: &mut (), host: &mut Host| {
        host.ticks += 1;
        if host.ticks < 3 { TimeoutAction::ToDuration(Duration::from_millis(4)) } else { TimeoutAction::Drop }
    };
    event_loop.handle().insert_source(Timer::immediate(), tick).map_err(|error| Error::new(error.error))?;

    let mut host = Host::default();
    while host.ticks < 3 || !guest.is_finished() {
        event_loop.dispatch(None, &mut host)?;
    }

    println!("guest: {}", runtime.block_on(guest)?);
    println!("host: {} ticks of its own", host.ticks);
    eprintln!("{} turns", host.turns);
    Ok(())
}
