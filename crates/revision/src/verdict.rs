//! What a check finds.

use std::fmt;

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
}

impl Undecided {
    /// More missing revisions than this are only counted.
    pub const SHOWN: usize = 16;
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

fn words(seen: Seen) -> String {
    let Seen { value, modified, created, version } = seen;
    if version == 0 && modified == 0 {
        return "nothing".to_string();
    }
    format!("value {value} (modified {modified}, created {created}, version {version})")
}
