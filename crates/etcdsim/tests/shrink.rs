//! Shrinking: the result is smaller, fails in the same way, and needs all that is left.

use std::fs;
use std::sync::atomic::AtomicBool;

use etcdsim::plan::{Plan, Scenario};
use etcdsim::{NotShrunk, Shrinker, Shrunk, Signature, Size, Without};
use proptest::prelude::*;

use crate::common::etcdsim;
use crate::common::folder::Folder;

/// A short run in which a flaw is often found: a leader that was paused answers reads without asking the others.
const SCENARIO: &str = r#"
title = "A paused leader answers reads"
flaws = ["R5"]
[cluster]
members = 3
snapshot-count = 40
[workload]
clients = 2
rate = "10/s"
[workload.mix]
put = 3
get = 2
txn = 1
[[fault]]
kind = "pause"
target = "leader"
every = "700ms..1s"
for = "2s"
[[fault]]
kind = "crash"
target = "leader"
every = "800ms"
for = "100ms"
[run]
chaos = "4s"
"#;

fn plan(seed: u64) -> Plan {
    Scenario::parse("paused.toml", SCENARIO).expect("it is a scenario").expand(seed)
}

/// The plan of the first seed from this one on that fails.
fn failing(from: u64) -> Plan {
    (from..).map(plan).find(|plan| signature(plan).is_some()).expect("some seed fails")
}

fn shrink(plan: &Plan, jobs: usize) -> Result<Shrunk, NotShrunk> {
    Shrinker::new(jobs).shrink(plan.clone(), &AtomicBool::new(false), &mut |_| {})
}

fn signature(plan: &Plan) -> Option<Signature> {
    Shrinker::new(1).signature_of(plan).ok()
}

/// The plan without each of its faults, and without each of its operations.
fn without_one(plan: &Plan) -> Vec<Plan> {
    let faults = (0..plan.faults.len()).map(|fault| {
        let mut plan = plan.clone();
        plan.faults.remove(fault);
        plan
    });
    let places = plan.clients.iter().enumerate();
    let places = places.flat_map(|(client, it)| (0..it.operations.len()).map(move |number| (client, number)));
    let operations = places.map(|(client, number)| {
        let mut plan = plan.clone();
        plan.clients[client].operations.remove(number);
        plan
    });
    faults.chain(operations).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_result_is_smaller_and_fails_in_the_same_way(seed in 0_u64..100_000) {
        let plan = failing(seed);
        let before = signature(&plan).expect("it fails");
        let shrunk = shrink(&plan, 2).expect("the plan fails");
        prop_assert_eq!(&shrunk.signature, &before);
        prop_assert_eq!(signature(&shrunk.plan), Some(before.clone()));
        prop_assert!(shrunk.size < shrunk.from, "{:?} from {:?}", shrunk.size, shrunk.from);
        prop_assert_eq!(shrunk.size, Size::of(&shrunk.plan));
        prop_assert!(shrunk.minimal, "{}", shrunk.plan.to_toml());
        for plan in without_one(&shrunk.plan) {
            prop_assert_ne!(signature(&plan), Some(before.clone()), "{}", plan.to_toml());
        }
        // What is written is the plan.
        let text = shrunk.text("paused.toml");
        let read = Plan::parse("small.toml", &text).expect("it is a plan");
        prop_assert_eq!(&read, &shrunk.plan);
        let reasons = text.lines().filter(|line| line.starts_with("# Without this")).count();
        prop_assert_eq!(reasons, shrunk.plan.faults.len());
        prop_assert!(!shrunk.without.iter().any(|without| matches!(without, Without::Same | Without::Untried)));
    }
}

#[test]
fn a_plan_whose_times_were_changed_is_put_in_the_order_of_a_file() {
    let mut plan = plan(0);
    plan.faults.reverse();
    let read = Plan::parse("small.toml", &plan.to_toml()).expect("it is a plan");
    assert_ne!(read, plan);
    assert_eq!(read, plan.in_order());
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let plan = failing(0);
    let [one, three] = [1, 3].map(|jobs| shrink(&plan, jobs).expect("the plan fails"));
    assert_eq!(one.plan, three.plan);
    assert_eq!(one.trace_hash, three.trace_hash);
}

#[test]
fn what_is_interrupted_at_once_stays_as_it_is() {
    let plan = failing(0);
    let shrunk =
        Shrinker::new(1).shrink(plan.clone(), &AtomicBool::new(true), &mut |_| {}).expect("it fails");
    assert_eq!(shrunk.plan, plan);
    assert!(!shrunk.minimal);
    assert!(shrunk.without.iter().all(|without| *without == Without::Untried));
}

#[test]
fn the_command_saves_a_plan_that_replays_and_goes_on_from_it() {
    let folder = Folder::new();
    let (file, small) = (folder.path().join("plan.toml"), folder.path().join("plan-small.toml"));
    let plan = failing(0);
    fs::write(&file, plan.to_toml()).expect("a temporary folder can be written");
    let (file, output) = (file.to_str().expect("plain"), small.to_str().expect("plain"));
    let ended = etcdsim(&["shrink", file, "--time-budget", "10m"]).expect(0);
    assert!(ended.stdout.contains("faults and operations became"), "{}", ended.stdout);
    let again = etcdsim(&["replay", output]).expect(1);
    assert!(again.stdout.contains("same trace hash as recorded"), "{}", again.stdout);
    let before = fs::read_to_string(&small).expect("it was saved");
    let ended = etcdsim(&["shrink", file, "--time-budget", "10m"]).expect(0);
    assert!(ended.stderr.contains("Going on from"), "{}", ended.stderr);
    let after = fs::read_to_string(&small).expect("it was saved");
    let plan = |text: &str| Plan::parse("small.toml", text).expect("it is a plan");
    assert_eq!(plan(&before), plan(&after), "nothing more can be left out");
}

