//! The active alarms of the cluster, the requests that raise, disarm and list them, and which other requests they
//! refuse.
//!
//! An alarm is a mark on the whole cluster that restricts it. While NOSPACE is active, requests that need space are
//! refused. While CORRUPT is active, nearly all access to keys is refused. This is what etcd's `v3alarm/alarms.go`,
//! `apply/capped.go` and `apply/corrupt.go` do.
//!
//! This file also says how many bytes of the space quota a request costs (etcd's `storage/quota.go`).
//!
//! Not here: noticing that space runs out or that members' stores differ, and raising the alarm then (`maintenance`).

use std::collections::BTreeSet;

use api::etcdserverpb::alarm_request::AlarmAction;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{
    AlarmMember, AlarmRequest, AlarmResponse, AlarmType, PutRequest, RequestOp, TxnRequest,
};
use api::{Error, Request};
use record::Probe;

use super::Cluster;
use crate::flaw::{Flaw, Flaws};

/// What a put costs of the space quota besides its key and value, in bytes (etcd's `quota.go`, `kvOverhead`).
const KEY_OVERHEAD: u64 = 256;

/// What the grant of a lease costs of the space quota, in bytes (etcd's `quota.go`, `leaseOverhead`).
const LEASE_OVERHEAD: u64 = 64;

/// The active alarms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Alarms(
    /// For each alarm: its type, and the id of the member that caused it. The type is a number and not an
    /// [`AlarmType`], because etcd also stores types that it does not know.
    BTreeSet<(i32, u64)>,
);

impl Alarms {
    /// The active alarms, by type, then by member id.
    pub(super) fn iter(&self) -> impl Iterator<Item = AlarmMember> {
        self.0.iter().map(|(alarm, member_id)| AlarmMember { member_id: *member_id, alarm: *alarm })
    }

    /// Adds an alarm. Returns whether it was not active before.
    pub(super) fn insert(&mut self, alarm: &AlarmMember) -> bool {
        self.0.insert((alarm.alarm, alarm.member_id))
    }
}

impl Cluster {
    /// Applies an alarm request. The caller fills in the response header.
    ///
    /// The answer lists alarms, as in etcd. A request to raise an alarm is answered with that alarm, even if it was
    /// active before. A request to disarm an alarm is answered with it, or with an empty list if it was not active. A
    /// request to get alarms is answered with those of the given type (NONE means all types), whatever member id it
    /// names. An unknown action does nothing and is answered with an empty list.
    pub fn alarm(&mut self, request: &AlarmRequest) -> AlarmResponse {
        let none = AlarmType::None as i32;
        let named = AlarmMember { member_id: request.member_id, alarm: request.alarm };
        let alarms = match AlarmAction::try_from(request.action) {
            Ok(AlarmAction::Get) => {
                self.alarms.iter().filter(|on| request.alarm == none || on.alarm == request.alarm).collect()
            }
            Ok(AlarmAction::Activate) if request.alarm != none => {
                if self.alarms.insert(&named) {
                    self.probes.reached(Probe::AlarmRaised);
                    self.update_hash();
                }
                vec![named]
            }
            Ok(AlarmAction::Deactivate) if self.alarms.0.remove(&(request.alarm, request.member_id)) => {
                self.probes.reached(Probe::AlarmDisarmed);
                self.update_hash();
                vec![named]
            }
            _ => Vec::new(),
        };
        AlarmResponse { header: None, alarms }
    }

    /// All active alarms, by type, then by member id.
    pub fn alarms(&self) -> impl Iterator<Item = AlarmMember> {
        self.alarms.iter()
    }

    /// Whether an alarm of this type is active.
    pub fn is_on(&self, alarm: AlarmType) -> bool {
        self.alarms.iter().any(|on| on.alarm == alarm as i32)
    }

    /// The error with which the active alarms refuse a committed request; `None` if they do not refuse it.
    ///
    /// Call this when an entry is applied, before permissions are checked. Reads that do not go through the
    /// log are answered even while CORRUPT is active, as in etcd (`v3_server.go`).
    pub fn refuses(&self, request: &Request, flaws: Flaws) -> Option<Error> {
        if self.is_on(AlarmType::Corrupt) && touches_store(request) {
            return Some(Error::Corrupt);
        }
        (self.is_on(AlarmType::Nospace) && cost(request, flaws) > 0).then_some(Error::NoSpace)
    }
}

/// Whether the request reads or writes keys or leases, so that the alarm CORRUPT refuses it (etcd's
/// `applierV3Corrupt`).
fn touches_store(request: &Request) -> bool {
    use Request::*;
    matches!(
        request,
        Range(_) | Put(_) | DeleteRange(_) | Txn(_) | Compact(_) | LeaseGrant(_) | LeaseRevoke(_)
    )
}

/// How many bytes of the space quota a request costs. The alarm NOSPACE refuses the requests that cost more than 0.
///
/// For a transaction, even a nested one, the more expensive of its two branches counts, as in etcd since 3.5.33, 3.6.14
/// and 3.7.1.
pub fn cost(request: &Request, flaws: Flaws) -> u64 {
    match request {
        Request::Put(put) => cost_of_put(put),
        Request::Txn(txn) => cost_of_txn(txn, flaws),
        Request::LeaseGrant(_) => LEASE_OVERHEAD,
        _ => 0,
    }
}

/// How many bytes a put is expected to take, as etcd estimates it for the quota.
fn cost_of_put(put: &PutRequest) -> u64 {
    KEY_OVERHEAD + (put.key.len() + put.value.len()) as u64
}

/// How many bytes the puts of a transaction are expected to take.
fn cost_of_txn(txn: &TxnRequest, flaws: Flaws) -> u64 {
    let cost = |op: &RequestOp| match &op.request {
        Some(Op::RequestPut(put)) => cost_of_put(put),
        // Flaw M-22139: a nested transaction costs nothing.
        Some(Op::RequestTxn(nested)) if !flaws.has(Flaw::NestedTxnCostsNothing) => cost_of_txn(nested, flaws),
        _ => 0,
    };
    let of_branch = |ops: &[RequestOp]| ops.iter().map(cost).sum::<u64>();
    of_branch(&txn.success).max(of_branch(&txn.failure))
}
