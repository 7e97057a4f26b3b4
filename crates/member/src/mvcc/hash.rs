//! The hash of all rows up to a revision, by which members compare their stores (`HashKV`).
//!
//! It covers the same rows as etcd's: those that a compaction keeps, without tombstones at the compact
//! revision. etcd excludes these because whether a member has them depends on the version that compacted it
//! (etcd issue 18089). The rows are encoded in our own way, so only the hashes of our members can be
//! compared.

use api::Error;
use prost::Message as _;

use super::revision::Revision;
use super::{Store, row};

impl Store {
    /// The CRC32C of all rows up to `revision`, in order.
    ///
    /// # Errors
    /// `FutureRev`; `Compacted` below the compact revision.
    pub fn hash_at(&self, revision: i64) -> Result<u32, Error> {
        if revision > self.revision {
            return Err(Error::FutureRev);
        }
        if revision < self.compaction.scheduled {
            return Err(Error::Compacted);
        }
        let mut hash = 0;
        let mut bytes = Vec::new();
        for (at, row) in self.rows.range(..Revision::first_of(revision + 1)) {
            if row::is_tombstone(row) && at.main <= self.compaction.scheduled {
                continue;
            }
            bytes.clear();
            bytes.extend_from_slice(&at.main.to_le_bytes());
            bytes.extend_from_slice(&at.sub.to_le_bytes());
            row.encode(&mut bytes).expect("a vector grows as needed");
            hash = crc32c::crc32c_append(hash, &bytes);
        }
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_content_has_equal_hashes_whatever_else_came_later() {
        let mut one = Store::new();
        let mut other = Store::new();
        for store in [&mut one, &mut other] {
            store.write().put(&"a".into(), "1".into(), 0);
            store.write().put(&"b".into(), "2".into(), 0);
        }
        other.write().put(&"a".into(), "3".into(), 0);
        assert_eq!(one.hash_at(3), other.hash_at(3));
        assert_ne!(other.hash_at(3), other.hash_at(4));
        assert_eq!(one.hash_at(4), Err(Error::FutureRev));
        other.compact(4).unwrap();
        assert_eq!(other.hash_at(3), Err(Error::Compacted));
    }
}
