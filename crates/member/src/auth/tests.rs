//! The rules for users, roles, permissions and tokens, one test each.

use api::Error::*;
use api::authpb::UserAddOptions;
use api::authpb::permission::Type;
use api::etcdserverpb::alarm_request::AlarmAction;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::*;
use proptest::prelude::*;
use record::Probe;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn config() -> Config {
    Config::new(record::MemberId::new(1), Arc::new([]))
}

fn flawed(flaw: Flaw) -> Config {
    let mut config = config();
    config.flaws.insert(flaw);
    config
}

fn user_add(name: &str) -> Request {
    AuthUserAddRequest { name: name.into(), password: format!("{name}'s"), ..Default::default() }.into()
}

fn user_delete(name: &str) -> Request {
    AuthUserDeleteRequest { name: name.into() }.into()
}

fn user_get(name: &str) -> Request {
    AuthUserGetRequest { name: name.into() }.into()
}

fn change_password(name: &str, password: &str) -> Request {
    let (name, password) = (name.into(), password.into());
    AuthUserChangePasswordRequest { name, password, ..Default::default() }.into()
}

fn grant(user: &str, role: &str) -> Request {
    AuthUserGrantRoleRequest { user: user.into(), role: role.into() }.into()
}

fn revoke(user: &str, role: &str) -> Request {
    AuthUserRevokeRoleRequest { name: user.into(), role: role.into() }.into()
}

fn role_add(name: &str) -> Request {
    AuthRoleAddRequest { name: name.into() }.into()
}

fn role_get(role: &str) -> Request {
    AuthRoleGetRequest { role: role.into() }.into()
}

fn role_delete(role: &str) -> Request {
    AuthRoleDeleteRequest { role: role.into() }.into()
}

fn permission(kind: Type, key: &'static str, range_end: &'static str) -> Permission {
    Permission { perm_type: kind as i32, key: key.into(), range_end: range_end.into() }
}

fn allow(role: &str, kind: Type, key: &'static str, range_end: &'static str) -> Request {
    let perm = Some(permission(kind, key, range_end));
    AuthRoleGrantPermissionRequest { name: role.into(), perm }.into()
}

fn disallow(role: &str, key: &'static str, range_end: &'static str) -> Request {
    AuthRoleRevokePermissionRequest { role: role.into(), key: key.into(), range_end: range_end.into() }.into()
}

fn enable() -> Request {
    AuthEnableRequest {}.into()
}

fn disable() -> Request {
    AuthDisableRequest {}.into()
}

/// The request as it goes into the log.
fn sealed(store: &AuthStore, mut request: Request, random: u64) -> Request {
    if let Some(password) = store.take_password(&mut request, random) {
        seal(&mut request, password.perform());
    }
    request
}

/// The auth revision at which a password is right.
fn check(store: &AuthStore, name: &str, password: &str) -> Result<u64, Error> {
    let (password, revision) = store.check_password(name, password)?;
    if password.perform() { Ok(revision) } else { Err(AuthFailed) }
}

/// Handles a request as the proposer does and then as every member does when it applies the entry.
fn ask(store: &mut AuthStore, request: Request) -> Result<Response, Error> {
    let request = sealed(store, request, 17);
    assert!(store.covers(&request), "{request:?}");
    store.apply(&request)
}

/// The store after these requests, which must succeed.
fn after(mut store: AuthStore, requests: impl IntoIterator<Item = Request>) -> AuthStore {
    for request in requests {
        ask(&mut store, request.clone()).unwrap_or_else(|error| panic!("{request:?}: {error}"));
    }
    store
}

/// Authentication enabled, with `root` and with `u`, who may read and write `a` up to `c`, read `r`, and
/// write `w`.
fn two_users(config: &Config) -> AuthStore {
    let users = [user_add("root"), grant("root", "root"), user_add("u"), role_add("some")];
    let permissions = [
        allow("some", Type::Readwrite, "a", "c"),
        allow("some", Type::Read, "r", ""),
        allow("some", Type::Write, "w", ""),
        grant("u", "some"),
        enable(),
    ];
    after(AuthStore::new(config), users.into_iter().chain(permissions))
}

