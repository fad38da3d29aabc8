//! What the examples print, and what the book shows of them.
//!
//! ```text
//!   examples/NAME.rs          run, each in a process of its own: prints what its module doc says
//!   examples/python/NAME.py   run, if there is a Python: prints what its docstring says
//!   docs/src/cookbook.md      shows their code and what they print, as it is; so does
//!   docs/src/troubleshooting.md
//! ```
//!
//! It has its own `main`, so that it can be each of the programs as well: hence the `pub(crate)` on theirs.
//! With `UPDATE_COOKBOOK=1` in the environment it brings the chapters up to date instead of complaining.

mod python;
mod quoted;

use python::Python;
use quoted::Quoted;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::{env, fs, io, thread};

macro_rules! examples {
    ($($name:ident $path:literal)* ; $($alone:ident $alone_path:literal)*) => {
        $(#[path = $path] mod $name;)*
        $(#[path = $alone_path] mod $alone;)*

        /// Those with a Python half, which are in the cookbook.
        const EXAMPLES: &[&str] = &[$(stringify!($name)),*];
        /// Those without, for which Python has no counterpart: they are in the chapter on troubles.
        const ALONE: &[&str] = &[$(stringify!($alone)),*];

        /// Is the program of that name.
        fn play(name: &str) -> ExitCode {
            match name {
                $(stringify!($name) => std::process::Termination::report($name::main()),)*
                $(stringify!($alone) => std::process::Termination::report($alone::main()),)*
                _ => panic!("there is no example {name}"),
            }
        }
    };
}

examples! {
    all_or_nothing      "../../examples/all_or_nothing.rs"
    as_they_arrive      "../../examples/as_they_arrive.rs"
    at_most_ten         "../../examples/at_most_ten.rs"
    cancelled_results   "../../examples/cancelled_results.rs"
    catch_by_type       "../../examples/catch_by_type.rs"
    eager_cache         "../../examples/eager_cache.rs"
    end_early           "../../examples/end_early.rs"
    fill_in_place       "../../examples/fill_in_place.rs"
    first_answer        "../../examples/first_answer.rs"
    nested_groups       "../../examples/nested_groups.rs"
    partial_results     "../../examples/partial_results.rs"
    request_id          "../../examples/request_id.rs"
    save_anyway         "../../examples/save_anyway.rs"
    swallowed_cancel    "../../examples/swallowed_cancel.rs"
    time_limit          "../../examples/time_limit.rs"
    two_fetches         "../../examples/two_fetches.rs"
    who_cleans_up       "../../examples/who_cleans_up.rs"
    workers             "../../examples/workers.rs"
    ;
    blocking_poll       "../../examples/blocking_poll.rs"
    futurelock          "../../examples/futurelock.rs"
    stuck               "../../examples/stuck.rs"
    unread_errors       "../../examples/unread_errors.rs"
}

/// Examples that are no part of the chapter. `tests/programs.rs` runs the last two.
const OTHERS: [&str; 4] = ["parity", "parity_table", "port_scanner", "supervisor"];

const COOKBOOK: &str = "docs/src/cookbook.md";
const TROUBLES: &str = "docs/src/troubleshooting.md";

/// In the environment, it has the chapter brought up to date instead of compared.
const UPDATE: &str = "UPDATE_COOKBOOK";

type Outcome = Result<(), String>;
type Test = Box<dyn Fn() -> Outcome + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [flag, name] = &arguments[..]
        && flag == "--play"
    {
        return play(name);
    }
    let python = python::find();
    let mut tests: Vec<(String, Test)> = Vec::new();
    let chapter_python = python.clone();
    tests.push((
        "the_chapters_show_the_examples_as_they_are".to_owned(),
        Box::new(move || the_chapters_show_the_examples_as_they_are(chapter_python.as_ref())),
    ));
    if env::var_os(UPDATE).is_some() {
        return run(tests);
    }
    tests.push(("every_example_is_tested".to_owned(), Box::new(every_example_is_tested)));
    for name in EXAMPLES.iter().chain(ALONE) {
        tests.push((format!("{name}_prints_what_it_says"), Box::new(|| prints_what_it_says(name))));
    }
    match python {
        None => println!("SKIPPED: here is no Python 3.11 or newer to run the Python halves of the examples"),
        Some(python) => {
            for name in EXAMPLES {
                let python = python.clone();
                let test = move || prints_in_python_what_it_says(&python, name);
                tests.push((format!("{name}_prints_in_python_what_it_says"), Box::new(test)));
            }
        }
    }
    if let Some(filter) = arguments.iter().find(|argument| !argument.starts_with('-')) {
        tests.retain(|(name, _)| name.contains(filter.as_str()));
    }
    run(tests)
}

/// As the usual harness does: some at a time, each with its line.
fn run(tests: Vec<(String, Test)>) -> ExitCode {
    println!("running {} tests", tests.len());
    let waiting = Mutex::new(tests.iter());
    let failed = Mutex::new(Vec::new());
    // Twice as many as there are processors: most of the time the programs wait.
    let workers = thread::available_parallelism().map_or(1, usize::from) * 2;
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some((name, test)) = waiting.lock().unwrap().next() else { return };
                    match test() {
                        Ok(()) => println!("test {name} ... ok"),
                        Err(why) => {
                            println!("test {name} ... FAILED");
                            failed.lock().unwrap().push(format!("---- {name} ----\n{why}\n"));
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    for why in &failed {
        println!("\n{why}");
    }
    println!("\ntest result: {} passed; {} failed\n", tests.len() - failed.len(), failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A file of the repository.
fn read(path: impl AsRef<Path>) -> Result<String, String> {
    fs::read_to_string(root().join(&path)).map_err(|error| format!("{}: {error}", path.as_ref().display()))
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn every_example_is_tested() -> Outcome {
    let files = fs::read_dir(root().join("examples")).map_err(|error| error.to_string())?;
    let names = files.map(|file| file.map(|file| file.path())).collect::<io::Result<Vec<_>>>();
    let programs = names.map_err(|error| error.to_string())?;
    let programs = programs.iter().filter(|path| path.extension().is_some_and(|it| it == "rs"));
    let there: BTreeSet<&str> = programs.filter_map(|path| path.file_stem()?.to_str()).collect();
    let known: BTreeSet<&str> = EXAMPLES.iter().chain(ALONE).chain(&OTHERS).copied().collect();
    same(&format!("{known:?}"), &format!("{there:?}"))
}

fn prints_what_it_says(name: &str) -> Outcome {
    match says(name)? {
        Some(says) => same(&says, &printed(name)?),
        None => Ok(()), // a table, which is in the chapter
    }
}

/// What an example's module doc says that it prints, if it says anything.
fn says(name: &str) -> Result<Option<String>, String> {
    let source = read(format!("examples/{name}.rs"))?;
    let doc = source.lines().map_while(|line| line.strip_prefix("//!"));
    let mut lines = doc.map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.find(|line| line.starts_with("cargo run")).ok_or("its module doc does not say how to run it")?;
    let printed: String = lines.take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
    Ok(Some(printed.trim_start().to_owned()).filter(|printed| !printed.is_empty()))
}

/// What an example prints, in a process of its own.
fn printed(name: &str) -> Result<String, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let printed = python::output(Command::new(program).args(["--play", name]))?;
    // Where the compiler has found it from here.
    Ok(printed.replace("tests/examples/../../examples/", "examples/"))
}

fn prints_in_python_what_it_says(python: &Python, name: &str) -> Outcome {
    let Some(printed) = printed_in_python(python, name)? else { return Ok(()) };
    match read(format!("examples/python/{name}.py"))?
        .split("\"\"\"")
        .nth(1)
        .unwrap()
        .split_once("It prints:\n\n")
    {
        Some((_, says)) => same(says, &printed),
        None => Ok(()), // likewise
    }
}

/// What its Python half prints, if this Python can run it.
fn printed_in_python(python: &Python, name: &str) -> Result<Option<String>, String> {
    let path = format!("examples/python/{name}.py");
    let source = read(&path)?;
    let needs = source.split("Needs Python ").nth(1).ok_or("it does not say which Python it needs")?;
    let needs = python::version(needs)?;
    if python.version < needs {
        println!("SKIPPED: {path} needs Python {}.{}, and here is {python}", needs.0, needs.1);
        return Ok(None);
    }
    python::output(Command::new(&python.program).arg("-B").arg(root().join(path))).map(Some)
}

fn the_chapters_show_the_examples_as_they_are(python: Option<&Python>) -> Outcome {
    let with_python = |name: &&str| vec![format!("examples/{name}.rs"), format!("examples/python/{name}.py")];
    let cookbook = EXAMPLES.iter().flat_map(with_python).collect();
    let alone = ALONE.iter().map(|name| format!("examples/{name}.rs")).collect();
    let shown = the_chapter_shows(COOKBOOK, cookbook, python);
    shown.and(the_chapter_shows(TROUBLES, alone, python))
}

fn the_chapter_shows(path: &str, programs: Vec<String>, python: Option<&Python>) -> Outcome {
    let chapter = read(path)?;
    let mut shown = BTreeSet::new();
    let fresh = quoted::refresh(&chapter, |quoted, old| {
        shown.insert(quoted.clone());
        match quoted {
            Quoted::Code(path) => quoted::lesson(&read(path)?),
            Quoted::Output(path) => match (path.strip_suffix(".rs"), path.strip_suffix(".py")) {
                (Some(name), _) => {
                    let name = name.trim_start_matches("examples/");
                    says(name)?.map_or_else(|| printed(name), Ok)
                }
                (_, Some(name)) => {
                    let name = name.trim_start_matches("examples/python/");
                    let printed = python.map_or(Ok(None), |python| printed_in_python(python, name))?;
                    Ok(printed.unwrap_or_else(|| old.to_owned()))
                }
                _ => Err(format!("{path} is no program")),
            },
        }
    })?;
    if let Some(missing) =
        programs.into_iter().find(|program| !shown.contains(&Quoted::Code(program.clone())))
    {
        return Err(format!("{path} does not show {missing}"));
    }
    if env::var_os(UPDATE).is_some() {
        return fs::write(root().join(path), fresh).map_err(|error| error.to_string());
    }
    same(&fresh, &chapter).map_err(|why| format!("{why}\nWith {UPDATE}=1 it is brought up to date."))
}

/// Complains with the first line in which they differ.
fn same(expected: &str, found: &str) -> Outcome {
    if expected == found {
        return Ok(());
    }
    let (mut expected, mut found) = (expected.lines(), found.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (expected.next(), found.next()) {
            (Some(a), Some(b)) if a == b => {}
            (None, None) => return Err("they differ in the ends of their lines".to_owned()),
            (expected, found) => {
                let line = |line: Option<&str>| line.map_or("nothing".to_owned(), |line| format!("{line:?}"));
                return Err(format!(
                    "line {number}\n  expected {}\n  found    {}",
                    line(expected),
                    line(found)
                ));
            }
        }
    }
}
