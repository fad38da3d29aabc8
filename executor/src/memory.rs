//! Memory for futures: blocks of a few sizes, recycled.
//!
//! A task's future and its output share one block. Programs spawn the same few kinds of task again and again, so a
//! freed block is kept for the next task of about that size instead of going back to the allocator; fresh blocks are
//! cut out of chunks, which saves the allocator's own word or two for each.
//!
//! ```text
//!  class   0: 16 B   ● → ● → ●           free blocks, the last one freed first
//!  class   1: 32 B   ● → ●
//!   …                                    chunk: [ block │ block │ block │ … ]
//!  class 255: 4 KiB  ●
//!  larger, or aligned beyond 16:  the global allocator
//! ```
//!
//! Chunks are given back when the runtime is dropped. With `--cfg homing_unpooled` every block comes from the global
//! allocator, so that a memory checker sees each task's lifetime.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::{Cell, OnceCell, RefCell};
use std::ptr::{NonNull, null_mut};

const GRAIN: usize = 16;
const CLASSES: usize = 1 + u8::MAX as usize;
const LARGEST: usize = GRAIN * CLASSES;
/// Chunks of a class grow up to this size, so that a few tasks take little and many take few chunks.
const LARGEST_CHUNK: usize = 64 * 1024;

/// A free block: its first word links it.
struct FreeBlock {
    next: *mut FreeBlock,
}

struct Class {
    free: Cell<*mut FreeBlock>,
    /// How many blocks the next chunk will have; 0 before the first.
    grow: Cell<usize>,
}

type Classes = [Class; CLASSES];

/// See the [module](self).
#[derive(Default)]
pub(crate) struct BlockPool {
    /// Made for the first block: a runtime that only blocks on a future, which is on the stack, has none.
    classes: OnceCell<Box<Classes>>,
    chunks: RefCell<Vec<(NonNull<u8>, Layout)>>,
}

/// Where a cell's memory comes from, and goes back to. Known when the program is compiled, if the layout is.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Source {
    /// The class with this number.
    Class(u8),
    /// The global allocator.
    Global(Layout),
    /// Neither: it is on somebody's stack.
    Elsewhere,
}

impl Source {
    #[inline(always)]
    pub(crate) const fn of(layout: Layout) -> Source {
        if layout.size() <= LARGEST && layout.align() <= GRAIN && !cfg!(homing_unpooled) {
            Source::Class((layout.size().saturating_sub(1) / GRAIN) as u8)
        } else {
            Source::Global(layout)
        }
    }

    /// Its class, if it is one of the pool's.
    #[inline(always)]
    pub(crate) fn class(self) -> Option<u8> {
        match self {
            Source::Class(class) => Some(class),
            Source::Global(_) | Source::Elsewhere => None,
        }
    }
}

impl BlockPool {
    /// A block from `source`; uninitialised.
    #[inline]
    pub(crate) fn allocate(&self, source: Source) -> *mut () {
        match source {
            Source::Class(class) => self.take_free(class).unwrap_or_else(|| self.refill(usize::from(class))),
            Source::Global(layout) => allocate_globally(layout),
            Source::Elsewhere => unreachable!("memory from elsewhere is not asked for here"),
        }
    }

    /// The block of a class that was freed last, if there is one.
    #[inline(always)]
    pub(crate) fn take_free(&self, class: u8) -> Option<*mut ()> {
        let class = &self.classes.get()?[usize::from(class)];
        let free = class.free.get();
        if free.is_null() {
            return None;
        }
        // SAFETY: a block in the list is free and large enough for the link, which `release` or `refill` wrote.
        class.free.set(unsafe { (*free).next });
        Some(free.cast())
    }

    /// Takes back a block.
    ///
    /// # Safety
    ///
    /// `block` came from `allocate` of this pool with the same source, or from elsewhere if the source says so, and nobody
    /// uses it any more.
    #[inline]
    pub(crate) unsafe fn release(&self, block: *mut (), source: Source) {
        let class = match source {
            Source::Class(class) => usize::from(class),
            // SAFETY: by the caller, it came from `allocate_globally` with this layout.
            Source::Global(layout) => return unsafe { release_globally(block, layout) },
            Source::Elsewhere => return,
        };
        let Some(classes) = self.classes.get() else { unreachable!("a block comes out of a class") };
        let block = block.cast::<FreeBlock>();
        // SAFETY: the block is ours and at least GRAIN bytes large.
        unsafe { block.write(FreeBlock { next: classes[class].free.get() }) };
        classes[class].free.set(block);
    }

