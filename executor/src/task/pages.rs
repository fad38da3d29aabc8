//! Where rows live: in pages that are never freed.
//!
//! A waker is nothing but a row's id, so whoever wakes must get from an index to the row, from any thread, at any
//! time, also long after the task, the runtime and the thread are gone. Rows therefore sit in pages of 1,024 that are
//! allocated once and only ever change hands: a runtime checks out whole pages and gives them back when it is dropped.
//!
//! ```text
//!  id (64 bits)   generation (32) │ page (21) │ row in page (10) │ 0
//!                                      │            │
//!  PAGES  [ ● │ ● │ ● │ null … ]  ◄────┘            │
//!           └──► page: [ row │ row │ … 1,024 … ]  ◄─┘        128 bytes a row
//! ```
//!
//! Within a page rows are handed out in order, then recycled last-in first-out, so that a row that was just freed,
//! and is still in the cache, is the next one used. What a row costs is thus paid for the largest number of tasks
//! that ever lived at once; it is the price of wakers without a reference count.

use super::row::Row;
use crate::black_box::{self, Arena};
use crate::outpost::RuntimeOutpost;
use crate::outside;
use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::cell::{Cell, RefCell};
use std::ptr::{self, NonNull};
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Rows in a page.
pub(crate) const PAGE_ROWS: usize = 1 << PAGE_BITS;
const PAGE_BITS: u32 = 10;

/// The most pages that a process can have: some 67 million tasks alive at once. The table is zero-initialised, so
/// only the part in use takes memory.
const MAX_PAGES: usize = 1 << 16;

pub(crate) static PAGES: [AtomicPtr<Row>; MAX_PAGES] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; MAX_PAGES];
pub(crate) static PAGE_COUNT: AtomicUsize = AtomicUsize::new(0);
/// Pages that no runtime has at the moment.
static SPARE: Mutex<Vec<Page>> = Mutex::new(Vec::new());

/// A page in the hands of one runtime.
#[derive(Debug)]
pub(crate) struct Page {
    number: usize,
    /// Whether its memory is pages of the machine with nothing else in them, so that it can be mapped into a black box.
    is_mapped: bool,
    /// How many of its rows were ever used: a page that is checked out again starts over.
    used: usize,
}

impl Page {
    /// Checks out a page: a spare one, or else a new one.
    ///
    /// # Panics
    ///
    /// When the process has more than [`MAX_PAGES`] pages' worth of tasks.
    fn check_out() -> Page {
        let spare = SPARE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).pop();
        spare.unwrap_or_else(Page::allocate)
    }

    #[cold]
    fn allocate() -> Page {
        let layout = Layout::array::<Row>(PAGE_ROWS).expect("128 KiB");
        // Zeroed by the kernel, so a page takes no memory before its rows are used. Leaked on purpose: see above.
        // SAFETY: the layout has a size.
        let rows = unsafe { alloc_zeroed(layout) }.cast::<Row>();
        Page::of(NonNull::new(rows).unwrap_or_else(|| handle_alloc_error(layout)), false)
    }

    /// A page in a black box, as far as there is room: a spare one that was in another, or else a new one.
    #[cold]
    fn in_black_box(arena: &Arena) -> Page {
        let mut spare = SPARE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mapped = spare.iter().rposition(|page| page.is_mapped).map(|at| spare.swap_remove(at));
        drop(spare);
        if let Some(page) = mapped {
            if arena.take_in(page.rows()) {
                return page;
            }
            make_spare(page);
        }
        arena.allocate_rows().map_or_else(Page::check_out, |rows| Page::of(rows, true))
    }

    /// Gives a page a number: memory for so many rows, zeroed, which stays for ever.
    fn of(rows: NonNull<Row>, is_mapped: bool) -> Page {
        let number = PAGE_COUNT.fetch_add(1, Ordering::Relaxed);
        assert!(
            number < MAX_PAGES,
            "more than {} tasks alive at once in this process",
            MAX_PAGES * PAGE_ROWS
        );
        outside::announce();
        PAGES[number].store(rows.as_ptr(), Ordering::Release);
        Page { number, is_mapped, used: first_row(number) }
    }

    fn first(&self) -> *const Row {
        PAGES[self.number].load(Ordering::Acquire)
    }

    /// Where its rows are.
    #[cfg_attr(any(not(target_os = "linux"), homing_portable), expect(dead_code))]
    pub(crate) fn address(&self) -> usize {
        self.first().addr()
    }

    fn rows(&self) -> &'static [Row] {
        // SAFETY: the pointer was stored by `of`, and is one to memory for PAGE_ROWS rows, zeroed, which stays; and a row
        // that is all zero is a valid one (`Row` says so).
        unsafe { std::slice::from_raw_parts(self.first(), PAGE_ROWS) }
    }
}

/// Gives a page to whoever needs one next.
pub(crate) fn make_spare(page: Page) {
    SPARE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(page);
}

/// The rows of a page that are handed out begin with this one: the very first row never is, so that whatever generation a row is
/// in, its id is not 0, which stands for no row at all.
fn first_row(page: usize) -> usize {
    usize::from(page == 0)
}

