//! The arena: memory in a file, for one runtime.
//!
//! ```text
//!   thread ──► arena ──► arena          usually none, or one: a list, for runtimes that share a thread
//!                │
//!                ├── Memory    pieces of chunks, given out and taken back
//!                ├── BoxFile   one more chunk, as large as all so far, up to a limit
//!                └── Images    constants
//! ```
//!
//! All of it is used on the runtime's thread only, as the runtime is. Where there is no room any more, memory comes from the
//! heap: the program goes on as without a black box, and the file says that something is missing.
//!
//! Invariant (by-address): whether memory is an arena's is told by its address alone, so an arena is in its thread's list for
//! as long as any of its memory is used.

use super::contents::{self, Contents};
use super::error::BlackBoxError;
use super::file::{self, BoxFile};
use super::images::Images;
use super::memory::{Memory, page};
use crate::holders::{self, BOARDS, Record};
use crate::outpost::RuntimeOutpost;
use crate::outside;
use crate::outside::file::{CONTENTS_AT, FileHeader};
use crate::runtime::core::Core;
use crate::task::cell::VTable;
use crate::task::pages::{self, PAGE_ROWS, Page};
use crate::task::row::Row;
use crate::task::types::TypeRecord;
use std::alloc::Layout;
use std::cell::{Cell, RefCell};
use std::io;
use std::ops::Range;
use std::panic::Location;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering;

/// The first chunk: enough for the tables and a page of rows.
const FIRST_CHUNK: usize = (512 << 10) - CONTENTS_AT;
/// The largest.
const LARGEST_CHUNK: usize = 64 << 20;
const PAGE_BYTES: usize = PAGE_ROWS * size_of::<Row>();
/// After the disk was full, one of so many requests tries again.
const TRY_AGAIN_AFTER: u64 = 1024;
/// The longest name of a type that is kept: readers take no longer ones.
const LONGEST_NAME: usize = 4096;

thread_local! {
    /// The arenas of this thread.
    static FIRST: Cell<Option<NonNull<Arena>>> = const { Cell::new(None) };
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Arena {
    next: Cell<Option<NonNull<Arena>>>,
    memory: RefCell<Memory>,
    file: RefCell<Option<BoxFile>>,
    images: RefCell<Images>,
    header: NonNull<FileHeader>,
    contents: NonNull<Contents>,
    /// Where rows and boards are: memory that stays when the runtime has ended.
    staying: RefCell<Vec<Range<usize>>>,
    /// Boards that no lock has.
    boards: RefCell<Vec<&'static Record>>,
    /// Those that the runtime has given back.
    retired: RefCell<Vec<Page>>,
}

/// The black box of a runtime. Dropped, when all in it but rows has been given back, it ends.
#[derive(Debug)]
pub(crate) struct BlackBox(NonNull<Arena>);

/// The arena that has this address, if it is one of this thread's, and goes on. (A page of rows is also at the addresses of
/// the one that it was in before, which may not be gone.)
#[inline(always)]
pub(crate) fn arena_of(near: *const ()) -> Option<&'static Arena> {
    let arena = FIRST.get().and_then(|first| find(first, near.addr(), Arena::is_open));
    // SAFETY: arenas in the list are there, and are only used on this thread. The reference is for one step of whoever asks
    // for it, and an arena goes only when its runtime has, and all that has outlived that.
    arena.map(|arena| unsafe { arena.as_ref() })
}

#[cold]
fn find(first: NonNull<Arena>, address: usize, is_wanted: fn(&Arena) -> bool) -> Option<NonNull<Arena>> {
    let mut next = Some(first);
    while let Some(arena) = next {
        // SAFETY: arenas in the list are there.
        let looked_at = unsafe { arena.as_ref() };
        if is_wanted(looked_at) && looked_at.memory.borrow().holds(address) {
            return Some(arena);
        }
        next = looked_at.next.get();
    }
    None
}

/// Gives memory back, if it is an arena's, and says whether it was.
///
/// # Safety
///
/// If it is an arena's, it comes from [`Arena::allocate`] with this layout, and is used no more.
#[inline]
pub(crate) unsafe fn free(memory: NonNull<u8>, layout: Layout) -> bool {
    let arena = FIRST.get().and_then(|first| find(first, memory.addr().get(), |_| true));
    let Some(arena) = arena else { return false };
    // SAFETY: it is there; and the memory is as promised.
    let is_over = unsafe {
        let arena = arena.as_ref();
        arena.memory.borrow_mut().give_back(memory, layout);
        arena.file.borrow().is_none() && arena.is_empty()
    };
    if is_over {
        // SAFETY: its runtime has ended, and that was the last of what has outlived it.
        unsafe { dispose(arena) };
    }
    true
}

