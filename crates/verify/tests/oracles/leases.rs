//! The oracles L1 to L3: how long leases live, and what answers say about them. See `build.rs` and `evidence.rs` for
//! the methods of a `Story`.

use api::etcdserverpb::*;
use api::{Request, Response};
use bytes::Bytes;
use etcdsim_verify::Oracle;

use super::build::*;
use super::evidence::*;

/// A keep-alive of a lease.
pub(super) fn keep(id: i64) -> Request {
    LeaseKeepAliveRequest { id }.into()
}

/// The answer to a keep-alive.
pub(super) fn kept(id: i64, ttl: i64) -> Response {
    LeaseKeepAliveResponse { header: header(1), id, ttl }.into()
}

/// A question for the time that a lease has left.
fn left(id: i64, keys: bool) -> Request {
    LeaseTimeToLiveRequest { id, keys }.into()
}

/// The answer to that question.
fn time_left(id: i64, ttl: i64, granted_ttl: i64, keys: &[&'static str]) -> Response {
    let keys = keys.iter().map(|key| Bytes::from_static(key.as_bytes())).collect();
    LeaseTimeToLiveResponse { header: header(1), id, ttl, granted_ttl, keys }.into()
}

/// A story in which lease 7, with a time to live of 10 s, was granted at 2 s.
pub(super) fn one() -> Story {
    Story::default().ok(1, grant(7, 10), (1, 3), granted(7, 10)).passed(0, 1).at(2)
}

#[test]
fn a_lease_lives_its_time_from_its_grant() {
    one().own(revoke(7), 1, false).at(12).holds(Oracle::L1);
    let broken = one().own(revoke(7), 1, false).at(11).breaks(Oracle::L1, "a lease ended before its time");
    assert_eq!(broken.time, 11 * SECOND);
    // A clock that is a tenth fast ends it after 9.09 s.
    let mut story = one().own(revoke(7), 1, false).at(12);
    story.record.applied[1].time = 11_100_000_000;
    story.breaks(Oracle::L1, "a lease ended before its time");
    story.expectations.clock_rates = (900_000, 1_100_000);
    story.holds(Oracle::L1);
    // A client may end it at any time.
    one()
        .ok(1, revoke(7), (4, 5), LeaseRevokeResponse { header: header(1) }.into())
        .passed(1, 1)
        .at(4)
        .holds(Oracle::K1);
}

#[test]
fn a_confirmed_keep_alive_counts_from_its_call() {
    let story = |end| one().ok(1, keep(7), (6, 8), kept(7, 10)).own(revoke(7), 1, false).at(end);
    story(16).holds(Oracle::L1);
    assert_eq!(story(15).breaks(Oracle::L1, "a lease ended before its time").operations, [1]);
    // One whose answer came after the end promised nothing before.
    one().ok(1, keep(7), (11, 14), kept(7, 10)).own(revoke(7), 1, false).at(12).holds(Oracle::L1);
    // Nor did one without an answer.
    one().unknown(1, keep(7), 6).own(revoke(7), 1, false).at(12).holds(Oracle::L1);
}

/// Lease 7 lives 10 s, a new leader may add 1 s, and its end may take 10 s more: it has to be gone 21 s after the last
/// moment at which it was renewed.
#[test]
fn a_lease_that_nobody_renews_goes_after_healing() {
    one().healed(5, 26).holds(Oracle::L2);
    one().healed(5, 27).breaks(Oracle::L2, "a lease stayed after its time");
    one().healed(5, 60).own(revoke(7), 1, false).at(20).holds(Oracle::L2);
    one().healed(5, 60).own(revoke(7), 1, false).at(27).breaks(Oracle::L2, "a lease stayed after its time");
    one().ok(1, keep(7), (8, 9), kept(7, 10)).healed(5, 30).holds(Oracle::L2);
    one()
        .ok(1, keep(7), (8, 9), kept(7, 10))
        .healed(5, 31)
        .breaks(Oracle::L2, "a lease stayed after its time");
    one().unknown(1, keep(7), 8).healed(5, 40).holds(Oracle::L2);
    let mut slow = one().healed(5, 27);
    slow.expectations.clock_rates = (500_000, 1_000_000);
    slow.holds(Oracle::L2);
}

#[test]
fn a_lease_of_the_lock_service_may_be_renewed_unseen() {
    let mut story = Story::default().own(grant(7, 10), 1, false).at(2).healed(5, 90);
    assert!(story.verdict().holds());
    story = story.own(revoke(7), 1, false).at(11);
    story.breaks(Oracle::L1, "a lease ended before its time");
}

#[test]
fn a_new_leader_gives_leases_their_time_anew_or_what_was_left() {
    let mut story = one().healed(5, 45);
    story.breaks(Oracle::L2, "a lease stayed after its time");
    story.expectations.lessors = vec![(SECOND, 25 * SECOND), (25 * SECOND, u64::MAX)];
    story.holds(Oracle::L2);
    story.record.stats.virtual_ns = 47 * SECOND;
    story.breaks(Oracle::L2, "a lease stayed after its time");
    // Checkpointed every second: of the 10 s nothing is left when the second leader begins.
    story.record.stats.virtual_ns = 37 * SECOND;
    story.holds(Oracle::L2);
    story.expectations.lease_checkpoint = Some(SECOND);
    story.breaks(Oracle::L2, "a lease stayed after its time");
}

#[test]
fn a_keep_alive_is_confirmed_only_while_there_is_a_lease() {
    one().ok(1, keep(7), (4, 5), kept(7, 10)).holds(Oracle::L3);
    one().ok(1, keep(7), (4, 5), kept(7, 9)).breaks(Oracle::L3, "for another time than granted");
    one().ok(1, keep(8), (4, 5), kept(8, 10)).breaks(Oracle::L3, "without its lease");
    let ended = |times| one().ok(2, keep(7), times, kept(7, 10)).own(revoke(7), 1, false).at(12);
    ended((11, 13)).holds(Oracle::L3);
    ended((13, 14)).breaks(Oracle::L3, "without its lease");
}

#[test]
fn a_keep_alive_finds_the_lease_that_is_there() {
    one().ok(1, keep(7), (4, 5), kept(7, 0)).breaks(Oracle::L3, "found no lease where there was one");
    one().ok(2, keep(7), (1, 5), kept(7, 0)).holds(Oracle::L3);
    one().ok(1, keep(7), (11, 12), kept(7, 0)).holds(Oracle::L3);
    one().ok(1, keep(8), (4, 5), kept(8, 0)).holds(Oracle::L3);
    one().ok(2, keep(7), (4, 12), kept(7, 0)).own(revoke(7), 1, false).at(12).holds(Oracle::L3);
}

#[test]
fn the_time_of_an_answer_is_that_of_a_lease() {
    one().ok(1, left(7, false), (4, 5), time_left(7, 8, 10, &[])).holds(Oracle::L3);
    one()
        .ok(1, left(7, false), (4, 5), time_left(7, 8, 9, &[]))
        .breaks(Oracle::L3, "the wrong time of a lease");
    one()
        .ok(1, left(7, false), (4, 5), time_left(7, 12, 10, &[]))
        .breaks(Oracle::L3, "the wrong time of a lease");
    one().ok(1, left(8, false), (4, 5), time_left(8, 8, 10, &[])).breaks(Oracle::L3, "does not exist");
    // A leader that may be deposed can be late, but not after healing.
    one().ok(1, left(7, false), (4, 5), time_left(7, -1, 0, &[])).holds(Oracle::L3);
    let calm = |ttl, of| {
        let story = Story::default().ok(1, grant(7, 100), (1, 3), granted(7, 100)).passed(0, 1).at(2);
        story.ok(1, left(7, false), (20, 21), time_left(7, ttl, of, &[])).healed(5, 30)
    };
    calm(-1, 0).breaks(Oracle::L3, "said not to exist");
    calm(81, 100).holds(Oracle::L3);
}

#[test]
fn the_keys_that_are_told_hung_there_together() {
    let leased = |key: &'static str| -> Request {
        PutRequest { key: key.into(), lease: 7, ..Default::default() }.into()
    };
    let story = |keys: &[&'static str]| {
        one()
            .ok(1, leased("a"), (4, 5), done(2))
            .applied(1, 2)
            .at(4)
            .ok(1, leased("b"), (6, 7), done(3))
            .applied(2, 3)
            .at(6)
            .ok(1, delete("a"), (8, 9), deleted(4, 1))
            .applied(3, 4)
            .at(8)
            .ok(1, left(7, true), (10, 11), time_left(7, 1, 10, keys))
    };
    story(&["b"]).holds(Oracle::L3);
    story(&["a", "b"]).holds(Oracle::L3);
    story(&["c"]).breaks(Oracle::L3, "never had them together");
    // Once the cluster is healed, it must be true between call and answer.
    let mut calm = story(&["a", "b"]).healed(1, 20);
    calm.expectations.lease_bound = 2 * SECOND;
    calm.breaks(Oracle::L3, "never had them together");
}

