//! Small numbers for the members of a cluster. In a real one, ids have 64 bits; the monitors have tables with a row for
//! each member. The numbers keep the order of the ids, so sorted lists stay sorted.

use std::collections::BTreeSet;

use record::step::{Call, Configuration, Message, Read, Step};
use record::{EtcdFact, MemberId};

/// The ids of all members, in order.
#[derive(Debug)]
pub(super) struct Numbers(Vec<MemberId>);

impl Numbers {
    pub(super) fn new(ids: BTreeSet<MemberId>) -> Numbers {
        Numbers(ids.into_iter().filter(|id| !id.is_none()).collect())
    }

    /// How many members there are.
    pub(super) fn len(&self) -> u32 {
        self.0.len() as u32
    }

    /// The number of a member. A stranger gets a number that no table has.
    pub(super) fn of(&self, id: MemberId) -> MemberId {
        match self.0.binary_search(&id) {
            Ok(at) => MemberId::new(at as u32 + 1),
            Err(_) if id.is_none() => MemberId::NONE,
            Err(_) => MemberId::new(self.len() + 1),
        }
    }

    fn put(&self, id: &mut MemberId) {
        *id = self.of(*id);
    }

    fn put_all(&self, ids: &mut [MemberId]) {
        ids.iter_mut().for_each(|id| self.put(id));
    }

    /// Replaces the ids in a fact with numbers.
    pub(super) fn fact(&self, fact: &mut EtcdFact) {
        match fact {
            EtcdFact::Recovered { vote, .. } | EtcdFact::Saving { vote, .. } => self.put(vote),
            EtcdFact::State { vote, leader, .. } => {
                self.put(vote);
                self.put(leader);
            }
            EtcdFact::Configuration { voters, outgoing, learners, .. } => {
                [voters, outgoing, learners].into_iter().for_each(|ids| self.put_all(ids));
            }
            EtcdFact::Appended(_)
            | EtcdFact::LogCompacted { .. }
            | EtcdFact::SnapshotInstalled { .. }
            | EtcdFact::Committed { .. }
            | EtcdFact::Applied { .. }
            | EtcdFact::BackendDurable { .. }
            | EtcdFact::ReadIndexAsked { .. }
            | EtcdFact::ReadIndexConfirmed { .. }
            | EtcdFact::Proposed { .. }
            | EtcdFact::ProposedInternal { .. }
            | EtcdFact::Lessor { .. }
            | EtcdFact::Failpoint { .. }
            | EtcdFact::Probe { .. }
            | EtcdFact::WatchOpened { .. }
            | EtcdFact::WatchReceived { .. }
            | EtcdFact::WatchEnded { .. } => {}
        }
    }

    fn configuration(&self, configuration: &mut Configuration) {
        let Configuration { voters, outgoing, learners, learners_next, auto_leave: _ } = configuration;
        [voters, outgoing, learners, learners_next].into_iter().for_each(|ids| self.put_all(ids));
    }

    fn message(&self, message: &mut Message) {
        self.put(&mut message.from);
        self.put(&mut message.to);
        if let Some(snapshot) = &mut message.snapshot {
            self.configuration(&mut snapshot.configuration);
        }
    }

    /// Replaces the ids in a step with numbers.
    pub(super) fn step(&self, step: &mut Step) {
        match &mut step.call {
            Call::Start(start) => self.configuration(&mut start.configuration),
            Call::Receive(message) => self.message(message),
            Call::ApplyChange(change) => change.changes.iter_mut().for_each(|(_, id)| self.put(id)),
            Call::TransferLeader { to } | Call::ReportSnapshot { to, .. } => self.put(to),
            Call::Ready(ready) => {
                if let Some((_, vote, _)) = &mut ready.hard_state {
                    self.put(vote);
                }
            }
            Call::Tick
            | Call::Campaign
            | Call::Propose { .. }
            | Call::ReadIndex { .. }
            | Call::Applied { .. }
            | Call::StepDown
            | Call::Persisted { .. }
            | Call::Release { .. } => {}
        }
        let after = &mut step.after;
        [&mut after.vote, &mut after.leader, &mut after.transferee].into_iter().for_each(|id| self.put(id));
        let changed = &mut step.changed;
        changed.progress.iter_mut().for_each(|(id, _)| self.put(id));
        changed.votes.iter_mut().flatten().for_each(|(id, _)| self.put(id));
        for Read { from, acks, .. } in changed.reads.iter_mut().flatten() {
            self.put(from);
            self.put_all(acks);
        }
        if let Some(configuration) = &mut changed.configuration {
            self.configuration(configuration);
        }
        step.out.iter_mut().for_each(|message| self.message(message));
    }
}
