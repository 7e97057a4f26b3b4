//! Splits a history by keys and judges each key on its own, as a register of values, without looking at revisions.
//!
//! Every operation is split into parts, one for each key that it reads or writes. A part is an operation on the
//! register of its key: what it read there, and what it wrote. Each part may take effect at a moment of its own. That
//! allows more orders than etcd does, and never fewer, so a key without an order is a violation.
//!
//! Two things change keys without a client's request: a lease that ends deletes its keys, so a key that is attached
//! to a lease may vanish at any time after it was put; and the lock and election services write keys, which are left
//! out here.
//!
//! Left out: revisions, versions, leases, counts; what ranges with a limit or a filter say about keys that are not in
//! their answer; comparisons that do not prove a value.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::response_op::Response as Answer;
use api::etcdserverpb::{
    Compare, DeleteRangeRequest, DeleteRangeResponse, PutRequest, RangeRequest, RangeResponse, RequestOp,
    ResponseOp,
};
use api::{Part, Request, Response};
use bytes::Bytes;
use linear::models::keyed::{Input as OfKey, Keyed};
use linear::models::register::{Input, Output, Register};
use linear::{Budget, Operation, Outcome, Report};
use record::{Applied, History};

use crate::definite::over_at;
use crate::describe;
use crate::k1::place::{Place, place};

/// The value of a key; `None` if it does not exist.
pub type Content = Option<Bytes>;

/// A history, split by keys.
#[derive(Debug)]
pub struct ByKey {
    /// The parts, in the order of the operations.
    pub history: linear::History<OfKey<u32, Input<Content>>, Output<Content>>,
    /// The operation that each part belongs to, by its number in the record's history.
    pub numbers: Vec<u32>,
    /// The keys, in order; parts name them by index.
    pub keys: Vec<Bytes>,
}

/// What an operation read of a key before it changed it, and what it wrote there.
#[derive(Debug, Default)]
struct Share {
    /// What it read, if it did.
    saw: Option<Content>,
    /// What it wrote last, if it did.
    left: Option<Content>,
}

impl ByKey {
    /// Splits a history. The store must be empty at its start. `applied` is what members proposed themselves, if that
    /// is known; without it the history must have no calls of the lock and election services.
    pub fn new(history: &History, applied: &[Applied]) -> ByKey {
        let keys = keys(history, applied);
        let mut splitter = Splitter {
            keys: &keys,
            shares: BTreeMap::new(),
            history: linear::History::new(),
            numbers: Vec::new(),
        };
        for (number, operation) in (0..).zip(&history.operations) {
            match (place(operation), operation.response(), over_at(operation)) {
                (Place::At(_), Some(response), Some(at)) => {
                    splitter.answer(&operation.request, response);
                    splitter.add_answered(number, operation, at);
                }
                (Place::Open, ..) => splitter.add_unknown(number, operation),
                _ => {}
            }
            splitter.add_lease_ends(number, operation);
        }
        let Splitter { history, numbers, .. } = splitter;
        ByKey { history, numbers, keys: keys.into_keys().collect() }
    }

    /// Judges every key.
    pub fn check(&self, budget: &Budget<'_>) -> Report {
        linear::check(&Keyed::new(Register { initial: None }), &self.history, budget)
    }

    /// The operations of these parts, each once, in the order of calls.
    pub fn operations(&self, parts: &[u32]) -> Vec<usize> {
        let numbers: BTreeSet<u32> = parts.iter().map(|part| self.numbers[*part as usize]).collect();
        numbers.into_iter().map(|number| number as usize).collect()
    }

    /// The key of a part, as text.
    pub fn key_of(&self, part: u32) -> String {
        describe::key(&self.keys[self.history.operation(part).input.key as usize])
    }
}

/// Numbers the keys that clients name or received, without those that members write for themselves.
fn keys(history: &History, applied: &[Applied]) -> BTreeMap<Bytes, u32> {
    let mut names = Vec::new();
    for operation in &history.operations {
        names.extend(operation.request.parts().map(key_of));
        names.extend(operation.response().into_iter().flat_map(Response::pairs).map(|pair| &pair.key));
    }
    names.sort_unstable();
    names.dedup();
    let internal = applied.iter().filter_map(|entry| entry.internal.as_deref());
    let own: BTreeSet<&Bytes> = internal.flat_map(|request| request.parts().map(key_of)).collect();
    names.retain(|key| !own.contains(key));
    names.into_iter().cloned().zip(0..).collect()
}

/// The key that a part of a request names.
fn key_of(part: Part<'_>) -> &Bytes {
    match part {
        Part::Compare(compare) => &compare.key,
        Part::Range(range) => &range.key,
        Part::Put(put) => &put.key,
        Part::DeleteRange(delete) => &delete.key,
    }
}

