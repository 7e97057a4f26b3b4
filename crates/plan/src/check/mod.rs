//! Checks of a whole file: fields that do not fit together, such as a fault on member 5 of a cluster of three.
//!
//! Some checks are for scenarios only. People shorten plans and remove members from them to find out what a
//! failure needs. So a plan may have faults that cannot strike any more; they simply do not strike.

mod faults;

use record::MemberId;

use crate::choice::{Choice, Value};
use crate::field::{FieldType, HOUR, Section, Words};
use crate::read::Reader;
use crate::scenario::{FaultEntry, Scenario};
use crate::sections::MOST_TIMES;
use crate::units::Unit;
use crate::workload::{MOST_CLIENTS, Traffic, Workload};
use crate::{Cluster, Phases, PlannedOperation, Spread};

/// The maximum number of operations of a run. More would not fit into memory.
const MOST_OPERATIONS: i128 = 5_000_000;
/// The maximum number of bytes of all values of a run together.
const MOST_BYTES: i128 = 1 << 30;

/// Checks a file that was read without mistakes in its single fields.
pub(crate) fn check(reader: &mut Reader, scenario: &Scenario, text: &str) {
    let checks = Checks::new(scenario);
    checks.numbers(reader);
    checks.run(reader);
    checks.workload(reader, text);
    for endpoints in scenario.clients.iter().filter_map(|client| client.find("endpoints")) {
        if matches!(&endpoints.choice, Choice::Fixed(Value::Members(members)) if members.is_empty()) {
            let help = "list at least one member, or leave `endpoints` out for all of them";
            reader.report(endpoints.span.clone(), "a client without endpoints", "no member to ask", help);
        }
    }
    for fault in &scenario.faults {
        checks.timing(reader, fault);
        checks.target(reader, fault);
        if reader.plan {
            faults::decided(reader, fault);
        } else if let Some(id) = fault.frame.find("id") {
            reader.report(
                id.span.clone(),
                "`id` belongs to a plan",
                "not in a scenario",
                "remove it; `name` gives a fault draws of its own",
            );
        }
    }
    if !reader.plan {
        checks.overlaps(reader);
    }
}

/// The data for the checks. It includes what the swarm (the seed's own choice of faults and settings) may add to the
/// scenario. Pairs of numbers are the smallest and the largest value that a seed can draw.
struct Checks<'a> {
    scenario: &'a Scenario,
    workload: Option<Section>,
    members: (i128, i128),
    /// The most members there can be at any time: initial ones and those that join.
    machines: i128,
    /// The highest member id that the file may name: a member that exists from the start, or one that may join.
    nameable: i128,
    clients: (i128, i128),
    /// The length of the chaos phase.
    chaos: (i128, i128),
}

/// The smallest and the largest value of a field. `usual` is its default. `if_unread` takes the place of an
/// invalid value; it is a number that causes no further mistakes.
fn bounds(section: &Section, name: &str, usual: u64, if_unread: i128) -> (i128, i128) {
    if section.is_unread(name) {
        return (if_unread, if_unread);
    }
    section.choice(name).map_or((usual.into(), usual.into()), Choice::bounds)
}

