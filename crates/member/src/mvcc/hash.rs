//! The hash over what can be read up to a revision, used to compare members (`HashKV`).
//!
//! etcd hashes the rows of bbolt that a compaction keeps, except tombstones at the compact revision, because
//! members compacted by different versions may or may not have them (etcd issue 18089). Ours covers the same
//! rows in our own format, so it only shows whether our members are equal to each other.

use api::Error;
use prost::Message as _;

use super::revision::Revision;
use super::{Store, row};

impl Store {
    /// CRC32C over every row that can be read up to `revision`, in order.
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
