//! Which members may be damaged where, so that a failure is always a bug and never an excuse.
//!
//! # What must not happen
//!
//! A member *promises* with every vote and every acknowledged append; both are in its WAL, behind an
//! fsync. Raft is safe because a quorum that committed and a quorum that elects share a member that
//! kept its promise. With an odd number of members they may share exactly one. So already *one* member
//! that forgets and goes on voting loses an acknowledged write (5 members: 1, 2, 3 commit, 3 forgets,
//! 3, 4, 5 elect), and no budget of such members can be allowed, not even of one.
//!
//! # What is allowed
//!
//! Damage that the member is bound to notice before it acts on it. It then refuses to start, for good,
//! and a member that stays down breaks no promise. Three things make it so:
//!
//! 1. *Damage surfaces only between processes.* The disk keeps what the page cache believes apart from
//!    what the medium holds (`belief` in `file.rs`), and a process reads the cache. A member that
//!    checks at its start what it reads there never meets damage later on.
//! 2. *Damage falls only where a checksum and something beyond it can tell*
//!    ([`write_may_go_astray`], [`exposed_to_rot`]):
//!
//!    | files | a bit rots | a synced write is lost or misdirected |
//!    |---|---|---|
//!    | `wal/` | before the last synced write of a file | never |
//!    | `snap/` | anywhere | anywhere |
//!    | `db/` | behind the superblock (4 KiB) | behind the superblock |
//!
//!    In the WAL a lost tail looks exactly like a tail that was never synced, and a lost middle reads
//!    as zeros, which is where a log ends: both are repaired in good faith and the promise is gone. A
//!    rotten bit in the last write looks like a torn write for the same reason. With an intact later
//!    write behind it, it cannot be one: that later write was synced after it. A snapshot file is
//!    synced before it gets its name, so a named one is whole or damaged. The backend holds no promise,
//!    only what the WAL can tell again; its superblock has fields without a checksum.
//! 3. *At most `n - quorum(n)` members are ever damaged or wiped*, over the whole run, of which nobody
//!    is counted back in. `n` is the smallest number of voters the plan may leave.
//!
//! # Why that suffices
//!
//! Safety needs 1 and 2 only: who is damaged either goes on with all it promised (its process lives, or
//! the damage is in no way of its recovery) or is down. Liveness and the durability of what was
//! acknowledged need 3: a quorum of members is undamaged, so it can elect and commit; and a committed
//! entry was durable on `quorum(n)` members, of which at most `n - quorum(n) < quorum(n)` are damaged,
//! so an undamaged one has it, and only who has it can win an election among the undamaged. A wiped
//! member is damaged in all its files and notices by their absence. That the sets of damaged members
//! of different faults add up is why one set is kept for all of them.
//!
//! # What it rests on
//!
//! A member that breaks one of these has a bug, and the oracles will say so:
//! - WAL: a flipped bit anywhere in a record, *its length included*, that an intact record follows
//!   makes the member refuse; it never cuts the log there.
//! - Snapshot files: a checksum over everything; the WAL names the snapshot it builds on; without it
//!   the member refuses, or takes an older one from which the WAL has every entry.
//! - Backend: every reachable page is verified at each start, also after a clean stop. An older commit
//!   may be taken where the WAL has every entry behind its consistent index; otherwise it refuses.
//! - An empty disk at any start but the first makes it refuse.
//!
//! And the world: members outside of [`Atlas::undamaged`] are never part of a core that is expected to
//! recover; a voter that was added and never started counts like a damaged one, see
//! [`Atlas::give_up`].
//!
//! Not covered, because no promise depends on it: failing, slow and stalled operations, a full disk,
//! short reads, power failures. They may strike every member at once.

use std::collections::BTreeSet;

use plan::{FaultKind, Files};

use super::content::PAGE;

/// The members that may be damaged, and those that are.
#[derive(Clone, Debug)]
pub struct Atlas {
    /// How many members may be damaged: `n - quorum(n)`.
    budget: usize,
    damaged: BTreeSet<u32>,
    refused: u64,
}

