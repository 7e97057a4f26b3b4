//! Decides which members' disks may be damaged, and where. Damage stays so limited that a correct member survives
//! it, so every violation that a run finds is a bug.
//!
//! # What must not happen
//!
//! A member *promises* something with every vote and every acknowledged append; both are in its WAL, behind
//! an fsync. Raft is safe because a quorum that committed and a quorum that elects share a member that kept
//! its promise. With an odd number of members they may share exactly one. So *one* member that forgets and
//! keeps voting is enough to lose an acknowledged write (5 members: 1, 2, 3 commit, 3 forgets, 3, 4, 5
//! elect). The number of such members must be zero.
//!
//! # What is allowed
//!
//! Damage that the member certainly detects before it acts on the data. It then refuses to start and stays down,
//! and a member that is down breaks no promise. Three rules ensure this:
//!
//! 1. *Only a new process sees damage.* The disk keeps the page cache's content separate from the medium's
//!    (`divergent` in `file.rs`), and a process reads the cache. So a member that checks its files when it
//!    starts never meets damage later on.
//! 2. *Damage strikes only where a checksum and something beyond it can detect it* ([`write_may_go_astray`],
//!    [`exposed_to_rot`]):
//!
//!    | files | a bit rots | a synced write is lost or misdirected | a file is lost, or exchanged for another |
//!    |---|---|---|---|
//!    | `wal/` | before the last synced write of a file | never | all but the last |
//!    | `snap/` | anywhere | anywhere | any |
//!    | `db/` | behind the superblock (4 KiB) | behind the superblock | never |
//!
//!    WAL: a lost tail looks exactly like a tail that was never synced. The member would cut it off, as it
//!    should after a crash, and so break its promise. A flipped bit in the last write can look like a torn
//!    write. In an earlier write it cannot: the next write was submitted after that one was synced.
//!    The last segment may not be lost, for the same reason. The loss of any other is noticed, because the segment
//!    after it has its number and the checksum of its end.
//!    Snapshot files: each is synced before it gets its name, so a named file is complete or damaged.
//!    Backend: it has only what the WAL can restore, so no promise depends on it. Its superblock says which
//!    commit is valid, and an older superblock looks just as valid.
//! 3. *At most `n - quorum(n)` members are damaged or wiped* over the whole run. None of them counts as
//!    undamaged again. All kinds of damage count together, because they add up. `n` is the smallest number of
//!    voters that the plan may leave: the limit grows with `n`, so the smallest cluster is the worst case.
//!
//! # Why that suffices
//!
//! Safety needs only 1 and 2. A damaged member is down, or it keeps everything it promised: because its process
//! still runs, or because the damage is where its recovery never looks. Liveness and the durability of acknowledged
//! writes need 3: `quorum(n)` members are undamaged, so they can elect and commit. A committed entry was durable on
//! `quorum(n)` members, of which at most `n - quorum(n) < quorum(n)` are damaged, so an undamaged member has it, and
//! only a member that has it can win an election among the undamaged. A wiped member counts as damaged in all its
//! files; it detects that because they are missing.
//!
//! # What it relies on
//!
//! The argument needs these properties of a member. If a member lacks one, that is a bug, and an oracle reports
//! it.
//! - WAL: a flipped bit anywhere in a frame, *its length included*, that was synced before a later intact
//!   frame was written makes the member refuse to start; it never cuts the log there. (That a later frame is
//!   intact proves nothing by itself: the second sector of one unsynced write may survive alone.)
//! - Snapshot files: a checksum over everything; the WAL names the snapshot it builds on; without that one
//!   the member refuses to start, or takes an older one from which the WAL has every entry.
//! - Backend: every page is verified at each start. Of 24 000 databases damaged this way, redb served none
//!   with `set_check_integrity_on_open`; without it, after a clean stop, one in ten. If an older commit is
//!   taken, the WAL must have every entry after its consistent index.
//! - An empty disk at any start but the first makes the member refuse to start. The first start lasts until
//!   the first recovery has reached the disk: nothing was promised before.
//! - The world requires nothing of damaged members ([`Atlas::is_damaged`]). A voter that was added and never
//!   started counts as damaged ([`Atlas::give_up`]).
//!
//! Not covered, because no promise depends on it: failing, slow and stalled operations, a full disk, short
//! reads, power failures. They may strike all members at once.

use std::collections::BTreeSet;

use schedule::kinds::Kinds;
use schedule::{DiskFault, FaultKind, Files};
use trace::MemberId;

use contract::disk::Path;

use super::content::PAGE;
use super::media::kind_of;

/// The members that may be damaged, and those that are.
#[derive(Clone, Debug)]
pub struct Atlas {
    /// How many members may be damaged: `n - quorum(n)`.
    budget: usize,
    damaged: BTreeSet<MemberId>,
}

