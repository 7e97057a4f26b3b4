//! Reads memory before it is needed, so that the processor does not wait for it.

use crate::history::Operation;

/// Reads the operations of a history in sequence, ahead of where they are needed. The pass goes by revision, so it
/// jumps back and forth among operations that are close together. Reading these in sequence brings them into the caches
/// in time.
pub(crate) struct Prefetch<'a> {
    /// The operations not read so far.
    rest: std::slice::Iter<'a, Operation>,
    /// How many were read.
    count: usize,
    /// A sum of what was read, so that the compiler keeps the reads.
    sum: u64,
}

impl Prefetch<'_> {
    /// How many operations are read at a time.
    const BLOCK: usize = 256;
    /// The minimum number of operations to stay ahead. More would not fit into the caches.
    const DISTANCE: usize = 512;

    pub(crate) fn new(operations: &[Operation]) -> Prefetch<'_> {
        Prefetch { rest: operations.iter(), count: 0, sum: 0 }
    }

    /// Reads ahead, now that the operation with this index is needed.
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
        // If nothing used the sum, the compiler would remove the reads.
        std::hint::black_box(self.sum);
    }
}
