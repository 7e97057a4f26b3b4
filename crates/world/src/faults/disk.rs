//! Faults of disks: begins and ends them at the members they strike. `disk/faults.rs` implements their effects.

use plan::DiskFault;
use record::{MemberId, Stop};

use super::Strike;
use super::undo::Undo;
use crate::disk::concerns_backend;
use crate::world::World;

impl World<'_> {
    /// Begins a fault of disks.
    pub(super) fn begin_disk(&mut self, kind: &DiskFault, strike: &Strike<'_>) -> Undo {
        for &member in strike.members {
            if kind.ends_process() {
                self.block_and_end(member, strike.fault, Stop::PowerLoss);
            }
            let (now, key) = (self.now(), self.fault_key(strike.fault));
            if concerns_backend(kind) {
                self.processes[member].show_backend(now);
            }
            self.processes[member].disk.inject(now, key, kind);
            self.retime(member);
        }
        if kind.ends_process() { Undo::ProcessesBlocked } else { Undo::Disks }
    }

    /// Ends a fault of a member's disk.
    pub(super) fn heal_disk(&mut self, member: MemberId, fault: u32) {
        let (now, key) = (self.now(), self.fault_key(fault));
        self.processes[member].disk.heal(now, key);
        self.retime(member);
    }

    /// The number of a fault in the keys of the disks' draws.
    fn fault_key(&self, fault: u32) -> u64 {
        u64::from(self.plan.faults[fault as usize].id)
    }
}
