//! A port scanner: which ports of a host take connections?
//!
//! ```text
//!   cargo run --example port_scanner -- localhost 1-1024
//!   cargo run --example port_scanner -- 127.0.0.1 8000-8100 --at-most 20 --patience-ms 50
//!
//!   22 is open
//!   1 of 1024 are open
//! ```
//!
//! A task for each port, of which so many run at a time: the group's limit lets them in one by one, so there are never more
//! sockets than that. A port that does not answer in time is as closed as one that refuses; anything else is the scan's error,
//! and ends it.

use clap::Parser;
use homing::net::{TcpStream, lookup_host};
use homing::{Error, Result, TaskGroup, timeout};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

#[derive(Parser)]
struct Scan {
    /// Whose ports: a name or an address.
    host: String,
    /// Which: `22`, or `8000-8100`.
    #[arg(value_parser = ports)]
    ports: RangeInclusive<u16>,
    /// How many are tried at a time.
    #[arg(long, default_value_t = 100)]
    at_most: usize,
    /// How long one may take to answer.
    #[arg(long, default_value_t = 500)]
    patience_ms: u64,
}

fn ports(text: &str) -> std::result::Result<RangeInclusive<u16>, String> {
    let port = |text: &str| text.parse::<u16>().map_err(|error| error.to_string());
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Ok(port(first)?..=port(last)?)
}

pub(crate) fn main() -> Result<()> {
    run(std::env::args().skip(1))
}

pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<()> {
    let scan = Scan::parse_from(std::iter::once("port_scanner".to_owned()).chain(arguments));
    homing::run(async {
        let found = lookup_host((&*scan.host, 0)).await?;
        let address = found.first().ok_or_else(|| Error::msg("the host has no address"))?.ip();
        let open = open_ports(address, &scan).await?;
        let mut out = io::stdout().lock();
        for port in &open {
            writeln!(out, "{port} is open")?;
        }
        Ok(writeln!(out, "{} of {} are open", open.len(), scan.ports.len())?)
    })
}

async fn open_ports(address: IpAddr, scan: &Scan) -> Result<Vec<u16>> {
    let patience = Duration::from_millis(scan.patience_ms);
    TaskGroup::builder()
        .name("scan")
        .limit(scan.at_most)
        .run(async |tg| {
            let tries: Vec<_> = scan
                .ports
                .clone()
                .map(|port| (port, tg.spawn(is_open(SocketAddr::new(address, port), patience))))
                .collect();
            let mut open = Vec::new();
            for (port, is_open) in tries {
                if is_open.await? {
                    open.push(port);
                }
            }
            Ok(open)
        })
        .await
}

async fn is_open(address: SocketAddr, patience: Duration) -> Result<bool> {
    let Err(error) = timeout(patience, TcpStream::connect(address)).await else { return Ok(true) };
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    let is_closed = matches!(
        kind,
        Some(
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::TimedOut
        )
    );
    if error.is_timeout() || is_closed { Ok(false) } else { Err(error) }
}
