//! What can have made a revision that no answer acknowledges: a write without an answer, a revocation whose answer does
//! not say whether it removed keys, the end of a lease, a write of the lock and election services.

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
use super::services::{self, Hidden};
use super::shown::Shown;
use crate::definite::over_at;

/// One of the writers that may have made a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An operation, by its number.
    Operation(u32),
    /// The end of this lease.
    Lease(i64),
    /// A write of a service, by its index.
    Hidden(u32),
}

/// A writer, with what it touches.
#[derive(Clone, Debug)]
pub struct Choice {
    pub source: Source,
    /// Whether what watchers received, or the time of the lease, speaks against it.
    pub doubtful: bool,
    /// What it may write.
    writes: Rc<[Span]>,
}

/// All that may have written.
pub struct Pool<'a> {
    history: &'a History,
    open: Vec<(Window, Rc<[Span]>)>,
    hidden: Vec<(Hidden, Position, Rc<[Span]>)>,
    /// Acknowledged revocations, by the revision of the answer.
    revoked: BTreeMap<i64, Vec<u32>>,
    ends: Ends,
    /// From each position on, when the first answer was there.
    latest: Vec<(Position, Nanos)>,
    /// Up to each making of a revision, when the last of the writes was called.
    earliest: Vec<(Position, Nanos)>,
    /// Whether the services wrote nothing else.
    pub all_hidden: bool,
}

impl<'a> Pool<'a> {
    pub fn new(history: &'a History, steps: &[Step], open: &[Window], fastest: u32) -> Pool<'a> {
        // A compaction makes no revision, and the replay's model must not be compacted.
        let writes = |window: &&Window| {
            let request = &history.operations[window.operation as usize].request;
            !matches!(request, Request::Compact(_) | Request::LeaseGrant(_))
        };
        let (found, all_hidden) = services::hidden(history);
        let floors = floors(history, steps);
        let hidden = found.into_iter().map(|hidden| {
            let call = history.operations[hidden.operation as usize].call;
            let writes = Span::written(&hidden.request);
            (hidden, floor(&floors, call), writes)
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
            hidden: hidden.collect(),
            revoked,
            ends: Ends::of(history, fastest),
            latest: latest(history, steps),
            earliest: earliest(history, steps),
            all_hidden,
        }
    }

    /// How many revisions the choices can make at most, without the ends of leases.
    pub fn len(&self) -> usize {
        self.open.len() + self.hidden.len()
    }

    /// The next revision after this one of which a writer is known.
    pub fn next_known(&self, revision: i64) -> Option<i64> {
        let hidden = self.hidden.iter().filter_map(|(hidden, ..)| hidden.revision);
        let revoked = self.revoked.range(revision + 1..).next().map(|(known, _)| *known);
        hidden.filter(|known| *known > revision).chain(revoked).min()
    }

    /// When a revision had been made at the latest.
    pub fn latest(&self, revision: i64) -> Nanos {
        let at = self.latest.partition_point(|(position, _)| *position < Position::making(revision));
        self.latest.get(at).map_or(Nanos::MAX, |(_, time)| *time)
    }

    /// When the time of a lease can be over at the earliest.
    pub fn earliest_end(&self, lease: i64, revision: i64) -> Nanos {
        self.ends.earliest(lease, revision)
    }

    /// What a choice does.
    pub fn request(&self, source: Source) -> Cow<'_, Request> {
        match source {
            Source::Operation(number) => Cow::Borrowed(&self.history.operations[number as usize].request),
            Source::Lease(id) => Cow::Owned(LeaseRevokeRequest { id }.into()),
            Source::Hidden(index) => Cow::Borrowed(&self.hidden[index as usize].0.request),
        }
    }

    /// When it was asked for; 0 if nobody asked.
    pub fn call(&self, source: Source) -> Nanos {
        let operation = match source {
            Source::Operation(number) => number,
            Source::Lease(_) => return 0,
            Source::Hidden(index) => self.hidden[index as usize].0.operation,
        };
        self.history.operations[operation as usize].call
    }

    /// Everything that may have made a revision by real time, what is likely first; the model is at the one before.
    pub fn choices(&self, revision: i64, replay: &Replay<'_>, shown: &Shown<'_>) -> Vec<Choice> {
        let making = Position::making(revision);
        let mut found = Vec::new();
        let mut add = |source: Source, writes: Rc<[Span]>, early: bool| {
            let misfits = shown.misfits(&self.request(source), self.call(source), revision);
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
        for (index, (hidden, floor, writes)) in (0..).zip(&self.hidden) {
            let operation = &self.history.operations[hidden.operation as usize];
            // What made an earlier revision had been called by then.
            let answered = over_at(operation).filter(|_| !hidden.lasts);
            let over = answered.is_some_and(|at| self.earliest(revision) > at);
            if *floor < making && hidden.revision.is_none_or(|made| made == revision) && !over {
                add(Source::Hidden(index), writes.clone(), false);
            }
        }
        for id in replay.model.leases_with_keys() {
            let early = self.earliest_end(id, revision) > latest;
            add(Source::Lease(id), of_lease(id), early);
        }
        // Those that were asked for last come first: a write without an answer seldom takes effect much later.
        found.sort_by_key(|(misfits, choice)| {
            let late = matches!(choice.source, Source::Lease(_));
            (*misfits, late, std::cmp::Reverse(self.call(choice.source)))
        });
        found.into_iter().map(|(_, choice)| choice).collect()
    }

    /// A moment before which the revision was not made: the last call of what made an earlier one.
    fn earliest(&self, revision: i64) -> Nanos {
        let before = self.earliest.partition_point(|(position, _)| *position < Position::making(revision));
        before.checked_sub(1).map_or(0, |last| self.earliest[last].1)
    }
}

impl Choice {
    /// Whether it may write where one of these spans is.
    pub fn touches(&self, spans: &[Span]) -> bool {
        self.writes.iter().any(|written| spans.iter().any(|span| span.overlaps(written)))
    }
}

/// A range of keys, as in a request.
#[derive(Clone, Debug)]
pub struct Span(pub Bytes, pub Bytes);

impl Span {
    /// What a request reads or writes.
    pub fn of(request: &Request) -> Vec<Span> {
        let span = |part: Part<'_>| match part {
            Part::Compare(compare) => Span(compare.key.clone(), compare.range_end.clone()),
            Part::Range(range) => Span(range.key.clone(), range.range_end.clone()),
            Part::Put(put) => Span(put.key.clone(), Bytes::new()),
            Part::DeleteRange(delete) => Span(delete.key.clone(), delete.range_end.clone()),
        };
        request.parts().map(span).collect()
    }

    /// What a request may write.
    fn written(request: &Request) -> Rc<[Span]> {
        let span = |part: Part<'_>| match part {
            Part::Put(put) => Some(Span(put.key.clone(), Bytes::new())),
            Part::DeleteRange(delete) => Some(Span(delete.key.clone(), delete.range_end.clone())),
            _ => None,
        };
        request.parts().filter_map(span).collect()
    }

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

/// After each return, the highest place of what had returned.
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

fn floor(floors: &[(Nanos, Position)], call: Nanos) -> Position {
    let before = floors.partition_point(|(at, _)| *at < call);
    before.checked_sub(1).map_or(Position::START, |last| floors[last].1)
}

/// For each place, the first answer from there or later.
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

/// For each revision that an answer acknowledges, the last call of a write up to there.
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
