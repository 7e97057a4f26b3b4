//! Partitions: which links are cut, and the sets of links that make up each shape of partition.
//!
//! A link is cut while at least one fault cuts it. So two partitions may overlap, and each can heal alone.

use keyed::Draw;

use super::party::{Grid, Pair, Party};

/// How many faults cut each ordered pair.
pub(crate) struct Cuts(Grid<u16>);

impl Cuts {
    pub(crate) fn new(members: u32, clients: usize) -> Cuts {
        Cuts(Grid::new(members, clients, |_| 0))
    }

    /// Whether any fault cuts this pair.
    #[inline]
    pub(crate) fn is_cut(&self, pair: Pair) -> bool {
        self.0[pair] != 0
    }

    /// A fault cuts these pairs.
    pub(crate) fn cut(&mut self, pairs: &[Pair]) {
        for pair in pairs {
            self.0[*pair] += 1;
        }
    }

    /// A fault no longer cuts these pairs.
    pub(crate) fn heal(&mut self, pairs: &[Pair]) {
        for pair in pairs {
            let count = &mut self.0[*pair];
            *count = count.checked_sub(1).unwrap_or_else(|| {
                panic!("the pair {pair:?} is healed more often than it was cut: a fault ended twice")
            });
        }
    }
}

/// All pairs from one group to another, and back if `both`.
pub(crate) fn between(from: &[Party], to: &[Party], both: bool) -> Vec<Pair> {
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

/// The cuts of Jepsen's `majorities-ring`: the members form a ring in random order, and each receives only from
/// its nearest neighbours. Together with the member itself these are a majority, and no two members have the same
/// majority.
pub(crate) fn majorities_ring(members: &[Party], draw: Draw) -> Vec<Pair> {
    let mut ring = members.to_vec();
    draw.shuffle(&mut ring);
    let size = ring.len();
    let others = size / 2; // with itself, a majority
    let (ahead, behind) = (others.div_ceil(2), others / 2);
    let mut pairs = Vec::new();
    for (at, receiver) in ring.iter().enumerate() {
        for step in ahead + 1..size - behind {
            pairs.push((ring[(at + step) % size], *receiver));
        }
    }
    pairs.sort_unstable();
    pairs
}

/// The cuts of Jepsen's `bridge`: two halves that are cut from each other; only the member `bridge` is connected
/// to both.
pub(crate) fn bridge(members: &[Party], bridge: Party, draw: Draw) -> Vec<Pair> {
    let mut others: Vec<Party> = members.iter().copied().filter(|member| *member != bridge).collect();
    draw.shuffle(&mut others);
    let (left, right) = others.split_at(others.len() / 2);
    between(left, right, true)
}

#[cfg(test)]
mod tests {
    use trace::MemberId;

    use super::*;

    fn member(id: u32) -> Party {
        Party::Member(MemberId::new(id))
    }

    fn members(count: u32) -> Vec<Party> {
        (1..=count).map(member).collect()
    }

    #[test]
    fn overlapping_cuts_heal_one_by_one() {
        let mut cuts = Cuts::new(2, 1);
        let (one, two, client) = (member(1), member(2), Party::Client(0));
        let pairs = between(&[one], &[two, client], true);
        cuts.cut(&pairs);
        cuts.cut(&[(one, two)]);
        cuts.heal(&pairs);
        assert!(cuts.is_cut((one, two)) && !cuts.is_cut((two, one)) && !cuts.is_cut((one, client)));
    }

    #[test]
    fn everyone_in_the_ring_hears_a_majority_of_its_own() {
        for count in [3, 5, 7, 9] {
            let all = members(count);
            let pairs = majorities_ring(&all, Draw(9));
            let senders_to = |member: Party| -> Vec<Party> {
                all.iter().copied().filter(|other| !pairs.contains(&(*other, member))).collect()
            };
            for member in &all {
                assert_eq!(senders_to(*member).len() as u32, count / 2 + 1);
                assert!(all.iter().all(|other| other == member || senders_to(*other) != senders_to(*member)));
            }
        }
    }

    #[test]
    fn a_bridge_joins_two_halves() {
        let pairs = bridge(&members(5), member(3), Draw(9));
        assert_eq!(pairs.len(), 8);
        assert!(pairs.iter().all(|(a, b)| *a != member(3) && *b != member(3)));
    }
}
