//! What was in the store at each revision, as far as the replay of K1 knows it. The oracles that judge watchers and
//! clients' copies of a key range compare with it.
//!
//! Three things limit the knowledge. After a revision that two writes claim to have made, and after a wrong answer to
//! a write, nothing is known. And without evidence, a search explains the revisions that no answer acknowledges
//! (`gaps`); where several explanations agree with the answers, the one it took need not be what happened.

use record::{Applied, History};

use super::order::{NOBODY, Order, Step};
use super::replay::Replay;
use crate::model::Model;

/// The content of the store at every revision of the history.
#[derive(Debug)]
pub struct Known {
    /// Every version of every key and every change; nothing in it is compacted.
    pub model: Model,
    /// Up to this revision, the content of the store is known for certain.
    pub until: i64,
    /// Up to this revision the model has an explanation of every change, but after `until` not the only possible one.
    /// Still, a watcher that contradicts it contradicts them all, because the search prefers explanations that agree
    /// with the watchers (`gaps`).
    pub explained: i64,
    /// Whether no revision was made after `explained`.
    pub complete: bool,
    /// Which client operation made which revision, in order.
    pub makers: Vec<(i64, u32)>,
}

impl Known {
    /// The knowledge after a replay of all steps. Up to revision `until`, every step was right; up to `sure`, no step
    /// was chosen among several possible ones. `finished` says that nothing can have happened besides the steps.
    pub(super) fn of_replay(order: &Order, model: Model, until: i64, sure: i64, finished: bool) -> Known {
        let explained = until.min(model.revision()).min(order.disputed - 1);
        let complete = finished && explained == model.revision();
        let until = explained.min(sure);
        Known { makers: makers(&order.steps), model, until, explained, complete }
    }

    /// The knowledge if the search for an explanation failed. It reaches to the first revision that neither an answer
    /// acknowledges nor one of `entries` (the certain entries that members proposed) makes, or to the first wrong
    /// answer.
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

/// Which client operation made which revision, in order.
fn makers(steps: &[Step]) -> Vec<(i64, u32)> {
    let making = steps.iter().filter(|step| step.position.makes_revision() && step.operation != NOBODY);
    making.map(|step| (step.position.revision(), step.operation)).collect()
}
