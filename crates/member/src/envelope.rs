//! Encodes and decodes the data of a normal log entry. It is etcd's `InternalRaftRequest`: a request, with a
//! header that has the request id and the user who made the request.

use api::Request;
use api::etcdserverpb::{
    InternalAuthenticateRequest, InternalRaftRequest, LeaseCheckpointRequest, RequestHeader,
};
use api::membershippb::{ClusterMemberAttrSetRequest, ClusterVersionSetRequest, DowngradeInfoSetRequest};
use bytes::Bytes;
use prost::Message;
use record::MemberId;
use record::inner::{Command as Told, Own};

/// What every member does when it applies the entry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    /// A request that a client could also make.
    Request(Request),
    /// Records the time left of some leases.
    Checkpoint(LeaseCheckpointRequest),
    /// Records the name and client URLs that a member publishes.
    Attributes(ClusterMemberAttrSetRequest),
    /// Begins or ends a downgrade.
    Downgrade(DowngradeInfoSetRequest),
    /// Sets the cluster version.
    Version(ClusterVersionSetRequest),
    /// Issues a token for a login whose password was right. It has the random part of the token.
    Authenticate(InternalAuthenticateRequest),
}

/// A decoded entry.
pub(crate) struct Envelope {
    /// The request id ([`crate::ids::Ids::fresh`]).
    pub(crate) id: u64,
    /// The user who made the request; empty if there is none.
    pub(crate) user: String,
    /// The auth revision at which the user was determined.
    pub(crate) auth_revision: u64,
    pub(crate) command: Command,
}

/// Defines which requests go through the log. Each line has the field of `InternalRaftRequest` and the variant of
/// `Request`. From these lines it makes two functions: `put` stores a request in its field, and `take` returns the
/// request of the field that is set.
macro_rules! logged {
    ($($field:ident $variant:ident;)+) => {
        fn put(internal: &mut InternalRaftRequest, request: Request) -> bool {
            match request {
                $(Request::$variant(request) => internal.$field = Some(request.into()),)+
                _ => return false,
            }
            true
        }

        fn take(internal: &mut InternalRaftRequest) -> Option<Request> {
            $(if let Some(request) = internal.$field.take() {
                return Some(Request::$variant(request.into()));
            })+
            None
        }
    };
}

logged! {
    put Put;
    delete_range DeleteRange;
    txn Txn;
    compaction Compact;
    lease_grant LeaseGrant;
    lease_revoke LeaseRevoke;
    alarm Alarm;
    auth_enable AuthEnable;
    auth_disable AuthDisable;
    auth_status AuthStatus;
    auth_user_add UserAdd;
    auth_user_delete UserDelete;
    auth_user_get UserGet;
    auth_user_change_password UserChangePassword;
    auth_user_grant_role UserGrantRole;
    auth_user_revoke_role UserRevokeRole;
    auth_user_list UserList;
    auth_role_list RoleList;
    auth_role_add RoleAdd;
    auth_role_delete RoleDelete;
    auth_role_get RoleGet;
    auth_role_grant_permission RoleGrantPermission;
    auth_role_revoke_permission RoleRevokePermission;
}

/// Encodes the data of an entry; `None` for a request that cannot go through the log.
pub(crate) fn encode(id: u64, (user, auth_revision): (&str, u64), command: Command) -> Option<Vec<u8>> {
    let header = Some(RequestHeader { id, username: user.to_string(), auth_revision });
    let mut internal = InternalRaftRequest { header, ..InternalRaftRequest::default() };
    match command {
        Command::Request(request) => {
            if !put(&mut internal, request) {
                return None;
            }
        }
        Command::Checkpoint(request) => internal.lease_checkpoint = Some(request),
        Command::Attributes(request) => internal.cluster_member_attr_set = Some(request),
        Command::Downgrade(request) => internal.downgrade_info_set = Some(request),
        Command::Version(request) => internal.cluster_version_set = Some(request),
        Command::Authenticate(request) => internal.authenticate = Some(request),
    }
    Some(internal.encode_to_vec())
}

/// The command as it is shown to the code that explains a run.
pub(crate) fn reported(command: &Command) -> Told {
    match command {
        Command::Request(request) => Told::Request(Box::new(request.clone())),
        Command::Checkpoint(request) => {
            let left = request.checkpoints.iter().map(|one| (one.id, one.remaining_ttl));
            Told::Checkpoint(left.collect())
        }
        Command::Attributes(_) => Told::Other("the name of a member"),
        Command::Downgrade(_) => Told::Other("a downgrade"),
        Command::Version(_) => Told::Other("the cluster version"),
        Command::Authenticate(_) => Told::Other("a login"),
    }
}

/// The command as it is shown to oracles, if a member proposes it on its own.
pub(crate) fn own(command: &Command) -> Option<Own> {
    match command {
        Command::Version(request) => Some(Own::Version(request.ver.clone())),
        Command::Attributes(request) => {
            let attributes = request.member_attributes.clone().unwrap_or_default();
            let member = MemberId::from_raft(request.member_id);
            Some(Own::Name { member, name: attributes.name, urls: attributes.client_urls })
        }
        _ => None,
    }
}

/// The request id in the data of an entry, without decoding the rest; `None` if there is none.
pub(crate) fn id_of(data: &Bytes) -> Option<u64> {
    /// `InternalRaftRequest` with only the field that is needed here.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Headed {
        #[prost(message, optional, tag = "100")]
        header: Option<RequestHeader>,
    }
    Headed::decode(data.clone()).ok()?.header.map(|header| header.id)
}

/// Decodes the data of an entry.
pub(crate) fn decode(data: Bytes) -> Result<Envelope, String> {
    let mut internal = InternalRaftRequest::decode(data).map_err(|error| error.to_string())?;
    let command = take(&mut internal)
        .map(Command::Request)
        .or(internal.lease_checkpoint.map(Command::Checkpoint))
        .or(internal.cluster_member_attr_set.map(Command::Attributes))
        .or(internal.downgrade_info_set.map(Command::Downgrade))
        .or(internal.cluster_version_set.map(Command::Version))
        .or(internal.authenticate.map(Command::Authenticate));
    let Some(command) = command else {
        return Err("it does not hold a request that this member knows".to_string());
    };
    let RequestHeader { id, username, auth_revision } = internal.header.unwrap_or_default();
    Ok(Envelope { id, user: username, auth_revision, command })
}
