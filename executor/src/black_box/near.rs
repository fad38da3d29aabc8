//! Memory beside something: in the same black box, if that is in one; otherwise on the heap.
//!
//! ```text
//!   row        ── Near ──► extras      ── NearVec ──► nodes, scopes
//!   in an arena            in the same  ── Told ──► a copy of a name
//! ```
//!
//! Whoever reads from outside follows pointers from a row, so what they lead to must lie where the row does. Whether memory
//! belongs to an arena is seen from its address, when it is asked for and when it is given back; so none of this has to
//! remember it, and a thread without a black box only sees that it has none.

use super::{arena_of, free};
use crate::outside::published::Text;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};
use std::slice;

/// Memory for a layout that has a size. If an arena is full, it is taken from the heap, too.
fn allocate(near: *const (), layout: Layout) -> NonNull<u8> {
    debug_assert!(layout.size() > 0);
    if let Some(memory) = arena_of(near).and_then(|arena| arena.allocate(layout)) {
        return memory;
    }
    // SAFETY: it has a size.
    NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}

/// # Safety
///
/// It comes from [`allocate`], or, with that layout, from the heap, and is used no more.
unsafe fn release(memory: NonNull<u8>, layout: Layout) {
    // SAFETY: as promised.
    if !unsafe { free(memory, layout) } {
        // SAFETY: as it is no arena's, it is the heap's.
        unsafe { dealloc(memory.as_ptr(), layout) };
    }
}

/// A box that lies near something.
pub(crate) struct Near<T>(NonNull<T>, PhantomData<T>);

impl<T> Near<T> {
    const LAYOUT: Layout = {
        assert!(size_of::<T>() > 0);
        Layout::new::<T>()
    };

    /// `near` is an address of the black box that it is to be in, if there is one; it is only looked at.
    pub(crate) fn new(near: *const (), value: T) -> Near<T> {
        Near::write(Near::new_uninit(near), value)
    }

    /// Room for something large, which is then [written](Near::write) where it is to be.
    pub(crate) fn new_uninit(near: *const ()) -> Near<MaybeUninit<T>> {
        Near(allocate(near, Self::LAYOUT).cast(), PhantomData)
    }

    /// What is in the room from now on. Made at the call, it is not moved there: the compiler sees through this.
    #[inline(always)]
    pub(crate) fn write(room: Near<MaybeUninit<T>>, value: T) -> Near<T> {
        let memory = room.into_raw().cast::<T>();
        // SAFETY: memory of that layout, and nobody else's.
        unsafe { memory.write(value) };
        Near(memory, PhantomData)
    }

    /// What is in a box. It is only moved if something else is to be near.
    pub(crate) fn from_box(near: *const (), value: Box<T>) -> Near<T> {
        match arena_of(near) {
            Some(_) => Near::new(near, *value),
            None => Near(NonNull::from(Box::leak(value)), PhantomData),
        }
    }

    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<T> {
        let raw = self.0;
        std::mem::forget(self);
        raw
    }

    /// # Safety
    ///
    /// It comes from [`into_raw`](Near::into_raw), and each pointer comes back once.
    pub(crate) unsafe fn from_raw(raw: NonNull<T>) -> Near<T> {
        Near(raw, PhantomData)
    }
}

impl<T> Deref for Near<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: it is initialised, and this owns it.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Drop for Near<T> {
    fn drop(&mut self) {
        // Also if the value's destructor panics.
        struct Memory<T>(NonNull<T>);
        impl<T> Drop for Memory<T> {
            fn drop(&mut self) {
                // SAFETY: it came from `allocate` or a `Box`, with this layout; its owner is being dropped.
                unsafe { release(self.0.cast(), Near::<T>::LAYOUT) };
            }
        }
        let _memory = Memory(self.0);
        // SAFETY: it is initialised, and this owned it.
        unsafe { self.0.drop_in_place() };
    }
}

/// A vector that lies near something: only what is needed here.
pub(crate) struct NearVec<T> {
    first: NonNull<T>,
    length: usize,
    capacity: usize,
    owns: PhantomData<T>,
}

impl<T> Default for NearVec<T> {
    fn default() -> Self {
        NearVec { first: NonNull::dangling(), length: 0, capacity: 0, owns: PhantomData }
    }
}

impl<T> NearVec<T> {
    pub(crate) fn push(&mut self, near: *const (), item: T) {
        if self.length == self.capacity {
            self.grow(near, (2 * self.capacity).max(4));
        }
        // SAFETY: there is room for one more.
        unsafe { self.first.add(self.length).write(item) };
        self.length += 1;
    }

    /// With room for so many.
    pub(crate) fn with_capacity(near: *const (), capacity: usize) -> NearVec<T> {
        let mut list = NearVec::default();
        if capacity > 0 {
            list.grow(near, capacity);
        }
        list
    }

