//! Scopes: groups whose children borrow.
#![allow(clippy::let_underscore_future, reason = "a handle that is dropped detaches its task")]

mod common;

use common::{Log, World, count, forever, group, in_every_mode, in_every_order, ms, nap, oops, run, shown};
use futures_util::future::{join, pending, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use homing::{
    Builder, Error, GroupCancelled, GroupClosed, Result, ReturnWhen, RuntimeError, Scope, ScopedTask,
    TaskGroup, TaskRef, current, gather, scope, sleep, spawn, task_group, timeout, wait, yield_now,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

// What can be borrowed.

#[test]
fn children_borrow_locals_shared_and_each_its_part_mutably() {
    in_every_order(async |_| {
        let factor = 3;
        let mut numbers = [1, 2, 3, 4];
        let log = RefCell::new(0);
        scope(async |s| {
            for number in &mut numbers {
                let (factor, log) = (&factor, &log);
                s.spawn(async move {
                    nap(*number).await?;
                    *number *= factor;
                    *log.borrow_mut() += 1;
                    Ok(())
                });
            }
            Ok(())
        })
        .await?;
        assert_eq!((numbers, log.into_inner()), ([3, 6, 9, 12], 4));
        Ok(())
    });
}

struct Service {
    name: String,
    calls: Cell<u32>,
    cache: BTreeMap<u32, String>,
}

impl Service {
    async fn fetch(&self, number: u32) -> Result<String> {
        self.calls.set(self.calls.get() + 1);
        nap(u64::from(number)).await?;
        Ok(format!("{}{number}", self.name))
    }

    async fn both(&self) -> Result<String> {
        scope(async |s| {
            let one = s.spawn(self.fetch(1));
            let two = s.spawn(self.fetch(2));
            Ok(one.await? + &two.await?)
        })
        .await
    }

    async fn refresh(&mut self) -> Result<&str> {
        let (name, cache) = (&self.name, &mut self.cache);
        scope(async |s| {
            s.spawn(async {
                nap(1).await?;
                cache.insert(1, name.clone());
                Ok(())
            });
            Ok(())
        })
        .await?;
        Ok(&self.cache[&1])
    }
}

#[test]
fn children_borrow_self() {
    in_every_mode(async |_| {
        let mut service = Service { name: "s".to_owned(), calls: Cell::new(0), cache: BTreeMap::new() };
        assert_eq!(service.both().await?, "s1s2");
        assert_eq!(service.calls.get(), 2);
        assert_eq!(service.refresh().await?, "s");
        Ok(())
    });
}

#[test]
fn a_function_can_be_the_body() {
    async fn body(s: &Scope<'_, '_>) -> Result<usize> {
        nap(1).await?;
        Ok(s.len())
    }
    async fn spawning<'scope>(s: &'scope Scope<'scope, '_>) -> Result<u32> {
        let child = s.spawn(async { Ok(7) });
        child.await
    }
    in_every_mode(async |_| {
        assert_eq!(scope(body).await?, 0);
        assert_eq!(scope(async |s| spawning(s).await).await?, 7);
        Ok(())
    });
}

#[test]
fn children_spawn_siblings_without_a_clone_of_anything() {
    in_every_order(async |_| {
        let seen = Cell::new(0);
        scope(async |s| {
            s.spawn(async {
                nap(1).await?;
                for _ in 0..3 {
                    s.spawn(async {
                        nap(1).await?;
                        s.spawn(async { Ok(seen.set(seen.get() + 1)) });
                        Ok(())
                    });
                }
                Ok(())
            });
            Ok(())
        })
        .await?;
        assert_eq!(seen.get(), 3);
        Ok(())
    });
}

#[test]
fn scopes_nest_and_the_inner_one_borrows_from_the_outer_body() {
    in_every_order(async |_| {
        let outside = 1;
        let sum = scope(async |outer| {
            let middle = 10;
            let one = outer.spawn(async {
                nap(1).await?;
                Ok(outside)
            });
            let inner = scope(async |inner| {
                let two = inner.spawn(async {
                    nap(2).await?;
                    Ok(middle + outside)
                });
                two.await
            })
            .await?;
            Ok(one.await? + inner)
        })
        .await?;
        assert_eq!(sum, 12);
        Ok(())
    });
}

#[test]
fn scopes_recurse() {
    fn sum(numbers: &[u64]) -> Pin<Box<dyn Future<Output = Result<u64>> + '_>> {
        Box::pin(async move {
            match numbers {
                [] => Ok(0),
                [one] => {
                    nap(*one).await?;
                    Ok(*one)
                }
                _ => {
                    let (left, right) = numbers.split_at(numbers.len() / 2);
                    scope(async |s| {
                        let left = s.spawn(sum(left));
                        let right = s.spawn(sum(right));
                        Ok(left.await? + right.await?)
                    })
                    .await
                }
            }
        })
    }
    in_every_order(async |world| {
        let numbers: Vec<u64> = (1..=64).collect();
        assert_eq!(sum(&numbers).await?, 64 * 65 / 2);
        assert_eq!(world.now(), 64, "all at the same time");
        Ok(())
    });
}

