//! How one change of one key is stored in the backend: as a *row*. Its key is the revision of the change, its value
//! is the key-value pair after the change.
//!
//! The row of a deletion is called a *tombstone*. Its key-value pair has only the key and the mod revision, which is
//! also what a watcher receives. The version of the pair tells the two apart: it is 0 in a tombstone, and at least 1
//! after a put.

use api::mvccpb::KeyValue;
use bytes::Bytes;
use prost::Message as _;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::damaged::Damaged;
use super::revision::Revision;

/// Whether the row is that of a deletion.
pub(super) fn is_tombstone(row: &KeyValue) -> bool {
    row.version == 0
}

/// The row as it is shown to the code that explains a run.
pub(super) fn reported(at: Revision, row: &KeyValue) -> record::inner::Row {
    record::inner::Row { at: (at.main, at.sub), key: row.key.clone(), tombstone: is_tombstone(row) }
}

/// The pair of a row as etcd stores it: for a deletion, without the revision.
pub(crate) fn as_etcd_has_it(row: &KeyValue) -> KeyValue {
    match is_tombstone(row) {
        true => KeyValue { key: row.key.clone(), ..KeyValue::default() },
        false => row.clone(),
    }
}

/// Encodes a row for the backend.
pub(super) fn encode(at: Revision, row: &KeyValue) -> (Bytes, Bytes) {
    (at.row_key(is_tombstone(row)), row.encode_to_vec().into())
}

/// Decodes a row from the backend.
pub(super) fn decode(key: &[u8], value: Bytes) -> Result<(Revision, KeyValue), Damaged> {
    let (at, tombstone) = Revision::from_row_key(key)
        .ok_or_else(|| Damaged::new(format!("{key:02x?} is not the key of a row")))?;
    let row = KeyValue::decode(value).map_err(|error| {
        Damaged::new(format!("the row at {at:?} does not hold a key-value pair: {error}"))
    })?;
    match tombstone == is_tombstone(&row) {
        true => Ok((at, row)),
        false => Err(Damaged::new(format!(
            "the row at {at:?} is a tombstone according to its key or its value, but not both"
        ))),
    }
}

/// A digest of the whole row. The sum of these digests is part of the store's hash.
pub(super) fn digest(at: Revision, row: &KeyValue) -> u64 {
    let mut numbers = [0_u8; 40];
    let fields = [at.main, at.sub, row.create_revision, row.version, row.lease];
    for (place, field) in numbers.chunks_exact_mut(8).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    // Each part seeds the next, so no buffer is needed to concatenate them.
    xxh3_64_with_seed(&row.value, xxh3_64_with_seed(&row.key, xxh3_64(&numbers)))
}
