//! Checks whether a request is well-formed, before it is proposed or read (etcd's `api/v3rpc/key.go`). These
//! checks do not depend on the store.

use std::collections::BTreeSet;

use api::etcdserverpb::range_request::{SortOrder, SortTarget};
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest};
use api::{Error, Request};

/// Refuses a request that etcd would refuse before it proposes or reads anything. `max_txn_ops` is the limit on the
/// operations of a transaction, counted along each path of nesting: the operations of a branch plus those of a branch
/// nested in it.
///
/// # Errors
/// `EmptyKey`, `ValueProvided`, `LeaseProvided`, `InvalidSortOption`, `TooManyOps`, `KeyNotFound` (for an
/// operation without content), `DuplicateKey`. If a request has several errors, the result is the one that
/// etcd finds first.
pub fn check_request(request: &Request, max_txn_ops: u32) -> Result<(), Error> {
    match request {
        Request::Range(request) => check_range(request),
        Request::Put(request) => check_put(request),
        Request::DeleteRange(request) => check_delete_range(request),
        Request::Txn(request) => {
            check_txn(request, max_txn_ops as usize)?;
            written(&request.success)?;
            written(&request.failure)?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Refuses a range that etcd would refuse before it reads anything.
pub(crate) fn check_range(request: &RangeRequest) -> Result<(), Error> {
    if request.key.is_empty() {
        return Err(Error::EmptyKey);
    }
    if SortOrder::try_from(request.sort_order).is_err() || SortTarget::try_from(request.sort_target).is_err()
    {
        return Err(Error::InvalidSortOption);
    }
    Ok(())
}

fn check_put(request: &PutRequest) -> Result<(), Error> {
    if request.key.is_empty() {
        return Err(Error::EmptyKey);
    }
    if request.ignore_value && !request.value.is_empty() {
        return Err(Error::ValueProvided);
    }
    if request.ignore_lease && request.lease != 0 {
        return Err(Error::LeaseProvided);
    }
    Ok(())
}

fn check_delete_range(request: &DeleteRangeRequest) -> Result<(), Error> {
    if request.key.is_empty() { Err(Error::EmptyKey) } else { Ok(()) }
}

/// `allowed` is the number of operations that the enclosing transactions leave for this one.
fn check_txn(txn: &TxnRequest, allowed: usize) -> Result<(), Error> {
    let count = txn.compare.len().max(txn.success.len()).max(txn.failure.len());
    let Some(left) = allowed.checked_sub(count) else { return Err(Error::TooManyOps) };
    if txn.compare.iter().any(|compare| compare.key.is_empty()) {
        return Err(Error::EmptyKey);
    }
    txn.success.iter().chain(&txn.failure).try_for_each(|op| check_op(op, left))
}

fn check_op(op: &RequestOp, left: usize) -> Result<(), Error> {
    match &op.request {
        Some(Op::RequestRange(request)) => check_range(request),
        Some(Op::RequestPut(request)) => check_put(request),
        Some(Op::RequestDeleteRange(request)) => check_delete_range(request),
        Some(Op::RequestTxn(request)) => check_txn(request, left),
        None => Err(Error::KeyNotFound),
    }
}

/// The keys that the operations of one branch may write.
#[derive(Default)]
struct Written<'a> {
    puts: BTreeSet<&'a [u8]>,
    deletions: Vec<&'a DeleteRangeRequest>,
}

impl Written<'_> {
    /// Whether a deletion includes `key`.
    ///
    /// As in etcd, an end of one zero byte, which means "up to the last key", is compared here like any other
    /// end, so the range seems to be empty. Such a transaction may put a key that it also deletes.
    fn deletes(&self, key: &[u8]) -> bool {
        self.deletions.iter().any(|deletion| match deletion.range_end.is_empty() {
            true => deletion.key == key,
            false => *deletion.key <= *key && *key < *deletion.range_end,
        })
    }
}

/// The keys that `ops` may write. An error if a key could be put twice, or put and deleted.
///
/// Both branches of a nested transaction may put the same key, since only one of them is executed. Deletions
/// may overlap. The order of these checks is etcd's, and clients can see it: a put in a nested transaction is
/// compared with the deletions of nested transactions before it, not of those after it.
fn written(ops: &[RequestOp]) -> Result<Written<'_>, Error> {
    let mut all = Written::default();
    let requests = || ops.iter().filter_map(|op| op.request.as_ref());
    all.deletions.extend(requests().filter_map(|op| match op {
        Op::RequestDeleteRange(deletion) => Some(deletion),
        _ => None,
    }));
    for op in requests() {
        let Op::RequestTxn(nested) = op else { continue };
        let success = written(&nested.success)?;
        let failure = written(&nested.failure)?;
        let clash = |key: &&[u8]| all.puts.contains(key) || all.deletes(key);
        if success.puts.iter().any(clash) || failure.puts.iter().any(clash) {
            return Err(Error::DuplicateKey);
        }
        all.puts.extend(success.puts.into_iter().chain(failure.puts));
        all.deletions.extend(success.deletions.into_iter().chain(failure.deletions));
    }
    for op in requests() {
        let Op::RequestPut(put) = op else { continue };
        if all.deletes(&put.key) || !all.puts.insert(&put.key) {
            return Err(Error::DuplicateKey);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use api::Error::{DuplicateKey, EmptyKey, InvalidSortOption, KeyNotFound, TooManyOps, ValueProvided};

    use super::*;

    fn put(key: &'static str) -> RequestOp {
        let key = key.into();
        RequestOp { request: Some(Op::RequestPut(PutRequest { key, ..PutRequest::default() })) }
    }

    fn delete(key: &'static str, range_end: &'static str) -> RequestOp {
        let (key, range_end) = (key.into(), range_end.into());
        RequestOp {
            request: Some(Op::RequestDeleteRange(DeleteRangeRequest { key, range_end, prev_kv: false })),
        }
    }

    fn txn(success: Vec<RequestOp>, failure: Vec<RequestOp>) -> TxnRequest {
        TxnRequest { success, failure, ..TxnRequest::default() }
    }

    fn nested(success: Vec<RequestOp>, failure: Vec<RequestOp>) -> RequestOp {
        RequestOp { request: Some(Op::RequestTxn(txn(success, failure))) }
    }

    fn check(success: Vec<RequestOp>, max_txn_ops: u32) -> Result<(), Error> {
        check_request(&txn(success, Vec::new()).into(), max_txn_ops)
    }

    #[test]
    fn operations_are_counted_along_the_nesting_not_in_total() {
        let two = || nested(vec![put("a"), put("b")], vec![put("a"), put("b")]);
        assert_eq!(check(vec![two()], 3), Ok(()));
        assert_eq!(check(vec![two()], 2), Err(TooManyOps));
        assert_eq!(
            check(vec![nested(vec![delete("a", "")], vec![]), nested(vec![delete("a", "")], vec![])], 3),
            Ok(())
        );
        assert_eq!(check(vec![], 0), Ok(()));
    }

    #[test]
    fn every_operation_is_checked_before_keys_are_compared() {
        assert_eq!(check(vec![put("a"), put("a"), put("")], 128), Err(EmptyKey));
        assert_eq!(check(vec![put("a"), put("a"), RequestOp { request: None }], 128), Err(KeyNotFound));
        let mut both = txn(vec![put("a"), put("a")], Vec::new());
        let value =
            PutRequest { key: "b".into(), value: "v".into(), ignore_value: true, ..PutRequest::default() };
        both.failure.push(RequestOp { request: Some(Op::RequestPut(value)) });
        assert_eq!(check_request(&both.into(), 128), Err(ValueProvided));
    }

    #[test]
    fn duplicate_keys() {
        let twice = [
            vec![put("a"), put("a")],
            vec![put("b"), delete("a", "c")],
            vec![nested(vec![put("a")], vec![]), nested(vec![], vec![put("a")])],
            vec![nested(vec![put("a")], vec![]), put("a")],
            vec![nested(vec![put("a")], vec![]), delete("a", "")],
            vec![nested(vec![delete("a", "")], vec![]), nested(vec![put("a")], vec![])],
            vec![nested(vec![put("a"), put("a")], vec![])],
        ];
        for ops in twice {
            assert_eq!(check(ops.clone(), 128), Err(DuplicateKey), "{ops:?}");
        }
        let once = [
            vec![delete("a", ""), delete("a", "c")],
            vec![put("c"), delete("a", "c")],
            vec![nested(vec![put("a")], vec![put("a")])],
            vec![nested(vec![put("a")], vec![delete("a", "")])],
            // This puts a key twice, but etcd does not notice.
            vec![nested(vec![put("a")], vec![]), nested(vec![delete("a", "")], vec![])],
            vec![delete("a", "\0"), put("b")],
        ];
        for ops in once {
            assert_eq!(check(ops.clone(), 128), Ok(()), "{ops:?}");
        }
    }

    #[test]
    fn sort_options_are_those_of_the_enums() {
        let range = |sort_order, sort_target| {
            let request =
                RangeRequest { key: "a".into(), sort_order, sort_target, ..RangeRequest::default() };
            check_request(&request.into(), 128)
        };
        assert_eq!(range(2, 4), Ok(()));
        assert_eq!(range(3, 0), Err(InvalidSortOption));
        assert_eq!(range(0, -1), Err(InvalidSortOption));
    }
}
