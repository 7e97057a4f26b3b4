//! Partitions: which ordered pairs of processes cannot hear each other, and the shapes they come in.
//!
//! Processes are numbered: members from 0 (member 1), clients after them. A pair is cut while at
//! least one fault cuts it, so overlapping partitions heal one by one.

use keyed::Draw;

/// An ordered pair of processes: the sender, and the one that does not hear it.
pub(crate) type Pair = (usize, usize);

/// How many faults cut each ordered pair.
pub(crate) struct Cuts {
    processes: usize,
    counts: Vec<u16>,
}

impl Cuts {
    pub(crate) fn new(processes: usize) -> Cuts {
        Cuts { processes, counts: vec![0; processes * processes] }
    }

    #[inline]
    pub(crate) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.counts[from * self.processes + to] != 0
    }

    pub(crate) fn cut(&mut self, pairs: &[Pair]) {
        for (from, to) in pairs {
            self.counts[from * self.processes + to] += 1;
        }
    }

    pub(crate) fn heal(&mut self, pairs: &[Pair]) {
        for (from, to) in pairs {
            let count = &mut self.counts[from * self.processes + to];
            *count = count.checked_sub(1).unwrap_or_else(|| {
                panic!("the pair {from} to {to} is healed more often than it was cut: a fault ended twice")
            });
        }
    }
}

/// All pairs from one group to another, and back if `both`.
pub(crate) fn between(from: &[usize], to: &[usize], both: bool) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for &a in from {
        for &b in to.iter().filter(|b| **b != a) {
            pairs.push((a, b));
            if both {
                pairs.push((b, a));
            }
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

/// A ring in random order in which each member hears a majority of nearest neighbours, itself
/// included, and no two hear the same one (Jepsen's `majorities-ring`).
pub(crate) fn majorities_ring(members: usize, draw: Draw) -> Vec<Pair> {
    let mut ring: Vec<usize> = (0..members).collect();
    draw.shuffle(&mut ring);
    let others = members / 2; // with itself, a majority
    let (ahead, behind) = (others.div_ceil(2), others / 2);
    let mut pairs = Vec::new();
    for place in 0..members {
        for step in ahead + 1..members - behind {
            pairs.push((ring[(place + step) % members], ring[place]));
        }
    }
    pairs.sort_unstable();
    pairs
}

/// Two halves, and `bridge`, the only member connected to both (Jepsen's `bridge`).
pub(crate) fn bridge(members: usize, bridge: usize, draw: Draw) -> Vec<Pair> {
    let mut others: Vec<usize> = (0..members).filter(|member| *member != bridge).collect();
    draw.shuffle(&mut others);
    let (left, right) = others.split_at(others.len() / 2);
    between(left, right, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_cuts_heal_one_by_one() {
        let mut cuts = Cuts::new(3);
        let pairs = between(&[0], &[1, 2], true);
        cuts.cut(&pairs);
        cuts.cut(&[(0, 1)]);
        cuts.heal(&pairs);
        assert!(cuts.is_cut(0, 1) && !cuts.is_cut(1, 0) && !cuts.is_cut(0, 2));
    }

    #[test]
    fn everyone_in_the_ring_hears_a_majority_of_its_own() {
        for members in [3, 5, 7, 9] {
            let pairs = majorities_ring(members, Draw(9));
            let heard = |member: usize| -> Vec<usize> {
                (0..members).filter(|other| !pairs.contains(&(*other, member))).collect()
            };
            for member in 0..members {
                assert_eq!(heard(member).len(), members / 2 + 1);
                assert!((0..member).all(|other| heard(other) != heard(member)));
            }
        }
    }

    #[test]
    fn a_bridge_joins_two_halves() {
        let pairs = bridge(5, 2, Draw(9));
        assert_eq!(pairs.len(), 8);
        assert!(pairs.iter().all(|(a, b)| *a != 2 && *b != 2));
    }
}
