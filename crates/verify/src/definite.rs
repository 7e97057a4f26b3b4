//! Which errors mean that a request had no effect.
//!
//! They are an explicit list, [`DEFINITE`]. Every other error leaves the outcome unknown, and the operation may still
//! take effect at any later time; [`OPEN`] lists these, so that every error of etcd is in one of the two lists.

use api::{Error, Part, Request};
use record::{Nanos, Operation, Outcome};

/// Errors of requests that were refused before they were proposed, or when they were applied; in either case without
/// any effect.
pub const DEFINITE: &[Error] = &[
    // Because of the form of the request.
    Error::EmptyKey,
    Error::ValueProvided,
    Error::LeaseProvided,
    Error::TooManyOps,
    Error::DuplicateKey,
    Error::InvalidSortOption,
    Error::InvalidClientApiVersion,
    Error::NoRangeStream,
    Error::RangeStreamSort,
    Error::RangeStreamFilter,
    Error::RequestTooLarge,
    Error::LeaseTtlTooLarge,
    Error::MemberBadUrls,
    Error::RoleEmpty,
    Error::PermissionNotGiven,
    Error::WrongDowngradeVersionFormat,
    Error::UnknownMethod,
    Error::MissingLeaderKey,
    // Because of load, or the state of the member or the cluster; before it was proposed.
    Error::TooManyRequests,
    Error::NotCapable,
    Error::NotSupportedForLearner,
    Error::ClusterIdMismatch,
    Error::NotLeader,
    Error::NotPrimaryLessor,
    Error::BadLeaderTransferee,
    Error::Unhealthy,
    Error::NotEnoughStartedMembers,
    // Because of an alarm, when it was applied.
    Error::Corrupt,
    // Because of the replicated state: the error tells something about it.
    Error::KeyNotFound,
    Error::Compacted,
    Error::FutureRev,
    Error::LeaseNotFound,
    Error::LeaseExists,
    Error::WatchCanceled,
    Error::WatchDuplicateId,
    Error::WatchEmptyRange,
    Error::MemberExists,
    Error::PeerUrlExists,
    Error::MemberNotFound,
    Error::MemberNotLearner,
    Error::LearnerNotReady,
    Error::TooManyLearners,
    Error::RootUserNotExist,
    Error::RootRoleNotExist,
    Error::UserAlreadyExists,
    Error::UserNotFound,
    Error::RoleAlreadyExists,
    Error::RoleNotFound,
    Error::RoleNotGranted,
    Error::PermissionNotGranted,
    Error::AuthNotEnabled,
    Error::InvalidAuthManagement,
    Error::InvalidDowngradeTargetVersion,
    Error::ClusterVersionUnavailable,
    Error::DowngradeInProcess,
    Error::NoInflightDowngrade,
    // Because of the caller: a password, a token or rights.
    Error::AuthFailed,
    Error::NoPasswordUser,
    Error::PermissionDenied,
    Error::UserEmpty,
    Error::InvalidAuthToken,
    Error::AuthOldRevision,
];

/// Errors after which the request may have taken effect, or may still do so.
pub const OPEN: &[Error] = &[
    // Executed and *then* refused, while no alarm was on yet (`server/etcdserver/apply/quota.go`).
    Error::NoSpace,
    // The leader changed, the member stopped, or raft refused the proposal; an earlier copy of the proposal may still
    // be on its way.
    Error::NoLeader,
    Error::LeaderChanged,
    Error::Stopped,
    Error::ProposalDropped,
    Error::RaftStopped,
    // Timeouts and cancellations.
    Error::Timeout,
    Error::TimeoutDueToLeaderFail,
    Error::TimeoutDueToConnectionLost,
    Error::TimeoutWaitAppliedIndex,
    Error::TimeoutLeaderTransfer,
    Error::DeadlineExceeded,
    Error::ContextDeadlineExceeded,
    Error::Canceled,
    Error::ContextCanceled,
    // A service made leases and keys before it gave up.
    Error::SessionExpired,
    Error::Locked,
    Error::ElectionNotLeader,
    Error::ElectionNoLeader,
];

