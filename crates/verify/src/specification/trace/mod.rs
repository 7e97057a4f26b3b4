//! Judges a trace of etcd-io/raft by S: what the Go library writes (`state_trace.go`, build tag `with_tla`), or what
//! `etcdsim replay --trace-out` writes of a run.
//!
//! Such a trace shows less than the steps of a run. So this is S with its eyes half shut: a copy of each member
//! (`copy`) is advanced by each event as the specification says (`events`, `messages`) and compared with what the
//! event shows. It has the same rules ([`Rule`]) and the same quorums; it judges every rule for which the trace shows
//! enough, and [`not_seen`] says why not the others. The terms of entries, which no event has, are known from following
//! every log from its start.
//!
//! Allowed beyond the Go library: a commit index that comes with a vote, or with the answer to a read, which the trace
//! does not have (raft 0.7.0; see `CommitByVote`).
//!
//! Only the first breach of each rule by each member is reported. The order of the lines is taken for the order of the
//! events.

mod copy;
mod events;
pub mod line;
mod messages;
mod seen;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead};

use record::MemberId;
use serde::Serialize;

use crate::history_file::FileError;
use crate::specification::rule::Rule;
use crate::specification::text::{self, who};
use copy::{Copy, Joint, Terms, configuration};
use line::{Line, Name, SingleChange, TracedEvent, TracedMessage, TracedRole};
pub use seen::not_seen;

/// A rule that a trace breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// The line, from 1.
    pub line: usize,
    /// The member.
    pub member: MemberId,
    /// The rule's name.
    pub rule: &'static str,
    /// The values, in a sentence.
    pub sentence: String,
    /// What the rule requires; a sentence.
    pub says: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
}

/// The judgement on a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// How many events it has.
    pub events: u64,
    /// How many members.
    pub members: usize,
    /// The broken rules, in the order of the lines.
    pub breaches: Vec<Breach>,
    /// How often each rule was judged.
    pub judged: BTreeMap<&'static str, u64>,
    /// The rules for which the trace shows too little, and why.
    pub not_seen: BTreeMap<&'static str, &'static str>,
}

/// Why a trace cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line is wrong.
    #[error("{}:{}: {}", .0.file, .0.line, .0.what)]
    Line(FileError),
}

/// Reads and judges a trace; `file` is its name, for errors.
///
/// # Errors
/// If it cannot be read, a line is no event of raft, or it has no event at all.
pub fn judge(file: &str, reader: impl BufRead) -> Result<Judged, TraceError> {
    let mut trace = Trace::default();
    let mut lines = 0;
    for (nth, text) in reader.lines().enumerate() {
        lines = nth + 1;
        let read = Line::read(file, lines, &text?).map_err(TraceError::Line)?;
        let Some(Line { event, .. }) = read else { continue };
        trace.event(lines, &event).map_err(|what| {
            TraceError::Line(FileError { file: file.to_string(), line: lines, column: 1, what })
        })?;
    }
    if trace.events == 0 {
        let what = "the file has no event of raft: no line is a JSON object with an `event`".to_string();
        let line = lines.max(1);
        return Err(TraceError::Line(FileError { file: file.to_string(), line, column: 1, what }));
    }
    Ok(trace.end())
}

/// A trace that is being judged.
#[derive(Debug, Default)]
struct Trace {
    members: BTreeMap<MemberId, Copy>,
    /// The leader of each term, with its log.
    leaders: BTreeMap<u64, (MemberId, Terms)>,
    /// What each entry with a change of the configuration changes, by index and term. An empty list: it leaves a joint
    /// configuration.
    changes: BTreeMap<(u64, u64), Vec<SingleChange>>,
    /// Whether some change is known without its entry. Then applied changes are not judged.
    changes_unclear: bool,
    /// Some member had entries up to here when it started.
    unseen: u64,
    /// The voters after the change at an index.
    configurations: BTreeMap<u64, Vec<MemberId>>,
    /// The terms of committed entries.
    committed: Terms,
    /// Every message that was sent.
    sent: BTreeSet<TracedMessage>,
    events: u64,
    judged: BTreeMap<Rule, u64>,
    broken: BTreeSet<(MemberId, Rule)>,
    breaches: Vec<Breach>,
}

