//! How an acknowledged write was lost: what became of its entry on every member.
//!
//! A verdict says that a write is gone, and an invariant may say which promise was broken first. In
//! between lies the fate of one entry: who had it, who said so before it was on disk, who lost power,
//! what stands in its place now. The plan is run once more (it takes the same steps) with an observer
//! who follows that entry.
//!
//! Not told: losses in which every disk kept the entry (a store that skipped it, say); there the
//! invariants speak.

use std::collections::BTreeMap;

use plan::Plan;
use record::fact::{MessageHead, Stop};
use record::{Event, Fact, LogEntry, MemberId, MessageKind, Nanos, Observer};
use serde::Serialize;
use verify::{Severity, describe};

use crate::execute::run_plan_observed;
use crate::report::Failure;

/// Events of one story; more of them add nothing.
const EVENTS_SHOWN: usize = 30;

/// Operations that are followed at most, one after the other.
const OPERATIONS_FOLLOWED: usize = 4;

/// The fate of an acknowledged write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Story {
    /// The operation's number in the history.
    pub operation: u64,
    /// It in a few words.
    pub title: String,
    /// Who wrote what.
    pub write: String,
    /// What happened, a sentence each.
    pub sentences: Vec<String>,
    /// The events behind it, a line each.
    pub events: Vec<String>,
}

/// The story behind a failure that clients saw: of the first operation it names whose client had its
/// answer and whose entry was lost somewhere.
pub fn of(plan: &Plan, failure: &Failure) -> Option<Story> {
    let seen = failure.violations.iter().filter(|finding| finding.severity <= Severity::Wrong);
    let numbers = seen.flat_map(|finding| finding.numbers.iter().map(|number| *number as u64));
    // Each costs a run.
    let numbers: Vec<u64> = numbers.take(OPERATIONS_FOLLOWED).collect();
    if numbers.is_empty() {
        return None;
    }
    let mut places =
        Places { wanted: numbers.iter().map(|number| (*number, None)).collect(), requests: BTreeMap::new() };
    let history = run_plan_observed(plan, &mut places, world::Options::default()).ok()?.record.history;
    numbers.iter().find_map(|&operation| {
        let entry = places.wanted.get(&operation).copied().flatten()?;
        let write = describe::who(history.operations.get(operation as usize)?);
        let mut follower = Follower::new(operation, write, entry);
        run_plan_observed(plan, &mut follower, world::Options::default()).ok()?;
        follower.story()
    })
}

/// An entry by index and term: no other can ever have both.
type Place = (u64, u64);

/// Finds the entries of operations.
struct Places {
    wanted: BTreeMap<u64, Option<Place>>,
    requests: BTreeMap<u64, u64>,
}

impl Observer for Places {
    fn event(&mut self, event: &Event) {
        match event.fact {
            Fact::Proposed { operation, request } if self.wanted.contains_key(&operation) => {
                self.requests.insert(request, operation);
            }
            Fact::Applied { index, term, request, .. } => {
                if let Some(operation) = self.requests.get(&request) {
                    self.wanted.entry(*operation).or_default().get_or_insert((index, term));
                }
            }
            _ => {}
        }
    }
}

/// What one member knows of the entry.
#[derive(Debug, Default)]
struct Holder {
    /// It is in the log in memory since then.
    since: Option<Nanos>,
    /// The disk job that writes it.
    job: Option<u64>,
    /// It is on disk since then.
    durable: Option<Nanos>,
    /// It told a member that it has the entry, before it was on disk.
    hasty: Option<(Nanos, MemberId)>,
    /// It took the entry for committed before it was on its own disk.
    committed_early: Option<Nanos>,
    /// How its life ended while the entry was not on disk.
    ended: Option<(Nanos, &'static str)>,
    /// It came back without the entry, with a log up to this index.
    without: Option<(Nanos, u64)>,
    /// Another entry, of that term, took its place.
    replaced: Option<(Nanos, u64)>,
}

impl Holder {
    /// Whether the entry is in its log, for all it knows.
    fn has_it(&self) -> bool {
        self.since.is_some() && self.replaced.is_none() && self.without.is_none()
    }
}

/// Follows one entry.
struct Follower {
    operation: u64,
    write: String,
    entry: Place,
    holders: BTreeMap<MemberId, Holder>,
    acknowledged: Option<Nanos>,
    events: Vec<Event>,
}

impl Follower {
    fn new(operation: u64, write: String, entry: Place) -> Follower {
        Follower { operation, write, entry, holders: BTreeMap::new(), acknowledged: None, events: Vec::new() }
    }

