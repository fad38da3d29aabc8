//! The book holds together: whatever is cited exists, links lead somewhere, and every chapter can be found.
//!
//! ```text
//!   docs/src/semantics.md   - **TG-26** …            defines a rule
//!   everywhere else         (TG-26)                  cites it, and so does `fn tg_26_…`
//!   *.md                    [text](path#heading)     path is a file here, heading one of its headings
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of the repository with this extension, and what is in them.
fn files(extension: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut directories = vec![root().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                directories.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "there are such files");
    found
}

/// The words of a text, as far as rule ids are concerned. By bytes: there are millions of them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let words = text.as_bytes().split(move |byte| !is_part(byte));
    words.filter(|word| word.len() > 3).map(|word| str::from_utf8(word).expect("all of it is ASCII"))
}

/// `TG-26`.
fn is_rule(word: &str) -> bool {
    let [first, second, b'-', number @ ..] = word.as_bytes() else { return false };
    first.is_ascii_uppercase()
        && second.is_ascii_uppercase()
        && !number.is_empty()
        && number.iter().all(u8::is_ascii_digit)
}

/// The rule that a test is named after: `tg_26_two_groups_fail` for TG-26.
fn namesake(word: &str) -> Option<String> {
    let [_, _, b'_', digit, ..] = word.as_bytes() else { return None };
    let (group, rest) = word.split_once('_').filter(|_| digit.is_ascii_digit())?;
    let rule = format!("{}-{}", group.to_ascii_uppercase(), rest.split_once('_')?.0);
    // `gh_134471_…` is named after an issue of CPython's.
    (is_rule(&rule) && group != "gh").then_some(rule)
}

/// The rules of the semantics chapter: `**TG-26**`, at the beginning of a line or of a row.
fn rules(chapter: &str) -> Vec<&str> {
    let bold = chapter.lines().filter_map(|line| line.strip_prefix("- **").or(line.strip_prefix("| **")));
    bold.filter_map(|rest| rest.split_once("**")).map(|(id, _)| id).filter(|id| is_rule(id)).collect()
}

fn semantics() -> String {
    fs::read_to_string(root().join("docs/src/semantics.md")).unwrap()
}

#[test]
fn every_rule_that_is_cited_is_in_the_semantics_chapter() {
    let chapter = semantics();
    let rules: BTreeSet<&str> = rules(&chapter).into_iter().collect();
    let mut unknown = Vec::new();
    for (path, text) in files("rs").into_iter().chain(files("md")) {
        for word in words(&text) {
            let cited = if is_rule(word) { Some(word.to_owned()) } else { namesake(word) };
            unknown.extend(cited.filter(|id| !rules.contains(id.as_str())).map(|id| (id, path.clone())));
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn every_rule_is_stated_once_and_no_number_is_left_out() {
    let chapter = semantics();
    let rules = rules(&chapter);
    assert!(rules.len() > 200);
    let (mut group, mut number) = ("", 0);
    for rule in rules {
        let (its_group, its_number) = rule.split_once('-').unwrap();
        number = if its_group == group { number + 1 } else { 1 };
        group = its_group;
        assert_eq!(its_number, number.to_string(), "in group {group}");
    }
}

/// What is outside of code: links in there are none.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            // Every other piece between backticks is code.
            prose.extend(line.split('`').step_by(2));
            prose.push('\n');
        }
    }
    prose
}

/// Where the links of a text lead: `path#heading`.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.match_indices("](").filter_map(|(at, _)| prose[at + 2..].split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

/// The headings of a chapter, as links name them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut is_code = false;
    for line in text.lines() {
        is_code ^= line.trim_start().starts_with("```");
        if let Some(heading) = line.strip_prefix('#').filter(|_| !is_code) {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            anchors.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
        }
    }
    anchors
}

#[test]
fn every_relative_link_leads_to_a_file_and_to_a_heading_in_it() {
    let mut broken = Vec::new();
    let mut followed = 0;
    for (path, text) in files("md") {
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            followed += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            let is_there = match anchor {
                "" => target.exists(),
                _ => fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor)),
            };
            if !is_there {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(followed > 100);
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_chapter_is_in_the_summary_and_its_examples_are_run() {
    let summary = links(&fs::read_to_string(root().join("docs/src/SUMMARY.md")).unwrap());
    let book = fs::read_to_string(root().join("src/book.rs")).unwrap();
    for (path, text) in files("md") {
        let Ok(chapter) = path.strip_prefix(root().join("docs/src")) else { continue };
        let chapter = chapter.to_string_lossy().into_owned();
        assert!(chapter == "SUMMARY.md" || summary.contains(&chapter), "{chapter} is not in the summary");
        // What is marked as a part of a program is compared with it (`tests/examples`).
        let mut lines = text.lines().zip(text.lines().skip(1));
        let has_examples =
            lines.any(|(mark, line)| line.starts_with("```rust") && !mark.starts_with("<!-- code: "));
        assert!(!has_examples || book.contains(&format!("docs/src/{chapter}")), "nobody runs {chapter}");
    }
}
