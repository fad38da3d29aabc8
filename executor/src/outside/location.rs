//! How a place in the source is laid out in memory.
//!
//! `Location` has no layout that the compiler would promise. But it has a size, and it holds four values that its methods
//! tell, so each of them is looked for in its words:
//!
//! ```text
//!   &Location ──► [ 0x55d0_1234 │ 22 │ 117 · 9 ]
//!                   file.as_ptr() │ len │ line · column
//! ```

use super::format::LocationLayout;
use std::panic::Location;
use std::sync::atomic::Ordering;

/// Finds it out, and writes it down. Where something else is in it, nothing is written.
pub(super) fn find_layout(layout: &LocationLayout) {
    if layout.size.load(Ordering::Acquire) != 0 {
        return;
    }
    let Some([file, length, line, column]) = offsets(here()) else { return };
    layout.file.store(file, Ordering::Relaxed);
    layout.length.store(length, Ordering::Relaxed);
    layout.line.store(line, Ordering::Relaxed);
    layout.column.store(column, Ordering::Relaxed);
    // Last: it says that the others are there.
    layout.size.store(size_of::<Location<'_>>() as u32, Ordering::Release);
}

/// A specimen. Its line, its column and the length of its file's name are different numbers.
pub(crate) fn here() -> &'static Location<'static> {
    #[rustfmt::skip]
    let here = { #[track_caller] fn caller() -> &'static Location<'static> { Location::caller() } caller() };
    here
}

fn offsets(specimen: &'static Location<'static>) -> Option<[u32; 4]> {
    const SIZE: usize = size_of::<[usize; 2]>() + size_of::<[u32; 2]>();
    // Only if there is room for nothing else: neither for anything that could be mistaken, nor for padding, which may not
    // be read.
    if size_of::<Location<'_>>() != SIZE || align_of::<Location<'_>>() < align_of::<usize>() {
        return None;
    }
    let first = std::ptr::from_ref(specimen);
    // SAFETY: it has that size, is aligned for words, and holds four values which take all of it, as `offsets` has found;
    // should it hold others, they are numbers or pointers of that size, too.
    let words: [usize; SIZE / size_of::<usize>()] = unsafe { first.cast::<[usize; _]>().read() };
    // SAFETY: the same, in halves.
    let halves: [u32; SIZE / size_of::<u32>()] = unsafe { first.cast::<[u32; _]>().read() };
    let word = |value: usize| {
        let at = words.iter().position(|word| *word == value)?;
        Some((at * size_of::<usize>()) as u32)
    };
    let (file, length) = (word(specimen.file().as_ptr().addr())?, word(specimen.file().len())?);
    let word_bytes = size_of::<usize>() as u32;
    let is_free = |at: &u32| ![file, length].iter().any(|word| (*word..*word + word_bytes).contains(at));
    let half = |value: u32| {
        let mut at =
            (0..halves.len()).filter(|at| halves[*at] == value).map(|at| (at * size_of::<u32>()) as u32);
        at.find(is_free)
    };
    Some([file, length, half(specimen.line())?, half(specimen.column())?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_place_are_four_different_ones() {
        let mut offsets = offsets(here()).expect("this compiler's places can be read");
        offsets.sort_unstable();
        assert!(offsets.windows(2).all(|pair| pair[0] < pair[1]), "{offsets:?}");
        assert_ne!(here().line(), here().column());
    }
}
