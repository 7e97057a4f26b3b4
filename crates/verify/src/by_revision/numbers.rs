//! Numbers for keys and values, in the order in which the store sorts them.

use std::collections::BTreeSet;

use api::etcdserverpb::compare::TargetUnion;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::response_op::Response as Answer;
use api::etcdserverpb::{Compare, RequestOp, ResponseOp};
use api::mvccpb::KeyValue;
use api::{Request, Response};
use bytes::Bytes;
use record::History;
use revision::Keys;

use super::Beyond;
use crate::k1::Known;

/// The numbers.
#[derive(Debug)]
pub(super) struct Numbers<'a> {
    /// Sorted; a key's number is its place.
    keys: Vec<&'a [u8]>,
    /// The same of values, from 1 on.
    values: Vec<&'a [u8]>,
}

#[derive(Default)]
struct Names<'a> {
    keys: BTreeSet<&'a [u8]>,
    values: BTreeSet<&'a [u8]>,
}

impl<'a> Numbers<'a> {
    /// Numbers all keys and values that are named or shown.
    pub(super) fn of(history: &'a History, known: &'a Known) -> Numbers<'a> {
        let mut names = Names::default();
        for operation in &history.operations {
            match &operation.request {
                Request::Range(range) => names.keys.extend([&range.key[..]]),
                Request::Put(put) => names.pair(&put.key, &put.value),
                Request::DeleteRange(delete) => names.keys.extend([&delete.key[..]]),
                Request::Txn(txn) => {
                    names.compares(&txn.compare);
                    names.asked(&txn.success);
                    names.asked(&txn.failure);
                }
                _ => {}
            }
            match operation.response() {
                Some(Response::Range(range)) => names.shown(&range.kvs),
                Some(Response::Put(put)) => names.shown(put.prev_kv.as_slice()),
                Some(Response::DeleteRange(delete)) => names.shown(&delete.prev_kvs),
                Some(Response::Txn(txn)) => names.answered(&txn.responses),
                _ => {}
            }
        }
        known.model.changed().for_each(|(key, value)| names.pair(key, value));
        Numbers { keys: names.keys.into_iter().collect(), values: names.values.into_iter().collect() }
    }

    pub(super) fn key(&self, key: &[u8]) -> Result<u32, Beyond> {
        let place = self.keys.binary_search(&key);
        place.map(|place| place as u32).map_err(|_| Beyond::Numbers("a key without a number".to_string()))
    }

    pub(super) fn value(&self, value: &[u8]) -> Result<u32, Beyond> {
        let place = self.values.binary_search(&value);
        let place = place.map_err(|_| Beyond::Numbers("a value without a number".to_string()))?;
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

impl<'a> Names<'a> {
    fn pair(&mut self, key: &'a [u8], value: &'a [u8]) {
        self.keys.insert(key);
        self.values.insert(value);
    }

    fn shown(&mut self, pairs: &'a [KeyValue]) {
        for pair in pairs {
            self.pair(&pair.key, &pair.value);
        }
    }

    fn compares(&mut self, compares: &'a [Compare]) {
        for compare in compares {
            self.keys.insert(&compare.key);
            if let Some(TargetUnion::Value(value)) = &compare.target_union {
                self.values.insert(value);
            }
        }
    }

    fn asked(&mut self, ops: &'a [RequestOp]) {
        for op in ops {
            match &op.request {
                Some(Op::RequestRange(range)) => self.keys.extend([&range.key[..]]),
                Some(Op::RequestPut(put)) => self.pair(&put.key, &put.value),
                Some(Op::RequestDeleteRange(delete)) => self.keys.extend([&delete.key[..]]),
                Some(Op::RequestTxn(txn)) => {
                    self.compares(&txn.compare);
                    self.asked(&txn.success);
                    self.asked(&txn.failure);
                }
                None => {}
            }
        }
    }

    fn answered(&mut self, responses: &'a [ResponseOp]) {
        for response in responses {
            match &response.response {
                Some(Answer::ResponseRange(range)) => self.shown(&range.kvs),
                Some(Answer::ResponsePut(put)) => self.shown(put.prev_kv.as_slice()),
                Some(Answer::ResponseDeleteRange(delete)) => self.shown(&delete.prev_kvs),
                Some(Answer::ResponseTxn(txn)) => self.answered(&txn.responses),
                None => {}
            }
        }
    }
}
