//! Memory that is damaged, or made to do harm: whatever it holds, the reader comes back, and soon, and with little.

mod made_up;

use homing::sync::Mutex;
use homing::{sleep, task, task_group, timeout, yield_now};
use homing_executor::outside::{self, Field, Fixed, Label};
use homing_reader::{CoreFile, Error, Memory, Reader, Region, Unreadable, limits};
use made_up::{BASE, Piece, core_of, elf, file_note, header, long, look, piece, program_headers, word};
use proptest::prelude::*;
use std::fs::File;
use std::mem::offset_of;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Memory of which some bytes are others each time that they are read.
struct Flipping<M> {
    memory: M,
    random: AtomicU64,
    /// One of so many reads is disturbed.
    one_of: u64,
}

impl<M> Flipping<M> {
    fn random(&self) -> u64 {
        // xorshift (Marsaglia).
        let mut random = self.random.load(Ordering::Relaxed);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random.store(random, Ordering::Relaxed);
        random
    }
}

impl<M: Memory> Memory for Flipping<M> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
        self.memory.read(address, buffer)?;
        if self.random().is_multiple_of(self.one_of) {
            for _ in 0..1 + self.random() % 8 {
                let at = self.random() as usize % buffer.len().max(1);
                let values = [0, 1, 0x7F, 0xFF, self.random() as u8];
                let value = values[self.random() as usize % values.len()];
                if let Some(byte) = buffer.get_mut(at) {
                    *byte = value;
                }
            }
        }
        Ok(())
    }

    fn regions(&self) -> &[Region] {
        self.memory.regions()
    }

    fn open_file(&self, region: &Region) -> Option<File> {
        self.memory.open_file(region)
    }

    fn now(&self) -> Option<u64> {
        self.memory.now()
    }

    fn thread_name(&self, thread: u64) -> Option<String> {
        self.memory.thread_name(thread)
    }

    fn describe(&self) -> String {
        self.memory.describe()
    }
}

/// Words of which many lead somewhere.
fn words() -> impl Strategy<Value = Vec<u64>> {
    let word = prop_oneof![
        3 => (0_u64..8192).prop_map(|offset| BASE + offset * 8),
        2 => 0_u64..70_000,
        1 => any::<u64>(),
        1 => Just(u64::MAX),
        1 => Just(BASE),
    ];
    proptest::collection::vec(word, 16..4096)
}