fn info(store: &AuthStore, user: &str) -> AuthInfo {
    AuthInfo { user: user.into(), revision: store.revision() }
}

/// The keys of a lease. Lease 1 has keys that `u` may write, 2 one that it may only read, 3 one that it has
/// no access to; 4 is empty. 0 asks for the keys of all leases.
fn keys(lease: i64) -> Vec<Bytes> {
    let keys = match lease {
        0 => &["a", "b", "w", "r", "x"][..],
        1 => &["a", "b", "w"],
        2 => &["r"],
        3 => &["x"],
        _ => &[],
    };
    keys.iter().map(|key| Bytes::from_static(key.as_bytes())).collect()
}

#[test]
fn invalid_requests_fail_as_in_etcd() {
    let table = [
        (user_add(""), UserEmpty),
        (user_add("u"), UserAlreadyExists),
        (user_delete("nobody"), UserNotFound),
        (user_delete("root"), InvalidAuthManagement),
        (user_get("nobody"), UserNotFound),
        (change_password("nobody", "p"), UserNotFound),
        (grant("nobody", "some"), UserNotFound),
        (grant("u", "none"), RoleNotFound),
        (revoke("nobody", "some"), UserNotFound),
        (revoke("u", "root"), RoleNotGranted),
        (revoke("root", "root"), InvalidAuthManagement),
        (role_add(""), RoleEmpty),
        (role_add("some"), RoleAlreadyExists),
        (role_get("none"), RoleNotFound),
        (role_get("root"), RoleNotFound),
        (role_delete("none"), RoleNotFound),
        (role_delete("root"), InvalidAuthManagement),
        (AuthRoleGrantPermissionRequest { name: "none".into(), perm: None }.into(), PermissionNotGiven),
        (allow("none", Type::Read, "b", "a"), InvalidAuthManagement),
        (allow("none", Type::Read, "a", ""), RoleNotFound),
        (disallow("none", "a", ""), RoleNotFound),
        (disallow("some", "a", ""), PermissionNotGranted),
    ];
    for (request, error) in table {
        let mut store = two_users(&config());
        assert_eq!(ask(&mut store, request.clone()), Err(error), "{request:?}");
        assert_eq!((&store, store.hash()), (&two_users(&config()), two_users(&config()).hash()));
    }
}

#[test]
fn authentication_needs_a_root() {
    let mut store = AuthStore::new(&config());
    assert_eq!(ask(&mut store, enable()), Err(RootUserNotExist));
    ask(&mut store, user_add("root")).unwrap();
    assert_eq!(ask(&mut store, enable()), Err(RootRoleNotExist));
    ask(&mut store, grant("root", "root")).unwrap();
    let revision = store.revision();
    ask(&mut store, enable()).unwrap();
    ask(&mut store, enable()).unwrap();
    assert!(store.is_enabled() && store.revision() == revision, "that alone makes no new revision");
    assert!(store.take_probes().contains(&Probe::AuthEnabled));

    ask(&mut store, disable()).unwrap();
    assert!(!store.is_enabled() && store.revision() == revision + 1);
    ask(&mut store, disable()).unwrap();
    assert_eq!(store.revision(), revision + 1);
    for request in [revoke("root", "root"), user_delete("root")] {
        ask(&mut store, request).unwrap();
    }
}