impl Atlas {
    /// For a cluster that never has fewer than `voters` voters.
    pub fn new(voters: u32) -> Atlas {
        let quorum = voters / 2 + 1;
        Atlas { budget: voters.saturating_sub(quorum) as usize, damaged: BTreeSet::new() }
    }

    /// Whether this fault may strike this member. If not, it must not be injected. If it may and damages data,
    /// the member counts as damaged from now on.
    ///
    /// The first members struck use up the budget. If a shrunk plan leaves out a fault that was not allowed,
    /// nothing changes; if it leaves out one that was allowed, every other fault that was allowed still is.
    pub fn may_damage<T: Kinds>(&mut self, member: MemberId, kind: &FaultKind<T>) -> bool {
        !kind.effect().damages || (!is_about_the_log_alone(kind) && self.give_up(member))
    }

    /// Counts a member as permanently lost, if the budget allows it. Returns whether the member now counts as lost or
    /// damaged.
    pub fn give_up(&mut self, member: MemberId) -> bool {
        if self.damaged.len() < self.budget {
            self.damaged.insert(member);
        }
        self.damaged.contains(&member)
    }

    /// Whether this member was damaged: it may refuse to start.
    pub fn is_damaged(&self, member: MemberId) -> bool {
        self.damaged.contains(&member)
    }
}

/// Whether it is a fault that affects only writes of the log, which never go astray.
fn is_about_the_log_alone<T>(kind: &FaultKind<T>) -> bool {
    matches!(
        kind,
        FaultKind::Disk(
            DiskFault::LostWrite { files: Files::Wal, .. }
                | DiskFault::MisdirectedWrite { files: Files::Wal, .. }
        )
    )
}

/// How many bytes at the start of a file are never damaged. `files` says which of a member's files it is.
pub(super) fn superblock(files: Option<Files>) -> u64 {
    if files == Some(Files::Backend) { PAGE } else { 0 }
}

/// Whether a synced write at `offset` of a file may be lost or land elsewhere.
pub(super) fn write_may_go_astray(files: Option<Files>, offset: u64) -> bool {
    matches!(files, Some(Files::Snapshot | Files::Backend)) && offset >= superblock(files)
}

/// Whether a file may be lost as a whole, or exchanged for another one of its kind: any snapshot, and each segment of
/// the log that a later one follows. `durable` are all paths on the medium, in order.
pub(super) fn may_be_lost<'a>(path: &str, mut durable: impl DoubleEndedIterator<Item = &'a Path>) -> bool {
    match kind_of(path) {
        Some(Files::Snapshot) => path.ends_with(".snap"),
        Some(Files::Wal) if path.ends_with(".wal") => {
            let segment = |other: &&Path| kind_of(other) == Some(Files::Wal) && other.ends_with(".wal");
            durable.rfind(segment).is_some_and(|last| &**last != path)
        }
        _ => false,
    }
}

/// The bytes of a file that may rot. `tail` is where the last synced write begins.
pub(super) fn exposed_to_rot(files: Option<Files>, len: u64, tail: u64) -> std::ops::Range<u64> {
    superblock(files)..if files == Some(Files::Wal) { tail } else { len }
}

#[cfg(test)]
mod tests {
    use schedule::NoTask;

    use super::*;

    const ROT: FaultKind<NoTask> = FaultKind::Disk(DiskFault::BitRot { files: Files::All, count: 1 });
    const LOST: FaultKind<NoTask> = FaultKind::Disk(DiskFault::LostDisk);

    #[test]
    fn a_quorum_stays_undamaged() {
        for voters in 1..=9 {
            let mut atlas = Atlas::new(voters);
            for member in MemberId::first(voters) {
                atlas.may_damage(member, &ROT);
                atlas.may_damage(member, &LOST);
            }
            let undamaged = MemberId::first(voters).filter(|member| !atlas.is_damaged(*member)).count();
            assert_eq!(undamaged as u32, voters / 2 + 1, "{voters} voters");
        }
    }

    #[test]
    fn one_member_may_be_struck_again() {
        let mut atlas = Atlas::new(3);
        let (second, third) = (MemberId::new(2), MemberId::new(3));
        assert!(atlas.may_damage(second, &ROT));
        assert!(atlas.may_damage(second, &LOST));
        assert!(!atlas.may_damage(third, &ROT));
        assert!(atlas.may_damage::<NoTask>(third, &DiskFault::StalledDisk.into()));
    }

    #[test]
    fn a_promise_is_never_lost_in_silence() {
        let mut atlas = Atlas::new(5);
        let first = MemberId::new(1);
        assert!(
            !atlas.may_damage::<NoTask>(first, &DiskFault::LostWrite { files: Files::Wal, count: 1 }.into())
        );
        assert!(!atlas.is_damaged(first));
        assert!(!write_may_go_astray(Some(Files::Wal), 1 << 20));
        assert!(!write_may_go_astray(Some(Files::Backend), 0));
        assert_eq!(exposed_to_rot(Some(Files::Wal), 1000, 600), 0..600);
    }
}
