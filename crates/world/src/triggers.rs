//! Conditions of the plan: when they come true in a run.

use plan::Condition;
use record::{Fact, MemberId, Members, Role};

/// What the conditions look at, kept up to date from the facts.
#[derive(Default)]
pub(crate) struct Progress {
    /// Role and term of each member; members that are down are followers.
    roles: Members<(Role, u64)>,
    applied: Members<u64>,
    /// The index up to which each member's store is durable: it never comes back with an older configuration
    /// than that of this index.
    pub(crate) durable: Members<u64>,
    snapshots: Members<u32>,
    elections: u32,
    pub(crate) operations: u64,
    /// The newest configuration that any member applied.
    pub(crate) configuration: Configuration,
    /// Whether it is a joint one.
    pub(crate) joint: bool,
    /// Something that a condition might wait for has changed since the last check.
    pub(crate) changed: bool,
}

/// A configuration of the cluster.
#[derive(Default)]
pub(crate) struct Configuration {
    /// The index of the entry that made it.
    pub(crate) index: u64,
    /// Voters, of both halves of a joint configuration, sorted.
    pub(crate) voters: Vec<MemberId>,
    pub(crate) learners: Vec<MemberId>,
}

impl Progress {
    pub(crate) fn new(members: u32, voters: u32) -> Progress {
        Progress {
            configuration: Configuration {
                voters: MemberId::first(voters).collect(),
                ..Configuration::default()
            },
            roles: Members::new(members, |_| (Role::Follower, 0)),
            applied: Members::new(members, |_| 0),
            durable: Members::new(members, |_| 0),
            snapshots: Members::new(members, |_| 0),
            ..Progress::default()
        }
    }

    /// Takes note of one fact of a member.
    #[inline]
    pub(crate) fn note(&mut self, member: MemberId, fact: &Fact) {
        match fact {
            Fact::State { term, role, .. } => {
                self.elections += u32::from(*role == Role::Leader);
                self.roles[member] = (*role, *term);
                self.changed = true;
            }
            Fact::Stopped(_) => {
                self.roles[member] = (Role::Follower, 0);
                self.changed = true;
            }
            Fact::Configuration { index, voters, outgoing, learners }
                if *index >= self.configuration.index =>
            {
                let mut all = [&voters[..], &outgoing[..]].concat();
                all.sort_unstable();
                all.dedup();
                self.configuration = Configuration { index: *index, voters: all, learners: learners.clone() };
                self.joint = !outgoing.is_empty();
                self.changed = true;
            }
            Fact::Applied { index, .. } => {
                self.applied[member] = *index;
                self.changed = true;
            }
            Fact::Recovered { consistent_index, .. } | Fact::BackendDurable { consistent_index } => {
                self.durable[member] = *consistent_index;
            }
            Fact::SnapshotInstalled { index, .. } => {
                self.applied[member] = *index;
                self.snapshots[member] += 1;
                self.changed = true;
            }
            _ => {}
        }
    }

    /// The leader of the highest term.
    pub(crate) fn leader(&self) -> Option<MemberId> {
        let leaders = self.roles.iter().filter(|(_, (role, _))| *role == Role::Leader);
        leaders.max_by_key(|(_, (_, term))| *term).map(|(member, _)| member)
    }

    pub(crate) fn is_met(&self, condition: &Condition) -> bool {
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
