//! The table of etcd's errors, with their exact texts and status codes.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Code;

/// Makes the enum from one row for each error: what it means, name, status code (and that of etcd 3.4, if it was different), exact text.
macro_rules! errors {
    ($($(#[doc = $doc:literal])+ $name:ident: $code:ident $(($code_3_4:ident in 3.4))?, $text:literal;)+) => {
        /// What etcd answers instead of a response, or as the reason why it cancels a watcher.
        ///
        /// [`Display`](fmt::Display), [`text`](Error::text) and serde are the exact text on the wire, which is different for each error.
        /// The texts are those of etcd's `rpctypes/error.go`, unless an error names another source.
        ///
        /// Not here, because their text varies: `grpc: received message larger than max (N vs. M)` (`ResourceExhausted`),
        /// `unknown method M for service S` (`Unimplemented`) and whatever the transport says (`Unavailable`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Error {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Error {
            /// All of them, in order.
            pub const ALL: &[Error] = &[$(Error::$name,)+];

            /// The code on the wire, as etcd 3.6 sends it.
            ///
            /// For two errors it is not the code in `rpctypes/error.go`: `togRPCError` maps [`NotEnoughStartedMembers`](Error::NotEnoughStartedMembers)
            /// and [`TooManyRequests`](Error::TooManyRequests) to the client's error values, and so they go out as `Unknown` (3.4 up to main).
            pub const fn code(self) -> Code {
                match self {
                    $(Error::$name => Code::$code,)+
                }
            }

            /// The code on the wire in the answer to the call with this path in gRPC. Locks and elections are written
            /// on etcd's Go client, whose errors carry no code (as recorded from 3.7.3).
            pub fn code_of(self, method: &str) -> Code {
                let is_of_client = method.starts_with("/v3lockpb.") || method.starts_with("/v3electionpb.");
                match is_of_client && self != Error::ContextDeadlineExceeded {
                    true => Code::Unknown,
                    false => self.code(),
                }
            }

            /// The code on the wire, as etcd 3.4 sends it.
            pub const fn code_in_3_4(self) -> Code {
                match self {
                    $($(Error::$name => Code::$code_3_4,)?)+
                    other => other.code(),
                }
            }

            /// The exact text on the wire.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Error::$name => $text,)+
                }
            }

            /// The error with this exact text.
            pub fn from_text(text: &str) -> Option<Error> {
                match text {
                    $($text => Some(Error::$name),)+
                    _ => None,
                }
            }
        }
    };
}

