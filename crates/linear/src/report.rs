//! The report of a check: the verdict and what proves it.

use std::fmt;

use crate::budget::{Budget, Ledger, Limit};
use crate::distinct;
use crate::explain;
use crate::explain::exclusions::exclusions;
use crate::history::History;
use crate::model::Model;

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// How many components the history has.
    pub components: usize,
    /// How many configurations the searches visited. Components that need no search cost none.
    pub steps: u64,
}

/// Whether the history is linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is linearizable, and this order shows it.
    Linearizable(Witness),
    /// It is not linearizable, and these operations show it.
    NotLinearizable(Box<Violation>),
    /// The check reached a limit first.
    Undecided(Box<Undecided>),
}

impl Verdict {
    /// Whether the history was found linearizable.
    pub fn is_linearizable(&self) -> bool {
        matches!(self, Verdict::Linearizable(_))
    }

    /// Whether a violation was found.
    pub fn is_violation(&self) -> bool {
        matches!(self, Verdict::NotLinearizable(_))
    }
}

/// The proof that a history is linearizable: an order for each component in which every answer is right.
/// [`crate::validate::linearization`] checks it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// The orders, by component.
    pub components: Vec<Linearization>,
}

/// One component's operations in an order in which clients that take turns would have got the same answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linearization {
    /// All answered operations, and those of unknown outcome that took effect.
    pub order: Vec<u32>,
    /// The operations of unknown outcome that never took effect, or whose effect no answer needs.
    pub left_out: Vec<u32>,
}

/// Why a history is not linearizable. Components before `component` are linearizable or undecided; those
/// after it were not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The component in which it was found.
    pub component: usize,
    /// Operations that cannot be ordered.
    pub conflict: Conflict,
    /// An order of the operations up to some time: the longest part of the history, from its start, that was
    /// found to have one. Empty if none was looked for.
    pub prefix: Vec<u32>,
    /// That time: `prefix` explains all answers before it.
    pub prefix_until: u64,
}

impl Violation {
    /// Every order of the conflict's operations, up to the operation that cannot come next. If there are too
    /// many orders, those that get furthest. Empty only if the conflict has more than twelve operations or was
    /// not explained.
    ///
    /// This is for people who read the report, so it is calculated on demand. Pass the model and the history of
    /// the check.
    pub fn excluded<M: Model>(&self, model: &M, history: &History<M::Input, M::Output>) -> Vec<Excluded> {
        exclusions(model, history, &self.conflict)
    }

    /// Why the conflict's operations cannot be put in order, in one sentence that names operations by their
    /// index. There is such a sentence for containers into which no element is put twice. If it is `None`, use
    /// [`excluded`](Violation::excluded).
    ///
    /// Pass the model and the history of the check.
    pub fn reason<M: Model>(&self, model: &M, history: &History<M::Input, M::Output>) -> Option<String> {
        distinct::sentence(model, history, &self.conflict)
    }

    /// A conflict with the fewest operations possible, if it can be found, or else the one reported.
    ///
    /// Every operation of the reported conflict is needed. Sometimes there is another conflict with fewer
    /// operations, but finding it takes a hundred times as long as the verdict, so it is done on demand. Pass
    /// the model and the history of the check. The limits that `budget` sets for explanations apply.
    pub fn least_conflict<M: Model>(
        &self,
        model: &M,
        history: &History<M::Input, M::Output>,
        budget: &Budget<'_>,
    ) -> Conflict {
        let members = model.partition(history).members();
        let part = explain::Part { model, history, operations: members.of(self.component) };
        let ledger = Ledger::new(budget, 1).for_explanation(budget.explain_steps_max);
        let least = explain::least(&part, &self.conflict, &ledger);
        least.unwrap_or_else(|| self.conflict.clone())
    }
}

/// Operations that cannot be linearized, whether or not the others took effect. They prove that a history is not
/// linearizable.
///
/// Treat every other operation as one of unknown outcome, which may have taken effect at any time after its
/// call, or never. The history is still not linearizable. Forgetting an outcome only allows more orders, so the
/// whole history is not linearizable either. (An operation of a container that is treated like this keeps its
/// answer: if it took effect, then with that answer.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// The operations' indices, in the order of their calls.
    pub operations: Vec<u32>,
    /// Operations outside the conflict that could matter to it if they took effect at another time.
    pub supporting: Vec<u32>,
    /// Whether every operation is known to be needed: if any one is forgotten, the others have an order.
    pub minimal: bool,
}

/// One order of a conflict's operations, up to where it fails, and why it does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Excluded {
    /// The operations that can be put in this order.
    pub order: Vec<u32>,
    /// The operation that cannot come next.
    pub next: u32,
    /// Why not, in one sentence.
    pub reason: String,
}

/// How far a check got before it reached a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Undecided {
    /// The first component that was not decided.
    pub component: usize,
    /// The limit that its search reached.
    pub limit: Limit,
    /// How many components were not decided.
    pub undecided_components: usize,
    /// Of the orders that the search built in `component`, the one that got furthest in time.
    pub deepest: Vec<u32>,
    /// How many answered operations that component has.
    pub answered: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Linearizable(_) => write!(f, "Linearizable."),
            Verdict::NotLinearizable(violation) => write!(f, "Not linearizable. {violation}"),
            Verdict::Undecided(undecided) => write!(f, "Undecided. {undecided}"),
        }?;
        write!(f, " Components: {}; configurations visited: {}.", self.components, self.steps)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations = &self.conflict.operations;
        let count = operations.len();
        write!(
            f,
            "Component {}: {count} operations cannot be linearized, whether or not the others took effect",
            self.component
        )?;
        if count <= LISTED_MAX { write!(f, ": {operations:?}.") } else { write!(f, ".") }
    }
}

/// The most operations that a message lists.
const LISTED_MAX: usize = 24;

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Undecided { component, limit, undecided_components, deepest, answered } = self;
        write!(
            f,
            "The search of component {component} did not finish: {limit}. It ordered {} operations at most, of \
             {answered} that were answered.",
            deepest.len(),
        )?;
        if *undecided_components > 1 {
            write!(f, " {} other components were not decided either.", undecided_components - 1)?;
        }
        match limit {
            Limit::Steps => write!(f, " A larger `steps_max` may decide it."),
            Limit::Bytes => write!(f, " A larger `bytes_max` may decide it."),
            Limit::Wall => write!(f, " A larger `wall_max`, or none, may decide it."),
            Limit::Cancelled => Ok(()),
        }
    }
}