impl BlackBox {
    /// Makes the file, and an arena in it.
    #[track_caller]
    pub(crate) fn create(path: &Path) -> Result<BlackBox, BlackBoxError> {
        let (file, chunk) = BoxFile::create(path, FIRST_CHUNK)?;
        let mut memory = Memory::default();
        // SAFETY: it was just mapped, and is zeroed.
        unsafe { memory.add(chunk, FIRST_CHUNK) };
        let tables = memory.take_pages(size_of::<Contents>().next_multiple_of(page()));
        let contents: NonNull<Contents> = tables.expect("the first chunk is larger than that").cast();
        let arena = Arena {
            next: Cell::new(FIRST.get()),
            memory: RefCell::new(memory),
            header: file.header(),
            contents,
            images: RefCell::default(),
            staying: RefCell::default(),
            boards: RefCell::default(),
            retired: RefCell::default(),
            file: RefCell::new(Some(file)),
        };
        for place in [outside::specimen(), Location::caller()] {
            let constants = [ptr::from_ref(place).addr(), place.file().as_ptr().addr()];
            if let Some(error) = constants.into_iter().find_map(|constant| arena.cover(constant).err()) {
                let _ = std::fs::remove_file(path);
                // SAFETY: it is mapped, and nobody has got anything of it.
                unsafe { file::unmap(arena.header.addr().get(), CONTENTS_AT + FIRST_CHUNK) };
                return Err(BlackBoxError::File(path.to_owned(), error));
            }
        }
        if let Some(file) = arena.file.borrow().as_ref() {
            Contents::write(file, contents);
        }
        let arena = NonNull::from(Box::leak(Box::new(arena)));
        FIRST.set(Some(arena));
        Ok(BlackBox(arena))
    }

    /// An address in it, for what is to be near.
    pub(crate) fn place(&self) -> *const () {
        self.arena().contents.as_ptr().cast_const().cast()
    }

    /// The runtime whose it is, which is in it.
    pub(crate) fn tell_of(&self, outpost: &'static RuntimeOutpost, core: &Core) {
        let arena = self.arena();
        if let Some(file) = arena.file.borrow().as_ref() {
            let told = arena.contents().tell_of(file, outpost, core);
            debug_assert!(told.is_ok(), "the first segments have room: {told:?}");
        }
    }

    fn arena(&self) -> &Arena {
        // SAFETY: the arena is there until this is dropped.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for BlackBox {
    fn drop(&mut self) {
        self.arena().close();
        if self.arena().is_empty() {
            // SAFETY: its runtime has ended, of which it was the black box.
            unsafe { dispose(self.0) };
        }
    }
}

/// Gives an arena's memory back, but for rows.
///
/// # Safety
///
/// Nothing in it is used any more, nor is it.
unsafe fn dispose(arena: NonNull<Arena>) {
    unlink(arena);
    // SAFETY: it comes from a box, and nobody finds it any more.
    let arena = unsafe { Box::from_raw(arena.as_ptr()) };
    for memory in arena.beside_what_stays() {
        // SAFETY: it is mapped, and nobody uses it any more.
        unsafe { file::unmap(memory.start, memory.len()) };
    }
}

/// Takes an arena out of its thread's list.
fn unlink(arena: NonNull<Arena>) {
    // SAFETY: arenas in the list are there.
    let next_of = |arena: NonNull<Arena>| unsafe { &(*arena.as_ptr()).next };
    let after = next_of(arena).get();
    if FIRST.get() == Some(arena) {
        return FIRST.set(after);
    }
    let mut before = FIRST.get();
    while let Some(other) = before {
        if next_of(other).get() == Some(arena) {
            return next_of(other).set(after);
        }
        before = next_of(other).get();
    }
}

/// Puts private memory in the place of what is mapped. If there is none, `false`.
#[must_use]
fn detach(range: &Range<usize>) -> bool {
    let start = NonNull::new(ptr::with_exposed_provenance_mut(range.start)).expect("it is mapped");
    // SAFETY: it is mapped, and nobody changes it meanwhile: that is done on this thread only, but for the words of rows; and
    // all generations of those have ended, so that what other threads try with them fails.
    unsafe { file::detach(start, range.len()) }
}

impl Arena {
    fn contents(&self) -> &Contents {
        // SAFETY: it was written before the arena was made, and stays mapped until that is closed. All that changes in it
        // are atomics.
        unsafe { self.contents.as_ref() }
    }

