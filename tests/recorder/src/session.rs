//! One client's session with an etcd: it asks one thing after the other and writes down what was answered.
//!
//! Users log in as the simulator's clients do (`crates/cluster/src/clients/turns.rs`): before their first request, and
//! once more for a request that was refused because of the token. Only the last answer is written.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::time::{Duration, Instant};

use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{
    AuthenticateRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse, RangeRequest, RangeResponse,
    RangeStreamResponse, StatusRequest, WatchCancelRequest, WatchCreateRequest, WatchProgressRequest,
    WatchRequest, WatchResponse,
};
use api::{Error, Request, Response};
use etcdsim_server::client::Client;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::etcd::Etcd;

/// How long a stream may be silent before it counts as settled although it has not confirmed it: a stream whose watchers
/// all wait for a revision of the future never does.
const SILENCE_MAX: Duration = Duration::from_millis(700);
/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// A response, or the code and the text of an error.
pub type Answer = Result<Response, (i32, String)>;

/// A file.
pub struct Recording {
    /// etcd's version.
    pub version: String,
    /// How many answers it has; a watcher's counts as one, and so does each of its events.
    pub answers: usize,
    /// Its text.
    pub text: String,
}

/// See the head of this file.
pub struct Session<'a> {
    etcd: &'a Etcd,
    began: Instant,
    lines: String,
    answers: usize,
    anonymous: Client,
    users: BTreeMap<&'static str, User>,
    streams: BTreeMap<u32, Stream>,
    watchers: Vec<Watcher>,
    /// The newest revision that an answer named.
    pub revision: i64,
    /// The newest revision that was compacted.
    pub compacted: i64,
}

struct User {
    client: Client,
    /// Whether it must log in before its next request.
    needs_token: bool,
}

struct Stream {
    requests: mpsc::Sender<WatchRequest>,
    answers: Streaming<WatchResponse>,
    /// Watchers by id.
    ids: BTreeMap<i64, usize>,
}

struct Watcher {
    stream: u32,
    /// Everything that it was told, as one response.
    received: WatchResponse,
    /// Whether it can still be told something.
    open: bool,
}

