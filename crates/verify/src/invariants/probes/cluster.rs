//! Counts the probes about who leads, who is the lessor, who receives a snapshot, and the configuration.

use std::collections::BTreeSet;

use record::probe::Counts;
use record::{MemberId, MessageHead, MessageKind, Probe};

use super::super::configuration::Configuration;
use super::super::window::Window;

/// What must be remembered to count these probes.
#[derive(Clone, Debug)]
pub struct ClusterProbes {
    /// The members that believe that they lead.
    leaders: BTreeSet<MemberId>,
    /// The members that believe that they are the lessor.
    lessors: BTreeSet<MemberId>,
    /// The members whose processes are paused.
    paused: BTreeSet<MemberId>,
    /// Members that received a snapshot which is not installed yet.
    receiving: BTreeSet<MemberId>,
    /// For each entry, how many leaders had been elected when one of them made it.
    made_during: Window<u64>,
    /// The member that was the lessor last.
    last_lessor: MemberId,
}

impl ClusterProbes {
    pub fn new() -> ClusterProbes {
        ClusterProbes {
            leaders: BTreeSet::new(),
            lessors: BTreeSet::new(),
            paused: BTreeSet::new(),
            receiving: BTreeSet::new(),
            made_during: Window::new(),
            last_lessor: MemberId::NONE,
        }
    }

    /// Notes whether a member leads now.
    pub fn leads(&mut self, member: MemberId, leads: bool) {
        if leads {
            self.leaders.insert(member);
        } else {
            self.leaders.remove(&member);
        }
    }

    /// A member began to lead in this configuration.
    pub fn elected(&self, configuration: Option<&Configuration>, probes: &mut Counts) {
        probes[Probe::LeadersElectedInJoint] += u64::from(configuration.is_some_and(Configuration::is_joint));
    }

    /// A member put an entry into its log; if it leads, it made the entry. `elections` is how many leaders had been
    /// elected by then.
    #[inline]
    pub fn made(&mut self, member: MemberId, index: u64, elections: u64) {
        if self.leaders.contains(&member) {
            self.made_during.put(index, elections);
        }
    }

    /// Forgets the entries below `index`, which some member has applied.
    pub fn forget_below(&mut self, index: u64) {
        self.made_during.forget_below(index);
    }

    /// A member uses this configuration; `before` is the newest known one, `new` is whether this one is newer.
    pub fn configured(
        &self,
        member: MemberId,
        now: &Configuration,
        before: Option<&Configuration>,
        new: bool,
        probes: &mut Counts,
    ) {
        let Some(before) = before.filter(|_| new) else { return };
        probes[Probe::ConfigurationsChanged] += 1;
        probes[Probe::JointConfigurations] += u64::from(now.is_joint());
        let promoted = |id: &&MemberId| before.learners.contains(id);
        probes[Probe::LearnersPromoted] += now.voters.iter().filter(promoted).count() as u64;
        let removed = |id: &&MemberId| !now.has_voter(**id) && !now.learners.contains(id);
        probes[Probe::VotersRemoved] += before.voters.iter().filter(removed).count() as u64;
        let pending =
            self.made_during.get(now.index).is_some_and(|then| *then < probes[Probe::LeadersElected]);
        probes[Probe::LeadersElectedWhileChangePending] += u64::from(pending);
        let itself = self.leaders.contains(&member) && !now.has_voter(member);
        probes[Probe::LeadersRemovedByThemselves] += u64::from(itself);
    }

    /// A member became the lessor, or ceased to be.
    pub fn lessor(&mut self, member: MemberId, primary: bool, probes: &mut Counts) {
        if !primary {
            self.lessors.remove(&member);
            return;
        }
        probes[Probe::TwoLessorsAtOnce] += u64::from(self.lessors.iter().any(|other| *other != member));
        probes[Probe::LessorsChanged] += u64::from(!self.last_lessor.is_none() && self.last_lessor != member);
        self.last_lessor = member;
        self.lessors.insert(member);
    }

    /// A process is paused.
    pub fn paused(&mut self, member: MemberId, probes: &mut Counts) {
        self.paused.insert(member);
        probes[Probe::LeadersPaused] += u64::from(self.leaders.contains(&member));
        probes[Probe::LessorsPaused] += u64::from(self.lessors.contains(&member));
    }

    /// A paused process runs again.
    pub fn resumed(&mut self, member: MemberId) {
        self.paused.remove(&member);
    }

    /// A process started; `begun` is whether the cluster had a leader before.
    pub fn started(&mut self, member: MemberId, incarnation: u32, begun: bool, probes: &mut Counts) {
        self.stopped(member);
        let joins = incarnation == 1 && begun;
        probes[Probe::MembersJoined] += u64::from(joins);
        probes[Probe::MembersJoinedWithoutLeader] += u64::from(joins && self.leaders.is_empty());
    }

    /// A process ended. Returns whether it had received a snapshot that it had not installed.
    pub fn stopped(&mut self, member: MemberId) -> bool {
        for of in [&mut self.leaders, &mut self.lessors, &mut self.paused] {
            of.remove(&member);
        }
        self.receiving.remove(&member)
    }

    /// A member proposes the end of a lease or a compaction itself.
    pub fn asked(&self, member: MemberId, what: &api::Request, probes: &mut Counts) {
        match what {
            api::Request::LeaseRevoke(_) => {
                probes[Probe::LeasesDue] += 1;
                let other = |lessor: &MemberId| *lessor != member && self.paused.contains(lessor);
                probes[Probe::LeasesDueWhileAnOldLessorIsPaused] += u64::from(self.lessors.iter().any(other));
            }
            api::Request::Compact(_) => probes[Probe::CompactionsOfTheirOwn] += 1,
            _ => probes[Probe::StepsForLocksAndElections] += 1,
        }
    }

