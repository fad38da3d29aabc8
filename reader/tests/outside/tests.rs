//! What is to be seen in them.

use crate::boxes;
use crate::commands;
use crate::programs::{MANY, everything};
use crate::target::{Scratch, Target};
use homing::introspect::{
    FrameKind, Taker, TaskEntry, TaskState, TaskTable, capture_tasks, draw_rows, draw_tree,
};
use homing_reader::{Error, Memory, Process, Reader, Reading, Region, Unreadable, open};
use std::collections::BTreeSet;
use std::fs::File;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What is drawn of records is what is drawn of the table that is made of them.
fn assert_drawn_alike(reading: &Reading) {
    let mut rows = String::new();
    draw_rows(&reading.runtimes, |lines| rows += lines);
    assert_eq!(rows, reading.table().to_string());
    let mut tree = String::new();
    draw_tree(&reading.runtimes, |lines| tree += lines).unwrap();
    assert_eq!(tree.lines().collect::<Vec<_>>(), reading.table().tree().unwrap().concat());
}

/// All that `programs::everything` has, with names.
const NAMES: [&str; 14] = [
    "main",
    "user",
    "orders",
    "holds the lock",
    "wants the lock",
    "wants permits",
    "framed",
    "wants what was forgotten",
    "größer 'als' \"sonst\"\u{FFFD}",
    "gathers",
    "several",
    "nests",
    "foreign",
    "asked to cancel",
];

pub(crate) fn run_all() {
    let tests: [(&str, fn()); _] = [
        ("what_is_read_from_outside_is_what_the_process_says_of_itself", says_the_same),
        ("a_healthy_process_shows_all_its_tasks", healthy),
        ("a_process_that_is_stuck_in_a_poll_shows_which", stuck),
        ("a_stopped_process_shows_all_its_tasks", stopped),
        ("a_stripped_program_without_section_headers_shows_all_its_tasks", stripped),
        ("runtimes_of_several_threads_are_told_apart", threads),
        ("tasks_that_do_not_change_are_right_among_many_that_do", churn),
        ("a_hundred_thousand_tasks_are_read_in_a_moment", many),
        ("of_a_hundred_thousand_tasks_no_more_is_read_than_must_be", no_more_is_read_than_must_be),
        ("a_core_file_shows_all_that_the_process_had", core_file),
        ("a_process_whose_runtime_is_over_has_no_tasks_and_is_no_error", over),
        ("what_is_in_the_way_is_told", in_the_way),
        ("another_user_may_not_look_and_is_told_what_to_do", permission),
        ("the_black_box_of_a_process_that_was_killed_shows_what_the_process_did", boxes::killed),
        ("a_stripped_program_that_is_gone_is_told_of_by_its_black_box", boxes::killed_stripped),
        ("a_black_box_says_which_task_was_being_polled_when_its_process_was_killed", boxes::killed_in_a_poll),
        ("tasks_that_do_not_change_are_right_in_a_black_box_among_many_that_do", boxes::killed_in_churn),
        (
            "a_process_that_was_killed_in_a_crowd_of_changes_has_all_its_tasks_in_its_black_box",
            boxes::killed_in_a_crowd,
        ),
        ("a_hundred_thousand_tasks_are_in_a_black_box", boxes::many),
        ("a_black_box_grows_while_it_is_read", boxes::grows_while_it_is_read),
        ("a_runtime_that_has_ended_leaves_a_black_box_that_says_so_and_needs_it_no_more", boxes::ended),
        ("two_runtimes_cannot_have_the_same_black_box", boxes::in_use),
        ("a_program_that_is_started_anew_keeps_what_tells_of_its_end", boxes::started_anew),
        ("a_file_that_is_no_black_box_is_left_alone", boxes::something_else_there),
        ("where_there_is_no_room_the_program_goes_on_and_the_black_box_says_so", boxes::no_room),
        ("runtimes_with_black_boxes_leave_nothing_of_those_behind", boxes::one_after_the_other),
        ("what_outlives_a_runtime_with_a_black_box_can_still_be_dropped", boxes::kept_by_the_program),
    ];
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let mut failed = 0;
    for (name, test) in tests.into_iter().filter(|(name, _)| name.contains(&filter)) {
        let passed = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += i32::from(!passed);
    }
    assert_eq!(failed, 0, "tests have failed");
}

