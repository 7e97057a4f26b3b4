//! Records every event of a run. Each event enters the trace hash, goes to the observer, and updates the record:
//! the applied entries, the statistics and, on request, the list of all events.

use std::collections::BTreeMap;

use record::step::Sink;
use record::{Applied, Event, Fact, MemberId, Nanos, Observer, Probe, Record, Role, Step};

/// Makes the record of a run as events happen.
pub(crate) struct Recorder<'a> {
    observer: &'a mut dyn Observer,
    keep_events: bool,
    pub(crate) record: Record,
    /// The client operation behind each request id in the raft log. Nothing is ever removed from it.
    proposed: BTreeMap<u64, u64>,
    /// The requests that members proposed themselves, by request id in the raft log.
    internal: BTreeMap<u64, Box<api::Request>>,
    /// Storage for the steps of an input, reused by all.
    steps: Vec<Step>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(observer: &'a mut dyn Observer, keep_events: bool) -> Recorder<'a> {
        Recorder {
            observer,
            keep_events,
            record: Record::default(),
            proposed: BTreeMap::new(),
            internal: BTreeMap::new(),
            steps: Vec::new(),
        }
    }

    /// Passes on the steps of a member. They are no events: they enter neither the trace hash nor the record.
    pub(crate) fn steps(&mut self, time: Nanos, member: MemberId, steps: &Sink) {
        steps.fetch(&mut self.steps);
        for step in self.steps.drain(..) {
            self.observer.step(time, member, &step);
        }
    }

    /// Records an event.
    #[inline]
    pub(crate) fn note(&mut self, time: Nanos, member: MemberId, fact: Fact) {
        match &fact {
            Fact::Proposed { operation, request } => {
                self.proposed.insert(*request, *operation);
            }
            Fact::ProposedInternal { request, what } => {
                self.internal.insert(*request, what.clone());
            }
            // Every member applies every entry. The record takes each entry from the first one that does.
            Fact::Applied { index, request, revision, mutated, executed: true, .. }
                if self.record.applied.last().is_none_or(|last| last.index < *index) =>
            {
                self.record.applied.push(Applied {
                    index: *index,
                    operation: self.proposed.get(request).copied(),
                    internal: self.internal.get(request).cloned(),
                    revision: *revision,
                    mutated: *mutated,
                    time,
                });
            }
            Fact::State { role: Role::Leader, .. } => self.record.stats.elections += 1,
            Fact::Sent { .. } => self.record.stats.messages += 1,
            Fact::Dropped { why, .. } => {
                let name = match why {
                    record::fact::DropReason::Loss => "message-lost",
                    record::fact::DropReason::CutAtSend | record::fact::DropReason::CutAtArrival => {
                        "message-cut"
                    }
                    record::fact::DropReason::Corrupt => "message-corrupted",
                    record::fact::DropReason::Rule => "message-rule",
                    record::fact::DropReason::Dead => "message-to-dead",
                    record::fact::DropReason::Overflow => "message-overflow",
                };
                self.count(name);
            }
            Fact::Fault { what, begins: true, .. } => {
                self.count(what);
                // A fault has one fact for each member it strikes, but counts as one strike.
                if self.record.strikes.last() != Some(&(time, *what)) {
                    self.record.strikes.push((time, *what));
                }
            }
            Fact::Probe { probe } => self.record.stats.probes[*probe] += 1,
            Fact::Failpoint { point } => self.record.stats.probes[Probe::At(*point)] += 1,
            _ => {}
        }
        let event = Event { time, member, fact };
        event.absorb_into(&mut self.record.trace_hash);
        self.observer.event(&event);
        if self.keep_events {
            self.record.events.push(event);
        }
    }

    /// Counts a fault that took effect.
    pub(crate) fn count(&mut self, fault: &str) {
        let counts = &mut self.record.stats.faults;
        match counts.get_mut(fault) {
            Some(count) => *count += 1,
            None => _ = counts.insert(fault.to_string(), 1),
        }
    }
}
