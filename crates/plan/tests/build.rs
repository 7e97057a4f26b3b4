//! Scenarios built in code equal the scenarios in files.

use std::time::Duration;

use etcdsim_plan::{
    Act, Client, Condition, Fault, FaultKind, Link, NamedWorkload, NetworkFault, Open, OperatorTask, Plan,
    ProcessFault, Scenario, ScenarioFault, Spread, Target, Who, WorkloadContext,
};
use keyed::Ratio;
use record::MemberId;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_built_scenario_is_the_one_in_a_file() {
    let built = Scenario::builder("Killed now and then")
        .name("killed.toml")
        .members(Open::one_of([3, 5]))
        .settings(|settings| settings.snapshot_count = 100)
        .network(|network| network.peers.loss = Ratio::percent(1))
        .disk(|disk| disk.sync = Spread::Constant(2_000_000))
        .workload(
            NamedWorkload::new("mixed")
                .clients(3..=8)
                .rate(50)
                .keys(Open::one_of([1, 10]))
                .timeout(secs(1)..=secs(2))
                .value_bytes(Spread::Uniform { low: 8, high: 256 })
                .set("failover", r#"{ any = ["pinned", "round-robin"] }"#)
                .mix("put", 2)
                .mix("get", 1),
        )
        .fault(
            ScenarioFault::new(ProcessFault::Crash)
                .on(Open::one_of([Who::Target(Target::Leader), Who::FixedMember]))
                .every(Open::log(Duration::from_millis(500)..=secs(6)))
                .lasting(Duration::from_millis(50)..=secs(2)),
        )
        .fault(
            ScenarioFault::new(OperatorTask::Compact { keep: 3, physical: true })
                .when(Condition::Operations(40)),
        )
        .fault(
            ScenarioFault::new(NetworkFault::Cut { to: Target::members([2]), both: false })
                .on(Target::members([1]))
                .at(secs(5))
                .chance(Ratio::percent(50))
                .name("one way"),
        )
        .flaw("R2", Some(MemberId::new(3)))
        .chaos(secs(20))
        .answered(10)
        .build()
        .unwrap();
    let text = r#"
title = "Killed now and then"
flaws = ["R2@3"]
[cluster]
members = { any = [3, 5] }
snapshot-count = 100
[network.peers]
loss = "1%"
[disk]
sync = "2ms"
[workload]
name = "mixed"
clients = "3..8"
rate = "50/s"
keys = { any = [1, 10] }
timeout = "1s..2s"
value-bytes = { from = "8B", to = "256B" }
failover = { any = ["pinned", "round-robin"] }
[workload.mix]
put = 2
get = 1
[[fault]]
kind = "crash"
target = { any = ["leader", "fixed-member"] }
every = "log 500ms..6s"
for = "50ms..2s"
[[fault]]
kind = "compact"
keep = 3
physical = true
when = "operations 40"
[[fault]]
kind = "cut"
name = "one way"
target = "member 1"
to = "member 2"
both = false
at = "5s"
chance = "50%"
[run]
chaos = "20s"
[expect]
answered = 10
"#;
    let read = Scenario::parse("killed.toml", text).unwrap();
    for seed in 0..20 {
        assert_eq!(built.expand(seed), read.expand(seed), "seed {seed}");
    }
}

#[test]
fn a_link_is_as_it_was_built_whatever_the_network_is_like() {
    let link = Link { loss: Ratio::percent(50), ..Link::default() };
    let kind = FaultKind::from(NetworkFault::Link { to: Target::All, both: true, link });
    let scenario = Scenario::builder("Lossy")
        .network(|network| network.peers.latency = Spread::Constant(50_000_000))
        .fault(ScenarioFault::new(kind.clone()).on(Target::Leader).at(secs(1)))
        .build()
        .unwrap();
    let kinds: Vec<FaultKind> =
        scenario.expand(0).faults.into_iter().map(|Fault { kind, .. }| kind).collect();
    assert_eq!(kinds, [kind]);
}

#[test]
fn clients_can_be_given_one_by_one() {
    let operations = vec![Act::put("k", "v").at(1_000_000_000), "2s get k".parse().unwrap()];
    let client = Client { endpoints: vec![MemberId::new(2)], operations, ..Client::default() };
    let scenario = Scenario::builder("One client").client(client.clone()).build().unwrap();
    assert_eq!(scenario.expand(7).clients, [client]);
}

#[test]
fn mistakes_are_those_of_a_file() {
    let errors = Scenario::builder("Bad")
        .members(10)
        .workload(NamedWorkload::new("registre"))
        .fault(ScenarioFault::new(ProcessFault::Crash).at(secs(1)))
        .build()
        .unwrap_err();
    let messages: Vec<&str> = errors.mistakes().iter().map(|mistake| &mistake.message[..]).collect();
    assert_eq!(messages.len(), 3, "{errors:?}");
    assert!(
        errors.mistakes().iter().any(|mistake| mistake.help.contains("did you mean `register`")),
        "{errors:?}"
    );
    // Text that breaks out of its field is a mistake, never a panic.
    let broken = NamedWorkload::new("mixed").set("keys", "1\n[cluster");
    assert!(Scenario::builder("\"quoted\"\n").workload(broken).build().is_err());
}

fn writers(context: &WorkloadContext) -> Vec<Client> {
    let client = |nth: u32| {
        let mut client = context.client(nth);
        for turn in context.turns(nth, Duration::from_millis(100)) {
            let value = format!("c{nth}o{}", turn.nth);
            client.operations.push(Act::put(format!("k{}", turn.draw.below(3)), value).at(turn.at));
        }
        client
    };
    (0..4).map(client).collect()
}

#[test]
fn a_workload_of_ones_own_is_a_function_of_the_seed() {
    let scenario =
        Scenario::builder("Own").workload(NamedWorkload::new("register").clients(2)).own_workload(writers);
    let scenario = scenario
        .fault(
            ScenarioFault::new(NetworkFault::Cut { to: Target::All, both: true })
                .on(Who::AllClients)
                .at(secs(1)),
        )
        .build()
        .unwrap();
    assert!(scenario.has_own_workloads());
    let plan = scenario.expand(3);
    assert_eq!(plan, scenario.expand(3));
    assert_ne!(plan.clients, scenario.expand(4).clients);
    assert_eq!(plan.clients.len(), 6);
    assert_eq!(plan.faults[0].target, Target::Clients((0..6).collect()));
    assert!((290..=300).contains(&plan.clients[2].operations.len()), "{}", plan.clients[2].operations.len());
    plan.validate().unwrap();
    assert_eq!(Plan::parse("saved.toml", &plan.to_toml()).unwrap(), plan);
}

#[test]
fn plans_that_no_file_can_hold_are_refused() {
    let nowhere =
        |_: &WorkloadContext| vec![Client { endpoints: vec![MemberId::new(9)], ..Client::default() }];
    let scenario = Scenario::builder("Nowhere").own_workload(nowhere).build().unwrap();
    let errors = scenario.expand(0).validate().unwrap_err();
    assert!(errors.mistakes()[0].message.contains("no member 9"), "{errors:?}");
}
