//! Executes range requests: selects the pairs of a range at a revision, filters, sorts and limits them.

use std::cmp::Ordering;

use api::Error;
use api::etcdserverpb::range_request::{SortOrder, SortTarget};
use api::etcdserverpb::{RangeRequest, RangeResponse};
use api::mvccpb::KeyValue;
use bytes::Bytes;

use super::header;
use crate::config::EtcdVersion;
use crate::mvcc::{KeyRange, Store};

/// Answers a range request from the current store.
///
/// Pairs with equal sort keys come in key order, whether the sort is ascending or descending. etcd does not specify
/// their order.
///
/// # Errors
/// `FutureRev`, `Compacted`.
pub fn range(store: &Store, request: &RangeRequest) -> Result<RangeResponse, Error> {
    if request.revision > store.revision() {
        return Err(Error::FutureRev);
    }
    let at = if request.revision <= 0 { store.revision() } else { request.revision };
    if at < store.compact_revision() {
        return Err(Error::Compacted);
    }
    let mut live = store.live(KeyRange::new(&request.key, &request.range_end), at);
    let mut response = RangeResponse { header: header(store), ..RangeResponse::default() };
    if request.count_only {
        response.count = live.count() as i64;
        return Ok(response);
    }

    let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let (target, order) = (request.sort_target(), request.sort_order());
    let by_key = target == SortTarget::Key && order != SortOrder::Descend;
    // If the request has no sort order, etcd reads one pair more than the limit, to know whether there are
    // more. If it has a sort target but no order, etcd also sorts, but only the pairs that it has read.
    let in_order = (order == SortOrder::None || by_key) && !is_filtered(request);
    let read = if in_order { limit.saturating_add(1) } else { usize::MAX };
    let mut rows: Vec<&KeyValue> = live.by_ref().take(read).map(|at| store.row(at)).collect();
    response.count = (rows.len() + live.count()) as i64;
    rows.retain(|row| passes(request, row));
    if !by_key {
        rows.sort_by(|one, other| match order {
            SortOrder::Descend => compare(target, other, one),
            SortOrder::None | SortOrder::Ascend => compare(target, one, other),
        });
    }
    response.more = rows.len() > limit;
    // From 3.7 on, etcd answers keys without values from its index, which has no leases, unless it sorts by value.
    let from_index = store.version() >= EtcdVersion::V3_7 && target != SortTarget::Value;
    response.kvs.extend(rows.into_iter().take(limit).map(|row| match request.keys_only {
        true => {
            KeyValue { value: Bytes::new(), lease: if from_index { 0 } else { row.lease }, ..row.clone() }
        }
        false => row.clone(),
    }));
    Ok(response)
}

/// Compares two pairs by the sort target.
fn compare(target: SortTarget, one: &KeyValue, other: &KeyValue) -> Ordering {
    match target {
        SortTarget::Key => one.key.cmp(&other.key),
        SortTarget::Version => one.version.cmp(&other.version),
        SortTarget::Create => one.create_revision.cmp(&other.create_revision),
        SortTarget::Mod => one.mod_revision.cmp(&other.mod_revision),
        SortTarget::Value => one.value.cmp(&other.value),
    }
}

/// Whether the request has any bound on revisions.
pub(crate) fn is_filtered(request: &RangeRequest) -> bool {
    let bounds = [
        request.min_mod_revision,
        request.max_mod_revision,
        request.min_create_revision,
        request.max_create_revision,
    ];
    bounds.iter().any(|bound| *bound != 0)
}

/// Whether the pair is within the revision bounds of the request. A bound of 0 means no bound.
fn passes(request: &RangeRequest, row: &KeyValue) -> bool {
    let within = |revision, min, max| (min == 0 || revision >= min) && (max == 0 || revision <= max);
    within(row.mod_revision, request.min_mod_revision, request.max_mod_revision)
        && within(row.create_revision, request.min_create_revision, request.max_create_revision)
}
