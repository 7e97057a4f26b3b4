//! A table by log index that keeps only the newest indexes.
//!
//! A run of many virtual hours applies millions of entries. Entries that no member can report any more are forgotten. A
//! member that never comes back would prevent that for ever, so indexes more than [`WINDOW`] behind the newest one are
//! forgotten even if a member may still report them.

use std::collections::VecDeque;

/// The highest number of indexes that are remembered.
pub(super) const WINDOW: usize = 100_000;

/// Values by index.
#[derive(Clone, Debug)]
pub(super) struct Window<T> {
    /// Index of the first slot.
    base: u64,
    slots: VecDeque<Option<T>>,
}

impl<T> Window<T> {
    /// An empty window.
    pub fn new() -> Window<T> {
        Window { base: 1, slots: VecDeque::new() }
    }

    /// The value at `index`, if there was one and it is not forgotten.
    #[inline]
    pub fn get(&self, index: u64) -> Option<&T> {
        self.slots.get(usize::try_from(index.checked_sub(self.base)?).ok()?)?.as_ref()
    }

    /// The value at `index`, to change it.
    #[inline]
    pub fn get_mut(&mut self, index: u64) -> Option<&mut T> {
        self.slots.get_mut(usize::try_from(index.checked_sub(self.base)?).ok()?)?.as_mut()
    }

    /// Remembers a value, unless its index is forgotten already.
    #[inline]
    pub fn put(&mut self, index: u64, value: T) {
        let Some(at) = index.checked_sub(self.base) else { return };
        let end = self.slots.len() as u64;
        if at == end {
            if self.slots.len() == WINDOW {
                self.slots.pop_front();
                self.base += 1;
            }
            self.slots.push_back(Some(value));
        } else if at < end {
            self.slots[at as usize] = Some(value);
        } else {
            self.jump(index);
            self.slots.push_back(Some(value));
        }
    }

    /// Makes `index` the next slot, skipping indexes that were never reported.
    #[cold]
    fn jump(&mut self, index: u64) {
        if index - self.base >= 2 * WINDOW as u64 {
            *self = Window { base: index, slots: VecDeque::new() };
        }
        while self.base + (self.slots.len() as u64) < index {
            self.slots.push_back(None);
        }
        self.forget_below(index.saturating_sub(WINDOW as u64 - 1));
    }

    /// Forgets everything below `floor`.
    pub fn forget_below(&mut self, floor: u64) {
        while self.base < floor && self.slots.pop_front().is_some() {
            self.base += 1;
        }
    }

    /// Forgets everything above `last`.
    pub fn forget_above(&mut self, last: u64) {
        let keep = (last + 1).saturating_sub(self.base);
        self.slots.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
    }

    /// The lowest index that can be remembered.
    #[inline]
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The indexes after `last` that are kept.
    pub fn indexes_after(&self, last: u64) -> std::ops::Range<u64> {
        (last + 1).max(self.base)..self.base + self.slots.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_indexes_stay_and_the_window_has_a_bound() {
        let mut window = Window::new();
        (1..=WINDOW as u64 + 7).for_each(|index| window.put(index, index));
        assert_eq!((window.get(7), window.get(8)), (None, Some(&8)));
        assert_eq!(window.slots.len(), WINDOW);
        window.put(3, 3);
        assert_eq!(window.get(3), None, "what is forgotten stays so");
        window.forget_below(100);
        assert_eq!((window.get(99), window.get(100)), (None, Some(&100)));
        window.forget_above(200);
        assert_eq!((window.get(200), window.get(201)), (Some(&200), None));
        window.forget_above(7);
        window.put(100, 1);
        assert_eq!((window.get(100), window.slots.len()), (Some(&1), 1));
    }

    #[test]
    fn a_jump_leaves_a_hole_and_keeps_the_bound() {
        let mut window = Window::new();
        window.put(1, 'a');
        window.put(5, 'b');
        assert_eq!((window.get(1), window.get(3), window.get(5)), (Some(&'a'), None, Some(&'b')));
        window.put(5 + WINDOW as u64, 'c');
        assert_eq!((window.get(5), window.get(5 + WINDOW as u64)), (None, Some(&'c')));
        window.put(1 << 60, 'd');
        assert_eq!((window.get(1 << 60), window.slots.len()), (Some(&'d'), 1));
    }
}
