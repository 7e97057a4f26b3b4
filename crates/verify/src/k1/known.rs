//! What was in the store at each revision, as far as the placed operations show. The oracles of watchers and caches
//! compare with it.
//!
//! What two writes claim, what follows a wrong answer to a write, and everything after that is not known. Without
//! evidence, a search may have had a choice (`gaps`): from there on there is an explanation, which need not be what
//! happened.

use record::{Applied, History};

use super::order::{NOBODY, Order, Step};
use super::replay::Replay;
use crate::model::Model;

/// The store over the history.
#[derive(Debug)]
pub struct Known {
    /// Every version of every key and every change; nothing in it is compacted.
    pub model: Model,
    /// Everything is known up to this revision.
    pub until: i64,
    /// Up to this revision there is an explanation of everything, but after `until` there may be others. Without
    /// evidence, a watcher that contradicts this one contradicts them all (`gaps`).
    pub explained: i64,
    /// Whether no revision was made after `explained`.
    pub complete: bool,
    /// Which client operation made which revision, in order.
    pub makers: Vec<(i64, u32)>,
}

impl Known {
    /// What a replay of all steps ended with. `until` is the last revision up to which every step was right, `sure` the
    /// last one up to which no step was chosen; `finished` is whether nothing can have happened besides the steps.
    pub(super) fn of_replay(order: &Order, model: Model, until: i64, sure: i64, finished: bool) -> Known {
        let explained = until.min(model.revision()).min(order.disputed - 1);
        let complete = finished && explained == model.revision();
        let until = explained.min(sure);
        Known { makers: makers(&order.steps), model, until, explained, complete }
    }

    /// What the answers alone show, and what is sure besides them (`entries`): up to the first revision that no answer acknowledges, or the first answer that
    /// does not fit.
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
