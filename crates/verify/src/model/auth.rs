//! The part of the model that has users and roles (etcd's Auth service), and says what each user may do.
//!
//! It does not need the key-value store: its answers depend on the user and the request. There is one exception: the
//! rights to a lease depend on the keys attached to it. The caller of [`Auth::permits`] passes in a function that
//! returns these keys.
//!
//! Not modelled: tokens, their age and their revision ([`any_time`] has the errors that these cause); users
//! identified by their certificate; passwords that arrive already hashed.

use std::collections::{BTreeMap, BTreeSet};

use api::authpb::Permission;
use api::authpb::permission::Type;
use api::etcdserverpb::alarm_request::AlarmAction;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::*;
use api::{Error, Request, Response};
use bytes::Bytes;

use super::header;

/// The user without which auth cannot be enabled, and the role that may do everything.
pub const ROOT: &str = "root";

/// Whether the error is about the caller's token. Such an error may come at any time to a caller with a token,
/// because tokens are not modelled: a token expires, or belongs to a user that changed, or carries an auth revision
/// that is no longer the newest.
pub fn any_time(error: Error) -> bool {
    matches!(error, Error::InvalidAuthToken | Error::AuthOldRevision)
}

/// Whether the request is one of the Auth service.
pub fn is_about_auth(request: &Request) -> bool {
    matches!(
        request,
        Request::AuthEnable(_)
            | Request::AuthDisable(_)
            | Request::AuthStatus(_)
            | Request::Authenticate(_)
            | Request::UserAdd(_)
            | Request::UserGet(_)
            | Request::UserList(_)
            | Request::UserDelete(_)
            | Request::UserChangePassword(_)
            | Request::UserGrantRole(_)
            | Request::UserRevokeRole(_)
            | Request::RoleAdd(_)
            | Request::RoleGet(_)
            | Request::RoleList(_)
            | Request::RoleDelete(_)
            | Request::RoleGrantPermission(_)
            | Request::RoleRevokePermission(_)
    )
}

/// Whether the request may change users or rights.
pub fn changes_auth(request: &Request) -> bool {
    let reads = matches!(
        request,
        Request::AuthStatus(_)
            | Request::Authenticate(_)
            | Request::UserGet(_)
            | Request::UserList(_)
            | Request::RoleGet(_)
            | Request::RoleList(_)
    );
    is_about_auth(request) && !reads
}

/// Whether versions of etcd require different rights for the request: 3.4 up to 3.6.8 check no rights, or only require
/// a token, and later ones require more. So for these requests a refusal and an answer are both right.
pub fn versions_differ(request: &Request) -> bool {
    match request {
        Request::Compact(_)
        | Request::LeaseGrant(_)
        | Request::LeaseRevoke(_)
        | Request::LeaseKeepAlive(_)
        | Request::LeaseTimeToLive(_)
        | Request::LeaseLeases(_)
        | Request::Alarm(_)
        | Request::Status(_)
        | Request::MoveLeader(_)
        | Request::Downgrade(_)
        | Request::MemberList(_)
        | Request::AuthStatus(_) => true,
        Request::Txn(txn) => txn.compare.is_empty() && txn.success.is_empty() && txn.failure.is_empty(),
        _ => false,
    }
}

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct User {
    /// `None` for a user without a password. With an empty one, too, nobody can authenticate.
    password: Option<String>,
    roles: BTreeSet<String>,
}

/// The keys of a permission: first key and end, as in a range request.
type Keys = (Bytes, Bytes);

/// The auth store. The default is disabled and empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Auth {
    enabled: bool,
    revision: u64,
    users: BTreeMap<String, User>,
    /// For each role, its permissions in the order of their first keys: their keys, and their types as numbers of
    /// etcd's API.
    roles: BTreeMap<String, Vec<(Keys, i32)>>,
    /// Whether rights are those of etcd 3.7 where [versions differ](versions_differ), and not those of 3.4.
    of_3_7: bool,
}

impl Default for Auth {
    fn default() -> Auth {
        // In etcd, the creation of the empty auth store counts as its first change.
        Auth { enabled: false, revision: 1, users: BTreeMap::new(), roles: BTreeMap::new(), of_3_7: false }
    }
}

