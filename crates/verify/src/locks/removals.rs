//! Answers whether a key can have been removed from the queue of a lock or election within a certain time, judging by
//! the requests of a history that has every client.
//!
//! If the history does not show enough to rule that out, the answer is yes.

use std::collections::BTreeMap;

use api::v3electionpb::LeaderKey;
use api::{Part, Request, Response};
use bytes::Bytes;
use record::{History, Nanos, Operation, Outcome};

use crate::clocks::of_lease;
use crate::truth::Keys;
use crate::{answer, definite};

/// The time to live, in seconds, of a lease that the services make for a request without one
/// (`concurrency.NewSession` in etcd). The services do not renew it.
const OWN_LEASE_TTL: i64 = 60;

/// A key that was in its queue, and the time in which it may have left.
pub(super) struct Stay<'a> {
    /// The key.
    pub(super) key: &'a Bytes,
    /// The lease that the request for it names, 0 for one that the service made; `None` if no request is known.
    pub(super) lease: Option<i64>,
    /// When the request for the key was called. If the service made a lease for it, that lease is no older.
    pub(super) since: Nanos,
    /// A revision at which it was in the queue.
    pub(super) after: i64,
    /// The revision at which it had to be gone, if known.
    pub(super) until: Option<i64>,
    /// The time by which it had to be gone.
    pub(super) before: Nanos,
}

/// A request that removes keys, if it was carried out.
#[derive(Clone, Copy)]
struct Removal {
    call: Nanos,
    /// The revision of its answer; `None` if it has none, and may take effect at any time after its call.
    at: Option<i64>,
}

impl Removal {
    /// The removal that an operation asks for.
    fn of(operation: &Operation) -> Removal {
        let at = operation.response().map(|response| answer::revision(response.header()));
        Removal { call: operation.call, at: at.filter(|at| *at > 0) }
    }

    /// Whether this request can have removed the key in that time.
    fn ends(&self, stay: &Stay<'_>) -> bool {
        let in_time = |at: i64| at > stay.after && stay.until.is_none_or(|until| at <= until);
        self.call <= stay.before && self.at.is_none_or(in_time)
    }
}

/// What a history says about a lease.
#[derive(Default)]
struct Lease {
    /// Answered grants: call and seconds.
    grants: Vec<(Nanos, i64)>,
    /// Whether a grant without an answer names it.
    doubtful: bool,
    /// Confirmed keep-alives: return and call.
    renewals: Vec<(Nanos, Nanos)>,
    /// Requests to revoke it that were not refused.
    revoked: Vec<Removal>,
    /// Calls of the services that name it and got no answer. The service may remove the key when the call gives up.
    given_up: Vec<Nanos>,
}

/// Everything that removes keys.
pub(super) struct Removals<'a> {
    /// Deletions of single keys.
    keys: BTreeMap<&'a [u8], Vec<Removal>>,
    /// Deletions of ranges.
    ranges: Vec<(Keys<'a>, Removal)>,
    /// Leases, whose end removes their keys.
    leases: BTreeMap<i64, Lease>,
    /// The rate of the fastest clock, in millionths of true time.
    fastest: u32,
}

