//! What faults have begun, and how it ends: for everyone, or only for the healed part.

use record::MemberId;

use super::network::Flapping;
use crate::network::{Pair, Party};
use crate::world::World;

/// What a fault has begun: one variant for each way of undoing it. Code that begins something new must define
/// here how it ends, including partly.
#[derive(Debug)]
pub(super) enum Begun {
    /// Nothing to undo: it was over at once.
    Nothing,
    /// Links behave differently than usual.
    Links,
    /// These pairs are cut.
    Cut(Vec<Pair>),
    /// Pairs are cut and joined, over and over.
    Flapping(Flapping),
    /// A clog or a rule keeps packets back.
    Packets,
    /// A fault is on in the members' disks. The damage it has done stays.
    Disks,
    /// Clocks run at another rate.
    ClockRates,
    /// Wall clocks swing.
    ClockSwings,
    /// Processes are down or paused.
    ProcessesBlocked,
    /// Every step takes time.
    SlowSteps,
    /// A crash waits for a disk operation.
    ArmedDisks,
    /// A crash or a pause waits at a failpoint.
    ArmedPoints,
}

/// How much of a fault ends.
pub(super) struct Scope<'a> {
    /// The members it releases.
    pub members: &'a [MemberId],
    /// The parties between which it ends; `None` means all.
    pub among: Option<&'a [Party]>,
}

impl<'a> Scope<'a> {
    /// The whole fault, which holds these members.
    pub fn everything(members: &'a [MemberId]) -> Scope<'a> {
        Scope { members, among: None }
    }

    /// Its effect on these members, and between these parties.
    pub fn among(members: &'a [MemberId], parties: &'a [Party]) -> Scope<'a> {
        Scope { members, among: Some(parties) }
    }
}

impl World<'_> {
    /// Undoes what a fault has begun, within the scope.
    pub(super) fn undo(&mut self, fault: u32, begun: &mut Begun, scope: &Scope<'_>) {
        let members = || scope.members.iter().copied();
        match begun {
            Begun::Nothing => {}
            Begun::Links => self.restore_links(fault, scope),
            Begun::Cut(pairs) => self.join(pairs, scope),
            Begun::Flapping(flapping) => self.join(&mut flapping.cut, scope),
            Begun::Packets => self.release_packets(fault, scope),
            Begun::Disks => members().for_each(|member| self.heal_disk(member, fault)),
            Begun::ClockRates => self.restore_clock_rates(scope.members),
            Begun::ClockSwings => self.stop_clock_swings(scope.members),
            Begun::ProcessesBlocked => members().for_each(|member| self.unblock(member, fault)),
            Begun::SlowSteps => members().for_each(|member| self.processes[member].step_takes = 0),
            Begun::ArmedDisks => members().for_each(|member| self.processes[member].disk.disarm()),
            Begun::ArmedPoints => members().for_each(|member| self.disarm_point(member)),
        }
    }
}