/// What a user may do with keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    Read,
    Write,
}

impl Auth {
    /// Whether rights are enforced.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// The auth revision: the number of changes of users and rights so far, plus one for the empty store.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Requires the rights of etcd 3.7 where [versions differ](versions_differ).
    pub fn require_rights_of_3_7(&mut self) {
        self.of_3_7 = true;
    }

    /// Whether `user` may ask for this. `keys_of` returns the keys attached to a lease, or to all leases.
    pub fn permits(
        &self,
        user: Option<&str>,
        request: &Request,
        keys_of: &dyn Fn(Option<i64>) -> Vec<Bytes>,
    ) -> Result<(), Error> {
        if !self.enabled {
            return Ok(());
        }
        match request {
            Request::Authenticate(_) => return Ok(()),
            Request::UserGet(get) if user == Some(&get.name) => return Ok(()),
            Request::RoleGet(get) if user.is_some_and(|user| self.has_role(user, &get.role)) => {
                return Ok(());
            }
            request if self.of_3_7 && versions_differ(request) => {
                return self.permits_in_3_7(user, request, keys_of);
            }
            request if is_about_auth(request) => return self.admin(user),
            Request::MemberAdd(_)
            | Request::MemberRemove(_)
            | Request::MemberUpdate(_)
            | Request::MemberPromote(_)
            | Request::Defragment(_)
            | Request::Hash(_)
            | Request::HashKv(_) => return self.admin(user),
            _ => {}
        }
        let user = user.ok_or(Error::UserEmpty)?;
        match request {
            Request::Range(range) => self.may(user, Right::Read, &range.key, &range.range_end),
            Request::Put(put) => self.may_put(user, put, keys_of),
            Request::DeleteRange(delete) => self.may_delete(user, delete),
            Request::Txn(txn) => self.may_txn(user, txn, keys_of),
            Request::LeaseRevoke(revoke) => self.may_all(user, Right::Write, &keys_of(Some(revoke.id))),
            Request::LeaseTimeToLive(asked) if asked.keys => {
                self.may_all(user, Right::Read, &keys_of(Some(asked.id)))
            }
            _ => Ok(()),
        }
    }

    /// The same, for requests for which versions require different rights: as etcd 3.7 does (recorded of 3.7.3).
    fn permits_in_3_7(
        &self,
        user: Option<&str>,
        request: &Request,
        keys_of: &dyn Fn(Option<i64>) -> Vec<Bytes>,
    ) -> Result<(), Error> {
        match request {
            // An empty transaction reads nothing and writes nothing.
            Request::AuthStatus(_) | Request::Txn(_) => return Ok(()),
            Request::Compact(_) | Request::MoveLeader(_) => return self.admin(user),
            Request::Alarm(alarm) if alarm.action != AlarmAction::Get as i32 => return self.admin(user),
            _ => {}
        }
        let user = user.ok_or(Error::UserEmpty)?;
        match request {
            Request::LeaseRevoke(revoke) => self.may_all(user, Right::Write, &keys_of(Some(revoke.id))),
            Request::LeaseKeepAlive(renew) => self.may_all(user, Right::Write, &keys_of(Some(renew.id))),
            Request::LeaseTimeToLive(asked) if asked.keys => {
                self.may_all(user, Right::Read, &keys_of(Some(asked.id)))
            }
            Request::LeaseLeases(_) => self.may_all(user, Right::Read, &keys_of(None)),
            _ => Ok(()),
        }
    }

    fn has_role(&self, user: &str, role: &str) -> bool {
        self.users.get(user).is_some_and(|user| user.roles.contains(role))
    }

    /// Whether the user has the role `root`, which is required to manage users, roles and members, and for requests
    /// about a member's whole backend.
    fn admin(&self, user: Option<&str>) -> Result<(), Error> {
        match user {
            None => Err(Error::UserEmpty),
            Some(user) if self.has_role(user, ROOT) => Ok(()),
            Some(_) => Err(Error::PermissionDenied),
        }
    }

