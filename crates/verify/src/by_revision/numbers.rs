//! Gives every key and value of a history a number. The numbers are in byte order, so that a range of keys is a range
//! of numbers.

use api::etcdserverpb::Compare;
use api::etcdserverpb::compare::TargetUnion;
use api::{Part, Response};
use bytes::Bytes;
use record::History;
use revision::Keys;

use super::NotConvertible;
use crate::k1::Known;

/// The numbers of all keys and values.
#[derive(Debug)]
pub(super) struct Numbers<'a> {
    /// Sorted; a key's number is its index.
    keys: Vec<&'a [u8]>,
    /// Sorted; a value's number is its index plus 1.
    values: Vec<&'a [u8]>,
}

impl<'a> Numbers<'a> {
    /// Numbers all keys and values of the requests, the answers and the store.
    pub(super) fn of(history: &'a History, known: &'a Known) -> Numbers<'a> {
        let (mut keys, mut values) = (Vec::<&[u8]>::new(), Vec::<&[u8]>::new());
        let mut note = |key: &'a [u8], value: Option<&'a [u8]>| {
            keys.push(key);
            values.extend(value);
        };
        for operation in &history.operations {
            for part in operation.request.parts() {
                match part {
                    Part::Compare(compare) => note(&compare.key, compared_with(compare)),
                    Part::Range(range) => note(&range.key, None),
                    Part::Put(put) => note(&put.key, Some(&put.value)),
                    Part::DeleteRange(delete) => note(&delete.key, None),
                }
            }
            for pair in operation.response().into_iter().flat_map(Response::pairs) {
                note(&pair.key, Some(&pair.value));
            }
        }
        known.model.changed().for_each(|(key, value)| note(key, Some(value)));
        for names in [&mut keys, &mut values] {
            names.sort_unstable();
            names.dedup();
        }
        Numbers { keys, values }
    }

    /// The number of a key.
    pub(super) fn key(&self, key: &[u8]) -> Result<u32, NotConvertible> {
        let place = self.keys.binary_search(&key);
        place
            .map(|place| place as u32)
            .map_err(|_| NotConvertible::Numbers("a key without a number".to_string()))
    }

    /// The number of a value.
    pub(super) fn value(&self, value: &[u8]) -> Result<u32, NotConvertible> {
        let place = self.values.binary_search(&value);
        let place = place.map_err(|_| NotConvertible::Numbers("a value without a number".to_string()))?;
        Ok(place as u32 + 1)
    }

    /// The keys of a request.
    pub(super) fn span(&self, key: &Bytes, range_end: &Bytes) -> Keys {
        let below = |end: &[u8]| self.keys.partition_point(|key| *key < end) as u32;
        let from = below(key);
        match &range_end[..] {
            [] => Keys::one(from),
            [0] => Keys::range(from, u32::MAX),
            end => Keys::range(from, below(end)),
        }
    }
}

/// The value that a condition of a transaction compares with, if it compares with one.
fn compared_with(compare: &Compare) -> Option<&[u8]> {
    match &compare.target_union {
        Some(TargetUnion::Value(value)) => Some(value),
        _ => None,
    }
}
