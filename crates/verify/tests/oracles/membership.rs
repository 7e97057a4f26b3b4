//! The oracle M2: answers about the cluster's members agree with the changes that were made.

use api::etcdserverpb::*;
use api::{Error, Request, Response};
use etcdsim_verify::Oracle;

use super::build::*;

/// A member: its id, whether it is a learner, and its peer URLs.
type One<'a> = (u64, bool, &'a [&'a str]);

const FIRST: One<'_> = (1, false, &["http://m1:2380"]);
const LEARNER: One<'_> = (4, true, &["http://m4:2380"]);
const VOTER: One<'_> = (4, false, &["http://m4:2380"]);
const MOVED: One<'_> = (4, true, &["http://m4:2380", "http://other:2380"]);

fn members(all: &[One<'_>]) -> Vec<Member> {
    let member = |(id, is_learner, urls): &One<'_>| Member {
        id: *id,
        is_learner: *is_learner,
        peer_urls: urls.iter().map(|url| url.to_string()).collect(),
        ..Member::default()
    };
    all.iter().map(member).collect()
}

fn add() -> Request {
    MemberAddRequest { peer_urls: vec!["http://m4:2380".into()], is_learner: true }.into()
}

fn added(all: &[One<'_>]) -> Response {
    let members = members(all);
    let member =
        members.iter().find(|member| member.id == 4).cloned().or(Some(Member { id: 4, ..Member::default() }));
    MemberAddResponse { header: None, member, members }.into()
}

fn list(linearizable: bool) -> Request {
    MemberListRequest { linearizable }.into()
}

fn listed(all: &[One<'_>]) -> Response {
    MemberListResponse { header: None, members: members(all) }.into()
}

fn remove() -> Request {
    MemberRemoveRequest { id: 4 }.into()
}

fn removed(all: &[One<'_>]) -> Response {
    MemberRemoveResponse { header: None, members: members(all) }.into()
}

fn promote() -> Request {
    MemberPromoteRequest { id: 4 }.into()
}

fn promoted(all: &[One<'_>]) -> Response {
    MemberPromoteResponse { header: None, members: members(all) }.into()
}

fn update() -> Request {
    MemberUpdateRequest { id: 4, peer_urls: vec!["http://other:2380".into(), "http://m4:2380".into()] }.into()
}

fn updated(all: &[One<'_>]) -> Response {
    MemberUpdateResponse { header: None, members: members(all) }.into()
}

/// Member 4 joins as a learner from 1 s to 2 s.
pub(super) fn joined() -> Story {
    Story::default().ok(1, add(), (1, 2), added(&[FIRST, LEARNER]))
}

/// Member 4 joins, and the answer to that does not show it.
pub(super) fn added_unseen() -> Story {
    Story::default().ok(1, add(), (1, 2), added(&[FIRST]))
}

#[test]
fn an_answer_shows_its_own_change() {
    let title = "acknowledged but not shown";
    joined().holds(Oracle::M2);
    added_unseen().breaks(Oracle::M2, title);
    joined().ok(1, promote(), (3, 4), promoted(&[FIRST, LEARNER])).breaks(Oracle::M2, title);
    joined().ok(1, update(), (3, 4), updated(&[FIRST, LEARNER])).breaks(Oracle::M2, title);
    joined().ok(1, remove(), (3, 4), removed(&[FIRST, LEARNER])).breaks(Oracle::M2, title);
}

#[test]
fn a_list_shows_who_joined_before_it_was_asked_for() {
    let title = "gone though nobody removed it";
    joined().ok(2, list(true), (3, 4), listed(&[FIRST])).breaks(Oracle::M2, title);
    // The answer may be from before if it overlaps or need not be fresh.
    Story::default()
        .ok(2, list(true), (1, 4), listed(&[FIRST]))
        .ok(1, add(), (2, 3), added(&[FIRST, LEARNER]))
        .holds(Oracle::M2);
    joined().ok(2, list(false), (3, 4), listed(&[FIRST])).holds(Oracle::M2);
    // A removal whose outcome is unknown.
    joined().unknown(3, remove(), 3).ok(2, list(true), (4, 5), listed(&[FIRST])).holds(Oracle::M2);
    joined()
        .error(3, remove(), (2, 3), Error::Unhealthy)
        .ok(2, list(true), (4, 5), listed(&[FIRST]))
        .breaks(Oracle::M2, title);
}

#[test]
fn a_removed_member_never_comes_back() {
    let title = "a removed member is a member again";
    let gone = || joined().ok(1, remove(), (3, 4), removed(&[FIRST]));
    gone().ok(2, list(true), (5, 6), listed(&[FIRST])).holds(Oracle::M2);
    gone().ok(2, list(true), (5, 6), listed(&[FIRST, LEARNER])).breaks(Oracle::M2, title);
    gone().ok(2, list(false), (5, 6), listed(&[FIRST, LEARNER])).holds(Oracle::M2);
    gone().ok(2, add(), (5, 6), added(&[FIRST, LEARNER])).breaks(Oracle::M2, title);
    // No answer acknowledges the removal, but a client saw it.
    joined()
        .unknown(3, remove(), 3)
        .ok(2, list(true), (4, 5), listed(&[FIRST]))
        .ok(2, list(true), (6, 7), listed(&[FIRST, LEARNER]))
        .breaks(Oracle::M2, title);
}

#[test]
fn a_learner_votes_only_once_it_is_promoted() {
    let title = "votes though nobody promoted it";
    joined().ok(2, list(false), (3, 4), listed(&[FIRST, VOTER])).breaks(Oracle::M2, title);
    joined().unknown(3, promote(), 3).ok(2, list(true), (4, 5), listed(&[FIRST, VOTER])).holds(Oracle::M2);
    let refused = |error| {
        let story = joined().error(3, promote(), (3, 4), error);
        story.ok(2, list(true), (5, 6), listed(&[FIRST, VOTER]))
    };
    refused(Error::MemberNotFound).breaks(Oracle::M2, title);
    // The leader before the one that refused it may have proposed it (`swarm`, seed 81547).
    refused(Error::LearnerNotReady).holds(Oracle::M2);
    refused(Error::MemberNotLearner).holds(Oracle::M2);
}

#[test]
fn a_voter_never_learns_again() {
    let votes = || joined().ok(1, promote(), (3, 4), promoted(&[FIRST, VOTER]));
    votes().ok(2, list(true), (5, 6), listed(&[FIRST, VOTER])).holds(Oracle::M2);
    votes()
        .ok(2, list(true), (5, 6), listed(&[FIRST, LEARNER]))
        .breaks(Oracle::M2, "that voted is a learner");
    votes().ok(2, list(false), (5, 6), listed(&[FIRST, LEARNER])).holds(Oracle::M2);
}

#[test]
fn peer_urls_are_those_that_were_set_last() {
    let title = "peer URLs that nobody gave it";
    let moved = || joined().ok(1, update(), (3, 4), updated(&[FIRST, MOVED]));
    moved().ok(2, list(true), (5, 6), listed(&[FIRST, MOVED])).holds(Oracle::M2);
    moved().ok(2, list(true), (5, 6), listed(&[FIRST, LEARNER])).breaks(Oracle::M2, title);
    moved().ok(2, list(false), (5, 6), listed(&[FIRST, LEARNER])).holds(Oracle::M2);
    joined().ok(2, list(true), (5, 6), listed(&[FIRST, MOVED])).breaks(Oracle::M2, title);
    joined().unknown(1, update(), 3).ok(2, list(true), (5, 6), listed(&[FIRST, MOVED])).holds(Oracle::M2);
}

#[test]
fn what_is_done_is_done_once() {
    let title = "the second changes nothing";
    let votes = || joined().ok(1, promote(), (3, 4), promoted(&[FIRST, VOTER]));
    votes().error(2, promote(), (5, 6), Error::MemberNotLearner).holds(Oracle::M2);
    votes().ok(2, promote(), (5, 6), promoted(&[FIRST, VOTER])).breaks(Oracle::M2, title);
    let gone = || joined().ok(1, remove(), (3, 4), removed(&[FIRST]));
    gone().ok(2, remove(), (5, 6), removed(&[FIRST])).breaks(Oracle::M2, title);
    gone()
        .ok(2, update(), (5, 6), updated(&[FIRST, MOVED]))
        .breaks(Oracle::M2, "of a removed member is acknowledged");
    gone().error(2, update(), (5, 6), Error::MemberNotFound).holds(Oracle::M2);
}

#[test]
fn errors_are_borne_out() {
    joined().error(2, update(), (3, 4), Error::MemberNotFound).breaks(Oracle::M2, "is said not to exist");
    joined().unknown(3, remove(), 2).error(2, update(), (3, 4), Error::MemberNotFound).holds(Oracle::M2);
    // It was forwarded to the leader twice, and the first time did it.
    joined().error(2, promote(), (3, 4), Error::MemberNotLearner).holds(Oracle::M2);
    joined().unknown(3, promote(), 2).error(2, promote(), (3, 4), Error::MemberNotLearner).holds(Oracle::M2);
}
