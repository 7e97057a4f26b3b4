//! Workloads that are written in Rust, instead of a file's own sections.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use keyed::Draw;
use trace::{MemberId, Nanos};

use crate::choice::Dice;
use crate::part::{ClientPart, Part, TakesWorkload};
use crate::turns::{Turn, turns};
use crate::{Plan, Scenario, ScenarioErrors};

/// What a workload may depend on: the cluster, the length of the run, and keyed draws of the seed.
#[derive(Clone, Copy, Debug)]
pub struct WorkloadContext<P> {
    dice: Dice,
    members: u32,
    /// For how long clients begin operations: the chaos phase and the calm phase.
    load: Nanos,
    /// The number of the workload's first client.
    first: u32,
    part: PhantomData<fn() -> P>,
}

impl<P: Part> WorkloadContext<P> {
    /// The initial number of members; they have the ids 1 to this.
    pub fn members(&self) -> u32 {
        self.members
    }

    /// For how long clients begin operations: the length of the chaos phase and the calm phase together. Operations
    /// that are planned for later are never sent.
    pub fn load(&self) -> Duration {
        Duration::from_nanos(self.load)
    }

    /// The number of this workload's first client in the plan. Clients that name other clients need it.
    pub fn first(&self) -> u32 {
        self.first
    }

    /// Client number `nth` of this workload, counted from 0, without operations. It knows all members. The
    /// first client starts with member 1, the next one with member 2, and so on.
    pub fn client(&self, nth: u32) -> P::Client {
        let endpoints =
            (0..self.members).map(|at| MemberId::new((nth % self.members + at) % self.members + 1));
        P::Client::new(endpoints.collect(), keyed::Ratio::WHOLE)
    }

    /// The draw for decision number `nth` of a client. It depends only on the seed and these two numbers.
    pub fn draw(&self, client: u32, nth: u64) -> Draw {
        self.dice.nth(client.into()).nth(nth).field("draw")
    }

    /// The turns of a client while there is load: one in each period (of at least 1 ms), at a
    /// drawn time within it, each with a draw.
    pub fn turns(&self, client: u32, period: Duration) -> impl Iterator<Item = Turn> + use<P> {
        turns(self.dice, self.load, client, u64::try_from(period.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// A function from a context to clients.
type Make<P> = dyn Fn(&WorkloadContext<P>) -> Vec<<P as Part>::Client> + Send + Sync;

/// A workload of a scenario that no file contains.
pub(crate) struct Own<P: Part>(Arc<Make<P>>);

impl<P: Part> Clone for Own<P> {
    fn clone(&self) -> Own<P> {
        Own(Arc::clone(&self.0))
    }
}

impl<P: Part> fmt::Debug for Own<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own(..)")
    }
}

impl<P: Part> Own<P> {
    pub fn new<W: Send + Sync + 'static>(workload: W) -> Own<P>
    where
        P: TakesWorkload<W>,
    {
        Own(Arc::new(move |context| P::clients_of(&workload, context)))
    }

    /// The workload's clients. `nth` is its index among the scenario's own workloads, `first` is the number of
    /// clients that come before.
    pub fn clients(&self, dice: Dice, nth: usize, members: u32, load: Nanos, first: usize) -> Vec<P::Client> {
        let dice = dice.part("own-workload").nth(nth as u64);
        (self.0)(&WorkloadContext { dice, members, load, first: first as u32, part: PhantomData })
    }
}

impl<P: Part> Scenario<P> {
    /// Adds the clients of your own workload, after those of the file.
    #[must_use]
    pub fn with_workload<W: Send + Sync + 'static>(mut self, workload: W) -> Scenario<P>
    where
        P: TakesWorkload<W>,
    {
        self.own.push(Own::new(workload));
        self
    }

    /// Whether workloads were added with [`Scenario::with_workload`]. A file cannot contain these.
    pub fn has_own_workloads(&self) -> bool {
        !self.own.is_empty()
    }
}

impl<P: Part> Plan<P> {
    /// Whether the plan can be written to a file, and so run, saved and replayed. Plans expanded from a file
    /// always can; those with clients made in code may not.
    ///
    /// # Errors
    /// What is wrong with it, shown in the plan's text: a member that does not exist, for example.
    pub fn validate(&self) -> Result<(), ScenarioErrors> {
        let name = if self.scenario.is_empty() { "plan" } else { &self.scenario };
        Plan::<P>::parse(name, &self.to_toml()).map(|_| ())
    }
}
