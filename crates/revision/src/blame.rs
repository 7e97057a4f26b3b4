//! Finds the operations that a violation names: those that contradict each other. Used once the pass of
//! [`crate::check`] has found something wrong, so it may be slow.

use crate::check::{Checked, Contradiction, Pass};
use crate::history::Operation;
use crate::verdict::{Reason, Violation};

impl Pass<'_> {
    /// Checks that an operation whose answer has the revision `newer` did not return before the call of an operation
    /// ordered before it. Otherwise the answer to the operation called later is stale.
    #[cold]
    pub(crate) fn check_time(&self, operation: &Operation, number: u32, newer: u32) -> Checked<()> {
        if operation.returned >= self.latest_call {
            return Ok(());
        }
        let operations = self.history.operations();
        let is_called_last = |stale: &Operation| stale.call == self.latest_call && stale.is_bound();
        let comes_before = |stale: &Operation| {
            stale.is_answered() && (stale.revision, !stale.is_change()) < (newer, !operation.is_change())
        };
        let acknowledged = operations.iter().position(|stale| is_called_last(stale) && comes_before(stale));
        let mut made = self.witness.made.iter().copied();
        let (revision, stale) = acknowledged
            .map(|stale| (operations[stale].revision, stale as u32))
            .or_else(|| made.find(|(_, stale)| is_called_last(&operations[*stale as usize])))
            .expect("an operation has the latest call");
        let avoidable = !operations[stale as usize].is_answered() && self.ambiguous.contains(&stale);
        let violation =
            Violation { operations: vec![stale, number], reason: Reason::Stale { revision, newer } };
        Err(Box::new(Contradiction { violation, avoidable }))
    }

    /// A contradiction between an answer and the store. It names three operations, if they exist: the one with the
    /// answer, the one that set what the store holds, and the one that set what the answer shows.
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
            .extend(revisions.into_iter().filter(|revision| *revision > 0).filter_map(|at| self.maker(at)));
        operations.sort_unstable();
        operations.dedup();
        Contradiction::new(operations, reason)
    }

    /// The operation that made a revision, according to its answer or to the pass.
    fn maker(&self, revision: u32) -> Option<u32> {
        let is_maker = |operation: &Operation| {
            operation.is_answered() && operation.is_change() && operation.revision == revision
        };
        let acknowledged = self.history.operations().iter().position(is_maker).map(|at| at as u32);
        let unknown = self.witness.made.iter().find(|(other, _)| *other == revision);
        acknowledged.or_else(|| unknown.map(|(_, number)| *number))
    }
}