pub(crate) fn read(what: &str) -> Reading {
    open(what).unwrap().read().unwrap()
}

pub(crate) fn names(table: &TaskTable) -> BTreeSet<String> {
    table.tasks().map(|task| task.name.clone().unwrap()).collect()
}

pub(crate) fn find<'a>(table: &'a TaskTable, name: &str) -> &'a TaskEntry {
    let found = table.tasks().find(|task| task.name.as_deref() == Some(name));
    found.unwrap_or_else(|| panic!("no {name} in {table}"))
}

fn stack(table: &TaskTable, name: &str) -> Vec<String> {
    find(table, name).stack.iter().map(|frame| frame.name.to_string()).collect()
}

/// `everything`, as it shows from outside, with who holds its locks.
fn assert_everything_and_holders(table: &TaskTable) {
    assert_everything(table);
    let wants = &find(table, "wants the lock").stack[0];
    let [held] = &wants.held_by[..] else { panic!("{wants}") };
    assert_eq!((&*wants.name, &*held.name, held.taker), ("mutex", "holds the lock", Taker::Alive));
    assert_eq!(held.task, find(table, "holds the lock").id);
    let took_at = held.place.as_ref().unwrap();
    assert!(took_at.file.ends_with("programs.rs") && took_at.line > 0, "{took_at}");
    assert!(wants.detail.contains(", held by task 'holds the lock' since "), "{wants}");
    let awaiters = find(table, "holds the lock").awaited_by.iter();
    let by: BTreeSet<&str> = awaiters
        .map(|by| table.tasks().find(|task| task.id == by.awaiter).unwrap().name.as_deref().unwrap())
        .collect();
    assert_eq!(by, BTreeSet::from(["main", "wants the lock"]));
    let wants = &find(table, "wants permits").stack[0];
    let permits: Vec<(&str, u32)> = wants.held_by.iter().map(|held| (&*held.name, held.permits)).collect();
    assert_eq!(permits, [("main", 1), ("main", 2), ("main", 1)]);
    assert!(wants.detail.ends_with("; and 3 permits more"), "{wants}");
    let forgotten = &find(table, "wants what was forgotten").stack[0];
    assert!(forgotten.detail.contains(" (done), which took it at "), "{forgotten}");
}

/// `everything`, but for who holds its locks.
pub(crate) fn assert_everything(table: &TaskTable) {
    let names = names(table);
    for name in NAMES {
        assert!(names.contains(name), "no {name} in {names:?}");
    }
    let user = find(table, "user");
    assert_eq!((user.state, user.polls), (TaskState::Parked, 1));
    assert!(user.type_name.ends_with("programs::fetch"), "{}", user.type_name);
    let await_frame = user.stack.iter().find(|frame| frame.kind == FrameKind::Await).unwrap();
    assert_eq!(await_frame.name, "timer");
    assert!(await_frame.detail.starts_with("due in "), "{await_frame}");
    let place = await_frame.place.as_ref().unwrap();
    assert!(place.file.ends_with("programs.rs") && place.line > 0 && place.column > 0, "{place}");
    assert!(user.spawned_at.as_ref().unwrap().file.ends_with("programs.rs"));

    let orders = stack(table, "orders");
    assert_eq!(orders[..2], ["task", "timeout"]);
    let by = |name: &str| -> BTreeSet<&str> {
        let awaiters = find(table, name).awaited_by.iter();
        awaiters
            .map(|by| table.tasks().find(|task| task.id == by.awaiter).unwrap().name.as_deref().unwrap())
            .collect()
    };
    assert_eq!(by("user"), BTreeSet::from(["main", "orders", "gathers"]));
    let group = &find(table, "user").awaited_by[0].stack;
    assert_eq!((group[0].name.as_str(), group[0].detail.as_str()), ("group", "'pages'"));
    assert_eq!(find(table, "user").parent, find(table, "main").id);
    assert_eq!(stack(table, "wants the lock")[0], "mutex");
    let framed = &find(table, "framed").stack;
    let frames: Vec<&str> = framed.iter().map(|frame| frame.detail.as_str()).collect();
    assert_eq!((&*framed[1].name, &frames[1..3]), ("frame", &["'reading'", "'GET /orders'"][..]));
    assert!(framed[1].place.as_ref().unwrap().file.ends_with("programs.rs"));
    assert_eq!(stack(table, "gathers")[0], "tasks");
    assert_eq!(stack(table, "several").iter().filter(|name| *name == "timer").count(), 4);
    assert!(stack(table, "several").contains(&"more".to_owned()));
    assert_eq!(stack(table, "nests")[..4], ["timer", "timeout", "group", "timeout"]);
    assert_eq!(stack(table, "foreign")[0], "foreign");
    assert_eq!(find(table, "asked to cancel").cancelling, 1);
    table.tree().unwrap();
}

