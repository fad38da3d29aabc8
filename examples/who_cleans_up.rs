//! Who cleans up when something goes wrong? Every way to have children, and everything that can happen to it:
//! tried out, and told in a table.
//!
//! The children sleep for a second. Asked to stop, one takes 10 ms to clean up, the other 30 ms. After 100 ms it
//! happens; and then the table tells what has become of them at the moment when whoever had them goes on.
//!
//! ```text
//! cargo run --example who_cleans_up
//! ```

use homing::{
    Builder, Error, GroupBuilder, Result, ReturnWhen, TaskGroup, Unhandled, as_completed, gather, race,
    scope, shield, sleep, spawn, timeout, wait, wait_for,
};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

type Child = Pin<Box<dyn Future<Output = Result<()>>>>;

// ANCHOR: lesson
/// In a group of this kind.
async fn group(kind: GroupBuilder, children: Vec<Child>) -> Result<()> {
    kind.run(async |tg| {
        for child in children {
            tg.spawn(child);
        }
        Ok(())
    })
    .await
}

async fn scoped(children: Vec<Child>) -> Result<()> {
    scope(async |s| {
        for child in children {
            s.spawn(child);
        }
        Ok(())
    })
    .await
}

async fn gathered(children: Vec<Child>) -> Result<()> {
    gather(children).await?;
    Ok(())
}

async fn gathered_outcomes(children: Vec<Child>) -> Result<()> {
    gather(children).return_exceptions().await?;
    Ok(())
}

async fn raced(children: Vec<Child>) -> Result<()> {
    race(children).stagger(Duration::ZERO).await?;
    Ok(())
}

async fn waited(children: Vec<Child>) -> Result<()> {
    wait(children.into_iter().map(spawn), ReturnWhen::FirstException).await?;
    Ok(())
}

async fn as_they_end(children: Vec<Child>) -> Result<()> {
    let mut arrivals = as_completed(children.into_iter().map(spawn));
    while let Some(task) = arrivals.next().await {
        task?.await?;
    }
    Ok(())
}

/// The failing child is the last one, so it is awaited first here, and in the two that follow.
async fn one_by_one(children: Vec<Child>) -> Result<()> {
    let tasks: Vec<_> = children.into_iter().map(spawn).collect();
    for task in tasks.into_iter().rev() {
        task.await?;
    }
    Ok(())
}

async fn waited_for(children: Vec<Child>) -> Result<()> {
    let tasks: Vec<_> = children.into_iter().map(spawn).collect();
    for task in tasks.into_iter().rev() {
        wait_for(task, Duration::from_secs(60)).await?;
    }
    Ok(())
}

async fn shielded(children: Vec<Child>) -> Result<()> {
    let tasks: Vec<_> = children.into_iter().map(spawn).collect();
    for task in tasks.into_iter().rev() {
        shield(task).await?;
    }
    Ok(())
}

async fn detached(children: Vec<Child>) -> Result<()> {
    for child in children {
        spawn(child); // the handle is dropped
    }
    sleep(Duration::from_millis(500)).await
}
// ANCHOR_END: lesson

type Way = fn(Vec<Child>) -> Child;

const WAYS: [(&str, Way); 13] = [
    ("`task_group`", |children| Box::pin(group(TaskGroup::builder(), children))),
    ("… `.supervise()`", |children| Box::pin(group(TaskGroup::builder().supervise(), children))),
    ("… `.grace(20 ms)`", |children| {
        Box::pin(group(TaskGroup::builder().grace(Duration::from_millis(20)), children))
    }),
    ("`scope`", |children| Box::pin(scoped(children))),
    ("`gather`", |children| Box::pin(gathered(children))),
    ("… `.return_exceptions()`", |children| Box::pin(gathered_outcomes(children))),
    ("`race`, all at once", |children| Box::pin(raced(children))),
    ("`wait(…, FirstException)`", |children| Box::pin(waited(children))),
    ("`as_completed`", |children| Box::pin(as_they_end(children))),
    ("`task.await?` one by one", |children| Box::pin(one_by_one(children))),
    ("`wait_for(task, …)`", |children| Box::pin(waited_for(children))),
    ("`shield(task)`", |children| Box::pin(shielded(children))),
    ("`spawn`, not awaited", |children| Box::pin(detached(children))),
];

/// What happens after 100 ms.
#[derive(Clone, Copy, PartialEq)]
enum Event {
    ChildFails,
    CallerIsCancelled,
    TimeIsOver,
    CallerIsDropped,
}

/// Where a child stands.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Running,
    CleaningUp,
    CleanedUp,
    Dropped,
    Finished,
}

