//! Judges histories of a store whose answers carry the revision they were made at, as etcd's do, without a search.
//!
//! Every change makes the next revision, and every answer names the revision it saw. So the answers show the order of
//! the changes, and the only open question is what became of changes without an answer. A watch from the first revision
//! answers that too. One pass over the revisions then checks everything: each answer against the store at its revision,
//! and the order against real time.
//!
//! # A history, in one pass
//!
//! ```
//! use revision::{Change, Evidence, History, Operation, Seen, Verdict, check};
//!
//! let mut history = History::new(1);
//! history.push(Operation::put(7, 1).at(2).during(0, 3))?;
//! history.push(Operation::put(7, 2).at(3).during(4, 5))?;
//! history.push(Operation::get(7, Seen::new(1, 2, 2, 1)).at(2).during(6, 8))?;
//!
//! let evidence = Evidence::from([Change::put(2, 7, 1), Change::put(3, 7, 2)]);
//! let Verdict::Violation(violation) = check(&history, &evidence) else { panic!("the read is stale") };
//! assert_eq!(violation.operations, [2, 1]);
//! assert_eq!(
//!     violation.to_string(),
//!     "an answer shows revision 2, but revision 3 was acknowledged before the operation was called"
//! );
//! # Ok::<(), revision::Invalid>(())
//! ```
//!
//! # Operations on several keys
//!
//! Ranges, deletions of ranges, puts that show the previous value, and transactions are [`Wide`] operations: a
//! [`Transaction`] and the [`Response`] to it. Keys are numbered in the order in which the store sorts them, so a range
//! is an interval of numbers.
//!
//! ```
//! use revision::{Answer, Evidence, History, Keys, Operation, Range, Seen, Step, Verdict, Wide, check};
//!
//! let mut history = History::new(1);
//! history.push(Operation::put(3, 1).at(2).during(0, 1))?;
//! history.push(Operation::put(5, 2).at(3).during(2, 3))?;
//! let pairs = vec![(3, Seen::new(1, 2, 2, 1))];
//! let answer = Answer::Range { pairs, complete: true, count: Some(1), more: Some(false) };
//! let range = Wide::step(Step::Range(Range::new(Keys::range(0, 9))), Some(answer));
//! history.push_wide(range.at(3).during(4, 5))?;
//!
//! let Verdict::Violation(violation) = check(&history, &Evidence::default()) else { panic!("key 5 is missing") };
//! assert_eq!(
//!     violation.to_string(),
//!     "at revision 3 key 5 holds value 2 (modified 3, created 3, version 1), but the answer shows nothing"
//! );
//! assert_eq!(
//!     violation.explain(&history),
//!     [
//!         "operation 1, called at 2 and answered at 3 with revision 3, sets key 5 to 2",
//!         "operation 2, called at 4 and answered at 5 with revision 3, sees 1 of 1 keys from 0 to 9",
//!     ]
//! );
//! # Ok::<(), revision::Invalid>(())
//! ```
//!
//! # A history, as a stream
//!
//! [`Stream`] judges calls, answers and a watch as they happen. It keeps only what is in flight and what keys held
//! recently.
//!
//! ```
//! use revision::{Change, Operation, Reply, Seen, Stream, StreamVerdict};
//!
//! let mut stream = Stream::new(1);
//! let put = stream.call(0, Operation::put(7, 1))?;
//! stream.shown(2, &[Change::put(2, 7, 1)])?;
//! stream.answer(put, 3, Reply::made(2))?;
//! let get = stream.call(4, Operation::get(7, Seen::ABSENT))?;
//! stream.answer(get, 5, Reply::saw(2, Seen::new(1, 2, 2, 1)))?;
//! assert_eq!(stream.finish([]), StreamVerdict::Linearizable);
//! # Ok::<(), revision::StreamError>(())
//! ```
//!
//! # What you can rely on
//!
//! 1. [`Verdict::Linearizable`] contains what is needed to write the order down ([`Witness::order`]).
//!    [`validate`](mod@validate) checks that order without any of the check's reasoning.
//! 2. A [`Violation`] names the operations that contradict each other: an answer, and the operations that made the store
//!    as it is, or as the answer shows it.
//! 3. Time is linear in operations, revisions and the keys that wide operations look at. Memory is 12 bytes for each
//!    operation and revision, plus the keys. If some range reads an old revision, every change is kept, 20 bytes each,
//!    and found by binary search.
//! 4. A history is [`Verdict::Undecided`], which never means a violation, in three cases. No answer acknowledged a
//!    revision and no evidence shows it. Or operations of unknown outcome with different conditions could have made the
//!    same revision, and the choice among them matters later. Or there are so many of these, such as deletions of the
//!    same keys on different conditions, that the search for the one that made a revision exceeds its bound.
//!
//! # Why it is exact
//!
//! The *base* is the revision of the empty store at the start. Every change makes the next revision, and every answer
//! contains the revision. So in any legal order, the change that was answered with revision R is change number R - base,
//! and every other operation answered with R comes between that change and the next. All legal orders therefore have the
//! same order of revisions, and differ only where the order of two operations makes no difference.
//!
//! A change of unknown outcome made one of the revisions that no answered operation made, or it can be left out. The
//! evidence decides which revision it made, because it shows what each revision did. Changes that would have done the same
//! can stand in for each other, and the one called first is always as good as any other. It remains to check this one
//! order against calls, returns and answers.
//!
//! # What is not checked
//!
//! Compactions. Leases, except for the keys that they remove ([`Evidence::made_by_store`]). Answers about several keys
//! after a revision of which nothing is known. Reads of revisions before the base. Values that an answer leaves out. The
//! order of the pairs in an answer. Refused requests are left out of the history, and so is what a refusal says about the
//! store. A transaction whose compares cannot be expressed here, such as those on leases, cannot be judged.
//!
//! # Vocabulary
//!
//! The words are those of `linear`: an operation has a call and a return, on a clock that all clients share. Only the
//! order of times matters, and equal times have no order. Here an unknown outcome is a return of [`UNKNOWN`], the output
//! is `revision`, `changed` and `seen` (or a [`Response`]), failed operations are left out, and clients do not matter.
//! Reports name an operation by its index in [`History::operations`], from 0.
//!
//! Architecture invariant: this crate knows no format, no protocol and no other crate of the project.

mod answer;
mod blame;
mod check;
mod evidence;
mod execute;
mod explain;
pub mod generate;
mod history;
mod links;
mod prefetch;
mod several;
mod stream;
mod unknown;
pub mod validate;
mod verdict;
mod wide;

pub use check::check;
pub use evidence::{Change, Evidence};
pub use history::{History, Invalid, Kind, Operation, Seen, UNKNOWN};
pub use stream::{Reply, Retained, Stream, StreamError, StreamVerdict, Ticket};
pub use verdict::{Reason, Undecided, Verdict, Violation, Witness};
pub use wide::{Answer, Compare, Keys, Range, Relation, Response, Step, Target, Transaction, Wide};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
