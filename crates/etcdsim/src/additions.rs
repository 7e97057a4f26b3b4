//! Who watches and judges a run beside those that always do: observers and oracles of one's own.

use std::fmt;
use std::sync::Arc;

use plan::Plan;
use record::{Event, Observer};

use crate::execute::{HarnessFailure, Outcome, run_plan_told};

type MakeObserver = dyn Fn(&Plan) -> Box<dyn Observer> + Send + Sync;

/// Observers and oracles of one's own. Each run gets new ones, so that runs share nothing.
#[derive(Clone, Default)]
pub struct Additions {
    observers: Vec<Arc<MakeObserver>>,
}

impl Additions {
    /// Adds an observer; `make` is called once a run.
    pub fn observer<O: Observer + 'static>(&mut self, make: impl Fn(&Plan) -> O + Send + Sync + 'static) {
        self.observers.push(Arc::new(move |plan| Box::new(make(plan))));
    }

    /// Runs a plan with them.
    ///
    /// # Errors
    /// If the simulator, or anything of one's own, panicked.
    pub fn run(&self, plan: &Plan) -> Result<Outcome, HarnessFailure> {
        let mut observers = Observers(self.observers.iter().map(|make| make(plan)).collect());
        run_plan_told(plan, &mut observers, world::Options::default())
    }
}

impl fmt::Debug for Additions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Additions").field("observers", &self.observers.len()).finish()
    }
}

struct Observers(Vec<Box<dyn Observer>>);

impl Observer for Observers {
    fn event(&mut self, event: &Event) {
        self.0.iter_mut().for_each(|observer| observer.event(event));
    }
}
