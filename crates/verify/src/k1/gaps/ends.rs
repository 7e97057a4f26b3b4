//! The earliest moment at which a lease can have expired, by its grants and keep-alives and the rate of the fastest
//! clock.
//!
//! A lease id can be granted again after the lease has ended, so one id may have several grants.

use std::collections::BTreeMap;

use api::{Request, Response};
use record::{History, Nanos, Outcome};

use crate::answer;
use crate::clocks::of_lease;
use crate::definite::is_definite;
use crate::model::MIN_LEASE_TTL;

/// A grant, and how long its lease was kept alive.
#[derive(Clone, Copy, Debug)]
struct Grant {
    /// The revision in the header of the answer; 0 without an answer.
    revision: i64,
    call: Nanos,
    /// The time to live in seconds; 0 if the recorder did not keep it.
    ttl: i64,
    /// The call of the last keep-alive that was confirmed before the lease was granted again.
    renewed: Nanos,
}

/// All grants, by lease id.
#[derive(Debug, Default)]
pub struct Ends {
    grants: BTreeMap<i64, Vec<Grant>>,
    /// The rate of the fastest clock, in millionths of true time.
    fastest: u32,
}

impl Ends {
    /// Collects all grants and renewals. `fastest` is the rate of the fastest clock of any member.
    pub fn of(history: &History, fastest: u32) -> Ends {
        let mut ends = Ends { grants: BTreeMap::new(), fastest };
        for operation in &history.operations {
            let Request::LeaseGrant(grant) = &operation.request else { continue };
            let (id, ttl, revision) = match &operation.outcome {
                Outcome::Answer { response: Response::LeaseGrant(answer), .. } => {
                    (answer.id, answer.ttl, answer::revision(answer.header.as_ref()))
                }
                Outcome::Error { error, .. } if is_definite(*error) => continue,
                _ => (grant.id, grant.ttl.max(MIN_LEASE_TTL), 0),
            };
            let renewed = operation.call;
            let grant = Grant { revision, call: operation.call, ttl, renewed };
            ends.grants.entry(id).or_default().push(grant);
        }
        for operation in &history.operations {
            if let (Request::LeaseKeepAlive(request), Outcome::Answer { at, response }) =
                (&operation.request, &operation.outcome)
                && matches!(response, Response::LeaseKeepAlive(answer) if answer.ttl > 0)
                && let Some(grants) = ends.grants.get_mut(&request.id)
            {
                let after = grants.partition_point(|grant| grant.call <= *at);
                if let Some(grant) = grants[..after].last_mut() {
                    grant.renewed = grant.renewed.max(operation.call);
                }
            }
        }
        ends
    }

    /// The earliest moment at which a lease can have run out, by the grant that was valid before this revision; 0 if
    /// no such grant is known.
    pub fn earliest(&self, id: i64, revision: i64) -> Nanos {
        let grants = self.grants.get(&id).map_or(&[][..], |grants| &grants[..]);
        let Some(grant) = grants.iter().rfind(|grant| grant.revision < revision) else { return 0 };
        grant.renewed.saturating_add(of_lease(grant.ttl, self.fastest))
    }
}
