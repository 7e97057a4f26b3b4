//! The hash of all rows up to a revision, by which members compare their stores (`HashKV`).
//!
//! It covers the same rows as etcd's: those that a compaction keeps, without tombstones at the compact
//! revision. etcd excludes these because whether a member has them depends on the version that compacted it
//! (etcd issue 18089). The rows are encoded in our own way, so only the hashes of our members can be
//! compared.

use std::cell::Cell;

use api::Error;
use prost::Message as _;

use super::revision::Revision;
use super::{Store, row};

/// The last hash, so that the next one needs to read only the rows after it.
///
/// Rows up to a revision of the past change only by a compaction.
#[derive(Clone, Debug, Default)]
pub(super) struct LastHash(Cell<Prefix>);

/// A hash of the rows up to a revision.
#[derive(Clone, Copy, Debug, Default)]
struct Prefix {
    /// The compact revision when it was taken.
    compacted: i64,
    /// The last revision in it; 0 if there is none.
    revision: i64,
    hash: u32,
}

impl Store {
    /// The CRC32C of all rows up to `revision`, in order. Its cost depends on the rows since the last call, or on all
    /// of them if there was a compaction or that call was about a later revision.
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
        let compacted = self.compaction.scheduled;
        let last = self.last_hash.0.get();
        let follows = last.compacted == compacted && last.revision <= revision;
        let mut prefix = if follows { last } else { Prefix { compacted, ..Prefix::default() } };
        let mut bytes = Vec::new();
        let rows = Revision::first_of(prefix.revision + 1)..Revision::first_of(revision + 1);
        for (at, row) in self.rows.range(rows) {
            if row::is_tombstone(row) && at.main <= compacted {
                continue;
            }
            bytes.clear();
            bytes.extend_from_slice(&at.main.to_le_bytes());
            bytes.extend_from_slice(&at.sub.to_le_bytes());
            row.encode(&mut bytes).expect("a vector grows as needed");
            prefix.hash = crc32c::crc32c_append(prefix.hash, &bytes);
        }
        prefix.revision = revision;
        if last.compacted != compacted || last.revision < revision {
            self.last_hash.0.set(prefix);
        }
        Ok(prefix.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::super::KeyRange;
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
    /// A store that has answered before gives the same answers as one that has not.
    #[test]
    fn a_hash_does_not_depend_on_the_hashes_before_it() {
        let mut asked = Store::new();
        let fresh = |store: &Store, revision| {
            Store { last_hash: LastHash::default(), ..store.clone() }.hash_at(revision)
        };
        for round in 0..40 {
            let key = bytes::Bytes::from(format!("k{}", round % 7));
            match round % 5 {
                3 => _ = asked.write().delete(KeyRange::new(&key, b"")),
                _ => _ = asked.write().put(&key, "v".into(), 0),
            }
            if round % 11 == 10 {
                asked.compact(asked.revision() - 3).unwrap();
            }
            for back in [0, 2, 1] {
                let revision = asked.revision() - back;
                assert_eq!(asked.hash_at(revision), fresh(&asked, revision), "round {round}, {back} back");
            }
        }
    }
}