impl<'a> Session<'a> {
    /// A session that has not begun.
    ///
    /// # Errors
    /// etcd cannot be reached.
    pub async fn new(etcd: &'a Etcd) -> io::Result<Session<'a>> {
        let anonymous = etcd.connect().await?;
        Ok(Session {
            etcd,
            began: Instant::now(),
            lines: String::new(),
            answers: 0,
            anonymous,
            users: BTreeMap::new(),
            streams: BTreeMap::new(),
            watchers: Vec::new(),
            revision: 1,
            compacted: 0,
        })
    }

    /// Asks without a user.
    pub async fn ask(&mut self, request: impl Into<Request>) -> Answer {
        self.ask_as(None, request).await
    }

    /// Asks as a user, whose password is its name.
    pub async fn ask_as(&mut self, user: Option<&'static str>, request: impl Into<Request>) -> Answer {
        let request = request.into();
        self.settle_before(&request).await;
        let mut client = self.client(user).await;
        let mut answer = plain(call(&mut client, request.clone()).await);
        if self.must_repeat(user, &answer) {
            let mut client = self.client(user).await;
            answer = plain(call(&mut client, request.clone()).await);
        }
        let timed = request.rpc_name().starts_with("Lease");
        let mut line = self.line(user, request.rpc_name(), request.to_json());
        if timed {
            line.insert("at".into(), json!(self.began.elapsed().as_millis() as u64));
        }
        self.answered(line, &answer);
        if let (Request::Compact(compact), Ok(_)) = (&request, &answer) {
            self.compacted = compact.revision;
        }
        answer
    }

    /// Asks for a range in chunks.
    pub async fn ask_streamed(&mut self, user: Option<&'static str>, request: RangeRequest) -> Answer {
        let mut client = self.client(user).await;
        let mut answer = chunks(&mut client, request.clone()).await;
        if self.must_repeat(user, &answer) {
            let mut client = self.client(user).await;
            answer = chunks(&mut client, request.clone()).await;
        }
        let mut line = self.line(user, "Range", Request::from(request).to_json());
        line.insert("streamed".into(), json!(true));
        self.answered(line, &answer);
        answer
    }

    /// Creates a watcher, on a stream that is opened if it is not open. Returns its number.
    pub async fn watch(
        &mut self,
        user: Option<&'static str>,
        stream: u32,
        create: WatchCreateRequest,
    ) -> usize {
        if !self.streams.contains_key(&stream) {
            let mut client = self.client(user).await;
            let (requests, up) = mpsc::channel(64);
            let answers = client.stream("/etcdserverpb.Watch/Watch", ReceiverStream::new(up));
            // etcd opens the stream when the first request comes.
            let first = request_of(RequestUnion::CreateRequest(create.clone()));
            requests.send(first).await.expect("there is room");
            let answers = answers.await.expect("etcd opens the stream");
            self.streams.insert(stream, Stream { requests, answers, ids: BTreeMap::new() });
        } else {
            self.send(stream, RequestUnion::CreateRequest(create.clone())).await;
        }
        let number = self.watchers.len();
        let mut line = self.line(user, "Watch", serde_json::to_value(&create).expect("a message is JSON"));
        line.insert("stream".into(), json!(stream));
        self.write(line);
        self.watchers.push(Watcher { stream, received: WatchResponse::default(), open: true });
        while !self.watchers[number].received.created {
            self.take(stream, Some(number), ANSWER_MAX).await.expect("etcd answers");
        }
        number
    }

    /// Cancels a watcher.
    pub async fn cancel(&mut self, number: usize) {
        if !self.watchers[number].open {
            return;
        }
        let (stream, watch_id) = (self.watchers[number].stream, self.watchers[number].received.watch_id);
        self.settle().await;
        self.send(stream, RequestUnion::CancelRequest(WatchCancelRequest { watch_id })).await;
        while self.watchers[number].open {
            self.take(stream, None, ANSWER_MAX).await.expect("etcd answers");
        }
        let mut line = Map::new();
        line.insert("rpc".into(), json!("WatchCancel"));
        line.insert("watcher".into(), json!(number));
        self.write(line);
    }

    /// Closes a stream with all its watchers.
    pub async fn close(&mut self, stream: u32) {
        self.settle().await;
        if self.streams.remove(&stream).is_none() {
            return;
        }
        self.watchers.iter_mut().filter(|watcher| watcher.stream == stream).for_each(|one| one.open = false);
        let mut line = Map::new();
        line.insert("rpc".into(), json!("WatchClose"));
        line.insert("stream".into(), json!(stream));
        self.write(line);
    }

    /// Lets time pass.
    pub async fn wait(&mut self, time: Duration) {
        sleep(time).await;
        let mut line = Map::new();
        line.insert("rpc".into(), json!("Wait"));
        line.insert("at".into(), json!(self.began.elapsed().as_millis() as u64));
        line.insert("ms".into(), json!(time.as_millis() as u64));
        self.write(line);
    }

    /// The watchers that can be told something.
    pub fn open_watchers(&self) -> Vec<usize> {
        (0..self.watchers.len()).filter(|number| self.watchers[*number].open).collect()
    }

    /// The file of the session, which has ended.
    ///
    /// # Errors
    /// etcd does not say which version it is.
    pub async fn finish(mut self, seed: u64) -> io::Result<Recording> {
        self.settle().await;
        for (number, watcher) in std::mem::take(&mut self.watchers).into_iter().enumerate() {
            let mut line = Map::new();
            line.insert("rpc".into(), json!("Watched"));
            line.insert("watcher".into(), json!(number));
            self.answers += 1 + watcher.received.events.len();
            let received = serde_json::to_value(&watcher.received).expect("a message is JSON");
            line.insert("response".into(), received);
            self.write(line);
        }
        let mut client = self.client(self.users.contains_key("root").then_some("root")).await;
        let Ok(Response::Status(status)) = call(&mut client, StatusRequest {}.into()).await else {
            return Err(io::Error::other("etcd has no status"));
        };
        let header = status.header.unwrap_or_default();
        let first = json!({
            "server": "etcd", "version": status.version, "seed": seed,
            "cluster_id": header.cluster_id.to_string(), "member_id": header.member_id.to_string(),
        });
        let text = format!("{first}\n{}", self.lines);
        Ok(Recording { version: status.version, answers: self.answers, text })
    }

    // ---- users ----------------------------------------------------------------------------------

    /// The connection of a user, which has logged in if it must.
    async fn client(&mut self, user: Option<&'static str>) -> Client {
        let Some(name) = user else { return self.anonymous.clone() };
        if !self.users.contains_key(name) {
            let client = self.etcd.connect().await.expect("etcd serves");
            self.users.insert(name, User { client, needs_token: true });
        }
        let etcd = self.etcd;
        let user = self.users.get_mut(name).expect("it was just put in");
        if std::mem::take(&mut user.needs_token) {
            let login = AuthenticateRequest { name: name.into(), password: name.into() };
            // A connection without the old token.
            user.client = etcd.connect().await.expect("etcd serves");
            if let Ok(Response::Authenticate(answer)) = call(&mut user.client, login.into()).await {
                user.client.set_token(&answer.token).expect("a token is text");
            }
        }
        user.client.clone()
    }

    /// Whether the user must log in and ask again.
    fn must_repeat(&mut self, user: Option<&'static str>, answer: &Answer) -> bool {
        let Some(user) = user.and_then(|name| self.users.get_mut(name)) else { return false };
        let Err((_, text)) = answer else { return false };
        user.needs_token = matches!(
            Error::from_text(text),
            Some(Error::InvalidAuthToken | Error::AuthOldRevision | Error::UserEmpty)
        );
        user.needs_token
    }

    // ---- watches --------------------------------------------------------------------------------

    async fn send(&mut self, stream: u32, what: RequestUnion) {
        let sent = self.streams[&stream].requests.send(request_of(what)).await;
        sent.expect("etcd keeps the stream open");
    }

    /// Takes one response of a stream. `creating` is the watcher that was requested last, if it was not created yet.
    /// Returns the revision of a progress notification for the whole stream, and `None` if nothing came in time.
    async fn take(&mut self, stream: u32, creating: Option<usize>, wait: Duration) -> Option<Option<i64>> {
        let state = self.streams.get_mut(&stream).expect("it is open");
        let response = timeout(wait, state.answers.message()).await.ok()?;
        let response = response.expect("etcd keeps the stream open").expect("etcd does not end the stream");
        let revision = response.header.as_ref().map_or(0, |header| header.revision);
        if response.created {
            let number = creating.expect("only what was requested is created");
            if !response.canceled {
                state.ids.insert(response.watch_id, number);
            }
            self.watchers[number].open = !response.canceled;
            self.watchers[number].received = WatchResponse { header: None, ..response };
            return Some(None);
        }
        if response.watch_id == -1 && response.events.is_empty() && !response.canceled {
            return Some(Some(revision));
        }
        let number = state.ids[&response.watch_id];
        let watcher = &mut self.watchers[number];
        watcher.received.events.extend(response.events);
        if response.canceled {
            state.ids.remove(&response.watch_id);
            watcher.open = false;
            watcher.received.canceled = true;
            watcher.received.compact_revision = response.compact_revision;
            watcher.received.cancel_reason = response.cancel_reason;
        }
        Some(None)
    }

    /// Before a request that watchers may not survive, or that changes what they may see.
    async fn settle_before(&mut self, request: &Request) {
        let kept = matches!(
            request,
            Request::Range(_) | Request::Put(_) | Request::DeleteRange(_) | Request::Txn(_)
        );
        if !kept {
            self.settle().await;
        }
    }

    /// Waits until every watcher was told everything.
    async fn settle(&mut self) {
        let streams: Vec<u32> = self.streams.keys().copied().collect();
        for stream in streams {
            if self.streams[&stream].ids.is_empty() {
                continue;
            }
            let begun = Instant::now();
            'asked: while begun.elapsed() < SILENCE_MAX {
                self.send(stream, RequestUnion::ProgressRequest(WatchProgressRequest {})).await;
                while let Some(progress) = self.take(stream, None, Duration::from_millis(120)).await {
                    if progress.is_some_and(|revision| revision >= self.revision) {
                        break 'asked;
                    }
                }
            }
        }
    }