/// An event under judgement, with the copy of its member.
struct Look<'a> {
    line: usize,
    event: &'a TracedEvent,
    copy: Copy,
    trace: &'a mut Trace,
}

impl Trace {
    /// Judges an event. An error says why it is not a valid one.
    fn event(&mut self, line: usize, event: &TracedEvent) -> Result<(), String> {
        let id = event.nid;
        if id.is_none() {
            return Err("`nid` is 0, which is no member".to_string());
        }
        let message = message_of(event)?;
        self.events += 1;
        let before = self.members.remove(&id);
        let (copy, known) = match (before, event.name) {
            (before, Name::InitState) => (Copy::starts(event, before.as_ref()), before),
            (Some(copy), _) => (copy, None),
            // The trace begins in the middle of a process.
            (None, _) => (Copy::of(event), None),
        };
        let mut look = Look { line, event, copy, trace: self };
        look.perform(message, known.as_ref());
        let copy = look.copy;
        self.members.insert(id, copy);
        Ok(())
    }

    /// The judgement on the whole trace.
    fn end(self) -> Judged {
        let not_seen = Rule::ALL.iter().filter_map(|rule| Some((rule.name(), not_seen(*rule)?))).collect();
        let judged = self.judged.iter().map(|(rule, count)| (rule.name(), *count)).collect();
        let (events, members) = (self.events, self.members.len());
        Judged { events, members, breaches: self.breaches, judged, not_seen }
    }

    /// The first change of the configuration in this log after `after`, up to `to`: its index and what it changes.
    fn change(&self, log: &Terms, after: u64, to: u64) -> Option<(u64, &Vec<SingleChange>)> {
        let known = self.changes.range((after + 1, 0)..(to.max(after) + 1, 0));
        let mut in_log = known.filter(|((index, term), _)| log.at(*index) == *term);
        in_log.next().map(|((index, _), changes)| (*index, changes))
    }
}