    fn keep(&mut self, event: &Event) {
        if self.events.len() < EVENTS_SHOWN {
            self.events.push(event.clone());
        }
    }

    fn appended(&mut self, event: &Event, entries: &[LogEntry]) {
        let (index, term) = self.entry;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        let at = entries.iter().find(|entry| entry.index == index);
        let holder = self.holders.entry(event.member).or_default();
        match at {
            Some(entry) if entry.term == term => {
                *holder = Holder { since: Some(event.time), ..Holder::default() };
            }
            Some(entry) if holder.replaced.is_none() => holder.replaced = Some((event.time, entry.term)),
            None if holder.since.is_some() && first.index <= index && last.index < index => {
                holder.replaced = Some((event.time, first.term));
            }
            _ => return,
        }
        let told = at.map_or_else(|| entries.to_vec(), |entry| vec![*entry]);
        self.keep(&Event { fact: Fact::Appended(told), ..event.clone() });
    }

    fn sent(&mut self, event: &Event, to: MemberId, head: &MessageHead) {
        let (index, term) = self.entry;
        let promise = head.kind == MessageKind::AppendResponse && !head.reject && head.index >= index;
        let holder = self.holders.entry(event.member).or_default();
        if promise
            && head.term >= term
            && holder.has_it()
            && holder.durable.is_none()
            && holder.hasty.is_none()
        {
            holder.hasty = Some((event.time, to));
            self.keep(event);
        }
    }

    fn stopped(&mut self, event: &Event, stop: &Stop) {
        let holder = self.holders.entry(event.member).or_default();
        if !holder.has_it() || holder.durable.is_some() {
            return;
        }
        let how = match stop {
            Stop::PowerLoss => "lost power",
            Stop::Crash => "was killed",
            Stop::Graceful => "was stopped",
            Stop::Fatal(_) | Stop::Panic(_) | Stop::Refused(_) | Stop::Removed => "ended",
        };
        holder.ended = Some((event.time, how));
        self.keep(event);
    }

    fn recovered(&mut self, event: &Event, before: Place, entries: &[LogEntry]) {
        let (index, term) = self.entry;
        let has = before.0 >= index || entries.iter().any(|entry| (entry.index, entry.term) == (index, term));
        let holder = self.holders.entry(event.member).or_default();
        if !holder.has_it() {
            return;
        }
        holder.job = None;
        if has {
            holder.durable.get_or_insert(event.time);
            holder.ended = None;
        } else {
            let last = entries.last().map_or(before.0, |entry| entry.index);
            holder.without = Some((event.time, last));
            self.keep(event);
        }
    }