#[test]
fn each_change_is_one_revision_and_another_hash() {
    let changes = [
        user_add("v"),
        grant("u", "root"),
        change_password("u", "new"),
        change_password("u", ""),
        role_add("r"),
        allow("r", Type::Read, "k", "m"),
        allow("r", Type::Write, "k", "m"),
        grant("v", "r"),
        disallow("r", "k", "m"),
        revoke("v", "r"),
        role_delete("r"),
        user_delete("v"),
        disable(),
    ];
    let mut store = two_users(&config());
    assert_eq!(store.revision(), 9, "1 at the start plus eight changes");
    for change in changes {
        let (revision, hash) = (store.revision(), store.hash());
        ask(&mut store, change.clone()).unwrap();
        assert_eq!(store.revision(), revision + 1, "{change:?}");
        assert_ne!(store.hash(), hash);
    }
    for nothing_new in [grant("u", "root"), AuthUserListRequest {}.into(), AuthStatusRequest {}.into()] {
        let revision = store.revision();
        ask(&mut store, nothing_new).unwrap();
        assert_eq!(store.revision(), revision);
    }
}

#[test]
fn answers_to_reads() {
    let more = [role_add("a"), role_add("root"), grant("u", "root"), grant("u", "a")];
    let mut store = after(two_users(&config()), more);
    let Ok(Response::UserGet(user)) = ask(&mut store, user_get("u")) else { panic!() };
    assert_eq!(user.roles, ["a", "root", "some"]);
    let Ok(Response::UserList(users)) = ask(&mut store, AuthUserListRequest {}.into()) else { panic!() };
    assert_eq!(users.users, ["root", "u"]);
    let Ok(Response::RoleList(roles)) = ask(&mut store, AuthRoleListRequest {}.into()) else { panic!() };
    assert_eq!(roles.roles, ["a", "root", "some"]);
    let Ok(Response::RoleGet(role)) = ask(&mut store, role_get("root")) else { panic!() };
    assert_eq!(role.perm, [permission(Type::Readwrite, "", "\0")]);
    let Ok(Response::AuthStatus(status)) = ask(&mut store, AuthStatusRequest {}.into()) else { panic!() };
    assert_eq!((status.enabled, status.auth_revision), (true, store.revision()));
}

#[test]
fn permissions_of_a_role_are_ordered_by_key_and_replaced_by_range() {
    let perms = |requests: &[Request]| {
        let mut store = after(AuthStore::new(&config()), [role_add("r")]);
        store = after(store, requests.iter().cloned());
        let Ok(Response::RoleGet(role)) = ask(&mut store, role_get("r")) else { panic!() };
        role.perm
    };
    let (read, write) = (Type::Read, Type::Write);
    let two = [allow("r", read, "b", ""), allow("r", read, "a", "b"), allow("r", write, "a", "b")];
    assert_eq!(perms(&two), [permission(write, "a", "b"), permission(read, "b", "")]);
    let twice = [allow("r", read, "a", "b"), allow("r", read, "a", "c"), allow("r", write, "a", "c")];
    let stored = [permission(read, "a", "b"), permission(read, "a", "c"), permission(write, "a", "c")];
    assert_eq!(perms(&twice), stored, "only the first with a key is replaced");
    assert_eq!(perms(&[&twice[..], &[disallow("r", "a", "c")]].concat()), stored[..1]);
}

#[test]
fn a_deleted_role_is_revoked_from_all_users() {
    let mut store = after(two_users(&config()), [role_delete("some")]);
    let Ok(Response::UserGet(user)) = ask(&mut store, user_get("u")) else { panic!() };
    assert!(user.roles.is_empty());
    assert_eq!(store.permit(&info(&store, "u"), &range("a", ""), &keys), Err(PermissionDenied));
}

fn range(key: &'static str, range_end: &'static str) -> Request {
    RangeRequest { key: key.into(), range_end: range_end.into(), ..Default::default() }.into()
}

fn put(key: &'static str, lease: i64, prev_kv: bool) -> PutRequest {
    PutRequest { key: key.into(), lease, prev_kv, ..Default::default() }
}

