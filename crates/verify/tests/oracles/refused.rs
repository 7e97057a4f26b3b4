//! The oracles N1 to N3: what must be refused is, by etcd's own error, and no error is unearned.

use api::etcdserverpb::*;
use api::{Error, Request, Response, authpb};
use etcdsim_verify::{Limits, Oracle};

use super::build::*;
use super::evidence::{grant, granted};
use super::membership;
use super::rights::enabled;

const ACCEPTED: &str = "a token that is not valid is accepted";
const ANSWERED: &str = "a request that must be refused is answered";
const TAKEN: &str = "a change of the members is acknowledged that must be refused";
const UNEARNED: &str = "an error that the request cannot have earned";

/// The limits of a run: requests of 100 bytes, one learner, tokens of 5 s.
fn limited(mut story: Story) -> Story {
    story.expectations.limits = Some(Limits {
        max_request_bytes: 100,
        max_learners: 1,
        strict_reconfig: true,
        token_ttl: Some(5_000_000_000),
    });
    story
}

/// A read without a key, and how it ended.
pub(super) fn of_no_key(refused: bool) -> Story {
    let story = Story::default();
    if refused {
        story.error(1, get(""), (1, 2), Error::EmptyKey)
    } else {
        story.ok(1, get(""), (1, 2), found(1, &[]))
    }
}

/// A read with a token of nobody while authentication is on, and how it ended.
pub(super) fn of_nobody(refused: bool) -> Story {
    let story = if refused {
        enabled().error(2, get("a"), (20, 22), Error::InvalidAuthToken)
    } else {
        enabled().ok(2, get("a"), (20, 22), found(1, &[]))
    };
    story.user("")
}

/// A linearizable read by member 4, which is a learner, and how it ended. A serializable one shows before that the
/// member has something of the log.
pub(super) fn of_a_learner(refused: bool) -> Story {
    let story = learner();
    if refused {
        story.error(4, get("a"), (6, 7), Error::NotSupportedForLearner)
    } else {
        story.ok(4, get("a"), (6, 7), found(2, &[kv("a", "1", 2, 2, 1)]))
    }
}

/// Member 4 has joined as a learner, and shows that it has something of the log.
fn learner() -> Story {
    let story = membership::joined().ok(1, put("a", "1"), (2, 3), done(2)).starts(&[]);
    story.ok(4, serializable("a"), (4, 5), found(2, &[kv("a", "1", 2, 2, 1)]))
}

#[test]
fn what_has_a_wrong_form_is_refused_by_its_own_error() {
    of_no_key(false).breaks(Oracle::N1, ANSWERED);
    let other = Error::LeaseNotFound;
    let refused = |error| Story::default().error(1, twice(), (1, 2), error);
    refused(other).breaks(Oracle::N1, "refused by another error");
    refused(Error::DuplicateKey).holds(Oracle::N1);
    let grant = |perm| AuthRoleGrantPermissionRequest { name: "r".into(), perm };
    let refused = |perm| Story::default().error(1, grant(perm).into(), (1, 2), Error::RoleNotFound);
    refused(None).breaks(Oracle::N1, "refused by another error");
    let perm = authpb::Permission { key: "a".into(), ..authpb::Permission::default() };
    let found = refused(Some(perm)).verdict();
    assert!(found.violations.iter().all(|one| one.oracle != Oracle::N1), "{found:#?}");
}

/// A transaction that puts one key twice.
fn twice() -> Request {
    let put = |value: &'static str| PutRequest {
        key: "a".into(),
        value: value.into(),
        lease: 7,
        ..PutRequest::default()
    };
    let op = |value| RequestOp { request: Some(request_op::Request::RequestPut(put(value))) };
    TxnRequest { success: vec![op("1"), op("2")], ..TxnRequest::default() }.into()
}

