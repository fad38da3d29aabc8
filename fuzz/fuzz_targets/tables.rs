//! The tables behind a header that is in order: pages, rows, extras, lists, runtimes, types; each word as the input says.
#![no_main]

#[path = "../../reader/tests/hostile/made_up.rs"]
mod made_up;

use libfuzzer_sys::fuzz_target;
use made_up::{BASE, Piece, look, piece};

/// Words in a piece of memory, at most.
const WORDS: usize = 4096;

// Three bytes make a word, most of which lead somewhere, or are small: as words of eight bytes, hardly any would.
fuzz_target!(|input: &[u8]| {
    let word = |bytes: &[u8]| {
        let number = u64::from(u16::from_le_bytes([bytes[1], bytes[2]]));
        match bytes[0] % 5 {
            0 => BASE + number * 8,
            1 => number,
            2 => number << 48 | number,
            3 => u64::MAX - number,
            _ => BASE + number * 8 + 1,
        }
    };
    let words: Vec<u64> = input.chunks_exact(3).take(WORDS).map(word).collect();
    look(Piece::new(piece(&words)));
});