    fn header(&self) -> &FileHeader {
        // SAFETY: the same.
        unsafe { self.header.as_ref() }
    }

    /// A piece of memory. `None`: the file has no room for it.
    pub(crate) fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.with_room(Memory::size_of(layout), |memory| memory.allocate(layout))
    }

    /// A page of rows, zeroed. `None`: the file has no room for it.
    pub(crate) fn allocate_rows(&self) -> Option<NonNull<Row>> {
        if !self.contents().takes_page() {
            self.refuse();
            return None;
        }
        let rows = self.with_room(PAGE_BYTES, |memory| memory.take_pages(PAGE_BYTES))?.cast::<Row>();
        let start = rows.addr().get();
        self.staying.borrow_mut().push(start..start + PAGE_BYTES);
        self.contents().enter_page(start);
        Some(rows)
    }

    /// A board that no lock has. `None`: the file has no room for it.
    pub(crate) fn take_board(&self) -> Option<&'static Record> {
        let mut boards = self.boards.borrow_mut();
        if boards.is_empty() {
            let bytes = size_of::<[Record; BOARDS]>().next_multiple_of(page());
            let memory = self.with_room(bytes, |memory| memory.take_pages(bytes))?;
            let start = memory.addr().get();
            self.staying.borrow_mut().push(start..start + bytes);
            // SAFETY: so many are there, all zero, which is a board that no lock has; and it stays.
            let page: &'static [Record; BOARDS] = unsafe { memory.cast().as_ref() };
            holders::enter(page);
            boards.extend(page.iter().rev());
        }
        boards.pop()
    }

    /// Takes back a board of its own.
    pub(crate) fn give_back_board(&self, board: &'static Record) {
        self.boards.borrow_mut().push(board);
    }

    /// Takes in a page of rows that was in another black box, which has ended: it stays where it is, and is in this file from
    /// now on. `false`: there is no room for it, and it stays what it was.
    pub(crate) fn take_in(&self, rows: &'static [Row]) -> bool {
        let first = NonNull::from(rows).cast::<Row>();
        let mut file = self.file.borrow_mut();
        let Some(file) = file.as_mut().filter(|_| self.contents().takes_page()) else { return false };
        // Types are entered when a row comes to have another table than before, and in here they were not entered yet.
        rows.iter().for_each(|row| row.vtable.set(None));
        // SAFETY: it is a page of memory that was detached from a file, so all of it is rows'. It is spare: no generation in
        // it goes on, so wakers of other threads change nothing.
        if unsafe { file.attach(first.cast(), PAGE_BYTES) }.is_err() {
            return false;
        }
        let start = first.addr().get();
        self.memory.borrow_mut().add_used(start..start + PAGE_BYTES);
        self.staying.borrow_mut().push(start..start + PAGE_BYTES);
        self.contents().enter_page(start);
        true
    }

    /// Takes memory, and if there is not enough, more of that beforehand.
    fn with_room(
        &self,
        size: usize,
        take: impl Fn(&mut Memory) -> Option<NonNull<u8>>,
    ) -> Option<NonNull<u8>> {
        let memory = &mut *self.memory.borrow_mut();
        if self.file.borrow().is_none() {
            // It has ended.
            return None;
        }
        take(memory).or_else(|| {
            self.grow(memory, size)?;
            take(memory)
        })
    }

    /// One more chunk.
    #[cold]
    fn grow(&self, memory: &mut Memory, size: usize) -> Option<()> {
        let refused = self.header().refused.load(Ordering::Relaxed);
        if !refused.is_multiple_of(TRY_AGAIN_AFTER) {
            self.refuse();
            return None;
        }
        let so_far: usize = memory.chunks().iter().map(Range::len).sum();
        let needed = (size + page()).next_multiple_of(64 << 10);
        let wanted = so_far.next_power_of_two().min(LARGEST_CHUNK).max(needed);
        let mut file = self.file.borrow_mut();
        let file = file.as_mut()?;
        for length in [wanted, needed] {
            if let Ok(chunk) = file.extend(length) {
                // SAFETY: it was just mapped, and is zeroed.
                unsafe { memory.add(chunk, length) };
                return Some(());
            }
        }
        self.refuse();
        None
    }

    /// Something stays outside.
    fn refuse(&self) {
        let refused = &self.header().refused;
        refused.store(refused.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// A task with this table is being spawned.
    #[cold]
    pub(crate) fn enter_type(&self, vtable: &'static VTable) {
        let mut next = self.contents().types.load(Ordering::Relaxed).cast_const();
        // SAFETY: null, or a record that was entered below, in memory that is not given back.
        while let Some(record) = unsafe { next.as_ref() } {
            if record.is_of(vtable) {
                return;
            }
            next = record.next();
        }
        let name = (vtable.type_name)().as_bytes();
        let name = &name[..name.len().min(LONGEST_NAME)];
        // In one piece, for which there is room or not.
        let both = Layout::new::<TypeRecord>().extend(Layout::for_value(name));
        let (layout, behind) = both.expect("a name is not that long");
        let Some(memory) = self.allocate(layout) else { return };
        let (record, first) = (memory.cast::<TypeRecord>(), self.contents().types.load(Ordering::Relaxed));
        // SAFETY: fresh memory, of that layout.
        unsafe {
            let text = memory.add(behind);
            text.copy_from_nonoverlapping(NonNull::from(name).cast(), name.len());
            record.write(TypeRecord::new(vtable, text.as_ptr(), name.len(), first));
        }
        self.contents().types.store(record.as_ptr(), Ordering::Release);
        // It is given back with the file: what is counted is what others give back.
        self.memory.borrow_mut().live -= 1;
        if self.cover(ptr::from_ref(vtable).addr()).is_err() {
            self.refuse();
        }
    }

    /// Copies the object that has this constant.
    fn cover(&self, constant: usize) -> io::Result<()> {
        let (mut file, mut failed) = (self.file.borrow_mut(), Ok(()));
        let Some(file) = file.as_mut() else { return Ok(()) };
        self.images.borrow_mut().cover(constant, |addresses| {
            failed = file.copy(addresses.start, addresses.len());
            failed.is_ok()
        });
        failed
    }

    /// Whether it has this address.
    pub(crate) fn has(&self, address: *const ()) -> bool {
        self.memory.borrow().holds(address.addr())
    }

    /// The runtime gives a page back. It becomes a spare one when the file is let go.
    pub(crate) fn retire(&self, page: Page) {
        self.retired.borrow_mut().push(page);
    }

    /// Whether its runtime has not ended.
    fn is_open(&self) -> bool {
        self.file.borrow().is_some()
    }

    /// Whether nothing is used but what stays.
    fn is_empty(&self) -> bool {
        self.memory.borrow().live == 0
    }

    /// Lets the file go: what is in memory stays, but is private from now on.
    fn close(&self) {
        contents::note_end(self.header(), self.contents());
        *self.file.borrow_mut() = None;
        self.staying.borrow_mut().sort_unstable_by_key(|range| range.start);
        // What could not be replaced is part of the file for ever, and no other runtime's.
        let staying = self.staying.borrow();
        let kept: Vec<usize> =
            staying.iter().filter(|range| detach(range)).map(|range| range.start).collect();
        for page in self.retired.take() {
            if kept.contains(&page.address()) {
                pages::make_spare(page);
            }
        }
        holders::release(self.boards.take(), |page| kept.contains(&page));
        if !self.is_empty() {
            for range in self.beside_what_stays() {
                // Where that fails, it stays as it is, and what is changed in it is of no account.
                let _ = detach(&range);
            }
        }
    }

    /// All memory but what stays, which is sorted.
    fn beside_what_stays(&self) -> Vec<Range<usize>> {
        let mut beside = Vec::new();
        let staying = self.staying.borrow();
        for chunk in self.memory.borrow().chunks() {
            let mut start = chunk.start;
            // The first one has the file's header before it.
            if chunk.contains(&self.contents.addr().get()) {
                start -= CONTENTS_AT;
            }
            let end = chunk.end..chunk.end;
            for range in staying.iter().filter(|range| chunk.contains(&range.start)).chain([&end]) {
                if range.start > start {
                    beside.push(start..range.start);
                }
                start = range.end;
            }
        }
        beside
    }
}
