//! Alarms: which are active, how they are raised and disarmed, what they refuse, and the cost of requests
//! against the quota behind one of them (`v3alarm/alarms.go`, `apply/capped.go`, `apply/corrupt.go`,
//! `storage/quota.go`).
//!
//! Not here: detecting that space runs out or that members disagree.

use std::collections::BTreeSet;

use api::etcdserverpb::alarm_request::AlarmAction;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{AlarmMember, AlarmRequest, AlarmResponse, AlarmType, PutRequest, RequestOp};
use api::{Error, Request};
use record::Probe;

use super::Cluster;

/// The cost of a key's metadata, in bytes (`quota.go`, `kvOverhead`).
const KEY_OVERHEAD: u64 = 256;

/// The cost of a lease, in bytes (`quota.go`, `leaseOverhead`).
const LEASE_OVERHEAD: u64 = 64;

/// The active alarms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Alarms(
    /// Type and member id. The type is a number because etcd stores any that a client sends.
    BTreeSet<(i32, u64)>,
);

impl Alarms {
    pub(super) fn iter(&self) -> impl Iterator<Item = AlarmMember> {
        self.0.iter().map(|(alarm, member_id)| AlarmMember { member_id: *member_id, alarm: *alarm })
    }

    pub(super) fn insert(&mut self, alarm: &AlarmMember) -> bool {
        self.0.insert((alarm.alarm, alarm.member_id))
    }
}

impl Cluster {
    /// Carries out an alarm request. The server fills in the header.
    ///
    /// Raising an alarm returns it, whether or not it was already active; disarming an inactive one returns
    /// none. A get filters by type alone (NONE means all): etcd ignores its member id. An unknown action does
    /// nothing.
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
                    self.changed();
                }
                vec![named]
            }
            Ok(AlarmAction::Deactivate) if self.alarms.0.remove(&(request.alarm, request.member_id)) => {
                self.probes.reached(Probe::AlarmDisarmed);
                self.changed();
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

    /// Whether this alarm is active for any member.
    pub fn is_on(&self, alarm: AlarmType) -> bool {
        self.alarms.iter().any(|on| on.alarm == alarm as i32)
    }

    /// Why the alarms refuse a committed request, if they do.
    ///
    /// Call this when an entry is applied, before permissions are checked. Reads are not checked here: the
    /// store answers them even while CORRUPT is active (`v3_server.go`).
    pub fn refuses(&self, request: &Request) -> Option<Error> {
        if self.is_on(AlarmType::Corrupt) && touches_store(request) {
            return Some(Error::Corrupt);
        }
        (self.is_on(AlarmType::Nospace) && cost(request) > 0).then_some(Error::NoSpace)
    }
}

/// The requests that etcd's `applierV3Corrupt` blocks.
fn touches_store(request: &Request) -> bool {
    use Request::*;
    matches!(
        request,
        Range(_) | Put(_) | DeleteRange(_) | Txn(_) | Compact(_) | LeaseGrant(_) | LeaseRevoke(_)
    )
}

/// The cost of a request against the quota, in bytes; 0 if it is always allowed.
///
/// Puts in nested transactions cost nothing, as in etcd, which counts only the outermost operations.
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
