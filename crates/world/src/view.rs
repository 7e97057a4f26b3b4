//! What those who call the members may read of the world. Until the settle phase, clients use only the time, the
//! plan, incarnations and which members exist: they decide by the plan and by the answers they received. Operators,
//! the members' ends of streams and the final read use the rest.

use contract::{Status, Watched as _};
use plan::Plan;
use record::{MemberId, Members, Nanos};

use crate::faults::Nemesis;
use crate::machine::State;
use crate::network::{Network, Party};
use crate::process::{self, Process};
use crate::progress::{Configuration, Progress};

/// The world, to be read.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) now: Nanos,
    pub(crate) plan: &'a Plan,
    pub(crate) processes: &'a Members<Process>,
    pub(crate) network: &'a Network,
    pub(crate) progress: &'a Progress,
    pub(crate) nemesis: &'a Nemesis,
}

impl View<'_> {
    /// The number of a member's process that runs, or of its last one.
    pub(crate) fn incarnation(&self, member: MemberId) -> u32 {
        self.processes[member].machine.incarnation
    }

    /// Whether the plan has a host for this member.
    pub(crate) fn exists(&self, member: MemberId) -> bool {
        self.processes.contains(member)
    }

    /// How many hosts the plan has.
    pub(crate) fn hosts(&self) -> usize {
        self.processes.len()
    }

    /// The ids of the members that belong to the cluster now.
    pub(crate) fn members(&self) -> Vec<MemberId> {
        process::members(self.processes)
    }

    /// The leader; if several members believe they lead, the one of the highest term.
    pub(crate) fn leader(&self) -> Option<MemberId> {
        self.progress.leader()
    }

    /// Whether and how a member's process runs.
    pub(crate) fn state(&self, member: MemberId) -> State {
        self.processes[member].machine.state
    }

    /// The newest configuration that any member applied.
    pub(crate) fn configuration(&self) -> &Configuration {
        &self.progress.configuration
    }

    /// Whether that configuration is joint.
    pub(crate) fn is_joint(&self) -> bool {
        self.progress.joint
    }

    /// The index up to which a member's backend is durable.
    pub(crate) fn durable(&self, member: MemberId) -> u64 {
        self.progress.durable[member]
    }

    /// Whether a member cannot be counted on any more: it has no host, stays down for good, or has a damaged disk.
    pub(crate) fn is_lost(&self, member: MemberId) -> bool {
        // The plan has no host for a member that a client added, so that member never starts.
        let process = self.processes.get(member);
        process.is_none_or(|process| process.machine.gone || self.nemesis.excuses_refusal(member))
    }

    /// What a member that runs says of itself.
    pub(crate) fn status(&self, member: MemberId) -> Option<Status> {
        self.processes[member].member.as_ref()?.status()
    }

    /// Whether two parties cannot rely on reaching each other.
    pub(crate) fn unreliable(&self, a: Party, b: Party) -> bool {
        self.network.unreliable(a, b)
    }
}
