//! `[[noise]]`: from its time on, everything that draws draws anew, and nothing before it changes.
//!
//! The run of the tests draws nothing after its first election: times of links and disks are constant, and no fault
//! strikes. A case adds one thing that draws.

use etcdsim_cluster as cluster;
use plan::{Noise, Plan};
use record::{Nanos, Record};

const SECOND: Nanos = 1_000_000_000;

/// When the noise begins. Until then, the members have elected a leader, and the clients are at work.
const FROM: Nanos = 4 * SECOND;

/// The keys that are tried: with a few possibilities to choose from, some keys choose as the plan does.
const KEYS: std::ops::Range<u64> = 1..9;

/// A plan, with fields of its sections and with more sections.
#[derive(Clone, Copy)]
struct Case<'a> {
    peers: &'a str,
    clients: &'a str,
    disk: &'a str,
    cluster: &'a str,
    run: &'a str,
    client: &'a str,
    /// What the client does besides.
    operations: &'a str,
    faults: &'a str,
}

const QUIET: Case<'static> = Case {
    peers: r#"latency = "1ms""#,
    clients: r#"latency = "1ms""#,
    disk: r#"sync = "1ms""#,
    cluster: "members = 3",
    run: "",
    client: "",
    operations: "",
    faults: "",
};

impl Case<'_> {
    fn plan(&self) -> Plan {
        let Case { peers, clients, disk, cluster, run, client, operations, faults } = self;
        let puts: String =
            (10..40).map(|tenth| format!("\"{}ms put k{} v\",\n", tenth * 200, tenth % 3)).collect();
        let text = format!(
            r#"
title = "noise"
seed = 7
[cluster]
{cluster}
[network.peers]
{peers}
[network.clients]
{clients}
[disk]
{disk}
[run]
chaos = "9s"
settle = "40s"
{run}
{faults}
[[client]]
endpoints = [1, 2, 3]
{client}
operations = [
{operations}
]
[[client]]
endpoints = [2, 3, 1]
operations = [
{puts}
]
"#
        );
        Plan::parse("noise.toml", &text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"))
    }
}

fn run(plan: &Plan, noise: &[Noise]) -> Record {
    let plan = Plan { noise: noise.to_vec(), ..plan.clone() };
    cluster::run(&plan, &mut (), world::Options { keep_events: true })
}

/// Asserts that both runs had the same events before a time.
#[track_caller]
fn assert_same_before(one: &Record, other: &Record, from: Nanos) {
    let before = |record: &Record| record.events.iter().take_while(|event| event.time < from).count();
    assert_eq!(before(one), before(other));
    assert!(before(one) > 200, "hardly anything happens before: {}", before(one));
    for (one, other) in one.events.iter().zip(&other.events).take(before(one)) {
        assert_eq!(one, other);
    }
}

/// What the draws of a run decide: its events, and what faults of disks left.
fn outcome(record: &Record) -> impl PartialEq + use<> {
    (record.trace_hash, record.stats.faults.clone())
}