    /// A message arrived.
    #[inline]
    pub fn delivered(&mut self, member: MemberId, head: &MessageHead, probes: &mut Counts) {
        if head.kind == MessageKind::Snapshot && !member.is_none() {
            self.receiving.insert(member);
            probes[Probe::TwoMembersReceivingSnapshots] += u64::from(self.receiving.len() == 2);
        }
    }

    /// A member sent an acknowledgement or a vote: it has handled the messages it received before.
    #[inline]
    pub fn acknowledged(&mut self, member: MemberId) {
        if !self.receiving.is_empty() {
            self.receiving.remove(&member);
        }
    }

    /// A member installed a snapshot; `newest` is the newest configuration.
    pub fn installed(&mut self, member: MemberId, newest: Option<&Configuration>, probes: &mut Counts) {
        self.receiving.remove(&member);
        let learns = |newest: &Configuration| newest.learners.contains(&member);
        probes[Probe::SnapshotsInstalledByLearners] += u64::from(newest.is_some_and(learns));
        probes[Probe::SnapshotsInstalledInJoint] += u64::from(newest.is_some_and(Configuration::is_joint));
    }
}

#[cfg(test)]
mod tests {
    use api::etcdserverpb::LeaseRevokeRequest;
    use record::{EtcdFact, Fact, MemberId, MessageHead, MessageKind, Probe, Role, Stop};

    use super::super::super::script::Script;

    fn run() -> Script {
        let mut run = Script::new(4);
        (1..=3).for_each(|member| run.configure(member, 0, &[1, 2, 3], &[], &[]));
        run.leads(1, 1);
        run
    }

    #[test]
    fn a_leader_changes_in_the_middle_of_a_change() {
        let mut run = run();
        for member in 1..=3 {
            run.write(member, &[(1, 1), (2, 1)]);
        }
        run.leads(2, 2);
        run.configure(2, 2, &[1, 2, 4], &[1, 2, 3], &[]);
        run.leads(1, 3);
        let probes = run.invariants.probes();
        assert_eq!(
            (probes[Probe::LeadersElectedWhileChangePending], probes[Probe::LeadersElectedInJoint]),
            (1, 0)
        );
        run.configure(3, 2, &[1, 2, 4], &[1, 2, 3], &[]);
        run.leads(3, 4);
        assert_eq!(run.invariants.probes()[Probe::LeadersElectedInJoint], 1);
        run.finds_nothing();
    }

    #[test]
    fn a_leader_removes_itself() {
        let mut run = run();
        run.configure(2, 3, &[2, 3], &[], &[]);
        assert_eq!(run.invariants.probes()[Probe::LeadersRemovedByThemselves], 0);
        run.leads(2, 2);
        run.configure(2, 4, &[3], &[], &[]);
        let probes = run.invariants.probes();
        assert_eq!((probes[Probe::LeadersRemovedByThemselves], probes[Probe::VotersRemoved]), (1, 2));
    }

    #[test]
    fn a_lease_is_due_while_its_old_lessor_is_paused() {
        let mut run = run();
        run.report(1, Fact::Own(EtcdFact::Lessor { primary: true }));
        run.report(1, Fact::Paused);
        run.report(2, Fact::Own(EtcdFact::Lessor { primary: true }));
        let what: api::Request = LeaseRevokeRequest { id: 7 }.into();
        run.report(2, Fact::Own(EtcdFact::ProposedInternal { request: 1, what: Box::new(what.clone()) }));
        run.report(1, Fact::Resumed);
        run.report(2, Fact::Own(EtcdFact::ProposedInternal { request: 2, what: Box::new(what) }));
        let probes = run.invariants.probes();
        assert_eq!((probes[Probe::LeasesDue], probes[Probe::LeasesDueWhileAnOldLessorIsPaused]), (2, 1));
        assert_eq!(
            (probes[Probe::LessorsPaused], probes[Probe::LeadersPaused], probes[Probe::TwoLessorsAtOnce]),
            (1, 1, 1)
        );
    }

    #[test]
    fn snapshots_for_two_at_once_and_for_a_learner() {
        let mut run = run();
        run.configure(1, 1, &[1, 2, 3], &[], &[4]);
        let kind = MessageKind::Snapshot;
        let head = MessageHead { kind, term: 1, index: 5, log_term: 1, commit: 0, reject: false, entries: 0 };
        run.report(3, Fact::Delivered { from: MemberId::new(1), packet: 1, head });
        run.report(4, Fact::Delivered { from: MemberId::new(1), packet: 1, head });
        run.install(4, 5, 1);
        run.install(3, 5, 1);
        let probes = run.invariants.probes();
        assert_eq!(
            (probes[Probe::TwoMembersReceivingSnapshots], probes[Probe::SnapshotsInstalledByLearners]),
            (1, 1)
        );
    }

    #[test]
    fn a_member_joins_while_nobody_leads() {
        let mut run = Script::without_members(3);
        (1..=2).for_each(|member| run.start(member, 0));
        run.leads(1, 1);
        (1..=2).for_each(|member| run.write(member, &[(1, 1)]));
        run.configure(1, 0, &[1, 2], &[], &[]);
        run.commit(1, 1, 1);
        run.stop(1, Stop::Crash);
        run.start(3, 0);
        run.state(2, 2, 2, Role::Candidate);
        let probes = run.invariants.probes();
        assert_eq!((probes[Probe::MembersJoined], probes[Probe::MembersJoinedWithoutLeader]), (1, 1));
        run.finds_nothing();
    }
}
