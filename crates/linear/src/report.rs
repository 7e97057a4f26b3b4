//! What a check found, with the evidence for it.

use std::fmt;

use crate::budget::{Account, Budget, Limit};
use crate::explain;
use crate::explain::exclusions::exclusions;
use crate::history::History;
use crate::model::Model;

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was found.
    pub verdict: Verdict,
    /// How many components the history has.
    pub components: usize,
    /// How many configurations were visited. Components that need no search cost none.
    pub steps: u64,
}

/// Whether the history is linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is, and this order shows it.
    Linearizable(Witness),
    /// It is not, and these operations show it.
    NotLinearizable(Box<Violation>),
    /// The budget ended first.
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

/// An order for each component in which every answer is right. [`crate::validate::linearization`] checks it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// By component.
    pub components: Vec<Linearization>,
}

/// One component's operations in an order in which a single client could have got the same answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linearization {
    /// All answered operations, and the unknown ones that took effect.
    pub order: Vec<u32>,
    /// The unknown ones that never took effect, or whose effect nobody needs.
    pub left_out: Vec<u32>,
}

/// Why a history is not linearizable. Components before `component` are linearizable or undecided, those
/// after it were not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The component it was found in.
    pub component: usize,
    /// Operations that cannot be ordered.
    pub conflict: Conflict,
    /// The longest linearizable prefix in time that was found, as an order; empty if none was looked for.
    pub prefix: Vec<u32>,
    /// The time of the return up to which `prefix` goes, exclusive.
    pub prefix_until: u64,
}

impl Violation {
    /// Every order of the conflict's operations, cut where it fails. If there are too many, those that fail
    /// last; empty only if the conflict has more than twelve operations or was not looked for.
    ///
    /// For somebody who reads the report, so it is worked out on demand. Model and history are those of the
    /// check.
    pub fn excluded<M: Model>(&self, model: &M, history: &History<M::Input, M::Output>) -> Vec<Excluded> {
        exclusions(model, history, &self.conflict)
    }

    /// A conflict of as few operations as can be, if that is found.
    ///
    /// That of the report is one of which nothing can be spared. Now and then there is another one with fewer
    /// operations, but to look for it takes a hundred times as long as the verdict, so it is done on demand.
    /// Model and history are those of the check; of `budget` the limits for the explanation count.
    pub fn least_conflict<M: Model>(
        &self,
        model: &M,
        history: &History<M::Input, M::Output>,
        budget: &Budget<'_>,
    ) -> Conflict {
        let members = model.partition(history).members();
        let part = explain::Part { model, history, operations: members.of(self.component) };
        let account = Account::new(budget).for_explanation(budget.explain_steps_max);
        let least = explain::least(&part, &self.conflict, &account);
        least.unwrap_or_else(|| self.conflict.clone())
    }
}

/// Operations that cannot be ordered on their own, whatever became of all others.
///
/// That is: if every operation outside `operations` is taken for one of unknown outcome (it may have taken
/// effect at any time after its call, or never), the history is still not linearizable. As forgetting an
/// outcome only ever allows more orders, the whole history is not linearizable either.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conflict {
    /// Indices, by call. None can be spared if `minimal`.
    pub operations: Vec<u32>,
    /// Those operations outside the conflict that could matter to it, had they taken effect at another time.
    pub supporting: Vec<u32>,
    /// Whether the conflict is known to hold no operation that could be left out of it.
    pub minimal: bool,
}

/// One way to order the conflict's operations that fails, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    /// The operations that could be ordered so.
    pub order: Vec<u32>,
    /// The one that cannot come next.
    pub next: u32,
    /// Why, in one sentence.
    pub reason: String,
}

/// How far a check got before its budget ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// The component whose search was ended.
    pub component: usize,
    /// What ended it.
    pub limit: Limit,
    /// How many components could not be decided.
    pub undecided_components: usize,
    /// The order that came furthest in time, of those that the search built in `component`.
    pub deepest: Vec<u32>,
    /// How many operations with a known answer that component has.
    pub answered: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Linearizable(_) => write!(f, "Linearizable."),
            Verdict::NotLinearizable(violation) => write!(f, "Not linearizable. {violation}"),
            Verdict::Undecided(undecided) => write!(f, "Undecided. {undecided}"),
        }?;
        write!(f, " Of {} components; {} configurations were visited.", self.components, self.steps)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations = &self.conflict.operations;
        write!(f, "In component {} {} operations have no order", self.component, operations.len())?;
        match operations.len() {
            0..=LISTED_MAX => write!(f, ", whatever became of all others: {operations:?}."),
            _ => write!(f, ", whatever became of all others."),
        }
    }
}

/// More operations are not listed in a sentence.
const LISTED_MAX: usize = 24;

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Undecided { component, limit, undecided_components, deepest, answered } = self;
        write!(
            f,
            "Component {component} could not be decided: {limit}. The order that came furthest holds {} \
             operations; {answered} of the component were answered.",
            deepest.len(),
        )?;
        if *undecided_components > 1 {
            write!(f, " {} other components are open too.", undecided_components - 1)?;
        }
        match limit {
            Limit::Steps => write!(f, " A larger `steps_max` may decide it."),
            Limit::Bytes => write!(f, " A larger `bytes_max` may decide it."),
            Limit::Wall => write!(f, " A larger `wall_max`, or none, may decide it."),
            Limit::Cancelled => Ok(()),
        }
    }
}
