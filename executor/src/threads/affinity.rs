//! On which core a thread runs.

use super::Pinned;

#[cfg(any(not(target_os = "linux"), homing_portable))]
use elsewhere as os;
#[cfg(all(target_os = "linux", not(homing_portable)))]
use linux as os;

/// Ties the thread to a core: the one whose turn it is, of those that it may use. Says which, if the system has agreed.
pub(super) fn pin(index: usize) -> Option<usize> {
    let allowed = os::allowed()?;
    let cpu = os::list(&allowed).nth(index % os::list(&allowed).count().max(1))?;
    os::restrict_to(cpu).then_some(cpu)
}

/// The cores that the thread may use, which it gets back at the end.
pub(super) struct Affinity(Option<os::Cores>);

impl Affinity {
    /// Of a thread that is about to be tied to one of them, if it is.
    pub(super) fn remembered(pinned: Pinned) -> Affinity {
        Affinity(if pinned == Pinned::ToACoreEach { os::allowed() } else { None })
    }
}

impl Drop for Affinity {
    fn drop(&mut self) {
        if let Some(cores) = &self.0 {
            os::allow(cores);
        }
    }
}

#[cfg(all(target_os = "linux", not(homing_portable)))]
mod linux {
    use std::mem;

    pub(super) type Cores = libc::cpu_set_t;

    pub(super) fn allowed() -> Option<Cores> {
        // SAFETY: a set of cores is plain bits, and zero is the empty one.
        let mut cores: Cores = unsafe { mem::zeroed() };
        // SAFETY: it is as large as is said, and lives as long as the call. 0 is the calling thread.
        let result = unsafe { libc::sched_getaffinity(0, mem::size_of::<Cores>(), &mut cores) };
        (result == 0).then_some(cores)
    }

    pub(super) fn list(cores: &Cores) -> impl Iterator<Item = usize> {
        // SAFETY: asks for bits that the set has.
        (0..libc::CPU_SETSIZE as usize).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, cores) })
    }

    pub(super) fn restrict_to(cpu: usize) -> bool {
        // SAFETY: as in `allowed`; the core is one of those that were listed.
        let cores = unsafe {
            let mut cores: Cores = mem::zeroed();
            libc::CPU_SET(cpu, &mut cores);
            cores
        };
        allow(&cores)
    }

    pub(super) fn allow(cores: &Cores) -> bool {
        // SAFETY: as in `allowed`.
        unsafe { libc::sched_setaffinity(0, mem::size_of::<Cores>(), cores) == 0 }
    }
}

#[cfg(any(not(target_os = "linux"), homing_portable))]
mod elsewhere {
    pub(super) struct Cores;

    pub(super) fn allowed() -> Option<Cores> {
        None
    }

    pub(super) fn list(_cores: &Cores) -> impl Iterator<Item = usize> {
        std::iter::empty()
    }

    pub(super) fn restrict_to(_cpu: usize) -> bool {
        false
    }

    pub(super) fn allow(_cores: &Cores) -> bool {
        false
    }
}
