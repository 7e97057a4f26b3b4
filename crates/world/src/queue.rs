//! The heap of future events (rule R1 of ARCHITECTURE.md), ordered by virtual time, then by the order in
//! which they were pushed.
//!
//! Invariant: time never goes back. An event that is pushed for a time in the past happens now.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use trace::Nanos;

/// An event, its time, and the number that orders events of the same time.
struct Entry<T> {
    time: Nanos,
    sequence: u64,
    what: T,
}

impl<T> Entry<T> {
    /// Its place in the order, as one number, because one is cheaper to compare than two.
    #[inline]
    fn place(&self) -> u128 {
        u128::from(self.time) << 64 | u128::from(self.sequence)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    /// The earliest event is the greatest, because `BinaryHeap` pops the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.place().cmp(&self.place())
    }
}

/// The future events.
pub(crate) struct Queue<T> {
    heap: BinaryHeap<Entry<T>>,
    /// The time of the event that was taken last.
    now: Nanos,
    /// How many events were pushed.
    sequence: u64,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Queue<T> {
        Queue { heap: BinaryHeap::with_capacity(1024), now: 0, sequence: 0 }
    }

    /// The time of the last popped event.
    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        self.now
    }

    /// Events of the same time happen in the order in which they were pushed.
    #[inline]
    pub(crate) fn push(&mut self, time: Nanos, what: T) {
        self.sequence += 1;
        self.heap.push(Entry { time: time.max(self.now), sequence: self.sequence, what });
    }

    /// The next event; time advances to it.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        let entry = self.heap.pop()?;
        self.now = entry.time;
        Some(entry.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_then_order_of_entry() {
        let mut queue = Queue::new();
        for (time, what) in [(5, 'c'), (3, 'a'), (5, 'd'), (3, 'b')] {
            queue.push(time, what);
        }
        let mut seen = String::new();
        while let Some(what) = queue.pop() {
            seen.push(what);
            if what == 'c' {
                queue.push(1, 'e');
            }
        }
        assert_eq!((seen.as_str(), queue.now()), ("abcde", 5));
    }
}
