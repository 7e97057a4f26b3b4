//! Mistakes that no field shows by itself: what does not fit together.

use std::ops::Range;

use crate::choice::{Choice, Value, Who};
use crate::field::Settings;
use crate::kinds::{Alone, Lasts, Whom};
use crate::mistakes::Mistake;
use crate::read::Reader;
use crate::scenario::{FaultEntry, Scenario};
use crate::units::Unit;
use crate::{Cluster, Phases, Spread, Target};

/// Most operations of a run; more would not fit into memory.
const MOST_OPERATIONS: i128 = 5_000_000;
/// Most bytes that all values of a run take together.
const MOST_BYTES: i128 = 1 << 30;

pub(crate) fn check(reader: &mut Reader, scenario: &Scenario, text: &str) {
    let checks = Checks::new(scenario);
    checks.numbers(reader);
    checks.run(reader);
    checks.workload(reader, text);
    for fault in &scenario.faults {
        checks.timing(reader, fault);
        checks.target(reader, fault);
        if reader.plan {
            decided(reader, fault);
        } else if let Some(id) = fault.frame.find("id") {
            reader.report(id.span.clone(), "`id` belongs to a plan", "not in a scenario", "take it out; `name` gives a fault draws of its own");
        }
    }
    if !reader.plan {
        checks.overlaps(reader);
    }
}

/// What the checks look things up in.
struct Checks<'a> {
    scenario: &'a Scenario,
    members: (i128, i128),
    clients: (i128, i128),
    chaos: (i128, i128),
}

fn bounds(settings: &Settings, name: &str, usual: u64) -> (i128, i128) {
    settings.choice(name).map_or((usual.into(), usual.into()), Choice::bounds)
}

