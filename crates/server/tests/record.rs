//! Records of what servers did: walked again, and judged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use api::Response;
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, LeaseGrantRequest, PutRequest, RangeRequest, WatchCreateRequest,
    WatchRequest, WatchResponse,
};
use tonic::Streaming;

use crate::cluster::{leader, three};
use crate::process::{call, etcdsim, folder, get, insist, put, run};

/// Runs `etcdsim` with these records.
fn judge(program: &Path, command: &str, records: &[PathBuf]) -> (Option<i32>, String) {
    let output = Command::new(program).arg(command).args(records).output();
    let Output { status, stdout, stderr } = output.expect("cargo has built it");
    (status.code(), [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat())
}

#[test]
fn what_three_servers_did_is_walked_again_and_judged() {
    let Some(program) = etcdsim() else { return };
    let folder = folder("record");
    let flag = format!("--record={}/{{name}}.record", folder.display());
    let mut servers = three(&folder, &[&flag, "--heartbeat-interval=20", "--election-timeout=200"]);
    run(async {
        let mut client = servers[0].client().await;
        let create = WatchCreateRequest {
            key: "\0".into(),
            range_end: "\0".into(),
            prev_kv: true,
            ..WatchCreateRequest::default()
        };
        let create = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
        let opened = client.stream("/etcdserverpb.Watch/Watch", tokio_stream::once(create)).await;
        let mut changes: Streaming<WatchResponse> = opened.expect("a stream");
        changes.message().await.expect("an answer");
        insist(&mut client, LeaseGrantRequest { ttl: 600, id: 9 }.into()).await;
        for round in 0..3 {
            let killed = leader(&servers).await;
            let mut of_leader = servers[killed].client().await;
            for nth in 0..20 {
                let key = format!("key{}", nth % 7);
                let lease = if nth % 3 == 0 { 9 } else { 0 };
                let value = format!("{round}-{nth}").into();
                let put = PutRequest { key: key.clone().into(), value, lease, ..PutRequest::default() };
                let _ = call(&mut of_leader, put.into()).await;
                let _ = call(&mut of_leader, get(&key)).await;
            }
            let gone = DeleteRangeRequest { key: "key3".into(), ..DeleteRangeRequest::default() };
            let _ = call(&mut of_leader, gone.into()).await;
            servers[killed].kill();
            let mut other = servers[(killed + 1) % 3].client().await;
            insist(&mut other, put("after", &round.to_string())).await;
            let all = RangeRequest { key: "k".into(), range_end: "l".into(), ..RangeRequest::default() };
            let range = other.stream_range(all).await;
            assert!(range.is_ok_and(|range| range.count > 0));
            servers[killed].restart();
        }
        let mut client = servers[0].client().await;
        let Response::Range(found) = insist(&mut client, get("after")).await else { panic!("a range") };
        let revision = found.header.map_or(0, |header| header.revision) - 5;
        insist(&mut client, CompactionRequest { revision, physical: true }.into()).await;
        for server in &servers {
            insist(&mut server.client().await, get("after")).await;
        }
    });
    assert!(servers[0].stop(), "{}", servers[0].said());
    let records = ["m1", "m2", "m3"].map(|name| folder.join(format!("{name}.record")));
    drop(servers);

    let (code, text) = judge(&program, "step", &records);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.matches("and the walk did the same").count(), 3, "{text}");
    let (code, text) = judge(&program, "check", &records);
    assert_eq!(code, Some(0), "{text}");
    for judged in ["all held", "K1", "W1", "L2", "     S    steps: ", "3 records with 6 starts"] {
        assert!(text.contains(judged), "{judged}: {text}");
    }

    // Without one of the records, nothing can be said of all.
    let (code, text) = judge(&program, "check", &records[..2]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("is missing, which"), "{text}");

    // A record that says something else than what comes of a step is walked up to there.
    let whole = fs::read_to_string(&records[0]).expect("it was written");
    let mut lines: Vec<String> = whole.lines().map(str::to_string).collect();
    let at = lines.iter().rposition(|line| line.contains("\"facts\":[\"")).expect("there are facts");
    lines[at] = lines[at].replacen("\"facts\":[\"", "\"facts\":[\"Not", 1);
    let torn = folder.join("torn.record");
    fs::write(&torn, lines.join("\n") + "\n").expect("it can be written");
    let (code, text) = judge(&program, "step", std::slice::from_ref(&torn));
    assert_eq!(code, Some(4), "{text}");
    assert!(text.contains(&format!("line {}", at + 1)) && text.contains("in the walk"), "{text}");
    fs::write(&torn, "{\"start\":{\"format\":\"etcdsim-record-1\"}}\n").expect("it can be written");
    let (code, text) = judge(&program, "step", &[torn]);
    assert!(code == Some(2) && text.contains("not a record"), "{text}");
}
