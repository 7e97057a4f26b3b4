//! One value for each member of a plan. Here, and nowhere else, an id becomes a position in a table.

use std::ops::{Index, IndexMut};

use crate::MemberId;

impl MemberId {
    /// Its position in a table that has a row for each member of a plan: 0 for member 1. No table is long
    /// enough to have a row for [`MemberId::NONE`].
    #[inline]
    pub const fn slot(self) -> usize {
        (self.raft_id() as usize).wrapping_sub(1)
    }
}

/// A value for each of the members 1, 2, 3, … of a plan, indexed by member id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members<T>(Vec<T>);

/// No members.
impl<T> Default for Members<T> {
    fn default() -> Members<T> {
        Members(Vec::new())
    }
}

impl<T> Members<T> {
    /// A value for each of the first `count` members.
    pub fn new(count: u32, value: impl FnMut(MemberId) -> T) -> Members<T> {
        Members(MemberId::first(count).map(value).collect())
    }

    /// The number of members.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it has a value for this member.
    #[inline]
    pub fn contains(&self, member: MemberId) -> bool {
        member.slot() < self.0.len()
    }

    /// A member's value; `None` if it has none for this id.
    #[inline]
    pub fn get(&self, member: MemberId) -> Option<&T> {
        self.0.get(member.slot())
    }

    /// As [`Members::get`], to change it.
    #[inline]
    pub fn get_mut(&mut self, member: MemberId) -> Option<&mut T> {
        self.0.get_mut(member.slot())
    }

    /// The ids, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = MemberId> + Clone + use<T> {
        MemberId::first(self.0.len() as u32)
    }

    /// The ids with their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (MemberId, &T)> + Clone {
        (1..).map(MemberId::new).zip(&self.0)
    }

    /// The values, in the order of the ids.
    pub fn values(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// As [`Members::values`], to change them.
    pub fn values_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }
}

/// The values of the members 1, 2, 3, …, in this order.
impl<T> FromIterator<T> for Members<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Members<T> {
        Members(values.into_iter().collect())
    }
}

/// # Panics
/// If there is no value for this member.
impl<T> Index<MemberId> for Members<T> {
    type Output = T;

    #[inline]
    fn index(&self, member: MemberId) -> &T {
        &self.0[member.slot()]
    }
}

/// # Panics
/// If there is no value for this member.
impl<T> IndexMut<MemberId> for Members<T> {
    #[inline]
    fn index_mut(&mut self, member: MemberId) -> &mut T {
        &mut self.0[member.slot()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_has_its_own_value() {
        let mut squares = Members::new(3, |id| id.raft_id() * id.raft_id());
        let third = MemberId::new(3);
        assert_eq!((squares.len(), squares[third]), (3, 9));
        squares[third] += 1;
        let pairs: Vec<(u64, u64)> = squares.iter().map(|(id, square)| (id.raft_id(), *square)).collect();
        assert_eq!(pairs, [(1, 1), (2, 4), (3, 10)]);
        assert_eq!(pairs.into_iter().map(|(_, square)| square).collect::<Members<u64>>(), squares);
    }

    #[test]
    fn others_have_none() {
        let members = Members::new(2, |_| ());
        for stranger in [MemberId::NONE, MemberId::new(3), MemberId::from_raft(u64::MAX)] {
            assert!(!members.contains(stranger) && members.get(stranger).is_none(), "{stranger}");
        }
        assert!(members.ids().all(|id| members.contains(id)));
    }
}
