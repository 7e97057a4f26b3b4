//! Tests how K1 treats users and their rights.

use api::authpb::Permission;
use api::etcdserverpb::*;
use api::{Error, Request, Response};
use etcdsim_verify::Oracle;

use super::build::*;
use super::evidence::*;

/// Root enables auth; alice may read and write "a" and nothing else. Seven operations, the last one ends at 14 s.
pub(super) fn enabled() -> Story {
    let name = |name: &str| name.to_string();
    let changes: [(Request, Response); 7] = [
        (
            AuthUserAddRequest { name: name("root"), password: name("r"), ..Default::default() }.into(),
            AuthUserAddResponse { header: header(1) }.into(),
        ),
        (
            AuthUserGrantRoleRequest { user: name("root"), role: name("root") }.into(),
            AuthUserGrantRoleResponse { header: header(1) }.into(),
        ),
        (
            AuthUserAddRequest { name: name("alice"), password: name("p"), ..Default::default() }.into(),
            AuthUserAddResponse { header: header(1) }.into(),
        ),
        (AuthRoleAddRequest { name: name("user") }.into(), AuthRoleAddResponse { header: header(1) }.into()),
        (may("a"), AuthRoleGrantPermissionResponse { header: header(1) }.into()),
        (
            AuthUserGrantRoleRequest { user: name("alice"), role: name("user") }.into(),
            AuthUserGrantRoleResponse { header: header(1) }.into(),
        ),
        (AuthEnableRequest {}.into(), AuthEnableResponse { header: header(1) }.into()),
    ];
    let mut story = Story::default();
    for (number, (request, response)) in (0..).zip(changes) {
        let call = 2 * number + 1;
        story = story.ok(1, request, (call, call + 1), response).passed(number, 1).at(call);
    }
    story
}

fn may(key: &'static str) -> Request {
    let perm = Some(Permission { perm_type: 2, key: key.into(), range_end: Default::default() });
    AuthRoleGrantPermissionRequest { name: "user".to_string(), perm }.into()
}

#[test]
fn users_do_what_they_may() {
    enabled()
        .ok(2, put("a", "1"), (20, 22), done(2))
        .user("alice")
        .applied(7, 2)
        .at(21)
        .ok(2, get("a"), (23, 24), found(2, &[kv("a", "1", 2, 2, 1)]))
        .user("alice")
        .ok(1, get("b"), (23, 24), found(2, &[]))
        .user("root")
        .error(2, get("b"), (25, 26), Error::PermissionDenied)
        .user("alice")
        .error(2, put("b", "1"), (27, 28), Error::PermissionDenied)
        .user("alice")
        .passed(11, 2)
        .at(27)
        .error(3, get("a"), (29, 30), Error::UserEmpty)
        .holds(Oracle::K1);
}

#[test]
fn nobody_writes_without_the_right() {
    let write = || enabled().ok(2, put("b", "1"), (20, 22), done(2)).applied(7, 2).at(21);
    write().user("alice").breaks(Oracle::K1, "a write was answered wrongly");
    write().breaks(Oracle::K1, "a write was answered wrongly");
    write().user("root").holds(Oracle::K1);
    // Nor does anybody without an answer.
    enabled()
        .unknown(2, put("b", "1"), 20)
        .user("alice")
        .applied(7, 2)
        .at(21)
        .breaks(Oracle::K1, "a write was answered wrongly");
}

#[test]
fn nobody_reads_without_the_right() {
    let read = |key| enabled().ok(2, get(key), (20, 22), found(1, &[])).user("alice");
    read("b").breaks(Oracle::K1, "an answer that contradicts the caller's rights");
    read("a").holds(Oracle::K1);
    enabled()
        .ok(2, get("a"), (20, 22), found(1, &[]))
        .breaks(Oracle::K1, "an answer that contradicts the caller's rights");
    // While auth was being enabled.
    enabled().ok(2, get("a"), (13, 14), found(1, &[])).holds(Oracle::K1);
}

#[test]
fn nobody_is_refused_with_the_right() {
    enabled()
        .error(2, get("a"), (20, 22), Error::PermissionDenied)
        .user("alice")
        .breaks(Oracle::K1, "an error that contradicts the caller's rights");
    let refused = enabled().error(2, put("a", "1"), (20, 22), Error::PermissionDenied).user("alice");
    refused.passed(7, 1).at(21).breaks(Oracle::K1, "a write was answered wrongly");
}

#[test]
fn a_right_counts_from_the_entry_that_gave_it() {
    let story = |before: bool| {
        let granted = AuthRoleGrantPermissionResponse { header: header(1) };
        let story = enabled()
            .ok(1, may("b"), (20, 24), granted.into())
            .user("root")
            .error(2, put("b", "1"), (20, 24), Error::PermissionDenied)
            .user("alice");
        if before { story.passed(8, 1).passed(7, 1) } else { story.passed(7, 1).passed(8, 1) }
    };
    story(true).holds(Oracle::K1);
    story(false).breaks(Oracle::K1, "a write was answered wrongly");
}

