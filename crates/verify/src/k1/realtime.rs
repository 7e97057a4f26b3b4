//! Compares the order of revisions with real time: an operation that had returned before another was called must have
//! an earlier or equal place.
//!
//! For each operation whose revision is not known, it computes the window of positions that real time allows. `loose`
//! and `gaps` use these windows.
//!
//! An operation lasts from its call to its return, both included. So it comes before another only if it returned
//! strictly before the other was called.

use record::{History, Nanos, Outcome};

use super::order::{NOBODY, Order};
use super::place::{Place, Position};
use crate::definite::over_at;
use crate::{Oracle, Violation};
use crate::{answer, describe};

/// A lowest or highest position, and the operation that sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The lowest or highest position.
    pub position: Position,
    /// The number of the operation that sets it; [`NOBODY`] if none does.
    pub by: u32,
}

/// The positions that real time allows to an operation whose answer does not give it one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The operation's number.
    pub operation: u32,
    /// The lowest position: the highest one of the operations that had returned before this one was called.
    pub floor: Bound,
    /// The highest position: the lowest one of the operations that were called after this one had returned.
    pub ceiling: Bound,
}

/// Goes through all operations in the order of their calls. Checks those that have a place, and returns the windows
/// of the others: first of those that were executed at some moment between call and return ([`Place::Somewhere`]),
/// then of those that may have taken effect at any time after the call ([`Place::Open`]).
pub fn sweep(
    history: &History,
    order: &Order,
    start: i64,
    violations: &mut Vec<Violation>,
) -> (Vec<Window>, Vec<Window>) {
    let mut returns: Vec<(Nanos, Position, u32)> = Vec::with_capacity(order.steps.len());
    for (number, operation) in history.operations.iter().enumerate() {
        if let (Place::At(position), Some(at)) = (order.places[number], over_at(operation)) {
            returns.push((at, position, number as u32));
        }
    }
    returns.sort_unstable();

    let mut floor = Bound { position: Position::during(start), by: NOBODY };
    let mut next = returns.iter().peekable();
    let mut reads = serializable_reads(history, order).into_iter().peekable();
    let mut newest_read = floor;
    let (mut somewhere, mut open) = (Vec::new(), Vec::new());
    let ceiling = Bound { position: Position::END, by: NOBODY };
    for (number, operation) in history.operations.iter().enumerate() {
        while let Some((_, position, by)) = next.next_if(|(at, ..)| *at < operation.call) {
            if *position > floor.position {
                floor = Bound { position: *position, by: *by };
            }
        }
        while let Some((_, position, by)) = reads.next_if(|(at, ..)| *at < operation.call) {
            if position > newest_read.position {
                newest_read = Bound { position, by };
            }
        }
        let highest = if newest_read.position > floor.position { newest_read } else { floor };
        let window = Window { operation: number as u32, floor: highest, ceiling };
        match order.places[number] {
            Place::At(position) if position < floor.position => {
                violations.push(out_of_order(history, number, floor.by as usize));
            }
            // If the operation has an answer, K2 reports that it contradicts a serializable read.
            Place::At(position) if position < highest.position && operation.response().is_none() => {
                violations.push(out_of_order(history, number, highest.by as usize));
            }
            Place::Somewhere => somewhere.push(window),
            Place::Open => open.push(window),
            _ => {}
        }
    }
    check_leases(history, order, violations);
    if !somewhere.is_empty() {
        lower_ceilings(history, order, &mut somewhere);
    }
    (somewhere, open)
}

/// The positions that serializable reads returned, and when. Such a state may be old, but it existed when the read
/// returned, so nothing that was called later comes before it.
fn serializable_reads(history: &History, order: &Order) -> Vec<(Nanos, Position, u32)> {
    let mut reads = Vec::new();
    for (number, operation) in history.operations.iter().enumerate() {
        if let (Place::Shows(position), Some(at)) = (order.places[number], over_at(operation)) {
            reads.push((at, position, number as u32));
        }
    }
    reads.sort_unstable();
    reads
}

/// Checks the operations on leases, users and alarms. They make no revision; only the evidence says in which order
/// they were applied. That order must agree with real time.
fn check_leases(history: &History, order: &Order, violations: &mut Vec<Violation>) {
    let ranked = || order.steps.iter().filter(|step| step.rank > 0 && step.operation != NOBODY);
    let mut returns: Vec<(Nanos, u32, u32)> = ranked()
        .filter_map(|step| {
            Some((over_at(&history.operations[step.operation as usize])?, step.rank, step.operation))
        })
        .collect();
    returns.sort_unstable();
    let mut by_call: Vec<(Nanos, u32, u32)> = ranked()
        .map(|step| (history.operations[step.operation as usize].call, step.rank, step.operation))
        .collect();
    by_call.sort_unstable();
    let mut next = returns.iter().peekable();
    let mut last = (0, NOBODY);
    for (call, rank, operation) in by_call {
        while let Some((_, rank, by)) = next.next_if(|(at, ..)| *at < call) {
            last = last.max((*rank, *by));
        }
        if rank < last.0 {
            violations.push(out_of_order(history, operation as usize, last.1 as usize));
        }
    }
}

/// Sets the ceilings of the windows. It goes through the returns from the last to the first, and keeps the lowest
/// position of all operations that were called after the return at hand.
fn lower_ceilings(history: &History, order: &Order, windows: &mut [Window]) {
    let mut by_return: Vec<(Nanos, usize)> = windows
        .iter()
        .enumerate()
        .filter_map(|(at, window)| Some((over_at(&history.operations[window.operation as usize])?, at)))
        .collect();
    by_return.sort_unstable();
    let mut ceiling = Bound { position: Position::END, by: NOBODY };
    let mut number = history.operations.len();
    for (returned, at) in by_return.into_iter().rev() {
        while number > 0 && history.operations[number - 1].call > returned {
            number -= 1;
            if let Place::At(position) = order.places[number]
                && position < ceiling.position
            {
                ceiling = Bound { position, by: number as u32 };
            }
        }
        windows[at].ceiling = ceiling;
    }
}

/// The violation for two operations whose places contradict real time: `early` had returned before `late` was called,
/// but has the later place.
fn out_of_order(history: &History, late: usize, early: usize) -> Violation {
    let (operation, earlier) = (&history.operations[late], &history.operations[early]);
    let time = operation.returned().unwrap_or(operation.call);
    let reads = !super::place::is_write(&operation.request);
    let title = if reads { "a stale read" } else { "revisions contradict real time" };
    let known = over_at(earlier).expect("a floor is set by what is over");
    let said = |operation: &record::Operation| match &operation.outcome {
        Outcome::Answer { response, .. } => {
            format!("answered with revision {}", answer::revision(response.header()))
        }
        Outcome::Error { error, .. } => format!("answered with \"{error}\""),
        Outcome::Unknown { .. } => "carried out".to_string(),
    };
    Violation::new(Oracle::K1, time, title)
        .say(format!("{} was {} at {}.", describe::who(earlier), said(earlier), describe::time(known)))
        .say(format!(
            "{} was called later, at {}, yet it was {}, which comes before that.",
            describe::who(operation),
            describe::time(operation.call),
            said(operation)
        ))
        .shown_by([early, late])
}
