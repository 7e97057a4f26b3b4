//! Measures the way from a red seed to its cause, for every flaw: `cargo bench -p etcdsim --bench causes -- WHAT [ID…]`.
//!
//! * `shrink`: five failing seeds of each flaw, where its scenario has that many in 40, are shrunk for a minute at most.
//! * `why`: the first failing seed of each flaw, as it is and shrunk, is asked when it became certain and what it needed.
//! * `smallest`: ten small plans are shrunk, and compared with the smallest part of the plan that fails in the same way,
//!   which is found by trying all parts.
//!
//! Each plan is a line of JSON. The last lines say what all of them come to.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread::available_parallelism;
use std::time::Duration;

use etcdsim::plan::{Plan, Scenario};
use etcdsim::stopwatch::Stopwatch;
use etcdsim::why::{Effort, Need, Runs, Why};
use etcdsim::{Case, End, ShrinkEnded, Shrinker, Shrunk, Signature, Simulation};
use member::Flaw;
use serde_json::json;

/// In how many seeds of its scenario failing ones are looked for.
const SEEDS: u64 = 40;
/// How many failing seeds of a flaw are shrunk.
const PLANS: usize = 5;
/// The longest time of one shrink.
const BUDGET: Duration = Duration::from_secs(60);
/// Of a plan with more faults and operations than this, not all parts can be tried.
const SMALL: usize = 26;
const SECOND: u64 = 1_000_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let (what, ids) = arguments.split_first().expect("what to measure: shrink, why or smallest");
    let flaws = || Flaw::ALL.iter().filter(|flaw| ids.is_empty() || ids.iter().any(|id| id == flaw.id()));
    match what.as_str() {
        "shrink" => shrink_all(flaws()),
        "why" => ask_all(flaws()),
        "smallest" => compare_with_smallest(),
        other => panic!("{other} cannot be measured; shrink, why and smallest can"),
    }
}

fn jobs() -> usize {
    available_parallelism().map_or(1, usize::from)
}

fn say(line: &serde_json::Value) {
    println!("{line}");
    std::io::stdout().flush().expect("somebody reads");
}

/// The plans of the first seeds of a flaw's scenario that fail with the flaw.
fn failing(flaw: Flaw, most: usize) -> Vec<Plan> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = root.join("scenarios").join(flaw.scenario()).with_extension("toml");
    let simulation = Simulation::from_file(&file).expect("the scenario can be read").seeds(0..SEEDS);
    let report = simulation.flaw(flaw.id()).expect("the flaw exists").run().expect("the scenario runs");
    let at = plan::FlawAt { flaw: flaw.id().to_string(), member: None };
    let case = Case::load(&file).and_then(|case| case.with_flaws(&[at])).expect("the scenario can be read");
    let runs = report.cases.iter().flat_map(|case| &case.runs);
    runs.filter(|run| matches!(run.end, End::Violated(_))).take(most).map(|run| case.plan(run.seed)).collect()
}

/// The numbers of a plan's faults and of its operations.
fn size(plan: &Plan) -> (usize, usize) {
    (plan.faults.len(), plan.clients.iter().map(|client| client.operations.len()).sum())
}

fn shrink(plan: &Plan, budget: Option<Duration>) -> Shrunk {
    let mut shrinker = Shrinker::new(jobs());
    shrinker.time_budget = budget;
    shrinker.shrink(plan.clone(), &AtomicBool::new(false), &mut |_| {}).expect("the plan fails")
}

/// The middle one of these.
fn median<T: Copy + PartialOrd>(mut all: Vec<T>) -> Option<T> {
    all.sort_by(|one, other| one.partial_cmp(other).expect("numbers"));
    all.get(all.len() / 2).copied()
}

