//! Takes a store for a snapshot to a follower that needs entries which are no longer in the log, and decodes it there.
//! The format is that of [`Frozen::encode`].

use api::mvccpb::KeyValue;
use bytes::{Buf, Bytes, TryGetError};
use prost::{DecodeError, Message as _};

use super::changes::Saved;
use super::compaction::Compaction;
use super::frozen::{Frozen, MAGIC};
use super::lease::Terms;
use super::revision::Revision;
use super::{Damaged, Store};
use crate::flaw::{Flaw, Flaws};

const CHECKSUM_LEN: usize = 4;

impl Store {
    /// The store as it is now, to be encoded.
    pub fn freeze(&self) -> Frozen {
        let Compaction { scheduled, finished } = self.compaction;
        Frozen {
            compacted: scheduled,
            is_scrubbed: scheduled == finished,
            tombstones_stay: self.tombstones_stay(),
            leases: self.leases.iter().map(|(id, lease)| [id, lease.ttl, lease.remaining]).collect(),
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
        let mut body = checked(bytes, flaws)?;
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

impl Store {
    /// A new store with these rows of the history, ordered by key, these leases (id, time to live, time left), and this
    /// compact revision. As in a store that was decoded, all of it counts as changed.
    ///
    /// # Errors
    /// `Damaged` if no store can have written these rows.
    pub fn of_content(
        rows: impl IntoIterator<Item = (Bytes, Bytes)>,
        leases: impl IntoIterator<Item = [i64; 3]>,
        compacted: i64,
    ) -> Result<Store, Damaged> {
        let rows = rows.into_iter().map(|(key, value)| super::row::decode(&key, value));
        let leases = leases.into_iter().map(|[id, ttl, remaining]| Ok((id, Terms { ttl, remaining })));
        let compaction = Compaction { scheduled: compacted, finished: compacted };
        let mut store = Store::restore(Saved { rows, leases, compaction }, Flaws::default())?;
        store.unsave();
        Ok(store)
    }
}

/// The bytes between the magic number and the checksum, if both are right.
fn checked(bytes: Bytes, flaws: Flaws) -> Result<Bytes, Damaged> {
    if bytes.len() < MAGIC.len() + CHECKSUM_LEN || !bytes.starts_with(MAGIC) {
        return Err(Damaged::new(format!("{} bytes are not a snapshot", bytes.len())));
    }
    let end = bytes.len() - CHECKSUM_LEN;
    let (stated, actual) = ((&bytes[end..]).get_u32_le(), crc32c::crc32c(&bytes[..end]));
    // Flaw X2: the checksum need not match.
    if stated != actual && !flaws.has(Flaw::SnapshotChecksumIgnored) {
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
