//! Makes a plan from a scenario and a seed.
//!
//! Architecture invariant: the plan depends only on the scenario and the seed. Every draw is keyed by the name
//! of what it decides (rule R2 of `ARCHITECTURE.md`), so adding or removing a fault or a client leaves every
//! other decision unchanged.

use keyed::Ratio;
use trace::{MemberId, Nanos};

use crate::choice::{Choice, Context, Dice, Value, Who};
use crate::kinds::{Family, Kind, Kinds, Usual, Whom};
use crate::part::{ClientPart, Given, Part};
use crate::scenario::{FaultEntry, Scenario, Sections};
use crate::sections::{self, Clocks, MOST_TIMES, Swarm, Top};
use crate::{
    ClockFault, Cluster, Condition, Fault, FaultKind, Link, Network, Noise, Plan, Target, Trigger, swarm,
};

impl<P: Part> Scenario<P> {
    /// The plan of this seed. The same scenario and seed always give the same plan.
    pub fn expand(&self, seed: u64) -> Plan<P> {
        let dice = Dice::new(seed);
        let merged;
        let swarm = self.sections.swarm.as_ref().and_then(|choices| Some((choices, P::swarm()?)));
        let sections = match swarm {
            Some((choices, own)) => {
                let swarm = swarm::draw(choices, dice);
                merged = swarm::merge(&self.sections, &own.scenario.sections, &swarm, dice);
                &merged
            }
            None => &self.sections,
        };
        self.plan(Expansion { sections, dice, context: Context::default() }, seed)
    }

    /// Draws all parts of the plan.
    fn plan(&self, mut expansion: Expansion<'_>, seed: u64) -> Plan<P> {
        let mut plan = Plan::default();
        let Top { title, scenario, flaws, .. } = expansion.top();
        (plan.title, plan.scenario, plan.flaws, plan.seed) = (title, scenario, flaws, seed);
        if plan.scenario.is_empty() && expansion.sections.top.find("seed").is_none() {
            plan.scenario = self.name.clone();
        }
        expansion.cluster::<P>(&mut plan.cluster);
        expansion.machines(&mut plan);
        plan.phases.core = plan.phases.core.map(|core| core.min(plan.cluster.members));
        expansion.context.minority = minority(plan.cluster.members, expansion.dice);
        plan.clients = self.clients(&expansion, plan.cluster.members, plan.phases.load());
        expansion.context.clients = plan.clients.len() as u32;
        plan.faults =
            expansion.faults(P::NAMES.usual_point, &plan.network, plan.cluster.members, plan.phases.chaos);
        plan.noise = expansion.noise();
        P::finish(&mut plan);
        plan
    }

    /// All clients with all their operations.
    fn clients(&self, expansion: &Expansion<'_>, members: u32, load: Nanos) -> Vec<P::Client> {
        let Expansion { sections, dice, context } = expansion;
        let mut clients = P::clients(&Given { sections, dice: *dice, context, members, load });
        for (nth, section) in sections.clients.iter().enumerate() {
            let dice = dice.part("explicit-client").nth(nth as u64);
            let rate = sections.clocks(dice, context).clients;
            let mut client = P::Client::new(MemberId::first(members).collect(), rate);
            section.draw(P::client(), dice, context, &mut client);
            clients.push(client);
        }
        for (nth, own) in self.own.iter().enumerate() {
            clients.extend(own.clients(*dice, nth, members, load, clients.len()));
        }
        clients
    }
}

impl Sections {
    /// The clocks, drawn for one member or client.
    pub(crate) fn clocks(&self, dice: Dice, context: &Context) -> Clocks {
        let mut clocks = Clocks::default();
        self.clocks.draw(sections::CLOCKS, dice.part("clocks"), context, &mut clocks);
        clocks
    }
}

/// The expansion of one scenario with one seed.
struct Expansion<'a> {
    sections: &'a Sections,
    /// All draws of the seed.
    dice: Dice,
    /// What is already decided and needed by other decisions.
    context: Context,
}