#[test]
fn a_plan_that_does_not_fail_and_a_taken_file_are_told() {
    let folder = Folder::new();
    let (good, bad) = (folder.path().join("good.toml"), folder.path().join("bad.toml"));
    let fails = failing(0);
    fs::write(&bad, fails.to_toml()).expect("a temporary folder can be written");
    fs::write(&good, Plan { flaws: Vec::new(), ..fails }.to_toml())
        .expect("a temporary folder can be written");
    let (good, bad) = (good.to_str().expect("plain"), bad.to_str().expect("plain"));
    let ended = etcdsim(&["shrink", good]).expect(5);
    assert!(ended.stdout.contains("does not fail"), "{}", ended.stdout);
    let ended = etcdsim(&["shrink", bad, "--output", good]).expect(2);
    assert!(ended.explains("no shrunk plan of this failure"), "{}", ended.stderr);
}

#[test]
fn a_history_is_cut_down_to_what_contradicts_itself() {
    let folder = Folder::new();
    let (file, small) = (folder.path().join("register.jsonl"), folder.path().join("small.jsonl"));
    // Many writes and reads, and one read of an old value.
    let mut lines = vec![r#"{"format": "etcdsim-general-1", "model": "register", "initial": 0}"#.to_string()];
    for nth in 1..=60 {
        let (call, seen) = (10 * nth, if nth == 40 { 38 } else { nth });
        lines.push(format!(
            r#"{{"client": 1, "op": "write", "value": {nth}, "call": {call}, "return": {}}}"#,
            call + 2
        ));
        lines.push(format!(
            r#"{{"client": 2, "op": "read", "result": {seen}, "call": {}, "return": {}}}"#,
            call + 4,
            call + 6
        ));
    }
    fs::write(&file, lines.join("\n")).expect("a temporary folder can be written");
    let (file, output) = (file.to_str().expect("plain"), small.to_str().expect("plain"));
    let ended = etcdsim(&["check", file, "--shrink", "--output", output]).expect(1);
    assert!(ended.stdout.contains("shrunk from 120 operations to"), "{}", ended.stdout);
    let left = fs::read_to_string(&small).expect("it was written").lines().count() - 1;
    assert!(left <= 4, "{left} operations are left");
    etcdsim(&["check", output]).expect(1);
}

#[test]
fn a_lock_that_was_granted_twice_needs_two_operations() {
    let folder = Folder::new();
    let (file, small) = (folder.path().join("lock.jsonl"), folder.path().join("small.jsonl"));
    let mut lines = vec![r#"{"format": "etcdsim-general-1", "model": "lock"}"#.to_string()];
    let mut ask = |op: &str, owner: u64| {
        let call = 10 * lines.len() as u64;
        lines.push(format!(
            r#"{{"client": {owner}, "op": "{op}", "owner": {owner}, "call": {call}, "return": {}, "result": true}}"#,
            call + 3
        ));
    };
    for turn in 0..40 {
        ask("acquire", turn % 5);
        ask("release", turn % 5);
    }
    ask("acquire", 1);
    ask("acquire", 2);
    fs::write(&file, lines.join("\n")).expect("a temporary folder can be written");
    let (file, output) = (file.to_str().expect("plain"), small.to_str().expect("plain"));
    let ended = etcdsim(&["check", file, "--shrink", "--output", output]).expect(1);
    assert!(ended.stdout.contains("shrunk from 82 operations to 2: #80, #81"), "{}", ended.stdout);
    etcdsim(&["check", output]).expect(1);
}

#[test]
fn a_history_of_etcd_is_cut_down_by_forgetting_answers() {
    let folder = Folder::new();
    let [plan_file, file, small] =
        ["plan.toml", "history.jsonl", "small.jsonl"].map(|name| folder.path().join(name));
    let stale =
        |plan: &Plan| signature(plan).is_some_and(|signature| signature.oracle == etcdsim::Oracle::K1);
    let plan = (0..200).map(plan).find(stale).expect("some seed has a stale read");
    fs::write(&plan_file, plan.to_toml()).expect("a temporary folder can be written");
    let [plan_file, file, output] = [&plan_file, &file, &small].map(|path| path.to_str().expect("plain"));
    etcdsim(&["replay", plan_file, "--history", file]).expect(1);
    let before = etcdsim(&["check", file]).expect(1);
    let ended = etcdsim(&["check", file, "--shrink", "--output", output]).expect(1);
    assert!(ended.stdout.contains("shrunk from"), "{}", ended.stdout);
    let lines = |path: &str| fs::read_to_string(path).expect("it was written").lines().count();
    assert!(lines(output) * 2 < lines(file), "{} of {} lines are left", lines(output), lines(file));
    let after = etcdsim(&["check", output]).expect(1);
    assert!(before.stdout.contains("K1") && after.stdout.contains("K1"), "{}", after.stdout);
}