/// Tables of the same moment, of which one was read through the memory.
fn says_the_same() {
    homing::Builder::new()
        .virtual_time()
        .build()
        .run(async {
            let own = std::process::id().to_string();
            let look = async || {
                let inside = capture_tasks();
                let outside = read(&own).table();
                assert_everything_and_holders(&outside);
                assert_eq!(inside.threads[0].thread, outside.threads[0].thread);
                let (mut inside, mut outside) = (inside, outside);
                for table in [&mut inside, &mut outside] {
                    let tasks = table.threads[0].tasks.iter_mut();
                    for task in tasks {
                        // Who looks knows from where, which memory does not.
                        task.stack.retain(|frame| frame.kind != FrameKind::Running);
                        // A terminal must not be told what a name says.
                        let shown = |text: &str| text.replace('\n', "\u{FFFD}");
                        task.name = task.name.take().map(|name| shown(&name));
                        task.stack.iter_mut().for_each(|frame| frame.detail = shown(&frame.detail));
                    }
                }
                assert_eq!(inside.threads[0].tasks, outside.threads[0].tasks);
                assert_eq!(inside.tree().unwrap(), outside.tree().unwrap());
            };
            let outcome = timeout_of_nothing(everything(look)).await;
            assert!(outcome.unwrap_err().is_timeout());
            Ok(())
        })
        .unwrap();
}

/// Ends it as soon as it has been looked at.
async fn timeout_of_nothing(body: impl Future<Output = homing::Result<()>>) -> homing::Result<()> {
    homing::timeout(Duration::from_secs(1), body).await
}

fn healthy() {
    let target = Target::start("healthy");
    let reading = read(&target.name());
    assert_everything_and_holders(&reading.table());
    assert_drawn_alike(&reading);
    assert_eq!(reading.busy, []);
    assert!(reading.table().tasks().all(|task| !task.changing));
}

fn stuck() {
    let target = Target::start("stuck");
    std::thread::sleep(Duration::from_millis(200));
    let reading = read(&target.name());
    let table = reading.table();
    assert_everything_and_holders(&table);
    assert_drawn_alike(&reading);
    let busy = find(&table, "busy");
    assert_eq!(busy.state, TaskState::Running);
    assert_eq!((reading.busy[0].task, reading.busy[0].thread), (busy.id, u64::from(target.pid())));
    assert!(reading.busy[0].looked.unwrap() >= Duration::from_millis(200));
    assert!(busy.stack[0].detail.contains("has not looked at its clock for"), "{}", busy.stack[0]);
    assert_eq!(open(&target.name()).unwrap().busy()[0].task, busy.id);
}

fn stopped() {
    let target = Target::start("healthy");
    target.signal(libc::SIGSTOP);
    assert_everything_and_holders(&read(&target.name()).table());
    target.signal(libc::SIGCONT);
}

fn stripped() {
    let file = Scratch::new("stripped");
    std::fs::copy(std::env::current_exe().unwrap(), &file.0).unwrap();
    if commands::run("strip", &["-s", file.0.to_str().unwrap()]) == Some(true) {
        assert_everything_and_holders(&read(&Target::start_as(&file.0, "healthy").name()).table());
    }
    zero_section_headers(&file.0);
    let target = Target::start_as(&file.0, "healthy");
    // Nor does the file have to be there.
    std::fs::remove_file(&file.0).unwrap();
    assert_everything_and_holders(&read(&target.name()).table());
}

/// The table of sections, and where it is said to be.
fn zero_section_headers(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = u64::from_ne_bytes(bytes[40..48].try_into().unwrap()) as usize;
    let length = 64 * usize::from(u16::from_ne_bytes([bytes[60], bytes[61]]));
    bytes[at..at + length].fill(0);
    bytes[40..48].fill(0);
    bytes[60..64].fill(0);
    std::fs::write(path, bytes).unwrap();
}

