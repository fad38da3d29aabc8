//! The pictures in the book are recordings of the programs in here, in steps, and up to date.
//!
//! `UPDATE_PICTURES=1 cargo test --test pictures` draws them anew.

use homing::record::{Format, Recorder};
use homing::{Builder, Error, Result, TaskGroup, sleep, task, timeout, yield_now};
use std::path::Path;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Draws what the program does, and compares it with the picture of this name.
fn picture(name: &str, main: impl Future<Output = Result<()>>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src/pictures").join(format!("{name}.svg"));
    let update = std::env::var_os("UPDATE_PICTURES").is_some();
    let drawn = std::env::temp_dir().join(format!("homing-picture-{name}-{}.svg", std::process::id()));
    let recorder = Recorder::new(&drawn).format(Format::Drawing).steps();
    Builder::new().virtual_time().observe(recorder).build().run(main).unwrap();
    let text = std::fs::read_to_string(&drawn).unwrap();
    std::fs::remove_file(&drawn).unwrap();
    if update {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        without_places(&kept),
        without_places(&text),
        "{name}.svg is not what the program does any more"
    );
}

/// Lines of the source move.
fn without_places(drawing: &str) -> String {
    let mut text = String::new();
    for (index, part) in drawing.split(".rs:").enumerate() {
        text +=
            if index == 0 { part } else { part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':') };
    }
    text
}

#[test]
fn one_turn_polls_what_was_ready_when_it_began() {
    picture("turns", async {
        let ping = task(async {
            yield_now().await?;
            yield_now().await
        })
        .name("ping")
        .spawn();
        let pong = task(async { yield_now().await }).name("pong").spawn();
        ping.await?;
        pong.await
    });
}

#[test]
fn a_cancel_finds_the_await_where_the_task_stands() {
    picture("cancel", async {
        let worker = task(async {
            let outcome = sleep(SECOND).await;
            // Cleaning up takes a turn.
            yield_now().await?;
            outcome
        })
        .name("worker")
        .spawn();
        let waiter = task(worker).name("waiter").spawn();
        yield_now().await?;
        yield_now().await?;
        waiter.cancel();
        assert!(waiter.await.unwrap_err().is_cancelled());
        Ok(())
    });
}

#[test]
fn a_group_fails_when_a_child_does() {
    picture("failing_group", async {
        let page = TaskGroup::builder().name("page").run(async |tg| {
            let user = tg.task(sleep(5 * SECOND)).name("user").spawn();
            tg.task(async {
                sleep(SECOND).await?;
                Err::<(), _>(Error::msg("the database is gone"))
            })
            .name("orders")
            .spawn();
            user.await
        });
        assert!(page.await.unwrap_err().as_group().is_some());
        Ok(())
    });
}

#[test]
fn a_timeout_interrupts_its_block() {
    picture("timeout", async {
        let slow = task(sleep(5 * SECOND)).name("slow").spawn();
        let outcome = timeout(SECOND, slow).await;
        assert!(outcome.unwrap_err().is_timeout());
        Ok(())
    });
}
