//! I2, log matching: if two logs have an entry with the same index and term, they have the same content there, and
//! are the same in everything before (Raft paper, section 5.3 and figure 3).
//!
//! This is checked by induction, one entry at a time. The first log with an entry at (index, term) fixes its digest
//! and the term of the entry before. Every other log must have the same, and so must every later incarnation of the
//! same member in what it recovers.
//!
//! Entries of an only voter whose terms its disk did not know when it crashed count as never having existed (see I1).
//!
//! Not checked: entries below the window that is remembered; that a leader never overwrites its own log (leader
//! append-only), unless it does so within one term.

use std::collections::BTreeMap;

use record::{EtcdFact, Event, Fact, LogEntry, MemberId, Nanos};

use super::member::Member;
use super::window::Window;
use super::{Breach, Breaches};
use crate::{Oracle, describe};

/// For each index and term, the first log that had an entry there.
#[derive(Clone, Debug)]
pub(super) struct LogMatching {
    /// The first term seen at each index.
    first: Window<Sighting>,
    /// Further terms seen at an index. They are few: at most one entry of an index gets committed.
    others: BTreeMap<(u64, u64), Sighting>,
}

/// An entry in the first log that had it.
#[derive(Clone, Copy, Debug)]
struct Sighting {
    term: u64,
    digest: u64,
    /// Term of the entry before it; `None` if it is under a snapshot and unknown.
    previous: Option<u64>,
    member: MemberId,
    time: Nanos,
}

impl LogMatching {
    pub fn new() -> LogMatching {
        LogMatching { first: Window::new(), others: BTreeMap::new() }
    }

    /// Checks an entry that `member` put into its log or recovered. `previous` is the term of the entry before it.
    #[inline]
    pub fn entry(
        &mut self,
        event: &Event,
        member: &Member,
        entry: &LogEntry,
        previous: Option<u64>,
        breaches: &mut Breaches,
    ) {
        let LogEntry { index, term, digest } = *entry;
        let seen = match self.first.get_mut(index) {
            Some(seen) if seen.term == term => seen,
            found => {
                let new = Sighting { term, digest, previous, member: event.member, time: event.time };
                if found.is_none() {
                    return self.first.put(index, new);
                }
                self.others.entry((index, term)).or_insert(new)
            }
        };
        if seen.digest != digest {
            differ(event, member, entry, seen, breaches);
        } else if let (Some(there), Some(here)) = (seen.previous, previous) {
            if there != here {
                part(event, member, entry, seen, (there, here), breaches);
            }
        } else if previous.is_some() {
            // The first log did not know the term of the entry before. From now on this log counts as the first.
            *seen = Sighting { previous, member: event.member, time: event.time, ..*seen };
        }
    }

    /// Forgets the entries of terms after `term`: the only voter restarted with a log up to `last` and without these
    /// terms, and no other member has entries of them.
    pub fn forget_terms_after(&mut self, term: u64, last: u64) {
        let is_later = |index: &u64| self.first.get(*index).is_some_and(|seen| seen.term > term);
        if let Some(index) = self.first.indexes_after(last).find(is_later) {
            self.first.forget_above(index - 1);
        }
        self.others.retain(|(_, other), _| *other <= term);
    }

    /// Forgets the entries below `floor`, which no member can report any more.
    pub fn forget_below(&mut self, floor: u64) {
        self.first.forget_below(floor);
        self.others = self.others.split_off(&(self.first.base(), 0));
    }
}

/// Reports that an entry has another content than the first one with its index and term.
#[cold]
fn differ(event: &Event, member: &Member, entry: &LogEntry, seen: &Sighting, breaches: &mut Breaches) {
    let LogEntry { index, term, .. } = *entry;
    let (id, whose) = (member.id, whose(member, seen));
    breaches.add(Oracle::I2, event, || {
        let breach = Breach::new(format!("Two entries with index {index} and term {term}"));
        let breach = if matches!(event.fact, Fact::Own(EtcdFact::Recovered { .. })) {
            breach
                .say(format!(
                    "Member {id}'s start read entry {index} of term {term} from its log with another content than {whose} had there."
                ))
                .say("The entry was changed on the disk, which the checksum of its record has to show, or one leader made two entries with one index and term.")
        } else {
            breach
                .say(format!(
                    "The log of member {id} has an entry with index {index} and term {term} whose content is not that of the entry {whose} had there."
                ))
                .say("One leader made two entries with one index and term, or an entry was changed on its way or on a disk.")
        };
        let breach = match &member.damage {
            Some(Event { time, fact: Fact::Fault { what, .. }, .. }) => breach.say(format!(
                "A fault that can change what is on its disk, {what}, had struck member {id} at {}.",
                describe::time(*time)
            )),
            _ => breach,
        };
        breach.prove([seen.event(index)])
    });
}

/// Reports that the entry before has another term than in the first log.
#[cold]
fn part(
    event: &Event,
    member: &Member,
    entry: &LogEntry,
    seen: &Sighting,
    (there, here): (u64, u64),
    breaches: &mut Breaches,
) {
    let LogEntry { index, term, .. } = *entry;
    breaches.add(Oracle::I2, event, || {
        Breach::new(format!("Two logs agree at index {index} and differ before it"))
            .say(format!(
                "The log of member {} and {} have the same entry with index {index} and term {term}.",
                member.id,
                whose_log(member, seen),
            ))
            .say(format!(
                "Before it, at index {}, member {} has an entry of term {here}, and member {} had one of term {there}.",
                index - 1,
                member.id,
                seen.member,
            ))
            .prove([seen.event(index)])
    });
}

