//! The executor of homing.