    /// Whether the user may execute this put.
    fn may_put(
        &self,
        user: &str,
        put: &PutRequest,
        keys_of: &dyn Fn(Option<i64>) -> Vec<Bytes>,
    ) -> Result<(), Error> {
        self.may(user, Right::Write, &put.key, b"")?;
        if put.prev_kv {
            self.may(user, Right::Read, &put.key, b"")?;
        }
        // To attach a key to a lease, the user must be allowed to write all keys that are attached to it already, as
        // for revoking it.
        if put.lease == 0 { Ok(()) } else { self.may_all(user, Right::Write, &keys_of(Some(put.lease))) }
    }

    /// Whether the user may execute this deletion.
    fn may_delete(&self, user: &str, delete: &DeleteRangeRequest) -> Result<(), Error> {
        self.may(user, Right::Write, &delete.key, &delete.range_end)?;
        if delete.prev_kv { self.may(user, Right::Read, &delete.key, &delete.range_end) } else { Ok(()) }
    }

    /// Whether the user may execute this transaction. Both branches are checked, and the transactions nested in them,
    /// although only one branch will run.
    fn may_txn(
        &self,
        user: &str,
        txn: &TxnRequest,
        keys_of: &dyn Fn(Option<i64>) -> Vec<Bytes>,
    ) -> Result<(), Error> {
        for compare in &txn.compare {
            self.may(user, Right::Read, &compare.key, &compare.range_end)?;
        }
        for op in txn.success.iter().chain(&txn.failure) {
            match &op.request {
                Some(Op::RequestRange(range)) => self.may(user, Right::Read, &range.key, &range.range_end)?,
                Some(Op::RequestPut(put)) => self.may_put(user, put, keys_of)?,
                Some(Op::RequestDeleteRange(delete)) => self.may_delete(user, delete)?,
                Some(Op::RequestTxn(nested)) => self.may_txn(user, nested, keys_of)?,
                None => {}
            }
        }
        Ok(())
    }

    /// Whether the user has this right to each of these keys.
    fn may_all(&self, user: &str, right: Right, keys: &[Bytes]) -> Result<(), Error> {
        keys.iter().try_for_each(|key| self.may(user, right, key, b""))
    }

    /// Whether the permissions of all the user's roles together cover these keys without a gap.
    fn may(&self, user: &str, right: Right, key: &[u8], end: &[u8]) -> Result<(), Error> {
        let roles = &self.users.get(user).ok_or(Error::PermissionDenied)?.roles;
        if roles.contains(ROOT) {
            return Ok(());
        }
        let grants = roles.iter().filter_map(|role| self.roles.get(role)).flatten();
        let mut parts: Vec<Span> = grants
            .filter(|(_, kind)| gives(*kind, right))
            .map(|((key, end), _)| Span::new(key, end))
            .collect();
        parts.sort();
        let asked = Span::new(key, end);
        // The range contains no key. In this case etcd requires a permission that contains the start of the range.
        if asked.end <= Limit::At(asked.key.clone()) {
            let found =
                parts.iter().any(|part| part.key <= asked.key && part.end > Limit::At(asked.key.clone()));
            return if found { Ok(()) } else { Err(Error::PermissionDenied) };
        }
        // How far the permissions so far cover the range, from its start and without a gap.
        let mut reached: Option<&Limit> = None;
        for part in parts
            .iter()
            .filter(|part| part.end > Limit::At(asked.key.clone()) && asked.end > Limit::At(part.key.clone()))
        {
            let goes_on = match reached {
                None => part.key <= asked.key,
                Some(reached) => Limit::At(part.key.clone()) <= *reached,
            };
            if !goes_on {
                return Err(Error::PermissionDenied);
            }
            reached = reached.max(Some(&part.end));
        }
        if reached.is_some_and(|reached| *reached >= asked.end) {
            Ok(())
        } else {
            Err(Error::PermissionDenied)
        }
    }

