//! Which errors mean that nothing happened.
//!
//! An explicit list; every other error leaves the outcome open, and the operation may still take effect at any later
//! time. `NoSpace` is not on it: etcd carries a request out and *then* answers so (`server/etcdserver/apply/quota.go`).
//! Neither is any time-out, lost leader or stopped server.

use api::Error;
use record::{Nanos, Operation, Outcome};

/// Refused before it was proposed or as it was applied, in either case without any effect.
pub const DEFINITE: &[Error] = &[
    // By the form of the request.
    Error::EmptyKey,
    Error::ValueProvided,
    Error::LeaseProvided,
    Error::TooManyOps,
    Error::DuplicateKey,
    Error::InvalidSortOption,
    Error::InvalidClientApiVersion,
    Error::RequestTooLarge,
    Error::LeaseTtlTooLarge,
    // By the load; before it was proposed.
    Error::TooManyRequests,
    // By the state, which the error tells something of.
    Error::KeyNotFound,
    Error::Compacted,
    Error::FutureRev,
    Error::LeaseNotFound,
    Error::LeaseExists,
    // By who asks.
    Error::PermissionDenied,
    Error::UserEmpty,
    Error::InvalidAuthToken,
    Error::AuthOldRevision,
];

/// Whether the error means that nothing happened and nothing will.
pub fn is_definite(error: Error) -> bool {
    DEFINITE.contains(&error)
}

/// When the operation was surely over: answered, or refused for good. `None` while it may still take effect.
pub fn over_at(operation: &Operation) -> Option<Nanos> {
    match operation.outcome {
        Outcome::Answer { at, .. } => Some(at),
        Outcome::Error { at, error } if is_definite(error) => Some(at),
        Outcome::Error { .. } | Outcome::Unknown { .. } => None,
    }
}

/// Whether the sequential model can tell when this error is right.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_open_unless_it_is_listed() {
        let open =
            [Error::NoSpace, Error::Timeout, Error::LeaderChanged, Error::Stopped, Error::ProposalDropped];
        assert!(open.into_iter().all(|error| !is_definite(error)));
        assert!(Error::ALL.iter().all(|error| !is_modelled(*error) || is_definite(*error)));
    }
}
