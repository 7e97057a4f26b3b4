//! L1 to L3: leases over time. L4 (`lessor`) watches the lessor itself.
//!
//! * L1: no lease expires before its TTL has passed by the fastest clock of any member. The TTL counts from the grant,
//!   or from the *call* of the last confirmed keep-alive, because the renewal happened somewhere between call and
//!   answer.
//! * L2: after healing, no lease outlives its TTL, counted by the slowest clock, by more than what a new leader adds
//!   and a bound. The TTL counts from the last moment at which the lease may have been renewed, or at which a new
//!   leader became the lessor. (A new lessor gives each lease its whole TTL again, or what the last checkpoint left of
//!   it.)
//! * L3 (`answers`): what keep-alives, time-to-live requests and lists of leases answer is true.
//!
//! K1's replay checks that the keys of a lease are removed with it in one revision, and that nothing else removes a
//! key. Without evidence (the entries that the members applied), `by_answers` checks what the answers alone prove.
//!
//! Not checked: that the remaining time is right to the second; leases whose id no answer names; late expiry of leases
//! that the lock and election services made for themselves; late expiry before healing, and of leases that would be due
//! while the alarm CORRUPT may be on, which keeps etcd from revoking them; without the times of lessors, what a change
//! of leader adds. The header of `answers` says what L3 leaves out.

mod answers;
mod by_answers;
mod lessor;
mod lessors;
mod lifetimes;

use api::Request;
use api::etcdserverpb::AlarmType;
use api::etcdserverpb::alarm_request::AlarmAction;
use record::{Applied, History, Nanos};

use crate::clocks::of_lease;
use crate::k1::Known;
use crate::{Context, Oracle, Sheet, Violation, describe};
pub use lessor::Lessor;
pub use lessors::Lessors;
use lifetimes::End;
pub(crate) use lifetimes::{Lifetime, Lifetimes};

/// How many violations of one oracle are reported one by one; further ones are only counted.
const REPORTED_MAX: usize = 5;

/// What is known of a run's clocks and members, besides its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Rates of the slowest and the fastest clock of any member, in millionths of true time. The slowest is not 0.
    pub clock_rates: (u32, u32),
    /// How long a lease may outlive its TTL in a healthy cluster, until the lessor's scan finds it and its end is
    /// proposed and applied.
    pub bound: Nanos,
    /// What a new leader adds to the time of every lease: an election timeout.
    pub extension: Nanos,
    /// How often the lessor checkpoints the remaining time of leases, if it does. A new leader continues from the last
    /// checkpoint.
    pub checkpoint: Option<Nanos>,
    /// When a member was the lessor ([`Lessors::spans`]); empty if that is not known.
    pub lessors: Vec<(Nanos, Nanos)>,
    /// When the cluster was healed; 0 if it never was. Then late expiry is not judged.
    pub healed: Nanos,
    /// The end of the run.
    pub end: Nanos,
}

/// Judges a record by L1 to L3; without evidence, by what answers say.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    let mut violations = Vec::new();
    if context.applied().is_empty() {
        by_answers::judge(context, &mut violations, sheet);
    } else {
        let known = context.expectations.clocks_known;
        let applied = context.applied();
        check(context.history(), applied, context.known(), (&context.terms(), known), &mut violations, sheet);
    }
    limit_reports(&mut violations);
    sheet.add_all(violations);
}

/// Checks L1 to L3 by the evidence. `known` has the store, for the keys of leases; `clocks_known` says whether the
/// rates of the members' clocks are known.
fn check(
    history: &History,
    applied: &[Applied],
    known: Option<&Known>,
    (terms, clocks_known): (&Terms, bool),
    violations: &mut Vec<Violation>,
    sheet: &mut Sheet,
) {
    let (mut expired, mut timed, mut left_open) = (0, 0, 0);
    let lifetimes = Lifetimes::new(history, applied, terms.bound);
    let corrupt = corrupt_from(history, applied);
    for (id, lifetime) in lifetimes.iter() {
        if let Some(end) = lifetime.end.filter(|end| end.expired) {
            expired += 1;
            match too_early(id, lifetime, end, terms) {
                Some(violation) if clocks_known => violations.push(violation),
                Some(_) => left_open += 1,
                None => {}
            }
        }
        if let Some(due) = latest_end(lifetime, terms).filter(|due| *due < corrupt) {
            timed += 1;
            let ended = lifetime.end.map_or(terms.end, |end| end.time);
            if ended > due {
                violations.push(too_late(id, lifetime, due, terms));
            }
        }
    }
    leave_open(left_open, sheet);
    let answers = answers::check(history, applied, &lifetimes, known, terms, violations);
    sheet.checked(Oracle::L1, "leases that expired", expired);
    sheet.checked(Oracle::L2, "leases compared with the latest moment of their end", timed);
    sheet.checked(Oracle::L3, "answers about leases", answers);
}

/// Reports as undecided the leases that would have ended before their time if the clocks had been exact.
fn leave_open(count: usize, sheet: &mut Sheet) {
    if count > 0 {
        sheet.leave_open(format!(
            "{count} leases ended before their time by exact clocks; the history does not say how fast the members' clocks ran (`clock_rates` in line 1)."
        ));
    }
}

