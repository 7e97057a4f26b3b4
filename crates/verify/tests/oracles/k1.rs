//! The oracle K1: answers are those of one store that executes the operations one after another (strict
//! serializability).

use api::etcdserverpb::range_request::SortTarget;
use api::etcdserverpb::*;
use api::mvccpb::KeyValue;
use api::v3lockpb::{LockRequest, LockResponse};
use api::{Error, Request, Response};
use etcdsim_verify::Oracle;
use record::{Applied, Outcome};

use super::build::*;

/// Three writes, a delete, reads in between.
fn good() -> Story {
    Story::default()
        .ok(1, put("a", "1"), (1, 3), done(2))
        .ok(2, get("a"), (2, 4), found(2, &[kv("a", "1", 2, 2, 1)]))
        .ok(1, put("a", "2"), (5, 6), done(3))
        .ok(2, put("b", "3"), (5, 8), done(4))
        .ok(1, delete("a"), (9, 10), deleted(5, 1))
        .ok(2, delete("a"), (11, 12), deleted(5, 0))
        .ok(3, everything(), (13, 14), found(5, &[kv("b", "3", 4, 4, 1)]))
}

#[test]
fn a_serializable_history_holds() {
    good().holds(Oracle::K1);
}

#[test]
fn a_read_that_missed_an_acknowledged_write_is_stale() {
    let story = Story::default()
        .ok(1, put("a", "1"), (1, 2), done(2))
        .ok(1, put("a", "2"), (3, 4), done(3))
        .ok(2, get("a"), (5, 6), found(2, &[kv("a", "1", 2, 2, 1)]));
    let violation = story.breaks(Oracle::K1, "a stale read");
    assert_eq!(violation.operations, [1, 2]);
    assert_eq!(
        violation.sentences,
        [
            r#"Client 1's `put a="2"` was answered with revision 3 at 4.000 s."#,
            "Client 2's `get a` was called later, at 5.000 s, yet it was answered with revision 2, which comes before that.",
        ]
    );
    // At the same time is not later.
    Story::default()
        .ok(1, put("a", "1"), (1, 2), done(2))
        .ok(1, put("a", "2"), (3, 5), done(3))
        .ok(2, get("a"), (5, 6), found(2, &[kv("a", "1", 2, 2, 1)]))
        .holds(Oracle::K1);
}

#[test]
fn two_writes_do_not_share_a_revision() {
    let story = Story::default().ok(1, put("a", "1"), (1, 2), done(2)).ok(2, put("b", "1"), (1, 2), done(2));
    assert_eq!(story.breaks(Oracle::K1, "revision 2 was made by two writes").operations, [0, 1]);
}

#[test]
fn every_field_of_an_answer_counts() {
    let spoilers: [fn(&mut RangeResponse); 9] = [
        |range| range.kvs[0].key = "c".into(),
        |range| range.kvs[0].value = "4".into(),
        |range| range.kvs[0].create_revision = 3,
        |range| range.kvs[0].mod_revision = 3,
        |range| range.kvs[0].version = 2,
        |range| range.kvs[0].lease = 7,
        |range| range.count = 2,
        |range| range.more = true,
        |range| range.kvs.clear(),
    ];
    for spoil in spoilers {
        let mut story = good();
        let last = story.record.history.operations.last_mut().expect("an operation");
        let Outcome::Answer { response: Response::Range(range), .. } = &mut last.outcome else {
            panic!("a read")
        };
        spoil(range);
        assert_eq!(story.breaks(Oracle::K1, "a read was answered wrongly").operations[0], 6);
    }
}

#[test]
fn answers_to_writes_are_compared_too() {
    let mut story = good();
    story.record.history.operations[4].outcome =
        Outcome::Answer { at: 10_000_000_000, response: deleted(5, 2) };
    story.breaks(Oracle::K1, "a write was answered wrongly");
}

