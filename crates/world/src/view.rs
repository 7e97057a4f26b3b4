//! What callers of the members may read of the world. Clients should use only the time, the plan, incarnations and
//! which members exist, and decide by the answers they received. Operators, the members' ends of streams, and all
//! callers in the settle phase use the rest.

use contract::{Status, Watched as _};
use schedule::Plan;
use trace::{MemberId, Members, Nanos};

use crate::faults::Nemesis;
use crate::machine::State;
use crate::network::{Network, Party};
use crate::process::{self, Process};
use crate::progress::{Configuration, Progress};
use crate::system::System;

/// The world, to be read.
pub struct View<'a, S: System> {
    pub(crate) now: Nanos,
    pub(crate) plan: &'a Plan<S::Part>,
    pub(crate) seed: u64,
    pub(crate) processes: &'a Members<Process<S>>,
    pub(crate) network: &'a Network<S>,
    pub(crate) progress: &'a Progress,
    pub(crate) nemesis: &'a Nemesis,
}

impl<'a, S: System> View<'a, S> {
    /// The time.
    #[inline]
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// The plan of the run.
    #[inline]
    pub fn plan(&self) -> &'a Plan<S::Part> {
        self.plan
    }

    /// The seed of all draws made now: that of the plan, until the plan makes draws anew ([`schedule::Noise`]). Code
    /// that draws asks for it each time.
    #[inline]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The incarnation of a member's running process, or of its last one.
    pub fn incarnation(&self, member: MemberId) -> u32 {
        self.processes[member].machine.incarnation
    }

    /// Whether the plan has a host for this member.
    pub fn exists(&self, member: MemberId) -> bool {
        self.processes.contains(member)
    }

    /// How many hosts the plan has.
    pub fn hosts(&self) -> usize {
        self.processes.len()
    }

    /// The ids of the members that belong to the cluster now.
    pub fn members(&self) -> Vec<MemberId> {
        process::members(self.processes)
    }

    /// The leader; if several members believe they lead, the one of the highest term.
    pub fn leader(&self) -> Option<MemberId> {
        self.progress.leader()
    }

    /// Whether and how a member's process runs.
    pub fn state(&self, member: MemberId) -> State {
        self.processes[member].machine.state
    }

    /// The newest configuration that any member applied.
    pub fn configuration(&self) -> &Configuration {
        &self.progress.configuration
    }

    /// Whether that configuration is joint.
    pub fn is_joint(&self) -> bool {
        self.progress.joint
    }

    /// The index up to which everything that a member has applied is durable.
    pub fn durable(&self, member: MemberId) -> u64 {
        self.progress.durable[member]
    }

    /// Whether a member cannot be counted on any more: it has no host, stays down permanently, or has a damaged disk.
    pub fn is_lost(&self, member: MemberId) -> bool {
        // The plan has no host for a member that a client added, so that member never starts.
        let process = self.processes.get(member);
        process.is_none_or(|process| process.machine.gone || self.nemesis.excuses_refusal(member))
    }

    /// What a running member says of itself.
    pub fn status(&self, member: MemberId) -> Option<Status> {
        self.processes[member].node.as_ref()?.status()
    }

    /// Whether two parties cannot rely on reaching each other.
    pub fn unreliable(&self, a: Party, b: Party) -> bool {
        self.network.unreliable(a, b)
    }
}
