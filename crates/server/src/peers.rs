//! The other members: a connection to each, over which this member's messages go.
//!
//! Each member dials each other one, and sends on the connection that it has dialled. Messages that a connection cannot
//! take are dropped: raft expects that. A snapshot is large, so it has a request of its own, whose answer says that it
//! arrived.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use api::etcdserverpb::Member as Listed;
use bytes::{Bytes, BytesMut};
use contract::Types as _;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use member::io::{Etcd, Message, PeerMessage};
use member::wire;
use record::MemberId;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::runtime;
use tokio::sync::mpsc as channel;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::clock::Clock;
use crate::handle::{Event, Handle};
use crate::net::{self, Socket};
use crate::tls::ClientTls;
use crate::url::Url;

/// The path of the connection for messages.
pub const MESSAGES: &str = "/etcdsim/messages";
/// The path of the request that brings a snapshot.
pub const SNAPSHOT: &str = "/etcdsim/snapshot";
/// The path of the hash of a member's data (`etcdserver/corrupt.go`, `PeerHashKVPath`).
pub const HASH: &str = "/members/hashkv";
/// The name of the protocol on the connection for messages.
pub const PROTOCOL: &str = "etcdsim-peer/1";
/// The cluster, in hexadecimal (`etcdserver/api/rafthttp/util.go`).
pub const CLUSTER: &str = "x-etcd-cluster-id";
/// The sender, in hexadecimal.
pub const FROM: &str = "x-server-from";
/// The receiver, in hexadecimal.
pub const TO: &str = "x-raft-to";

/// How many messages wait for a connection at most (`rafthttp/peer.go`, `streamBufSize`).
const QUEUE: usize = 4096;
/// The pause before a member is dialled again.
const REDIAL: Duration = Duration::from_millis(100);
/// How long a write may take (`rafthttp/transport.go`, `ConnWriteTimeout`).
const WRITE_MAX: Duration = Duration::from_secs(5);
/// How long a snapshot may be on its way.
const SNAPSHOT_MAX: Duration = Duration::from_secs(300);

/// The members that were removed since this process began. Their connections are closed; when they dial again, they learn
/// why.
pub type Removed = Arc<Mutex<BTreeSet<MemberId>>>;

/// What every connection needs.
pub struct Dialling {
    /// This member.
    pub own: MemberId,
    /// The cluster.
    pub cluster: u64,
    /// What is trusted, and this member's certificate.
    pub tls: Option<ClientTls>,
    /// The event loop.
    pub handle: Handle,
    /// Where the connections live.
    pub runtime: runtime::Handle,
    /// The clock of connections' ages.
    pub clock: Clock,
}

/// The connections to the other members.
pub struct Peers {
    dialling: Arc<Dialling>,
    links: BTreeMap<MemberId, Link>,
    removed: Removed,
}

