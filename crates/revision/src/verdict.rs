//! The result of a check: the verdict, the operations that prove it, and the messages.

use std::fmt;

use crate::explain::words;
use crate::history::{History, Seen};

/// Whether a history is linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is, and [`Witness::order`] is an order that shows it.
    Linearizable(Witness),
    /// It is not, and these operations show it.
    Violation(Box<Violation>),
    /// There is no contradiction, but too little is known to be sure.
    Undecided(Undecided),
}

/// What is needed to write down a legal order of a linearizable history: which operation of unknown outcome made which
/// revision. Everything else follows from the answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// Pairs of a revision and an operation's index, in the order of revisions.
    pub made: Vec<(u32, u32)>,
}

impl Witness {
    /// A legal order of all operations that were answered or made a revision, as indices. `history` must be the one
    /// that was checked.
    pub fn order(&self, history: &History) -> Vec<u32> {
        let operations = history.operations();
        // Within a revision: first the change, then the operations that saw it, in the order of calls.
        let answered = (0..).zip(operations).filter(|(_, operation)| operation.is_answered());
        let mut places: Vec<(u64, u64, u32)> = answered
            .map(|(number, operation)| {
                let changes = operation.is_write() && operation.changed;
                (u64::from(operation.revision) * 2 + u64::from(!changes), operation.call, number)
            })
            .chain(self.made.iter().map(|(revision, number)| (u64::from(*revision) * 2, 0, *number)))
            .collect();
        places.sort_unstable();
        places.into_iter().map(|(.., number)| number).collect()
    }
}

/// Why there is no verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undecided {
    /// The first revisions that no answer acknowledged and no evidence shows, [`Undecided::SHOWN`] at most.
    pub missing: Vec<u32>,
    /// How many such revisions there are.
    pub count: usize,
    /// Whether the check had to choose among operations of unknown outcome that have the same effect on different
    /// conditions, and another choice might have avoided a contradiction.
    pub ambiguous: bool,
    /// The number of serializable reads that were older than what a [`Stream`](crate::Stream) retains.
    pub forgotten: usize,
}

impl Undecided {
    /// The maximum number of revisions in [`Undecided::missing`].
    pub const SHOWN: usize = 16;

    /// Adds a revision of which nothing is known.
    pub(crate) fn add(&mut self, revision: u32) {
        self.count += 1;
        if self.missing.len() < Undecided::SHOWN {
            self.missing.push(revision);
        }
    }
}

impl fmt::Display for Undecided {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count > 0 {
            let shown: Vec<String> = self.missing.iter().map(u32::to_string).collect();
            let more = if self.count > self.missing.len() { " and others" } else { "" };
            write!(
                out,
                "no answer acknowledged revisions {}{more}, and no evidence shows what they did",
                shown.join(", ")
            )?;
            return write!(out, "; record a watch from the first revision");
        }
        if self.forgotten > 0 && !self.ambiguous {
            return write!(out, "{} serializable reads showed states too old to be judged", self.forgotten);
        }
        write!(
            out,
            "operations of unknown outcome with the same effect on different conditions could have happened in too many ways"
        )
    }
}

/// Operations that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Their indices; empty if a revision itself is wrong.
    pub operations: Vec<u32>,
    /// How they contradict each other.
    pub reason: Reason,
}

impl std::error::Error for Violation {}

