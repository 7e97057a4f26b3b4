//! What the judge says: which oracle was broken, by what, and how one can tell.

use std::fmt;

use record::Nanos;
use serde::{Serialize, Serializer};

use crate::describe;
use crate::invariants::Broken;

/// An oracle, by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "`holds` says what each is")]
pub enum Oracle {
    K1,
    K2,
    K3,
    K4,
    W1,
    W2,
    W3,
    W4,
    W5,
    W6,
    W7,
    W8,
    W9,
    W10,
    W11,
    W12,
    C1,
    L1,
    L2,
    L3,
    M1,
    M2,
    I1,
    I2,
    I3,
    I4,
    I5,
    I6,
    I7,
    I8,
    I9,
    I10,
    V1,
    V2,
    D1,
}

impl Oracle {
    /// All of them, in the order of the documentation.
    pub const ALL: [Oracle; 35] = [
        Oracle::K1,
        Oracle::K2,
        Oracle::K3,
        Oracle::K4,
        Oracle::W1,
        Oracle::W2,
        Oracle::W3,
        Oracle::W4,
        Oracle::W5,
        Oracle::W6,
        Oracle::W7,
        Oracle::W8,
        Oracle::W9,
        Oracle::W10,
        Oracle::W11,
        Oracle::W12,
        Oracle::C1,
        Oracle::L1,
        Oracle::L2,
        Oracle::L3,
        Oracle::M1,
        Oracle::M2,
        Oracle::I1,
        Oracle::I2,
        Oracle::I3,
        Oracle::I4,
        Oracle::I5,
        Oracle::I6,
        Oracle::I7,
        Oracle::I8,
        Oracle::I9,
        Oracle::I10,
        Oracle::V1,
        Oracle::V2,
        Oracle::D1,
    ];

    /// Its id, "K1".
    pub const fn id(self) -> &'static str {
        match self {
            Oracle::K1 => "K1",
            Oracle::K2 => "K2",
            Oracle::K3 => "K3",
            Oracle::K4 => "K4",
            Oracle::W1 => "W1",
            Oracle::W2 => "W2",
            Oracle::W3 => "W3",
            Oracle::W4 => "W4",
            Oracle::W5 => "W5",
            Oracle::W6 => "W6",
            Oracle::W7 => "W7",
            Oracle::W8 => "W8",
            Oracle::W9 => "W9",
            Oracle::W10 => "W10",
            Oracle::W11 => "W11",
            Oracle::W12 => "W12",
            Oracle::C1 => "C1",
            Oracle::L1 => "L1",
            Oracle::L2 => "L2",
            Oracle::L3 => "L3",
            Oracle::M1 => "M1",
            Oracle::M2 => "M2",
            Oracle::I1 => "I1",
            Oracle::I2 => "I2",
            Oracle::I3 => "I3",
            Oracle::I4 => "I4",
            Oracle::I5 => "I5",
            Oracle::I6 => "I6",
            Oracle::I7 => "I7",
            Oracle::I8 => "I8",
            Oracle::I9 => "I9",
            Oracle::I10 => "I10",
            Oracle::V1 => "V1",
            Oracle::V2 => "V2",
            Oracle::D1 => "D1",
        }
    }

    /// What it holds the system to.
    pub const fn holds(self) -> &'static str {
        match self {
            Oracle::K1 => "the key-value history is strictly serializable, revisions and errors included",
            Oracle::K2 => "serializable reads return a state of the past, never going back on one member",
            Oracle::K3 => "reads at a revision return that revision, or the exact error",
            Oracle::K4 => "no acknowledged write is lost, no operation takes effect twice",
            Oracle::W1 => "watchers are told only of the keys and kinds they asked for",
            Oracle::W2 => "watchers are told of changes in the order in which they happened",
            Oracle::W3 => "no watcher is told of a change twice",
            Oracle::W4 => "all changes of one revision come to a watcher together",
            Oracle::W5 => "after a progress response nothing comes of its revision or before",
            Oracle::W6 => "a watcher from a revision is told of everything from there on, and nothing before",
            Oracle::W7 => "watchers are told of every change, and of each as it was",
            Oracle::W8 => "an event has the pair as it was before, where that was asked for",
            Oracle::W9 => "an event says of the first put of a key, and of no other, that it creates the key",
            Oracle::W10 => "a watcher from now on misses nothing after it was created",
            Oracle::W11 => "what a watcher is owed arrives after healing",
            Oracle::W12 => "watchers are created and cancelled in order, and for the right reasons",
            Oracle::C1 => "a client's copy of a part of the store is that part at its revision",
            Oracle::L1 => "no lease ends before its time by the fastest clock",
            Oracle::L2 => "no lease stays after its time by the slowest clock and the bound",
            Oracle::L3 => "what is said of a lease is so",
            Oracle::M1 => "whoever holds a lock or leads an election is first in its queue",
            Oracle::M2 => "what is said of the members is so",
            Oracle::I1 => "at most one leader a term",
            Oracle::I2 => "log matching",
            Oracle::I3 => "leader completeness",
            Oracle::I4 => "the same entry at the same index everywhere, applied once",
            Oracle::I5 => "a committed entry is durable on a quorum",
            Oracle::I6 => "durable before promised",
            Oracle::I7 => {
                "term, vote, commit, applied and consistent index never go back, nor ahead of what is durable"
            }
            Oracle::I8 => "equal applied index, equal state",
            Oracle::I9 => "each ReadIndex context is used once",
            Oracle::I10 => "one configuration an index, and each a step from the one before",
            Oracle::V1 => "liveness after healing",
            Oracle::V2 => "no panic and no unexpected end",
            Oracle::D1 => "same plan, same trace hash",
        }
    }
}