/// The id of a row's first generation: number 1.
fn first_id(page: usize, row: usize) -> u64 {
    1 << 32 | (((page << PAGE_BITS) | row) as u64) << 1
}

/// The id that follows `id` in the same row: the next generation. After the last one it starts over.
///
/// Four billion generations are not many: freed rows are used again at once, so a busy row is through in some minutes.
/// A waker or an id that is kept for exactly that long then wakes, or names, somebody else's task.
#[inline]
pub(crate) fn next_id(id: u64) -> u64 {
    debug_assert_ne!(id as u32, 0, "the very first row is not handed out");
    id.wrapping_add(1 << 32)
}

/// The row that `id` names, whatever generation it is in by now.
///
/// `id` must be one that a row has or had, as all ids in handles and wakers are.
#[inline(always)]
pub(crate) fn row_of(id: u64) -> &'static Row {
    let index = (id as u32 >> 1) as usize;
    // The mask changes nothing, as there are no more pages; it only spares a check, and a panic, to every wake.
    let page = PAGES[(index >> PAGE_BITS) & (MAX_PAGES - 1)].load(Ordering::Acquire);
    debug_assert!(!page.is_null(), "an id that no row ever had: {id:#x}");
    // SAFETY: an id is only made by a row of an allocated page, so the page exists and has PAGE_ROWS rows; it was
    // published with Release; it is never freed. `Row` is `Sync`.
    unsafe { &*page.add(index & (PAGE_ROWS - 1)) }
}

/// The rows of one runtime: its pages, and which of their rows are free.
///
/// Invariant (free-is-linked): a row of these pages is either in the free list, or never used since its page was
/// checked out, or belongs to a task.
#[derive(Debug, Default)]
pub(crate) struct RowStore {
    /// Freed rows, chained through `Row::next`, the last one freed first.
    free: Cell<Option<&'static Row>>,
    pages: RefCell<Vec<Page>>,
}

impl RowStore {
    /// A free row, which belongs to `owner`, whose rows these are. Its other contents are those of its last user: the
    /// caller sets them all.
    #[inline]
    pub(crate) fn take(&self, owner: &'static RuntimeOutpost) -> &'static Row {
        match self.next_free() {
            Some(row) => {
                self.take_free(row);
                row
            }
            None => self.take_fresh(owner),
        }
    }

    /// The row that was freed last, if there is one: to be looked at, and then perhaps taken.
    #[inline(always)]
    pub(crate) fn next_free(&self) -> Option<&'static Row> {
        self.free.get()
    }

    /// Takes the row that `next_free` has shown.
    #[inline(always)]
    pub(crate) fn take_free(&self, row: &'static Row) {
        debug_assert!(self.free.get().is_some_and(|next| ptr::eq(next, row)));
        self.free.set(row.next.get());
    }

    #[cold]
    #[inline(never)]
    fn take_fresh(&self, owner: &'static RuntimeOutpost) -> &'static Row {
        let mut pages = self.pages.borrow_mut();
        if pages.last().is_none_or(|page| page.used == PAGE_ROWS) {
            pages.push(self.arena().map_or_else(Page::check_out, Page::in_black_box));
        }
        let page = pages.last_mut().expect("one was just added");
        let row = &page.rows()[page.used];
        if row.id() == 0 {
            row.word.renew(first_id(page.number, page.used));
        }
        row.set_owner(owner);
        page.used += 1;
        row
    }

    /// Puts a row back. The caller has ended its generation.
    #[inline]
    pub(crate) fn give_back(&self, row: &'static Row) {
        row.next.set(self.free.replace(Some(row)));
    }

    /// Every row that this runtime ever used, in the order of their first use; also the free ones. While it goes on, rows may
    /// be taken.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static Row> + '_ {
        let used = |page| self.pages.borrow().get(page).map(|page: &Page| &page.rows()[..page.used]);
        (0..).map_while(used).flatten()
    }

    /// Gives all pages back. The caller has ended every generation in them.
    pub(crate) fn check_in(&self) {
        self.free.set(None);
        let arena = self.arena();
        for mut page in self.pages.borrow_mut().drain(..) {
            for row in &page.rows()[..page.used] {
                row.next.set(None);
            }
            page.used = first_row(page.number);
            match arena {
                Some(arena) if arena.has(page.first().cast()) => arena.retire(page),
                _ => make_spare(page),
            }
        }
    }

    /// The black box that it is in, if it is in one.
    fn arena(&self) -> Option<&'static Arena> {
        black_box::arena_of(ptr::from_ref(self).cast())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_generation_of_any_row_has_the_id_that_stands_for_none() {
        let first = first_id(0, first_row(0));
        let last = first | 0xFFFF_FFFF << 32;
        assert_eq!(next_id(first) >> 32, 2);
        assert_eq!(next_id(last) >> 32, 0);
        assert_eq!(next_id(next_id(last)), first);
        for id in [first, last, next_id(last)] {
            assert_ne!(id, 0);
            assert_eq!(id as u32, first as u32);
        }
    }
}
