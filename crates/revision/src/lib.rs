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
//! # Operations on several keys
//!
//! Ranges, removals of ranges, puts that show what was there, and transactions are [`Wide`] operations: a
//! [`Transaction`] and the [`Response`] to it. Keys are numbered in the order in which the store sorts them, so that a
//! range is an interval of numbers.
//!
//! ```
//! use revision::{Answer, Evidence, History, Keys, Operation, Range, Seen, Step, Verdict, Wide, check};
//!
//! let mut history = History::new(1);
//! history.push(Operation::put(3, 1).at(2).during(0, 1));
//! history.push(Operation::put(5, 2).at(3).during(2, 3));
//! let pairs = vec![(3, Seen::new(1, 2, 2, 1))];
//! let answer = Answer::Range { pairs, complete: true, count: Some(1), more: Some(false) };
//! let range = Wide::step(Step::Range(Range::new(Keys::range(0, 9))), Some(answer));
//! history.push_wide(range.at(3).during(4, 5))?;
//!
//! let Verdict::Violation(violation) = check(&history, &Evidence::default()) else { panic!() };
//! assert_eq!(
//!     violation.to_string(),
//!     "at revision 3 key 5 holds value 2 (modified 3, created 3, version 1), but the answer shows nothing"
//! );
//! assert_eq!(
//!     violation.explain(&history),
//!     [
//!         "operation 1, asked at 2 and answered at 3 with revision 3, sets key 5 to 2",
//!         "operation 2, asked at 4 and answered at 5 with revision 3, sees 1 of 1 keys from 0 to 9",
//!     ]
//! );
//! # Ok::<(), revision::Invalid>(())
//! ```
//!
//! # While it happens
//!
//! [`Stream`] judges the same from calls, answers and a watch as they come, and holds only what is in flight and what
//! keys held lately.
//!
//! # What can be relied on
//!
//! 1. [`Verdict::Linearizable`] holds what is needed to write the order down ([`Witness::order`]);
//!    [`validate`](mod@validate) replays it without any of this crate's reasoning.
//! 2. A [`Violation`] names the operations that contradict each other: an answer and those who made the store as it is,
//!    or as it is shown.
//! 3. Time is linear in operations, revisions and the keys that wide operations look at; memory is 12 bytes an operation
//!    and revision, and what the keys need. Where some range reads an old revision, every change is kept, 20 bytes each,
//!    and found in as many steps as the logarithm of their number.
//! 4. Revisions that nobody acknowledged and no evidence explains make a history [`Verdict::Undecided`]. So do unknown
//!    operations that could have made the same revision and ask for different things, if the choice among them matters
//!    later on. Looking for who made a revision is bounded; many unknown removals of the same keys, on different
//!    conditions, may exceed the bound and leave the history undecided. Undecided is never a "no".
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
//! Not checked: compactions; leases, but for the keys that go with them ([`Evidence::by_nobody`]); answers about several
//! keys after a revision that nothing is known of; reads of revisions before the base; values where an answer leaves
//! them out; the order in which pairs were returned. Requests that were refused are left out of the history, and so is
//! what their refusal tells of the store. A compare that cannot be expressed, such as one of leases, cannot be judged.
//!
//! Architecture invariant: this crate knows of no format, no protocol and no other crate of the project.

mod ahead;
mod answer;
mod blame;
mod check;
mod evidence;
mod execute;
mod explain;
pub mod generate;
mod history;
mod links;
mod several;
mod stream;
mod unknown;
pub mod validate;
mod verdict;
mod wide;

pub use check::check;
pub use evidence::{Change, Evidence};
pub use history::{History, Invalid, Kind, Operation, Seen, UNKNOWN};
pub use stream::{Held, Judged, Reply, Stream, Ticket};
pub use verdict::{Reason, Undecided, Verdict, Violation, Witness};
pub use wide::{Answer, Compare, Keys, Range, Relation, Response, Step, Target, Transaction, Wide};
