//! K1: the history is strictly serializable against the sequential model of etcd (`model`).
//!
//! This is the revision engine. The header of every answer names the revision of the store at which the request was
//! executed, and every write that changes something makes exactly one revision. So the answers themselves give the
//! order of the operations, and no order has to be searched for (`docs/checker.md`). The engine has six steps:
//!
//! 1. `place`, `order`: give each operation its place in the order of revisions, by its answer, and check that no two
//!    writes made the same revision. A write without an answer is placed where the cluster applied it, if the record
//!    has evidence, that is, the entries that the members applied.
//! 2. `realtime`: an operation that returned before another was called comes before it.
//! 3. `gaps`: every revision was made by something. Without evidence, a search explains the revisions that no answer
//!    acknowledges: by writes without an answer, by leases that ended, or by what the lock and election services
//!    wrote.
//! 4. `replay`: execute the operations on the model in that order, and compare each whole answer with the model's.
//! 5. `loose`: errors and compactions carry no revision, so step 1 cannot place them. Each must fit at some position
//!    between its call and its answer.
//! 6. `rights`: users had the right to do what they did, and did not have the right to do what they were refused.
//!
//! Besides, no answer, not even one without a place, may name a revision that cannot have existed by then (`headers`).
//!
//! Members also propose entries that no client asked for: the revocation of an expired lease, a compaction, the steps
//! of the lock and election services. The evidence has these entries too, and they are replayed with the rest. If
//! such an entry made a revision in the cluster, it must change the model; if it made none, it must not.
//!
//! The same replay serves two other oracles: a wrong answer to a serializable read violates K2, and a wrong answer to
//! a read at a given revision violates K3. (`docs/oracles.md` lists all oracles by id.)
//!
//! Not checked: whether a lease lives as long as it must and ends in time (oracles L1 to L3 check that); without
//! evidence, the order of lease operations among each other, and most about leases, users and alarms; the
//! revision in the header of the answer to a Compact, because etcd reads it after the compaction, when other writes
//! may have raised it; errors that the model does not know (size, load, quota), except that the refused request has
//! no effect; calls that [`Model::covers`](crate::model::Model::covers) excludes; cluster id, member id and term of
//! headers. Evidence is believed unless an answer contradicts it: oracles I4 and I8 check that all members applied
//! the same entries.

mod gaps;
pub(crate) mod headers;
mod known;
mod loose;
mod order;
pub(crate) mod place;
mod realtime;
pub(crate) mod replay;
mod rights;

use std::collections::BTreeSet;

use api::Request;
use record::{Applied, History, WatchStream};

use crate::model::{FIRST_REVISION, Model};
use crate::{Context, Oracle, Sheet, Violation};
use crate::{definite, describe};
pub use gaps::LeaseEnd;
use gaps::{Explanation, SearchEnd, SearchInput};
pub use known::Known;
use order::{NOBODY, Order, Step};
use place::Place;
use realtime::Window;
use replay::Replay;

/// How many wrong answers are reported one by one. Further ones are only counted, because one lost write can make
/// every later answer wrong.
const MISMATCHES_REPORTED_MAX: usize = 5;

/// What the engine may assume about the history.
#[derive(Clone, Copy, Debug)]
pub struct Premises<'a> {
    /// The entries that the members applied, in the order of the log; `None` if they were not recorded.
    pub applied: Option<&'a [Applied]>,
    /// Watch streams that are not part of the history. If there are no applied entries, they help to explain
    /// revisions. They are not judged themselves.
    pub watched: &'a [WatchStream],
    /// The revision of the store when the history began.
    pub start_revision: i64,
    /// Whether the history has every client that wrote. If it does not, another client may have made any revision, so
    /// a revision that nothing explains is no violation.
    pub closed: bool,
    /// Whether members may have compacted automatically. Only the applied entries show when they did.
    pub compacts_itself: bool,
    /// The rate of the fastest clock of any member, in millionths of true time: 1,000,000 is an exact clock. A lease
    /// may expire early by a fast clock.
    pub fastest: u32,
}