#[test]
fn what_comes_out_may_borrow_from_outside() {
    in_every_mode(async |_| {
        let text = "one two".to_owned();
        let longest: &str = scope(async |s| {
            let words: Vec<_> = text.split(' ').map(|word| s.spawn(async move { Ok(word) })).collect();
            let mut longest = "";
            for word in words {
                longest = std::cmp::max_by_key(longest, word.await?, |word| word.len());
            }
            Ok(longest)
        })
        .await?;
        assert_eq!(longest, "two");
        Ok(())
    });
}

#[test]
fn a_handle_may_go_to_another_child() {
    in_every_order(async |_| {
        let sum = scope(async |s| {
            let numbers = [1, 2, 3];
            let one = s.spawn(async move {
                nap(numbers[0]).await?;
                Ok(numbers[0])
            });
            let two = s.spawn(async move { Ok(one.await? + numbers[1]) });
            let three = s.spawn(async move { Ok(two.await? + numbers[2]) });
            three.await
        })
        .await?;
        assert_eq!(sum, 6);
        Ok(())
    });
}

#[test]
fn a_question_mark_leaves_the_body_and_cancels_the_children() {
    in_every_order(async |world| {
        let cancelled = Cell::new(false);
        let outcome: Result<()> = scope(async |s| {
            s.spawn(async {
                let outcome = forever::<()>().await;
                cancelled.set(true);
                outcome
            });
            nap(1).await?;
            oops::<()>("body")?;
            unreachable!()
        })
        .await;
        assert_eq!((shown(&outcome), cancelled.get(), world.now()), ("[body]".to_owned(), true, 1));
        Ok(())
    });
}

// What a child is.

#[test]
fn a_child_is_a_task_of_its_own() {
    in_every_mode(async |_| {
        let parent = current().unwrap();
        scope(async |s| {
            let child = s
                .task(async {
                    let own = current().unwrap();
                    assert_eq!(own.parent(), Some(parent.clone()));
                    yield_now().await?;
                    assert_eq!(current(), Some(own.clone()));
                    Ok(own)
                })
                .name("lodger")
                .spawn();
            let reference: TaskRef = child.task_ref();
            assert!(homing::all_tasks().contains(&reference));
            assert_eq!(
                (reference.name().as_ref(), reference.spawned_at().unwrap().file()),
                ("lodger", file!())
            );
            assert_eq!(current(), Some(parent.clone()));
            assert_eq!(child.await?, reference);
            Ok(())
        })
        .await
    });
}

#[test]
fn a_reference_to_a_child_may_be_kept_beyond_the_scope() {
    in_every_mode(async |_| {
        let kept = scope(async |s| Ok([s.spawn(nap(1)).task_ref(), s.spawn(nap(2)).task_ref()])).await?;
        for child in kept {
            assert!(child.is_finished() && !child.is_cancelled() && !child.cancel());
        }
        Ok(())
    });
}

#[test]
fn children_are_waited_for_by_whatever_takes_handles() {
    in_every_order(async |_| {
        scope(async |s| {
            let waited = wait([s.spawn(nap(1)), s.spawn(nap(9))], ReturnWhen::FirstCompleted).await?;
            assert_eq!((waited.done.len(), waited.pending.len()), (1, 1));
            let (a, b) = join(s.spawn(async { Ok(1) }), s.spawn(async { Ok(2) })).await;
            assert_eq!(a? + b?, 3);
            let mut all: FuturesUnordered<_> = (1..4)
                .map(|n| {
                    s.spawn(async move {
                        nap(n).await?;
                        Ok(n)
                    })
                })
                .collect();
            let mut order = Vec::new();
            while let Some(n) = all.next().await {
                order.push(n?);
            }
            assert_eq!(order, [1, 2, 3]);
            Ok(())
        })
        .await
    });
}