impl<'a> Removals<'a> {
    pub(super) fn new(history: &'a History, fastest: u32) -> Removals<'a> {
        let (keys, ranges, leases) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let mut removals = Removals { keys, ranges, leases, fastest };
        for operation in history.operations.iter().filter(|operation| !was_refused(operation)) {
            removals.take(operation);
        }
        removals
    }

    /// Adds what an operation can have removed.
    fn take(&mut self, operation: &'a Operation) {
        let removal = Removal::of(operation);
        let leader = |leader: &'a Option<LeaderKey>| leader.as_ref().map(|leader| &leader.key[..]);
        match &operation.request {
            Request::Unlock(request) => self.keys.entry(&request.key).or_default().push(removal),
            Request::Resign(request) => {
                if let Some(key) = leader(&request.leader) {
                    self.keys.entry(key).or_default().push(removal);
                }
            }
            Request::LeaseRevoke(request) => self.lease(request.id).revoked.push(removal),
            Request::LeaseGrant(request) => match operation.response() {
                Some(Response::LeaseGrant(response)) => {
                    let granted = (operation.call, response.ttl);
                    self.lease(response.id).grants.push(granted);
                }
                _ => self.lease(request.id).doubtful = true,
            },
            Request::LeaseKeepAlive(request) => {
                if let Outcome::Answer { at, response: Response::LeaseKeepAlive(response) } =
                    &operation.outcome
                    && response.ttl > 0
                {
                    self.lease(request.id).renewals.push((*at, operation.call));
                }
            }
            Request::Lock(request) => self.may_give_up(operation, request.lease),
            Request::Campaign(request) => self.may_give_up(operation, request.lease),
            request => {
                for part in request.parts() {
                    let Part::DeleteRange(delete) = part else { continue };
                    if delete.range_end.is_empty() {
                        self.keys.entry(&delete.key).or_default().push(removal);
                    } else {
                        self.ranges.push((Keys { key: &delete.key, end: &delete.range_end }, removal));
                    }
                }
            }
        }
    }

    /// What is known of a lease.
    fn lease(&mut self, id: i64) -> &mut Lease {
        self.leases.entry(id).or_default()
    }

    /// Takes a call to a service that got no answer. A call without a lease is left out: its key appears in no other
    /// answer.
    fn may_give_up(&mut self, operation: &Operation, lease: i64) {
        if operation.response().is_none() && lease != 0 {
            self.lease(lease).given_up.push(operation.call);
        }
    }

    /// Whether the key can have been removed in that time.
    pub(super) fn can_end(&self, stay: &Stay<'_>) -> bool {
        let ends = |removal: &Removal| removal.ends(stay);
        let asked = self.keys.get(&stay.key[..]).into_iter().flatten().any(ends)
            || self.ranges.iter().any(|(keys, removal)| keys.contain(stay.key) && removal.ends(stay));
        asked || self.lease_can_end(stay)
    }

    /// Whether the key's lease can have ended in that time.
    fn lease_can_end(&self, stay: &Stay<'_>) -> bool {
        let named = stay.lease.filter(|lease| *lease != 0).or_else(|| lease_of(stay.key));
        let known = named.and_then(|lease| self.leases.get(&lease));
        if let Some(lease) = known
            && (lease.revoked.iter().any(|removal| removal.ends(stay))
                || lease.given_up.iter().any(|call| *call <= stay.before))
        {
            return true;
        }
        match (stay.lease, known) {
            // The service made the lease for this request.
            (Some(0), _) => self.is_over(stay.since, OWN_LEASE_TTL, stay.before),
            (_, Some(lease)) => match lease.grants[..] {
                [(granted, ttl)] if !lease.doubtful => {
                    let renewed = lease.renewals.iter().filter(|(returned, _)| *returned <= stay.before);
                    let last = renewed.map(|(_, call)| *call).max().unwrap_or(granted).max(granted);
                    self.is_over(last, ttl, stay.before)
                }
                _ => true,
            },
            (_, None) => true,
        }
    }

    /// Whether a lease that was granted or renewed at `since` or later can have expired by `by`.
    fn is_over(&self, since: Nanos, ttl: i64, by: Nanos) -> bool {
        by.saturating_sub(since) >= of_lease(ttl, self.fastest)
    }
}

/// Whether the operation certainly had no effect.
pub(super) fn was_refused(operation: &Operation) -> bool {
    matches!(operation.outcome, Outcome::Error { error, .. } if definite::is_definite(error))
}

/// The lease that a key of the services names: etcd writes it at the end of the key, in hexadecimal.
pub(crate) fn lease_of(key: &[u8]) -> Option<i64> {
    let name = std::str::from_utf8(key.rsplit(|byte| *byte == b'/').next()?).ok()?;
    i64::from_str_radix(name, 16).ok()
}
