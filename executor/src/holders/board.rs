//! The board of a lock that is waited for, and where boards live.
//!
//! ```text
//!   PAGES  [ page ─► [ board │ board │ … ] │ … ]        never freed; a board that was given back is used again
//!
//!   board  address   its own, while a lock has it: so a number that leads to something else is found out
//!          sequence  odd while it is being written
//!          count · more
//!          entry × 3  task, place, permits, hold
//! ```
//!
//! What is on a board is written by the thread of its lock, in relaxed atomics: the same instructions as plain stores. A
//! reader on another thread, or in another process, may see half of a change, which the sequence number tells it.

use super::holder::{Hold, Holder};
use crate::black_box::{self, Arena};
use crate::context;
use crate::outside::Field;
use std::cell::OnceCell;
use std::fmt;
use std::mem::offset_of;
use std::panic::Location;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};

/// How many holders a board names; the others are counted.
pub(crate) const NAMED: usize = 3;

/// Boards in a page.
pub(crate) const PAGE: usize = 128;

/// What a lock says of its holders, once somebody has had to wait for it.
///
/// For who writes locks: keep one in the lock, wait with its [`number`](Board::number) as the number of
/// [`Awaiting::Mutex`](crate::cancel::Awaiting::Mutex) or `Semaphore`, and [`post`](Board::post) who holds it when somebody
/// begins to wait, and whenever that changes while somebody waits.
///
/// ```
/// use homing::cancel::{Awaiting, Leaf};
/// use homing::holders::{Board, Holder, Posted};
/// use homing::{introspect, task, yield_now};
/// use std::{panic::Location, pin::Pin, rc::Rc, task::{Context, Poll}};
///
/// /// A lock that is never opened again.
/// struct Seal { broken_by: Holder, board: Board }
///
/// struct Wait { seal: Rc<Seal>, leaf: Leaf }
///
/// impl Future for Wait {
///     type Output = homing::Result<()>;
///
///     #[track_caller]
///     fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
///         let this = &mut *self;
///         this.leaf.resume()?;
///         this.seal.board.post([Posted::from(this.seal.broken_by)], 0);
///         this.leaf.park(cx, Awaiting::Mutex(this.seal.board.number()))?;
///         Poll::Pending
///     }
/// }
///
/// homing::run(async {
///     let seal = Rc::new(Seal { broken_by: Holder::running(Location::caller()), board: Board::new() });
///     let waits = task(Wait { seal, leaf: Leaf::new() }).name("waits").spawn();
///     yield_now().await?;
///     let text = introspect::format_call_graph_of(&waits);
///     assert!(text.contains("held by task 'main' since "), "{text}");
///     waits.cancel();
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[derive(Default)]
pub struct Board(OnceCell<&'static Record>);

/// One line on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Who holds it.
    pub holder: Holder,
    /// How many permits; 0 where there are none to be counted.
    pub permits: u32,
    /// It is kept for that task, which has not come for it.
    pub kept: bool,
}

impl From<Holder> for Posted {
    fn from(holder: Holder) -> Posted {
        Posted { holder, permits: 0, kept: false }
    }
}

/// A board's memory.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Record {
    address: AtomicU64,
    sequence: AtomicU32,
    /// Entries in use.
    count: AtomicU32,
    /// Permits, or holders, that are not among them.
    more: AtomicU64,
    entries: [Entry; NAMED],
}

#[repr(C)]
#[derive(Debug, Default)]
struct Entry {
    /// 0 for none.
    task: AtomicU64,
    place: AtomicPtr<Location<'static>>,
    permits: AtomicU32,
    hold: AtomicU32,
}

/// What another process is told of it.
pub(crate) const FIELDS: [Field; 11] = [
    Field::new("board", 0, size_of::<Record>()),
    Field::new("board.address", offset_of!(Record, address), 8),
    Field::new("board.sequence", offset_of!(Record, sequence), 4),
    Field::new("board.count", offset_of!(Record, count), 4),
    Field::new("board.more", offset_of!(Record, more), 8),
    Field::new("board.first", offset_of!(Record, entries), 8),
    Field::new("holder", 0, size_of::<Entry>()),
    Field::new("holder.task", offset_of!(Entry, task), 8),
    Field::new("holder.place", offset_of!(Entry, place), size_of::<usize>()),
    Field::new("holder.permits", offset_of!(Entry, permits), 4),
    Field::new("holder.hold", offset_of!(Entry, hold), 4),
];

impl Board {
    /// One that nobody has needed yet: it takes a word, and no memory beside.
    pub const fn new() -> Board {
        Board(OnceCell::new())
    }

