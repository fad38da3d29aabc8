//! Random programs: whatever is spawned, cancelled, aborted, awaited and dropped, in whatever order, every task ends,
//! every future is dropped once, nothing is left, and nothing is told twice.

mod support;

use homing::{Builder, Result, Task, TaskRef};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;
use support::{DropGuard, Drops, Gate, failure};

/// A step of a task's body. Numbers name tasks in the order in which they are spawned, wrapped around.
#[derive(Clone, Debug)]
enum Step {
    Yield,
    Sleep(u8),
    SleepZero,
    Foreign(u8),
    Join(Vec<Step>, Vec<Step>),
    SelectSleep(u8, u8),
    Spawn { eager: bool, body: Vec<Step> },
    Await(u8),
    AwaitByReference(u8),
    DropHandle(u8),
    Cancel(u8),
    CancelSelf,
    Uncancel(u8),
    Abort(u8),
    AbortSelf,
    CallSoon(u8),
    OnDone(u8),
    Swallow,
    Fail,
    Panic,
    Return,
}

fn step() -> impl Strategy<Value = Step> {
    let leaf = prop_oneof![
        3 => Just(Step::Yield),
        3 => any::<u8>().prop_map(Step::Sleep),
        1 => Just(Step::SleepZero),
        2 => any::<u8>().prop_map(Step::Foreign),
        2 => any::<(u8, u8)>().prop_map(|(task, sleep)| Step::SelectSleep(task, sleep)),
        5 => any::<u8>().prop_map(Step::Await),
        2 => any::<u8>().prop_map(Step::AwaitByReference),
        2 => any::<u8>().prop_map(Step::DropHandle),
        4 => any::<u8>().prop_map(Step::Cancel),
        1 => Just(Step::CancelSelf),
        2 => any::<u8>().prop_map(Step::Uncancel),
        2 => any::<u8>().prop_map(Step::Abort),
        1 => Just(Step::AbortSelf),
        1 => any::<u8>().prop_map(Step::CallSoon),
        1 => any::<u8>().prop_map(Step::OnDone),
        3 => Just(Step::Swallow),
        1 => Just(Step::Fail),
        1 => Just(Step::Panic),
        1 => Just(Step::Return),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        let body = || prop::collection::vec(inner.clone(), 0..6);
        prop_oneof![
            4 => (any::<bool>(), body()).prop_map(|(eager, body)| Step::Spawn { eager, body }),
            1 => (body(), body()).prop_map(|(one, other)| Step::Join(one, other)),
        ]
    })
}

/// What all tasks of a program share.
#[derive(Clone, Default)]
struct World {
    handles: Rc<RefCell<Vec<Option<Task<()>>>>>,
    references: Rc<RefCell<Vec<TaskRef>>>,
    spawned: Rc<Cell<u32>>,
    futures: Drops,
    callbacks: Rc<Cell<i64>>,
    ended: Rc<RefCell<HashMap<u64, u32>>>,
}

impl World {
    fn reference(&self, number: u8) -> Option<TaskRef> {
        let references = self.references.borrow();
        let count = references.len();
        (count > 0).then(|| references[number as usize % count].clone())
    }

    fn on(&self, number: u8, act: impl FnOnce(TaskRef)) {
        if let Some(task) = self.reference(number) {
            act(task);
        }
    }

    fn take_handle(&self, number: u8) -> Option<Task<()>> {
        let mut handles = self.handles.borrow_mut();
        let count = handles.len();
        if count == 0 { None } else { handles[number as usize % count].take() }
    }

    fn put_back(&self, task: Task<()>) {
        self.handles.borrow_mut().push(Some(task));
    }

    fn spawn(&self, eager: bool, body: Vec<Step>) {
        self.spawned.set(self.spawned.get() + 1);
        let (world, guard) = (self.clone(), self.futures.guard());
        let task = homing::task(run_body(world, body, guard));
        let task = if eager { task.eager().spawn() } else { task.queued().spawn() };
        let ended = self.ended.clone();
        task.on_done(move |task| *ended.borrow_mut().entry(task.id().as_u64()).or_default() += 1);
        self.references.borrow_mut().push(task.task_ref());
        self.put_back(task);
    }
}

async fn run_body(world: World, body: Vec<Step>, _guard: DropGuard) -> Result<()> {
    let mut swallows = 0;
    run_steps(&world, body, &mut swallows).await
}

fn run_steps<'a>(
    world: &'a World,
    body: Vec<Step>,
    swallows: &'a mut u32,
) -> std::pin::Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
    Box::pin(async move {
        for step in body {
            match run_step(world, step, swallows).await {
                Err(error) if error.is_cancelled() && *swallows > 0 => *swallows -= 1,
                ended => ended?,
            }
        }
        Ok(())
    })
}

