//! A dashboard fetched from five services at once: it succeeds, it fails, it runs out of time, and cleans up.
//!
//! ```text
//! cargo run --release --example dashboard
//! ```
//!
//! In one process, on one thread: a hyper server that serves the JSON files of this folder, each with a latency
//! of its own, and a hyper client that fetches them concurrently in a `task_group` under a `timeout`.
//!
//! ```text
//!   task group "dashboard"
//!     ├─ server ── task group "connections" ── one task for each connection
//!     └─ the body: three rounds, each
//!          timeout ── task group "page" ── user, orders, notifications, settings, recommendations
//! ```
//!
//! With `--record time_line.html` what the tasks did is written to a page.
//!
//! With `--url` the services are somewhere else; `python3 -m http.server` in this example's `data` folder will do.

mod client;
mod server;
mod timeline;

use clap::Parser;
use client::{BadStatus, fetch};
use homing::record::Record;
use homing::{Builder, Except, Instant, Result, TaskGroup, TimedOut, task_group, timeout};
use hyper::Uri;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use timeline::Timeline;

/// The five services. Each is at `/NAME.json`.
pub(crate) const SERVICES: [&str; 5] = ["user", "orders", "notifications", "settings", "recommendations"];

/// Where one of them is not to be found, which makes it fail.
const NOWHERE: &str = "unavailable";

#[derive(Parser)]
#[command(about = "Fetches a dashboard from five services at once, three times over.")]
struct Arguments {
    /// Fetch from there instead of a server of our own, e.g. http://127.0.0.1:8000
    #[arg(long)]
    url: Option<Uri>,
    /// Write a time line of all tasks to this file: .html, .svg, or .json for ui.perfetto.dev
    #[arg(long)]
    record: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let builder = Builder::new();
    let builder = match &arguments.record {
        Some(path) => builder.record(path),
        None => builder,
    };
    builder.build().run(async {
        task_group(async |tg| {
            let base = match arguments.url {
                Some(url) => url,
                None => {
                    let server = server::Server::bind()?;
                    let url = server.url();
                    tg.task(server.serve()).name("server").spawn();
                    println!("A server of our own is at {url}: same process, same thread.");
                    url
                }
            };
            three_rounds(&base).await?;
            // Nobody needs the server any more: ends it, and waits for it.
            tg.cancel();
            Ok(())
        })
        .await
    })
}

async fn three_rounds(base: &Uri) -> Result<()> {
    println!("\n── Round 1: every service answers ─────────────────────────────────────────────────\n");
    let begin = Instant::now();
    let (timeline, page) = round(base, Duration::from_secs(5), |service| service.to_owned()).await;
    print!("{timeline}");
    for (service, answer) in SERVICES.iter().zip(page?) {
        println!("   {service:<16} {}", summary(&answer));
    }
    let took = begin.elapsed();

    println!("\n── Round 2: one service fails ─────────────────────────────────────────────────────\n");
    let orders_elsewhere = |service: &str| match service {
        "orders" => format!("{NOWHERE}/{service}"),
        _ => service.to_owned(),
    };
    let (timeline, page) = round(base, Duration::from_secs(5), orders_elsewhere).await;
    print!("{timeline}");
    if let Err(error) = &page {
        println!("{error:#}\n");
    }
    let handled = page
        .except::<BadStatus>(|caught| {
            for error in caught.leaves() {
                println!("   handled: {error} (task '{}')", error.task_name().unwrap_or("?"));
            }
        })
        .end()?;
    println!("   {}", if handled.is_some() { "a page" } else { "no page, but nothing is left to handle" });

    // Half of what the first round took, so that some answers arrive in time and some do not.
    let limit = Duration::from_millis(took.as_millis() as u64 / 2);
    println!("\n{:─<83}\n", format!("── Round 3: the time is over after {limit:?} "));
    let (timeline, page) = round(base, limit, |service| service.to_owned()).await;
    print!("{timeline}");
    match page {
        Ok(_) => println!("   all of them were faster this time"),
        Err(error) if error.is::<TimedOut>() => println!("   {error}"),
        Err(error) => return Err(error),
    }
    println!("\n   tasks left: {} (main, and the server if it is ours)", homing::all_tasks().len());
    Ok(())
}

/// Fetches all services at once, within a time limit. `path` says where each one is.
async fn round(base: &Uri, limit: Duration, path: impl Fn(&str) -> String) -> (Timeline, Result<Vec<Value>>) {
    let timeline = Timeline::new(&SERVICES);
    let page = timeout(
        limit,
        TaskGroup::builder().name("page").run(async |tg| {
            let fetch_one = |(index, service): (usize, &&'static str)| {
                let request = fetch(base.clone(), service, path(service), timeline.lane(index));
                tg.task(request).name(*service).spawn()
            };
            let tasks: Vec<_> = SERVICES.iter().enumerate().map(fetch_one).collect();
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task.await?);
            }
            Ok(answers)
        }),
    )
    .await;
    timeline.finish();
    (timeline, page)
}

/// What a person wants to see of an answer.
fn summary(answer: &Value) -> String {
    match answer {
        Value::Array(items) => {
            let first = items
                .first()
                .and_then(Value::as_object)
                .and_then(|fields| fields.values().find(|v| v.is_string()));
            format!("{} entries, the first: {}", items.len(), first.and_then(Value::as_str).unwrap_or("?"))
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{key} {value}"));
            fields.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
