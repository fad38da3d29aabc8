//! A header of which some bytes are others, and what is behind it.
#![no_main]

#[path = "../../reader/tests/hostile/made_up.rs"]
mod made_up;

use libfuzzer_sys::fuzz_target;
use made_up::{Piece, look, piece};
use std::mem::offset_of;

// The input begins with changes: where, in two bytes, and what. A place that is 0 ends them; the rest are tables.
fuzz_target!(|input: &[u8]| {
    let changes = input
        .chunks_exact(3)
        .map(|change| (usize::from(u16::from_le_bytes([change[0], change[1]])), change[2]));
    let changes: Vec<(usize, u8)> = changes.take_while(|(at, _)| *at != 0).collect();
    let rest = input.get(3 * (changes.len() + 1)..).unwrap_or_default();
    let words: Vec<u64> =
        rest.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes"))).collect();
    let mut bytes = piece(&words);
    // The magic and the address stay, or there would be no header.
    let address = offset_of!(homing_executor::outside::Fixed, address);
    for (at, value) in changes.into_iter().filter(|(at, _)| *at >= 16 && !(address..address + 8).contains(at))
    {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
    }
    look(Piece::new(bytes));
});