/// Splits operations one after another.
struct Splitter<'a> {
    keys: &'a BTreeMap<Bytes, u32>,
    /// The parts of the current operation, by key.
    shares: BTreeMap<u32, Share>,
    history: linear::History<OfKey<u32, Input<Content>>, Output<Content>>,
    numbers: Vec<u32>,
}

impl<'a> Splitter<'a> {
    /// The operation read this content of the key.
    fn saw(&mut self, key: &Bytes, held: Content) {
        if let Some(number) = self.keys.get(key) {
            let share = self.shares.entry(*number).or_default();
            if share.left.is_none() && share.saw.is_none() {
                share.saw = Some(held);
            }
        }
    }

    /// The operation wrote this content into the key.
    fn left(&mut self, key: &Bytes, held: Content) {
        if let Some(number) = self.keys.get(key) {
            self.shares.entry(*number).or_default().left = Some(held);
        }
    }

    /// The keys of a span.
    fn span(&self, key: &Bytes, range_end: &Bytes) -> impl Iterator<Item = &'a Bytes> + use<'a> {
        let end = match &range_end[..] {
            [] => Bound::Included(key),
            [0] => Bound::Unbounded,
            // An empty range. A map does not accept an end before the start.
            _ if range_end <= key => Bound::Excluded(key),
            _ => Bound::Excluded(range_end),
        };
        let keys: &'a BTreeMap<_, _> = self.keys;
        keys.range::<Bytes, _>((Bound::Included(key), end)).map(|(key, _)| key)
    }

    /// Splits an answered operation.
    fn answer(&mut self, request: &Request, response: &Response) {
        match (request, response) {
            (Request::Range(range), Response::Range(response)) => self.range(range, response),
            (Request::Put(put), Response::Put(response)) => {
                self.put(put, response.prev_kv.as_ref().map(|kv| kv.value.clone()))
            }
            (Request::DeleteRange(delete), Response::DeleteRange(response)) => self.delete(delete, response),
            (Request::Txn(txn), Response::Txn(response)) => {
                self.compares(&txn.compare, response.succeeded);
                let branch = if response.succeeded { &txn.success } else { &txn.failure };
                self.branch(branch, &response.responses);
            }
            _ => {}
        }
    }

    /// Splits the requests of a transaction's branch that ran.
    fn branch(&mut self, ops: &[RequestOp], responses: &[ResponseOp]) {
        for (op, response) in ops.iter().zip(responses) {
            match (&op.request, &response.response) {
                (Some(Op::RequestRange(range)), Some(Answer::ResponseRange(response))) => {
                    self.range(range, response)
                }
                (Some(Op::RequestPut(put)), Some(Answer::ResponsePut(response))) => {
                    self.put(put, response.prev_kv.as_ref().map(|kv| kv.value.clone()))
                }
                (Some(Op::RequestDeleteRange(delete)), Some(Answer::ResponseDeleteRange(response))) => {
                    self.delete(delete, response)
                }
                (Some(Op::RequestTxn(txn)), Some(Answer::ResponseTxn(response))) => {
                    let branch = if response.succeeded { &txn.success } else { &txn.failure };
                    self.branch(branch, &response.responses);
                }
                _ => {}
            }
        }
    }

    /// Notes which values a range saw.
    fn range(&mut self, request: &RangeRequest, response: &RangeResponse) {
        if request.revision > 0 || request.serializable || request.count_only || request.keys_only {
            return;
        }
        for kv in &response.kvs {
            self.saw(&kv.key, Some(kv.value.clone()));
        }
        let filters = [
            request.min_mod_revision,
            request.max_mod_revision,
            request.min_create_revision,
            request.max_create_revision,
        ];
        // A negative bound is a filter too: as a maximum, it excludes every pair.
        if request.limit > 0 || filters.iter().any(|filter| *filter != 0) {
            return;
        }
        let there: BTreeSet<&Bytes> = response.kvs.iter().map(|kv| &kv.key).collect();
        for key in self.span(&request.key, &request.range_end) {
            if !there.contains(key) {
                self.saw(key, None);
            }
        }
    }

    /// Notes which value a put saw, and which it left.
    fn put(&mut self, put: &PutRequest, previous: Option<Bytes>) {
        if put.prev_kv {
            self.saw(&put.key, previous);
        }
        if !put.ignore_value {
            self.left(&put.key, Some(put.value.clone()));
        }
    }

    /// Notes which values a deletion saw and removed.
    fn delete(&mut self, delete: &DeleteRangeRequest, response: &DeleteRangeResponse) {
        for kv in &response.prev_kvs {
            self.saw(&kv.key, Some(kv.value.clone()));
        }
        // Whether the answer shows every key that existed. If so, a key that it does not show did not exist.
        let all_shown = delete.prev_kv || response.deleted == 0;
        for key in self.span(&delete.key, &delete.range_end) {
            if all_shown && !response.prev_kvs.iter().any(|kv| kv.key == *key) {
                self.saw(key, None);
            } else {
                self.left(key, None);
            }
        }
    }

