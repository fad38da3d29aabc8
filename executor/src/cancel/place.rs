//! Which place in the source to show for an await.
//!
//! There are two to choose from: where the future was made, and where it is polled. With `#[track_caller]` on its `poll`
//! the latter is that of the `.await` itself, for the call that an `.await` stands for is made there:
//!
//! ```text
//!   let nap = sleep(an_hour);      made here
//!   nap.await?;                    polled here: this is what one wants to know
//! ```
//!
//! Unless somebody else polls it, a `Box`, or a combinator of another crate: then that is a place in their source, which says
//! nothing, and the one where the future was made is better.

use std::panic::Location;

/// The place to show for a future that was made in one and is polled in the other.
///
/// Both are constants where this is inlined, so that nothing of it remains.
#[inline(always)]
pub(crate) fn of_await(
    polled: &'static Location<'static>,
    made: &'static Location<'static>,
) -> &'static Location<'static> {
    if is_elsewhere(polled.file()) { made } else { polled }
}

/// Whether a file belongs to another crate than the program's own: Cargo gives the compiler the sources of a workspace by
/// their path within it, and all others, of the registry and of the standard library, by an absolute one.
#[inline(always)]
fn is_elsewhere(file: &str) -> bool {
    match file.as_bytes() {
        [b'/', ..] => true,
        #[cfg(windows)]
        [_, b':', ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_elsewhere;

    #[test]
    fn sources_of_the_workspace_are_told_from_those_of_others() {
        assert!(!is_elsewhere("src/main.rs"));
        assert!(!is_elsewhere("crates/server/src/page.rs"));
        assert!(is_elsewhere("/rustc/0123456789/library/core/src/future/future.rs"));
        assert!(is_elsewhere("/home/who/.cargo/registry/src/index/futures-util-0.3.31/src/lib.rs"));
    }
}
