//! Users, roles, their permissions, and login tokens: etcd's `server/auth`.
//!
//! | file | job |
//! |---|---|
//! | `users`, `roles` | the requests that change and list them |
//! | `permissions` | the ranges of keys a user may read and write, merged |
//! | `access` | which user may make which request, and when that is checked |
//! | `tokens` | simple tokens and their expiry |
//! | [`password`] | how passwords are hashed |
//! | `row` | the saved form |
//!
//! A replicated state machine next to the key-value store. In etcd every request about users and roles goes
//! through the log, including reads and `AuthStatus` (`v3_server.go`): so does every request that
//! [`AuthStore::covers`]. `Authenticate` goes there as an `InternalAuthenticateRequest`.
//!
//! Two parts are not replicated: tokens, which every member assigns when it applies a login but expires by
//! its own clock, and which a restart forgets; and the cache of permissions, which follows from users and
//! roles.
//!
//! Not here: TLS common names as users, JSON web tokens, the store's revision (users and roles have their
//! own).
//!
//! Invariants: the revision grows by one with every change of users and roles and when authentication is
//! disabled; while authentication is enabled there is a user `root` with the role `root`.

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

/// The user that must exist, and the role that may do everything.
const ROOT: &str = "root";

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    /// Hashed; an empty one matches no password.
    password: Bytes,
    /// Authenticated by other means than a password.
    no_password: bool,
    roles: BTreeSet<String>,
}

/// The replicated part.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    enabled: bool,
    revision: u64,
    users: BTreeMap<String, User>,
    /// The permissions of each role, ordered by key.
    roles: BTreeMap<String, Vec<Permission>>,
}

/// Users and roles, and what follows from them. Two are equal if their replicated parts are.
#[derive(Clone, Debug)]
pub struct AuthStore {
    flaws: Flaws,
    hashing: Arc<dyn PasswordHash>,
    state: State,
    /// Hash of the replicated part.
    hash: u64,
    /// Each user's permissions on keys.
    cache: BTreeMap<String, Permissions>,
    tokens: Tokens,
    /// The revision this store was loaded with.
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

    /// Uses another password hash. All members must use the same.
    pub fn with_hashing(mut self, hashing: Arc<dyn PasswordHash>) -> AuthStore {
        self.hashing = hashing;
        self
    }

    /// Updates what is derived.
    fn changed(&mut self) {
        self.cache = self.state.permissions();
        self.hash = xxh3_64(&row::encode(&self.state, self.state.revision));
    }

    /// Whether a request is about users and roles: such a request goes through the log and is carried out by
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

    /// The request as it goes into the log: a password is replaced by its hash. `random` is the salt, fresh
    /// for each call. Other requests stay as they are.
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

    /// Carries out a committed request that [`AuthStore::covers`], for a user who is permitted to make it
    /// ([`AuthStore::permit`]). The server fills in the header. An error changes nothing.
    ///
    /// # Errors
    /// As etcd's `server/auth/store.go`.
    ///
    /// # Panics
    /// If the request is not covered, or carries an unhashed password.
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
                // No new revision: no user's permissions change.
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
            other => panic!("{} is not about users and roles: was it routed wrongly?", other.rpc_name()),
        };
        if changes {
            self.state.revision += 1;
            self.changed();
        }
        Ok(response)
    }

    // ---- logins -----------------------------------------------------------------------------------

    /// Whether a password is right, and the revision at which it was checked. Call this after a linearizable
    /// read was confirmed. If the revision has changed by the time the login is applied, etcd starts again
    /// (`v3_server.go`, `Authenticate`).
    ///
    /// # Errors
    /// `AuthNotEnabled`; `AuthFailed`, also for a user without a password, for which etcd returns an internal
    /// text that is in none of its error maps.
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

    /// The random part of a new token, from 64 random bits.
    pub fn fresh_token(&self, random: u64) -> String {
        tokens::random_part(random)
    }

    /// Carries out a committed login: from now on this member knows the token. `index` is the entry's, `now`
    /// this member's clock.
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

    /// The user of `token`; `None` without a token, and while authentication is disabled. Using a token
    /// extends it. `now` is this member's clock.
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

    /// Whether authentication is enabled.
    pub fn is_enabled(&self) -> bool {
        self.state.enabled
    }

    /// The auth revision: that of users and roles.
    pub fn revision(&self) -> u64 {
        self.state.revision
    }

    /// A digest of the replicated part: equal on all members that have applied the same entries.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The saved form.
    pub fn encode(&self) -> Bytes {
        // M-11651: a restart finds the revision of the previous start.
        let lost = self.flaws.has(Flaw::AuthRevisionNotSaved);
        row::encode(&self.state, if lost { self.loaded_revision } else { self.state.revision }).into()
    }

    /// Reads the saved form.
    ///
    /// # Errors
    /// What is wrong with the bytes, if no [`AuthStore::encode`] can have written them.
    pub fn decode(bytes: Bytes, config: &Config) -> Result<AuthStore, String> {
        Ok(AuthStore::of(row::decode(bytes)?, config))
    }

    /// Takes over the state in a snapshot from the leader. Tokens stay valid, except those of users who were
    /// removed or whose password changed; tokens made meanwhile are unknown here.
    pub fn replace(&mut self, snapshot: AuthStore) {
        let before = std::mem::replace(&mut self.state, snapshot.state);
        (self.hash, self.loaded_revision) = (snapshot.hash, snapshot.loaded_revision);
        // M-14571: the permissions from before the snapshot stay in force.
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

    /// The probes reached since the last call.
    pub fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.probes.take()
    }
}

#[cfg(test)]
mod tests;
