//! Snapshots in etcd's form: out of a server, and into a new one.

use std::process::Command;

use api::Response;
use api::etcdserverpb::{
    DeleteRangeRequest, LeaseGrantRequest, PutRequest, RangeRequest, SnapshotRequest, SnapshotResponse,
};

use crate::process::{Server, call, folder, free_ports, get, put, run, value};

#[test]
fn a_snapshot_is_restored() {
    let folder = folder("snapshot");
    let file = folder.join("snapshot.db");
    let before = run(async {
        let server = Server::alone(&folder);
        let mut client = server.client().await;
        call(&mut client, LeaseGrantRequest { ttl: 1_000, id: 77 }.into()).await.expect("a lease");
        for nth in 0..300 {
            call(&mut client, put(&format!("key{nth}"), &"x".repeat(nth * 20))).await.expect("a put");
        }
        let leased =
            PutRequest { key: "leased".into(), value: "v".into(), lease: 77, ..PutRequest::default() };
        call(&mut client, leased.into()).await.expect("a put");
        let removed = DeleteRangeRequest { key: "key7".into(), ..DeleteRangeRequest::default() };
        call(&mut client, removed.into()).await.expect("a removal");
        let stream = client.listen("/etcdserverpb.Maintenance/Snapshot", SnapshotRequest {}).await;
        let mut pieces: tonic::Streaming<SnapshotResponse> = stream.expect("a stream");
        let mut snapshot = Vec::new();
        while let Some(piece) = pieces.message().await.expect("a piece") {
            snapshot.extend_from_slice(&piece.blob);
        }
        std::fs::write(&file, snapshot).expect("the folder can be written");
        everything(&mut client).await
    });
    assert_eq!(before.len(), 300);

    let [client, peer] = free_ports();
    let args = [
        format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
        format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
    ];
    let restored = folder.join("restored");
    let output = Command::new(env!("CARGO_BIN_EXE_etcdsim-server"))
        .arg(format!("--restore={}", file.display()))
        .args(["--name=restored", &format!("--data-dir={}", restored.display()), &args[1]])
        .output()
        .expect("cargo has built it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let server = Server::start(&folder, "restored", client, &args);
    let newest = run(async {
        let mut client = server.client().await;
        assert_eq!(everything(&mut client).await, before);
        let Ok(Response::Range(found)) = call(&mut client, get("key7")).await else { panic!("a get") };
        assert_eq!(found.count, 0);
        found.header.map_or(0, |header| header.revision)
    });
    drop(server);

    // With a revision that no client has seen, and without the history.
    let bumped = folder.join("bumped");
    let restore = |more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_etcdsim-server"))
            .arg(format!("--restore={}", file.display()))
            .args(["--name=bumped", &format!("--data-dir={}", bumped.display()), &args[1]])
            .args(more)
            .output()
            .expect("cargo has built it")
    };
    let refused = restore(&["--bump-revision=1000"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--mark-compacted"), "{refused:?}");
    let output = restore(&["--bump-revision=1000", "--mark-compacted"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut server = Server::start(&folder, "bumped", client, &args);
    run(async {
        for _ in 0..2 {
            let mut client = server.client().await;
            assert_eq!(everything(&mut client).await, before);
            let past = RangeRequest { key: "key1".into(), revision: newest, ..RangeRequest::default() };
            let refused = call(&mut client, past.into()).await.expect_err("it is compacted");
            assert_eq!(refused.message(), "etcdserver: mvcc: required revision has been compacted");
            let Ok(Response::Range(found)) = call(&mut client, get("key1")).await else { panic!("a get") };
            assert_eq!(found.header.map(|header| header.revision), Some(newest + 1000));
            server.kill();
            server.restart();
        }
        let mut client = server.client().await;
        call(&mut client, put("key1", "new")).await.expect("a put");
        assert_eq!(value(call(&mut client, get("key1")).await.expect("a get")).as_deref(), Some("new"));
    });
}

/// All pairs.
async fn everything(client: &mut etcdsim_server::client::Client) -> Vec<api::mvccpb::KeyValue> {
    let range = RangeRequest { key: "\0".into(), range_end: "\0".into(), ..RangeRequest::default() };
    match call(client, range.into()).await {
        Ok(Response::Range(answer)) => answer.kvs,
        other => panic!("{other:?}"),
    }
}
