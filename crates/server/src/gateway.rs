//! etcd's JSON gateway: each call as a POST with the request as JSON (`rpc.proto`, the options `google.api.http`).

use std::sync::Arc;

use api::etcdserverpb::{LeaseKeepAliveRequest, WatchRequest};
use api::v3electionpb::LeaderRequest;
use api::{Code, Error, Request, Response as Answer};
use bytes::Bytes;
use http::{HeaderValue, Method, Request as HttpRequest, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use member::io::{Down, Meta, Up};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Deserializer, Value, json};
use tokio::sync::mpsc as channel;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;

use crate::app::App;
use crate::observe;

/// The path of each unary call, without `/v3/`, and the name of the call.
const CALLS: &[(&str, &str)] = &[
    ("kv/range", "Range"),
    ("kv/put", "Put"),
    ("kv/deleterange", "DeleteRange"),
    ("kv/txn", "Txn"),
    ("kv/compaction", "Compact"),
    ("lease/grant", "LeaseGrant"),
    ("lease/revoke", "LeaseRevoke"),
    ("kv/lease/revoke", "LeaseRevoke"),
    ("lease/timetolive", "LeaseTimeToLive"),
    ("kv/lease/timetolive", "LeaseTimeToLive"),
    ("lease/leases", "LeaseLeases"),
    ("kv/lease/leases", "LeaseLeases"),
    ("cluster/member/add", "MemberAdd"),
    ("cluster/member/remove", "MemberRemove"),
    ("cluster/member/update", "MemberUpdate"),
    ("cluster/member/list", "MemberList"),
    ("cluster/member/promote", "MemberPromote"),
    ("maintenance/alarm", "Alarm"),
    ("maintenance/status", "Status"),
    ("maintenance/defragment", "Defragment"),
    ("maintenance/hash", "Hash"),
    ("maintenance/hashkv", "HashKV"),
    ("maintenance/transfer-leadership", "MoveLeader"),
    ("maintenance/downgrade", "Downgrade"),
    ("auth/enable", "AuthEnable"),
    ("auth/disable", "AuthDisable"),
    ("auth/status", "AuthStatus"),
    ("auth/authenticate", "Authenticate"),
    ("auth/user/add", "UserAdd"),
    ("auth/user/get", "UserGet"),
    ("auth/user/list", "UserList"),
    ("auth/user/delete", "UserDelete"),
    ("auth/user/changepw", "UserChangePassword"),
    ("auth/user/grant", "UserGrantRole"),
    ("auth/user/revoke", "UserRevokeRole"),
    ("auth/role/add", "RoleAdd"),
    ("auth/role/get", "RoleGet"),
    ("auth/role/list", "RoleList"),
    ("auth/role/delete", "RoleDelete"),
    ("auth/role/grant", "RoleGrantPermission"),
    ("auth/role/revoke", "RoleRevokePermission"),
    ("lock/lock", "Lock"),
    ("lock/unlock", "Unlock"),
    ("election/campaign", "Campaign"),
    ("election/proclaim", "Proclaim"),
    ("election/leader", "Leader"),
    ("election/resign", "Resign"),
];

/// The calls that answer with a stream.
const STREAMS: &[&str] = &["watch", "lease/keepalive", "maintenance/snapshot", "election/observe"];

/// Answers a request of the gateway.
pub async fn serve(app: Arc<App>, request: HttpRequest<Incoming>, meta: Meta) -> Response<Body> {
    let path = request.uri().path().trim_start_matches("/v3/").to_string();
    let call = CALLS.iter().find(|(known, _)| *known == path).map(|(_, call)| *call);
    if call.is_none() && !STREAMS.contains(&&*path) {
        return failed(Code::NotFound, "Not Found");
    }
    if request.method() != Method::POST {
        return failed(Code::Unimplemented, "Method Not Allowed");
    }
    let body = match Limited::new(request.into_body(), 2 * app.max_request_bytes).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return failed(Code::ResourceExhausted, &error.to_string()),
    };
    match call {
        Some(call) => unary(&app, call, &body, meta).await,
        None => stream(app, &path, &body, meta).await,
    }
}

async fn unary(app: &App, call: &str, body: &[u8], meta: Meta) -> Response<Body> {
    let value = match read_one::<Value>(body) {
        Ok(value) => value,
        Err(error) => return failed(Code::InvalidArgument, &error),
    };
    let request = match Request::from_json(call, &value) {
        Ok(request) => request,
        Err(error) => return failed(Code::InvalidArgument, &error.to_string()),
    };
    let method = request.method();
    match app.handle.call(request, meta).await {
        Ok(answer) => ok(Full::new(answer.to_json().to_string().into())),
        Err(error) => failed(error.code_of(method), error.text()),
    }
}

