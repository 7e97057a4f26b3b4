//! Alarms: which are on, and which requests they refuse.
//!
//! Not modelled: quotas. The model does not know who raises NOSPACE, or when. A member that is out of space can
//! refuse a request, or execute it and then refuse it, before any alarm is on.

use std::collections::BTreeSet;

use api::etcdserverpb::alarm_request::AlarmAction;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{AlarmMember, AlarmRequest, AlarmResponse, AlarmType, TxnRequest};
use api::{Error, Request};

use super::txn;

/// The alarms that are on, each with its type and the member that raised it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alarms {
    on: BTreeSet<(i32, u64)>,
}

impl Alarms {
    /// Executes a request. An alarm that is on may be raised again. A request to disarm turns off one alarm of one
    /// member: 0 is an ordinary member id, although etcd documents that it means all members (recorded of 3.7.3).
    pub fn apply(&mut self, request: &AlarmRequest) -> AlarmResponse {
        let none = AlarmType::None as i32;
        let alarms = match AlarmAction::try_from(request.action) {
            Ok(AlarmAction::Get) => {
                let asked = |(kind, _): &&(i32, u64)| request.alarm == none || *kind == request.alarm;
                self.on.iter().filter(asked).copied().collect()
            }
            Ok(AlarmAction::Activate) if request.alarm != none => {
                let alarm = (request.alarm, request.member_id);
                self.on.insert(alarm);
                vec![alarm]
            }
            Ok(AlarmAction::Deactivate) => {
                let alarm = (request.alarm, request.member_id);
                if self.on.remove(&alarm) { vec![alarm] } else { Vec::new() }
            }
            _ => Vec::new(),
        };
        let alarms = alarms.into_iter().map(|(alarm, member_id)| AlarmMember { member_id, alarm }).collect();
        AlarmResponse { header: None, alarms }
    }

    /// Refuses a request because of an alarm. NOSPACE refuses what takes space, CORRUPT every write; what CORRUPT
    /// does to reads depends on their path through etcd.
    pub fn check(&self, request: &Request) -> Result<(), Error> {
        if self.on.is_empty() {
            return Ok(());
        }
        let writes = match request {
            Request::Put(_)
            | Request::DeleteRange(_)
            | Request::Compact(_)
            | Request::LeaseGrant(_)
            | Request::LeaseRevoke(_) => true,
            Request::Txn(request) => !txn::is_read_only(request),
            _ => false,
        };
        if writes && self.is_on(AlarmType::Corrupt) {
            return Err(Error::Corrupt);
        }
        if takes_space(request) && self.is_on(AlarmType::Nospace) {
            return Err(Error::NoSpace);
        }
        Ok(())
    }

    fn is_on(&self, kind: AlarmType) -> bool {
        self.on.iter().any(|(on, _)| *on == kind as i32)
    }
}

/// Whether etcd counts the request against the quota. Puts in nested transactions count too; that earlier versions forgot
/// them is etcd issue 22139.
pub fn takes_space(request: &Request) -> bool {
    match request {
        Request::Put(_) | Request::LeaseGrant(_) => true,
        Request::Txn(txn) => puts(txn),
        _ => false,
    }
}

/// Whether one of the branches puts a key.
fn puts(txn: &TxnRequest) -> bool {
    txn.success.iter().chain(&txn.failure).any(|op| match &op.request {
        Some(Op::RequestPut(_)) => true,
        Some(Op::RequestTxn(nested)) => puts(nested),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::etcdserverpb::*;

    fn alarm(action: AlarmAction, kind: AlarmType, member_id: u64) -> AlarmRequest {
        AlarmRequest { action: action as i32, member_id, alarm: kind as i32 }
    }

    #[test]
    fn no_space_refuses_what_takes_space_and_nothing_else() {
        let mut alarms = Alarms::default();
        let put: Request = PutRequest::default().into();
        assert_eq!(alarms.check(&put), Ok(()));
        alarms.apply(&alarm(AlarmAction::Activate, AlarmType::Nospace, 2));
        let op = |request| vec![RequestOp { request: Some(request) }];
        let failure = op(Op::RequestPut(PutRequest::default()));
        let outer = op(Op::RequestTxn(TxnRequest { failure: failure.clone(), ..Default::default() }));
        let refused = [
            put,
            LeaseGrantRequest::default().into(),
            TxnRequest { failure, ..Default::default() }.into(),
            TxnRequest { success: outer, ..Default::default() }.into(),
        ];
        assert!(refused.iter().all(|request| alarms.check(request) == Err(Error::NoSpace)));
        let success = op(Op::RequestDeleteRange(DeleteRangeRequest::default()));
        let allowed: [Request; 5] = [
            RangeRequest::default().into(),
            DeleteRangeRequest::default().into(),
            CompactionRequest::default().into(),
            LeaseRevokeRequest::default().into(),
            TxnRequest { success, ..Default::default() }.into(),
        ];
        assert!(allowed.iter().all(|request| alarms.check(request) == Ok(())));
    }

    #[test]
    fn an_alarm_is_of_a_member_and_stays_until_it_is_taken_back() {
        let mut alarms = Alarms::default();
        for member in [2, 3, 2] {
            let raised = alarms.apply(&alarm(AlarmAction::Activate, AlarmType::Nospace, member));
            assert_eq!(raised.alarms, [AlarmMember { member_id: member, alarm: AlarmType::Nospace as i32 }]);
        }
        assert_eq!(alarms.apply(&alarm(AlarmAction::Get, AlarmType::None, 0)).alarms.len(), 2);
        assert_eq!(alarms.apply(&alarm(AlarmAction::Get, AlarmType::Corrupt, 0)).alarms, []);
        assert_eq!(alarms.apply(&alarm(AlarmAction::Deactivate, AlarmType::Nospace, 2)).alarms.len(), 1);
        assert_eq!(alarms.apply(&alarm(AlarmAction::Deactivate, AlarmType::Nospace, 2)).alarms, []);
        let put: Request = PutRequest::default().into();
        assert_eq!(alarms.check(&put), Err(Error::NoSpace));
        alarms.apply(&alarm(AlarmAction::Deactivate, AlarmType::Nospace, 0));
        assert_eq!(alarms.check(&put), Err(Error::NoSpace), "no member has the number 0");
        alarms.apply(&alarm(AlarmAction::Deactivate, AlarmType::Nospace, 3));
        assert_eq!(alarms.check(&put), Ok(()));
    }
}