/// A child that tells how it fares.
async fn child(fate: Rc<Cell<Fate>>, clean_up: Duration) -> Result<()> {
    /// Dropped with its child.
    struct Watch(Rc<Cell<Fate>>);
    impl Drop for Watch {
        fn drop(&mut self) {
            if matches!(self.0.get(), Fate::Running | Fate::CleaningUp) {
                self.0.set(Fate::Dropped);
            }
        }
    }
    let watch = Watch(fate);
    let slept = sleep(Duration::from_secs(1)).await;
    if slept.is_err() {
        watch.0.set(Fate::CleaningUp);
        sleep(clean_up).await?;
    }
    watch.0.set(if slept.is_ok() { Fate::Finished } else { Fate::CleanedUp });
    slept
}

/// Tries one way with one event, and says how it went: what became of the children, and what came out.
fn try_out(way: Way, event: Event) -> (&'static str, String) {
    let reported = Rc::new(Cell::new(0));
    let count = reported.clone();
    let runtime = Builder::new().virtual_time().on_unhandled(move |unhandled| {
        if let Unhandled::TaskFailed { .. } = unhandled {
            count.set(count.get() + 1);
        }
    });
    let fates: Rc<[Rc<Cell<Fate>>; 2]> = Rc::new([(); 2].map(|()| Rc::new(Cell::new(Fate::Running))));
    let seen = Rc::new(RefCell::new(None));
    let (look, in_the_end) = (seen.clone(), fates.clone());
    let outcome = runtime.build().run(async move {
        let mut children: Vec<Child> = Vec::new();
        for (fate, clean_up) in fates.iter().zip([10, 30]) {
            children.push(Box::pin(child(fate.clone(), Duration::from_millis(clean_up))));
        }
        let now = || fates.each_ref().map(|fate| fate.get());
        let then = Duration::from_millis(100);
        if event == Event::ChildFails {
            children.push(Box::pin(async move {
                sleep(then).await?;
                Err(Error::msg("the child's"))
            }));
        }
        let fates = fates.clone();
        let caller = spawn(async move {
            let limit = (event == Event::TimeIsOver).then_some(then);
            let outcome = timeout(limit, way(children)).await;
            look.replace(Some(fates.each_ref().map(|fate| fate.get())));
            outcome
        });
        sleep(then).await?;
        match event {
            Event::CallerIsCancelled => drop(caller.cancel()),
            Event::CallerIsDropped => {
                caller.abort();
                return Ok((now(), None));
            }
            Event::ChildFails | Event::TimeIsOver => {}
        }
        let outcome = caller.await;
        Ok((now(), Some(outcome)))
    });
    let (at_end, outcome) = outcome.expect("the trial itself goes well");
    // Nobody runs on for ever: `run` has cancelled whoever was left, and waited for them.
    assert!(!in_the_end.iter().any(|fate| matches!(fate.get(), Fate::Running | Fate::CleaningUp)));
    let fates = seen.take().unwrap_or(at_end);
    let comes_out = match outcome {
        None | Some(Ok(())) => "no error".to_owned(),
        Some(Err(error)) if error.as_group().is_some() => "an `ExceptionGroup`".to_owned(),
        Some(Err(error)) => format!("{error} error"),
    };
    let told = if reported.get() > 0 { "; the hook hears of it" } else { "" };
    (name(fates), comes_out + told)
}

/// What became of both of them, in words.
fn name(fates: [Fate; 2]) -> &'static str {
    use Fate::*;
    match fates {
        [Running, Running] => "run on",
        [Finished, Finished] => "run on, waited for",
        [CleanedUp, CleanedUp] => "cancelled, waited for",
        [CleanedUp, CleaningUp] | [CleaningUp, CleaningUp] => "cancelled, not all waited for",
        [CleanedUp, Dropped] => "cancelled; dropped after the grace",
        [Dropped, Dropped] => "dropped at once",
        [Running, CleanedUp] | [CleanedUp, Running] => "only the awaited one is cancelled",
        _ => "something else",
    }
}

pub(crate) fn main() {
    println!(
        "| children of | a child fails: the others | … and what comes out | the caller is cancelled \
         | its time is over | the caller is dropped |\n|---|---|---|---|---|---|"
    );
    for (title, way) in WAYS {
        let (others, comes_out) = try_out(way, Event::ChildFails);
        let events = [Event::CallerIsCancelled, Event::TimeIsOver, Event::CallerIsDropped];
        let cells = events.map(|event| try_out(way, event).0);
        println!("| {title} | {others} | {comes_out} | {} |", cells.join(" | "));
    }
}
