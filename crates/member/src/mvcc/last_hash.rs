//! What a store remembers of the last hash of its rows, so that the next one needs to read only the rows after it.

use std::cell::Cell;

/// The last hash of a store. Rows up to a revision of the past change only by a compaction.
pub(super) type LastHash = Cell<Prefix>;

/// A hash of the rows up to a revision.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Prefix {
    /// The compact revision when it was taken.
    pub(super) compacted: i64,
    /// The last revision in it; 0 if there is none.
    pub(super) revision: i64,
    pub(super) hash: u32,
}
