//! Sheets: what lines are written on.
//!
//! ```text
//!   columns, tree ──► line ──► end_line ──┬──► Pieces   64 KiB of whole lines, handed out, and written over
//!                                         └──► Trees    a list of lines for each tree
//! ```
//!
//! A line is written where it stays: a list of a hundred thousand tasks is tens of megabytes of text, and to copy them once
//! more costs as much as to find out what most lines say.

/// Something to write lines on, one after the other.
pub(super) trait Sheet {
    /// Where the line is written: at the end.
    fn line(&mut self) -> &mut String;

    /// The line is complete.
    fn end_line(&mut self);

    /// A tree begins, where there are several.
    fn begin_tree(&mut self) {}
}

/// Hands out pieces of whole lines.
pub(super) struct Pieces<F: FnMut(&str)> {
    text: String,
    take: F,
}

impl<F: FnMut(&str)> Pieces<F> {
    /// From so many bytes on, what there is is handed out: much for a system call, and little for a cache.
    const LENGTH: usize = 64 << 10;

    pub(super) fn new(take: F) -> Pieces<F> {
        Pieces { text: String::new(), take }
    }

    /// Hands out what is left.
    pub(super) fn finish(mut self) {
        if !self.text.is_empty() {
            (self.take)(&self.text);
        }
    }
}

impl<F: FnMut(&str)> Sheet for Pieces<F> {
    fn line(&mut self) -> &mut String {
        &mut self.text
    }

    fn end_line(&mut self) {
        self.text.push('\n');
        if self.text.len() >= Self::LENGTH {
            (self.take)(&self.text);
            self.text.clear();
        }
    }
}

/// Keeps the lines, those of each tree by themselves.
#[derive(Default)]
pub(super) struct Trees {
    pub(super) trees: Vec<Vec<String>>,
    line: String,
}

impl Sheet for Trees {
    fn line(&mut self) -> &mut String {
        &mut self.line
    }

    fn end_line(&mut self) {
        let tree = self.trees.last_mut().expect("a line is of a tree");
        tree.push(std::mem::take(&mut self.line));
    }

    fn begin_tree(&mut self) {
        self.trees.push(Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_whole_lines_and_together_all_of_them() {
        let (mut pieces, mut expected) = (Vec::new(), String::new());
        let mut sheet = Pieces::new(|piece: &str| pieces.push(piece.to_owned()));
        for number in 0..5000 {
            let line = format!("{number} {}", "x".repeat(number % 300));
            sheet.line().push_str(&line);
            sheet.end_line();
            expected += &format!("{line}\n");
        }
        sheet.finish();
        assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.ends_with('\n')));
        assert!(pieces.iter().all(|piece| piece.len() < Pieces::<fn(&str)>::LENGTH + 310));
        assert_eq!(pieces.concat(), expected);
    }
}
