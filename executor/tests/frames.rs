//! Frames that a program names itself: where they stand, and where not any more.

use futures_util::future::{Either, FutureExt, join, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use homing::introspect::{FrameKind, Framed, capture_call_graph_of, capture_tasks};
use homing::{Builder, Result, Task, TaskRef, sleep, task, timeout, yield_now};
use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn in_virtual_time<T>(main: impl Future<Output = Result<T>>) -> T {
    Builder::new().virtual_time().build().run(main).unwrap()
}

/// What is shown of a task, but for its own future: the name and the detail of each frame.
fn frames(task: &TaskRef) -> Vec<String> {
    let graph = capture_call_graph_of(task);
    let frames = graph.root().call_stack().iter().filter(|frame| frame.kind != FrameKind::Spawn);
    let word = |text: &str| text.split(" due").next().unwrap_or_default().trim().to_owned();
    frames.map(|frame| word(&format!("{} {}", frame.name, frame.detail.replace("due in ", " due")))).collect()
}

/// Spawns a task, and looks at it when it has been polled once.
async fn shown(future: impl Future<Output = Result<()>> + 'static) -> Result<(Task<()>, Vec<String>)> {
    let spawned = task(future).spawn();
    yield_now().await?;
    let frames = frames(&spawned);
    Ok((spawned, frames))
}

#[test]
fn frames_stand_between_the_await_and_the_task_the_innermost_first_with_their_places() {
    in_virtual_time(async {
        let outer_at = line!() + 2;
        let future = async {
            let inner = async { sleep(HOUR).frame("inner").await }.frame("outer");
            timeout(HOUR, inner).await
        };
        let (task, frames) = shown(future).await?;
        assert_eq!(frames, ["timer", "frame 'inner'", "frame 'outer'", "timeout"]);
        let graph = capture_call_graph_of(&task);
        let outer = &graph.root().call_stack()[2];
        assert_eq!((outer.kind, outer.place.as_ref().unwrap().line), (FrameKind::Scope, outer_at));
        let text = graph.to_string();
        assert!(
            text.contains(&format!("File 'executor/tests/frames.rs', line {outer_at}, in frame 'outer'")),
            "{text}"
        );
        let tree = capture_tasks().tree().unwrap().concat().join("\n");
        assert!(tree.contains("frame 'outer' executor/tests/frames.rs:"), "{tree}");
        task.cancel();
        Ok(())
    });
}

#[test]
fn a_frame_is_gone_when_its_future_has_ended_and_when_it_was_dropped_midway() {
    in_virtual_time(async {
        let future = async {
            yield_now().frame("ends").await?;
            assert!(sleep(HOUR).frame("is dropped").now_or_never().is_none());
            let late = Box::pin(sleep(Duration::from_secs(1)));
            let slow = Box::pin(sleep(HOUR).frame("is beaten"));
            match select(slow, late).await {
                Either::Left(_) => unreachable!("it takes an hour"),
                Either::Right((slept, _)) => slept?,
            }
            sleep(HOUR).await
        };
        let (task, first) = shown(future).await?;
        assert_eq!(first, ["turn", "frame 'ends'"]);
        yield_now().await?;
        assert_eq!(frames(&task), ["timer", "frame 'is beaten'", "timer"]);
        sleep(Duration::from_secs(2)).await?;
        assert_eq!(frames(&task), ["timer"]);
        task.cancel();
        Ok(())
    });
}

#[test]
fn a_frame_that_is_kept_and_not_polled_any_more_is_not_shown() {
    in_virtual_time(async {
        let future = async {
            let mut kept = pin!(sleep(2 * HOUR).frame("kept"));
            match select(kept.as_mut(), pin!(yield_now())).await {
                Either::Left(_) => unreachable!("it takes hours"),
                Either::Right((yielded, _)) => yielded?,
            }
            // Nobody is told that it was let go, so it is only known in the next poll.
            yield_now().await?;
            sleep(Duration::from_secs(1)).frame("instead").await?;
            // It is shown again when it is polled again.
            kept.await
        };
        let (task, first) = shown(future).await?;
        assert_eq!(first, ["timer", "frame 'kept'", "turn"]);
        yield_now().await?;
        yield_now().await?;
        assert_eq!(frames(&task), ["timer", "frame 'instead'"]);
        sleep(Duration::from_secs(2)).await?;
        assert_eq!(frames(&task), ["timer", "frame 'kept'"]);
        task.cancel();
        Ok(())
    });
}

#[test]
fn frames_that_stand_side_by_side_have_each_their_own_await() {
    in_virtual_time(async {
        let future = async {
            let both = join(sleep(HOUR).frame("left"), pending::<Result<()>>().frame("right"));
            both.frame("both").await.0
        };
        let (task, frames) = shown(future).await?;
        assert_eq!(frames, ["timer", "frame 'left'", "frame 'right'", "frame 'both'"]);
        task.cancel();
        Ok(())
    });
}

#[test]
fn a_combinator_with_wakers_of_its_own_has_yet_to_poll_the_frames_in_it() {
    in_virtual_time(async {
        let future = async {
            let naps = (1..=3).map(|hours| sleep(hours * HOUR).frame(format!("nap {hours}")));
            let mut naps: FuturesUnordered<_> = naps.collect();
            while let Some(slept) = naps.next().await {
                slept?;
            }
            Ok(())
        };
        let (task, _) = shown(future).await?;
        sleep(HOUR + Duration::from_secs(1)).await?;
        let mut shown = frames(&task);
        shown.retain(|frame| frame.starts_with("frame"));
        shown.sort();
        assert_eq!(shown, ["frame 'nap 2'", "frame 'nap 3'"]);
        task.cancel();
        Ok(())
    });
}

#[test]
fn what_another_library_has_one_wait_for_is_shown_in_its_frame() {
    in_virtual_time(async {
        let (task, frames) = shown(pending::<Result<()>>().frame("theirs").frame("ours")).await?;
        assert_eq!(frames, ["foreign", "frame 'theirs'", "frame 'ours'"]);
        task.cancel();
        Ok(())
    });
}

#[test]
fn a_cancel_goes_through_a_frame_as_if_it_were_not_there() {
    in_virtual_time(async {
        // To a leaf, which may go on.
        let (task, _) = shown(
            async {
                assert!(sleep(HOUR).frame("inner").await.unwrap_err().is_cancelled());
                sleep(Duration::from_secs(1)).await
            }
            .frame("outer"),
        )
        .await?;
        task.cancel();
        task.await?;
        // Past a foreign future, to the scope around it.
        let ended = timeout(Duration::from_secs(1), pending::<Result<()>>().frame("theirs")).await;
        assert!(ended.unwrap_err().is_timeout());
        let (task, _) = shown(pending::<Result<()>>().frame("theirs")).await?;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        // A scope in it is its own.
        let inner = async { timeout(Duration::from_secs(1), sleep(HOUR)).await }.frame("around");
        assert!(inner.await.unwrap_err().is_timeout());
        Ok(())
    });
}

#[test]
fn a_future_that_goes_to_another_task_takes_its_frame_with_it() {
    in_virtual_time(async {
        let slot = Rc::new(RefCell::new(Some(Box::pin(sleep(HOUR).frame("moves")))));
        let theirs = slot.clone();
        let (first, frames_of_first) = shown(poll_fn(move |cx| {
            if let Some(nap) = theirs.borrow_mut().as_mut() {
                assert!(nap.as_mut().poll(cx).is_pending());
            }
            Poll::<Result<()>>::Pending
        }))
        .await?;
        assert_eq!(frames_of_first, ["timer", "frame 'moves'"]);
        let nap = slot.take().unwrap();
        let (second, frames_of_second) = shown(nap).await?;
        assert_eq!(frames_of_second, ["timer", "frame 'moves'"]);
        assert!(!frames(&first).contains(&"frame 'moves'".to_owned()));
        first.abort();
        second.cancel();
        Ok(())
    });
}

#[test]
fn outside_of_tasks_a_frame_does_nothing() {
    assert_eq!(async { 7 }.frame("of nobody").now_or_never(), Some(7));
}
