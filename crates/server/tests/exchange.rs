//! A snapshot goes out of etcd into our server, and one of ours back into etcd: everything is the same afterwards, the hash
//! by etcd's formula included. Needs `etcd` and `etcdutl` of 3.7 (`real.rs` says where they are searched for).

use std::path::Path;
use std::process::Command;

use api::authpb::{Permission, UserAddOptions};
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::*;
use api::{Request, Response};
use etcdsim_server::client::Client;

use crate::process::{Server, call, folder, free_ports, get, insist, run};
use crate::real::{Etcd, program};

/// How many keys one transaction puts.
const BATCH: usize = 100;

#[test]
fn a_snapshot_goes_into_our_server_and_back() {
    exchange("exchange", 2_000);
}

#[test]
#[ignore = "some minutes; the shorter one is the same with fewer keys"]
fn a_snapshot_of_100_000_keys_goes_into_our_server_and_back() {
    exchange("exchange-long", 100_000);
}

fn exchange(name: &str, keys: usize) {
    let (Some(etcd), Some(etcdutl)) = (program("etcd"), program("etcdutl")) else { return };
    let folder = folder(name);
    let (out, back) = (folder.join("out.db"), folder.join("back.db"));

    let first = run(async {
        let etcd = Etcd::start(&etcd, &folder);
        let mut client = etcd.connect().await;
        fill(&mut client, keys).await;
        save(&mut client, &out).await;
        contents(&mut client).await
    });
    assert!(first.pairs.len() > keys / 2, "{} pairs", first.pairs.len());

    let [client, peer] = free_ports();
    let url = format!("http://127.0.0.1:{peer}");
    let restored = Command::new(env!("CARGO_BIN_EXE_etcdsim-server"))
        .arg(format!("--restore={}", out.display()))
        .args(["--name=ours", &format!("--data-dir={}", folder.join("ours").display())])
        .args([format!("--initial-cluster=ours={url}"), format!("--initial-advertise-peer-urls={url}")])
        .output()
        .expect("cargo has built it");
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let args = [format!("--listen-peer-urls={url}"), format!("--initial-advertise-peer-urls={url}")];
    let second = run(async {
        let server = Server::start(&folder, "ours", client, &args);
        let mut client = server.client().await;
        first.assert_same(&contents(&mut client).await);
        // More of everything, so that the way back is about what our server has written.
        change(&mut client, keys / 10).await;
        save(&mut client, &back).await;
        contents(&mut client).await
    });
    assert_ne!(first.hash, second.hash);

    let [client, peer] = free_ports();
    let url = format!("http://127.0.0.1:{peer}");
    let data = folder.join("back");
    let restored = Command::new(etcdutl)
        .args(["snapshot", "restore", &back.display().to_string(), "--name=m1"])
        .arg(format!("--data-dir={}", data.display()))
        .args([format!("--initial-cluster=m1={url}"), format!("--initial-advertise-peer-urls={url}")])
        .output()
        .expect("etcdutl can be executed");
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    run(async {
        let etcd = Etcd::start_at(&etcd, &data, client, peer);
        second.assert_same(&contents(&mut etcd.connect().await).await);
    });
}

/// Keys with leases, revisions, deletions and a compaction; users and roles.
async fn fill(client: &mut Client, keys: usize) {
    for id in 1..=10 {
        insist(client, LeaseGrantRequest { ttl: 10_000 + id, id }.into()).await;
    }
    puts(client, 0..keys, "first").await;
    puts(client, 0..keys / 3, "second").await;
    let middle = revision(insist(client, get("none")).await);
    let deleted = DeleteRangeRequest {
        key: key(keys / 10).into(),
        range_end: key(keys / 5).into(),
        ..DeleteRangeRequest::default()
    };
    insist(client, deleted.into()).await;
    let compaction = CompactionRequest { revision: middle - 5, physical: true };
    insist(client, compaction.into()).await;
    for name in ["root", "alice", "bob"] {
        let options = Some(UserAddOptions { no_password: name == "bob" });
        let password = if name == "bob" { String::new() } else { "secret".into() };
        let user = AuthUserAddRequest { name: name.into(), password, options, ..Default::default() };
        insist(client, user.into()).await;
        insist(client, AuthRoleAddRequest { name: name.into() }.into()).await;
        insist(client, AuthUserGrantRoleRequest { user: name.into(), role: name.into() }.into()).await;
        let perm = Permission { perm_type: 2, key: key(1).into(), range_end: key(9).into() };
        // The role root has all permissions and takes no other.
        let grant = AuthRoleGrantPermissionRequest { name: name.into(), perm: Some(perm) };
        let _ = call(client, grant.into()).await;
    }
}