impl Expansion<'_> {
    /// The fields outside any section.
    fn top(&self) -> Top {
        let mut top = Top::default();
        self.sections.top.draw(sections::TOP, self.dice.part("top"), &self.context, &mut top);
        top
    }

    /// The cluster.
    fn cluster<P: Part>(&self, cluster: &mut Cluster<P::Settings>) {
        let dice = self.dice.part("cluster");
        self.sections.cluster.draw(sections::MEMBERS, dice, &self.context, &mut cluster.members);
        self.sections.cluster.draw(P::settings(), dice, &self.context, &mut cluster.settings);
    }

    /// What machines and links do without faults, how long the phases last, and what must hold.
    fn machines<P: Part>(&self, plan: &mut Plan<P>) {
        let Expansion { sections, dice, context } = self;
        let links = &mut plan.network;
        sections.network.draw(sections::NETWORK, dice.part("network"), context, links);
        sections.peers.draw(sections::LINK, dice.part("network.peers"), context, &mut links.peers);
        sections.client_links.draw(sections::LINK, dice.part("network.clients"), context, &mut links.clients);
        sections.disk.draw(sections::DISK, dice.part("disk"), context, &mut plan.disk);
        sections.run.draw(sections::RUN, dice.part("run"), context, &mut plan.phases);
        sections.expect.draw(sections::EXPECT, dice.part("expect"), context, &mut plan.expect);
    }

    /// The times from which draws are made anew.
    fn noise(&self) -> Vec<Noise> {
        let noise = self.sections.noise.iter().map(|section| {
            let mut noise = Noise::default();
            section.draw(sections::NOISE, self.dice.part("noise"), &self.context, &mut noise);
            noise
        });
        noise.collect()
    }

    /// All faults. `point` is the point of failpoints that do not name one.
    fn faults<T: Kinds>(&self, point: u16, network: &Network, members: u32, chaos: Nanos) -> Vec<Fault<T>> {
        let mut faults = Vec::new();
        for number in 1..=members {
            let dice = self.dice.part("member").nth(number.into());
            if let Some(rate) = self.sections.clocks(dice, &self.context).members {
                faults.push(Fault {
                    id: number,
                    when: Trigger::At(0),
                    duration: None,
                    target: Target::members([number]),
                    kind: ClockFault::Rate { rate }.into(),
                });
            }
        }
        for (place, entry) in self.sections.faults.iter().enumerate() {
            let strikes = Strikes { expansion: self, entry, point, network, members, chaos };
            // Each entry has its own range of ids, so its strikes keep their ids whatever the other entries do.
            let first_id = (place as u32 + 1) * MOST_TIMES as u32;
            faults.extend(strikes.all(first_id));
        }
        put_in_order(&mut faults);
        faults
    }
}

/// Puts faults into the order of a plan: by the time at which they strike or, with a condition, from which they may
/// strike.
pub(crate) fn put_in_order<T>(faults: &mut [Fault<T>]) {
    faults.sort_by_key(|fault| match fault.when {
        Trigger::At(at) => at,
        Trigger::When { from, .. } => from,
    });
}

/// Makes the strikes of one `[[fault]]`: each time that it strikes is a fault of the plan.
struct Strikes<'a> {
    expansion: &'a Expansion<'a>,
    entry: &'a FaultEntry,
    point: u16,
    network: &'a Network,
    members: u32,
    /// The length of the chaos phase.
    chaos: Nanos,
}

