//! Users, roles, their permissions, and login tokens: etcd's `server/auth`.
//!
//! | file | what it contains |
//! |---|---|
//! | `users`, `roles` | the requests that change and list them |
//! | `permissions` | the ranges of keys a user may read and write, merged |
//! | `access` | which user may make which request, and when that is checked |
//! | `tokens` | simple tokens and their expiry |
//! | [`password`] | how passwords are hashed |
//! | `row` | how users and roles are encoded as bytes |
//!
//! Users and roles are replicated state, like the key-value store, with a revision of their own, the *auth
//! revision*. In etcd every request about users and roles goes through the log, even a read or `AuthStatus`
//! (`v3_server.go`). The same is true here ([`AuthStore::covers`]). A login (`Authenticate`) goes through the
//! log as an `InternalAuthenticateRequest`, after its password was checked.
//!
//! Two parts of an [`AuthStore`] are not replicated. One is the tokens: a member learns of a token when it
//! applies the login, but it expires tokens by its own clock, and has none after a restart. The other is the
//! cache of permissions, which is computed from users and roles.
//!
//! Not here: JSON web tokens, and checking a certificate, whose common name is the user's name.
//!
//! Invariants: the auth revision grows by one with every change of users and roles, and when authentication
//! is disabled; while authentication is enabled, there is a user `root` with the role `root`.

mod access;
pub mod password;
mod permissions;
mod roles;
mod row;
mod tokens;
mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::authpb::Permission;
use api::etcdserverpb::{
    AuthDisableResponse, AuthEnableResponse, AuthRoleAddResponse, AuthRoleDeleteResponse,
    AuthRoleGrantPermissionResponse, AuthRoleRevokePermissionResponse, AuthStatusResponse,
    AuthUserAddResponse, AuthUserChangePasswordResponse, AuthUserDeleteResponse, AuthUserGrantRoleResponse,
    AuthUserRevokeRoleResponse, AuthenticateResponse, InternalAuthenticateRequest,
};
use api::{Error, Request, Response};
use bytes::Bytes;
use record::{Inner, Probe};
use xxhash_rust::xxh3::xxh3_64;

use crate::config::Config;
use crate::flaw::{Flaw, Flaws};
use crate::inner;
use crate::keeps::{Count, count};
use crate::probes::Probes;
use password::PasswordHash;
pub use password::{ToCheck, ToHash};
use permissions::Permissions;
use tokens::Tokens;

pub use access::{AuthInfo, Credential};
pub use row::Row;
pub use tokens::token_index;

/// The name of the user that must exist before authentication is enabled, and of the role that permits
/// everything.
const ROOT: &str = "root";

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    /// The hashed password. Empty bytes match no password.
    password: Bytes,
    /// Whether the user was created without a password and cannot log in with one.
    no_password: bool,
    /// The names of the user's roles.
    roles: BTreeSet<String>,
}

/// The replicated part: users and roles.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    /// Whether authentication is on.
    enabled: bool,
    /// The auth revision: 1 at the start, and one more after each change of users and roles and each time
    /// that authentication is disabled.
    revision: u64,
    users: BTreeMap<String, User>,
    /// The permissions of each role, ordered by key.
    roles: BTreeMap<String, Vec<Permission>>,
}

/// Users and roles, the permissions computed from them, and the tokens that this member knows. Equality
/// compares only the replicated part.
#[derive(Clone, Debug)]
pub struct AuthStore {
    flaws: Flaws,
    /// How passwords are hashed.
    hashing: Arc<dyn PasswordHash>,
    state: State,
    /// The hash of the replicated part.
    hash: u64,
    /// Each user's permissions on keys.
    cache: BTreeMap<String, Permissions>,
    /// The tokens that this member knows.
    tokens: Tokens,
    /// The auth revision with which this store was loaded from disk. Only the flaw M-11651 uses it, if it is switched
    /// on.
    loaded_revision: u64,
    probes: Probes,
}

impl PartialEq for AuthStore {
    fn eq(&self, other: &AuthStore) -> bool {
        self.state == other.state
    }
}

impl Eq for AuthStore {}