impl Default for Premises<'_> {
    fn default() -> Self {
        Premises {
            applied: None,
            watched: &[],
            start_revision: FIRST_REVISION,
            closed: true,
            compacts_itself: false,
            fastest: 1_000_000,
        }
    }
}

/// The findings of the engine.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Violations of K1, K2 and K3.
    pub violations: Vec<Violation>,
    /// What could not be decided, and why: one sentence for each question.
    pub undecided: Vec<String>,
    /// How many operations have a place in the order of revisions.
    pub placed: usize,
    /// How many of `placed` have no answer but are known to have taken effect.
    pub resolved: usize,
    /// How many errors and compactions, which have no revision, were fitted in (file `loose.rs`).
    pub loose: usize,
    /// How many answers and errors were checked against the caller's rights by the file `rights.rs`. The checks of
    /// rights during the replay are not counted here.
    pub rights: usize,
    /// How many entries that members proposed themselves were replayed.
    pub own: usize,
    /// How many revisions were made.
    pub revisions: usize,
    /// What was in the store at each revision. [`check`] always sets it.
    pub known: Option<Known>,
    /// Without evidence: the ends of leases by which the search explained revisions.
    pub lease_ends: Vec<LeaseEnd>,
}

/// Judges a record by K1, and reports the violations of K2 and K3 that the replay of K1 found.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    let replayed = context.replayed();
    sheet.checked(Oracle::K1, "operations placed by revision and compared", replayed.placed);
    sheet.checked(Oracle::K1, "of these without an answer", replayed.resolved);
    sheet.checked(Oracle::K1, "errors and compactions fitted in", replayed.loose);
    sheet.checked(Oracle::K1, "revisions", replayed.revisions);
    sheet.checked(Oracle::K1, "entries that members proposed themselves", replayed.own);
    sheet.checked(Oracle::K1, "answers checked against the caller's rights", replayed.rights);
    sheet.add_all(replayed.violations.iter().cloned());
    headers::judge(context, sheet);
    replayed.undecided.iter().for_each(|sentence| sheet.leave_open(sentence));
}

