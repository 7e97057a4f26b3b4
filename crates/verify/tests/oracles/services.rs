//! Tests M1 without evidence, when the answers of the lock and election services can only be compared with each
//! other.

use api::etcdserverpb::{
    DeleteRangeRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseRevokeResponse,
};
use api::mvccpb::KeyValue;
use api::v3electionpb::*;
use api::v3lockpb::*;
use api::{Error, Request, Response};
use etcdsim_verify::{Missing, Oracle};

use super::build::*;
use super::evidence::{grant, granted, header, revoke};

fn lock(lease: i64) -> Request {
    LockRequest { name: "L".into(), lease }.into()
}

fn held(revision: i64, key: &'static str) -> Response {
    LockResponse { header: header(revision), key: key.into() }.into()
}

fn unlock(key: &'static str) -> Request {
    UnlockRequest { key: key.into() }.into()
}

fn unlocked(revision: i64) -> Response {
    UnlockResponse { header: header(revision) }.into()
}

/// Client 1 holds the lock from revision 2 on; client 2 gets it at revision 4, between 50 s and 55 s.
fn two(between: impl FnOnce(Story) -> Story) -> Story {
    let first = Story::default().ok(1, lock(0), (1, 3), held(2, "L/a1"));
    between(first).ok(2, lock(0), (50, 55), held(4, "L/a2"))
}

/// M1 looked at something, and no oracle found anything. Without evidence, K1 may leave open what the services wrote.
#[track_caller]
fn holds(story: Story) {
    let verdict = story.verdict();
    assert!(verdict.violations.is_empty(), "{:#?}", verdict.violations);
    assert!(verdict.count(Oracle::M1) > 0, "M1 looked at nothing: {verdict:#?}");
}

const TWICE: &str = "a lock was given while it was still held";

#[test]
fn two_clients_do_not_hold_one_lock() {
    let violation = two(|story| story).breaks(Oracle::M1, TWICE);
    assert_eq!(violation.operations, [0, 1]);
    // At one revision there is one holder.
    let story = Story::default().ok(1, lock(0), (1, 3), held(2, "L/a1"));
    story.ok(2, lock(0), (4, 500), held(2, "L/a2")).breaks(Oracle::M1, TWICE);
    // Another lock is another queue.
    let other: Request = LockRequest { name: "M".into(), lease: 0 }.into();
    holds(two(|story| story.ok(1, unlock("L/a1"), (40, 41), unlocked(3))).ok(
        3,
        other,
        (50, 55),
        held(5, "M/a3"),
    ));
}

#[test]
fn a_lock_that_was_released_is_given_again() {
    holds(two(|story| story.ok(1, unlock("L/a1"), (40, 41), unlocked(3))));
    holds(two(|story| story.unknown(1, unlock("L/a1"), 40)));
    holds(two(|story| story.ok(1, delete("L/a1"), (40, 41), deleted(3, 1))));
    let range = DeleteRangeRequest { key: "L/".into(), range_end: "L0".into(), ..Default::default() };
    holds(two(|story| story.unknown(1, range.into(), 40)));
    // What was released is another key, comes too late or was refused.
    two(|story| story.ok(1, unlock("L/a3"), (40, 41), unlocked(3))).breaks(Oracle::M1, TWICE);
    two(|story| story.ok(1, unlock("L/a1"), (40, 60), unlocked(5))).breaks(Oracle::M1, TWICE);
    two(|story| story.error(1, unlock("L/a1"), (40, 41), Error::PermissionDenied)).breaks(Oracle::M1, TWICE);
    // Nobody released it by then.
    two(|story| story).unknown(1, unlock("L/a1"), 56).breaks(Oracle::M1, TWICE);
}

