//! Models of common systems.
//!
//! [`register`] and [`keyed`] have a register view and are checked fast. The others are checked by their own
//! states, which is exact but exponential in how many operations are under way at a time.

pub mod keyed;
pub mod list;
pub mod lock;
pub mod queue;
pub mod register;
pub mod set;
pub mod text;
