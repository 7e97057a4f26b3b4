//! The leases in the store: their TTLs, the time left at their last checkpoint, and the attached keys.
//!
//! When a lease expires is not part of the replicated state; only the leader knows that (`crate::lessor`).
//!
//! Invariant: the keys of a lease are exactly those whose current pair names the lease.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::damaged::Damaged;

/// One lease.
#[derive(Clone, Debug, Default)]
pub struct Lease {
    /// The TTL with which it was granted and is renewed, in seconds.
    pub ttl: i64,
    /// The time left at its last checkpoint, in seconds, from which a new leader continues. 0 if there was no
    /// checkpoint since the lease was granted or renewed.
    pub remaining: i64,
    keys: BTreeSet<Bytes>,
}

/// What is saved of a lease. The fields are those of [`Lease`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) ttl: i64,
    pub(super) remaining: i64,
}

impl Lease {
    /// Its time to live, and the time left.
    pub(super) fn terms(&self) -> Terms {
        Terms { ttl: self.ttl, remaining: self.remaining }
    }

    /// The attached keys, sorted.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Bytes> {
        self.keys.iter()
    }
}

/// All leases by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    all: BTreeMap<i64, Lease>,
    /// The sum of the digests of all leases, which does not depend on their order.
    content: u64,
}

impl Leases {
    pub(super) fn get(&self, id: i64) -> Option<&Lease> {
        self.all.get(&id)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (i64, &Lease)> {
        self.all.iter().map(|(id, lease)| (*id, lease))
    }

    /// The sum of the digests of all leases, which does not depend on their order.
    pub(super) fn content(&self) -> u64 {
        self.content
    }

    /// Adds a new lease.
    pub(super) fn insert(&mut self, id: i64, terms: Terms) {
        let Terms { ttl, remaining } = terms;
        let before = self.all.insert(id, Lease { ttl, remaining, keys: BTreeSet::new() });
        assert!(before.is_none(), "lease {id} is granted twice: the caller must check whether it exists");
        self.content = self.content.wrapping_add(digest(id, terms));
    }

    /// Records the time left of a lease; returns whether the lease exists.
    pub(super) fn checkpoint(&mut self, id: i64, remaining: i64) -> bool {
        let Some(lease) = self.all.get_mut(&id) else { return false };
        self.content = self.content.wrapping_sub(digest(id, lease.terms()));
        lease.remaining = remaining;
        self.content = self.content.wrapping_add(digest(id, lease.terms()));
        true
    }

    /// Removes a lease.
    pub(super) fn remove(&mut self, id: i64) -> Option<Lease> {
        let lease = self.all.remove(&id)?;
        self.content = self.content.wrapping_sub(digest(id, lease.terms()));
        Some(lease)
    }

    /// Moves `key` from one lease to another; 0 means none.
    pub(super) fn attach(&mut self, key: &Bytes, from: i64, to: i64) {
        if from == to {
            return;
        }
        // The lease may be missing: a revocation removes it before it deletes the keys.
        if let Some(lease) = self.all.get_mut(&from) {
            lease.keys.remove(key);
        }
        if to != 0 {
            let lease = self.all.get_mut(&to);
            let lease = lease.unwrap_or_else(|| {
                panic!(
                    "{key:?} is put with lease {to}, but that lease does not exist: was the request not checked?"
                )
            });
            lease.keys.insert(key.clone());
        }
    }
}

/// The key of a lease in the backend, in etcd's format (`lease/lessor.go`): the id in big endian.
pub(super) fn row_key(id: i64) -> Bytes {
    Bytes::copy_from_slice(&id.to_be_bytes())
}

/// The value of a lease in the backend: its TTL and the time left, both in big endian.
pub(super) fn encode(lease: &Lease) -> Bytes {
    Bytes::from([lease.ttl.to_be_bytes(), lease.remaining.to_be_bytes()].concat())
}

/// Decodes a lease from the backend.
pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<(i64, Terms), Damaged> {
    let number = |bytes: &[u8; 8]| i64::from_be_bytes(*bytes);
    match (key.as_chunks(), value.as_chunks()) {
        (([id], []), ([ttl, remaining], [])) => {
            Ok((number(id), Terms { ttl: number(ttl), remaining: number(remaining) }))
        }
        _ => Err(Damaged::new(format!("{key:02x?} with {value:02x?} is not a lease"))),
    }
}

/// A digest of a lease. The sum of these digests is part of the store's hash.
fn digest(id: i64, terms: Terms) -> u64 {
    let mut bytes = [0_u8; 24];
    let numbers = [id, terms.ttl, terms.remaining];
    for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    xxh3_64(&bytes)
}
