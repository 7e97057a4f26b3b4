//! N1: which requests can earn which error. An error about something that the request does not have is wrong, whatever
//! the state is.

use api::{Error, Part, Request};
use record::{Nanos, Operation, Outcome};

use super::form::may_be_too_large;
use super::switches::Switches;
use super::{ended, ended_so, violation};
use crate::locks::is_service;
use crate::model::FIRST_REVISION;
use crate::{Context, Oracle, Sheet, model};

/// Judges, for N1, the errors of all operations.
pub(super) fn judge(context: &Context<'_>, switches: &Switches, sheet: &mut Sheet) {
    let begins = context.is_closed() && context.expectations.start_revision == FIRST_REVISION;
    let first_learner = first_learner(context);
    let mut errors = 0;
    for (number, operation) in ended(context) {
        let Outcome::Error { at, error } = operation.outcome else { continue };
        errors += 1;
        let reason = if !can_earn(operation, error, context) {
            "an error that no request of this form gets"
        } else if is_of_auth(operation, error) && begins && !switches.can_be_on(at) {
            "although nobody had asked for authentication to be enabled yet"
        } else if error == Error::NotSupportedForLearner
            && begins
            && first_learner.is_none_or(|first| at < first)
        {
            "although nobody had asked for a learner yet"
        } else {
            continue;
        };
        let title = "an error that the request cannot have earned";
        let sentence = format!("{}, {reason}.", ended_so(operation));
        sheet.add(violation(Oracle::N1, number, operation, title, sentence));
    }
    sheet.checked(Oracle::N1, "errors compared with their requests", errors);
}

/// When a learner was requested first.
fn first_learner(context: &Context<'_>) -> Option<Nanos> {
    let adds =
        |operation: &&Operation| matches!(&operation.request, Request::MemberAdd(add) if add.is_learner);
    context.history().operations.iter().find(adds).map(|operation| operation.call)
}

/// Whether the error says that authentication is on.
fn is_of_auth(operation: &Operation, error: Error) -> bool {
    match error {
        Error::PermissionDenied | Error::InvalidAuthToken | Error::AuthOldRevision => true,
        Error::UserEmpty => !matches!(operation.request, Request::UserAdd(_)),
        _ => false,
    }
}

