//! Wrong steps: what happened inside the cluster and should not have, according to the rules of this module and the
//! oracles that look inside.

use std::fmt::Display;

use record::{MemberId, Nanos};
use verify::{Oracle, Severity, Violation, describe};

use super::evidence::Evidence;
use super::{Sentence, chain, rules};
use crate::report::{Failure, ViolationReport};

/// A wrong step.
#[derive(Clone, Debug, Default)]
pub(super) struct Wrong {
    pub time: Nanos,
    pub member: MemberId,
    /// What happened and why that is wrong, in one sentence.
    pub says: String,
    /// What a correct member does; a sentence.
    pub rule: Option<String>,
    /// What the step changed, before and after it, in a few words each.
    pub change: Option<(String, String)>,
    /// What it is about.
    pub subject: Subject,
    /// More sentences.
    pub more: Vec<String>,
    /// The events that prove it, a line each.
    pub events: Vec<String>,
    /// The rule that found it: its name, or the id of the oracle.
    pub by: &'static str,
    /// If other steps broke this rule before this one: when the first of them was taken, and how many there were.
    pub before: Option<(Nanos, usize)>,
    /// How many more steps break the same rule after this one.
    pub others: usize,
}

/// What a wrong step is about, for the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Subject {
    /// The member only.
    #[default]
    Member,
    /// A watcher: its stream and its id.
    Watcher(u64, i64),
    /// A lease.
    Lease(i64),
    /// An entry of the log.
    Entry(u64),
    /// A change of a key, by its revision.
    Revision(i64),
    /// A client operation, by its number.
    Operation(u64),
}

impl Subject {
    /// Whether a violation is about this subject: the violation names it, or the operation is among its proofs.
    fn is_of(&self, seen: &ViolationReport) -> bool {
        let names = |what: &str, number: &dyn Display| {
            let wanted = format!("{what} {number}");
            let lines = seen.sentences.iter().chain(&seen.events).chain(&seen.operations);
            lines.into_iter().any(|line| {
                line.match_indices(&wanted)
                    .any(|(at, _)| !line[at + wanted.len()..].starts_with(|next: char| next.is_ascii_digit()))
            })
        };
        match self {
            Subject::Member => false,
            Subject::Watcher(stream, id) => names("stream", stream) && names("watcher", id),
            Subject::Lease(lease) => names("lease", lease) || names("Lease", lease),
            Subject::Entry(index) => names("entry", index) || names("index", index),
            Subject::Revision(revision) => names("revision", revision),
            Subject::Operation(number) => seen.numbers.iter().any(|one| *one as u64 == *number),
        }
    }
}

impl Wrong {
    /// A wrong step of a member.
    pub fn new(time: Nanos, member: MemberId, says: String) -> Wrong {
        Wrong { time, member, says, ..Wrong::default() }
    }

    pub fn rule(self, rule: impl Into<String>) -> Wrong {
        Wrong { rule: Some(rule.into()), ..self }
    }

    pub fn change(self, before: impl Into<String>, after: impl Into<String>) -> Wrong {
        Wrong { change: Some((before.into(), after.into())), ..self }
    }

    pub fn about(self, subject: Subject) -> Wrong {
        Wrong { subject, ..self }
    }

    pub fn say(mut self, sentence: impl Into<String>) -> Wrong {
        self.more.push(sentence.into());
        self
    }

    /// The wrong step that a violation reports, if its oracle looks inside.
    fn of(violation: &Violation) -> Option<Wrong> {
        let inside = violation.severity == Severity::Inside;
        // Only what happens inside is a step; the end of a run is not.
        if !inside || violation.sentences.is_empty() {
            return None;
        }
        let mut sentences = violation.sentences.iter().cloned();
        let says = sentences.next()?;
        let (says, rule) = match violation.oracle {
            oracle if oracle == Oracle::S => (says, violation.sentences.last().cloned()),
            oracle => (says, Some(format!("{oracle}: {}.", oracle.holds()))),
        };
        let more: Vec<String> = sentences.filter(|sentence| Some(sentence) != rule.as_ref()).collect();
        let member = first_member(&violation.title).or_else(|| first_member(&says)).unwrap_or_default();
        Some(Wrong {
            time: violation.time,
            member,
            says,
            rule,
            more,
            // S adds raft's whole state in the words of the program.
            events: if violation.oracle == Oracle::S { Vec::new() } else { violation.events.clone() },
            by: violation.oracle.id(),
            ..Wrong::default()
        })
    }

    /// When its rule was first broken.
    fn begun(&self) -> Nanos {
        self.before.map_or(self.time, |(first, _)| first)
    }

