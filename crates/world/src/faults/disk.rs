//! Faults of disks: begins and ends them at the members they strike. `disk/faults.rs` implements their effects.

use schedule::{DiskFault, FaultKind, Part, Plan};
use trace::{MemberId, Nanos, Stop};

use super::undo::Undo;
use crate::deeds::Deed;
use crate::disk::concerns_backend;
use crate::process::Process;
use crate::strike::{Reach, Strike};
use crate::system::System;

impl<S: System> Reach<'_, S> {
    /// Begins a fault of disks.
    pub(super) fn begin_disk(&mut self, kind: &DiskFault, strike: &Strike<'_>) -> Undo {
        for &member in strike.members {
            if kind.ends_process() {
                self.block_and_end(member, strike.fault, Stop::PowerLoss);
            }
            // A deed, because the fault begins after the end of the process.
            self.deeds.push(Deed::InjectDisk(member, strike.fault));
        }
        if kind.ends_process() { Undo::ProcessesBlocked } else { Undo::Disks }
    }

    /// Ends a fault of a member's disk.
    pub(super) fn heal_disk(&mut self, member: MemberId, fault: u32) {
        self.processes[member].machine.disk.heal(self.now, fault_key(self.plan, fault));
        self.deeds.push(Deed::Retime(member));
    }
}

/// Begins a fault of the disk of one process.
pub(crate) fn inject<S: System>(plan: &Plan<S::Part>, process: &mut Process<S>, fault: u32, now: Nanos) {
    let FaultKind::Disk(kind) = &plan.faults[fault as usize].kind else { return };
    if concerns_backend(kind) {
        process.show_store(now);
    }
    process.machine.disk.inject(now, fault_key(plan, fault), kind);
}

/// The number of a fault in the keys of the disks' draws.
fn fault_key<P: Part>(plan: &Plan<P>, fault: u32) -> u64 {
    u64::from(plan.faults[fault as usize].id)
}
