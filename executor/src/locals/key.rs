//! `TaskLocal`: the key.

use super::error::LocalError;
use super::in_force::{self, Slot};
use super::scoped::{Scoped, Swapped};
use super::values::{Inheritance, Key, Value};
use std::any::Any;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

/// A key to a value that each task has for itself. Declared as a `static`:
///
/// ```
/// use homing::TaskLocal;
/// use std::cell::Cell;
///
/// /// Which request this is done for: tasks that are spawned to help with it do it for the same.
/// static REQUEST_ID: TaskLocal<u64> = TaskLocal::inherited();
/// /// How deep this task is in its recursion: which is nobody else's business.
/// static DEPTH: TaskLocal<Cell<u32>> = TaskLocal::own().with_default(|| Cell::new(0));
///
/// homing::run(async {
///     REQUEST_ID.set(7);
///     DEPTH.with(|depth| depth.set(depth.get() + 1));
///     let helper = homing::spawn(async { Ok((REQUEST_ID.get(), DEPTH.with(|depth| depth.get()))) });
///     REQUEST_ID.set(8); // the helper was spawned before
///     assert_eq!(helper.await?, (7, 0));
///     Ok(())
/// })
/// # .unwrap();
/// ```
///
/// What is set stays with the task until it ends, or until it is replaced or taken.
/// [`scope`](TaskLocal::scope) and [`with_value`](TaskLocal::with_value) set it for a part of the task.
///
/// An inherited value is not copied but shared, as in an [`Rc`]. That makes no difference to a plain value,
/// since [`set`](TaskLocal::set) changes only what this task's context has; with a `Cell` in it, spawner and
/// spawned would write to the same one.
///
/// In a callback it is the same as in a task, for as long as the callback runs. Elsewhere there is nothing
/// that could have a value, unless in [`Context::run`](super::Context::run).
///
/// # asyncio
///
/// `contextvars.ContextVar`, all of which are inherited (CV-1 to CV-6).
///
/// It cannot be a `const`, which would be another key each time:
///
/// ```compile_fail,E0716
/// const KEY: homing::TaskLocal<u64> = homing::TaskLocal::inherited();
/// KEY.set(1);
/// ```
pub struct TaskLocal<T: 'static> {
    key: Key,
    default: Option<fn() -> T>,
}

