//! HTTP/1.1 with hyper: requests on connections that are kept.
//!
//! hyper takes most of the time and is the same for all. Moved by: what echo is moved by, and by what stands
//! between a runtime's sockets and hyper's traits, such as a copy where buffers are lent.

use super::server::{BY_HAND, by_hand, on_a_runtime};
use crate::load::{Load, METRICS, Pace, Protocol};
use crate::runtime::{Ability, Runtime};
use crate::workload::{Figures, Limit, Metric, Scale, Workload};

fn load(connections: usize, scale: Scale) -> Load {
    let messages = match connections {
        1 => scale.pick(5_000, 1_000, 10),
        _ => scale.pick(10_000, 5_000, 100),
    };
    Load {
        protocol: Protocol::Http,
        connections: scale.pick(connections, connections, connections.min(10)),
        messages,
        pace: Pace::Steady,
    }
}

/// With so many connections.
pub(crate) struct Http<const CONNECTIONS: usize>;

impl<const CONNECTIONS: usize> Workload for Http<CONNECTIONS> {
    const NAME: &'static str = match CONNECTIONS {
        1 => "http-1",
        50 => "http-50",
        1_000 => "http-1000",
        _ => panic!("it has no name"),
    };
    const ABOUT: &'static str = match CONNECTIONS {
        1 => "one connection on loopback asks a server made with hyper, again and again, for 13 bytes",
        50 => "50 connections on loopback ask a server made with hyper, again and again, for 13 bytes",
        _ => "1,000 connections on loopback ask a server made with hyper, again and again, for 13 bytes",
    };
    const METRICS: &'static [Metric] = METRICS;
    const NEEDS: &'static [Ability] = &[Ability::Spawn, Ability::Join, Ability::Sockets, Ability::Http];
    const LIMIT: Option<Limit> =
        Some(Limit { about: BY_HAND, round: |scale| by_hand(load(CONNECTIONS, scale), scale) });

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        on_a_runtime(runtime, load(CONNECTIONS, scale), scale)
    }
}