#[test]
fn a_lease_of_too_many_seconds_is_refused() {
    let (ttl, call) = (9_000_000_001, (1, 2));
    Story::default().ok(1, grant(7, ttl), call, granted(7, ttl)).breaks(Oracle::N1, ANSWERED);
    Story::default().error(1, grant(7, ttl), call, Error::LeaseTtlTooLarge).holds(Oracle::N1);
}

#[test]
fn what_is_too_large_is_refused_and_only_that() {
    let large = || put("a", &"x".repeat(100));
    limited(Story::default().ok(1, large(), (1, 2), done(2))).breaks(Oracle::N1, ANSWERED);
    limited(Story::default().error(1, large(), (1, 2), Error::RequestTooLarge)).holds(Oracle::N1);
    let mut story = limited(Story::default().error(1, put("a", "1"), (1, 2), Error::RequestTooLarge));
    story.expectations.limits.as_mut().expect("limits").max_request_bytes = 1_000;
    story.breaks(Oracle::N1, UNEARNED);
}

#[test]
fn no_request_gets_an_error_about_what_it_does_not_have() {
    let refused = |request, error| Story::default().error(1, request, (1, 2), error);
    for error in [Error::LeaseExists, Error::MemberNotFound, Error::AuthFailed, Error::Compacted] {
        refused(get("a"), error).breaks(Oracle::N1, UNEARNED);
    }
    // It has no user, and nobody enabled authentication.
    refused(get("a"), Error::UserEmpty).breaks(Oracle::N1, UNEARNED);
    refused(get("a"), Error::NotSupportedForLearner).breaks(Oracle::N1, UNEARNED);
    refused(get("a"), Error::Timeout).holds(Oracle::N1);
}

#[test]
fn a_token_of_nobody_serves_nobody() {
    of_nobody(false).breaks(Oracle::N2, ACCEPTED);
    of_nobody(true).holds(Oracle::N2);
    let refused = |error| enabled().error(2, get("a"), (20, 22), error).user("");
    refused(Error::UserEmpty).breaks(Oracle::N2, "refused by another error");
    // What goes through the log may have been taken for a request of nobody's.
    enabled()
        .error(2, put("a", "1"), (20, 22), Error::UserEmpty)
        .user("")
        .passed(7, 1)
        .at(21)
        .holds(Oracle::N2);
    // While authentication may be off, everybody is served.
    let disable = || AuthDisableRequest {}.into();
    let story =
        enabled().unknown(1, disable(), 19).user("root").ok(2, get("a"), (20, 22), found(1, &[])).user("");
    assert!(story.verdict().violations.iter().all(|one| one.oracle != Oracle::N2));
}

#[test]
fn a_token_that_expired_serves_nobody() {
    let used = |again: u64| {
        let story = enabled().ok(2, get("a"), (20, 21), found(1, &[])).user("alice");
        limited(story.ok(2, get("a"), (again, again + 1), found(1, &[])).user("alice"))
    };
    let violation = used(40).breaks(Oracle::N2, ACCEPTED);
    let said = &violation.sentences[0];
    let words = ["although its token had expired: ", "its TTL is 5.000 s", "used there last at 21.000 s"];
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
    // A restart forgets all tokens, and nobody knows what this one is now.
    let restarted = used(40).starts(&[(2, 30)]);
    assert!(restarted.verdict().violations.iter().all(|one| one.oracle != Oracle::N2));
    // A caller without a token has none that could expire.
    let story = enabled().ok(2, get("a"), (20, 21), found(1, &[])).user("alice");
    let bare = limited(story.ok(2, get("a"), (40, 41), found(1, &[]))).verdict();
    assert!(bare.violations.iter().all(|one| one.title != ACCEPTED), "{bare:#?}");
    // Its time was not over, with a second until members look for expired ones, and another to be sure.
    let early = used(27);
    assert!(early.verdict().violations.iter().all(|one| one.oracle != Oracle::N2));
    // Logging in gives another one.
    let login = AuthenticateRequest { name: "alice".into(), password: "p".into() };
    let answer = AuthenticateResponse { token: "t".into(), ..AuthenticateResponse::default() };
    let story = enabled().ok(2, get("a"), (20, 21), found(1, &[])).user("alice");
    let story = story.ok(2, login.into(), (38, 39), answer.into());
    let story = limited(story.ok(2, get("a"), (40, 41), found(1, &[])).user("alice"));
    assert!(story.verdict().violations.iter().all(|one| one.oracle != Oracle::N2));
}

