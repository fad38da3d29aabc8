//! A list of values with their keys.
//!
//! Few keys are alive in any program, so a list that is searched from one end to the other is the fastest
//! map, and the smallest. Values are shared, so that a list can be copied, and so that one that is being
//! looked at may be replaced.

use crate::task::life;
use std::any::Any;
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

/// A value of whatever type its key says.
pub(crate) type Value = Rc<dyn Any>;

/// What a key is, apart from its type. Keys are told apart by their addresses.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) declared: &'static Location<'static>,
    pub(crate) inheritance: Inheritance,
    /// Never read. With something in it that could change, a key that is declared as a `const` by mistake,
    /// which would be another one wherever it is used, does not compile; nor may a linker fold two keys that
    /// look the same.
    pub(crate) _one_of_its_kind: AtomicBool,
}

/// Whether a spawned task gets the value of its spawner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inheritance {
    Inherited,
    Own,
}

#[derive(Clone)]
struct Entry {
    key: &'static Key,
    value: Value,
}

/// See the [module](self).
#[derive(Clone, Default)]
pub(crate) struct Values(Vec<Entry>);

impl Values {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn find(&self, key: &'static Key) -> Option<Value> {
        self.0.iter().find(|entry| std::ptr::eq(entry.key, key)).map(|entry| entry.value.clone())
    }

    /// Sets, replaces or (with `None`) removes a value, and returns what was there.
    ///
    /// The caller drops that when it has let go of the list: a destructor may do anything.
    #[must_use]
    pub(crate) fn swap(&mut self, key: &'static Key, value: Option<Value>) -> Option<Value> {
        let at = self.0.iter().position(|entry| std::ptr::eq(entry.key, key));
        match (at, value) {
            (Some(at), Some(value)) => Some(std::mem::replace(&mut self.0[at].value, value)),
            (Some(at), None) => Some(self.0.remove(at).value),
            (None, Some(value)) => {
                self.0.push(Entry { key, value });
                None
            }
            (None, None) => None,
        }
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.0.iter().map(|entry| entry.key)
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        // One by one: a destructor that panics is reported, and keeps no other from being run.
        for entry in self.0.drain(..) {
            life::contain(|| drop(entry));
        }
    }
}
