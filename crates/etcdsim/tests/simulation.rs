//! The library as its users see it: custom scenarios, workloads, observers and oracles.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::common::folder::Folder;
use etcdsim::{
    Act, Client, Context, Etcd, Event, Fact, MemberId, Monitor, NamedWorkload, Observer, Oracle, Scenario,
    Severity, Sheet, Simulation, SimulationFailure, Violation, WorkloadContext,
};

const QUIET: Oracle = Oracle::own("QUIET", "no client sends a request", Severity::Wrong);
const STILL: Oracle = Oracle::own("STILL", "nothing starts", Severity::Inside);

fn quiet(context: &Context<'_>, sheet: &mut Sheet) {
    let operations = &context.history().operations;
    sheet.checked(QUIET, "operations", operations.len());
    if let Some(first) = operations.first() {
        sheet.add(Violation::new(QUIET, first.call, "a client sent a request").shown_by([0]));
    }
}

struct Still;

impl Monitor for Still {
    fn event(&mut self, event: &Event, sheet: &mut Sheet) {
        if let Fact::Started { .. } = event.fact {
            sheet.add(Violation::new(STILL, event.time, "a process starts"));
        }
    }
}

fn short() -> Scenario {
    let workload = NamedWorkload::new("register").clients(2).rate(20);
    Scenario::builder("A second").workload(workload).chaos(Duration::from_secs(1)).build().unwrap()
}

#[test]
fn custom_oracles_judge_every_run() {
    let simulation = Simulation::new(short()).unwrap().seeds(0..2);
    let plain = simulation.clone().run().unwrap();
    assert_eq!(plain.failures(), 0);
    let failure = simulation.judge(quiet).monitor(|_| Still).verdict().unwrap_err();
    let SimulationFailure::Failed { report, account } = failure else { panic!("it was run") };
    assert_eq!(
        report.oracles().into_iter().map(|oracle| oracle.id()).collect::<Vec<_>>(),
        ["QUIET", "STILL"]
    );
    for text in ["a client sent a request", "a process starts", "ETCDSIM_SEED=0 runs this test"] {
        assert!(account.contains(text), "{text:?} is missing:\n{account}");
    }
    // The scenario is not in a file, so there is no line to paste.
    assert!(!account.contains("replay a-second"), "{account}");
    let hashes =
        |report: &etcdsim::Report| -> Vec<_> { report.runs().map(|(_, run)| run.trace_hash).collect() };
    assert_eq!(hashes(&report), hashes(&plain), "an observer does not change a run");
}

#[test]
fn failing_plans_are_saved_and_replayed() {
    let folder = Folder::new();
    let writers = |context: &WorkloadContext| {
        let mut client = context.client(0);
        client.operations.push(Act::put("k", "v").at(5_000_000));
        vec![client]
    };
    let simulation =
        Simulation::new(short()).unwrap().workload(writers).judge(quiet).save_failures(folder.path());
    let failure = simulation.seeds(3..4).verdict().unwrap_err();
    let file = folder.path().join("a-second-3.toml");
    assert!(failure.to_string().ends_with(&format!("etcdsim replay {}", file.display())), "{failure}");
    let hash = |report: &etcdsim::Report| report.runs().next().unwrap().1.trace_hash;
    let replayed = Simulation::from_file(&file).unwrap().run().unwrap();
    assert_eq!(hash(&replayed), hash(failure.report().unwrap()));
}

#[test]
fn invalid_clients_are_an_error() {
    let nowhere =
        |_: &WorkloadContext| vec![Client { endpoints: vec![MemberId::new(8)], ..Client::default() }];
    let scenario = Scenario::builder("Nowhere").own_workload(nowhere).build().unwrap();
    assert!(matches!(Simulation::new(scenario), Err(etcdsim::Error::File(_))));
    // Clients that are invalid only with some seeds fail the run.
    let later = |context: &WorkloadContext| {
        let member = if context.draw(0, 0).below(2) == 0 { 1 } else { 8 };
        vec![Client { endpoints: vec![MemberId::new(member)], ..Client::default() }]
    };
    let report = Simulation::new(short()).unwrap().workload(later).seeds(0..10).run().unwrap();
    let bad = report
        .runs()
        .filter(|(_, run)| matches!(&run.end, etcdsim::End::Collapsed(text) if text.contains("no member 8")));
    assert!((1..10).contains(&bad.count()));
}

#[test]
fn observers_are_made_for_each_run() {
    struct Count(Arc<AtomicU64>);
    impl Observer<Etcd> for Count {
        fn event(&mut self, _: &Event) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (made, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (counted, events) = (made.clone(), seen.clone());
    let make = move |plan: &etcdsim::Plan| {
        counted.fetch_add(1 + plan.seed, Ordering::Relaxed);
        Count(events.clone())
    };
    Simulation::new(short()).unwrap().observer(make).seeds(4..6).jobs(2).check();
    assert_eq!(made.load(Ordering::Relaxed), 5 + 6);
    assert!(seen.load(Ordering::Relaxed) > 100);
}

#[test]
fn a_panic_in_a_custom_oracle_does_not_panic_the_test() {
    let panics = |_: &Context<'_>, _: &mut Sheet| panic!("a bug in the oracle");
    let report = Simulation::new(short()).unwrap().judge(panics).seeds(0..1).run().unwrap();
    assert!(
        report
            .runs()
            .all(|(_, run)| matches!(&run.end, etcdsim::End::Collapsed(text) if text.contains("a bug")))
    );
}
