//! Executes transactions in three passes: first it evaluates the compares and so chooses the branches, then
//! it checks all operations of these branches, then it executes them under one revision. Nothing can fail in
//! the third pass, because there is no rollback.

use std::cmp::Ordering;
use std::slice;

use api::Error;
use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::response_op::Response as OpResponse;
use api::etcdserverpb::{
    Compare, PutRequest, RangeRequest, RequestOp, ResponseHeader, ResponseOp, TxnRequest, TxnResponse,
};
use api::mvccpb::KeyValue;

use super::{delete_range, header, put, range};
use crate::config::EtcdVersion;
use crate::flaw::Flaw;
use crate::mvcc::{KeyRange, Store, Write};

/// Whether a transaction only reads, so that it need not go through the log: both branches have only ranges.
/// A nested transaction never counts as a read, even if it only reads. An empty transaction is read-only.
pub fn is_read_only(txn: &TxnRequest) -> bool {
    ranges(txn).all(|range| range.is_some())
}

/// Whether a transaction may be answered from this member's store at once: it has only serializable ranges.
/// This includes an empty transaction.
pub fn is_serializable(txn: &TxnRequest) -> bool {
    ranges(txn).all(|range| range.is_some_and(|range| range.serializable))
}

/// The operations of both branches, `None` for each that is not a range.
fn ranges(txn: &TxnRequest) -> impl Iterator<Item = Option<&RangeRequest>> {
    txn.success.iter().chain(&txn.failure).map(|op| match &op.request {
        Some(Op::RequestRange(range)) => Some(range),
        _ => None,
    })
}

/// For each transaction that will be executed, whether its compares succeeded. A transaction comes before
/// those nested in it.
type Path<'a> = slice::Iter<'a, bool>;

/// Executes a transaction. After an error, the store is unchanged.
pub(super) fn txn(store: &mut Store, txn: &TxnRequest) -> Result<TxnResponse, Error> {
    let mut path = Vec::new();
    decide(store, txn, &mut path);
    let mut puts = PutCheck { store, deleted: Vec::new() };
    check(txn, &mut path.iter(), &mut |op| puts.check(op))?;
    if let Err(error) = check(txn, &mut path.iter(), &mut |op| check_range(store, op)) {
        if store.flaws().has(Flaw::TxnFailsMidway) {
            let before = until_bad_range(store, txn, &mut path.iter());
            run(&mut store.write(), &before, &mut [true].iter()); // flaw M-18799
        }
        return Err(error);
    }
    let mut response = run(&mut store.write(), txn, &mut path.iter());
    response.header = header(store);
    Ok(response)
}

/// The writes of the chosen branch before its first range that cannot be read, for flaw M-18799.
fn until_bad_range(store: &Store, txn: &TxnRequest, path: &mut Path<'_>) -> TxnRequest {
    let (_, ops) = next_branch(txn, path);
    let is_write =
        |op: &&RequestOp| matches!(op.request, Some(Op::RequestPut(_) | Op::RequestDeleteRange(_)));
    let is_good = |op: &&RequestOp| op.request.as_ref().is_none_or(|op| check_range(store, op).is_ok());
    let success = ops.iter().take_while(is_good).filter(is_write).cloned().collect();
    TxnRequest { success, ..TxnRequest::default() }
}

/// The transaction without its ranges, which is what etcd executes on members where nobody waits for the
/// response (`removeNeedlessRangeReqs`).
pub(super) fn without_ranges(txn: &TxnRequest) -> TxnRequest {
    let mut txn = txn.clone();
    for ops in [&mut txn.success, &mut txn.failure] {
        ops.retain(|op| !matches!(op.request, Some(Op::RequestRange(_))));
    }
    txn
}

/// Evaluates the compares of `txn` and of the transactions nested in the chosen branches.
fn decide(store: &Store, txn: &TxnRequest, path: &mut Vec<bool>) {
    let succeeded = txn.compare.iter().all(|compare| is_true(store, compare));
    path.push(succeeded);
    for op in branch(txn, succeeded) {
        if let Some(Op::RequestTxn(nested)) = &op.request {
            decide(store, nested, path);
        }
    }
}

/// The operations of one branch.
fn branch(txn: &TxnRequest, succeeded: bool) -> &[RequestOp] {
    if succeeded { &txn.success } else { &txn.failure }
}

