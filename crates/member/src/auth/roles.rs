//! The requests that change and list roles. They check for errors in the same order as etcd
//! (`server/auth/store.go`).

use api::Error;
use api::authpb::Permission;
use api::authpb::permission::Type;
use api::etcdserverpb::{
    AuthRoleAddRequest, AuthRoleDeleteRequest, AuthRoleGetRequest, AuthRoleGetResponse,
    AuthRoleGrantPermissionRequest, AuthRoleListResponse, AuthRoleRevokePermissionRequest,
};
use bytes::Bytes;

use super::permissions::is_valid_range;
use super::{ROOT, State};

/// The methods that change something return a `bool`: whether there was a change. If so, the caller makes a new auth
/// revision.
impl State {
    pub(super) fn role_add(&mut self, request: &AuthRoleAddRequest) -> Result<bool, Error> {
        if request.name.is_empty() {
            return Err(Error::RoleEmpty);
        }
        if self.roles.contains_key(&request.name) {
            return Err(Error::RoleAlreadyExists);
        }
        self.roles.insert(request.name.clone(), Vec::new());
        Ok(true)
    }

    pub(super) fn role_delete(&mut self, request: &AuthRoleDeleteRequest) -> Result<bool, Error> {
        if self.enabled && request.role == ROOT {
            return Err(Error::InvalidAuthManagement);
        }
        self.roles.remove(&request.role).ok_or(Error::RoleNotFound)?;
        self.users.values_mut().for_each(|user| {
            user.roles.remove(&request.role);
        });
        Ok(true)
    }

    pub(super) fn role_grant_permission(
        &mut self,
        request: &AuthRoleGrantPermissionRequest,
    ) -> Result<bool, Error> {
        let permission = request.perm.as_ref().ok_or(Error::PermissionNotGiven)?;
        if !is_valid_range(&permission.key, &permission.range_end) {
            return Err(Error::InvalidAuthManagement);
        }
        let permissions = self.roles.get_mut(&request.name).ok_or(Error::RoleNotFound)?;
        // As in etcd, only the first permission with this key is compared, so a range that is not the first
        // may occur twice.
        let first = permissions.partition_point(|other| other.key < permission.key);
        match permissions.get_mut(first) {
            Some(same) if same.key == permission.key && same.range_end == permission.range_end => {
                same.perm_type = permission.perm_type;
            }
            _ => {
                let behind = permissions.partition_point(|other| other.key <= permission.key);
                permissions.insert(behind, permission.clone());
            }
        }
        Ok(true)
    }

    pub(super) fn role_revoke_permission(
        &mut self,
        request: &AuthRoleRevokePermissionRequest,
    ) -> Result<bool, Error> {
        let permissions = self.roles.get_mut(&request.role).ok_or(Error::RoleNotFound)?;
        let before = permissions.len();
        permissions.retain(|other| other.key != request.key || other.range_end != request.range_end);
        if permissions.len() == before { Err(Error::PermissionNotGranted) } else { Ok(true) }
    }

    pub(super) fn role_get(&self, request: &AuthRoleGetRequest) -> Result<AuthRoleGetResponse, Error> {
        let permissions = self.roles.get(&request.role).ok_or(Error::RoleNotFound)?;
        let everything = || Permission {
            perm_type: Type::Readwrite as i32,
            key: Bytes::new(),
            range_end: Bytes::from_static(b"\0"),
        };
        let perm = if request.role == ROOT { vec![everything()] } else { permissions.clone() };
        Ok(AuthRoleGetResponse { header: None, perm })
    }

    pub(super) fn role_list(&self) -> AuthRoleListResponse {
        AuthRoleListResponse { header: None, roles: self.roles.keys().cloned().collect() }
    }
}
