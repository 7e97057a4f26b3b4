//! Conditions of the plan: when they come true in a run.

use plan::Condition;
use record::{Fact, MemberId, Role};

/// What the conditions look at, kept up to date from the facts.
#[derive(Default)]
pub(crate) struct Progress {
    /// Role and term of each member, by index; members that are down are followers.
    roles: Vec<(Role, u64)>,
    applied: Vec<u64>,
    /// The index up to which each member's store is durable: it never comes back with an older configuration
    /// than that of this index.
    pub(crate) durable: Vec<u64>,
    snapshots: Vec<u32>,
    elections: u32,
    pub(crate) operations: u64,
    /// The newest configuration that any member applied: its index, its voters (of both halves of a joint
    /// one) and its learners, by index.
    pub(crate) configuration: (u64, Vec<usize>, Vec<usize>),
    /// Whether it is a joint one.
    pub(crate) joint: bool,
    /// Something that a condition might wait for has changed since the last check.
    pub(crate) changed: bool,
}

impl Progress {
    pub(crate) fn new(members: usize, voters: usize) -> Progress {
        Progress {
            configuration: (0, (0..voters).collect(), Vec::new()),
            roles: vec![(Role::Follower, 0); members],
            applied: vec![0; members],
            durable: vec![0; members],
            snapshots: vec![0; members],
            ..Progress::default()
        }
    }

    /// Takes note of one fact of a member.
    #[inline]
    pub(crate) fn note(&mut self, member: MemberId, fact: &Fact) {
        let at = member.wrapping_sub(1) as usize;
        match fact {
            Fact::State { term, role, .. } => {
                self.elections += u32::from(*role == Role::Leader);
                self.roles[at] = (*role, *term);
                self.changed = true;
            }
            Fact::Stopped(_) => {
                self.roles[at] = (Role::Follower, 0);
                self.changed = true;
            }
            Fact::Configuration { index, voters, outgoing, learners } if *index >= self.configuration.0 => {
                let indices = |ids: &[u64]| ids.iter().map(|id| *id as usize - 1).collect::<Vec<_>>();
                let mut all = indices(voters);
                all.extend(indices(outgoing));
                all.sort_unstable();
                all.dedup();
                self.configuration = (*index, all, indices(learners));
                self.joint = !outgoing.is_empty();
                self.changed = true;
            }
            Fact::Applied { index, .. } => {
                self.applied[at] = *index;
                self.changed = true;
            }
            Fact::Recovered { consistent_index, .. } | Fact::BackendDurable { consistent_index } => {
                self.durable[at] = *consistent_index;
            }
            Fact::SnapshotInstalled { index, .. } => {
                self.applied[at] = *index;
                self.snapshots[at] += 1;
                self.changed = true;
            }
            _ => {}
        }
    }

    /// The leader of the highest term, by index.
    pub(crate) fn leader(&self) -> Option<usize> {
        let leaders = self.roles.iter().enumerate().filter(|(_, (role, _))| *role == Role::Leader);
        leaders.max_by_key(|(_, (_, term))| *term).map(|(at, _)| at)
    }

    pub(crate) fn holds(&self, condition: &Condition) -> bool {
        let any = |member: u32, what: &dyn Fn(usize) -> bool| match member {
            0 => (0..self.roles.len()).any(what),
            member => what(member as usize - 1),
        };
        match *condition {
            Condition::Leader => self.leader().is_some(),
            Condition::NoLeader => self.leader().is_none(),
            Condition::Election(nth) => self.elections >= nth,
            Condition::Applied { member, index } => any(member, &|at| self.applied[at] >= index),
            Condition::Snapshot { member, nth } => any(member, &|at| self.snapshots[at] >= nth),
            Condition::Operations(count) => self.operations >= count,
        }
    }
}
