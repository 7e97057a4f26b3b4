//! Decides when a condition is met. A fault of a plan may wait for a condition, such as "there is a leader", instead
//! of striking at a fixed time. [`Progress`] follows the facts of the run and answers whether a condition is met now.

use schedule::Condition;
use trace::{Fact, MemberId, Members, Nanos, OwnFact as _, Sign, Vocabulary};

/// The state that conditions depend on, kept up to date from the facts.
#[derive(Default)]
pub(crate) struct Progress {
    /// Whether each member leads, and in which term; members that are down do not.
    roles: Members<(bool, u64)>,
    /// When each member that leads began to lead.
    elected: Members<Nanos>,
    /// The index that each member has applied.
    applied: Members<u64>,
    /// For each member, the index up to which everything that it has applied is durable. After a restart its
    /// configuration is at least that of this index.
    pub(crate) durable: Members<u64>,
    /// How many snapshots each member has installed.
    snapshots: Members<u32>,
    /// The index of the last snapshot that each member's process has installed, and when; 0 if none.
    installed: Members<(u64, Nanos)>,
    /// How often a member became leader.
    pub(crate) elections: u32,
    /// How many operations clients have called.
    operations: u64,
    /// The newest configuration that any member applied.
    pub(crate) configuration: Configuration,
    /// Whether that configuration is joint.
    pub(crate) joint: bool,
    /// Whether something that a condition depends on has changed since the last check.
    pub(crate) changed: bool,
}

/// A configuration of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// The index of the entry that changed the cluster to it.
    pub index: u64,
    /// The voters, sorted. For a joint configuration, of both halves.
    pub voters: Vec<MemberId>,
    /// The members that do not vote.
    pub learners: Vec<MemberId>,
}

impl Progress {
    pub(crate) fn new(members: u32, voters: u32) -> Progress {
        Progress {
            configuration: Configuration {
                voters: MemberId::first(voters).collect(),
                ..Configuration::default()
            },
            roles: Members::new(members, |_| (false, 0)),
            elected: Members::new(members, |_| 0),
            applied: Members::new(members, |_| 0),
            durable: Members::new(members, |_| 0),
            snapshots: Members::new(members, |_| 0),
            installed: Members::new(members, |_| (0, 0)),
            ..Progress::default()
        }
    }

    /// Takes a fact about a member into account. Returns whether it says who belongs to the cluster.
    #[inline]
    pub(crate) fn note<V: Vocabulary>(&mut self, now: Nanos, member: MemberId, fact: &Fact<V>) -> bool {
        match fact {
            Fact::Own(own) => {
                if let Some(sign) = own.sign() {
                    self.note_sign(now, member, sign);
                    return matches!(sign, Sign::Members { .. });
                }
            }
            Fact::Called { .. } => {
                self.operations += 1;
                self.changed = true;
            }
            Fact::Stopped(_) => {
                self.roles[member] = (false, 0);
                self.installed[member] = (0, 0);
                self.changed = true;
            }
            _ => {}
        }
        false
    }

    /// Takes into account what a member's own fact means.
    fn note_sign(&mut self, now: Nanos, member: MemberId, sign: Sign<'_>) {
        match sign {
            Sign::Role { term, leads } => {
                self.elections += u32::from(leads);
                if leads && self.roles[member] != (leads, term) {
                    self.elected[member] = now;
                }
                self.roles[member] = (leads, term);
            }
            Sign::Applied(index) => self.applied[member] = index,
            Sign::Durable(index) => {
                self.durable[member] = index;
                return; // no condition depends on it
            }
            Sign::SnapshotAt(index) => {
                self.applied[member] = index;
                self.snapshots[member] += 1;
                self.installed[member] = (index, now);
            }
            Sign::Members { index, voters, outgoing, learners } => {
                if index < self.configuration.index {
                    return;
                }
                let mut all = [voters, outgoing].concat();
                all.sort_unstable();
                all.dedup();
                self.configuration = Configuration { index, voters: all, learners: learners.to_vec() };
                self.joint = !outgoing.is_empty();
            }
        }
        self.changed = true;
    }

    /// The leader; if several members believe they lead, the one of the highest term.
    pub(crate) fn leader(&self) -> Option<MemberId> {
        let leaders = self.roles.iter().filter(|(_, (leads, _))| *leads);
        leaders.max_by_key(|(_, (_, term))| *term).map(|(member, _)| member)
    }

    /// When the leader began to lead; now if there is none.
    pub(crate) fn leader_since(&self, now: Nanos) -> Nanos {
        self.leader().map_or(now, |leader| self.elected[leader])
    }

    /// The index of the last snapshot that a member's process has installed, and when; 0 if none.
    pub(crate) fn installed(&self, member: MemberId) -> (u64, Nanos) {
        self.installed[member]
    }

    /// Whether a condition is met now.
    pub(crate) fn is_met(&self, condition: &Condition) -> bool {
        // In a condition, `MemberId::NONE` stands for any member.
        let any = |member: MemberId, what: &dyn Fn(MemberId) -> bool| {
            if member.is_none() { self.roles.ids().any(what) } else { what(member) }
        };
        match *condition {
            Condition::Leader => self.leader().is_some(),
            Condition::NoLeader => self.leader().is_none(),
            Condition::Election(nth) => self.elections >= nth,
            Condition::Applied { member, index } => any(member, &|member| self.applied[member] >= index),
            Condition::Snapshot { member, nth } => any(member, &|member| self.snapshots[member] >= nth),
            Condition::Operations(count) => self.operations >= count,
        }
    }
}
