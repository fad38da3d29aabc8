//! Runtimes with a black box do what others do; and their memory is in order (with AddressSanitizer), also after their end.
//! What can be read out of the file, the tests of `homing-reader` say.

use homing::cancel::AwaitedTasks;
use homing::runtime::BlackBoxError;
use homing::sync::Mutex;
use homing::threads::Threads;
use homing::{
    Builder, Error, Result, Runner, Runtime, gather, sleep, spawn, task, task_group, timeout, yield_now,
};
use std::fs;
use std::future::poll_fn;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const IS_SUPPORTED: bool = cfg!(all(target_os = "linux", not(homing_portable)));

/// A path, at which nothing is left afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        Scratch(std::env::temp_dir().join(format!("homing-box-{}-{name}.tasks", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn with_box(file: &Scratch) -> Builder {
    Builder::new().black_box(&file.0).virtual_time().on_unhandled(|_| {})
}

async fn waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

/// Names, new names, groups, timeouts, lists, several leaves at once; some of it is left when it returns.
async fn a_bit_of_everything(rounds: usize) -> Result<()> {
    for round in 0..rounds {
        task_group(async |tg| {
            for number in 0..50_u64 {
                let named = tg.task(async move {
                    timeout(HOUR, async {
                        let (a, b, c) = futures_util::join!(
                            sleep(Duration::from_millis(number)),
                            sleep(Duration::from_millis(2)),
                            yield_now()
                        );
                        a.and(b).and(c)
                    })
                    .await
                });
                let named = named.name(format!("round {round}, number {number}")).spawn();
                named.set_name("x".repeat(number as usize * 7));
                named.on_done(|task| assert!(task.name().len().is_multiple_of(7)));
            }
            let several: Vec<_> = (0..20).map(|_| spawn(async { yield_now().await.map(|()| 1) })).collect();
            assert_eq!(gather(several).await?.len(), 20);
            let lock = Rc::new(Mutex::new(0));
            for _ in 0..3 {
                let lock = lock.clone();
                tg.spawn(async move {
                    *lock.lock().await? += 1;
                    let _held = lock.lock().await?;
                    yield_now().await
                });
            }
            Ok(())
        })
        .await?;
        task(sleep(HOUR)).name(format!("left by round {round}")).spawn();
    }
    Ok(())
}

#[test]
fn a_runtime_with_a_black_box_runs_as_any_other() {
    if !IS_SUPPORTED {
        return;
    }
    let file = Scratch::new("runs");
    let runtime = with_box(&file).build();
    runtime.block_on(a_bit_of_everything(20)).unwrap();
    assert_eq!(runtime.task_count(), 20);
    let length = fs::metadata(&file.0).unwrap().len();
    runtime.block_on(a_bit_of_everything(200)).unwrap();
    // Memory that was given back is used again: what is left are 200 tasks with names.
    let grown = fs::metadata(&file.0).unwrap().len() - length;
    assert!(grown <= 1 << 20, "{grown}");
    drop(runtime);
    homing::run(a_bit_of_everything(2)).unwrap();
}

#[test]
fn runtimes_with_and_without_black_boxes_take_turns_on_a_thread_and_use_each_other_s_pages() {
    if !IS_SUPPORTED {
        return;
    }
    let files = [Scratch::new("turn-1"), Scratch::new("turn-2")];
    for turn in 0..4 {
        let mut runtimes = vec![with_box(&files[0]).build(), Runtime::new(), with_box(&files[1]).build()];
        for _ in 0..3 {
            for runtime in &runtimes {
                runtime.block_on(a_bit_of_everything(3)).unwrap();
                for _ in 0..1100 {
                    runtime.spawn(sleep(HOUR));
                }
                runtime.run_until_stalled().unwrap();
            }
        }
        while !runtimes.is_empty() {
            drop(runtimes.swap_remove(turn % runtimes.len()));
            for runtime in &runtimes {
                runtime.block_on(a_bit_of_everything(1)).unwrap();
            }
        }
    }
}

#[test]
fn wakers_of_other_threads_outlive_the_black_box() {
    if !IS_SUPPORTED {
        return;
    }
    let (send, wakers) = mpsc::channel::<Waker>();
    let ringer = std::thread::spawn(move || {
        let mut kept: Vec<Waker> = Vec::new();
        while let Ok(waker) = wakers.recv() {
            waker.wake_by_ref();
            kept.push(waker);
            kept.iter().for_each(Waker::wake_by_ref);
        }
        kept.len()
    });
    let file = Scratch::new("wakers");
    for _ in 0..30 {
        let runtime = with_box(&file).build();
        let send = &send;
        runtime
            .block_on(async {
                for _ in 0..20 {
                    send.send(waker().await).unwrap();
                    yield_now().await?;
                }
                Ok(())
            })
            .unwrap();
    }
    drop(send);
    assert_eq!(ringer.join().unwrap(), 600);
}