    /// Executes a request of the Auth service, for a user who is [permitted](Auth::permits) to make it. `revision` is
    /// the newest of the store, for the headers.
    ///
    /// # Panics
    /// If it is not [about](is_about_auth) auth.
    pub fn apply(&mut self, request: &Request, revision: i64) -> Result<Response, Error> {
        let header = header(revision);
        let response = match request {
            Request::AuthEnable(_) => {
                self.enable()?;
                AuthEnableResponse { header }.into()
            }
            Request::AuthDisable(_) => {
                if self.enabled {
                    self.enabled = false;
                    self.revision += 1;
                }
                AuthDisableResponse { header }.into()
            }
            Request::AuthStatus(_) => {
                AuthStatusResponse { header, enabled: self.enabled, auth_revision: self.revision }.into()
            }
            Request::Authenticate(asked) => {
                self.authenticate(&asked.name, &asked.password)?;
                AuthenticateResponse { header, token: String::new() }.into()
            }
            Request::UserAdd(add) => {
                self.add_user(add)?;
                AuthUserAddResponse { header }.into()
            }
            Request::UserGet(get) => {
                let roles = self.user(&get.name)?.roles.iter().cloned().collect();
                AuthUserGetResponse { header, roles }.into()
            }
            Request::UserList(_) => {
                AuthUserListResponse { header, users: self.users.keys().cloned().collect() }.into()
            }
            Request::UserDelete(delete) => {
                if self.enabled && delete.name == ROOT {
                    return Err(Error::InvalidAuthManagement);
                }
                self.users.remove(&delete.name).ok_or(Error::UserNotFound)?;
                self.revision += 1;
                AuthUserDeleteResponse { header }.into()
            }
            Request::UserChangePassword(change) => {
                let user = self.user(&change.name)?;
                // A user without a password stays without one. etcd counts the request as a change all the same.
                if user.password.is_some() {
                    user.password = Some(change.password.clone());
                }
                self.revision += 1;
                AuthUserChangePasswordResponse { header }.into()
            }
            Request::UserGrantRole(grant) => {
                self.grant_role(&grant.user, &grant.role)?;
                AuthUserGrantRoleResponse { header }.into()
            }
            Request::UserRevokeRole(revoke) => {
                self.revoke_role(&revoke.name, &revoke.role)?;
                AuthUserRevokeRoleResponse { header }.into()
            }
            Request::RoleAdd(add) => {
                self.add_role(&add.name)?;
                AuthRoleAddResponse { header }.into()
            }
            Request::RoleGet(get) => {
                AuthRoleGetResponse { header, perm: self.permissions(&get.role)? }.into()
            }
            Request::RoleList(_) => {
                AuthRoleListResponse { header, roles: self.roles.keys().cloned().collect() }.into()
            }
            Request::RoleDelete(delete) => {
                self.delete_role(&delete.role)?;
                AuthRoleDeleteResponse { header }.into()
            }
            Request::RoleGrantPermission(grant) => {
                self.grant(&grant.name, grant.perm.as_ref())?;
                AuthRoleGrantPermissionResponse { header }.into()
            }
            Request::RoleRevokePermission(revoke) => {
                let role = self.roles.get_mut(&revoke.role).ok_or(Error::RoleNotFound)?;
                let keys = (revoke.key.clone(), revoke.range_end.clone());
                let before = role.len();
                role.retain(|(other, _)| *other != keys);
                if role.len() == before {
                    return Err(Error::PermissionNotGranted);
                }
                self.revision += 1;
                AuthRoleRevokePermissionResponse { header }.into()
            }
            other => panic!("{} is no call of the service Auth", other.rpc_name()),
        };
        Ok(response)
    }

    /// A user, or etcd's error that there is none.
    fn user(&mut self, name: &str) -> Result<&mut User, Error> {
        self.users.get_mut(name).ok_or(Error::UserNotFound)
    }

    /// Turns authentication on. This does not count as a change of users and rights.
    fn enable(&mut self) -> Result<(), Error> {
        if !self.enabled {
            let root = self.users.get(ROOT).ok_or(Error::RootUserNotExist)?;
            if !root.roles.contains(ROOT) {
                return Err(Error::RootRoleNotExist);
            }
            self.enabled = true;
        }
        Ok(())
    }

    /// Checks a password, as a client that asks for a token does.
    fn authenticate(&self, name: &str, password: &str) -> Result<(), Error> {
        if !self.enabled {
            return Err(Error::AuthNotEnabled);
        }
        let user = self.users.get(name).ok_or(Error::AuthFailed)?;
        let known = user.password.as_deref().ok_or(Error::NoPasswordUser)?;
        if known == password && !known.is_empty() { Ok(()) } else { Err(Error::AuthFailed) }
    }

