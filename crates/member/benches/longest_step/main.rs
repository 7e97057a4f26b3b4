//! How long a member's longest step takes: once under client requests alone, and once with long-running jobs beside
//! them: `cargo bench -p etcdsim-member --bench longest_step`, `-- --json` for programs.
//!
//! A driver may have one thread for many nodes, so a step must cost no more than its input. The load is the same in
//! both runs: puts, reads of one key and of ranges, transactions, deletions and watches, on a store of 100,000 keys
//! with values of 100 bytes. The second run adds backend commits, snapshots of the log, compactions, defragmentations,
//! hashes and snapshots for operators and, in a cluster of three, a follower that needs a snapshot from its leader.
//! Each run is repeated several times. The i-th step is the same in every repetition, so the shortest of its times
//! counts: this leaves out whatever else the machine was doing.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "how long a step takes is only printed and decides nothing inside the run"
)]

mod cluster;
mod load;
mod memory;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use cluster::Cluster;
use load::Load;

/// How many times each run is made.
const REPETITIONS: usize = 5;
/// How many of the longest steps are printed.
const LONGEST: usize = 10;

/// The steps of a run: the kind of input of each, and the shortest time that it took.
type Steps = Vec<(String, Duration)>;

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let image = load::image();
    let mut results = Vec::new();
    for members in [1, 3] {
        let [alone, busy] =
            [false, true].map(|jobs| least((0..REPETITIONS).map(|_| run(members, &image, jobs))));
        if json {
            results.push(json!({
                "members": members,
                "ratio": ratio(&alone, &busy),
                "alone": as_json(&alone),
                "with_jobs": as_json(&busy),
            }));
        } else {
            print(members, &alone, &busy);
        }
    }
    if json {
        println!("{}", serde_json::Value::from(results));
    }
}

/// Makes one run. `jobs` says whether it has long-running jobs besides the load.
fn run(members: u32, image: &bytes::Bytes, jobs: bool) -> Steps {
    let mut cluster = Cluster::start(members, image, |settings| load::settings(settings, jobs));
    let mut load = Load::new(&mut cluster, jobs);
    load.run(&mut cluster);
    cluster.steps
}

/// The least time of each step.
fn least(runs: impl Iterator<Item = Steps>) -> Steps {
    runs.reduce(|mut least, run| {
        assert_eq!(least.len(), run.len(), "every repetition of a run has the same number of steps");
        for ((kind, time), (same, other)) in least.iter_mut().zip(run) {
            assert_eq!(*kind, same, "a step is of the same kind in every repetition");
            *time = (*time).min(other);
        }
        least
    })
    .unwrap_or_default()
}

/// For each kind of step, how many there were and how long the longest took.
fn by_kind(steps: &Steps) -> BTreeMap<&str, (usize, Duration)> {
    let mut kinds = BTreeMap::new();
    for (kind, time) in steps {
        let (count, longest) = kinds.entry(&kind[..]).or_insert((0, Duration::ZERO));
        *count += 1;
        *longest = (*time).max(*longest);
    }
    kinds
}

/// The longest steps, each with its number.
fn longest(steps: &Steps) -> Vec<(usize, &str, Duration)> {
    let mut all: Vec<_> =
        steps.iter().enumerate().map(|(nth, (kind, time))| (nth, &kind[..], *time)).collect();
    all.sort_by_key(|(nth, _, time)| (std::cmp::Reverse(*time), *nth));
    all.truncate(LONGEST);
    all
}

fn ratio(alone: &Steps, busy: &Steps) -> f64 {
    let time = |steps| longest(steps).first().map_or(0.0, |(.., time)| time.as_secs_f64());
    time(busy) / time(alone)
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

fn print(members: u32, alone: &Steps, busy: &Steps) {
    println!("{members} members: longest step by kind of input, in microseconds\n");
    println!("{:<24} {:>9} {:>10} {:>9} {:>10}", "", "load: n", "longest", "+ jobs: n", "longest");
    let (alone_kinds, busy_kinds) = (by_kind(alone), by_kind(busy));
    let kinds: std::collections::BTreeSet<_> = alone_kinds.keys().chain(busy_kinds.keys()).collect();
    for kind in kinds {
        let of = |kinds: &BTreeMap<&str, (usize, Duration)>| kinds.get(kind).copied().unwrap_or_default();
        let ((count, time), (more, with_jobs)) = (of(&alone_kinds), of(&busy_kinds));
        println!("{kind:<24} {count:>9} {:>10.1} {more:>9} {:>10.1}", micros(time), micros(with_jobs));
    }
    for (name, steps) in [("load alone", alone), ("load with jobs", busy)] {
        println!("\nthe {LONGEST} longest steps, {name}");
        for (nth, kind, time) in longest(steps) {
            println!("{:>10.1}  {kind}, step {nth}", micros(time));
        }
    }
    println!("\nlongest step with jobs / without: {:.2}\n", ratio(alone, busy));
}

fn as_json(steps: &Steps) -> serde_json::Value {
    let kinds: Vec<_> = by_kind(steps)
        .into_iter()
        .map(|(kind, (count, time))| json!({ "kind": kind, "count": count, "longest_us": micros(time) }))
        .collect();
    let longest: Vec<_> = longest(steps)
        .into_iter()
        .map(|(nth, kind, time)| json!({ "step": nth, "kind": kind, "us": micros(time) }))
        .collect();
    json!({ "steps": steps.len(), "kinds": kinds, "longest": longest })
}