impl<'a> Checks<'a> {
    fn new(scenario: &'a Scenario) -> Checks<'a> {
        let off = |swarm: &Section| swarm.choice("config").is_some_and(|config| config.bounds() == (0, 0));
        let swarm = scenario.swarm.as_ref().filter(|swarm| !off(swarm)).map(|_| crate::swarm::scenario());
        let (mut cluster, mut workload) = (scenario.cluster.clone(), scenario.workload.clone());
        if let Some(swarm) = swarm {
            cluster = cluster.or(&swarm.cluster);
            workload = Some(workload.unwrap_or_default().or(&swarm.workload.clone().unwrap_or_default()));
        }
        let explicit = scenario.clients.len() as i128;
        let usual = Workload::default().clients.into();
        let drawn =
            workload.as_ref().map_or((0, 0), |workload| bounds(workload, "clients", usual, MOST_CLIENTS));
        let members = bounds(&cluster, "members", Cluster::default().members.into(), 9);
        let most = i128::from(crate::plan::MOST_MACHINES);
        let by_faults: i128 = scenario.faults.iter().map(most_added).sum();
        let by_clients = scenario
            .clients
            .iter()
            .flat_map(machines_added)
            .max()
            .map_or(0, |member| member.raft_id().into());
        let may_join = by_faults > 0 || by_clients > 0 || scenario.swarm.is_some();
        Checks {
            scenario,
            workload,
            members,
            machines: if may_join { most } else { members.1 },
            nameable: (members.0 + by_faults).max(by_clients).min(most.max(members.0)),
            clients: (explicit + drawn.0, explicit + drawn.1),
            chaos: bounds(&scenario.run, "chaos", Phases::default().chaos, 24 * HOUR),
        }
    }

    /// Reports members and clients that do not exist.
    fn numbers(&self, reader: &mut Reader) {
        for named in std::mem::take(&mut reader.named) {
            for number in named.numbers.iter().map(|number| i128::from(*number)) {
                if named.clients && number >= self.clients.0 {
                    let help = match self.clients.0 {
                        0 => "there may be no client at all; clients come from `[workload]` and `[[client]]`"
                            .to_string(),
                        most => format!("there are {most} clients, numbered from 0 to {}", most - 1),
                    };
                    reader.report(
                        named.span.clone(),
                        format!("there is no client {number}"),
                        "does not exist",
                        help,
                    );
                } else if !named.clients && !(1..=self.nameable).contains(&number) {
                    let help = match self.members {
                        (least, most) if least == most => format!("the cluster has {}", many(most, "member")),
                        (least, _) => format!("the cluster may have only {}", many(least, "member")),
                    };
                    let help = format!("{help}, numbered from 1; `members` in `[cluster]` sets how many");
                    reader.report(
                        named.span.clone(),
                        format!("there is no member {number}"),
                        "does not exist",
                        help,
                    );
                }
            }
        }
    }

    /// Checks the section `[run]`.
    fn run(&self, reader: &mut Reader) {
        let Some(core) =
            self.scenario.run.find("core").filter(|_| !self.scenario.cluster.is_unread("members"))
        else {
            return;
        };
        let (least, most) = core.choice.bounds();
        let quorum = self.members.1 / 2 + 1;
        if most > self.members.0 {
            let help = format!("leave `core` out to heal all {}", many(self.members.0, "member"));
            reader.report(
                core.span.clone(),
                format!("a core of {most} is more than the cluster has"),
                "too many",
                help,
            );
        } else if least < quorum {
            let help = format!(
                "a quorum of {} is {quorum}; a smaller core can never have a leader",
                many(self.members.1, "member")
            );
            reader.report(core.span.clone(), format!("a core of {least} is not a quorum"), "too few", help);
        }
    }

    /// Checks that the workload has neither too many operations nor too many bytes.
    fn workload(&self, reader: &mut Reader, text: &str) {
        if let Some(mix) = &self.scenario.mix
            && mix.unread.is_empty()
            && mix.sets.iter().all(|set| set.choice.bounds().1 == 0)
        {
            let at = text.find("[workload.mix]").unwrap_or(0);
            let span = mix.sets.first().map_or(at..at + "[workload.mix]".len(), |set| set.span.clone());
            reader.report(
                span,
                "every weight of the mix is 0",
                "nothing to ask",
                "give at least one kind of operation a weight above 0, or leave the section out",
            );
        }
        let Some(workload) = &self.workload else { return };
        if !workload.unread.is_empty() || !self.scenario.run.unread.is_empty() {
            return;
        }
        let usual = Workload::default();
        let traffic = workload.choice("traffic").map(Choice::bounds);
        let rate = match traffic {
            Some((low, high)) => {
                let of = |at: i128| i128::from(Traffic::ALL[at as usize].rate());
                (of(low), of(high))
            }
            None => bounds(workload, "rate", usual.rate, 0),
        };
        // The limit on the operations of one client; 0 for none.
        let each = bounds(workload, "operations", usual.operations, 0);
        let span = |name: &str| workload.find(name).map_or(0..0, |set| set.span.clone());
        if rate.0 == 0 && each.0 == 0 {
            let help = "set `operations`, the maximum for each client";
            reader.report(
                span("rate"),
                "an unthrottled workload never ends",
                "as fast as answers come",
                help,
            );
            return;
        }
        // Operations per hour, times nanoseconds, divided by nanoseconds per hour.
        let throttled = rate.1 * self.chaos.1 / HOUR + self.clients.1;
        let most = if each.0 == 0 {
            throttled
        } else if rate.0 == 0 {
            each.1 * self.clients.1
        } else {
            throttled.min(each.1 * self.clients.1)
        };
        if most > MOST_OPERATIONS {
            let message = format!("the clients would send up to {most} operations");
            let place = if each.1 == 0 { "rate" } else { "operations" };
            reader.report(
                span(place),
                message,
                "too many",
                format!("a run holds at most {MOST_OPERATIONS}; lower the rate or shorten the chaos phase"),
            );
            return;
        }
        let bytes = workload.choice("value-bytes").map_or(0, mean);
        if most * bytes > MOST_BYTES {
            let message = format!("the values would take up to {} together", Unit::Size.print(most * bytes));
            reader.report(
                span("value-bytes"),
                message,
                "too large",
                format!("a run holds at most {}", Unit::Size.print(MOST_BYTES)),
            );
        }
    }
}

/// The most members that a fault of a scenario adds.
fn most_added(fault: &FaultEntry) -> i128 {
    if !fault.kind.effect.adds_member {
        return 0;
    }
    let repeats = fault.frame.has("every") || fault.frame.has("about-every");
    let once = if repeats { MOST_TIMES } else { 1 };
    fault.frame.choice("times").map_or(once, |times| times.bounds().1)
}

/// The machines that the requests of an explicit client name as new members.
fn machines_added(client: &Section) -> Vec<MemberId> {
    match client.choice("operations") {
        Some(Choice::Fixed(lines)) => {
            let operations = Vec::<PlannedOperation>::of(lines.clone());
            crate::plan::machines_added(&operations).collect()
        }
        _ => Vec::new(),
    }
}

/// A number with its noun: `1 member`, `3 members`.
fn many(count: i128, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// The approximate mean of a choice. It may be too large, but not much too small.
fn mean(choice: &Choice) -> i128 {
    match choice {
        Choice::Fixed(Value::Spread(spread)) => mean_of(spread),
        Choice::Any(choices) => choices.iter().map(mean).max().unwrap_or(0),
        Choice::Made(make, parts) => {
            let largest: Vec<i128> = parts.iter().map(|part| part.bounds().1).collect();
            match make(&largest) {
                Value::Spread(spread) => mean_of(&spread),
                _ => 0,
            }
        }
        Choice::Fixed(_) | Choice::Range { .. } => choice.bounds().1,
    }
}

/// The mean of a distribution.
fn mean_of(spread: &Spread) -> i128 {
    match *spread {
        Spread::Constant(value) => value.into(),
        Spread::Uniform { low, high } => (i128::from(low) + i128::from(high)) / 2,
        Spread::Exponential { floor, mean } => i128::from(floor) + i128::from(mean),
        Spread::HeavyTail { usual, worst, ratio } => {
            i128::from(usual) + i128::from(worst) * i128::from(ratio.parts()) / 1_000_000
        }
    }
}
