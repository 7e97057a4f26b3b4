//! Adds a hint to violations. An answer that proves a violation may show a value whose write was reported as failed.
//! Then the answer may be right, and the report of the failure wrong.

use std::collections::{BTreeMap, BTreeSet};

use api::etcdserverpb::TxnResponse;
use api::etcdserverpb::response_op::Response as OpResponse;
use api::mvccpb::KeyValue;
use api::{Part, Response};
use bytes::Bytes;
use record::{History, Outcome};

use crate::{Context, Oracle, Sheet, Violation, definite, describe};

/// Adds a sentence to each violation of K1 to K4 that is proved by such an answer.
pub(crate) fn explain(context: &Context<'_>, sheet: &mut Sheet) {
    let meant = |violation: &Violation| violation.oracle <= Oracle::K4;
    if !sheet.violations().iter().any(meant) {
        return;
    }
    let history = context.history();
    let failed = FailedWrites::of(history);
    sheet.amend(|violation| {
        if !meant(violation) {
            return;
        }
        if let Some((write, sentence)) = failed.first_seen_in(history, &violation.operations) {
            violation.sentences.push(sentence);
            if !violation.operations.contains(&write) {
                violation.operations.push(write);
            }
        }
    });
}

/// Key and value of a put.
type Pair<'a> = (&'a Bytes, &'a Bytes);

/// Puts that were reported as failed.
struct FailedWrites<'a> {
    /// The operation that put a pair, if every put of that pair failed.
    pairs: BTreeMap<Pair<'a>, usize>,
}

impl<'a> FailedWrites<'a> {
    /// Collects the failed writes of a history.
    fn of(history: &'a History) -> FailedWrites<'a> {
        let mut pairs = BTreeMap::new();
        // The pairs that at least one put wrote without failing.
        let mut other = BTreeSet::new();
        for (number, operation) in history.operations.iter().enumerate() {
            let failed =
                matches!(operation.outcome, Outcome::Error { error, .. } if definite::is_definite(error));
            for part in operation.request.parts() {
                let Part::Put(put) = part else { continue };
                if failed {
                    pairs.entry((&put.key, &put.value)).or_insert(number);
                } else {
                    other.insert((&put.key, &put.value));
                }
            }
        }
        pairs.retain(|pair, _| !other.contains(pair));
        FailedWrites { pairs }
    }

    /// For the first of these operations whose answer has a pair of a failed write: the number of that write, and a
    /// sentence.
    fn first_seen_in(&self, history: &History, operations: &[usize]) -> Option<(usize, String)> {
        operations.iter().find_map(|number| {
            let kvs = pairs(history.operations.get(*number)?.response()?);
            let (kv, write) = kvs
                .into_iter()
                .find_map(|kv| Some((kv, *self.pairs.get(&(&kv.key, &kv.value))?)))?;
            let operation = &history.operations[write];
            let Outcome::Error { error, .. } = &operation.outcome else { return None };
            let sentence = format!(
                "{} put the value {} into {}, and was reported as failed (\"{error}\"); no other write has that value.",
                describe::who(operation),
                describe::value(&kv.value),
                describe::key(&kv.key),
            );
            Some((write, sentence))
        })
    }
}

/// All pairs in an answer.
fn pairs(response: &Response) -> Vec<&KeyValue> {
    match response {
        Response::Range(range) => range.kvs.iter().collect(),
        Response::Put(put) => put.prev_kv.iter().collect(),
        Response::DeleteRange(delete) => delete.prev_kvs.iter().collect(),
        Response::Txn(txn) => of_txn(txn),
        _ => Vec::new(),
    }
}

/// All pairs in the answer to a transaction.
fn of_txn(txn: &TxnResponse) -> Vec<&KeyValue> {
    let mut found = Vec::new();
    for op in &txn.responses {
        match &op.response {
            Some(OpResponse::ResponseRange(range)) => found.extend(&range.kvs),
            Some(OpResponse::ResponsePut(put)) => found.extend(&put.prev_kv),
            Some(OpResponse::ResponseDeleteRange(delete)) => found.extend(&delete.prev_kvs),
            Some(OpResponse::ResponseTxn(nested)) => found.extend(of_txn(nested)),
            None => {}
        }
    }
    found
}