async fn run_step(world: &World, step: Step, swallows: &mut u32) -> Result<()> {
    let current = homing::current().expect("in a task");
    match step {
        Step::Yield => homing::yield_now().await?,
        Step::Sleep(micros) => homing::sleep(Duration::from_micros(micros.into())).await?,
        Step::SleepZero => homing::sleep(Duration::ZERO).await?,
        Step::Foreign(turns) => {
            let gate = Gate::default();
            let opens = gate.clone();
            let opener = homing::spawn(async move {
                support::yields((turns % 5).into()).await?;
                opens.open();
                Ok(())
            });
            gate.await;
            drop(opener);
        }
        Step::Join(one, other) => {
            let (mut first, mut second) = (0, 0);
            let (one, other) =
                futures_util::join!(run_steps(world, one, &mut first), run_steps(world, other, &mut second));
            one.and(other)?;
        }
        Step::SelectSleep(number, micros) => {
            if let Some(mut task) = world.take_handle(number) {
                let sleep = homing::sleep(Duration::from_micros(micros.into()));
                let ended = futures_util::future::select(&mut task, sleep).await.factor_first().0;
                world.put_back(task);
                ended?;
            }
        }
        Step::Spawn { eager, body } => world.spawn(eager, body),
        Step::Await(number) => {
            if let Some(task) = world.take_handle(number) {
                task.await?;
            }
        }
        Step::AwaitByReference(number) => {
            if let Some(mut task) = world.take_handle(number) {
                let ended = (&mut task).await;
                world.put_back(task);
                ended?;
            }
        }
        Step::DropHandle(number) => drop(world.take_handle(number)),
        Step::Cancel(number) => world.on(number, |task| _ = task.cancel_with("a program")),
        Step::CancelSelf => assert!(current.cancel()),
        Step::Uncancel(number) => world.on(number, |task| _ = task.uncancel()),
        Step::Abort(number) => world.on(number, |task| _ = task.abort()),
        Step::AbortSelf => assert!(current.abort()),
        Step::CallSoon(number) => {
            let task = world.reference(number);
            world.callbacks.set(world.callbacks.get() + 1);
            let callbacks = world.callbacks.clone();
            homing::call_soon(move || {
                callbacks.set(callbacks.get() - 1);
                if let Some(task) = task {
                    assert_eq!(task.is_finished(), !task.cancel());
                }
            });
        }
        Step::OnDone(number) => {
            if let Some(task) = world.reference(number) {
                world.callbacks.set(world.callbacks.get() + 1);
                let callbacks = world.callbacks.clone();
                task.on_done(move |_| callbacks.set(callbacks.get() - 1));
            }
        }
        Step::Swallow => *swallows += 1,
        Step::Fail => return Err(failure("a program's own")),
        Step::Panic => support::blow_up("a program's panic"),
        Step::Return => return Ok(()),
    }
    Ok(())
}

/// Runs a program, in `run` (which sweeps) or turn by turn, and checks what has to hold afterwards.
fn check(program: Vec<Step>, seed: Option<u64>, hosted: bool) {
    let world = World::default();
    let reported: Rc<RefCell<HashMap<u64, u32>>> = Rc::default();
    let told = reported.clone();
    let mut builder = Builder::new().virtual_time().on_unhandled(move |unhandled| {
        let task = match unhandled {
            homing::Unhandled::TaskFailed { task, .. } | homing::Unhandled::TaskPanicked { task, .. } => task,
            homing::Unhandled::SwallowedCancellation { .. } | homing::Unhandled::PendingAtDrop { .. } => {
                return;
            }
            other => panic!("nothing else can go wrong here: {other}"),
        };
        *told.borrow_mut().entry(task.id().as_u64()).or_default() += 1;
    });
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    let runtime = builder.build();
    if hosted {
        let started = world.clone();
        drop(runtime.spawn(async move {
            started.spawn(false, program);
            Ok(())
        }));
        // Programs can deadlock (tasks that await one another): what stands after that is dropped with the runtime.
        for _ in 0..3000 {
            runtime.turn(homing::runtime::Budget::polls(3)).unwrap();
        }
        let alive = runtime.all_tasks().len();
        assert_eq!(runtime.task_count(), alive);
    } else {
        runtime
            .run(async {
                world.spawn(false, program);
                homing::sleep(Duration::from_secs(1)).await
            })
            .unwrap();
        assert_eq!(runtime.task_count(), 0, "run leaves no task behind");
        assert_eq!(world.callbacks.get(), 0, "each callback is called once");
        assert!(world.references.borrow().iter().all(|task| task.is_finished()));
        let ended = world.ended.borrow();
        assert_eq!(ended.len(), world.spawned.get() as usize, "each task's end is told");
        assert!(ended.values().all(|times| *times == 1), "and told once");
    }
    let handles = world.handles.take();
    drop(handles);
    drop(runtime);
    assert_eq!(world.futures.count(), world.spawned.get(), "every future is dropped once");
    assert!(reported.borrow().values().all(|times| *times == 1), "nothing is reported twice");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_program_that_is_run_ends_and_leaves_nothing_behind(
        program in prop::collection::vec(step(), 1..20),
        seed in prop::option::of(any::<u64>()),
    ) {
        check(program, seed, false);
    }

    #[test]
    fn a_program_that_is_left_in_the_middle_leaves_nothing_behind_either(
        program in prop::collection::vec(step(), 1..20),
        seed in prop::option::of(any::<u64>()),
    ) {
        check(program, seed, true);
    }
}
