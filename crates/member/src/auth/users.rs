//! The requests that change and list users. They check for errors in the same order as etcd
//! (`server/auth/store.go`).

use std::collections::BTreeSet;

use api::Error;
use api::etcdserverpb::{
    AuthUserAddRequest, AuthUserChangePasswordRequest, AuthUserDeleteRequest, AuthUserGetRequest,
    AuthUserGetResponse, AuthUserGrantRoleRequest, AuthUserListResponse, AuthUserRevokeRoleRequest,
};

use super::{ROOT, State, User};

/// The methods that change something return a `bool`: whether there was a change. If so, the caller makes a new auth
/// revision.
impl State {
    /// Enables authentication.
    pub(super) fn enable(&mut self) -> Result<(), Error> {
        if !self.enabled {
            let root = self.users.get(ROOT).ok_or(Error::RootUserNotExist)?;
            if !root.is_root() {
                return Err(Error::RootRoleNotExist);
            }
        }
        self.enabled = true;
        Ok(())
    }

    pub(super) fn user_add(&mut self, request: &AuthUserAddRequest) -> Result<bool, Error> {
        let AuthUserAddRequest { name, password, options, hashed_password } = request;
        assert!(password.is_empty(), "user {name:?} comes with a plain password: the proposer must hash it");
        if name.is_empty() {
            return Err(Error::UserEmpty);
        }
        if self.users.contains_key(name) {
            return Err(Error::UserAlreadyExists);
        }
        let no_password = options.is_some_and(|options| options.no_password);
        let password = if no_password { String::new() } else { hashed_password.clone() };
        let user = User { password: password.into(), no_password, roles: BTreeSet::new() };
        self.users.insert(name.clone(), user);
        Ok(true)
    }

    pub(super) fn user_delete(&mut self, request: &AuthUserDeleteRequest) -> Result<bool, Error> {
        if self.enabled && request.name == ROOT {
            return Err(Error::InvalidAuthManagement);
        }
        self.users.remove(&request.name).ok_or(Error::UserNotFound)?;
        Ok(true)
    }

    pub(super) fn user_change_password(
        &mut self,
        request: &AuthUserChangePasswordRequest,
    ) -> Result<bool, Error> {
        let AuthUserChangePasswordRequest { name, password, hashed_password } = request;
        assert!(password.is_empty(), "user {name:?} gets a plain password: the proposer must hash it");
        let user = self.users.get_mut(name).ok_or(Error::UserNotFound)?;
        if !user.no_password {
            user.password = hashed_password.clone().into();
        }
        Ok(true)
    }

    pub(super) fn user_grant_role(&mut self, request: &AuthUserGrantRoleRequest) -> Result<bool, Error> {
        let user = self.users.get_mut(&request.user).ok_or(Error::UserNotFound)?;
        // The role `root` can be granted even if it does not exist.
        if request.role != ROOT && !self.roles.contains_key(&request.role) {
            return Err(Error::RoleNotFound);
        }
        Ok(user.roles.insert(request.role.clone()))
    }

    pub(super) fn user_revoke_role(&mut self, request: &AuthUserRevokeRoleRequest) -> Result<bool, Error> {
        if self.enabled && request.name == ROOT && request.role == ROOT {
            return Err(Error::InvalidAuthManagement);
        }
        let user = self.users.get_mut(&request.name).ok_or(Error::UserNotFound)?;
        if user.roles.remove(&request.role) { Ok(true) } else { Err(Error::RoleNotGranted) }
    }

    pub(super) fn user_get(&self, request: &AuthUserGetRequest) -> Result<AuthUserGetResponse, Error> {
        let user = self.users.get(&request.name).ok_or(Error::UserNotFound)?;
        Ok(AuthUserGetResponse { header: None, roles: user.roles.iter().cloned().collect() })
    }

    pub(super) fn user_list(&self) -> AuthUserListResponse {
        AuthUserListResponse { header: None, users: self.users.keys().cloned().collect() }
    }
}

impl User {
    /// Whether the user has the role `root`.
    pub(super) fn is_root(&self) -> bool {
        self.roles.contains(ROOT)
    }
}
