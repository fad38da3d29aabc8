//! A standing server: serves on one runtime until the process is interrupted. To ask it with another program
//! than ours, such as `wrk`, and see whether that one says the same.

use crate::descriptors;
use crate::lineup::why_not;
use crate::load::Protocol;
use crate::runtime::{Ability, Runtime};
use crate::runtimes::{Visitor, visit_all};
use crate::sockets::Sockets;
use crate::tally::Tally;
use crate::workload::in_a_task;
use std::rc::Rc;

/// Serves, and says on standard output where. Comes back only if it cannot: why.
pub(crate) fn serve(protocol: Protocol, runtime: &str) -> String {
    let mut search = Search { protocol, runtime, why_not: format!("'{runtime}' is unknown") };
    visit_all(&mut search);
    search.why_not
}

struct Search<'a> {
    protocol: Protocol,
    runtime: &'a str,
    why_not: String,
}

impl Visitor for Search<'_> {
    fn visit<R: Runtime>(&mut self) {
        if R::NAME != self.runtime {
            return;
        }
        let needs: &[Ability] = match self.protocol {
            Protocol::Echo => &[Ability::Spawn, Ability::Sockets],
            Protocol::Http => &[Ability::Spawn, Ability::Sockets, Ability::Http],
        };
        match why_not::<R>(needs) {
            Some(reason) => self.why_not = reason,
            None => on_a_runtime::<R>(self.protocol),
        }
    }
}

/// Until the process is ended.
fn on_a_runtime<R: Runtime>(protocol: Protocol) {
    descriptors::allow_many();
    in_a_task(&R::new(), async move |runtime: R| -> () {
        let (mut listener, address) = R::Sockets::listen().await;
        println!("{}: {address}", R::NAME);
        // It is never read: there is no last message here.
        let tally = Rc::new(Tally::new(u64::MAX, u64::MAX));
        loop {
            let stream = R::Sockets::accept(&mut listener).await;
            let tally = tally.clone();
            // How a connection ends is the client's affair.
            R::detach(match protocol {
                Protocol::Echo => runtime.spawn(async { drop(R::Sockets::echo(stream, tally).await) }),
                Protocol::Http => runtime.spawn(async { drop(R::Sockets::http(stream, tally).await) }),
            });
        }
    })
}
