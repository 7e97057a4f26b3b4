//! The metadata that each backend commit writes together with its rows: which entry the rows are up to, and
//! all replicated state that is not in rows.
//!
//! The row, version 2: version (1), consistent index (8), term (8), scheduled compaction (8), finished
//! compaction (8), number of rows (8), their sum (8), bytes of the file in use (8) and in all (8), length
//! of the configuration (4), the configuration, the rest of the replicated state. Numbers are little-endian.

use std::fmt;

use bytes::{Buf as _, BufMut as _, Bytes};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const VERSION: u8 = 2;
const FIXED: usize = 69;
/// The bytes that a row takes in the file besides its key and value. It is an estimate of bbolt's overhead.
const ROW_OVERHEAD: u64 = 32;

/// The metadata of a commit. etcd keeps the same in its buckets `meta` and `cluster`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The index of the last entry whose effects the rows include. They include those of all entries before.
    pub consistent_index: u64,
    /// The term of that entry.
    pub term: u64,
    /// The configuration after that entry, as raft's protobuf.
    pub conf_state: Bytes,
    /// All other replicated state: membership, alarms, users and roles. The backend does not know its format.
    pub state: Bytes,
    /// The revision of the last applied compaction, or -1 if there was none. 0 in a backend without commits.
    pub scheduled_compact: i64,
    /// The revision of the last compaction whose scrub is finished, or -1. 0 in a backend without commits.
    pub finished_compact: i64,
}

impl Meta {
    pub(super) fn encode(&self, sum: Sum, size: Size) -> Vec<u8> {
        let mut row = Vec::with_capacity(FIXED + self.conf_state.len() + self.state.len());
        row.put_u8(VERSION);
        row.put_u64_le(self.consistent_index);
        row.put_u64_le(self.term);
        row.put_i64_le(self.scheduled_compact);
        row.put_i64_le(self.finished_compact);
        row.put_u64_le(sum.rows);
        row.put_u64_le(sum.sum);
        row.put_u64_le(size.in_use);
        row.put_u64_le(size.total);
        row.put_u32_le(self.conf_state.len() as u32);
        row.put_slice(&self.conf_state);
        row.put_slice(&self.state);
        row
    }

    pub(super) fn decode(mut row: &[u8]) -> Option<(Meta, Sum, Size)> {
        if row.len() < FIXED || row.get_u8() != VERSION {
            return None;
        }
        let mut meta = Meta {
            consistent_index: row.get_u64_le(),
            term: row.get_u64_le(),
            scheduled_compact: row.get_i64_le(),
            finished_compact: row.get_i64_le(),
            conf_state: Bytes::new(),
            state: Bytes::new(),
        };
        let sum = Sum { rows: row.get_u64_le(), sum: row.get_u64_le() };
        let size = Size { in_use: row.get_u64_le(), total: row.get_u64_le() };
        let length = row.get_u32_le() as usize;
        let (conf_state, state) = row.split_at_checked(length)?;
        meta.conf_state = Bytes::copy_from_slice(conf_state);
        meta.state = Bytes::copy_from_slice(state);
        Some((meta, sum, size))
    }
}

/// The size of the database in bytes, computed as bbolt would report it: the space of removed rows is reused,
/// but the file shrinks only in a defragmentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes used by rows.
    pub in_use: u64,
    /// Bytes of the file.
    pub total: u64,
}

impl Size {
    /// The size after a transaction that leaves rows of this many bytes.
    pub(super) fn after(self, in_use: u64) -> Size {
        Size { in_use, total: self.total.max(in_use) }
    }
}

/// The size of a row in the file, in bytes.
pub(super) fn row_bytes(key: &[u8], value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64 + ROW_OVERHEAD
}

/// A checksum of all rows. It does not depend on their order, so a commit can compute the new sum from the
/// rows that it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    rows: u64,
    sum: u64,
}

impl Sum {
    pub(super) fn add(&mut self, digest: u64) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(digest);
    }

    pub(super) fn remove(&mut self, digest: u64) {
        self.rows -= 1;
        self.sum = self.sum.wrapping_sub(digest);
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x} over {} rows", self.sum, self.rows)
    }
}

/// The part of a row in the sum.
pub(super) fn digest(key: &[u8], value: &[u8]) -> u64 {
    xxh3_64_with_seed(value, xxh3_64(key))
}