/// Everything that draws, each as the only thing that does.
fn cases() -> Vec<(&'static str, Case<'static>)> {
    let spread = r#"latency = { from = "1ms", to = "5ms" }"#;
    let watch = r#""3s watch * as=1", "4500ms watch * progress as=2 stream=2""#;
    vec![
        ("the latency between members", Case { peers: spread, ..QUIET }),
        ("the latency of a client", Case { clients: spread, ..QUIET }),
        ("a loss", Case { peers: "latency = \"1ms\"\nloss = \"10%\"", ..QUIET }),
        ("a second delivery", Case { clients: "latency = \"1ms\"\nduplicate = \"20%\"", ..QUIET }),
        ("a late delivery", Case { peers: "latency = \"1ms\"\nreorder = \"20%\"", ..QUIET }),
        ("a flipped bit", Case { peers: "latency = \"1ms\"\ncorrupt = \"10%\"", ..QUIET }),
        ("the time of a sync", Case { disk: r#"sync = { from = "1ms", to = "5ms" }"#, ..QUIET }),
        (
            "how much a fault slows a disk",
            Case {
                faults: r#"
[[fault]]
kind = "slow-disk"
id = 1
at = "5s"
for = "2s"
target = "all"
factor = 1
extra = { from = "1ms", to = "9ms" }
"#,
                ..QUIET
            },
        ),
        (
            "what a power failure leaves",
            Case {
                faults: r#"
[[fault]]
kind = "power-loss"
id = 1
at = "5s"
for = "200ms"
target = "all"
"#,
                cluster: "members = 3\nbackend-interval = \"5ms\"",
                disk: "write = \"3ms\"\nsync = \"9ms\"",
                ..QUIET
            },
        ),
        (
            "whom a fault strikes",
            Case {
                faults: r#"
[[fault]]
kind = "crash"
id = 1
at = "5s"
for = "200ms"
target = "random"
"#,
                ..QUIET
            },
        ),
        (
            "who hears whom",
            Case {
                cluster: "members = 5",
                faults: r#"
[[fault]]
kind = "majorities-ring"
id = 1
at = "5s"
for = "300ms"
target = "all"
"#,
                ..QUIET
            },
        ),
        (
            // Those of the first crash's election were drawn when the first leader was elected.
            "an election timeout",
            Case {
                faults: r#"
[[fault]]
kind = "crash"
id = 1
at = "4500ms"
for = "300ms"
target = "leader"

[[fault]]
kind = "crash"
id = 2
at = "7s"
for = "1500ms"
target = "leader"
"#,
                ..QUIET
            },
        ),
        (
            "which members are healed",
            Case {
                cluster: "members = 5",
                run: "core = 3",
                faults: r#"
[[fault]]
kind = "crash"
id = 1
at = "8s"
for = "20s"
target = "all"
"#,
                ..QUIET
            },
        ),
        (
            "how long a client takes for a response",
            Case {
                client: r#"watch-processing = { from = "1ms", to = "90ms" }"#,
                operations: watch,
                ..QUIET
            },
        ),
        (
            "the period of a watcher's progress",
            Case {
                cluster: "members = 3\nwatch-progress-interval = \"1s\"",
                operations: r#""4500ms watch z progress as=2 stream=2""#,
                ..QUIET
            },
        ),
        (
            "a token",
            Case {
                client: r#"user = "root:root""#,
                operations: r#"
    '3s call UserAdd {"name":"root","password":"root"}',
    '3s call RoleAdd {"name":"root"}',
    '3s call UserGrantRole {"user":"root","role":"root"}',
    '5s call AuthEnable {}',
    '6s put a b',
    '6500ms call Authenticate {"name":"root","password":"root"}',
"#,
                ..QUIET
            },
        ),
    ]
}

#[test]
fn nothing_else_draws_in_a_quiet_run() {
    let plan = QUIET.plan();
    let quiet = run(&plan, &[]);
    assert_eq!(quiet.unsettled, Vec::<String>::new());
    for key in KEYS {
        let noisy = run(&plan, &[Noise { from: FROM, key }]);
        assert_eq!(noisy.trace_hash, quiet.trace_hash, "something draws that is not among the cases");
    }
}

#[test]
fn everything_that_draws_learns_of_the_noise() {
    for (what, case) in cases() {
        let plan = case.plan();
        let quiet = run(&plan, &[]);
        let mut differs = false;
        for key in KEYS {
            let noisy = run(&plan, &[Noise { from: FROM, key }]);
            assert_same_before(&quiet, &noisy, FROM);
            differs |= outcome(&noisy) != outcome(&quiet);
        }
        assert!(differs, "{what} is not drawn anew");
    }
}

#[test]
fn from_the_start_even_the_first_election_is_drawn_anew() {
    let plan = QUIET.plan();
    assert_ne!(run(&plan, &[Noise { from: 0, key: 1 }]).trace_hash, run(&plan, &[]).trace_hash);
}

#[test]
fn noise_after_the_end_changes_nothing() {
    let plan = Case { peers: r#"latency = { from = "1ms", to = "5ms" }"#, ..QUIET }.plan();
    let noise = Noise { from: 3_600 * SECOND, key: 5 };
    assert_eq!(run(&plan, &[noise]).trace_hash, run(&plan, &[]).trace_hash);
}

#[test]
fn a_later_noise_takes_the_place_of_the_earlier_one() {
    let plan = Case { peers: r#"latency = { from = "1ms", to = "5ms" }"#, ..QUIET }.plan();
    let noise = |from, key| Noise { from, key };
    let one = run(&plan, &[noise(FROM, 1)]);
    let two = run(&plan, &[noise(FROM, 1), noise(FROM + SECOND, 2)]);
    assert_same_before(&one, &two, FROM + SECOND);
    assert_ne!(one.trace_hash, two.trace_hash);
    let same_key = run(&plan, &[noise(FROM, 1), noise(FROM + SECOND, 1)]);
    assert_eq!(one.trace_hash, same_key.trace_hash, "a key is a future, whenever it begins");
}
