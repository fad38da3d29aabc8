//! Black boxes: of processes that were killed, that live, that have ended.

use crate::programs::{self, BOX, CROWD, MANY};
use crate::target::{Scratch, Target, VARIABLE};
use crate::tests::{assert_everything, find, names, read};
use homing::introspect::{TaskState, TaskTable};
use homing::runtime::BlackBoxError;
use homing::{Builder, sleep, spawn};
use homing_reader::open;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

/// A program with a black box.
fn start(program: &str, path: &Path) -> Target {
    start_as(&std::env::current_exe().unwrap(), program, path)
}

fn start_as(file: &Path, program: &str, path: &Path) -> Target {
    let mut command = Command::new(file);
    command.env(VARIABLE, program).env(BOX, path);
    Target::piped(command)
}

/// A runtime that says nothing of tasks that are left.
fn quiet() -> Builder {
    Builder::new().on_unhandled(|_| {})
}

/// All that can be made of a table, but for how long it is until a deadline, which goes on in a process that lives.
fn texts(table: &TaskTable) -> [String; 4] {
    let tree = table.tree().unwrap().concat().join("\n");
    [tree, table.to_string(), table.to_json(), table.to_dot()].map(|text| without_times(&text))
}

fn assert_same(one: &TaskTable, other: &TaskTable) {
    for (one, other) in texts(one).iter().zip(&texts(other)) {
        // Line by line, so that it can be seen where.
        for (one, other) in one.lines().zip(other.lines()) {
            assert_eq!(one, other);
        }
        assert_eq!(one, other);
    }
}

fn without_times(text: &str) -> String {
    let mut parts = text.split("due in ");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown += "due in …";
        shown += part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    }
    shown
}

fn told(path: &Path) -> String {
    open(path.to_str().unwrap()).unwrap().story().join("\n")
}

fn read_box(path: &Path) -> homing_reader::Reading {
    read(path.to_str().unwrap())
}

