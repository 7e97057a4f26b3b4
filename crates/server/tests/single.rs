//! One server: its services, its files, and what it refuses.

use std::process::Command;

use api::Response;
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{
    LeaseGrantRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse, MemberListRequest, StatusRequest,
    WatchCreateRequest, WatchRequest, WatchResponse,
};
use api::v3lockpb::LockRequest;
use bytes::Bytes;
use etcdsim_server::client::Client;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::process::{Server, call, folder, get, put, run, value};

#[test]
fn it_serves_and_remembers() {
    let folder = folder("remembers");
    let mut server = Server::alone(&folder);
    run(async {
        let mut client = server.client().await;
        call(&mut client, put("key1", "value1")).await.expect("a put");
        assert_eq!(value(call(&mut client, get("key1")).await.expect("a get")).as_deref(), Some("value1"));
        let members = call(&mut client, MemberListRequest::default().into()).await;
        let Ok(Response::MemberList(list)) = members else { panic!("{members:?}") };
        assert_eq!(list.members.iter().map(|member| &*member.name).collect::<Vec<_>>(), ["m1"]);
        let status = call(&mut client, StatusRequest {}.into()).await;
        let Ok(Response::Status(status)) = status else { panic!("{status:?}") };
        assert!(status.db_size > 0 && status.leader == list.members[0].id);
        server.kill();
        server.restart();
        let mut client = server.client().await;
        assert_eq!(value(call(&mut client, get("key1")).await.expect("a get")).as_deref(), Some("value1"));
        call(&mut client, put("key1", "value2")).await.expect("a put");
        assert!(server.stop(), "{}", server.said());
        server.restart();
        let mut client = server.client().await;
        assert_eq!(value(call(&mut client, get("key1")).await.expect("a get")).as_deref(), Some("value2"));
    });
}

async fn watch(client: &mut Client, key: &str) -> tonic::Streaming<WatchResponse> {
    let create = WatchCreateRequest { key: key.to_string().into(), ..WatchCreateRequest::default() };
    let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
    let requests = tokio_stream::once(request);
    let mut answers = client.stream("/etcdserverpb.Watch/Watch", requests).await.expect("a stream");
    let created: WatchResponse = answers.message().await.expect("an answer").expect("the stream goes on");
    assert!(created.created);
    answers
}

#[test]
fn streams_and_services() {
    let folder = folder("streams");
    let server = Server::alone(&folder);
    run(async {
        let mut client = server.client().await;
        let mut changes = watch(&mut client, "watched").await;
        call(&mut client, put("watched", "1")).await.expect("a put");
        let change = changes.message().await.expect("an answer").expect("the stream goes on");
        assert_eq!(change.events.len(), 1);

        let granted = call(&mut client, LeaseGrantRequest { ttl: 60, id: 0 }.into()).await;
        let Ok(Response::LeaseGrant(lease)) = granted else { panic!("{granted:?}") };
        let (sender, requests) = tokio::sync::mpsc::channel(1);
        sender.send(LeaseKeepAliveRequest { id: lease.id }).await.expect("there is room");
        let requests = ReceiverStream::new(requests);
        let alive = client.stream("/etcdserverpb.Lease/LeaseKeepAlive", requests).await;
        let renewed: Option<LeaseKeepAliveResponse> =
            alive.expect("a stream").message().await.expect("an answer");
        assert_eq!(renewed.map(|renewed| renewed.ttl), Some(60));

        let lock = LockRequest { name: "lock".into(), lease: lease.id };
        let locked = call(&mut client, lock.into()).await;
        let Ok(Response::Lock(locked)) = locked else { panic!("{locked:?}") };
        assert!(locked.key.starts_with(b"lock/"));
    });
}

/// Asks over HTTP/1.1. Returns the status and the body.
async fn http(server: &Server, method: &str, path: &str, body: &str) -> (u16, String) {
    let socket = tokio::net::TcpStream::connect(("127.0.0.1", server.client)).await.expect("it listens");
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await;
    let (mut sender, connection) = handshake.expect("it speaks HTTP");
    tokio::spawn(connection);
    let request = http::Request::builder().method(method).uri(path).header("host", "localhost");
    let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[test]
fn what_is_not_grpc() {
    let folder = folder("http");
    let server = Server::alone(&folder);
    run(async {
        server.client().await;
        assert_eq!(
            http(&server, "GET", "/health", "").await,
            (200, r#"{"health":"true","reason":""}"#.into())
        );
        assert_eq!(http(&server, "GET", "/livez", "").await, (200, "ok\n".into()));
        let (status, ready) = http(&server, "GET", "/readyz?verbose", "").await;
        assert_eq!((status, ready.lines().count()), (200, 5), "{ready}");
        let (_, version) = http(&server, "GET", "/version", "").await;
        assert!(version.contains("etcdserver"), "{version}");
        let (_, metrics) = http(&server, "GET", "/metrics", "").await;
        assert!(metrics.contains("\netcd_server_has_leader 1\n"), "{metrics}");

        let (status, _) = http(&server, "POST", "/v3/kv/put", r#"{"key":"Zm9v","value":"YmFy"}"#).await;
        assert_eq!(status, 200);
        let (_, found) = http(&server, "POST", "/v3/kv/range", r#"{"key":"Zm9v"}"#).await;
        assert!(found.contains(r#""value":"YmFy""#), "{found}");
        let refused = r#"{"code":3,"message":"etcdserver: key is not provided"}"#;
        assert_eq!(http(&server, "POST", "/v3/kv/range", "{}").await, (400, refused.into()));
        assert_eq!(http(&server, "GET", "/v3/kv/range", "").await.0, 501);
        assert_eq!(http(&server, "POST", "/v3/kv/nothing", "{}").await.0, 404);
        assert_eq!(http(&server, "GET", "/nothing", "").await.0, 404);
    });
}

#[test]
fn a_request_that_is_too_large_is_refused_as_by_etcd() {
    let folder = folder("large");
    let server = Server::alone(&folder);
    run(async {
        let mut client = server.client().await;
        let refused =
            call(&mut client, put("key", &"x".repeat(1_600_000))).await.expect_err("it is too large");
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::InvalidArgument, "etcdserver: request is too large")
        );
        let refused =
            call(&mut client, put("key", &"x".repeat(3_000_000))).await.expect_err("it is too large");
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
        assert!(refused.message().starts_with("grpc: received message larger than max ("), "{refused:?}");
        assert!(call(&mut client, get("key")).await.is_ok());
    });
}

/// What the program says if it does not start.
fn refusal(args: &[String]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_etcdsim-server")).args(args).output().expect("cargo has built it");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_it_refuses() {
    let folder = folder("refuses");
    let server = Server::alone(&folder);
    run(server.client());
    let data_dir = format!("--data-dir={}", folder.join("m1").display());
    let locked = refusal(&[data_dir]);
    assert!(locked.contains("is used by another process"), "{locked}");
    let unknown = refusal(&["--experimental-initial-corrupt-check=true".into()]);
    assert!(unknown.contains("--experimental-initial-corrupt-check"), "{unknown}");
    let contradiction = refusal(&["--listen-client-urls=http://127.0.0.1:1".into()]);
    assert!(contradiction.contains("--advertise-client-urls is required"), "{contradiction}");
    let address = refusal(&["-listen-peer-urls".into(), "localhost:2380".into()]);
    assert!(address.contains("URL scheme must be http"), "{address}");
}