    /// Cuts a new chunk into free blocks and gives one of them out.
    #[cold]
    #[inline(never)]
    fn refill(&self, class: usize) -> *mut () {
        let empty = |_| Class { free: Cell::new(null_mut()), grow: Cell::new(0) };
        let classes = self.classes.get_or_init(|| Box::new(std::array::from_fn(empty)));
        let size = (class + 1) * GRAIN;
        let count = classes[class].grow.get().clamp(4, (LARGEST_CHUNK / size).max(4));
        classes[class].grow.set(count * 2);
        let layout = Layout::from_size_align(size * count, GRAIN).expect("a chunk is small");
        let chunk = allocate_globally(layout).cast::<u8>();
        self.chunks.borrow_mut().push((NonNull::new(chunk).expect("checked by the allocation"), layout));
        // The first block is given out; the others are listed so that they are used in the order of their addresses.
        let mut next = classes[class].free.get();
        for index in (1..count).rev() {
            // SAFETY: `index * size` lies within the chunk, aligned to GRAIN, and nobody uses that block yet.
            unsafe {
                let block = chunk.add(index * size).cast::<FreeBlock>();
                block.write(FreeBlock { next });
                next = block;
            }
        }
        classes[class].free.set(next);
        chunk.cast()
    }
}

#[cold]
fn allocate_globally(layout: Layout) -> *mut () {
    if layout.size() == 0 {
        return std::ptr::without_provenance_mut(layout.align());
    }
    // SAFETY: the layout has a size.
    let block = unsafe { alloc(layout) };
    if block.is_null() {
        handle_alloc_error(layout);
    }
    block.cast()
}

/// # Safety
///
/// `block` came from `allocate_globally` with this layout, and nobody uses it any more.
#[cold]
unsafe fn release_globally(block: *mut (), layout: Layout) {
    if layout.size() > 0 {
        // SAFETY: by the caller.
        unsafe { dealloc(block.cast(), layout) };
    }
}

impl Drop for BlockPool {
    fn drop(&mut self) {
        for (chunk, layout) in self.chunks.get_mut().drain(..) {
            // SAFETY: allocated by `refill` with this layout; the runtime has dropped all its tasks.
            unsafe { dealloc(chunk.as_ptr(), layout) };
        }
    }
}

impl std::fmt::Debug for BlockPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockPool").field("chunks", &self.chunks.borrow().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_block_is_the_next_one_given_out() {
        let pool = BlockPool::default();
        let source = Source::of(Layout::new::<[u64; 5]>());
        let first = pool.allocate(source);
        // SAFETY: allocated just above, never used.
        unsafe { pool.release(first, source) };
        if !cfg!(homing_unpooled) {
            assert_eq!(pool.allocate(source), first);
        }
    }

    #[test]
    fn blocks_of_all_sizes_are_apart_and_writable() {
        let pool = BlockPool::default();
        let layouts: Vec<Layout> =
            (0..3000).step_by(7).map(|size| Layout::from_size_align(size, 8).unwrap()).collect();
        let blocks: Vec<*mut u8> =
            layouts.iter().map(|layout| pool.allocate(Source::of(*layout)).cast()).collect();
        for (number, (block, layout)) in blocks.iter().zip(&layouts).enumerate() {
            // SAFETY: the block has the size of its layout.
            unsafe { block.write_bytes(number as u8, layout.size()) };
        }
        for (number, (block, layout)) in blocks.iter().zip(&layouts).enumerate() {
            for offset in 0..layout.size() {
                // SAFETY: within the block, written above.
                assert_eq!(unsafe { block.add(offset).read() }, number as u8, "size {}", layout.size());
            }
            // SAFETY: allocated above with this layout.
            unsafe { pool.release(block.cast(), Source::of(*layout)) };
        }
    }

    #[test]
    fn alignment_beyond_the_grain_is_honoured() {
        let pool = BlockPool::default();
        let layout = Layout::from_size_align(64, 256).unwrap();
        let block = pool.allocate(Source::of(layout));
        assert_eq!(block.addr() % 256, 0);
        // SAFETY: allocated just above.
        unsafe { pool.release(block, Source::of(layout)) };
    }
}