    fn story(self) -> Option<Story> {
        let losers: Vec<_> = self.holders.iter().filter(|(_, holder)| holder.without.is_some()).collect();
        let acknowledged = self.acknowledged.filter(|_| !losers.is_empty())?;
        let (index, term) = self.entry;
        let mut sentences = vec![format!(
            "{} was entry {index} of term {term}; the client had its answer at {}.",
            self.write,
            describe::time(acknowledged)
        )];
        sentences.extend(losers.iter().map(|(member, holder)| lost(**member, holder)));
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

    /// Those who did not lose it.
    fn rest(&self) -> Option<String> {
        let kept: Vec<String> = (self.holders.iter())
            .filter(|(_, holder)| holder.durable.is_some() && holder.without.is_none())
            .map(|(member, _)| member.to_string())
            .collect();
        (!kept.is_empty()).then(|| format!("On disk it was only on: member {}.", kept.join(", member ")))
    }

    fn replacement(&self) -> Option<String> {
        let replaced = self.holders.values().filter_map(|holder| holder.replaced);
        let (at, term) = replaced.filter(|(_, term)| *term > self.entry.1).min()?;
        Some(format!(
            "The leader of term {term} did not know it and put another entry at {} at {}.",
            self.entry.0,
            describe::time(at)
        ))
    }
}

/// How one member lost it.
fn lost(member: MemberId, holder: &Holder) -> String {
    let promise = match (holder.hasty, holder.committed_early) {
        (Some((at, to)), _) => {
            format!(
                "Member {member} told member {to} at {} that it had the entry, before it was on disk",
                describe::time(at)
            )
        }
        (None, Some(at)) => {
            format!("Member {member} counted its own copy at {}, before it was on disk", describe::time(at))
        }
        (None, None) if holder.durable.is_some() => format!("Member {member} had the entry on disk"),
        (None, None) => format!("Member {member} had the entry in memory only"),
    };
    let end = match holder.ended {
        Some((at, how)) => format!("; it {how} at {} with the write still under way", describe::time(at)),
        None => String::new(),
    };
    let back = match holder.without {
        Some((at, last)) => format!("; when it came back at {}, its log ended at {last}", describe::time(at)),
        None => String::new(),
    };
    format!("{promise}{end}{back}.")
}

impl Observer for Follower {
    fn event(&mut self, event: &Event) {
        let (index, _) = self.entry;
        match &event.fact {
            Fact::Appended(entries) => self.appended(event, entries),
            Fact::Saving { job, last_index, .. } if *last_index >= index => {
                let holder = self.holders.entry(event.member).or_default();
                if holder.has_it() && holder.job.is_none() {
                    holder.job = Some(*job);
                    self.keep(event);
                }
            }
            Fact::JobDone { job, synced: true, .. } => {
                let holder = self.holders.entry(event.member).or_default();
                if holder.has_it()
                    && holder.durable.is_none()
                    && holder.job.is_some_and(|needed| *job >= needed)
                {
                    holder.durable = Some(event.time);
                    self.keep(event);
                }
            }
            Fact::Committed { index: committed, .. } if *committed >= index => {
                let holder = self.holders.entry(event.member).or_default();
                let counted = holder.committed_early.is_some() || holder.hasty.is_some();
                if holder.has_it() && holder.durable.is_none() && !counted {
                    holder.committed_early = Some(event.time);
                    self.keep(event);
                }
            }
            Fact::Sent { to, head } => self.sent(event, *to, head),
            Fact::Stopped(stop) => self.stopped(event, stop),
            Fact::Recovered { before, entries, .. } => self.recovered(event, *before, entries),
            Fact::Proposed { operation, .. } if *operation == self.operation => self.keep(event),
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

    fn told(facts: impl IntoIterator<Item = (Nanos, MemberId, Fact)>) -> Option<Story> {
        let mut follower = Follower::new(4, "Client 3's `put k`".to_string(), (57, 2));
        for (millis, member, fact) in facts {
            follower.event(&Event { time: millis * 1_000_000, member, fact });
        }
        follower.story()
    }

    fn appended(term: u64) -> Fact {
        Fact::Appended(vec![LogEntry { index: 57, term, digest: 0 }])
    }

    fn saving(job: u64) -> Fact {
        Fact::Saving { job, term: 2, vote: 1, commit: 56, last_index: 57 }
    }

    fn recovered(last: u64) -> Fact {
        let entries = (50..=last).map(|index| LogEntry { index, term: 1, digest: 0 }).collect();
        let before = (49, 1);
        Fact::Recovered {
            term: 2,
            vote: 1,
            commit: 56,
            before,
            entries,
            consistent_index: 50,
            revision: 9,
            state_hash: 0,
        }
    }

    fn acknowledgement() -> Fact {
        let kind = MessageKind::AppendResponse;
        let head =
            MessageHead { kind, term: 2, index: 57, log_term: 0, commit: 0, reject: false, entries: 0 };
        Fact::Sent { to: 1, head }
    }

    #[test]
    fn a_promise_before_its_time_and_a_power_loss_are_told() {
        let story = told([
            (10, 1, Fact::Proposed { operation: 4, request: 77 }),
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
                "Client 3's `put k` was entry 57 of term 2; the client had its answer at 0.014 s.",
                "Member 2 told member 1 at 0.012 s that it had the entry, before it was on disk; it lost power at 0.015 s with the write still under way; when it came back at 0.016 s, its log ended at 56.",
                "On disk it was only on: member 1.",
                "The leader of term 3 did not know it and put another entry at 57 at 0.020 s.",
            ]
        );
        assert!(story.events.iter().any(|line| line.ends_with("m2   loses power")), "{:#?}", story.events);
    }

    #[test]
    fn nothing_is_told_where_no_member_lost_it() {
        let kept = told([
            (10, 1, appended(2)),
            (10, 1, saving(3)),
            (13, 1, Fact::JobDone { job: 3, synced: true, failed: false }),
            (15, 1, Fact::Stopped(Stop::PowerLoss)),
        ]);
        assert_eq!(kept, None);
    }
}