    /// The number to wait with. From the first time that it is asked for, it stays the same as long as the lock is there.
    pub fn number(&self) -> u64 {
        address_of(self.record())
    }

    /// Whether somebody has waited for the lock, so that what happens to it may be of interest.
    #[inline]
    pub fn is_up(&self) -> bool {
        self.0.get().is_some()
    }

    /// Says who holds the lock. Of more than three, the others are counted by what they have.
    pub fn post(&self, holders: impl IntoIterator<Item = Posted>, more: usize) {
        self.record().change(|record| {
            let (mut count, mut more) = (0, more as u64);
            for posted in holders {
                match record.entries.get(count) {
                    Some(entry) => entry.write(posted),
                    None => {
                        more = more.saturating_add(posted.permits.max(1).into());
                        continue;
                    }
                }
                count += 1;
            }
            record.count.store(count as u32, Ordering::Relaxed);
            record.more.store(more, Ordering::Relaxed);
        });
    }

    /// The same for a lock that one at a time holds, if anybody.
    #[inline]
    pub fn post_one(&self, holder: Option<Posted>) {
        self.record().change(|record| {
            if let Some(posted) = holder {
                record.entries[0].write(posted);
            }
            record.count.store(holder.is_some().into(), Ordering::Relaxed);
            record.more.store(0, Ordering::Relaxed);
        });
    }

    #[inline]
    fn record(&self) -> &'static Record {
        self.0.get_or_init(take)
    }
}

impl Entry {
    #[inline]
    fn write(&self, posted: Posted) {
        let hold = if posted.kept { Hold::Kept } else { posted.holder.hold() };
        self.task.store(posted.holder.id(), Ordering::Relaxed);
        self.place.store(ptr::from_ref(posted.holder.place()).cast_mut(), Ordering::Relaxed);
        self.permits.store(posted.permits, Ordering::Relaxed);
        self.hold.store(hold as u32, Ordering::Relaxed);
    }

    fn read(&self) -> Option<Posted> {
        // SAFETY: null, or a place that `write` was given, and places are never freed.
        let place: &'static Location<'static> = unsafe { self.place.load(Ordering::Relaxed).as_ref() }?;
        let holder = Holder::of(crate::task::TaskId(self.task.load(Ordering::Relaxed)), place);
        let hold = Hold::from_number(self.hold.load(Ordering::Relaxed));
        let holder = if hold == Hold::Owned { holder.owned() } else { holder };
        Some(Posted { holder, permits: self.permits.load(Ordering::Relaxed), kept: hold == Hold::Kept })
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if let Some(record) = self.0.get() {
            give_back(record);
        }
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let posted = self.0.get().map(|record| record.posted().0);
        f.debug_tuple("Board").field(&posted).finish()
    }
}

impl Record {
    /// The thread of the lock changes it: nobody else does.
    #[inline]
    fn change(&self, change: impl FnOnce(&Record)) {
        // It is odd already, if who was to say what is on the board has panicked.
        let odd = self.sequence.load(Ordering::Relaxed) | 1;
        self.sequence.store(odd, Ordering::Relaxed);
        fence(Ordering::Release);
        change(self);
        self.sequence.store(odd.wrapping_add(1), Ordering::Release);
    }

    fn posted(&self) -> (Vec<Posted>, u64) {
        let count = self.count.load(Ordering::Relaxed) as usize;
        let entries = self.entries.iter().take(count).filter_map(Entry::read).collect();
        (entries, self.more.load(Ordering::Relaxed))
    }
}

/// What the board with this number says, if there is such a board: who holds the lock, and how much more is held.
pub(crate) fn read(number: u64) -> Option<(Vec<Posted>, u64)> {
    let pages = pages();
    let of_page = pages.all.iter().find_map(|page| {
        let offset = number.checked_sub(address_of(&page[0]))? as usize;
        let exact = offset.is_multiple_of(size_of::<Record>());
        page.get(offset / size_of::<Record>()).filter(|_| exact)
    });
    of_page.filter(|record| record.address.load(Ordering::Relaxed) == number).map(Record::posted)
}

/// All boards of the process.
struct Pages {
    all: Vec<&'static [Record; PAGE]>,
    /// Where pages are that lie in a black box, which gives out the boards in them.
    boxed: Vec<usize>,
    spare: Vec<&'static Record>,
}

static PAGES: Mutex<Pages> = Mutex::new(Pages { all: Vec::new(), boxed: Vec::new(), spare: Vec::new() });

fn pages() -> std::sync::MutexGuard<'static, Pages> {
    PAGES.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn address_of(record: &Record) -> u64 {
    ptr::from_ref(record).addr() as u64
}