errors! {
    // Keys and transactions.

    /// A range, put, delete or compare without a key.
    EmptyKey: InvalidArgument, "etcdserver: key is not provided";
    /// `ignore_value` or `ignore_lease` for a key that does not exist; an empty operation in a transaction.
    KeyNotFound: InvalidArgument, "etcdserver: key not found";
    /// `ignore_value` with a value.
    ValueProvided: InvalidArgument, "etcdserver: value is provided";
    /// `ignore_lease` with a lease.
    LeaseProvided: InvalidArgument, "etcdserver: lease is provided";
    /// A transaction with more operations than `--max-txn-ops`. Those of a nested transaction count together with those of the transactions around it.
    TooManyOps: InvalidArgument, "etcdserver: too many operations in txn request";
    /// A transaction that could write a key twice.
    DuplicateKey: InvalidArgument, "etcdserver: duplicate key given in txn request";
    /// A sort order or target that the enum does not have. Since 3.6; before that the member crashed.
    InvalidSortOption: InvalidArgument, "etcdserver: invalid sort option";
    /// The metadata `client-api-version` is not a version; since 3.6.
    InvalidClientApiVersion: InvalidArgument, "etcdserver: invalid client api version";
    /// The call does not exist in this version: etcd before 3.7 does not stream ranges. The text is that of Go's gRPC server.
    NoRangeStream: Unimplemented, "unknown method RangeStream for service etcdserverpb.KV";
    /// A streamed range is always in the order of its keys.
    RangeStreamSort: Unimplemented, "RangeStream does not support custom sort orders";
    /// A streamed range cannot be limited by revisions.
    RangeStreamFilter: Unimplemented, "RangeStream does not support revision filters";
    /// A request of more bytes than `--max-request-bytes`.
    RequestTooLarge: InvalidArgument, "etcdserver: request is too large";
    /// The revision is older than the last compaction. A watcher that starts at a negative revision is cancelled with this, too.
    Compacted: OutOfRange, "etcdserver: mvcc: required revision has been compacted";
    /// The revision does not exist yet.
    FutureRev: OutOfRange, "etcdserver: mvcc: required revision is a future revision";
    /// The alarm NOSPACE is on.
    NoSpace: ResourceExhausted, "etcdserver: mvcc: database space exceeded";
    /// More than 5,000 committed entries wait to be applied. See [`code`](Error::code).
    TooManyRequests: Unknown, "etcdserver: too many requests";

    // Leases.

    /// There is no such lease.
    LeaseNotFound: NotFound, "etcdserver: requested lease not found";
    /// A grant with an id that is in use.
    LeaseExists: FailedPrecondition, "etcdserver: lease already exists";
    /// A time to live of more than 9,000,000,000 seconds.
    LeaseTtlTooLarge: OutOfRange, "etcdserver: too large lease TTL";
    /// The member does not lead any more, so it does not track leases (`lease/lessor.go`).
    NotPrimaryLessor: Unknown, "not a primary lessor";

    // Watches.

    /// The watcher is gone.
    WatchCanceled: Canceled, "etcdserver: watch canceled";
    /// The id of the watcher is in use on this stream. Only watchers are cancelled with this; no call returns it (`mvcc/watcher.go`).
    WatchDuplicateId: Unknown, "mvcc: duplicate watch ID provided on the WatchStream";
    /// The range of the watcher contains no key. Only watchers are cancelled with this; no call returns it (`mvcc/watcher.go`).
    WatchEmptyRange: Unknown, "mvcc: watcher range is empty";

    // Membership.

    /// A new member got the id of an existing one.
    MemberExists: FailedPrecondition, "etcdserver: member ID already exist";
    /// Another member has one of the peer URLs.
    PeerUrlExists: FailedPrecondition, "etcdserver: Peer URLs already exists";
    /// After the change fewer than a quorum would have been started. See [`code`](Error::code).
    NotEnoughStartedMembers: Unknown, "etcdserver: re-configuration failed due to not enough started members";
    /// An invalid peer URL.
    MemberBadUrls: InvalidArgument, "etcdserver: given member URLs are invalid";
    /// There is no such member, or it was removed.
    MemberNotFound: NotFound, "etcdserver: member not found";
    /// A promotion of a member that is a voter already.
    MemberNotLearner: FailedPrecondition, "etcdserver: can only promote a learner member";
    /// A promotion of a learner that has less than nine tenths of the leader's log.
    LearnerNotReady: FailedPrecondition, "etcdserver: can only promote a learner member which is in sync with leader";
    /// There is a learner already, and only one is allowed.
    TooManyLearners: FailedPrecondition, "etcdserver: too many learner members in cluster";
    /// A peer that belongs to another cluster.
    ClusterIdMismatch: FailedPrecondition, "etcdserver: cluster ID mismatch";
    /// This member is connected to so few others that a change of the membership could cost the quorum.
    Unhealthy: Unavailable, "etcdserver: unhealthy cluster";

    // The state of the member and of the cluster.

    /// This member knows of no leader.
    NoLeader: Unavailable, "etcdserver: no leader";
    /// Only the leader can do this.
    NotLeader: FailedPrecondition, "etcdserver: not leader";
    /// The leader changed while a linearizable read waited.
    LeaderChanged: Unavailable, "etcdserver: leader changed";
    /// Leadership was to be transferred to a member that is no voter.
    BadLeaderTransferee: FailedPrecondition, "etcdserver: bad leader transferee";
    /// The cluster version is too old for this call.
    NotCapable: FailedPrecondition (Unavailable in 3.4), "etcdserver: not capable";
    /// A learner answers serializable ranges and its status, nothing else.
    NotSupportedForLearner: FailedPrecondition (Unavailable in 3.4), "etcdserver: rpc not supported for learner";
    /// The member is about to stop.
    Stopped: Unavailable, "etcdserver: server stopped";
    /// The alarm CORRUPT is on.
    Corrupt: DataLoss, "etcdserver: corrupt cluster";

    /// Raft dropped the proposal, for example during a transfer of leadership (`raft.go`). `togRPCError` does not map it to a code.
    ProposalDropped: Unknown, "raft proposal dropped";
    /// Raft stopped while the proposal was in flight. It may still take effect (`node.go`). `togRPCError` does not map it to a code.
    RaftStopped: Unknown, "raft: stopped";

    // Timeouts. The request may have taken effect, or may still do so.

    /// The member's own timeout, if it knows no reason.
    Timeout: Unavailable, "etcdserver: request timed out";
    /// The member's own timeout, for a request that began shortly before the current leader was elected.
    TimeoutDueToLeaderFail: Unavailable, "etcdserver: request timed out, possibly due to previous leader failure";
    /// The member's own timeout, after the member lost its leader, or the leader its quorum.
    TimeoutDueToConnectionLost: Unavailable, "etcdserver: request timed out, possibly due to connection lost";
    /// The leader confirmed the index of a linearizable read, but this member lags too far behind that index.
    TimeoutWaitAppliedIndex: Unavailable, "etcdserver: request timed out, waiting for the applied index took too long";
    /// The member that leadership was transferred to did not become leader. `togRPCError` does not map it to a code.
    TimeoutLeaderTransfer: Unknown, "etcdserver: request timed out, leader transfer took too long";
    /// The deadline of the call has passed, as etcd 3.6 reports it.
    DeadlineExceeded: DeadlineExceeded, "etcdserver: context deadline exceeded";
    /// The deadline of the call has passed, in Go's words. Reported by 3.5, by a client for its own deadline, and by 3.4 for a proposal without a leader
    /// (there with the code `Unknown`).
    ContextDeadlineExceeded: DeadlineExceeded (Unknown in 3.4), "context deadline exceeded";
    /// The client cancelled the call, as 3.6 reports it.
    Canceled: Canceled, "etcdserver: request canceled";
    /// The client cancelled the call, in Go's words.
    ContextCanceled: Canceled, "context canceled";

    // Users and roles.

    /// Auth cannot be enabled without the user `root`.
    RootUserNotExist: FailedPrecondition, "etcdserver: root user does not exist";
    /// Auth cannot be enabled while `root` does not have the role `root`.
    RootRoleNotExist: FailedPrecondition, "etcdserver: root user does not have root role";
    /// The user exists.
    UserAlreadyExists: FailedPrecondition, "etcdserver: user name already exists";
    /// A user without a name, or a call without a token while auth is enabled.
    UserEmpty: InvalidArgument, "etcdserver: user name is empty";
    /// There is no such user.
    UserNotFound: FailedPrecondition, "etcdserver: user name not found";
    /// The role exists.
    RoleAlreadyExists: FailedPrecondition, "etcdserver: role name already exists";
    /// There is no such role.
    RoleNotFound: FailedPrecondition, "etcdserver: role name not found";
    /// A role without a name.
    RoleEmpty: InvalidArgument, "etcdserver: role name is empty";
    /// The user does not exist or the password is wrong.
    AuthFailed: InvalidArgument, "etcdserver: authentication failed, invalid user ID or password";
    /// The user has no password, and was given one. etcd has no code for it.
    NoPasswordUser: Unknown, "auth: authentication failed, password was given for no password user";
    /// A request to grant a permission, without the permission. Since 3.5.
    PermissionNotGiven: InvalidArgument, "etcdserver: permission not given";
    /// The user may not do this. Watchers are cancelled with this, too.
    PermissionDenied: PermissionDenied, "etcdserver: permission denied";
    /// The user does not have the role.
    RoleNotGranted: FailedPrecondition, "etcdserver: role is not granted to the user";
    /// The role does not have the permission.
    PermissionNotGranted: FailedPrecondition, "etcdserver: permission is not granted to the role";
    /// The call is possible only while auth is enabled.
    AuthNotEnabled: FailedPrecondition, "etcdserver: authentication is not enabled";
    /// The token is unknown or expired.
    InvalidAuthToken: Unauthenticated, "etcdserver: invalid auth token";
    /// The change would remove the user `root` or its role.
    InvalidAuthManagement: InvalidArgument, "etcdserver: invalid auth management";
    /// Users or roles changed after the token was made.
    AuthOldRevision: InvalidArgument, "etcdserver: revision of auth store is old";

    // Downgrades; all since 3.5.

    /// The target of the downgrade is not a version.
    WrongDowngradeVersionFormat: InvalidArgument, "etcdserver: wrong downgrade target version format";
    /// The target of the downgrade is not one minor version below the cluster's.
    InvalidDowngradeTargetVersion: InvalidArgument, "etcdserver: invalid downgrade target version";
    /// The cluster has no version yet.
    ClusterVersionUnavailable: FailedPrecondition, "etcdserver: cluster version not found during downgrade";
    /// A downgrade is in progress already.
    DowngradeInProcess: FailedPrecondition, "etcdserver: cluster has a downgrade job in progress";
    /// The request names no known action.
    UnknownMethod: Unknown, "etcdserver: unknown method";
    /// There is no downgrade to cancel.
    NoInflightDowngrade: FailedPrecondition, "etcdserver: no inflight downgrade job";

    // Locks and elections. Their services return errors of etcd's Go client (`client/v3/concurrency`, `v3election`).

    /// The lease of the session ended before the session got the lock.
    SessionExpired: Unknown, "mutex: session is expired";
    /// Another session has the lock.
    Locked: Unknown, "mutex: Locked by another session";
    /// The caller does not lead.
    ElectionNotLeader: Unknown, "election: not leader";
    /// There is no leader.
    ElectionNoLeader: Unknown, "election: no leader";
    /// The call lacks the field `leader`, which proves that the caller leads.
    MissingLeaderKey: Unknown, "\"leader\" field must be provided";
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

impl std::error::Error for Error {}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = Error;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the text of an error of etcd")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Error, E> {
                Error::from_text(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_one_error() {
        for &error in Error::ALL {
            assert_eq!(Error::from_text(error.text()), Some(error), "{error:?} shares its text with another");
            assert_ne!(error.code(), Code::Ok);
            let json = serde_json::to_value(error).unwrap();
            assert_eq!(json, error.to_string());
            assert_eq!(serde_json::from_value::<Error>(json).unwrap(), error);
        }
        assert_eq!(Error::from_text("key is not provided"), None);
        assert!(serde_json::from_str::<Error>("\"etcdserver: no such thing\"").is_err());
    }

    #[test]
    fn locks_and_elections_have_no_codes() {
        let lock = api_method("Lock");
        assert_eq!(Error::LeaseNotFound.code_of(lock), Code::Unknown);
        assert_eq!(Error::LeaseNotFound.code_of(api_method("LeaseRevoke")), Code::NotFound);
        assert_eq!(Error::LeaseNotFound.code_of(api_method("Campaign")), Code::Unknown);
    }

    fn api_method(rpc: &str) -> &'static str {
        let nth = crate::Request::RPC_NAMES.iter().position(|name| *name == rpc).unwrap();
        crate::Request::METHODS[nth]
    }

    #[test]
    fn codes_that_another_version_or_the_quirk_changes() {
        for (error, code, code_in_3_4) in [
            (Error::Compacted, Code::OutOfRange, Code::OutOfRange),
            (Error::TooManyRequests, Code::Unknown, Code::Unknown),
            (Error::NotEnoughStartedMembers, Code::Unknown, Code::Unknown),
            (Error::NotCapable, Code::FailedPrecondition, Code::Unavailable),
            (Error::NotSupportedForLearner, Code::FailedPrecondition, Code::Unavailable),
            (Error::ContextDeadlineExceeded, Code::DeadlineExceeded, Code::Unknown),
        ] {
            assert_eq!((error.code(), error.code_in_3_4()), (code, code_in_3_4), "{error:?}");
        }
    }
}