impl Look<'_> {
    /// A rule is judged: counts it, and reports a breach if it does not hold.
    fn holds(&mut self, rule: Rule, holds: bool, sentence: impl FnOnce(&Look<'_>) -> String) {
        *self.trace.judged.entry(rule).or_default() += 1;
        if holds || !self.trace.broken.insert((self.event.nid, rule)) {
            return;
        }
        let breach = Breach {
            line: self.line,
            member: self.event.nid,
            rule: rule.name(),
            sentence: sentence(self),
            says: rule.says(),
            source: rule.source(),
        };
        self.trace.breaches.push(breach);
    }

    /// Compares the copy with what the event shows; `commit` and `log` govern these fields here. The copy then takes
    /// over what the event shows.
    fn compare(&mut self, commit: Rule, log: Rule) {
        let (event, shown) = (self.event, self.event.state);
        let was = (self.copy.term, self.copy.vote, self.copy.role, self.copy.commit, self.copy.log.last());
        self.holds(Rule::TermMoves, shown.term == was.0, |_| {
            format!("Its term is {}, where {} was due.", shown.term, was.0)
        });
        self.copy.term = shown.term;
        self.holds(Rule::VoteOnce, shown.vote == was.1, |_| {
            format!("Its vote in term {} is {}, where {} was due.", shown.term, who(shown.vote), who(was.1))
        });
        self.copy.vote = shown.vote;
        // Only here does the trace show that a member asks for pre-votes.
        if event.role == TracedRole::PreCandidate && was.2 != TracedRole::Leader {
            self.copy.heard_leader = false;
        } else {
            self.holds(Rule::RoleChanges, event.role == was.2, |_| {
                format!("It is {:?}, where {:?} was due.", event.role, was.2)
            });
        }
        self.copy.role = event.role;
        self.compare_log(log, was.4);
        self.compare_commit(commit, was.3);
        let (now, before) = (configuration(event), std::mem::take(&mut self.copy.configuration));
        // Whether a change is joint shows only after it was applied.
        let joined = match std::mem::replace(&mut self.copy.joint, Joint::Known) {
            Joint::Known => false,
            Joint::Perhaps(outgoing) => now.outgoing == outgoing,
            Joint::Unknown => true,
        };
        let same = now == before || joined && now.voters == before.voters;
        self.holds(Rule::ConfigurationApplied, same, |_| {
            format!("It has {}, where {} was due.", text::configuration(&now), text::configuration(&before))
        });
        self.copy.configuration = now;
    }

    fn compare_log(&mut self, rule: Rule, due: u64) {
        let shown = self.event.log;
        self.holds(rule, shown == due, |_| format!("Its log ends at {shown}, where {due} was due."));
        self.copy.log.truncate(shown);
        self.copy.log.extend(shown, copy::UNKNOWN);
    }

    fn compare_commit(&mut self, rule: Rule, due: u64) {
        let shown = self.event.state.commit;
        self.holds(Rule::CommitNeverBack, shown >= due, |_| {
            format!("Its commit index is {shown}, after {due}.")
        });
        self.holds(Rule::CommitKnown, shown <= self.copy.log.last(), |look| {
            format!("Its commit index is {shown}, but its log ends at {}.", look.copy.log.last())
        });
        if shown > due {
            // Raft 0.7.0 takes it from votes, and from answers to reads, which the trace does not have.
            let offered = shown == self.copy.offered_commit || shown <= self.trace.committed.last();
            let rule = if offered { Rule::CommitByVote } else { rule };
            self.holds(rule, offered, |_| format!("Its commit index is {shown}, where {due} was due."));
            self.commits(rule, due, shown);
        }
    }

    /// The commit index moves: what is committed now must be what the others have committed.
    fn commits(&mut self, rule: Rule, from: u64, to: u64) {
        for index in from + 1..=to.min(self.copy.log.last()) {
            let (own, known) = (self.copy.log.at(index), self.trace.committed.at(index));
            if own != copy::UNKNOWN && known != copy::UNKNOWN {
                self.holds(rule, own == known, |_| {
                    format!("It commits entry {index} of term {own}, where others have committed one of term {known}.")
                });
            }
            self.trace.committed.extend(index, copy::UNKNOWN);
            self.trace.committed.learn(index, own);
        }
        self.copy.commit = to;
    }
}

/// The message of an event that must have one.
fn message_of(event: &TracedEvent) -> Result<Option<&TracedMessage>, String> {
    use Name::*;
    let sends = matches!(
        event.name,
        SendAppendEntriesRequest
            | SendAppendEntriesResponse
            | SendRequestVoteRequest
            | SendRequestVoteResponse
            | SendSnapshot
    );
    let receives = matches!(
        event.name,
        ReceiveAppendEntriesRequest
            | ReceiveAppendEntriesResponse
            | ReceiveRequestVoteRequest
            | ReceiveRequestVoteResponse
            | ReceiveSnapshot
    );
    if !sends && !receives {
        return Ok(None);
    }
    let Some(message) = &event.msg else {
        return Err(format!("a {} needs the message, `msg`", event.name));
    };
    let kinds = messages::kinds(event.name);
    if !kinds.contains(&message.kind) {
        return Err(format!("a {} cannot have a {:?}", event.name, message.kind));
    }
    let own = if sends { message.from } else { message.to };
    if own != event.nid {
        let end = if sends { "from" } else { "to" };
        return Err(format!("`nid` is {}, but the message is {end} member {own}", event.nid));
    }
    Ok(Some(message))
}
