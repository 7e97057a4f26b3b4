//! What other members ask of this one, at its peer addresses: connections for messages, snapshots, and who the members are.

use std::sync::{Arc, PoisonError};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use member::io::Message;
use member::wire;
use record::MemberId;
use tokio::io::AsyncReadExt as _;

use crate::app::App;
use crate::corruption;
use crate::handle::Event;
use crate::peers::{CLUSTER, FROM, HASH, MESSAGES, PROTOCOL, SNAPSHOT, TO};

/// The largest snapshot that is taken.
const SNAPSHOT_BYTES_MAX: usize = 16 << 30;

/// Answers one request of another member.
pub async fn serve(app: Arc<App>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match request.uri().path() {
        "/version" => json(&app, &app.version().await),
        "/members" => json(&app, &app.members().await),
        HASH => hash(&app, request).await,
        MESSAGES => messages(app, request).await,
        SNAPSHOT => snapshot(app, request).await,
        _ => refuse(StatusCode::NOT_FOUND, "404 page not found\n"),
    }
}

fn json(app: &App, value: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(value.to_string().into()));
    let headers = response.headers_mut();
    headers.insert("content-type", http::HeaderValue::from_static("application/json"));
    if let Ok(cluster) = format!("{:x}", app.cluster).parse() {
        headers.insert(CLUSTER, cluster);
    }
    response
}

fn refuse(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(why.as_bytes())));
    *response.status_mut() = status;
    response
}

/// Answers with the hash of this member's data up to a revision.
async fn hash(app: &App, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let body = Limited::new(request.into_body(), 1 << 10).collect().await.map(|body| body.to_bytes());
    let asked = body.ok().and_then(|body| serde_json::from_slice::<corruption::Asked>(&body).ok());
    let Some(corruption::Asked { revision }) = asked else {
        return refuse(StatusCode::BAD_REQUEST, "a revision is required\n");
    };
    let hash = app.handle.look(move |member| corruption::Hash::of(member, revision)).await;
    match hash {
        Some(Ok(hash)) => json(app, &serde_json::json!(hash)),
        Some(Err(error)) => refuse(StatusCode::BAD_REQUEST, &format!("{error}\n")),
        None => refuse(StatusCode::SERVICE_UNAVAILABLE, "the member has stopped\n"),
    }
}

/// Who sends; or why it is not listened to.
async fn sender(app: &App, request: &Request<Incoming>) -> Result<MemberId, Box<Response<Full<Bytes>>>> {
    let number = |name: &str| {
        let text = request.headers().get(name)?.to_str().ok()?;
        u64::from_str_radix(text, 16).ok()
    };
    let (Some(cluster), Some(from), Some(to)) = (number(CLUSTER), number(FROM), number(TO)) else {
        return Err(Box::new(refuse(
            StatusCode::BAD_REQUEST,
            "a member must name its cluster, itself and the receiver\n",
        )));
    };
    if cluster != app.cluster || to != app.own.raft_id() {
        return Err(Box::new(refuse(StatusCode::PRECONDITION_FAILED, "cluster ID mismatch\n")));
    }
    let from = MemberId::from_raft(from);
    let refusal = match app.handle.look(move |member| member.is_removed(from)).await {
        Some(false) => return Ok(from),
        Some(true) => refuse(StatusCode::GONE, "the member has been permanently removed from the cluster\n"),
        None => refuse(StatusCode::SERVICE_UNAVAILABLE, "the member has stopped\n"),
    };
    Err(Box::new(refusal))
}

/// Opens a connection for messages.
async fn messages(app: Arc<App>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let from = match sender(&app, &request).await {
        Ok(from) => from,
        Err(refusal) => return *refusal,
    };
    if request.headers().get("upgrade").is_none_or(|protocol| protocol != PROTOCOL) {
        return refuse(StatusCode::UPGRADE_REQUIRED, "only members of the same version can connect\n");
    }
    tokio::spawn(async move {
        match hyper::upgrade::on(request).await {
            Ok(upgraded) => {
                let why = receive(&app, from, upgraded).await;
                tracing::info!(%from, why, "a member's connection has ended");
            }
            Err(error) => tracing::info!(%from, %error, "a member's connection was not opened"),
        }
    });
    let mut response = refuse(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = response.headers_mut();
    headers.insert("connection", http::HeaderValue::from_static("upgrade"));
    headers.insert("upgrade", http::HeaderValue::from_static(PROTOCOL));
    response
}

/// Receives messages until the connection ends. Returns why.
async fn receive(app: &App, from: MemberId, upgraded: Upgraded) -> String {
    let mut connection = TokioIo::new(upgraded);
    let mut buffer = BytesMut::with_capacity(64 << 10);
    loop {
        if app.removed.lock().unwrap_or_else(PoisonError::into_inner).contains(&from) {
            return "it was removed from the cluster".into();
        }
        while let Some(frame) = next_frame(&mut buffer) {
            let message = frame.and_then(|(kind, body)| wire::read(kind, body));
            match message {
                Ok(Message::Raft(message)) if message.from != from.raft_id() => {
                    return "it has sent a message in another member's name".into();
                }
                Ok(message) => app.handle.send(Event::Message { from, message }),
                Err(error) => return error.to_string(),
            }
        }
        match connection.read_buf(&mut buffer).await {
            Ok(0) => return "it was closed".into(),
            Ok(_) => {}
            Err(error) => return error.to_string(),
        }
    }
}

/// Takes a frame, if all of it is there.
fn next_frame(buffer: &mut BytesMut) -> Option<Result<(u8, Bytes), wire::WireError>> {
    let head = buffer.first_chunk::<{ wire::HEAD }>()?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let kind = head[4];
    if length > wire::BODY_MAX {
        return Some(Err(wire::WireError::TooLong(length)));
    }
    if buffer.len() < wire::HEAD + length {
        buffer.reserve(wire::HEAD + length - buffer.len());
        return None;
    }
    buffer.advance(wire::HEAD);
    Some(Ok((kind, buffer.split_to(length).freeze())))
}

/// Takes a snapshot.
async fn snapshot(app: Arc<App>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let from = match sender(&app, &request).await {
        Ok(from) => from,
        Err(refusal) => return *refusal,
    };
    let body = Limited::new(request.into_body(), SNAPSHOT_BYTES_MAX).collect().await;
    let Ok(body) = body else { return refuse(StatusCode::BAD_REQUEST, "the snapshot did not arrive\n") };
    match wire::read_raft(&body.to_bytes()) {
        Ok(message) if message.from == from.raft_id() => {
            app.handle.send(Event::Message { from, message: Message::Raft(Box::new(message)) });
            refuse(StatusCode::OK, "")
        }
        Ok(_) => refuse(StatusCode::BAD_REQUEST, "the message is not the sender's\n"),
        Err(error) => refuse(StatusCode::BAD_REQUEST, &format!("{error}\n")),
    }
}