#[test]
fn dropping_a_handle_detaches_the_child_and_the_scope_still_waits_for_it() {
    in_every_order(async |world| {
        let done = Cell::new(false);
        scope(async |s| {
            drop(s.spawn(async {
                nap(5).await?;
                Ok(done.set(true))
            }));
            Ok(())
        })
        .await?;
        assert_eq!((done.get(), world.now()), (true, 5));
        Ok(())
    });
}

// Failures.

#[test]
fn tg_8_the_first_failure_cancels_siblings_and_body_and_all_are_waited_for() {
    in_every_order(async |world| {
        let log = Log::new();
        let outcome: Result<()> = scope(async |s| {
            s.spawn(async {
                nap(1).await?;
                oops::<()>("first")
            });
            s.spawn(async {
                let outcome = forever::<()>().await;
                nap(5).await?;
                log.push("sibling");
                outcome
            });
            s.spawn(async {
                let _ = forever::<()>().await;
                oops::<()>("second")
            });
            let outcome = forever::<()>().await;
            log.push("body");
            outcome
        })
        .await;
        assert_eq!(shown(&outcome), "[first, second]");
        assert_eq!((log.take(), world.now()), (vec!["body".to_owned(), "sibling".to_owned()], 6));
        assert_eq!(count(), 0);
        Ok(())
    });
}

#[test]
fn a_panicking_child_is_one_of_the_errors() {
    in_every_mode(async |world| {
        let outcome: Result<()> = scope(async |s| {
            s.spawn(async { std::panic::resume_unwind(Box::new("clumsy")) as Result<()> });
            forever().await
        })
        .await;
        assert_eq!(shown(&outcome), "[panic: clumsy]");
        assert_eq!(world.reports(), ["panicked: panic: clumsy"]);
        Ok(())
    });
}

#[test]
fn a_panicking_body_goes_on_after_the_children_have_cleaned_up() {
    let log = Log::new();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let runtime = Builder::new().virtual_time().build();
        runtime.block_on(async {
            scope(async |s| {
                s.spawn(async {
                    let outcome = forever::<()>().await;
                    nap(1).await?;
                    log.push("cleaned up");
                    outcome
                });
                nap(1).await?;
                std::panic::resume_unwind(Box::new("the body"));
                #[expect(unreachable_code, reason = "it says what the result would be")]
                Ok(())
            })
            .await
        })
    }));
    assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "the body");
    assert_eq!(log.take(), ["cleaned up"]);
}

#[test]
fn a_child_whose_destructor_panics_has_failed() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("in the drop"));
        }
    }
    in_every_mode(async |world| {
        let outcome: Result<()> = scope(async |s| {
            s.spawn(async {
                let bomb = Bomb;
                nap(1).await?;
                std::mem::forget(bomb);
                let _bomb = Bomb;
                Ok(())
            });
            forever().await
        })
        .await;
        assert_eq!(shown(&outcome), "[panic: in the drop]");
        assert_eq!(world.reports(), ["panicked: panic: in the drop"]);
        Ok(())
    });
}