/// The connection to one member.
struct Link {
    urls: Vec<String>,
    queue: channel::Sender<Message>,
    /// Since when it is connected; 0 if it is not.
    since: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peers {
    /// No connections yet.
    pub fn new(dialling: Dialling, removed: Removed) -> Peers {
        Peers { dialling: Arc::new(dialling), links: BTreeMap::new(), removed }
    }

    /// Sets the members. An empty list is ignored: a member that has joined knows of none until it hears from the
    /// leader.
    pub fn update(&mut self, members: Vec<Listed>) {
        if members.is_empty() {
            return;
        }
        let is_member = |id: &MemberId| members.iter().any(|member| member.id == id.raft_id());
        let gone = self.links.extract_if(.., |id, _| !is_member(id)).map(|(id, _)| id);
        self.removed.lock().unwrap_or_else(PoisonError::into_inner).extend(gone);
        for member in members {
            self.reach(MemberId::from_raft(member.id), member.peer_urls);
        }
    }

    /// Sets the addresses at which a member is reached.
    pub fn reach(&mut self, id: MemberId, urls: Vec<String>) {
        if id == self.dialling.own || self.links.get(&id).is_some_and(|link| link.urls == urls) {
            return;
        }
        let (queue, messages) = channel::channel(QUEUE);
        let since = Arc::new(AtomicU64::new(0));
        let parsed: Vec<Url> = urls.iter().filter_map(|url| url.parse().ok()).collect();
        let link = keep_connected(Arc::clone(&self.dialling), id, parsed, messages, Arc::clone(&since));
        let task = self.dialling.runtime.spawn(link);
        self.links.insert(id, Link { urls, queue, since, task });
    }

    /// Sends a message, or drops it.
    pub fn send(&self, to: MemberId, message: Message) {
        let Some(link) = self.links.get(&to) else {
            if Etcd::wants_receipt(&message) {
                self.dialling.handle.send(Event::Receipt { to, arrived: false });
            }
            return;
        };
        if !Etcd::wants_receipt(&message) {
            let _ = link.queue.try_send(message);
            return;
        }
        let (dialling, urls) = (Arc::clone(&self.dialling), link.urls.clone());
        self.dialling.runtime.spawn(async move {
            let sent = timeout(SNAPSHOT_MAX, send_snapshot(&dialling, to, &urls, message)).await;
            let arrived = matches!(sent, Ok(Ok(())));
            if !arrived {
                tracing::warn!(%to, ?sent, "a snapshot did not arrive");
            }
            dialling.handle.send(Event::Receipt { to, arrived });
        });
    }

    /// For how long each member has been connected.
    pub fn connected(&self) -> Vec<(MemberId, u64)> {
        let now = self.dialling.clock.now().clock;
        let since = |link: &Link| Some(link.since.load(Ordering::Relaxed)).filter(|since| *since > 0);
        let connected =
            self.links.iter().filter_map(|(id, link)| Some((*id, now.saturating_sub(since(link)?))));
        connected.collect()
    }
}

/// Keeps a connection to a member, and sends on it.
async fn keep_connected(
    dialling: Arc<Dialling>,
    to: MemberId,
    urls: Vec<Url>,
    mut messages: channel::Receiver<Message>,
    since: Arc<AtomicU64>,
) {
    let mut complained = false;
    for url in urls.iter().cycle() {
        match open(&dialling, to, url).await {
            Ok(connection) => {
                complained = false;
                tracing::info!(%to, %url, "connected to a member");
                since.store(dialling.clock.now().clock, Ordering::Relaxed);
                // The messages that waited were for a connection that is gone.
                while messages.try_recv().is_ok() {}
                let ended = send_all(connection, &mut messages).await;
                since.store(0, Ordering::Relaxed);
                match ended {
                    Ok(()) => return,
                    Err(error) => tracing::info!(%to, %error, "lost the connection to a member"),
                }
            }
            Err(error) if !complained => {
                complained = true;
                tracing::info!(%to, %url, %error, "a member cannot be reached; still trying");
            }
            Err(_) => {}
        }
        sleep(REDIAL).await;
    }
}

/// A request to another member.
fn request(dialling: &Dialling, to: MemberId, url: &Url, path: &str, body: Bytes) -> Request<Full<Bytes>> {
    let request = Request::builder()
        .uri(path)
        .header("host", url.place.to_string())
        .header(CLUSTER, format!("{:x}", dialling.cluster))
        .header(FROM, format!("{:x}", dialling.own.raft_id()))
        .header(TO, format!("{:x}", to.raft_id()));
    request.body(Full::new(body)).expect("a path and headers without special letters")
}

/// Opens the connection for messages.
async fn open(dialling: &Dialling, to: MemberId, url: &Url) -> io::Result<impl net::Io + use<>> {
    let socket = net::dial(url, dialling.tls.as_ref()).await?;
    let mut request = request(dialling, to, url, MESSAGES, Bytes::new());
    let headers = request.headers_mut();
    headers.insert("connection", http::HeaderValue::from_static("upgrade"));
    headers.insert("upgrade", http::HeaderValue::from_static(PROTOCOL));
    let response = timeout(WRITE_MAX, ask(dialling, socket, request)).await??;
    match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => {
            let upgraded = hyper::upgrade::on(response).await.map_err(io::Error::other)?;
            Ok(TokioIo::new(upgraded))
        }
        StatusCode::GONE => {
            let message = Message::Peer(Box::new(PeerMessage::Removed));
            dialling.handle.send(Event::Message { from: to, message });
            Err(io::Error::other("the other member says that this one was removed from the cluster"))
        }
        status => Err(io::Error::other(format!("the other member answers {status}"))),
    }
}

async fn ask(
    dialling: &Dialling,
    socket: Socket,
    request: Request<Full<Bytes>>,
) -> io::Result<http::Response<hyper::body::Incoming>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(io::Error::other)?;
    dialling.runtime.spawn(connection.with_upgrades());
    sender.send_request(request).await.map_err(io::Error::other)
}

