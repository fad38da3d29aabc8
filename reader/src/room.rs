//! Room for very many records: in large pages, where there are such.
//!
//! ```text
//!   small pages   ▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏    the kernel is entered once for each 4 KiB that are touched first
//!   large ones    ▏       ▏       ▏    once for 2 MiB
//! ```
//!
//! Of what it took to read a hundred thousand tasks, a quarter was the kernel handing out memory, page by page.

/// From so many bytes on, a list is large.
const LARGE: usize = 2 << 20;

/// A large list that is full becomes so many times as large. What it does not touch of that, costs nothing.
const GROWTH: usize = 16;

/// To be called before an item is pushed: a list that is full, and large, gets room for many more. (One that is small
/// grows by itself, and so does a large one for which there is not that much memory.)
pub(crate) fn make<T>(list: &mut Vec<T>) {
    let is_large = list.capacity().saturating_mul(size_of::<T>()) >= LARGE;
    if list.len() < list.capacity() || !is_large {
        return;
    }
    if list.try_reserve_exact(list.len().saturating_mul(GROWTH - 1)).is_ok() {
        prefer_large_pages(list.spare_capacity_mut());
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn prefer_large_pages<T>(spare: &mut [T]) {
    /// No page is larger, if it is not one of the large ones.
    const PAGE: usize = 64 << 10;
    let to_next_page = spare.as_ptr().addr().next_multiple_of(PAGE) - spare.as_ptr().addr();
    let Some(length) = size_of_val(spare).checked_sub(to_next_page) else { return };
    let start = spare.as_mut_ptr().wrapping_byte_add(to_next_page);
    // SAFETY: these bytes are the list's own. What is in them stays as it is; the kernel is only told how it may lay them
    // out, and if it does not want to, or does not know how, it says so, and that is all.
    let _refused = unsafe { libc::madvise(start.cast(), length, libc::MADV_HUGEPAGE) };
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn prefer_large_pages<T>(_spare: &mut [T]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_for_which_room_is_made_holds_what_it_would_hold_without() {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        let mut moves = 0;
        for number in 0..600_000_u64 {
            let capacity = with.capacity();
            make(&mut with);
            with.push(number);
            without.push(number);
            moves += usize::from(with.capacity() != capacity && capacity * 8 >= LARGE);
        }
        assert_eq!(with, without);
        assert_eq!(moves, 1, "there was room for sixteen times as many at once");
    }

    #[test]
    fn room_that_is_not_to_be_had_is_done_without() {
        let mut list = vec![(); usize::MAX];
        make(&mut list);
        assert_eq!(list.len(), usize::MAX);
    }
}
