//! Executes requests on the store: what etcd's `applierV3` does with ranges, puts, deletions, transactions,
//! compactions and leases.
//!
//! [`check_request`] checks a request before it is proposed. [`apply`] executes it on every member once it is
//! committed. A response header made here has only the revision; the caller fills in cluster, member and
//! term.
//!
//! Not here: users, alarms and the quota (`crate::replica`), the limit on a request's size (`crate::serve`), the choice
//! of lease ids and the expiry of leases (`crate::lessor`). Only the TTL with which a lease was granted is known here.

mod check;
mod range;
mod txn;

use api::etcdserverpb::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, LeaseCheckpointRequest,
    LeaseGrantRequest, LeaseGrantResponse, LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse,
    LeaseStatus, LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, PutRequest, PutResponse, ResponseHeader,
};
use api::{Error, Request, Response};

use record::Inner;

use crate::flaw::Flaw;
use crate::inner;
use crate::mvcc::{KeyRange, Store, Write};

pub(crate) use check::check_range;
pub use check::check_request;
pub(crate) use range::is_filtered;
pub use range::range;
pub use txn::{is_read_only, is_serializable};

/// The shortest TTL of a lease, in seconds; a shorter one is raised to it. In etcd it is one and a half
/// election timeouts, rounded up: 2 s for the default timeout of 1 s. It is a constant here, because members
/// with different values would get different results from the same entry.
pub const LEASE_TTL_MIN: i64 = 2;

/// The longest TTL of a lease, in seconds (`lease/lessor.go`).
pub const LEASE_TTL_MAX: i64 = 9_000_000_000;

/// The result of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The response to the client.
    pub result: Result<Response, Error>,
    /// Whether it made a new revision.
    pub mutated: bool,
}

/// Executes a request. After an error, the store is unchanged.
///
/// Requests that only read (a range, a read-only transaction, the list of leases) do not need an entry: they
/// may be executed at any time.
///
/// # Panics
/// If the store does not handle such requests.
pub fn apply(store: &mut Store, request: &Request) -> Applied {
    let before = store.revision();
    let result = match request {
        Request::Range(request) => range(store, request).map(Response::Range),
        Request::Put(request) => put_alone(store, request).map(Response::Put),
        Request::DeleteRange(request) => Ok(delete_range(&mut store.write(), request).into()),
        Request::Txn(request) => txn::txn(store, request).map(Response::Txn),
        Request::Compact(request) => compact(store, *request).map(Response::Compact),
        Request::LeaseGrant(request) => lease_grant(store, request).map(Response::LeaseGrant),
        Request::LeaseRevoke(request) => lease_revoke(store, request).map(Response::LeaseRevoke),
        Request::LeaseTimeToLive(request) => Ok(lease_time_to_live(store, request).into()),
        Request::LeaseLeases(_) => Ok(lease_leases(store).into()),
        other => panic!("{} is not a request for the store: was it routed wrongly?", other.rpc_name()),
    };
    Applied { result, mutated: store.revision() != before }
}

/// [`apply`] for a request from the log. `proposer` says whether the request came through this member and its client
/// still waits. On the other members, nobody uses the response. `proposer` matters only with flaw M-18667.
///
/// # Panics
/// As [`apply`].
pub fn apply_as(store: &mut Store, request: &Request, proposer: bool) -> Applied {
    let stripped = match request {
        Request::Txn(txn) if !proposer && store.flaws().has(Flaw::TxnStripRangesNonProposer) => {
            Some(Request::from(txn::without_ranges(txn))) // flaw M-18667
        }
        _ => None,
    };
    let request = stripped.as_ref().unwrap_or(request);
    inner::tell(|| Inner::Executes(Box::new(request.clone())));
    apply(store, request)
}

/// Applies a checkpoint, which records the time left of some leases. Leases that no longer exist are skipped.
pub fn checkpoint(store: &mut Store, request: &LeaseCheckpointRequest) {
    for checkpoint in &request.checkpoints {
        store.checkpoint(checkpoint.id, checkpoint.remaining_ttl);
    }
}

/// A response header with the store's revision.
pub(crate) fn header(store: &Store) -> Option<ResponseHeader> {
    Some(ResponseHeader { revision: store.revision(), ..ResponseHeader::default() })
}