/// A board that no lock has: in the black box of the runtime, if that has one.
#[cold]
fn take() -> &'static Record {
    let arena = context::with(|core| core.and_then(|core| black_box::arena_of(ptr::from_ref(core).cast())));
    let record = arena.and_then(Arena::take_board).unwrap_or_else(take_spare);
    record.address.store(address_of(record), Ordering::Release);
    record
}

fn take_spare() -> &'static Record {
    let mut pages = pages();
    if pages.spare.is_empty() {
        let page: &'static [Record; PAGE] = Box::leak(Box::new(std::array::from_fn(|_| Record::default())));
        pages.all.push(page);
        // The first one on top.
        pages.spare.extend(page.iter().rev());
    }
    pages.spare.pop().expect("there is one, or a page of them was just made")
}

/// A page in a black box.
#[cfg(all(target_os = "linux", not(homing_portable)))]
pub(crate) fn enter(page: &'static [Record; PAGE]) {
    let mut pages = pages();
    pages.all.push(page);
    pages.boxed.push(address_of(&page[0]) as usize);
}

/// A black box has ended: its boards are anybody's from now on, as far as their pages are kept.
#[cfg(all(target_os = "linux", not(homing_portable)))]
pub(crate) fn release(boards: Vec<&'static Record>, is_kept: impl Fn(usize) -> bool) {
    let mut pages = pages();
    let page_of = |board: &Record| pages.boxed.iter().copied().find(|page| lies_in(board, *page));
    let kept: Vec<_> = boards.into_iter().filter(|board| page_of(board).is_some_and(&is_kept)).collect();
    pages.boxed.retain(|page| !is_kept(*page));
    pages.spare.extend(kept);
}

/// Whether a board is in the page that begins there.
fn lies_in(board: &Record, page: usize) -> bool {
    (page..page + size_of::<[Record; PAGE]>()).contains(&(address_of(board) as usize))
}

#[cold]
fn give_back(record: &'static Record) {
    record.address.store(0, Ordering::Release);
    record.count.store(0, Ordering::Relaxed);
    record.more.store(0, Ordering::Relaxed);
    if let Some(arena) = black_box::arena_of(ptr::from_ref(record).cast()) {
        return arena.give_back_board(record);
    }
    let mut pages = pages();
    // One of a black box of another thread, where the lock has come from, is not used again.
    if !pages.boxed.iter().any(|page| lies_in(record, *page)) {
        pages.spare.push(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Holder {
        Holder::running(Location::caller())
    }

    #[test]
    fn a_board_says_what_was_posted_last_and_nothing_once_its_lock_is_gone() {
        let board = Board::new();
        assert!(!board.is_up());
        let number = board.number();
        assert_eq!(read(number), Some((Vec::new(), 0)));
        board.post(
            [Posted { permits: 2, ..here().into() }, Posted { kept: true, ..here().owned().into() }],
            4,
        );
        let (posted, more) = read(number).unwrap();
        assert_eq!(more, 4);
        assert_eq!((posted[0].permits, posted[0].kept, posted[1].kept), (2, false, true));
        board.post([Posted::from(here())], 0);
        assert_eq!(read(number).unwrap().0.len(), 1);
        assert_eq!(number, board.number());
        drop(board);
        assert_eq!(read(number), None);
    }

    #[test]
    fn of_more_holders_than_it_names_it_counts_what_they_have() {
        let board = Board::new();
        board.post((1..=5).map(|permits| Posted { permits, ..here().into() }), 1);
        let (posted, more) = read(board.number()).unwrap();
        assert_eq!(posted.iter().map(|posted| posted.permits).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(more, 4 + 5 + 1);
    }

    #[test]
    fn a_lock_that_one_at_a_time_holds_has_nobody_beside_from_before() {
        let board = Board::new();
        board.post([], 4);
        board.post_one(Some(here().into()));
        assert_eq!(read(board.number()).map(|(posted, more)| (posted.len(), more)), Some((1, 0)));
    }

    #[test]
    fn a_board_can_be_read_after_a_panic_of_who_was_to_say_what_is_on_it() {
        let board = Board::new();
        let posts = std::panic::AssertUnwindSafe(|| board.post(std::iter::once_with(|| panic!("no")), 0));
        assert!(std::panic::catch_unwind(posts).is_err());
        board.post_one(None);
        let sequence = board.record().sequence.load(Ordering::Relaxed);
        assert!(sequence.is_multiple_of(2), "{sequence}: as if it were being written");
    }

    #[test]
    fn numbers_that_lead_to_no_board_say_nothing() {
        let board = Board::new();
        let number = board.number();
        for wrong in [0, 1, number + 8, number - 1, u64::MAX] {
            assert_eq!(read(wrong), None, "{wrong:#x}");
        }
    }
}