#[test]
fn options_are_those_of_a_group() {
    in_every_order(async |world| {
        let most = Cell::new(0);
        let running = Cell::new(0);
        let outcome: Result<()> = TaskGroup::builder()
            .name("pool")
            .limit(2)
            .supervise()
            .scope(async |s| {
                for number in 0..6 {
                    let (most, running) = (&most, &running);
                    s.spawn(async move {
                        running.set(running.get() + 1);
                        most.set(most.get().max(running.get()));
                        nap(1).await?;
                        running.set(running.get() - 1);
                        if number % 3 == 0 { oops("third") } else { Ok(()) }
                    });
                }
                Ok(())
            })
            .await;
        assert_eq!((most.get(), world.now()), (2, 3));
        assert_eq!(shown(&outcome), "[third, third]");
        assert!(format!("{}", outcome.unwrap_err()).contains("pool"));
        let begin = world.now();
        let aborted = Cell::new(0);
        let outcome: Result<()> = TaskGroup::builder()
            .grace(ms(5))
            .scope(async |s| {
                for _ in 0..2 {
                    s.spawn(async {
                        let _end = OnDrop(|| aborted.set(aborted.get() + 1));
                        let _ignored = forever::<()>().await;
                        forever::<()>().await
                    });
                }
                nap(1).await?;
                Ok(s.cancel())
            })
            .await;
        assert_eq!((shown(&outcome), aborted.get(), world.now() - begin), ("ok".to_owned(), 2, 6));
        Ok(())
    });
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

// Cancels.

#[test]
fn a_cancel_from_outside_cancels_the_children_and_waits_for_them() {
    in_every_order(async |world| {
        let log = Log::new();
        let inner = log.clone();
        let task = spawn(async move {
            let borrowed = inner;
            scope(async |s| {
                for name in ["a", "b"] {
                    let borrowed = &borrowed;
                    s.spawn(async move {
                        let outcome = forever::<()>().await;
                        nap(3).await?;
                        borrowed.push(name);
                        outcome
                    });
                }
                forever::<()>().await
            })
            .await
        });
        nap(1).await?;
        assert!(task.cancel());
        let target = task.task_ref();
        assert_eq!(shown(&task.await), "cancelled");
        assert_eq!(target.cancelling(), 1);
        let mut cleaned = log.take();
        cleaned.sort();
        assert_eq!((cleaned, world.now()), (vec!["a".to_owned(), "b".to_owned()], 4));
        Ok(())
    });
}

#[test]
fn one_child_is_cancelled_and_nobody_else_hears_of_it() {
    in_every_order(async |_| {
        scope(async |s| {
            let one = s.spawn(forever::<()>());
            let other = s.spawn(async {
                nap(5).await?;
                Ok(count())
            });
            nap(1).await?;
            assert!(one.cancel_with("not needed"));
            let error = one.await.unwrap_err();
            assert!(error.is_cancelled() && format!("{error:#}").contains("not needed"));
            assert_eq!((other.await?, count()), (0, 0));
            Ok(())
        })
        .await
    });
}

#[test]
fn a_child_may_cancel_itself_uncancel_and_go_on() {
    in_every_order(async |_| {
        scope(async |s| {
            let child = s.spawn(async {
                let own = current().unwrap();
                own.cancel();
                assert!(nap(1).await.unwrap_err().is_cancelled());
                assert_eq!((own.cancelling(), own.uncancel()), (1, 0));
                nap(1).await?;
                Ok("still here")
            });
            assert_eq!(child.await?, "still here");
            Ok(())
        })
        .await
    });
}

#[test]
fn the_scope_is_ended_quietly_from_inside_and_from_elsewhere() {
    in_every_order(async |_| {
        for elsewhere in [false, true] {
            let ended = Cell::new(0);
            let outcome: Result<()> = scope(async |s| {
                for _ in 0..3 {
                    s.spawn(async {
                        let _end = OnDrop(|| ended.set(ended.get() + 1));
                        forever::<()>().await
                    });
                }
                if elsewhere {
                    let handle = s.group().clone();
                    let _ = spawn(async move {
                        nap(1).await?;
                        Ok(handle.cancel())
                    });
                } else {
                    s.spawn(async {
                        nap(1).await?;
                        Ok(s.cancel())
                    });
                }
                forever().await
            })
            .await;
            assert!(outcome.unwrap_err().is::<GroupCancelled>());
            assert_eq!(ended.get(), 3);
        }
        Ok(())
    });
}

#[test]
fn timeouts_around_and_within() {
    in_every_order(async |world| {
        let cleaned = Cell::new(false);
        let outcome: Result<()> = timeout(
            ms(5),
            scope(async |s| {
                s.spawn(timeout(ms(2), forever::<()>()));
                s.spawn(async {
                    let outcome = forever::<()>().await;
                    nap(1).await?;
                    cleaned.set(true);
                    outcome
                });
                forever().await
            }),
        )
        .await;
        assert_eq!((shown(&outcome), cleaned.get(), world.now()), ("[timeout]".to_owned(), true, 3));
        let outcome: Result<()> = timeout(
            ms(5),
            scope(async |s| {
                s.spawn(forever::<()>());
                Ok(())
            }),
        )
        .await;
        assert_eq!((shown(&outcome), world.now()), ("timeout".to_owned(), 8));
        Ok(())
    });
}

#[test]
fn by_the_turn_in_which_the_body_sees_a_failure_the_scope_has_acted_on_it() {
    in_every_mode(async |_| {
        let outcome: Result<()> = scope(async |s| {
            let child = s.spawn(async {
                nap(1).await?;
                oops::<()>("child")
            });
            let seen = child.await;
            assert!(seen.as_ref().unwrap_err().is_cancelled());
            seen
        })
        .await;
        assert_eq!(shown(&outcome), "[child]");
        Ok(())
    });
}

#[test]
fn a_child_at_a_foreign_await_does_not_hold_up_a_cancel() {
    in_every_order(async |_| {
        let dropped = Cell::new(0);
        let outcome: Result<()> = scope(async |s| {
            for _ in 0..2 {
                s.spawn(async {
                    let _end = OnDrop(|| dropped.set(dropped.get() + 1));
                    Ok(pending::<()>().await)
                });
            }
            nap(1).await?;
            oops("body")
        })
        .await;
        assert_eq!((shown(&outcome), dropped.get()), ("[body]".to_owned(), 2));
        Ok(())
    });
}

#[test]
fn groups_within_scopes_within_groups() {
    in_every_order(async |world| {
        let outcome: Result<()> = task_group(async |tg| {
            tg.spawn(async {
                let text = "borrowed".to_owned();
                scope(async |s| {
                    s.spawn(async {
                        let length = text.len() as u64;
                        task_group(async |tg| {
                            tg.spawn(async move {
                                nap(length).await?;
                                oops::<()>("innermost")
                            });
                            forever::<()>().await
                        })
                        .await
                    });
                    s.spawn(async {
                        let outcome = forever::<()>().await;
                        nap(text.len() as u64).await?;
                        outcome
                    });
                    Ok(())
                })
                .await
            });
            forever().await
        })
        .await;
        assert_eq!((shown(&outcome), world.now()), ("[[[innermost]]]".to_owned(), 16));
        Ok(())
    });
}

#[test]
fn it_runs_in_combinators_with_wakers_of_their_own() {
    in_every_order(async |world| {
        let numbers = [5u64, 1, 3];
        let mut all: FuturesUnordered<_> = numbers
            .iter()
            .map(|number| {
                scope(async |s| {
                    let child = s.spawn(async {
                        nap(*number).await?;
                        Ok(*number)
                    });
                    child.await
                })
            })
            .collect();
        let mut order = Vec::new();
        while let Some(number) = all.next().await {
            order.push(number?);
        }
        assert_eq!((order, world.now()), (vec![1, 3, 5], 5));
        // And they in it.
        scope(async |s| {
            let many = s.spawn(async {
                let mut all: FuturesUnordered<_> = numbers.iter().map(|number| nap(*number)).collect();
                while let Some(outcome) = all.next().await {
                    outcome?;
                }
                Ok(())
            });
            nap(1).await?;
            many.cancel();
            assert_eq!(shown(&many.await), "cancelled");
            Ok(())
        })
        .await
    });
}

#[test]
fn children_are_gathered_with_tasks_that_borrow_nothing() {
    in_every_order(async |_| {
        let word = "borrowed".to_owned();
        scope(async |s| {
            let own = s.group().spawn(async {
                nap(1).await?;
                Ok(1)
            });
            let borrowing = s.spawn(async { Ok(word.len()) });
            let (one,) = gather((own,)).await?;
            assert_eq!(one + borrowing.await?, 9);
            Ok(())
        })
        .await
    });
}

#[test]
fn its_errors_say_that_they_come_from_a_scope() {
    homing::run(async {
        let ended = homing::scope(async |s| {
            s.spawn(async { Err::<(), _>(homing::Error::msg("no")) });
            Ok(())
        });
        let error = ended.await.unwrap_err();
        assert_eq!(error.as_group().unwrap().message(), "unhandled errors in a scope");
        assert_eq!(error.trail().map(|scope| scope.kind).collect::<Vec<_>>(), ["scope"]);
        Ok(())
    })
    .unwrap();
}

// Ends of all kinds.

#[test]
fn dropped_midway_body_and_children_are_gone_before_what_they_borrow() {
    in_every_mode(async |_| {
        let log = Log::new();
        let outer = log.clone();
        let task = homing::task(async move {
            let _frame = outer.at_drop("frame");
            let borrowed = RefCell::new(Vec::new());
            let log = &outer;
            scope(async |s| {
                for name in ["a", "b"] {
                    let borrowed = &borrowed;
                    s.spawn(async move {
                        let _end = OnDrop(|| {
                            borrowed.borrow_mut().push(name);
                            log.push(format!("{:?}", borrowed.borrow()));
                        });
                        forever::<()>().await
                    });
                }
                let _body = log.at_drop("body");
                forever::<()>().await
            })
            .await
        })
        .queued()
        .spawn();
        for _ in 0..4 {
            yield_now().await?;
        }
        task.abort();
        assert_eq!(log.take(), ["body", "[\"a\"]", "[\"a\", \"b\"]", "frame"]);
        assert_eq!(shown(&task.await), "cancelled");
        Ok(())
    });
}

#[test]
fn a_select_that_takes_another_branch_drops_it() {
    in_every_order(async |world| {
        let dropped = Cell::new(false);
        let scoped = pin!(scope(async |s| {
            s.spawn(async {
                let _end = OnDrop(|| dropped.set(true));
                forever::<()>().await
            });
            forever::<()>().await
        }));
        drop(select(scoped, pin!(nap(3))).await);
        // Pinned, it is still there until the end of this block.
        assert_eq!((dropped.get(), world.now()), (false, 3));
        let boxed: Pin<Box<dyn Future<Output = Result<()>>>> = Box::pin(scope(async |s| {
            s.spawn(async {
                let _end = OnDrop(|| dropped.set(true));
                forever::<()>().await
            });
            forever().await
        }));
        drop(select(boxed, pin!(nap(3))).await);
        assert!(dropped.get());
        Ok(())
    });
}

#[test]
fn an_error_that_a_dropped_scope_has_collected_is_reported() {
    in_every_mode(async |world| {
        let task = homing::task(scope(async |s| {
            s.spawn(async { oops::<()>("early") });
            let _ = forever::<()>().await;
            forever::<()>().await
        }))
        .queued()
        .spawn();
        nap(1).await?;
        task.abort();
        assert_eq!(world.reports(), ["displaced: early"]);
        assert_eq!(shown(&task.await), "cancelled");
        Ok(())
    });
}

/// Forgets a scope with a child that would write to a local, and lets the local go.
fn forget_a_scope(writes: &Rc<Cell<u32>>) -> TaskRef {
    let writes = writes.clone();
    let target = Box::new(Cell::new(0u32));
    let child = RefCell::new(None);
    let mut scoped = Box::pin(scope(async |s| {
        let task = s.spawn(async {
            let _end = OnDrop(|| target.set(u32::MAX));
            loop {
                target.set(target.get() + 1);
                writes.set(writes.get() + 1);
                yield_now().await?;
            }
            #[expect(unreachable_code, reason = "it says what the task's result would be")]
            Ok(())
        });
        *child.borrow_mut() = Some(task.task_ref());
        task.await
    }));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        assert!(scoped.as_mut().poll(&mut cx).is_pending());
    }
    // Kept within reach of who looks for leaks: this one is meant.
    static FORGOTTEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    FORGOTTEN.lock().unwrap().push(std::ptr::from_ref(&*scoped).addr());
    std::mem::forget(scoped);
    child.into_inner().unwrap()
}