impl AuthStore {
    /// No users and no roles, at revision 1 (`store.go`, `NewAuthStore`).
    pub fn new(config: &Config) -> AuthStore {
        let state = State { enabled: false, revision: 1, users: BTreeMap::new(), roles: BTreeMap::new() };
        AuthStore::of(state, config)
    }

    /// A store with this replicated part. Computes what is derived from it.
    fn of(state: State, config: &Config) -> AuthStore {
        let mut store = AuthStore {
            flaws: config.flaws,
            hashing: Arc::clone(&config.passwords),
            loaded_revision: state.revision,
            state,
            hash: 0,
            cache: BTreeMap::new(),
            tokens: Tokens::new(config.settings.auth_token_ttl),
            probes: Probes::default(),
        };
        store.update_derived();
        store
    }

    /// Recomputes the cache of permissions and the hash after a change.
    fn update_derived(&mut self) {
        self.cache = self.state.permissions();
        self.hash = xxh3_64(&row::encode(&self.state, self.state.revision));
    }

    /// Whether a request is about users and roles. Such a request goes through the log, and
    /// [`AuthStore::apply`] applies it.
    pub fn covers(&self, request: &Request) -> bool {
        use Request::*;
        matches!(
            request,
            AuthEnable(_)
                | AuthDisable(_)
                | AuthStatus(_)
                | UserAdd(_)
                | UserGet(_)
                | UserList(_)
                | UserDelete(_)
                | UserChangePassword(_)
                | UserGrantRole(_)
                | UserRevokeRole(_)
                | RoleAdd(_)
                | RoleGet(_)
                | RoleList(_)
                | RoleDelete(_)
                | RoleGrantPermission(_)
                | RoleRevokePermission(_)
        )
    }

    /// Takes the password out of a request, before the request goes into the log, and returns it to be hashed;
    /// [`seal`] puts the hash into the request. `None` if the request has no password. `random` is the salt and must
    /// differ for each call.
    pub fn take_password(&self, request: &mut Request, random: u64) -> Option<ToHash> {
        let password = match request {
            Request::UserAdd(add) => {
                let password = std::mem::take(&mut add.password);
                add.hashed_password = String::new();
                (!add.options.is_some_and(|options| options.no_password)).then_some(password)?
            }
            Request::UserChangePassword(change) if !change.password.is_empty() => {
                std::mem::take(&mut change.password)
            }
            _ => return None,
        };
        Some(ToHash { hashing: Arc::clone(&self.hashing), password, random })
    }

    /// Applies a committed request about users and roles. The caller has checked that the user may make it
    /// ([`AuthStore::permit`]), and fills in the response header. After an error, nothing has changed.
    ///
    /// # Errors
    /// The errors of etcd's `server/auth/store.go`.
    ///
    /// # Panics
    /// If the request is not about users and roles, or has an unhashed password.
    pub fn apply(&mut self, request: &Request) -> Result<Response, Error> {
        let state = &mut self.state;
        match request {
            Request::UserGet(request) => return state.user_get(request).map(Response::UserGet),
            Request::UserList(_) => return Ok(state.user_list().into()),
            Request::RoleGet(request) => return state.role_get(request).map(Response::RoleGet),
            Request::RoleList(_) => return Ok(state.role_list().into()),
            Request::AuthStatus(_) => {
                let (enabled, auth_revision) = (state.enabled, state.revision);
                return Ok(AuthStatusResponse { header: None, enabled, auth_revision }.into());
            }
            Request::AuthEnable(_) => {
                state.enable()?;
                // As in etcd, this makes no new auth revision.
                self.update_derived();
                self.probes.reached(Probe::AuthEnabled);
                return Ok(AuthEnableResponse::default().into());
            }
            _ => {}
        }
        let (changes, response): (bool, Response) = match request {
            Request::AuthDisable(_) => {
                if !self.flaws.has(Flaw::TokensStay) {
                    self.tokens.clear(); // all but flaw Z3
                }
                (std::mem::take(&mut state.enabled), AuthDisableResponse::default().into())
            }
            Request::UserAdd(request) => (state.user_add(request)?, AuthUserAddResponse::default().into()),
            Request::UserDelete(request) => {
                let changes = state.user_delete(request)?;
                self.tokens.forget(&request.name);
                (changes, AuthUserDeleteResponse::default().into())
            }
            Request::UserChangePassword(request) => {
                let changes = state.user_change_password(request)?;
                self.tokens.forget(&request.name);
                (changes, AuthUserChangePasswordResponse::default().into())
            }
            Request::UserGrantRole(request) => {
                (state.user_grant_role(request)?, AuthUserGrantRoleResponse::default().into())
            }
            Request::UserRevokeRole(request) => {
                (state.user_revoke_role(request)?, AuthUserRevokeRoleResponse::default().into())
            }
            Request::RoleAdd(request) => (state.role_add(request)?, AuthRoleAddResponse::default().into()),
            Request::RoleDelete(request) => {
                (state.role_delete(request)?, AuthRoleDeleteResponse::default().into())
            }
            Request::RoleGrantPermission(request) => {
                (state.role_grant_permission(request)?, AuthRoleGrantPermissionResponse::default().into())
            }
            Request::RoleRevokePermission(request) => {
                (state.role_revoke_permission(request)?, AuthRoleRevokePermissionResponse::default().into())
            }
            other => panic!("{} is not about users and roles: was it routed wrongly?", other.rpc_name()),
        };
        if changes {
            self.state.revision += 1;
            self.update_derived();
        }
        Ok(response)
    }

