//! The oracle K4: acknowledged writes are there at the end, in the read of everything after the last fault.

use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::response_op::Response as Done;
use api::etcdserverpb::*;
use etcdsim_verify::Oracle;
use etcdsim_verify::Severity;

use super::build::*;

fn written() -> Story {
    Story::default().ok(1, put("a", "1"), (1, 2), done(2)).ok(2, put("b", "2"), (3, 4), done(3)).by(3)
}

#[test]
fn what_was_acknowledged_is_there_at_the_end() {
    let both = [kv("a", "1", 2, 2, 1), kv("b", "2", 3, 3, 1)];
    written().ok(9, everything(), (50, 51), found(3, &both)).holds(Oracle::K4);
}

#[test]
fn an_acknowledged_put_that_is_gone_is_lost() {
    let story = written().ok(9, everything(), (50, 51), found(2, &[kv("a", "1", 2, 2, 1)]));
    let violation = story.breaks(Oracle::K4, "an acknowledged write is lost");
    assert_eq!((violation.severity, &violation.operations[..]), (Severity::Lost, &[1, 2][..]));
    assert_eq!(
        violation.sentences,
        [
            r#"Client 2's `put b="2"` was acknowledged as revision 3 at 4.000 s by member 3."#,
            "The linearizable read of everything at 51.000 s does not hold b.",
            "No later delete of it is known, acknowledged or not.",
        ]
    );
    assert_eq!(story.verdict().violations[0].oracle, Oracle::K4, "what a client lost comes first");
}

#[test]
fn an_older_value_in_its_place_is_a_loss() {
    let story = written().ok(2, put("b", "3"), (5, 6), done(4));
    let old = [kv("a", "1", 2, 2, 1), kv("b", "2", 3, 3, 1)];
    story.ok(9, everything(), (50, 51), found(4, &old)).breaks(Oracle::K4, "an acknowledged write is lost");
    // The same if the value is the same.
    let story = written().ok(2, put("b", "2"), (5, 6), done(4));
    story.ok(9, everything(), (50, 51), found(4, &old)).breaks(Oracle::K4, "an acknowledged write is lost");
}

#[test]
fn a_deleted_key_that_is_back_is_a_loss() {
    let old = [kv("a", "1", 2, 2, 1), kv("b", "2", 3, 3, 1)];
    let story = written().ok(1, delete("a"), (5, 6), deleted(4, 1));
    story.ok(9, everything(), (50, 51), found(4, &old)).breaks(Oracle::K4, "an acknowledged delete is lost");
}

#[test]
fn a_delete_without_an_answer_excuses_an_absence_if_it_was_applied() {
    let story = || {
        written()
            .unknown(1, delete("a"), 5)
            .ok(9, everything(), (50, 51), found(4, &[kv("b", "2", 3, 3, 1)]))
            .applied(0, 2)
            .applied(1, 3)
    };
    story().applied(2, 4).holds(Oracle::K4);
    story().breaks(Oracle::K4, "an acknowledged write is lost");
}

#[test]
fn nothing_takes_effect_twice() {
    let twice = [kv("a", "1", 2, 3, 2)];
    let story = || Story::default().unknown(1, put("a", "1"), 1).applied(0, 2);
    let once = [kv("a", "1", 2, 2, 1)];
    story().ok(9, everything(), (50, 51), found(2, &once)).holds(Oracle::K4);
    let violation =
        story().ok(9, everything(), (50, 51), found(3, &twice)).applied(0, 3).breaks(Oracle::K4, "twice");
    assert_eq!(violation.operations, [0]);
}

#[test]
fn what_a_transaction_put_and_then_deleted_is_not_lost() {
    let branch = |request| RequestOp {
        request: Some(Op::RequestTxn(TxnRequest {
            success: vec![RequestOp { request: Some(request) }],
            ..TxnRequest::default()
        })),
    };
    let put = || Op::RequestPut(PutRequest { key: "k".into(), value: "1".into(), ..PutRequest::default() });
    let delete = || {
        let request = DeleteRangeRequest { key: "k".into(), range_end: "l".into(), prev_kv: false };
        Op::RequestDeleteRange(request)
    };
    let header = |revision| Some(ResponseHeader { revision, ..ResponseHeader::default() });
    let done = |response| ResponseOp { response: Some(response) };
    let nested = |response| {
        let responses = vec![done(response)];
        done(Done::ResponseTxn(TxnResponse { header: header(0), succeeded: true, responses }))
    };
    let answer = TxnResponse {
        header: header(2),
        succeeded: true,
        responses: vec![
            nested(Done::ResponsePut(PutResponse { header: header(2), prev_kv: None })),
            nested(Done::ResponseDeleteRange(DeleteRangeResponse {
                header: header(2),
                deleted: 1,
                prev_kvs: Vec::new(),
            })),
        ],
    };
    let txn = TxnRequest { success: vec![branch(put()), branch(delete())], ..TxnRequest::default() };
    let story = |kvs| {
        Story::default().ok(1, txn.clone().into(), (1, 2), answer.clone().into()).ok(
            9,
            everything(),
            (50, 51),
            found(2, kvs),
        )
    };
    story(&[]).holds(Oracle::K4);
    story(&[kv("k", "1", 2, 2, 1)]).breaks(Oracle::K4, "an acknowledged delete is lost");
}

#[test]
fn others_may_have_deleted() {
    let mut story =
        Story::default().ok(1, put("a", "1"), (1, 2), done(2)).ok(2, everything(), (3, 4), found(3, &[]));
    story.breaks(Oracle::K4, "an acknowledged write is lost");
    story.expectations.open_world = true;
    assert!(story.verdict().violations.is_empty());
}
