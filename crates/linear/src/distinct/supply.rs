//! Gives takers (takes of unknown outcome) to elements that must have been taken. The head of [`super`] defines the
//! words.
//!
//! A taker can have taken any element, at any time after its call. So if an element must be taken by some position,
//! any taker called by then will do, and the question is only whether there are enough of them. Sort the elements by
//! their deadlines and the takers by their calls, and give the first element the first taker, the second the second,
//! and so on. If that fails, no other choice does better: the k elements with the earliest deadlines need k takers
//! that were called by the k-th deadline.

use super::elements::{Element, NONE, Rows};

/// The demand that an element must have been taken by some position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Demand {
    /// That position.
    pub(super) deadline: u32,
    /// The element's index in `Problem::elements`.
    pub(super) element: u32,
}

/// Gives each demand a taker, as `(demand, row)`, sorted by deadline. The error has demands for which there are too
/// few takers.
pub(super) fn assign(
    rows: &Rows,
    takers: &[u32],
    mut demands: Vec<Demand>,
) -> Result<Vec<(Demand, u32)>, Vec<Demand>> {
    demands.sort_unstable();
    let mut assigned = Vec::with_capacity(demands.len());
    for (place, &demand) in demands.iter().enumerate() {
        match takers.get(place) {
            Some(&row) if rows.call(row) <= demand.deadline => assigned.push((demand, row)),
            _ => return Err(demands[..=place].to_vec()),
        }
    }
    Ok(assigned)
}

/// At which positions there are enough takers for the container to be empty: all elements that stay and were
/// certainly put in before must have been taken by then.
///
/// This is known for each position on its own, and that is enough even if the container is empty at two positions p <
/// q. The elements put in before p must be taken by p, and those put in before q by q; the former are among the
/// latter. Up to a position before q, only the elements put in before p count, and for these there are enough takers
/// because there are enough for p alone. From q on, all count, and there are enough because there are enough for q
/// alone.
pub(super) struct Enough {
    /// By position: the first position from it on at which there are enough takers.
    next: Vec<u32>,
}

impl Enough {
    /// Finds these positions. `deadline` says by when an element must be taken in any case; a position past the end
    /// means that it need not be. The result is `None` if there are too few takers even for these deadlines.
    pub(super) fn new(
        rows: &Rows,
        takers: &[u32],
        elements: &[Element],
        deadline: impl Fn(u32) -> u32,
    ) -> Option<Enough> {
        let end = rows.end() as usize;
        // By position: how many takers were called by then and are not needed for a deadline by then.
        let mut spare = vec![0_i32; end];
        for &row in takers {
            spare[rows.call(row) as usize] += 1;
        }
        let stays = || (0..).zip(elements).filter(|(_, element)| element.stays());
        for (number, _) in stays() {
            if let Some(spare) = spare.get_mut(deadline(number) as usize) {
                *spare -= 1;
            }
        }
        let mut sum = 0;
        for spare in &mut spare {
            sum += *spare;
            *spare = sum;
        }
        if spare.iter().any(|&spare| spare < 0) {
            return None;
        }
        let mut tree = Least::new(&spare);
        // The elements that stay, in the order of the returns of their puts.
        let mut sorted: Vec<(u32, u32)> =
            stays().map(|(number, element)| (element.put_ret, number)).collect();
        sorted.sort_unstable();
        let mut next_put = sorted.into_iter().peekable();
        let mut enough = vec![false; end];
        for (position, enough) in enough.iter_mut().enumerate() {
            while let Some((put_ret, number)) = next_put.next_if(|&(put, _)| (put as usize) < position) {
                // From its deadline on, `spare` counts the element already.
                tree.add(put_ret as usize + 1, (deadline(number) as usize).min(end), -1);
            }
            *enough = tree.least_from(position) >= 0;
        }
        let mut next = vec![NONE; end];
        let mut last = NONE;
        for position in (0..end).rev() {
            if enough[position] {
                last = position as u32;
            }
            next[position] = last;
        }
        Some(Enough { next })
    }

