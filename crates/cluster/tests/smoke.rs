//! A small but complete run: five members, a few clients, nothing goes wrong.

use api::etcdserverpb::{PutRequest, RangeRequest};
use etcdsim_cluster as cluster;
use keyed::Ratio;
use plan::{
    Client, Cluster, Disk, Expect, Failover, Fault, FaultKind, Link, Network, NetworkFault, Phases, Plan,
    PlannedOperation, ProcessFault, Settings, Spread, Target, Trigger,
};
use record::{MemberId, Nanos};

const MILLISECOND: Nanos = 1_000_000;

/// A plan with `members` members and two clients that put and get for `seconds`.
fn plan(members: u32, seconds: u64, faults: Vec<Fault>) -> Plan {
    let link = Link {
        latency: Spread::Uniform { low: MILLISECOND, high: 5 * MILLISECOND },
        loss: Ratio::NEVER,
        duplicate: Ratio::NEVER,
        reorder: Ratio::NEVER,
        reorder_by: Spread::Constant(0),
        corrupt: Ratio::NEVER,
        bandwidth: 0,
        queue: 0,
    };
    let operation = |client: u64, nth: u64| {
        let key = format!("k{}", nth % 3);
        let request = if nth.is_multiple_of(2) {
            PutRequest { key: key.into(), value: format!("c{client}o{nth}").into(), ..PutRequest::default() }
                .into()
        } else {
            RangeRequest { key: key.into(), ..RangeRequest::default() }.into()
        };
        PlannedOperation { at: nth * 200 * MILLISECOND, act: plan::Act::Request(request) }
    };
    let client = |client: u64| Client {
        endpoints: MemberId::first(members).collect(),
        failover: Failover::OnTrouble,
        timeout: 2_000 * MILLISECOND,
        clock_rate: 1_000_000,
        operations: (0..seconds * 5).map(|nth| operation(client, nth)).collect(),
        ..Client::default()
    };
    Plan {
        title: "smoke".into(),
        scenario: String::new(),
        seed: 7,
        cluster: Cluster {
            members,
            settings: Settings {
                snapshot_count: 50,
                catch_up_entries: 10,
                wal_segment_bytes: 4096,
                max_inflight_messages: 256,
                ..Settings::default()
            },
        },
        network: Network { peers: link, clients: link, checksums: true },
        disk: Disk {
            read: Spread::Constant(100_000),
            write: Spread::Constant(100_000),
            sync: Spread::Uniform { low: MILLISECOND, high: 4 * MILLISECOND },
            capacity: 0,
        },
        clients: (0..2).map(client).collect(),
        faults,
        phases: Phases {
            chaos: seconds * 1_000 * MILLISECOND,
            calm: 0,
            core: None,
            settle: 30_000 * MILLISECOND,
        },
        expect: Expect::default(),
        flaws: vec![],
        noise: vec![],
    }
}

fn fault(at: u64, lasts: u64, target: Target, kind: FaultKind) -> Fault {
    Fault {
        id: at as u32,
        when: Trigger::At(at * MILLISECOND),
        duration: Some(lasts * MILLISECOND),
        target,
        kind,
    }
}

#[test]
fn a_quiet_cluster_answers_everything() {
    let plan = plan(5, 10, vec![]);
    let record = cluster::run(&plan, &mut (), world::Options::default());
    assert_eq!(record.unsettled, Vec::<String>::new());
    assert!(record.surprises.is_empty(), "{:?}", record.surprises);
    let unanswered =
        record.history.operations.iter().filter(|operation| operation.response().is_none()).count();
    assert!(unanswered < 8, "{unanswered} of {} are open", record.history.operations.len());
    assert!(record.stats.answered > 80);
}

#[test]
fn crashes_and_power_losses_are_survived() {
    let faults = vec![
        fault(3_000, 2_000, Target::Leader, ProcessFault::Crash.into()),
        fault(7_000, 1_000, Target::All, ProcessFault::PowerLoss.into()),
        fault(12_000, 3_000, Target::Leader, NetworkFault::Isolate.into()),
        fault(16_000, 3_000, Target::Random, ProcessFault::Pause.into()),
    ];
    let plan = plan(3, 20, faults);
    let record = cluster::run(&plan, &mut (), world::Options::default());
    assert_eq!(record.unsettled, Vec::<String>::new());
    assert!(record.surprises.is_empty(), "{:?}", record.surprises);
    assert!(record.stats.elections >= 3, "{:?}", record.stats);
}

#[test]
fn the_same_plan_gives_the_same_trace() {
    let faults = vec![
        fault(2_000, 2_000, Target::Majority, ProcessFault::PowerLoss.into()),
        fault(6_000, 2_000, Target::Leader, NetworkFault::OneWay { inbound: true }.into()),
    ];
    let plan = plan(5, 10, faults);
    let once = cluster::run(&plan, &mut (), world::Options { keep_events: true });
    let again = cluster::run(&plan, &mut (), world::Options { keep_events: true });
    for (one, other) in once.events.iter().zip(&again.events) {
        assert_eq!(one, other);
    }
    assert_eq!(once.trace_hash, again.trace_hash);
}