#[test]
fn the_children_of_a_forgotten_scope_never_run_again() {
    let runtime = Builder::new().virtual_time().on_unhandled(|_| {}).build();
    let writes = Rc::new(Cell::new(0));
    let child = runtime
        .block_on(async {
            let child = forget_a_scope(&writes);
            let before = writes.get();
            assert_eq!(before, 1);
            for _ in 0..5 {
                yield_now().await?;
            }
            assert!(child.cancel());
            nap(1).await?;
            assert!(child.abort());
            nap(1).await?;
            assert_eq!((writes.get(), child.is_finished()), (before, false));
            Ok(child)
        })
        .unwrap();
    drop(runtime);
    assert!(child.is_finished());
    assert_eq!(writes.get(), 1);
}

#[test]
fn a_runtime_that_is_dropped_midway_takes_the_scope_along() {
    let log = Log::new();
    let runtime = Builder::new().virtual_time().on_unhandled(|_| {}).build();
    let inner = log.clone();
    let _task = runtime.spawn(async move {
        let borrowed = inner;
        scope(async |s| {
            for _ in 0..3 {
                s.spawn(async {
                    let _end = borrowed.at_drop("child");
                    forever::<()>().await
                });
            }
            forever::<()>().await
        })
        .await
    });
    runtime.run_until_stalled().unwrap();
    assert_eq!(log.take(), [""; 0]);
    drop(runtime);
    assert_eq!(log.take(), ["child"; 3]);
}

