//! Users, roles, what they may do, and the tokens by which they are known: etcd's `server/auth`.
//!
//! | file | job |
//! |---|---|
//! | `users`, `roles` | what requests do to them |
//! | `permissions` | the ranges of keys a user may read and write, merged |
//! | `access` | who may ask for what, and when that is looked at |
//! | `tokens` | simple tokens and their time |
//! | [`password`] | how passwords are hashed |
//! | `row` | the saved form |
//!
//! A replicated state machine of its own beside the key-value store. Every request about users and roles
//! goes through the log in etcd, the reading ones and `AuthStatus` too (`v3_server.go`): so does every
//! request that [`AuthStore::covers`]. `Authenticate` goes there as an `InternalAuthenticateRequest`.
//!
//! Two parts are not replicated: tokens, which every member assigns when it applies a login but lets run
//! out by its own clock, and which a restart forgets; and the cache of permissions, which follows from
//! users and roles.
//!
//! Not here: TLS common names as users, JSON web tokens, the store's revision (users and roles have one
//! of their own).
//!
//! Invariants: the revision grows by one with every change of users and roles and when users are told
//! apart no longer; where they are told apart there is a user `root` with the role `root`.

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
use record::Probe;
use xxhash_rust::xxh3::xxh3_64;

use crate::config::Config;
use crate::flaw::{Flaw, Flaws};
use crate::probes::Probes;
use password::{PasswordHash, Simulated};
use permissions::Permissions;
use tokens::Tokens;

pub use access::AuthInfo;
pub use tokens::token_index;

/// The user who must exist, and the role that may do everything.
const ROOT: &str = "root";

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    /// Hashed; empty matches nothing.
    password: Bytes,
    /// Known by other means than a password.
    no_password: bool,
    roles: BTreeSet<String>,
}

/// What is replicated.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    enabled: bool,
    revision: u64,
    users: BTreeMap<String, User>,
    /// The permissions of each, ordered by key.
    roles: BTreeMap<String, Vec<Permission>>,
}

/// Users and roles, and what follows from them. Two are equal if what is replicated of them is.
#[derive(Clone, Debug)]
pub struct AuthStore {
    flaws: Flaws,
    hashing: Arc<dyn PasswordHash>,
    state: State,
    /// Of what is replicated.
    hash: u64,
    /// What each user may do with which keys.
    cache: BTreeMap<String, Permissions>,
    tokens: Tokens,
    /// The revision this value began with.
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

    fn of(state: State, config: &Config) -> AuthStore {
        let mut store = AuthStore {
            flaws: config.flaws,
            hashing: Arc::new(Simulated),
            loaded_revision: state.revision,
            state,
            hash: 0,
            cache: BTreeMap::new(),
            tokens: Tokens::new(config.settings.auth_token_ttl),
            probes: Probes::default(),
        };
        store.changed();
        store
    }

    /// Hashes passwords in another way. All members must do it alike.
    pub fn with_hashing(mut self, hashing: Arc<dyn PasswordHash>) -> AuthStore {
        self.hashing = hashing;
        self
    }

    /// Brings what is derived up to date.
    fn changed(&mut self) {
        self.cache = self.state.permissions();
        self.hash = xxh3_64(&row::encode(&self.state, self.state.revision));
    }

    /// Whether a request is about users and roles: it goes through the log and is carried out by
    /// [`AuthStore::apply`].
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

    /// What is to go into the log for a request: one that brings a password carries its hash instead.
    /// `random` is the salt, a fresh one each time. All other requests stay as they are.
    pub fn seal(&self, mut request: Request, random: u64) -> Request {
        match &mut request {
            Request::UserAdd(add) => {
                let password = std::mem::take(&mut add.password);
                add.hashed_password = match add.options.is_some_and(|options| options.no_password) {
                    true => String::new(),
                    false => self.hashing.hash(&password, random),
                };
            }
            Request::UserChangePassword(change) if !change.password.is_empty() => {
                let password = std::mem::take(&mut change.password);
                change.hashed_password = self.hashing.hash(&password, random);
            }
            _ => {}
        }
        request
    }

