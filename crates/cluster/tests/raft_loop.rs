//! Tests what a member does while its disk is slow, for each value of the setting `raft-loop`.

use api::Request;
use etcdsim_cluster as cluster;
use plan::Scenario;
use record::{Probe, Record};

const SECOND: u64 = 1_000_000_000;

/// Runs a scenario.
pub(crate) fn run(text: &str, seed: u64) -> Record {
    let scenario = Scenario::parse("test.toml", &format!("title = 't'\n{text}"));
    let plan = scenario.unwrap_or_else(|errors| panic!("{errors:?}")).expand(seed);
    let record = cluster::run(&plan, &mut (), world::Options::default());
    assert_eq!(record.surprises, []);
    assert_eq!(record.unsettled, Vec::<String>::new());
    record
}

/// A client that puts for a minute while the leader's disk hangs from 10 s to 40 s.
fn hung_disk(raft_loop: &str, fault: &str) -> String {
    let lines: String = (0..120).map(|nth| format!("\"{}ms put k{nth} v\",\n", 500 * nth)).collect();
    format!(
        "[cluster]\nraft-loop = '{raft_loop}'\n[[client]]\ntimeout = '1s'\noperations = [\n{lines}]\n\
         [[fault]]\n{fault}target = 'leader'\nat = '10s'\nfor = '30s'\n[run]\nchaos = '60s'\n"
    )
}

/// How many puts were answered that were sent while the disk hung, after the first three seconds.
fn answered_meanwhile(record: &Record) -> usize {
    let meanwhile = (13 * SECOND)..(40 * SECOND);
    let operations = record.history.operations.iter();
    operations.filter(|put| meanwhile.contains(&put.call) && put.response().is_some()).count()
}

#[test]
fn a_leader_whose_disk_hangs_is_replaced() {
    for seed in 0..20 {
        let record = run(&hung_disk("blocking", "kind = 'stalled-disk'\n"), seed);
        let stats = &record.stats;
        assert_eq!(stats.probes[Probe::DeposedBySlowDisk], 1, "seed {seed}");
        assert_eq!(stats.elections, 2, "seed {seed}: the first leader and its successor");
        // The client notices that one member in three does not answer, and asks another one.
        assert!(answered_meanwhile(&record) >= 45, "seed {seed}: {}", answered_meanwhile(&record));
    }
}

#[test]
fn with_an_asynchronous_loop_it_leads_and_commits_on() {
    for seed in 0..20 {
        let record = run(&hung_disk("async", "kind = 'stalled-disk'\n"), seed);
        let stats = &record.stats;
        assert_eq!((stats.probes[Probe::DeposedBySlowDisk], stats.elections), (0, 1), "seed {seed}");
    }
}

#[test]
fn syncs_shorter_than_an_election_timeout_depose_nobody() {
    for raft_loop in ["blocking", "async"] {
        let slow = "kind = 'slow-disk'\ncall = 'sync'\nextra = '300ms'\n";
        let record = run(&hung_disk(raft_loop, slow), 0);
        let stats = &record.stats;
        assert_eq!((stats.probes[Probe::DeposedBySlowDisk], stats.elections), (0, 1), "{raft_loop}");
    }
}

/// A sole voter waits for its disk, too, and nobody replaces it.
#[test]
fn a_single_member_answers_when_its_disk_responds_again() {
    for raft_loop in ["blocking", "async"] {
        let text =
            hung_disk(raft_loop, "kind = 'stalled-disk'\n").replace("[cluster]", "[cluster]\nmembers = 1");
        let record = run(&text, 0);
        assert_eq!((record.stats.probes[Probe::DeposedBySlowDisk], record.stats.elections), (0, 1));
        assert_eq!(answered_meanwhile(&record), 0, "{raft_loop}");
        let after = |put: &&record::Operation| put.call > 41 * SECOND && put.response().is_some();
        assert!(record.history.operations.iter().filter(after).count() >= 30, "{raft_loop}");
    }
}

/// It was deposed but does not know it, so it takes itself for the one that it must ask.
#[test]
fn a_deposed_leader_that_waits_for_its_disk_cannot_promote() {
    let learner = "[[fault]]\nkind = 'add-member'\nat = '6s'\npromote = false\n";
    let promote = |member: u64| {
        format!(
            "[[client]]\nendpoints = [{member}]\nfailover = 'pinned'\ntimeout = '10s'\n\
             operations = ['{}s call MemberPromote {{\"ID\":\"4\"}}']\n",
            18 + 2 * member
        )
    };
    let clients: String = (1..=3).map(promote).collect();
    for seed in 0..5 {
        let record =
            run(&format!("{}{learner}{clients}", hung_disk("blocking", "kind = 'stalled-disk'\n")), seed);
        assert_eq!(record.stats.probes[Probe::DeposedBySlowDisk], 1, "seed {seed}");
        let promoted = |operation: &&record::Operation| {
            matches!(operation.request, Request::MemberPromote(_)) && operation.response().is_some()
        };
        // The first of the two members that can promotes it; the second finds a voter.
        assert_eq!(record.history.operations.iter().filter(promoted).count(), 1, "seed {seed}");
    }
}