/// A put outside a transaction. As in etcd, it checks the lease first; a put in a transaction checks it last.
fn put_alone(store: &mut Store, request: &PutRequest) -> Result<PutResponse, Error> {
    if request.lease != 0 && store.lease(request.lease).is_none() {
        return Err(Error::LeaseNotFound);
    }
    if (request.ignore_value || request.ignore_lease) && store.get(&request.key).is_none() {
        return Err(Error::KeyNotFound);
    }
    Ok(put(&mut store.write(), request))
}

/// Executes a put that has passed its checks.
fn put(write: &mut Write<'_>, request: &PutRequest) -> PutResponse {
    let (mut value, mut lease, mut prev_kv) = (request.value.clone(), request.lease, None);
    if request.prev_kv || request.ignore_value || request.ignore_lease {
        prev_kv = write.get(&request.key).cloned();
    }
    if let Some(before) = &prev_kv {
        value = if request.ignore_value { before.value.clone() } else { value };
        lease = if request.ignore_lease { before.lease } else { lease };
    }
    write.put(&request.key, value, lease);
    PutResponse { header: header(write), prev_kv: prev_kv.filter(|_| request.prev_kv) }
}

fn delete_range(write: &mut Write<'_>, request: &DeleteRangeRequest) -> DeleteRangeResponse {
    let keys = KeyRange::new(&request.key, &request.range_end);
    let prev_kvs = match request.prev_kv {
        true => write.live(keys, write.revision()).map(|at| write.row(at).clone()).collect(),
        false => Vec::new(),
    };
    let deleted = write.delete(keys);
    DeleteRangeResponse { header: header(write), deleted, prev_kvs }
}

fn compact(store: &mut Store, request: CompactionRequest) -> Result<CompactionResponse, Error> {
    store.compact(request.revision)?;
    Ok(CompactionResponse { header: header(store) })
}

fn lease_grant(store: &mut Store, request: &LeaseGrantRequest) -> Result<LeaseGrantResponse, Error> {
    let LeaseGrantRequest { id, ttl } = *request;
    if id == 0 {
        return Err(Error::LeaseNotFound);
    }
    if ttl > LEASE_TTL_MAX {
        return Err(Error::LeaseTtlTooLarge);
    }
    let ttl = ttl.max(LEASE_TTL_MIN);
    store.grant(id, ttl)?;
    Ok(LeaseGrantResponse { header: header(store), id, ttl, error: String::new() })
}

fn lease_revoke(store: &mut Store, request: &LeaseRevokeRequest) -> Result<LeaseRevokeResponse, Error> {
    store.write().revoke(request.id)?;
    Ok(LeaseRevokeResponse { header: header(store) })
}

fn lease_time_to_live(store: &Store, request: &LeaseTimeToLiveRequest) -> LeaseTimeToLiveResponse {
    let mut response = LeaseTimeToLiveResponse {
        header: header(store),
        id: request.id,
        ttl: -1,
        ..LeaseTimeToLiveResponse::default()
    };
    if let Some(lease) = store.lease(request.id) {
        response.ttl = lease.ttl;
        response.granted_ttl = lease.ttl;
        if request.keys {
            response.keys = lease.keys().cloned().collect();
        }
    }
    response
}

fn lease_leases(store: &Store) -> LeaseLeasesResponse {
    let leases = store.leases().map(|(id, _)| LeaseStatus { id }).collect();
    LeaseLeasesResponse { header: header(store), leases }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_a_ttl() {
        let mut store = Store::new();
        let mut grant =
            |id, ttl| lease_grant(&mut store, &LeaseGrantRequest { id, ttl }).map(|lease| lease.ttl);
        assert_eq!(grant(1, -5), Ok(LEASE_TTL_MIN));
        assert_eq!(grant(2, LEASE_TTL_MAX), Ok(LEASE_TTL_MAX));
        assert_eq!(grant(3, LEASE_TTL_MAX + 1), Err(Error::LeaseTtlTooLarge));
        assert_eq!(grant(1, LEASE_TTL_MAX + 1), Err(Error::LeaseTtlTooLarge));
        assert_eq!(grant(1, 5), Err(Error::LeaseExists));
    }
}