fn threads() {
    let target = Target::start("threads");
    let table = read(&target.name()).table();
    let threads: Vec<(&str, BTreeSet<&str>)> = table
        .threads
        .iter()
        .map(|thread| {
            let tasks = thread.tasks.iter().map(|task| task.name.as_deref().unwrap());
            (thread.name.as_str(), tasks.collect())
        })
        .collect();
    for name in ["one", "two", "three"] {
        let own = format!("of {name}");
        assert!(threads.contains(&(name, BTreeSet::from(["main", own.as_str()]))), "{threads:?}");
    }
    let ids: BTreeSet<u64> = table.threads.iter().map(|thread| thread.thread).collect();
    assert_eq!(ids.len(), 3);
}

fn churn() {
    let target = Target::start("churn");
    let mut reader = open(&target.name()).unwrap();
    for _ in 0..100 {
        let table = reader.read().unwrap().table();
        for number in 0..100 {
            let steady = find(&table, &format!("steady {number}"));
            assert!(!steady.changing);
            let frames: Vec<_> = steady.stack.iter().map(|frame| frame.name.as_str()).collect();
            assert_eq!(frames[..2], ["timer", "timeout"], "{}", steady.stack[0]);
        }
        for task in table.tasks().filter(|task| !task.changing) {
            let name = task.name.as_deref().unwrap();
            let known = name == "main" || name.starts_with("quick ") || name.starts_with("steady ");
            assert!(known || name.starts_with("Task-"), "{name:?}");
            let stack = task.stack.iter().map(|frame| frame.name.as_str());
            let rest: Vec<&str> = stack
                .filter(|name| {
                    !["timer", "turn", "timeout", "group", "children", "running", "foreign"].contains(name)
                })
                .collect();
            assert_eq!(rest.len(), 1, "{rest:?} of {name}");
        }
    }
}

/// A process, and how much of it was read.
struct Counted {
    process: Process,
    calls: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
}

impl Counted {
    fn count(&self, bytes: usize) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Memory for Counted {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
        self.count(buffer.len());
        self.process.read(address, buffer)
    }

    fn read_many(&self, parts: &[(u64, usize)], buffer: &mut [u8]) -> Vec<bool> {
        self.count(buffer.len());
        self.process.read_many(parts, buffer)
    }

    fn regions(&self) -> &[Region] {
        self.process.regions()
    }

    fn open_file(&self, region: &Region) -> Option<File> {
        self.process.open_file(region)
    }

    fn now(&self) -> Option<u64> {
        self.process.now()
    }

    fn thread_name(&self, thread: u64) -> Option<String> {
        self.process.thread_name(thread)
    }

    fn describe(&self) -> String {
        self.process.describe()
    }
}

