//! Makes a plan from a scenario and a seed.
//!
//! Architecture invariant: the plan depends only on the scenario and the seed. Every draw is keyed by the name
//! of what it decides (rule R2 of `ARCHITECTURE.md`), so adding or removing a fault or a client leaves every
//! other decision unchanged.

use keyed::Ratio;
use record::{MemberId, Nanos};

use crate::choice::{Choice, Context, Dice, Value, Who};
use crate::kinds::{Family, Kind, Usual, Whom};
use crate::scenario::{FaultEntry, Scenario};
use crate::sections::{self, Clocks, MOST_TIMES, Swarm};
use crate::workload::{Endpoints, MIX, Mix, Setup, WORKLOAD, Workload};
use crate::{
    Client, ClockFault, Condition, Fault, FaultKind, Link, NAMES, Network, Plan, Target, Trigger, swarm,
};

impl Scenario {
    /// The plan of this seed. The same scenario and seed always give the same plan.
    pub fn expand(&self, seed: u64) -> Plan {
        let dice = Dice::new(seed);
        let merged;
        let scenario = match &self.swarm {
            Some(choices) => {
                merged = swarm::merge(self, &swarm::draw(choices, dice), dice);
                &merged
            }
            None => self,
        };
        Expansion { scenario, dice, context: Context::default() }.plan(seed)
    }
}

/// The expansion of one scenario with one seed.
struct Expansion<'a> {
    scenario: &'a Scenario,
    /// All draws of the seed.
    dice: Dice,
    /// What is decided already and other decisions depend on.
    context: Context,
}

impl Expansion<'_> {
    /// Draws all parts of the plan.
    fn plan(mut self, seed: u64) -> Plan {
        let (scenario, dice) = (self.scenario, self.dice);
        let mut plan = Plan::default();
        scenario.top.draw(sections::TOP, dice.part("top"), &self.context, &mut plan);
        plan.seed = seed;
        if plan.scenario.is_empty() && scenario.top.find("seed").is_none() {
            plan.scenario = scenario.name.clone();
        }
        scenario.cluster.draw(&sections::CLUSTER, dice.part("cluster"), &self.context, &mut plan.cluster);
        scenario.network.draw(sections::NETWORK, dice.part("network"), &self.context, &mut plan.network);
        scenario.peers.draw(
            sections::LINK,
            dice.part("network.peers"),
            &self.context,
            &mut plan.network.peers,
        );
        scenario.client_links.draw(
            sections::LINK,
            dice.part("network.clients"),
            &self.context,
            &mut plan.network.clients,
        );
        scenario.disk.draw(sections::DISK, dice.part("disk"), &self.context, &mut plan.disk);
        scenario.run.draw(sections::RUN, dice.part("run"), &self.context, &mut plan.phases);
        scenario.expect.draw(sections::EXPECT, dice.part("expect"), &self.context, &mut plan.expect);
        plan.phases.core = plan.phases.core.map(|core| core.min(plan.cluster.members));
        self.context.minority = minority(plan.cluster.members, dice);
        plan.clients = self.clients(plan.cluster.members, plan.phases.chaos);
        self.context.clients = plan.clients.len() as u32;
        plan.faults = self.faults(&plan.network, plan.cluster.members, plan.phases.chaos);
        self::join(&mut plan);
        plan
    }

    /// All clients with all their operations.
    fn clients(&self, members: u32, chaos: Nanos) -> Vec<Client> {
        let mut clients = Vec::new();
        if let Some(section) = &self.scenario.workload {
            let dice = self.dice.part("workload");
            let mut workload = Workload::default();
            section.draw(WORKLOAD, dice, &self.context, &mut workload);
            let mut mix = Mix::usual();
            if let Some(weights) = &self.scenario.mix {
                mix = Mix::default();
                weights.draw(MIX, dice.part("mix"), &self.context, &mut mix);
                if mix.weights().iter().all(|weight| *weight == 0) {
                    mix = Mix::usual();
                }
            }
            let operations = self.dice.part("operations");
            let setup = Setup { workload: &workload, mix: &mix, members, horizon: chaos, dice: operations };
            for lane in workload.lanes(&setup) {
                // The lanes of one program have the same endpoints, clock and timeouts: those of its first
                // lane.
                let program = lane.part_of.unwrap_or(lane.number);
                let dice = dice.part("client").nth(program.into());
                // Fields with ranges and choices are drawn again for each client.
                let mut fields = workload.clone();
                section.draw(WORKLOAD, dice, &self.context, &mut fields);
                clients.push(Client {
                    endpoints: match lane.pinned {
                        Some(member) => vec![member],
                        None => endpoints(fields.endpoints, program, members, dice),
                    },
                    auto_sync: fields.auto_sync,
                    failover: fields.failover,
                    timeout: fields.timeout,
                    clock_rate: fields.clock.unwrap_or_else(|| self.clocks(dice).clients),
                    part_of: lane.part_of,
                    user: lane.user.or(fields.user),
                    watch_processing: fields.watch_processing,
                    keepalive: fields.keepalive,
                    keepalive_timeout: fields.keepalive_timeout,
                    operations: lane.operations,
                });
            }
        }
        for (nth, section) in self.scenario.clients.iter().enumerate() {
            let dice = self.dice.part("explicit-client").nth(nth as u64);
            let mut client = Client { endpoints: MemberId::first(members).collect(), ..Client::default() };
            client.clock_rate = self.clocks(dice).clients;
            section.draw(sections::CLIENT, dice, &self.context, &mut client);
            clients.push(client);
        }
        for (nth, own) in self.scenario.own.iter().enumerate() {
            clients.extend(own.clients(self.dice, nth, members, chaos, clients.len()));
        }
        clients
    }

    /// The clocks, drawn for one member or client.
    fn clocks(&self, dice: Dice) -> Clocks {
        let mut clocks = Clocks::default();
        self.scenario.clocks.draw(sections::CLOCKS, dice.part("clocks"), &self.context, &mut clocks);
        clocks
    }

    /// All faults.
    fn faults(&self, network: &Network, members: u32, chaos: Nanos) -> Vec<Fault> {
        let mut faults = Vec::new();
        for number in 1..=members {
            let dice = self.dice.part("member").nth(number.into());
            if let Some(rate) = self.clocks(dice).members {
                faults.push(Fault {
                    id: number,
                    when: Trigger::At(0),
                    duration: None,
                    target: Target::members([number]),
                    kind: ClockFault::Rate { rate }.into(),
                });
            }
        }
        for (place, entry) in self.scenario.faults.iter().enumerate() {
            let strikes = Strikes { expansion: self, entry, network, members, chaos };
            // Each entry has its own range of ids, so its strikes keep their ids whatever the other entries do.
            let first_id = (place as u32 + 1) * MOST_TIMES as u32;
            faults.extend(strikes.all(first_id));
        }
        faults.sort_by_key(|fault| match fault.when {
            Trigger::At(at) => at,
            Trigger::When { from, .. } => from,
        });
        faults
    }
}

