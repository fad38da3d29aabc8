//! The command `homing`, run as people run it. Its own `main`: this file is also the program that is looked into.

#![cfg_attr(not(target_os = "linux"), allow(unused))]

use homing::sync::Mutex;
use homing::{Result, SharedTask, sleep, task, task_group};
use std::io::{BufRead, BufReader};
use std::panic::catch_unwind;
use std::process::{Child, Command, Output, Stdio};
use std::rc::Rc;
use std::time::Duration;

const LOOKED_INTO: &str = "HOMING_CLI_LOOKED_INTO";
const HOUR: Duration = Duration::from_secs(3600);

fn main() {
    match std::env::var(LOOKED_INTO).as_deref() {
        Ok("circle") => homing::run(circle()).unwrap(),
        Ok("hung") => homing::run(hung()).unwrap(),
        Ok(path) => homing::Builder::new().black_box(path).build().run(hung()).unwrap(),
        Err(_) if cfg!(target_os = "linux") => run_all(),
        Err(_) => eprintln!("NOT TESTED: the memory of other processes can be read on Linux only"),
    }
}

async fn fetch_user() -> Result<u32> {
    sleep(HOUR).await?;
    Ok(7)
}

async fn hung() -> Result<()> {
    task_group(async |tg| {
        let user = tg.task(fetch_user()).name("user").spawn();
        tg.task(async move { user.await.map(drop) }).name("orders").spawn();
        tg.task(async {
            homing::yield_now().await?;
            println!("ready");
            loop {
                std::hint::spin_loop();
            }
            #[expect(unreachable_code, reason = "it says of which type this is")]
            Ok(())
        })
        .name("busy")
        .spawn();
        sleep(HOUR).await
    })
    .await
}

/// Two tasks that await each other.
async fn circle() -> Result<()> {
    let slot: Rc<Mutex<Option<SharedTask<()>>>> = Rc::default();
    let theirs = slot.clone();
    let first = task(async move {
        sleep(Duration::from_millis(1)).await?;
        let second = theirs.lock().await?.clone().unwrap();
        second.await
    });
    let first = first.name("first").spawn().share();
    let awaited = first.clone();
    // The block is what has a place in this file.
    #[expect(clippy::redundant_async_block)]
    let second = task(async move { awaited.await }).name("second").spawn().share();
    *slot.lock().await? = Some(second);
    sleep(Duration::from_millis(100)).await?;
    println!("ready");
    sleep(HOUR).await
}

