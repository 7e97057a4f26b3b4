//! How the effect of each fault is undone: for all members and clients, or only among those that are healed.

use trace::MemberId;

use super::network::FlappingPartition;
use crate::network::{Pair, Party};
use crate::strike::Reach;
use crate::system::System;

/// What must be undone when a fault ends. A fault with a new kind of effect needs a variant here, and a way to
/// undo the effect for some members only.
#[derive(Debug)]
pub(super) enum Undo {
    /// Nothing to undo: the fault was over at once.
    Nothing,
    /// Links have another latency, loss or bandwidth than usual.
    Links,
    /// These pairs are cut.
    Cut(Vec<Pair>),
    /// Pairs are cut and joined, over and over.
    Flapping(FlappingPartition),
    /// A clog or a rule delays, drops or holds packets.
    Packets,
    /// A fault is switched on in the members' disks. Damage that it has done is not undone.
    Disks,
    /// Clocks run at another rate.
    ClockRates,
    /// Wall clocks jump or swing periodically.
    ClockSwings,
    /// Processes are down or paused.
    ProcessesBlocked,
    /// Every step takes time.
    SlowSteps,
    /// The disks wait for the operation at which the process crashes.
    ArmedDisks,
    /// A failpoint is armed with a crash or a pause.
    ArmedPoints,
}

/// How much of a fault's effect ends.
pub(super) struct Scope<'a> {
    /// The members for which it ends.
    pub members: &'a [MemberId],
    /// The parties between which it ends, for a fault of the network; `None` means all parties.
    pub among: Option<&'a [Party]>,
}

impl<'a> Scope<'a> {
    /// All of it; the fault struck these members.
    pub fn everything(members: &'a [MemberId]) -> Scope<'a> {
        Scope { members, among: None }
    }

    /// Only its effect on these members, and between these parties.
    pub fn among(members: &'a [MemberId], parties: &'a [Party]) -> Scope<'a> {
        Scope { members, among: Some(parties) }
    }
}

impl<S: System> Reach<'_, S> {
    /// Undoes the effect of a fault, within the scope.
    pub(super) fn undo(&mut self, fault: u32, undo: &mut Undo, scope: &Scope<'_>) {
        let members = || scope.members.iter().copied();
        match undo {
            Undo::Nothing => {}
            Undo::Links => self.restore_links(fault, scope),
            Undo::Cut(pairs) => self.join(pairs, scope),
            Undo::Flapping(flapping) => self.join(&mut flapping.cut, scope),
            Undo::Packets => self.release_packets(fault, scope),
            Undo::Disks => members().for_each(|member| self.heal_disk(member, fault)),
            Undo::ClockRates => self.restore_clock_rates(scope.members),
            Undo::ClockSwings => self.stop_clock_swings(scope.members),
            Undo::ProcessesBlocked => members().for_each(|member| self.unblock(member, fault)),
            Undo::SlowSteps => members().for_each(|member| self.processes[member].machine.step_takes = 0),
            Undo::ArmedDisks => members().for_each(|member| self.processes[member].machine.disk.disarm()),
            Undo::ArmedPoints => members().for_each(|member| self.processes[member].arm_point(None, None)),
        }
    }
}
