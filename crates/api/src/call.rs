//! The table of calls: [`Request`] and [`Response`], with a variant for each unary call of etcd's API.

use bytes::{Buf, BufMut};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::etcdserverpb::*;
use crate::v3electionpb::*;
use crate::v3lockpb::*;

/// Why a JSON value is not a request or a response.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// No unary call has this name.
    #[error(
        "no call of the etcd API is named {0:?}; names are those of the `.proto` files, such as \"Range\" or \"LeaseGrant\""
    )]
    UnknownRpc(String),
    /// The value does not have the form of the message.
    #[error("not a {rpc} {what}: {cause}")]
    Malformed {
        /// The name of the call.
        rpc: &'static str,
        /// "request" or "response".
        what: &'static str,
        /// What serde says.
        cause: serde_json::Error,
    },
}

/// Why bytes are not a request or a response.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// No unary call has this path.
    #[error("no call of the etcd API has the path {0:?}")]
    UnknownMethod(String),
    /// The bytes do not have the form of the message.
    #[error(transparent)]
    Malformed(#[from] prost::DecodeError),
}

/// The path of a call in gRPC, from its service and its name.
macro_rules! method {
    ("Lock" $rpc:literal) => {
        concat!("/v3lockpb.Lock/", $rpc)
    };
    ("Election" $rpc:literal) => {
        concat!("/v3electionpb.Election/", $rpc)
    };
    ($service:tt $rpc:literal) => {
        concat!("/etcdserverpb.", $service, "/", $rpc)
    };
}