fn delete(key: &'static str, range_end: &'static str, prev_kv: bool) -> DeleteRangeRequest {
    DeleteRangeRequest { key: key.into(), range_end: range_end.into(), prev_kv }
}

fn compare(key: &'static str, range_end: &'static str) -> Compare {
    Compare { key: key.into(), range_end: range_end.into(), ..Default::default() }
}

fn op(op: Op) -> RequestOp {
    RequestOp { request: Some(op) }
}

fn success(op: RequestOp) -> TxnRequest {
    TxnRequest { success: vec![op], ..Default::default() }
}

fn range_op(key: &'static str) -> RequestOp {
    op(Op::RequestRange(RangeRequest { key: key.into(), ..Default::default() }))
}

/// Requests, with whether `u` may make them when they are applied.
fn by_keys() -> Vec<(Request, bool)> {
    let nested = |inner: TxnRequest| Request::Txn(success(op(Op::RequestTxn(inner))));
    let failure = |op: RequestOp| Request::Txn(TxnRequest { failure: vec![op], ..Default::default() });
    let comparing = |compare: Compare| TxnRequest { compare: vec![compare], ..Default::default() };
    vec![
        (range("a", ""), true),
        (range("a", "c"), true),
        (range("a", "\0"), false),
        (range("r", ""), true),
        (range("w", ""), false),
        (put("a", 0, false).into(), true),
        (put("r", 0, false).into(), false),
        (put("w", 0, false).into(), true),
        (put("w", 0, true).into(), false),
        (put("a", 1, true).into(), true),
        (put("a", 3, false).into(), false),
        (put("a", 4, false).into(), true),
        (delete("a", "c", true).into(), true),
        (delete("a", "d", false).into(), false),
        (delete("w", "", false).into(), true),
        (delete("w", "", true).into(), false),
        (comparing(compare("a", "")).into(), true),
        (comparing(compare("a", "\0")).into(), false),
        (comparing(compare("w", "")).into(), false),
        (success(range_op("r")).into(), true),
        (success(range_op("w")).into(), false),
        (failure(range_op("w")), false),
        (failure(op(Op::RequestPut(put("w", 0, false)))), true),
        (failure(op(Op::RequestPut(put("w", 0, true)))), false),
        (failure(op(Op::RequestPut(put("a", 3, false)))), false),
        (failure(op(Op::RequestDeleteRange(delete("w", "", true)))), false),
        (nested(success(range_op("a"))), true),
        (nested(success(range_op("w"))), false),
        (nested(comparing(compare("w", ""))), false),
        (LeaseRevokeRequest { id: 1 }.into(), true),
        (LeaseRevokeRequest { id: 2 }.into(), false),
        (LeaseRevokeRequest { id: 4 }.into(), true),
        (LeaseGrantRequest::default().into(), true),
        (CompactionRequest::default().into(), true),
        (user_get("u"), true),
        (user_get("root"), false),
        (role_get("some"), true),
        (role_get("root"), false),
        (AuthStatusRequest {}.into(), true),
        (AuthUserListRequest {}.into(), false),
        (AuthRoleListRequest {}.into(), false),
        (enable(), false),
        (disable(), false),
        (user_add("v"), false),
        (user_delete("u"), false),
        (change_password("u", "p"), false),
        (grant("u", "root"), false),
        (revoke("u", "some"), false),
        (role_add("r"), false),
        (role_delete("some"), false),
        (allow("some", Type::Read, "w", ""), false),
        (disallow("some", "r", ""), false),
    ]
}