#[test]
fn one_wrong_answer_is_one_violation() {
    // The answer says that nothing was deleted; what the model deleted must not count against later answers.
    let story = Story::default()
        .ok(1, put("a", "1"), (1, 2), done(2))
        .ok(1, delete("a"), (3, 4), deleted(2, 0))
        .ok(1, get("a"), (5, 6), found(2, &[kv("a", "1", 2, 2, 1)]))
        .ok(1, put("b", "1"), (7, 8), done(3));
    story.breaks(Oracle::K1, "a write was answered wrongly");
    assert_eq!(story.verdict().violations.len(), 1);
}

#[test]
fn an_answer_cannot_be_older_than_the_store() {
    Story::default().ok(1, put("a", "1"), (1, 2), done(1)).breaks(Oracle::K1, "cannot be");
    Story::default().ok(1, get("a"), (1, 2), found(0, &[])).breaks(Oracle::K1, "cannot be");
    Story::default().ok(1, get("a"), (1, 2), found(1, &[])).holds(Oracle::K1);
}

/// A write without an answer, seen by a later read.
fn lost_answer() -> Story {
    Story::default().unknown(1, put("a", "1"), 1).ok(2, put("b", "1"), (2, 3), done(2)).ok(
        2,
        get("a"),
        (4, 5),
        found(3, &[kv("a", "1", 3, 3, 1)]),
    )
}

#[test]
fn a_write_without_an_answer_may_take_effect_at_any_later_time() {
    lost_answer().applied(1, 2).applied(0, 3).holds(Oracle::K1);
    // Without evidence, the search finds it.
    lost_answer().holds(Oracle::K1);
}

#[test]
fn a_revision_that_nobody_made_is_one_too_many() {
    let story = lost_answer().applied(1, 2);
    assert_eq!(story.breaks(Oracle::K1, "nobody made revision 3").operations, [2]);
    let mut story = lost_answer();
    story.record.history.operations[0].request = put("a", "other");
    story.breaks(Oracle::K1, "nobody made revision 3");
    // Unless there are writers that the history does not have.
    story.expectations.open_world = true;
    let verdict = story.verdict();
    assert!(verdict.violations.is_empty() && verdict.undecided.len() == 1, "{verdict:#?}");
}

#[test]
fn a_definite_error_has_no_effect_and_any_other_may() {
    let story = |error| {
        Story::default()
            .error(1, put("a", "1"), (1, 2), error)
            .ok(2, get("a"), (3, 4), found(2, &[kv("a", "1", 2, 2, 1)]))
            .applied(0, 2)
    };
    story(Error::TooManyRequests).breaks(Oracle::K1, "a refused operation took effect");
    // etcd applies first and reports the full disk afterwards.
    story(Error::NoSpace).holds(Oracle::K1);
    story(Error::TimeoutDueToLeaderFail).holds(Oracle::K1);
}

#[test]
fn an_error_needs_a_reason() {
    let keep: Request = PutRequest { key: "a".into(), ignore_value: true, ..PutRequest::default() }.into();
    let story = |times| {
        Story::default()
            .ok(1, put("a", "1"), (1, 3), done(2))
            .error(2, keep.clone(), times, Error::KeyNotFound)
            .ok(1, put("a", "2"), (5, 6), done(3))
    };
    story((4, 5)).breaks(Oracle::K1, "an error without a reason");
    // While the put was on its way there was no such key.
    story((2, 5)).holds(Oracle::K1);
    // That the key is deleted later is no reason.
    let goes = |times| {
        Story::default()
            .ok(1, put("a", "1"), (1, 2), done(2))
            .error(2, keep.clone(), times, Error::KeyNotFound)
            .ok(1, delete("a"), (6, 7), deleted(3, 1))
    };
    goes((4, 5)).breaks(Oracle::K1, "an error without a reason");
    goes((4, 6)).holds(Oracle::K1);
    Story::default()
        .error(1, put("", "1"), (1, 2), Error::DuplicateKey)
        .breaks(Oracle::K1, "an error without a reason");
    Story::default()
        .error(1, put("", "1"), (1, 2), Error::EmptyKey)
        .ok(1, get("a"), (3, 4), found(1, &[]))
        .holds(Oracle::K1);
}

