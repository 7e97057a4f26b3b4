//! Reads memory before it is needed.

use crate::history::Operation;

/// Reads operations in sequence, some way ahead of where they are needed. The order of revisions jumps around within a
/// window of operations; reading that window in sequence brings it into the caches in time.
pub(crate) struct Prefetch<'a> {
    rest: std::slice::Iter<'a, Operation>,
    count: usize,
    sum: u64,
}

impl Prefetch<'_> {
    /// Operations read at a time.
    const BLOCK: usize = 256;
    /// How far to read ahead at least. No more than the caches hold.
    const DISTANCE: usize = 512;

    pub(crate) fn new(operations: &[Operation]) -> Prefetch<'_> {
        Prefetch { rest: operations.iter(), count: 0, sum: 0 }
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

impl Drop for Prefetch<'_> {
    fn drop(&mut self) {
        // Otherwise the compiler would remove the reads.
        std::hint::black_box(self.sum);
    }
}
