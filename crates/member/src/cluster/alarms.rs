//! Alarms, which restrict the whole cluster: NOSPACE refuses requests that need space, CORRUPT refuses nearly
//! all access to keys. This file has the list of active alarms, the requests that raise and disarm them, and
//! the cost of a request, in bytes, against the space quota (etcd's `v3alarm/alarms.go`, `apply/capped.go`,
//! `apply/corrupt.go`, `storage/quota.go`).
//!
//! Not here: detecting that space runs out or that members' stores differ (`maintenance`).

use std::collections::BTreeSet;

use api::etcdserverpb::alarm_request::AlarmAction;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{AlarmMember, AlarmRequest, AlarmResponse, AlarmType, PutRequest, RequestOp};
use api::{Error, Request};
use record::Probe;

use super::Cluster;

/// The cost of a put beyond its key and value, in bytes (`quota.go`, `kvOverhead`).
const KEY_OVERHEAD: u64 = 256;

/// The cost of a lease, in bytes (`quota.go`, `leaseOverhead`).
const LEASE_OVERHEAD: u64 = 64;

/// The active alarms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Alarms(
    /// The type of each alarm, and the member that it names. The type is a number, because etcd also stores
    /// types that it does not know.
    BTreeSet<(i32, u64)>,
);

impl Alarms {
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
    /// A request to raise an alarm returns that alarm, even if it was active before. A request to disarm one
    /// that is not active returns none. A get returns the alarms of one type (NONE means all types); it
    /// ignores the member id, as in etcd. An unknown action does nothing.
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

    /// The error with which the active alarms refuse a committed request; `None` if they do not.
    ///
    /// Call this when an entry is applied, before permissions are checked. Reads that do not go through the
    /// log are answered even while CORRUPT is active, as in etcd (`v3_server.go`).
    pub fn refuses(&self, request: &Request) -> Option<Error> {
        if self.is_on(AlarmType::Corrupt) && touches_store(request) {
            return Some(Error::Corrupt);
        }
        (self.is_on(AlarmType::Nospace) && cost(request) > 0).then_some(Error::NoSpace)
    }
}

/// The requests that etcd's `applierV3Corrupt` refuses.
fn touches_store(request: &Request) -> bool {
    use Request::*;
    matches!(
        request,
        Range(_) | Put(_) | DeleteRange(_) | Txn(_) | Compact(_) | LeaseGrant(_) | LeaseRevoke(_)
    )
}

/// The cost of a request against the quota, in bytes. A request that costs 0 is never refused for lack of
/// space.
///
/// Only the outermost operations of a transaction count, so puts in nested transactions cost nothing, as in
/// etcd.
pub fn cost(request: &Request) -> u64 {
    match request {
        Request::Put(put) => cost_of_put(put),
        Request::Txn(txn) => cost_of_ops(&txn.success).max(cost_of_ops(&txn.failure)),
        Request::LeaseGrant(_) => LEASE_OVERHEAD,
        _ => 0,
    }
}

fn cost_of_put(put: &PutRequest) -> u64 {
    KEY_OVERHEAD + (put.key.len() + put.value.len()) as u64
}

fn cost_of_ops(ops: &[RequestOp]) -> u64 {
    let cost = |op: &RequestOp| match &op.request {
        Some(Op::RequestPut(put)) => cost_of_put(put),
        _ => 0,
    };
    ops.iter().map(cost).sum()
}
