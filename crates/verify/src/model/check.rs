//! What a request is refused for before anything looks at the state (`etcd-semantics.md`, 1.1 "Txn checks", "duplicate key").

use std::collections::BTreeSet;

use api::etcdserverpb::range_request::{SortOrder, SortTarget};
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest};
use api::{Error, Request};

/// Most operations along one path of a transaction (`--max-txn-ops`).
pub const MAX_TXN_OPS: usize = 128;

/// Seconds; etcd refuses a grant of more.
pub const MAX_LEASE_TTL: i64 = 9_000_000_000;

/// The error that this request gets whatever the state is.
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

/// Sizes and keys, level by level. What a level uses up is missing below it.
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

/// What one branch of a transaction may write.
#[derive(Default)]
struct Writes<'a> {
    puts: BTreeSet<&'a [u8]>,
    deletes: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Writes<'a> {
    fn put(&mut self, key: &'a [u8]) -> Result<(), Error> {
        let deleted = self.deletes.iter().any(|(from, end)| covers(from, end, key));
        if deleted || !self.puts.insert(key) { Err(Error::DuplicateKey) } else { Ok(()) }
    }
}

/// Whether the delete of `from` to `end` covers `key`, as etcd's interval tree has it: an end of one zero byte is an
/// end like any other there, so that a delete of everything from a key on is held against no put at all.
fn covers(from: &[u8], end: &[u8], key: &[u8]) -> bool {
    if end.is_empty() { key == from } else { from <= key && key < end }
}

/// No key is put twice, or put where it may be deleted. Two deletes may overlap; so may the two branches of one
/// nested transaction, of which only one runs. A delete is held against the puts of its own level and of the
/// nested transactions after its own, not of those before.
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
