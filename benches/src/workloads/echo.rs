//! TCP echo: messages of 64 bytes, from many connections at once, and back.
//!
//! Moved by: system calls, most of all. A read that only learns that there is nothing more, a wait for each
//! message instead of one for many, a registration that is changed for each: each costs as much as dozens of
//! wakes. With one connection, by how long a sleeping thread takes to run again; with a thousand, by what the
//! runtime touches for each.

use super::server::{BY_HAND, by_hand, on_a_runtime};
use crate::load::{Load, METRICS, Pace, Protocol};
use crate::runtime::{Ability, Runtime};
use crate::workload::{Figures, Limit, Metric, Place, Scale, Workload};

fn load(connections: usize, scale: Scale) -> Load {
    let messages = match connections {
        1 => scale.pick(5_000, 1_000, 10),
        _ => scale.pick(20_000, 10_000, 100),
    };
    Load {
        protocol: Protocol::Echo,
        connections: scale.pick(connections, connections, connections.min(10)),
        messages,
        pace: Pace::Steady,
    }
}

/// With so many connections.
pub(crate) struct Echo<const CONNECTIONS: usize>;

impl<const CONNECTIONS: usize> Workload for Echo<CONNECTIONS> {
    const NAME: &'static str = match CONNECTIONS {
        1 => "echo-1",
        50 => "echo-50",
        1_000 => "echo-1000",
        _ => panic!("it has no name"),
    };
    const ABOUT: &'static str = match CONNECTIONS {
        1 => "one connection on loopback sends 64 bytes and waits for their return, again and again",
        50 => "50 connections on loopback, each of which sends 64 bytes and waits for their return",
        _ => "1,000 connections on loopback, each of which sends 64 bytes and waits for their return",
    };
    const METRICS: &'static [Metric] = METRICS;
    const NEEDS: &'static [Ability] = &[Ability::Spawn, Ability::Join, Ability::Sockets];
    const LIMIT: Option<Limit> =
        Some(Limit { about: BY_HAND, round: |scale| by_hand(load(CONNECTIONS, scale), scale) });
    const LOAD: Option<fn(Scale) -> Load> = Some(|scale| load(CONNECTIONS, scale));

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        on_a_runtime(runtime, load(CONNECTIONS, scale), scale)
    }
}

/// With fifty, in volleys, under a tracer: the system calls.
pub(crate) struct Calls;

impl Calls {
    fn load(scale: Scale) -> Load {
        Load { messages: scale.pick(5_000, 2_000, 100), pace: Pace::Volleys, ..load(50, scale) }
    }
}

impl Workload for Calls {
    const NAME: &'static str = "echo-50-calls";
    const ABOUT: &'static str = "the same in volleys, all 50 at once when all have their answers: how many system calls the server makes";
    const METRICS: &'static [Metric] = &[Metric::only("system calls/message")];
    const NEEDS: &'static [Ability] = &[Ability::Spawn, Ability::Join, Ability::Sockets];
    const PLACE: Place = Place::Traced;
    const LIMIT: Option<Limit> = Some(Limit {
        about: BY_HAND,
        round: |scale| {
            by_hand(Self::load(scale), scale);
            vec![Self::load(scale).messages as f64]
        },
    });

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        on_a_runtime(runtime, Self::load(scale), scale);
        vec![Self::load(scale).messages as f64]
    }
}