/// From when on the alarm CORRUPT may be on: then no lease ends.
pub(crate) fn corrupt_from(history: &History, applied: &[Applied]) -> Nanos {
    let raises = |request: &Request| {
        matches!(request, Request::Alarm(alarm)
            if alarm.action == AlarmAction::Activate as i32 && alarm.alarm == AlarmType::Corrupt as i32)
    };
    let asked = history.operations.iter().filter(|one| raises(&one.request)).map(|one| one.call);
    let own = applied.iter().filter(|entry| entry.internal.as_deref().is_some_and(raises));
    asked.chain(own.map(|entry| entry.time)).min().unwrap_or(Nanos::MAX)
}

/// The earliest moment at which the lease can expire, given the keep-alives that were confirmed by `at`; and the number
/// of the last of these.
fn earliest_end(lifetime: &Lifetime, at: Nanos, terms: &Terms) -> (Nanos, Option<usize>) {
    let confirmed = lifetime.renewals.iter().filter(|(_, returned, _)| *returned <= at);
    let last = confirmed.max_by_key(|(call, ..)| *call).filter(|(call, ..)| *call > lifetime.granted);
    let since = last.map_or(lifetime.granted, |(call, ..)| *call);
    (since.saturating_add(of_lease(lifetime.ttl, terms.clock_rates.1)), last.map(|(.., number)| *number))
}

/// The latest moment by which the lease must be gone; `None` if that is not known.
fn latest_end(lifetime: &Lifetime, terms: &Terms) -> Option<Nanos> {
    let ended = lifetime.end.map_or(terms.end, |end| end.time);
    // Whether a client asked for its end.
    let asked = lifetime.end.is_some_and(|end| !end.expired);
    if terms.healed == 0 || lifetime.doubtful || lifetime.own || asked || ended < terms.healed {
        return None;
    }
    let last = lifetime.last_renewed();
    let before: Vec<_> = terms.lessors.iter().filter(|(from, _)| *from <= ended).collect();
    let whole = of_lease(lifetime.ttl, terms.clock_rates.0);
    let (since, left) = match (before.split_last(), terms.checkpoint) {
        (None, _) => (last, whole),
        (Some(((from, _), _)), None) => ((*from).max(last), whole),
        (Some(((from, _), earlier)), Some(checkpoint)) => {
            // The part of the lease's time that checkpoints had recorded as used when the last lessor began.
            let slack = checkpoint.saturating_add(terms.bound);
            let counted =
                |(from, to): &&(Nanos, Nanos)| to.saturating_sub((*from).max(last)).saturating_sub(slack);
            let over: Nanos = earlier.iter().copied().map(|span| counted(&span)).sum();
            ((*from).max(last), whole.saturating_sub(over))
        }
    };
    let late = terms.extension.saturating_add(terms.bound);
    Some(since.max(terms.healed).saturating_add(left).saturating_add(late))
}

/// The violation (L1) of a lease that expired before its time, if it did.
fn too_early(id: i64, lifetime: &Lifetime, end: End, terms: &Terms) -> Option<Violation> {
    let (due, renewal) = earliest_end(lifetime, end.time, terms);
    if end.time >= due {
        return None;
    }
    let since = match renewal {
        Some(_) => "a confirmed keep-alive of it was called",
        None => "it was granted",
    };
    let from = due - of_lease(lifetime.ttl, terms.clock_rates.1);
    let violation = Violation::new(Oracle::L1, end.time, "a lease ended before its time")
        .say(format!(
            "Lease {id} of {} s ended at {}; at {} {since}.",
            lifetime.ttl,
            describe::time(end.time),
            describe::time(from)
        ))
        .say(format!("By the fastest clock it may end at {}, no earlier.", describe::time(due)));
    Some(violation.shown_by(renewal))
}

/// The violation (L2) of a lease that outlived its TTL.
fn too_late(id: i64, lifetime: &Lifetime, due: Nanos, terms: &Terms) -> Violation {
    let last = lifetime.renewals.iter().max_by_key(|(_, returned, _)| *returned);
    let state = match lifetime.end {
        Some(end) => format!("It ended at {}.", describe::time(end.time)),
        None => format!("At the end of the run, at {}, it was still there.", describe::time(terms.end)),
    };
    let renewed = match last {
        Some((_, returned, _)) => format!("last renewed by {}", describe::time(*returned)),
        None => "never renewed for sure".to_string(),
    };
    let time = lifetime.end.map_or(terms.end, |end| end.time);
    Violation::new(Oracle::L2, time, "a lease stayed after its time")
        .say(format!(
            "Lease {id} of {} s was granted at {} and {renewed}.",
            lifetime.ttl,
            describe::time(lifetime.granted)
        ))
        .say(format!(
            "The cluster was healed at {}; it had to be gone by {}.",
            describe::time(terms.healed),
            describe::time(due)
        ))
        .say(state)
        .shown_by(last.map(|(.., number)| *number))
}

/// Keeps the first violations of each oracle, and counts the others in the last one kept.
fn limit_reports(violations: &mut Vec<Violation>) {
    for oracle in [Oracle::L1, Oracle::L2, Oracle::L3] {
        let count = violations.iter().filter(|one| one.oracle == oracle).count();
        let mut seen = 0;
        violations.retain_mut(|one| {
            if one.oracle != oracle {
                return true;
            }
            seen += 1;
            if seen == REPORTED_MAX && count > REPORTED_MAX {
                one.sentences.push(format!("{} more leases or answers are like that.", count - REPORTED_MAX));
            }
            seen <= REPORTED_MAX
        });
    }
}
