//! The workloads: each expands to a consistent plan, and to the same one each time.

use std::collections::BTreeSet;

use api::Request;
use etcdsim_plan::act::{Add, Session};
use etcdsim_plan::{Act, Plan, Scenario};

/// Every name a scenario can give.
fn names() -> Vec<String> {
    let schema = etcdsim_plan::schema();
    let name = &schema["properties"]["workload"]["properties"]["name"];
    let mut names = Vec::new();
    collect(name, &mut names);
    assert!(names.len() >= 16, "{name}");
    names
}

/// The words of an enum, wherever it is in the schema.
fn collect(value: &serde_json::Value, words: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            if let Some(all) = fields.get("enum").and_then(|all| all.as_array()) {
                words.extend(all.iter().filter_map(|word| word.as_str()).map(str::to_string));
            }
            fields.iter().filter(|(name, _)| *name != "enum").for_each(|(_, inner)| collect(inner, words));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|inner| collect(inner, words)),
        _ => {}
    }
}

fn plan(name: &str, more: &str, seed: u64) -> Plan {
    let text = format!(
        "title = 't'\n[cluster]\nmembers = 3\n[workload]\nname = '{name}'\nclients = 4\nrate = '20/s'\n{more}\n[run]\nchaos = '10s'\n"
    );
    Scenario::parse("w.toml", &text).unwrap_or_else(|errors| panic!("{errors:?}")).expand(seed)
}

#[test]
fn every_workload_is_a_function_of_its_seed() {
    for name in names() {
        let some = plan(&name, "", 7);
        assert_eq!(some, plan(&name, "", 7), "{name}");
        assert_ne!(some.clients, plan(&name, "", 8).clients, "{name}");
        assert_eq!(Plan::parse("plan.toml", &some.to_toml()).unwrap(), some, "{name}");
    }
}

#[test]
fn every_workload_holds_together() {
    for name in names() {
        let plan = plan(&name, "", 3);
        let acts: usize = plan.clients.iter().map(|client| client.operations.len()).sum();
        assert!((50..3_000).contains(&acts), "{name}: {acts} acts");
        for client in &plan.clients {
            assert!(client.operations.is_sorted_by_key(|operation| operation.at), "{name}");
            if let Some(other) = client.part_of {
                assert_eq!(plan.clients[other as usize].part_of, None, "{name}");
                assert_eq!(plan.clients[other as usize].endpoints, client.endpoints, "{name}");
            }
        }
    }
}

/// Values name their act, leases are granted once: whatever is seen leads back to one act.
#[test]
fn no_two_acts_write_one_value_or_grant_one_lease() {
    for name in names() {
        let (mut values, mut leases) = (BTreeSet::new(), BTreeSet::new());
        for operation in plan(&name, "", 11).clients.iter().flat_map(|client| &client.operations) {
            let text = match &operation.act {
                Act::Request(Request::Put(put)) => put.value.clone(),
                Act::Write(write) => write.value.clone(),
                Act::Add(add) => add.value.clone(),
                Act::Fenced { value, .. } | Act::Proclaim { value, .. } => value.clone(),
                _ => bytes::Bytes::new(),
            };
            assert!(text.is_empty() || values.insert(text.clone()), "{name}: {text:?} is written twice");
            let lease = match &operation.act {
                Act::Request(Request::LeaseGrant(grant)) => grant.id,
                Act::Lock(Session { lease, .. })
                | Act::Campaign(Session { lease, .. }, _)
                | Act::Add(Add { lock: Some(Session { lease, .. }), .. }) => *lease,
                _ => 0,
            };
            assert!(lease == 0 || leases.insert(lease), "{name}: lease {lease} is granted twice");
        }
    }
}

#[test]
fn fields_of_one_workload_do_what_they_say() {
    let lanes = |more: &str| plan("kubernetes-cluster", more, 1).clients.len();
    assert_eq!((lanes(""), lanes("api-servers = 3")), (12, 18));
    let acts = |more: &str| {
        let plan = plan("kubernetes-cluster", more, 1);
        plan.clients.iter().map(|client| client.operations.len()).sum::<usize>()
    };
    assert!(acts("speed = 20") > acts("speed = 5") * 2);
    assert!(acts("nodes = 20") > acts("nodes = 2"));
    let watchers = |more: &str| plan("etcd-put", more, 1).clients.len();
    assert_eq!((watchers(""), watchers("watchers = 0")), (4 + 3 + 1, 4 + 1));
    let asked = |traffic: &str| {
        let plan = plan("register", &format!("traffic = '{traffic}'"), 1);
        plan.clients.iter().map(|client| client.operations.len()).sum::<usize>()
    };
    assert_eq!([asked("very-low"), asked("low"), asked("medium")].map(|acts| acts / 100), [1, 5, 20]);
}
