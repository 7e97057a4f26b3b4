//! Users and permissions: the clients of `mixed`, most of them logged in as users, and an administrator who
//! creates users and roles, switches auth on and keeps changing permissions. After etcd's
//! `tests/e2e/ctl_v3_auth_test.go`.
//!
//! The administrator is `root`. Its password never changes, because the run needs it at its end to read the
//! whole store.

use api::Request;
use api::authpb::{Permission, permission};
use api::etcdserverpb::{
    AuthDisableRequest, AuthEnableRequest, AuthRoleAddRequest, AuthRoleDeleteRequest, AuthRoleGetRequest,
    AuthRoleGrantPermissionRequest, AuthRoleListRequest, AuthRoleRevokePermissionRequest, AuthStatusRequest,
    AuthUserAddRequest, AuthUserChangePasswordRequest, AuthUserDeleteRequest, AuthUserGetRequest,
    AuthUserGrantRoleRequest, AuthUserListRequest, AuthUserRevokeRoleRequest, LeaseGrantRequest,
    LeaseRevokeRequest, RangeRequest,
};
use bytes::Bytes;
use keyed::Draw;
use record::Nanos;

use super::{Lane, Setup, mixed};
use crate::Act;
use crate::act::{Keys, Watch};

pub(super) const ABOUT: &str = "The clients of `mixed` as users with different permissions, one of which asks for more than it may have, and an administrator who switches auth on and off and changes passwords, roles and permissions. Our own, after etcd's `tests/e2e/ctl_v3_auth_test.go`.";

const SECOND: Nanos = 1_000_000_000;

/// The users that clients log in as. A client without a user has no token, and is refused while auth is on.
const LOGINS: [Option<&str>; 7] = [
    Some("alice:a"),
    Some("alice:a"),
    Some("alice:a"),
    Some("bob:b"),
    Some("bob:b"),
    Some("root:root"),
    None,
];

/// All lanes of the workload. (A lane is one client with all its operations.)
pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    let mut lanes = mixed::lanes(setup);
    log_in(setup, &mut lanes);
    lanes.push(trespasser(setup, lanes.len() as u32));
    lanes
}

/// A user who asks for more than it may have, and sometimes for what anybody may have: bob, who may read half of the
/// keys at most, watches and reads them all.
pub(super) fn trespasser(setup: &Setup<'_>, number: u32) -> Lane {
    let mut lane = Lane { user: Some("bob:b".into()), ..Lane::new(number) };
    for turn in setup.every(number, 2 * SECOND) {
        let from = turn.draw.then(1).below(u64::from(setup.workload.keys));
        let key = Bytes::from(format!("{}{from}", setup.workload.key_prefix));
        let end = api::key_range::FROM_KEY;
        match turn.draw.below(6) {
            0..3 => {
                let name = turn.draw.then(2).below(4) as u32;
                lane.act(turn.at, Act::Watch(Watch { keys: Keys { key, end }, name, ..Watch::default() }));
            }
            3 => lane.act(turn.at, Act::Close { stream: 0 }),
            4 => {
                let range = RangeRequest { key, range_end: end, ..RangeRequest::default() };
                lane.act(turn.at, Act::Stream { range, literal: false });
            }
            _ => {
                let id = lane.lease();
                lane.ask(turn.at, LeaseGrantRequest { id, ttl: 5 });
                lane.ask(turn.at, LeaseRevokeRequest { id });
            }
        }
    }
    lane
}

/// Lets clients log in as users, and adds the administrator.
pub(super) fn log_in(setup: &Setup<'_>, lanes: &mut Vec<Lane>) {
    for lane in lanes.iter_mut() {
        let draw = setup.dice.nth(lane.number.into()).field("user");
        lane.user = draw.pick(&LOGINS).map(String::from);
    }
    lanes.push(administrator(setup, lanes.len() as u32));
}

/// The client that manages users and roles.
fn administrator(setup: &Setup<'_>, number: u32) -> Lane {
    let mut lane = Lane { user: Some("root:root".into()), ..Lane::new(number) };
    // Before the first second nobody leads yet. Requests that are lost until then, or in a fault, are sent again.
    for request in first(setup) {
        lane.ask(SECOND, request);
    }
    let enable = setup.dice.nth(number.into()).field("enable").log_within(2 * SECOND, 6 * SECOND);
    let enable = enable / 1_000 * 1_000;
    for request in again(setup) {
        lane.ask(enable, request);
    }
    for turn in setup.every(number, 3 * SECOND / 2).filter(|turn| turn.at > enable) {
        for request in change(setup, turn.draw) {
            lane.ask(turn.at, request);
        }
    }
    lane
}

