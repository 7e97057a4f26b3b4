//! Finds the operations of each revision: the one that made it, and those that saw it. The pass of [`crate::check`]
//! goes through them in this order.

use crate::evidence::Evidence;
use crate::history::{History, Operation};
use crate::unknown::Collected;
use crate::verdict::{Reason, Violation};

/// Stands for no operation.
pub(crate) const NONE: u32 = u32::MAX;

/// The operations of each revision, as linked lists.
pub(crate) struct Links<'a> {
    /// By revision, from the base on: the operation that made it, and the last one in the history that saw it without
    /// changing anything.
    pub(crate) heads: Vec<[u32; 2]>,
    /// By operation that saw a revision: the next one in that revision's list, which comes before it in the history;
    /// [`NONE`] at the end of the list.
    pub(crate) next: Vec<u32>,
    /// The writes of unknown outcome.
    pub(crate) unknown: Collected<'a>,
}

impl<'a> Links<'a> {
    /// Goes through the history once. The error is a revision that is impossible or was made twice.
    pub(crate) fn new(history: &'a History, evidence: &Evidence) -> Result<Links<'a>, Violation> {
        let operations = history.operations();
        let base = history.base();
        let count = count(history, evidence)?;
        let mut links = Links {
            heads: vec![[NONE; 2]; count],
            next: vec![NONE; operations.len()],
            unknown: Collected::default(),
        };
        for (number, (operation, next)) in (0..).zip(operations.iter().zip(&mut links.next)) {
            if !operation.is_answered() {
                if operation.is_write() {
                    links.unknown.push(history, operation, number);
                }
                continue;
            }
            let changes = operation.is_change();
            let at = operation.revision.wrapping_sub(base) as usize;
            // No operation can have made the base.
            let heads = links.heads.get_mut(at).filter(|_| !(changes & (at == 0)));
            let Some(heads) = heads else { return Err(out_of_range(number, operation.revision)) };
            *next = std::mem::replace(&mut heads[usize::from(!changes)], number);
            if changes & (*next != NONE) {
                let reason = Reason::MadeTwice { revision: operation.revision };
                return Err(Violation { operations: vec![*next, number], reason });
            }
        }
        Ok(links)
    }

    /// The operation that made a revision; [`NONE`] before the base and after the last revision.
    pub(crate) fn maker(&self, base: u32, revision: u32) -> u32 {
        let at = revision.checked_sub(base).map(|at| at as usize);
        at.and_then(|at| self.heads.get(at)).map_or(NONE, |[maker, _]| *maker)
    }
}

/// How many revisions there are, including the base. The error is an answer or evidence with a revision that is too
/// high: each operation makes one at most. So an absurd number in the input cannot make the tables grow without bound.
fn count(history: &History, evidence: &Evidence) -> Result<usize, Violation> {
    let (operations, base) = (history.operations(), history.base());
    let makers = u32::try_from(operations.len() + evidence.store_made().len()).unwrap_or(u32::MAX);
    let most = base.saturating_add(makers);
    if history.newest() > most {
        let is_newest =
            |operation: &Operation| operation.is_answered() && operation.revision == history.newest();
        let number = operations.iter().position(is_newest).expect("an answer has the newest revision");
        return Err(out_of_range(number as u32, history.newest()));
    }
    let shown = evidence.changes().last().map_or(base, |change| change.revision);
    let store_made = evidence.store_made().last().copied().unwrap_or(base);
    let last = history.newest().max(shown).max(store_made).max(base);
    if last > most {
        let reason = Reason::OutOfRange { revision: last };
        return Err(Violation { operations: Vec::new(), reason });
    }
    Ok((last - base) as usize + 1)
}

/// The violation to report if an answer has an impossible revision.
fn out_of_range(number: u32, revision: u32) -> Violation {
    Violation { operations: vec![number], reason: Reason::OutOfRange { revision } }
}
