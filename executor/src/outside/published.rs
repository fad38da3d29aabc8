//! Plain data beside what the language keeps for itself: where a text or a vector begins, and how long it is.
//!
//! ```text
//!   Published   first │ length │ RefCell<Vec<T>>        brought up to date whenever a change ends
//!   Text        first │ length                          of a text that somebody else keeps
//! ```

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::ops::{Deref, DerefMut};
use std::ptr;

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
}

/// A vector, and where it is.
#[repr(C)]
pub(crate) struct Published<T> {
    first: Cell<*const T>,
    length: Cell<usize>,
    items: RefCell<Vec<T>>,
}

impl<T> Default for Published<T> {
    fn default() -> Self {
        Published { first: Cell::new(ptr::null()), length: Cell::new(0), items: RefCell::default() }
    }
}

impl<T> Published<T> {
    pub(crate) fn borrow(&self) -> Ref<'_, Vec<T>> {
        self.items.borrow()
    }

    /// To change items, but not their number.
    pub(crate) fn borrow_items(&self) -> RefMut<'_, [T]> {
        RefMut::map(self.items.borrow_mut(), Vec::as_mut_slice)
    }

    pub(crate) fn borrow_mut(&self) -> Changing<'_, T> {
        Changing { items: self.items.borrow_mut(), list: self }
    }
}

/// A vector that may grow, shrink and move until this is dropped.
pub(crate) struct Changing<'a, T> {
    items: RefMut<'a, Vec<T>>,
    list: &'a Published<T>,
}

impl<T> Deref for Changing<'_, T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.items
    }
}

impl<T> DerefMut for Changing<'_, T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
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
        list.borrow_mut().clear();
        assert_eq!(list.length.get(), 0);
    }
}
