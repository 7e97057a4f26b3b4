//! Sorts the operations of a history by the revision of the store at which each was executed.
//!
//! The revision is known from an operation's answer or, if it got none, from the evidence (the entries that the
//! members applied). Each operation with a known place becomes a [`Step`], and the sorted steps are what `replay`
//! executes. This file also reports answers that contradict each other or the evidence, such as two writes that made
//! the same revision.

use std::collections::{BTreeMap, BTreeSet};

use api::etcdserverpb::CompactionRequest;
use api::{Error, Request};
use record::{Applied, History, Nanos, Operation, Outcome};

use super::place::{Place, Position, is_beside_the_store, place};
use super::rights::names_lease;
use crate::definite::{is_definite, is_modelled, is_of_auth};
use crate::describe;
use crate::model::{Model, auth};
use crate::{Oracle, Violation};

/// The value for "no operation" where an operation number is expected.
pub const NOBODY: u32 = u32::MAX;

/// One operation, or one entry that a member proposed itself, with its place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// Its position in the order.
    pub position: Position,
    /// The index of its entry in the evidence, counted from 1. It orders the steps that have the same position:
    /// operations on leases, users and alarms make no revision, yet the results of others depend on which of them
    /// came first. 0 where the order does not matter.
    pub rank: u32,
    /// Which operation; [`NOBODY`] for an entry that a member proposed itself. `rank` then says which entry of the
    /// evidence it is. If `rank` is 0, too, the evidence has only the fact that a revision was made, not the request
    /// that made it.
    pub operation: u32,
}

/// A compaction without an answer that is known to have taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compaction {
    /// The operation's number; [`NOBODY`] if a member proposed the compaction itself.
    pub operation: u32,
    /// The revision it compacts to.
    pub revision: i64,
    /// Where it was applied.
    pub position: Position,
    /// When the first member applied it: no client can have known of it before.
    pub time: Nanos,
}

/// What the operations and the evidence say about the order.
#[derive(Debug, Default)]
pub struct Order {
    /// The place of every operation, by its number.
    pub places: Vec<Place>,
    /// All steps, in order; no two of them make the same revision.
    pub steps: Vec<Step>,
    /// Compactions that only the evidence shows.
    pub compactions: Vec<Compaction>,
    /// Whether any operation is [`Place::Somewhere`], that is, has no revision and must be fitted in by `loose`.
    pub loose: bool,
    /// Whether leases are granted or revoked.
    pub leases: bool,
    /// Whether users and their rights are known at every entry.
    pub rights: bool,
    /// The first revision that two writes claim to have made; `i64::MAX` if there is none.
    pub disputed: i64,
    /// The operations that have an answer and went through the log, but changed nothing. The key is the operation's
    /// number, the value its position and its rank.
    idle: BTreeMap<u32, (Position, u32)>,
}

impl Order {
    /// Places all operations. Contradictions between answers, and between answers and evidence, go to `violations`.
    pub fn new(
        history: &History,
        applied: Option<&[Applied]>,
        start: i64,
        violations: &mut Vec<Violation>,
    ) -> Order {
        let mut order = Order { disputed: i64::MAX, ..Order::default() };
        order.take_answers(history, applied.is_some(), start, violations);
        if let Some(applied) = applied {
            order.rights = knows_rights(history, applied);
            order.take_evidence(history, applied, start, violations);
        }
        // An operation that changed nothing gets its rank as well, because its result may depend on the operations on
        // leases, users and alarms at the same revision. If two transactions change nothing and an alarm is disarmed
        // between them, the alarm is on for the first and off for the second.
        for step in order.steps.iter_mut().filter(|step| step.rank == 0 && !step.position.makes_revision()) {
            if let Some((position, rank)) =
                order.idle.get(&step.operation).filter(|idle| idle.0 == step.position)
            {
                (step.position, step.rank) = (*position, *rank);
            }
        }
        order.steps.sort_unstable();
        order.report_duplicate_revisions(history, violations);
        order
    }

    /// Places the operations that have an answer or an error.
    fn take_answers(
        &mut self,
        history: &History,
        evidence: bool,
        start: i64,
        violations: &mut Vec<Violation>,
    ) {
        self.places.reserve_exact(history.operations.len());
        self.steps.reserve(history.operations.len());
        for (number, operation) in history.operations.iter().enumerate() {
            let mut place = place(operation);
            let lease = matches!(operation.request, Request::LeaseGrant(_) | Request::LeaseRevoke(_));
            self.leases |= lease;
            match place {
                Place::At(position) | Place::Shows(position) => {
                    let least = if position.makes_revision() { start + 1 } else { start };
                    if position.revision() < least {
                        violations.push(impossible_revision(operation, number, start));
                        place = Place::Silent;
                    } else if !(lease && evidence) {
                        self.steps.push(Step { position, rank: 0, operation: number as u32 });
                    }
                }
                Place::Somewhere => self.loose = true,
                Place::Open | Place::Silent => {}
            }
            self.places.push(place);
        }
    }