    /// Takes one out; those behind it move up.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub(crate) fn remove(&mut self, index: usize) -> T {
        assert!(index < self.length, "{index} of {}", self.length);
        self.length -= 1;
        // SAFETY: both are within the list as it was; what is copied over has been taken out.
        unsafe {
            let at = self.first.add(index);
            let item = at.read();
            ptr::copy(at.as_ptr().add(1), at.as_ptr(), self.length - index);
            item
        }
    }

    fn grow(&mut self, near: *const (), capacity: usize) {
        const { assert!(size_of::<T>() > 0) };
        let layout = Layout::array::<T>(capacity).expect("a list that long has no memory");
        let memory = allocate(near, layout).cast::<T>();
        // SAFETY: there is room for them in the new memory, which is another; they move there.
        unsafe { ptr::copy_nonoverlapping(self.first.as_ptr(), memory.as_ptr(), self.length) };
        self.give_back();
        (self.first, self.capacity) = (memory, capacity);
    }

    /// The memory goes; the items have gone.
    fn give_back(&mut self) {
        if self.capacity > 0 {
            let layout = Layout::array::<T>(self.capacity).expect("it was one when it was allocated");
            // SAFETY: it came from `allocate` with this layout, and is not used any more.
            unsafe { release(self.first.cast(), layout) };
        }
    }
}

impl<T> Deref for NearVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: so many are initialised.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), self.length) }
    }
}

impl<T> DerefMut for NearVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: so many are initialised, and they are ours.
        unsafe { slice::from_raw_parts_mut(self.first.as_ptr(), self.length) }
    }
}

impl<T: fmt::Debug> fmt::Debug for NearVec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T> Drop for NearVec<T> {
    fn drop(&mut self) {
        let items: *mut [T] = &mut **self;
        self.length = 0;
        // SAFETY: they are initialised, and nobody finds them any more.
        unsafe { ptr::drop_in_place(items) };
        self.give_back();
    }
}

/// What others are told of a text: where it is, or, in a black box, where a copy is.
#[repr(transparent)]
pub(crate) struct Told(Cell<Text>);

impl Default for Told {
    fn default() -> Self {
        Told(Cell::new(Text::NONE))
    }
}

impl Told {
    /// Whoever has it keeps the text as well, which stays where it is.
    pub(crate) fn of(near: *const (), text: Option<&str>) -> Told {
        let told = Told::default();
        told.tell(near, text.unwrap_or_default());
        told
    }

    /// Another text.
    pub(crate) fn tell(&self, near: *const (), text: &str) {
        let told = copy(near, text).unwrap_or(Text::of(Some(text)));
        drop(Told(Cell::new(self.0.replace(told))));
    }
}

fn copy(near: *const (), text: &str) -> Option<Text> {
    let arena = arena_of(near).filter(|_| !text.is_empty())?;
    let memory = arena.allocate(Layout::for_value(text))?;
    // SAFETY: fresh memory, of that length.
    unsafe { memory.copy_from_nonoverlapping(NonNull::from(text).cast(), text.len()) };
    // SAFETY: a text was copied there. It stays until the `Told` that gets it goes.
    let copy = unsafe { std::str::from_utf8_unchecked(slice::from_raw_parts(memory.as_ptr(), text.len())) };
    Some(Text::of(Some(copy)))
}

impl Drop for Told {
    fn drop(&mut self) {
        if let Some((memory, layout)) = self.0.get().memory() {
            // SAFETY: what lies in an arena was copied there by `copy`, for this alone. (A text that somebody else keeps is
            // never in one.)
            unsafe { free(memory, layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn what_is_in_a_list_is_dropped_once_whether_it_was_taken_out_or_not() {
        let item = Rc::new(());
        let mut list = NearVec::default();
        for _ in 0..10 {
            list.push(ptr::null(), item.clone());
        }
        drop(list.remove(9));
        drop(list.remove(0));
        assert_eq!((list.len(), Rc::strong_count(&item)), (8, 9));
        drop(list);
        assert_eq!(Rc::strong_count(&item), 1);
    }

    #[test]
    fn those_behind_what_is_taken_out_of_a_list_move_up() {
        let mut list = NearVec::with_capacity(ptr::null(), 3);
        (0..7).for_each(|number| list.push(ptr::null(), number));
        assert_eq!((list.remove(2), list.remove(0)), (2, 0));
        list[0] += 10;
        assert_eq!(*list, [11, 3, 4, 5, 6]);
    }

    #[test]
    fn a_box_stays_where_it_is_if_nothing_is_near() {
        let item = Rc::new(());
        let boxed = Box::new((item.clone(), 1));
        let address = ptr::from_ref(&*boxed).addr();
        let near = Near::from_box(ptr::null(), boxed);
        assert_eq!(ptr::from_ref(&*near).addr(), address);
        // SAFETY: it comes from there, and comes back once.
        drop(unsafe { Near::from_raw(near.into_raw()) });
        assert_eq!(Rc::strong_count(&item), 1);
    }

    #[test]
    fn a_text_that_nobody_copies_is_told_where_it_is() {
        let text = String::from("somewhere");
        let told = Told::of(ptr::null(), Some(&text));
        let (memory, layout) = told.0.get().memory().unwrap();
        assert_eq!((memory.as_ptr().cast_const(), layout.size()), (text.as_ptr(), 9));
        told.tell(ptr::null(), "");
        assert!(told.0.get().memory().is_none());
    }
}
