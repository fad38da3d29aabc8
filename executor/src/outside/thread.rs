//! The number that the operating system has for a thread.
//!
//! To ask for it is a system call, more than all the rest of building a runtime. So each thread asks once, and a process
//! that has been forked off anew.

/// This thread's, which other tools show too; 0 where it has none.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
pub(crate) fn thread_id() -> u64 {
    os::thread_id()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn thread_id() -> u64 {
    0
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod os {
    use std::cell::Cell;
    use std::sync::Once;

    thread_local! {
        /// This thread's number, once it has asked; 0 before.
        static ID: Cell<u64> = const { Cell::new(0) };
    }

    #[inline]
    pub(super) fn thread_id() -> u64 {
        match ID.get() {
            0 => ask(),
            id => id,
        }
    }

    #[cold]
    fn ask() -> u64 {
        static CHILDREN_FORGET: Once = Once::new();
        // Before any thread remembers its number. Without memory for this, a child shows its parent's, and that is all.
        // SAFETY: what is to be called in a child may be called there.
        CHILDREN_FORGET.call_once(|| _ = unsafe { libc::pthread_atfork(None, None, Some(forget)) });
        // SAFETY: it takes nothing, and cannot fail.
        let id = u64::from(unsafe { libc::gettid() }.unsigned_abs());
        ID.set(id);
        id
    }

    /// In a process that was just forked off: its only thread is the one that forked, and has another number now.
    unsafe extern "C" fn forget() {
        // Constant-initialised and without a destructor: a store, which is all that may happen here.
        ID.set(0);
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::thread_id;

    /// What the operating system says.
    fn asked() -> u64 {
        // SAFETY: it takes nothing, and cannot fail.
        u64::from(unsafe { libc::gettid() }.unsigned_abs())
    }

    #[test]
    fn each_thread_has_a_number_of_its_own_however_often_it_is_asked() {
        assert_eq!([thread_id(), thread_id()], [asked(), asked()]);
        let other = std::thread::spawn(|| (thread_id(), thread_id(), asked())).join().unwrap();
        assert_eq!((other.0, other.1), (other.2, other.2));
        assert_ne!(other.0, thread_id());
    }

    #[test]
    fn a_process_that_is_forked_off_does_not_take_its_parents_number_for_its_own() {
        thread_id();
        // SAFETY: the child makes system calls, reads a thread-local, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let is_right = thread_id() == asked();
            // SAFETY: it ends the process here and now.
            unsafe { libc::_exit(if is_right { 0 } else { 1 }) };
        }
        let mut status = 0;
        // SAFETY: the child is there, and the status is written to.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0, "its number is its parent's");
    }
}