#[test]
fn spawning_while_it_shuts_down_gives_a_cancelled_task_and_in_a_destructor_a_dead_one() {
    in_every_mode(async |_| {
        let outcome: Result<()> = scope(async |s| {
            s.spawn(async {
                let _ = forever::<()>().await;
                let late = s.spawn(async { Ok(1) });
                assert!(late.is_finished() && late.is_cancelled());
                assert_eq!(shown(&late.await), "cancelled");
                assert_eq!(s.try_spawn(async { Ok(()) }).unwrap_err(), GroupClosed::ShuttingDown);
                Ok(())
            });
            nap(1).await?;
            oops("body")
        })
        .await;
        assert_eq!(shown(&outcome), "[body]");

        let seen = Rc::new(Cell::new(0));
        let note = seen.clone();
        let task = homing::task(async move {
            let count = &note;
            scope(async |s| {
                s.spawn(async {
                    let _end = OnDrop(|| {
                        let refused: ScopedTask<'_, ()> = s.spawn(async { Ok(()) });
                        count.set(count.get() + u32::from(refused.is_finished()));
                    });
                    forever::<()>().await
                });
                let _end = OnDrop(|| drop(s.spawn(async { Ok(()) })));
                forever::<()>().await
            })
            .await
        })
        .spawn();
        nap(1).await?;
        task.abort();
        assert_eq!(seen.get(), 1);
        assert_eq!(shown(&task.await), "cancelled");
        Ok(())
    });
}