fn shrink_all<'a>(flaws: impl Iterator<Item = &'a Flaw>) {
    let (mut faults, mut operations, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
    let (mut large, mut late, mut changed, mut none) = (Vec::new(), 0, 0, Vec::new());
    for flaw in flaws {
        let plans = failing(*flaw, PLANS);
        if plans.is_empty() {
            none.push(flaw.id());
        }
        for plan in plans {
            let small = shrink(&plan, Some(BUDGET));
            let same = Shrinker::new(1).signature_of(&small.plan).is_ok_and(|found| found == small.signature);
            let (left, took) = (size(&small.plan), small.wall.as_secs_f64());
            say(&json!({
                "flaw": flaw.id(), "seed": plan.seed, "signature": small.signature.to_string(), "same": same,
                "from": size(&plan), "left": left, "seconds": took, "runs": small.runs, "minimal": small.minimal,
                "complete": small.ended == ShrinkEnded::Complete,
            }));
            if left.0 > 10 || left.1 > 30 {
                large.push(format!("{} {}", flaw.id(), plan.seed));
            }
            late += usize::from(small.ended != ShrinkEnded::Complete);
            changed += usize::from(!same);
            faults.push(left.0);
            operations.push(left.1);
            seconds.push(took);
        }
    }
    let all = faults.len();
    println!("{all} plans; not one seed in {SEEDS} failed of: {}", none.join(", "));
    println!(
        "median: {:?} faults, {:?} operations, {:?} s",
        median(faults),
        median(operations),
        median(seconds)
    );
    println!("more than 10 faults or 30 operations: {} ({})", large.len(), large.join(", "));
    println!("not at their end within {BUDGET:?}: {late}; with another signature: {changed}");
}

/// The answer for one plan, and what of it the table needs.
fn ask(flaw: Flaw, plan: &Plan, how: &str) -> Option<(Why, bool, f64)> {
    let stopwatch = Stopwatch::start();
    let interrupted = AtomicBool::new(false);
    let runs = Runs::new(jobs(), None, &interrupted, &|_| {});
    let why = Why::ask(plan, Effort::default(), &runs)?;
    let took = stopwatch.elapsed().as_secs_f64();
    let needed = why.faults.iter().filter(|fault| fault.need == Need::Necessary);
    let first = needed.map(|fault| fault.at_ns).min().unwrap_or(0);
    let placed = why.jump.is_some_and(|jump| {
        jump.to.at_ns >= first && jump.from.at_ns <= why.violated_ns && jump.width() <= SECOND / 10
    });
    say(&json!({
        "flaw": flaw.id(), "seed": plan.seed, "plan": how, "seconds": took, "runs": why.runs, "always": why.always,
        "placed": placed, "jump": why.jump.map(|jump| [jump.from.at_ns, jump.to.at_ns]),
        "first_needed": first, "violated": why.violated_ns, "needed": needed_kinds(plan, &why),
    }));
    Some((why, placed, took))
}

/// The kinds of the faults that a failure needs, each as often as it is needed.
fn needed_kinds(plan: &Plan, why: &Why) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for fault in why.faults.iter().filter(|fault| fault.need == Need::Necessary) {
        let kind = plan.faults.iter().find(|one| Some(one.id) == fault.fault).map(|one| one.kind.name());
        *kinds.entry(kind.unwrap_or("a fault").to_string()).or_insert(0) += 1;
    }
    kinds
}

fn ask_all<'a>(flaws: impl Iterator<Item = &'a Flaw>) {
    let (mut whole, mut small) = (Vec::new(), Vec::new());
    let (mut jumps, mut placed, mut always, mut among) = (0, 0, 0, 0);
    let mut elsewhere = Vec::new();
    for flaw in flaws {
        let Some(plan) = failing(*flaw, 1).pop() else { continue };
        let shrunk = shrink(&plan, Some(BUDGET)).plan;
        let (Some(of_whole), Some(of_small)) = (ask(*flaw, &plan, "whole"), ask(*flaw, &shrunk, "small"))
        else {
            continue;
        };
        whole.push(of_whole.2);
        small.push(of_small.2);
        // The whole plan's answer counts: that of the small one is the easier.
        match of_whole.0.always {
            true => always += 1,
            false => jumps += 1,
        }
        placed += usize::from(of_whole.1);
        if !of_whole.0.always && !of_whole.1 {
            elsewhere.push(flaw.id());
        }
        let of_small = needed_kinds(&shrunk, &of_small.0);
        let needed = needed_kinds(&plan, &of_whole.0);
        among += usize::from(
            needed.iter().all(|(kind, times)| of_small.get(kind).is_some_and(|left| left >= times)),
        );
    }
    let count = whole.len();
    let longest = |all: &[f64]| all.iter().copied().fold(0.0, f64::max);
    println!("{count} flaws; longest: small {:.1} s, whole {:.1} s", longest(&small), longest(&whole));
    println!(
        "whatever is drawn: {always}; of {jumps} others the largest rise is where it should be: {placed}"
    );
    println!("elsewhere: {}", elsewhere.join(", "));
    println!("all that the whole plan needs, the small one needs: {among}");
}