#[test]
fn what_is_permitted_when_it_is_applied() {
    let mut store = two_users(&config());
    let (root, u) = (info(&store, "root"), info(&store, "u"));
    for (request, allowed) in by_keys() {
        let answer = if allowed { Ok(()) } else { Err(PermissionDenied) };
        assert_eq!(store.permit(&u, &request, &keys), answer, "{request:?}");
        assert_eq!(store.permit(&root, &request, &keys), Ok(()), "{request:?}");
    }
    assert!(store.take_probes().contains(&Probe::PermissionDenied));
    for request in
        [range("a", ""), put("a", 0, false).into(), user_add("v"), LeaseRevokeRequest { id: 1 }.into()]
    {
        assert_eq!(store.permit(&AuthInfo::default(), &request, &keys), Err(UserEmpty), "{request:?}");
    }
    let gone = info(&store, "gone");
    assert_eq!(store.permit(&gone, &range("a", ""), &keys), Err(PermissionDenied));
    assert_eq!(store.permit(&gone, &enable(), &keys), Err(UserNotFound));
    ask(&mut store, disable()).unwrap();
    for (request, _) in by_keys() {
        assert_eq!(store.permit(&AuthInfo::default(), &request, &keys), Ok(()), "{request:?}");
    }
}

#[test]
fn what_is_let_in() {
    let alarm = |action: AlarmAction| AlarmRequest { action: action as i32, ..Default::default() }.into();
    let ttl = |id, keys| LeaseTimeToLiveRequest { id, keys }.into();
    // The answers without a user and to `u`, for three kinds of request. One about a lease may count as
    // `needs_root` only because `u` has no permission for a key of the lease.
    let (free, needs_user, needs_root) =
        ((Ok(()), Ok(())), (Err(UserEmpty), Ok(())), (Err(UserEmpty), Err(PermissionDenied)));
    let table: [(Request, _); 29] = [
        (range("x", ""), free),
        (put("x", 0, false).into(), free),
        (user_add("v"), free),
        (AuthStatusRequest {}.into(), free),
        (AuthenticateRequest::default().into(), free),
        (LeaseGrantRequest::default().into(), needs_user),
        (LeaseRevokeRequest { id: 3 }.into(), needs_user),
        (MemberListRequest::default().into(), needs_user),
        (StatusRequest::default().into(), needs_user),
        (alarm(AlarmAction::Get), needs_user),
        (ttl(3, false), needs_user),
        (ttl(1, true), (Err(UserEmpty), Err(PermissionDenied))),
        (ttl(2, true), needs_user),
        (ttl(9, true), needs_user),
        (LeaseKeepAliveRequest { id: 1 }.into(), needs_user),
        (LeaseKeepAliveRequest { id: 2 }.into(), needs_root),
        (LeaseKeepAliveRequest { id: 9 }.into(), needs_user),
        (LeaseLeasesRequest {}.into(), needs_root),
        (CompactionRequest::default().into(), needs_root),
        (alarm(AlarmAction::Activate), needs_root),
        (alarm(AlarmAction::Deactivate), needs_root),
        (DefragmentRequest {}.into(), needs_root),
        (HashRequest {}.into(), needs_root),
        (HashKvRequest::default().into(), needs_root),
        (MoveLeaderRequest::default().into(), needs_root),
        (MemberAddRequest::default().into(), needs_root),
        (MemberRemoveRequest::default().into(), needs_root),
        (MemberUpdateRequest::default().into(), needs_root),
        (MemberPromoteRequest::default().into(), needs_root),
    ];
    let mut store = two_users(&config());
    let (root, u) = (info(&store, "root"), info(&store, "u"));
    for (request, (to_nobody, to_u)) in &table {
        assert_eq!(store.admit(None, request, &keys), *to_nobody, "{request:?}");
        assert_eq!(store.admit(Some(&u), request, &keys), *to_u, "{request:?}");
        assert_eq!(store.admit(Some(&root), request, &keys), Ok(()), "{request:?}");
    }
    ask(&mut store, disable()).unwrap();
    for (request, _) in &table {
        assert_eq!(store.admit(None, request, &keys), Ok(()), "{request:?}");
    }
}