impl Atlas {
    /// For a cluster that at no time has fewer than `voters` voters.
    pub fn new(voters: u32) -> Atlas {
        let quorum = voters / 2 + 1;
        Atlas { budget: voters.saturating_sub(quorum) as usize, damaged: BTreeSet::new(), refused: 0 }
    }

    /// Whether this fault may strike this member. If so, and if it does damage, the member counts as
    /// damaged from now on; if not, the refusal is counted.
    ///
    /// Who is struck first gets the budget. A shrinker that leaves out a refused fault changes
    /// nothing, and one that leaves out an admitted fault takes no admission from the others.
    pub fn may_damage(&mut self, member: u32, kind: &FaultKind) -> bool {
        let admitted = match kind {
            FaultKind::LostWrite { files: Files::Wal, .. }
            | FaultKind::MisdirectedWrite { files: Files::Wal, .. } => false,
            FaultKind::BitRot { .. }
            | FaultKind::LostWrite { .. }
            | FaultKind::MisdirectedWrite { .. }
            | FaultKind::LostDisk => self.give_up(member),
            _ => true,
        };
        self.refused += u64::from(!admitted);
        admitted
    }

    /// Counts a member as one that never comes back, if another one can be spared. Returns whether
    /// the member is such a one now.
    pub fn give_up(&mut self, member: u32) -> bool {
        if self.damaged.len() < self.budget {
            self.damaged.insert(member);
        }
        self.damaged.contains(&member)
    }

    /// The members that are not damaged; any quorum of them must be able to go on.
    pub fn undamaged(&self, members: impl IntoIterator<Item = u32>) -> Vec<u32> {
        members.into_iter().filter(|member| !self.damaged.contains(member)).collect()
    }

    /// Whether this member was damaged: it may refuse to start.
    pub fn is_damaged(&self, member: u32) -> bool {
        self.damaged.contains(&member)
    }

    /// How many faults were not let through: the count "refused-by-atlas".
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

/// Bytes at the start of such a file that are never damaged.
pub(super) fn superblock(files: Option<Files>) -> u64 {
    if files == Some(Files::Backend) { PAGE } else { 0 }
}

/// Whether a synced write at `offset` into such a file may be lost or land elsewhere.
pub(super) fn write_may_go_astray(files: Option<Files>, offset: u64) -> bool {
    matches!(files, Some(Files::Snapshot | Files::Backend)) && offset >= superblock(files)
}

/// The bytes of a file that may rot. `tail` is where the last synced write begins.
pub(super) fn exposed_to_rot(files: Option<Files>, len: u64, tail: u64) -> std::ops::Range<u64> {
    superblock(files)..if files == Some(Files::Wal) { tail } else { len }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROT: FaultKind = FaultKind::BitRot { files: Files::All, count: 1 };

    #[test]
    fn a_quorum_stays_undamaged() {
        for voters in 1..=9 {
            let mut atlas = Atlas::new(voters);
            for member in 1..=voters {
                atlas.may_damage(member, &ROT);
                atlas.may_damage(member, &FaultKind::LostDisk);
            }
            let undamaged = atlas.undamaged(1..=voters);
            assert_eq!(undamaged.len() as u32, voters / 2 + 1, "{voters} voters");
            assert_eq!(atlas.refused(), 2 * undamaged.len() as u64);
        }
    }

    #[test]
    fn one_member_may_be_struck_again() {
        let mut atlas = Atlas::new(3);
        assert!(atlas.may_damage(2, &ROT));
        assert!(atlas.may_damage(2, &FaultKind::LostDisk));
        assert!(!atlas.may_damage(3, &ROT));
        assert!(atlas.may_damage(3, &FaultKind::StalledDisk));
    }

    #[test]
    fn a_promise_is_never_lost_in_silence() {
        let mut atlas = Atlas::new(5);
        assert!(!atlas.may_damage(1, &FaultKind::LostWrite { files: Files::Wal, count: 1 }));
        assert!(!atlas.is_damaged(1));
        assert!(!write_may_go_astray(Some(Files::Wal), 1 << 20));
        assert!(!write_may_go_astray(Some(Files::Backend), 0));
        assert_eq!(exposed_to_rot(Some(Files::Wal), 1000, 600), 0..600);
    }
}
