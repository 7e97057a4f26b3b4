//! The ends of a link: a member or a client, called a *party*. Also a table with one cell for each link, that is, for
//! each ordered pair of parties ([`Grid`]).

use std::ops::{Index, IndexMut};

use trace::MemberId;

/// Who sends or receives packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// A member.
    Member(MemberId),
    /// A client, by its number: one of the plan, or another caller, whose number comes after theirs.
    Client(usize),
}

/// An ordered pair of parties: the sender and the receiver.
pub(crate) type Pair = (Party, Party);

impl Party {
    /// The id by which facts (events of the trace) name it. All clients share the id [`MemberId::NONE`].
    #[inline]
    pub(crate) fn in_facts(self) -> MemberId {
        match self {
            Party::Member(member) => member,
            Party::Client(_) => MemberId::NONE,
        }
    }

    /// A number of 32 bits that identifies it. Random draws for a link use it, so it must not depend on how many
    /// clients or members there are.
    fn key(self) -> u64 {
        match self {
            Party::Member(member) => member.raft_id(),
            Party::Client(client) => client as u64 | 1 << 31,
        }
    }
}

/// A number that identifies a pair, for random draws.
pub(super) fn pair_key((from, to): Pair) -> u64 {
    from.key() << 32 | to.key()
}

/// All ordered pairs of this many members and clients, first by sender and then by receiver.
fn pairs(members: u32, clients: usize) -> impl Iterator<Item = Pair> {
    let all = MemberId::first(members).map(Party::Member).chain((0..clients).map(Party::Client));
    all.clone().flat_map(move |from| all.clone().map(move |to| (from, to)))
}

/// A value for each ordered pair of parties.
pub(crate) struct Grid<T> {
    /// How many members there are. They come before the clients.
    members: usize,
    /// How many members and clients there are.
    parties: usize,
    /// The values, first by sender and then by receiver.
    cells: Vec<T>,
}

impl<T> Grid<T> {
    pub(crate) fn new(members: u32, clients: usize, mut value: impl FnMut(Pair) -> T) -> Grid<T> {
        let cells = pairs(members, clients).map(&mut value).collect();
        Grid { members: members as usize, parties: members as usize + clients, cells }
    }

    /// How many clients there are.
    pub(crate) fn clients(&self) -> usize {
        self.parties - self.members
    }

    /// Does something with each value and its pair.
    pub(crate) fn each(&mut self, mut change: impl FnMut(Pair, &mut T)) {
        let all = pairs(self.members as u32, self.clients());
        all.zip(&mut self.cells).for_each(|(pair, value)| change(pair, value));
    }

    pub(crate) fn values_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.cells.iter_mut()
    }

    /// The index of a pair in `cells`.
    #[inline]
    fn cell(&self, (from, to): Pair) -> usize {
        let slot = |party: Party| match party {
            Party::Member(member) => member.slot(),
            Party::Client(client) => self.members + client,
        };
        slot(from) * self.parties + slot(to)
    }
}

impl<T> Index<Pair> for Grid<T> {
    type Output = T;

    #[inline]
    fn index(&self, pair: Pair) -> &T {
        &self.cells[self.cell(pair)]
    }
}

impl<T> IndexMut<Pair> for Grid<T> {
    #[inline]
    fn index_mut(&mut self, pair: Pair) -> &mut T {
        let cell = self.cell(pair);
        &mut self.cells[cell]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_has_its_own_cell_and_its_own_key() {
        let grid = Grid::new(3, 2, |pair| pair);
        let mut keys = Vec::new();
        for pair @ (from, to) in &grid.cells {
            assert_eq!(grid[(*from, *to)], *pair);
            keys.push(pair_key(*pair));
        }
        assert_eq!(keys.len(), 25);
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 25);
        let larger = Grid::new(4, 5, pair_key);
        assert!(grid.cells.iter().all(|pair| larger[*pair] == pair_key(*pair)));
    }
}