/// Whether a request of this form can get this error.
fn can_earn(operation: &Operation, error: Error, context: &Context<'_>) -> bool {
    use Request::*;
    let request = &operation.request;
    let form = || model::check(request) == Err(error);
    let parts = |is_meant: fn(Part<'_>) -> bool| request.parts().any(is_meant);
    let of_service = is_service(request);
    let strict = || context.expectations.limits.as_ref().is_none_or(|limits| limits.strict_reconfig);
    match error {
        Error::EmptyKey => form() || of_service,
        Error::ValueProvided
        | Error::LeaseProvided
        | Error::TooManyOps
        | Error::DuplicateKey
        | Error::InvalidSortOption
        | Error::LeaseTtlTooLarge => form(),
        Error::KeyNotFound => {
            form() || parts(|part| matches!(part, Part::Put(put) if put.ignore_value || put.ignore_lease))
        }
        Error::NoRangeStream | Error::RangeStreamSort | Error::RangeStreamFilter => operation.streamed,
        Error::RequestTooLarge => may_be_too_large(operation, context.expectations.limits.as_ref()),
        Error::Compacted | Error::FutureRev => {
            // A wait for a lock or an election watches the key before its own.
            operation.streamed
                || of_service
                || matches!(request, Compact(_) | HashKv(_))
                || parts(|part| matches!(part, Part::Range(range) if range.revision != 0))
        }
        Error::LeaseNotFound => {
            of_service
                || matches!(request, LeaseRevoke(_))
                || parts(|part| matches!(part, Part::Put(put) if put.lease != 0))
        }
        Error::LeaseExists => of_service || matches!(request, LeaseGrant(grant) if grant.id != 0),
        Error::NotPrimaryLessor => matches!(request, LeaseKeepAlive(_) | LeaseTimeToLive(_)) || of_service,
        // Only watchers end with these.
        Error::WatchCanceled | Error::WatchDuplicateId | Error::WatchEmptyRange => false,
        // The history has several changes at once as a removal, because etcd's API has no request for them.
        Error::MemberExists => matches!(request, MemberAdd(_) | MemberRemove(_)),
        Error::PeerUrlExists => matches!(request, MemberAdd(_) | MemberUpdate(_) | MemberRemove(_)),
        Error::MemberBadUrls => matches!(request, MemberAdd(_) | MemberUpdate(_)),
        Error::NotEnoughStartedMembers => {
            strict() && matches!(request, MemberAdd(_) | MemberRemove(_) | MemberPromote(_))
        }
        Error::Unhealthy => strict() && matches!(request, MemberAdd(_) | MemberRemove(_)),
        Error::MemberNotFound => {
            matches!(request, MemberAdd(_) | MemberRemove(_) | MemberUpdate(_) | MemberPromote(_))
        }
        Error::MemberNotLearner | Error::LearnerNotReady => matches!(request, MemberPromote(_)),
        Error::TooManyLearners => matches!(request, MemberAdd(add) if add.is_learner),
        // Peers, not clients, get it.
        Error::ClusterIdMismatch => false,
        Error::NotLeader | Error::BadLeaderTransferee | Error::TimeoutLeaderTransfer => {
            matches!(request, MoveLeader(_))
        }
        Error::RootUserNotExist | Error::RootRoleNotExist => matches!(request, AuthEnable(_)),
        Error::UserAlreadyExists => matches!(request, UserAdd(_)),
        Error::RoleAlreadyExists => matches!(request, RoleAdd(_)),
        Error::RoleNotFound => matches!(
            request,
            RoleGet(_) | RoleDelete(_) | RoleGrantPermission(_) | RoleRevokePermission(_) | UserGrantRole(_)
        ),
        Error::RoleEmpty => matches!(request, RoleAdd(_)),
        Error::AuthFailed | Error::NoPasswordUser => matches!(request, Authenticate(_)),
        Error::PermissionNotGiven => matches!(request, RoleGrantPermission(_)),
        Error::RoleNotGranted => matches!(request, UserRevokeRole(_)),
        Error::PermissionNotGranted => matches!(request, RoleRevokePermission(_)),
        Error::AuthNotEnabled => matches!(request, Authenticate(_)),
        // A login carries no token, and without a token none can be too old.
        Error::InvalidAuthToken | Error::AuthOldRevision => operation.user.is_some(),
        Error::InvalidAuthManagement => {
            matches!(request, UserDelete(_) | RoleDelete(_) | UserRevokeRole(_) | RoleGrantPermission(_))
        }
        Error::WrongDowngradeVersionFormat
        | Error::InvalidDowngradeTargetVersion
        | Error::ClusterVersionUnavailable
        | Error::DowngradeInProcess
        | Error::UnknownMethod
        | Error::NoInflightDowngrade => matches!(request, Downgrade(_)),
        Error::SessionExpired => matches!(request, Lock(_) | Campaign(_)),
        Error::Locked => matches!(request, Lock(_)),
        // A campaign that goes on with another value proclaims it.
        Error::ElectionNotLeader => matches!(request, Campaign(_) | Proclaim(_) | Resign(_)),
        Error::ElectionNoLeader => matches!(request, Leader(_)),
        Error::MissingLeaderKey => matches!(request, Proclaim(_) | Resign(_)),
        // Rights, space, load and time: these errors depend on more than the request.
        Error::UserEmpty
        | Error::UserNotFound
        | Error::PermissionDenied
        | Error::InvalidClientApiVersion
        | Error::NoSpace
        | Error::TooManyRequests
        | Error::Corrupt
        | Error::NotCapable
        | Error::NotSupportedForLearner
        | Error::NoLeader
        | Error::LeaderChanged
        | Error::Stopped
        | Error::ProposalDropped
        | Error::RaftStopped
        | Error::Timeout
        | Error::TimeoutDueToLeaderFail
        | Error::TimeoutDueToConnectionLost
        | Error::TimeoutWaitAppliedIndex
        | Error::DeadlineExceeded
        | Error::ContextDeadlineExceeded
        | Error::Canceled
        | Error::ContextCanceled => true,
    }
}