    // ---- logins -----------------------------------------------------------------------------------

    /// What a password must be checked against, and the auth revision at which that holds. Call this after
    /// ReadIndex, so that the users are current. If the auth revision has changed by the time the login is applied,
    /// the login must start over, as in etcd (`v3_server.go`, `Authenticate`).
    ///
    /// # Errors
    /// `AuthNotEnabled`; `AuthFailed`; `NoPasswordUser`.
    pub fn check_password(&self, name: &str, password: &str) -> Result<(ToCheck, u64), Error> {
        if !self.state.enabled {
            return Err(Error::AuthNotEnabled);
        }
        match self.state.users.get(name) {
            Some(user) if !user.no_password => {
                let (hashing, password) = (Arc::clone(&self.hashing), password.to_string());
                Ok((ToCheck { hashing, password, stored: user.password.clone() }, self.state.revision))
            }
            Some(_) => Err(Error::NoPasswordUser),
            None => Err(Error::AuthFailed),
        }
    }

    /// The random part of a new token, from 64 random bits.
    pub fn fresh_token(&self, random: u64) -> String {
        tokens::random_part(random)
    }

    /// Applies a committed login: from now on, this member knows the token. `index` is the index of the
    /// entry, `now` the time on this member's clock.
    ///
    /// # Errors
    /// `AuthNotEnabled`, `AuthFailed`.
    pub fn authenticated(
        &mut self,
        request: &InternalAuthenticateRequest,
        index: u64,
        now: u64,
    ) -> Result<AuthenticateResponse, Error> {
        if !self.state.enabled {
            return Err(Error::AuthNotEnabled);
        }
        match self.state.users.get(&request.name) {
            Some(user) if !user.no_password => {
                let token = format!("{}.{index}", request.simple_token);
                self.sweep(now);
                self.tokens.assign(&token, &request.name, now);
                Ok(AuthenticateResponse { header: None, token })
            }
            _ => Err(Error::AuthFailed),
        }
    }

    /// The user to whom a credential belongs. `None` if there is none, or while authentication is disabled.
    ///
    /// # Errors
    /// Those of [`AuthStore::who`].
    pub(crate) fn identify(
        &mut self,
        credential: Option<&Credential>,
        now: u64,
    ) -> Result<Option<AuthInfo>, Error> {
        match credential {
            Some(Credential::Token(token)) => self.who(Some(token), now),
            Some(Credential::Certificate(name)) => Ok((self.state.enabled)
                .then(|| AuthInfo { user: name.to_string(), revision: self.state.revision })),
            None => Ok(None),
        }
    }