#[test]
fn a_list_is_that_of_its_member() {
    let list = |revision, ids: &[i64]| -> Response {
        let leases = ids.iter().map(|id| LeaseStatus { id: *id }).collect();
        LeaseLeasesResponse { header: header(revision), leases }.into()
    };
    let story = |revision, ids: &[i64]| {
        one().ok(1, put("a", "1"), (4, 5), done(2)).applied(1, 2).at(4).own(revoke(7), 2, false).at(13).ok(
            1,
            LeaseLeasesRequest {}.into(),
            (14, 15),
            list(revision, ids),
        )
    };
    story(2, &[7]).holds(Oracle::L3);
    story(2, &[]).holds(Oracle::L3);
    story(1, &[]).holds(Oracle::L3);
    story(2, &[8]).breaks(Oracle::L3, "listed that does not exist");
    let alive = one().ok(1, put("a", "1"), (4, 5), done(2)).applied(1, 2).at(4);
    alive
        .ok(1, LeaseLeasesRequest {}.into(), (14, 15), list(2, &[]))
        .breaks(Oracle::L3, "missing in the list");
}

#[test]
fn space_runs_out_only_where_it_is_bounded() {
    let mut story = Story::default().error(1, put("a", "1"), (1, 2), api::Error::NoSpace).end(1, 9, 1);
    assert!(story.verdict().holds());
    story.expectations.quota = false;
    story.breaks(Oracle::V2, "because space ran out");
}

