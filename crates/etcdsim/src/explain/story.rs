//! Explains how an acknowledged write was lost: what happened to its raft entry on every member. This explanation
//! is called a story.
//!
//! A verdict says only that the write is gone. The story says which members had its entry, which of them
//! acknowledged it before it was on disk, which lost power, and which entry replaced it.
//!
//! Not covered: losses in which every disk kept the entry, for example because a store skipped it. The
//! invariants find those.

use std::collections::BTreeMap;

use record::{EtcdFact, Event, Fact, LogEntry, MemberId, MessageHead, MessageKind, Nanos, Stop};
use serde::Serialize;
use verify::{Severity, describe};

use super::evidence::{Evidence, What};
use crate::report::Failure;

/// The most events in one story.
const EVENTS_SHOWN: usize = 30;

/// The most operations that are followed.
const OPERATIONS_FOLLOWED: usize = 4;

/// What happened to an acknowledged write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Story {
    /// The operation's number in the history.
    pub operation: u64,
    /// A short title.
    pub title: String,
    /// The client and its request.
    pub write: String,
    /// What happened, one sentence each.
    pub sentences: Vec<String>,
    /// The events behind it, one line each.
    pub events: Vec<String>,
}

/// The story of a failure that clients could see: of its first operation that was acknowledged and whose entry some
/// member lost. `None` if there is no such operation.
pub(super) fn of(evidence: &Evidence, failure: &Failure) -> Option<Story> {
    let seen = failure.violations.iter().filter(|violation| violation.severity <= Severity::Wrong);
    let numbers = seen.flat_map(|violation| violation.numbers.iter().copied()).take(OPERATIONS_FOLLOWED);
    numbers.into_iter().find_map(|operation| {
        let entry = entry_of(evidence, operation)?;
        let write = describe::who(evidence.history().operations.get(operation)?);
        let mut follower = Follower::new(operation as u64, write, entry);
        for happened in &evidence.all {
            if let What::Fact(fact) = &happened.what {
                // The follower keeps the few events that matter.
                follower.see(Seen { time: happened.time, member: happened.member, fact });
            }
        }
        follower.story()
    })
}

/// The entry of an operation, as the first member to apply it reported it.
fn entry_of(evidence: &Evidence, operation: usize) -> Option<EntryId> {
    evidence.all.iter().find_map(|happened| match &happened.what {
        What::Fact(Fact::Own(EtcdFact::Applied { index, term, request, .. }))
            if evidence.operation_of(*request) == Some(operation) =>
        {
            Some((*index, *term))
        }
        _ => None,
    })
}

/// An entry's index and term, which identify it.
type EntryId = (u64, u64);

/// What happened to one member's copy of the entry.
#[derive(Debug, Default)]
struct MemberCopy {
    /// When the entry was appended to the log in memory.
    since: Option<Nanos>,
    /// The disk job that writes it.
    job: Option<u64>,
    /// When the entry became durable.
    durable: Option<Nanos>,
    /// If the member acknowledged the entry before it was on its disk: when, and to which member.
    acknowledged_early: Option<(Nanos, MemberId)>,
    /// If the member committed the entry before it was on its own disk: when.
    committed_early: Option<Nanos>,
    /// If its process ended before the entry was on disk: when and how.
    ended: Option<(Nanos, &'static str)>,
    /// If it restarted without the entry: when, and the last index of its log.
    restarted_without: Option<(Nanos, u64)>,
    /// If another entry took its index: when, and the term of that entry.
    replaced: Option<(Nanos, u64)>,
}

impl MemberCopy {
    /// Whether the entry is in the member's log.
    fn has_entry(&self) -> bool {
        self.since.is_some() && self.replaced.is_none() && self.restarted_without.is_none()
    }
}

/// A fact with its time and its member.
#[derive(Clone, Copy)]
struct Seen<'a> {
    time: Nanos,
    member: MemberId,
    fact: &'a Fact,
}