    /// Its details, after the headline.
    pub fn sentences(&self) -> Vec<Sentence> {
        let about = |text: String| Sentence::new(text).of(self.member);
        let mut all = vec![about(self.says.clone()).at(self.time)];
        if let Some((before, after)) = &self.change {
            all.push(about(format!("Before: {before}. After: {after}.")));
        }
        all.extend(self.more.iter().cloned().map(about));
        all.extend(self.events.iter().map(|event| chain::timed(event)));
        let times = |count: usize| match count {
            1 => "once".to_string(),
            count => format!("{count} times"),
        };
        let more = |count: usize| match count {
            1 => "once more".to_string(),
            count => format!("{count} more times"),
        };
        let said = match (self.before, self.others) {
            (None, 0) => None,
            (None, others) => Some(format!("The same happened {} in this run.", more(others))),
            (Some((first, before)), others) => Some(format!(
                "The same had happened {} before, first at {}{}; this one led to what was seen.",
                times(before),
                time(first),
                if others > 0 { format!(", and happened {} later", times(others)) } else { String::new() }
            )),
        };
        all.extend(said.map(Sentence::new));
        all
    }
}

/// The number after the first word "member".
fn first_member(text: &str) -> Option<MemberId> {
    let at = text.to_ascii_lowercase().find("member ")? + "member ".len();
    let digits: String = text[at..].chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().map(MemberId::new)
}

/// All wrong steps, the earliest first; at the same time, those that the rules found come before those that the oracles
/// report, and an invariant comes before S, which speaks in raft's terms.
pub(super) fn steps(evidence: &Evidence, failure: &Failure) -> Vec<Wrong> {
    // One step for each rule: the one that the worst violation is about, or else the first.
    let seen = failure.worst();
    let mut of_rules: Vec<Vec<Wrong>> = Vec::new();
    for wrong in rules::look(evidence) {
        // A rule may have several sentences of what is right.
        let same = |known: &&mut Vec<Wrong>| known[0].by == wrong.by && known[0].rule == wrong.rule;
        match of_rules.iter_mut().find(same) {
            Some(rule) => rule.push(wrong),
            None => of_rules.push(vec![wrong]),
        }
    }
    let mut all: Vec<Wrong> = Vec::new();
    for mut rule in of_rules {
        let led = |wrong: &Wrong| wrong.time <= seen.time_ns && wrong.subject.is_of(seen);
        let (chosen, count) = (rule.iter().position(led).unwrap_or(0), rule.len());
        let before = (chosen > 0).then(|| (rule[0].time, chosen));
        all.push(Wrong { before, others: count - chosen - 1, ..rule.swap_remove(chosen) });
    }
    let rank = |wrong: &Wrong| match Oracle::ALL.iter().position(|oracle| oracle.id() == wrong.by) {
        None => 0,
        Some(place) if Oracle::ALL[place] != Oracle::S => 1,
        Some(_) => 2,
    };
    all.extend(evidence.verdict.violations.iter().filter_map(Wrong::of));
    // Custom oracles judged the run, but not the repeated run that gathered the evidence.
    let own = failure.violations.iter().filter(|violation| !Oracle::ALL.contains(&violation.oracle));
    all.extend(own.filter(|violation| violation.severity == Severity::Inside).map(|violation| {
        let says = violation.sentences.first().cloned().unwrap_or_else(|| format!("{}.", violation.title));
        let member = first_member(&says).unwrap_or_default();
        Wrong { by: violation.oracle.id(), ..Wrong::new(violation.time_ns, member, says) }
    }));
    all.sort_by_key(|wrong| (wrong.begun(), rank(wrong)));
    all
}

/// A time in a sentence.
pub(super) fn time(at: Nanos) -> String {
    describe::time(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_is_about_what_it_names() {
        let violation = Violation::new(Oracle::W6, 5, "a watcher from a revision missed the first changes")
            .say("Client 11 watched a..b by member 1 (stream 2, watcher 25, created with revision 776).")
            .say("The first of these: `delete key6 at revision 759`.");
        let seen = ViolationReport::of(&violation, &record::History::default());
        assert!(Subject::Revision(759).is_of(&seen));
        assert!(Subject::Watcher(2, 25).is_of(&seen));
        assert!(!Subject::Revision(75).is_of(&seen) && !Subject::Watcher(2, 2).is_of(&seen));
        assert!(!Subject::Member.is_of(&seen) && !Subject::Operation(0).is_of(&seen));
    }

    #[test]
    fn a_sentence_names_its_member_first() {
        assert_eq!(first_member("Member 12 asked member 3."), Some(MemberId::new(12)));
        assert_eq!(first_member("A member asked."), None);
    }
}
