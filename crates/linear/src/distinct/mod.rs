//! The fast path for containers into which no element is put twice: queues, stacks, priority queues, bags, sets.
//!
//! If all elements are distinct, the answer to a take shows which operation put the element in, and so a
//! linearization can be found in O(n log n), without a search. The files of this folder use these words:
//!
//! * A *row* is one operation that can matter to others; rows are numbered in the order of calls. A *position* is a
//!   small number that stands for the time of a call or return ([`crate::order`]). To give a row a position is to say
//!   when it takes effect.
//! * A *put* is a row that puts an element into the container; a *take* is a row that takes one out.
//! * A take *found nothing* if it was answered that the container was empty.
//! * A *taker* is a take of unknown outcome. It may have taken any element, or none, at any time after its call.
//! * An element *stays* if no take is known that took it. It may still have been taken by a taker.
//! * An element is *certain* at a position if it is certainly in the container there, and *away* if it is not in the
//!   container.
//! * A *cut* is a position at which the container is empty. It divides the history into two parts that can be ordered
//!   one after the other.
//! * An element has a *deadline* if it must have been taken by some position; an element with its deadline is a
//!   *demand* for a take.
//! * A *mark* is what a row of a set does to one element, or found out about it.
//!
//! The steps:
//!
//! 1. [`elements`] checks whether the history is one of distinct elements, and groups the rows by element ([`set`] does
//!    it for sets).
//! 2. [`cuts`] and [`cover`] find a position for each take that found nothing, that is, the cuts.
//! 3. [`supply`] gives takers to the elements that must have been taken.
//! 4. [`queue`], [`stack`], [`priority_queue`], [`bag`] and [`set`] put the rows in order.
//!
//! The head of each file proves that its step is right. A test also compares the results with those of a plain
//! search, for all histories of up to six operations.
//!
//! Some histories of stacks and priority queues cannot be decided in this way, because the takers may have taken one
//! element or another. They are left to the search ([`search`]). Sets from which elements are removed and that are read
//! as a whole have a search of their own ([`reads`]).

mod bag;
mod cover;
mod cuts;
mod elements;
mod life;
mod priority_queue;
mod queue;
mod reads;
mod reason;
pub(crate) mod search;
mod set;
mod stack;
mod stages;
mod supply;
mod trees;

use crate::budget::Meter;
use crate::history::History;
use crate::model::{Container, Model};
use crate::report::{Conflict, Linearization};
use crate::search::missing;
use crate::slice::{Decision, Effort, Slice};

use elements::{Problem, Rows};
use reason::Reason;

/// What the file for one kind of container found out.
enum Outcome {
    /// A linearization: the rows in order.
    Order(Vec<u32>),
    /// There is no linearization.
    Wrong(Reason),
    /// It takes a search to find out.
    Unclear,
}

/// This many rows count as one step of the budget.
const ROWS_PER_STEP: u64 = 64;

/// Judges a slice of the history as a container. `None` if it is not one with distinct elements, or takes a search.
pub(crate) fn decide<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
    meter: &mut Meter<'_>,
    effort: Effort,
) -> Option<Decision> {
    let container = model.container()?;
    if slice.kept.is_some() {
        // Judging the history costs no steps. But an explanation judges many slices one after the other, and that must
        // end when the budget is used up.
        for _ in 0..=slice.operations.len() as u64 / ROWS_PER_STEP {
            if let Err(limit) = meter.step() {
                return Some(Decision::Undecided { limit, deepest: Vec::new() });
            }
        }
    }
    if container == Container::Set {
        return set::decide(model, history, slice, meter, effort);
    }
    let (rows, outcome) = judge(model, history, slice, container)?;
    decision(&rows, outcome)
}

/// The decision that an outcome means, with operations instead of rows.
fn decision(rows: &Rows, outcome: Outcome) -> Option<Decision> {
    let name = |order: Vec<u32>| order.into_iter().map(|row| rows.op[row as usize]).collect::<Vec<u32>>();
    match outcome {
        Outcome::Order(order) => {
            let left_out = missing(&order, &rows.op);
            Some(Decision::Linearizable(Linearization { order: name(order), left_out }))
        }
        Outcome::Wrong(reason) => {
            Some(Decision::Violation { core: Some(name(reason.rows())), deepest: Vec::new() })
        }
        Outcome::Unclear => None,
    }
}

/// Judges a slice of any container but a set. `None` if its elements are not distinct.
fn judge<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
    container: Container,
) -> Option<(Rows, Outcome)> {
    let problem = Problem::read(model, history, slice, container)?;
    let rows = Rows { op: problem.rows.op.clone(), ret: Vec::new() };
    let loosely = problem.optional && !problem.takers.is_empty();
    let outcome = by_kind(problem, container);
    if !loosely || !matches!(outcome, Outcome::Wrong(_)) {
        return Some((rows, outcome));
    }
    // Some takes need not have happened, although it is known which element they would have taken (`Seen::Optional`).
    // So far it was assumed that they took it. The element may have been taken by a taker instead, so try again with
    // these takes as takers.
    let mut problem = Problem::read(model, history, slice, container)?;
    problem.loosen();
    match by_kind(problem, container) {
        Outcome::Wrong(reason) => Some((rows, Outcome::Wrong(reason))),
        Outcome::Order(_) | Outcome::Unclear => Some((rows, Outcome::Unclear)),
    }
}

/// Judges a problem by the file for its kind of container.
fn by_kind(mut problem: Problem, container: Container) -> Outcome {
    if let Some(reason) = problem.wrong.take() {
        return Outcome::Wrong(reason);
    }
    match container {
        Container::Queue => queue::decide(problem),
        Container::Stack => stack::decide(problem),
        Container::PriorityQueue => priority_queue::decide(problem),
        Container::Bag => bag::decide(problem),
        Container::Set => Outcome::Unclear,
    }
}

/// A sentence that says why the operations of a conflict cannot be put in order; `None` if this folder does not know
/// why.
pub(crate) fn sentence<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    conflict: &Conflict,
) -> Option<String> {
    let container = model.container()?;
    let operations = [conflict.operations.as_slice(), conflict.supporting.as_slice()].concat();
    let kept: Vec<bool> = operations.iter().map(|index| conflict.operations.contains(index)).collect();
    let slice = Slice { operations: &operations, kept: Some(&kept), until: None };
    if container == Container::Set {
        return set::reason(model, history, &slice);
    }
    // Only sentences about sets need names of elements.
    match judge(model, history, &slice, container)? {
        (rows, Outcome::Wrong(reason)) => reason.sentence(model, history, &rows, &|_| String::new()),
        _ => None,
    }
}
