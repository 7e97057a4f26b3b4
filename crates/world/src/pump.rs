//! The pump: one madsim task that empties the heap and moves madsim's clock along.
//!
//! madsim intercepts the process's clocks and its randomness while its runtime is entered, so that
//! whatever a library reads of them is a function of the seed. Other tasks of the runtime run when
//! the pump lets go of the thread; nothing of the cluster runs there, so madsim's own draws (the order
//! of ready tasks, 50 to 100 ns after every poll) never reach it (rule R2).

use std::time::Duration;

use plan::Plan;
use record::{Nanos, Observer, Record};

use crate::world::World;
use crate::{Options, panics};

/// madsim's clock is moved in steps of at least this: a step costs more than most events.
const CLOCK_STEP: Nanos = 1_000_000;

pub(crate) fn run(plan: &Plan, observer: &mut dyn Observer, options: Options) -> Record {
    panics::watched(|| {
        let runtime = madsim::runtime::Runtime::with_seed_and_config(plan.seed, madsim::Config::default());
        runtime.block_on(async {
            let clock = madsim::time::TimeHandle::current();
            let mut world = World::new(plan, observer, options.keep_events);
            world.begin();
            let mut told = 0;
            while world.step() {
                let now = world.now();
                if now - told >= CLOCK_STEP {
                    clock.advance(Duration::from_nanos(now - told));
                    told = now;
                }
            }
            world.finish()
        })
    })
}
