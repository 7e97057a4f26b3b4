//! Gathers the part of a run's record that concerns etcd, from the events: the applied entries, and how often each
//! probe was reached. It sits between the world and the observer of the run.

use std::collections::{BTreeMap, BTreeSet};

use api::Request;
use record::probe::Counts;
use record::{
    Applied, Etcd, EtcdFact, Event, Fact, Inner, MemberId, Nanos, Observer, Operation, Outcome, Probe,
    Record, Served, Step,
};

/// An observer that gathers, and passes all events on.
pub struct Gather<'a> {
    observer: &'a mut dyn Observer<Etcd>,
    applied: Vec<Applied>,
    /// The hash of the state after the last of them.
    state_hash: u64,
    /// The indexes of entries that did not change the state.
    idle: BTreeSet<u64>,
    probes: Counts,
    /// The client operation behind each request id in the raft log. Nothing is ever removed from it.
    proposed: BTreeMap<u64, u64>,
    /// The requests that members proposed themselves, by request id in the raft log.
    internal: BTreeMap<u64, Box<Request>>,
}

impl<'a> Gather<'a> {
    /// Passes all events on to this observer.
    pub fn new(observer: &'a mut dyn Observer<Etcd>) -> Gather<'a> {
        Gather {
            observer,
            applied: Vec::new(),
            state_hash: 0,
            idle: BTreeSet::new(),
            probes: Counts::default(),
            proposed: BTreeMap::new(),
            internal: BTreeMap::new(),
        }
    }

    /// The run is over: puts into its record what was gathered.
    pub fn put_into(mut self, record: &mut Record) {
        for entry in self.applied.iter_mut().filter(|entry| self.idle.contains(&entry.index)) {
            let operation = entry.operation.and_then(|number| record.history.operations.get(number as usize));
            if operation.is_some_and(may_have_been_refused) {
                entry.operation = None;
            }
        }
        record.applied = self.applied;
        record.stats.probes.add(&self.probes);
    }
}

/// Whether the operation's outcome is unknown and its entry may have been refused when it was applied: because of its
/// token, or because the request came from nobody. Writes of keys show by their revision whether they were carried out.
/// Logins are refused before they have an entry, and the effect of a login is not part of the hashed state.
fn may_have_been_refused(operation: &Operation) -> bool {
    matches!(operation.outcome, Outcome::Unknown { .. })
        && !matches!(
            operation.request,
            Request::Put(_)
                | Request::DeleteRange(_)
                | Request::Txn(_)
                | Request::Compact(_)
                | Request::Authenticate(_)
        )
}

impl Observer<Etcd> for Gather<'_> {
    fn event(&mut self, event: &Event) {
        match &event.fact {
            Fact::Own(EtcdFact::Proposed { operation, request }) => {
                self.proposed.insert(*request, *operation);
            }
            Fact::Own(EtcdFact::ProposedInternal { request, what }) => {
                self.internal.insert(*request, what.clone());
            }
            // Every member applies every entry. The record takes each entry from the first one that does.
            Fact::Own(EtcdFact::Applied {
                index,
                request,
                revision,
                state_hash,
                mutated,
                executed: true,
                ..
            }) if self.applied.last().is_none_or(|last| last.index < *index) => {
                let follows = self.applied.last().is_some_and(|last| last.index + 1 == *index);
                if follows && self.state_hash == *state_hash {
                    self.idle.insert(*index);
                }
                self.state_hash = *state_hash;
                self.applied.push(Applied {
                    index: *index,
                    operation: self.proposed.get(request).copied(),
                    internal: self.internal.get(request).cloned(),
                    revision: *revision,
                    mutated: *mutated,
                    time: event.time,
                });
            }
            Fact::Own(EtcdFact::Probe { probe }) => self.probes[*probe] += 1,
            Fact::Own(EtcdFact::Failpoint { point }) => self.probes[Probe::At(*point)] += 1,
            _ => {}
        }
        self.observer.event(event);
    }

    fn wants_steps(&self) -> bool {
        self.observer.wants_steps()
    }

    fn step(&mut self, time: Nanos, member: MemberId, step: &Step) {
        self.observer.step(time, member, step);
    }

    fn wants_inner(&self) -> bool {
        self.observer.wants_inner()
    }

    fn inner(&mut self, time: Nanos, member: MemberId, inner: &Inner) {
        self.observer.inner(time, member, inner);
    }

    fn served(&mut self, time: Nanos, member: MemberId, served: Served) {
        self.observer.served(time, member, served);
    }
}