/// Whatever the alarm says.
#[test]
fn what_takes_no_space_needs_none() {
    let reads = TxnRequest { success: vec![RequestOp::default()], ..TxnRequest::default() };
    let story = |request| Story::default().error(1, request, (1, 2), api::Error::NoSpace).end(1, 9, 1);
    story(reads.into()).breaks(Oracle::V2, "takes no space");
    story(delete("a")).breaks(Oracle::V2, "takes no space");
    let put = PutRequest { key: "a".into(), ..PutRequest::default() };
    let op = |request| RequestOp { request: Some(request) };
    let nested =
        TxnRequest { failure: vec![op(request_op::Request::RequestPut(put))], ..TxnRequest::default() };
    let txn =
        TxnRequest { success: vec![op(request_op::Request::RequestTxn(nested))], ..TxnRequest::default() };
    assert!(story(txn.into()).verdict().holds());
}

/// etcd refuses to revoke leases while the alarm CORRUPT is on.
#[test]
fn no_lease_ends_while_the_cluster_is_corrupt() {
    let alarm = AlarmRequest {
        action: alarm_request::AlarmAction::Activate as i32,
        alarm: AlarmType::Corrupt as i32,
        ..AlarmRequest::default()
    };
    let raised = |call| one().unknown(1, alarm.into(), call).healed(5, 60);
    one().healed(5, 60).breaks(Oracle::L2, "a lease stayed after its time");
    assert!(raised(12).verdict().holds(), "{:#?}", raised(12).verdict());
    raised(40).breaks(Oracle::L2, "a lease stayed after its time");
    // A revocation that was refused ends nothing.
    let kept = |story: Story| story.own(revoke(7), 1, false).at(14).ok(1, keep(7), (15, 16), kept(7, 10));
    kept(one()).breaks(Oracle::L3, "a keep-alive was confirmed without its lease");
    let on = AlarmMember { alarm: AlarmType::Corrupt as i32, ..AlarmMember::default() };
    let answer = AlarmResponse { header: header(1), alarms: vec![on] };
    let refused = kept(one().ok(1, alarm.into(), (4, 6), answer.into()).passed(1, 1).at(5)).verdict();
    assert!(refused.violations.iter().all(|one| one.oracle != Oracle::L3), "{refused:#?}");
}
