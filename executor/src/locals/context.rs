//! `Context`: the values that a task has.

use super::in_force::{self, Slot};
use super::key::TaskLocal;
use super::values::{Inheritance, Key, Value, Values};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// The values of a task's [`TaskLocal`]s, as a handle: clones are the same context, and whoever has one sees
/// what others change in it. A [`copy`](Context::copy) is another one.
///
/// A task has a context of its own, which begins as a copy of its spawner's, unless it was
/// [given](crate::task::TaskBuilder::context) one: then it shares that (CV-1, CV-3). The tasks of
/// [`Runtime::block_on`](crate::runtime::Runtime::block_on),
/// [`Runtime::spawn`](crate::runtime::Runtime::spawn) from outside, and
/// [`Handle::spawn_remote`](crate::runtime::Handle::spawn_remote) begin with an empty one.
///
/// A task that ends lets go of its context. Values are dropped when nobody has the context, or a copy with
/// that value, any more: `own` ones first, each kind in the order in which they were first set. A panic in a
/// value's destructor then goes to the hook for unhandled errors.
///
/// # asyncio
///
/// `contextvars.Context`; comparing is by identity there, too.
///
/// ```
/// use homing::{Context, TaskLocal};
///
/// static TENANT: TaskLocal<&str> = TaskLocal::inherited();
///
/// homing::run(async {
///     let context = Context::new();
///     context.run(|| TENANT.set("acme"));
///     // Both tasks run in that context, not in copies of it.
///     homing::task(async { Ok(TENANT.set("bolt")) }).context(&context).spawn().await?;
///     let seen = homing::task(async { Ok(TENANT.get()) }).context(&context).spawn().await?;
///     assert_eq!(seen, "bolt");
///     assert_eq!(TENANT.try_get().ok(), None); // nothing of that has happened in this task's
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Context {
    locals: Rc<Locals>,
}

#[derive(Default)]
struct Locals {
    own: RefCell<Values>,
    /// Shared with copies of the context until one of them changes. `None`: there were never any.
    inherited: RefCell<Option<Rc<Values>>>,
}

impl Context {
    /// An empty context.
    pub fn new() -> Context {
        Context::default()
    }

    /// The context in force: that of the running task, or of the callback. `None` where neither is running,
    /// and outside of [`Context::run`].
    ///
    /// # asyncio
    ///
    /// `Task.get_context()` of the current task (CV-6). `contextvars.copy_context()` is a
    /// [`copy`](Context::copy) of it.
    pub fn current() -> Option<Context> {
        in_force::current()
    }

    /// Another context with the same values, less those of `own` keys: what a task that is spawned in this
    /// one gets.
    ///
    /// Costs the same however many values there are: what is shared is copied by whoever changes it first.
    ///
    /// # asyncio
    ///
    /// `Context.copy()`, `contextvars.copy_context()`.
    pub fn copy(&self) -> Context {
        self.to_inherit().unwrap_or_default()
    }

    /// Calls `f` in this context, wherever that is: in a task, or outside of any runtime. Tasks that it
    /// spawns get copies of this context; what it sets stays in it.
    ///
    /// # asyncio
    ///
    /// `Context.run(f)`, except that a context may be entered any number of times.
    ///
    /// ```
    /// use homing::{Context, TaskLocal};
    /// static LEVEL: TaskLocal<u8> = TaskLocal::inherited();
    ///
    /// let context = Context::new();
    /// context.run(|| LEVEL.set(3));
    /// assert_eq!(context.get(&LEVEL), Some(3));
    /// ```
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        let slot = Slot::holding(self.clone());
        let _entered = in_force::enter(&slot);
        f()
    }

    /// A key's value in this context; `None` if it is not set, also if it has a default.
    ///
    /// # asyncio
    ///
    /// `Context.get(var)`.
    pub fn get<T: Clone + 'static>(&self, key: &'static TaskLocal<T>) -> Option<T> {
        self.find(key.key()).map(|value| T::clone(super::key::typed(&value)))
    }

    /// What a spawned task gets, if there is anything.
    pub(crate) fn to_inherit(&self) -> Option<Context> {
        let inherited = self.locals.inherited.borrow().clone().filter(|values| !values.is_empty())?;
        let locals = Locals { inherited: RefCell::new(Some(inherited)), ..Locals::default() };
        Some(Context { locals: Rc::new(locals) })
    }

    pub(crate) fn find(&self, key: &'static Key) -> Option<Value> {
        match key.inheritance {
            Inheritance::Own => self.locals.own.borrow().find(key),
            Inheritance::Inherited => self.locals.inherited.borrow().as_ref()?.find(key),
        }
    }

    /// Sets, replaces or (with `None`) removes a value, and returns what was there.
    #[must_use]
    pub(crate) fn swap(&self, key: &'static Key, value: Option<Value>) -> Option<Value> {
        match key.inheritance {
            Inheritance::Own => self.locals.own.borrow_mut().swap(key, value),
            Inheritance::Inherited => {
                let mut inherited = self.locals.inherited.borrow_mut();
                Rc::make_mut(inherited.get_or_insert_default()).swap(key, value)
            }
        }
    }
}

impl PartialEq for Context {
    /// Whether it is the same context, not only one with equal values.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.locals, &other.locals)
    }
}

impl Eq for Context {}

impl fmt::Debug for Context {
    /// The places where the keys are declared; of the values nothing is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut keys: Vec<&Key> = self.locals.own.borrow().keys().collect();
        keys.extend(self.locals.inherited.borrow().iter().flat_map(|values| values.keys()));
        let places = keys.into_iter().map(|key| format_args!("{}", key.declared).to_string());
        f.write_str("Context")?;
        f.debug_set().entries(places).finish()
    }
}
