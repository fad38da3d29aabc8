//! Plain data beside what the language keeps for itself: where a text or a vector begins, and how long it is.
//!
//! ```text
//!   Published   first │ length │ RefCell<NearVec<T>>       brought up to date whenever a change ends
//!   Text        first │ length                          of a text that somebody else keeps
//! ```

use crate::black_box::NearVec;
use std::alloc::Layout;
use std::cell::{Cell, Ref, RefCell, RefMut};
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};

/// A text's address and length. Whoever has one keeps the text as well.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Text {
    first: *const u8,
    length: usize,
}

impl Text {
    pub(crate) const NONE: Text = Text { first: ptr::null(), length: 0 };

    pub(crate) fn of(text: Option<&str>) -> Text {
        text.map_or(Text::NONE, |text| Text { first: text.as_ptr(), length: text.len() })
    }

    /// The memory that it takes, if it takes any.
    pub(crate) fn memory(self) -> Option<(NonNull<u8>, Layout)> {
        let first = NonNull::new(self.first.cast_mut()).filter(|_| self.length > 0)?;
        Some((first, Layout::array::<u8>(self.length).ok()?))
    }
}

/// A vector, and where it is.
#[repr(C)]
pub(crate) struct Published<T> {
    first: Cell<*const T>,
    length: Cell<usize>,
    items: RefCell<NearVec<T>>,
}

impl<T> Default for Published<T> {
    fn default() -> Self {
        Published { first: Cell::new(ptr::null()), length: Cell::new(0), items: RefCell::default() }
    }
}

impl<T> Published<T> {
    pub(crate) fn borrow(&self) -> Ref<'_, [T]> {
        Ref::map(self.items.borrow(), |items| &**items)
    }

    /// To change items, but not their number.
    pub(crate) fn borrow_items(&self) -> RefMut<'_, [T]> {
        RefMut::map(self.items.borrow_mut(), |items| &mut **items)
    }

    pub(crate) fn borrow_mut(&self) -> Changing<'_, T> {
        Changing { items: self.items.borrow_mut(), list: self }
    }
}

/// A vector that may grow, shrink and move until this is dropped.
pub(crate) struct Changing<'a, T> {
    items: RefMut<'a, NearVec<T>>,
    list: &'a Published<T>,
}

impl<T> Changing<'_, T> {
    /// Adds one. If more memory is needed, it is near the list.
    pub(crate) fn push(&mut self, item: T) {
        self.items.push(ptr::from_ref(self.list).cast(), item);
    }
}

impl<T> Deref for Changing<'_, T> {
    type Target = NearVec<T>;

    fn deref(&self) -> &NearVec<T> {
        &self.items
    }
}

impl<T> DerefMut for Changing<'_, T> {
    fn deref_mut(&mut self) -> &mut NearVec<T> {
        &mut self.items
    }
}

impl<T> Drop for Changing<'_, T> {
    fn drop(&mut self) {
        self.list.first.set(self.items.as_ptr());
        self.list.length.set(self.items.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_list_is_and_how_long_is_known_after_each_change() {
        let list = Published::default();
        for number in 0..100_u64 {
            list.borrow_mut().push(number);
            assert_eq!(list.first.get(), list.borrow().as_ptr());
            assert_eq!(list.length.get(), list.borrow().len());
        }
        for _ in 0..100 {
            list.borrow_mut().remove(0);
        }
        assert_eq!(list.length.get(), 0);
    }
}
