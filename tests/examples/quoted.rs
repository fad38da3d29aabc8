//! What a chapter quotes: marked by a comment, so that it can be compared with its origin, and replaced.
//!
//! ````text
//!   <!-- code: examples/NAME.rs -->          <!-- output: examples/NAME.rs -->
//!   ```rust                                  ```text
//!   what is between the two anchors          what it prints
//!   ```                                      ```
//! ````
//!
//! An output may be a table instead, without the fence. Includes of mdBook would be shorter, but only mdBook
//! reads them.

const FENCE: &str = "```";

/// What follows a mark.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Quoted {
    /// The lesson of this file.
    Code(String),
    /// What it prints.
    Output(String),
}

impl Quoted {
    fn marked_by(line: &str) -> Option<Quoted> {
        let mark = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
        match mark.split_once(": ")? {
            ("code", path) => Some(Quoted::Code(path.to_owned())),
            ("output", path) => Some(Quoted::Output(path.to_owned())),
            _ => None,
        }
    }
}

/// The chapter with each quotation replaced by what `source` gives for it. Fences stay as they are.
pub(crate) fn refresh(
    chapter: &str,
    mut source: impl FnMut(&Quoted, &str) -> Result<String, String>,
) -> Result<String, String> {
    let mut fresh = String::new();
    let mut lines = chapter.lines();
    while let Some(line) = lines.next() {
        fresh.extend([line, "\n"]);
        let Some(quoted) = Quoted::marked_by(line) else { continue };
        let first = lines.next().ok_or_else(|| format!("the chapter ends after {line}"))?;
        let rest = lines.by_ref();
        let old: Vec<&str> = if first.starts_with(FENCE) {
            rest.take_while(|line| *line != FENCE).collect()
        } else {
            [first].into_iter().chain(rest.take_while(|line| !line.is_empty())).collect()
        };
        let new = source(&quoted, &format!("{}\n", old.join("\n")))?;
        if first.starts_with(FENCE) {
            fresh.extend([first, "\n", &new, FENCE, "\n"]);
        } else {
            fresh.extend([&new, "\n"]);
        }
    }
    Ok(fresh)
}

/// What a program's source shows as its lesson: the lines between its anchors.
pub(crate) fn lesson(source: &str) -> Result<String, String> {
    let mut lesson = String::new();
    let mut inside = false;
    for line in source.lines() {
        match line.trim_start_matches(['/', '#', ' ']) {
            "ANCHOR: lesson" => inside = true,
            "ANCHOR_END: lesson" => inside = false,
            _ if inside => lesson.extend([line, "\n"]),
            _ => {}
        }
    }
    let lesson = lesson.trim_end();
    if lesson.is_empty() || inside { Err("it has no anchors".to_owned()) } else { Ok(format!("{lesson}\n")) }
}