#[test]
fn a_bad_token_says_nothing_but_needs_a_token() {
    for error in [Error::InvalidAuthToken, Error::AuthOldRevision] {
        enabled().error(2, get("a"), (20, 22), error).user("alice").holds(Oracle::K1);
        enabled()
            .error(2, get("a"), (20, 22), error)
            .breaks(Oracle::K1, "an error that contradicts the caller's rights");
    }
    let alone =
        |error| Story::default().ok(1, put("a", "1"), (1, 2), done(2)).error(2, get("a"), (3, 4), error);
    // K1 leaves it to N1 that nobody had enabled authentication.
    alone(Error::InvalidAuthToken)
        .user("alice")
        .breaks(Oracle::N1, "an error that the request cannot have earned");
    alone(Error::AuthOldRevision)
        .user("alice")
        .breaks(Oracle::K1, "an error that contradicts the caller's rights");
    alone(Error::PermissionDenied)
        .user("alice")
        .breaks(Oracle::K1, "an error that contradicts the caller's rights");
}

#[test]
fn passwords_and_roles_are_compared() {
    let enter = |password: &str| -> Request {
        AuthenticateRequest { name: "alice".to_string(), password: password.to_string() }.into()
    };
    let token: Response = AuthenticateResponse { header: header(1), token: "t".to_string() }.into();
    enabled().ok(2, enter("p"), (20, 22), token.clone()).holds(Oracle::K1);
    enabled()
        .ok(2, enter("q"), (20, 22), token)
        .breaks(Oracle::K1, "an answer that contradicts the caller's rights");
    enabled().error(2, enter("q"), (20, 22), Error::AuthFailed).holds(Oracle::K1);
    enabled()
        .error(2, enter("p"), (20, 22), Error::AuthFailed)
        .breaks(Oracle::K1, "an error that contradicts the caller's rights");

    let get: Request = AuthUserGetRequest { name: "alice".to_string() }.into();
    let has = |role: &str| -> Response {
        AuthUserGetResponse { header: header(1), roles: vec![role.to_string()] }.into()
    };
    enabled().ok(2, get.clone(), (20, 22), has("user")).user("alice").passed(7, 1).at(21).holds(Oracle::K1);
    enabled()
        .ok(2, get, (20, 22), has("root"))
        .user("alice")
        .passed(7, 1)
        .at(21)
        .breaks(Oracle::K1, "an answer that contradicts the caller's rights");
}

#[test]
fn everybody_may_ask_whether_auth_is_enabled() {
    let status = |revision| -> Response {
        AuthStatusResponse { header: header(1), enabled: true, auth_revision: revision }.into()
    };
    let ask = |revision| {
        enabled().ok(3, AuthStatusRequest {}.into(), (20, 22), status(revision)).passed(7, 1).at(21)
    };
    ask(7).holds(Oracle::K1);
    ask(6).breaks(Oracle::K1, "an answer that contradicts the caller's rights");
}

#[test]
fn a_change_is_refused_for_the_right_reason() {
    let again = |error| {
        let add = AuthRoleAddRequest { name: "user".to_string() };
        enabled().error(1, add.into(), (20, 22), error).user("root").passed(7, 1).at(21)
    };
    again(Error::RoleAlreadyExists).holds(Oracle::K1);
    again(Error::RoleEmpty).breaks(Oracle::K1, "");
}

#[test]
fn members_look_at_some_rights_by_their_own_users() {
    let story = || {
        let disabled = AuthDisableResponse { header: header(1) };
        let story = enabled().ok(1, AuthDisableRequest {}.into(), (20, 22), disabled.into());
        story.user("root").passed(7, 1).at(21)
    };
    let add: Request =
        MemberAddRequest { peer_urls: vec!["http://m4:2380".to_string()], is_learner: false }.into();
    // The member that was asked may not know yet that authentication is off.
    story().error(2, add.clone(), (30, 31), Error::UserEmpty).holds(Oracle::K1);
    story()
        .error(2, add, (30, 31), Error::PermissionDenied)
        .breaks(Oracle::K1, "an error that contradicts the caller's rights");
    // A read waits until its member knows everything before it.
    let read = story().error(2, get("a"), (30, 31), Error::PermissionDenied);
    read.user("alice").breaks(Oracle::K1, "an error that contradicts the caller's rights");
}

#[test]
fn what_was_taken_as_nobodys_changes_nothing() {
    // Root's token was not checked, because the member did not know yet that authentication is on.
    let story = || enabled().error(1, may("b"), (20, 22), Error::UserEmpty).user("root").passed(7, 1).at(21);
    story().error(2, get("b"), (30, 31), Error::PermissionDenied).user("alice").holds(Oracle::K1);
    story()
        .ok(2, get("b"), (30, 31), found(1, &[]))
        .user("alice")
        .breaks(Oracle::K1, "an answer that contradicts the caller's rights");
}