/// The member that had the entry first, as part of a sentence.
fn whose(member: &Member, seen: &Sighting) -> String {
    if member.id == seen.member { "it".to_string() } else { format!("member {}", seen.member) }
}

/// How a sentence about `member` names the log in which an entry was seen.
fn whose_log(member: &Member, seen: &Sighting) -> String {
    if member.id == seen.member {
        "the log it had before".to_string()
    } else {
        format!("the log of member {}", seen.member)
    }
}

impl Sighting {
    /// The event with which the entry entered the first log that had it, as an append of this entry alone.
    fn event(&self, index: u64) -> Event {
        let entry = LogEntry { index, term: self.term, digest: self.digest };
        Event { time: self.time, member: self.member, fact: Fact::Own(EtcdFact::Appended(vec![entry])) }
    }
}

#[cfg(test)]
mod tests {
    use record::{EtcdFact, Probe, Stop};

    use super::super::script::{Script, entry};
    use super::*;

    #[test]
    fn one_index_and_term_with_two_contents() {
        let mut run = Script::new(3);
        run.append(1, &[(1, 1), (2, 1)]);
        run.append(2, &[(1, 1)]);
        run.finds_nothing();
        run.report(2, Fact::Own(EtcdFact::Appended(vec![LogEntry { digest: 7, ..entry(2, 1) }])));
        let violation = run.broke(
            Oracle::I2,
            "The log of member 2 has an entry with index 2 and term 1 whose content is not that of the entry member 1 had there. \
             One leader made two entries with one index and term, or an entry was changed on its way or on a disk.",
        );
        assert!(
            violation.events[0].ends_with(&describe::fact(&Fact::Own(EtcdFact::Appended(vec![entry(2, 1)]))))
        );
    }

    #[test]
    fn logs_that_meet_after_they_parted() {
        let mut run = Script::new(3);
        run.append(1, &[(1, 1), (2, 1), (3, 3)]);
        run.append(2, &[(1, 1), (2, 2)]);
        run.finds_nothing();
        run.append(2, &[(3, 3)]);
        run.broke(
            Oracle::I2,
            "The log of member 2 and the log of member 1 have the same entry with index 3 and term 3. \
             Before it, at index 2, member 2 has an entry of term 2, and member 1 had one of term 1.",
        );
    }

    #[test]
    fn a_log_that_begins_under_a_snapshot_says_less_than_one_that_goes_on() {
        let mut run = Script::new(3);
        run.append(1, &[(5, 3)]);
        run.append(2, &[(1, 1), (2, 1), (3, 1), (4, 2), (5, 3)]);
        run.append(3, &[(1, 1), (2, 1), (3, 1), (4, 1)]);
        run.finds_nothing();
        run.append(3, &[(5, 3)]);
        run.broke(
            Oracle::I2,
            "The log of member 3 and the log of member 2 have the same entry with index 5 and term 3. \
             Before it, at index 4, member 3 has an entry of term 1, and member 2 had one of term 2.",
        );
    }

    #[test]
    fn a_log_that_comes_back_changed() {
        let mut run = Script::new(3);
        run.append(1, &[(1, 1)]);
        run.stop(1, Stop::Crash);
        run.report(1, Fact::Started { incarnation: 2 });
        let found = Fact::Own(EtcdFact::Recovered {
            term: 1,
            vote: MemberId::NONE,
            commit: 0,
            before: (0, 0),
            entries: vec![LogEntry { digest: 7, ..entry(1, 1) }],
            consistent_index: 0,
            revision: 1,
            state_hash: 0,
        });
        run.report(1, found);
        run.broke(
            Oracle::I2,
            "Member 1's start read entry 1 of term 1 from its log with another content than it had there. \
             The entry was changed on the disk, which the checksum of its record has to show, or one leader made two entries with one index and term.",
        );
    }

    #[test]
    fn what_one_member_can_still_tell_of_is_not_forgotten() {
        let mut run = Script::new(3);
        for member in 1..=2 {
            run.append(member, &[(1, 1), (2, 1), (3, 1)]);
            run.report(member, Fact::Own(EtcdFact::LogCompacted { index: 3, term: 1 }));
        }
        run.append(3, &[(1, 1)]);
        run.report(3, Fact::Own(EtcdFact::Appended(vec![LogEntry { digest: 7, ..entry(2, 1) }])));
        assert_eq!(run.sheet.violations().len(), 1);

        let mut run = Script::new(1);
        run.append(1, &[(1, 1), (2, 1), (3, 1)]);
        run.report(1, Fact::Own(EtcdFact::LogCompacted { index: 2, term: 1 }));
        assert_eq!(run.invariants.logs.first.base(), 2);
    }

    #[test]
    fn logs_may_differ_until_a_leader_makes_them_equal() {
        let mut run = Script::new(3);
        run.append(1, &[(1, 1), (2, 1), (3, 1)]);
        run.append(2, &[(1, 1), (2, 2)]);
        run.append(1, &[(2, 2), (3, 4)]);
        run.append(2, &[(3, 4)]);
        run.install(3, 3, 4);
        run.append(3, &[(4, 4)]);
        run.append(1, &[(4, 4)]);
        run.finds_nothing();
        assert_eq!(run.invariants.probes()[Probe::LogsCut], 1);
    }
}