/// A file that is there for as long as this is.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, contents: &[u8]) -> Scratch {
        let path = std::env::temp_dir().join(format!("homing-{name}-{}", std::process::id()));
        std::fs::write(&path, contents).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn tables_of_any_contents_are_read_to_an_end(words in words()) {
        look(Piece::new(piece(&words)));
    }

    #[test]
    fn headers_of_any_contents_are_read_to_an_end(
        words in words(),
        changes in proptest::collection::vec((16_usize..3000, any::<u8>()), 1..40),
    ) {
        let mut bytes = piece(&words);
        for (at, value) in changes {
            // The magic and the address stay, or there would be no header.
            if let Some(byte) = bytes.get_mut(at).filter(|_| !(32..40).contains(&at)) {
                *byte = value;
            }
        }
        look(Piece::new(bytes));
    }

    #[test]
    fn core_files_of_any_contents_are_read_to_an_end(
        words in words(),
        changes in proptest::collection::vec((0_usize..300, any::<u8>()), 0..20),
        length in prop_oneof![3 => Just(usize::MAX), 1 => 0_usize..20_000],
        number in any::<u64>(),
    ) {
        let mut file = core_of(&piece(&words));
        file.truncate(length);
        for (at, value) in changes {
            if let Some(byte) = file.get_mut(at) {
                *byte = value;
            }
        }
        let path = std::env::temp_dir().join(format!("homing-hostile-{}-{number}", std::process::id()));
        std::fs::write(&path, file).unwrap();
        if let Ok(core) = CoreFile::open(&path) {
            look(core);
        }
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_core_file_that_is_made_by_hand_is_one() {
    let file = Scratch::new("by-hand", &core_of(&piece(&[0; 64])));
    let core = CoreFile::open(&file.0).unwrap();
    let mut reader = Reader::new(Box::new(core)).unwrap();
    assert_eq!(reader.read().unwrap().task_count(), 0);
}

#[test]
fn notes_that_tell_of_the_same_mappings_again_and_again_do_not_add_up() {
    const HEADERS: u16 = 60_000;
    const MAPPED: u64 = 400_000;
    let mut file = elf(HEADERS, 0);
    let note_at = 64 + 56 * u64::from(HEADERS);
    let length = 16 + 25 * MAPPED;
    let headers = (1..HEADERS).map(|_| (4, 0, note_at, 0, 20 + length));
    // And one whose file is among them.
    program_headers(&mut file, headers.chain([(1, 6, 0, BASE, 4096)]));
    file_note(&mut file, length as u32);
    long(&mut file, MAPPED);
    long(&mut file, 4096);
    for number in 0..MAPPED {
        // In no order: what is looked up in them must be found all the same.
        let start = BASE + (number * 7919) % MAPPED * 4096;
        [start, start + 4096, 1].into_iter().for_each(|number| long(&mut file, number));
    }
    file.resize(file.len() + MAPPED as usize, 0);
    let file = Scratch::new("mappings", &file);
    let begin = Instant::now();
    let core = CoreFile::open(&file.0).unwrap();
    assert!(core.regions().len() <= limits::MAPPINGS + limits::SEGMENTS as usize);
    assert!(core.regions().len() >= limits::MAPPINGS, "{}", core.regions().len());
    assert!(core.regions().is_sorted_by_key(|region| region.start));
    for region in core.regions() {
        let _ = core.read(region.start, &mut [0]);
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn a_core_file_that_claims_a_hundred_million_segments_is_not_read_whole() {
    const CLAIMED: u32 = 100_000_000;
    let mut file = elf(0xFFFF, 64);
    // Its first section header, with the number of program headers; it is the first of those as well.
    file.extend([0; 44]);
    word(&mut file, CLAIMED);
    file.extend([0; 16]);
    let file = Scratch::new("segments", &file);
    let made = File::options().write(true).open(&file.0).unwrap().set_len(u64::from(CLAIMED) * 56 + 64);
    if let Err(error) = made {
        return eprintln!("NOT TESTED: no file with a hole of 5 GiB can be made here: {error}");
    }
    let begin = Instant::now();
    assert_eq!(CoreFile::open(&file.0).unwrap().regions().len(), 0);
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

/// Very many mappings of one image, and how much of them was read.
struct Images(Vec<u8>, Vec<Region>, Arc<AtomicU64>);

impl Memory for Images {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
        self.2.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        buffer.fill(0);
        let at = (address - BASE) as usize % (1 << 20);
        let there = self.0.get(at..).unwrap_or_default();
        let length = there.len().min(buffer.len());
        buffer[..length].copy_from_slice(&there[..length]);
        Ok(())
    }

    fn regions(&self) -> &[Region] {
        &self.1
    }

    fn describe(&self) -> String {
        "very many images".to_owned()
    }
}

#[test]
fn notes_of_very_many_images_are_not_all_read() {
    const HEADERS: u16 = 1000;
    let mut image = elf(HEADERS, 0);
    let notes = (1..HEADERS).map(|_| (4, 0, 0, 0x8_0000, u64::MAX));
    program_headers(&mut image, notes.chain([(1, 4, 0, 0, 4096)]));
    let regions = (0..20_000).map(|number| {
        let start = BASE + (number << 20);
        Region {
            start,
            end: start + (1 << 20),
            offset: 0,
            writable: false,
            file: Some("/no/such/file".into()),
        }
    });
    let read = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let images = Images(image, regions.collect(), Arc::clone(&read));
    assert!(matches!(Reader::new(Box::new(images)), Err(Error::NoHoming(_))));
    let headers = limits::IMAGES * (64 + 56 * limits::IMAGE_SEGMENTS as usize);
    let read = read.load(Ordering::Relaxed) as usize;
    assert!(read <= limits::NOTES_IN_ALL + headers, "{read} bytes");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn a_header_of_another_version_is_refused_with_what_reads_it() {
    let mut bytes = piece(&[0; 64]);
    let mut put = |offset: usize, what: &[u8]| bytes[offset..offset + what.len()].copy_from_slice(what);
    put(offset_of!(Fixed, version), &(outside::VERSION + 1).to_ne_bytes());
    put(offset_of!(Fixed, release), b"7.8.9\0");
    let error = Reader::new(Box::new(Piece::new(bytes))).unwrap_err();
    let Error::Version { version, release } = &error else { panic!("{error:?}") };
    assert_eq!((*version, release.as_str()), (outside::VERSION + 1, "7.8.9"));
    assert_eq!(error.exit_code(), 6);
    let (theirs, ours) = (outside::VERSION + 1, outside::VERSION);
    assert_eq!(
        error.to_string(),
        format!(
            "it was built with homing 7.8.9, which describes its tasks in format {theirs}; this reads format {ours}. Use the \
             command `homing` of that version: cargo install homing --features cli --version 7.8.9"
        )
    );
}

/// Where very many rows, places and texts are.
const ROWS: u64 = 1 << 40;
const PLACES: u64 = 2 << 40;
const TEXTS: u64 = 3 << 40;

/// Headers, and rows that are all alike, but for their places. No texts: what is asked for of them is counted.
struct Vast {
    headers: Vec<u8>,
    region: [Region; 1],
    row: Vec<u8>,
    row_size: u64,
    /// Where a row has its place, and a place has its text.
    place_at: usize,
    text_at: [usize; 2],
    rows_read: Arc<AtomicU64>,
    texts_read: Arc<AtomicU64>,
}

impl Vast {
    /// So many headers, each with so many pages: rows of this size, with a task or with a callback.
    fn new(headers: u64, pages: u64, row_size: Option<u32>, callback: bool) -> Vast {
        // After this, it is known how places are laid out.
        homing::run(async { Ok(()) }).unwrap();
        let mut header = header();
        let fixed = size_of::<Fixed>();
        let number = |bytes: &[u8], at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        // Of what has this name in the tables of fields and labels.
        let named = |name: &str| {
            let is_it = |entry: &[u8]| entry.starts_with(name.as_bytes()) && entry[name.len()] == 0;
            fixed + 32 * header[fixed..].chunks_exact(32).position(is_it).unwrap()
        };
        let field = |name: &str| number(&header, named(name) + offset_of!(Field, offset)) as usize;
        let label = |name: &str| number(&header, named(name) + offset_of!(Label, value)) as u8;
        let mut row = vec![0; 256];
        row[field("row.word")] = 2;
        row[field("row.state")] = label("parked");
        row[field("row.flags")] = if callback { label("callback") } else { 0 };
        let place_at = field("row.place");
        let size_at = named("row") + offset_of!(Field, size);
        let location = offset_of!(Fixed, location);
        let text_at = [4, 8].map(|at| number(&header, location + at) as usize);
        let page_rows = u64::from(number(&header, offset_of!(Fixed, page_rows)));
        if let Some(size) = row_size {
            header[size_at..size_at + 4].copy_from_slice(&size.to_ne_bytes());
        }
        let row_size = u64::from(number(&header, size_at));
        let words =
            [pages, 0, 0, 0].into_iter().chain((0..pages).map(|page| ROWS + page * page_rows * row_size));
        header.extend(words.flat_map(u64::to_ne_bytes));
        header.resize(header.len().next_multiple_of(4096), 0);
        let end = BASE + headers * header.len() as u64;
        let mut all = Vec::new();
        for number in 0..headers {
            let address = BASE + number * header.len() as u64;
            let at = offset_of!(Fixed, address);
            header[at..at + 8].copy_from_slice(&address.to_ne_bytes());
            all.extend(&header);
        }
        Vast {
            headers: all,
            region: [Region {
                start: BASE,
                end,
                offset: 0,
                writable: true,
                file: Some("/no/such/file".into()),
            }],
            row,
            row_size,
            place_at,
            text_at,
            rows_read: Arc::default(),
            texts_read: Arc::default(),
        }
    }
}

impl Memory for Vast {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
        let length = buffer.len() as u64;
        if address >= TEXTS {
            self.texts_read.fetch_add(length, Ordering::Relaxed);
            return Err(Unreadable);
        }
        if address >= PLACES {
            for (at, word) in self.text_at.into_iter().zip([TEXTS + (address - PLACES) * 64, 4096]) {
                buffer[at..at + 8].copy_from_slice(&word.to_ne_bytes());
            }
            return Ok(());
        }
        if address >= ROWS {
            self.rows_read.fetch_add(length, Ordering::Relaxed);
            let first = (address - ROWS) / self.row_size;
            for (number, row) in (first..).zip(buffer.chunks_exact_mut(self.row_size as usize)) {
                let length = row.len().min(self.row.len());
                row[..length].copy_from_slice(&self.row[..length]);
                row[self.place_at..][..8].copy_from_slice(&(PLACES + number * 64).to_ne_bytes());
            }
            return Ok(());
        }
        let at = address.checked_sub(BASE).ok_or(Unreadable)? as usize;
        buffer.copy_from_slice(self.headers.get(at..at + buffer.len()).ok_or(Unreadable)?);
        Ok(())
    }

    fn regions(&self) -> &[Region] {
        &self.region
    }

    fn describe(&self) -> String {
        "vast memory".to_owned()
    }
}

#[test]
fn texts_of_very_many_rows_are_not_all_read() {
    let memory = Vast::new(1, 300, None, false);
    let read = Arc::clone(&memory.texts_read);
    let mut reader = Reader::new(Box::new(memory)).unwrap();
    // What was remembered of the first reading is not in the way of the second one.
    for number in 1..=2 {
        let reading = reader.read().unwrap();
        assert!(reading.left.details && !reading.left.tasks);
        assert!(reading.task_count() as u64 * 4096 > limits::TEXTS as u64, "not enough rows");
        let read = read.load(Ordering::Relaxed);
        assert!(read > 0 && read <= number * limits::TEXTS as u64, "{read} bytes");
    }
}

#[test]
fn rows_of_callbacks_of_very_many_headers_are_not_all_read() {
    let memory = Vast::new(200, 5000, Some(65_536), true);
    let read = Arc::clone(&memory.rows_read);
    let begin = Instant::now();
    let mut reader = Reader::new(Box::new(memory)).unwrap();
    assert_eq!(reader.headers().count(), limits::PARTS);
    let reading = reader.read().unwrap();
    assert!(reading.left.tasks && reading.task_count() == 0);
    let read = read.load(Ordering::Relaxed);
    assert!(read > 0 && read <= 2 * limits::READS as u64, "{read} bytes");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn memory_that_changes_with_each_read_is_read_to_an_end() {
    use homing_reader::Process;
    homing::run(async {
        task_group(async |tg| {
            for number in 0..50 {
                tg.task(timeout(Duration::from_secs(60), sleep(Duration::from_secs(60))))
                    .name(format!("task {number}"))
                    .spawn();
            }
            let both = futures_util::future::join(sleep(Duration::from_secs(60)), yield_now());
            task(async move { both.await.0 }).name("two").spawn();
            yield_now().await?;
            yield_now().await?;
            for seed in 1..100 {
                let memory = Process::open(std::process::id()).unwrap();
                let one_of = [1, 2, 5, 20, 100][seed as usize % 5];
                look(Flipping { memory, random: AtomicU64::new(seed * 0x9E37_79B9), one_of });
            }
            tg.cancel();
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// A process as it would be if its homing did not know of some fields.
struct Without<M> {
    memory: M,
    /// Where its header is.
    header: u64,
    /// What the fields begin with.
    prefixes: [&'static str; 2],
}

impl<M: Memory> Memory for Without<M> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
        self.memory.read(address, buffer)?;
        if address == self.header + size_of::<Fixed>() as u64 {
            for field in buffer.chunks_exact_mut(size_of::<Field>()) {
                if self.prefixes.iter().any(|prefix| field.starts_with(prefix.as_bytes())) {
                    field[..24].fill(0);
                }
            }
        }
        Ok(())
    }

    fn regions(&self) -> &[Region] {
        self.memory.regions()
    }

    fn open_file(&self, region: &Region) -> Option<File> {
        self.memory.open_file(region)
    }

    fn now(&self) -> Option<u64> {
        self.memory.now()
    }

    fn thread_name(&self, thread: u64) -> Option<String> {
        self.memory.thread_name(thread)
    }

    fn describe(&self) -> String {
        self.memory.describe()
    }
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn a_program_that_does_not_say_who_holds_its_locks_is_read_all_the_same() {
    homing::run(async {
        let mutex = std::rc::Rc::new(Mutex::new(()));
        let held = mutex.lock().await?;
        let theirs = mutex.clone();
        let waits = task(async move { theirs.lock().await.map(drop) }).name("waits").spawn();
        yield_now().await?;
        let frame = |prefixes| {
            let memory = homing_reader::Process::open(std::process::id()).unwrap();
            let header = outside::header_address() as u64;
            let mut reader = Reader::new(Box::new(Without { memory, header, prefixes })).unwrap();
            let table = reader.read().unwrap().table();
            let waits = table.tasks().find(|task| task.name.as_deref() == Some("waits")).unwrap();
            waits.stack[0].clone()
        };
        let (now, before) = (frame(["nothing", "nothing"]), frame(["board", "holder"]));
        assert_eq!(now.held_by.len(), 1);
        assert_eq!((&*before.name, before.held_by.len()), ("mutex", 0));
        // What is left is the number.
        assert!(now.detail.starts_with(&format!("{}, held by task 'main' since ", before.detail)), "{now}");
        drop(held);
        waits.await
    })
    .unwrap();
}