    /// The user to whom a token belongs. `None` if there is no token, or while authentication is disabled.
    /// Each use of a token extends its life. `now` is the time on this member's clock.
    ///
    /// # Errors
    /// `InvalidAuthToken`. If this member has not applied the entry at the token's index yet
    /// ([`token_index`]), the token may still become valid. The caller then lets the request wait, as etcd
    /// does.
    pub fn who(&mut self, token: Option<&[u8]>, now: u64) -> Result<Option<AuthInfo>, Error> {
        let Some(token) = token.filter(|_| self.state.enabled) else { return Ok(None) };
        // HTTP clients send it in this form in the header `Authorization`; etcd accepts both since 3.5.32, 3.6.13 and
        // 3.7.0.
        let token = token.strip_prefix(b"Bearer ").unwrap_or(token);
        self.sweep(now);
        match self.tokens.renew(token, now) {
            Some(user) => Ok(Some(AuthInfo { user, revision: self.state.revision })),
            // Flaw M-token-ignored: an unknown token counts as no token.
            None if self.flaws.has(Flaw::UnknownTokenIgnored) => Ok(None),
            None => Err(Error::InvalidAuthToken),
        }
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 2] {
        [count("tokens", self.tokens.len()), count("cached-permissions", self.cache.len())]
    }

    /// Removes expired tokens.
    fn sweep(&mut self, now: u64) {
        // Flaw M-token-forever: expired tokens are never removed.
        if !self.flaws.has(Flaw::TokenLivesForEver) && self.tokens.sweep(now) {
            self.probes.reached(Probe::AuthTokenExpired);
        }
    }

    // ---- the replicated state as a whole ----------------------------------------------------------

    /// Whether authentication is enabled.
    pub fn is_enabled(&self) -> bool {
        self.state.enabled
    }

    /// The auth revision.
    pub fn revision(&self) -> u64 {
        self.state.revision
    }

    /// A hash of the replicated part, equal on all members that have applied the same entries.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Encodes users and roles for the backend and for snapshots.
    pub fn encode(&self) -> Bytes {
        // Flaw M-11651: the auth revision is not saved, so a restart begins with the one that the last start began
        // with.
        let lost = self.flaws.has(Flaw::AuthRevisionNotSaved);
        row::encode(&self.state, if lost { self.loaded_revision } else { self.state.revision }).into()
    }

    /// Decodes what [`AuthStore::encode`] returned.
    ///
    /// # Errors
    /// What is wrong with the bytes, if they are not such an encoding.
    pub fn decode(bytes: Bytes, config: &Config) -> Result<AuthStore, String> {
        Ok(AuthStore::of(row::decode(bytes)?, config))
    }

    /// Replaces users and roles by those of a leader's snapshot. The tokens that this member knows stay
    /// valid, except for users who were removed or whose password changed. Tokens of logins that the snapshot
    /// covers are not in it, so this member does not know them.
    pub fn replace(&mut self, snapshot: AuthStore) {
        let before = std::mem::replace(&mut self.state, snapshot.state);
        (self.hash, self.loaded_revision) = (snapshot.hash, snapshot.loaded_revision);
        // Flaw M-14571: the cached permissions are still those from before the snapshot.
        if !self.flaws.has(Flaw::AuthCacheNotRefreshed) {
            self.cache = snapshot.cache;
        }
        inner::tell(|| Inner::UsersReplaced {
            revision: self.state.revision,
            permissions_follow: self.cache == self.state.permissions(),
        });
        let password = |state: &State, user: &str| state.users.get(user).map(|user| user.password.clone());
        let state = &self.state;
        self.tokens.retain(|user| state.enabled && password(state, user) == password(&before, user));
        if before != self.state {
            self.probes.reached(Probe::AuthChangedBySnapshot);
        }
    }

    /// The probes reached since the last call.
    pub fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.probes.take()
    }
}

/// Puts the hash of a password into the request from which [`AuthStore::take_password`] has taken it.
pub fn seal(request: &mut Request, hash: String) {
    match request {
        Request::UserAdd(add) => add.hashed_password = hash,
        Request::UserChangePassword(change) => change.hashed_password = hash,
        _ => {}
    }
}

#[cfg(test)]
mod tests;
