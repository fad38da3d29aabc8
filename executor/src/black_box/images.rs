//! Copies of the program's constants: the places in its source, the names of its files.
//!
//! A row says where it was spawned by pointing into the program. When the process is gone, and perhaps the program's file
//! replaced by that of a newer version, nobody can follow that. So the parts of the program that hold data are copied into
//! the black box, as they are when it is made:
//!
//! ```text
//!   a place, a table ──► which loaded object? ──► its segments that hold data (not code), each once
//! ```
//!
//! That is done for the object that has homing in it, and for the one that builds the runtime; and for each other one, when the
//! first task comes from there. Code is copied only where the linker has put such constants beside it.

use std::ops::Range;
use std::slice;

/// One loaded segment.
#[derive(Clone, Debug)]
struct Loaded {
    addresses: Range<usize>,
    has_code: bool,
}

#[derive(Debug, Default)]
pub(super) struct Images {
    /// The beginnings of the objects that were seen to.
    objects: Vec<usize>,
    copied: Vec<Range<usize>>,
}

impl Images {
    /// Copies the data of the object that a constant is in, if that has not been done. Stops at the first copy that fails.
    pub(super) fn cover(&mut self, constant: usize, mut copy: impl FnMut(Range<usize>) -> bool) -> bool {
        if self.copied.iter().any(|copied| copied.contains(&constant)) {
            return true;
        }
        let Some(segments) = object_with(constant) else { return true };
        let object = segments.iter().map(|segment| segment.addresses.start).min().unwrap_or_default();
        let is_new = !self.objects.contains(&object);
        if is_new {
            self.objects.push(object);
        }
        let wanted = |segment: &&Loaded| is_new && !segment.has_code || segment.addresses.contains(&constant);
        for Loaded { addresses, .. } in segments.iter().filter(wanted) {
            if !self.copied.contains(addresses) {
                if !copy(addresses.clone()) {
                    return false;
                }
                self.copied.push(addresses.clone());
            }
        }
        true
    }
}

/// The segments of the loaded object that has something at this address, as far as they come from its file.
fn object_with(address: usize) -> Option<Vec<Loaded>> {
    struct Search {
        address: usize,
        found: Option<Vec<Loaded>>,
    }

    unsafe extern "C" fn look(
        info: *mut libc::dl_phdr_info,
        _: libc::size_t,
        search: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: what `dl_iterate_phdr` was called with, below.
        let search = unsafe { &mut *search.cast::<Search>() };
        // SAFETY: it is called with a description of an object, which has a list of so many segments.
        let (base, segments) = unsafe {
            let info = &*info;
            match info.dlpi_phdr.is_null() {
                true => return 0,
                false => (info.dlpi_addr, slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into())),
            }
        };
        let loaded: Vec<Loaded> = segments
            .iter()
            .filter(|segment| segment.p_type == libc::PT_LOAD && segment.p_flags & libc::PF_R != 0)
            .map(|segment| {
                let start = base.wrapping_add(segment.p_vaddr) as usize;
                let addresses = start..start + segment.p_filesz as usize;
                Loaded { addresses, has_code: segment.p_flags & libc::PF_X != 0 }
            })
            .filter(|segment| !segment.addresses.is_empty())
            .collect();
        if loaded.iter().any(|segment| segment.addresses.contains(&search.address)) {
            search.found = Some(loaded);
            return 1;
        }
        0
    }

    let mut search = Search { address, found: None };
    // SAFETY: the function is called with the address of the search, before the call returns.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
    search.found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::Location;

    #[test]
    fn the_object_of_a_place_is_copied_once_with_the_names_of_its_files() {
        let mut images = Images::default();
        let mut copied: Vec<Range<usize>> = Vec::new();
        let place = Location::caller();
        let constants = [std::ptr::from_ref(place).addr(), place.file().as_ptr().addr()];
        for constant in constants.into_iter().chain(constants) {
            images.cover(constant, |addresses| {
                copied.push(addresses);
                true
            });
            assert!(copied.iter().any(|range| range.contains(&constant)), "{constant:#x} in {copied:x?}");
        }
        for (number, one) in copied.iter().enumerate() {
            let overlaps = |other: &Range<usize>| one.start < other.end && other.start < one.end;
            assert!(!copied[number + 1..].iter().any(overlaps), "{copied:x?}");
        }
    }

    #[test]
    fn what_is_in_no_object_is_left_out() {
        let on_the_heap = Box::new(1);
        let address = std::ptr::from_ref(&*on_the_heap).addr();
        assert!(Images::default().cover(address, |_| panic!("it is no constant")));
    }
}
