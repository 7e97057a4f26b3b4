//! The order of revisions against the order of time: what had returned before a call comes before it.
//!
//! Times are closed intervals: an operation comes before another only if it returned at an earlier time than the
//! other was called.

use record::{History, Nanos};

use super::order::{NOBODY, Order};
use super::place::{Place, Position};
use crate::describe;
use crate::{Oracle, Severity, Violation};

/// A bound and the operation that sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The bound.
    pub position: Position,
    /// What sets it; [`NOBODY`] where nothing does.
    pub by: u32,
}

/// What time says of an operation that is not placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Which.
    pub operation: u32,
    /// Not before this, which had returned when it was called.
    pub floor: Bound,
    /// Not after this, which was called when it had returned.
    pub ceiling: Bound,
}

/// Checks all that is placed, and returns the windows of what is not: those that must lie somewhere, those that may.
pub fn sweep(history: &History, order: &Order, violations: &mut Vec<Violation>) -> (Vec<Window>, Vec<Window>) {
    let mut returns: Vec<(Nanos, Position, u32)> = Vec::with_capacity(order.steps.len());
    for (number, operation) in history.operations.iter().enumerate() {
        if let (Place::At(position), Some(at)) = (order.places[number], operation.returned()) {
            returns.push((at, position, number as u32));
        }
    }
    returns.sort_unstable();

    let mut floor = Bound { position: Position::START, by: NOBODY };
    let mut next = returns.iter().peekable();
    let (mut somewhere, mut open) = (Vec::new(), Vec::new());
    let ceiling = Bound { position: Position::END, by: NOBODY };
    for (number, operation) in history.operations.iter().enumerate() {
        while let Some((_, position, by)) = next.next_if(|(at, ..)| *at < operation.call) {
            if *position > floor.position {
                floor = Bound { position: *position, by: *by };
            }
        }
        let window = Window { operation: number as u32, floor, ceiling };
        match order.places[number] {
            Place::At(position) if position < floor.position => {
                violations.push(out_of_order(history, number, floor.by as usize));
            }
            Place::Somewhere => somewhere.push(window),
            Place::Open => open.push(window),
            _ => {}
        }
    }
    if !somewhere.is_empty() {
        lower_ceilings(history, order, &mut somewhere);
    }
    (somewhere, open)
}

/// From the last call back: the earliest place of what was called after each return.
fn lower_ceilings(history: &History, order: &Order, windows: &mut [Window]) {
    let mut by_return: Vec<(Nanos, usize)> = windows
        .iter()
        .enumerate()
        .filter_map(|(at, window)| Some((history.operations[window.operation as usize].returned()?, at)))
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

fn out_of_order(history: &History, late: usize, early: usize) -> Violation {
    let (operation, witness) = (&history.operations[late], &history.operations[early]);
    let time = operation.returned().unwrap_or(operation.call);
    let reads = !super::place::is_write(&operation.request);
    let title = if reads { "a stale read" } else { "revisions contradict real time" };
    let revision = |number: usize| {
        let response = history.operations[number].response();
        response.and_then(|response| response.header()).map_or(0, |header| header.revision)
    };
    let known = witness.returned().expect("a floor is set by what returned");
    let saw = match operation.returned() {
        Some(_) => format!("its answer is of revision {}", revision(late)),
        None => "it took effect at an earlier revision".to_string(),
    };
    Violation::new(Oracle::K1, Severity::Wrong, time, title)
        .say(format!(
            "{} was answered with revision {} at {}.",
            describe::who(witness),
            revision(early),
            describe::time(known)
        ))
        .say(format!(
            "{} was called later, at {}, yet {saw}.",
            describe::who(operation),
            describe::time(operation.call)
        ))
        .shown_by([early, late])
}
