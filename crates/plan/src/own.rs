//! Workloads that users of this crate write in Rust, instead of choosing one by name.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use keyed::Draw;
use record::{MemberId, Nanos};

use crate::choice::Dice;
use crate::workload::{Turn, turns};
use crate::{Client, Plan, Scenario, ScenarioErrors};

/// Makes clients and all their operations: your own workload.
///
/// It is called once per plan and must be a pure function of what [`WorkloadContext`] offers: the same seed
/// must always give the same clients, or a failing seed cannot be replayed. Take all randomness from
/// [`WorkloadContext::draw`] or [`WorkloadContext::turns`].
///
/// Any function from a context to clients is a workload.
pub trait Workload: Send + Sync {
    /// The clients of this plan.
    fn clients(&self, context: &WorkloadContext) -> Vec<Client>;
}

impl<F: Fn(&WorkloadContext) -> Vec<Client> + Send + Sync> Workload for F {
    fn clients(&self, context: &WorkloadContext) -> Vec<Client> {
        self(context)
    }
}

/// What a [`Workload`] may depend on: the cluster, the length of the run, and keyed draws of the seed.
#[derive(Clone, Copy, Debug)]
pub struct WorkloadContext {
    dice: Dice,
    members: u32,
    /// The length of the chaos phase.
    chaos: Nanos,
    /// The number of the workload's first client.
    first: u32,
}

impl WorkloadContext {
    /// The initial number of members; they have the ids 1 to this.
    pub fn members(&self) -> u32 {
        self.members
    }

    /// The length of the chaos phase. Operations that are planned for later are never sent.
    pub fn chaos(&self) -> Duration {
        Duration::from_nanos(self.chaos)
    }

    /// The number of this workload's first client in the plan. [`Client::part_of`] needs such a number.
    pub fn first(&self) -> u32 {
        self.first
    }

    /// Client number `nth` of this workload, counted from 0, without operations. It knows all members. The
    /// first client starts with member 1, the next one with member 2, and so on.
    pub fn client(&self, nth: u32) -> Client {
        let endpoints =
            (0..self.members).map(|at| MemberId::new((nth % self.members + at) % self.members + 1));
        Client { endpoints: endpoints.collect(), ..Client::default() }
    }

    /// The draw for decision number `nth` of a client. It depends only on the seed and these two numbers.
    pub fn draw(&self, client: u32, nth: u64) -> Draw {
        self.dice.nth(client.into()).nth(nth).field("draw")
    }

    /// The turns of a client until the end of the chaos phase: one in each period (of at least 1 ms), at a
    /// drawn time within it, each with a draw.
    pub fn turns(&self, client: u32, period: Duration) -> impl Iterator<Item = Turn> + use<> {
        turns(self.dice, self.chaos, client, u64::try_from(period.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// A [`Workload`] in a scenario.
#[derive(Clone)]
pub(crate) struct Own(Arc<dyn Workload>);

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own(..)")
    }
}

impl Own {
    pub fn new(workload: impl Workload + 'static) -> Own {
        Own(Arc::new(workload))
    }

    /// The workload's clients. `nth` is its index among the scenario's own workloads, `first` is the number of
    /// clients that come before.
    pub fn clients(&self, dice: Dice, nth: usize, members: u32, chaos: Nanos, first: usize) -> Vec<Client> {
        let dice = dice.part("own-workload").nth(nth as u64);
        self.0.clients(&WorkloadContext { dice, members, chaos, first: first as u32 })
    }
}

impl Scenario {
    /// Adds the clients of your own workload, after those of the file.
    #[must_use]
    pub fn with_workload(mut self, workload: impl Workload + 'static) -> Scenario {
        self.own.push(Own::new(workload));
        self
    }

    /// Whether workloads were added with [`Scenario::with_workload`]. A file cannot contain these.
    pub fn has_own_workloads(&self) -> bool {
        !self.own.is_empty()
    }
}

impl Plan {
    /// Whether the plan can be written to a file, and so run, saved and replayed. Plans expanded from a file
    /// always can; those with clients made in code may not.
    ///
    /// # Errors
    /// What is wrong with it, shown in the plan's text: a member that does not exist, for example.
    pub fn validate(&self) -> Result<(), ScenarioErrors> {
        let name = if self.scenario.is_empty() { "plan" } else { &self.scenario };
        Plan::parse(name, &self.to_toml()).map(|_| ())
    }
}