pub(crate) fn killed() {
    let file = Scratch::new("killed.tasks");
    let mut target = start("healthy", &file.0);
    let live = read(&target.name()).table();
    assert_everything(&live);
    assert!(told(&file.0).contains("is still running"), "{}", told(&file.0));
    assert_same(&read_box(&file.0).table(), &live);
    target.kill();
    let dead = read_box(&file.0);
    assert_everything(&dead.table());
    assert_same(&dead.table(), &live);
    assert!(dead.table().tasks().all(|task| !task.changing));
    assert_eq!(dead.runtimes[0].thread, u64::from(target.pid()));
    let told = told(&file.0);
    assert!(
        told.contains(&format!("process {}", target.pid())) && told.contains("ended without its runtime"),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");
    assert_eq!(std::fs::metadata(&file.0).unwrap().permissions().mode() & 0o777, 0o600);
}

pub(crate) fn killed_stripped() {
    let (program, file) = (Scratch::new("boxed-stripped"), Scratch::new("stripped.tasks"));
    std::fs::copy(std::env::current_exe().unwrap(), &program.0).unwrap();
    if crate::commands::run("strip", &["-s", program.0.to_str().unwrap()]) == Some(false) {
        panic!("strip has failed");
    }
    let mut target = start_as(&program.0, "healthy", &file.0);
    let live = read(&target.name()).table();
    target.kill();
    // Nor does the program have to be there.
    std::fs::remove_file(&program.0).unwrap();
    assert_everything(&read_box(&file.0).table());
    assert_same(&read_box(&file.0).table(), &live);
}

pub(crate) fn killed_in_a_poll() {
    let file = Scratch::new("stuck.tasks");
    let mut target = start("stuck", &file.0);
    target.kill();
    let reading = read_box(&file.0);
    let table = reading.table();
    assert_everything(&table);
    let busy = find(&table, "busy");
    assert_eq!(busy.state, TaskState::Running);
    assert_eq!((reading.busy[0].task, reading.busy[0].thread), (busy.id, u64::from(target.pid())));
    // When it was killed, nobody knows.
    assert_eq!(reading.busy[0].looked, None);
}

pub(crate) fn killed_in_churn() {
    let file = Scratch::new("churn.tasks");
    let mut target = start("churn", &file.0);
    let mut reader = open(file.0.to_str().unwrap()).unwrap();
    for _ in 0..20 {
        assert_churn(&reader.read().unwrap().table());
    }
    target.kill();
    assert_churn(&read_box(&file.0).table());
}

fn assert_churn(table: &TaskTable) {
    for number in 0..100 {
        let steady = find(table, &format!("steady {number}"));
        assert!(!steady.changing);
        let frames: Vec<_> = steady.stack.iter().map(|frame| frame.name.as_str()).collect();
        assert_eq!(frames[..2], ["timer", "timeout"], "{}", steady.stack[0]);
    }
    for task in table.tasks().filter(|task| !task.changing) {
        let name = task.name.as_deref().unwrap();
        let known = ["quick ", "steady ", "Task-"].iter().any(|known| name.starts_with(known));
        assert!(known || name == "main", "{name:?}");
    }
}

pub(crate) fn killed_in_a_crowd() {
    let file = Scratch::new("crowd.tasks");
    let mut target = start("crowd", &file.0);
    target.kill();
    let table = read_box(&file.0).table();
    let names = names(&table);
    for number in 0..CROWD {
        assert!(names.contains(&format!("member {number}")), "no member {number}");
    }
    assert_eq!(find(&table, "listens").stack[0].name, "readable");
    // Where it was killed, one task was being changed, and perhaps its child.
    let changing = table.tasks().filter(|task| task.changing).count();
    assert!(changing <= 2, "{changing}");
    // So may one have been spawned just then, which has a number before it has its name.
    let nameless =
        table.tasks().filter(|task| task.name.as_deref().is_some_and(|name| name.starts_with("Task-")));
    assert!(nameless.count() <= 1);
    for task in table.tasks().filter(|task| !task.changing) {
        let name = task.name.as_deref().unwrap();
        let known = ["main", "child", "listens"].contains(&name);
        assert!(known || name.starts_with("member ") || name.starts_with("Task-"), "{name:?}");
        let awaits: Vec<&str> = task.stack.iter().map(|frame| frame.name.as_str()).collect();
        let known = ["timer", "turn", "task", "timeout", "group", "children", "running", "readable"];
        let (spawned, rest) = awaits.split_last().unwrap();
        assert!(rest.iter().all(|name| known.contains(name)), "{awaits:?} of {name}");
        assert!(spawned.contains("crowd") || spawned.contains("Timeout"), "{spawned} of {name}");
        assert!(task.spawned_at.as_ref().is_some_and(|place| place.file.ends_with(".rs")), "{name}");
    }
}

pub(crate) fn many() {
    let file = Scratch::new("many.tasks");
    let mut target = start("many", &file.0);
    // Before there were so many: the file has grown since.
    let table = read_box(&file.0).table();
    assert_eq!(table.tasks().count(), MANY + 1);
    target.kill();
    let table = read_box(&file.0).table();
    assert_eq!(table.tasks().count(), MANY + 1);
    assert!(table.tasks().all(|task| task.spawned_at.is_some() && !task.changing));
}

pub(crate) fn grows_while_it_is_read() {
    let file = Scratch::new("grows.tasks");
    let runtime = quiet().black_box(&file.0).build();
    let mut reader = open(file.0.to_str().unwrap()).unwrap();
    assert_eq!(reader.read().unwrap().task_count(), 0);
    for count in [1, 10, 100, 1000, 10_000, 40_000] {
        let before = runtime.task_count();
        let tasks: Vec<_> = (before..count).map(|_| runtime.spawn(sleep(programs::HOUR))).collect();
        runtime.run_until_stalled().unwrap();
        let reading = reader.read().unwrap();
        assert_eq!(reading.task_count(), count);
        assert!(
            reading.runtimes[0].tasks.iter().all(|task| task.spawned_at.is_some() && task.waits.len() == 1)
        );
        drop(tasks);
    }
}

pub(crate) fn ended() {
    let file = Scratch::new("ended.tasks");
    let runtime = quiet().black_box(&file.0).build();
    let waker = runtime
        .run(async {
            let waker = std::future::poll_fn(|cx| std::task::Poll::Ready(cx.waker().clone())).await;
            let tasks: Vec<_> = (0..3000).map(|_| spawn(sleep(programs::HOUR))).collect();
            homing::yield_now().await?;
            drop(tasks);
            Ok(waker)
        })
        .unwrap();
    drop(runtime);
    // The rows are still there, for such as this; but not in the file.
    let before = std::fs::read(&file.0).unwrap();
    std::fs::File::options().write(true).open(&file.0).unwrap().set_len(0).unwrap();
    waker.wake_by_ref();
    std::thread::spawn(move || waker.wake()).join().unwrap();
    homing::run(async {
        let tasks: Vec<_> = (0..5000).map(|_| spawn(async { homing::yield_now().await })).collect();
        for task in tasks {
            task.await?;
        }
        Ok(())
    })
    .unwrap();
    std::fs::write(&file.0, before).unwrap();
    let told = told(&file.0);
    assert!(told.contains("ended in an orderly way") && told.lines().count() == 1, "{told}");
    assert_eq!(read_box(&file.0).task_count(), 0);
}

pub(crate) fn in_use() {
    let file = Scratch::new("in-use.tasks");
    let one = quiet().black_box(&file.0).build();
    let two = quiet().black_box(&file.0).try_build().unwrap_err();
    assert!(matches!(two, BlackBoxError::InUse(_)), "{two}");
    assert!(two.to_string().contains("another runtime has its black box at"), "{two}");
    // Of another process, too.
    let mut target = start("in use", &file.0);
    assert_eq!(target.line(), "in use");
    // And the first one has not suffered from it.
    one.run(async {
        homing::task(sleep(programs::HOUR)).name("there").spawn();
        homing::yield_now().await?;
        assert!(names(&read_box(&file.0).table()).contains("there"));
        Ok(())
    })
    .unwrap();
    drop(one);
    drop(quiet().black_box(&file.0).build());
    assert!(!previous(&file).0.exists(), "what has ended is replaced");
}

fn previous(file: &Scratch) -> Scratch {
    Scratch(format!("{}.previous", file.0.display()).into())
}

pub(crate) fn started_anew() {
    let file = Scratch::new("anew.tasks");
    let previous = previous(&file);
    // What the first one has left has to make room for what the second one has.
    for _ in 0..2 {
        start("healthy", &file.0).kill();
    }
    let runtime = quiet().black_box(&file.0).build();
    assert_everything(&read_box(&previous.0).table());
    assert_eq!(read_box(&file.0).task_count(), 0);
    drop(runtime);
}

pub(crate) fn something_else_there() {
    let file = Scratch::new("else.tasks");
    let refused = || quiet().black_box(&file.0).try_build().unwrap_err();
    std::fs::write(&file.0, "letters to a friend").unwrap();
    let error = refused();
    assert!(matches!(error, BlackBoxError::NotABlackBox(_)), "{error}");
    assert_eq!(std::fs::read_to_string(&file.0).unwrap(), "letters to a friend");
    std::fs::remove_file(&file.0).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &file.0).unwrap();
    assert!(matches!(refused(), BlackBoxError::NotABlackBox(_)));
    for other in ["/", "/dev/null"] {
        let error = quiet().black_box(other).try_build().unwrap_err();
        assert!(matches!(error, BlackBoxError::NotABlackBox(_)), "{error}");
    }
    let error = quiet().black_box("/no/such/directory/file").try_build().unwrap_err();
    assert!(matches!(error, BlackBoxError::File(..)), "{error}");
    assert!(error.to_string().contains("/no/such/directory/file could not be made"), "{error}");
}

