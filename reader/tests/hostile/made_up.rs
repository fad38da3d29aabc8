//! Memory that nobody has ever had, and core files of it: for tests, and for fuzzing (`fuzz/`), which is made of the same.
//!
//! ```text
//!   BASE ──► header of this very build, fields and labels as they are ──► tables, as somebody likes
//! ```
#![allow(dead_code, unreachable_pub, reason = "not all who include this need all of it")]

use homing_executor::introspect::{TaskTable, draw_rows, draw_tree};
use homing_executor::outside::{self, Field, Fixed, Label};
use homing_reader::{Memory, Reader, Region, Unreadable};
use std::mem::offset_of;
use std::time::{Duration, Instant};

/// Where made-up memory is.
pub const BASE: u64 = 0x10_0000;

/// A piece of memory, and nothing beside it.
pub struct Piece(Vec<u8>, [Region; 1]);

impl Piece {
    pub fn new(bytes: Vec<u8>) -> Piece {
        let end = BASE + bytes.len() as u64;
        let file = Some("/no/such/file".into());
        Piece(bytes, [Region { start: BASE, end, offset: 0, writable: true, file }])
    }
}

impl Memory for Piece {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
        let at = usize::try_from(address.checked_sub(BASE).ok_or(Unreadable)?).map_err(|_| Unreadable)?;
        let end = at.checked_add(buffer.len()).ok_or(Unreadable)?;
        buffer.copy_from_slice(self.0.get(at..end).ok_or(Unreadable)?);
        Ok(())
    }

    fn regions(&self) -> &[Region] {
        &self.1
    }

    fn now(&self) -> Option<u64> {
        Some(5_000_000_000)
    }

    fn describe(&self) -> String {
        "a piece of memory".to_owned()
    }
}

/// Reads all there is, and writes it in all ways that there are.
pub fn look(memory: impl Memory + 'static) {
    let begin = Instant::now();
    if let Ok(mut reader) = Reader::new(Box::new(memory)) {
        for _ in 0..2 {
            let _ = reader.busy();
            if let Ok(reading) = reader.read() {
                draw_rows(&reading.runtimes, |_| {});
                let _ = draw_tree(&reading.runtimes, |_| {});
                write(&reading.table());
            }
        }
    }
    // Usually it is milliseconds.
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

pub fn write(table: &TaskTable) {
    let _ = table.tree();
    let _ = table.to_json();
    let _ = table.to_dot();
    let _ = table.to_string();
}

/// This process's header with its fields and labels, as they are; moved to [`BASE`], with tables at other places in the
/// piece of memory.
pub fn header() -> Vec<u8> {
    let address = outside::header_address() as *const u8;
    let fixed = size_of::<Fixed>();
    // SAFETY: the header is a static of that size, and nobody changes what is read here.
    let counts = unsafe { (address.add(24).cast::<u32>().read(), address.add(28).cast::<u32>().read()) };
    let length = fixed + size_of::<Field>() * counts.0 as usize + size_of::<Label>() * counts.1 as usize;
    let mut bytes = vec![0; length];
    // SAFETY: what has been counted is there.
    unsafe { address.copy_to_nonoverlapping(bytes.as_mut_ptr(), length) };
    let mut put =
        |offset: usize, address: u64| bytes[offset..offset + 8].copy_from_slice(&address.to_ne_bytes());
    put(offset_of!(Fixed, address), BASE);
    for (number, field) in [
        offset_of!(Fixed, page_count),
        offset_of!(Fixed, types),
        offset_of!(Fixed, runtimes),
        offset_of!(Fixed, clock_origin),
        offset_of!(Fixed, pages),
    ]
    .into_iter()
    .enumerate()
    {
        put(field, BASE + length as u64 + 8 * number as u64);
    }
    bytes
}

/// Kind, flags, offset, address, length.
pub type Segment = (u32, u32, u64, u64, u64);

pub fn half(file: &mut Vec<u8>, number: u16) {
    file.extend(number.to_le_bytes());
}

pub fn word(file: &mut Vec<u8>, number: u32) {
    file.extend(number.to_le_bytes());
}

pub fn long(file: &mut Vec<u8>, number: u64) {
    file.extend(number.to_le_bytes());
}

/// The beginning of an ELF file: its header, with so many program headers to come, and sections at this offset.
pub fn elf(count: u16, sections: u64) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    half(&mut file, 4);
    half(&mut file, 62);
    word(&mut file, 1);
    [0, 64, sections].into_iter().for_each(|number| long(&mut file, number));
    word(&mut file, 0);
    [64, 56, count, 64, 0, 0].into_iter().for_each(|number| half(&mut file, number));
    file
}

pub fn program_headers(file: &mut Vec<u8>, segments: impl IntoIterator<Item = Segment>) {
    for (kind, flags, offset, address, length) in segments {
        word(file, kind);
        word(file, flags);
        [offset, address, 0, length, length, 8].into_iter().for_each(|number| long(file, number));
    }
}

/// The beginning of a note of `NT_FILE`.
pub fn file_note(file: &mut Vec<u8>, length: u32) {
    word(file, 5);
    word(file, length);
    word(file, 0x4649_4c45);
    file.extend(b"CORE\0\0\0\0");
}

/// A core file with a segment for the memory, and a note for what is mapped.
pub fn core_of(memory: &[u8]) -> Vec<u8> {
    let mut file = elf(2, 0);
    let paths = b"/no/such/file\0";
    let note_length = 12 + 8 + 40 + paths.len() as u64;
    let note_at = 64 + 2 * 56;
    let memory_at = (note_at + note_length).next_multiple_of(8);
    program_headers(
        &mut file,
        [(4_u32, 0, note_at, 0, note_length), (1, 6, memory_at, BASE, memory.len() as u64)],
    );
    file_note(&mut file, 40 + paths.len() as u32);
    [1, 1, BASE, BASE + memory.len() as u64, 0].into_iter().for_each(|number| long(&mut file, number));
    file.extend(paths);
    file.resize(memory_at as usize, 0);
    file.extend(memory);
    file
}

pub fn piece(words: &[u64]) -> Vec<u8> {
    let mut bytes = header();
    bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    bytes
}
