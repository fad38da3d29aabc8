//! Finding the headers: of the program, and of each library in it that has a homing of its own.
//!
//! ```text
//!   note      in the program headers of each mapped ELF file, which are in memory themselves
//!   section   in the file that is mapped, if the note is not to be had
//!   magic     in all that is mapped from files and may be written to, if neither is
//! ```
//!
//! The first needs no file, and survives `strip` and section headers that were zeroed. Whatever is found counts only if it
//! says that it is where it was found: a copy of a header is none.

use crate::budget::Budget;
use crate::limits;
use crate::memory::{Memory, Region};
use homing_executor::outside::file::FILE_MAGIC;
use homing_executor::outside::{MAGIC, NOTE_NAME, SECTION};
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, NoteIterator, ProgramHeader, SectionHeader};
use object::{NativeEndian, ReadCache};
use std::collections::BTreeSet;

type Header = FileHeader64<NativeEndian>;

/// What all images together may take.
struct Allowance {
    /// Bytes of notes.
    notes: Budget,
    sections: Budget,
}

/// The addresses of what may be headers.
pub(crate) fn candidates(memory: &dyn Memory) -> Vec<u64> {
    let mut found = BTreeSet::new();
    let mut allowance =
        Allowance { notes: Budget::new(limits::NOTES_IN_ALL), sections: Budget::new(limits::SECTIONS) };
    let beginnings = memory.regions().iter().filter(|region| region.file.is_some() && region.offset == 0);
    for region in beginnings.take(limits::IMAGES) {
        let of_image = match Image::at(memory, region) {
            Some(image) => {
                let noted = image.noted(memory, &mut allowance);
                if noted.is_empty() { image.in_section(memory, region, &mut allowance) } else { noted }
            }
            // Its headers are not in memory, as in a core file that has no more than what was written to.
            None => in_file(memory, region, &mut allowance),
        };
        found.extend(of_image.into_iter().take(limits::CANDIDATES.saturating_sub(found.len())));
    }
    if !found.iter().any(|address| begins_with_magic(memory, *address)) {
        found = scan(memory);
    }
    found.into_iter().collect()
}

fn begins_with_magic(memory: &dyn Memory, address: u64) -> bool {
    let mut magic = [0; MAGIC.len()];
    memory.read(address, &mut magic).is_ok() && magic == MAGIC
}

/// A mapped ELF file.
struct Image {
    /// What is added to the addresses that the file speaks of.
    bias: u64,
    /// Address and length of its notes.
    notes: Vec<(u64, u64)>,
}

impl Image {
    fn at(memory: &dyn Memory, region: &Region) -> Option<Image> {
        let mut header = vec![0; size_of::<Header>()];
        memory.read(region.start, &mut header).ok()?;
        let header = Header::parse(&*header).ok()?;
        let endian = header.endian().ok()?;
        let count = u32::from(header.e_phnum(endian)).min(limits::IMAGE_SEGMENTS) as usize;
        let size = size_of::<elf::ProgramHeader64<NativeEndian>>();
        if usize::from(header.e_phentsize(endian)) != size {
            return None;
        }
        let mut segments = vec![0; count * size];
        memory.read(region.start.checked_add(header.e_phoff(endian))?, &mut segments).ok()?;
        let (segments, _) =
            object::slice_from_bytes::<elf::ProgramHeader64<NativeEndian>>(&segments, count).ok()?;
        let loaded = segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD);
        // The mapping of the file's beginning is that of the lowest address, rounded down to a page.
        let lowest = loaded.map(|segment| segment.p_vaddr(endian) & !0xFFF).min()?;
        let bias = region.start.wrapping_sub(lowest);
        let notes = segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_NOTE);
        let notes =
            notes.map(|note| (bias.wrapping_add(note.p_vaddr(endian)), note.p_memsz(endian))).collect();
        Some(Image { bias, notes })
    }

    /// What its notes point to.
    fn noted(&self, memory: &dyn Memory, allowance: &mut Allowance) -> Vec<u64> {
        let mut found = Vec::new();
        for (address, length) in &self.notes {
            let length = usize::try_from(*length).unwrap_or(usize::MAX).min(limits::NOTES);
            let mut bytes = vec![0; allowance.notes.take(length)];
            if memory.read(*address, &mut bytes).is_ok() {
                let room = limits::CANDIDATES.saturating_sub(found.len());
                found.extend(pointed_to(&bytes, *address).into_iter().take(room));
            }
        }
        found
    }

    /// The sections of its file.
    fn in_section(&self, memory: &dyn Memory, region: &Region, allowance: &mut Allowance) -> Vec<u64> {
        let file = memory.open_file(region);
        let sections = file.map(|file| section_addresses(file, allowance)).unwrap_or_default();
        sections.into_iter().map(|address| self.bias.wrapping_add(address)).collect()
    }
}

