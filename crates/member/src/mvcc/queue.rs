//! A sorted queue, in blocks, so that it never moves all its items when it grows.

use std::collections::VecDeque;

const BLOCK: usize = 256;

/// A queue whose items are added in ascending order. No block is empty.
#[derive(Clone, Debug)]
pub(super) struct Queue<T>(VecDeque<VecDeque<T>>);

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue(VecDeque::new())
    }
}

impl<T> Queue<T> {
    pub(super) fn front(&self) -> Option<&T> {
        self.0.front()?.front()
    }

    pub(super) fn back(&self) -> Option<&T> {
        self.0.back()?.back()
    }

    pub(super) fn back_mut(&mut self) -> Option<&mut T> {
        self.0.back_mut()?.back_mut()
    }

    pub(super) fn push(&mut self, item: T) {
        match self.0.back_mut() {
            Some(block) if block.len() < BLOCK => block.push_back(item),
            _ => self.0.push_back([item].into()),
        }
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let block = self.0.front_mut()?;
        let item = block.pop_front();
        if block.is_empty() {
            self.0.pop_front();
        }
        item
    }

    /// The last item for which `holds` is true. It must be true for the first items and false for all others.
    pub(super) fn last(&self, holds: impl Fn(&T) -> bool) -> Option<&T> {
        let block = self.0.partition_point(|block| block.front().is_some_and(&holds)).checked_sub(1)?;
        let block = &self.0[block];
        block.get(block.partition_point(holds).checked_sub(1)?)
    }

    /// Removes items for which `holds` is true, but never the last one of them. Some of the others may stay, too.
    pub(super) fn forget(&mut self, holds: impl Fn(&T) -> bool) {
        while self.0.get(1).and_then(VecDeque::front).is_some_and(&holds) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_found_in_any_block() {
        let mut queue = Queue::default();
        (0..1_000).for_each(|item| queue.push(item));
        for below in [0, 1, 255, 256, 257, 999, 1_000, 2_000] {
            let last = (below > 0).then(|| below.min(1_000) - 1);
            assert_eq!(queue.last(|item| *item < below).copied(), last, "below {below}");
        }
        queue.forget(|item| *item < 600);
        assert_eq!((queue.last(|item| *item < 600), queue.back()), (Some(&599), Some(&999)));
        let first = queue.front().copied().unwrap();
        assert!((1..600).contains(&first));
        let popped: Vec<i32> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(popped, (first..1_000).collect::<Vec<_>>());
        assert!(queue.front().is_none() && queue.back_mut().is_none());
    }
}
