//! Transactions: first decide which branches run, on the state before, down through all nested ones; then refuse the
//! whole if anything in it would fail; then run the operations in order.

use std::cmp::Ordering;

use api::Error;
use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::response_op::Response as OpResponse;
use api::etcdserverpb::{Compare, RequestOp, ResponseOp, TxnRequest, TxnResponse};
use api::mvccpb::KeyValue;

use super::lease::{Leases, NO_LEASE};
use super::store::{Span, Store};
use super::{Ties, Writer, header, range};

/// Which branches run, in the order in which the transactions are visited.
type Path = Vec<bool>;

/// Whether nothing in it can write. A nested transaction counts as a write, whatever is in it.
pub fn is_read_only(txn: &TxnRequest) -> bool {
    txn.success.iter().chain(&txn.failure).all(|op| matches!(op.request, Some(Op::RequestRange(_))))
}

/// Whether it may be answered from a member's own store. True of an empty one.
pub fn is_serializable(txn: &TxnRequest) -> bool {
    let serializable =
        |op: &RequestOp| matches!(&op.request, Some(Op::RequestRange(range)) if range.serializable);
    txn.success.iter().chain(&txn.failure).all(serializable)
}

/// Which branches run if `at` is the newest revision, or the error. `leases` of `None` are not checked.
pub fn decide(store: &Store, leases: Option<&Leases>, txn: &TxnRequest, at: i64) -> Result<Path, Error> {
    let mut path = Path::new();
    choose(store, txn, at, &mut path);
    // All puts are checked before any range.
    let mut turn = path.iter().copied();
    check_puts(store, leases, txn, at, &mut turn)?;
    let mut turn = path.iter().copied();
    check_ranges(store, txn, at, &mut turn)?;
    Ok(path)
}

fn choose(store: &Store, txn: &TxnRequest, at: i64, path: &mut Path) {
    let holds = txn.compare.iter().all(|compare| holds(store, compare, at));
    path.push(holds);
    for op in branch(txn, holds) {
        if let Some(Op::RequestTxn(nested)) = &op.request {
            choose(store, nested, at, path);
        }
    }
}

fn branch(txn: &TxnRequest, holds: bool) -> &[RequestOp] {
    if holds { &txn.success } else { &txn.failure }
}

fn check_puts(
    store: &Store,
    leases: Option<&Leases>,
    txn: &TxnRequest,
    at: i64,
    path: &mut impl Iterator<Item = bool>,
) -> Result<(), Error> {
    let holds = path.next().expect("a path has a turn for every transaction that runs");
    for op in branch(txn, holds) {
        match &op.request {
            Some(Op::RequestTxn(nested)) => check_puts(store, leases, nested, at, path)?,
            Some(Op::RequestPut(put)) => {
                if (put.ignore_value || put.ignore_lease) && !store.exists(&put.key, at) {
                    return Err(Error::KeyNotFound);
                }
                let missing = |leases: &Leases| put.lease != NO_LEASE && leases.get(put.lease).is_none();
                if leases.is_some_and(missing) {
                    return Err(Error::LeaseNotFound);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_ranges(
    store: &Store,
    txn: &TxnRequest,
    at: i64,
    path: &mut impl Iterator<Item = bool>,
) -> Result<(), Error> {
    let holds = path.next().expect("a path has a turn for every transaction that runs");
    for op in branch(txn, holds) {
        match &op.request {
            Some(Op::RequestTxn(nested)) => check_ranges(store, nested, at, path)?,
            // Unlike a Range on its own, one inside a transaction has a negative revision compared with the
            // compaction.
            Some(Op::RequestRange(range)) if range.revision > at => return Err(Error::FutureRev),
            Some(Op::RequestRange(range)) if range.revision != 0 && range.revision < store.compacted => {
                return Err(Error::Compacted);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Runs the operations on the path. The header is left to the caller.
pub(super) fn run(
    writer: &mut Writer<'_>,
    txn: &TxnRequest,
    path: &mut impl Iterator<Item = bool>,
    ties: &mut Ties,
) -> TxnResponse {
    let succeeded = path.next().expect("a path has a turn for every transaction that runs");
    let mut responses = Vec::with_capacity(branch(txn, succeeded).len());
    for op in branch(txn, succeeded) {
        let response = match op.request.as_ref().expect("checked: every operation has a request") {
            Op::RequestRange(request) => {
                let newest = writer.newest();
                let mut response = range::range(writer.store, request, newest, ties);
                response.header = header(newest);
                OpResponse::ResponseRange(response)
            }
            Op::RequestPut(request) => OpResponse::ResponsePut(writer.put(request)),
            Op::RequestDeleteRange(request) => OpResponse::ResponseDeleteRange(writer.delete_range(request)),
            Op::RequestTxn(nested) => {
                let mut response = run(writer, nested, path, ties);
                response.header = header(0);
                OpResponse::ResponseTxn(response)
            }
        };
        responses.push(ResponseOp { response: Some(response) });
    }
    TxnResponse { header: None, succeeded, responses }
}

/// A compare over a range holds if it holds for every key in it; over no keys, if it holds for a key of only zeros.
fn holds(store: &Store, compare: &Compare, at: i64) -> bool {
    let span = Span::new(&compare.key, &compare.range_end);
    let mut found = store.scan(span, at).peekable();
    if found.peek().is_none() {
        // The value of a key that does not exist equals nothing and differs from nothing.
        return compare.target != CompareTarget::Value as i32 && holds_for(compare, &KeyValue::default());
    }
    found.all(|kv| holds_for(compare, &kv))
}

fn holds_for(compare: &Compare, kv: &KeyValue) -> bool {
    let union = compare.target_union.as_ref();
    // A union that does not match the target counts as zero.
    let order = match CompareTarget::try_from(compare.target) {
        Ok(CompareTarget::Version) => kv.version.cmp(&match union {
            Some(TargetUnion::Version(version)) => *version,
            _ => 0,
        }),
        Ok(CompareTarget::Create) => kv.create_revision.cmp(&match union {
            Some(TargetUnion::CreateRevision(revision)) => *revision,
            _ => 0,
        }),
        Ok(CompareTarget::Mod) => kv.mod_revision.cmp(&match union {
            Some(TargetUnion::ModRevision(revision)) => *revision,
            _ => 0,
        }),
        Ok(CompareTarget::Lease) => kv.lease.cmp(&match union {
            Some(TargetUnion::Lease(lease)) => *lease,
            _ => 0,
        }),
        Ok(CompareTarget::Value) => kv.value[..].cmp(match union {
            Some(TargetUnion::Value(value)) => &value[..],
            _ => &[],
        }),
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
