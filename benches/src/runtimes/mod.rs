//! The runtimes that are compared: a file and a line each.

mod homing;
mod joined;

#[cfg(feature = "peers")]
mod compio;
#[cfg(feature = "peers")]
mod embassy;
#[cfg(feature = "peers")]
mod glommio;
#[cfg(feature = "peers")]
mod local_pool;
#[cfg(feature = "peers")]
mod local_runtime;
#[cfg(feature = "peers")]
mod monoio;
#[cfg(feature = "peers")]
mod nio;
#[cfg(feature = "peers")]
mod scopes;
#[cfg(feature = "peers")]
mod smol;
#[cfg(feature = "peers")]
mod tokio_local_runtime;
#[cfg(feature = "peers")]
mod tokio_local_set;

use crate::runtime::Runtime;

use homing::Homing;

/// Does something with each runtime in turn.
pub trait Visitor {
    /// Called once for each.
    fn visit<R: Runtime>(&mut self);
}

/// Calls the visitor with every runtime, in the order in which they are shown.
pub fn visit_all(visitor: &mut impl Visitor) {
    visitor.visit::<Homing>();
    #[cfg(feature = "peers")]
    {
        visitor.visit::<tokio_local_set::TokioLocalSet>();
        visitor.visit::<tokio_local_runtime::TokioLocalRuntime>();
        visitor.visit::<smol::Smol>();
        visitor.visit::<local_pool::FuturesLocalPool>();
        visitor.visit::<scopes::Unordered>();
        visitor.visit::<scopes::Moro>();
        visitor.visit::<monoio::MonoioEpoll>();
        visitor.visit::<monoio::MonoioUring>();
        visitor.visit::<compio::Compio>();
        visitor.visit::<glommio::Glommio>();
        visitor.visit::<nio::Nio>();
        visitor.visit::<local_runtime::LocalRuntime>();
        visitor.visit::<embassy::Embassy>();
    }
}

/// What each runtime is called, and the package that it comes from.
pub fn packages() -> Vec<(&'static str, &'static str)> {
    struct Packages(Vec<(&'static str, &'static str)>);
    impl Visitor for Packages {
        fn visit<R: Runtime>(&mut self) {
            self.0.push((R::NAME, R::PACKAGE));
        }
    }
    let mut packages = Packages(Vec::new());
    visit_all(&mut packages);
    packages.0
}

/// Why io_uring cannot be used here, if so.
#[cfg(feature = "peers")]
fn without_io_uring() -> Option<String> {
    // SAFETY: with no entries and no parameters the call sets nothing up: the kernel says EINVAL or EFAULT if
    // it knows it.
    let answer = unsafe { libc::syscall(libc::SYS_io_uring_setup, 0, std::ptr::null_mut::<libc::c_void>()) };
    let error = std::io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EPERM) if answer < 0 => Some(format!("io_uring cannot be used: {error}")),
        _ => None,
    }
}
