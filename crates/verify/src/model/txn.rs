//! Executes a transaction in three steps: decide which branches run, in the transaction and all nested ones, by the
//! state before it; refuse the whole transaction if any operation of these branches would fail; then execute the
//! operations in order.

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

/// Which branch runs (`true` for `success`) in the transaction and in each nested one that runs, in the order in which
/// they are visited.
type Path = Vec<bool>;

/// Whether the transaction certainly writes nothing. As in etcd, a nested transaction counts as a write, whatever is
/// in it.
pub fn is_read_only(txn: &TxnRequest) -> bool {
    txn.success.iter().chain(&txn.failure).all(|op| matches!(op.request, Some(Op::RequestRange(_))))
}

/// Whether a member may answer the transaction from its own store: all its operations are serializable reads. An
/// empty transaction counts, too.
pub fn is_serializable(txn: &TxnRequest) -> bool {
    let serializable =
        |op: &RequestOp| matches!(&op.request, Some(Op::RequestRange(range)) if range.serializable);
    txn.success.iter().chain(&txn.failure).all(serializable)
}

/// Which branches run if `at` is the newest revision, or the error of the transaction. If `leases` is `None`, leases
/// are not checked.
pub fn decide(store: &Store, leases: Option<&Leases>, txn: &TxnRequest, at: i64) -> Result<Path, Error> {
    let mut path = Path::new();
    choose(store, txn, at, &mut path);
    // All puts are checked before any range.
    let mut branches = path.iter().copied();
    check_puts(store, leases, txn, at, &mut branches)?;
    let mut branches = path.iter().copied();
    check_ranges(store, txn, at, &mut branches)?;
    Ok(path)
}

/// Decides which branch runs, in the transaction and in those nested in the branch, and appends the decisions to
/// `path`.
fn choose(store: &Store, txn: &TxnRequest, at: i64, path: &mut Path) {
    let succeeded = txn.compare.iter().all(|compare| is_met(store, compare, at));
    path.push(succeeded);
    for op in branch(txn, succeeded) {
        if let Some(Op::RequestTxn(nested)) = &op.request {
            choose(store, nested, at, path);
        }
    }
}

/// The steps of the branch that runs.
fn branch(txn: &TxnRequest, succeeded: bool) -> &[RequestOp] {
    if succeeded { &txn.success } else { &txn.failure }
}

/// Checks the puts of the branches that run. `path` says for each transaction, nested ones too, whether its
/// conditions hold.
fn check_puts(
    store: &Store,
    leases: Option<&Leases>,
    txn: &TxnRequest,
    at: i64,
    path: &mut impl Iterator<Item = bool>,
) -> Result<(), Error> {
    let succeeded = path.next().expect("a path has a branch for every transaction that runs");
    for op in branch(txn, succeeded) {
        match &op.request {
            Some(Op::RequestTxn(nested)) => check_puts(store, leases, nested, at, path)?,
            Some(Op::RequestPut(put)) => {
                let missing = |leases: &Leases| put.lease != NO_LEASE && leases.get(put.lease).is_none();
                let missing = leases.is_some_and(missing);
                // etcd 3.7 looks at the lease first, 3.4 at the key (both recorded).
                if missing && store.leaves_leases_out {
                    return Err(Error::LeaseNotFound);
                }
                if (put.ignore_value || put.ignore_lease) && !store.exists(&put.key, at) {
                    return Err(Error::KeyNotFound);
                }
                if missing {
                    return Err(Error::LeaseNotFound);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks the ranges of the branches that run. `path` is as in [`check_puts`].
fn check_ranges(
    store: &Store,
    txn: &TxnRequest,
    at: i64,
    path: &mut impl Iterator<Item = bool>,
) -> Result<(), Error> {
    let succeeded = path.next().expect("a path has a branch for every transaction that runs");
    for op in branch(txn, succeeded) {
        match &op.request {
            Some(Op::RequestTxn(nested)) => check_ranges(store, nested, at, path)?,
            // A Range on its own treats a negative revision as none. A Range in a transaction does not: the revision
            // is compared with the compacted one.
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
    let succeeded = path.next().expect("a path has a branch for every transaction that runs");
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
                // etcd does not fill in the header of a nested transaction.
                response.header = header(0);
                OpResponse::ResponseTxn(response)
            }
        };
        responses.push(ResponseOp { response: Some(response) });
    }
    TxnResponse { header: None, succeeded, responses }
}

/// Whether a compare is true. Over a range it must be true for every key; if there is no key, it is evaluated for a
/// key whose fields are all zero.
fn is_met(store: &Store, compare: &Compare, at: i64) -> bool {
    let span = Span::new(&compare.key, &compare.range_end);
    let mut found = store.scan(span, at).peekable();
    if found.peek().is_none() {
        // The value of a key that does not exist equals nothing and differs from nothing.
        return compare.target != CompareTarget::Value as i32 && is_met_by(compare, &KeyValue::default());
    }
    found.all(|kv| is_met_by(compare, &kv))
}

/// Whether a compare is true for one key.
fn is_met_by(compare: &Compare, kv: &KeyValue) -> bool {
    let union = compare.target_union.as_ref();
    // If the field `target_union` is not that of the target, etcd compares with zero.
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
