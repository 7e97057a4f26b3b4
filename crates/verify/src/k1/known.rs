//! What was in the store at each revision, as far as K1's replay knows it. The oracles of watchers and of clients'
//! copies compare with it.
//!
//! Three things limit the knowledge. After a revision that two writes claim, or a wrong answer to a write, nothing is
//! known. Without evidence, a search explains the revisions that no answer acknowledges (`gaps`); where it had more
//! than one choice, its explanation need not be what happened.

use record::{Applied, History};

use super::order::{NOBODY, Order, Step};
use super::replay::Replay;
use crate::model::Model;

/// The store over the history.
#[derive(Debug)]
pub struct Known {
    /// Every version of every key and every change; nothing in it is compacted.
    pub model: Model,
    /// Up to this revision, the content of the store is known for certain.
    pub until: i64,
    /// Up to this revision the model has one explanation. After `until` other explanations may exist, but a watcher
    /// that contradicts this one contradicts them all: the search agreed with watchers as long as it could (`gaps`).
    pub explained: i64,
    /// Whether no revision was made after `explained`.
    pub complete: bool,
    /// Which client operation made which revision, in order.
    pub makers: Vec<(i64, u32)>,
}

impl Known {
    /// What a replay of all steps ended with. Up to revision `until`, every step was right; up to `sure`, no step was
    /// chosen among several. `finished` says that nothing can have happened besides the steps.
    pub(super) fn of_replay(order: &Order, model: Model, until: i64, sure: i64, finished: bool) -> Known {
        let explained = until.min(model.revision()).min(order.disputed - 1);
        let complete = finished && explained == model.revision();
        let until = explained.min(sure);
        Known { makers: makers(&order.steps), model, until, explained, complete }
    }

    /// What the answers show together with the certain entries of members (`entries`): up to the first revision that
    /// no answer acknowledges, or to the first answer that is wrong.
    pub(super) fn of_answers(history: &History, order: &Order, entries: &[Applied], start: i64) -> Known {
        let mut replay = Replay::new(history, start).by_evidence(entries, false).by_answers();
        let mut until = i64::MAX;
        for step in &order.steps {
            until = match replay.missing(step) {
                Some(revision) => revision - 1,
                None if replay.take(step).is_err() || replay.lost_track => step.position.revision() - 1,
                None => continue,
            };
            break;
        }
        Known::of_replay(order, replay.model, until, i64::MAX, false)
    }
}

fn makers(steps: &[Step]) -> Vec<(i64, u32)> {
    let making = steps.iter().filter(|step| step.position.makes_revision() && step.operation != NOBODY);
    making.map(|step| (step.position.revision(), step.operation)).collect()
}
