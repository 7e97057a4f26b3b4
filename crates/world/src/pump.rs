//! The pump: empties the heap, and advances the runtime's clock.

use plan::Plan;
use record::{Nanos, Observer, Record};

use crate::world::World;
use crate::{Options, panics, runtime};

/// The clock advances in steps of at least this: a step costs more than most events.
const CLOCK_STEP: Nanos = 1_000_000;

pub(crate) fn run(plan: &Plan, observer: &mut dyn Observer, options: Options) -> Record {
    let pump = |clock: &runtime::Clock| {
        let mut world = World::new(plan, observer, options.keep_events);
        world.begin();
        let mut shown = 0;
        while world.step() {
            let now = world.now();
            if now - shown >= CLOCK_STEP {
                clock.advance(now - shown);
                shown = now;
            }
        }
        world.finish()
    };
    panics::watched(|| runtime::entered(plan.seed, pump))
}
