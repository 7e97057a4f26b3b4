//! B1: with check-quorum on, a leader that gets no answers from a quorum steps down within two election timeouts.
//!
//! Derivation. Every election timeout (e ticks), a leader checks whether a quorum has answered since its last check
//! (etcd-io/raft, `tickHeartbeat` and `MsgCheckQuorum`; Ongaro's thesis, 6.2). An answer just after one check keeps it
//! in office at the next, e ticks later, but not at the one after that. So if the answer that completed the last quorum
//! came at tick t, the leader no longer leads after its tick t + 2 e.
//!
//! Time is counted in ticks that the leader took: a pause, a save in a blocking loop and the installation of a snapshot
//! stop the ticks. An order to transfer leadership sets the leader's count to 0, and a change of the configuration
//! makes new members count as active: both restart the count. So no process, disk, clock or link need be well, and the
//! must is judged during faults, too.
//!
//! Not judged: that a leader which hears a quorum stays (B3).

use record::step::{Call, Configuration, Step};
use record::{MemberId, Members, MessageKind, Nanos, Role};

use super::counts::{Premise, Tally};
use crate::{Oracle, Sheet, Violation};

/// A process.
#[derive(Clone, Debug)]
struct Node {
    id: MemberId,
    election: u64,
    check_quorum: bool,
    configuration: Configuration,
    /// The term that it leads; 0 if it does not.
    leads: u64,
    /// The ticks that it took as leader.
    ticks: u64,
    /// For each other voter, the tick by which it last answered.
    answered: Vec<(MemberId, u64)>,
    /// Whether it has missed a quorum for longer than an election timeout.
    alone: bool,
    /// Whether it was reported in this term.
    reported: bool,
}

/// The must, for all members.
#[derive(Clone, Debug)]
pub(super) struct StepDown {
    nodes: Members<Option<Node>>,
    pub tally: Tally,
}

impl StepDown {
    pub fn new(members: u32) -> StepDown {
        StepDown { nodes: Members::new(members, |_| None), tally: Tally::default() }
    }

    /// A process has ended.
    pub fn stopped(&mut self, member: MemberId) {
        if let Some(node) = self.nodes.get_mut(member) {
            *node = None;
        }
    }

    /// Takes a step.
    #[inline]
    pub fn step(&mut self, time: Nanos, member: MemberId, step: &Step, sheet: &mut Sheet) {
        let Some(node) = self.nodes.get_mut(member) else { return };
        if let Call::Start(start) = &step.call {
            *node = Some(Node {
                id: member,
                election: start.settings.election,
                check_quorum: start.settings.check_quorum,
                configuration: start.configuration.clone(),
                leads: 0,
                ticks: 0,
                answered: Vec::new(),
                alone: false,
                reported: false,
            });
            return;
        }
        let Some(node) = node else { return };
        if let Some(configuration) = &step.changed.configuration {
            node.configuration = (**configuration).clone();
            node.begin_anew();
        }
        let leads = if step.after.role == Role::Leader { step.after.term } else { 0 };
        if leads != node.leads {
            if node.alone {
                self.tally.judged();
            }
            (node.leads, node.ticks, node.alone, node.reported) = (leads, 0, false, false);
            node.begin_anew();
            if leads != 0 && !node.check_quorum {
                self.tally.skipped(Premise::Settings);
            }
        }
        if leads == 0 || !node.check_quorum {
            return;
        }
        match &step.call {
            Call::Receive(message) => match message.kind {
                MessageKind::AppendResponse | MessageKind::HeartbeatResponse if message.term == leads => {
                    node.answers(message.from);
                }
                MessageKind::TransferLeader => node.begin_anew(),
                _ => {}
            },
            Call::TransferLeader { .. } => node.begin_anew(),
            Call::Tick => {
                node.ticks += 1;
                let without = node.ticks - node.last_quorum();
                if without > node.election {
                    node.alone = true;
                } else if node.alone {
                    node.alone = false; // an answer came in time
                }
                if without >= 2 * node.election && !node.reported {
                    node.reported = true;
                    self.tally.judged();
                    let title = format!("member {member} leads without a quorum");
                    let ticks = node.ticks;
                    let sentence = format!(
                        "Member {member} leads term {leads} after {ticks} ticks, and for the last {without} of them \
                         got no answers from a quorum. With an election timeout of {} ticks, it must step down \
                         within {}.",
                        node.election,
                        2 * node.election
                    );
                    sheet.add(Violation::new(Oracle::B1, time, title).say(sentence));
                }
            }
            _ => {}
        }
    }
}

impl Node {
    /// Restarts the count, as if all had just answered.
    fn begin_anew(&mut self) {
        let ticks = self.ticks;
        self.answered.clear();
        let others = self.configuration.all_voters();
        self.answered.extend(others.into_iter().map(|voter| (voter, ticks)));
    }

    /// Another member's answer came.
    fn answers(&mut self, from: MemberId) {
        let ticks = self.ticks;
        if let Some((_, last)) = self.answered.iter_mut().find(|(voter, _)| *voter == from) {
            *last = ticks;
        }
    }

    /// The last tick by which a quorum had answered; the leader always hears itself.
    fn last_quorum(&self) -> u64 {
        let of = |voters: &[MemberId]| {
            let mut last: Vec<u64> = (self.answered.iter())
                .filter(|(voter, _)| voters.contains(voter))
                .map(|(voter, last)| if *voter == self.id { self.ticks } else { *last })
                .collect();
            last.sort_unstable_by(|one, other| other.cmp(one));
            last.get(voters.len() / 2).copied()
        };
        let (new, old) = (of(&self.configuration.voters), of(&self.configuration.outgoing));
        new.into_iter().chain(old).min().unwrap_or(self.ticks)
    }
}
