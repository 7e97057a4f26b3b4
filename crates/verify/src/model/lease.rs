//! Leases without time: which exist, and which keys are attached to them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

/// `NoLease` of etcd.
pub const NO_LEASE: i64 = 0;

/// A lease.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease {
    /// The time to live, in seconds, as granted.
    pub ttl: i64,
    /// The keys attached to it.
    pub keys: BTreeSet<Bytes>,
}

/// All leases, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leases {
    by_id: BTreeMap<i64, Lease>,
}

impl Leases {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Makes a lease, unless it exists.
    pub fn grant(&mut self, id: i64, ttl: i64) {
        self.by_id.entry(id).or_insert_with(|| Lease { ttl, keys: BTreeSet::new() });
    }

    /// Removes a lease and returns it.
    pub fn revoke(&mut self, id: i64) -> Option<Lease> {
        self.by_id.remove(&id)
    }

    /// The lease, if it exists.
    pub fn get(&self, id: i64) -> Option<&Lease> {
        self.by_id.get(&id)
    }

    /// All leases, by id.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &Lease)> {
        self.by_id.iter().map(|(id, lease)| (*id, lease))
    }

    /// The least positive id that is free, for a grant that leaves the choice to the server.
    pub fn free_id(&self) -> i64 {
        (1..).find(|id| !self.by_id.contains_key(id)).expect("there are more ids than leases")
    }

    /// Moves a key from one lease to another; either may be 0 (no lease).
    pub fn attach(&mut self, key: &Bytes, old: i64, new: i64) {
        if old == new {
            return;
        }
        if let Some(lease) = self.by_id.get_mut(&old) {
            lease.keys.remove(key);
        }
        if let Some(lease) = self.by_id.get_mut(&new) {
            lease.keys.insert(key.clone());
        }
    }

    /// Attaches to each lease exactly the keys that name it.
    pub fn reattach(&mut self, keys: impl Iterator<Item = (Bytes, i64)>) {
        self.by_id.values_mut().for_each(|lease| lease.keys.clear());
        for (key, id) in keys {
            self.attach(&key, NO_LEASE, id);
        }
    }
}