/// Makes both enums from one row for each call: number, service, name in the `.proto` file, variant, request and response. A number is never
/// reused or changed, because it enters the trace hash of a run.
macro_rules! calls {
    ($($number:literal $service:tt $rpc:literal $name:ident: $request:ident => $response:ty;)+) => {
        /// One call of a client. In serde it is `{"rpc": …, "request": …}`.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(tag = "rpc", content = "request")]
        pub enum Request {
            $(
                #[doc = concat!("`", $service, "/", $rpc, "`")]
                #[serde(rename = $rpc)]
                $name($request),
            )+
        }

        /// The answer to one call, if it is not an [`Error`](crate::Error). In serde it is `{"rpc": …, "response": …}`.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(tag = "rpc", content = "response")]
        pub enum Response {
            $(
                #[doc = concat!("`", $service, "/", $rpc, "`")]
                #[serde(rename = $rpc)]
                $name($response),
            )+
        }

        impl Request {
            /// The names of all calls, in the order of the `.proto` files.
            pub const RPC_NAMES: &[&str] = &[$($rpc,)+];

            /// The paths of all calls in gRPC, in the same order.
            pub const METHODS: &[&str] = &[$(method!($service $rpc),)+];

            /// The name of the call in the `.proto` files, such as "Range" or "HashKV".
            pub const fn rpc_name(&self) -> &'static str {
                match self {
                    $(Request::$name(_) => $rpc,)+
                }
            }

            /// The path of the call in gRPC, such as "/etcdserverpb.KV/Range".
            pub const fn method(&self) -> &'static str {
                match self {
                    $(Request::$name(_) => method!($service $rpc),)+
                }
            }

            /// Reads the request of the call with this path from protobuf.
            ///
            /// # Errors
            ///
            /// If there is no such call, or the bytes are not one of its requests.
            pub fn decode(method: &str, bytes: impl Buf) -> Result<Request, WireError> {
                match method {
                    $(method!($service $rpc) => Ok(Request::$name(prost::Message::decode(bytes)?)),)+
                    _ => Err(WireError::UnknownMethod(method.to_string())),
                }
            }

            /// Writes the request as protobuf, without the name of the call, into a buffer that grows.
            pub fn encode(&self, out: &mut impl BufMut) {
                match self {
                    $(Request::$name(request) => prost::Message::encode(request, out).expect("the buffer grows"),)+
                }
            }

            /// The call's number in trace hashes.
            pub const fn number(&self) -> u64 {
                match self {
                    $(Request::$name(_) => $number,)+
                }
            }

            /// Reads the request of the call `rpc` in the form of etcd's JSON gateway; `null` is the empty request.
            ///
            /// # Errors
            ///
            /// If there is no such call, or the value is not one of its requests.
            pub fn from_json(rpc: &str, value: &Value) -> Result<Request, JsonError> {
                match rpc {
                    $($rpc => read($rpc, "request", value).map(Request::$name),)+
                    _ => Err(JsonError::UnknownRpc(rpc.to_string())),
                }
            }

            /// The request in the form of etcd's JSON gateway, without the name of the call.
            pub fn to_json(&self) -> Value {
                match self {
                    $(Request::$name(request) => write(request),)+
                }
            }
        }

        impl Response {
            /// The name of the call in the `.proto` files, such as "Range" or "HashKV".
            pub const fn rpc_name(&self) -> &'static str {
                match self {
                    $(Response::$name(_) => $rpc,)+
                }
            }

            /// The path of the call in gRPC, such as "/etcdserverpb.KV/Range".
            pub const fn method(&self) -> &'static str {
                match self {
                    $(Response::$name(_) => method!($service $rpc),)+
                }
            }

            /// Reads the answer to the call with this path from protobuf.
            ///
            /// # Errors
            ///
            /// If there is no such call, or the bytes are not one of its answers.
            pub fn decode(method: &str, bytes: impl Buf) -> Result<Response, WireError> {
                match method {
                    $(method!($service $rpc) => Ok(Response::$name(prost::Message::decode(bytes)?)),)+
                    _ => Err(WireError::UnknownMethod(method.to_string())),
                }
            }

            /// Writes the answer as protobuf, without the name of the call, into a buffer that grows.
            pub fn encode(&self, out: &mut impl BufMut) {
                match self {
                    $(Response::$name(response) => prost::Message::encode(response, out).expect("the buffer grows"),)+
                }
            }

            /// The header. Every message has the field, but etcd leaves it empty in the answers to Defragment and
            /// MoveLeader, and etcd 3.4 also in that to Alarm.
            pub fn header(&self) -> Option<&ResponseHeader> {
                match self {
                    $(Response::$name(response) => response.header.as_ref(),)+
                }
            }

            /// The header, to be filled in.
            pub fn header_mut(&mut self) -> &mut Option<ResponseHeader> {
                match self {
                    $(Response::$name(response) => &mut response.header,)+
                }
            }

            /// Reads the response of the call `rpc` in the form of etcd's JSON gateway; `null` is the empty response.
            ///
            /// # Errors
            ///
            /// If there is no such call, or the value is not one of its responses.
            pub fn from_json(rpc: &str, value: &Value) -> Result<Response, JsonError> {
                match rpc {
                    $($rpc => read($rpc, "response", value).map(Response::$name),)+
                    _ => Err(JsonError::UnknownRpc(rpc.to_string())),
                }
            }

            /// The response in the form of etcd's JSON gateway, without the name of the call.
            pub fn to_json(&self) -> Value {
                match self {
                    $(Response::$name(response) => write(response),)+
                }
            }
        }

        $(
            impl From<$request> for Request {
                fn from(request: $request) -> Request {
                    Request::$name(request)
                }
            }

            impl From<$response> for Response {
                fn from(response: $response) -> Response {
                    Response::$name(response)
                }
            }
        )+
    };
}