    /// A comparison that was true proves the content of its key, if it compares with a value or requires that the key
    /// does not exist.
    fn compares(&mut self, compares: &[Compare], succeeded: bool) {
        let equal = |compare: &&Compare| {
            compare.result == CompareResult::Equal as i32 && compare.range_end.is_empty()
        };
        for compare in compares.iter().filter(equal).filter(|_| succeeded) {
            // etcd looks only at the operand for the compare's target. If the union has the operand of another
            // target, it proves nothing.
            match (CompareTarget::try_from(compare.target), &compare.target_union) {
                (Ok(CompareTarget::Value), Some(TargetUnion::Value(value))) => {
                    self.saw(&compare.key, Some(value.clone()));
                }
                (Ok(CompareTarget::Version), Some(TargetUnion::Version(0)))
                | (Ok(CompareTarget::Create), Some(TargetUnion::CreateRevision(0)))
                | (Ok(CompareTarget::Mod), Some(TargetUnion::ModRevision(0))) => {
                    self.saw(&compare.key, None);
                }
                _ => {}
            }
        }
    }

    /// Adds the parts of an answered operation to the history.
    fn add_answered(&mut self, number: u32, operation: &record::Operation, at: u64) {
        for (key, share) in std::mem::take(&mut self.shares) {
            let (input, output) = match (share.saw, share.left) {
                (None, None) => continue,
                (Some(saw), None) => (Input::Read, Output::Value(saw)),
                (None, Some(left)) => (Input::Write(left), Output::Written),
                (Some(saw), Some(left)) => (Input::Cas(saw, left), Output::Set(true)),
            };
            self.push(number, operation, OfKey { key, input }, Outcome::Answered { output, at });
        }
    }

    /// Adds all writes that an operation without an answer may have made.
    fn add_unknown(&mut self, number: u32, operation: &record::Operation) {
        for part in operation.request.parts() {
            match part {
                Part::Put(put) if !put.ignore_value => {
                    self.add_possible(number, operation, &put.key, Some(put.value.clone()));
                }
                Part::DeleteRange(delete) => self.add_possible_delete(number, operation, delete),
                _ => {}
            }
        }
    }

    /// Adds the deletions that an operation without an answer may have made.
    fn add_possible_delete(
        &mut self,
        number: u32,
        operation: &record::Operation,
        delete: &DeleteRangeRequest,
    ) {
        for key in self.span(&delete.key, &delete.range_end) {
            self.add_possible(number, operation, key, None);
        }
    }

    /// Adds a write that an operation without an answer may have made.
    fn add_possible(&mut self, number: u32, operation: &record::Operation, key: &Bytes, left: Content) {
        if let Some(key) = self.keys.get(key) {
            let input = OfKey { key: *key, input: Input::Write(left) };
            self.push(number, operation, input, Outcome::Unknown);
        }
    }

    /// Adds the possible end of a lease for each key that the operation put with one.
    fn add_lease_ends(&mut self, number: u32, operation: &record::Operation) {
        for part in operation.request.parts() {
            if let Part::Put(put) = part
                && put.lease != 0
            {
                self.add_possible(number, operation, &put.key, None);
            }
        }
    }

    /// Adds a part to the history.
    fn push(
        &mut self,
        number: u32,
        operation: &record::Operation,
        input: OfKey<u32, Input<Content>>,
        outcome: Outcome<Output<Content>>,
    ) {
        let part = Operation { client: operation.client, input, call: operation.call, outcome };
        self.history.push(part).expect("a record has no operation that returns before its call");
        self.numbers.push(number);
    }
}

#[cfg(test)]
mod tests {
    use api::etcdserverpb::{PutRequest, RangeRequest};
    use record::{MemberId, Operation, Outcome};

    use super::*;

    #[test]
    fn parts_have_the_numbers_of_their_operations() {
        let operation = |request: Request, call| Operation {
            client: 1,
            member: MemberId::new(1),
            user: None,
            request,
            streamed: false,
            call,
            outcome: Outcome::Unknown { gave_up: call + 1 },
        };
        let put = |key: &'static str| PutRequest { key: key.into(), ..PutRequest::default() }.into();
        let read = RangeRequest { key: "a".into(), ..RangeRequest::default() }.into();
        let operations = vec![operation(put("a"), 10), operation(read, 20), operation(put("b"), 30)];
        let by_key = ByKey::new(&History { operations, ..History::default() }, &[]);
        assert_eq!(by_key.operations(&[0, 1]), [0, 2]);
        assert_eq!([by_key.key_of(0), by_key.key_of(1)], ["a", "b"]);
    }
}