    fn add_user(&mut self, add: &AuthUserAddRequest) -> Result<(), Error> {
        if add.name.is_empty() {
            return Err(Error::UserEmpty);
        }
        if self.users.contains_key(&add.name) {
            return Err(Error::UserAlreadyExists);
        }
        let no_password = add.options.as_ref().is_some_and(|options| options.no_password);
        let password = (!no_password).then(|| add.password.clone());
        self.users.insert(add.name.clone(), User { password, roles: BTreeSet::new() });
        self.revision += 1;
        Ok(())
    }

    /// Gives a role to a user. The role must exist, unless it is `root`. Giving a role that the user has already is
    /// not a change.
    fn grant_role(&mut self, user: &str, role: &str) -> Result<(), Error> {
        self.user(user)?;
        if role != ROOT && !self.roles.contains_key(role) {
            return Err(Error::RoleNotFound);
        }
        self.revision += u64::from(self.user(user)?.roles.insert(role.to_string()));
        Ok(())
    }

    fn revoke_role(&mut self, user: &str, role: &str) -> Result<(), Error> {
        if self.enabled && user == ROOT && role == ROOT {
            return Err(Error::InvalidAuthManagement);
        }
        if !self.user(user)?.roles.remove(role) {
            return Err(Error::RoleNotGranted);
        }
        self.revision += 1;
        Ok(())
    }

    fn add_role(&mut self, name: &str) -> Result<(), Error> {
        if name.is_empty() {
            return Err(Error::RoleEmpty);
        }
        if self.roles.contains_key(name) {
            return Err(Error::RoleAlreadyExists);
        }
        self.roles.insert(name.to_string(), Vec::new());
        self.revision += 1;
        Ok(())
    }

    /// Deletes a role. All users lose it.
    fn delete_role(&mut self, role: &str) -> Result<(), Error> {
        if self.enabled && role == ROOT {
            return Err(Error::InvalidAuthManagement);
        }
        self.roles.remove(role).ok_or(Error::RoleNotFound)?;
        for user in self.users.values_mut() {
            user.roles.remove(role);
        }
        self.revision += 1;
        Ok(())
    }

    /// Gives a permission to a role. It replaces the role's permission for the same keys if that is the first one with
    /// the same first key. etcd looks no further; otherwise the role ends up with two permissions for the same keys.
    fn grant(&mut self, role: &str, permission: Option<&Permission>) -> Result<(), Error> {
        let permission = permission.ok_or(Error::PermissionNotGiven)?;
        let (key, end) = (&permission.key, &permission.range_end);
        let sensible = !key.is_empty() && (end.is_empty() || &end[..] == b"\0" || key < end);
        if !sensible {
            return Err(Error::InvalidAuthManagement);
        }
        let role = self.roles.get_mut(role).ok_or(Error::RoleNotFound)?;
        let first = role.partition_point(|((other, _), _)| other < key);
        match role.get_mut(first).filter(|((other, until), _)| other == key && until == end) {
            Some((_, kind)) => *kind = permission.perm_type,
            None => {
                let behind = role.partition_point(|((other, _), _)| other <= key);
                role.insert(behind, ((key.clone(), end.clone()), permission.perm_type));
            }
        }
        self.revision += 1;
        Ok(())
    }

    /// The permissions of a role, as the answer to a request lists them.
    fn permissions(&self, role: &str) -> Result<Vec<Permission>, Error> {
        let granted = self.roles.get(role).ok_or(Error::RoleNotFound)?;
        if role == ROOT {
            let range_end = Bytes::from_static(b"\0");
            return Ok(vec![Permission { perm_type: Type::Readwrite as i32, key: Bytes::new(), range_end }]);
        }
        let permission = |((key, end), kind): &(Keys, i32)| Permission {
            perm_type: *kind,
            key: key.clone(),
            range_end: end.clone(),
        };
        Ok(granted.iter().map(permission).collect())
    }
}

/// Whether a permission of this kind (etcd's `Permission.Type`) includes a right.
fn gives(kind: i32, right: Right) -> bool {
    match Type::try_from(kind) {
        Ok(Type::Read) => right == Right::Read,
        Ok(Type::Write) => right == Right::Write,
        Ok(Type::Readwrite) => true,
        Err(_) => false,
    }
}