calls! {
    1 "KV" "Range" Range: RangeRequest => RangeResponse;
    2 "KV" "Put" Put: PutRequest => PutResponse;
    3 "KV" "DeleteRange" DeleteRange: DeleteRangeRequest => DeleteRangeResponse;
    4 "KV" "Txn" Txn: TxnRequest => TxnResponse;
    5 "KV" "Compact" Compact: CompactionRequest => CompactionResponse;

    6 "Lease" "LeaseGrant" LeaseGrant: LeaseGrantRequest => LeaseGrantResponse;
    7 "Lease" "LeaseRevoke" LeaseRevoke: LeaseRevokeRequest => LeaseRevokeResponse;
    8 "Lease" "LeaseKeepAlive" LeaseKeepAlive: LeaseKeepAliveRequest => LeaseKeepAliveResponse;
    9 "Lease" "LeaseTimeToLive" LeaseTimeToLive: LeaseTimeToLiveRequest => LeaseTimeToLiveResponse;
    10 "Lease" "LeaseLeases" LeaseLeases: LeaseLeasesRequest => LeaseLeasesResponse;

    11 "Cluster" "MemberAdd" MemberAdd: MemberAddRequest => MemberAddResponse;
    12 "Cluster" "MemberRemove" MemberRemove: MemberRemoveRequest => MemberRemoveResponse;
    13 "Cluster" "MemberUpdate" MemberUpdate: MemberUpdateRequest => MemberUpdateResponse;
    14 "Cluster" "MemberList" MemberList: MemberListRequest => MemberListResponse;
    15 "Cluster" "MemberPromote" MemberPromote: MemberPromoteRequest => MemberPromoteResponse;

    16 "Maintenance" "Alarm" Alarm: AlarmRequest => AlarmResponse;
    17 "Maintenance" "Status" Status: StatusRequest => Box<StatusResponse>;
    18 "Maintenance" "Defragment" Defragment: DefragmentRequest => DefragmentResponse;
    19 "Maintenance" "Hash" Hash: HashRequest => HashResponse;
    20 "Maintenance" "HashKV" HashKv: HashKvRequest => HashKvResponse;
    21 "Maintenance" "MoveLeader" MoveLeader: MoveLeaderRequest => MoveLeaderResponse;
    22 "Maintenance" "Downgrade" Downgrade: DowngradeRequest => DowngradeResponse;

    23 "Auth" "AuthEnable" AuthEnable: AuthEnableRequest => AuthEnableResponse;
    24 "Auth" "AuthDisable" AuthDisable: AuthDisableRequest => AuthDisableResponse;
    25 "Auth" "AuthStatus" AuthStatus: AuthStatusRequest => AuthStatusResponse;
    26 "Auth" "Authenticate" Authenticate: AuthenticateRequest => AuthenticateResponse;
    27 "Auth" "UserAdd" UserAdd: AuthUserAddRequest => AuthUserAddResponse;
    28 "Auth" "UserGet" UserGet: AuthUserGetRequest => AuthUserGetResponse;
    29 "Auth" "UserList" UserList: AuthUserListRequest => AuthUserListResponse;
    30 "Auth" "UserDelete" UserDelete: AuthUserDeleteRequest => AuthUserDeleteResponse;
    31 "Auth" "UserChangePassword" UserChangePassword: AuthUserChangePasswordRequest => AuthUserChangePasswordResponse;
    32 "Auth" "UserGrantRole" UserGrantRole: AuthUserGrantRoleRequest => AuthUserGrantRoleResponse;
    33 "Auth" "UserRevokeRole" UserRevokeRole: AuthUserRevokeRoleRequest => AuthUserRevokeRoleResponse;
    34 "Auth" "RoleAdd" RoleAdd: AuthRoleAddRequest => AuthRoleAddResponse;
    35 "Auth" "RoleGet" RoleGet: AuthRoleGetRequest => AuthRoleGetResponse;
    36 "Auth" "RoleList" RoleList: AuthRoleListRequest => AuthRoleListResponse;
    37 "Auth" "RoleDelete" RoleDelete: AuthRoleDeleteRequest => AuthRoleDeleteResponse;
    38 "Auth" "RoleGrantPermission" RoleGrantPermission: AuthRoleGrantPermissionRequest => AuthRoleGrantPermissionResponse;
    39 "Auth" "RoleRevokePermission" RoleRevokePermission: AuthRoleRevokePermissionRequest => AuthRoleRevokePermissionResponse;

    40 "Lock" "Lock" Lock: LockRequest => LockResponse;
    41 "Lock" "Unlock" Unlock: UnlockRequest => UnlockResponse;

    42 "Election" "Campaign" Campaign: CampaignRequest => CampaignResponse;
    43 "Election" "Proclaim" Proclaim: ProclaimRequest => ProclaimResponse;
    44 "Election" "Leader" Leader: LeaderRequest => LeaderResponse;
    45 "Election" "Resign" Resign: ResignRequest => ResignResponse;
}

impl From<StatusResponse> for Response {
    fn from(response: StatusResponse) -> Response {
        Response::Status(Box::new(response))
    }
}

fn read<T: Default + for<'de> Deserialize<'de>>(
    rpc: &'static str,
    what: &'static str,
    value: &Value,
) -> Result<T, JsonError> {
    crate::json::nullable(value).map_err(|cause| JsonError::Malformed { rpc, what, cause })
}

fn write<T: Serialize>(message: &T) -> Value {
    serde_json::to_value(message).expect("a message has only string keys and no failing parts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enums_stay_small() {
        assert!(
            size_of::<Request>() <= 136,
            "Request has {} bytes: box the large variant",
            size_of::<Request>()
        );
        assert!(
            size_of::<Response>() <= 160,
            "Response has {} bytes: box the large variant",
            size_of::<Response>()
        );
    }
}
