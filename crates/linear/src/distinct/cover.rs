//! Finds the positions at which a container cannot be empty. The head of [`super`] defines the words.
//!
//! An element is certainly in the container at every position between the return of its put and the call of its take,
//! both exclusive: there it is *certain*. At any other position p it can be away. For if its put returned at p or
//! later, both the put and the take (which returns no earlier) can have come after p. Otherwise its take was called
//! at p or earlier, and both can have come before p.

use super::elements::{Element, NONE};

/// The positions that some intervals cover. Intervals do not contain their ends.
pub(super) struct Cover {
    /// By position: the first position from it on that no interval covers (a *free* one).
    free: Vec<u32>,
}

impl Cover {
    /// The positions that these intervals cover. `end` is greater than all positions.
    pub(super) fn new(end: u32, intervals: impl Iterator<Item = (u32, u32)>) -> Cover {
        let mut change = vec![0_i32; end as usize + 2];
        for (from, to) in intervals {
            change[(from as usize + 1).min(end as usize + 1)] += 1;
            change[(to as usize).min(end as usize + 1)] -= 1;
        }
        let mut depth = 0;
        let mut free = vec![NONE; end as usize + 1];
        for (position, change) in change[..=end as usize].iter().enumerate() {
            depth += change;
            if depth == 0 {
                free[position] = position as u32;
            }
        }
        let mut next = NONE;
        for free in free.iter_mut().rev() {
            next = next.min(*free);
            *free = next;
        }
        Cover { free }
    }

    /// The first free position from this one on, [`NONE`] if there is none before the end.
    pub(super) fn free_from(&self, position: u32) -> u32 {
        self.free.get(position as usize).copied().unwrap_or(NONE)
    }
}

/// The positions that some intervals cover, to which more intervals can be added (a union-find structure).
pub(super) struct Growing {
    /// By position: itself if it is free; otherwise a later position, from which the list leads on to the next free
    /// one.
    next: Vec<u32>,
}

impl Growing {
    /// Without any intervals yet. `end` is greater than all positions, and always free.
    pub(super) fn new(end: u32) -> Growing {
        Growing { next: (0..=end).collect() }
    }

    /// The first free position from this one on.
    pub(super) fn free_from(&mut self, position: u32) -> u32 {
        let mut at = position.min(self.next.len() as u32 - 1);
        while self.next[at as usize] != at {
            let further = self.next[self.next[at as usize] as usize];
            self.next[at as usize] = further;
            at = further;
        }
        at
    }

    /// Adds an interval, without its ends.
    pub(super) fn cover(&mut self, from: u32, to: u32) {
        let end = self.next.len() as u32 - 1;
        let mut at = self.free_from(from + 1);
        while at < to.min(end) {
            self.next[at as usize] = at + 1;
            at = self.free_from(at + 1);
        }
    }
}

/// As few intervals as possible that together cover all positions from `from` to `to`, both inclusive, as the numbers
/// of their elements; `None` if no intervals do. Each interval is the number of an element and the two ends, which it
/// does not contain.
pub(super) fn chain(
    from: u32,
    to: u32,
    intervals: impl Iterator<Item = (u32, u32, u32)>,
) -> Option<Vec<u32>> {
    let mut sorted: Vec<(u32, u32, u32)> =
        intervals.filter(|&(_, start, end)| start < to && end > from).collect();
    sorted.sort_unstable_by_key(|&(_, start, _)| start);
    let mut chain = Vec::new();
    let mut position = from;
    let mut next = sorted.into_iter().peekable();
    let mut furthest = (position, NONE);
    while position <= to {
        while let Some((number, _, end)) = next.next_if(|&(_, start, _)| start < position) {
            furthest = furthest.max((end, number));
        }
        if furthest.0 <= position {
            return None;
        }
        chain.push(furthest.1);
        position = furthest.0;
    }
    Some(chain)
}

/// The intervals in which the elements are certain, each with the element's index in the list.
pub(super) fn certain(elements: &[Element]) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
    let all = (0..).zip(elements).filter(|(_, element)| element.certain());
    all.map(|(number, element)| (number, element.put_ret, element.gone_call))
}
