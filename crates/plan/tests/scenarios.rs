//! The scenario files of this repository: they are well formed, their plans are sound, and every plan
//! survives being written and read back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use etcdsim_plan::{FaultKind, NetworkFault, Plan, Scenario, Source, Target, Trigger};

/// What parts 1 and 2 ask for.
const NAMED: &[&str] = &[
    "steady",
    "crash-loop",
    "power-loss",
    "power-loss-all",
    "torn-tail",
    "wal-bit-rot",
    "disk-full",
    "slow-fsync",
    "fsync-error",
    "lost-disk",
    "leader-isolated",
    "minority-partition",
    "one-way-partition",
    "majorities-ring",
    "bridge",
    "flapping",
    "lossy-duplicating-reordering",
    "corrupting-links",
    "slow-follower-snapshot",
    "snapshot-storm",
    "clock-drift",
    "clock-jumps",
    "pause-leader",
    "pause-storm",
    "rolling-restart",
    "stale-reads",
    "compaction-under-fire",
    "big-values",
    "single-member",
    "seven-members",
    "swarm",
    "half-dead-outsider",
    "issue-14370",
    "issue-13766",
    "issue-14685",
    "issue-15220",
    "issue-15271",
    "issue-17529",
    "issue-17780",
    "issue-18089",
    "issue-19179",
    "issue-20221",
    "etcd-put",
    "etcd-put-delete-lease",
    "etcd-delete",
    "kubernetes",
    "kubernetes-cluster",
    "jepsen-register",
    "jepsen-set",
    "jepsen-append",
    "jepsen-wr",
    "jepsen-watch",
    "jepsen-lock",
    "jepsen-lock-set",
    "jepsen-lock-etcd-set",
    "leader-election-app",
    "users",
    "bench/steady",
    "bench/chaos",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn load(name: &str) -> Scenario {
    match Source::load(&folder().join(format!("{name}.toml"))) {
        Ok(Source::Scenario(scenario)) => *scenario,
        Ok(Source::Plan(_)) => panic!("{name} is a plan"),
        Err(errors) => panic!("{errors:?}"),
    }
}

/// Plans of a scenario. The steady bench has a quarter of a million operations: few seeds are enough.
fn plans(name: &'static str, seeds: u64) -> impl Iterator<Item = Plan> {
    let scenario = load(name);
    (0..if name == "bench/steady" { 1 } else { seeds }).map(move |seed| scenario.expand(seed))
}

#[test]
fn every_file_is_named_and_says_what_it_is_after() {
    let mut found = BTreeSet::new();
    for folder in [folder(), folder().join("bench")] {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let name = path.strip_prefix(self::folder()).unwrap().with_extension("");
                found.insert(name.to_string_lossy().into_owned());
            }
        }
    }
    for name in NAMED {
        assert!(found.contains(*name), "{name} is missing");
    }
    for name in &found {
        let scenario = load(name);
        assert!(!scenario.title.is_empty() && scenario.title.len() <= 80, "{name}: {:?}", scenario.title);
        assert!(
            scenario.about.len() > 100,
            "{name} says too little about what it tests: {:?}",
            scenario.about
        );
    }
}

#[test]
fn plans_are_bounded_and_strike_within_the_chaos_phase() {
    for name in NAMED {
        for plan in plans(name, 50) {
            let what = format!("{name}, seed {}", plan.seed);
            assert!((1..=7).contains(&plan.cluster.members), "{what}");
            assert!(plan.faults.len() <= 400, "{what}: {} faults", plan.faults.len());
            let operations: usize = plan.clients.iter().map(|client| client.operations.len()).sum();
            assert!(
                *name == "bench/steady" || (20..8_000).contains(&operations),
                "{what}: {operations} operations"
            );
            for client in &plan.clients {
                assert!(client.operations.is_sorted_by_key(|operation| operation.at), "{what}");
                assert!(
                    client.endpoints.iter().all(|member| member.is_among_first(plan.most_members())),
                    "{what}"
                );
                assert!(!client.endpoints.is_empty(), "{what}");
            }
            let ids: BTreeSet<u32> = plan.faults.iter().map(|fault| fault.id).collect();
            assert_eq!(ids.len(), plan.faults.len(), "{what}: two faults with one id");
            for fault in &plan.faults {
                let (Trigger::At(from) | Trigger::When { from, .. }) = fault.when;
                assert!(from < plan.phases.chaos, "{what}: {fault:?}");
                if let Target::Members(members) = &fault.target {
                    assert!(
                        members.iter().all(|member| member.is_among_first(plan.most_members())),
                        "{what}"
                    );
                    assert!(!members.is_empty(), "{what}: {fault:?}");
                }
            }
        }
    }
}

