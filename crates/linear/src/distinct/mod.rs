//! The fast path for containers into which no element is put twice: queues, stacks, priority queues, bags, sets.
//!
//! Whether a history is one is seen by looking at it ([`elements`]). Which takes found nothing decides where it
//! can be cut ([`cuts`], [`cover`]); takes of unknown outcome are a supply of takes for elements that must have
//! been taken ([`supply`]); the rest is up to the kind. Each module says why it is right; that it is was tried
//! on all histories of up to six operations, too.
//!
//! What it cannot decide is left to the search: stacks and priority queues where takes of unknown outcome matter in
//! a way that was not foreseen. Reads of whole sets from which elements are removed are put in order by a search of
//! their own ([`reads`]).

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

/// What a checker found out.
enum Outcome {
    /// The rows in order.
    Order(Vec<u32>),
    Wrong(Reason),
    /// It takes a search.
    Unclear,
}

/// So many rows cost as much as a step, where a budget of steps counts.
const ROWS_PER_STEP: u64 = 64;

/// Judges a slice as a container, or `None` if it is none with different elements, or takes a search.
pub(crate) fn decide<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
    meter: &mut Meter<'_>,
    effort: Effort,
) -> Option<Decision> {
    let container = model.container()?;
    if slice.kept.is_some() {
        // A verdict costs no steps, but the trials of an explanation must end.
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

/// Any container but a set.
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
    // Takes that need not have happened were given to their own elements. Elements of theirs may have been taken
    // by others instead.
    let mut problem = Problem::read(model, history, slice, container)?;
    problem.loosen();
    match by_kind(problem, container) {
        Outcome::Wrong(reason) => Some((rows, Outcome::Wrong(reason))),
        Outcome::Order(_) | Outcome::Unclear => Some((rows, Outcome::Unclear)),
    }
}

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

/// Why the operations of a conflict cannot be put in order, in a sentence; `None` if there is none to say.
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
    match judge(model, history, &slice, container)? {
        (rows, Outcome::Wrong(reason)) => reason.sentence(model, history, &rows, &|_| String::new()),
        _ => None,
    }
}
