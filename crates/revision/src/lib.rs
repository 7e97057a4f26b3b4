//! Judges histories of a store whose answers carry the revision they were made at, as etcd's do, without a search.
//!
//! Every change makes the next revision, and every answer names the revision it saw: the server hands out the order of
//! its changes with the answers. So nothing has to be guessed but what became of changes without an answer, and what a
//! watch from the first revision showed tells that, too. One pass over the revisions then checks everything: each
//! answer against the store at its revision, and the order against real time.
//!
//! ```
//! use revision::{Change, Evidence, History, Operation, Seen, Verdict, check};
//!
//! let mut history = History::new(1);
//! history.push(Operation::put(7, 1).at(2).during(0, 3));
//! history.push(Operation::put(7, 2).at(3).during(4, 5));
//! history.push(Operation::get(7, Seen::new(1, 2, 2, 1)).at(2).during(6, 8));
//!
//! let evidence = Evidence::from([Change::put(2, 7, 1), Change::put(3, 7, 2)]);
//! let Verdict::Violation(violation) = check(&history, &evidence) else { panic!() };
//! assert_eq!(violation.operations, [2, 1]);
//! assert_eq!(violation.to_string(), "the answer at revision 2 shows the store before revision 3, which was acknowledged before it was asked");
//! ```
//!
//! # What can be relied on
//!
//! 1. [`Verdict::Linearizable`] holds what is needed to write the order down ([`Witness::order`]); [`validate`] replays
//!    it without any of this crate's reasoning.
//! 2. A [`Violation`] names the operations that contradict each other, two or three of them.
//! 3. Time is linear in operations and revisions; memory is 12 bytes an operation and revision, and what the keys
//!    need. Revisions that nobody acknowledged and no evidence explains make a history [`Verdict::Undecided`].
//!
//! # Why it is exact
//!
//! The store is deterministic and its revision is part of its state and of every answer. In any legal order a change
//! that was answered with revision R is the (R - base)-th change, and everything else answered with R lies between that
//! change and the next one. So all legal orders agree on the order of revisions, and differ only where operations
//! commute. A change of unknown outcome either made one of the revisions that nobody else did, or it can be left
//! out: what is pending need not be completed. Which revision it made is decided by the evidence, since what a
//! revision did is known and changes that would have done the same can stand for each other: the one that was called
//! first is always as good as another. What remains is to hold the one order against the calls and returns, and
//! against the answers.
//!
//! Not checked: compactions and reads of the past, ranges of several keys, leases.
//!
//! Architecture invariant: this crate knows of no format, no protocol and no other crate of the project.

mod check;
pub mod generate;
mod history;
mod unknown;
pub mod validate;
mod verdict;

pub use check::check;
pub use history::{Change, Evidence, History, Kind, Operation, Seen, UNKNOWN};
pub use verdict::{Reason, Undecided, Verdict, Violation, Witness};
