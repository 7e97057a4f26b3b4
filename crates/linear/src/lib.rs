//! Judges whether a concurrent history is linearizable, for any system that has a sequential [`Model`].
//!
//! A *history* is what clients asked and what they got back, with the times of each call and return. It is
//! *linearizable* if every operation can be given one instant between its call and its return such that the
//! model, run through the operations in that order, gives the same answers.
//!
//! # A model of your own
//!
//! A model says what an operation does when clients take turns. [`Model::initial`] and [`Model::step`] are
//! enough; everything else makes the check faster or its explanations easier to read.
//!
//! ```
//! use linear::{Budget, History, Model, Operation, Outcome, Verdict, check};
//!
//! /// A counter. An operation adds a number and answers the sum.
//! struct Counter;
//!
//! impl Model for Counter {
//!     type Input = u64;
//!     type Output = u64;
//!     type State = u64;
//!     type Value = ();
//!
//!     fn initial(&self) -> u64 {
//!         0
//!     }
//!
//!     fn step(&self, state: &u64, add: &u64, sum: Option<&u64>) -> Option<u64> {
//!         let after = state + add;
//!         // Without an output the outcome is unknown, and any answer would do.
//!         sum.is_none_or(|sum| *sum == after).then_some(after)
//!     }
//!
//!     fn describe_input(&self, add: &u64) -> String {
//!         format!("add({add})")
//!     }
//!
//!     fn describe_output(&self, _: &u64, sum: &u64) -> String {
//!         sum.to_string()
//!     }
//!
//!     fn describe_state(&self, state: &u64) -> String {
//!         format!("the counter holds {state}")
//!     }
//! }
//!
//! let mut history = History::new();
//! let answered = |output, at| Outcome::Answered { output, at };
//! history.push(Operation { client: 1, input: 5, call: 0, outcome: answered(5, 10) })?;
//! history.push(Operation { client: 2, input: 1, call: 20, outcome: answered(1, 30) })?;
//!
//! let report = check(&Counter, &history, &Budget::default());
//! let Verdict::NotLinearizable(violation) = &report.verdict else { panic!("{report}") };
//! assert_eq!(violation.conflict.operations, [0, 1]);
//! let excluded = violation.excluded(&Counter, &history);
//! assert_eq!(excluded[0].order, [0]);
//! assert_eq!(excluded[0].reason, "add(1) of client 2 answered 1, but the counter holds 5");
//! # Ok::<(), linear::Invalid>(())
//! ```
//!
//! # The models in this crate
//!
//! [`models`] has registers, lists, locks, queues, stacks, priority queues, bags, sets, texts, counters, banks and
//! transactions on registers, and [`models::keyed`] makes a store of many such objects out of any model.
//!
//! ```
//! use linear::models::register::{Input, Output, Register};
//! use linear::{Budget, History, Operation, Outcome, check};
//!
//! let mut history = History::new();
//! let outcome = Outcome::Answered { output: Output::Written, at: 5 };
//! history.push(Operation { client: 1, input: Input::Write(1), call: 0, outcome })?;
//! // Client 2 never got an answer: its write may have taken effect at any time after 3, or not at all.
//! history.push(Operation { client: 2, input: Input::Write(2), call: 3, outcome: Outcome::Unknown })?;
//! let outcome = Outcome::Answered { output: Output::Value(2), at: 9 };
//! history.push(Operation { client: 1, input: Input::Read, call: 8, outcome })?;
//!
//! let report = check(&Register { initial: 0 }, &history, &Budget::default());
//! assert!(report.verdict.is_linearizable());
//! # Ok::<(), linear::Invalid>(())
//! ```
//!
//! Transactions over several lists are judged by [`cycles`].
//!
//! # How a history is judged
//!
//! 1. [`Model::partition`] splits it into components. Each is judged on its own, several at a time.
//! 2. A component of a register ([`Model::as_register`]) needs no search if each value that was seen has one
//!    writer: the zone test of Gibbons and Korach decides in O(n log n). Before it, operations of unknown
//!    outcome are left out or kept where the answers leave no choice. After it, comparisons that failed are
//!    inserted into the order. A queue, stack, priority queue, bag or set into which no element is put twice
//!    ([`Model::as_container`]) is decided in O(n log n), too.
//! 3. A search decides the rest. It goes depth first over the model's states, never branches on reads, and
//!    remembers where it has been as 128-bit sums.
//! 4. A violation is explained by a *conflict*: a few operations that cannot be linearized, whether or not the others
//!    took effect. The longest prefix in time that does have an order is reported too.
//!
//! # What you can rely on
//!
//! 1. A [`Verdict::Linearizable`] contains an order and a [`Verdict::NotLinearizable`] contains a conflict.
//!    [`validate`] checks both with nothing but the model.
//! 2. A check ends within its [`Budget`], with [`Verdict::Undecided`] if it has to.
//! 3. Operations with equal times can be in either order, so equal times never make a violation.
//! 4. The same history gives the same report, unless the clock or another thread ended the check.
//!
//! # What is not checked
//!
//! Whether each client has one operation at a time; whether the clocks agree; properties weaker or stronger
//! than linearizability.
//!
//! # Vocabulary
//!
//! All checkers of this project use the same words.
//!
//! | word | in this crate | in `revision` | in a history file |
//! |---|---|---|---|
//! | operation | [`Operation`] | `Operation`, `Wide` | a line |
//! | client | [`Operation::client`] | not needed | `client` |
//! | call | [`Operation::call`] | `call` | `call` |
//! | return | [`Operation::returned`] | `returned` | `return` |
//! | answer | [`Outcome::Answered`] | `seen`, `changed`, `Response` | `result` |
//! | outcome unknown | [`Outcome::Unknown`] | `returned: UNKNOWN` | `"return": null` |
//! | failed: had no effect | [`Outcome::Failed`] | left out | `"failed": true` |
//! | index: how reports name an operation | [`History::operation`] | `History::operations` | the line's number |
//!
//! Architecture invariant: this crate knows nothing about the systems it judges, and no other crate of the
//! project.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "no simulation runs in here: maps are looked up in and never walked, and a budget may limit wall time"
)]

#[doc(hidden)]
pub mod brute;
mod budget;
mod check;
pub mod cycles;
mod distinct;
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
pub use history::{History, Invalid, Operation, Outcome};
pub use model::{Container, ContainerOp, Model, RegisterOp};
pub use partition::Partition;
pub use report::{Conflict, Excluded, Linearization, Report, Undecided, Verdict, Violation, Witness};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
