//! N1: requests that are refused whatever the state is, because of their form or their size.

use api::etcdserverpb::RangeRequest;
use api::etcdserverpb::downgrade_request::DowngradeAction;
use api::etcdserverpb::range_request::{SortOrder, SortTarget};
use api::{Error, Part, Request};
use record::{Operation, Outcome};

use super::{Limits, ended, ended_so, violation};
use crate::model::alarm::takes_space;
use crate::{Context, Oracle, Sheet, definite, model};

/// How much longer than the request its entry in the log can be, besides the name of its user: numbers and lengths.
const ENVELOPE_MAX: u64 = 256;

/// Why a request must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Must {
    error: Error,
    stage: Stage,
}

/// When a member finds the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// On receipt, before it looks at anything else.
    Receipt,
    /// When it would put the request into its log.
    Log,
    /// When it serves the request, after it has looked at the caller's rights.
    Service,
}

/// Judges, for N1, the requests that must be refused by their form or size.
pub(super) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    let limits = context.expectations.limits.as_ref();
    let (mut by_form, mut by_size) = (0, 0);
    for (number, operation) in ended(context) {
        let Some(must) = must_be_refused(operation, limits) else { continue };
        *(if must.error == Error::RequestTooLarge { &mut by_size } else { &mut by_form }) += 1;
        let title = match operation.outcome {
            Outcome::Error { error, .. } if error == must.error => continue,
            Outcome::Error { error, .. } if may_come_before(operation, error, must.stage, context) => {
                continue;
            }
            Outcome::Error { .. } => "a request that must be refused is refused by another error",
            _ => "a request that must be refused is answered",
        };
        let sentence = format!(
            "{}, where etcd refuses it with \"{}\" whatever the state is.",
            ended_so(operation),
            must.error
        );
        sheet.add(violation(Oracle::N1, number, operation, title, sentence));
    }
    sheet.checked(Oracle::N1, "requests that are refused by their form", by_form);
    sheet.checked(Oracle::N1, "requests that are refused by their size", by_size);
}

/// Why this operation must be refused, if it must.
fn must_be_refused(operation: &Operation, limits: Option<&Limits>) -> Option<Must> {
    let must = |error, stage| Some(Must { error, stage });
    match &operation.request {
        Request::Range(range) if operation.streamed => {
            return stream_error(range).and_then(|error| must(error, Stage::Receipt));
        }
        Request::LeaseGrant(_) => {
            if let Err(error) = model::check(&operation.request) {
                return must(error, Stage::Service);
            }
        }
        Request::MemberAdd(add) if are_no_urls(&add.peer_urls) => {
            return must(Error::MemberBadUrls, Stage::Receipt);
        }
        Request::MemberUpdate(update) if are_no_urls(&update.peer_urls) => {
            return must(Error::MemberBadUrls, Stage::Service);
        }
        Request::Proclaim(proclaim) if proclaim.leader.is_none() => {
            return must(Error::MissingLeaderKey, Stage::Service);
        }
        Request::Resign(resign) if resign.leader.is_none() => {
            return must(Error::MissingLeaderKey, Stage::Service);
        }
        Request::RoleAdd(add) if add.name.is_empty() => return must(Error::RoleEmpty, Stage::Service),
        Request::UserAdd(add) if add.name.is_empty() => return must(Error::UserEmpty, Stage::Service),
        Request::RoleGrantPermission(grant) if grant.perm.is_none() => {
            return must(Error::PermissionNotGiven, Stage::Service);
        }
        Request::Downgrade(downgrade) => match DowngradeAction::try_from(downgrade.action) {
            Err(_) => return must(Error::UnknownMethod, Stage::Service),
            Ok(DowngradeAction::Validate | DowngradeAction::Enable) if !downgrade.version.contains('.') => {
                return must(Error::WrongDowngradeVersionFormat, Stage::Service);
            }
            Ok(_) => {}
        },
        request => {
            if let Err(error) = model::check(request) {
                return must(error, Stage::Receipt);
            }
        }
    }
    let largest = limits?.max_request_bytes;
    (goes_into_the_log(&operation.request) && size(&operation.request, largest) > largest)
        .then_some(Must { error: Error::RequestTooLarge, stage: Stage::Log })
}

