//! The headers of answers that have no place in the order of revisions, such as those about leases, members and
//! hashes, and those of compactions.
//!
//! A member that lags answers with an older revision, and rightly so. But no answer names a revision that did not exist
//! by then. With evidence it is known when each revision was made. Without it, two things limit which revisions can
//! have existed: an operation that was called later and executed at some revision comes after every revision that
//! existed before its call; and each revision needs something that can have made it and was called by then.

use std::collections::BTreeMap;

use api::{Part, Request};
use record::{Nanos, Operation, Outcome};

use super::is_service;
use super::place::{Place, is_write, mutates, place};
use super::replay::granted;
use crate::definite::is_definite;
use crate::{Context, Oracle, Sheet, Violation, answer, describe};

/// How many answers are reported one by one.
const REPORTED_MAX: usize = 5;

/// The newest revision that can have existed at any time.
pub(crate) struct Newest {
    /// The revision of the store when the history began.
    start: i64,
    /// With evidence: when revisions were made, and the newest by then, in the order of time.
    made: Option<Vec<(Nanos, i64)>>,
    /// Without evidence: the calls of operations that have a place, in order, and the newest revision that can have
    /// existed before that one or any later one.
    before: Vec<(Nanos, i64)>,
    /// The calls of writes, in order, each of which may have made a revision.
    writes: Vec<Nanos>,
    /// For each lease that may have had keys: the first call that may have attached one.
    attached: BTreeMap<i64, Nanos>,
    /// The calls of the grants of each lease.
    grants: BTreeMap<i64, Vec<Nanos>>,
    /// From this time on, others may have made any number of revisions.
    unknown_from: Nanos,
}

impl Newest {
    pub fn of(context: &Context<'_>) -> Newest {
        let start = context.expectations.start_revision;
        let mut newest = Newest {
            start,
            made: None,
            before: Vec::new(),
            writes: Vec::new(),
            attached: BTreeMap::new(),
            grants: BTreeMap::new(),
            unknown_from: if context.is_closed() { Nanos::MAX } else { 0 },
        };
        let applied = context.applied();
        if !applied.is_empty() {
            let mut made: Vec<(Nanos, i64)> =
                applied.iter().map(|entry| (entry.time, entry.revision as i64)).collect();
            made.sort_unstable();
            let mut highest = start;
            for (_, revision) in &mut made {
                highest = highest.max(*revision);
                *revision = highest;
            }
            newest.made = Some(made);
            return newest;
        }
        context.history().operations.iter().for_each(|operation| newest.take(operation));
        let mut lowest = i64::MAX;
        for (_, revision) in newest.before.iter_mut().rev() {
            lowest = lowest.min(*revision);
            *revision = lowest;
        }
        newest
    }

    /// Adds an operation, called no earlier than those before it.
    fn take(&mut self, operation: &Operation) {
        let response = operation.response();
        if let (Place::At(position), Some(response)) = (place(operation), response)
            && answer::revision(response.header()) > 0
        {
            let revision = position.revision() - i64::from(position.makes_revision());
            self.before.push((operation.call, revision));
        }
        if is_service(&operation.request) {
            self.unknown_from = self.unknown_from.min(operation.call);
        }
        if matches!(operation.outcome, Outcome::Error { error, .. } if is_definite(error)) {
            return;
        }
        for part in operation.request.parts() {
            if let Part::Put(put) = part
                && put.lease != 0
            {
                self.attached.entry(put.lease).or_insert(operation.call);
            }
        }
        match &*granted(operation) {
            Request::LeaseGrant(grant) => self.grants.entry(grant.id).or_default().push(operation.call),
            // Those make no revision, or end a lease, which is counted once for each lease.
            Request::Compact(_) | Request::LeaseRevoke(_) => {}
            request if is_write(request) && response.is_none_or(mutates) => self.writes.push(operation.call),
            _ => {}
        }
    }

    /// The newest revision that can have existed at this time; `i64::MAX` if that is not known. `lasting` is a lease
    /// whose end is not to be counted.
    pub fn by(&self, at: Nanos, lasting: Option<i64>) -> i64 {
        if let Some(made) = &self.made {
            let until = made.partition_point(|(time, _)| *time <= at);
            return until.checked_sub(1).map_or(self.start, |last| made[last].1);
        }
        let later = self.before.partition_point(|(call, _)| *call <= at);
        let by_order = self.before.get(later).map_or(i64::MAX, |(_, revision)| *revision);
        if self.unknown_from <= at {
            return by_order;
        }
        let called = |calls: &[Nanos]| calls.partition_point(|call| *call <= at);
        let ended = |id: &i64| self.grants.get(id).map_or(0, |calls| called(calls)).max(1);
        let with_keys = self.attached.iter().filter(|(id, call)| **call <= at && lasting != Some(**id));
        let sources = called(&self.writes) + with_keys.map(|(id, _)| ended(id)).sum::<usize>();
        by_order.min(self.start.saturating_add(i64::try_from(sources).unwrap_or(i64::MAX)))
    }
}

/// Reports answers whose headers name a revision that did not exist by then.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    let newest = Newest::of(context);
    let from_the_future = |(number, operation): (usize, &Operation)| {
        let (at, response) = (operation.returned()?, operation.response()?);
        let revision = answer::revision(response.header());
        // The others are compared with the model.
        let placed = matches!(place(operation), Place::At(_) | Place::Shows(_));
        if placed || revision <= 0 {
            return None;
        }
        let most = newest.by(at, None);
        (revision > most).then(|| {
            Violation::new(Oracle::K1, at, "an answer names a revision that cannot have existed")
                .say(format!("The answer: {}.", describe::operation(operation)))
                .say(format!("Its header has revision {revision}."))
                .say(format!("By {}, no revision after {most} can have been made.", describe::time(at)))
                .shown_by([number])
        })
    };
    let found = context.history().operations.iter().enumerate().filter_map(from_the_future);
    sheet.add_all(found.take(REPORTED_MAX));
}