    /// The first position from this one on at which there are enough takers; [`NONE`] if there is none.
    pub(super) fn from(&self, position: u32) -> u32 {
        self.next.get(position as usize).copied().unwrap_or(NONE)
    }
}

/// A list of numbers. Adding to all numbers of a range, and finding the least number of a range, take logarithmic
/// time (a segment tree).
pub(super) struct Least {
    /// A tree; the children of node `i` are `2i` and `2i + 1`. The least number below a node, without what was added
    /// to its ancestors.
    least: Vec<i32>,
    /// By node: what was added to all numbers below it.
    added: Vec<i32>,
    /// How many leaves the tree has, a power of two. The leaf of place `i` is node `leaves + i`.
    leaves: usize,
}

/// Stands for a number that was removed. It stays greater than all numbers, whatever is added to it.
pub(super) const ABSENT: i32 = i32::MAX / 2;

impl Least {
    pub(super) fn new(numbers: &[i32]) -> Least {
        let leaves = numbers.len().next_power_of_two().max(2);
        let mut least = vec![ABSENT; leaves * 2];
        least[leaves..leaves + numbers.len()].copy_from_slice(numbers);
        for node in (1..leaves).rev() {
            least[node] = least[node * 2].min(least[node * 2 + 1]);
        }
        Least { least, added: vec![0; leaves], leaves }
    }

    /// Adds to the numbers from `from` inclusive to `to` exclusive.
    pub(super) fn add(&mut self, from: usize, to: usize, amount: i32) {
        if from >= to {
            return;
        }
        let (mut low, mut high) = (from + self.leaves, to + self.leaves);
        while low < high {
            if low % 2 == 1 {
                self.add_node(low, amount);
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                self.add_node(high, amount);
            }
            (low, high) = (low / 2, high / 2);
        }
        self.repair(from + self.leaves);
        self.repair(to - 1 + self.leaves);
    }

    /// Adds to all numbers below a node.
    fn add_node(&mut self, node: usize, amount: i32) {
        self.least[node] += amount;
        if node < self.leaves {
            self.added[node] += amount;
        }
    }

    /// Updates the nodes above a leaf whose number was changed.
    fn repair(&mut self, leaf: usize) {
        let mut node = leaf / 2;
        while node >= 1 {
            self.least[node] = self.least[node * 2].min(self.least[node * 2 + 1]) + self.added[node];
            node /= 2;
        }
    }

    /// The least number from this place on.
    pub(super) fn least_from(&self, from: usize) -> i32 {
        let mut node = from + self.leaves;
        let mut least = self.least[node];
        while node > 1 {
            if node.is_multiple_of(2) {
                least = least.min(self.least[node + 1]);
            }
            node /= 2;
            least += self.added[node];
        }
        least
    }

    /// Removes the number at a place, so that it is never the least again.
    pub(super) fn remove(&mut self, place: usize) {
        let node = place + self.leaves;
        self.least[node] = ABSENT;
        self.repair(node);
    }

    /// The first place of a range whose number is at most `most`.
    pub(super) fn first_at_most(&self, from: usize, to: usize, most: i32) -> Option<usize> {
        self.search(1, 0, self.leaves, 0, (from, to, most))
    }

    /// The search of [`Least::first_at_most`] below one node, which has the places from `start` on. `above` is what
    /// was added to its ancestors.
    fn search(
        &self,
        node: usize,
        start: usize,
        length: usize,
        above: i32,
        asked: (usize, usize, i32),
    ) -> Option<usize> {
        let (from, to, most) = asked;
        if start >= to || start + length <= from || self.least[node].saturating_add(above) > most {
            return None;
        }
        if length == 1 {
            return Some(start);
        }
        let (half, above) = (length / 2, above + self.added[node]);
        self.search(node * 2, start, half, above, asked)
            .or_else(|| self.search(node * 2 + 1, start + half, half, above, asked))
    }
}
