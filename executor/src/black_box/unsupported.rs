//! Systems without black boxes.

use super::error::BlackBoxError;
use crate::holders::Record;
use crate::outpost::RuntimeOutpost;
use crate::runtime::core::Core;
use crate::task::cell::VTable;
use crate::task::pages::Page;
use crate::task::row::Row;
use std::alloc::Layout;
use std::convert::Infallible;
use std::path::Path;
use std::ptr::NonNull;

/// None is ever made.
#[derive(Debug)]
pub(crate) struct Arena(Infallible);

#[derive(Debug)]
pub(crate) struct BlackBox(Infallible);

impl BlackBox {
    pub(crate) fn create(_path: &Path) -> Result<BlackBox, BlackBoxError> {
        Err(BlackBoxError::Unsupported)
    }

    pub(crate) fn place(&self) -> *const () {
        match self.0 {}
    }

    pub(crate) fn tell_of(&self, _outpost: &'static RuntimeOutpost, _core: &Core) {
        match self.0 {}
    }
}

impl Arena {
    pub(crate) fn allocate(&self, _layout: Layout) -> Option<NonNull<u8>> {
        match self.0 {}
    }

    pub(crate) fn allocate_rows(&self) -> Option<NonNull<Row>> {
        match self.0 {}
    }

    pub(crate) fn take_in(&self, _rows: &'static [Row]) -> bool {
        match self.0 {}
    }

    pub(crate) fn take_board(&self) -> Option<&'static Record> {
        match self.0 {}
    }

    pub(crate) fn give_back_board(&self, _board: &'static Record) {
        match self.0 {}
    }

    pub(crate) fn has(&self, _address: *const ()) -> bool {
        match self.0 {}
    }

    pub(crate) fn retire(&self, _page: Page) {
        match self.0 {}
    }

    pub(crate) fn enter_type(&self, _vtable: &'static VTable) {
        match self.0 {}
    }
}

#[inline(always)]
pub(crate) fn arena_of(_near: *const ()) -> Option<&'static Arena> {
    None
}

/// Whether it was memory of an arena, and has been given back.
///
/// # Safety
///
/// None is needed.
#[inline(always)]
pub(crate) unsafe fn free(_memory: NonNull<u8>, _layout: Layout) -> bool {
    false
}