    // ---- lines ----------------------------------------------------------------------------------

    fn line(&self, user: Option<&str>, rpc: &str, request: Value) -> Map<String, Value> {
        let mut line = Map::new();
        line.insert("rpc".into(), json!(rpc));
        if let Some(user) = user {
            line.insert("user".into(), json!(user));
        }
        line.insert("request".into(), request);
        line
    }

    fn answered(&mut self, mut line: Map<String, Value>, answer: &Answer) {
        self.answers += 1;
        match answer {
            Ok(response) => {
                if let Some(header) = response.header() {
                    self.revision = self.revision.max(header.revision);
                }
                let mut response = response.clone();
                // They are the same in every answer, and a reader does not compare them.
                if let Some(header) = response.header_mut() {
                    (header.cluster_id, header.member_id, header.raft_term) = (0, 0, 0);
                }
                line.insert("response".into(), response.to_json());
            }
            Err((code, message)) => {
                line.insert("error".into(), json!({"code": code, "message": message}));
            }
        }
        self.write(line);
    }

    fn write(&mut self, line: Map<String, Value>) {
        writeln!(self.lines, "{}", Value::Object(line)).expect("text grows");
    }
}

fn request_of(what: RequestUnion) -> WatchRequest {
    WatchRequest { request_union: Some(what) }
}

fn plain(answer: Result<Response, Status>) -> Answer {
    answer.map_err(|status| (status.code() as i32, status.message().to_string()))
}

/// Makes a call; a keep-alive is one round on a stream of its own.
async fn call(client: &mut Client, request: Request) -> Result<Response, Status> {
    let late = |_| Err(Status::deadline_exceeded("the recorder waits no longer"));
    let Request::LeaseKeepAlive(keep_alive) = request else {
        return timeout(ANSWER_MAX, client.call(request)).await.unwrap_or_else(late);
    };
    let renew = async {
        let requests = tokio_stream::once(keep_alive);
        let mut answers = client
            .stream::<LeaseKeepAliveRequest, LeaseKeepAliveResponse>(
                "/etcdserverpb.Lease/LeaseKeepAlive",
                requests,
            )
            .await?;
        let answer = answers.message().await?;
        Ok(answer.ok_or_else(|| Status::internal("etcd has ended the stream"))?.into())
    };
    timeout(ANSWER_MAX, renew).await.unwrap_or_else(late)
}

/// Requests a range in chunks and merges them.
async fn chunks(client: &mut Client, request: RangeRequest) -> Answer {
    let merged = async {
        let mut chunks: Streaming<RangeStreamResponse> =
            client.listen("/etcdserverpb.KV/RangeStream", request).await?;
        let mut whole = RangeResponse::default();
        while let Some(chunk) = chunks.message().await? {
            api::merge(&mut whole, &chunk);
        }
        Ok(whole.into())
    };
    plain(merged.await)
}
