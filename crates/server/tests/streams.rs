//! Streamed ranges, and streams whose clients want a leader.

use std::time::Duration;

use api::Response;
use api::etcdserverpb::range_request::SortOrder;
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{
    CompactionRequest, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse, RangeRequest,
    RangeStreamResponse, WatchCreateRequest, WatchRequest, WatchResponse,
};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};

use crate::cluster::three;
use crate::process::{Server, call, folder, insist, put, run};

/// All keys.
fn all() -> RangeRequest {
    RangeRequest { key: "\0".into(), range_end: "\0".into(), ..RangeRequest::default() }
}

#[test]
fn a_range_comes_in_chunks() {
    let folder = folder("chunks");
    let server = Server::alone(&folder);
    run(async {
        let mut client = server.client().await;
        for nth in 0..100 {
            call(&mut client, put(&format!("key{nth:03}"), &"x".repeat(nth * 300))).await.expect("a put");
        }
        let listened = client.listen("/etcdserverpb.KV/RangeStream", all()).await;
        let mut chunks: Streaming<RangeStreamResponse> = listened.expect("a stream");
        let mut count = 0;
        while chunks.message().await.expect("a chunk").is_some() {
            count += 1;
        }
        // 10, 20, 40, and the 30 that are left.
        assert_eq!(count, 4);
        for request in [
            all(),
            RangeRequest { limit: 37, ..all() },
            RangeRequest { revision: 50, keys_only: true, ..all() },
            RangeRequest { count_only: true, ..all() },
            RangeRequest { key: "nothing".into(), serializable: true, ..RangeRequest::default() },
        ] {
            let whole = call(&mut client, request.clone().into()).await.expect("a range");
            let streamed = client.stream_range(request).await.expect("a range");
            assert_eq!(Response::Range(streamed), whole);
        }
        call(&mut client, CompactionRequest { revision: 60, physical: false }.into())
            .await
            .expect("a compaction");
        for (request, code, text) in [
            (RangeRequest::default(), Code::InvalidArgument, "etcdserver: key is not provided"),
            (
                RangeRequest { sort_order: SortOrder::Descend as i32, ..all() },
                Code::Unimplemented,
                "RangeStream does not support custom sort orders",
            ),
            (
                RangeRequest { revision: 5, ..all() },
                Code::OutOfRange,
                "etcdserver: mvcc: required revision has been compacted",
            ),
        ] {
            let refused = client.stream_range(request).await.expect_err("it is not possible");
            assert_eq!((refused.code(), refused.message()), (code, text));
        }
    });
}

#[test]
fn streams_end_when_there_is_no_leader_and_their_clients_want_one() {
    let folder = folder("no-leader");
    // Three election timeouts pass before streams end.
    let mut servers = three(&folder, &["--heartbeat-interval=20", "--election-timeout=200"]);
    run(async {
        let mut client = servers[0].client().await;
        let granted = insist(&mut client, LeaseGrantRequest { ttl: 60, id: 0 }.into()).await;
        let Response::LeaseGrant(lease) = granted else { panic!("{granted:?}") };
        let mut patient = client.clone();
        client.require_leader();

        let mut streams = Vec::new();
        for client in [&mut client, &mut patient] {
            let create = WatchCreateRequest { key: "key".into(), ..WatchCreateRequest::default() };
            let create = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
            let (asks, requests) = tokio::sync::mpsc::channel(1);
            asks.send(create).await.expect("there is room");
            let opened = client.stream("/etcdserverpb.Watch/Watch", ReceiverStream::new(requests)).await;
            let mut watch: Streaming<WatchResponse> = opened.expect("a stream");
            watch.message().await.expect("an answer");

            let (renews, requests) = tokio::sync::mpsc::channel(1);
            renews.send(LeaseKeepAliveRequest { id: lease.id }).await.expect("there is room");
            let opened =
                client.stream("/etcdserverpb.Lease/LeaseKeepAlive", ReceiverStream::new(requests)).await;
            let mut alive: Streaming<LeaseKeepAliveResponse> = opened.expect("a stream");
            alive.message().await.expect("an answer");
            streams.push((asks, watch, renews, alive));
        }
        servers[1].kill();
        servers[2].kill();
        let (_, watch, _, alive) = &mut streams[0];
        let (watch, alive) = (watch.message().await, alive.message().await);
        for ended in
            [watch.map(|_| ()), alive.map(|_| ()), call(&mut client, put("key", "1")).await.map(drop)]
        {
            let status = ended.expect_err("there is no leader");
            assert_eq!((status.code(), status.message()), (Code::Unavailable, "etcdserver: no leader"));
        }
        // Who did not ask for a leader waits for one.
        let (_, watch, _, alive) = &mut streams[1];
        let short = Duration::from_millis(100);
        assert!(timeout(short, watch.message()).await.is_err(), "its watch has ended");
        assert!(timeout(short, alive.message()).await.is_err(), "its keep-alives have ended");
    });
}
