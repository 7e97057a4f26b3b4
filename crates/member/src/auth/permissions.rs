//! Computes which key ranges a user may read and write, from the permissions of all its roles
//! (`server/auth/range_perm_cache.go`). Ranges that touch or overlap are merged, so that a request's range is
//! permitted exactly if one merged range contains it.

use std::collections::BTreeMap;

use api::authpb::Permission;
use api::authpb::permission::Type;
use bytes::Bytes;

use super::{State, User};

/// The kind of access needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Read,
    Write,
}

/// The keys from `start`, inclusive, to `end`, exclusive. Without an end, all keys from `start` on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Interval {
    start: Bytes,
    end: Option<Bytes>,
}

/// One user's permissions. The intervals of each list are sorted and do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Permissions {
    read: Vec<Interval>,
    write: Vec<Interval>,
}

/// Whether a permission may have this range: a single key, a range that is not empty, or all keys from `key`
/// on.
pub(super) fn is_valid_range(key: &[u8], range_end: &[u8]) -> bool {
    !key.is_empty() && (range_end.is_empty() || range_end == [0] || key < range_end)
}

impl State {
    /// Each user's permissions.
    pub(super) fn permissions(&self) -> BTreeMap<String, Permissions> {
        let of = |user: &User| {
            let roles = user.roles.iter().filter_map(|role| self.roles.get(role)).flatten();
            Permissions::of(roles)
        };
        self.users.iter().map(|(name, user)| (name.clone(), of(user))).collect()
    }
}

impl Permissions {
    /// The ranges that these permissions allow to read and to write.
    fn of<'a>(permissions: impl Iterator<Item = &'a Permission>) -> Permissions {
        let (mut read, mut write) = (Vec::new(), Vec::new());
        for permission in permissions {
            let interval = || Interval::new(&permission.key, &permission.range_end);
            match Type::try_from(permission.perm_type) {
                Ok(Type::Read) => read.push(interval()),
                Ok(Type::Write) => write.push(interval()),
                Ok(Type::Readwrite) => {
                    read.push(interval());
                    write.push(interval());
                }
                Err(_) => {} // etcd stores it, but it permits nothing
            }
        }
        Permissions { read: merged(read), write: merged(write) }
    }

    /// Whether the user has access to all keys of a range. `key` and `range_end` are as in a request.
    pub(super) fn allow(&self, need: Need, key: &[u8], range_end: &[u8]) -> bool {
        let mut intervals = match need {
            Need::Read => self.read.iter(),
            Need::Write => self.write.iter(),
        };
        intervals.any(|interval| interval.covers(key, range_end))
    }
}

impl Interval {
    fn new(key: &Bytes, range_end: &[u8]) -> Interval {
        let end = match range_end {
            [] => Some([&key[..], &[0]].concat().into()),
            [0] => None,
            _ => Some(Bytes::copy_from_slice(range_end)),
        };
        Interval { start: key.clone(), end }
    }

    /// Whether a key is in this interval.
    fn contains(&self, key: &[u8]) -> bool {
        self.start <= key && self.end.as_ref().is_none_or(|end| key < end)
    }

    /// Whether this interval contains a range. A range whose end is not after its start has no keys; it counts as
    /// contained if its start is, as in etcd's interval tree (`pkg/adt`). If the end is before the start, etcd fails to
    /// find some of these ranges, depending on the shape of its tree; here all are found.
    fn covers(&self, key: &[u8], range_end: &[u8]) -> bool {
        match range_end {
            [] => self.contains(key),
            [0] => self.contains(key) && self.end.is_none(),
            _ if range_end <= key => self.contains(key),
            _ => {
                let ends_within = self.end.as_ref().is_none_or(|end| range_end <= end);
                self.contains(key) && ends_within
            }
        }
    }
}

/// Merges intervals that touch or overlap, and sorts them.
fn merged(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_unstable_by(|a, b| a.start.cmp(&b.start));
    let mut merged: Vec<Interval> = Vec::new();
    for next in intervals {
        match merged.last_mut() {
            Some(last) if last.end.as_ref().is_none_or(|end| next.start <= end) => {
                // An interval without an end already has all keys.
                if let Some(end) = &last.end
                    && next.end.as_ref().is_none_or(|later| later > end)
                {
                    last.end = next.end;
                }
            }
            _ => merged.push(next),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions(ranges: &[(&'static str, &'static str)]) -> Permissions {
        let permission = |(key, range_end): &(&'static str, &'static str)| Permission {
            perm_type: Type::Read as i32,
            key: (*key).into(),
            range_end: (*range_end).into(),
        };
        let all: Vec<_> = ranges.iter().map(permission).collect();
        Permissions::of(all.iter())
    }

    #[test]
    fn neighbours_are_one() {
        let intervals = |ranges| permissions(ranges).read.len();
        assert_eq!(intervals(&[("a", "c"), ("c", "e")]), 1);
        assert_eq!(intervals(&[("b", "d"), ("a", "c"), ("a", "b")]), 1);
        assert_eq!(intervals(&[("a", ""), ("a\0", "")]), 1);
        assert_eq!(intervals(&[("a", ""), ("b", "")]), 2);
        assert_eq!(intervals(&[("a", "\0"), ("b", "d"), ("z", "")]), 1);
    }

    #[test]
    fn which_ranges_are_covered() {
        let mine = permissions(&[("b", "d"), ("d", "f"), ("k", ""), ("x", "\0")]);
        for (key, range_end, allowed) in [
            ("b", "", true),
            ("f", "", false),
            ("e", "", true),
            ("b", "f", true),
            ("c", "e", true),
            ("b", "g", false),
            ("a", "c", false),
            ("k", "", true),
            ("k", "k\0", true),
            ("k", "l", false),
            ("x", "\0", true),
            ("z", "\0", true),
            ("b", "\0", false),
            ("w", "\0", false),
            // Empty ranges.
            ("e", "c", true),
            ("e", "b", true),
            ("b", "b", true),
            ("c", "c", true),
            ("d", "d", true),
            ("f", "f", false),
            ("h", "g", false),
        ] {
            assert_eq!(
                mine.allow(Need::Read, key.as_bytes(), range_end.as_bytes()),
                allowed,
                "{key} {range_end}"
            );
            assert!(!mine.allow(Need::Write, key.as_bytes(), range_end.as_bytes()));
        }
        assert!(permissions(&[("\0", "\0")]).allow(Need::Read, b"\0", b"\0"));
    }

    #[test]
    fn which_ranges_may_be_granted() {
        for (key, range_end, valid) in [
            ("a", "", true),
            ("a", "b", true),
            ("a", "\0", true),
            ("b", "a", false),
            ("a", "a", false),
            ("", "a", false),
        ] {
            assert_eq!(is_valid_range(key.as_bytes(), range_end.as_bytes()), valid, "{key:?} {range_end:?}");
        }
    }
}
