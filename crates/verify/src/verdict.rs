//! What the oracles report: the sheet that all of them write into, and the verdict made from it.

use record::Nanos;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::{Oracle, Severity};

/// One requirement of an oracle that was not met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The oracle that reports it.
    pub oracle: Oracle,
    /// How severe it is.
    pub severity: Severity,
    /// The time of the operation or event that shows it.
    pub time: Nanos,
    /// The title, without a full stop: "an acknowledged write is lost".
    pub title: String,
    /// Two or three sentences: what was promised, what happened, and what proves it.
    pub sentences: Vec<String>,
    /// The operations of the history that prove it, by their number.
    pub operations: Vec<usize>,
    /// The events that prove it, a line each, in order.
    pub events: Vec<String>,
}

impl Violation {
    /// A violation without its proof yet, with the usual severity of its oracle.
    pub fn new(oracle: Oracle, time: Nanos, title: impl Into<String>) -> Violation {
        Violation {
            oracle,
            severity: oracle.severity(),
            time,
            title: title.into(),
            sentences: Vec::new(),
            operations: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Sets a severity other than its oracle's usual one.
    #[must_use]
    pub fn of_severity(mut self, severity: Severity) -> Violation {
        self.severity = severity;
        self
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

    /// The order of violations: what a client lost first, then what came first.
    pub fn rank(&self) -> (Severity, Nanos, Oracle) {
        (self.severity, self.time, self.oracle)
    }
}

/// What was checked, so that "nothing found" is not mistaken for "nothing checked".
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The oracle that checked.
    pub oracle: Oracle,
    /// What was checked: "linearizable answers".
    pub what: &'static str,
    /// How many there were.
    pub count: u64,
}

/// Something in the history that an oracle could not judge, and what is missing to judge it. It counts neither as
/// correct nor as a violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotJudged {
    /// The oracle that would judge it.
    pub oracle: Oracle,
    /// What was not judged: "answers of the lock and election services".
    pub what: &'static str,
    /// How many there are.
    pub count: u64,
    /// What is missing.
    pub missing: Missing,
}

impl Serialize for NotJudged {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("NotJudged", 5)?;
        fields.serialize_field("oracle", &self.oracle)?;
        fields.serialize_field("what", self.what)?;
        fields.serialize_field("count", &self.count)?;
        fields.serialize_field("missing", &self.missing)?;
        fields.serialize_field("why", self.missing.why())?;
        fields.end()
    }
}

/// What an oracle needs and a history may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// The entries that the members applied.
    AppliedEntries,
    /// The content of the store at the revisions in question.
    Store,
    /// The operations of all clients that wrote.
    OtherClients,
    /// When the members' processes were started.
    Starts,
    /// A read of the whole store at the end.
    QuietRead,
    /// The end of the faults and the state of the members, which only a run of the simulator shows.
    Run,
    /// Which user opened a watch stream.
    User,
    /// The order of changes of users and rights.
    OrderOfRights,
    /// The ids of leases that were made without an answer.
    LeaseIds,
    /// What there was before the history began.
    Beginning,
    /// An engine that knows more than keys and leases.
    RevisionEngine,
}

impl Missing {
    /// Why this keeps an oracle from judging; a part of a sentence.
    pub fn why(self) -> &'static str {
        match self {
            Missing::AppliedEntries => "the history does not have the entries that the members applied",
            Missing::Store => "what was in the store at that revision is not known",
            Missing::OtherClients => "others wrote too, and the history does not have their operations",
            Missing::Starts => "the history does not say when members were started",
            Missing::QuietRead => "no linearizable read of everything comes after them",
            Missing::Run => "only a run of the simulator shows when its faults are over",
            Missing::User => "the history does not say which user opened the stream",
            Missing::OrderOfRights => "the order of the changes of users and rights is not known",
            Missing::LeaseIds => "a request without an answer may have made that lease",
            Missing::Beginning => "that lease may be from before the history began",
            Missing::RevisionEngine => "the general engine judges only keys and leases",
        }
    }
}

/// The sheet into which all oracles write, in the order in which they run.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    violations: Vec<Violation>,
    /// Sentences about what could not be decided.
    undecided: Vec<String>,
    /// What was checked, and how often.
    checks: Vec<Check>,
    /// What an oracle could not judge.
    not_judged: Vec<NotJudged>,
}

