//! The lifetime of every lease, by the evidence (the entries that the members applied): what granted, renewed and
//! ended it.
//!
//! Times are those of the first member that applied the entry: no member can have acted on the entry earlier.

use std::collections::BTreeMap;

use api::etcdserverpb::LeaseGrantRequest;
use api::{Error, Request, Response};
use record::{Applied, History, Nanos, Operation, Outcome};

use crate::definite::is_definite;
use crate::model::alarm::Alarms;
use crate::model::{MAX_LEASE_TTL, MIN_LEASE_TTL};

/// How long a keep-alive takes at least if a member asked the leader twice for it: half of the 200 ms after which our
/// members do, because their clocks may be fast. Each copy renews the lease, and one may wait at a former leader that
/// stands still.
const ASKED_TWICE: Nanos = 100_000_000;

/// One lease from its grant to its end. An id can have several, one after another.
#[derive(Clone, Debug)]
pub struct Lifetime {
    /// The time to live in seconds, as granted.
    pub ttl: i64,
    /// The index of the grant in the evidence, counted from 1.
    pub rank: u32,
    /// When it was granted.
    pub granted: Nanos,
    /// Whether a member granted it for the lock or election service. The member may renew it, which no client sees.
    pub own: bool,
    /// Whether the grant may have been refused for lack of space, and got no answer.
    pub doubtful: bool,
    /// Its end, if it ended.
    pub end: Option<End>,
    /// Keep-alives that were answered with time left: call, return and number.
    pub renewals: Vec<(Nanos, Nanos, usize)>,
    /// The last moment at which an unanswered keep-alive can have renewed it, as far as clients know.
    pub maybe_renewed: Nanos,
    /// The last moment at which another copy of an answered keep-alive can have renewed it.
    pub renewed_by_copy: Nanos,
}

/// The end of a lifetime.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Its index in the evidence, counted from 1.
    pub rank: u32,
    /// When the first member applied it.
    pub time: Nanos,
    /// Whether the cluster ended it because it had expired.
    pub expired: bool,
}

/// The lifetimes of all leases.
#[derive(Debug, Default)]
pub struct Lifetimes {
    by_id: BTreeMap<i64, Vec<Lifetime>>,
    /// Grants whose id is in neither an answer nor the evidence.
    pub nameless: usize,
}

impl Lifetimes {
    /// The lifetimes by the evidence and by the answers to keep-alives. A keep-alive without an answer may still renew
    /// the lease until `slack` after its client gave up; so may another copy of one whose answer took long.
    pub fn new(history: &History, applied: &[Applied], slack: Nanos) -> Lifetimes {
        let mut lifetimes = Lifetimes::default();
        let scarce = space_is_scarce(history, applied);
        let mut alarms = Alarms::default();
        for (rank, entry) in (1..).zip(applied) {
            let operation = entry.operation.and_then(|number| history.operations.get(number as usize));
            if operation.is_some_and(was_refused) {
                continue;
            }
            let own = entry.internal.as_deref();
            let Some(request) = operation.map(|operation| &operation.request).or(own) else { continue };
            match request {
                Request::Alarm(alarm) => drop(alarms.apply(alarm)),
                // It was applied and refused.
                request if alarms.check(request) == Err(Error::Corrupt) => {}
                Request::LeaseGrant(grant) => lifetimes.grant(grant, operation, entry, rank, scarce),
                Request::LeaseRevoke(revoke) => {
                    let end = End { rank, time: entry.time, expired: operation.is_none() };
                    lifetimes.end(revoke.id, end);
                }
                _ => {}
            }
        }
        lifetimes.take_renewals(history, slack);
        lifetimes
    }

