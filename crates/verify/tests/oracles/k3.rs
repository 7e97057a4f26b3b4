//! The oracle K3: reads of old revisions, and compactions.

use api::etcdserverpb::{
    RangeRequest, RequestOp, ResponseOp, TxnRequest, TxnResponse, request_op, response_op,
};
use api::{Error, Response};
use etcdsim_verify::Oracle;

use super::build::*;

/// Revisions 2 to 4 of one key.
fn written() -> Story {
    Story::default().ok(1, put("a", "1"), (1, 2), done(2)).ok(1, put("a", "2"), (3, 4), done(3)).ok(
        1,
        put("a", "3"),
        (5, 6),
        done(4),
    )
}

fn second(revision: i64) -> api::Response {
    found(revision, &[kv("a", "2", 2, 3, 2)])
}

#[test]
fn a_read_at_a_revision_returns_it() {
    written().ok(1, get_at("a", 3), (7, 8), second(4)).holds(Oracle::K3);
    let violation = written()
        .ok(1, get_at("a", 2), (7, 8), second(4))
        .breaks(Oracle::K3, "does not return that revision");
    assert!(violation.sentences[0].contains(r#"kvs[0] should be a="1""#), "{violation:#?}");
}

#[test]
fn a_compacted_revision_is_refused_for_good() {
    let compacted = || written().ok(1, compact(4), (7, 8), compacted(4));
    compacted().error(1, get_at("a", 3), (9, 10), Error::Compacted).holds(Oracle::K3);
    let violation = compacted().ok(1, get_at("a", 3), (9, 10), second(4)).breaks(Oracle::K3, "");
    assert_eq!(violation.operations, [3, 4]);
    // The compacted revision itself can be read.
    compacted().ok(1, get_at("a", 4), (9, 10), found(4, &[kv("a", "3", 2, 4, 3)])).holds(Oracle::K3);
    // Before the compaction is answered, either is possible.
    written()
        .ok(1, compact(4), (7, 12), super::build::compacted(4))
        .ok(2, get_at("a", 3), (8, 9), second(4))
        .holds(Oracle::K3);
}

#[test]
fn a_revision_is_compacted_only_by_a_compaction() {
    written().error(1, get_at("a", 3), (9, 10), Error::Compacted).breaks(Oracle::K3, "never was");
    written().unknown(2, compact(4), 7).error(1, get_at("a", 3), (9, 10), Error::Compacted).holds(Oracle::K3);
}

#[test]
fn what_one_read_was_refused_another_cannot_get_later() {
    let story = |call| {
        written()
            .ok(2, compact(4), (7, 20), compacted(4))
            .error(1, get_at("a", 3), (8, 9), Error::Compacted)
            .ok(3, get_at("a", 3), (call, 11), second(4))
    };
    story(10).breaks(Oracle::K3, "contradict each other");
    story(9).holds(Oracle::K3);
}

#[test]
fn a_known_revision_is_not_the_future() {
    written().error(1, get_at("a", 5), (7, 8), Error::FutureRev).holds(Oracle::K3);
    written().error(1, get_at("a", 4), (7, 8), Error::FutureRev).breaks(Oracle::K3, "was known already");
}

#[test]
fn what_a_compaction_showed_is_not_the_future() {
    // The put has no answer yet, but the compaction could only be accepted after it.
    let story =
        |times| {
            Story::default()
                .ok(1, put("a", "1"), (1, 20), done(2))
                .ok(2, compact(2), (3, 4), compacted(2))
                .error(3, get_at("a", 2), times, Error::FutureRev)
        };
    story((5, 6)).breaks(Oracle::K3, "was known already");
    story((4, 6)).holds(Oracle::K3);
}

#[test]
fn a_compaction_comes_after_what_it_compacts_was_asked_for() {
    Story::default()
        .ok(1, compact(2), (1, 2), compacted(2))
        .ok(1, put("a", "1"), (3, 4), done(2))
        .breaks(Oracle::K3, "did not exist yet");
}

#[test]
fn a_compaction_is_accepted_once_and_within_what_there_is() {
    let again = written().ok(1, compact(4), (7, 8), compacted(4)).ok(2, compact(4), (7, 9), compacted(4));
    again.breaks(Oracle::K3, "accepted twice");
    written().ok(1, compact(5), (7, 8), compacted(4)).breaks(Oracle::K3, "did not exist yet");
    let backwards =
        written().ok(1, compact(4), (7, 8), compacted(4)).ok(1, compact(3), (9, 10), compacted(4));
    backwards.breaks(Oracle::K3, "contradict each other");
}

#[test]
fn a_member_refuses_by_its_own_state() {
    let local = |revision| {
        RangeRequest { key: "a".into(), revision, serializable: true, ..RangeRequest::default() }.into()
    };
    written().error(2, local(4), (7, 8), Error::FutureRev).starts(&[]).holds(Oracle::K3);
    // Member 1 has answered with revision 4 before.
    written()
        .error(1, local(4), (7, 8), Error::FutureRev)
        .starts(&[])
        .breaks(Oracle::K3, "refused without a reason");
    written().error(2, local(2), (7, 8), Error::Compacted).breaks(Oracle::K3, "refused without a reason");
    written().unknown(1, compact(3), 7).error(2, local(2), (8, 9), Error::Compacted).holds(Oracle::K3);
    let late = written().error(2, local(2), (7, 8), Error::Compacted).unknown(1, compact(3), 9);
    late.breaks(Oracle::K3, "refused without a reason");
}

#[test]
fn a_member_refuses_a_transaction_by_its_own_state() {
    let local = |revision| -> api::Request {
        let read = RangeRequest { key: "a".into(), revision, serializable: true, ..RangeRequest::default() };
        let op = RequestOp { request: Some(request_op::Request::RequestRange(read)) };
        TxnRequest { success: vec![op], ..TxnRequest::default() }.into()
    };
    written().error(2, local(4), (7, 8), Error::FutureRev).starts(&[]).holds(Oracle::K3);
    written()
        .error(1, local(4), (7, 8), Error::FutureRev)
        .starts(&[])
        .breaks(Oracle::K3, "refused without a reason");
    written().error(2, local(2), (7, 8), Error::Compacted).breaks(Oracle::K3, "refused without a reason");
    let asked_for = written().unknown(1, compact(3), 7).error(2, local(2), (8, 9), Error::Compacted);
    assert!(asked_for.verdict().holds());
}

#[test]
fn a_revision_below_0_is_compacted_from_the_beginning() {
    for revision in [-1, -5, i64::MIN] {
        written().ok(1, compact(revision), (7, 8), compacted(4)).breaks(Oracle::K3, "below 0 was accepted");
        written().error(1, compact(revision), (7, 8), Error::Compacted).holds(Oracle::K1);
    }
    written().ok(1, compact(0), (7, 8), compacted(4)).holds(Oracle::K1);
    // A transaction, unlike a Range on its own, takes it seriously.
    let range = RangeRequest { key: "a".into(), revision: -1, ..RangeRequest::default() };
    let read = RequestOp { request: Some(request_op::Request::RequestRange(range)) };
    let txn = TxnRequest { success: vec![read], ..TxnRequest::default() };
    let Response::Range(newest) = found(4, &[kv("a", "3", 2, 4, 3)]) else { unreachable!() };
    let header = newest.header;
    let response = ResponseOp { response: Some(response_op::Response::ResponseRange(newest)) };
    let answer = TxnResponse { header, succeeded: true, responses: vec![response] };
    let story = |compactions| {
        let mut story = written();
        if compactions {
            story = story.ok(1, compact(4), (7, 8), compacted(4));
        }
        story.ok(1, txn.clone().into(), (9, 10), answer.clone().into())
    };
    story(false).holds(Oracle::K1);
    story(true).breaks(Oracle::K3, "contradict each other");
}

#[test]
fn others_may_have_compacted() {
    let open = |mut story: Story| {
        story.expectations.open_world = true;
        story
    };
    let stories = [
        written().error(1, get_at("a", 3), (7, 8), Error::Compacted),
        written().error(1, compact(3), (7, 8), Error::Compacted),
        written().ok(1, compact(9), (7, 8), compacted(9)),
    ];
    for story in stories {
        assert!(!story.verdict().holds());
        open(story).holds(Oracle::K1);
    }
    let serializable: api::Request =
        RangeRequest { key: "a".into(), revision: 3, serializable: true, ..RangeRequest::default() }.into();
    open(written().error(1, serializable, (7, 8), Error::Compacted)).holds(Oracle::K3);
}

#[test]
fn a_refusal_counts_even_if_nobody_knows_who_compacted() {
    // The compaction has no answer, but one read shows that it has taken effect.
    let refused = || written().unknown(2, compact(4), 7).error(1, get_at("a", 3), (8, 9), Error::Compacted);
    refused().ok(3, get_at("a", 3), (10, 11), second(4)).breaks(Oracle::K3, "contradict each other");
    refused()
        .ok(3, get_at("a", 2), (10, 11), found(4, &[kv("a", "1", 2, 2, 1)]))
        .breaks(Oracle::K3, "contradict");
    refused().ok(3, compact(3), (10, 11), compacted(4)).breaks(Oracle::K3, "contradict each other");
    refused().ok(3, get_at("a", 3), (9, 11), second(4)).holds(Oracle::K3);
    refused().ok(3, get_at("a", 4), (10, 11), found(4, &[kv("a", "3", 2, 4, 3)])).holds(Oracle::K3);
    refused().error(3, get_at("a", 2), (10, 11), Error::Compacted).holds(Oracle::K3);
}

#[test]
fn a_revision_of_the_future_is_not_judged_if_nobody_knows_the_restarts() {
    let read: api::Request =
        RangeRequest { key: "a".into(), revision: 9, serializable: true, ..RangeRequest::default() }.into();
    let story = || written().error(1, read.clone(), (7, 8), Error::FutureRev);
    let not_judged = |story: Story| {
        let missing = story.verdict().not_judged;
        let of_k3 = missing.iter().filter(|missing| missing.oracle == Oracle::K3);
        of_k3.map(|missing| missing.count).sum::<u64>()
    };
    assert_eq!([not_judged(story()), not_judged(story().starts(&[]))], [1, 0]);
}
