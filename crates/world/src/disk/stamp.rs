//! The order of all operations of a disk.

/// When an operation was submitted, in the order of all operations of the disk's life.
///
/// Most operations have an ordinal of their own. Those that write a backend commit share the ordinals of the
/// commit's slots (see `commit.rs`): how many there are depends on the database library and on what its file
/// held before, and nothing but the content of that file may depend on that. Draws are keyed by the ordinal
/// alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    /// The operation's ordinal, or that of its slot.
    pub(super) ordinal: u64,
    /// Its place among the operations that share this ordinal; 0 if no other operation has it.
    pub(super) part: u32,
}

impl Stamp {
    /// The stamp of an operation that has an ordinal of its own.
    pub(super) fn of(ordinal: u64) -> Stamp {
        Stamp { ordinal, part: 0 }
    }

    /// A key for draws that must differ between operations with the same ordinal.
    pub(super) fn key(self) -> u64 {
        self.ordinal ^ u64::from(self.part) << 40
    }
}