impl<T: 'static> TaskLocal<T> {
    /// A key whose value a spawned task gets from its spawner, as it is at that moment.
    #[track_caller]
    pub const fn inherited() -> TaskLocal<T> {
        TaskLocal::new(Inheritance::Inherited, Location::caller())
    }

    /// A key that each task begins without.
    #[track_caller]
    pub const fn own() -> TaskLocal<T> {
        TaskLocal::new(Inheritance::Own, Location::caller())
    }

    const fn new(inheritance: Inheritance, declared: &'static Location<'static>) -> TaskLocal<T> {
        let key = Key { declared, inheritance, _one_of_its_kind: AtomicBool::new(false) };
        TaskLocal { key, default: None }
    }

    /// Gives the key a default: the value where none is set. A task that uses it keeps it from then on, as if
    /// it had set it.
    ///
    /// # asyncio
    ///
    /// `ContextVar(…, default=…)`.
    pub const fn with_default(mut self, default: fn() -> T) -> TaskLocal<T> {
        self.default = Some(default);
        self
    }

    /// The value, cloned.
    ///
    /// # Panics
    ///
    /// Where [`try_get`](TaskLocal::try_get) gives an error.
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        match self.try_get() {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }

    /// The value, cloned. Of a key with a default there is one everywhere: where nothing could have it, a
    /// fresh one each time.
    ///
    /// # Errors
    ///
    /// [`LocalError`], if it is not set here, and has no default.
    ///
    /// # asyncio
    ///
    /// `ContextVar.get()`.
    pub fn try_get(&'static self) -> Result<T, LocalError>
    where
        T: Clone,
    {
        match (self.try_with(T::clone), self.default) {
            (Err(LocalError::OutsideOfTask { .. }), Some(default)) => Ok(default()),
            (result, _) => result,
        }
    }

    /// Calls `f` with the value.
    ///
    /// The value stays alive for that long, also if `f` sets another one.
    ///
    /// # Panics
    ///
    /// Where [`try_with`](TaskLocal::try_with) gives an error.
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        match self.try_with(f) {
            Ok(result) => result,
            Err(error) => panic!("{error}"),
        }
    }

    /// Calls `f` with the value.
    ///
    /// # Errors
    ///
    /// [`LocalError`], if it is not set here, and has no default; and also with a default where no task is
    /// running, for what `f` might do to it would be lost.
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, LocalError> {
        let value = match in_force::look(|context| context.find(&self.key)).flatten() {
            Some(value) => value,
            None => self.keep_default()?,
        };
        Ok(f(typed(&value)))
    }

    /// Sets the value, in this task. One that was there is dropped, unless somebody shares it.
    ///
    /// # Panics
    ///
    /// Where no task is running.
    ///
    /// # asyncio
    ///
    /// `ContextVar.set()`; for its token, by which it is set back, see [`scope`](TaskLocal::scope).
    #[track_caller]
    pub fn set(&'static self, value: T) {
        drop(self.swap(value));
    }

    /// Sets the value, in this task, and returns the one that was there: moved out if nobody shares it, else
    /// cloned.
    ///
    /// # Panics
    ///
    /// Where no task is running.
    #[track_caller]
    pub fn replace(&'static self, value: T) -> Option<T>
    where
        T: Clone,
    {
        self.swap(value).map(into_typed)
    }

    /// Takes the value out of this task, which is then as if it had never been set. `None` if it is not set.
    pub fn take(&'static self) -> Option<T>
    where
        T: Clone,
    {
        in_force::look(|context| context.swap(&self.key, None)).flatten().map(into_typed)
    }

    /// Runs a future with this value set, and afterwards with what was there before.
    ///
    /// The value is in force while the future is being polled, and while it is being dropped; so two of them
    /// side by side in one task, in a `join!`, each have their own. Tasks that are spawned within inherit it,
    /// if it is an inherited key. What the future sets itself is gone with the scope.
    ///
    /// It also works where no task is running, under any executor.
    ///
    /// # Cancel safety
    ///
    /// That of the future.
    ///
    /// # asyncio
    ///
    /// `with var.set(value):`, or `set` and `reset` with the token.
    ///
    /// ```
    /// use homing::TaskLocal;
    /// static USER: TaskLocal<&str> = TaskLocal::inherited();
    ///
    /// homing::run(async {
    ///     USER.set("nobody");
    ///     USER.scope("ann", async {
    ///         assert_eq!(USER.get(), "ann");
    ///         homing::spawn(async { Ok(assert_eq!(USER.get(), "ann")) }).await
    ///     })
    ///     .await?;
    ///     assert_eq!(USER.get(), "nobody");
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn scope<F: IntoFuture>(&'static self, value: T, future: F) -> Scoped<F::IntoFuture> {
        Scoped::new(&self.key, Rc::new(value), future.into_future())
    }

    /// Calls `f` with this value set, and afterwards sets what was there before, also if `f` panics.
    ///
    /// As [`scope`](TaskLocal::scope), for a function; it works where no task is running, too.
    ///
    /// ```
    /// static INDENT: homing::TaskLocal<usize> = homing::TaskLocal::own().with_default(|| 0);
    /// let seen = INDENT.with_value(4, || INDENT.get());
    /// assert_eq!((seen, INDENT.get()), (4, 0));
    /// ```
    pub fn with_value<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        let (mut value, spare): (Option<Value>, Slot) = (Some(Rc::new(value)), Slot::default());
        let _in_scope = Swapped::new(&self.key, &mut value, &spare);
        f()
    }

    pub(crate) fn key(&'static self) -> &'static Key {
        &self.key
    }

    #[track_caller]
    fn swap(&'static self, value: T) -> Option<Value> {
        match in_force::current() {
            Some(context) => context.swap(&self.key, Some(Rc::new(value))),
            None => panic!("{}", self.outside()),
        }
    }

    fn outside(&self) -> LocalError {
        LocalError::OutsideOfTask { declared: self.key.declared }
    }

    /// The default, which is the task's value from here on.
    #[cold]
    fn keep_default(&'static self) -> Result<Value, LocalError> {
        if !in_force::is_anywhere() {
            return Err(self.outside());
        }
        let default = self.default.ok_or(LocalError::Unset { declared: self.key.declared })?;
        let value: Value = Rc::new(default());
        if let Some(context) = in_force::current() {
            drop(context.swap(&self.key, Some(value.clone())));
        }
        Ok(value)
    }
}

/// A value as what it is.
pub(crate) fn typed<T: 'static>(value: &Rc<dyn Any>) -> &T {
    value.downcast_ref().expect("what is kept under a key is of the key's type")
}

fn into_typed<T: Clone + 'static>(value: Value) -> T {
    Rc::unwrap_or_clone(value.downcast().expect("what is kept under a key is of the key's type"))
}

impl<T: 'static> fmt::Debug for TaskLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLocal")
            .field("type", &std::any::type_name::<T>())
            .field("declared", &format_args!("{}", self.key.declared))
            .finish_non_exhaustive()
    }
}
