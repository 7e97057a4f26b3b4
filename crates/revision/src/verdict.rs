//! What a check finds.

use std::fmt;

use crate::explain::words;
use crate::history::{History, Seen};

/// What is to be said of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order, and this is how to write it down.
    Linearizable(Witness),
    /// There is none.
    Violation(Box<Violation>),
    /// Nothing contradicts itself, but something is missing.
    Undecided(Undecided),
}

/// Which unknown operation made which revision; all else follows from the answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// Revision and operation, by revision.
    pub made: Vec<(u32, u32)>,
}

impl Witness {
    /// All operations that took effect or were answered, in an order that is legal one after another. Unknown
    /// operations that made no revision are left out.
    pub fn order(&self, history: &History) -> Vec<u32> {
        let operations = history.operations();
        // Within a revision: the change, then what saw it, by call.
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
    /// The first revisions that nobody acknowledged and no evidence shows, [`Undecided::SHOWN`] at most.
    pub missing: Vec<u32>,
    /// How many there are.
    pub count: usize,
    /// Unknown operations that would have done the same on different conditions could be distributed in more ways than
    /// were tried.
    pub ambiguous: bool,
    /// Reads of a member's own state that were older than what a [`Stream`](crate::Stream) keeps.
    pub forgotten: usize,
}

impl Undecided {
    /// More missing revisions than this are only counted.
    pub const SHOWN: usize = 16;

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
                "no evidence says what revisions {}{more} did, which nobody acknowledged",
                shown.join(", ")
            )?;
            return write!(out, "; record a watch from the first revision");
        }
        if self.forgotten > 0 && !self.ambiguous {
            return write!(out, "{} reads of old states came too late to be judged", self.forgotten);
        }
        write!(
            out,
            "unknown operations with the same effect and different conditions can be told apart in too many ways"
        )
    }
}

/// Operations that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Their numbers; empty where a revision itself is wrong.
    pub operations: Vec<u32>,
    /// How.
    pub reason: Reason,
}

/// How operations contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Both made this revision.
    MadeTwice {
        /// The revision.
        revision: u32,
    },
    /// The first was asked after the second, which is later in the order of revisions, had its answer.
    Stale {
        /// Where the first stands.
        revision: u32,
        /// Where the second stands.
        newer: u32,
    },
    /// The answer at this revision shows something else than the store holds there.
    Wrong {
        /// The revision.
        revision: u32,
        /// What the store holds.
        holds: Seen,
        /// What the answer shows.
        shows: Seen,
    },
    /// The answer says that its condition held, or did not, or that there was something to remove, or was not.
    Condition {
        /// The revision.
        revision: u32,
        /// What the store holds for the key before it.
        holds: Seen,
    },
    /// The same of one of several keys that an answer shows, or lacks: those must be all that there are, as far as the
    /// limit goes.
    WrongKey {
        /// The revision.
        revision: u32,
        /// The key.
        key: u32,
        /// What the store holds, as far as it was to be shown.
        holds: Seen,
        /// What the answer shows; [`Seen::ABSENT`] if it lacks the key.
        shows: Seen,
    },
    /// The answer counts more or fewer keys than it should, or shows more.
    Count {
        /// The revision.
        revision: u32,
        /// How many there are.
        holds: u32,
        /// How many the answer counts or shows.
        shows: u32,
    },
    /// The answer says that the limit left out some keys, or that it did not, and is wrong.
    More {
        /// The revision.
        revision: u32,
        /// Whether it did.
        more: bool,
    },
    /// The transaction took the other branch than it should have.
    Branch {
        /// The revision.
        revision: u32,
        /// Whether its compares held.
        succeeded: bool,
    },
    /// The request was answered, and should have been refused: it read a revision that was still to come, or kept the
    /// value of a key that there is not.
    Refused {
        /// The revision.
        revision: u32,
    },
    /// The revision is declared to be made by nobody, and was acknowledged.
    Nobodys {
        /// The revision.
        revision: u32,
    },
    /// The evidence shows another change than the one that was acknowledged.
    Evidence {
        /// The revision.
        revision: u32,
    },
    /// Nobody who may have made this revision asked for what it did.
    Phantom {
        /// The revision.
        revision: u32,
    },
    /// The answer names a revision before the history began, or after all that could have been made.
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
                "the answer at revision {revision} shows the store before revision {newer}, which was acknowledged before it was asked"
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
                "the answer at revision {revision} says otherwise than its condition: the key holds {} before it",
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
                write!(
                    out,
                    "at revision {revision} there are {holds} keys to answer with, but the answer has {shows}"
                )
            }
            Reason::More { revision, more: true } => {
                write!(out, "the answer at revision {revision} hides that its limit left out some keys")
            }
            Reason::More { revision, more: false } => {
                write!(
                    out,
                    "the answer at revision {revision} says that its limit left out some keys, but there are no more"
                )
            }
            Reason::Branch { revision, succeeded } => {
                let (compares, took) =
                    if succeeded { ("hold", "failure") } else { ("do not hold", "success") };
                write!(
                    out,
                    "the transaction answered at revision {revision} took the branch for {took}, but its compares {compares}"
                )
            }
            Reason::Refused { revision } => {
                write!(
                    out,
                    "the request answered at revision {revision} should have been refused: it reads a revision still to come, or keeps the value of no key"
                )
            }
            Reason::Nobodys { revision } => {
                write!(out, "revision {revision} was acknowledged, but is declared to be made by nobody")
            }
            Reason::Evidence { revision } => {
                write!(out, "revision {revision} was acknowledged as another change than it was shown to be")
            }
            Reason::Phantom { revision } => write!(out, "nobody asked for what revision {revision} did"),
            Reason::OutOfRange { revision } => {
                write!(
                    out,
                    "there can be no revision {revision}: before the first, or more than there were changes"
                )
            }
        }
    }
}