#[test]
fn a_token_that_was_taken_stays_valid() {
    let login = || AuthenticateRequest { name: "alice".into(), password: "p".into() };
    let answer = || AuthenticateResponse { token: "t".into(), ..AuthenticateResponse::default() };
    let refused = |between: &dyn Fn(Story) -> Story, at: u64| {
        let story = enabled().ok(2, login().into(), (18, 19), answer().into());
        let story = story.ok(2, get("a"), (20, 21), found(1, &[])).user("alice");
        limited(between(story).error(2, get("a"), (at, at + 1), Error::InvalidAuthToken).user("alice"))
    };
    let nothing = |story: Story| story;
    let violation = refused(&nothing, 22).breaks(Oracle::N2, "a valid token is called invalid");
    let said = &violation.sentences[0];
    let words = ["the member had served that token before", "It was issued at 19.000 s"];
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
    let holds = |story: Story| story.verdict().violations.iter().all(|one| one.oracle != Oracle::N2);
    // Its time may be over.
    assert!(holds(refused(&nothing, 26)));
    // Its user may have another password, or authentication may be off.
    let change = |name: &str| AuthUserChangePasswordRequest { name: name.into(), ..Default::default() };
    let changes =
        |name: &'static str| move |story: Story| story.unknown(1, change(name).into(), 21).user("root");
    assert!(holds(refused(&changes("alice"), 22)));
    refused(&changes("bob"), 22).breaks(Oracle::N2, "a valid token is called invalid");
    assert!(holds(refused(&|story| story.unknown(1, AuthDisableRequest {}.into(), 21).user("root"), 22)));
    // Its member may have been restarted.
    assert!(holds(refused(&|story| story.starts(&[(2, 21)]), 22)));
}

#[test]
fn a_learner_refuses_what_it_does_not_serve() {
    of_a_learner(false).breaks(Oracle::N3, "a learner answered what it must refuse");
    of_a_learner(true).holds(Oracle::N3);
    let ended = |request, error| learner().error(4, request, (6, 7), error);
    let violation =
        ended(get("a"), Error::PermissionDenied).breaks(Oracle::N3, "a learner refused by another error");
    let said = &violation.sentences[0];
    let words = [
        "Member 4, a learner, answered client",
        "a learner must refuse it with \"etcdserver: rpc not supported for learner\".",
    ];
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
    // It may not know yet that it is a learner.
    let story = membership::joined().starts(&[]).ok(4, get("a"), (3, 4), found(1, &[]));
    assert!(story.verdict().violations.iter().all(|one| one.oracle != Oracle::N3));
    // Once its removal is asked for, it may be none any more.
    let read = |story: Story| story.ok(4, get("a"), (6, 7), found(2, &[kv("a", "1", 2, 2, 1)]));
    let remove: Request = MemberRemoveRequest { id: 4 }.into();
    let removed = read(learner().unknown(1, remove.clone(), 5));
    assert!(removed.verdict().violations.iter().all(|one| one.oracle != Oracle::N3));
    read(learner().error(1, remove, (5, 6), Error::MemberNotFound))
        .breaks(Oracle::N3, "a learner answered what it must refuse");
    // After a restart, too.
    let read = |story: Story| story.ok(4, get("a"), (6, 7), found(2, &[kv("a", "1", 2, 2, 1)]));
    let story = read(learner().starts(&[(4, 6)]));
    assert!(story.verdict().violations.iter().all(|one| one.oracle != Oracle::N3));
}

