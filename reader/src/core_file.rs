//! The memory of a process that was written to a file: a core file.
//!
//! ```text
//!   PT_LOAD    what was written to, and what is not in any file         read from the core file
//!   NT_FILE    which files were mapped where                            the rest is read from those, if they are there
//! ```
//!
//! The file may be damaged, or made to do harm: it is only ever read, at offsets that are checked when it is done.

use crate::budget::Budget;
use crate::error::Error;
use crate::limits;
use crate::mapped;
use crate::memory::{Memory, Region, Unreadable};
use object::elf::{self, FileHeader64, ProgramHeader64};
use object::read::elf::{FileHeader, NoteIterator, ProgramHeader};
use object::{NativeEndian, ReadCache, ReadRef};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

type Header = FileHeader64<NativeEndian>;

/// The memory of a process that was written to a core file.
#[derive(Debug)]
pub struct CoreFile {
    path: PathBuf,
    core: Mutex<File>,
    /// What is in it, by address.
    segments: Vec<Segment>,
    regions: Vec<Region>,
    /// What is in files, by address.
    mapped: Vec<Region>,
    /// Mapped files that were opened, or could not be.
    files: Mutex<HashMap<PathBuf, Option<File>>>,
}

#[derive(Debug)]
struct Segment {
    start: u64,
    length: u64,
    offset: u64,
}

impl CoreFile {
    /// Reads what the core file says that there is.
    ///
    /// # Errors
    ///
    /// [`Error::File`], [`Error::NotACore`].
    pub fn open(path: &Path) -> Result<CoreFile, Error> {
        let file = mapped::open_regular(path).map_err(|error| Error::File(path.to_owned(), error))?;
        let not_a_core = |why: &str| Error::NotACore(path.to_owned(), why.to_owned());
        let file = file.ok_or_else(|| {
            not_a_core("it is a pipe, a device or a directory, and a core file is read here and there: save it as a file first")
        })?;
        let data = ReadCache::new(&file);
        let header = Header::parse(&data).map_err(|_| not_a_core("it is no ELF file of 64 bits"))?;
        let endian = header.endian().map_err(|_| not_a_core("its byte order is another one"))?;
        if header.e_type(endian) != elf::ET_CORE {
            return Err(not_a_core("it is an ELF file of another kind"));
        }
        let headers = program_headers(header, &data).ok_or_else(|| not_a_core("it is cut off"))?;
        let mut segments = Vec::new();
        let mut regions = Vec::new();
        let mut mapped = Vec::new();
        let mut notes = Budget::new(limits::CORE_NOTES);
        for segment in headers {
            match segment.p_type(endian) {
                elf::PT_LOAD => {
                    let (start, length) = (segment.p_vaddr(endian), segment.p_filesz(endian));
                    segments.push(Segment { start, length, offset: segment.p_offset(endian) });
                    regions.push(Region {
                        start,
                        end: start.saturating_add(segment.p_memsz(endian)),
                        offset: u64::MAX,
                        writable: segment.p_flags(endian).contains(elf::PF_W),
                        file: None,
                    });
                }
                elf::PT_NOTE => {
                    let length = usize::try_from(segment.p_filesz(endian)).unwrap_or(usize::MAX);
                    mapped_files(&file, segment.p_offset(endian), notes.take(length), &mut mapped);
                }
                _ => {}
            }
        }
        segments.sort_by_key(|segment| segment.start);
        regions.sort_by_key(|region| region.start);
        mapped.sort_by_key(|region| region.start);
        let mut paths = Budget::new(limits::PATHS);
        for region in &mut regions {
            if let Some(of_file) = containing(&mapped, region.start)
                && let Some(path) = &of_file.file
                && paths.take_all(path.as_os_str().len())
            {
                region.file = Some(path.clone());
                region.offset = of_file.offset.wrapping_add(region.start - of_file.start);
            }
        }
        // What was mapped and is not in the core file at all.
        let is_missing = |file: &&Region| {
            regions.binary_search_by_key(&file.start, |region| region.start).is_err()
                && paths.take_all(file.file.as_ref().map_or(0, |path| path.as_os_str().len()))
        };
        let missing: Vec<Region> = mapped.iter().filter(is_missing).cloned().collect();
        regions.extend(missing);
        regions.sort_by_key(|region| region.start);
        drop(data);
        Ok(CoreFile {
            path: path.to_owned(),
            core: Mutex::new(file),
            segments,
            regions,
            mapped,
            files: Mutex::default(),
        })
    }

    /// As much as the core file has of it.
    fn read_core(&self, address: u64, buffer: &mut [u8]) -> usize {
        let after = self.segments.partition_point(|segment| segment.start <= address);
        let Some(segment) = after.checked_sub(1).map(|at| &self.segments[at]) else { return 0 };
        let within = address - segment.start;
        let length = segment.length.saturating_sub(within).min(buffer.len() as u64) as usize;
        let Some(offset) = segment.offset.checked_add(within) else { return 0 };
        let read =
            read_at(&self.core.lock().unwrap_or_else(|p| p.into_inner()), offset, &mut buffer[..length]);
        if read { length } else { 0 }
    }

