//! Which of CPython's tests of asyncio run here: writes `docs/src/parity.md`.
//!
//! ```text
//! cargo run --example parity_table               writes the page
//! cargo run --example parity_table -- --check    fails if it is not up to date
//! ```
//!
//! `tests/asyncio/methods.tsv` lists every test method of the files in question, and which of them have a meaning here. The
//! Rust files next to it hold the ports: a module for each class, a test for each method, of the same name. What a port has
//! to say of itself stands in its doc comment: `Stands in: …`, if it is not literal, and `Also: …` for further methods that
//! it asserts as well.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> io::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = root.join("tests/asyncio");
    let methods = fs::read_to_string(tests.join("methods.tsv"))?;
    let files: Vec<File<'_>> = by_file(&methods)
        .into_iter()
        .map(|(name, methods)| {
            let source = source(&tests.join(name).with_extension(""));
            File::new(name, methods, &ports(&source))
        })
        .collect();

    let page = page(&files);
    let path = root.join("docs/src/parity.md");
    if env::args().any(|argument| argument == "--check") {
        if fs::read_to_string(&path).is_ok_and(|written| written == page) {
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!("{} is not up to date: cargo run --example parity_table", path.display());
        return Ok(ExitCode::FAILURE);
    }
    fs::write(&path, page)?;
    Ok(ExitCode::SUCCESS)
}

/// The Rust file of that name, and those in the directory of that name, which other programs run.
fn source(path: &Path) -> String {
    let directory = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = [path.with_extension("rs")].into_iter().chain(directory);
    files.map(|file| fs::read_to_string(file).unwrap_or_default()).collect()
}

/// A row of the list.
#[derive(Clone, Copy)]
struct Method<'a> {
    class: &'a str,
    name: &'a str,
    /// Why it has no meaning here, if that is so.
    not_portable: Option<&'a str>,
}

/// The list, in its order.
fn by_file(list: &str) -> Vec<(&str, Vec<Method<'_>>)> {
    let mut files: Vec<(&str, Vec<Method<'_>>)> = Vec::new();
    for row in list.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let [file, class, name, portable, reason] = columns[..] else {
            panic!("not a row of five: {row}");
        };
        let method = Method { class, name, not_portable: (portable == "no").then_some(reason) };
        match files.last_mut() {
            Some((last, methods)) if *last == file => methods.push(method),
            _ => files.push((file, vec![method])),
        }
    }
    files
}

/// What a Rust test says of itself.
#[derive(Clone, Default)]
struct Port {
    stands_in: Option<String>,
}

/// The ports of one file, by method; of those, by the module that they are in.
type Ports = BTreeMap<String, BTreeMap<String, Port>>;

/// Reads the tests of a Rust file, line by line. A function `test_…` without `#[test]` is called by a `main` of its own:
/// were it not, the compiler would say so.
fn ports(source: &str) -> Ports {
    let mut ports = Ports::new();
    let (mut module, mut docs, mut is_test) = (String::new(), Vec::new(), false);
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            docs.push(text.trim());
        } else if line == "#[test]" {
            is_test = true;
        } else if let Some(name) = line
            .strip_prefix("fn ")
            .and_then(|rest| rest.split('(').next())
            .filter(|name| is_test || name.starts_with("test_"))
        {
            let port = Port { stands_in: told(&docs, "Stands in:") };
            let also = told(&docs, "Also:").unwrap_or_default();
            let also = also
                .split(|c: char| c != '_' && !c.is_alphanumeric())
                .filter(|name| name.starts_with("test_"));
            for name in [name].into_iter().chain(also) {
                ports.entry(name.to_owned()).or_default().insert(module.clone(), port.clone());
            }
            (docs, is_test) = (Vec::new(), false);
        } else if !line.starts_with("#[") {
            if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {")) {
                name.clone_into(&mut module);
            }
            (docs, is_test) = (Vec::new(), false);
        }
    }
    ports
}

/// The text after a keyword, to the end of the doc comment or to the next keyword.
fn told(docs: &[&str], keyword: &str) -> Option<String> {
    let begin = docs.iter().position(|line| line.starts_with(keyword))?;
    let is_keyword = |line: &&&str| line.starts_with("Stands in:") || line.starts_with("Also:");
    let rest = docs[begin + 1..].iter().take_while(|line| !is_keyword(line) && !line.is_empty());
    let first = docs[begin][keyword.len()..].trim();
    Some([first].into_iter().chain(rest.copied()).collect::<Vec<_>>().join(" "))
}

