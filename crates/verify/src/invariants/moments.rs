//! Moments in the lives of members worth reaching, that facts alone tell: counted, never judged.
//!
//! `sights` has those about leases, snapshots and the configuration; here are those about roles, disks and ends.

use record::fact::MessageHead;
use record::{Event, Fact, MemberId, MessageKind, Role, Stop};

use super::Probes;

/// What has to be remembered to see them.
#[derive(Debug, Default)]
pub(super) struct Moments {
    lives: Vec<Life>,
    /// The newest configuration: its index, and both its halves.
    configuration: (u64, [Vec<u64>; 2]),
}

/// One member's process.
#[derive(Debug)]
struct Life {
    runs: bool,
    /// Whether it did anything since it recovered.
    acted: bool,
    role: Role,
    term: u64,
    /// Whether it committed something since it began to lead.
    committed: bool,
    /// The last write that was handed over, and the last that is durable.
    saving: u64,
    saved: u64,
}

impl Life {
    fn new() -> Life {
        let (runs, acted, committed) = (false, false, false);
        Life { runs, acted, role: Role::Follower, term: 0, committed, saving: 0, saved: 0 }
    }

    fn leads(&self) -> bool {
        self.runs && self.role == Role::Leader
    }

    /// It ceases to lead.
    fn deposed(&self, probes: &mut Probes) {
        probes.leaders_without_a_commit += u64::from(!self.committed);
    }
}

impl Moments {
    fn life(&mut self, member: MemberId) -> Option<&mut Life> {
        let place = (member as usize).checked_sub(1)?;
        while self.lives.len() <= place {
            self.lives.push(Life::new());
        }
        self.lives.get_mut(place)
    }

    /// One more event.
    #[inline]
    pub fn event(&mut self, event: &Event, probes: &mut Probes) {
        match &event.fact {
            Fact::Sent { head, .. } => sent(event.member, head, probes),
            Fact::Dropped { kind: MessageKind::Snapshot, .. } => probes.snapshots_lost += 1,
            Fact::Saving { job, .. } => {
                if let Some(life) = self.life(event.member) {
                    (life.saving, life.acted) = (*job, true);
                }
            }
            Fact::JobDone { job, synced, failed } => {
                probes.disk_jobs_failed += u64::from(*failed);
                if let Some(life) = self.life(event.member).filter(|_| *synced) {
                    life.saved = *job;
                }
            }
            Fact::Committed { .. } => {
                if let Some(life) = self.life(event.member) {
                    (life.committed, life.acted) = (true, true);
                }
            }
            Fact::State { term, role, .. } => self.state(event.member, *term, *role, probes),
            Fact::Started { .. } => {
                if let Some(life) = self.life(event.member) {
                    *life = Life { runs: true, ..Life::new() };
                }
            }
            Fact::Stopped(stop) => self.stopped(event.member, stop, probes),
            Fact::Configuration { index, voters, outgoing, .. } if *index >= self.configuration.0 => {
                self.configuration = (*index, [voters.clone(), outgoing.clone()]);
            }
            Fact::Failpoint { .. } => {
                probes.failpoints_struck_in_joint += u64::from(!self.configuration.1[1].is_empty());
                let leads = self.life(event.member).is_some_and(|life| life.leads());
                probes.failpoints_struck_on_leaders += u64::from(leads);
            }
            _ => {}
        }
    }

    fn state(&mut self, member: MemberId, term: u64, role: Role, probes: &mut Probes) {
        let other = |(place, life): (usize, &Life)| place + 1 != member as usize && life.leads();
        let two = self.lives.iter().enumerate().any(other);
        let Some(life) = self.life(member) else { return };
        life.acted = true;
        let (before, term_before) = (life.role, life.term);
        let begins = role == Role::Leader && (before, term_before) != (Role::Leader, term);
        if before == Role::Leader && (role != Role::Leader || begins) {
            life.deposed(probes);
            probes.leaders_stepped_down += u64::from(term == term_before);
        }
        (life.role, life.term) = (role, term);
        if begins {
            life.committed = false;
            probes.two_leaders_at_once += u64::from(two);
        }
        let again = match role {
            Role::PreCandidate => true,
            Role::Candidate => term > term_before,
            _ => false,
        };
        probes.elections_without_a_winner += u64::from(before == Role::Candidate && again);
        let gave_up = before == Role::PreCandidate && role == Role::Follower;
        probes.pre_votes_given_up += u64::from(gave_up);
    }

