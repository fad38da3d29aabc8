//! The runtimes that are compared: a file and a line each.

mod homing;
mod tokio_local;

use crate::contender::Contender;
pub(crate) use homing::Homing;
pub(crate) use tokio_local::TokioLocal;

/// Who the others are compared with.
pub(crate) const YARDSTICK: &str = TokioLocal::NAME;

/// Does something with each contender in turn.
pub(crate) trait Visitor {
    fn visit<C: Contender>(&mut self);
}

/// Calls the visitor with every contender, in the order in which they are measured and shown.
pub(crate) fn visit_all(visitor: &mut impl Visitor) {
    visitor.visit::<Homing>();
    visitor.visit::<TokioLocal>();
}
