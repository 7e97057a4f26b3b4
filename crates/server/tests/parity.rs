//! Parity: the same requests through the simulator's driver and through this one have the same answers, but for ids, times
//! and sizes.
//!
//! `etcdsim replay` runs a scenario with one member and one client, and writes what was asked and answered. The requests
//! are drawn by the scenario's seed from the makers of requests of the workload `mixed`; those that it does not have are
//! written out. A server without data is then asked the same, in the same order.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use api::etcdserverpb::LeaseKeepAliveResponse;
use api::{Request, Response};
use etcdsim_server::client::Client;
use serde_json::{Value, json};

use crate::process::{Server, call, etcdsim, folder, run};

/// Requests of all kinds, and what is to come of them between.
const SCENARIO: &str = r#"
title = "One client of one member"

[cluster]
members = 1

[workload]
clients = 1
rate = "unthrottled"
operations = 400
keys = 6
timeout = "10s"

[workload.mix]
put = 30
get = 15
get-serializable = 5
list = 10
delete = 8
cas = 8
txn = 10
txn-read = 4
compact = 2
invalid = 8
txn-nested = 4
# Leases that end by themselves end at other times in the two. Those below live long.
grant = 0
put-leased = 0
keep-alive = 0
revoke = 0
time-to-live = 0
leases = 0

[[client]]
endpoints = [1]
timeout = "10s"
operations = [
    '100s call MemberList {}',
    '100s call Alarm {"action":"GET"}',
    '100s call Alarm {"action":"ACTIVATE","alarm":"NOSPACE"}',
    '100s call Put {"key":"azE=","value":"eA=="}',
    '100s call Alarm {"action":"DEACTIVATE","alarm":"NOSPACE"}',
    '100s call Status {}',
    '100s call Hash {}',
    '100s call HashKV {}',
    '100s call Defragment {}',
    '100s call MoveLeader {"targetID":"5"}',
    '100s call Downgrade {"action":"VALIDATE","version":"3.5"}',
    '100s call Downgrade {"action":"VALIDATE","version":"x"}',
    '100s call MemberRemove {"ID":"5"}',
    '100s call MemberPromote {"ID":"5"}',
    '100s call MemberUpdate {"ID":"5","peerURLs":["http://127.0.0.1:5"]}',
    '100s call MemberAdd {"peerURLs":["no url"]}',
    '100s call LeaseGrant {"ID":"77","TTL":"1000"}',
    '100s call LeaseGrant {"ID":"77","TTL":"1000"}',
    '100s call LeaseGrant {"ID":"78","TTL":"1000"}',
    '100s call LeaseGrant {"ID":"79","TTL":"9000000001"}',
    '100s call Put {"key":"azE=","value":"eA==","lease":"78"}',
    '100s call Put {"key":"azI=","value":"eA==","lease":"76"}',
    '100s call LeaseTimeToLive {"ID":"78","keys":true}',
    '100s call LeaseTimeToLive {"ID":"76","keys":true}',
    '100s call LeaseKeepAlive {"ID":"78"}',
    '100s call LeaseKeepAlive {"ID":"76"}',
    '100s call LeaseLeases {}',
    '100s call LeaseRevoke {"ID":"78"}',
    '100s call LeaseRevoke {"ID":"78"}',
    '100s call Lock {"name":"bA==","lease":"77"}',
    '100s call Unlock {"key":"bC80ZA=="}',
    '100s call Campaign {"name":"ZQ==","lease":"77","value":"dg=="}',
    '100s call Leader {"name":"ZQ=="}',
    '100s call Leader {"name":"bm9ib2R5"}',
    '100s call Resign {"leader":{"name":"ZQ==","key":"ZS80ZA==","rev":"1","lease":"77"}}',
    '100s call UserAdd {"name":"root","password":"root"}',
    '100s call UserAdd {"name":"root","password":"root"}',
    '100s call UserAdd {"name":"","password":"x"}',
    '100s call RoleAdd {"name":"root"}',
    '100s call RoleAdd {"name":"r"}',
    '100s call RoleGrantPermission {"name":"r","perm":{"permType":"READWRITE","key":"azE="}}',
    '100s call RoleGet {"role":"r"}',
    '100s call RoleGet {"role":"none"}',
    '100s call RoleList {}',
    '100s call UserAdd {"name":"alice","password":"a"}',
    '100s call UserGrantRole {"user":"alice","role":"r"}',
    '100s call UserGrantRole {"user":"alice","role":"none"}',
    '100s call UserGet {"name":"alice"}',
    '100s call UserList {}',
    '100s call UserChangePassword {"name":"alice","password":"b"}',
    '100s call RoleRevokePermission {"role":"r","key":"azE="}',
    '100s call UserRevokeRole {"name":"alice","role":"r"}',
    '100s call RoleDelete {"role":"r"}',
    '100s call UserDelete {"name":"alice"}',
    '100s call AuthEnable {}',
    '100s call AuthStatus {}',
    '100s call Range {"key":"azE="}',
    '100s call Put {"key":"azE=","value":"eA=="}',
    '100s call Authenticate {"name":"root","password":"wrong"}',
    '100s call Authenticate {"name":"root","password":"root"}',
    '100s call AuthDisable {}',
]