#[test]
fn which_ranges_may_be_watched() {
    let mut store = two_users(&config());
    let u = info(&store, "u");
    for (key, range_end, answer) in [
        ("a", "c", Ok(())),
        ("r", "", Ok(())),
        ("a", "\0", Err(PermissionDenied)),
        ("w", "", Err(PermissionDenied)),
        ("", "", Err(PermissionDenied)),
        ("", "\0", Err(PermissionDenied)),
    ] {
        assert_eq!(store.permit_range(&u, key.as_bytes(), range_end.as_bytes()), answer, "{key}");
    }
    assert_eq!(store.permit_range(&AuthInfo::default(), b"a", b""), Err(UserEmpty));
    store = after(store, [allow("some", Type::Read, "\0", "\0")]);
    assert_eq!(store.permit_range(&u, b"a", b""), Err(AuthOldRevision));
    assert_eq!(store.permit_range(&info(&store, "u"), b"", b"\0"), Ok(()));
    ask(&mut store, disable()).unwrap();
    assert_eq!(store.permit_range(&AuthInfo::default(), b"a", b""), Ok(()));
}

#[test]
fn a_request_from_before_a_change_is_refused_after_it() {
    let mut store = two_users(&config());
    let (root, u) = (info(&store, "root"), info(&store, "u"));
    ask(&mut store, user_add("v")).unwrap();
    for (request, _) in by_keys().iter().take(6) {
        assert_eq!(store.permit(&u, request, &keys), Err(AuthOldRevision), "{request:?}");
        assert_eq!(store.permit(&root, request, &keys), Err(AuthOldRevision), "{request:?}");
    }
    assert!(store.take_probes().contains(&Probe::AuthOldRevision));
    // An administrator's requests and leases without keys are not checked.
    assert_eq!(store.permit(&root, &user_add("w"), &keys), Ok(()));
    assert_eq!(store.permit(&u, &LeaseRevokeRequest { id: 4 }.into(), &keys), Ok(()));
    assert!(!store.is_current(u.revision) && store.is_current(u.revision + 1) && store.is_current(0));
}

/// Logs a user in: checks the password as the proposer does, then applies the entry.
fn login(store: &mut AuthStore, name: &str, password: &str, index: u64, now: u64) -> Result<String, Error> {
    check(store, name, password)?;
    let simple_token = store.fresh_token(index);
    let request = InternalAuthenticateRequest { name: name.into(), password: String::new(), simple_token };
    store.authenticated(&request, index, now).map(|response| response.token)
}

#[test]
fn logins() {
    let mut store = AuthStore::new(&config());
    assert_eq!(login(&mut store, "u", "u's", 1, 0), Err(AuthNotEnabled));
    assert_eq!(store.who(Some(b"x.1"), 0), Ok(None), "tokens are not checked");
    store = two_users(&config());
    for (name, password) in [("u", "wrong"), ("u", ""), ("nobody", "")] {
        assert_eq!(login(&mut store, name, password, 1, 0), Err(AuthFailed), "{name} {password:?}");
    }
    let by_certificate = AuthUserAddRequest {
        name: "cert".into(),
        password: "p".into(),
        options: Some(UserAddOptions { no_password: true }),
        ..Default::default()
    };
    store = after(store, [by_certificate.into()]);
    assert_eq!(login(&mut store, "cert", "p", 1, 0), Err(NoPasswordUser));
    let certificate = Credential::Certificate("cert".into());
    assert_eq!(store.identify(Some(&certificate), 0), Ok(Some(info(&store, "cert"))));
    assert_eq!(AuthStore::new(&config()).identify(Some(&certificate), 0), Ok(None));
    store = after(store, [change_password("cert", "p")]);
    assert!(store.state.users["cert"].password.is_empty(), "such a user never has a password");
    let request = InternalAuthenticateRequest { name: "cert".into(), ..Default::default() };
    assert_eq!(store.authenticated(&request, 1, 0), Err(AuthFailed));

    assert_eq!(check(&store, "u", "u's"), Ok(store.revision()));
    let token = login(&mut store, "u", "u's", 12, 0).unwrap();
    assert!(token.len() == 19 && token.ends_with(".12"), "{token}");
    assert_eq!(store.who(Some(token.as_bytes()), 0), Ok(Some(info(&store, "u"))));
    assert_eq!(store.who(None, 0), Ok(None));
    for bad in [&b""[..], b"x.12", b"\xff", &token.as_bytes()[..18]] {
        assert_eq!(store.who(Some(bad), 0), Err(InvalidAuthToken), "{bad:?}");
    }
}

