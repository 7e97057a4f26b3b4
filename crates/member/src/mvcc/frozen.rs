//! Encodes the whole store, for a snapshot to a follower that needs entries which are no longer in the log.
//!
//! Stores with equal content have equal encodings. Compacted rows are not in it, so it does not matter how
//! far a scrub has come.
//!
//! The format: a magic number with a version, the compact revision, the leases, the rows, and a CRC32C of all
//! of these. Numbers are little-endian; a list begins with its length.

use std::collections::BTreeSet;

use api::mvccpb::KeyValue;
use bytes::{BufMut as _, Bytes};
use prost::Message as _;

use super::revision::Revision;
use super::row::{as_etcd_has_it, is_tombstone};
use super::rows::Rows;

/// The first bytes of a snapshot. The digit is the version of the format.
pub(super) const MAGIC: &[u8; 8] = b"mvccsnp2";
/// About how many bytes a row needs besides its key and value. The encoder uses this to reserve memory.
const ROW_LEN: usize = 32;

/// A store as it was at some moment, to be encoded. Taking it costs much less than encoding it.
#[derive(Debug)]
pub struct Frozen {
    /// The compact revision, and whether the rows that no read can return any more are removed.
    pub(super) compacted: i64,
    pub(super) is_scrubbed: bool,
    /// Whether tombstones at the compact revision stay.
    pub(super) tombstones_stay: bool,
    /// The id of each lease, its time to live, and the time left.
    pub(super) leases: Vec<[i64; 3]>,
    pub(super) rows: Rows,
}

impl Frozen {
    /// Encodes the store.
    pub fn encode(&self) -> Bytes {
        let gone = self.not_scrubbed();
        let rows = || self.rows.iter().filter(|(at, _)| !gone.contains(at));
        let contents = self.rows.iter().map(|(_, row)| ROW_LEN + row.key.len() + row.value.len());
        let mut out = Vec::with_capacity(64 + 24 * self.leases.len() + contents.sum::<usize>());
        out.put_slice(MAGIC);
        out.put_i64_le(self.compacted);
        out.put_u64_le(self.leases.len() as u64);
        self.leases.iter().flatten().for_each(|number| out.put_i64_le(*number));
        out.put_u64_le((self.rows.len() - gone.len()) as u64);
        for (at, row) in rows() {
            out.put_i64_le(at.main);
            out.put_i64_le(at.sub);
            row.encode_length_delimited(&mut out).expect("a vector grows as needed");
        }
        out.put_u32_le(crc32c::crc32c(&out));
        out.into()
    }

    /// The hash of all rows up to `revision` by etcd's formula, so that it can be compared with etcd's hashes
    /// (`storage/mvcc/hash.go`): a CRC32C of the name of the bucket, and of the rows as etcd stores them. If any key
    /// exists at `revision`, a row up to the compact revision counts only if it is still current at `revision`.
    /// Tombstones at the compact revision are left out.
    pub fn etcd_hash(&self, revision: i64) -> u32 {
        let mut left_out = self.not_scrubbed();
        let (mut keys, mut replaced, mut shows_keys) = (BTreeSet::new(), BTreeSet::new(), false);
        for (at, row) in self.rows.iter().rev().filter(|(at, _)| at.main <= revision) {
            let is_shown = keys.insert(&row.key) && !is_tombstone(row);
            shows_keys |= is_shown;
            if at.main <= self.compacted && !is_shown {
                replaced.insert(at);
            }
        }
        if shows_keys {
            left_out.append(&mut replaced);
        }
        let counts = |at: Revision, row: &KeyValue| {
            at.main <= revision
                && !left_out.contains(&at)
                && !(is_tombstone(row) && at.main == self.compacted)
        };
        let rows = self.rows.iter().filter(|&(at, row)| counts(at, row));
        rows.fold(crc32c::crc32c(b"key"), |sum, (at, row)| {
            let sum = crc32c::crc32c_append(sum, &at.row_key(is_tombstone(row)));
            crc32c::crc32c_append(sum, &as_etcd_has_it(row).encode_to_vec())
        })
    }

    /// The compacted rows that the scrub has not removed yet: those followed by a later change that is not after the
    /// compact revision, and tombstones.
    fn not_scrubbed(&self) -> BTreeSet<Revision> {
        let mut gone = BTreeSet::new();
        if self.is_scrubbed {
            return gone;
        }
        let compacted = self.compacted;
        let mut later = BTreeSet::new();
        for (at, row) in self.rows.iter().rev().filter(|(at, _)| at.main <= compacted) {
            let is_followed = !later.insert(&row.key);
            let end = at.main + i64::from(self.tombstones_stay);
            if is_followed && at.main < compacted || row.version == 0 && end <= compacted {
                gone.insert(at);
            }
        }
        gone
    }
}
