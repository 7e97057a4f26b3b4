//! The loop of a run: steps the world until the run is over, and lets madsim's clock follow virtual time.

use schedule::Plan;
use trace::{Nanos, Observer, Run};

use crate::callers::Callers;
use crate::system::{System, WordsOf};
use crate::world::World;
use crate::{Options, panics, runtime};

/// madsim's clock advances in steps of at least 100 ms: one step costs as much as several events, and nothing that
/// belongs to a run reads that clock.
const CLOCK_STEP: Nanos = 100_000_000;

/// Runs a plan to its end.
pub(crate) fn run<S: System>(
    plan: &Plan<S::Part>,
    callers: &mut dyn Callers<S>,
    observer: &mut dyn Observer<WordsOf<S>>,
    options: Options,
) -> Run<WordsOf<S>> {
    let pump = |clock: &runtime::Clock| {
        let mut world = World::new(plan, callers, observer, options.keep_events);
        world.begin();
        let mut advanced_to = 0;
        while world.step() {
            let now = world.now();
            if now - advanced_to >= CLOCK_STEP {
                clock.advance(now - advanced_to);
                advanced_to = now;
            }
        }
        world.finish()
    };
    panics::silenced(|| runtime::with_runtime(plan.seed, pump))
}
