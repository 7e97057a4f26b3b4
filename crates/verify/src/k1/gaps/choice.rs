//! The choices for one gap: everything that can have made a given revision that no answer acknowledges.
//!
//! A choice is a write without an answer, a revocation of a lease (its answer does not say whether it removed keys),
//! the end of a lease, or a write of the lock and election services. Real time limits which of these are possible at
//! a revision.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use api::etcdserverpb::LeaseRevokeRequest;
use api::{Part, Request};
use bytes::Bytes;
use record::{History, Nanos};

use super::super::order::{NOBODY, Step};
use super::super::place::Position;
use super::super::realtime::Window;
use super::super::replay::Replay;
use super::ends::Ends;
use super::observations::Observations;
use super::services::{self, ServiceWrite};
use crate::definite::over_at;

/// What may have made a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An operation, by its number.
    Operation(u32),
    /// The end of this lease.
    Lease(i64),
    /// A write of a service, by its index.
    ServiceWrite(u32),
}

/// A source, with the keys that it may write.
#[derive(Clone, Debug)]
pub struct Choice {
    pub source: Source,
    /// Whether something speaks against the choice without excluding it: watchers received something else at that
    /// revision, or the lease had not run out by then.
    pub doubtful: bool,
    /// The keys that it may write.
    writes: Rc<[Span]>,
}

/// All sources of the history, with the positions and times that limit each.
pub struct Pool<'a> {
    history: &'a History,
    /// The writes without an answer, with the keys that each may write.
    open: Vec<(Window, Rc<[Span]>)>,
    /// The possible writes of the services, each with its lowest position and the keys that it may write.
    service_writes: Vec<(ServiceWrite, Position, Rc<[Span]>)>,
    /// Acknowledged revocations, by the revision of the answer.
    revoked: BTreeMap<i64, Vec<u32>>,
    /// When each lease can have run out.
    ends: Ends,
    /// For each position of an answered operation: the earliest return of an operation at that position or later. By
    /// then, every revision up to the position was made.
    latest: Vec<(Position, Nanos)>,
    /// For each acknowledged revision: the latest call of a write that made it or an earlier one. No later revision was
    /// made before that call.
    earliest: Vec<(Position, Nanos)>,
    /// Whether `service_writes` has all writes of the services.
    pub all_service_writes: bool,
}

impl<'a> Pool<'a> {
    pub fn new(history: &'a History, steps: &[Step], open: &[Window], fastest: u32) -> Pool<'a> {
        // A compaction or a grant makes no revision. Besides, the replay's model must not be compacted.
        let writes = |window: &&Window| {
            let request = &history.operations[window.operation as usize].request;
            !matches!(request, Request::Compact(_) | Request::LeaseGrant(_))
        };
        let (found, all_service_writes) = services::service_writes(history);
        let floors = floors(history, steps);
        let service_writes = found.into_iter().map(|write| {
            let call = history.operations[write.operation as usize].call;
            let writes = Span::written(&write.request);
            (write, floor(&floors, call), writes)
        });
        let mut revoked: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for step in steps.iter().filter(|step| step.operation != NOBODY) {
            let operation = &history.operations[step.operation as usize];
            if matches!(operation.request, Request::LeaseRevoke(_)) && !step.position.makes_revision() {
                revoked.entry(step.position.revision()).or_default().push(step.operation);
            }
        }
        Pool {
            history,
            open: open
                .iter()
                .filter(writes)
                .map(|window| {
                    (*window, Span::written(&history.operations[window.operation as usize].request))
                })
                .collect(),
            service_writes: service_writes.collect(),
            revoked,
            ends: Ends::of(history, fastest),
            latest: latest(history, steps),
            earliest: earliest(history, steps),
            all_service_writes,
        }
    }

    /// How many revisions the sources can make at most, without the ends of leases.
    pub fn len(&self) -> usize {
        self.open.len() + self.service_writes.len()
    }

    /// The lowest revision above this one that the answer to a revocation or to a service call names.
    pub fn next_known(&self, revision: i64) -> Option<i64> {
        let writers = self.service_writes.iter().filter_map(|(write, ..)| write.revision);
        let revoked = self.revoked.range(revision + 1..).next().map(|(known, _)| *known);
        writers.filter(|known| *known > revision).chain(revoked).min()
    }

    /// The latest moment at which a revision can have been made.
    pub fn latest(&self, revision: i64) -> Nanos {
        let at = self.latest.partition_point(|(position, _)| *position < Position::making(revision));
        self.latest.get(at).map_or(Nanos::MAX, |(_, time)| *time)
    }

    /// The earliest moment at which a lease can have run out, by the grant that was valid before this revision.
    pub fn earliest_end(&self, lease: i64, revision: i64) -> Nanos {
        self.ends.earliest(lease, revision)
    }

    /// The request that a source executes.
    pub fn request(&self, source: Source) -> Cow<'_, Request> {
        match source {
            Source::Operation(number) => Cow::Borrowed(&self.history.operations[number as usize].request),
            Source::Lease(id) => Cow::Owned(LeaseRevokeRequest { id }.into()),
            Source::ServiceWrite(index) => Cow::Borrowed(&self.service_writes[index as usize].0.request),
        }
    }