/// Takes the result of this transaction's compares from `path`, and returns it with the chosen branch.
fn next_branch<'a>(txn: &'a TxnRequest, path: &mut Path<'_>) -> (bool, &'a [RequestOp]) {
    let succeeded = *path.next().expect("the path was made by the same walk");
    (succeeded, branch(txn, succeeded))
}

/// Calls `f` with every operation that will be executed, in order. A nested transaction is replaced by its operations.
/// Stops at the first error.
fn check<'a, F>(txn: &'a TxnRequest, path: &mut Path<'_>, f: &mut F) -> Result<(), Error>
where
    F: FnMut(&'a Op) -> Result<(), Error>,
{
    next_branch(txn, path).1.iter().filter_map(|op| op.request.as_ref()).try_for_each(|op| match op {
        Op::RequestTxn(nested) => check(nested, path, f),
        op => f(op),
    })
}

/// Checks whether the puts of a transaction can be executed.
struct PutCheck<'a> {
    store: &'a Store,
    /// The ranges that the transaction has deleted so far.
    deleted: Vec<KeyRange<'a>>,
}

impl<'a> PutCheck<'a> {
    /// Checks an operation of a transaction. Deletions are remembered, because they decide whether later puts can be
    /// executed.
    fn check(&mut self, op: &'a Op) -> Result<(), Error> {
        match op {
            Op::RequestDeleteRange(deletion) => {
                self.deleted.push(KeyRange::new(&deletion.key, &deletion.range_end));
                Ok(())
            }
            Op::RequestPut(put) => self.check_put(put),
            _ => Ok(()),
        }
    }

    /// Whether a put can be executed. etcd looks only at the state before the transaction. If the transaction
    /// deletes a key and then puts it with `ignore_value`, say, all members of etcd end with "unexpected
    /// error during txn", and again after each restart. Here such a transaction gets an error.
    fn check_put(&self, put: &PutRequest) -> Result<(), Error> {
        let deleted = || self.deleted.iter().any(|keys| keys.contains(&put.key));
        let lease = match put.lease != 0 && self.store.lease(put.lease).is_none() {
            true => Err(Error::LeaseNotFound),
            false => Ok(()),
        };
        // etcd 3.7 looks at the lease first, 3.4 at the key (both recorded).
        if self.store.version() >= EtcdVersion::V3_7 {
            lease?;
        }
        if (put.ignore_value || put.ignore_lease) && (self.store.get(&put.key).is_none() || deleted()) {
            return Err(Error::KeyNotFound);
        }
        lease
    }
}

/// Whether a range in a transaction can be read, in the state before the transaction.
///
/// As in etcd, a negative revision is `Compacted` here after any compaction, while a range outside a
/// transaction takes it for the current revision.
fn check_range(store: &Store, op: &Op) -> Result<(), Error> {
    match op {
        Op::RequestRange(range) if range.revision > store.revision() => Err(Error::FutureRev),
        Op::RequestRange(range) if range.revision != 0 && range.revision < store.compact_revision() => {
            Err(Error::Compacted)
        }
        _ => Ok(()),
    }
}

/// Executes the chosen branches. The headers of nested responses stay empty, as in etcd.
fn run(write: &mut Write<'_>, txn: &TxnRequest, path: &mut Path<'_>) -> TxnResponse {
    let (succeeded, ops) = next_branch(txn, path);
    let mut answer = |op: &Op| match op {
        Op::RequestRange(request) => OpResponse::ResponseRange(
            range(write, request).expect("a range was checked before the transaction began"),
        ),
        Op::RequestPut(request) => OpResponse::ResponsePut(put(write, request)),
        Op::RequestDeleteRange(request) => OpResponse::ResponseDeleteRange(delete_range(write, request)),
        Op::RequestTxn(nested) => OpResponse::ResponseTxn(run(write, nested, path)),
    };
    let responses = ops.iter().map(|op| ResponseOp { response: op.request.as_ref().map(&mut answer) });
    TxnResponse { header: Some(ResponseHeader::default()), succeeded, responses: responses.collect() }
}

/// Whether a compare is true for all keys of its range. If there is no such key, the compare is with a pair
/// of zeros, except that a compare of the value is false.
fn is_true(store: &Store, compare: &Compare) -> bool {
    let keys = KeyRange::new(&compare.key, &compare.range_end);
    let mut live = store.live(keys, store.revision()).map(|at| store.row(at)).peekable();
    match live.peek() {
        Some(_) => live.all(|row| is_true_for(compare, row)),
        None => compare.target != CompareTarget::Value as i32 && is_true_for(compare, &KeyValue::default()),
    }
}

