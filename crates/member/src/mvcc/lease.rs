//! The leases of the store: which there are, for how long they were granted, which keys they hold.
//!
//! What is not here: time. When a lease runs out is known to the leader alone and is no part of the
//! replicated state (etcd's `lessor`).
//!
//! Invariant: a lease holds exactly the keys whose current pair names it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::Damaged;

/// One lease.
#[derive(Clone, Debug, Default)]
pub struct Lease {
    /// For how long it was granted and is renewed, in seconds.
    pub ttl: i64,
    keys: BTreeSet<Bytes>,
}

impl Lease {
    /// The keys it holds, sorted.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Bytes> {
        self.keys.iter()
    }
}

/// All leases by their ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    all: BTreeMap<i64, Lease>,
    /// Sum of the digests of all leases.
    content: u64,
}

impl Leases {
    pub(super) fn get(&self, id: i64) -> Option<&Lease> {
        self.all.get(&id)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (i64, &Lease)> {
        self.all.iter().map(|(id, lease)| (*id, lease))
    }

    pub(super) fn content(&self) -> u64 {
        self.content
    }

    pub(super) fn insert(&mut self, id: i64, ttl: i64) {
        let before = self.all.insert(id, Lease { ttl, keys: BTreeSet::new() });
        assert!(before.is_none(), "lease {id} is granted twice: the caller looks first whether it exists");
        self.content = self.content.wrapping_add(digest(id, ttl));
    }

    pub(super) fn remove(&mut self, id: i64) -> Option<Lease> {
        let lease = self.all.remove(&id)?;
        self.content = self.content.wrapping_sub(digest(id, lease.ttl));
        Some(lease)
    }

    /// Moves `key` from one lease to another; 0 is none.
    pub(super) fn attach(&mut self, key: &Bytes, from: i64, to: i64) {
        if from == to {
            return;
        }
        // None while a revocation deletes the keys of the lease it has taken out.
        if let Some(lease) = self.all.get_mut(&from) {
            lease.keys.remove(key);
        }
        if to != 0 {
            let lease = self.all.get_mut(&to);
            let lease = lease.unwrap_or_else(|| {
                panic!("{key:?} is put with lease {to}, which does not exist: was the request not checked?")
            });
            lease.keys.insert(key.clone());
        }
    }
}

/// The key of a lease in the backend, in etcd's form (`lease/lessor.go`): the id in big endian.
pub(super) fn row_key(id: i64) -> Bytes {
    Bytes::copy_from_slice(&id.to_be_bytes())
}

/// A lease as the backend has it.
pub(super) fn encode(lease: &Lease) -> Bytes {
    Bytes::copy_from_slice(&lease.ttl.to_be_bytes())
}

/// Id and TTL of a lease that the backend has.
pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<(i64, i64), Damaged> {
    match (key.try_into(), value.try_into()) {
        (Ok(id), Ok(ttl)) => Ok((i64::from_be_bytes(id), i64::from_be_bytes(ttl))),
        _ => Err(Damaged::new(format!("{key:02x?} with {value:02x?} is no lease"))),
    }
}

fn digest(id: i64, ttl: i64) -> u64 {
    let mut bytes = [0_u8; 16];
    bytes[..8].copy_from_slice(&id.to_le_bytes());
    bytes[8..].copy_from_slice(&ttl.to_le_bytes());
    xxh3_64(&bytes)
}