/// Whether the error means that nothing happened and nothing will.
pub fn is_definite(error: Error) -> bool {
    DEFINITE.contains(&error)
}

/// When the operation was certainly over: answered, or refused without effect. `None` if it may still take effect.
pub fn over_at(operation: &Operation) -> Option<Nanos> {
    match operation.outcome {
        Outcome::Answer { at, .. } => Some(at),
        Outcome::Error { at, error } if is_definite(error) => Some(at),
        Outcome::Error { .. } | Outcome::Unknown { .. } => None,
    }
}

/// Whether the sequential model can judge this error.
pub fn is_modelled(error: Error) -> bool {
    matches!(
        error,
        Error::EmptyKey
            | Error::ValueProvided
            | Error::LeaseProvided
            | Error::TooManyOps
            | Error::DuplicateKey
            | Error::InvalidSortOption
            | Error::LeaseTtlTooLarge
            | Error::KeyNotFound
            | Error::Compacted
            | Error::FutureRev
            | Error::LeaseNotFound
            | Error::LeaseExists
    )
}

/// Whether the model can judge this error if it knows users and their rights.
pub fn is_of_auth(error: Error) -> bool {
    matches!(
        error,
        Error::UserEmpty
            | Error::PermissionDenied
            | Error::RootUserNotExist
            | Error::RootRoleNotExist
            | Error::UserAlreadyExists
            | Error::UserNotFound
            | Error::RoleAlreadyExists
            | Error::RoleNotFound
            | Error::RoleEmpty
            | Error::AuthFailed
            | Error::NoPasswordUser
            | Error::PermissionNotGiven
            | Error::RoleNotGranted
            | Error::PermissionNotGranted
            | Error::AuthNotEnabled
            | Error::InvalidAuthManagement
    )
}

/// Whether both mean the same. For a deleted user, etcd may say that it does not exist or that it has no right.
pub fn is_same(one: Error, other: Error) -> bool {
    let said = |error| if error == Error::UserNotFound { Error::PermissionDenied } else { error };
    one == other || said(one) == said(other)
}

/// Whether the error may come instead of the expected one. If a put in a transaction has two mistakes, which one is
/// reported depends on etcd's version: 3.7 checks the lease first, 3.4 the key (both recorded). A history does not name
/// its version.
pub fn is_other_order(request: &Request, one: Error, other: Error) -> bool {
    let twice_wrong =
        |part| matches!(part, Part::Put(put) if put.lease != 0 && (put.ignore_value || put.ignore_lease));
    matches!(
        (one, other),
        (Error::KeyNotFound, Error::LeaseNotFound) | (Error::LeaseNotFound, Error::KeyNotFound)
    ) && matches!(request, Request::Txn(_))
        && request.parts().any(twice_wrong)
}

/// Whether a promotion may take effect although it was refused like this. A member forwards a promotion to the leader, and
/// to the next one if that loses its leadership (etcd, `promoteMember`). If the first one's proposal is applied, the next
/// one finds no learner. If it is not applied yet, the next one may not know how far the learner is.
pub(crate) fn leaves_promotion_open(error: Error) -> bool {
    matches!(error, Error::MemberNotLearner | Error::LearnerNotReady)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_was_thought_of() {
        for error in Error::ALL {
            assert_eq!(u8::from(DEFINITE.contains(error)) + u8::from(OPEN.contains(error)), 1, "{error:?}");
        }
    }

    #[test]
    fn an_error_is_open_unless_it_is_listed() {
        let open =
            [Error::NoSpace, Error::Timeout, Error::LeaderChanged, Error::Stopped, Error::ProposalDropped];
        assert!(open.into_iter().all(|error| !is_definite(error)));
        assert!(Error::ALL.iter().all(|error| !is_modelled(*error) || is_definite(*error)));
    }
}
