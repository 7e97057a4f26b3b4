//! Alarms: which are on, how they are raised and disarmed, what they refuse, and what requests cost
//! against the quota that raises one of them (`v3alarm/alarms.go`, `apply/capped.go`, `apply/corrupt.go`,
//! `storage/quota.go`).
//!
//! Not here: who notices that space runs out or that members disagree.

use std::collections::BTreeSet;

use api::etcdserverpb::alarm_request::AlarmAction;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{AlarmMember, AlarmRequest, AlarmResponse, AlarmType, PutRequest, RequestOp};
use api::{Error, Request};
use record::Probe;

use super::Cluster;

/// What the metadata of a key count for, in bytes (`quota.go`, `kvOverhead`).
const KEY_OVERHEAD: u64 = 256;

/// What a lease counts for, in bytes (`quota.go`, `leaseOverhead`).
const LEASE_OVERHEAD: u64 = 64;

/// The alarms that are on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Alarms(
    /// Type and member. The type is a number because etcd stores any that a client names.
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
    /// Carries out a request about alarms. The header is the server's to fill in.
    ///
    /// Raising one answers with it, whether it was on or not; disarming one that was not on answers with
    /// none. A question goes by type alone (NONE is all): etcd does not look at its member. An action
    /// that is none does nothing.
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

    /// All alarms that are on, by type, then by member.
    pub fn alarms(&self) -> impl Iterator<Item = AlarmMember> {
        self.alarms.iter()
    }

    /// Whether any member has this alarm on.
    pub fn is_on(&self, alarm: AlarmType) -> bool {
        self.alarms.iter().any(|on| on.alarm == alarm as i32)
    }

    /// Why the alarms refuse a committed request, if they do.
    ///
    /// To be asked when an entry is applied, before permissions are looked at. Reads do not pass here:
    /// they are answered from the store even while CORRUPT is on (`v3_server.go`).
    pub fn refuses(&self, request: &Request) -> Option<Error> {
        if self.is_on(AlarmType::Corrupt) && touches_store(request) {
            return Some(Error::Corrupt);
        }
        (self.is_on(AlarmType::Nospace) && cost(request) > 0).then_some(Error::NoSpace)
    }
}

/// What etcd's `applierV3Corrupt` stands in the way of.
fn touches_store(request: &Request) -> bool {
    use Request::*;
    matches!(
        request,
        Range(_) | Put(_) | DeleteRange(_) | Txn(_) | Compact(_) | LeaseGrant(_) | LeaseRevoke(_)
    )
}

/// What a request costs against the quota, in bytes: 0 for one that is let through in any case.
///
/// Puts in nested transactions cost nothing, as in etcd, which looks at the outermost operations only.
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
