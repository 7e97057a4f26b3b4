//! The oracle M1: the lock and election services give a lock or an election to the first key in its queue.

use api::etcdserverpb::compare::TargetUnion;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::response_op::Response as OpResponse;
use api::etcdserverpb::*;
use api::v3electionpb::*;
use api::v3lockpb::*;
use api::{Error, Request, Response};
use bytes::Bytes;
use etcdsim_verify::Oracle;

use super::build::*;
use super::evidence::header;

/// Two clients are in the queue of lock "l": l/1 since revision 2, l/2 since revision 3; the first one leaves at
/// revision 4, at 10 s.
fn queue() -> Story {
    Story::default()
        .own(put("l/1", "x"), 2, true)
        .own(put("l/2", "y"), 3, true)
        .own(delete("l/1"), 4, true)
        .at(10)
}

fn lock() -> Request {
    LockRequest { name: "l".into(), lease: 0 }.into()
}

fn held(revision: i64, key: &'static str) -> Response {
    LockResponse { header: header(revision), key: key.into() }.into()
}

#[test]
fn a_lock_is_given_to_the_first_in_its_queue() {
    queue().ok(1, lock(), (1, 3), held(2, "l/1")).ok(2, lock(), (1, 12), held(4, "l/2")).holds(Oracle::M1);
    queue().ok(2, lock(), (1, 5), held(3, "l/2")).breaks(Oracle::M1, "not first in its queue");
    // A key that is gone holds nothing.
    queue().ok(1, lock(), (1, 12), held(4, "l/1")).breaks(Oracle::M1, "not first in its queue");
}

#[test]
fn a_lock_that_is_given_back_is_gone() {
    let unlock = |revision| {
        let back: Request = UnlockRequest { key: "l/1".into() }.into();
        let done = UnlockResponse { header: header(revision) };
        queue().ok(1, lock(), (1, 3), held(2, "l/1")).ok(1, back, (9, 11), done.into())
    };
    unlock(4).holds(Oracle::M1);
    unlock(3).breaks(Oracle::M1, "released and is still there");
}

/// A write by client 2 that compares the create revision of its key, as revision 4 or 5, before or after the first
/// one is gone.
pub(super) fn guarded(revision: u64) -> Story {
    let compare = Compare {
        target: 1,
        key: "l/2".into(),
        target_union: Some(TargetUnion::CreateRevision(3)),
        ..Compare::default()
    };
    let put = PutRequest { key: "data".into(), ..PutRequest::default() };
    let success = vec![RequestOp { request: Some(Op::RequestPut(put)) }];
    let txn = TxnRequest { compare: vec![compare], success, failure: Vec::new() };
    let put = PutResponse { header: header(revision as i64), prev_kv: None };
    let responses = vec![ResponseOp { response: Some(OpResponse::ResponsePut(put)) }];
    let answer = TxnResponse { header: header(revision as i64), succeeded: true, responses };
    let story = Story::default().own(self::put("l/1", "x"), 2, true).own(self::put("l/2", "y"), 3, true);
    // The queue is known from a client that asks for its oldest key.
    let oldest = RangeRequest {
        key: "l/".into(),
        range_end: "l0".into(),
        sort_order: 1,
        sort_target: 2,
        limit: 1,
        ..RangeRequest::default()
    };
    let range = RangeResponse { header: header(3), kvs: vec![kv("l/1", "x", 2, 2, 1)], more: true, count: 2 };
    let story = story.ok(3, oldest.into(), (3, 4), range.into());
    let story = if revision == 4 { story } else { story.own(delete("l/1"), 4, true) };
    story.ok(2, txn.into(), (5, 9), answer.into()).applied(1, revision)
}

#[test]
fn a_token_works_only_for_the_first() {
    guarded(5).holds(Oracle::M1);
    guarded(4).breaks(Oracle::M1, "a token that was not first");
}

#[test]
fn two_may_hold_a_lock_by_the_clock() {
    let story = queue()
        .ok(1, lock(), (1, 3), held(2, "l/1"))
        .ok(2, lock(), (1, 12), held(4, "l/2"))
        .unknown(1, UnlockRequest { key: "l/1".into() }.into(), 14)
        .unknown(2, UnlockRequest { key: "l/2".into() }.into(), 16);
    story.holds(Oracle::M1);
    let verdict = story.verdict();
    let beside = verdict
        .checks
        .iter()
        .find(|check| check.what.contains("while another held it"))
        .map(|check| check.count);
    assert_eq!(beside, Some(1));
}

fn leader(key: &'static str, rev: i64) -> LeaderKey {
    LeaderKey { name: "l".into(), key: key.into(), rev, lease: 0 }
}

#[test]
fn an_election_is_won_by_the_first_in_its_queue() {
    let campaign: Request = CampaignRequest { name: "l".into(), lease: 0, value: "y".into() }.into();
    let won = |key, rev| -> Response {
        CampaignResponse { header: header(3), leader: Some(leader(key, rev)) }.into()
    };
    // It entered at revision 3 and became the first at revision 4.
    queue().ok(2, campaign.clone(), (1, 12), won("l/2", 3)).holds(Oracle::M1);
    queue().ok(2, campaign.clone(), (1, 9), won("l/2", 3)).breaks(Oracle::M1, "an election was won");
    queue().ok(2, campaign, (1, 12), won("l/2", 2)).breaks(Oracle::M1, "an election was won");
}

#[test]
fn the_leader_that_an_answer_names_leads() {
    let ask: Request = LeaderRequest { name: "l".into() }.into();
    let leads =
        |revision, kv| -> Response { LeaderResponse { header: header(revision), kv: Some(kv) }.into() };
    queue().ok(3, ask.clone(), (3, 4), leads(3, kv("l/1", "x", 2, 2, 1))).holds(Oracle::M1);
    queue()
        .ok(3, ask.clone(), (3, 4), leads(3, kv("l/2", "y", 3, 3, 1)))
        .breaks(Oracle::M1, "names another leader");
    queue().error(3, ask.clone(), (4, 5), Error::ElectionNoLeader).breaks(Oracle::M1, "no leader is named");
    queue()
        .own(delete("l/2"), 5, true)
        .at(12)
        .error(3, ask, (11, 13), Error::ElectionNoLeader)
        .holds(Oracle::M1);
}

#[test]
fn a_leader_speaks_and_resigns() {
    let say = |value: &'static str| -> Request {
        ProclaimRequest { leader: Some(leader("l/2", 3)), value: Bytes::from_static(value.as_bytes()) }.into()
    };
    let said: Response = ProclaimResponse { header: header(5) }.into();
    let spoken = || queue().own(put("l/2", "z"), 5, true).at(12);
    spoken().ok(2, say("z"), (11, 13), said.clone()).holds(Oracle::M1);
    spoken().ok(2, say("other"), (11, 13), said).breaks(Oracle::M1, "acknowledged and not written");
    spoken()
        .error(2, say("z"), (11, 13), Error::ElectionNotLeader)
        .breaks(Oracle::M1, "refused as if it did not lead");

    let resign: Request = ResignRequest { leader: Some(leader("l/1", 2)) }.into();
    let gone = |revision| -> Response { ResignResponse { header: header(revision) }.into() };
    queue().ok(1, resign.clone(), (9, 11), gone(4)).holds(Oracle::M1);
    queue().ok(1, resign, (4, 11), gone(3)).breaks(Oracle::M1, "its key is still there");
}