/// Whether the operation may have been too large. The entry in the log has the request and a little more.
pub(super) fn may_be_too_large(operation: &Operation, limits: Option<&Limits>) -> bool {
    let Some(Limits { max_request_bytes: largest, .. }) = limits else { return true };
    let user = operation.user.as_deref().map_or(0, str::len) as u64;
    size(&operation.request, 0) + user + ENVELOPE_MAX > *largest
}

/// The error of a streamed range that is refused by its form.
fn stream_error(range: &RangeRequest) -> Option<Error> {
    if let Err(error) = model::check(&range.clone().into()) {
        return Some(error);
    }
    let by_key = range.sort_target() == SortTarget::Key;
    let bounds = [
        range.min_mod_revision,
        range.max_mod_revision,
        range.min_create_revision,
        range.max_create_revision,
    ];
    match range.sort_order() {
        SortOrder::None | SortOrder::Ascend if by_key => {
            bounds.iter().any(|bound| *bound != 0).then_some(Error::RangeStreamFilter)
        }
        _ => Some(Error::RangeStreamSort),
    }
}

/// Whether these are certainly no URLs of a member.
fn are_no_urls(urls: &[String]) -> bool {
    urls.is_empty() || urls.iter().any(|url| !url.contains("://"))
}

/// Whether a member puts the request into its log as it is.
fn goes_into_the_log(request: &Request) -> bool {
    match request {
        Request::Put(_) | Request::DeleteRange(_) => true,
        Request::Txn(txn) => !model::is_read_only(txn),
        _ => false,
    }
}

/// The size of a request in bytes. It is exact only if it may be more than `least`; otherwise it is less than that.
fn size(request: &Request, least: u64) -> u64 {
    let length = |part: Part<'_>| match part {
        Part::Put(put) => put.key.len() + put.value.len(),
        Part::Compare(compare) => compare.key.len() + compare.range_end.len(),
        Part::Range(range) => range.key.len() + range.range_end.len(),
        Part::DeleteRange(delete) => delete.key.len() + delete.range_end.len(),
    };
    // Whatever else is in a part is far shorter than this.
    const REST_MAX: u64 = 200;
    let estimate: u64 = request.parts().map(|part| length(part) as u64 + REST_MAX).sum();
    if estimate < least {
        return estimate.min(least);
    }
    let mut bytes = Vec::new();
    request.encode(&mut bytes);
    bytes.len() as u64
}

/// Whether a member may have found another reason to refuse the operation first.
fn may_come_before(operation: &Operation, error: Error, stage: Stage, context: &Context<'_>) -> bool {
    let always = matches!(error, Error::Stopped | Error::NoLeader | Error::NotSupportedForLearner)
        || operation.streamed && error == Error::NoRangeStream
        // etcd looks at the quota before it looks at the form.
        || error == Error::NoSpace && context.expectations.quota && takes_space(&operation.request);
    match stage {
        Stage::Receipt => always,
        Stage::Log => always || matches!(error, Error::TooManyRequests | Error::InvalidAuthToken),
        Stage::Service => always || !definite::is_definite(error) || is_of_the_caller(error),
    }
}

/// Whether the error is about the caller, the cluster as a whole, or the version of etcd.
fn is_of_the_caller(error: Error) -> bool {
    matches!(
        error,
        Error::UserEmpty
            | Error::UserNotFound
            | Error::PermissionDenied
            | Error::InvalidAuthToken
            | Error::AuthOldRevision
            | Error::TooManyRequests
            | Error::Corrupt
            | Error::NotCapable
    )
}