/// Makes the strikes of one `[[fault]]`: each time that it strikes is a fault of the plan.
struct Strikes<'a> {
    expansion: &'a Expansion<'a>,
    entry: &'a FaultEntry,
    network: &'a Network,
    members: u32,
    /// The length of the chaos phase.
    chaos: Nanos,
}

impl Strikes<'_> {
    /// All strikes, with ids from `first_id` on.
    fn all(&self, first_id: u32) -> Vec<Fault> {
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

    /// The times at which it strikes. If it has a condition: the times from which on the condition counts.
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

    /// One strike. `None` if the target is empty in this cluster, or is everybody where the kind does not allow
    /// that.
    fn strike(&self, id: u32, at: Nanos, dice: Dice) -> Option<Fault> {
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
        let kind = self.kind(&target, dice);
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
    fn kind(&self, target: &Target, dice: Dice) -> FaultKind {
        let fill = |link: Link| {
            let mut kind = (self.entry.kind.new)(Usual { link, point: NAMES.usual_point });
            self.entry.fields.draw(self.entry.kind.fields, dice, &self.expansion.context, &mut kind);
            kind
        };
        let kind = fill(self.network.peers);
        // The fields that a `link` fault leaves out are those of the network: of the links of clients if one of
        // its ends is a client. Its field `to` must be filled in before that is known.
        if ends_at_client(target, &kind) { fill(self.network.clients) } else { kind }
    }
}

/// Whether a fault is about links of clients.
pub(crate) fn ends_at_client(target: &Target, kind: &FaultKind) -> bool {
    [Some(target), kind.to()].into_iter().flatten().any(|end| matches!(end, Target::Clients(_)))
}

/// The fixed minority of the run, in random order: at least one member, and so few that the others are a
/// quorum. Empty if the cluster is too small.
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

/// Fills in the endpoints of clients that know only the members that join during the run; if none joins,
/// these clients know the first members.
fn join(plan: &mut Plan) {
    let (initial, most) = (plan.cluster.members, plan.most_members());
    let known = if most > initial { initial + 1..=most } else { 1..=initial };
    for client in plan.clients.iter_mut().filter(|client| client.endpoints.is_empty()) {
        client.endpoints = known.clone().map(MemberId::new).collect();
    }
}

/// The members a client knows; its number decides which one comes first.
fn endpoints(which: Endpoints, client: u32, members: u32, dice: Dice) -> Vec<MemberId> {
    let own = MemberId::new(client % members + 1);
    let all = (0..members).map(|at| MemberId::new((client + at) % members + 1));
    match which {
        Endpoints::All => all.collect(),
        Endpoints::One => vec![own],
        Endpoints::Some => {
            let knows = |member: MemberId| {
                member == own || dice.nth(member.raft_id()).field("knows").happens(Ratio::percent(50))
            };
            all.filter(|member| knows(*member)).collect()
        }
        // Until all members are known.
        Endpoints::Joined => Vec::new(),
    }
}

impl Swarm {
    /// Whether faults of this kind may be chosen.
    pub(crate) fn allows(&self, kind: &Kind) -> bool {
        match kind.family {
            Family::Network => self.network,
            Family::Disk => self.disk,
            Family::Clock => self.clocks,
            Family::Process => self.process,
            Family::Operator => self.operators,
        }
    }
}
