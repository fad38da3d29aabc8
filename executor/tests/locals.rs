//! Task-locals and contexts: the rules CV, and what a user of `thread_local!` expects.

mod support;

use homing::{Context, LocalError, Runner, TaskLocal, TaskRef};
use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::Poll;
use support::{
    DropGuard, Drops, Log, OnDrop, blow_up, forever, in_virtual_time, panic_text, poll_once, runtime, yields,
};

/// Inherited, without a default.
static USER: TaskLocal<&str> = TaskLocal::inherited();
const USER_IS_DECLARED: (&str, u32) = (file!(), line!() - 1);
/// Inherited, with one.
static LEVEL: TaskLocal<u32> = TaskLocal::inherited().with_default(|| 1);
/// Not inherited, without a default.
static OWN: TaskLocal<&str> = TaskLocal::own();
/// Not inherited, with one that can be changed in place.
static DEPTH: TaskLocal<Cell<u32>> = TaskLocal::own().with_default(|| Cell::new(0));

/// Where `USER` is, as it is shown.
fn declared() -> String {
    let (file, line) = USER_IS_DECLARED;
    format!("{file}:{line}")
}

fn user() -> Option<&'static str> {
    USER.try_get().ok()
}

// What a key does.

#[test]
fn what_is_set_is_found_until_it_is_replaced_or_taken() {
    in_virtual_time(async {
        assert_eq!(USER.take(), None);
        USER.set("ann");
        assert_eq!((USER.get(), USER.with(|user| user.len())), ("ann", 3));
        assert_eq!(USER.replace("bob"), Some("ann"));
        yields(2).await?;
        assert_eq!(USER.get(), "bob");
        assert_eq!(USER.take(), Some("bob"));
        assert_eq!(user(), None);
        assert_eq!(USER.replace("cem"), None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn keys_that_look_the_same_are_two() {
    static LEFT: TaskLocal<u8> = TaskLocal::own();
    static RIGHT: TaskLocal<u8> = TaskLocal::own();
    in_virtual_time(async {
        LEFT.set(1);
        assert!(RIGHT.try_get().is_err());
        RIGHT.set(2);
        assert_eq!((LEFT.get(), RIGHT.get()), (1, 2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_key_may_also_be_made_while_the_program_runs() {
    static KEYS: LazyLock<Vec<TaskLocal<usize>>> =
        LazyLock::new(|| (0..40).map(|_| TaskLocal::inherited()).collect());
    let keys: &'static [TaskLocal<usize>] = &KEYS;
    in_virtual_time(async {
        for (index, key) in keys.iter().enumerate() {
            key.set(index);
        }
        for (index, key) in keys.iter().enumerate().step_by(2) {
            assert_eq!(key.take(), Some(index));
        }
        let seen: Vec<Option<usize>> = keys.iter().map(|key| key.try_get().ok()).collect();
        let expected: Vec<Option<usize>> = (0..40).map(|index| (index % 2 == 1).then_some(index)).collect();
        assert_eq!(seen, expected);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_default_is_made_once_in_each_task_and_kept() {
    in_virtual_time(async {
        DEPTH.with(|depth| depth.set(depth.get() + 1));
        DEPTH.with(|depth| depth.set(depth.get() + 1));
        assert_eq!(DEPTH.with(Cell::get), 2);
        let other = homing::spawn(async { Ok(DEPTH.with(Cell::get)) });
        assert_eq!(other.await?, 0);
        assert_eq!(DEPTH.with(Cell::get), 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_default_that_uses_its_own_key_is_set_last() {
    static NESTED: TaskLocal<u32> = TaskLocal::own().with_default(|| {
        NESTED.set(5);
        NESTED.get() + 1
    });
    in_virtual_time(async {
        assert_eq!(NESTED.get(), 6);
        assert_eq!(NESTED.get(), 6);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_value_stays_alive_while_it_is_being_looked_at() {
    static NAME: TaskLocal<String> = TaskLocal::inherited();
    in_virtual_time(async {
        NAME.set("first".to_owned());
        NAME.with(|name| {
            NAME.set("second".to_owned());
            assert_eq!(NAME.take().as_deref(), Some("second"));
            assert_eq!(name, "first");
        });
        assert!(NAME.try_get().is_err());
        Ok(())
    })
    .unwrap();
}

// Where there is no task, or no value.

#[test]
fn an_unset_key_says_where_it_is_declared() {
    in_virtual_time(async {
        let error = USER.try_get().unwrap_err();
        assert!(matches!(error, LocalError::Unset { .. }), "{error:?}");
        assert!(error.to_string().contains(&declared()), "{error}");
        let panic = std::panic::catch_unwind(|| USER.get()).unwrap_err();
        assert!(panic_text(panic).contains("is not set in this task"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn outside_of_a_task_a_key_says_so_and_only_a_default_can_be_read() {
    assert!(matches!(USER.try_get(), Err(LocalError::OutsideOfTask { .. })));
    assert!(matches!(DEPTH.try_with(Cell::get), Err(LocalError::OutsideOfTask { .. })));
    assert_eq!(LEVEL.get(), 1);
    assert_eq!(USER.take(), None);
    assert!(Context::current().is_none());
    let panic = std::panic::catch_unwind(|| USER.set("nobody")).unwrap_err();
    assert!(panic_text(panic).contains("where no task is running"));
}

#[test]
fn on_a_thread_without_a_runtime_a_key_is_unset() {
    in_virtual_time(async {
        LEVEL.set(9);
        assert_eq!(std::thread::spawn(|| LEVEL.get()).join().unwrap(), 1);
        Ok(())
    })
    .unwrap();
}

// CV-1: spawned tasks.

#[test]
fn cv_1_a_task_begins_with_what_its_spawner_had_and_neither_sees_what_the_other_changes_later() {
    in_virtual_time(async {
        USER.set("before");
        let child = homing::spawn(async {
            let at_first = USER.get();
            USER.set("child's");
            yields(2).await?;
            Ok((at_first, USER.get()))
        });
        USER.set("after");
        yields(1).await?;
        assert_eq!(USER.get(), "after");
        assert_eq!(child.await?, ("before", "child's"));
        assert_eq!(USER.get(), "after");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cv_1_own_keys_are_not_passed_on_nor_does_a_grandchild_get_them() {
    in_virtual_time(async {
        USER.set("ann");
        OWN.set("mine");
        let child = homing::spawn(async {
            assert_eq!(user(), Some("ann"));
            assert!(OWN.try_get().is_err());
            OWN.set("the child's");
            homing::spawn(async { Ok((user(), OWN.try_get().ok())) }).await
        });
        assert_eq!(child.await?, (Some("ann"), None));
        assert_eq!(OWN.get(), "mine");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cv_1_an_inherited_value_is_shared_not_cloned() {
    static SHARED: TaskLocal<Rc<Cell<u32>>> = TaskLocal::inherited();
    in_virtual_time(async {
        SHARED.set(Rc::new(Cell::new(1)));
        homing::spawn(async { Ok(SHARED.with(|count| count.set(2))) }).await?;
        assert_eq!(SHARED.with(|count| count.get()), 2);
        let alone = SHARED.take().unwrap();
        assert_eq!(Rc::strong_count(&alone), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn cv_1_children_of_groups_gathers_and_timeouts_inherit_like_spawned_ones() {
    in_virtual_time(async {
        USER.set("ann");
        let seen = homing::task_group(async |tg| {
            let spawned = tg.spawn(async { Ok(USER.get()) });
            let eager = tg.task(async { Ok(USER.get()) }).eager().spawn();
            Ok((spawned.await?, eager.await?))
        });
        assert_eq!(seen.await?, ("ann", "ann"));
        let seen = homing::gather((async { Ok(USER.get()) }, async { Ok(USER.get()) })).await?;
        assert_eq!(seen, ("ann", "ann"));
        let limit = support::millis(5);
        assert_eq!(homing::timeout(limit, async { Ok(USER.get()) }).await?, "ann");
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_comes_from_outside_begins_with_nothing() {
    let (runtime, _) = runtime();
    let handle = runtime.handle();
    runtime
        .block_on(async {
            USER.set("main's");
            let remote = std::thread::spawn(move || handle.spawn_remote(|| async { Ok(user()) }));
            let remote = remote.join().unwrap();
            assert_eq!(remote.await?, None);
            Ok(())
        })
        .unwrap();
    assert_eq!(runtime.block_on(async { Ok(user()) }).unwrap(), None);
    let spawned = runtime.spawn(async { Ok(user()) });
    assert_eq!(runtime.block_on(spawned).unwrap(), None);
}

// CV-2: in every step.

#[test]
fn cv_2_each_task_finds_its_own_values_in_every_step() {
    in_virtual_time(async {
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                homing::spawn(async move {
                    for step in 0..5 {
                        LEVEL.set(number * 100 + step);
                        yields(1).await?;
                        assert_eq!(LEVEL.get(), number * 100 + step);
                    }
                    Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await?;
        }
        assert_eq!(LEVEL.get(), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn cv_2_an_eager_start_runs_in_the_new_context_and_gives_the_spawners_back() {
    in_virtual_time(async {
        USER.set("spawner");
        let child = homing::task(async {
            assert_eq!(USER.get(), "spawner");
            USER.set("child");
            let nested = homing::task(async {
                assert_eq!(USER.replace("grandchild"), Some("child"));
                yields(1).await?;
                Ok(USER.get())
            })
            .eager()
            .spawn();
            assert_eq!(USER.get(), "child");
            assert_eq!(nested.await?, "grandchild");
            Ok(USER.get())
        })
        .eager()
        .spawn();
        assert_eq!(USER.get(), "spawner");
        assert_eq!(child.await?, "child");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cv_2_a_future_is_dropped_in_its_tasks_context_whoever_drops_it() {
    let (runtime, _) = runtime();
    let log = Log::default();
    let main = async {
        USER.set("aborter");
        let bystander = log.clone();
        let noting = |log: &Log| {
            let log = log.clone();
            OnDrop(move || log.note(format!("{:?} {:?}", user(), Context::current().map(|c| c.get(&USER)))))
        };
        let with_values = noting(&log);
        let polled = homing::spawn(async move {
            USER.set("polled");
            let _noted = with_values;
            forever().await
        });
        let without = noting(&bystander);
        let context = Context::new();
        let empty = homing::task(async move {
            let _noted = without;
            forever().await
        });
        let empty = empty.context(&context).spawn();
        yields(1).await?;
        polled.abort();
        empty.abort();
        assert_eq!(log.take(), [r#"Some("polled") Some(Some("polled"))"#, "None Some(None)"]);
        assert_eq!(USER.get(), "aborter");
        // And the last one, when the runtime ends.
        let left = noting(&log);
        drop(homing::spawn(async move {
            let _noted = left;
            forever().await
        }));
        yields(1).await
    };
    runtime.block_on(main).unwrap();
    drop(runtime);
    assert_eq!(log.take(), [r#"Some("aborter") Some(Some("aborter"))"#]);
}

// CV-3: an explicit context.

#[test]
fn cv_3_tasks_in_one_context_see_each_others_changes_and_whoever_has_it_sees_them_too() {
    in_virtual_time(async {
        let context = Context::new();
        assert_eq!(context.get(&USER), None);
        let first = homing::task(async {
            USER.set("first");
            OWN.set("kept");
            yields(2).await?;
            Ok(USER.get())
        });
        let first = first.context(&context).spawn();
        let second = homing::task(async {
            yields(1).await?;
            Ok((USER.replace("second"), OWN.get()))
        });
        let second = second.context(&context).spawn();
        assert_eq!(second.await?, (Some("first"), "kept"));
        assert_eq!(context.get(&USER), Some("second"));
        assert_eq!(first.await?, "second");
        assert_eq!(user(), None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn cv_3_a_task_may_be_given_its_spawners_own_context() {
    in_virtual_time(async {
        USER.set("ann");
        let own = Context::current().unwrap();
        let child = homing::task(async { Ok(USER.set("changed by the child")) });
        child.context(&own).eager().spawn().await?;
        assert_eq!(USER.get(), "changed by the child");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cv_3_a_given_context_keeps_out_what_the_spawner_has_whatever_else_is_given() {
    in_virtual_time(async {
        USER.set("spawner's");
        let context = Context::new();
        let child = homing::task(async { Ok((user(), homing::current().unwrap().name().into_owned())) });
        let child = child.name("ann").context(&context).spawn();
        assert_eq!(child.await?, (None, "ann".to_owned()));
        let named = homing::task(async { Ok(USER.get()) }).name("heir").spawn();
        assert_eq!(named.await?, "spawner's");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cv_3_a_copy_is_another_context_without_the_own_values() {
    let context = Context::new();
    context.run(|| {
        USER.set("ann");
        OWN.set("mine");
    });
    let copy = context.copy();
    assert!(copy != context && context == context.clone());
    assert_eq!((copy.get(&USER), copy.get(&OWN)), (Some("ann"), None));
    copy.run(|| USER.set("bob"));
    assert_eq!((context.get(&USER), copy.get(&USER)), (Some("ann"), Some("bob")));
    assert_eq!(Context::new().copy().get(&USER), None);
}

#[test]
fn a_context_can_be_entered_anywhere_and_within_itself() {
    let context = Context::new();
    let seen = context.run(|| {
        USER.set("outside of any runtime");
        assert_eq!(Context::current(), Some(context.clone()));
        Context::new().run(|| {
            assert_eq!(user(), None);
            context.run(|| USER.get())
        })
    });
    assert_eq!(seen, "outside of any runtime");
    in_virtual_time(async {
        USER.set("task's");
        let heir = context.run(|| {
            assert_eq!(USER.get(), "outside of any runtime");
            homing::spawn(async { Ok(USER.replace("heir's")) })
        });
        assert_eq!(USER.get(), "task's");
        assert_eq!(heir.await?, Some("outside of any runtime"));
        assert_eq!(context.get(&USER), Some("outside of any runtime"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_context_that_was_entered_is_left_when_the_function_panics() {
    in_virtual_time(async {
        USER.set("task's");
        let context = Context::new();
        let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| context.run(|| blow_up("inside"))));
        assert_eq!(panic_text(panicked.unwrap_err()), "inside");
        assert_eq!(USER.get(), "task's");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_that_is_started_within_an_entered_context_is_in_its_own() {
    in_virtual_time(async {
        let context = Context::new();
        context.run(|| {
            USER.set("entered");
            let task = homing::task(async { Ok(USER.set("eager")) }).eager().spawn();
            assert!(task.is_finished());
            assert_eq!(USER.get(), "entered");
        });
        assert_eq!(user(), None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn cv_3_a_driven_task_has_its_own_context_or_a_given_one_as_any_other() {
    in_virtual_time(async {
        USER.set("driver's");
        let context = Context::new();
        let driver = homing::task::Driver::new();
        driver
            .drive(async {
                let heir = driver.spawn(async {
                    yields(2).await?;
                    Ok(USER.replace("heir's"))
                });
                let given = driver.task(async { Ok(USER.replace("given's")) }).context(&context).eager();
                assert_eq!(given.spawn().await?, None);
                assert_eq!(USER.get(), "driver's");
                assert_eq!(heir.await?, Some("driver's"));
                Ok::<(), homing::Error>(())
            })
            .await?;
        assert_eq!((USER.get(), context.get(&USER)), ("driver's", Some("given's")));
        Ok(())
    })
    .unwrap();
}

#[test]
fn cv_3_a_child_that_is_waited_for_to_start_may_be_given_a_context() {
    in_virtual_time(async {
        let context = Context::new();
        context.run(|| USER.set("given"));
        let seen = homing::task_group(async |tg| {
            let child = async |started: homing::Started<_>| Ok(started.set(USER.get()));
            tg.start(child).context(&context).await
        });
        assert_eq!(seen.await?, "given");
        Ok(())
    })
    .unwrap();
}

// CV-4: callbacks.

#[test]
fn cv_4_a_done_callback_runs_in_a_copy_of_the_context_it_was_added_in() {
    in_virtual_time(async {
        let log = Log::default();
        let noting = |log: &Log| {
            let log = log.clone();
            move |_: &TaskRef| log.note(format!("{:?}", USER.replace("the callback's")))
        };
        let task = homing::spawn(async {
            USER.set("the task's");
            yields(1).await
        });
        task.on_done(noting(&log));
        USER.set("when it was added");
        task.on_done(noting(&log));
        USER.set("later");
        task.await?;
        yields(2).await?;
        assert_eq!(log.take(), ["None", r#"Some("when it was added")"#]);
        // Added to a task that has ended, and to one that ends within the call.
        let ended = homing::spawn(async { Ok(()) });
        yields(1).await?;
        ended.on_done(noting(&log));
        yields(2).await?;
        assert_eq!(log.take(), [r#"Some("later")"#]);
        assert_eq!(USER.get(), "later");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cv_4_a_callback_added_without_values_does_not_get_those_of_whoever_started_the_task_eagerly() {
    in_virtual_time(async {
        let seen = Rc::new(RefCell::new(None));
        let noted = seen.clone();
        let child = async move {
            let own = homing::current().unwrap();
            Context::new().run(|| own.on_done(move |_| *noted.borrow_mut() = Some(user())));
            Ok(())
        };
        USER.set("spawner's");
        assert!(homing::task(child).eager().spawn().is_finished());
        yields(2).await?;
        assert_eq!(*seen.borrow(), Some(None));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_queued_callback_has_a_context_for_itself_also_an_empty_one() {
    in_virtual_time(async {
        let log = Log::default();
        for _ in 0..2 {
            let noted = log.clone();
            homing::call_soon(move || {
                let before = user();
                LEVEL.set(LEVEL.get() + 1);
                let child = homing::spawn(async { Ok(LEVEL.get()) });
                noted.note(format!("{before:?} {} {}", LEVEL.get(), homing::current().is_none()));
                child.on_done(move |_| noted.note(format!("child of {}", LEVEL.get())));
            });
            USER.set("ann");
        }
        yields(3).await?;
        let expected = ["None 2 true", r#"Some("ann") 2 true"#, "child of 2", "child of 2"];
        assert_eq!(log.take(), expected);
        assert_eq!(LEVEL.get(), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_call_from_another_thread_begins_with_nothing() {
    let (runtime, _) = runtime();
    let handle = runtime.handle();
    let (send, receive) = std::sync::mpsc::channel();
    runtime
        .block_on(async {
            USER.set("main's");
            let thread = std::thread::spawn(move || handle.call_soon(move || send.send(user()).unwrap()));
            thread.join().unwrap()?;
            homing::sleep(support::millis(1)).await
        })
        .unwrap();
    assert_eq!(receive.try_recv().unwrap(), None);
}

// CV-5: one main after the other.

#[test]
fn cv_5_a_runner_keeps_one_context_and_shows_it() {
    let runner = Runner::with(homing::Builder::new().virtual_time());
    runner.context().run(|| USER.set("prepared"));
    let first = runner.run(async {
        OWN.set("kept, too");
        Ok((USER.replace("first"), Context::current()))
    });
    assert_eq!(first.unwrap(), (Some("prepared"), Some(runner.context().clone())));
    let child = runner.run(async {
        let child = homing::spawn(async { Ok((USER.replace("child's"), OWN.try_get().is_err())) });
        Ok((child.await?, USER.get(), OWN.get()))
    });
    assert_eq!(child.unwrap(), ((Some("first"), true), "first", "kept, too"));
    assert_eq!(runner.context().get(&USER), Some("first"));
    let other = runner.runtime().unwrap().block_on(async { Ok(user()) });
    assert_eq!(other.unwrap(), None);
}

// CV-6: a task's context as a thing.

#[test]
fn cv_6_the_context_of_a_task_is_the_one_that_it_finds_itself() {
    in_virtual_time(async {
        USER.set("ann");
        let task = homing::spawn(async {
            let own = Context::current().unwrap();
            assert_eq!(homing::current().unwrap().context(), Some(own.clone()));
            yields(2).await?;
            assert_eq!(USER.get(), "set from outside");
            Ok(own)
        });
        let context = task.context().unwrap();
        assert_ne!(Context::current(), Some(context.clone()));
        assert_eq!(context.get(&USER), Some("ann"));
        yields(1).await?;
        context.run(|| USER.set("set from outside"));
        let reference = task.task_ref();
        assert_eq!(task.await?, context);
        assert_eq!(reference.context(), None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_context_shows_where_its_keys_are_declared() {
    let context = Context::new();
    assert_eq!(format!("{context:?}"), "Context{}");
    context.run(|| USER.set("ann"));
    assert!(format!("{context:?}").contains(&declared()), "{context:?}");
    assert!(format!("{USER:?}").contains(&declared()), "{USER:?}");
}

// A value for a part of a task.

#[test]
fn a_scope_has_its_value_at_each_poll_and_not_between_them() {
    in_virtual_time(async {
        USER.set("outer");
        let log = Log::default();
        let side = |name: &'static str| {
            let log = log.clone();
            USER.scope(name, async move {
                for _ in 0..2 {
                    log.note(USER.get());
                    homing::yield_now().await?;
                }
                USER.set("gone with the scope");
                homing::spawn(async { Ok(USER.get()) }).await
            })
        };
        let (left, right) = futures_util::join!(side("left"), side("right"));
        assert_eq!(log.take(), ["left", "right", "left", "right"]);
        assert_eq!((left?, right?), ("gone with the scope", "gone with the scope"));
        assert_eq!(USER.get(), "outer");
        let taken = USER.scope("inner", async { (USER.take(), user()) }).await;
        assert_eq!(taken, (Some("inner"), None));
        assert_eq!(USER.get(), "outer");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_scope_drops_its_future_with_the_value_in_force() {
    in_virtual_time(async {
        let log = Log::default();
        let noting = || {
            let log = log.clone();
            OnDrop(move || log.note(format!("{:?}", user())))
        };
        let (ends, hangs) = (noting(), noting());
        USER.scope("ended", async move { drop(ends) }).await;
        let mut scope = Box::pin(USER.scope("dropped", async move {
            let _hangs = hangs;
            forever().await
        }));
        assert!(futures_util::poll!(&mut scope).is_pending());
        drop(scope);
        assert_eq!(log.take(), [r#"Some("ended")"#, r#"Some("dropped")"#]);
        assert_eq!(user(), None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_scope_works_under_any_executor() {
    let mut scope = pin!(USER.scope("scoped", async {
        let first = (USER.get(), LEVEL.replace(7));
        futures_util::pending!();
        (first, USER.get(), LEVEL.get())
    }));
    assert!(poll_once(scope.as_mut()).is_pending());
    assert_eq!(user(), None);
    assert_eq!(poll_once(scope.as_mut()), Poll::Ready((("scoped", None), "scoped", 7)));
    assert_eq!(USER.with_value("a function's", || (USER.get(), OWN.try_get().ok())), ("a function's", None));
    assert_eq!(user(), None);
}

#[test]
fn with_value_puts_back_what_was_there_also_when_the_function_panics() {
    in_virtual_time(async {
        let panicked = std::panic::catch_unwind(|| USER.with_value("inner", || blow_up("inside")));
        assert_eq!(panic_text(panicked.unwrap_err()), "inside");
        assert_eq!(user(), None);
        USER.set("outer");
        let inner = USER.with_value("inner", || USER.replace("changed"));
        assert_eq!((inner, USER.get()), (Some("inner"), "outer"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_scope_is_for_a_task_that_is_cancelled_what_it_is_for_any_other() {
    in_virtual_time(async {
        let task = homing::spawn(USER.scope("scoped", async {
            let cancelled = forever().await.unwrap_err();
            assert!(cancelled.is_cancelled());
            Ok(USER.get())
        }));
        yields(1).await?;
        task.cancel();
        assert_eq!(task.await?, "scoped");
        Ok(())
    })
    .unwrap();
}

// The end of values.

static GUARD: TaskLocal<DropGuard> = TaskLocal::own();
static SHARED_GUARD: TaskLocal<DropGuard> = TaskLocal::inherited();

#[test]
fn a_value_is_dropped_when_its_task_ends_although_there_are_handles() {
    in_virtual_time(async {
        let drops = Drops::default();
        let guard = drops.guard();
        let task = homing::spawn(async move {
            GUARD.set(guard);
            yields(1).await
        });
        let reference = task.task_ref();
        yields(1).await?;
        assert_eq!(drops.count(), 0);
        yields(1).await?;
        assert!(reference.is_finished());
        assert_eq!(drops.count(), 1);
        task.await
    })
    .unwrap();
}

#[test]
fn an_inherited_value_is_dropped_with_the_last_task_that_has_it() {
    in_virtual_time(async {
        let drops = Drops::default();
        SHARED_GUARD.set(drops.guard());
        let replaces = homing::spawn(async { Ok(USER.set("another key")) });
        let keeps = homing::spawn(yields(3));
        SHARED_GUARD.set(drops.guard());
        replaces.await?;
        assert_eq!(drops.count(), 0);
        keeps.await?;
        assert_eq!(drops.count(), 1);
        SHARED_GUARD.with_value(drops.guard(), || assert_eq!(drops.count(), 1));
        assert_eq!(drops.count(), 2);
        Ok(drops)
    })
    .map(|drops| assert_eq!(drops.count(), 3))
    .unwrap();
}

#[test]
fn values_go_when_a_task_is_aborted_and_when_its_runtime_is_dropped() {
    let (runtime, _) = runtime();
    let drops = Drops::default();
    let holder = |drops: &Drops| {
        let guard = drops.guard();
        async move {
            GUARD.set(guard);
            forever().await
        }
    };
    let kept = runtime
        .block_on(async {
            let aborted = homing::spawn(holder(&drops));
            let left = homing::spawn(holder(&drops));
            yields(1).await?;
            aborted.abort();
            assert_eq!(drops.count(), 1);
            Ok(left.task_ref())
        })
        .unwrap();
    drop(runtime);
    assert_eq!(drops.count(), 2);
    drop(kept);
}

#[test]
fn own_values_are_dropped_first_and_each_kind_in_the_order_in_which_they_were_set() {
    static A: TaskLocal<OnDrop<Box<dyn FnMut()>>> = TaskLocal::inherited();
    static B: TaskLocal<OnDrop<Box<dyn FnMut()>>> = TaskLocal::own();
    static C: TaskLocal<OnDrop<Box<dyn FnMut()>>> = TaskLocal::inherited();
    static D: TaskLocal<OnDrop<Box<dyn FnMut()>>> = TaskLocal::own();
    in_virtual_time(async {
        let log = Log::default();
        let noting = |name: &'static str| -> OnDrop<Box<dyn FnMut()>> {
            let log = log.clone();
            OnDrop(Box::new(move || log.note(name)))
        };
        let (future, a, b, c, d) = (noting("future"), noting("a"), noting("b"), noting("c"), noting("d"));
        let task = homing::spawn(async move {
            let _future = future;
            A.set(a);
            B.set(b);
            C.set(c);
            D.set(d);
            yields(1).await
        });
        task.await?;
        assert_eq!(log.take(), ["future", "b", "d", "a", "c"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_panic_in_a_values_destructor_is_reported_and_keeps_nothing_else_from_going() {
    static FIRST: TaskLocal<OnDrop<fn()>> = TaskLocal::own();
    static SECOND: TaskLocal<OnDrop<fn()>> = TaskLocal::own();
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let drops = Drops::default();
            let guard = drops.guard();
            let task = homing::spawn(async move {
                FIRST.set(OnDrop(|| blow_up("first value")));
                SECOND.set(OnDrop(|| blow_up("second value")));
                GUARD.set(guard);
                Ok("fine")
            });
            assert_eq!(task.await?, "fine");
            assert_eq!(drops.count(), 1);
            let reported = reports.take();
            assert_eq!(reported.len(), 2, "{reported:?}");
            assert!(reported[0].contains("first value") && reported[1].contains("second value"));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_panic_in_the_destructor_of_a_replaced_value_is_that_of_whoever_replaced_it() {
    static LOUD: TaskLocal<OnDrop<fn()>> = TaskLocal::own();
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let task = homing::spawn(async {
                LOUD.set(OnDrop(|| blow_up("replaced")));
                LOUD.set(OnDrop(|| ()));
                Ok(())
            });
            let error = task.await.unwrap_err();
            assert!(error.is::<homing::Panicked>(), "{error}");
            reports.assert_one(&["replaced"]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_values_destructor_may_use_the_key_spawn_and_set_without_harm() {
    static REVIVING: TaskLocal<OnDrop<Box<dyn FnMut()>>> = TaskLocal::own();
    in_virtual_time(async {
        let log = Log::default();
        let noted = log.clone();
        let value = OnDrop(Box::new(move || {
            noted.note(format!("{:?} {:?}", user(), REVIVING.try_with(|_| ()).is_err()));
            let noted = noted.clone();
            drop(homing::spawn(async move { Ok(noted.note(format!("spawned {:?}", user()))) }));
        }) as Box<dyn FnMut()>);
        let task = homing::spawn(async move {
            USER.set("ann");
            REVIVING.set(value);
            Ok(())
        });
        task.await?;
        yields(1).await?;
        assert_eq!(log.take(), ["None true", "spawned None"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_that_keeps_a_handle_on_itself_in_a_local_leaves_nothing_behind() {
    static MYSELF: TaskLocal<TaskRef> = TaskLocal::own();
    let (runtime, reports) = runtime();
    let drops = Drops::default();
    let guard = drops.guard();
    runtime
        .block_on(async {
            let task = homing::spawn(async move {
                MYSELF.set(homing::current().unwrap());
                GUARD.set(guard);
                yields(1).await
            });
            task.await
        })
        .unwrap();
    assert_eq!(drops.count(), 1);
    drop(runtime);
    reports.assert_none();
}