/// Members with these ids; of those above 400 none has started.
fn members(ids: &[u64], learners: &[u64]) -> Vec<Member> {
    let member = |id: &u64| Member {
        id: *id,
        name: if *id > 400 { String::new() } else { format!("m{id}") },
        peer_urls: vec![format!("http://m{id}:2380")],
        is_learner: learners.contains(id),
        ..Member::default()
    };
    ids.iter().map(member).collect()
}

/// These members are listed, and then the request is answered so.
fn changed(before: Vec<Member>, request: Request, response: Response) -> Story {
    let listed = MemberListResponse { header: None, members: before };
    let list = MemberListRequest { linearizable: true };
    let story = Story::default().ok(1, list.into(), (1, 2), listed.into());
    limited(story.ok(1, request, (3, 4), response).starts(&[]))
}

#[test]
fn a_change_that_costs_the_quorum_is_refused() {
    let removal = |before: &[u64], after: &[u64]| {
        let response = MemberRemoveResponse { header: None, members: members(after, &[]) };
        changed(members(before, &[]), MemberRemoveRequest { id: 3 }.into(), response.into())
    };
    removal(&[1, 2, 3, 401, 402], &[1, 2, 401, 402]).breaks(Oracle::N3, TAKEN);
    let right = removal(&[1, 2, 3, 401], &[1, 2, 401]);
    assert!(right.verdict().violations.iter().all(|one| one.oracle != Oracle::N3));
    let addition = |before: &[u64], after: &[u64]| {
        let request = MemberAddRequest { peer_urls: vec!["http://m402:2380".into()], is_learner: false };
        let member = Some(Member { id: 402, ..Member::default() });
        let response = MemberAddResponse { header: None, member, members: members(after, &[]) };
        changed(members(before, &[]), request.into(), response.into())
    };
    addition(&[1, 2, 401], &[1, 2, 401, 402]).breaks(Oracle::N3, TAKEN);
    addition(&[1, 401], &[1, 401, 402]).breaks(Oracle::N3, TAKEN);
    // From one member to two is always possible.
    for before in [&[1, 2, 3][..], &[1, 2], &[1]] {
        let right = addition(before, &[before, &[402]].concat());
        assert!(right.verdict().violations.iter().all(|one| one.oracle != Oracle::N3), "{before:?}");
    }
    // A learner has no vote.
    let request = MemberAddRequest { peer_urls: vec!["http://m402:2380".into()], is_learner: true };
    let member = Some(Member { id: 402, is_learner: true, ..Member::default() });
    let after = members(&[1, 2, 401, 402], &[402]);
    let response = MemberAddResponse { header: None, member, members: after };
    let right = changed(members(&[1, 2, 401], &[]), request.into(), response.into());
    assert!(right.verdict().violations.iter().all(|one| one.oracle != Oracle::N3));
}

#[test]
fn there_are_no_more_learners_than_may_be() {
    let listed = |learners: &[u64]| {
        let response = MemberListResponse { header: None, members: members(&[1, 401, 402], learners) };
        limited(Story::default().ok(1, MemberListRequest::default().into(), (1, 2), response.into()))
    };
    listed(&[401, 402]).breaks(Oracle::N3, "the members are as no change can make them");
    assert!(listed(&[402]).verdict().violations.iter().all(|one| one.oracle != Oracle::N3));
}

#[test]
fn who_never_ran_gets_no_vote() {
    let response = MemberPromoteResponse { header: None, members: members(&[1, 401], &[]) };
    let promoted =
        changed(members(&[1, 401], &[401]), MemberPromoteRequest { id: 401 }.into(), response.into());
    promoted.breaks(Oracle::N3, TAKEN);
    let moved = MoveLeaderResponse::default();
    let moved =
        changed(members(&[1, 401], &[401]), MoveLeaderRequest { target_id: 401 }.into(), moved.into());
    moved.breaks(Oracle::N3, TAKEN);
}