/// What notes that are at this address point to.
fn pointed_to(notes: &[u8], address: u64) -> Vec<u64> {
    let mut found = Vec::new();
    let Ok(mut iterator) = NoteIterator::<Header>::new(NativeEndian, 4, notes) else { return found };
    while let Ok(Some(note)) = iterator.next() {
        if note.name() == NOTE_NAME
            && let Ok(distance) = <[u8; 8]>::try_from(note.desc())
        {
            let at = note.desc().as_ptr().addr() - notes.as_ptr().addr();
            let contents = address.wrapping_add(at as u64);
            found.push(contents.wrapping_add_signed(i64::from_ne_bytes(distance)));
        }
    }
    found
}

/// Where the file of a region has sections of that name, as the file speaks of it.
fn section_addresses(file: std::fs::File, allowance: &mut Allowance) -> Vec<u64> {
    let data = ReadCache::new(file);
    let mut addresses = || -> object::Result<Vec<u64>> {
        let header = Header::parse(&data)?;
        let endian = header.endian()?;
        // How many there are may be written outside of the header, as any number.
        if !allowance.sections.take_all(header.shnum(endian, &data)? as usize) {
            return Ok(Vec::new());
        }
        let sections = header.sections(endian, &data)?;
        let named = sections.iter().filter(|section| {
            sections.section_name(endian, section).is_ok_and(|name| name == SECTION.as_bytes())
        });
        Ok(named.map(|section| section.sh_addr(endian)).collect())
    };
    addresses().unwrap_or_default()
}

/// The same where not even the beginning of the file is in memory: all is told by the file.
fn in_file(memory: &dyn Memory, region: &Region, allowance: &mut Allowance) -> Vec<u64> {
    let Some(file) = memory.open_file(region) else { return Vec::new() };
    let data = ReadCache::new(&file);
    let lowest = || -> object::Result<Option<u64>> {
        let header = Header::parse(&data)?;
        let endian = header.endian()?;
        if header.phnum(endian, &data)? > limits::IMAGE_SEGMENTS {
            return Ok(None);
        }
        let segments = header.program_headers(endian, &data)?.iter();
        let loaded = segments.filter(|segment| segment.p_type(endian) == elf::PT_LOAD);
        Ok(loaded.map(|segment| segment.p_vaddr(endian) & !0xFFF).min())
    };
    let Ok(Some(lowest)) = lowest() else { return Vec::new() };
    let bias = region.start.wrapping_sub(lowest);
    let Ok(file) = file.try_clone() else { return Vec::new() };
    section_addresses(file, allowance).into_iter().map(|address| bias.wrapping_add(address)).collect()
}

/// Whether it is the beginning of one, with a header of its own for tasks that the process's header tells of.
fn is_black_box(memory: &dyn Memory, region: &Region) -> bool {
    let mut magic = [0; FILE_MAGIC.len()];
    memory.read(region.start, &mut magic).is_ok() && magic == FILE_MAGIC
}

/// Looks for the magic in all that is mapped from files and may be written to. (A header is aligned to 8 bytes.)
fn scan(memory: &dyn Memory) -> BTreeSet<u64> {
    const AT_ONCE: usize = 64 << 10;
    /// The data of a program are not that large.
    const AT_MOST: u64 = 256 << 20;
    let mut found = BTreeSet::new();
    let mut bytes = vec![0; AT_ONCE];
    let mut left = AT_MOST;
    for region in memory.regions().iter().filter(|region| region.writable && region.file.is_some()) {
        if is_black_box(memory, region) {
            continue;
        }
        let mut address = region.start;
        while address < region.end && left > 0 {
            let length = (region.end - address).min(AT_ONCE as u64);
            let bytes = &mut bytes[..length as usize];
            if memory.read(address, bytes).is_ok() {
                let words = bytes.chunks_exact(8).enumerate();
                let hits =
                    words.filter(|(_, word)| *word == &MAGIC[..8]).map(|(at, _)| address + 8 * at as u64);
                let hits = hits.filter(|hit| begins_with_magic(memory, *hit));
                found.extend(hits.take(limits::CANDIDATES.saturating_sub(found.len())));
            }
            address += length;
            left = left.saturating_sub(length);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_points_from_its_contents_to_the_header() {
        let mut notes = Vec::new();
        for (name, contents) in [(&b"other\0"[..], 5_i64), (b"homing\0", -64), (b"homing\0", 16)] {
            notes.extend((name.len() as u32).to_ne_bytes());
            notes.extend(8_u32.to_ne_bytes());
            notes.extend(1_u32.to_ne_bytes());
            notes.extend(name);
            notes.resize(notes.len().next_multiple_of(4), 0);
            notes.extend(contents.to_ne_bytes());
        }
        // Each has 12 bytes, 8 of the name and 8 of its contents.
        assert_eq!(pointed_to(&notes, 1000), [1000 + 28 + 20 - 64, 1000 + 56 + 20 + 16]);
        for length in 0..notes.len() {
            pointed_to(&notes[..length], u64::MAX);
        }
    }
}
