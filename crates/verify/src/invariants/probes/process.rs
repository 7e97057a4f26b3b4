//! Counts the probes about the roles of members, their disks and the ends of their processes.

use std::collections::BTreeMap;

use record::probe::Counts;
use record::{EtcdFact, Event, Fact, MemberId, MessageHead, MessageKind, Probe, Role, Stop};

/// What must be remembered to count these probes.
#[derive(Clone, Debug, Default)]
pub struct ProcessProbes {
    processes: BTreeMap<MemberId, Process>,
    configuration: Newest,
}

/// The newest configuration.
#[derive(Clone, Debug, Default)]
struct Newest {
    /// The index of the entry that made it.
    index: u64,
    voters: Vec<MemberId>,
    /// The old voters, during a joint change.
    outgoing: Vec<MemberId>,
}

/// One member's process.
#[derive(Clone, Debug)]
struct Process {
    /// Whether it has started and not ended.
    runs: bool,
    /// Whether the process did anything since it recovered.
    acted: bool,
    role: Role,
    term: u64,
    /// Whether the process committed something since it began to lead.
    committed: bool,
    /// The number of the last disk job that was handed over.
    saving: u64,
    /// The number of the last disk job that is durable.
    saved: u64,
}

impl Process {
    fn new() -> Process {
        let (runs, acted, committed) = (false, false, false);
        Process { runs, acted, role: Role::Follower, term: 0, committed, saving: 0, saved: 0 }
    }

    /// Whether it is a leader that runs.
    fn leads(&self) -> bool {
        self.runs && self.role == Role::Leader
    }

    /// The process ceases to lead.
    fn deposed(&self, probes: &mut Counts) {
        probes[Probe::LeadersWithoutACommit] += u64::from(!self.committed);
    }
}

impl ProcessProbes {
    /// The process of a member; `None` if the event is of no member.
    fn process(&mut self, member: MemberId) -> Option<&mut Process> {
        (!member.is_none()).then(|| self.processes.entry(member).or_insert_with(Process::new))
    }

    /// One more event.
    #[inline]
    pub fn event(&mut self, event: &Event, probes: &mut Counts) {
        match &event.fact {
            Fact::Sent { head, .. } => sent(event.member, head, probes),
            Fact::Dropped { kind: MessageKind::Snapshot, .. } => probes[Probe::SnapshotsLost] += 1,
            Fact::Own(EtcdFact::Saving { job, .. }) => {
                if let Some(process) = self.process(event.member) {
                    (process.saving, process.acted) = (*job, true);
                }
            }
            Fact::JobDone { job, synced, failed } => {
                probes[Probe::DiskJobsFailed] += u64::from(*failed);
                if let Some(process) = self.process(event.member).filter(|_| *synced) {
                    process.saved = *job;
                }
            }
            Fact::Own(EtcdFact::Committed { .. }) => {
                if let Some(process) = self.process(event.member) {
                    (process.committed, process.acted) = (true, true);
                }
            }
            Fact::Own(EtcdFact::State { term, role, .. }) => self.state(event.member, *term, *role, probes),
            Fact::Started { .. } => {
                if let Some(process) = self.process(event.member) {
                    *process = Process { runs: true, ..Process::new() };
                }
            }
            Fact::Stopped(stop) => self.stopped(event.member, stop, probes),
            Fact::Own(EtcdFact::Configuration { index, voters, outgoing, .. })
                if *index >= self.configuration.index =>
            {
                let (voters, outgoing) = (voters.clone(), outgoing.clone());
                self.configuration = Newest { index: *index, voters, outgoing };
            }
            Fact::Own(EtcdFact::Failpoint { .. }) => {
                probes[Probe::FailpointsStruckInJoint] += u64::from(!self.configuration.outgoing.is_empty());
                let leads = self.process(event.member).is_some_and(|process| process.leads());
                probes[Probe::FailpointsStruckOnLeaders] += u64::from(leads);
            }
            _ => {}
        }
    }

    /// A member reports its term and role.
    fn state(&mut self, member: MemberId, term: u64, role: Role, probes: &mut Counts) {
        let two = self.processes.iter().any(|(other, process)| *other != member && process.leads());
        let Some(process) = self.process(member) else { return };
        process.acted = true;
        let (before, term_before) = (process.role, process.term);
        let begins = role == Role::Leader && (before, term_before) != (Role::Leader, term);
        if before == Role::Leader && (role != Role::Leader || begins) {
            process.deposed(probes);
            probes[Probe::LeadersSteppedDown] += u64::from(term == term_before);
        }
        (process.role, process.term) = (role, term);
        if begins {
            process.committed = false;
            probes[Probe::TwoLeadersAtOnce] += u64::from(two);
        }
        let again = match role {
            Role::PreCandidate => true,
            Role::Candidate => term > term_before,
            _ => false,
        };
        probes[Probe::ElectionsWithoutAWinner] += u64::from(before == Role::Candidate && again);
        let gave_up = before == Role::PreCandidate && role == Role::Follower;
        probes[Probe::PreVotesGivenUp] += u64::from(gave_up);
    }