    /// When a client made the call that led to it; 0 for the end of a lease.
    pub fn call(&self, source: Source) -> Nanos {
        let operation = match source {
            Source::Operation(number) => number,
            Source::Lease(_) => return 0,
            Source::ServiceWrite(index) => self.service_writes[index as usize].0.operation,
        };
        self.history.operations[operation as usize].call
    }

    /// Every source that real time allows for this revision, the likely ones first. The replay's model must be at the
    /// revision before.
    pub fn choices(
        &self,
        revision: i64,
        replay: &Replay<'_>,
        observations: &Observations<'_>,
    ) -> Vec<Choice> {
        let making = Position::making(revision);
        let mut found = Vec::new();
        let mut add = |source: Source, writes: Rc<[Span]>, early: bool| {
            let misfits = observations.misfits(&self.request(source), self.call(source), revision);
            found.push((misfits, Choice { source, doubtful: early || misfits > 0, writes }));
        };
        let of_lease = |id: i64| -> Rc<[Span]> {
            replay.model.lease_keys(id).into_iter().map(|key| Span(key, Bytes::new())).collect()
        };
        let of_operation =
            |number: u32, writes: &Rc<[Span]>| match &self.history.operations[number as usize].request {
                Request::LeaseRevoke(revoke) => of_lease(revoke.id),
                _ => writes.clone(),
            };
        for number in self.revoked.get(&revision).into_iter().flatten() {
            add(Source::Operation(*number), of_operation(*number, &Rc::from([])), false);
        }
        for (window, writes) in self.open.iter().filter(|(window, _)| window.floor.position < making) {
            add(Source::Operation(window.operation), of_operation(window.operation, writes), false);
        }
        let latest = self.latest(revision);
        for (index, (write, floor, writes)) in (0..).zip(&self.service_writes) {
            let operation = &self.history.operations[write.operation as usize];
            // If the service's call was over before the write of an earlier revision was even called, it cannot have
            // made this revision.
            let answered = over_at(operation).filter(|_| !write.lasts);
            let over = answered.is_some_and(|at| self.earliest(revision) > at);
            if *floor < making && write.revision.is_none_or(|made| made == revision) && !over {
                add(Source::ServiceWrite(index), writes.clone(), false);
            }
        }
        for id in replay.model.leases_with_keys() {
            let early = self.earliest_end(id, revision) > latest;
            add(Source::Lease(id), of_lease(id), early);
        }
        // The latest calls come first, because a write without an answer seldom takes effect much later. The ends of
        // leases come last.
        found.sort_by_key(|(misfits, choice)| {
            let late = matches!(choice.source, Source::Lease(_));
            (*misfits, late, std::cmp::Reverse(self.call(choice.source)))
        });
        found.into_iter().map(|(_, choice)| choice).collect()
    }

    /// The earliest moment at which the revision can have been made: the last call of a write that made an earlier
    /// one.
    fn earliest(&self, revision: i64) -> Nanos {
        let before = self.earliest.partition_point(|(position, _)| *position < Position::making(revision));
        before.checked_sub(1).map_or(0, |last| self.earliest[last].1)
    }
}

impl Choice {
    /// Whether it may write a key of one of these spans.
    pub fn touches(&self, spans: &[Span]) -> bool {
        self.writes.iter().any(|written| spans.iter().any(|span| span.overlaps(written)))
    }
}

