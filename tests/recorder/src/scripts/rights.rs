//! Users, roles and permissions, with auth off and on, and what users may do with keys, leases and the rest.

use api::Request;
use api::authpb::{Permission, UserAddOptions};
use api::etcdserverpb::*;
use bytes::Bytes;

use super::keys::{self, Seen};
use crate::draws::Draws;
use crate::session::Session;

const REQUESTS: usize = 1_500;
/// Users who may log in; their passwords are their names. `eve` never exists.
const USERS: &[&str] = &["root", "alice", "bob", "eve"];
/// Users and roles that only root knows.
const NAMES: &[&str] = &["alice", "bob", "carol", "dave", "nobody", ""];
const ROLES: &[&str] = &["r1", "r2", "r3", "root", "none", ""];

fn name(draws: &mut Draws) -> String {
    let weights = [30, 30, 30, 15, 4, 1];
    NAMES[draws.weighted(&weights)].into()
}

fn role(draws: &mut Draws) -> String {
    let weights = [35, 30, 20, 5, 5, 1];
    ROLES[draws.weighted(&weights)].into()
}

fn span(draws: &mut Draws) -> (Bytes, Bytes) {
    let key = keys::key(draws);
    let end = keys::range_end(draws, &key);
    (key, end)
}

/// A request about users and roles. Those who log in keep their passwords, and root stays root.
fn about_users(draws: &mut Draws) -> Request {
    match draws.weighted(&[8, 6, 4, 6, 4, 14, 6, 8, 5, 4, 4, 20, 8, 2, 4]) {
        0 => {
            let name = name(draws);
            // A few without a password, who can only have a certificate.
            let options = Some(UserAddOptions { no_password: draws.percent(10) });
            AuthUserAddRequest { password: name.clone(), name, options, ..Default::default() }.into()
        }
        1 => AuthUserGetRequest { name: name(draws) }.into(),
        2 => AuthUserListRequest {}.into(),
        3 => AuthUserDeleteRequest { name: draws.pick(&["alice", "carol", "dave", "nobody"]).into() }.into(),
        4 => {
            let name = draws.pick(&["carol", "dave", "nobody"]);
            let password = draws.pick(&["new", "carol", "dave", ""]).into();
            AuthUserChangePasswordRequest { name: name.into(), password, ..Default::default() }.into()
        }
        5 => AuthUserGrantRoleRequest { user: name(draws), role: role(draws) }.into(),
        6 => AuthUserRevokeRoleRequest { name: name(draws), role: role(draws) }.into(),
        7 => AuthRoleAddRequest { name: role(draws) }.into(),
        8 => AuthRoleGetRequest { role: role(draws) }.into(),
        9 => AuthRoleListRequest {}.into(),
        10 => AuthRoleDeleteRequest { role: draws.pick(&["r1", "r2", "r3", "none"]).into() }.into(),
        11 => {
            let (key, range_end) = span(draws);
            let perm = Permission { perm_type: draws.below(3) as i32, key, range_end };
            let perm = (!draws.percent(1)).then_some(perm);
            AuthRoleGrantPermissionRequest { name: role(draws), perm }.into()
        }
        12 => {
            let (key, range_end) = span(draws);
            AuthRoleRevokePermissionRequest { role: role(draws), key, range_end }.into()
        }
        13 => AuthStatusRequest {}.into(),
        _ => {
            let password = draws.pick(&["carol", "dave", "new", "wrong", ""]).into();
            AuthenticateRequest { name: draws.pick(&["carol", "dave", "nobody"]).into(), password }.into()
        }
    }
}

/// What everybody may try.
fn about_the_rest(draws: &mut Draws, seen: Seen) -> Request {
    let lease = draws.pick(keys::LEASES);
    match draws.weighted(&[10, 6, 8, 6, 6, 4, 4, 3, 3]) {
        0 => LeaseTimeToLiveRequest { id: lease, keys: draws.percent(70) }.into(),
        1 => LeaseLeasesRequest {}.into(),
        2 => LeaseKeepAliveRequest { id: lease }.into(),
        3 => LeaseRevokeRequest { id: lease }.into(),
        4 => LeaseGrantRequest { ttl: 3_600, id: draws.pick(&keys::LEASES[..3]) }.into(),
        5 => keys::compaction(draws, seen).into(),
        6 => MemberListRequest { linearizable: draws.percent(50) }.into(),
        7 => AlarmRequest::default().into(),
        _ => HashKvRequest { revision: 0 }.into(),
    }
}

/// Runs the script.
pub async fn run(session: &mut Session<'_>, seed: u64) {
    let mut draws = Draws::new(seed);
    keys::grant(session).await;
    let root = || String::from("root");
    let _ = session.ask(AuthEnableRequest {}).await;
    let add = AuthUserAddRequest { name: root(), password: root(), ..Default::default() };
    let _ = session.ask(add).await;
    let _ = session.ask(AuthEnableRequest {}).await;
    for nth in 0..REQUESTS {
        let seen = Seen::by(session);
        // First without auth, then with it, and for a while off again.
        let phase = nth * 10 / REQUESTS;
        if nth == REQUESTS / 10 {
            let _ = session.ask(AuthUserGrantRoleRequest { user: root(), role: root() }).await;
            let _ = session.ask(AuthRoleAddRequest { name: root() }).await;
            let _ = session.ask(AuthUserGrantRoleRequest { user: root(), role: root() }).await;
            let _ = session.ask(AuthEnableRequest {}).await;
            let _ = session.ask_as(Some("root"), AuthEnableRequest {}).await;
        }
        if nth == REQUESTS * 6 / 10 {
            let _ = session.ask_as(Some("root"), AuthDisableRequest {}).await;
            let _ = session.ask(AuthDisableRequest {}).await;
        }
        if nth == REQUESTS * 7 / 10 {
            let _ = session.ask(AuthEnableRequest {}).await;
        }
        let user = match draws.weighted(&[30, 32, 26, 4, 8]) {
            4 => None,
            nth => Some(USERS[nth]),
        };
        let managed = phase == 0 || phase == 6;
        let user = if managed { None } else { user };
        let request = match draws.weighted(if managed { &[80, 15, 5] } else { &[35, 52, 13] }) {
            0 => about_users(&mut draws),
            1 => keys::any(&mut draws, seen),
            _ => about_the_rest(&mut draws, seen),
        };
        // Who logs in asks for it by the way; a script that asks for it, too, would change who has which token.
        let user = if matches!(request, Request::Authenticate(_)) { None } else { user };
        let _ = session.ask_as(user, request).await;
    }
    let _ = session.ask_as(Some("root"), AuthDisableRequest {}).await;
}