/// Checks a history in the six steps that the head of this file lists.
///
/// # Panics
/// If the operations are not in the order of their calls.
pub fn check(history: &History, premises: &Premises<'_>) -> Replayed {
    let calls = history.operations.iter().map(|operation| operation.call);
    assert!(calls.is_sorted(), "a history is in the order of its calls; the reader of a file sorts it");
    let mut replayed = Replayed::default();
    let evidence = premises.applied.is_some();
    let others_compact = !premises.closed || premises.compacts_itself && !evidence;
    let start = premises.start_revision;
    let mut order = Order::new(history, premises.applied, start, &mut replayed.violations);
    // The operations without a place: `somewhere` took effect between call and return, `open` after the call or never.
    let (somewhere, open) = realtime::sweep(history, &order, start, &mut replayed.violations);
    let mut explanation = None;
    if !evidence {
        match fill_gaps(history, premises, &mut order, &open, &mut replayed) {
            Ok(found) => explanation = Some(found),
            Err(entries) => {
                replayed.known = Some(Known::of_answers(history, &order, &entries, start));
                return replayed;
            }
        }
    }
    let (entries, sure) = match &explanation {
        Some(explanation) => (&explanation.entries[..], explanation.sure),
        None => (premises.applied.unwrap_or_default(), i64::MAX),
    };
    // Up to revision `sure` there is only one explanation. After it, the search took the first that it found.
    let guessed = sure < i64::MAX;
    let premises = &Premises { applied: evidence.then_some(entries), ..*premises };
    // If clients outside the history may have written, they may have made the revisions that the search explained. So
    // what was explained by choice (after `sure`) is not known.
    let known = |order: &Order, model: Model, until: i64, sure: i64, finished: bool| {
        let until = if premises.closed { until } else { until.min(sure) };
        Known::of_replay(order, model, until, sure, finished)
    };

    let mut replay = Replay::new(history, start).by_evidence(entries, order.rights);
    if !evidence {
        replay = replay.by_answers();
    }
    let until = replay_all(&mut replay, history, &order.steps, (premises, entries), &mut replayed);
    // A lease that ends, or the lock and election services, may have made further revisions after the last one that
    // an answer names. Then the replay does not have everything that happened.
    let by_itself =
        !evidence && (calls_services(history) || replay.model.leases_with_keys().next().is_some());
    let finished = premises.closed && !by_itself && (evidence || open.is_empty());
    if replay.lost_track {
        replayed
            .undecided
            .push("A lease expired while several had keys; the evidence does not say which one.".to_string());
        // The model may differ from the store from here on, so what looks wrong may be right.
        replayed.violations.clear();
        replayed.known = Some(known(&order, replay.model, until, sure, finished));
        return replayed;
    }
    replayed.placed = order.steps.iter().filter(|step| step.operation != NOBODY).count();
    let answered = |step: &&Step| definite::over_at(&history.operations[step.operation as usize]).is_some();
    let of_clients = order.steps.iter().filter(|step| step.operation != NOBODY);
    replayed.resolved = replayed.placed - of_clients.filter(answered).count();
    replayed.own = order.steps.iter().filter(|step| step.operation == NOBODY && step.rank > 0).count();
    // Only a history that begins with an empty store shows which users there were at first.
    let closed = premises.closed && start == FIRST_REVISION;
    replayed.rights = rights::check(history, premises.applied, &order, closed, &mut replayed.violations);
    replayed.revisions = order.steps.iter().filter(|step| step.position.makes_revision()).count();
    if order.loose {
        let model = &replay.model;
        let mut wrong = Vec::new();
        let outside = loose::OutsideOrder {
            open: !evidence,
            wrote: !premises.closed || by_itself,
            compacted: others_compact,
        };
        replayed.loose = loose::check(history, &order, &somewhere, &open, outside, model, &mut wrong);
        if guessed && !wrong.is_empty() {
            let wrong = match wrong.len() {
                1 => "An error or compaction does".to_string(),
                count => format!("{count} errors or compactions do"),
            };
            replayed.undecided.push(format!(
                "{wrong} not fit the first explanation found for the revisions that no answer acknowledges; without evidence another one may exist."
            ));
        } else {
            replayed.violations.extend(wrong);
        }
    }
    replayed.known = Some(known(&order, replay.model, until, sure, finished));
    replayed
}

/// Explains, without evidence, the revisions that no answer acknowledges, and adds what made them to `order`. If the
/// search fails, only the steps that are certain are added, and the error contains the certain entries that members
/// proposed themselves.
fn fill_gaps(
    history: &History,
    premises: &Premises<'_>,
    order: &mut Order,
    open: &[Window],
    replayed: &mut Replayed,
) -> Result<Explanation, Vec<Applied>> {
    let input = SearchInput {
        watched: premises.watched,
        start: premises.start_revision,
        closed: premises.closed,
        fastest: premises.fastest,
    };
    let mut explanation = gaps::fill(history, &order.steps, open, &input);
    let unexplained_because = match explanation.ended {
        SearchEnd::Done => None,
        SearchEnd::Open => {
            Some("some were made by writers that the history does not have, or an answer is wrong")
        }
        SearchEnd::OutOfBudget => {
            Some("the search for an explanation was given up; it needs a watch or the log as evidence")
        }
    };
    if let Some(why) = unexplained_because {
        let writes = match open.len() {
            0 => "No write without an answer is there to explain the revisions that no answer acknowledges".to_string(),
            1 => "The write without an answer was not found to explain the revisions that no answer acknowledges".to_string(),
            count => format!("The {count} writes without an answer were not found to explain the revisions that no answer acknowledges"),
        };
        replayed.undecided.push(format!("{writes}: {why}."));
        explanation.steps.retain(|step| step.position.revision() <= explanation.sure);
    }
    // The answer to a LeaseRevoke does not say whether it removed keys. `order` placed each revocation as if it had
    // removed none. For some, the search found that they did and so made a revision; their first steps are replaced.
    let made: BTreeSet<u32> = explanation.steps.iter().map(|step| step.operation).collect();
    order.steps.retain(|step| step.operation == NOBODY || !made.contains(&step.operation));
    for step in explanation.steps.iter().filter(|step| step.operation != NOBODY) {
        if order.places[step.operation as usize] != Place::Open {
            order.places[step.operation as usize] = Place::At(step.position);
        }
    }
    order.steps.append(&mut explanation.steps);
    order.steps.sort_unstable();
    if unexplained_because.is_some() {
        return Err(explanation.entries);
    }
    replayed.lease_ends = std::mem::take(&mut explanation.lease_ends);
    Ok(explanation)
}