#[test]
fn evidence_does_not_outweigh_an_answer() {
    let story = Story::default()
        .ok(1, put("a", "1"), (1, 2), done(2))
        .ok(1, get("b"), (3, 4), found(2, &[]))
        .applied(0, 3);
    story.breaks(Oracle::K1, "another revision than it made");
}

#[test]
fn leases_are_used_in_the_order_of_the_log() {
    let grant: Request = LeaseGrantRequest { ttl: 10, id: 7 }.into();
    let header = Some(ResponseHeader { revision: 1, ..ResponseHeader::default() });
    let granted: Response = LeaseGrantResponse { header, id: 7, ttl: 10, error: String::new() }.into();
    let leased: Request = PutRequest { key: "a".into(), lease: 7, ..PutRequest::default() }.into();
    let story = |times| {
        let mut story = Story::default().ok(1, grant.clone(), (1, 3), granted.clone()).error(
            2,
            leased.clone(),
            times,
            Error::LeaseNotFound,
        );
        for (index, operation) in [(1, 1), (2, 0)] {
            let entry = Applied {
                index,
                operation: Some(operation),
                revision: 1,
                mutated: false,
                time: 0,
                internal: None,
            };
            story.record.applied.push(entry);
        }
        story
    };
    story((2, 4)).holds(Oracle::K1);
    // The grant was acknowledged before.
    story((4, 5)).breaks(Oracle::K1, "revisions contradict real time");
    let mut swapped = story((2, 4));
    swapped.record.applied.reverse();
    swapped.breaks(Oracle::K1, "a write was answered wrongly");
}

#[test]
fn a_lease_alone_leaves_nothing_open_without_evidence() {
    let grant: Request = LeaseGrantRequest { ttl: 10, id: 7 }.into();
    let header = Some(ResponseHeader { revision: 1, ..ResponseHeader::default() });
    let granted: Response = LeaseGrantResponse { header, id: 7, ttl: 10, error: String::new() }.into();
    Story::default().ok(1, grant, (1, 2), granted).holds(Oracle::K1);
}

#[test]
fn a_bound_below_0_filters_everything_out() {
    // The values of a key must not be judged by what a filter left out.
    let range = RangeRequest { key: "a".into(), max_mod_revision: -1, ..RangeRequest::default() };
    let header = Some(ResponseHeader { revision: 2, ..ResponseHeader::default() });
    let nothing = RangeResponse { header, count: 1, ..RangeResponse::default() };
    Story::default()
        .ok(1, put("a", "1"), (1, 2), done(2))
        .ok(1, range.into(), (3, 4), nothing.into())
        .holds(Oracle::K1);
}

#[test]
fn a_union_of_another_target_counts_as_nothing() {
    let story = |target: compare::CompareTarget| {
        let compare = Compare {
            key: "a".into(),
            target: target as i32,
            target_union: Some(compare::TargetUnion::ModRevision(0)),
            ..Compare::default()
        };
        let then = RequestOp {
            request: Some(request_op::Request::RequestPut(PutRequest {
                key: "b".into(),
                ..PutRequest::default()
            })),
        };
        let txn = TxnRequest { compare: vec![compare], success: vec![then], ..TxnRequest::default() };
        let header = Some(ResponseHeader { revision: 3, ..ResponseHeader::default() });
        let done_too = response_op::Response::ResponsePut(PutResponse { header, prev_kv: None });
        let responses = vec![ResponseOp { response: Some(done_too) }];
        let answer = TxnResponse { header, succeeded: true, responses };
        Story::default().ok(1, put("a", ""), (1, 2), done(2)).ok(1, txn.into(), (3, 4), answer.into())
    };
    // The value is compared with the empty one, the lease with none: that says nothing of whether the key is there.
    story(compare::CompareTarget::Value).holds(Oracle::K1);
    story(compare::CompareTarget::Lease).holds(Oracle::K1);
    story(compare::CompareTarget::Mod).breaks(Oracle::K1, "answered wrongly");
}

