//! A plain search for a linearization, for small histories: Wing and Gong's, with a memory of what was tried.
//!
//! It needs nothing but the history and the model: no evidence, and it does not know that answers carry revisions.
//! So it is what the revision engine is held against.
//!
//! Not checked: serializable reads (K2), and what `k1` does not check of answers and errors. Exponential in the number
//! of operations in flight; more than [`OPERATIONS_MAX`] operations are refused.

use std::collections::BTreeSet;

use record::{History, Nanos, Outcome};

use crate::answer;
use crate::definite::{is_modelled, over_at};
use crate::k1::place::{Place, place};
use crate::k1::replay::granted;
use crate::model::{Model, Ties};

/// Most operations that are searched.
pub const OPERATIONS_MAX: usize = 64;

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Searched {
    /// In this order, which leaves out what need not have happened.
    Linearizable(Vec<usize>),
    /// There is no order. This is a longest one that explains its answers.
    Impossible(Vec<usize>),
    /// Too many operations, or too many states.
    Undecided,
}

/// Looks for an order of the operations in which the model, beginning as `model`, gives every answer. Gives up after
/// `states_max` states.
pub fn search(history: &History, model: &Model, states_max: usize) -> Searched {
    let places: Vec<Place> = history.operations.iter().map(place).collect();
    let mut search =
        Search { history, operations: Vec::new(), tried: BTreeSet::new(), states_max, longest: Vec::new() };
    for (number, operation) in history.operations.iter().enumerate() {
        let required = match places[number] {
            Place::At(_) => true,
            Place::Somewhere => match operation.outcome {
                Outcome::Error { error, .. } if !is_modelled(error) => continue,
                _ => true,
            },
            Place::Open => false,
            Place::Shows(_) | Place::Silent => continue,
        };
        search.operations.push(Candidate {
            number,
            call: operation.call,
            returned: over_at(operation),
            required,
        });
    }
    if search.operations.len() > OPERATIONS_MAX {
        return Searched::Undecided;
    }
    match search.go(0, model, &mut Vec::new()) {
        Some(true) => Searched::Linearizable(search.longest),
        Some(false) => Searched::Impossible(search.longest),
        None => Searched::Undecided,
    }
}

struct Candidate {
    number: usize,
    call: Nanos,
    returned: Option<Nanos>,
    required: bool,
}

struct Search<'a> {
    history: &'a History,
    operations: Vec<Candidate>,
    /// Which were done, and the state after them.
    tried: BTreeSet<(u64, Model)>,
    states_max: usize,
    longest: Vec<usize>,
}

impl Search<'_> {
    /// Whether the rest can be done after `done`; `None` where that is too much to find out.
    fn go(&mut self, done: u64, model: &Model, order: &mut Vec<usize>) -> Option<bool> {
        let left = |at: usize| done & 1 << at == 0;
        let required = |at: &usize| left(*at) && self.operations[*at].required;
        let complete = !(0..self.operations.len()).any(|at| required(&at));
        if order.len() > self.longest.len() || complete {
            self.longest.clone_from(order);
        }
        if complete {
            return Some(true);
        }
        if self.tried.len() >= self.states_max {
            return None;
        }
        if !self.tried.insert((done, model.clone())) {
            return Some(false);
        }
        // What has returned before another's call goes first. An open operation holds nothing up.
        let returns =
            (0..self.operations.len()).filter(required).filter_map(|at| self.operations[at].returned);
        let first_return = returns.min().unwrap_or(Nanos::MAX);
        for at in 0..self.operations.len() {
            if !left(at) || self.operations[at].call > first_return {
                continue;
            }
            if let Some(next) = self.after(at, model) {
                order.push(self.operations[at].number);
                let rest = self.go(done | 1 << at, &next, order);
                order.pop();
                if rest != Some(false) {
                    return rest;
                }
            }
        }
        Some(false)
    }

    /// The state after one more operation, if its answer fits, or, without an answer, if it does anything.
    fn after(&self, at: usize, model: &Model) -> Option<Model> {
        let operation = &self.history.operations[self.operations[at].number];
        let (mut next, mut ties) = (model.clone(), Ties::default());
        let result = next.apply_noting(&granted(operation), &mut ties);
        let fits = match (&operation.outcome, &result) {
            _ if !self.operations[at].required => next != *model,
            (Outcome::Answer { response, .. }, Ok(expected)) => {
                answer::difference(expected, response, &ties).is_none()
            }
            (Outcome::Error { error, .. }, Err(expected)) => error == expected,
            _ => false,
        };
        fits.then_some(next)
    }
}
