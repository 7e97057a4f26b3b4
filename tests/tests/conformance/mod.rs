//! A whole member answers exactly what a real etcd answered.
//!
//! Each file of `tests/data/conformance` is a history of one client with a fresh single-member etcd. Here one
//! client of the simulator sends the same requests, one after another, to a single-member cluster, through raft,
//! log, disk, apply, leases and the network. The test compares the answers with the recorded ones, and every oracle
//! judges the run itself.
//!
//! Not compared: who answered (cluster id, member id and term in a header), one second of a lease's remaining time,
//! the order of a lease's keys and of the leases in a list. The order of ties in a sorted range is compared, although
//! etcd leaves it open: up to twelve pairs, etcd's sort keeps them in the order of their keys.
//! Intended differences are rows of `tests/data/divergences.toml`.

mod recording;
mod table;

use std::collections::BTreeSet;

use api::Response;
use libtest_mimic::Trial;
use plan::{
    Act, Client, Cluster, Disk, EtcdVersion, Failover, Link, Network, Phases, Plan, PlannedOperation,
    Settings, Spread,
};
use record::{Nanos, Operation, Outcome};

use self::recording::{Answer, Line, recordings};
use self::table::Table;

const MICROSECOND: Nanos = 1_000;
const SECOND: Nanos = 1_000_000_000;
/// By this time the member has elected itself.
const BEGIN: Nanos = 3 * SECOND;
/// By this time the last request was answered: 3,000 requests, each well below a millisecond. The shortest
/// recorded lease is far longer: an hour.
const END: Nanos = 10 * SECOND;

/// The tests, by name.
pub fn trials() -> Vec<Trial> {
    let test = |name: &str, run: fn()| {
        Trial::test(format!("conformance::{name}"), move || {
            run();
            Ok(())
        })
    };
    vec![
        test("a_whole_member_answers_like_the_recorded_etcd", a_whole_member_answers_like_the_recorded_etcd),
        test("only_what_may_differ_may_differ", only_what_may_differ_may_differ),
        test(
            "a_row_means_one_kind_of_request_and_one_difference",
            table::a_row_means_one_kind_of_request_and_one_difference,
        ),
    ]
}

fn a_whole_member_answers_like_the_recorded_etcd() {
    let table = Table::load();
    let (mut needed, mut failures, mut compared) = (BTreeSet::new(), Vec::new(), 0);
    for recording in recordings() {
        let lines = &recording.lines;
        let outcome = etcdsim::run_plan(&plan(lines)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(outcome.verdict.violations, [], "{}", recording.name);
        assert_eq!(outcome.record.unsettled, Vec::<String>::new(), "{}", recording.name);
        let history = &outcome.record.history.operations;
        let asked: Vec<&Operation> = history.iter().filter(|operation| operation.client == 0).collect();
        assert_eq!(asked.len(), lines.len(), "{}: every request was sent by the end", recording.name);
        for (operation, line) in asked.into_iter().zip(lines) {
            assert_eq!(operation.request, line.request, "{}: it was sent as it was recorded", line.place);
            let ours = answer(operation).unwrap_or_else(|| panic!("{}: no answer", line.place));
            compared += 1;
            if same(&ours, &line.answer) {
                continue;
            }
            match table.explains(&line.rpc, &line.json, &ours, &line.answer) {
                Some(row) => drop(needed.insert(row)),
                None => failures.push(format!(
                    "{}: {} {}\n  ours:  {ours:?}\n  etcd's: {:?}",
                    line.place, line.rpc, line.json, line.answer
                )),
            }
        }
    }
    let shown = failures.iter().take(10).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} of {compared} answers differ, first\n{shown}", failures.len());
    assert_eq!(table.unneeded(&needed), Vec::<&str>::new(), "no recorded request needs these rows");
    println!("{compared} answers are the same");
}

