//! Encodes the whole store, for a snapshot to a follower that needs entries which are no longer in the log.
//!
//! Stores with equal content have equal encodings. Compacted rows are not in it, so it does not matter how
//! far a scrub has come.
//!
//! The format: a magic number with a version, the compact revision, the leases, the rows, and a CRC32C of all
//! of these. Numbers are little-endian; a list begins with its length.

use std::collections::BTreeSet;

use api::mvccpb::KeyValue;
use bytes::{Buf, BufMut, Bytes, TryGetError};
use prost::{DecodeError, Message as _};

use super::changes::Saved;
use super::compaction::Compaction;
use super::lease::Terms;
use super::revision::Revision;
use super::rows::Rows;
use super::{Damaged, Store, row};
use crate::flaw::Flaws;

/// The first bytes of a snapshot. The digit is the version of the format.
const MAGIC: &[u8; 8] = b"mvccsnp2";
const CHECKSUM_LEN: usize = 4;
/// About how many bytes a row needs besides its key and value. The encoder reserves memory by it.
const ROW_LEN: usize = 32;

/// A store as it was at some moment, to be encoded. To take it costs much less than to encode it.
#[derive(Debug)]
pub struct Frozen {
    compaction: Compaction,
    tombstones_stay: bool,
    leases: Vec<(i64, Terms)>,
    rows: Rows,
}

impl Frozen {
    /// Encodes the store.
    pub fn encode(&self) -> Bytes {
        let gone = self.not_scrubbed();
        let rows = || self.rows.iter().filter(|(at, _)| !gone.contains(at));
        let contents = self.rows.iter().map(|(_, row)| ROW_LEN + row.key.len() + row.value.len());
        let mut out = Vec::with_capacity(64 + 24 * self.leases.len() + contents.sum::<usize>());
        out.put_slice(MAGIC);
        out.put_i64_le(self.compaction.scheduled);
        out.put_u64_le(self.leases.len() as u64);
        for (id, terms) in &self.leases {
            out.put_i64_le(*id);
            out.put_i64_le(terms.ttl);
            out.put_i64_le(terms.remaining);
        }
        out.put_u64_le((self.rows.len() - gone.len()) as u64);
        for (at, row) in rows() {
            out.put_i64_le(at.main);
            out.put_i64_le(at.sub);
            row.encode_length_delimited(&mut out).expect("a vector grows as needed");
        }
        out.put_u32_le(crc32c::crc32c(&out));
        out.into()
    }

    /// The compacted rows that the scrub has not removed yet: those that a later change follows, which is not after the
    /// compact revision, and tombstones.
    fn not_scrubbed(&self) -> BTreeSet<Revision> {
        let Compaction { scheduled, finished } = self.compaction;
        let mut gone = BTreeSet::new();
        if scheduled == finished {
            return gone;
        }
        let mut later = BTreeSet::new();
        for (at, row) in self.rows.iter().rev().filter(|(at, _)| at.main <= scheduled) {
            let is_followed = !later.insert(&row.key);
            let end = at.main + i64::from(self.tombstones_stay);
            if is_followed && at.main < scheduled || row::is_tombstone(row) && end <= scheduled {
                gone.insert(at);
            }
        }
        gone
    }
}

impl Store {
    /// The store as it is now, to be encoded.
    pub fn freeze(&self) -> Frozen {
        Frozen {
            compaction: self.compaction,
            tombstones_stay: self.tombstones_stay(),
            leases: self.leases.iter().map(|(id, lease)| (id, lease.terms())).collect(),
            rows: self.rows.clone(),
        }
    }

    /// Encodes the store.
    pub fn encode_snapshot(&self) -> Bytes {
        self.freeze().encode()
    }

    /// Decodes a store. The next [`Store::take_changes`] replaces all rows of the backend by those of this
    /// store. Keys and values share the memory of `bytes`.
    ///
    /// # Errors
    /// `Damaged` if [`Store::encode_snapshot`] did not produce these bytes.
    pub fn decode_snapshot(bytes: Bytes) -> Result<Store, Damaged> {
        Store::decode_snapshot_with(bytes, Flaws::default())
    }

    /// Like [`Store::decode_snapshot`], for a store with flaws.
    ///
    /// # Errors
    /// As [`Store::decode_snapshot`].
    pub fn decode_snapshot_with(bytes: Bytes, flaws: Flaws) -> Result<Store, Damaged> {
        let mut body = checked(bytes)?;
        let compacted = body.try_get_i64_le()?;
        let mut leases = Vec::new();
        for _ in 0..body.try_get_u64_le()? {
            let id = body.try_get_i64_le()?;
            leases.push(Ok((id, Terms { ttl: body.try_get_i64_le()?, remaining: body.try_get_i64_le()? })));
        }
        let count = body.try_get_u64_le()?;
        let rows = (0..count).map(|_| next_row(&mut body));
        let compaction = Compaction { scheduled: compacted, finished: compacted };
        let mut store = Store::restore(Saved { rows, leases: leases.into_iter(), compaction }, flaws)?;
        if !body.is_empty() {
            return Err(Damaged::new(format!("{} bytes follow the last row of the snapshot", body.len())));
        }
        store.unsave();
        Ok(store)
    }
}

/// The bytes between the magic number and the checksum, if both are right.
fn checked(bytes: Bytes) -> Result<Bytes, Damaged> {
    if bytes.len() < MAGIC.len() + CHECKSUM_LEN || !bytes.starts_with(MAGIC) {
        return Err(Damaged::new(format!("{} bytes are not a snapshot", bytes.len())));
    }
    let end = bytes.len() - CHECKSUM_LEN;
    let (stated, actual) = ((&bytes[end..]).get_u32_le(), crc32c::crc32c(&bytes[..end]));
    if stated != actual {
        return Err(Damaged::new(format!(
            "the snapshot's checksum is {actual:08x}, but it states {stated:08x}"
        )));
    }
    Ok(bytes.slice(MAGIC.len()..end))
}

/// Reads one row.
fn next_row(body: &mut Bytes) -> Result<(Revision, KeyValue), Damaged> {
    let at = Revision { main: body.try_get_i64_le()?, sub: body.try_get_i64_le()? };
    Ok((at, KeyValue::decode_length_delimited(body)?))
}

impl From<TryGetError> for Damaged {
    fn from(error: TryGetError) -> Damaged {
        Damaged::new(format!("a snapshot ends too early: {error}"))
    }
}

impl From<DecodeError> for Damaged {
    fn from(error: DecodeError) -> Damaged {
        Damaged::new(format!("a row of a snapshot does not hold a key-value pair: {error}"))
    }
}