impl Oracle {
    /// The oracle with this id.
    pub fn from_id(id: &str) -> Option<Oracle> {
        Oracle::ALL.into_iter().find(|oracle| oracle.id() == id)
    }
}

impl fmt::Display for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl Serialize for Oracle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// How bad a violation is for somebody who uses the cluster; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// What a client was promised is gone, or was done twice.
    Lost,
    /// A client was told something that is not so.
    Wrong,
    /// The cluster does not answer, or a process ended.
    Stuck,
    /// Something broke inside that no client has seen yet.
    Inside,
}

/// One thing that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// What it breaks.
    pub oracle: Oracle,
    /// How bad it is.
    pub severity: Severity,
    /// When it showed.
    pub time: Nanos,
    /// It in a few words, without a full stop: "an acknowledged write is lost".
    pub title: String,
    /// Two or three sentences: what was promised, what happened, how one can tell.
    pub sentences: Vec<String>,
    /// The operations of the history that prove it, by their number.
    pub operations: Vec<usize>,
    /// The events that prove it, a line each, in order.
    pub events: Vec<String>,
}

impl Violation {
    /// A violation still without its proof.
    pub fn new(oracle: Oracle, severity: Severity, time: Nanos, title: impl Into<String>) -> Violation {
        Violation {
            oracle,
            severity,
            time,
            title: title.into(),
            sentences: Vec::new(),
            operations: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Adds a sentence.
    #[must_use]
    pub fn say(mut self, sentence: impl Into<String>) -> Violation {
        self.sentences.push(sentence.into());
        self
    }

    /// Adds operations that prove it.
    #[must_use]
    pub fn shown_by(mut self, operations: impl IntoIterator<Item = usize>) -> Violation {
        for operation in operations {
            if !self.operations.contains(&operation) {
                self.operations.push(operation);
            }
        }
        self
    }

    /// Adds events that prove it.
    #[must_use]
    pub fn seen_in(mut self, events: impl IntoIterator<Item = String>) -> Violation {
        self.events.extend(events);
        self
    }

    /// What sorts violations: what a client lost first, then what came first.
    pub fn rank(&self) -> (Severity, Nanos, Oracle) {
        (self.severity, self.time, self.oracle)
    }
}

impl From<&Broken> for Violation {
    fn from(broken: &Broken) -> Violation {
        let oracle = Oracle::from_id(broken.invariant)
            .unwrap_or_else(|| panic!("the invariant {:?} has no oracle of that id", broken.invariant));
        let mut violation = Violation::new(oracle, Severity::Inside, broken.time, broken.title.clone());
        violation.sentences.clone_from(&broken.sentences);
        violation.seen_in(broken.evidence.iter().map(describe::event))
    }
}

/// What was looked at, so that "nothing found" can be told from "nothing checked".
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The oracle that looked.
    pub oracle: Oracle,
    /// At what: "linearizable answers".
    pub what: &'static str,
    /// At how many.
    pub count: u64,
}

/// The judgement on a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// What does not hold, the worst first.
    pub violations: Vec<Violation>,
    /// What could not be decided, and what is missing to decide it; a sentence each.
    pub undecided: Vec<String>,
    /// What was looked at.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Whether nothing was found, and nothing was left open.
    pub fn holds(&self) -> bool {
        self.violations.is_empty() && self.undecided.is_empty()
    }

    /// Notes what an oracle looked at.
    pub fn checked(&mut self, oracle: Oracle, what: &'static str, count: usize) {
        self.checks.push(Check { oracle, what, count: count as u64 });
    }

    /// How many things an oracle looked at.
    pub fn count(&self, oracle: Oracle) -> u64 {
        self.checks.iter().filter(|check| check.oracle == oracle).map(|check| check.count).sum()
    }

    /// Puts the worst first.
    pub fn rank(&mut self) {
        self.violations.sort_by_key(Violation::rank);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first() {
        let mut verdict = Verdict::default();
        verdict.violations.push(Violation::new(Oracle::I1, Severity::Inside, 1, "two leaders"));
        verdict.violations.push(Violation::new(Oracle::K1, Severity::Wrong, 9, "late"));
        verdict.violations.push(Violation::new(Oracle::K1, Severity::Wrong, 5, "early"));
        verdict.violations.push(Violation::new(Oracle::K4, Severity::Lost, 9, "lost").shown_by([3, 4, 3]));
        verdict.rank();
        let titles: Vec<_> = verdict.violations.iter().map(|violation| &violation.title[..]).collect();
        assert_eq!(titles, ["lost", "early", "late", "two leaders"]);
        assert_eq!(verdict.violations[0].operations, [3, 4]);
        assert!(!verdict.holds());
    }

    #[test]
    fn ids_are_unique() {
        for (at, oracle) in Oracle::ALL.into_iter().enumerate() {
            assert!(Oracle::ALL[at + 1..].iter().all(|other| other.id() != oracle.id()));
        }
    }
}
