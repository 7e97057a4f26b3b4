//! Encodes users and roles as bytes, to save them in the backend, to send them in snapshots and to hash them.
//!
//! The bytes are one protobuf message, the *row*: the backend stores it as one key-value pair. Its lists are sorted,
//! so equal states have equal bytes and therefore equal hashes. The messages for a single user and a single role are
//! etcd's own.

use std::collections::BTreeMap;

use api::authpb;
use bytes::Bytes;
use prost::Message as _;

use super::{State, User};

/// The version of this encoding. [`decode`] refuses every other one.
const VERSION: u32 = 1;

/// All users and roles, and whether authentication is on.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Row {
    #[prost(uint32, tag = "1")]
    version: u32,
    /// Whether authentication is on.
    #[prost(bool, tag = "2")]
    pub enabled: bool,
    /// etcd's auth revision: every change of users or roles makes it one larger.
    #[prost(uint64, tag = "3")]
    pub revision: u64,
    /// The users, by name.
    #[prost(message, repeated, tag = "4")]
    pub users: Vec<authpb::User>,
    /// The roles, by name.
    #[prost(message, repeated, tag = "5")]
    pub roles: Vec<authpb::Role>,
}

impl Row {
    /// These users and roles, in this version.
    pub fn new(enabled: bool, revision: u64, users: Vec<authpb::User>, roles: Vec<authpb::Role>) -> Row {
        Row { version: VERSION, enabled, revision, users, roles }
    }
}

/// Encodes the state, with `revision` in place of the state's own auth revision.
pub(super) fn encode(state: &State, revision: u64) -> Vec<u8> {
    let user = |(name, user): (&String, &User)| authpb::User {
        name: Bytes::copy_from_slice(name.as_bytes()),
        password: user.password.clone(),
        roles: user.roles.iter().cloned().collect(),
        options: Some(authpb::UserAddOptions { no_password: user.no_password }),
    };
    let role = |(name, permissions): (&String, &Vec<authpb::Permission>)| authpb::Role {
        name: Bytes::copy_from_slice(name.as_bytes()),
        key_permission: permissions.clone(),
    };
    let (users, roles) = (state.users.iter().map(user).collect(), state.roles.iter().map(role).collect());
    let row = Row::new(state.enabled, revision, users, roles);
    row.encode_to_vec()
}

/// Decodes what [`encode`] wrote. The error says what is wrong with the bytes.
pub(super) fn decode(bytes: Bytes) -> Result<State, String> {
    let row = Row::decode(bytes).map_err(|error| format!("not a list of users and roles: {error}"))?;
    if row.version != VERSION {
        return Err(format!("users and roles in version {}, not {VERSION}", row.version));
    }
    let name = |name: Bytes| String::from_utf8(name.into()).map_err(|error| format!("a name: {error}"));
    let (mut users, mut roles) = (BTreeMap::new(), BTreeMap::new());
    for user in row.users {
        let kept = User {
            password: user.password,
            no_password: user.options.is_some_and(|options| options.no_password),
            roles: user.roles.into_iter().collect(),
        };
        if users.insert(name(user.name)?, kept).is_some() {
            return Err("a user occurs twice".to_string());
        }
    }
    for role in row.roles {
        if roles.insert(name(role.name)?, role.key_permission).is_some() {
            return Err("a role occurs twice".to_string());
        }
    }
    Ok(State { enabled: row.enabled, revision: row.revision, users, roles })
}