fn run_all() {
    let tests: [(&str, fn()); _] = [
        ("pstree_draws_who_awaits_whom_and_says_which_task_is_busy", pstree),
        ("ps_json_and_dot_list_the_same_tasks", lists),
        ("top_shows_the_busiest_first", top),
        ("top_ends_when_the_process_that_it_watches_does", top_of_an_ended_process),
        ("a_core_file_is_shown_and_not_watched", core_file),
        ("a_fifo_in_place_of_a_core_file_is_refused_at_once", fifo),
        ("a_process_that_was_killed_is_shown_by_its_black_box_as_it_was_before", black_box),
        ("a_circle_is_told_and_not_drawn", told_circle),
        ("what_is_in_the_way_has_an_exit_status_of_its_own", in_the_way),
        ("output_that_nobody_reads_to_its_end_is_no_error", closed_pipe),
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

/// Killed when it is dropped.
struct Target(Child);

impl Target {
    fn start(program: &str) -> Target {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.env(LOOKED_INTO, program).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        std::thread::sleep(Duration::from_millis(100));
        Target(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn homing(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_homing")).args(arguments).output().unwrap()
}

fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

/// Without places and the rests of lines that differ from time to time.
fn shape(tree: &str) -> Vec<String> {
    let cut = |line: &str| {
        let end = ["tests/cli.rs", " due", ", which has"].iter().filter_map(|word| line.find(word)).min();
        let line = line[..end.unwrap_or(line.len())].trim_end();
        match line.find("on thread") {
            Some(at) => line[..at].trim_end().to_owned(),
            None => line.to_owned(),
        }
    };
    tree.lines().map(cut).collect()
}

fn pstree() {
    let target = Target::start("hung");
    let output = homing(&["pstree", &target.pid()]);
    assert!(output.status.success());
    let expected = "\
└── (T) main
    └──  cli::hung
        └──  group
            ├── (T) user
            │   └──  cli::fetch_user
            │       └──  timer
            ├── (T) orders
            │   └──  cli::hung
            │       └──  task 'user'
            │           └── (T) user (see above)
            └── (T) busy
                └──  cli::hung
                    └──  running";
    let tree = text(&output.stdout);
    assert_eq!(shape(&tree).join("\n"), expected, "{tree}");
    let notes = text(&output.stderr);
    assert!(notes.contains("task 'busy' is being polled on thread "), "{notes}");
    assert!(notes.contains(&format!("gdb -p {} -batch -ex bt", target.pid())), "{notes}");
}

fn lists() {
    let target = Target::start("hung");
    let names = ["main", "user", "orders", "busy"];
    let ps = text(&homing(&["ps", &target.pid()]).stdout);
    let json: serde_json::Value = serde_json::from_slice(&homing(&["json", &target.pid()]).stdout).unwrap();
    let dot = text(&homing(&["dot", &target.pid()]).stdout);
    let tasks = json["threads"][0]["tasks"].as_array().unwrap();
    let listed: Vec<&str> = tasks.iter().map(|task| task["name"].as_str().unwrap()).collect();
    assert_eq!(listed, names);
    assert_eq!(tasks[3]["state"], "running");
    assert_eq!(tasks[1]["parent"], tasks[0]["id"]);
    for name in names {
        assert!(ps.contains(name), "{ps}");
        assert!(dot.contains(&format!("[label=\"{name}\\n")), "{dot}");
    }
}

fn top() {
    let target = Target::start("hung");
    let output = homing(&["top", "--once", "--interval", "0.3", "--lines", "2", &target.pid()]);
    let table = text(&output.stdout);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    let words: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!((words[0], words[1], words[2]), (target.pid().as_str(), "busy", "running"), "{table}");
    assert_eq!((words[5], words[6]), ("1", "100"), "{table}");
    assert_eq!(lines[3], "and 2 more");
}

fn top_of_an_ended_process() {
    let target = Target::start("hung");
    let mut command = Command::new(env!("CARGO_BIN_EXE_homing"));
    let command = command.args(["top", "--once", "--interval", "1", &target.pid()]);
    let watching = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let pid = target.pid();
    drop(target);
    let output = watching.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        text(&output.stderr),
        format!("homing: process {pid} has ended, or runs another program now\n")
    );
}

fn core_file() {
    let target = Target::start("hung");
    let prefix = std::env::temp_dir().join(format!("homing-cli-{}", std::process::id()));
    let prefix = prefix.to_str().unwrap();
    let core = format!("{prefix}.{}", target.pid());
    match Command::new("gcore").args(["-o", prefix, &target.pid()]).output() {
        Ok(output) => assert!(output.status.success(), "{}", text(&output.stderr)),
        Err(_) => return eprintln!("\n!!! NOT TESTED: there is no program gcore here !!!\n"),
    }
    drop(target);
    let tree = homing(&["pstree", &core]);
    let top = homing(&["top", &core]);
    std::fs::remove_file(&core).unwrap();
    assert!(tree.status.success(), "{}", text(&tree.stderr));
    assert!(text(&tree.stdout).contains("── (T) orders\n"), "{}", text(&tree.stdout));
    assert!(text(&tree.stderr).contains(&format!("gdb -c {core}")), "{}", text(&tree.stderr));
    assert_eq!(top.status.code(), Some(2));
    assert!(text(&top.stderr).contains("does not change any more"), "{}", text(&top.stderr));
}

fn fifo() {
    let path = std::env::temp_dir().join(format!("homing-cli-fifo-{}", std::process::id()));
    let path = path.to_str().unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let output = homing(&["ps", path]);
    std::fs::remove_file(path).unwrap();
    assert_eq!(output.status.code(), Some(9));
    assert!(text(&output.stderr).contains("is no core file that can be read here: it is a pipe"));
}

fn black_box() {
    let file = std::env::temp_dir().join(format!("homing-cli-{}.tasks", std::process::id()));
    let file = file.to_str().unwrap();
    let mut target = Target::start(file);
    let commands = ["ps", "pstree", "dot", "json"];
    let live = commands.map(|command| text(&homing(&[command, &target.pid()]).stdout));
    target.0.kill().unwrap();
    target.0.wait().unwrap();
    for (command, live) in commands.iter().zip(live) {
        let output = homing(&[command, file]);
        let notes = text(&output.stderr);
        assert!(output.status.success(), "{notes}");
        assert_eq!(without_times(&text(&output.stdout)), without_times(&live));
        let (process, program) = (target.pid(), std::env::current_exe().unwrap());
        let story = format!("process {process}, {}, ended without its runtime: killed", program.display());
        assert!(notes.starts_with(&story), "{notes}");
        assert!(notes.contains("task 'busy' was being polled on thread"), "{notes}");
    }
    std::fs::write(file, &std::fs::read(file).unwrap()[..100_000]).unwrap();
    let output = homing(&["ps", file]);
    let notes = text(&output.stderr);
    assert!(output.status.success() && notes.contains("the file is shorter than it says"), "{notes}");
    std::fs::write(file, &std::fs::read(file).unwrap()[..100]).unwrap();
    let output = homing(&["ps", file]);
    assert_eq!(output.status.code(), Some(9));
    assert!(text(&output.stderr).contains("is no black box that can be read here"));
    std::fs::remove_file(file).unwrap();
}

/// Without what differs in a process that lives, and is busy: how long it is until a deadline, and since it looked at its clock.
fn without_times(text: &str) -> String {
    let mut shown = text.to_owned();
    for words in ["due in ", ", which has not looked at its clock for "] {
        while let Some(at) = shown.find(words) {
            let rest = &shown[at + words.len()..];
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || ".ms".contains(c));
            shown = format!("{}{rest}", &shown[..at]);
        }
    }
    // What stands in columns is moved by that.
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn told_circle() {
    let target = Target::start("circle");
    let output = homing(&["pstree", &target.pid()]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.contains("cycle: first → second → first") || told.contains("cycle: second → first → second"),
        "{told}"
    );
    // Where each of them stands is told, too.
    let places = told.lines().filter(|line| line.contains("tests/cli.rs', line "));
    assert_eq!(places.count(), 2, "{told}");
    assert!(homing(&["ps", &target.pid()]).status.success());
}

fn in_the_way() {
    for (what, code, says) in [
        ("4000000", 3, "there is no process 4000000"),
        ("/no/such/file", 8, "cannot be read"),
        ("/proc/self/exe", 9, "is no core file"),
        ("/proc/self/exe", 9, "Nor is it a black box"),
    ] {
        let output = homing(&["ps", what]);
        assert_eq!(output.status.code(), Some(code), "{what}");
        let told = text(&output.stderr);
        assert!(told.starts_with("homing: ") && told.contains(says), "{told}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(homing(&["ps"]).status.code(), Some(2));
    let help = text(&homing(&["--help"]).stdout);
    assert!(
        help.contains("EXIT STATUS") && help.contains("ptrace_scope") && help.contains("black box"),
        "{help}"
    );
}

fn closed_pipe() {
    let target = Target::start("hung");
    let mut command = Command::new(env!("CARGO_BIN_EXE_homing"));
    let mut child = command.args(["ps", &target.pid()]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