pub(crate) fn no_room() {
    let file = Scratch::new("no-room.tasks");
    let mut target = start("no room", &file.0);
    assert_eq!(target.line(), "still here");
    let reading = read_box(&file.0);
    assert!(
        reading.task_count() > 1000 && reading.task_count() < programs::NO_ROOM_FOR,
        "{}",
        reading.task_count()
    );
    assert!(told(&file.0).contains("there was no room for all of it"), "{}", told(&file.0));
    // But it is all in the process.
    assert_eq!(read(&target.name()).task_count(), programs::NO_ROOM_FOR + 1);
    target.kill();
    let mut target = start("no room at all", &file.0);
    assert_eq!(target.line(), "no room");
    assert!(!file.0.exists(), "what is of no use is not left behind");
    drop(previous(&file));
}

/// Black boxes that are mapped in this process.
fn mapped_files() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().matches(".tasks").count()
}

/// How much memory this process has, but for what the allocator keeps, which is not mapped one by one.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    4096 * status.split(' ').nth(1).unwrap().parse::<usize>().unwrap()
}

pub(crate) fn one_after_the_other() {
    let file = Scratch::new("turns.tasks");
    let mut sizes = Vec::new();
    for turn in 0..50 {
        let one = quiet().black_box(&file.0).build();
        let other = Scratch::new(&format!("turns-{turn}.tasks"));
        let two = quiet().black_box(&other.0).build();
        let tasks: Vec<_> = (0..1500).map(|_| one.spawn(sleep(programs::HOUR))).collect();
        one.run_until_stalled().unwrap();
        assert_eq!(read_box(&file.0).task_count(), 1500);
        assert_eq!(read_box(&other.0).task_count(), 0);
        if turn % 2 == 0 {
            drop((one, two))
        } else {
            drop((two, one))
        }
        drop(tasks);
        assert_eq!(mapped_files(), 0);
        sizes.push(memory());
    }
    // The pages that the first ones have left are used by the others.
    assert!(sizes[49] < sizes[10] + (1 << 20), "{sizes:?}");
    assert!(std::fs::metadata(&file.0).unwrap().size() > 0);
}

pub(crate) fn kept_by_the_program() {
    let file = Scratch::new("kept.tasks");
    let runtime = quiet().black_box(&file.0).build();
    let all = runtime
        .block_on(async {
            let tasks: Vec<_> = (0..10).map(|_| spawn(async { Ok(1) })).collect();
            Ok(homing::gather(tasks))
        })
        .unwrap();
    drop(runtime);
    assert_eq!(mapped_files(), 0);
    // It has a list of tasks, which was to be seen from outside.
    drop(all);
    drop(quiet().black_box(&file.0).build());
}