    /// Places the operations without an answer, and those on leases, users and alarms, where the members applied
    /// them.
    fn take_evidence(
        &mut self,
        history: &History,
        applied: &[Applied],
        start: i64,
        violations: &mut Vec<Violation>,
    ) {
        // The operations on leases, users and alarms that the evidence places.
        let mut leases = BTreeSet::new();
        // Before the first compaction, even 0 can be compacted to.
        let mut compacted = -1;
        for (at, entry) in applied.iter().enumerate() {
            let made = made_by(entry);
            if made < Position::during(start) {
                continue;
            }
            let rank = at as u32 + 1;
            let step = |rank, operation| Step { position: made, rank, operation };
            let compacts = |request: &CompactionRequest| {
                request.revision > compacted && request.revision <= entry.revision as i64
            };
            let Some(number) = entry.operation else {
                match entry.internal.as_deref() {
                    Some(Request::Compact(request)) if !entry.mutated => {
                        if compacts(request) {
                            compacted = request.revision;
                            self.compactions.push(Compaction {
                                operation: NOBODY,
                                revision: compacted,
                                position: made,
                                time: entry.time,
                            });
                        }
                    }
                    Some(request) if Model::covers(request) => self.steps.push(step(rank, NOBODY)),
                    _ => self.steps.extend(entry.mutated.then(|| step(0, NOBODY))),
                }
                continue;
            };
            let Some(operation) = history.operations.get(number as usize) else { continue };
            match &operation.request {
                Request::Compact(request) => {
                    if compacts(request) {
                        compacted = request.revision;
                        if self.places[number as usize] == Place::Open {
                            self.compactions.push(Compaction {
                                operation: number as u32,
                                revision: compacted,
                                position: made,
                                time: entry.time,
                            });
                        }
                    }
                }
                request if is_beside_the_store(request) => {
                    if self.places[number as usize] == Place::Somewhere && entry.mutated {
                        violations.push(refused_and_done(operation, entry));
                    }
                    if was_carried_out(operation) && (self.rights || !auth::changes_auth(request)) {
                        // A revoke's answer does not say whether it made a revision.
                        self.places[number as usize] = Place::At(made);
                        self.steps.push(step(rank, number as u32));
                        leases.insert(number as usize);
                    }
                }
                _ => self.take_entry(operation, entry, step(rank, number as u32), applied, violations),
            }
        }
        if self.leases {
            self.place_other_leases(history, &leases);
        }
    }

    /// Places the operation of an entry that is a put, a deletion or a transaction. `ranked` is its step with the
    /// rank of the entry. The rank is kept only if the operation's result depends on leases or rights.
    fn take_entry(
        &mut self,
        operation: &Operation,
        entry: &Applied,
        ranked: Step,
        applied: &[Applied],
        violations: &mut Vec<Violation>,
    ) {
        let step = Step { rank: 0, ..ranked };
        let place = &mut self.places[step.operation as usize];
        match *place {
            Place::Open if entry.mutated => {
                *place = Place::At(step.position);
                self.steps.push(step);
            }
            Place::At(position) if !entry.mutated && position == step.position => {
                self.idle.insert(step.operation, (position, ranked.rank));
            }
            Place::At(position) if entry.mutated && position != step.position => {
                self.steps.push(step);
                let there_too =
                    |other: &Applied| other.operation == entry.operation && made_by(other) == position;
                // If it was applied in both places, K4 reports that it took effect twice.
                if !applied.iter().any(there_too) {
                    violations.push(applied_elsewhere(operation, entry));
                }
            }
            Place::Somewhere if entry.mutated => {
                *place = Place::At(step.position);
                self.steps.push(step);
                violations.push(refused_and_done(operation, entry));
            }
            Place::Somewhere if is_about_leases(operation) || self.rights && is_about_rights(operation) => {
                *place = Place::At(step.position);
                self.steps.push(ranked);
            }
            _ => {}
        }
    }

    /// Places the grants and revocations of leases that have an answer but no entry in the evidence, by their answer.
    fn place_other_leases(&mut self, history: &History, placed: &BTreeSet<usize>) {
        for (number, operation) in history.operations.iter().enumerate() {
            let lease = matches!(operation.request, Request::LeaseGrant(_) | Request::LeaseRevoke(_));
            if let Place::At(position) = self.places[number]
                && lease
                && !placed.contains(&number)
            {
                self.steps.push(Step { position, rank: 0, operation: number as u32 });
            }
        }
    }

    /// Reports revisions that two writes claim to have made, and keeps the write that has an answer.
    fn report_duplicate_revisions(&mut self, history: &History, violations: &mut Vec<Violation>) {
        let answered = |step: &Step| {
            let operation = history.operations.get(step.operation as usize);
            operation.is_some_and(|operation| operation.response().is_some())
        };
        let disputed = &mut self.disputed;
        self.steps.dedup_by(|next, kept| {
            let duplicate = next.position == kept.position && kept.position.makes_revision();
            if duplicate {
                *disputed = (*disputed).min(kept.position.revision());
                violations.push(made_twice(history, kept, next));
                if !answered(kept) && answered(next) {
                    *kept = *next;
                }
            }
            duplicate
        });
    }
}

