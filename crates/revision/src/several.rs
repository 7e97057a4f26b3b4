//! Operations on several keys (ranges, deletions of ranges, transactions) in the pass of [`crate::check`]. Each is
//! executed on the store, and its answer is compared with the result.

use std::collections::BTreeMap;

use crate::answer::difference;
use crate::check::{Checked, Contradiction, Pass};
use crate::evidence::Change;
use crate::execute::{Past, Store, execute};
use crate::history::Seen;
use crate::unknown::{May, covers};
use crate::verdict::Reason;
use crate::wide::{Answer, Compare, Keys, Relation, Response, Step, Target, Transaction, Wide};

impl Pass<'_> {
    /// Carries out an answered operation on several keys and checks its answer. `shown` is the evidence of its
    /// revision.
    pub(crate) fn make_wide(&mut self, wide: &Wide, maker: u32, shown: &[Change]) -> Checked<()> {
        let revision = wide.revision;
        if self.is_blind() {
            self.make_blindly(wide, shown);
            return Ok(());
        }
        let before = Store { keys: &self.keys, revision: revision - 1, past: &self.past };
        let Some(done) = execute(before, &wide.request, true) else {
            return Err(Contradiction::new(vec![maker], Reason::Refused { revision }));
        };
        if let Some(reason) = self.difference(wide, &done.response) {
            return Err(self.contradicted(maker, reason));
        }
        if !shown.is_empty() && !are_the_same(&done.changes, shown) {
            return Err(Contradiction::new(vec![maker], Reason::Evidence { revision }));
        }
        for (key, holds) in done.changes {
            self.keys[key as usize] = holds;
            self.past.push(revision, key, holds);
        }
        Ok(())
    }

    /// Carries out an operation when it is unknown what some earlier revision did. Then its compares and deletions
    /// cannot be checked, and only the values that it certainly set are taken over.
    fn make_blindly(&mut self, wide: &Wide, shown: &[Change]) {
        let revision = wide.revision;
        let mut sets = Vec::new();
        if shown.is_empty() {
            puts(&wide.request, &wide.response, &mut sets);
        }
        sets.extend(shown.iter().map(|change| (change.key, change.value)));
        for (key, value) in sets {
            if let Some(holds) = self.keys.get_mut(key as usize) {
                *holds = holds.after(revision, value);
            }
        }
    }

    /// Checks an operation on several keys that saw a revision without changing anything.
    pub(crate) fn read_wide(&self, wide: &Wide, number: u32, revision: u32) -> Checked<()> {
        if self.is_blind() {
            return Ok(());
        }
        let store = Store { keys: &self.keys, revision, past: &self.past };
        let Some(done) = execute(store, &wide.request, true) else {
            return Err(Contradiction::new(vec![number], Reason::Refused { revision }));
        };
        match self.difference(wide, &done.response) {
            Some(reason) => Err(self.contradicted(number, reason)),
            None => Ok(()),
        }
    }

    /// How the answer to an operation differs from the expected one; `None` if it does not.
    fn difference(&self, wide: &Wide, expected: &Response) -> Option<Reason> {
        difference((self.history.base(), wide.revision), &wide.request, &wide.response, expected)
    }
}

/// Whether an operation of unknown outcome may have made exactly these changes. `is_blind` if it is unknown what some
/// earlier revision did.
pub(crate) fn may_make(keys: &[Seen], past: &Past, is_blind: bool, wide: &Wide, shown: &[Change]) -> May {
    if is_blind {
        return if covers(&wide.request, shown) { May::Yes } else { May::No };
    }
    let before = Store { keys, revision: shown[0].revision - 1, past };
    match execute(before, &wide.request, false) {
        Some(done) if are_the_same(&done.changes, shown) => May::Yes,
        _ if can_never_change(before, &wide.request) => May::Never,
        _ => May::No,
    }
}

/// Whether a transaction can never change anything from here on: it compares a key with an earlier revision, and the
/// key has changed since.
fn can_never_change(store: Store<'_>, request: &Transaction) -> bool {
    let has_failed_for_good = |compare: &Compare| {
        let key = compare.keys.from;
        let holds = store.keys.get(key as usize).copied().unwrap_or_default();
        let (holds, wanted) = match compare.target {
            Target::Modified(wanted) => (holds.modified, wanted),
            Target::Created(wanted) => (holds.created, wanted),
            _ => return false,
        };
        let is_past = wanted > 0 && wanted <= store.revision && holds != wanted;
        compare.keys == Keys::one(key) && compare.relation == Relation::Equal && is_past
    };
    let is_read = |step: &Step| matches!(step, Step::Range(_));
    request.failure.iter().all(is_read) && request.compares.iter().any(has_failed_for_good)
}

/// Whether the changes that an operation made are those that the evidence shows.
fn are_the_same(made: &BTreeMap<u32, Seen>, shown: &[Change]) -> bool {
    let is_same = |((key, holds), change): ((&u32, &Seen), &Change)| {
        let value = (!holds.is_absent()).then_some(holds.value);
        (*key, value) == (change.key, change.value)
    };
    made.len() == shown.len() && made.iter().zip(shown).all(is_same)
}

/// Collects the puts of the branches that were taken: keys, and the values that they were set to.
fn puts(request: &Transaction, response: &Response, sets: &mut Vec<(u32, Option<u32>)>) {
    for (step, answer) in request.branch(response.succeeded).iter().zip(&response.answers) {
        match (step, answer) {
            (Step::Put { key, value: Some(value) }, _) => sets.push((*key, Some(*value))),
            (Step::Nested(request), Answer::Nested(response)) => puts(request, response, sets),
            _ => {}
        }
    }
}