/// Reads the one value in a body; an empty body is the empty request.
fn read_one<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body)
        .map_err(|error| if error.is_eof() { "unexpected EOF".into() } else { error.to_string() })
}

/// Reads all values in a body.
fn read_all<T: DeserializeOwned>(body: &[u8]) -> Result<Vec<T>, String> {
    Deserializer::from_slice(body).into_iter().collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// Answers a call whose answer is a stream: each item is a line.
async fn stream(app: Arc<App>, path: &str, body: &Bytes, meta: Meta) -> Response<Body> {
    let (lines, receiver) = channel::channel(1);
    let lines = Lines(lines);
    let begun = match path {
        "watch" => read_all(body).map(|requests| drop(tokio::spawn(watch(app, requests, meta, lines)))),
        "lease/keepalive" => {
            read_all(body).map(|requests| drop(tokio::spawn(keep_alive(app, requests, meta, lines))))
        }
        "maintenance/snapshot" => {
            tokio::spawn(snapshot(app, meta, lines));
            Ok(())
        }
        _ => read_one(body).map(|request| drop(tokio::spawn(leaders(app, request, meta, lines)))),
    };
    match begun {
        Ok(()) => ok(StreamBody::new(ReceiverStream::new(receiver))),
        Err(error) => failed(Code::InvalidArgument, &error),
    }
}

/// Where the lines of a stream go.
struct Lines(channel::Sender<Result<Frame<Bytes>, std::convert::Infallible>>);

impl Lines {
    /// Sends a line; false if nobody reads it.
    async fn send(&self, line: &Value) -> bool {
        let line = format!("{line}\n");
        self.0.send(Ok(Frame::data(line.into()))).await.is_ok()
    }

    async fn item(&self, item: &impl Serialize) -> bool {
        self.send(&json!({ "result": item })).await
    }

    async fn fail(&self, error: Error) {
        let (code, http) = (error.code(), status_of(error.code()));
        let error = json!({
            "grpc_code": code.number(),
            "http_code": http.as_u16(),
            "message": error.text(),
            "http_status": http.canonical_reason(),
        });
        self.send(&json!({ "error": error })).await;
    }
}

async fn watch(app: Arc<App>, requests: Vec<WatchRequest>, meta: Meta, lines: Lines) {
    let mut stream = app.handle.open();
    for request in requests {
        stream.sender().send(Up::Watch(request), meta.clone());
    }
    while let Some(item) = stream.next().await {
        match item {
            Down::Watch(response) if lines.item(&response).await => {}
            Down::Refused(error) => return lines.fail(error).await,
            Down::Watch(_) | Down::Snapshot(_) | Down::Range(_) | Down::End => return,
        }
    }
}

async fn keep_alive(app: Arc<App>, requests: Vec<LeaseKeepAliveRequest>, meta: Meta, lines: Lines) {
    for request in requests {
        match app.handle.call(request.into(), meta.clone()).await {
            Ok(Answer::LeaseKeepAlive(answer)) if lines.item(&answer).await => {}
            Ok(_) => return,
            Err(error) => return lines.fail(error).await,
        }
    }
}

async fn snapshot(app: Arc<App>, meta: Meta, lines: Lines) {
    let mut pieces = match app.snapshot(meta).await {
        Ok(pieces) => pieces,
        Err(error) => return lines.fail(error.unwrap_or(Error::Stopped)).await,
    };
    while let Some(Ok(piece)) = pieces.recv().await {
        if !lines.item(&piece).await {
            return;
        }
    }
}

async fn leaders(app: Arc<App>, request: LeaderRequest, meta: Meta, lines: Lines) {
    let mut leaders = observe::observe(app, meta, request.name);
    while let Some(leader) = leaders.recv().await {
        match leader {
            Ok(leader) if lines.item(&leader).await => {}
            Ok(_) => return,
            Err(status) => {
                let error = Error::from_text(status.message()).unwrap_or(Error::Stopped);
                return lines.fail(error).await;
            }
        }
    }
}

fn ok<B>(body: B) -> Response<Body>
where
    B: hyper::body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + 'static,
{
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("grpc-metadata-content-type", HeaderValue::from_static("application/grpc"));
    response
}

fn failed(code: Code, text: &str) -> Response<Body> {
    let body = json!({ "code": code.number(), "message": text }).to_string();
    let mut response = Response::new(Body::new(Full::new(body.into())));
    *response.status_mut() = status_of(code);
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

/// The HTTP status for a code of gRPC (grpc-gateway, `runtime/errors.go`, `HTTPStatusFromCode`).
fn status_of(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::REQUEST_TIMEOUT),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