impl Seen<'_> {
    fn to_event(self) -> Event {
        Event { time: self.time, member: self.member, fact: self.fact.clone() }
    }
}

/// Follows one entry through a run.
struct Follower {
    /// The operation that wrote it.
    operation: u64,
    /// That operation in words.
    write: String,
    entry: EntryId,
    /// What happened to it on each member.
    copies: BTreeMap<MemberId, MemberCopy>,
    /// When the client got the answer.
    acknowledged: Option<Nanos>,
    /// The events about it.
    events: Vec<Event>,
}

impl Follower {
    fn new(operation: u64, write: String, entry: EntryId) -> Follower {
        Follower { operation, write, entry, copies: BTreeMap::new(), acknowledged: None, events: Vec::new() }
    }

    /// Keeps an event for the story.
    fn keep(&mut self, event: Seen<'_>) {
        if self.events.len() < EVENTS_SHOWN {
            self.events.push(event.to_event());
        }
    }

    /// A member put entries into its log.
    fn appended(&mut self, event: Seen<'_>, entries: &[LogEntry]) {
        let (index, term) = self.entry;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        let at = entries.iter().find(|entry| entry.index == index);
        let copy = self.copies.entry(event.member).or_default();
        match at {
            Some(entry) if entry.term == term => {
                *copy = MemberCopy { since: Some(event.time), ..MemberCopy::default() };
            }
            Some(entry) if copy.replaced.is_none() => copy.replaced = Some((event.time, entry.term)),
            // The new entries end before the entry's index. They cut it off.
            None if copy.since.is_some() && first.index <= index && last.index < index => {
                copy.replaced = Some((event.time, first.term));
            }
            _ => return,
        }
        let shown = at.map_or_else(|| entries.to_vec(), |entry| vec![*entry]);
        let fact = Fact::Own(EtcdFact::Appended(shown));
        self.keep(Seen { fact: &fact, ..event });
    }

    /// A member sent a message.
    fn sent(&mut self, event: Seen<'_>, to: MemberId, head: &MessageHead) {
        let (index, term) = self.entry;
        let promise = head.kind == MessageKind::AppendResponse && !head.reject && head.index >= index;
        let copy = self.copies.entry(event.member).or_default();
        if promise
            && head.term >= term
            && copy.has_entry()
            && copy.durable.is_none()
            && copy.acknowledged_early.is_none()
        {
            copy.acknowledged_early = Some((event.time, to));
            self.keep(event);
        }
    }

    /// A process ended.
    fn stopped(&mut self, event: Seen<'_>, stop: &Stop) {
        let copy = self.copies.entry(event.member).or_default();
        if !copy.has_entry() || copy.durable.is_some() {
            return;
        }
        let how = match stop {
            Stop::PowerLoss => "lost power",
            Stop::Crash => "was killed",
            Stop::Graceful => "was stopped",
            Stop::Fatal(_) | Stop::Panic(_) | Stop::Refused(_) | Stop::Removed => "ended",
        };
        copy.ended = Some((event.time, how));
        self.keep(event);
    }

    /// A process started and read its disk.
    fn recovered(&mut self, event: Seen<'_>, before: EntryId, entries: &[LogEntry]) {
        let (index, term) = self.entry;
        let has = before.0 >= index || entries.iter().any(|entry| (entry.index, entry.term) == (index, term));
        let copy = self.copies.entry(event.member).or_default();
        if !copy.has_entry() {
            return;
        }
        copy.job = None;
        if has {
            copy.durable.get_or_insert(event.time);
            copy.ended = None;
        } else {
            let last = entries.last().map_or(before.0, |entry| entry.index);
            copy.restarted_without = Some((event.time, last));
            self.keep(event);
        }
    }

