//! The C side. `include/homing_plugin.h` says the same in C, and says more.
#![allow(unsafe_code)]

use crate::Plugin;
use crate::request::{Callback, Done, Request};
use homing::error::RuntimeError;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::thread;
use std::time::Duration;

/// A null pointer where there must be none, text that is not UTF-8, an address that is none.
pub const PLUGIN_BAD_ARGUMENT: c_int = -2;
/// Called on another thread than the one that made the plugin.
pub const PLUGIN_WRONG_THREAD: c_int = -3;
/// Called from within a callback, where this must not be.
pub const PLUGIN_BUSY: c_int = -4;
/// The operating system has refused something.
pub const PLUGIN_SYSTEM: c_int = -5;
/// There is a mistake in the plugin. Destroy it.
pub const PLUGIN_PANICKED: c_int = -6;
/// It has ended, or never was.
pub const PLUGIN_NO_SUCH_REQUEST: c_int = -7;

/// What every function does: checks the pointer and the thread, and lets no panic out.
///
/// # Safety
///
/// `plugin` is null, or comes from `plugin_create` and has not been destroyed.
unsafe fn enter<R: From<c_int>>(plugin: *const Plugin, f: impl FnOnce(&Plugin) -> R) -> R {
    // SAFETY: as the caller has promised.
    let Some(plugin) = (unsafe { plugin.as_ref() }) else { return PLUGIN_BAD_ARGUMENT.into() };
    if plugin.thread != thread::current().id() {
        return PLUGIN_WRONG_THREAD.into();
    }
    catch_unwind(AssertUnwindSafe(|| f(plugin))).unwrap_or_else(|_| PLUGIN_PANICKED.into())
}

fn code_of(error: &homing::Error) -> c_int {
    match error.downcast_ref() {
        Some(RuntimeError::NestedRuntime) => PLUGIN_BUSY,
        _ => PLUGIN_SYSTEM,
    }
}

/// Makes a plugin, which belongs to this thread; null if the system gives no descriptor for it.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_create() -> Option<NonNull<Plugin>> {
    let make = || {
        let plugin = Box::new(Plugin::new());
        // Here and now, so that `plugin_fd` cannot fail for it.
        plugin.runtime.descriptor().ok()?;
        Some(NonNull::from(Box::leak(plugin)))
    };
    catch_unwind(make).unwrap_or_default()
}

/// The descriptor to wait for.
///
/// # Safety
///
/// `plugin` is null, or comes from `plugin_create` and has not been destroyed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_fd(plugin: *const Plugin) -> c_int {
    // SAFETY: as the caller has promised.
    unsafe { enter(plugin, |plugin| plugin.runtime.descriptor().map_or(PLUGIN_SYSTEM, |fd| fd.as_raw_fd())) }
}

/// Takes a turn of at most so many microseconds. Says how many milliseconds the host may wait; -1 for any.
///
/// # Safety
///
/// As for `plugin_fd`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_turn(plugin: *const Plugin, budget_us: u32) -> c_int {
    let budget = Duration::from_micros(budget_us.into());
    // SAFETY: as the caller has promised.
    unsafe { enter(plugin, |plugin| plugin.turn(budget).unwrap_or_else(|error| code_of(&error))) }
}

/// Asks a question. Returns the number of the request, from 1.
///
/// # Safety
///
/// As for `plugin_fd`; `server` and `question` are null, or end in a zero byte; `done` may be called with `context` until it
/// has been called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_ask(
    plugin: *const Plugin,
    server: *const c_char,
    question: *const c_char,
    limit_ms: u32,
    done: Option<Callback>,
    context: *mut c_void,
) -> i64 {
    let ask = |plugin: &Plugin| {
        // SAFETY: as the caller has promised.
        let (server, question) = unsafe { (text(server), text(question)) };
        let server = server.and_then(|server| server.parse().ok());
        let (Some(server), Some(question), Some(done)) = (server, question, done) else {
            return PLUGIN_BAD_ARGUMENT.into();
        };
        let limit = Duration::from_millis(limit_ms.into());
        plugin.ask(Request { server, question: question.to_owned(), limit }, Done::new(done, context))
    };
    // SAFETY: as the caller has promised.
    unsafe { enter(plugin, ask) }
}

/// Cancels a request; its callback hears of it in one of the next turns.
///
/// # Safety
///
/// As for `plugin_fd`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_cancel(plugin: *const Plugin, request: i64) -> c_int {
    let cancel = |plugin: &Plugin| if plugin.cancel(request) { 0 } else { PLUGIN_NO_SUCH_REQUEST };
    // SAFETY: as the caller has promised.
    unsafe { enter(plugin, cancel) }
}

/// Cancels what is left, waits for it, and frees everything. Returns 0; with any other answer the plugin is still there.
///
/// # Safety
///
/// As for `plugin_fd`. If it returns 0, the pointer must not be used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_destroy(plugin: *mut Plugin) -> c_int {
    // SAFETY: as the caller has promised.
    let closed =
        unsafe { enter(plugin, |plugin| plugin.close().map_or_else(|error| code_of(&error), |()| 0)) };
    if closed == 0 {
        // SAFETY: it comes from a box, nobody is inside of it (that would have been refused), and nobody uses it again.
        let plugin = unsafe { Box::from_raw(plugin) };
        if catch_unwind(AssertUnwindSafe(|| drop(plugin))).is_err() {
            eprintln!("the plugin has panicked when it was dropped, and is gone");
        }
    }
    closed
}

/// # Safety
///
/// It is null, or ends in a zero byte, and lives as long as the answer.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a str> {
    // SAFETY: as the caller has promised.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })?.to_str().ok()
}