impl Sheet {
    /// Reports a violation.
    pub fn add(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    /// Reports violations.
    pub fn add_all(&mut self, violations: impl IntoIterator<Item = Violation>) {
        self.violations.extend(violations);
    }

    /// Reports what could not be decided and what is missing to decide it; a sentence.
    pub fn leave_open(&mut self, sentence: impl Into<String>) {
        self.undecided.push(sentence.into());
    }

    /// Reports that an oracle checked `count` things; `what` names them.
    pub fn checked(&mut self, oracle: Oracle, what: &'static str, count: usize) {
        self.checks.push(Check { oracle, what, count: count as u64 });
    }

    /// Reports that an oracle could not judge `count` things, which `what` names; nothing if there are none.
    pub fn not_judged(&mut self, oracle: Oracle, what: &'static str, count: usize, missing: Missing) {
        if count > 0 {
            self.not_judged.push(NotJudged { oracle, what, count: count as u64, missing });
        }
    }

    /// Adds to the sentences of violations reported so far.
    pub(crate) fn amend(&mut self, amend: impl FnMut(&mut Violation)) {
        self.violations.iter_mut().for_each(amend);
    }

    /// Whether an oracle checked anything so far. If `checks` is not empty, only checks with one of these names count.
    pub(crate) fn looked_at(&self, oracle: Oracle, checks: &[&str]) -> bool {
        let meant = |check: &&Check| {
            check.oracle == oracle && (checks.is_empty() || checks.contains(&check.what)) && check.count > 0
        };
        self.checks.iter().any(|check| meant(&check))
    }

    /// Whether an oracle has reported already that it could not judge `what`, or, if `what` is empty, anything.
    pub(crate) fn has_not_judged(&self, oracle: Oracle, what: &str) -> bool {
        self.not_judged.iter().any(|one| one.oracle == oracle && (what.is_empty() || one.what == what))
    }

    /// Whether no violation was reported so far, and nothing was left open.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty() && self.undecided.is_empty()
    }

    /// The violations reported so far.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Adds the contents of another sheet.
    pub fn append(&mut self, other: Sheet) {
        self.violations.extend(other.violations);
        self.undecided.extend(other.undecided);
        self.checks.extend(other.checks);
        self.not_judged.extend(other.not_judged);
    }

    /// Everything reported, the worst violation first. Of violations with the same rank, the one written first comes
    /// first.
    pub fn into_verdict(self) -> Verdict {
        let Sheet { mut violations, undecided, checks, not_judged } = self;
        violations.sort_by_key(Violation::rank);
        Verdict { violations, undecided, checks, not_judged }
    }
}

/// The judgement on a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The violations, the worst first.
    pub violations: Vec<Violation>,
    /// What could not be decided, and what is missing to decide it: one sentence for each question.
    pub undecided: Vec<String>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// What the history has and no oracle could judge, and why.
    pub not_judged: Vec<NotJudged>,
}

impl Verdict {
    /// Whether there is no violation and no undecided question. Things that were [not judged](Verdict::not_judged)
    /// make no difference.
    pub fn holds(&self) -> bool {
        self.violations.is_empty() && self.undecided.is_empty()
    }

    /// Whether no oracle looked at anything.
    pub fn is_empty(&self) -> bool {
        self.violations.is_empty() && self.checks.iter().all(|check| check.count == 0)
    }

    /// How many things an oracle checked.
    pub fn count(&self, oracle: Oracle) -> u64 {
        self.checks.iter().filter(|check| check.oracle == oracle).map(|check| check.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first() {
        let mut sheet = Sheet::default();
        assert!(sheet.is_clean());
        sheet.add(Violation::new(Oracle::I1, 1, "two leaders"));
        sheet.add(Violation::new(Oracle::K1, 9, "late"));
        sheet.add(Violation::new(Oracle::K1, 5, "early"));
        sheet.add(Violation::new(Oracle::K4, 9, "lost").shown_by([3, 4, 3]));
        let verdict = sheet.into_verdict();
        let titles: Vec<_> = verdict.violations.iter().map(|violation| &violation.title[..]).collect();
        assert_eq!(titles, ["lost", "early", "late", "two leaders"]);
        assert_eq!(verdict.violations[0].operations, [3, 4]);
        assert!(!verdict.holds());
    }
}