#[test]
fn a_lock_ends_with_its_lease() {
    // The service's own lease lasts 60 s.
    let until = |at| {
        let story = Story::default().ok(1, lock(0), (1, 3), held(2, "L/a1"));
        story.ok(2, lock(0), (50, at), held(4, "L/a2"))
    };
    until(60).breaks(Oracle::M1, TWICE);
    holds(until(61));
    // A lease of a client's own.
    let leased = |ttl: i64, between: &dyn Fn(Story) -> Story| {
        let story = Story::default().ok(1, grant(7, ttl), (0, 1), granted(7, ttl));
        between(story.ok(1, lock(7), (2, 3), held(2, "L/7"))).ok(2, lock(0), (40, 55), held(4, "L/a2"))
    };
    let kept = |story: Story| {
        let kept = LeaseKeepAliveResponse { header: header(2), id: 7, ttl: 50 };
        story.ok(1, LeaseKeepAliveRequest { id: 7 }.into(), (6, 7), kept.into())
    };
    let revoked =
        |story: Story| story.ok(1, revoke(7), (30, 31), LeaseRevokeResponse { header: header(3) }.into());
    let m1 = |story: Story| story.verdict().violations.iter().any(|one| one.oracle == Oracle::M1);
    assert!(m1(leased(100, &|story| story)), "it was not over");
    assert!(!m1(leased(55, &|story| story)), "its time was over");
    assert!(m1(leased(50, &kept)), "it was renewed");
    assert!(!m1(leased(100, &revoked)), "it was revoked");
    // Nothing is known of a lease that nobody was seen to grant.
    let story = Story::default().ok(1, lock(9), (2, 3), held(2, "L/9"));
    holds(story.ok(2, lock(0), (4, 5), held(4, "L/a2")));
}

#[test]
fn a_lock_has_a_key_of_its_own_queue() {
    let title = "a lock was given with a key of another queue";
    let given = |lease, key| Story::default().ok(1, lock(lease), (1, 3), held(2, key));
    holds(given(0, "L/a1"));
    given(0, "M/a1").breaks(Oracle::M1, title);
    given(0, "L").breaks(Oracle::M1, title);
    holds(given(161, "L/a1"));
    given(162, "L/a1").breaks(Oracle::M1, title);
    holds(given(-161, "L/-a1"));
}

fn campaign(value: &'static str) -> Request {
    CampaignRequest { name: "e".into(), lease: 0, value: value.into() }.into()
}

fn leader(key: &'static str, rev: i64) -> LeaderKey {
    LeaderKey { name: "e".into(), key: key.into(), rev, lease: 0 }
}

fn won(key: &'static str, rev: i64) -> Response {
    CampaignResponse { header: header(rev), leader: Some(leader(key, rev)) }.into()
}

fn resign(key: &'static str, rev: i64) -> Request {
    ResignRequest { leader: Some(leader(key, rev)) }.into()
}

fn resigned(revision: i64) -> Response {
    ResignResponse { header: header(revision) }.into()
}

fn ask() -> Request {
    LeaderRequest { name: "e".into() }.into()
}

fn leads(revision: i64, kv: KeyValue) -> Response {
    LeaderResponse { header: header(revision), kv: Some(kv) }.into()
}

/// Client 1 won with e/1 of revision 2 by 3 s.
fn one_leader() -> Story {
    Story::default().ok(1, campaign("one"), (1, 3), won("e/1", 2))
}

const TWO_LEADERS: &str = "a new leader while an earlier one is still in the queue";

#[test]
fn two_do_not_lead_at_once() {
    let second = |story: Story| story.ok(2, campaign("two"), (4, 20), won("e/2", 3));
    let violation = second(one_leader()).breaks(Oracle::M1, TWO_LEADERS);
    assert_eq!(violation.operations, [0, 1]);
    holds(second(one_leader().ok(1, resign("e/1", 2), (3, 9), resigned(4))));
    holds(second(one_leader().unknown(1, resign("e/1", 2), 3)));
    // The one who resigned is another candidate, or not yet.
    second(one_leader().ok(1, resign("e/2", 3), (3, 9), resigned(4))).breaks(Oracle::M1, TWO_LEADERS);
    second(one_leader()).ok(1, resign("e/1", 2), (21, 22), resigned(4)).breaks(Oracle::M1, TWO_LEADERS);
    // Another election.
    let other: Request = CampaignRequest { name: "f".into(), lease: 0, value: "x".into() }.into();
    let leader = LeaderKey { name: "f".into(), key: "f/1".into(), rev: 3, lease: 0 };
    let won = CampaignResponse { header: header(3), leader: Some(leader) };
    holds(one_leader().ok(2, other, (4, 20), won.into()));
}

