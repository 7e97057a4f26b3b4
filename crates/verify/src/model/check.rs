//! Refuses requests by their form alone, whatever the state is.

use std::collections::BTreeSet;

use api::etcdserverpb::range_request::{SortOrder, SortTarget};
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest};
use api::{Error, Request};

/// The highest number of operations of a transaction, counted together with those of the transactions around it (etcd's
/// default of `--max-txn-ops`).
pub const MAX_TXN_OPS: usize = 128;

/// The longest time to live of a lease, in seconds. etcd refuses to grant more.
pub const MAX_LEASE_TTL: i64 = 9_000_000_000;

/// The error that this request gets, whatever the state is.
pub fn check(request: &Request) -> Result<(), Error> {
    match request {
        Request::Range(range) => check_range(range),
        Request::Put(put) => check_put(put),
        Request::DeleteRange(delete) => check_delete(delete),
        Request::Txn(txn) => {
            check_txn(txn, MAX_TXN_OPS)?;
            check_writes(&txn.success)?;
            check_writes(&txn.failure)?;
            Ok(())
        }
        Request::LeaseGrant(grant) if grant.ttl > MAX_LEASE_TTL => Err(Error::LeaseTtlTooLarge),
        _ => Ok(()),
    }
}

fn check_range(range: &RangeRequest) -> Result<(), Error> {
    if range.key.is_empty() {
        return Err(Error::EmptyKey);
    }
    let known =
        SortOrder::try_from(range.sort_order).is_ok() && SortTarget::try_from(range.sort_target).is_ok();
    if known { Ok(()) } else { Err(Error::InvalidSortOption) }
}

fn check_put(put: &PutRequest) -> Result<(), Error> {
    match put {
        put if put.key.is_empty() => Err(Error::EmptyKey),
        put if put.ignore_value && !put.value.is_empty() => Err(Error::ValueProvided),
        put if put.ignore_lease && put.lease != 0 => Err(Error::LeaseProvided),
        _ => Ok(()),
    }
}

fn check_delete(delete: &DeleteRangeRequest) -> Result<(), Error> {
    if delete.key.is_empty() { Err(Error::EmptyKey) } else { Ok(()) }
}

/// Checks the number of operations and their keys, level by level. A level's operations count against the limit of the
/// levels nested in it.
fn check_txn(txn: &TxnRequest, limit: usize) -> Result<(), Error> {
    let size = txn.compare.len().max(txn.success.len()).max(txn.failure.len());
    if size > limit {
        return Err(Error::TooManyOps);
    }
    if txn.compare.iter().any(|compare| compare.key.is_empty()) {
        return Err(Error::EmptyKey);
    }
    for op in txn.success.iter().chain(&txn.failure) {
        match &op.request {
            Some(Op::RequestRange(range)) => check_range(range)?,
            Some(Op::RequestPut(put)) => check_put(put)?,
            Some(Op::RequestDeleteRange(delete)) => check_delete(delete)?,
            Some(Op::RequestTxn(nested)) => check_txn(nested, limit - size)?,
            None => return Err(Error::KeyNotFound),
        }
    }
    Ok(())
}

/// The keys that one branch of a transaction may write.
#[derive(Default)]
struct Writes<'a> {
    puts: BTreeSet<&'a [u8]>,
    deletes: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Writes<'a> {
    /// Adds a put. It is an error if the transaction also puts or deletes the key elsewhere.
    fn put(&mut self, key: &'a [u8]) -> Result<(), Error> {
        let deleted = self.deletes.iter().any(|(from, end)| covers(from, end, key));
        if deleted || !self.puts.insert(key) { Err(Error::DuplicateKey) } else { Ok(()) }
    }
}

/// Whether the delete of `from` to `end` covers `key` in etcd's interval tree: there, an end of one zero byte is an
/// end like any other, so a delete of everything from a key on conflicts with no put at all.
fn covers(from: &[u8], end: &[u8], key: &[u8]) -> bool {
    if end.is_empty() { key == from } else { from <= key && key < end }
}

