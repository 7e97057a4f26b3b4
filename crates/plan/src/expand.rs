//! Makes a plan from a scenario and a seed.
//!
//! Architecture invariant: pure. Every draw is keyed by the name of what it decides (rule R2), so that adding
//! or removing a fault or a client leaves every other decision unchanged.

use keyed::Ratio;
use record::{MemberId, Nanos};

use crate::choice::{Choice, Context, Dice, Value, Who};
use crate::kinds::{Family, Kind, Whom};
use crate::scenario::{FaultEntry, Scenario};
use crate::sections::{self, Clocks, MOST_TIMES, Swarm};
use crate::workload::{Endpoints, MIX, Mix, Setup, WORKLOAD, Workload};
use crate::{Client, ClockFault, Condition, Fault, FaultKind, Link, Network, Plan, Target, Trigger, swarm};

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

/// One expansion under way.
struct Expansion<'a> {
    scenario: &'a Scenario,
    dice: Dice,
    context: Context,
}

impl Expansion<'_> {
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
            let dice_of = self.dice.part("operations");
            let setup = Setup { workload: &workload, mix: &mix, members, horizon: chaos, dice: dice_of };
            for lane in workload.lanes(&setup) {
                // The lanes of one program are on one machine, and set up alike.
                let machine = lane.part_of.unwrap_or(lane.number);
                let dice = dice.part("client").nth(machine.into());
                let mut own = workload.clone();
                section.draw(WORKLOAD, dice, &self.context, &mut own);
                clients.push(Client {
                    endpoints: match lane.pinned {
                        Some(member) => vec![member],
                        None => endpoints(own.endpoints, machine, members, dice),
                    },
                    auto_sync: own.auto_sync,
                    failover: own.failover,
                    timeout: own.timeout,
                    clock_rate: own.clock.unwrap_or_else(|| self.clocks(dice).clients),
                    part_of: lane.part_of,
                    user: lane.user.or(own.user),
                    watch_processing: own.watch_processing,
                    keepalive: own.keepalive,
                    keepalive_timeout: own.keepalive_timeout,
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
            // Ids for the strikes of one entry, so that a strike keeps its id whatever the other entries do.
            let first = (place as u32 + 1) * MOST_TIMES as u32;
            faults.extend(strikes.all(first));
        }
        faults.sort_by_key(|fault| match fault.when {
            Trigger::At(at) => at,
            Trigger::When { from, .. } => from,
        });
        faults
    }
}

/// The strikes of one `[[fault]]`.
struct Strikes<'a> {
    expansion: &'a Expansion<'a>,
    entry: &'a FaultEntry,
    network: &'a Network,
    members: u32,
    chaos: Nanos,
}

impl Strikes<'_> {
    fn all(&self, first: u32) -> Vec<Fault> {
        let dice = self.expansion.dice.part("fault").part(&self.entry.name).nth(self.entry.nth);
        let chance =
            self.number("chance", dice).map_or(Ratio::ALWAYS, |chance| Ratio::per_million(chance as u32));
        if self.members < self.entry.kind.members || !dice.field("exists").happens(chance) {
            return Vec::new();
        }
        let times = self.times(dice);
        let strikes = times.into_iter().enumerate().filter_map(|(nth, when)| {
            let id = self.number("id", dice).map_or(first + nth as u32, |id| id as u32);
            self.strike(id, when, dice.nth(nth as u64))
        });
        strikes.collect()
    }

    fn number(&self, name: &str, dice: Dice) -> Option<u64> {
        let choice = self.entry.frame.choice(name)?;
        Some(choice.draw_number(dice.field(name)) as u64)
    }

    /// When it strikes, or the time from which its condition counts.
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

    /// One strike. `None` if there is no member to strike.
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
        let whole = matches!(&target, Target::Members(members) if members.len() as u32 == self.members);
        if self.has_no_members(&target) || whole && self.entry.kind.whom == Whom::Part {
            return None;
        }
        let kind = self.kind(&target, dice);
        if kind.to().is_some_and(|to| self.has_no_members(to)) {
            return None;
        }
        Some(Fault { id, when, duration: self.number("for", dice), target, kind })
    }

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

    fn kind(&self, target: &Target, dice: Dice) -> FaultKind {
        let fill = |link: Link| {
            let mut kind = (self.entry.kind.new)(link);
            self.entry.fields.draw(self.entry.kind.fields, dice, &self.expansion.context, &mut kind);
            kind
        };
        let kind = fill(self.network.peers);
        // A link that ends at a client starts from the links of clients; `to` decides that too.
        if ends_at_client(target, &kind) { fill(self.network.clients) } else { kind }
    }
}

/// Whether a fault is about links of clients.
pub(crate) fn ends_at_client(target: &Target, kind: &FaultKind) -> bool {
    [Some(target), kind.to()].into_iter().flatten().any(|end| matches!(end, Target::Clients(_)))
}

/// A minority of the members, in random order: at least one member, at most as many as leave a quorum.
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

/// Gives the clients that know only members that join later their endpoints.
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