#[test]
fn passwords_go_into_the_log_hashed() {
    let store = AuthStore::new(&config());
    let Request::UserAdd(add) = sealed(&store, user_add("u"), 1) else { panic!() };
    assert!(add.password.is_empty() && !add.hashed_password.contains("u's"));
    let Request::UserChangePassword(change) = sealed(&store, change_password("u", "x"), 2) else { panic!() };
    assert!(change.password.is_empty() && !change.hashed_password.is_empty());
    assert_eq!(sealed(&store, range("a", ""), 3), range("a", ""));

    let mut store = after(two_users(&config()), [change_password("u", "new")]);
    assert_eq!(check(&store, "u", "u's"), Err(AuthFailed));
    assert_eq!(check(&store, "u", "new"), Ok(store.revision()));
    store = after(store, [change_password("u", "")]);
    assert_eq!(check(&store, "u", ""), Err(AuthFailed), "no password matches an empty one");
}

#[test]
fn what_ends_a_token() {
    let enabled_again = || vec![disable(), enable()];
    let ends: [(Vec<Request>, bool); 6] = [
        (vec![change_password("u", "new")], true),
        (vec![user_delete("u")], true),
        (enabled_again(), true),
        (vec![revoke("u", "some")], false),
        (vec![change_password("root", "new")], false),
        (vec![user_add("v")], false),
    ];
    for (requests, ends) in ends {
        let mut store = two_users(&config());
        let token = login(&mut store, "u", "u's", 5, 0).unwrap();
        store = after(store, requests.clone());
        let who = store.who(Some(token.as_bytes()), 0);
        assert_eq!(who.is_err(), ends, "{requests:?}: {who:?}");
    }
    let mut config = config();
    config.settings.auth_token_ttl = 10 * SECOND;
    let mut store = two_users(&config);
    let token = login(&mut store, "u", "u's", 5, 0).unwrap();
    assert!(store.who(Some(token.as_bytes()), 10 * SECOND).is_ok());
    assert!(store.who(Some(token.as_bytes()), 20 * SECOND).is_ok(), "its use extended it");
    assert!(store.take_probes().is_disjoint(&[Probe::AuthTokenExpired].into()));
    assert_eq!(store.who(Some(token.as_bytes()), 31 * SECOND), Err(InvalidAuthToken));
    assert!(store.take_probes().contains(&Probe::AuthTokenExpired));
}

#[test]
fn tokens_are_not_replicated_and_a_restart_forgets_them() {
    let mut store = two_users(&config());
    let hash = store.hash();
    let token = login(&mut store, "u", "u's", 5, 0).unwrap();
    assert_eq!(store.hash(), hash);
    let mut restarted = AuthStore::decode(store.encode(), &config()).unwrap();
    assert_eq!(restarted, store);
    assert_eq!(restarted.who(Some(token.as_bytes()), 0), Err(InvalidAuthToken));
}