/// Checks that no key is put twice, or put and also deleted. Two deletes may overlap; so may the two branches of one
/// nested transaction, because only one of them runs. As in etcd, a delete is compared with the puts of its own level
/// and of nested transactions after it, and not of those before it.
fn check_writes(ops: &[RequestOp]) -> Result<Writes<'_>, Error> {
    let mut writes = Writes::default();
    for op in ops {
        if let Some(Op::RequestDeleteRange(delete)) = &op.request {
            writes.deletes.push((&delete.key, &delete.range_end));
        }
    }
    for op in ops {
        if let Some(Op::RequestTxn(nested)) = &op.request {
            let (then, otherwise) = (check_writes(&nested.success)?, check_writes(&nested.failure)?);
            for key in &then.puts {
                writes.put(key)?;
            }
            for key in &otherwise.puts {
                if then.puts.contains(key) {
                    continue;
                }
                writes.put(key)?;
            }
            writes.deletes.extend(then.deletes);
            writes.deletes.extend(otherwise.deletes);
        }
    }
    for op in ops {
        if let Some(Op::RequestPut(put)) = &op.request {
            writes.put(&put.key)?;
        }
    }
    Ok(writes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::etcdserverpb::Compare;

    fn put(key: &'static str) -> RequestOp {
        op(Op::RequestPut(PutRequest { key: key.into(), ..PutRequest::default() }))
    }

    fn delete(key: &'static str, end: &'static str) -> RequestOp {
        let request = DeleteRangeRequest { key: key.into(), range_end: end.into(), prev_kv: false };
        op(Op::RequestDeleteRange(request))
    }

    fn nested(then: Vec<RequestOp>, otherwise: Vec<RequestOp>) -> RequestOp {
        op(Op::RequestTxn(TxnRequest { compare: Vec::new(), success: then, failure: otherwise }))
    }

    fn op(request: Op) -> RequestOp {
        RequestOp { request: Some(request) }
    }

    fn checked(ops: Vec<RequestOp>) -> Result<(), Error> {
        check(&TxnRequest { success: ops, ..TxnRequest::default() }.into())
    }

    #[test]
    fn a_key_is_written_once() {
        let twice = Err(Error::DuplicateKey);
        assert_eq!(checked(vec![put("a"), put("b"), delete("c", ""), delete("c", "d")]), Ok(()));
        assert_eq!(checked(vec![put("a"), put("a")]), twice);
        assert_eq!(checked(vec![put("b"), delete("a", "c")]), twice);
        assert_eq!(checked(vec![put("c"), delete("a", "c")]), Ok(()));
        assert_eq!(checked(vec![put("b"), nested(vec![put("b")], vec![])]), twice);
        assert_eq!(checked(vec![nested(vec![put("b")], vec![put("b")])]), Ok(()));
        assert_eq!(checked(vec![nested(vec![put("b")], vec![]), nested(vec![put("b")], vec![])]), twice);
    }

    #[test]
    fn etcds_own_ways_with_deletes() {
        // The interval tree takes a zero byte for an ordinary end, not for "no end".
        assert_eq!(checked(vec![put("b"), delete("b", "\0")]), Ok(()));
        // A delete in a nested transaction is compared only with what comes after it.
        let (writes, deletes) = (nested(vec![put("b")], vec![]), nested(vec![delete("b", "")], vec![]));
        assert_eq!(checked(vec![writes.clone(), deletes.clone()]), Ok(()));
        assert_eq!(checked(vec![deletes, writes]), Err(Error::DuplicateKey));
    }

    #[test]
    fn the_limit_shrinks_with_every_level() {
        let puts = |count: usize| -> Vec<RequestOp> {
            (0..count).map(|at| put(Box::leak(format!("k{at}").into_boxed_str()))).collect()
        };
        assert_eq!(checked(puts(MAX_TXN_OPS)), Ok(()));
        assert_eq!(checked(puts(MAX_TXN_OPS + 1)), Err(Error::TooManyOps));
        assert_eq!(checked(vec![nested(puts(MAX_TXN_OPS - 1), vec![])]), Ok(()));
        assert_eq!(checked(vec![nested(puts(MAX_TXN_OPS), vec![])]), Err(Error::TooManyOps));
    }

    #[test]
    fn what_is_empty_or_unknown_is_refused() {
        assert_eq!(checked(vec![RequestOp { request: None }]), Err(Error::KeyNotFound));
        let compare = vec![Compare::default()];
        assert_eq!(check(&TxnRequest { compare, ..TxnRequest::default() }.into()), Err(Error::EmptyKey));
        let sorted = RangeRequest { key: "a".into(), sort_target: 9, ..RangeRequest::default() };
        assert_eq!(check(&sorted.into()), Err(Error::InvalidSortOption));
    }
}