impl<'a> Checks<'a> {
    fn new(scenario: &'a Scenario) -> Checks<'a> {
        let swarm = scenario.swarm.as_ref().map(|_| crate::swarm::scenario());
        let added = |name: &str| swarm.and_then(|swarm| swarm.cluster.choice(name)).map(Choice::bounds);
        let members = match scenario.cluster.choice("members") {
            Some(members) => members.bounds(),
            None => added("members").unwrap_or((Cluster::default().members.into(), Cluster::default().members.into())),
        };
        let explicit = scenario.clients.len() as i128;
        let drawn = match (&scenario.workload, swarm) {
            (Some(workload), _) => bounds(workload, "clients", crate::workload::Workload::default().clients.into()),
            (None, Some(swarm)) => swarm.workload.as_ref().map_or((0, 0), |workload| bounds(workload, "clients", 0)),
            (None, None) => (0, 0),
        };
        let chaos = bounds(&scenario.run, "chaos", Phases::default().chaos);
        Checks { scenario, members, clients: (explicit + drawn.0, explicit + drawn.1), chaos }
    }

    /// Members and clients that do not exist.
    fn numbers(&self, reader: &mut Reader) {
        for named in std::mem::take(&mut reader.named) {
            for number in named.numbers.iter().map(|number| i128::from(*number)) {
                if named.clients && number >= self.clients.0 {
                    let help = match self.clients.0 {
                        0 => "there may be no client at all; clients come from `[workload]` and `[[client]]`".to_string(),
                        most => format!("there are {most} clients, numbered from 0 to {}", most - 1),
                    };
                    reader.report(named.span.clone(), format!("there is no client {number}"), "does not exist", help);
                } else if !named.clients && !(1..=self.members.0).contains(&number) {
                    let help = match self.members {
                        (least, most) if least == most => format!("the cluster has {}", many(most, "member")),
                        (least, _) => format!("the cluster may have only {}", many(least, "member")),
                    };
                    let help = format!("{help}, numbered from 1; `[cluster]` says how many with `members`");
                    reader.report(named.span.clone(), format!("there is no member {number}"), "does not exist", help);
                }
            }
        }
    }

    fn run(&self, reader: &mut Reader) {
        let Some(core) = self.scenario.run.find("core") else { return };
        let (least, most) = core.choice.bounds();
        let quorum = self.members.1 / 2 + 1;
        if most > self.members.0 {
            let help = format!("leave `core` out to heal all {}", many(self.members.0, "member"));
            reader.report(core.span.clone(), format!("a core of {most} is more than the cluster has"), "too many", help);
        } else if least < quorum {
            let help = format!("a quorum of {} is {quorum}; a smaller core can never have a leader", many(self.members.1, "member"));
            reader.report(core.span.clone(), format!("a core of {least} is no quorum"), "too few", help);
        }
    }

    fn workload(&self, reader: &mut Reader, text: &str) {
        if let Some(mix) = &self.scenario.mix
            && mix.0.iter().all(|set| set.choice.bounds().1 == 0)
        {
            let at = text.find("[workload.mix]").unwrap_or(0);
            let span = mix.0.first().map_or(at..at + "[workload.mix]".len(), |set| set.span.clone());
            reader.report(span, "every weight of the mix is 0", "nothing to ask", "give at least one kind of operation a weight above 0, or leave the section out");
        }
        let Some(workload) = &self.scenario.workload else { return };
        let usual = crate::workload::Workload::default();
        let rate = bounds(workload, "rate", usual.rate);
        let each = bounds(workload, "operations", usual.operations);
        let span = |name: &str| workload.find(name).map_or(0..0, |set| set.span.clone());
        if rate.0 == 0 && each.0 == 0 {
            reader.report(span("rate"), "an unthrottled workload has no end", "as fast as answers come", "say how many `operations` each client asks at most");
            return;
        }
        let after = bounds(workload, "after-healing", usual.after_healing).1;
        // Operations an hour, times nanoseconds, over nanoseconds an hour.
        let throttled = rate.1 * (self.chaos.1 + after) / crate::field::HOUR + self.clients.1;
        let most = if each.0 == 0 { throttled } else if rate.0 == 0 { each.1 * self.clients.1 } else { throttled.min(each.1 * self.clients.1) };
        if most > MOST_OPERATIONS {
            let message = format!("the clients would ask up to {most} operations");
            let place = if each.1 == 0 { "rate" } else { "operations" };
            reader.report(span(place), message, "too many", format!("a run holds at most {MOST_OPERATIONS}; lower the rate or shorten the chaos phase"));
            return;
        }
        let bytes = workload.choice("value-bytes").map_or(0, mean);
        if most * bytes > MOST_BYTES {
            let message = format!("the values would take up to {} together", Unit::Size.print(most * bytes));
            reader.report(span("value-bytes"), message, "too large", format!("a run holds at most {}", Unit::Size.print(MOST_BYTES)));
        }
    }

    fn timing(&self, reader: &mut Reader, fault: &FaultEntry) {
        let set = |name: &str| fault.frame.find(name);
        let timed: Vec<&str> = ["at", "every", "about-every"].into_iter().filter(|name| set(name).is_some()).collect();
        if let [first, second, ..] = timed.as_slice() {
            let message = format!("`{first}` and `{second}` exclude each other");
            reader.mistakes.push(
                Mistake::at(fault.place(second), message, "and here")
                    .other(fault.place(first), "it is said here")
                    .help("`at` strikes once, `every` and `about-every` over and over"),
            );
        } else if timed.is_empty() && set("when").is_none() {
            let help = "add `at = \"10s\"`, `every = \"5s..10s\"`, `about-every = \"10s\"` or `when = \"leader\"`";
            reader.report(fault.span.clone(), format!("the fault `{}` has no time", fault.kind.name), "when?", help);
        }
        if let (Some(at), Some(when)) = (set("at"), set("when")) {
            reader.mistakes.push(
                Mistake::at(at.span.clone(), "`at` and `when` exclude each other", "and here")
                    .other(when.span.clone(), "it is said here")
                    .help("`from` is the time before which the condition is not looked for"),
            );
        }
        let repeats = set("every").is_some() || set("about-every").is_some();
        for (name, needs, met) in [
            ("after", "`when`", set("when").is_some()),
            ("from", "`when`, `every` or `about-every`", set("when").is_some() || repeats),
            ("until", "`every` or `about-every`", repeats),
            ("times", "`at`, `every` or `about-every`", repeats || set("at").is_some()),
        ] {
            if let (Some(field), false) = (set(name), met) {
                reader.report(field.span.clone(), format!("`{name}` means nothing here"), format!("needs {needs}"), format!("add {needs}, or take it out"));
            }
        }
        for name in ["at", "from"] {
            if let (Some(field), Some((least, _))) = (set(name), fault.time(name))
                && least > self.chaos.1
            {
                let message = format!("the fault `{}` comes after the chaos phase", fault.kind.name);
                let help = format!("the chaos phase ends at {}; `[run]` says so with `chaos`", Unit::Time.print(self.chaos.1));
                reader.report(field.span.clone(), message, "never strikes", help);
            }
        }
        if let (Some((from, _)), Some((_, until))) = (fault.time("from"), fault.time("until"))
            && from > until
        {
            reader.report(fault.place("until"), "`until` is before `from`", "never strikes", "");
        }
        if let (Lasts::Instant, Some(lasts)) = (fault.kind.lasts, set("for")) {
            let message = format!("the fault `{}` is over at once", fault.kind.name);
            reader.report(lasts.span.clone(), message, "means nothing here", "take it out");
        }
    }

    /// Targets that make no sense for the kind or the cluster.
    fn target(&self, reader: &mut Reader, fault: &FaultEntry) {
        let (kind, span) = (fault.kind, fault.place("target"));
        if self.members.1 < kind.members.into() {
            let message = format!("the fault `{}` needs {}", kind.name, many(kind.members.into(), "member"));
            let help = format!("the cluster has {}", many(self.members.1, "member"));
            reader.report(fault.span.clone(), message, "cannot happen", help);
            return;
        }
        match (kind.whom, fault.frame.find("target")) {
            (Whom::Nobody, Some(target)) if !reader.plan => {
                reader.report(target.span.clone(), format!("the fault `{}` has no target", kind.name), "means nothing here", "take it out: it is about all members");
            }
            (Whom::Nobody, _) => return,
            (_, None) => {
                reader.report(span, format!("the fault `{}` has no target", kind.name), "whom?", format!("add `target`: {}", crate::words::TARGET_HELP));
                return;
            }
            _ => {}
        }
        for value in fault.targets() {
            let Value::Who(who) = value else { continue };
            if let Some((label, help)) = self.nonsense(kind.whom, who) {
                let message = format!("the fault `{}` cannot have this target", kind.name);
                reader.report(span.clone(), message, label, help);
            }
        }
    }

    /// Why a target is none for such a fault.
    fn nonsense(&self, whom: Whom, who: &Who) -> Option<(&'static str, &'static str)> {
        let clients = matches!(who, Who::AllClients | Who::Target(Target::Clients(_)));
        let named = match who {
            Who::Target(Target::Members(members)) => Some(members.len() as i128),
            _ => None,
        };
        let all = matches!(who, Who::Target(Target::All)) || named.is_some_and(|named| named >= self.members.1);
        let minority = (self.members.1 - 1) / 2;
        let alone = matches!(who, Who::Target(Target::Follower | Target::Followers | Target::Minority) | Who::FixedMember | Who::FixedMinority);
        let one = matches!(who, Who::Target(Target::Leader | Target::Follower | Target::Random) | Who::FixedMember) || named == Some(1);
        let few = one || matches!(who, Who::Target(Target::Minority) | Who::FixedMinority) || named.is_some_and(|named| named <= minority);
        match whom {
            _ if alone && self.members.1 == 1 => Some(("the only member is none of these", "a cluster of one has neither followers nor a minority; write `all` or `member 1`")),
            Whom::Members | Whom::One | Whom::Part | Whom::Minority if clients => Some(("clients", "only `link`, `cut` and `clog` are about clients")),
            Whom::One if !one => Some(("more than one member", "write one member: `leader`, `follower`, `random`, `fixed-member` or `member 3`")),
            Whom::Part if all => Some(("all members", "the target is one of two sides; write `minority`, `leader` or `members 1, 2`")),
            Whom::Minority if !few => Some(("more than a minority", "a cluster that loses more than a minority of its disks cannot keep what it promised; write `random`, `fixed-member` or `member 3`")),
            _ => None,
        }
    }

    /// Faults that cannot be over the same member at the same time. Only what is certain is told:
    /// explicit members, and times that overlap whatever the seed draws.
    fn overlaps(&self, reader: &mut Reader) {
        let faults = &self.scenario.faults;
        for (place, second) in faults.iter().enumerate() {
            self.overlaps_itself(reader, second);
            for first in &faults[..place] {
                let Some(member) = shared(first, second) else { continue };
                // In the order of their times, which need not be that of the file.
                for (earlier, later) in [(first, second), (second, first)] {
                    if excludes(earlier.kind.alone, later.kind.alone, earlier.kind.name == later.kind.name)
                        && self.surely_within(earlier, later)
                    {
                        reader.mistakes.push(overlap(earlier, later, member, later.place("at")));
                        break;
                    }
                }
            }
        }
    }

    /// A fault that comes again before it is over.
    fn overlaps_itself(&self, reader: &mut Reader, fault: &FaultEntry) {
        let lasts = fault.time("for").map_or(i128::MAX, |lasts| lasts.0);
        let (Some((_, gap)), Some(member)) = (fault.time("every"), members(fault).first().copied()) else { return };
        if fault.kind.alone != Alone::No && gap < lasts && fault.kind.lasts != Lasts::Instant && fault.frame.find("when").is_none() {
            let message = format!("`{}` of member {member} comes again before it is over", fault.kind.name);
            reader.mistakes.push(
                Mistake::at(fault.place("every"), message, "comes again within this time")
                    .other(fault.place("for"), "lasts at least this long")
                    .help("make the gap longer than the fault"),
            );
        }
    }

    /// Whether `later` strikes while `earlier` is over its target, whatever the seed draws.
    fn surely_within(&self, earlier: &FaultEntry, later: &FaultEntry) -> bool {
        let (Some(start), Some(strike)) = (earlier.time("at"), later.time("at")) else { return false };
        let end = match earlier.time("for") {
            Some(lasts) => start.0 + lasts.0,
            None => self.chaos.0,
        };
        let certain = [earlier, later].iter().all(|fault| fault.frame.find("chance").is_none());
        certain && start.1 <= strike.0 && strike.1 < end
    }
}

/// Whether a fault of the first sort, being over a member, leaves no room for one of the second.
fn excludes(earlier: Alone, later: Alone, same: bool) -> bool {
    match (earlier, later) {
        (Alone::Down, Alone::Down | Alone::Running) => true,
        (Alone::Running, Alone::Running) | (Alone::Itself, Alone::Itself) => same,
        _ => false,
    }
}

fn overlap(earlier: &FaultEntry, later: &FaultEntry, member: u32, span: Range<usize>) -> Mistake {
    let (first, second) = (earlier.kind.name, later.kind.name);
    let (message, help) = if earlier.kind.alone == Alone::Down {
        let ends = if earlier.frame.find("for").is_some() { "it starts again" } else { "the chaos phase ends (the first has no `for`)" };
        (format!("`{second}` strikes member {member} while it is down"), format!("member {member} is down from `{first}` until {ends}; let the second come later, or take another member"))
    } else {
        (format!("two faults `{second}` are over member {member} at once"), "let the second come after the first is over, or take another member".to_string())
    };
    Mistake::at(span, message, "the second strikes here").other(earlier.place("at"), "the first strikes here").help(help)
}

/// The members a fault is sure to strike.
fn members(fault: &FaultEntry) -> &[u32] {
    match fault.frame.choice("target") {
        Some(Choice::Fixed(Value::Who(Who::Target(Target::Members(members))))) => members,
        _ => &[],
    }
}

/// A member that both are sure to strike.
fn shared(a: &FaultEntry, b: &FaultEntry) -> Option<u32> {
    members(a).iter().copied().find(|member| members(b).contains(member))
}

/// What a fault of a plan must not have: it lists each strike by itself.
fn decided(reader: &mut Reader, fault: &FaultEntry) {
    for name in ["every", "about-every", "times", "until", "chance"] {
        if let Some(set) = fault.frame.find(name) {
            reader.report(set.span.clone(), format!("`{name}` in a plan"), "not decided", "a plan lists each strike as a fault of its own");
        }
    }
}

fn many(count: i128, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// About how large what a choice gives is in the mean, never too small by much.
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
