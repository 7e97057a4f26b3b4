//! Judges whether a concurrent history is linearizable, for any system that has a sequential [`Model`].
//!
//! ```
//! use linear::models::register::{Input, Output, Register};
//! use linear::{Budget, History, Operation, Outcome, Verdict, check};
//!
//! let mut history = History::new();
//! let answered = |output, at| Outcome::Answered { output, at };
//! history.push(Operation { client: 1, input: Input::Write(1), call: 0, outcome: answered(Output::Written, 2) });
//! history.push(Operation { client: 1, input: Input::Write(2), call: 3, outcome: answered(Output::Written, 5) });
//! history.push(Operation { client: 2, input: Input::Read, call: 6, outcome: answered(Output::Value(1), 8) });
//!
//! let register = Register { initial: 0 };
//! let report = check(&register, &history, &Budget::default());
//! let Verdict::NotLinearizable(violation) = report.verdict else { panic!() };
//! assert_eq!(violation.conflict.operations, [0, 1, 2]);
//! let excluded = violation.excluded(&register, &history);
//! assert_eq!(excluded[0].order, [0, 1]);
//! assert_eq!(excluded[0].reason, "read of client 2 answered 1, but the register holds 2");
//! ```
//!
//! # The way of a history
//!
//! 1. [`Model::partition`] splits it into components; each is judged on its own, several at a time.
//! 2. A component that is a register for its model ([`Model::as_register`]) becomes columns of small numbers.
//!    Operations of unknown outcome are decided where nobody can tell the difference, the zone test of Gibbons
//!    and Korach decides or rejects the rest in O(n log n) where every value that was seen has one writer;
//!    comparisons that failed are put in between, if need be with a few operations around them ordered anew.
//! 3. What that leaves open is searched: depth first, with reads taken at once, dead ends known by counting,
//!    and a memo of 128-bit sums. Other models are searched over their own states.
//! 4. A violation is explained: a few operations that are a conflict on their own, found by forgetting all
//!    others, and the longest prefix in time that can be ordered.
//!
//! Transactions over several lists are judged by [`cycles`] instead.
//!
//! # What can be relied on
//!
//! 1. A [`Verdict::Linearizable`] holds an order, a [`Verdict::NotLinearizable`] a conflict; [`validate`]
//!    checks both with the model alone.
//! 2. A check ends within its [`Budget`], if need be [`Verdict::Undecided`].
//! 3. Intervals are closed: equal times never make a violation.
//! 4. The same history gives the same report, unless time or another thread ended the check.
//!
//! # What is not checked
//!
//! Whether clients were one at a time; whether clocks agree; anything weaker or stronger than linearizability.
//!
//! Architecture invariant: this crate knows of no system under test and of no other crate of the project.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "no simulation runs in here: maps are looked up in and never walked, and a budget may be one of wall time"
)]

#[doc(hidden)]
pub mod brute;
mod budget;
mod check;
pub mod cycles;
mod explain;
pub mod generate;
mod generic;
mod history;
mod intern;
mod model;
pub mod models;
mod order;
mod partition;
mod register;
mod report;
mod search;
mod slice;
pub mod validate;

pub use budget::{Budget, Limit};
pub use check::check;
pub use history::{History, Operation, Outcome};
pub use model::{Model, RegisterOp};
pub use partition::Partition;
pub use report::{Conflict, Excluded, Linearization, Report, Undecided, Verdict, Violation, Witness};
