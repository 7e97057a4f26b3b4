//! What was in the store at each revision, as far as the placed operations show. The oracles of watchers and caches
//! compare with it.
//!
//! It has no guesses: what only a search found, what two writes claim, what follows a wrong answer to a write, and
//! everything after that is not known, however likely it is.

use record::History;

use super::order::{NOBODY, Order, Step};
use super::place::Place;
use super::replay::Replay;
use crate::model::Model;

/// The store over the history.
#[derive(Debug)]
pub struct Known {
    /// Every version of every key and every change; nothing in it is compacted.
    pub model: Model,
    /// Everything is known up to this revision, and nothing after it.
    pub until: i64,
    /// Whether no revision was made after `until`.
    pub complete: bool,
    /// Which client operation made which revision, in order.
    pub makers: Vec<(i64, u32)>,
}

impl Known {
    /// What a replay of all steps ended with. `until` is the last revision up to which every step was right;
    /// `finished` is whether nothing can have happened besides the steps.
    pub(super) fn of_replay(order: &Order, model: Model, until: i64, finished: bool) -> Known {
        let until = until.min(model.revision()).min(order.disputed - 1).min(first_guess(order) - 1);
        let complete = finished && until == model.revision();
        Known { makers: makers(&order.steps), model, until, complete }
    }

    /// What the answers alone show: up to the first revision that no answer acknowledges, or the first answer that
    /// does not fit.
    pub(super) fn of_answers(history: &History, order: &Order, start: i64) -> Known {
        let mut replay = Replay::new(history, start);
        let mut until = i64::MAX;
        for step in &order.steps {
            until = match replay.missing(step) {
                Some(revision) => revision - 1,
                None if replay.take(step).is_err() || replay.lost_track => step.position.revision() - 1,
                None => continue,
            };
            break;
        }
        Known::of_replay(order, replay.model, until, false)
    }
}

/// The first revision whose maker is only a guess.
fn first_guess(order: &Order) -> i64 {
    let guess = |step: &&Step| {
        step.position.makes_revision()
            && step.operation != NOBODY
            && order.places.get(step.operation as usize) == Some(&Place::Open)
    };
    order.steps.iter().find(guess).map_or(i64::MAX, |step| step.position.revision())
}

fn makers(steps: &[Step]) -> Vec<(i64, u32)> {
    let making = steps.iter().filter(|step| step.position.makes_revision() && step.operation != NOBODY);
    making.map(|step| (step.position.revision(), step.operation)).collect()
}