    /// Adds a grant that was applied. `scarce` says whether a member may have been out of space at some time.
    fn grant(
        &mut self,
        grant: &LeaseGrantRequest,
        operation: Option<&Operation>,
        entry: &Applied,
        rank: u32,
        scarce: bool,
    ) {
        let answer = match operation.and_then(Operation::response) {
            Some(Response::LeaseGrant(answer)) => Some(answer),
            _ => None,
        };
        let proposed = match entry.internal.as_deref() {
            Some(Request::LeaseGrant(proposed)) => proposed.id,
            _ => 0,
        };
        let ids = [grant.id, answer.map_or(0, |answer| answer.id), proposed];
        let Some(id) = ids.into_iter().find(|id| *id != 0) else {
            self.nameless += 1;
            return;
        };
        let lifetimes = self.by_id.entry(id).or_default();
        let taken = lifetimes.last().is_some_and(|lifetime| lifetime.end.is_none() && !lifetime.doubtful);
        if taken || grant.ttl > MAX_LEASE_TTL {
            return;
        }
        lifetimes.push(Lifetime {
            ttl: answer.map_or(grant.ttl.max(MIN_LEASE_TTL), |answer| answer.ttl),
            rank,
            granted: entry.time,
            own: operation.is_none(),
            doubtful: scarce && answer.is_none(),
            end: None,
            renewals: Vec::new(),
            maybe_renewed: 0,
            renewed_by_copy: 0,
        });
    }

    /// Ends the current lifetime of a lease.
    fn end(&mut self, id: i64, end: End) {
        if let Some(lifetime) = self.by_id.get_mut(&id).and_then(|lifetimes| lifetimes.last_mut())
            && lifetime.end.is_none()
        {
            lifetime.end = Some(end);
        }
    }

    /// Adds the keep-alives to the lifetimes that they renewed.
    fn take_renewals(&mut self, history: &History, slack: Nanos) {
        for (number, operation) in history.operations.iter().enumerate() {
            let Request::LeaseKeepAlive(request) = &operation.request else { continue };
            let Some(lifetimes) = self.by_id.get_mut(&request.id) else { continue };
            let renewed = match &operation.outcome {
                Outcome::Answer { at, response: Response::LeaseKeepAlive(answer) } => {
                    (answer.ttl > 0).then_some((*at, true))
                }
                Outcome::Error { error, .. } if is_definite(*error) => None,
                Outcome::Answer { at, .. } | Outcome::Error { at, .. } => Some((at + slack, false)),
                Outcome::Unknown { gave_up } => Some((gave_up + slack, false)),
            };
            let Some((until, known)) = renewed else { continue };
            for lifetime in lifetimes.iter_mut().filter(|lifetime| lifetime.overlaps(operation.call, until)) {
                if known {
                    lifetime.renewals.push((operation.call, until, number));
                    if until - operation.call >= ASKED_TWICE {
                        lifetime.renewed_by_copy = lifetime.renewed_by_copy.max(until + slack);
                    }
                } else {
                    lifetime.maybe_renewed = lifetime.maybe_renewed.max(until);
                }
            }
        }
    }

    /// The lifetimes of a lease, in order.
    pub fn of(&self, id: i64) -> &[Lifetime] {
        self.by_id.get(&id).map_or(&[], |lifetimes| &lifetimes[..])
    }

    /// All lifetimes, by id.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &Lifetime)> {
        self.by_id.iter().flat_map(|(id, lifetimes)| lifetimes.iter().map(move |lifetime| (*id, lifetime)))
    }
}

impl Lifetime {
    /// The last moment at which it may have been granted or renewed.
    pub fn last_renewed(&self) -> Nanos {
        let renewed = self.renewals.iter().map(|(_, returned, _)| *returned).max().unwrap_or(0);
        self.granted.max(renewed).max(self.maybe_renewed)
    }

    /// Whether it existed at some moment of this time.
    pub fn overlaps(&self, from: Nanos, until: Nanos) -> bool {
        self.granted <= until && self.end.is_none_or(|end| end.time >= from)
    }

    /// Whether it certainly existed all this time.
    pub fn covers(&self, from: Nanos, until: Nanos) -> bool {
        !self.doubtful && self.granted < from && self.end.is_none_or(|end| end.time > until)
    }
}

/// Whether an error says that nothing happened.
fn was_refused(operation: &Operation) -> bool {
    matches!(operation.outcome, Outcome::Error { error, .. } if is_definite(error))
}

/// Whether a member may have been out of space at some time.
fn space_is_scarce(history: &History, applied: &[Applied]) -> bool {
    let says = |operation: &Operation| {
        matches!(operation.request, Request::Alarm(_))
            || matches!(operation.outcome, Outcome::Error { error: Error::NoSpace, .. })
    };
    let own = |entry: &Applied| matches!(entry.internal.as_deref(), Some(Request::Alarm(_)));
    history.operations.iter().any(says) || applied.iter().any(own)
}