impl Strikes<'_> {
    /// All strikes, with ids from `first_id` on.
    fn all<T: Kinds>(&self, first_id: u32) -> Vec<Fault<T>> {
        let dice = self.expansion.dice.part("fault").part(&self.entry.name).nth(self.entry.nth);
        let chance =
            self.number("chance", dice).map_or(Ratio::ALWAYS, |chance| Ratio::per_million(chance as u32));
        if self.members < self.entry.kind.members || !dice.field("exists").happens(chance) {
            return Vec::new();
        }
        let times = self.times(dice);
        let strikes = times.into_iter().enumerate().filter_map(|(nth, when)| {
            let id = self.number("id", dice).map_or(first_id + nth as u32, |id| id as u32);
            self.strike(id, when, dice.nth(nth as u64))
        });
        strikes.collect()
    }

    /// The value of a numeric field of the entry; `None` if it is left out.
    fn number(&self, name: &str, dice: Dice) -> Option<u64> {
        let choice = self.entry.frame.choice(name)?;
        Some(choice.draw_number(dice.field(name)) as u64)
    }

    /// The times at which it strikes. If it has a condition: the times from which the condition counts.
    fn times(&self, dice: Dice) -> Vec<Nanos> {
        let most = self.number("times", dice);
        let from = self.number("from", dice).unwrap_or(0);
        let until = self.number("until", dice).unwrap_or(self.chaos).min(self.chaos);
        let mean = self.number("about-every", dice);
        let gap = |nth: u64| match mean {
            Some(mean) => dice.nth(nth).field("gap").exponential(mean),
            None => self.number("every", dice.nth(nth)).unwrap_or(0),
        };
        if mean.is_none() && self.entry.frame.find("every").is_none() {
            let at = |nth: u64| self.number("at", dice.nth(nth)).unwrap_or(from);
            return (0..most.unwrap_or(1)).map(at).collect();
        }
        let mut times = Vec::new();
        let mut at = from;
        for nth in 0..most.unwrap_or(MOST_TIMES as u64) {
            // Whole microseconds, and never two strikes of one fault at the same time.
            at = at.saturating_add(gap(nth).max(1_000)) / 1_000 * 1_000;
            if at >= until {
                break;
            }
            times.push(at);
        }
        times
    }

    /// One strike. `None` if the target is empty in this cluster, or is all members where the kind does not allow that.
    fn strike<T: Kinds>(&self, id: u32, at: Nanos, dice: Dice) -> Option<Fault<T>> {
        let frame = &self.entry.frame;
        let when = match frame.choice("when") {
            Some(choice) => Trigger::When {
                condition: self.condition(choice, dice),
                from: at,
                delay: self.number("after", dice).unwrap_or(0),
            },
            None => Trigger::At(at),
        };
        let target = match frame
            .choice("target")
            .map(|target| target.draw(dice.field("target"), &self.expansion.context))
        {
            Some(Value::Who(Who::Target(target))) => target,
            _ => Target::All,
        };
        let all = matches!(&target, Target::Members(members) if members.len() as u32 == self.members);
        if self.has_no_members(&target) || all && self.entry.kind.whom == Whom::Part {
            return None;
        }
        let kind = self.kind::<T>(&target, dice);
        if kind.to().is_some_and(|to| self.has_no_members(to)) {
            return None;
        }
        Some(Fault { id, when, duration: self.number("for", dice), target, kind })
    }

    /// The condition of a fault, with its numbers decided.
    fn condition(&self, choice: &Choice, dice: Dice) -> Condition {
        match choice.draw(dice.field("when"), &self.expansion.context) {
            Value::Condition(condition) => condition,
            other => unreachable!("{other:?} is not a condition, but was read as one"),
        }
    }

    /// Whether a target is empty in a cluster of this size.
    fn has_no_members(&self, target: &Target) -> bool {
        match target {
            Target::Members(list) => list.is_empty(),
            Target::Clients(list) => list.is_empty(),
            Target::Follower | Target::Followers => self.members == 1,
            Target::Minority => self.members < 3,
            _ => false,
        }
    }

    /// The fault itself, with its fields decided.
    fn kind<T: Kinds>(&self, target: &Target, dice: Dice) -> FaultKind<T> {
        let fill = |link: Link| match self.entry.kind.family {
            Family::Network => FaultKind::Network(self.fill(link, dice)),
            Family::Disk => FaultKind::Disk(self.fill(link, dice)),
            Family::Clock => FaultKind::Clock(self.fill(link, dice)),
            Family::Process => FaultKind::Process(self.fill(link, dice)),
            Family::Task => FaultKind::Task(self.fill(link, dice)),
        };
        let kind = fill(self.network.peers);
        // The fields that a `link` fault leaves out have the values of the network's links: of client links if one of
        // the fault's ends is a client. That is known only once its field `to` is filled in.
        if ends_at_client(target, &kind) { fill(self.network.clients) } else { kind }
    }

    /// A fault of a family, with the fields that the entry sets and defaults for the others.
    fn fill<F: Kinds>(&self, link: Link, dice: Dice) -> F {
        let row = F::rows().iter().find(|row| row.kind.number == self.entry.kind.number);
        let row = row.expect("the entry's kind is a row of its family");
        let mut fault = (row.new)(Usual { link, point: self.point });
        self.entry.fields.draw(row.fields, dice, &self.expansion.context, &mut fault);
        fault
    }
}

/// Whether a fault affects links of clients.
pub(crate) fn ends_at_client<T>(target: &Target, kind: &FaultKind<T>) -> bool {
    [Some(target), kind.to()].into_iter().flatten().any(|end| matches!(end, Target::Clients(_)))
}

/// The fixed minority of the run, in random order: at least one member, and few enough that the others are a quorum.
/// Empty if the cluster is too small.
fn minority(members: u32, dice: Dice) -> Vec<MemberId> {
    let most = members.saturating_sub(1) / 2;
    if most == 0 {
        return Vec::new();
    }
    let mut all: Vec<MemberId> = MemberId::first(members).collect();
    dice.field("minority").shuffle(&mut all);
    all.truncate(dice.field("minority-size").within(1, most.into()) as usize);
    all
}

impl Swarm {
    /// Whether faults of this kind may be chosen.
    pub(crate) fn allows(&self, kind: &Kind) -> bool {
        match kind.family {
            Family::Network => self.network,
            Family::Disk => self.disk,
            Family::Clock => self.clocks,
            Family::Process => self.process,
            Family::Task => self.operators,
        }
    }
}
