//! The id of a member: one type for plans, runs, facts and histories.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of a member, as etcd has it: the same number identifies it in raft and in the API.
///
/// The members of a plan have the ids 1, 2, 3, …; members that faults add take the ids after those. A cluster
/// that derives ids from URLs, as etcd does by default, uses all 64 bits. 0 is [`MemberId::NONE`].
///
/// It prints as the bare number, and is a bare number in files.
///
/// ```
/// use etcdsim_trace::MemberId;
///
/// let second = MemberId::new(2);
/// assert_eq!(second, MemberId::from_raft(2));
/// assert_eq!(format!("member {second}"), "member 2");
/// assert!(MemberId::NONE.is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemberId(u64);

impl MemberId {
    /// No member: a client, the world as a whole, an unknown leader, a vote for nobody.
    pub const NONE: MemberId = MemberId(0);

    /// The member of a plan with this number, from 1; 0 is no member.
    #[inline]
    pub const fn new(number: u32) -> MemberId {
        MemberId(number as u64)
    }

    /// The member with this id in raft or in etcd's API; 0 is no member.
    #[inline]
    pub const fn from_raft(id: u64) -> MemberId {
        MemberId(id)
    }

    /// Its id in raft and in etcd's API; 0 for no member.
    #[inline]
    pub const fn raft_id(self) -> u64 {
        self.0
    }

    /// Whether it is no member.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether it is one of the first `count` members of a plan.
    #[inline]
    pub const fn is_among_first(self, count: u32) -> bool {
        0 < self.0 && self.0 <= count as u64
    }

    /// The first `count` members of a plan, in order.
    pub fn first(count: u32) -> impl DoubleEndedIterator<Item = MemberId> + Clone {
        (1..=count).map(MemberId::new)
    }
}

impl From<u32> for MemberId {
    #[inline]
    fn from(number: u32) -> MemberId {
        MemberId::new(number)
    }
}

/// The number of a member of a plan.
impl FromStr for MemberId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<MemberId, ParseIntError> {
        text.parse().map(MemberId::new)
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_of_a_plan_are_numbered_from_1() {
        assert_eq!(MemberId::first(2).collect::<Vec<_>>(), [MemberId::new(1), MemberId::new(2)]);
        let among = |id: u64| MemberId::from_raft(id).is_among_first(2);
        assert_eq!([0, 1, 2, 3, u64::MAX].map(among), [false, true, true, false, false]);
        assert_eq!("7".parse(), Ok(MemberId::new(7)));
        assert!("m7".parse::<MemberId>().is_err() && "4294967296".parse::<MemberId>().is_err());
    }

    #[test]
    fn it_prints_and_is_saved_as_a_number() {
        let id = MemberId::new(3);
        assert_eq!(format!("{id} {id:?} {id:>2} {:?}", [id]), "3 3  3 [3]");
        assert_eq!(serde_json::to_string(&id).unwrap(), "3");
        assert_eq!(serde_json::from_str::<MemberId>("3").unwrap(), id);
        let hashed = MemberId::from_raft(0xbdae_9bbc_11dd_390d);
        assert_eq!(hashed.to_string(), "13668033151171901709");
        assert_eq!(hashed.raft_id(), 0xbdae_9bbc_11dd_390d);
    }
}
