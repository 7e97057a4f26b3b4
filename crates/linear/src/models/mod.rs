//! Models of common systems.
//!
//! [`register`], [`list`], [`text`] and a [`keyed`] store of these have a register view; [`queue`], [`stack`],
//! [`priority_queue`], [`bag`] and [`set`] have a container view. These are checked fast where values differ. The
//! others are searched over their own states, which is exact, but exponential in the number of operations that
//! are in flight at a time.
//!
//! Each model has an `Input` (what a client asks) and an `Output` (what it answers). Queues, stacks, priority queues
//! and bags share those of [`container`].

pub mod bag;
pub mod bank;
pub mod container;
pub mod counter;
pub mod keyed;
pub mod list;
pub mod lock;
pub mod priority_queue;
pub mod queue;
pub mod register;
pub mod set;
pub mod stack;
pub mod text;
pub mod transactions;
pub mod versioned;