#[test]
fn every_plan_reads_back_to_itself() {
    for name in NAMED {
        for plan in plans(name, 10) {
            let text = plan.to_toml();
            let read = Plan::parse("plan.toml", &text).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
            assert!(read == plan, "{name}, seed {}: the plan changed on its way through text", plan.seed);
            assert_eq!(read.to_toml(), text);
        }
    }
}

#[test]
fn a_seed_always_gives_the_same_plan_and_another_seed_another() {
    let scenario = load("swarm");
    assert_eq!(scenario.expand(7), load("swarm").expand(7));
    assert_ne!(scenario.expand(7).to_toml(), scenario.expand(8).to_toml());
}

/// Rule R2: removing something leaves the rest as it was.
#[test]
fn a_fault_less_leaves_the_others_as_they_were() {
    let text = std::fs::read_to_string(folder().join("seven-members.toml")).unwrap();
    let without =
        text.replacen("[[fault]]\nkind = \"split\"", "[[fault]]\nchance = \"0%\"\nkind = \"split\"", 1);
    assert_ne!(text, without);
    let with = Scenario::parse("with", &text).unwrap().expand(3);
    let without = Scenario::parse("without", &without).unwrap().expand(3);
    assert_eq!(with.clients, without.clients);
    let rest: Vec<_> = with
        .faults
        .iter()
        .filter(|fault| fault.kind != FaultKind::Network(NetworkFault::Split))
        .cloned()
        .collect();
    assert!(rest.len() < with.faults.len());
    assert_eq!(rest, without.faults);
}

#[test]
fn a_client_more_leaves_the_others_as_they_were() {
    let text = |clients: u32| {
        format!("title = \"t\"\n[workload]\nclients = {clients}\nrate = \"{}/s\"\n", 5 * clients)
    };
    let few = Scenario::parse("few", &text(3)).unwrap().expand(5);
    let many = Scenario::parse("many", &text(4)).unwrap().expand(5);
    assert_eq!(few.clients[..], many.clients[..3]);
}

#[test]
fn the_swarm_picks_each_family_sometimes_and_none_always() {
    const SEEDS: u64 = 400;
    let scenario = load("swarm");
    let mut runs_with: BTreeMap<&str, u64> = BTreeMap::new();
    let mut members: BTreeMap<u32, u64> = BTreeMap::new();
    let mut faults = Vec::new();
    for seed in 0..SEEDS {
        let plan = scenario.expand(seed);
        let kinds: BTreeSet<&str> = plan.faults.iter().map(|fault| fault.kind.name()).collect();
        kinds.into_iter().for_each(|kind| *runs_with.entry(kind).or_default() += 1);
        *members.entry(plan.cluster.members).or_default() += 1;
        faults.push(plan.faults.len());
    }
    let kinds =
        etcdsim_plan::schema()["$defs"]["fault"]["properties"]["kind"]["enum"].as_array().unwrap().clone();
    // Only the scenario `integrity` has these.
    let elsewhere = ["lost-file", "swapped-files"];
    let kinds = kinds.iter().map(|kind| kind.as_str().unwrap());
    for kind in kinds.filter(|kind| !elsewhere.contains(kind)) {
        let runs = runs_with.get(kind).copied().unwrap_or(0);
        assert!(
            (SEEDS / 100..SEEDS * 3 / 4).contains(&runs),
            "{kind} was in {runs} of {SEEDS} runs: {runs_with:?}"
        );
    }
    assert_eq!(members.keys().copied().collect::<Vec<_>>(), [1, 3, 5, 7]);
    assert!(members[&3] + members[&5] > SEEDS * 2 / 3, "{members:?}");
    faults.sort_unstable();
    // Quiet runs, busy runs, and most in between.
    assert!(faults[SEEDS as usize / 10] <= 10, "{faults:?}");
    assert!(faults[SEEDS as usize / 2] >= 10, "{faults:?}");
    assert!(faults[SEEDS as usize - 1] >= 100, "{faults:?}");
}

/// All permanent damage stays within one minority, so that a refusal never costs the quorum.
#[test]
fn damage_of_the_swarm_stays_within_a_minority() {
    let scenario = load("swarm");
    for seed in 0..200 {
        let plan = scenario.expand(seed);
        let mut damaged = BTreeSet::new();
        for fault in &plan.faults {
            if fault.kind.effect().damages {
                match &fault.target {
                    Target::Members(members) => damaged.extend(members.iter().copied()),
                    other => panic!("seed {seed} damages {other:?}, which changes with the run"),
                }
            }
        }
        assert!(damaged.len() as u32 <= (plan.cluster.members - 1) / 2, "seed {seed}: {damaged:?}");
    }
}
