//! The hash of all rows up to a revision, by which members compare their stores (`HashKV`).
//!
//! It covers the same rows as etcd's: those that a compaction keeps, without tombstones at the compact
//! revision. etcd excludes these because whether a member has them depends on the version that compacted it
//! (etcd issue 18089). It is computed from our own digests of rows, so only the hashes of our members can be compared.

use api::Error;
use xxhash_rust::xxh3::xxh3_64;

use super::Store;

/// How many hashes of compactions are kept (`mvcc/hash.go`, `hashStorageMaxSize`).
const KEPT: usize = 10;

/// The hash of the rows at the revision of a compaction, as they were before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptHash {
    /// The revision.
    pub revision: i64,
    /// The compact revision before that compaction.
    pub compact_revision: i64,
    /// The hash.
    pub hash: u32,
}

impl Store {
    /// The store is about to be compacted to a revision: remembers its hash.
    pub(super) fn keep_hash(&mut self, revision: i64) {
        let compact_revision = self.compaction.scheduled;
        let Ok(hash) = self.hash_at(revision) else { return };
        self.kept_hashes.push_back(KeptHash { revision, compact_revision, hash });
    }

    /// A compaction is finished: of the finished ones, only the last ten keep their hashes.
    pub(super) fn forget_hashes(&mut self) {
        let finished = self.kept_hashes.iter().filter(|kept| self.is_scrubbed(kept.revision)).count();
        self.kept_hashes.drain(..finished.saturating_sub(KEPT));
    }

    /// The hash that was kept for a compaction to this revision, if it is one of the last ten that are finished. A
    /// restart forgets these hashes.
    pub fn kept_hash(&self, revision: i64) -> Option<KeptHash> {
        self.kept_hashes.iter().copied().find(|kept| kept.revision == revision && self.is_scrubbed(revision))
    }

    /// The hash of all rows up to `revision`. Its cost does not depend on the store's size, because each row was added
    /// to a sum when it was made or loaded.
    ///
    /// # Errors
    /// `FutureRev`; `Compacted` below the compact revision.
    pub fn hash_at(&self, revision: i64) -> Result<u32, Error> {
        let compacted = self.compaction.scheduled;
        if revision > self.revision {
            return Err(Error::FutureRev);
        }
        if revision < compacted {
            return Err(Error::Compacted);
        }
        let mut sum = self.sums.rows(revision).wrapping_sub(self.doomed.sum(compacted));
        if self.tombstones_stay() {
            sum = sum.wrapping_sub(self.sums.tombstones(compacted));
        }
        Ok(xxh3_64(&sum.to_le_bytes()) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{KeyRange, Saved};
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

    #[test]
    fn the_hash_of_a_finished_compaction_is_kept() {
        let mut store = Store::new();
        for round in 0..24 {
            store.write().put(&"a".into(), format!("{round}").into(), 0);
            let revision = store.revision();
            let (before, hash) = (store.compact_revision(), store.hash_at(revision).unwrap());
            store.compact(revision).unwrap();
            assert_eq!(store.kept_hash(revision), None, "the scrub is not done");
            while store.scrub_step(100) {}
            assert_eq!(
                store.kept_hash(revision),
                Some(KeptHash { revision, compact_revision: before, hash })
            );
        }
        let kept = (0..=store.revision()).filter(|revision| store.kept_hash(*revision).is_some());
        assert_eq!(kept.collect::<Vec<_>>(), (16..=25).collect::<Vec<_>>());
    }

    /// A store gives the same answers as one that got its rows in a snapshot, or from a backend in which a scrub was
    /// interrupted at any point.
    #[test]
    fn a_hash_depends_on_the_rows_only() {
        let (mut store, mut backend) = (Store::new(), std::collections::BTreeMap::new());
        let mut compaction = store.compaction();
        for round in 0..60 {
            let key = bytes::Bytes::from(format!("k{}", round % 7));
            match round % 5 {
                3 => _ = store.write().delete(KeyRange::new(&key, b"")),
                _ => store.write().put(&key, format!("v{round}").into(), 0),
            }
            if round % 11 == 10 {
                store.compact(store.revision() - round % 4).unwrap();
            }
            if round % 3 == 0 {
                store.scrub_step(2);
            }
            let changes = store.take_changes();
            for (key, value) in changes.rows {
                _ = match value {
                    Some(value) => backend.insert(key, value),
                    None => backend.remove(&key),
                };
            }
            compaction = changes.compaction.unwrap_or(compaction);
            let saved = Saved { rows: backend.clone(), leases: Vec::new(), compaction };
            let restored = Store::from_rows(saved).unwrap();
            let installed = Store::decode_snapshot(store.encode_snapshot()).unwrap();
            for revision in store.compact_revision().max(1)..=store.revision() {
                let hash = store.hash_at(revision);
                assert_eq!(
                    (hash, hash),
                    (restored.hash_at(revision), installed.hash_at(revision)),
                    "{round}"
                );
            }
            let state = store.state_hash();
            assert_eq!((state, state), (restored.state_hash(), installed.state_hash()), "round {round}");
        }
    }
}