    /// A process ended.
    fn stopped(&mut self, member: MemberId, stop: &Stop, probes: &mut Counts) {
        let Some(process) = self.process(member) else { return };
        let killed = matches!(stop, Stop::Crash | Stop::PowerLoss);
        let power = *stop == Stop::PowerLoss;
        if process.leads() {
            process.deposed(probes);
            probes[Probe::LeadersWithoutPower] += u64::from(power);
        }
        let saving = process.saving > process.saved;
        probes[Probe::KilledWhileSaving] += u64::from(killed && saving);
        probes[Probe::PowerLostWhileSaving] += u64::from(power && saving);
        probes[Probe::KilledBeforeTheirFirstStep] += u64::from(killed && process.runs && !process.acted);
        probes[Probe::RefusedToStart] += u64::from(matches!(stop, Stop::Refused(_)));
        probes[Probe::EndedByTheirDisk] += u64::from(matches!(stop, Stop::Fatal(_)));
        let ran = std::mem::take(&mut process.runs);
        if !ran {
            return;
        }
        probes[Probe::AllMembersDown] += u64::from(self.processes.values().all(|process| !process.runs));
        let runs = |id: &&MemberId| self.processes.get(id).is_some_and(|process| process.runs);
        let short = |half: &&Vec<MemberId>| half.iter().filter(runs).count() < half.len() / 2 + 1;
        let halves = [&self.configuration.voters, &self.configuration.outgoing];
        let short = halves.iter().any(|half| !half.is_empty() && short(half));
        probes[Probe::QuorumsDown] += u64::from(short);
    }
}

/// A message left.
#[inline]
fn sent(member: MemberId, head: &MessageHead, probes: &mut Counts) {
    if member.is_none() {
        return;
    }
    match head.kind {
        MessageKind::Propose => probes[Probe::ProposalsForwarded] += 1,
        MessageKind::ReadIndex => probes[Probe::ReadsForwarded] += 1,
        MessageKind::Snapshot => probes[Probe::SnapshotsSent] += 1,
        MessageKind::TimeoutNow => probes[Probe::LeadershipsHandedOver] += 1,
        MessageKind::PeerCall => probes[Probe::PeersCalled] += 1,
        MessageKind::AppendResponse => probes[Probe::AppendsRefused] += u64::from(head.reject),
        MessageKind::RequestVoteResponse => probes[Probe::VotesRefused] += u64::from(head.reject),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use record::{EtcdFact, Fact, Failpoint, Probe, Role, Stop};

    use super::super::super::script::Script;

    #[test]
    fn leaders_come_and_go() {
        let mut run = Script::new(3);
        run.state(2, 1, 2, Role::Candidate);
        run.state(2, 1, 2, Role::PreCandidate);
        run.state(2, 1, 0, Role::Follower);
        run.leads(1, 2);
        run.leads(2, 3);
        run.state(1, 2, 1, Role::Follower);
        let probes = run.invariants.probes();
        assert_eq!((probes[Probe::ElectionsWithoutAWinner], probes[Probe::PreVotesGivenUp]), (1, 1));
        assert_eq!((probes[Probe::TwoLeadersAtOnce], probes[Probe::LeadersSteppedDown]), (1, 1));
        assert_eq!((probes[Probe::LeadersWithoutACommit], probes[Probe::LeadersWithoutPower]), (1, 0));
        run.stop(2, Stop::PowerLoss);
        let probes = run.invariants.probes();
        assert_eq!((probes[Probe::LeadersWithoutACommit], probes[Probe::LeadersWithoutPower]), (2, 1));
    }

    #[test]
    fn processes_end_at_bad_times() {
        let mut run = Script::new(3);
        (1..=3).for_each(|member| run.configure(member, 0, &[1, 2, 3], &[], &[]));
        run.append(1, &[(1, 1)]);
        let job = run.save(1);
        run.stop(1, Stop::Crash);
        run.append(2, &[(1, 1)]);
        run.save(2);
        run.report(2, Fact::JobDone { job, synced: false, failed: true });
        run.stop(2, Stop::PowerLoss);
        let probes = run.invariants.probes();
        assert_eq!((probes[Probe::KilledWhileSaving], probes[Probe::PowerLostWhileSaving]), (2, 1));
        assert_eq!(
            (probes[Probe::DiskJobsFailed], probes[Probe::QuorumsDown], probes[Probe::AllMembersDown]),
            (1, 1, 0)
        );
        run.report(1, Fact::Started { incarnation: 2 });
        run.stop(1, Stop::Crash);
        run.stop(3, Stop::Fatal("the disk".into()));
        let probes = run.invariants.probes();
        assert_eq!((probes[Probe::KilledBeforeTheirFirstStep], probes[Probe::KilledWhileSaving]), (1, 2));
        assert_eq!((probes[Probe::EndedByTheirDisk], probes[Probe::AllMembersDown]), (1, 1));
    }

    #[test]
    fn failpoints_strike_leaders_in_joint_configurations() {
        let mut run = Script::new(4);
        (1..=4).for_each(|member| run.configure(member, 0, &[1, 2, 3, 4], &[], &[]));
        run.report(2, Fact::Own(EtcdFact::Failpoint { point: Failpoint::RaftBeforeSave }));
        run.configure(1, 1, &[1, 2, 3], &[1, 2, 4], &[]);
        run.leads(1, 1);
        run.report(1, Fact::Own(EtcdFact::Failpoint { point: Failpoint::RaftBeforeSave }));
        let probes = run.invariants.probes();
        assert_eq!(
            (probes[Probe::FailpointsStruckInJoint], probes[Probe::FailpointsStruckOnLeaders]),
            (1, 1)
        );
    }
}