/// Each row is read twice, and so is what leads to a name, which is read once; all of that in large pieces. The pieces that are
/// drawn are large, too.
fn no_more_is_read_than_must_be() {
    for (program, at_most) in [("many", 2 * 128), ("many named", 2 * (128 + 128) + 16)] {
        let target = Target::start(program);
        let (calls, bytes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let process = Process::open(target.pid()).unwrap();
        let counted = Counted { process, calls: calls.clone(), bytes: bytes.clone() };
        let mut reader = Reader::new(Box::new(counted)).unwrap();
        [&calls, &bytes].into_iter().for_each(|count| count.store(0, Ordering::Relaxed));
        let reading = reader.read().unwrap();
        assert_eq!((reading.task_count(), reading.changing), (MANY + 1, 0));
        let [calls, bytes] = [calls, bytes].map(|count| count.load(Ordering::Relaxed));
        println!("{program}, {MANY}: {calls} calls, {} bytes a task", bytes / MANY);
        // A few bytes are of rows in the last chunk without tasks, of places, and of types.
        assert!(bytes < (at_most + 16) * MANY, "{bytes}");
        assert!(calls < MANY / 512 * 6 + 200, "{calls}");
        let (mut pieces, mut length) = (0, 0);
        draw_rows(&reading.runtimes, |piece| {
            pieces += 1;
            length += piece.len();
        });
        assert!(pieces <= length / (64 << 10) + 1, "{pieces} pieces of {length} bytes");
    }
}

fn many() {
    for program in ["many", "many named"] {
        let target = Target::start(program);
        let mut reader = open(&target.name()).unwrap();
        let mut best = [Duration::MAX; 3];
        let mut lines = [0; 2];
        for _ in 0..5 {
            let begin = cpu_time();
            let reading = reader.read().unwrap();
            let read = cpu_time();
            lines = [0; 2];
            draw_rows(&reading.runtimes, |piece| lines[0] += piece.lines().count());
            let listed = cpu_time();
            draw_tree(&reading.runtimes, |piece| lines[1] += piece.lines().count()).unwrap();
            let times = [read - begin, listed - read, cpu_time() - listed];
            best.iter_mut().zip(times).for_each(|(best, time)| *best = time.min(*best));
            assert_eq!((reading.task_count(), reading.changing), (MANY + 1, 0));
        }
        // A head, and a line for each task; below each of those that are awaited, the frames that they stand at.
        assert!(lines[0] == MANY + 2 && lines[1] > 3 * MANY, "{lines:?}");
        let [read, listed, drawn] = best;
        println!(
            "{program}, {MANY}: read in {read:?} of the processor's time, listed in {listed:?}, drawn in {drawn:?}"
        );
        // Some times as much as it takes where nobody else is; and more without optimisation.
        let at_most = Duration::from_millis(if cfg!(debug_assertions) { 2000 } else { 150 });
        assert!(read + listed.max(drawn) < at_most, "{best:?}");
    }
}

/// Of this process, whichever of its threads: other programs on the machine have no part in it.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to `time`, and to nothing else.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn core_file() {
    let target = Target::start("stuck");
    let file = Scratch::new("core");
    let prefix = file.0.to_str().unwrap();
    let Some(done) = commands::run("gcore", &["-o", prefix, &target.name()]) else { return };
    assert!(done, "gcore has failed");
    let core = Scratch(format!("{prefix}.{}", target.pid()).into());
    drop(target);
    let reading = read(core.0.to_str().unwrap());
    assert_everything_and_holders(&reading.table());
    assert_eq!(find(&reading.table(), "busy").state, TaskState::Running);
    // The program need not be there any more: what was written to memory is all in the file.
    let mut bytes = std::fs::read(&core.0).unwrap();
    let own = std::env::current_exe().unwrap();
    let own = own.to_str().unwrap().as_bytes();
    while let Some(at) = bytes.windows(own.len()).position(|window| window == own) {
        bytes[at + 1] = b'?';
    }
    std::fs::write(&core.0, bytes).unwrap();
    let names = names(&read(core.0.to_str().unwrap()).table());
    assert!(names.contains("user") && names.contains("busy"), "{names:?}");
}

fn over() {
    let target = Target::start("kept");
    assert_eq!(read(&target.name()).task_count(), 0);
}

fn code(what: &str) -> (u8, String) {
    let error = open(what).and_then(|mut reader: Reader| reader.read()).unwrap_err();
    (error.exit_code(), error.to_string())
}

fn in_the_way() {
    assert_eq!(code("4000000").0, 3);
    assert_eq!(code("/no/such/file").0, 8);
    assert_eq!(code("/proc/self/exe").0, 9);
    let own = std::env::current_exe().unwrap();
    assert_eq!(code(own.to_str().unwrap()).0, 9);
    let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let (code, text) = code(&other.id().to_string());
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(code, 5);
    assert!(text.contains("there is no homing in process"), "{text}");
}

/// Another program, as another user: it is what has to be told.
fn permission() {
    // SAFETY: it takes nothing, and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("\n!!! NOT TESTED: only the administrator can become somebody else !!!\n");
        return;
    }
    let target = Target::start("healthy");
    let pid = target.name();
    // SAFETY: the child does nothing but become somebody else, look, and end.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: they take numbers.
        let became = unsafe { libc::setgid(65_534) == 0 && libc::setuid(65_534) == 0 };
        let told = match open(&pid) {
            Err(Error::Permission(permission)) => {
                let text = permission.to_string();
                text.contains("It belongs to user 0, and you are user 65534") && text.contains("sudo")
            }
            _ => false,
        };
        // SAFETY: it ends the process here and now.
        unsafe { libc::_exit(if became && told { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: the child is there, and the status is written to.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "it was not told");
}