/// A range of keys, as in a request: first key and range end.
#[derive(Clone, Debug)]
pub struct Span(pub Bytes, pub Bytes);

impl Span {
    /// The keys that a request reads or writes.
    pub fn of(request: &Request) -> Vec<Span> {
        let span = |part: Part<'_>| match part {
            Part::Compare(compare) => Span(compare.key.clone(), compare.range_end.clone()),
            Part::Range(range) => Span(range.key.clone(), range.range_end.clone()),
            Part::Put(put) => Span(put.key.clone(), Bytes::new()),
            Part::DeleteRange(delete) => Span(delete.key.clone(), delete.range_end.clone()),
        };
        request.parts().map(span).collect()
    }

    /// The keys that a request may write.
    fn written(request: &Request) -> Rc<[Span]> {
        let span = |part: Part<'_>| match part {
            Part::Put(put) => Some(Span(put.key.clone(), Bytes::new())),
            Part::DeleteRange(delete) => Some(Span(delete.key.clone(), delete.range_end.clone())),
            _ => None,
        };
        request.parts().filter_map(span).collect()
    }

    /// Whether a key is in both ranges.
    fn overlaps(&self, other: &Span) -> bool {
        let (key, end) = (&other.0[..], &other.1[..]);
        let below = |key: &[u8], (from, end): (&[u8], &[u8])| match end {
            [] => key <= from,
            [0] => true,
            end => key < end,
        };
        below(&self.0, (key, end)) && below(key, (&self.0, &self.1))
    }
}

/// For each return, in the order of time, the highest position of the operations that had returned by then.
fn floors(history: &History, steps: &[Step]) -> Vec<(Nanos, Position)> {
    let mut returns: Vec<(Nanos, Position)> = Vec::new();
    for step in steps.iter().filter(|step| step.operation != NOBODY) {
        if let Some(at) = over_at(&history.operations[step.operation as usize]) {
            returns.push((at, step.position));
        }
    }
    returns.sort_unstable();
    let mut highest = Position::START;
    for (_, position) in &mut returns {
        highest = highest.max(*position);
        *position = highest;
    }
    returns
}

/// The lowest position that an operation called at `call` can have.
fn floor(floors: &[(Nanos, Position)], call: Nanos) -> Position {
    let before = floors.partition_point(|(at, _)| *at < call);
    before.checked_sub(1).map_or(Position::START, |last| floors[last].1)
}

/// Computes the field `latest` of [`Pool`].
fn latest(history: &History, steps: &[Step]) -> Vec<(Position, Nanos)> {
    let mut found: Vec<(Position, Nanos)> = Vec::new();
    let mut first = Nanos::MAX;
    for step in steps.iter().rev().filter(|step| step.operation != NOBODY) {
        if let Some(at) = over_at(&history.operations[step.operation as usize]) {
            first = first.min(at);
            found.push((step.position, first));
        }
    }
    found.reverse();
    found
}

/// Computes the field `earliest` of [`Pool`].
fn earliest(history: &History, steps: &[Step]) -> Vec<(Position, Nanos)> {
    let mut found: Vec<(Position, Nanos)> = Vec::new();
    let mut last = 0;
    let making = |step: &&Step| step.operation != NOBODY && step.position.makes_revision();
    for step in steps.iter().filter(making) {
        last = last.max(history.operations[step.operation as usize].call);
        found.push((step.position, last));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_overlap_if_a_key_is_in_both() {
        let span = |key: &'static [u8], end: &'static [u8]| Span(key.into(), end.into());
        let overlap = |one: &Span, other: &Span| {
            assert_eq!(one.overlaps(other), other.overlaps(one));
            one.overlaps(other)
        };
        let (from_a_to_c, c) = (span(b"a", b"c"), span(b"c", b""));
        assert!(overlap(&from_a_to_c, &span(b"b", b"")) && overlap(&c, &c));
        assert!(!overlap(&from_a_to_c, &c) && !overlap(&from_a_to_c, &span(b"c", b"d")));
        assert!(overlap(&c, &span(b"a", b"\0")) && !overlap(&c, &span(b"d", b"\0")));
        assert!(overlap(&span(b"b", b"d"), &from_a_to_c) && !overlap(&c, &span(b"d", b"")));
    }
}