#[test]
fn handles_and_lists_of_tasks_may_be_kept_longer_than_the_runtime() {
    if !IS_SUPPORTED {
        return;
    }
    let file = Scratch::new("kept");
    let runtime = with_box(&file).build();
    let kept = runtime
        .block_on(async {
            let handle = task(sleep(HOUR)).name("kept").spawn();
            let tasks: Vec<_> = (0..100).map(|_| spawn(async { Ok(1) })).collect();
            Ok((handle, gather(tasks)))
        })
        .unwrap();
    drop(runtime);
    assert!(kept.0.is_finished());
    // Another one, while something of the first is still there.
    let next = with_box(&file).build();
    next.block_on(a_bit_of_everything(2)).unwrap();
    drop(kept);
    next.block_on(a_bit_of_everything(2)).unwrap();
}

#[test]
fn names_of_tasks_in_a_page_that_an_ended_black_box_has_left_are_in_the_file_of_the_one_that_has_it_now() {
    if !IS_SUPPORTED {
        return;
    }
    let files = [Scratch::new("older"), Scratch::new("newer")];
    let older = with_box(&files[0]).build();
    let newer = with_box(&files[1]).build();
    let kept = newer.block_on(async {
        // A list that lies near its tasks.
        let awaited: Vec<_> = (0..10).map(|_| spawn(sleep(HOUR))).collect();
        Ok(AwaitedTasks::new(awaited.iter().map(|task| &**task)))
    });
    drop(newer);
    let name = format!("in a page of another since {}", std::process::id());
    older
        .block_on(async {
            task(sleep(HOUR)).name(name.clone()).spawn();
            Ok(())
        })
        .unwrap();
    let file = fs::read(&files[0].0).unwrap();
    assert!(file.windows(name.len()).any(|window| window == name.as_bytes()));
    drop(kept);
}

#[test]
fn a_lock_may_be_kept_longer_than_the_runtimes_in_which_it_was_waited_for() {
    if !IS_SUPPORTED {
        return;
    }
    let file = Scratch::new("locks");
    let mut kept = Vec::new();
    for _ in 0..5 {
        let locks: Vec<_> = (0..200).map(|_| Rc::new(Mutex::new(0))).collect();
        kept.extend(locks.iter().step_by(2).cloned());
        let runtime = with_box(&file).build();
        let all = kept.clone();
        let waited_for = async move {
            for lock in locks.into_iter().chain(all) {
                let held = lock.lock().await?;
                let waits = lock.clone();
                let waits = spawn(async move { Ok(*waits.lock().await?) });
                yield_now().await?;
                drop(held);
                waits.await?;
            }
            Ok(())
        };
        runtime.block_on(waited_for).unwrap();
        drop(runtime);
        assert!(kept.iter().all(|lock| lock.try_lock().is_some()));
        kept.truncate(kept.len() * 2 / 3);
    }
    drop(kept);
    homing::run(a_bit_of_everything(3)).unwrap();
}

#[test]
fn a_runtime_that_is_dropped_by_its_own_task_s_destructor_ends_its_black_box_too() {
    if !IS_SUPPORTED {
        return;
    }
    struct Drops(Option<Runtime>);
    impl Drop for Drops {
        fn drop(&mut self) {
            drop(self.0.take());
        }
    }
    let file = Scratch::new("own");
    let runtime = with_box(&file).build();
    let slot = std::rc::Rc::new(std::cell::RefCell::new(Drops(None)));
    let output = slot.clone();
    let task = runtime.spawn(async move { Ok(output) });
    runtime.run_until_stalled().unwrap();
    slot.borrow_mut().0 = Some(runtime);
    drop(slot);
    drop(task);
    assert!(with_box(&file).try_build().is_ok(), "the file is free again");
}

#[test]
fn each_thread_has_a_black_box_of_its_own_and_one_that_cannot_is_an_error() {
    if !IS_SUPPORTED {
        return;
    }
    let files = [Scratch::new("thread-0"), Scratch::new("thread-1")];
    let paths = [files[0].0.clone(), files[1].0.clone()];
    let threads = Threads::new(2).runtimes(move |index| Builder::new().black_box(&paths[index]));
    threads.run(async |_| a_bit_of_everything(1).await).unwrap();
    assert!(files.iter().all(|file| file.0.exists()));

    let path = files[0].0.clone();
    let threads = Threads::new(2).runtimes(move |_| Builder::new().black_box(&path));
    let error: Error = threads.run(async |_| sleep(HOUR).await).unwrap_err();
    assert!(format!("{error:#}").contains("another runtime has its black box at"), "{error:#}");
}

#[test]
fn a_black_box_that_cannot_be_made_is_an_error_of_the_one_and_a_panic_of_the_other() {
    let path = "/no/such/directory/box";
    let error = Builder::new().black_box(path).try_build().unwrap_err();
    let text = error.to_string();
    if IS_SUPPORTED {
        assert!(matches!(error, BlackBoxError::File(..)), "{text}");
        assert!(text.starts_with("the black box /no/such/directory/box could not be made: "), "{text}");
    } else {
        assert!(matches!(error, BlackBoxError::Unsupported), "{text}");
    }
    let error: Error = error.into();
    assert!(error.is::<BlackBoxError>());
    for build in [
        || drop(Builder::new().black_box("/no/such/directory/box").build()),
        || drop(Runner::with(Builder::new().black_box("/no/such/directory/box")).runtime().map(|_| ())),
    ] {
        let panic = std::panic::catch_unwind(build).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains(&text), "{panic:?}");
    }
}