/// What has become of a method.
enum Status {
    Ported,
    StandsIn(String),
    NotYet,
    NotPortable(String),
}

struct File<'a> {
    name: &'a str,
    methods: Vec<(Method<'a>, Status)>,
}

impl<'a> File<'a> {
    fn new(name: &'a str, methods: Vec<Method<'a>>, ports: &Ports) -> File<'a> {
        let namesakes = |name| methods.iter().filter(|method| method.name == name).count();
        let status = |method: &Method<'a>| {
            if let Some(reason) = method.not_portable {
                return Status::NotPortable(reason.to_owned());
            }
            // The module matters only where several classes have a method of that name.
            let port = ports.get(method.name).and_then(|ports| match namesakes(method.name) {
                1 => ports.values().next(),
                _ => ports.get(&snake_case(method.class)),
            });
            match port {
                None => Status::NotYet,
                Some(Port { stands_in: None }) => Status::Ported,
                Some(Port { stands_in: Some(what) }) => Status::StandsIn(what.clone()),
            }
        };
        let with_status = methods.iter().map(|method| (*method, status(method))).collect();
        File { name, methods: with_status }
    }

    fn count(&self, is: impl Fn(&Status) -> bool) -> usize {
        self.methods.iter().filter(|(_, status)| is(status)).count()
    }

    /// Methods, portable ones, ported ones, and of those the ones that are not literal.
    fn counts(&self) -> [usize; 4] {
        let not_portable = self.count(|status| matches!(status, Status::NotPortable(_)));
        let stands_in = self.count(|status| matches!(status, Status::StandsIn(_)));
        let literal = self.count(|status| matches!(status, Status::Ported));
        [self.methods.len(), self.methods.len() - not_portable, literal + stands_in, stands_in]
    }
}

/// `BaseTaskTests` as `base_task_tests`.
fn snake_case(class: &str) -> String {
    let class = class.trim_start_matches('_');
    let mut name = String::new();
    for (index, c) in class.char_indices() {
        if c.is_uppercase() && index > 0 && !name.ends_with('_') {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

const INTRODUCTION: &str = "\
# Which of CPython's tests run here?

CPython tests asyncio with some hundreds of methods. Most of them have a meaning in Rust as well, and those are the
yardstick: each is a test in `tests/asyncio/`, of the same name, in a module named after its class.

* *ported*: the test asserts the same behaviour;
* *stands in*: it does so by other means, or the answer differs, for the reason given;
* *not portable*: what it asserts has no meaning here;
* *not yet*: what it is about is still missing.

This page is generated: `cargo run --example parity_table`.

";

fn page(files: &[File<'_>]) -> String {
    let mut page = INTRODUCTION.to_owned();
    page += "| file | methods | portable | ported | of these, stand in | not yet |\n|---|---:|---:|---:|---:|---:|\n";
    let mut sums = [0; 4];
    for file in files {
        let counts = file.counts();
        write_counts(&mut page, &format!("[{0}](#{1})", file.name, anchor(file.name)), counts);
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    write_counts(&mut page, "**sum**", sums);
    for file in files {
        write_file(&mut page, file);
    }
    page
}

fn write_counts(page: &mut String, name: &str, [methods, portable, ported, stands_in]: [usize; 4]) {
    let not_yet = portable - ported;
    let _ = writeln!(page, "| {name} | {methods} | {portable} | {ported} | {stands_in} | {not_yet} |");
}

fn write_file(page: &mut String, file: &File<'_>) {
    let _ = write!(page, "\n## {}\n\n| class | method | |\n|---|---|---|\n", file.name);
    let mut last_class = "";
    for (method, status) in &file.methods {
        let class = if method.class == last_class { "" } else { method.class };
        last_class = method.class;
        let status = match status {
            Status::Ported => "ported".to_owned(),
            Status::StandsIn(what) => {
                format!("stands in: {}", what.trim_end_matches('.').replace('|', "\\|"))
            }
            Status::NotYet => "**not yet**".to_owned(),
            Status::NotPortable(reason) => format!("not portable: {reason}"),
        };
        let name = method.name.replace("__", "\\_\\_");
        let _ = writeln!(page, "| {class} | {name} | {status} |");
    }
}

/// What the book calls the heading of a file.
fn anchor(heading: &str) -> String {
    heading.replace('.', "").to_lowercase()
}