/// How operations contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The answers to both operations say that they made this revision.
    MadeTwice {
        /// The revision.
        revision: u32,
    },
    /// The first operation was called after the second one returned, but comes before it in the order of revisions.
    Stale {
        /// The revision of the first operation.
        revision: u32,
        /// The revision of the second operation.
        newer: u32,
    },
    /// The answer about a key, at this revision, differs from what the store holds.
    Wrong {
        /// The revision.
        revision: u32,
        /// What the store holds.
        holds: Seen,
        /// What the answer shows.
        shows: Seen,
    },
    /// The answer is wrong about whether its condition held, or whether there was a key to delete.
    Condition {
        /// The revision.
        revision: u32,
        /// What the store holds for the key before the operation.
        holds: Seen,
    },
    /// An answer about several keys is wrong about this key, or lacks it although the limit did not leave it out.
    WrongKey {
        /// The revision.
        revision: u32,
        /// The key.
        key: u32,
        /// What the store holds, without the value if the answer should not show it.
        holds: Seen,
        /// What the answer shows; [`Seen::ABSENT`] if it lacks the key.
        shows: Seen,
    },
    /// The answer counts the wrong number of keys, or shows too many.
    Count {
        /// The revision.
        revision: u32,
        /// How many keys there are.
        holds: u32,
        /// How many keys the answer counts or shows.
        shows: u32,
    },
    /// The answer is wrong about whether the limit left out some keys.
    More {
        /// The revision.
        revision: u32,
        /// Whether the limit left out some keys.
        more: bool,
    },
    /// The transaction took the wrong branch.
    Branch {
        /// The revision.
        revision: u32,
        /// Whether its compares held.
        succeeded: bool,
    },
    /// The request was answered but should have been refused: it reads a future revision, or keeps the value of a key
    /// that does not exist.
    Refused {
        /// The revision.
        revision: u32,
    },
    /// An answer acknowledged a revision that the store made itself, according to the evidence.
    MadeByStore {
        /// The revision.
        revision: u32,
    },
    /// The evidence shows a different change than the one that was acknowledged.
    Evidence {
        /// The revision.
        revision: u32,
    },
    /// No operation can have made this revision: none asked for the changes that the evidence shows.
    Phantom {
        /// The revision.
        revision: u32,
    },
    /// The answer names a revision before the base, or one higher than the number of changes allows.
    OutOfRange {
        /// The revision.
        revision: u32,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Reason::MadeTwice { revision } => {
                write!(out, "two changes were answered with revision {revision}")
            }
            Reason::Stale { revision, newer } => write!(
                out,
                "an answer shows revision {revision}, but revision {newer} was acknowledged before the operation was called"
            ),
            Reason::Wrong { revision, holds, shows } => {
                write!(
                    out,
                    "at revision {revision} the key holds {}, but the answer shows {}",
                    words(holds),
                    words(shows)
                )
            }
            Reason::Condition { revision, holds } => write!(
                out,
                "the answer at revision {revision} contradicts its condition: before it the key holds {}",
                words(holds)
            ),
            Reason::WrongKey { revision, key, holds, shows } => {
                write!(
                    out,
                    "at revision {revision} key {key} holds {}, but the answer shows {}",
                    words(holds),
                    words(shows)
                )
            }
            Reason::Count { revision, holds, shows } => {
                write!(out, "at revision {revision} the answer should have {holds} keys, but it has {shows}")
            }
            Reason::More { revision, more: true } => {
                write!(
                    out,
                    "the answer at revision {revision} does not say that its limit left out some keys"
                )
            }
            Reason::More { revision, more: false } => {
                write!(
                    out,
                    "the answer at revision {revision} says that its limit left out some keys, but it did not"
                )
            }
            Reason::Branch { revision, succeeded } => {
                let (compares, took) =
                    if succeeded { ("hold", "failure") } else { ("do not hold", "success") };
                write!(
                    out,
                    "the transaction at revision {revision} took the {took} branch, but its compares {compares}"
                )
            }
            Reason::Refused { revision } => {
                write!(
                    out,
                    "the request answered at revision {revision} should have been refused: it reads a future revision, or keeps the value of a key that does not exist"
                )
            }
            Reason::MadeByStore { revision } => {
                write!(out, "an answer acknowledged revision {revision}, which the store made itself")
            }
            Reason::Evidence { revision } => {
                write!(
                    out,
                    "the evidence of revision {revision} shows a different change than the one acknowledged"
                )
            }
            Reason::Phantom { revision } => {
                write!(out, "no operation asked for what revision {revision} did")
            }
            Reason::OutOfRange { revision } => {
                write!(
                    out,
                    "there cannot be a revision {revision}: it is before the first, or there were not that many changes"
                )
            }
        }
    }
}
