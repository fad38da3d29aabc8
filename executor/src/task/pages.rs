//! Where rows live: in pages that are never freed.
//!
//! A waker is nothing but a row's id, so whoever wakes must get from an index to the row, from any thread, at any
//! time, also long after the task, the runtime and the thread are gone. Rows therefore sit in pages of 1,024 that are
//! allocated once and only ever change hands: a runtime checks out whole pages and gives them back when it is dropped;
//! all but one, which stays with the outpost, for the next runtime that has it.
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
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

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
    number: u32,
    /// How many of its rows were ever used: a page that is checked out again starts over.
    used: u16,
    /// Whether its memory is pages of the machine with nothing else in them, so that it can be mapped into a black box.
    is_mapped: bool,
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
        Page::unused(number as u32, is_mapped)
    }

    fn unused(number: u32, is_mapped: bool) -> Page {
        Page { number, used: first_row(number), is_mapped }
    }

    fn first(&self) -> *const Row {
        PAGES[self.number as usize].load(Ordering::Acquire)
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

    /// Those of its rows that were used.
    fn used_rows(&self) -> &'static [Row] {
        &self.rows()[..usize::from(self.used)]
    }

    fn is_used_up(&self) -> bool {
        usize::from(self.used) == PAGE_ROWS
    }
}

/// Gives a page to whoever needs one next.
pub(crate) fn make_spare(page: Page) {
    SPARE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(page);
}

/// The rows of a page that are handed out begin with this one: the very first row never is, so that whatever generation a row is
/// in, its id is not 0, which stands for no row at all.
fn first_row(page: u32) -> u16 {
    u16::from(page == 0)
}

/// The id of a row's first generation: number 1.
fn first_id(page: u32, row: u16) -> u64 {
    1 << 32 | (u64::from(page) << PAGE_BITS | u64::from(row)) << 1
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

/// An outpost's page, which goes from a runtime to the next with it: most need no other, and those of several threads do
/// not get into one another's way. Touched only by who has the outpost, so nothing has to be said about the order.
#[derive(Debug, Default)]
pub(crate) struct HomePage {
    /// The page's number and one; 0 while a runtime uses it, and before there is one.
    number: AtomicU32,
}

impl HomePage {
    fn take(&self) -> Option<Page> {
        let number = self.number.load(Ordering::Relaxed).checked_sub(1)?;
        self.number.store(0, Ordering::Relaxed);
        Some(Page::unused(number, false))
    }

    /// Keeps a page that nobody uses, or gives it back: if there is one already, or a black box can make better use of it.
    fn keep(&self, page: Page) -> Option<Page> {
        if page.is_mapped || self.number.load(Ordering::Relaxed) != 0 {
            return Some(page);
        }
        self.number.store(page.number + 1, Ordering::Relaxed);
        None
    }
}

/// The pages of one runtime. Most have one, and no list.
#[derive(Debug, Default)]
struct Pages {
    first: Option<Page>,
    others: Vec<Page>,
}

impl Pages {
    fn get(&self, index: usize) -> Option<&Page> {
        index.checked_sub(1).map_or(self.first.as_ref(), |index| self.others.get(index))
    }

    fn last_mut(&mut self) -> Option<&mut Page> {
        self.others.last_mut().or(self.first.as_mut())
    }

    fn push(&mut self, page: Page) {
        if self.first.is_none() {
            self.first = Some(page);
        } else {
            self.others.push(page);
        }
    }
}

/// The rows of one runtime: its pages, and which of their rows are free.
///
/// Invariant (free-is-linked): a row of these pages is either in the free list, or never used since its page was
/// checked out, or belongs to a task.
#[derive(Debug, Default)]
pub(crate) struct RowStore {
    /// Freed rows, chained through `Row::next`, the last one freed first.
    free: Cell<Option<&'static Row>>,
    pages: RefCell<Pages>,
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
        if pages.last_mut().is_none_or(|page| page.is_used_up()) {
            pages.push(match self.arena() {
                Some(arena) => Page::in_black_box(arena),
                None => owner.bell.page.take().unwrap_or_else(Page::check_out),
            });
        }
        let page = pages.last_mut().expect("one was just added");
        let row = &page.rows()[usize::from(page.used)];
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
        let used = |page| self.pages.borrow().get(page).map(Page::used_rows);
        (0..).map_while(used).flatten()
    }

    /// Gives all pages back, one of them to the outpost. The caller has ended every generation in them.
    pub(crate) fn check_in(&self, owner: &RuntimeOutpost) {
        self.free.set(None);
        let Pages { first, others } = &mut *self.pages.borrow_mut();
        first.take().into_iter().chain(others.drain(..)).for_each(|page| self.give_up(page, owner));
    }

    fn give_up(&self, mut page: Page, owner: &RuntimeOutpost) {
        for row in page.used_rows() {
            row.next.set(None);
        }
        page.used = first_row(page.number);
        match self.arena() {
            Some(arena) if arena.has(page.first().cast()) => arena.retire(page),
            _ => owner.bell.page.keep(page).into_iter().for_each(make_spare),
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
    fn one_page_stays_with_an_outpost_and_it_is_none_that_a_black_box_could_use() {
        let home = HomePage::default();
        assert!(home.take().is_none());
        assert!(home.keep(Page::unused(3, true)).is_some_and(|page| page.is_mapped));
        assert!(home.keep(Page::unused(0, false)).is_none());
        assert_eq!(home.keep(Page::unused(7, false)).map(|page| page.number), Some(7));
        assert_eq!(home.take().map(|page| (page.number, page.used)), Some((0, 1)));
        assert!(home.take().is_none());
    }

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