#[test]
fn a_snapshot_brings_users_roles_and_permissions() {
    let mut behind = two_users(&config());
    let [of_root, of_u] = ["root", "u"].map(|user| {
        let index = user.len() as u64;
        login(&mut behind, user, &format!("{user}'s"), index, 0).unwrap()
    });
    let ahead = after(behind.clone(), [change_password("u", "new"), allow("some", Type::Read, "x", "")]);
    behind.take_probes();
    behind.replace(AuthStore::decode(ahead.encode(), &config()).unwrap());
    assert_eq!((&behind, behind.hash()), (&ahead, ahead.hash()));
    assert_eq!(behind.permit(&info(&behind, "u"), &range("x", ""), &keys), Ok(()));
    assert!(behind.who(Some(of_root.as_bytes()), 0).is_ok());
    assert_eq!(behind.who(Some(of_u.as_bytes()), 0), Err(InvalidAuthToken), "its password has changed");
    assert_eq!(behind.take_probes(), [Probe::AuthChangedBySnapshot].into());

    let disabled = after(ahead, [disable()]);
    behind.replace(AuthStore::decode(disabled.encode(), &config()).unwrap());
    behind = after(behind, [enable()]);
    assert_eq!(behind.who(Some(of_root.as_bytes()), 0), Err(InvalidAuthToken), "all tokens ended in between");
}

#[test]
fn flaw_14571_permissions_outlive_a_snapshot() {
    let put = put("a", 0, false).into();
    let answer = |config: &Config| {
        let mut behind = AuthStore::new(config);
        behind.replace(AuthStore::decode(two_users(config).encode(), config).unwrap());
        behind.permit(&info(&behind, "u"), &put, &keys)
    };
    assert_eq!(answer(&config()), Ok(()));
    assert_eq!(answer(&flawed(Flaw::AuthCacheNotRefreshed)), Err(PermissionDenied));
}

#[test]
fn flaw_11651_the_revision_is_not_saved() {
    let lost = |config: &Config| {
        let store = two_users(config);
        store.revision() - AuthStore::decode(store.encode(), config).unwrap().revision()
    };
    assert_eq!(lost(&config()), 0);
    assert_eq!(lost(&flawed(Flaw::AuthRevisionNotSaved)), 8);
}

#[test]
fn damaged_rows_are_refused() {
    let good = two_users(&config()).encode();
    assert!(AuthStore::decode(good.clone(), &config()).is_ok());
    for bad in [Bytes::new(), good.slice(..good.len() - 1), [&good[..], &good[..]].concat().into()] {
        assert!(AuthStore::decode(bad, &config()).is_err());
    }
}

fn any_change() -> impl Strategy<Value = Request> {
    let user = || prop::sample::select(vec!["root", "u", "v"]);
    let role = || prop::sample::select(vec!["root", "some", "r"]);
    let key = || prop::sample::select(vec!["a", "b", "c", "\0", ""]);
    let kind = prop::sample::select(vec![Type::Read, Type::Write, Type::Readwrite]);
    prop_oneof![
        user().prop_map(user_add),
        user().prop_map(user_delete),
        user().prop_map(|user| change_password(user, "new")),
        (user(), role()).prop_map(|(user, role)| grant(user, role)),
        (user(), role()).prop_map(|(user, role)| revoke(user, role)),
        role().prop_map(role_add),
        role().prop_map(role_delete),
        (role(), kind, key(), key()).prop_map(|(role, kind, key, end)| allow(role, kind, key, end)),
        (role(), key(), key()).prop_map(|(role, key, end)| disallow(role, key, end)),
        Just(enable()),
        Just(disable()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_the_cache_follows_and_rows_come_back(
        changes in prop::collection::vec(any_change(), 0..30),
    ) {
        let mut store = two_users(&config());
        for change in changes {
            let _ = ask(&mut store, change);
            prop_assert_eq!(&store.cache, &store.state.permissions());
            let root = store.state.users.get("root");
            prop_assert!(!store.is_enabled() || root.is_some_and(|root| root.roles.contains("root")));
        }
        let loaded = AuthStore::decode(store.encode(), &config()).unwrap();
        prop_assert_eq!(loaded.hash(), store.hash());
        prop_assert_eq!(&loaded, &store);
    }
}
