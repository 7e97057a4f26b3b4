//! What faults have begun, and how it ends: for everybody, or for the part that is healed.

use super::network::Flapping;
use crate::network::Pair;
use crate::world::World;

/// What a fault has begun: a variant for each way of undoing it. Whoever begins something new has to
/// say here how it ends, also in part.
#[derive(Debug)]
pub(super) enum Begun {
    /// Nothing that anybody undoes: it was over at once.
    Nothing,
    /// Links behave otherwise than usual.
    Links,
    /// These pairs are cut.
    Cut(Vec<Pair>),
    /// Pairs are cut and joined, over and over.
    Flapping(Flapping),
    /// A clog or a rule keeps packets back.
    Packets,
    /// A fault is on in the members' disks. What it has damaged stays so.
    Disks,
    /// Clocks run at another rate.
    ClockRates,
    /// Wall clocks swing.
    ClockSwings,
    /// Processes are down or paused.
    Holds,
    /// Every step takes time.
    SlowSteps,
    /// A crash waits for an operation of the disk.
    ArmedDisks,
    /// Something waits at a failpoint.
    ArmedPoints,
}

/// How much of a fault ends.
pub(super) struct Scope<'a> {
    /// The members it lets go, by index.
    pub members: &'a [usize],
    /// The processes between which it ends; `None` is everywhere.
    pub among: Option<&'a [usize]>,
}

impl<'a> Scope<'a> {
    /// All of a fault that holds these members.
    pub fn everything(members: &'a [usize]) -> Scope<'a> {
        Scope { members, among: None }
    }

    /// What it does to these members, and between these processes.
    pub fn among(members: &'a [usize], processes: &'a [usize]) -> Scope<'a> {
        Scope { members, among: Some(processes) }
    }
}

impl World<'_> {
    /// Undoes what a fault has begun, as far as the scope goes.
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
            Begun::Holds => members().for_each(|member| self.let_go(member, fault)),
            Begun::SlowSteps => members().for_each(|member| self.processes[member].step_takes = 0),
            Begun::ArmedDisks => members().for_each(|member| self.processes[member].disk.disarm()),
            Begun::ArmedPoints => members().for_each(|member| self.disarm_point(member)),
        }
    }
}
