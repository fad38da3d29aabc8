//! Usually one: a task stands at one await, and only what does several things at once at more.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// A list that keeps a single item in itself, and takes memory of its own only for more. Reads as a slice.
#[derive(Clone, PartialEq, Eq)]
pub struct Few<T>(Items<T>);

#[derive(Clone, PartialEq, Eq)]
enum Items<T> {
    One(T),
    /// None, or more than one.
    Many(Vec<T>),
}

impl<T> Few<T> {
    /// Adds one at the end.
    pub fn push(&mut self, item: T) {
        // In the usual case the item is written once, where it stays.
        if let Items::Many(items) = &mut self.0 {
            if items.is_empty() {
                self.0 = Items::One(item);
            } else {
                items.push(item);
            }
        } else if let Items::One(first) = std::mem::replace(&mut self.0, Items::Many(Vec::new())) {
            self.0 = Items::Many(vec![first, item]);
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Few(Items::Many(Vec::new()))
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Items::One(item) => std::slice::from_ref(item),
            Items::Many(items) => items,
        }
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.0 {
            Items::One(item) => std::slice::from_mut(item),
            Items::Many(items) => items,
        }
    }
}

impl<T> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut few = Few::default();
        few.extend(items);
        few
    }
}

impl<T: fmt::Debug> fmt::Debug for Few<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_the_order_in_which_they_were_added_however_many() {
        for count in 0..5 {
            let mut few: Few<u32> = (0..count).collect();
            assert_eq!(*few, (0..count).collect::<Vec<_>>()[..]);
            few.iter_mut().for_each(|item| *item += 1);
            assert_eq!(few, (1..=count).collect());
        }
    }
}
