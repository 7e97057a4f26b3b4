//! Records every event of a run. Each event enters the trace hash, goes to the observer, and updates the record:
//! the applied entries, the statistics and, on request, the list of all events.

use std::collections::BTreeMap;

use record::{
    Applied, Etcd, EtcdFact, Event, Fact, MemberId, Nanos, Observer, Probe, Record, Role, TraceHasher,
};

/// Makes the record of a run as events happen.
pub(crate) struct Recorder<'a> {
    observer: &'a mut dyn Observer<Etcd>,
    keep_events: bool,
    hasher: TraceHasher,
    pub(crate) record: Record,
    /// The client operation behind each request id in the raft log. Nothing is ever removed from it.
    proposed: BTreeMap<u64, u64>,
    /// The requests that members proposed themselves, by request id in the raft log.
    internal: BTreeMap<u64, Box<api::Request>>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(observer: &'a mut dyn Observer<Etcd>, keep_events: bool) -> Recorder<'a> {
        Recorder {
            observer,
            keep_events,
            hasher: TraceHasher::default(),
            record: Record::default(),
            proposed: BTreeMap::new(),
            internal: BTreeMap::new(),
        }
    }

    /// Records an event.
    #[inline]
    pub(crate) fn note(&mut self, time: Nanos, member: MemberId, fact: Fact) {
        match &fact {
            Fact::Own(EtcdFact::Proposed { operation, request }) => {
                self.proposed.insert(*request, *operation);
            }
            Fact::Own(EtcdFact::ProposedInternal { request, what }) => {
                self.internal.insert(*request, what.clone());
            }
            // Every member applies every entry. The record takes each entry from the first one that does.
            Fact::Own(EtcdFact::Applied { index, request, revision, mutated, executed: true, .. })
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
            Fact::Own(EtcdFact::State { role: Role::Leader, .. }) => self.record.stats.elections += 1,
            Fact::Sent { .. } => self.record.stats.messages += 1,
            Fact::Dropped { why, .. } => {
                let name = match why {
                    record::DropReason::Loss => "message-lost",
                    record::DropReason::CutAtSend | record::DropReason::CutAtArrival => "message-cut",
                    record::DropReason::Corrupt => "message-corrupted",
                    record::DropReason::Rule => "message-rule",
                    record::DropReason::Dead => "message-to-dead",
                    record::DropReason::Overflow => "message-overflow",
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
            Fact::Own(EtcdFact::Probe { probe }) => self.record.stats.probes[*probe] += 1,
            Fact::Own(EtcdFact::Failpoint { point }) => self.record.stats.probes[Probe::At(*point)] += 1,
            _ => {}
        }
        let event = Event { time, member, fact };
        event.absorb_into(&mut self.hasher);
        self.observer.event(&event);
        if self.keep_events {
            self.record.events.push(event);
        }
    }

    /// The record of the whole run.
    pub(crate) fn into_record(self) -> Record {
        Record { trace_hash: self.hasher.hash(), ..self.record }
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