[run]
chaos = "130s"
"#;

/// Fields that are not compared: ids, times and sizes, and what they make.
const ASIDE: &[&str] = &[
    "cluster_id",
    "member_id",
    "raft_term",
    "ID",
    "leader",
    "raftTerm",
    "raftIndex",
    "raftAppliedIndex",
    "dbSize",
    "dbSizeInUse",
    "hash",
    "TTL",
    "token",
    "name",
    "clientURLs",
    "peerURLs",
    "version",
    "storageVersion",
];

/// What is compared of an answer.
fn compared(rpc: &str, answer: Value) -> Value {
    let of_cluster = ["MemberList", "Status", "LeaseTimeToLive", "LeaseKeepAlive", "LeaseGrant", "Downgrade"];
    match answer {
        Value::Object(fields) => {
            let is_aside = |name: &String| match &**name {
                // Of a pair it is a number that counts.
                "version" | "name" | "ID" | "TTL" => of_cluster.contains(&rpc),
                name => ASIDE.contains(&name),
            };
            let kept = fields.into_iter().filter(|(name, _)| !is_aside(name));
            kept.map(|(name, value)| (name, compared(rpc, value))).collect()
        }
        Value::Array(items) => items.into_iter().map(|item| compared(rpc, item)).collect(),
        value => value,
    }
}

/// What the server answers, in the form of a history.
async fn asked(client: &mut Client, rpc: &str, request: Request) -> Value {
    if let Request::LeaseKeepAlive(request) = request {
        let stream = client.stream("/etcdserverpb.Lease/LeaseKeepAlive", tokio_stream::once(request)).await;
        let answer = match stream {
            Ok(mut answers) => {
                answers.message().await.map(Option::<LeaseKeepAliveResponse>::unwrap_or_default)
            }
            Err(status) => Err(status),
        };
        return match answer {
            Ok(answer) => {
                json!({ "response": compared(rpc, Response::from(answer).to_json()) })
            }
            Err(status) => json!({ "error": status.message() }),
        };
    }
    match call(client, request).await {
        Ok(response) => json!({ "response": compared(rpc, response.to_json()) }),
        Err(status) => json!({ "error": status.message() }),
    }
}

#[test]
fn both_drivers_give_the_same_answers() {
    let Some(program) = etcdsim() else { return };
    let folder = folder("parity");
    let (scenario, history) = (folder.join("scenario.toml"), folder.join("history.jsonl"));
    fs::write(&scenario, SCENARIO).expect("the folder can be written");
    let replay = Command::new(program)
        .args(["replay", "--seed", "7", "--history"])
        .args([&history, &scenario])
        .output()
        .expect("cargo has built it");
    let said = String::from_utf8_lossy(&replay.stderr);
    assert!(replay.status.success(), "{said}{}", String::from_utf8_lossy(&replay.stdout));
    let text = fs::read_to_string(&history).unwrap_or_else(|error| panic!("{error}: {said}"));
    let lines = text.lines().skip(1).filter_map(|line| serde_json::from_str::<Value>(line).ok());
    // What has no answer came before the simulated member listened.
    let is_answered = |line: &Value| line.get("rpc").is_some() && !line["return"].is_null();
    let operations: Vec<Value> = lines.filter(is_answered).collect();

    let server = Server::alone(&folder);
    let (mut kinds, mut different) = (BTreeMap::<String, usize>::new(), Vec::new());
    run(async {
        let mut client = server.client().await;
        for operation in &operations {
            let rpc = operation["rpc"].as_str().unwrap_or_default();
            let mut request = operation["request"].clone();
            // The server would choose another id, and later requests name this one.
            if rpc == "LeaseGrant" && request.get("ID").is_none_or(|id| id == "0") {
                request["ID"] = operation["response"]["ID"].clone();
            }
            let request =
                Request::from_json(rpc, &request).unwrap_or_else(|error| panic!("{operation}: {error}"));
            let wanted = match operation.get("error") {
                Some(error) => json!({ "error": error["message"] }),
                None => json!({ "response": compared(rpc, operation["response"].clone()) }),
            };
            let found = asked(&mut client, rpc, request).await;
            *kinds.entry(rpc.to_string()).or_default() += 1;
            if found != wanted {
                different.push(format!(
                    "{rpc} {}\n  simulator {wanted}\n  server    {found}",
                    operation["request"]
                ));
            }
        }
    });
    assert!(different.is_empty(), "{} of {}:\n{}", different.len(), operations.len(), different.join("\n"));
    assert!(operations.len() >= 300 && kinds.len() >= 35, "{} requests: {kinds:?}", operations.len());
}
