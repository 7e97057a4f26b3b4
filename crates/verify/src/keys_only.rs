//! Whether a server leaves the leases out where it is asked for keys without values. etcd does so from 3.7 on, unless
//! the answer is sorted by values; earlier versions show them. A history does not say of which version it is, so this
//! follows from its answers: one that shows a lease shows that leases are not left out.
//!
//! Not modelled: members of different versions in one history.

use api::etcdserverpb::range_request::SortTarget;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::response_op::Response as Answer;
use api::etcdserverpb::{RangeRequest, RangeResponse, RequestOp, ResponseOp};
use api::{Request, Response};
use record::History;

use crate::answer::NOT_RECORDED;

/// Whether the servers of this history leave leases out.
pub fn leave_leases_out(history: &History) -> bool {
    let shows = |operation: &record::Operation| match (&operation.request, operation.response()) {
        (Request::Range(range), Some(Response::Range(answer))) => shows_lease(range, answer),
        (Request::Txn(txn), Some(Response::Txn(answer))) => {
            let branch = if answer.succeeded { &txn.success } else { &txn.failure };
            branch_shows_lease(branch, &answer.responses)
        }
        _ => false,
    };
    !history.operations.iter().any(shows)
}

/// Whether this range, which may ask for keys only, leaves leases out if its server does so.
pub fn is_without_leases(range: &RangeRequest) -> bool {
    range.keys_only && range.sort_target != SortTarget::Value as i32
}

fn shows_lease(range: &RangeRequest, answer: &RangeResponse) -> bool {
    let recorded = |lease: i64| lease != 0 && lease != NOT_RECORDED;
    is_without_leases(range) && answer.kvs.iter().any(|kv| recorded(kv.lease))
}

fn branch_shows_lease(branch: &[RequestOp], answers: &[ResponseOp]) -> bool {
    branch.iter().zip(answers).any(|(op, answer)| match (&op.request, &answer.response) {
        (Some(Op::RequestRange(range)), Some(Answer::ResponseRange(answer))) => shows_lease(range, answer),
        (Some(Op::RequestTxn(txn)), Some(Answer::ResponseTxn(answer))) => {
            let branch = if answer.succeeded { &txn.success } else { &txn.failure };
            branch_shows_lease(branch, &answer.responses)
        }
        _ => false,
    })
}