/// Whether the history calls the lock or election service, which write keys that no request names.
pub(crate) fn calls_services(history: &History) -> bool {
    history.operations.iter().any(|operation| is_service(&operation.request))
}

/// Whether the request is one of the calls of the lock and election services that write keys.
pub(crate) fn is_service(request: &Request) -> bool {
    matches!(
        request,
        Request::Lock(_)
            | Request::Unlock(_)
            | Request::Campaign(_)
            | Request::Proclaim(_)
            | Request::Resign(_)
    )
}

/// Replays all steps, and reports wrong answers and the first revision that no step makes. Returns the revision up to
/// which nothing of the kind was found: there, the model is the true content of the store.
fn replay_all(
    replay: &mut Replay<'_>,
    history: &History,
    steps: &[Step],
    (premises, entries): (&Premises<'_>, &[Applied]),
    replayed: &mut Replayed,
) -> i64 {
    let mut wrong = 0;
    let mut explained = true;
    let mut until = i64::MAX;
    for step in steps {
        if let Some(revision) = replay.missing(step) {
            until = until.min(revision - 1);
            if explained {
                replayed.violations.push(unexplained(history, step, revision, premises));
                explained = false;
            }
            let before = step.position.revision() - i64::from(step.position.makes_revision());
            replay.model.skip_to(before);
        }
        let taken = replay.take(step);
        if replay.lost_track || taken.is_err() && step.position.makes_revision() {
            until = until.min(step.position.revision() - 1);
        }
        if let Err(mismatch) = taken {
            wrong += 1;
            if wrong <= MISMATCHES_REPORTED_MAX {
                replayed.violations.push(mismatch.violation(history, entries, steps, &replay.model));
            }
        }
    }
    if let Some(last) = replayed.violations.last_mut()
        && wrong > MISMATCHES_REPORTED_MAX
    {
        last.sentences.push(match wrong - MISMATCHES_REPORTED_MAX {
            1 => "One more answer does not fit either.".to_string(),
            more => format!("{more} more answers do not fit either."),
        });
    }
    until
}

/// The violation for a revision that must have been made before `step`, although no step makes it.
fn unexplained(history: &History, step: &Step, revision: i64, premises: &Premises<'_>) -> Violation {
    let operation = history.operations.get(step.operation as usize);
    let time = operation.and_then(|operation| operation.returned()).unwrap_or(0);
    let mut violation = Violation::new(Oracle::K1, time, format!("nobody made revision {revision}"));
    if let Some(operation) = operation {
        violation =
            violation.say(format!("There was a revision {revision}: {}.", describe::operation(operation)));
    }
    violation = violation.say(match premises.applied {
        Some(_) => "No write was acknowledged for it, and the cluster applied none without an answer there.",
        None => "No write was acknowledged for it, and none of those without an answer can have made it.",
    });
    violation.shown_by((step.operation != NOBODY).then_some(step.operation as usize))
}