#[test]
fn outside_of_a_task_it_is_an_error() {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(scope(async |_| Ok(()))).poll(&mut cx) {
        Poll::Ready(Err(error)) => assert_eq!(error.downcast_ref(), Some(&RuntimeError::NoTask)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn tg_36_a_failure_is_acted_upon_a_turn_later() {
    run(true, None, &async |_: &World| {
        let begun = Cell::new(0);
        let outcome: Result<()> = scope(async |s| {
            for number in 0..10 {
                let begun = &begun;
                s.spawn(async move {
                    begun.set(begun.get() + 1);
                    if number == 0 { oops("at once") } else { Ok(()) }
                });
            }
            Ok(())
        })
        .await;
        assert_eq!(begun.get(), 10);
        assert_eq!(group(outcome).len(), 1);
        Ok(())
    });
}

#[test]
fn wakes_from_another_thread_reach_a_child() {
    let runtime = homing::Runtime::new();
    let outcome = runtime.block_on(async {
        let waiting = std::sync::Arc::new(Mutex::new((false, None::<Waker>)));
        let (send, receive) = std::sync::mpsc::channel::<()>();
        let theirs = waiting.clone();
        let thread = std::thread::spawn(move || {
            receive.recv().unwrap();
            let mut waiting = theirs.lock().unwrap();
            waiting.0 = true;
            waiting.1.take().unwrap().wake();
        });
        let count = Cell::new(0);
        scope(async |s| {
            let child = s.spawn(poll_fn(|cx| {
                count.set(count.get() + 1);
                let mut waiting = waiting.lock().unwrap();
                if waiting.0 {
                    return Poll::Ready(Ok::<_, Error>("woken"));
                }
                waiting.1 = Some(cx.waker().clone());
                let _ = send.send(());
                Poll::Pending
            }));
            sleep(ms(1)).await?;
            child.await
        })
        .await
        .inspect(|_| {
            thread.join().unwrap();
            assert_eq!(count.get(), 2);
        })
    });
    assert_eq!(outcome.unwrap(), "woken");
}