/// The keys of a permission or of a request: from `key`, which is included, to `end`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    key: Vec<u8>,
    end: Limit,
}

/// The end of a span.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Limit {
    /// Just before this key.
    At(Vec<u8>),
    /// There is none: the span has all keys from its first on.
    Open,
}

impl Span {
    fn new(key: &[u8], end: &[u8]) -> Span {
        let end = match end {
            [] => Limit::At([key, b"\0"].concat()),
            [0] => Limit::Open,
            end => Limit::At(end.to_vec()),
        };
        Span { key: key.to_vec(), end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> Request {
        AuthUserAddRequest { name: name.into(), password: format!("pw-{name}"), ..Default::default() }.into()
    }

    fn gets(user: &str, role: &str) -> Request {
        AuthUserGrantRoleRequest { user: user.into(), role: role.into() }.into()
    }

    fn role(name: &str) -> Request {
        AuthRoleAddRequest { name: name.into() }.into()
    }

    fn may(role: &str, kind: Type, key: &'static str, end: &'static str) -> Request {
        let perm = Permission { perm_type: kind as i32, key: key.into(), range_end: end.into() };
        AuthRoleGrantPermissionRequest { name: role.into(), perm: Some(perm) }.into()
    }

    fn range(key: &'static str, end: &'static str) -> Request {
        RangeRequest { key: key.into(), range_end: end.into(), ..Default::default() }.into()
    }

    fn put(key: &'static str) -> PutRequest {
        PutRequest { key: key.into(), ..Default::default() }
    }

    /// Alice may read from b up to d (by two permissions that meet at c), and write c.
    fn enabled() -> Auth {
        let mut auth = Auth::default();
        let steps = [
            user(ROOT),
            gets(ROOT, ROOT),
            user("alice"),
            role("reader"),
            role("writer"),
            may("reader", Type::Read, "b", "c"),
            may("reader", Type::Read, "c", "d"),
            may("writer", Type::Write, "c", ""),
            gets("alice", "reader"),
            gets("alice", "writer"),
            AuthEnableRequest {}.into(),
        ];
        for step in steps {
            auth.apply(&step, 1).unwrap_or_else(|error| panic!("{step:?}: {error}"));
        }
        auth
    }

    fn permits(auth: &Auth, user: Option<&str>, request: impl Into<Request>) -> Result<(), Error> {
        auth.permits(user, &request.into(), &|id| if id == Some(7) { vec!["a".into()] } else { Vec::new() })
    }

    const DENIED: Result<(), Error> = Err(Error::PermissionDenied);

    #[test]
    fn permissions_side_by_side_are_one() {
        let auth = enabled();
        let alice = Some("alice");
        assert_eq!(permits(&auth, alice, range("b", "d")), Ok(()));
        assert_eq!(permits(&auth, alice, range("b", "")), Ok(()));
        for empty in ["b", "c"] {
            assert_eq!(permits(&auth, alice, range(empty, empty)), Ok(()));
        }
        assert_eq!(permits(&auth, alice, range("d", "d")), DENIED);
        for (key, end) in [("a", "c"), ("b", "e"), ("d", ""), ("b", "\0"), ("\0", "\0")] {
            assert_eq!(permits(&auth, alice, range(key, end)), DENIED, "{key} to {end}");
        }
        assert_eq!(permits(&auth, None, range("b", "")), Err(Error::UserEmpty));
        assert_eq!(permits(&auth, Some(ROOT), range("\0", "\0")), Ok(()));
        assert_eq!(permits(&Auth::default(), None, range("b", "")), Ok(()));
    }

    #[test]
    fn what_is_shown_must_be_readable() {
        let auth = enabled();
        let alice = Some("alice");
        assert_eq!(permits(&auth, alice, put("c")), Ok(()));
        assert_eq!(permits(&auth, alice, PutRequest { prev_kv: true, ..put("c") }), Ok(()));
        assert_eq!(permits(&auth, alice, put("b")), DENIED);
        let delete = DeleteRangeRequest { key: "c".into(), range_end: "d".into(), prev_kv: false };
        assert_eq!(permits(&auth, alice, delete), DENIED);
    }

    #[test]
    fn a_transaction_needs_the_rights_of_all_its_branches() {
        let auth = enabled();
        let op = |request| RequestOp { request: Some(request) };
        let otherwise =
            |key| TxnRequest { failure: vec![op(Op::RequestPut(put(key)))], ..Default::default() };
        assert_eq!(permits(&auth, Some("alice"), otherwise("c")), Ok(()));
        assert_eq!(permits(&auth, Some("alice"), otherwise("b")), DENIED);
        let nested = TxnRequest { success: vec![op(Op::RequestTxn(otherwise("b")))], ..Default::default() };
        assert_eq!(permits(&auth, Some("alice"), nested), DENIED);
        let compare = vec![Compare { key: "a".into(), ..Default::default() }];
        assert_eq!(permits(&auth, Some("alice"), TxnRequest { compare, ..Default::default() }), DENIED);
    }

    #[test]
    fn a_lease_belongs_to_who_may_write_its_keys() {
        let auth = enabled();
        assert_eq!(permits(&auth, Some("alice"), LeaseRevokeRequest { id: 7 }), DENIED);
        assert_eq!(permits(&auth, Some("alice"), LeaseRevokeRequest { id: 8 }), Ok(()));
        assert_eq!(permits(&auth, Some("alice"), PutRequest { lease: 7, ..put("c") }), DENIED);
        assert_eq!(permits(&auth, Some("alice"), PutRequest { lease: 8, ..put("c") }), Ok(()));
    }

    #[test]
    fn only_root_manages_and_everybody_sees_oneself() {
        let auth = enabled();
        let get = |name: &str| AuthUserGetRequest { name: name.into() };
        assert_eq!(permits(&auth, Some("alice"), get("alice")), Ok(()));
        assert_eq!(permits(&auth, Some("alice"), get(ROOT)), DENIED);
        assert_eq!(permits(&auth, Some("alice"), AuthRoleGetRequest { role: "reader".into() }), Ok(()));
        assert_eq!(permits(&auth, Some("alice"), AuthRoleListRequest {}), DENIED);
        assert_eq!(permits(&auth, None, AuthDisableRequest {}), Err(Error::UserEmpty));
        assert_eq!(permits(&auth, Some(ROOT), AuthDisableRequest {}), Ok(()));
    }

    #[test]
    fn what_versions_differ_in() {
        let mut auth = enabled();
        let requests = || -> [Request; 5] {
            [
                CompactionRequest::default().into(),
                LeaseKeepAliveRequest { id: 7 }.into(),
                LeaseGrantRequest::default().into(),
                AlarmRequest { action: 1, ..AlarmRequest::default() }.into(),
                TxnRequest::default().into(),
            ]
        };
        let of = |auth: &Auth, user| requests().map(|request| permits(auth, user, request));
        assert_eq!(of(&auth, Some("alice")), [Ok(()); 5]);
        assert_eq!(of(&auth, None)[4], Err(Error::UserEmpty));
        auth.require_rights_of_3_7();
        assert_eq!(of(&auth, Some("alice")), [DENIED, DENIED, Ok(()), DENIED, Ok(())]);
        assert_eq!(of(&auth, Some(ROOT)), [Ok(()); 5]);
        let empty = Err(Error::UserEmpty);
        assert_eq!(of(&auth, None), [empty, empty, empty, empty, Ok(())]);
    }

    #[test]
    fn only_the_first_permission_with_a_key_is_replaced() {
        let mut auth = enabled();
        for (kind, key, end) in
            [(Type::Read, "x", "z"), (Type::Read, "x", ""), (Type::Write, "x", ""), (Type::Write, "x", "z")]
        {
            auth.apply(&may("reader", kind, key, end), 1).unwrap();
        }
        let Ok(Response::RoleGet(role)) = auth.apply(&AuthRoleGetRequest { role: "reader".into() }.into(), 1)
        else {
            panic!("there is such a role")
        };
        let of_x = role.perm.iter().filter(|permission| permission.key == "x");
        let of_x: Vec<(&[u8], Type)> = of_x.map(|one| (&one.range_end[..], one.perm_type())).collect();
        assert_eq!(of_x, [(&b"z"[..], Type::Write), (b"", Type::Read), (b"", Type::Write)]);
        let revoke =
            AuthRoleRevokePermissionRequest { role: "reader".into(), key: "x".into(), range_end: "".into() };
        auth.apply(&revoke.clone().into(), 1).unwrap();
        assert_eq!(auth.apply(&revoke.into(), 1), Err(Error::PermissionNotGranted), "both are gone");
    }

    #[test]
    fn root_keeps_its_key_while_auth_is_enabled() {
        let mut auth = enabled();
        let lose = |auth: &mut Auth| -> Vec<Option<Error>> {
            let requests: [Request; 3] = [
                AuthUserRevokeRoleRequest { name: ROOT.into(), role: ROOT.into() }.into(),
                AuthRoleDeleteRequest { role: ROOT.into() }.into(),
                AuthUserDeleteRequest { name: ROOT.into() }.into(),
            ];
            requests.iter().map(|request| auth.apply(request, 1).err()).collect()
        };
        assert_eq!(lose(&mut auth), [Some(Error::InvalidAuthManagement); 3]);
        auth.apply(&AuthDisableRequest {}.into(), 1).unwrap();
        assert_eq!(lose(&mut auth), [None, Some(Error::RoleNotFound), None]);
        let enable: Request = AuthEnableRequest {}.into();
        assert_eq!(auth.apply(&enable, 1), Err(Error::RootUserNotExist));
        auth.apply(&user(ROOT), 1).unwrap();
        assert_eq!(auth.apply(&enable, 1), Err(Error::RootRoleNotExist));
    }

    #[test]
    fn each_change_counts_and_what_changes_nothing_does_not() {
        let mut auth = enabled();
        let before = auth.revision();
        let ignored = [gets("alice", "reader"), AuthEnableRequest {}.into(), AuthStatusRequest {}.into()];
        ignored.iter().for_each(|request| drop(auth.apply(request, 1).unwrap()));
        let refused: [(Request, Error); 8] = [
            (user("alice"), Error::UserAlreadyExists),
            (user(""), Error::UserEmpty),
            (role("reader"), Error::RoleAlreadyExists),
            (role(""), Error::RoleEmpty),
            (gets("bob", "reader"), Error::UserNotFound),
            (gets("alice", "none"), Error::RoleNotFound),
            (may("reader", Type::Read, "b", "a"), Error::InvalidAuthManagement),
            (
                AuthRoleGrantPermissionRequest { name: "reader".into(), perm: None }.into(),
                Error::PermissionNotGiven,
            ),
        ];
        for (request, error) in refused {
            assert_eq!(auth.apply(&request, 1), Err(error), "{request:?}");
        }
        assert_eq!(auth.revision(), before);
        auth.apply(&AuthRoleDeleteRequest { role: "writer".into() }.into(), 1).unwrap();
        assert_eq!(auth.revision(), before + 1);
        assert_eq!(permits(&auth, Some("alice"), put("c")), DENIED);
    }

    #[test]
    fn a_password_opens_what_auth_has_closed() {
        let mut auth = enabled();
        let enter = |auth: &mut Auth, name: &str, password: &str| {
            let request = AuthenticateRequest { name: name.into(), password: password.into() };
            auth.apply(&request.into(), 1).err()
        };
        assert_eq!(enter(&mut auth, "alice", "pw-alice"), None);
        assert_eq!(enter(&mut auth, "alice", "pw-root"), Some(Error::AuthFailed));
        assert_eq!(enter(&mut auth, "bob", ""), Some(Error::AuthFailed));
        let empty = AuthUserChangePasswordRequest { name: "alice".into(), ..Default::default() };
        auth.apply(&empty.into(), 1).unwrap();
        assert_eq!(enter(&mut auth, "alice", ""), Some(Error::AuthFailed));
        let options = Some(api::authpb::UserAddOptions { no_password: true });
        let by_certificate = AuthUserAddRequest { name: "cert".into(), options, ..Default::default() };
        auth.apply(&by_certificate.into(), 1).unwrap();
        assert_eq!(enter(&mut auth, "cert", "x"), Some(Error::NoPasswordUser));
        assert_eq!(enter(&mut Auth::default(), "alice", "pw-alice"), Some(Error::AuthNotEnabled));
    }
}