/// Short runs that find many flaws.
const SHORT: [&str; 2] = [
    r#"
title = "Members stop"
[cluster]
members = 3
snapshot-count = 10
catch-up-entries = 3
[workload]
clients = 2
rate = "6/s"
[workload.mix]
put = 3
get = 2
[[fault]]
kind = "pause"
target = "leader"
every = "900ms..1200ms"
for = "1500ms"
[[fault]]
kind = "power-loss"
target = "leader"
every = "900ms..1200ms"
for = "100ms"
[run]
chaos = "2500ms"
"#,
    r#"
title = "Members are cut off"
[cluster]
members = 3
backend-interval = "300ms"
[workload]
clients = 3
rate = "4/s"
[workload.mix]
put = 2
get = 2
txn = 2
[[fault]]
kind = "isolate"
target = "leader"
every = "900ms..1200ms"
for = "1500ms"
[[fault]]
kind = "crash"
target = "random"
every = "700ms..900ms"
for = "100ms"
[run]
chaos = "2500ms"
"#,
];

fn signature(plan: &Plan) -> Option<Signature> {
    Shrinker::new(1).signature_of(plan).ok()
}

/// How many small plans are compared, and how many of a flaw at most, which fail in different ways.
const COMPARED: usize = 10;
const OF_A_FLAW: usize = 3;

/// Plans that are small enough for all their parts to be tried, each with its flaw and its failure.
fn small_plans(flaw: Flaw) -> Vec<(Plan, Signature)> {
    let scenario = |text| Scenario::parse("short.toml", text).expect("it is a scenario");
    let scenarios = SHORT.map(scenario);
    let mut plans: Vec<(Plan, Signature)> = Vec::new();
    for (seed, scenario) in (0..60).flat_map(|seed| scenarios.iter().map(move |scenario| (seed, scenario))) {
        let mut plan = scenario.expand(seed);
        plan.flaws = vec![plan::FlawAt { flaw: flaw.id().to_string(), member: None }];
        let (faults, operations) = size(&plan);
        let failure = signature(&plan).filter(|_| faults + operations <= SMALL);
        let Some(failure) = failure.filter(|new| plans.iter().all(|(_, known)| known != new)) else {
            continue;
        };
        plans.push((plan, failure));
        if plans.len() == OF_A_FLAW {
            break;
        }
    }
    plans
}

/// The part of a plan that has these faults and operations: a bit for each.
fn part(plan: &Plan, bits: u32) -> Plan {
    let mut nth = 0;
    let mut stays = || {
        nth += 1;
        bits & 1 << (nth - 1) != 0
    };
    let mut part = plan.clone();
    part.faults.retain(|_| stays());
    part.clients.iter_mut().for_each(|client| client.operations.retain(|_| stays()));
    part
}

/// The number of faults and operations of the smallest part that fails in this way, if it has fewer than `below`.
fn smallest(plan: &Plan, wanted: &Signature, below: usize) -> Option<usize> {
    let acts = size(plan).0 + size(plan).1;
    (0..below).find(|count| {
        let parts: Vec<u32> =
            (0..1_u32 << acts).filter(|bits| bits.count_ones() as usize == *count).collect();
        let interrupted = AtomicBool::new(false);
        let fails = Runs::new(jobs(), None, &interrupted, &|_| {})
            .all(parts.len(), |nth| signature(&part(plan, parts[nth])).is_some_and(|found| found == *wanted));
        fails.is_some_and(|fails| fails.contains(&true))
    })
}

fn compare_with_smallest() {
    let (mut worst, mut compared) = (0.0_f64, 0);
    for (flaw, plan) in
        Flaw::ALL.iter().flat_map(|flaw| small_plans(*flaw).into_iter().map(move |it| (flaw, it.0)))
    {
        let shrunk = shrink(&plan, None);
        let left = size(&shrunk.plan).0 + size(&shrunk.plan).1;
        // Some flaws show without any fault or operation.
        if left == 0 {
            continue;
        }
        let smallest = smallest(&plan, &shrunk.signature, left).unwrap_or(left);
        let times = left as f64 / smallest.max(1) as f64;
        worst = worst.max(times);
        say(&json!({
            "flaw": flaw.id(), "seed": plan.seed, "signature": shrunk.signature.to_string(), "from": size(&plan),
            "left": left, "smallest": smallest, "times": times,
        }));
        compared += 1;
        if compared == COMPARED {
            break;
        }
    }
    println!("{compared} plans: at most {worst:.2} times the smallest");
}