    /// Carries out a committed request that [`AuthStore::covers`], for a user who may ask for it
    /// ([`AuthStore::permit`]). The header is the server's to fill in. An error changes nothing.
    ///
    /// # Errors
    /// As etcd's `server/auth/store.go`.
    ///
    /// # Panics
    /// If the request is another one, or brings a password that was not hashed.
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
                // No new revision: nobody's permissions change.
                self.changed();
                self.probes.reached(Probe::AuthEnabled);
                return Ok(AuthEnableResponse::default().into());
            }
            _ => {}
        }
        let (changes, response): (bool, Response) = match request {
            Request::AuthDisable(_) => {
                self.tokens.clear();
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
            other => panic!("{} is not about users and roles: who sent it here?", other.rpc_name()),
        };
        if changes {
            self.state.revision += 1;
            self.changed();
        }
        Ok(response)
    }

    // ---- logins -----------------------------------------------------------------------------------

    /// Whether a password is right, and the revision at which it was looked at. To be asked after a
    /// linearizable read was confirmed. If that revision has passed by the time the login is applied,
    /// etcd begins anew (`v3_server.go`, `Authenticate`).
    ///
    /// # Errors
    /// `AuthNotEnabled`; `AuthFailed`, also for a user without a password, to whom etcd answers with an
    /// internal text in no map of its errors.
    pub fn check_password(&self, name: &str, password: &str) -> Result<u64, Error> {
        if !self.state.enabled {
            return Err(Error::AuthNotEnabled);
        }
        match self.state.users.get(name) {
            Some(user) if !user.no_password && self.hashing.matches(password, &user.password) => {
                Ok(self.state.revision)
            }
            _ => Err(Error::AuthFailed),
        }
    }

    /// The random part of a new token, from sixty-four random bits.
    pub fn fresh_token(&self, random: u64) -> String {
        tokens::random_part(random)
    }

    /// Carries out a committed login: this member knows the token from now on. `index` is the entry's,
    /// `now` this member's clock.
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

    /// Who sends `token`; `None` without a token, and while users are not told apart. Using a token
    /// lets it live on. `now` is this member's clock.
    ///
    /// # Errors
    /// `InvalidAuthToken`. A token whose [`token_index`] this member has not applied yet may still become
    /// valid: etcd holds the request back until then.
    pub fn who(&mut self, token: Option<&[u8]>, now: u64) -> Result<Option<AuthInfo>, Error> {
        let Some(token) = token.filter(|_| self.state.enabled) else { return Ok(None) };
        self.sweep(now);
        match self.tokens.renew(token, now) {
            Some(user) => Ok(Some(AuthInfo { user, revision: self.state.revision })),
            None => Err(Error::InvalidAuthToken),
        }
    }

    fn sweep(&mut self, now: u64) {
        if self.tokens.sweep(now) {
            self.probes.reached(Probe::AuthTokenExpired);
        }
    }

    // ---- saving -----------------------------------------------------------------------------------

    /// Whether users are told apart.
    pub fn is_enabled(&self) -> bool {
        self.state.enabled
    }

    /// The revision of users and roles.
    pub fn revision(&self) -> u64 {
        self.state.revision
    }

    /// A digest of what is replicated: equal on all members that have applied the same.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The saved form.
    pub fn encode(&self) -> Bytes {
        // M-11651: what a restart finds is the revision of the start before.
        let lost = self.flaws.has(Flaw::AuthRevisionNotSaved);
        row::encode(&self.state, if lost { self.loaded_revision } else { self.state.revision }).into()
    }

    /// Reads the saved form.
    ///
    /// # Errors
    /// What about the bytes no [`AuthStore::encode`] can have written.
    pub fn decode(bytes: Bytes, config: &Config) -> Result<AuthStore, String> {
        Ok(AuthStore::of(row::decode(bytes)?, config))
    }

    /// Takes over what a snapshot from the leader brought. Tokens stay good, except those of users who are
    /// gone or have another password now; those made meanwhile are not known here.
    pub fn replace(&mut self, snapshot: AuthStore) {
        let before = std::mem::replace(&mut self.state, snapshot.state);
        (self.hash, self.loaded_revision) = (snapshot.hash, snapshot.loaded_revision);
        // M-14571: permissions are still those of before.
        if !self.flaws.has(Flaw::AuthCacheNotRefreshed) {
            self.cache = snapshot.cache;
        }
        let password = |state: &State, user: &str| state.users.get(user).map(|user| user.password.clone());
        let state = &self.state;
        self.tokens.retain(|user| state.enabled && password(state, user) == password(&before, user));
        if before != self.state {
            self.probes.reached(Probe::AuthChangedBySnapshot);
        }
    }

    /// The probes reached since this was asked last.
    pub fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.probes.take()
    }
}

#[cfg(test)]
mod tests;
