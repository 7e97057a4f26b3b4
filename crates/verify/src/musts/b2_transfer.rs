//! B2: an ordered transfer of leadership ends: it takes place, or is given up within an election timeout.
//!
//! Derivation. A leader with a transfer under way takes no proposals, so raft bounds it: e ticks after the order, the
//! leader gives up (etcd-io/raft, `tickHeartbeat`; Ongaro's thesis, 3.10). That holds for every order, during faults
//! too; the ticks are those that the leader took.
//!
//! A transfer to a voter that is well and has caught up must take place: what the voter still lacks comes in 2 l + 2 d,
//! TimeoutNow leaves with the leader's next ready (d, l), the voter saves its new term (after a save under way: 2 d),
//! asks (l), the others save (2 d) and grant (l), and it leads with its next ready (d): 5 l + 8 d. If that is below e
//! by the fastest clock, the voter leads before the leader may give up.
//!
//! Premises of the second part: links between members neither lose, double nor reorder messages; the cluster is steady,
//! and leader and voter serve (`cluster`) when the transfer is ordered; they and a quorum stay well; no other order
//! comes; no follower's clock runs out meanwhile (the heartbeats go on, to prevent that).
//!
//! B6 checks that proposals are taken again.

use record::step::{Call, Step};
use record::{MemberId, Members, MessageKind, Nanos, Role};

use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::setup::Setup;
use super::speed::Speed;
use crate::describe::time;
use crate::{Oracle, Sheet, Violation};

/// A transfer that a leader has begun.
#[derive(Clone, Copy, Debug)]
struct Begun {
    to: MemberId,
    term: u64,
    /// The ticks that the leader took since.
    ticks: u64,
    reported: bool,
}

/// A transfer that must take place.
#[derive(Clone, Copy, Debug)]
struct Owed {
    from: MemberId,
    to: MemberId,
    term: u64,
    at: Nanos,
}

/// The must.
#[derive(Clone, Debug)]
pub(super) struct Transfer {
    begun: Members<Option<Begun>>,
    /// The election timeout of each process, in ticks.
    elections: Members<u64>,
    owed: Option<Owed>,
    pub tally: Tally,
}

impl Transfer {
    pub fn new(members: u32) -> Transfer {
        Transfer {
            begun: Members::new(members, |_| None),
            elections: Members::new(members, |_| u64::MAX),
            owed: None,
            tally: Tally::default(),
        }
    }

    /// A process has ended.
    pub fn stopped(&mut self, member: MemberId) {
        if let Some(begun) = self.begun.get_mut(member) {
            *begun = None;
        }
    }

    /// Takes a step. Returns whether it ordered a transfer or delivered a TimeoutNow.
    #[inline]
    pub fn step(
        &mut self,
        time: Nanos,
        member: MemberId,
        step: &Step,
        known: (&Setup, &Cluster, &Speed),
        sheet: &mut Sheet,
    ) -> bool {
        let orders = match &step.call {
            Call::TransferLeader { .. } => true,
            Call::Receive(message) => {
                matches!(message.kind, MessageKind::TransferLeader | MessageKind::TimeoutNow)
            }
            Call::Start(start) => {
                if let Some(election) = self.elections.get_mut(member) {
                    *election = start.settings.election;
                }
                false
            }
            _ => false,
        };
        let to = step.after.transferee;
        let Some(begun) = self.begun.get_mut(member) else { return orders };
        if begun.is_none() && to.is_none() {
            return orders;
        }
        self.follow(time, member, step, to, known, sheet);
        orders
    }

    /// Follows a transfer at its leader.
    fn follow(
        &mut self,
        time: Nanos,
        member: MemberId,
        step: &Step,
        to: MemberId,
        (setup, cluster, _): (&Setup, &Cluster, &Speed),
        sheet: &mut Sheet,
    ) {
        let term = step.after.term;
        let begun = &mut self.begun[member];
        match begun {
            Some(begun) if (begun.to, begun.term) == (to, term) => {
                begun.ticks += u64::from(matches!(step.call, Call::Tick));
                if begun.ticks >= self.elections[member] && !begun.reported {
                    begun.reported = true;
                    self.tally.judged();
                    let sentence = format!(
                        "Member {member} was ordered to hand term {term} over to member {to}. It has taken {} ticks since, \
                         an election timeout, and still takes no proposals.",
                        begun.ticks
                    );
                    let title = format!("member {member} does not give up a transfer");
                    sheet.add(Violation::new(Oracle::B2, time, title).say(sentence));
                }
            }
            _ if to.is_none() => {
                if begun.take().is_some_and(|begun| !begun.reported) {
                    self.tally.judged();
                }
            }
            _ => {
                *begun = Some(Begun { to, term, ticks: 0, reported: false });
                let serve = |id| cluster.serves_since(id).is_some();
                let in_order = setup.peers_in_order;
                let owed = in_order && self.owed.is_none() && step.after.role == Role::Leader;
                if owed && serve(member) && serve(to) && cluster.steady.is_some_and(|one| one.base.has(to)) {
                    self.owed = Some(Owed { from: member, to, term, at: time });
                } else {
                    self.owed = None;
                    self.tally.skipped(if in_order { Premise::Health } else { Premise::Links });
                }
            }
        }
    }

    /// A member leads, or follows somebody.
    pub fn state(&mut self, member: MemberId, term: u64, role: Role) {
        if let Some(owed) = self.owed
            && member == owed.to
            && term > owed.term
            && role == Role::Leader
        {
            self.owed = None;
            self.tally.judged();
        }
    }

    /// Checks whether a transfer that must take place has failed to.
    pub fn poll(
        &mut self,
        now: Nanos,
        (setup, cluster, speed): (&Setup, &Cluster, &Speed),
        sheet: &mut Sheet,
    ) {
        let Some(Owed { from, to, term, at }) = self.owed else { return };
        let well = |id| cluster.members[id].well_since.is_some_and(|since| since <= at);
        let configuration = &cluster.members[from].configuration;
        let mut others = super::setup::Set::default();
        cluster.members.ids().filter(|id| well(*id)).for_each(|id| others.add(id));
        if !well(from) || !well(to) || !others.is_quorum_of(configuration.voters) {
            self.owed = None;
            return self.tally.skipped(Premise::Health);
        }
        let worst = speed.worst_now(at, now, cluster);
        let bound = 5 * worst.peers + 8 * worst.saves;
        if bound >= setup.shortest(setup.election_ticks - 1) {
            self.owed = None;
            return self.tally.skipped(Premise::Slow);
        }
        if now - at <= setup.longest(setup.election_ticks) {
            return;
        }
        self.owed = None;
        self.tally.judged();
        let sentence = format!(
            "Member {from}, the leader of term {term}, was ordered at {} to hand over to member {to}, which was well and \
             had caught up. By {} it does not lead; as fast as messages and writes were, it needed at most {}.",
            time(at),
            time(now),
            time(bound)
        );
        let title = format!("the transfer to member {to} does not take place");
        sheet.add(Violation::new(Oracle::B2, now, title).say(sentence));
    }
}
