//! Models of common systems.
//!
//! [`register`], [`list`], [`text`] and a [`keyed`] store of these have a register view and are checked fast. The
//! others are searched over their own states, which is exact, but exponential in the number of operations that
//! are in flight at a time.
//!
//! Each model has an `Input` (what a client asks) and an `Output` (what it answers).

pub mod keyed;
pub mod list;
pub mod lock;
pub mod queue;
pub mod register;
pub mod set;
pub mod text;