/// Whether a compare is true for a pair. As in etcd, which does not check the numbers of target and result: with an
/// unknown target, the pair counts as equal; with an unknown result, the compare is true.
fn is_true_for(compare: &Compare, row: &KeyValue) -> bool {
    let given = given(compare);
    let order = match CompareTarget::try_from(compare.target) {
        Ok(CompareTarget::Version) => row.version.cmp(&given.version),
        Ok(CompareTarget::Create) => row.create_revision.cmp(&given.create_revision),
        Ok(CompareTarget::Mod) => row.mod_revision.cmp(&given.mod_revision),
        Ok(CompareTarget::Value) => row.value.cmp(&given.value),
        Ok(CompareTarget::Lease) => row.lease.cmp(&given.lease),
        Err(_) => Ordering::Equal,
    };
    match CompareResult::try_from(compare.result) {
        Ok(CompareResult::Equal) => order.is_eq(),
        Ok(CompareResult::NotEqual) => order.is_ne(),
        Ok(CompareResult::Greater) => order.is_gt(),
        Ok(CompareResult::Less) => order.is_lt(),
        Err(_) => true,
    }
}

/// The pair to compare with. Only the field in the compare's union is set, even if it is not the target; the
/// others are zero.
fn given(compare: &Compare) -> KeyValue {
    let mut given = KeyValue::default();
    match &compare.target_union {
        Some(TargetUnion::Version(version)) => given.version = *version,
        Some(TargetUnion::CreateRevision(revision)) => given.create_revision = *revision,
        Some(TargetUnion::ModRevision(revision)) => given.mod_revision = *revision,
        Some(TargetUnion::Value(value)) => given.value = value.clone(),
        Some(TargetUnion::Lease(lease)) => given.lease = *lease,
        None => {}
    }
    given
}

#[cfg(test)]
mod tests {
    use api::etcdserverpb::DeleteRangeRequest;

    use super::*;

    #[test]
    fn a_put_that_needs_a_pair_the_transaction_deletes_is_refused_whole() {
        let mut store = Store::new();
        store.write().put(&"b".into(), "kept".into(), 0);
        let (key, range_end) = ("a".into(), "\0".into());
        let delete = DeleteRangeRequest { key, range_end, prev_kv: false };
        let put = PutRequest { key: "b".into(), ignore_value: true, ..PutRequest::default() };
        let ops = [Op::RequestDeleteRange(delete), Op::RequestPut(put)];
        let success = ops.map(|op| RequestOp { request: Some(op) }).to_vec();
        let before = store.state_hash();
        let request = TxnRequest { success, ..TxnRequest::default() };
        assert_eq!(txn(&mut store, &request), Err(Error::KeyNotFound));
        assert_eq!(store.state_hash(), before);
    }

    #[test]
    fn what_needs_the_log() {
        let range = |serializable| {
            let request = RangeRequest { key: "a".into(), serializable, ..RangeRequest::default() };
            RequestOp { request: Some(Op::RequestRange(request)) }
        };
        let nested = RequestOp { request: Some(Op::RequestTxn(TxnRequest::default())) };
        let txn = |success, failure| TxnRequest { success, failure, ..TxnRequest::default() };
        let kind = |txn: TxnRequest| (is_read_only(&txn), is_serializable(&txn));
        assert_eq!(kind(txn(vec![], vec![])), (true, true));
        assert_eq!(kind(txn(vec![range(true)], vec![range(true)])), (true, true));
        assert_eq!(kind(txn(vec![range(true)], vec![range(false)])), (true, false));
        assert_eq!(kind(txn(vec![range(true)], vec![nested])), (false, false));
    }

    #[test]
    fn unknown_enum_numbers_are_handled_as_in_etcd() {
        let mut store = Store::new();
        store.write().put(&"a".into(), "v".into(), 0);
        let is_true = |target, result| {
            let compare = Compare { key: "a".into(), target, result, ..Compare::default() };
            is_true(&store, &compare)
        };
        assert!(is_true(9, CompareResult::Equal as i32));
        assert!(!is_true(9, CompareResult::Less as i32));
        assert!(is_true(CompareTarget::Version as i32, 9));
    }
}
