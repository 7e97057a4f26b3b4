//! Which operations stand at which revision.

use crate::evidence::Evidence;
use crate::history::{History, Operation};
use crate::unknown::Lost;
use crate::verdict::{Reason, Violation};

/// No operation.
pub(crate) const NONE: u32 = u32::MAX;

/// The operations of each revision.
pub(crate) struct Links<'a> {
    /// By revisions after the base: who made it, and the last of those who saw it without changing anything. The others
    /// follow by `next`.
    pub(crate) heads: Vec<[u32; 2]>,
    pub(crate) next: Vec<u32>,
    /// Changes without an answer.
    pub(crate) lost: Lost<'a>,
}

impl<'a> Links<'a> {
    pub(crate) fn new(history: &'a History, evidence: &Evidence) -> Result<Links<'a>, Violation> {
        let operations = history.operations();
        let base = history.base();
        let count = count(history, evidence)?;
        let mut links = Links {
            heads: vec![[NONE; 2]; count],
            next: vec![NONE; operations.len()],
            lost: Lost::default(),
        };
        for (number, (operation, next)) in (0..).zip(operations.iter().zip(&mut links.next)) {
            if !operation.is_answered() {
                if operation.is_write() {
                    links.lost.push(history, operation, number);
                }
                continue;
            }
            let changes = operation.is_change();
            let at = operation.revision.wrapping_sub(base) as usize;
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

    /// Who made a revision; [`NONE`] before the base or after the last one.
    pub(crate) fn maker(&self, base: u32, revision: u32) -> u32 {
        let at = revision.checked_sub(base).map(|at| at as usize);
        at.and_then(|at| self.heads.get(at)).map_or(NONE, |[maker, _]| *maker)
    }
}

/// How many revisions there are to look at, the base among them. Each operation makes one at most, so that a broken
/// answer asks for no memory without bound.
fn count(history: &History, evidence: &Evidence) -> Result<usize, Violation> {
    let (operations, base) = (history.operations(), history.base());
    let makers = u32::try_from(operations.len() + evidence.nobodys().len()).unwrap_or(u32::MAX);
    let most = base.saturating_add(makers);
    if history.newest() > most {
        let is_newest =
            |operation: &Operation| operation.is_answered() && operation.revision == history.newest();
        let number = operations.iter().position(is_newest).expect("somebody was answered so");
        return Err(out_of_range(number as u32, history.newest()));
    }
    let shown = evidence.changes().last().map_or(base, |change| change.revision);
    let nobodys = evidence.nobodys().last().copied().unwrap_or(base);
    let last = history.newest().max(shown).max(nobodys).max(base);
    if last > most {
        let reason = Reason::OutOfRange { revision: last };
        return Err(Violation { operations: Vec::new(), reason });
    }
    Ok((last - base) as usize + 1)
}

fn out_of_range(number: u32, revision: u32) -> Violation {
    Violation { operations: vec![number], reason: Reason::OutOfRange { revision } }
}