#[test]
fn two_are_not_named_at_once() {
    let stood = || one_leader().unknown(2, campaign("two"), 4);
    let (one, two) = (kv("e/1", "one", 2, 2, 1), kv("e/2", "two", 3, 3, 1));
    holds(stood().ok(3, ask(), (5, 6), leads(3, one.clone())));
    stood().ok(3, ask(), (5, 6), leads(3, two.clone())).breaks(Oracle::M1, TWO_LEADERS);
    let back = stood().ok(1, resign("e/1", 2), (5, 8), resigned(4));
    back.ok(3, ask(), (6, 9), leads(4, two.clone()))
        .ok(3, ask(), (10, 11), leads(5, one))
        .breaks(Oracle::M1, "");
    let back = stood().ok(1, resign("e/1", 2), (5, 8), resigned(4));
    holds(back.ok(3, ask(), (6, 9), leads(4, two)));
}

#[test]
fn a_leader_had_stood_for_election() {
    let title = "a leader is named who never stood";
    let named = |story: Story, kv| story.ok(3, ask(), (5, 6), leads(3, kv));
    named(Story::default(), kv("e/1", "one", 2, 2, 1)).breaks(Oracle::M1, title);
    holds(named(one_leader(), kv("e/1", "one", 2, 2, 1)));
    named(one_leader(), kv("e/7", "one", 1, 1, 1)).breaks(Oracle::M1, title);
    named(one_leader(), kv("e/1", "one", 1, 1, 1)).breaks(Oracle::M1, title);
    named(one_leader(), kv("f/1", "one", 2, 2, 1)).breaks(Oracle::M1, "with a key of another queue");
    named(one_leader(), kv("e/1", "other", 2, 2, 1)).breaks(Oracle::M1, "a value that nobody gave it");
    // Someone who stands in the queue without an answer, or by the clients' recipe.
    holds(named(Story::default().unknown(2, campaign("two"), 1), kv("e/2", "two", 2, 2, 1)));
    let by_recipe = Story::default().unknown(2, put("e/2", "two"), 1);
    holds(by_recipe.ok(3, ask(), (5, 6), leads(2, kv("e/2", "two", 2, 2, 1))));
    let late = named(Story::default(), kv("e/2", "two", 2, 2, 1)).unknown(2, campaign("two"), 7);
    late.breaks(Oracle::M1, title);
    // A proclamation changes the value; it is acknowledged only to who stood.
    let say = |key, rev| -> Request {
        ProclaimRequest { leader: Some(leader(key, rev)), value: "new".into() }.into()
    };
    let said: Response = ProclaimResponse { header: header(3) }.into();
    holds(named(one_leader().ok(1, say("e/1", 2), (3, 4), said.clone()), kv("e/1", "new", 2, 3, 2)));
    one_leader().ok(1, say("e/9", 9), (3, 4), said).breaks(Oracle::M1, title);
}

#[test]
fn an_error_of_the_services_has_a_reason() {
    one_leader().error(3, ask(), (5, 6), Error::ElectionNoLeader).breaks(Oracle::M1, "no leader is named");
    holds(one_leader().error(3, ask(), (2, 6), Error::ElectionNoLeader));
    let gone = one_leader().unknown(1, resign("e/1", 2), 3);
    holds(gone.error(3, ask(), (5, 6), Error::ElectionNoLeader));
    let say: Request = ProclaimRequest { leader: Some(leader("e/1", 2)), value: "new".into() }.into();
    let violation = one_leader().error(1, say, (5, 6), Error::ElectionNotLeader);
    violation.breaks(Oracle::M1, "refused as if it did not lead");
    // A leader that resigned is not in the queue any more.
    one_leader()
        .ok(1, resign("e/1", 2), (3, 4), resigned(3))
        .ok(3, ask(), (5, 6), leads(4, kv("e/1", "one", 2, 2, 1)))
        .breaks(Oracle::M1, "resigned and is still in the queue");
}

#[test]
fn others_may_have_released_a_lock() {
    let mut story = two(|story| story);
    story.expectations.open_world = true;
    let verdict = story.verdict();
    assert!(verdict.holds(), "{verdict:#?}");
    let open: Vec<_> = verdict.not_judged.iter().filter(|one| one.oracle == Oracle::M1).collect();
    assert_eq!((open[0].count, open[0].missing), (2, Missing::OtherClients), "{open:?}");
}