/// Whether users or rights were changed, and the evidence has every change that was acknowledged.
fn knows_rights(history: &History, applied: &[Applied]) -> bool {
    let applied: BTreeSet<u64> = applied.iter().filter_map(|entry| entry.operation).collect();
    let mut changes = (0..)
        .zip(&history.operations)
        .filter(|(_, operation)| auth::changes_auth(&operation.request))
        .peekable();
    changes.peek().is_some()
        && changes.all(|(number, operation)| operation.response().is_none() || applied.contains(&number))
}

/// Whether the model must predict the result of the operation's entry. It cannot if the operation was refused for a
/// reason that the model does not know.
fn was_carried_out(operation: &Operation) -> bool {
    match operation.outcome {
        Outcome::Error { error, .. } => !is_definite(error) || is_modelled(error) || is_of_auth(error),
        _ => true,
    }
}

/// Whether the operation was refused because of the caller's rights.
fn is_about_rights(operation: &Operation) -> bool {
    matches!(operation.outcome, Outcome::Error { error: Error::UserEmpty | Error::PermissionDenied, .. })
}

/// The position of an entry: the making of its revision, or the time in which that revision was the newest.
fn made_by(entry: &Applied) -> Position {
    let revision = entry.revision as i64;
    if entry.mutated { Position::making(revision) } else { Position::during(revision) }
}

/// Whether the model needs to know which leases existed to judge the operation's error.
fn is_about_leases(operation: &Operation) -> bool {
    match (&operation.request, &operation.outcome) {
        (Request::Put(_) | Request::Txn(_), Outcome::Error { error: Error::LeaseNotFound, .. }) => true,
        (request @ Request::Put(_), Outcome::Error { error: Error::KeyNotFound, .. })
        | (request @ Request::Txn(_), Outcome::Error { error: Error::KeyNotFound | Error::FutureRev, .. }) => {
            names_lease(request)
        }
        _ => false,
    }
}

/// The violation that an answer has a revision that the store never had.
fn impossible_revision(operation: &Operation, number: usize, start: i64) -> Violation {
    let revision =
        operation.response().and_then(|response| response.header()).map_or(0, |header| header.revision);
    let time = operation.returned().unwrap_or(operation.call);
    Violation::new(Oracle::K1, time, "an answer names a revision that cannot be")
        .say(format!(
            "{} was answered with revision {revision} at {}.",
            describe::who(operation),
            describe::time(time)
        ))
        .say(format!("The store begins with revision {start}, and the first write makes the next one."))
        .shown_by([number])
}

/// The violation that two operations made the same revision.
fn made_twice(history: &History, one: &Step, other: &Step) -> Violation {
    let revision = one.position.revision();
    let operations: Vec<usize> = [one, other]
        .iter()
        .map(|step| step.operation as usize)
        .filter(|number| *number < history.operations.len())
        .collect();
    let time =
        operations.iter().filter_map(|number| history.operations[*number].returned()).max().unwrap_or(0);
    let mut violation =
        Violation::new(Oracle::K1, time, format!("revision {revision} was made by two writes"));
    for number in &operations {
        let operation = &history.operations[*number];
        violation = violation.say(match operation.returned() {
            Some(at) => format!(
                "{} was acknowledged as revision {revision} at {}.",
                describe::who(operation),
                describe::time(at)
            ),
            None => {
                format!("{} got no answer, and was applied as revision {revision}.", describe::who(operation))
            }
        });
    }
    violation.shown_by(operations)
}

/// The violation that an answer names another revision than the cluster made for the write.
fn applied_elsewhere(operation: &Operation, entry: &Applied) -> Violation {
    let revision =
        operation.response().and_then(|response| response.header()).map_or(0, |header| header.revision);
    let time = operation.returned().unwrap_or(entry.time);
    Violation::new(Oracle::K1, time, "a write was answered with another revision than it made")
        .say(format!(
            "{} was acknowledged as revision {revision} at {}.",
            describe::who(operation),
            describe::time(time)
        ))
        .say(format!("The cluster applied it at index {} as revision {}.", entry.index, entry.revision))
        .shown_by(entry.operation.map(|number| number as usize))
}

/// The violation that a refused operation was applied.
fn refused_and_done(operation: &Operation, entry: &Applied) -> Violation {
    let Outcome::Error { at, error } = &operation.outcome else {
        unreachable!("only an error is placed somewhere and refused");
    };
    Violation::new(Oracle::K1, *at, "a refused operation took effect")
        .say(format!("{} was refused with \"{error}\" at {}.", describe::who(operation), describe::time(*at)))
        .say(format!(
            "The cluster applied it all the same, at index {} as revision {}.",
            entry.index, entry.revision
        ))
        .shown_by(entry.operation.map(|number| number as usize))
}