/// Sends messages until no more can come, or the connection breaks.
async fn send_all(connection: impl net::Io, messages: &mut channel::Receiver<Message>) -> io::Result<()> {
    let (mut reader, mut writer) = tokio::io::split(connection);
    let mut buffer = BytesMut::new();
    loop {
        // The other end never says anything: a read ends only with the connection.
        let message = poll_fn(|context| match messages.poll_recv(context) {
            Poll::Ready(message) => Poll::Ready(Ok(message)),
            Poll::Pending => {
                let mut nothing = [0; 1];
                let read = Pin::new(&mut reader).poll_read(context, &mut ReadBuf::new(&mut nothing));
                read.map(|_| Err(io::Error::from(io::ErrorKind::ConnectionReset)))
            }
        });
        let Some(message) = message.await? else { return Ok(()) };
        wire::put(&message, &mut buffer);
        while buffer.len() < 1 << 20
            && let Ok(message) = messages.try_recv()
        {
            wire::put(&message, &mut buffer);
        }
        timeout(WRITE_MAX, writer.write_all_buf(&mut buffer)).await??;
        timeout(WRITE_MAX, writer.flush()).await??;
        buffer.clear();
    }
}

/// Sends a snapshot, and waits until it has arrived.
async fn send_snapshot(
    dialling: &Dialling,
    to: MemberId,
    urls: &[String],
    message: Message,
) -> io::Result<()> {
    let Message::Raft(message) = message else { return Ok(()) };
    let body = protobuf::Message::write_to_bytes(&*message).map_err(io::Error::other)?;
    let body = Bytes::from(body);
    let mut failed = io::Error::other("it has no address");
    for url in urls.iter().filter_map(|url| url.parse::<Url>().ok()) {
        let attempt = async {
            let socket = net::dial(&url, dialling.tls.as_ref()).await?;
            let mut request = request(dialling, to, &url, SNAPSHOT, body.clone());
            *request.method_mut() = http::Method::POST;
            let response = ask(dialling, socket, request).await?;
            let status = response.status();
            response.into_body().collect().await.map_err(io::Error::other)?;
            if status.is_success() {
                Ok(())
            } else {
                Err(io::Error::other(format!("the answer is {status}")))
            }
        };
        match attempt.await {
            Ok(()) => return Ok(()),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Asks a member for the id of its cluster and for all members.
///
/// # Errors
/// It cannot be reached, or says nothing that makes sense.
pub async fn members_of(url: &Url, tls: Option<&ClientTls>) -> io::Result<(u64, Vec<Listed>)> {
    let (cluster, body) = get(url, tls, "/members", Bytes::new()).await?;
    let cluster = cluster.ok_or_else(|| io::Error::other("it does not say its cluster's id"))?;
    let members: Vec<Shown> = serde_json::from_slice(&body)?;
    Ok((cluster, members.into_iter().map(Listed::from).collect()))
}

/// Asks a member something over HTTP. Returns the id of its cluster, if it says one, and what it answers.
///
/// # Errors
/// It cannot be reached, or refuses.
pub async fn get(
    url: &Url,
    tls: Option<&ClientTls>,
    path: &str,
    body: Bytes,
) -> io::Result<(Option<u64>, Bytes)> {
    let socket = net::dial(url, tls).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let request = Request::builder().uri(path).header("host", url.place.to_string());
    let request = request.body(Full::new(body)).map_err(io::Error::other)?;
    let response = timeout(WRITE_MAX, sender.send_request(request)).await?.map_err(io::Error::other)?;
    let cluster =
        response.headers().get(CLUSTER).and_then(|id| u64::from_str_radix(id.to_str().ok()?, 16).ok());
    let status = response.status();
    let body =
        timeout(WRITE_MAX, response.into_body().collect()).await?.map_err(io::Error::other)?.to_bytes();
    match status.is_success() {
        true => Ok((cluster, body)),
        false => Err(io::Error::other(format!("{status}: {}", String::from_utf8_lossy(&body).trim()))),
    }
}

/// A member as `/members` shows it.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub struct Shown {
    id: u64,
    #[serde(rename = "peerURLs", default)]
    peer_urls: Vec<String>,
    #[serde(default)]
    name: String,
    #[serde(rename = "clientURLs", default)]
    client_urls: Vec<String>,
    #[serde(rename = "isLearner", default, skip_serializing_if = "std::ops::Not::not")]
    is_learner: bool,
}

impl From<Listed> for Shown {
    fn from(member: Listed) -> Shown {
        let Listed { id, name, peer_urls, client_urls, is_learner } = member;
        Shown { id, peer_urls, name, client_urls, is_learner }
    }
}

impl From<Shown> for Listed {
    fn from(member: Shown) -> Listed {
        let Shown { id, peer_urls, name, client_urls, is_learner } = member;
        Listed { id, name, peer_urls, client_urls, is_learner }
    }
}
