//! Reads memory before it is needed.

use crate::history::Operation;

/// Reads operations in the order they were added, some way ahead of where they are needed. The order of revisions jumps
/// about within a window; read in sequence the memory comes in time.
pub(crate) struct Ahead<'a> {
    rest: std::slice::Iter<'a, Operation>,
    count: usize,
    sum: u64,
}

impl Ahead<'_> {
    /// Operations read at a time.
    const BLOCK: usize = 256;
    /// How far to be ahead at least, and no more than the caches hold.
    const DISTANCE: usize = 512;

    pub(crate) fn new(operations: &[Operation]) -> Ahead<'_> {
        Ahead { rest: operations.iter(), count: 0, sum: 0 }
    }

    #[inline]
    pub(crate) fn reach(&mut self, number: u32) {
        while self.count < number as usize + Self::DISTANCE {
            self.count += Self::BLOCK;
            for operation in self.rest.by_ref().take(Self::BLOCK) {
                self.sum ^= operation.call;
            }
        }
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        // Else nothing would be read.
        std::hint::black_box(self.sum);
    }
}
