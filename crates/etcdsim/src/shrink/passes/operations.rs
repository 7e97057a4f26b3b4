//! Leaves out operations, in the order of their times, so that a piece is what the clients did in a span of time.
//!
//! An operation may refer to earlier ones of its client, such as the name of a watcher. If these are gone, it does
//! nothing or something else; the run shows whether the failure remains.

use plan::Plan;

use crate::shrink::pieces::{Things, drop_pieces};
use crate::shrink::trial::Trial;

/// The operations of a plan, in the order of their times.
pub(super) const OPERATIONS: Things = Things { count: |plan| in_order(plan).len(), retain };

pub(super) fn operations(trial: &mut Trial<'_>) {
    drop_pieces(trial, &OPERATIONS);
}

/// The place of each operation: its client, and its number there.
pub(super) fn in_order(plan: &Plan) -> Vec<(usize, usize)> {
    let mut all: Vec<(u64, usize, usize)> = Vec::new();
    for (client, it) in plan.clients.iter().enumerate() {
        // An operation comes after those before it in the list, whatever its time says.
        let mut time = 0;
        for (number, operation) in it.operations.iter().enumerate() {
            time = operation.at.max(time);
            all.push((time, client, number));
        }
    }
    all.sort_unstable();
    all.into_iter().map(|(_, client, number)| (client, number)).collect()
}

/// Keeps the operations whose numbers in the order of times are to be kept.
fn retain(plan: &mut Plan, keep: &dyn Fn(usize) -> bool) {
    let mut gone: Vec<(usize, usize)> = (in_order(plan).into_iter().enumerate())
        .filter(|(number, _)| !keep(*number))
        .map(|(_, place)| place)
        .collect();
    gone.sort_unstable();
    retain_places(plan, |place| gone.binary_search(&place).is_err());
}

/// Keeps the operations at these places.
pub(super) fn retain_places(plan: &mut Plan, keep: impl Fn((usize, usize)) -> bool) {
    for (client, it) in plan.clients.iter_mut().enumerate() {
        let mut numbers = 0..;
        it.operations.retain(|_| numbers.next().is_some_and(|number| keep((client, number))));
    }
}
