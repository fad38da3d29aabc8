//! The runtimes that are compared: a file and a line each.

mod homing;
#[cfg(feature = "peers")]
mod tokio_local_set;

use crate::runtime::Runtime;

pub use homing::Homing;
#[cfg(feature = "peers")]
pub use tokio_local_set::TokioLocalSet;

/// Who is compared with the others.
pub const SUBJECT: &str = Homing::NAME;

/// Does something with each runtime in turn.
pub trait Visitor {
    /// Called once for each.
    fn visit<R: Runtime>(&mut self);
}

/// Calls the visitor with every runtime, in the order in which they are shown.
pub fn visit_all(visitor: &mut impl Visitor) {
    visitor.visit::<Homing>();
    #[cfg(feature = "peers")]
    visitor.visit::<TokioLocalSet>();
}