/// One member, and one client that sends all requests in order, each as soon as the previous one was answered. No
/// faults.
fn plan(lines: &[Line]) -> Plan {
    let operation = |line: &Line| PlannedOperation { at: BEGIN, act: Act::Literal(line.request.clone()) };
    let wire = Link { latency: Spread::Constant(20 * MICROSECOND), ..Link::default() };
    let quick = Spread::Constant(10 * MICROSECOND);
    Plan {
        title: "conformance".into(),
        cluster: Cluster {
            members: 1,
            settings: Settings { etcd_version: EtcdVersion::V3_4, ..Settings::default() },
        },
        network: Network { peers: wire, clients: wire, checksums: true },
        disk: Disk { read: quick, write: quick, sync: Spread::Constant(50 * MICROSECOND), capacity: 0 },
        clients: vec![Client {
            endpoints: vec![record::MemberId::new(1)],
            failover: Failover::Pinned,
            operations: lines.iter().map(operation).collect(),
            ..Client::default()
        }],
        phases: Phases { chaos: END, ..Phases::default() },
        ..Plan::default()
    }
}

fn answer(operation: &Operation) -> Option<Answer> {
    match &operation.outcome {
        Outcome::Answer { response, .. } => Some(Ok(response.clone())),
        Outcome::Error { error, .. } => {
            Some(Err((error.code_in_3_4().number().into(), error.text().to_string())))
        }
        Outcome::Unknown { .. } => None,
    }
}

/// Whether two answers are the same, except for what may differ.
fn same(ours: &Answer, etcds: &Answer) -> bool {
    match (ours, etcds) {
        (Ok(ours), Ok(etcds)) => {
            let near = time_left(ours)
                .zip(time_left(etcds))
                .is_none_or(|(ours, etcds)| ours.abs_diff(etcds) <= 1 && (ours < 0) == (etcds < 0));
            near && comparable(ours.clone()) == comparable(etcds.clone())
        }
        (ours, etcds) => ours == etcds,
    }
}

/// The remaining seconds of a lease in an answer.
fn time_left(response: &Response) -> Option<i64> {
    match response {
        Response::LeaseTimeToLive(response) => Some(response.ttl),
        _ => None,
    }
}

/// The response without what may differ.
fn comparable(mut response: Response) -> Response {
    if let Some(header) = response.header_mut() {
        (header.cluster_id, header.member_id, header.raft_term) = (0, 0, 0);
    }
    match &mut response {
        Response::LeaseTimeToLive(response) => {
            response.ttl = 0;
            response.keys.sort();
        }
        Response::LeaseLeases(response) => response.leases.sort_by_key(|lease| lease.id),
        _ => {}
    }
    response
}

fn only_what_may_differ_may_differ() {
    use api::etcdserverpb::{LeaseTimeToLiveResponse, PutResponse, ResponseHeader};
    let lease = |ttl, keys: [&'static str; 2]| {
        let keys = keys.map(Into::into).to_vec();
        Ok(Response::LeaseTimeToLive(LeaseTimeToLiveResponse { ttl, keys, ..Default::default() }))
    };
    assert!(same(&lease(5000, ["a", "b"]), &lease(4999, ["b", "a"])));
    assert!(!same(&lease(5000, ["a", "b"]), &lease(4998, ["a", "b"])));
    assert!(!same(&lease(0, ["a", "b"]), &lease(-1, ["a", "b"])), "one has ended, one has not");
    assert!(!same(&lease(5000, ["a", "b"]), &lease(5000, ["a", "c"])));
    let put = |revision, raft_term| {
        let header = ResponseHeader { revision, raft_term, ..Default::default() };
        Ok(Response::Put(PutResponse { header: Some(header), ..Default::default() }))
    };
    assert!(same(&put(7, 2), &put(7, 3)));
    assert!(!same(&put(7, 2), &put(8, 2)));
    assert!(!same(&put(7, 2), &Err((5, "no".into()))));
}