/// The initial users and roles: alice may do everything, bob may use half of the keys.
fn first(setup: &Setup<'_>) -> Vec<Request> {
    vec![
        add_user("root", "root"),
        add_role("root"),
        grant_role("root", "root"),
        add_user("alice", "a"),
        add_user("bob", "b"),
        add_role("all"),
        add_role("some"),
        AuthRoleGrantPermissionRequest {
            name: "all".into(),
            perm: Some(Permission {
                perm_type: permission::Type::Readwrite as i32,
                key: Bytes::from_static(b"\0"),
                range_end: api::key_range::FROM_KEY,
            }),
        }
        .into(),
        permit(setup, permission::Type::Readwrite, 0),
        grant_role("alice", "all"),
        grant_role("bob", "some"),
    ]
}

/// Everything that authentication needs, and then authentication itself. What exists already is refused.
fn again(setup: &Setup<'_>) -> Vec<Request> {
    let mut requests = first(setup);
    requests.push(AuthEnableRequest {}.into());
    requests
}

/// The administrator's next requests. What they revoke is granted again, at once or by a later change.
fn change(setup: &Setup<'_>, draw: Draw) -> Vec<Request> {
    let kinds = [permission::Type::Read, permission::Type::Write, permission::Type::Readwrite];
    let nth = draw.then(1).below(u64::from(setup.workload.keys) + 1);
    match draw.below(13) {
        0 | 1 => vec![permit(setup, *draw.then(2).pick(&kinds), nth)],
        2 => {
            let (key, range_end) = keys(setup, nth);
            vec![AuthRoleRevokePermissionRequest { role: "some".into(), key, range_end }.into()]
        }
        // Clients log in as bob with the password `b`. They are refused until it is set again.
        3 => vec![set_password("bob", "x")],
        4 | 5 => vec![set_password("bob", "b")],
        6 => vec![
            AuthUserRevokeRoleRequest { name: "alice".into(), role: "all".into() }.into(),
            grant_role("alice", "all"),
        ],
        7 => vec![AuthDisableRequest {}.into(), AuthStatusRequest {}.into(), AuthEnableRequest {}.into()],
        8 => again(setup),
        9 => vec![add_user("carol", "c"), grant_role("carol", "some"), add_role("none")],
        10 => vec![
            AuthUserDeleteRequest { name: "carol".into() }.into(),
            AuthRoleDeleteRequest { role: "none".into() }.into(),
        ],
        11 => vec![AuthUserListRequest {}.into(), AuthRoleListRequest {}.into()],
        _ => vec![
            AuthUserGetRequest { name: "bob".into() }.into(),
            AuthRoleGetRequest { role: "some".into() }.into(),
        ],
    }
}

/// Half as many keys as there are, from key `nth` on.
fn keys(setup: &Setup<'_>, nth: u64) -> (Bytes, Bytes) {
    let key = |number: u64| Bytes::from(format!("{}{number}", setup.workload.key_prefix));
    (key(nth), key(nth + u64::from(setup.workload.keys).div_ceil(2)))
}

/// Gives the role `some` a permission on the keys that [`keys`] returns.
fn permit(setup: &Setup<'_>, kind: permission::Type, nth: u64) -> Request {
    let (key, range_end) = keys(setup, nth);
    let perm = Permission { perm_type: kind as i32, key, range_end };
    AuthRoleGrantPermissionRequest { name: "some".into(), perm: Some(perm) }.into()
}

fn add_user(name: &str, password: &str) -> Request {
    let (name, password) = (name.into(), password.into());
    AuthUserAddRequest { name, password, ..AuthUserAddRequest::default() }.into()
}

fn set_password(name: &str, password: &str) -> Request {
    let (name, password) = (name.into(), password.into());
    AuthUserChangePasswordRequest { name, password, ..AuthUserChangePasswordRequest::default() }.into()
}

fn add_role(name: &str) -> Request {
    AuthRoleAddRequest { name: name.into() }.into()
}

fn grant_role(user: &str, role: &str) -> Request {
    AuthUserGrantRoleRequest { user: user.into(), role: role.into() }.into()
}
