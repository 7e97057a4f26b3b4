//! The swarm: the seed decides which families of faults exist at all, and at what rate.
//!
//! The swarm is itself a scenario, `swarm.toml`: its sections fill in what the scenario leaves out, and each
//! of its faults is part of a run with a probability of the run's density times its own chance. A run with
//! fewer kinds of fault often goes deeper, so the density is log-uniform ("Swarm Testing", ISSTA'12).

use std::sync::OnceLock;

use keyed::Ratio;

use crate::Phases;
use crate::choice::{Choice, Context, Dice};
use crate::field::{Section, Set};
use crate::scenario::{FaultEntry, Scenario};
use crate::sections::{SWARM, Swarm};

/// The text of the swarm.
pub(crate) const TEXT: &str = include_str!("swarm.toml");

/// Default density of a run, in millionths: 5 % to all.
const DENSITY: Choice = Choice::Range { low: 50_000, high: 1_000_000, log: true };

pub(crate) fn scenario() -> &'static Scenario {
    static SCENARIO: OnceLock<Scenario> = OnceLock::new();
    SCENARIO.get_or_init(|| {
        Scenario::parse("swarm.toml", TEXT)
            .unwrap_or_else(|errors| panic!("the swarm's own scenario is bad: {errors:?}"))
    })
}

/// What this run's swarm may choose.
pub(crate) fn draw(section: &Section, dice: Dice) -> Swarm {
    let mut swarm = Swarm::default();
    let dice = dice.part("swarm");
    swarm.density = Ratio::per_million(DENSITY.draw_number(dice.field("density")) as u32);
    section.draw(SWARM, dice, &Context::default(), &mut swarm);
    swarm
}

/// The scenario with what the swarm adds in this run.
pub(crate) fn merge(scenario: &Scenario, swarm: &Swarm, dice: Dice) -> Scenario {
    let mut merged = scenario.clone();
    let added = self::scenario();
    if swarm.config {
        merged.cluster = merged.cluster.or(&added.cluster);
        merged.network = merged.network.or(&added.network);
        merged.peers = merged.peers.or(&added.peers);
        merged.client_links = merged.client_links.or(&added.client_links);
        merged.disk = merged.disk.or(&added.disk);
        merged.run = merged.run.or(&added.run);
        let workload = added.workload.clone().unwrap_or_default();
        merged.workload = Some(merged.workload.unwrap_or_default().or(&workload));
        merged.mix = merged.mix.or_else(|| added.mix.clone());
    }
    let chaos = merged.run.choice("chaos").map_or(Phases::default().chaos.into(), |chaos| chaos.bounds().1);
    for entry in added.faults.iter().filter(|entry| swarm.allows(entry.kind)) {
        let mut entry = entry.clone();
        // Its draws are independent of the faults that the scenario names.
        entry.name = format!("swarm/{}", entry.name);
        let own = entry.frame.choice("chance").map_or(1_000_000, |chance| chance.bounds().1);
        let chance = own * i128::from(swarm.density.parts()) / 1_000_000;
        entry.frame.sets.retain(|set| set.name != "chance");
        entry.frame.sets.push(Set { name: "chance", choice: Choice::number(chance), span: 0..0 });
        fit(&mut entry, chaos);
        merged.faults.push(entry);
    }
    // The clocks drift in only some runs.
    if swarm.clocks && dice.part("swarm").field("drift").happens(swarm.density) {
        merged.clocks = merged.clocks.or(&added.clocks);
    }
    merged
}

/// Fits a fault's mean gap to the length of the run: not so rare that it would never strike, nor so frequent
/// that it would have struck `times` times long before the end.
fn fit(entry: &mut FaultEntry, chaos: i128) {
    let times = entry.frame.choice("times").map_or(1, |times| times.bounds().1).max(1);
    for set in &mut entry.frame.sets {
        if let (true, Choice::Range { low, high, .. }) = (set.name == "about-every", &mut set.choice) {
            *high = (*high).min(chaos).max(*low);
            *low = (*low).max(chaos / times).min(*high);
        }
    }
}