    /// The story; `None` if no member lost the entry, or if the client got no answer.
    fn story(self) -> Option<Story> {
        let lost_copies: Vec<_> =
            self.copies.iter().filter(|(_, copy)| copy.restarted_without.is_some()).collect();
        let acknowledged = self.acknowledged.filter(|_| !lost_copies.is_empty())?;
        let (index, term) = self.entry;
        let mut sentences = vec![format!(
            "{} was entry {index} of term {term}; it was acknowledged to the client at {}.",
            self.write,
            describe::time(acknowledged)
        )];
        sentences.extend(lost_copies.iter().map(|(member, copy)| lost(**member, copy)));
        sentences.extend(self.rest());
        let replacement = self.replacement();
        let title = match replacement {
            Some(_) => "an acknowledged write was lost",
            None => "members lost the entry of an acknowledged write",
        };
        sentences.extend(replacement);
        Some(Story {
            operation: self.operation,
            title: title.to_string(),
            write: self.write,
            sentences,
            events: self.events.iter().map(describe::event).collect(),
        })
    }

    /// A sentence about the members that kept the entry.
    fn rest(&self) -> Option<String> {
        let kept: Vec<String> = (self.copies.iter())
            .filter(|(_, copy)| copy.durable.is_some() && copy.restarted_without.is_none())
            .map(|(member, _)| member.to_string())
            .collect();
        (!kept.is_empty()).then(|| format!("Only member {} had it on disk.", kept.join(" and member ")))
    }

    /// A sentence about the entry that replaced it, if one did.
    fn replacement(&self) -> Option<String> {
        let replaced = self.copies.values().filter_map(|copy| copy.replaced);
        let (at, term) = replaced.filter(|(_, term)| *term > self.entry.1).min()?;
        Some(format!(
            "The leader of term {term} did not have it and put another entry at index {} at {}.",
            self.entry.0,
            describe::time(at)
        ))
    }
}

/// A sentence about how one member lost the entry.
fn lost(member: MemberId, copy: &MemberCopy) -> String {
    let start = match (copy.acknowledged_early, copy.committed_early) {
        (Some((at, to)), _) => {
            format!(
                "Member {member} acknowledged it to member {to} at {}, before it was on disk",
                describe::time(at)
            )
        }
        (None, Some(at)) => {
            format!("Member {member} counted its own copy at {}, before it was on disk", describe::time(at))
        }
        (None, None) if copy.durable.is_some() => format!("Member {member} had the entry on disk"),
        (None, None) => format!("Member {member} had the entry in memory only"),
    };
    let end = match copy.ended {
        Some((at, how)) => format!("; it {how} at {} with the write still under way", describe::time(at)),
        None => String::new(),
    };
    let back = match copy.restarted_without {
        Some((at, last)) => format!("; after its restart at {}, its log ended at {last}", describe::time(at)),
        None => String::new(),
    };
    format!("{start}{end}{back}.")
}

