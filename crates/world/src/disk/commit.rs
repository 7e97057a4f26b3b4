//! Backend commits as the disk sees them: how the writes and syncs of the database are spread over virtual
//! time.
//!
//! A commit takes a number of *slots*: writes, a sync, writes, a sync, as many as its content needs by the
//! member's estimate (`contract::Store::shape`). Each slot is an operation like any other: it has an
//! ordinal, and a time that a draw decides. The operations that the database performs have neither: each
//! happens at the end of a slot. So what a run does depends on the content of a commit, but not on whether,
//! when or how the database writes it. It may write it at once, or only when the process ends (see
//! `keeper.rs`): then a crash tears it in the same way.
//!
//! Which slot: the syncs of the commit are those of the slots, in order. The writes before a sync go to the
//! slots before it, one to each, and those that are left over to the last one. A sync right after a change of
//! the file's length is not one of the commit's: the database makes a grown file durable before it uses the
//! new space. It goes with the writes.

use contract::disk::DiskOp;

use super::stamp::Stamp;

/// Which slots a commit takes.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    /// The ordinal of the first one.
    first: u64,
    /// For each sync of the commit, how many writes come before it. Never empty, and no number is 0.
    writes: Vec<u32>,
}

impl Slots {
    pub(super) fn new(first: u64, writes: &[u32]) -> Slots {
        assert!(!writes.is_empty() && !writes.contains(&0), "a commit has no such shape: {writes:?}");
        Slots { first, writes: writes.to_vec() }
    }

    /// The ordinal before the first one: what the commit builds on was written there at the latest.
    pub(super) fn before(&self) -> u64 {
        self.first - 1
    }

    /// The way through the slots, from the first one on.
    pub(super) fn walk(&self) -> Walk {
        Walk { slots: self.clone(), passed: 0, written: 0, part: 0, grew: false, over: false }
    }
}

/// Assigns the operations of a commit to slots, in the order in which the database performs them.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    slots: Slots,
    /// How many syncs were assigned.
    passed: usize,
    /// How many writes were assigned since the last sync.
    written: u32,
    /// How many operations were assigned.
    part: u32,
    /// Whether the last operation changed the file's length.
    grew: bool,
    /// Whether the last sync was assigned. What follows goes with it.
    over: bool,
}

impl Walk {
    /// The slot of the next operation.
    pub(super) fn assign(&mut self, op: &DiskOp) -> Stamp {
        self.part += 1;
        let grew = std::mem::replace(&mut self.grew, matches!(op, DiskOp::Truncate { .. }));
        let syncs = matches!(op, DiskOp::Sync { .. }) && !grew;
        let writes = self.slots.writes[self.passed];
        let ordinal = if self.over || syncs {
            self.slots.first + u64::from(writes)
        } else {
            self.written += 1;
            self.slots.first + u64::from(self.written.min(writes) - 1)
        };
        if syncs && !self.over {
            self.over = self.passed + 1 == self.slots.writes.len();
            if !self.over {
                self.passed += 1;
                self.slots.first = ordinal + 1;
                self.written = 0;
            }
        }
        Stamp { ordinal, part: self.part }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slots of these operations: `w` for a write, `l` for a change of the length, `s` for a sync.
    fn assigned(writes: &[u32], ops: &str) -> Vec<u64> {
        let mut walk = Slots::new(1, writes).walk();
        let path = || "db/1".into();
        let ops = ops.chars().map(|op| match op {
            'w' => DiskOp::WriteAt { path: path(), offset: 0, data: bytes::Bytes::new() },
            'l' => DiskOp::Truncate { path: path(), len: 0 },
            _ => DiskOp::Sync { path: path() },
        });
        ops.map(|op| walk.assign(&op).ordinal).collect()
    }

    #[test]
    fn the_syncs_of_a_commit_are_those_of_its_slots() {
        assert_eq!(assigned(&[3, 1], "wwwsws"), [1, 2, 3, 4, 5, 6]);
        assert_eq!(assigned(&[3, 1], "wsws"), [1, 4, 5, 6], "fewer writes");
        assert_eq!(assigned(&[2, 1], "wwwwsws"), [1, 2, 2, 2, 3, 4, 5], "more writes");
        assert_eq!(assigned(&[1, 1, 1, 1], "wswswsws"), [1, 2, 3, 4, 5, 6, 7, 8], "two transactions");
    }

    #[test]
    fn growing_and_shrinking_the_file_has_no_slots_of_its_own() {
        assert_eq!(assigned(&[4, 1], "lswwsws"), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(assigned(&[1, 1], "wswsl"), [1, 2, 3, 4, 4], "shrunk after the last sync");
    }
}