/// New values, deletions, leases and a compaction.
async fn change(client: &mut Client, keys: usize) {
    insist(client, LeaseGrantRequest { ttl: 500, id: 11 }.into()).await;
    puts(client, 0..keys, "third").await;
    let deleted = DeleteRangeRequest { key: key(keys / 2).into(), ..DeleteRangeRequest::default() };
    let deleted = revision(insist(client, deleted.into()).await);
    insist(client, CompactionRequest { revision: deleted - 3, physical: true }.into()).await;
    insist(client, AuthUserDeleteRequest { name: "bob".into() }.into()).await;
}

async fn puts(client: &mut Client, keys: std::ops::Range<usize>, text: &str) {
    let all: Vec<usize> = keys.collect();
    for batch in all.chunks(BATCH) {
        let put = |nth: &usize| {
            let lease = if nth.is_multiple_of(7) { (nth % 10) as i64 + 1 } else { 0 };
            let value = format!("{text} {nth} {}", "v".repeat(nth % 60)).into();
            let put = PutRequest { key: key(*nth).into(), value, lease, ..PutRequest::default() };
            RequestOp { request: Some(Op::RequestPut(put)) }
        };
        let success = batch.iter().map(put).collect();
        insist(client, TxnRequest { success, ..TxnRequest::default() }.into()).await;
    }
}

fn key(nth: usize) -> String {
    format!("/registry/{:02}/{nth:06}", nth % 100)
}

fn revision(answer: Response) -> i64 {
    answer.header().map_or(0, |header| header.revision)
}

/// Saves a snapshot.
async fn save(client: &mut Client, file: &Path) {
    let stream = client.listen("/etcdserverpb.Maintenance/Snapshot", SnapshotRequest {}).await;
    let mut pieces: tonic::Streaming<SnapshotResponse> = stream.expect("a stream");
    let mut snapshot = Vec::new();
    while let Some(piece) = pieces.message().await.expect("a piece") {
        snapshot.extend_from_slice(&piece.blob);
    }
    std::fs::write(file, snapshot).expect("the folder can be written");
}

/// What clients see of a server.
struct Contents {
    pairs: Vec<api::mvccpb::KeyValue>,
    hash: (u32, i64, i64),
    /// Leases, users and roles.
    rest: Vec<Response>,
}

impl Contents {
    fn assert_same(&self, other: &Contents) {
        assert_eq!(self.pairs.len(), other.pairs.len());
        let differing = self.pairs.iter().zip(&other.pairs).find(|(one, other)| one != other);
        assert_eq!(differing, None, "a pair differs");
        assert_eq!(self.hash, other.hash, "hash, revision, compact revision");
        assert_eq!(self.rest, other.rest);
    }
}

async fn contents(client: &mut Client) -> Contents {
    let range = RangeRequest { key: "\0".into(), range_end: "\0".into(), ..RangeRequest::default() };
    let Response::Range(range) = insist(client, range.into()).await else { panic!("another answer") };
    let Response::HashKv(hash) = insist(client, HashKvRequest { revision: 0 }.into()).await else {
        panic!("another answer")
    };
    let mut rest = Vec::new();
    let mut requests: Vec<Request> =
        (1..=11).map(|id| LeaseTimeToLiveRequest { id, keys: true }.into()).collect();
    requests.extend([AuthUserListRequest {}.into(), AuthRoleListRequest {}.into()]);
    for name in ["root", "alice", "bob"] {
        requests.push(AuthUserGetRequest { name: name.into() }.into());
        requests.push(AuthRoleGetRequest { role: name.into() }.into());
    }
    for request in requests {
        // Who is gone is no answer.
        let Ok(mut answer) = call(client, request).await else { continue };
        *answer.header_mut() = None;
        if let Response::LeaseTimeToLive(lease) = &mut answer {
            // A restored lease begins anew, and the order of its keys is left open.
            lease.ttl = lease.ttl.signum();
            lease.keys.sort();
        }
        rest.push(answer);
    }
    Contents { pairs: range.kvs, hash: (hash.hash, hash.hash_revision, hash.compact_revision), rest }
}
