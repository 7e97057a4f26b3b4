//! Which operations contradict each other.

use crate::check::{Checked, Contradiction, Pass};
use crate::history::Operation;
use crate::verdict::{Reason, Violation};

impl Pass<'_> {
    /// Checks that an operation did not return before the call of an operation that comes before it in the order.
    #[cold]
    pub(crate) fn in_time(&self, operation: &Operation, number: u32, newer: u32) -> Checked<()> {
        if operation.returned >= self.latest {
            return Ok(());
        }
        let operations = self.history.operations();
        let is_late = |late: &Operation| late.call == self.latest && late.is_bound();
        let stands_before = |late: &Operation| {
            late.is_answered() && (late.revision, !late.is_change()) < (newer, !operation.is_change())
        };
        let acknowledged = operations.iter().position(|late| is_late(late) && stands_before(late));
        let mut made = self.witness.made.iter().copied();
        let (revision, late) = acknowledged
            .map(|late| (operations[late].revision, late as u32))
            .or_else(|| made.find(|(_, late)| is_late(&operations[*late as usize])))
            .expect("an operation has the latest call");
        let avoidable = !operations[late as usize].is_answered() && self.mixed.contains(&late);
        let violation =
            Violation { operations: vec![late, number], reason: Reason::Stale { revision, newer } };
        Err(Box::new(Contradiction { violation, avoidable }))
    }

    /// A contradiction between an answer and the store. It names the answer, the operation that made what the store holds,
    /// and the operation that made what the answer shows.
    #[cold]
    pub(crate) fn contradicted(&self, number: u32, reason: Reason) -> Box<Contradiction> {
        let revisions = match reason {
            Reason::Wrong { holds, shows, .. } | Reason::WrongKey { holds, shows, .. } => {
                [holds.modified, shows.modified]
            }
            Reason::Condition { holds, .. } => {
                [holds.modified, self.history.operations()[number as usize].seen.modified]
            }
            _ => [0, 0],
        };
        let mut operations = vec![number];
        operations
            .extend(revisions.into_iter().filter(|revision| *revision > 0).filter_map(|at| self.made(at)));
        operations.sort_unstable();
        operations.dedup();
        Contradiction::new(operations, reason)
    }

    /// The operation that made a revision.
    fn made(&self, revision: u32) -> Option<u32> {
        let is_maker = |operation: &Operation| {
            operation.is_answered() && operation.is_change() && operation.revision == revision
        };
        let acknowledged = self.history.operations().iter().position(is_maker).map(|at| at as u32);
        let unknown = self.witness.made.iter().find(|(other, _)| *other == revision);
        acknowledged.or_else(|| unknown.map(|(_, number)| *number))
    }
}
