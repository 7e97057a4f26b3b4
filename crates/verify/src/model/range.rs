//! Executes a Range with its options, in etcd's order: fetch with the limit if possible, filter, sort, cut off at the
//! limit.

use std::cmp::Ordering;

use api::Error;
use api::etcdserverpb::range_request::{SortOrder, SortTarget};
use api::etcdserverpb::{RangeRequest, RangeResponse};
use api::mvccpb::KeyValue;

use super::Ties;
use super::lease::NO_LEASE;
use super::store::{Span, Store};
use crate::keys_only::is_without_leases;

/// The revision that a Range reads if the newest is `newest`.
pub fn revision_read(range: &RangeRequest, newest: i64) -> i64 {
    if range.revision <= 0 { newest } else { range.revision }
}

/// Refuses revisions that do not exist yet or are compacted.
pub fn check_revision(store: &Store, range: &RangeRequest, newest: i64) -> Result<(), Error> {
    if range.revision > newest {
        Err(Error::FutureRev)
    } else if revision_read(range, newest) < store.compacted {
        Err(Error::Compacted)
    } else {
        Ok(())
    }
}

/// The answer without its header, if the newest revision is `newest`.
pub fn range(store: &Store, range: &RangeRequest, newest: i64, ties: &mut Ties) -> RangeResponse {
    let at = revision_read(range, newest);
    let span = Span::new(&range.key, &range.range_end);
    let ordinal = ties.next_range();
    if range.count_only {
        return RangeResponse { count: store.count(span, at) as i64, ..RangeResponse::default() };
    }
    if let Span::Key(key) = span
        && !filters(range)
    {
        let kvs: Vec<_> = store.get(key, at).map(|kv| shown(store, range, kv)).into_iter().collect();
        return RangeResponse { count: kvs.len() as i64, kvs, ..RangeResponse::default() };
    }

    let limit = usize::try_from(range.limit).unwrap_or(0);
    let by = SortTarget::try_from(range.sort_target).unwrap_or_default();
    let order = SortOrder::try_from(range.sort_order).unwrap_or_default();
    // As etcd does, fetch one pair more than the limit, in key order, before sorting; but fetch all pairs if there is
    // a filter or an explicit sort order. A sort target without an order does not need all of them.
    let taken = match limit {
        0 => usize::MAX,
        _ if order != SortOrder::None || filters(range) => usize::MAX,
        limit => limit.saturating_add(1),
    };
    let mut count = 0;
    let mut kvs: Vec<KeyValue> = Vec::new();
    for kv in store.scan(span, at) {
        if count < taken && passes(range, &kv) {
            kvs.push(kv);
        }
        count += 1;
    }

    match (order, by) {
        (SortOrder::None | SortOrder::Ascend, SortTarget::Key) => {}
        (SortOrder::Descend, SortTarget::Key) => kvs.reverse(),
        (SortOrder::None | SortOrder::Ascend, by) => kvs.sort_by(|a, b| compare(by, a, b)),
        (SortOrder::Descend, by) => kvs.sort_by(|a, b| compare(by, b, a)),
    }
    let more = limit > 0 && kvs.len() > limit;
    let returned = if more { limit } else { kvs.len() };
    if by != SortTarget::Key {
        ties.note(ordinal, &kvs, returned, |a, b| compare(by, a, b).is_eq(), |kv| shown(store, range, kv));
    }
    kvs.truncate(returned);
    let kvs = kvs.into_iter().map(|kv| shown(store, range, kv)).collect();
    RangeResponse { header: None, kvs, more, count: count as i64 }
}

/// Whether the range has bounds on revisions.
fn filters(range: &RangeRequest) -> bool {
    [range.min_mod_revision, range.max_mod_revision, range.min_create_revision, range.max_create_revision]
        .iter()
        .any(|bound| *bound != 0)
}

/// Whether a pair passes the range's bounds on its revisions. A bound of 0 is no bound.
fn passes(range: &RangeRequest, kv: &KeyValue) -> bool {
    let least = |bound: i64, value: i64| bound == 0 || value >= bound;
    let most = |bound: i64, value: i64| bound == 0 || value <= bound;
    least(range.min_mod_revision, kv.mod_revision)
        && most(range.max_mod_revision, kv.mod_revision)
        && least(range.min_create_revision, kv.create_revision)
        && most(range.max_create_revision, kv.create_revision)
}

/// The pair as it is returned: without its value if the range asks for keys only, and perhaps without its lease.
fn shown(store: &Store, range: &RangeRequest, mut kv: KeyValue) -> KeyValue {
    if range.keys_only {
        kv.value.clear();
    }
    if store.leaves_leases_out && is_without_leases(range) {
        kv.lease = NO_LEASE;
    }
    kv
}

fn compare(by: SortTarget, a: &KeyValue, b: &KeyValue) -> Ordering {
    match by {
        SortTarget::Key => a.key.cmp(&b.key),
        SortTarget::Version => a.version.cmp(&b.version),
        SortTarget::Create => a.create_revision.cmp(&b.create_revision),
        SortTarget::Mod => a.mod_revision.cmp(&b.mod_revision),
        SortTarget::Value => a.value.cmp(&b.value),
    }
}
