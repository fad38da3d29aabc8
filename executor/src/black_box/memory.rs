//! Memory in chunks: taken from the front, given back to a list of its size.
//!
//! ```text
//!   chunk   [ taken │ taken │ given back │ taken │ ……… never used ……… ]
//!                                 ▲               ▲
//!   free:  16  32  64 … ──────────┘               └── next
//! ```
//!
//! Sizes are powers of two, so what was given back fits whatever has the same size. What is asked for here are extras, lists
//! and names: few sizes, again and again.

use std::alloc::Layout;
use std::ops::Range;
use std::ptr::NonNull;

/// A page of the machine, on which blocks of pages begin: 4 KiB; on some machines 16, or 64.
pub(super) fn page() -> usize {
    // SAFETY: it takes a number.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).expect("every machine has pages")
}

/// Pieces begin at multiples of their size, up to this.
const LARGEST_ALIGN: usize = 4096;

/// The smallest piece: it has room for a link.
const SMALLEST: usize = 16;

#[derive(Debug)]
pub(super) struct Memory {
    /// The addresses of all chunks.
    chunks: Vec<Range<usize>>,
    /// What is left of the last one.
    next: Option<(NonNull<u8>, usize)>,
    /// By the logarithm of their size, pieces that were given back. Each begins with a link to another.
    free: [Option<NonNull<u8>>; usize::BITS as usize],
    /// Pieces that were not given back.
    pub(super) live: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Memory { chunks: Vec::new(), next: None, free: [None; usize::BITS as usize], live: 0 }
    }
}

impl Memory {
    /// Adds memory. What is left of the last chunk is not used any more.
    ///
    /// # Safety
    ///
    /// It is zeroed, begins at a page, and nobody else uses it.
    pub(super) unsafe fn add(&mut self, first: NonNull<u8>, length: usize) {
        let start = first.addr().get();
        self.chunks.push(start..start + length);
        self.next = Some((first, length));
    }

    /// Adds memory that is all in use already.
    pub(super) fn add_used(&mut self, addresses: Range<usize>) {
        self.chunks.push(addresses);
    }

    pub(super) fn chunks(&self) -> &[Range<usize>] {
        &self.chunks
    }

    pub(super) fn holds(&self, address: usize) -> bool {
        self.chunks.iter().any(|chunk| chunk.contains(&address))
    }

    /// How many bytes a piece for this layout takes.
    pub(super) fn size_of(layout: Layout) -> usize {
        layout.size().max(layout.align()).max(SMALLEST).next_power_of_two()
    }

    /// A piece. `None`: there is no room for it.
    pub(super) fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        debug_assert!(layout.align() <= LARGEST_ALIGN);
        let size = Memory::size_of(layout);
        let of_size = &mut self.free[size.ilog2() as usize];
        let piece = match *of_size {
            Some(piece) => {
                // SAFETY: pieces in the list begin with a link, and are nobody's.
                *of_size = unsafe { piece.cast::<Option<NonNull<u8>>>().read() };
                piece
            }
            None => self.take(size, size.min(LARGEST_ALIGN))?,
        };
        self.live += 1;
        Some(piece)
    }

    /// Takes a piece back.
    ///
    /// # Safety
    ///
    /// It comes from [`allocate`](Memory::allocate), with this layout, and is used no more.
    pub(super) unsafe fn give_back(&mut self, piece: NonNull<u8>, layout: Layout) {
        let of_size = &mut self.free[Memory::size_of(layout).ilog2() as usize];
        // SAFETY: it is nobody's, has room for a link, and is aligned for one.
        unsafe { piece.cast::<Option<NonNull<u8>>>().write(*of_size) };
        *of_size = Some(piece);
        self.live -= 1;
    }

    /// A block that begins at a page, zeroed, and is never given back. `None`: there is no room for it.
    pub(super) fn take_pages(&mut self, size: usize) -> Option<NonNull<u8>> {
        self.take(size, page())
    }

    /// What was never used.
    fn take(&mut self, size: usize, align: usize) -> Option<NonNull<u8>> {
        let (next, left) = self.next?;
        let skipped = next.addr().get().wrapping_neg() & (align - 1);
        let left = left.checked_sub(skipped)?.checked_sub(size)?;
        // SAFETY: both are within the chunk, or at its end.
        let (piece, after) = unsafe { (next.add(skipped), next.add(skipped + size)) };
        self.next = Some((after, left));
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: usize = LARGEST_ALIGN;

    #[derive(Clone)]
    #[repr(C, align(4096))]
    struct Bytes([u8; PAGE]);

    fn memory(pages: &mut Vec<Bytes>, count: usize) -> Memory {
        *pages = vec![Bytes([0; PAGE]); count];
        let mut memory = Memory::default();
        // SAFETY: it is zeroed, and nobody looks at it before the memory is gone.
        unsafe { memory.add(NonNull::new(pages.as_mut_ptr().cast()).unwrap(), count * PAGE) };
        memory
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn pieces_are_aligned_and_do_not_overlap_while_they_are_taken(
            steps in prop::collection::vec((1_usize..3000, 0_u32..7, any::<bool>()), 1..200)
        ) {
            let mut pages = Vec::new();
            let mut memory = memory(&mut pages, 64);
            let mut taken: Vec<(NonNull<u8>, Layout)> = Vec::new();
            for (size, align, gives_back) in steps {
                if gives_back && let Some((piece, layout)) = taken.pop() {
                    // SAFETY: it comes from there.
                    unsafe { memory.give_back(piece, layout) };
                }
                let layout = Layout::from_size_align(size, 1 << align).unwrap();
                let Some(piece) = memory.allocate(layout) else { continue };
                let range = |piece: NonNull<u8>, layout: Layout| piece.addr().get()..piece.addr().get() + layout.size();
                prop_assert!(piece.addr().get().is_multiple_of(layout.align()));
                let own = range(piece, layout);
                prop_assert!(memory.holds(own.start) && memory.holds(own.end - 1));
                for (other, layout) in &taken {
                    let other = range(*other, *layout);
                    prop_assert!(own.end <= other.start || other.end <= own.start);
                }
                taken.push((piece, layout));
                prop_assert_eq!(memory.live, taken.len());
            }
        }
    }

    #[test]
    fn what_was_given_back_is_used_again_and_a_full_chunk_says_so() {
        let mut pages = Vec::new();
        let mut memory = memory(&mut pages, 2);
        let layout = Layout::from_size_align(4000, 8).unwrap();
        let first = memory.allocate(layout).unwrap();
        assert!(memory.allocate(layout).is_some() && memory.allocate(layout).is_none());
        // SAFETY: it comes from there.
        unsafe { memory.give_back(first, layout) };
        assert_eq!(memory.allocate(Layout::new::<[u64; 300]>()), Some(first));
        assert_eq!(memory.take_pages(page()), None);
    }
}