    /// The same of the files that were mapped.
    fn read_mapped(&self, address: u64, buffer: &mut [u8]) -> usize {
        let Some(region) = containing(&self.mapped, address) else { return 0 };
        let Some(path) = &region.file else { return 0 };
        let within = address - region.start;
        let length = (region.end - address).min(buffer.len() as u64) as usize;
        let mut files = self.files.lock().unwrap_or_else(|p| p.into_inner());
        if !files.contains_key(path) {
            if files.len() >= limits::FILES {
                return 0;
            }
            files.insert(path.clone(), mapped::open(path));
        }
        match (&files[path], region.offset.checked_add(within)) {
            (Some(file), Some(offset)) if read_at(file, offset, &mut buffer[..length]) => length,
            _ => 0,
        }
    }
}

impl Memory for CoreFile {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
        let mut done = 0;
        while done < buffer.len() {
            let address = address.checked_add(done as u64).ok_or(Unreadable)?;
            let rest = &mut buffer[done..];
            let read = match self.read_core(address, rest) {
                0 => self.read_mapped(address, rest),
                read => read,
            };
            if read == 0 {
                return Err(Unreadable);
            }
            done += read;
        }
        Ok(())
    }

    fn regions(&self) -> &[Region] {
        &self.regions
    }

    fn open_file(&self, region: &Region) -> Option<File> {
        mapped::open(region.file.as_ref()?)
    }

    fn describe(&self) -> String {
        format!("core file {}", self.path.display())
    }
}

/// Whether all of the buffer could be filled.
fn read_at(mut file: &File, offset: u64, buffer: &mut [u8]) -> bool {
    file.seek(SeekFrom::Start(offset)).is_ok() && file.read_exact(buffer).is_ok()
}

/// As many of them as are looked at. (How many there are may be written outside of the header, as any number.)
fn program_headers<'data>(
    header: &Header,
    data: &'data ReadCache<&File>,
) -> Option<&'data [ProgramHeader64<NativeEndian>]> {
    let count = header.phnum(NativeEndian, data).ok()?.min(limits::SEGMENTS) as usize;
    if count == 0 {
        return Some(&[]);
    }
    let size = usize::from(header.e_phentsize(NativeEndian));
    let is_known = size == size_of::<ProgramHeader64<NativeEndian>>();
    is_known.then(|| data.read_slice_at(header.e_phoff(NativeEndian), count).ok())?
}

/// The region that an address is in, of those that are sorted by their beginnings and do not overlap.
fn containing(regions: &[Region], address: u64) -> Option<&Region> {
    let after = regions.partition_point(|region| region.start <= address);
    regions[..after].last().filter(|region| address < region.end)
}

/// Adds the files that the notes in this place say were mapped.
fn mapped_files(file: &File, offset: u64, length: usize, found: &mut Vec<Region>) {
    let mut notes = vec![0; length];
    if !read_at(file, offset, &mut notes) {
        return;
    }
    let Ok(mut iterator) = NoteIterator::<Header>::new(NativeEndian, 4, &notes) else { return };
    while let Ok(Some(note)) = iterator.next() {
        if note.n_type(NativeEndian) == elf::NT_FILE && note.name() == b"CORE" {
            let room = limits::MAPPINGS.saturating_sub(found.len());
            found.extend(file_table(note.desc()).take(room));
        }
    }
}

/// Their number, the size of a page, then for each: first address, end, offset in pages; then their paths, with zeros.
fn file_table(table: &[u8]) -> impl Iterator<Item = Region> {
    let word = |at: usize| Some(u64::from_ne_bytes(table.get(at * 8..at * 8 + 8)?.try_into().ok()?));
    let (count, page) = (word(0).unwrap_or_default(), word(1).unwrap_or_default());
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(table.len() / 24);
    let paths = table.get((2 + 3 * count) * 8..).unwrap_or_default().split(|byte| *byte == 0);
    paths.take(count).enumerate().filter_map(move |(number, path)| {
        let at = 2 + 3 * number;
        let (start, end, pages) = (word(at)?, word(at + 1)?, word(at + 2)?);
        let file = Some(PathBuf::from(path_of(path).filter(|path| path.len() <= limits::PATH)?));
        Some(Region { start, end: end.max(start), offset: pages.checked_mul(page)?, writable: false, file })
    })
}

#[cfg(unix)]
fn path_of(path: &[u8]) -> Option<&OsStr> {
    Some(std::os::unix::ffi::OsStrExt::from_bytes(path))
}

#[cfg(not(unix))]
fn path_of(path: &[u8]) -> Option<&OsStr> {
    std::str::from_utf8(path).ok().map(OsStr::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_mapped_files_is_understood_and_a_damaged_one_does_no_harm() {
        let words = [2_u64, 4096, 0x1000, 0x2000, 0, 0x2000, 0x3000, 1];
        let mut table: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        table.extend(b"/bin/a\0/bin/b\0");
        let files: Vec<Region> = file_table(&table).collect();
        let file = |start, end, offset, path: &str| (start, end, offset, Some(PathBuf::from(path)));
        let found: Vec<_> = files
            .iter()
            .map(|region| (region.start, region.end, region.offset, region.file.clone()))
            .collect();
        assert_eq!(found, [file(0x1000, 0x2000, 0, "/bin/a"), file(0x2000, 0x3000, 4096, "/bin/b")]);
        for length in 0..table.len() {
            file_table(&table[..length]).for_each(drop);
        }
        table[0] = 255;
        table[7] = 255;
        file_table(&table).for_each(drop);
    }
}