    fn stopped(&mut self, member: MemberId, stop: &Stop, probes: &mut Probes) {
        let Some(life) = self.life(member) else { return };
        let killed = matches!(stop, Stop::Crash | Stop::PowerLoss);
        let power = *stop == Stop::PowerLoss;
        if life.leads() {
            life.deposed(probes);
            probes.leaders_without_power += u64::from(power);
        }
        let saving = life.saving > life.saved;
        probes.killed_while_saving += u64::from(killed && saving);
        probes.power_lost_while_saving += u64::from(power && saving);
        probes.killed_before_their_first_step += u64::from(killed && life.runs && !life.acted);
        probes.refused_to_start += u64::from(matches!(stop, Stop::Refused(_)));
        probes.ended_by_their_disk += u64::from(matches!(stop, Stop::Fatal(_)));
        let ran = std::mem::take(&mut life.runs);
        if !ran {
            return;
        }
        probes.all_members_down += u64::from(self.lives.iter().all(|life| !life.runs));
        let runs = |id: &&u64| self.lives.get(**id as usize - 1).is_some_and(|life| life.runs);
        let short = |half: &Vec<u64>| half.iter().filter(runs).count() < half.len() / 2 + 1;
        let halves = self.configuration.1.iter().filter(|half| !half.is_empty());
        probes.quorums_down += u64::from(halves.into_iter().any(short));
    }
}

/// A message left.
#[inline]
fn sent(member: MemberId, head: &MessageHead, probes: &mut Probes) {
    if member == 0 {
        return;
    }
    match head.kind {
        MessageKind::Propose => probes.proposals_forwarded += 1,
        MessageKind::ReadIndex => probes.reads_forwarded += 1,
        MessageKind::Snapshot => probes.snapshots_sent += 1,
        MessageKind::TimeoutNow => probes.leaderships_handed_over += 1,
        MessageKind::PeerCall => probes.peers_called += 1,
        MessageKind::AppendResponse => probes.appends_refused += u64::from(head.reject),
        MessageKind::RequestVoteResponse => probes.votes_refused += u64::from(head.reject),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use record::{Fact, Failpoint, Role, Stop};

    use super::super::script::Script;

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
        assert_eq!((probes.elections_without_a_winner, probes.pre_votes_given_up), (1, 1));
        assert_eq!((probes.two_leaders_at_once, probes.leaders_stepped_down), (1, 1));
        assert_eq!((probes.leaders_without_a_commit, probes.leaders_without_power), (1, 0));
        run.stop(2, Stop::PowerLoss);
        let probes = run.invariants.probes();
        assert_eq!((probes.leaders_without_a_commit, probes.leaders_without_power), (2, 1));
    }

    #[test]
    fn processes_end_at_bad_moments() {
        let mut run = Script::new(3);
        (1..=3).for_each(|member| run.configure(member, 0, &[1, 2, 3], &[], &[]));
        run.append(1, &[(1, 1)]);
        let job = run.save(1);
        run.stop(1, Stop::Crash);
        run.append(2, &[(1, 1)]);
        run.save(2);
        run.tell(2, Fact::JobDone { job, synced: false, failed: true });
        run.stop(2, Stop::PowerLoss);
        let probes = run.invariants.probes();
        assert_eq!((probes.killed_while_saving, probes.power_lost_while_saving), (2, 1));
        assert_eq!((probes.disk_jobs_failed, probes.quorums_down, probes.all_members_down), (1, 1, 0));
        run.tell(1, Fact::Started { incarnation: 2 });
        run.stop(1, Stop::Crash);
        run.stop(3, Stop::Fatal("the disk".into()));
        let probes = run.invariants.probes();
        assert_eq!((probes.killed_before_their_first_step, probes.killed_while_saving), (1, 2));
        assert_eq!((probes.ended_by_their_disk, probes.all_members_down), (1, 1));
    }

    #[test]
    fn failpoints_strike_leaders_in_joint_configurations() {
        let mut run = Script::new(4);
        (1..=4).for_each(|member| run.configure(member, 0, &[1, 2, 3, 4], &[], &[]));
        run.tell(2, Fact::Failpoint { point: Failpoint::RaftBeforeSave });
        run.configure(1, 1, &[1, 2, 3], &[1, 2, 4], &[]);
        run.leads(1, 1);
        run.tell(1, Fact::Failpoint { point: Failpoint::RaftBeforeSave });
        let probes = run.invariants.probes();
        assert_eq!((probes.failpoints_struck_in_joint, probes.failpoints_struck_on_leaders), (1, 1));
    }
}