impl Follower {
    /// Takes the next fact.
    fn see(&mut self, event: Seen<'_>) {
        let (index, _) = self.entry;
        match event.fact {
            Fact::Own(EtcdFact::Appended(entries)) => self.appended(event, entries),
            Fact::Own(EtcdFact::Saving { job, last_index, .. }) if *last_index >= index => {
                let copy = self.copies.entry(event.member).or_default();
                if copy.has_entry() && copy.job.is_none() {
                    copy.job = Some(*job);
                    self.keep(event);
                }
            }
            Fact::JobDone { job, synced: true, .. } => {
                let copy = self.copies.entry(event.member).or_default();
                if copy.has_entry() && copy.durable.is_none() && copy.job.is_some_and(|needed| *job >= needed)
                {
                    copy.durable = Some(event.time);
                    self.keep(event);
                }
            }
            Fact::Own(EtcdFact::Committed { index: committed, .. }) if *committed >= index => {
                let copy = self.copies.entry(event.member).or_default();
                let noted = copy.committed_early.is_some() || copy.acknowledged_early.is_some();
                if copy.has_entry() && copy.durable.is_none() && !noted {
                    copy.committed_early = Some(event.time);
                    self.keep(event);
                }
            }
            Fact::Sent { to, head, .. } => self.sent(event, *to, head),
            Fact::Stopped(stop) => self.stopped(event, stop),
            Fact::Own(EtcdFact::Recovered { before, entries, .. }) => self.recovered(event, *before, entries),
            Fact::Own(EtcdFact::Proposed { operation, .. }) if *operation == self.operation => {
                self.keep(event)
            }
            Fact::Returned { operation, answered: true, .. } if *operation == self.operation => {
                self.acknowledged = Some(event.time);
                self.keep(event);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story_of(facts: impl IntoIterator<Item = (Nanos, u32, Fact)>) -> Option<Story> {
        let mut follower = Follower::new(4, "Client 3's `put k`".to_string(), (57, 2));
        for (millis, member, fact) in facts {
            follower.see(Seen { time: millis * 1_000_000, member: MemberId::new(member), fact: &fact });
        }
        follower.story()
    }

    fn appended(term: u64) -> Fact {
        Fact::Own(EtcdFact::Appended(vec![LogEntry { index: 57, term, digest: 0 }]))
    }

    fn saving(job: u64) -> Fact {
        Fact::Own(EtcdFact::Saving { job, term: 2, vote: MemberId::new(1), commit: 56, last_index: 57 })
    }

    fn recovered(last: u64) -> Fact {
        let entries = (50..=last).map(|index| LogEntry { index, term: 1, digest: 0 }).collect();
        let before = (49, 1);
        Fact::Own(EtcdFact::Recovered {
            term: 2,
            vote: MemberId::new(1),
            commit: 56,
            before,
            entries,
            consistent_index: 50,
            revision: 9,
            state_hash: 0,
        })
    }

    fn acknowledgement() -> Fact {
        let kind = MessageKind::AppendResponse;
        let head =
            MessageHead { kind, term: 2, index: 57, log_term: 0, commit: 0, reject: false, entries: 0 };
        Fact::Sent { to: MemberId::new(1), packet: 1, head }
    }

    #[test]
    fn an_early_acknowledgement_and_a_power_loss_make_a_story() {
        let story = story_of([
            (10, 1, Fact::Own(EtcdFact::Proposed { operation: 4, request: 77 })),
            (10, 1, appended(2)),
            (10, 1, saving(3)),
            (11, 2, appended(2)),
            (11, 2, saving(8)),
            (12, 2, acknowledgement()),
            (13, 1, Fact::JobDone { job: 3, synced: true, failed: false }),
            (14, 0, Fact::Returned { operation: 4, answered: true, digest: 0 }),
            (15, 2, Fact::Stopped(Stop::PowerLoss)),
            (16, 2, recovered(56)),
            (20, 2, appended(3)),
        ]);
        let story = story.expect("a member lost the entry");
        assert_eq!(
            story.sentences,
            [
                "Client 3's `put k` was entry 57 of term 2; it was acknowledged to the client at 0.014 s.",
                "Member 2 acknowledged it to member 1 at 0.012 s, before it was on disk; it lost power at 0.015 s with the write still under way; after its restart at 0.016 s, its log ended at 56.",
                "Only member 1 had it on disk.",
                "The leader of term 3 did not have it and put another entry at index 57 at 0.020 s.",
            ]
        );
        assert!(story.events.iter().any(|line| line.ends_with("m2   loses power")), "{:#?}", story.events);
    }

    #[test]
    fn there_is_no_story_if_no_member_lost_the_entry() {
        let kept = story_of([
            (10, 1, appended(2)),
            (10, 1, saving(3)),
            (13, 1, Fact::JobDone { job: 3, synced: true, failed: false }),
            (15, 1, Fact::Stopped(Stop::PowerLoss)),
        ]);
        assert_eq!(kept, None);
    }
}