#[test]
fn a_service_writes_without_evidence_too() {
    let lock: Request = LockRequest { name: "l".into(), lease: 0 }.into();
    let header = Some(ResponseHeader { revision: 2, ..ResponseHeader::default() });
    let held: Response = LockResponse { header, key: "l/1".into() }.into();
    Story::default().ok(1, lock, (1, 2), held).ok(1, put("a", "1"), (3, 4), done(3)).holds(Oracle::K1);
    // The newest revision is not known.
    let lock: Request = LockRequest { name: "l".into(), lease: 0 }.into();
    let header = Some(ResponseHeader { revision: 3, ..ResponseHeader::default() });
    let held: Response = LockResponse { header, key: "l/1".into() }.into();
    let stream = Stream::default().at(5).create(from("a", "", 0)).created(0, 3);
    let story = Story::default().ok(1, put("a", "1"), (1, 2), done(2)).ok(1, lock, (3, 4), held);
    let verdict = story.ok(2, compact(3), (6, 7), compacted(3)).watch(stream).verdict();
    assert!(verdict.violations.is_empty(), "{:#?}", verdict.violations);
}

#[test]
fn an_answer_without_a_place_names_a_revision_that_was_there() {
    let story = |revision| {
        let header = Some(ResponseHeader { revision, ..ResponseHeader::default() });
        let answer = StatusResponse { header, ..StatusResponse::default() };
        Story::default()
            .ok(1, put("a", "1"), (1, 2), done(2))
            .applied(0, 2)
            .ok(2, StatusRequest {}.into(), (3, 4), answer.into())
            .ok(1, put("a", "2"), (6, 8), done(3))
            .applied(2, 3)
            .at(7)
    };
    story(1).holds(Oracle::K1);
    story(2).holds(Oracle::K1);
    story(3).breaks(Oracle::K1, "a revision that cannot have existed");
}

/// etcd leaves leases out from 3.7 on where only keys are asked for; earlier versions show them.
#[test]
fn keys_without_values_have_all_their_leases_or_none() {
    let header = |revision| Some(ResponseHeader { revision, ..ResponseHeader::default() });
    let leased = |key: &str, modified, lease| KeyValue { lease, ..kv(key, "", modified, modified, 1) };
    let story = |leases: [i64; 2], sort_target| {
        let put = |key: &'static str| PutRequest {
            key: key.into(),
            value: "v".into(),
            lease: 7,
            ..PutRequest::default()
        };
        let keys = RangeRequest {
            key: "a".into(),
            range_end: "z".into(),
            keys_only: true,
            sort_target,
            ..RangeRequest::default()
        };
        let read = found(3, &[leased("a", 2, leases[0]), leased("b", 3, leases[1])]);
        let granted = LeaseGrantResponse { header: header(1), id: 7, ttl: 100, error: String::new() };
        Story::default()
            .ok(1, LeaseGrantRequest { id: 7, ttl: 100 }.into(), (1, 2), granted.into())
            .ok(1, put("a").into(), (3, 4), done(2))
            .ok(1, put("b").into(), (5, 6), done(3))
            .ok(1, keys.into(), (7, 8), read)
    };
    let by_value = SortTarget::Value as i32;
    story([7, 7], 0).holds(Oracle::K1);
    story([0, 0], 0).holds(Oracle::K1);
    story([7, 7], by_value).holds(Oracle::K1);
    for (leases, target) in [([7, 0], 0), ([8, 8], 0), ([0, 0], by_value)] {
        story(leases, target).breaks(Oracle::K1, "a read was answered wrongly");
    }
}

/// A streamed range stays at the revision of its first chunk.
#[test]
fn a_streamed_range_may_be_compacted_on_its_way() {
    let story = |streamed, compacts: bool| {
        let mut story = Story::default()
            .ok(1, put("a", "1"), (1, 2), done(2))
            .error(2, everything(), (3, 9), Error::Compacted)
            .ok(1, put("a", "2"), (4, 5), done(3));
        story.record.history.operations[1].streamed = streamed;
        if compacts { story.ok(1, compact(3), (6, 7), compacted(3)) } else { story }
    };
    assert!(story(true, true).verdict().holds());
    story(false, true).breaks(Oracle::K3, "");
}
