//! What faults work with: whom they strike, and the part of the world that they can reach.

use keyed::Draw;
use schedule::Plan;
use trace::{MemberId, Members, Nanos};

use crate::deeds::Deed;
use crate::happening::Happening;
use crate::network::{Network, Party};
use crate::process::{self, Process};
use crate::progress::Progress;
use crate::system::{FactOf, System};

/// A fault that strikes now, with its resolved targets.
#[derive(Clone, Copy)]
pub(crate) struct Strike<'a> {
    /// Its index in the plan.
    pub(crate) fault: u32,
    pub(crate) members: &'a [MemberId],
    /// Its targets as parties of the network: members or clients.
    pub(crate) targets: &'a [Party],
    /// The draw that decides its choices.
    pub(crate) draw: Draw,
}

/// The part of the world that faults change themselves, and the deeds for the rest of it. What a fault does to a
/// running process is a deed, which is carried out later; so a fault must not expect to see its effect.
pub(crate) struct Reach<'a, S: System> {
    pub(crate) now: Nanos,
    pub(crate) plan: &'a Plan<S::Part>,
    /// The seed of all draws made now.
    pub(crate) seed: u64,
    pub(crate) processes: &'a mut Members<Process<S>>,
    pub(crate) network: &'a mut Network<S>,
    pub(crate) progress: &'a Progress,
    pub(crate) deeds: &'a mut Vec<Deed<S>>,
}

impl<S: System> Reach<'_, S> {
    /// The ids of the members that belong to the cluster now.
    pub(crate) fn members(&self) -> Vec<MemberId> {
        process::members(self.processes)
    }

    /// Records a fact about a member.
    pub(crate) fn note(&mut self, member: MemberId, fact: FactOf<S>) {
        self.deeds.push(Deed::Note(member, fact));
    }

    /// Schedules this for this time.
    pub(crate) fn at(&mut self, time: Nanos, happening: Happening<S>) {
        self.deeds.push(Deed::At(time, happening));
    }
}
