//! The swarm: if a scenario says `swarm = true`, the seed also chooses what the scenario leaves out, and which
//! faults the run has.
//!
//! What it can choose is itself written as a scenario, the `swarm.toml` of the nodes' part. Its sections fill in the
//! fields that the scenario leaves out. Each of its faults is part of a run with a certain probability: its own
//! `chance` times the *density* of the run, which is drawn once for each run. Runs with few kinds of faults often
//! find what others miss, so low densities are as likely as high ones: the density is log-uniform ("Swarm Testing",
//! ISSTA'12).

use keyed::Ratio;

use crate::Phases;
use crate::choice::{Choice, Context, Dice};
use crate::field::{Section, Set};
use crate::part::Part;
use crate::scenario::{FaultEntry, Scenario, Sections};
use crate::sections::{SWARM, Swarm};

/// What the swarm of a part can choose, written as a scenario.
pub struct OwnSwarm<P: Part> {
    /// The text of the scenario.
    pub(crate) text: &'static str,
    pub(crate) scenario: Scenario<P>,
}

impl<P: Part> OwnSwarm<P> {
    /// Reads the scenario.
    ///
    /// # Panics
    /// If the part's own scenario has a mistake.
    pub fn new(text: &'static str) -> OwnSwarm<P> {
        let scenario = Scenario::parse("swarm.toml", text)
            .unwrap_or_else(|errors| panic!("the swarm's own scenario is bad: {errors:?}"));
        OwnSwarm { text, scenario }
    }
}

/// The density of a run if the scenario does not set it, in millionths: 5 % to 100 %.
const DENSITY: Choice = Choice::Range { low: 50_000, high: 1_000_000, log: true };

/// What the swarm may choose in this run. `section` is the scenario's `[swarm]`.
pub(crate) fn draw(section: &Section, dice: Dice) -> Swarm {
    let mut swarm = Swarm::default();
    let dice = dice.part("swarm");
    swarm.density = Ratio::per_million(DENSITY.draw_number(dice.field("density")) as u32);
    section.draw(SWARM, dice, &Context::default(), &mut swarm);
    swarm
}

/// The sections of a scenario with what the swarm adds in this run. `added` has everything that the swarm can add.
pub(crate) fn merge(scenario: &Sections, added: &Sections, swarm: &Swarm, dice: Dice) -> Sections {
    let mut merged = scenario.clone();
    if swarm.config {
        merged.cluster = merged.cluster.or(&added.cluster);
        merged.network = merged.network.or(&added.network);
        merged.peers = merged.peers.or(&added.peers);
        merged.client_links = merged.client_links.or(&added.client_links);
        merged.disk = merged.disk.or(&added.disk);
        merged.run = merged.run.or(&added.run);
        merged.own = merged.own.or(&added.own);
    }
    let chaos = merged.run.choice("chaos").map_or(Phases::default().chaos.into(), |chaos| chaos.bounds().1);
    for entry in added.faults.iter().filter(|entry| swarm.allows(entry.kind)) {
        let mut entry = entry.clone();
        // With a name of its own, its draws are independent of those of the scenario's faults.
        entry.name = format!("swarm/{}", entry.name);
        let own_chance = entry.frame.choice("chance").map_or(1_000_000, |chance| chance.bounds().1);
        let chance = own_chance * i128::from(swarm.density.parts()) / 1_000_000;
        entry.frame.sets.retain(|set| set.name != "chance");
        entry.frame.sets.push(Set { name: "chance", choice: Choice::number(chance), span: 0..0 });
        fit_gap(&mut entry, chaos);
        merged.faults.push(entry);
    }
    // The clocks drift in only some runs.
    if swarm.clocks && dice.part("swarm").field("drift").happens(swarm.density) {
        merged.clocks = merged.clocks.or(&added.clocks);
    }
    merged
}

/// Fits the mean gap between a fault's strikes to the length of the run. It must not be so long that the fault
/// never strikes, nor so short that it has struck its `times` long before the end.
fn fit_gap(entry: &mut FaultEntry, chaos: i128) {
    let times = entry.frame.choice("times").map_or(1, |times| times.bounds().1).max(1);
    for set in &mut entry.frame.sets {
        if let (true, Choice::Range { low, high, .. }) = (set.name == "about-every", &mut set.choice) {
            *high = (*high).min(chaos).max(*low);
            *low = (*low).max(chaos / times).min(*high);
        }
    }
}
