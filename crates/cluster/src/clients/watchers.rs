//! What a client does with its watchers, as etcd's Go client does it (`client/v3/watch.go`). It opens them and
//! takes their events. When their stream breaks, it waits a little, opens a new stream to its next endpoint,
//! and requests each watcher again from the revision after the last one it has seen.
//!
//! If the start revision of a watcher was compacted, one of three things happens, as its act says. The watcher
//! is given up; or it continues at the compaction's revision; or, if it keeps a copy of its keys (it
//! *follows*), the keys are listed again and then watched. A follower also lists again when a delete event
//! lacks the deleted pair, which a watch of Kubernetes treats as an error.
//!
//! Terms: a client gives its streams its own *numbers*; the history has other numbers for them. A *serial*
//! counts the watchers of one client; the member's id of a watcher is known only once it is created.

use std::collections::{BTreeMap, VecDeque};

use api::Error;
use api::etcdserverpb::watch_create_request::FilterType;
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{
    WatchCancelRequest, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse,
};
use api::mvccpb::Event;
use api::mvccpb::event::EventType;
use plan::Failover;
use plan::act::{Follow, Start, Watch};
use record::{MemberId, Nanos, Probe};
use world::Party;
use world::clock::{MILLISECOND, SECOND};

use super::acts::Command;
use super::{Client, Clients, Login, LoginState};
use crate::caller_event::CallerEvent;
use crate::desk::Desk;
use crate::etcd::View;

/// How long a client waits before it reopens a stream for the first time: the longest `backoff` in
/// `client/v3/watch.go`.
const REOPEN_WAIT_MIN: Nanos = 100 * MILLISECOND;
/// The longest wait, after several failures in a row. The number is our choice.
const REOPEN_WAIT_MAX: Nanos = 2 * SECOND;
/// The time between two progress requests on a stream in the settle phase. The number is our choice.
const PROGRESS_INTERVAL: Nanos = 500 * MILLISECOND;

/// The watchers of one client.
#[derive(Default)]
pub(super) struct Watchers {
    /// Streams, by the client's own numbers.
    streams: BTreeMap<u32, ClientStream>,
    /// Watchers, by serial.
    all: BTreeMap<u64, Watcher>,
    /// The serial of the newest watcher of each name in the plan.
    names: BTreeMap<u32, u64>,
    /// The last revision that a watcher of each name has seen.
    last: BTreeMap<u32, i64>,
    /// How many watchers were opened; the last serial.
    opened: u64,
}

/// A stream as its client knows it.
#[derive(Default)]
struct ClientStream {
    /// Its number in the history; `None` while the stream is not open.
    stream: Option<u64>,
    /// Serials of watchers that were requested and are not created yet, in the order of the requests.
    creating: VecDeque<u64>,
    /// Serials of the created watchers, by their ids at the member.
    ids: BTreeMap<i64, u64>,
    /// How long the client waits before it reopens the stream the next time.
    wait: Nanos,
    /// When the client last sent a progress request on it.
    asked: Nanos,
}

/// One watcher.
struct Watcher {
    watch: Watch,
    /// If it follows: the keys of its copy, and how to list them again.
    follow: Option<Follow>,
    /// The revision from which it is requested next; 0 means from its creation on.
    next: i64,
    /// The revision up to which it has received every event.
    seen: i64,
    /// Its id at the member, once it is created.
    id: Option<i64>,
    /// Whether its client no longer wants it.
    cancelled: bool,
    /// Events of a response that came in fragments, until the last fragment has come.
    parts: Vec<Event>,
}

/// A message on a watch stream.
fn watch_request(union: RequestUnion) -> WatchRequest {
    WatchRequest { request_union: Some(union) }
}

impl Watcher {
    fn new(watch: Watch, next: i64, follow: Option<Follow>) -> Watcher {
        Watcher { watch, follow, next, seen: 0, id: None, cancelled: false, parts: Vec::new() }
    }

    /// The request that creates it.
    fn request(&self) -> WatchRequest {
        let filters = [(self.watch.no_put, FilterType::Noput), (self.watch.no_delete, FilterType::Nodelete)];
        watch_request(RequestUnion::CreateRequest(WatchCreateRequest {
            key: self.watch.keys.key.clone(),
            range_end: self.watch.keys.end.clone(),
            start_revision: self.next,
            progress_notify: self.watch.progress,
            filters: filters.iter().filter(|(on, _)| *on).map(|(_, filter)| *filter as i32).collect(),
            prev_kv: self.watch.prev_kv,
            watch_id: self.watch.id,
            fragment: self.watch.fragment,
        }))
    }

    /// Notes that it has received every event up to `revision`.
    fn note_seen(&mut self, revision: i64) {
        self.seen = self.seen.max(revision);
        self.next = self.next.max(revision + 1);
    }
}

impl Watchers {
    /// The client's state of the stream with this number in the history, if it is open.
    fn client_stream_of(&mut self, stream: u64) -> Option<&mut ClientStream> {
        self.streams.values_mut().find(|client_stream| client_stream.stream == Some(stream))
    }

    /// The number in the history of a client's stream, if it is open.
    fn stream_number(&self, number: u32) -> Option<u64> {
        self.streams.get(&number)?.stream
    }

    /// The watchers on a stream that the client has not cancelled, with their serials.
    fn wanted(&self, number: u32) -> impl Iterator<Item = (u64, &Watcher)> {
        let on_stream = move |watcher: &Watcher| watcher.watch.stream == number && !watcher.cancelled;
        self.all
            .iter()
            .filter(move |(_, watcher)| on_stream(watcher))
            .map(|(serial, watcher)| (*serial, watcher))
    }

    /// Removes a watcher.
    fn forget(&mut self, serial: u64) -> Option<Watcher> {
        let watcher = self.all.remove(&serial)?;
        if self.names.get(&watcher.watch.name) == Some(&serial) {
            self.names.remove(&watcher.watch.name);
        }
        Some(watcher)
    }
}

impl Client {
    /// The watcher with this serial, if it still exists.
    fn watcher(&mut self, serial: u64) -> Option<&mut Watcher> {
        self.watchers.all.get_mut(&serial)
    }
}

impl Clients {
    /// Carries out an act's command about watches.
    pub(super) fn command(&mut self, desk: &mut Desk<'_>, client: usize, command: Command) {
        match command {
            Command::Watch(watch) => {
                let state = &self.all[client];
                let newest = self.memories[state.memory].newest();
                let next = match watch.from {
                    Start::Now => 0,
                    Start::At(revision) => revision,
                    Start::Seen(offset) => newest.saturating_add(offset).max(1),
                    Start::Last => state.watchers.last.get(&watch.name).map_or(1, |last| last + 1),
                };
                desk.count_work("watches");
                self.open_watcher(desk, client, Watcher::new(watch, next, None));
            }
            Command::Follow(follow, next) => {
                // The options of Kubernetes (`apiserver/pkg/storage/etcd3/watcher.go`).
                let watch = Watch {
                    keys: follow.keys.clone(),
                    prev_kv: true,
                    progress: true,
                    name: follow.name,
                    stream: follow.stream,
                    ..Watch::default()
                };
                desk.count_work("watches");
                self.open_watcher(desk, client, Watcher::new(watch, next, Some(follow)));
            }
            Command::Cancel(name) => {
                if let Some(serial) = self.all[client].watchers.names.get(&name).copied() {
                    self.cancel(desk, client, serial);
                }
            }
            Command::Progress(number) => self.ask_progress(desk, client, number),
            Command::Close(number) => {
                let watchers = &mut self.all[client].watchers;
                let client_stream = watchers.streams.remove(&number);
                let gone: Vec<u64> = (watchers.all.iter())
                    .filter(|(_, watcher)| watcher.watch.stream == number)
                    .map(|(serial, _)| *serial)
                    .collect();
                gone.into_iter().for_each(|serial| {
                    watchers.forget(serial);
                });
                if let Some(stream) = client_stream.and_then(|client_stream| client_stream.stream) {
                    self.close_stream(desk, stream);
                }
            }
        }
    }

    /// Adds a watcher and requests it.
    fn open_watcher(&mut self, desk: &mut Desk<'_>, client: usize, watcher: Watcher) {
        let watchers = &mut self.all[client].watchers;
        watchers.opened += 1;
        let serial = watchers.opened;
        watchers.names.insert(watcher.watch.name, serial);
        let number = watcher.watch.stream;
        watchers.all.insert(serial, watcher);
        self.create(desk, client, number, serial);
    }

    /// Requests a watcher on its stream, and opens the stream first if it is not open.
    fn create(&mut self, desk: &mut Desk<'_>, client: usize, number: u32, serial: u64) {
        let stream = match self.all[client].watchers.stream_number(number) {
            Some(stream) => stream,
            None => self.open_stream(desk, client, number),
        };
        let client_stream = self.all[client].watchers.streams.entry(number).or_default();
        client_stream.stream = Some(stream);
        client_stream.creating.push_back(serial);
        let Some(watcher) = self.all[client].watcher(serial) else { return };
        watcher.id = None;
        watcher.parts.clear();
        let request = watcher.request();
        self.send_on_stream(desk, stream, request);
    }

    /// The client no longer wants a watcher. If it is not created yet, the client cancels it once it is.
    fn cancel(&mut self, desk: &mut Desk<'_>, client: usize, serial: u64) {
        let Some(watcher) = self.all[client].watcher(serial) else { return };
        watcher.cancelled = true;
        let (id, number) = (watcher.id, watcher.watch.stream);
        match (id, self.all[client].watchers.stream_number(number)) {
            (Some(watch_id), Some(stream)) => {
                let cancel = watch_request(RequestUnion::CancelRequest(WatchCancelRequest { watch_id }));
                self.send_on_stream(desk, stream, cancel);
            }
            (None, Some(_)) => {}
            (_, None) => {
                self.all[client].watchers.forget(serial);
            }
        }
    }

    /// Sends a progress request on a stream, if it is open.
    fn ask_progress(&mut self, desk: &mut Desk<'_>, client: usize, number: u32) {
        let now = desk.now();
        let Some(client_stream) = self.all[client].watchers.streams.get_mut(&number) else {
            return;
        };
        let Some(stream) = client_stream.stream else { return };
        client_stream.asked = now;
        self.send_on_stream(
            desk,
            stream,
            watch_request(RequestUnion::ProgressRequest(WatchProgressRequest {})),
        );
    }

    /// A client takes a response of a stream.
    pub(super) fn take_watch_response(
        &mut self,
        desk: &mut Desk<'_>,
        client: usize,
        stream: u64,
        response: &WatchResponse,
    ) {
        let revision = response.header.as_ref().map_or(0, |header| header.revision);
        let state = &mut self.all[client];
        self.memories[state.memory].sees(revision);
        let Some(client_stream) = state.watchers.client_stream_of(stream) else { return };
        client_stream.wait = REOPEN_WAIT_MIN;
        if response.created {
            let Some(serial) = client_stream.creating.pop_front() else { return };
            if response.canceled {
                state.watchers.forget(serial);
                return desk.count_work("watches-refused");
            }
            client_stream.ids.insert(response.watch_id, serial);
            let Some(watcher) = state.watcher(serial) else { return };
            watcher.id = Some(response.watch_id);
            if watcher.next == 0 {
                watcher.note_seen(revision);
            }
            if watcher.cancelled {
                self.cancel(desk, client, serial);
            }
            return;
        }
        if response.canceled {
            if let Some(serial) = client_stream.ids.remove(&response.watch_id) {
                self.cancelled(desk, client, serial, response.compact_revision);
            }
            return;
        }
        if response.watch_id < 0 {
            // The answer to a progress request. It holds for all watchers of the stream.
            let serials: Vec<u64> = client_stream.ids.values().copied().collect();
            serials.into_iter().for_each(|serial| self.progressed(client, serial, revision));
            return;
        }
        let Some(serial) = client_stream.ids.get(&response.watch_id).copied() else { return };
        if response.events.is_empty() && !response.fragment {
            return self.progressed(client, serial, revision);
        }
        let Some(watcher) = state.watcher(serial) else { return };
        watcher.parts.extend(response.events.iter().cloned());
        if !response.fragment {
            let events = std::mem::take(&mut watcher.parts);
            self.received(desk, client, serial, &events);
        }
    }

    /// A progress notification says that a watcher has received every event up to `revision`.
    fn progressed(&mut self, client: usize, serial: u64, revision: i64) {
        let state = &mut self.all[client];
        let memory = state.memory;
        let Some(watcher) = state.watcher(serial) else { return };
        watcher.note_seen(revision);
        // After a cancellation the keys were listed again, and the old watcher must not touch the new copy.
        if let Some(follow) = watcher.follow.as_ref().filter(|_| !watcher.cancelled)
            && let Some(copy) = self.memories[memory].copies.get_mut(&follow.keys)
        {
            copy.revision = copy.revision.max(revision);
        }
    }

    /// A watcher receives events.
    fn received(&mut self, desk: &mut Desk<'_>, client: usize, serial: u64, events: &[Event]) {
        let state = &mut self.all[client];
        let memory = state.memory;
        let Some(watcher) = state.watcher(serial) else { return };
        let revisions = events.iter().filter_map(|event| event.kv.as_ref()).map(|kv| kv.mod_revision);
        let last = revisions.max().unwrap_or(0);
        watcher.note_seen(last);
        let (name, follow) = (watcher.watch.name, watcher.follow.clone().filter(|_| !watcher.cancelled));
        let seen = state.watchers.last.entry(name).or_default();
        *seen = (*seen).max(last);
        let Some(follow) = follow else { return };
        let lacks_pair = |event: &Event| event.r#type == EventType::Delete as i32 && event.prev_kv.is_none();
        if events.iter().any(lacks_pair) {
            desk.count_work("watch-errors");
            self.cancel(desk, client, serial);
            return self.list_again(desk, client, follow);
        }
        if let Some(copy) = self.memories[memory].copies.get_mut(&follow.keys) {
            copy.apply(events);
        }
    }

    /// Schedules a new list of the keys of a copy.
    fn list_again(&mut self, desk: &mut Desk<'_>, client: usize, follow: Follow) {
        desk.count_probe(Probe::Relists);
        self.all[client].relists.push_back(follow);
        self.schedule_client(desk, client);
    }

    /// The member has cancelled a watcher: on request, or because its start revision was compacted, or because
    /// the client has no permission.
    fn cancelled(&mut self, desk: &mut Desk<'_>, client: usize, serial: u64, compact_revision: i64) {
        let Some(mut watcher) = self.all[client].watchers.forget(serial) else { return };
        if watcher.cancelled {
            return;
        }
        if compact_revision <= 0 {
            return desk.count_work("watches-cancelled");
        }
        desk.count_probe(Probe::WatchesCompacted);
        if let Some(follow) = watcher.follow {
            self.list_again(desk, client, follow);
        } else if watcher.watch.skip {
            watcher.next = compact_revision;
            self.open_watcher(desk, client, watcher);
        }
    }

    /// A stream broke. Its watchers wait until it is reopened to another endpoint.
    pub(super) fn stream_lost(
        &mut self,
        desk: &mut Desk<'_>,
        client: usize,
        number: u32,
        stream: u64,
        error: Option<Error>,
    ) {
        let now = desk.now();
        let state = &mut self.all[client];
        if let Some(login) = &mut state.login
            && login.state == LoginState::Done
            && error.is_some_and(Login::is_refused)
        {
            // The member does not accept the token: the client must log in again.
            (login.token, login.state) = (None, LoginState::Needed);
        }
        let Some(client_stream) = state.watchers.client_stream_of(stream) else { return };
        client_stream.stream = None;
        client_stream.creating.clear();
        client_stream.ids.clear();
        let wait = client_stream.wait.max(REOPEN_WAIT_MIN);
        client_stream.wait = (wait * 2).min(REOPEN_WAIT_MAX);
        let on_stream = |watcher: &Watcher| watcher.watch.stream == number;
        let unwanted: Vec<u64> = (state.watchers.all.iter())
            .filter(|(_, watcher)| on_stream(watcher) && watcher.cancelled)
            .map(|(serial, _)| *serial)
            .collect();
        unwanted.into_iter().for_each(|serial| {
            state.watchers.forget(serial);
        });
        let at = state.after(now, wait);
        if at != Nanos::MAX && state.watchers.all.values().any(on_stream) {
            desk.orders.at(at, CallerEvent::StreamResume { client, number });
        }
    }

    /// A client reopens a stream, and requests each of its watchers again from the revision that the watcher had
    /// reached.
    pub(crate) fn stream_resume(&mut self, desk: &mut Desk<'_>, client: usize, number: u32) {
        let watchers = &self.all[client].watchers;
        let Some(client_stream) = watchers.streams.get(&number) else { return };
        let is_requested = |serial: &u64, watcher: &Watcher| {
            watcher.id.is_some_and(|id| client_stream.ids.get(&id) == Some(serial))
                || client_stream.creating.contains(serial)
        };
        let waiting: Vec<u64> = (watchers.wanted(number))
            .filter(|(serial, watcher)| !is_requested(serial, watcher))
            .map(|(serial, _)| serial)
            .collect();
        for serial in waiting {
            desk.count_probe(Probe::WatchesResumed);
            self.create(desk, client, number, serial);
        }
    }

    // ---- the settle phase -------------------------------------------------------------------------

    /// Requests progress on every open stream that is behind `revision`.
    ///
    /// A watcher whose start is after `revision` is cancelled first: a member does not answer a progress request
    /// while a stream has such a watcher (`progressIfSync` of etcd since 3.5.22, issue 20221).
    pub(crate) fn poll_watches(&mut self, desk: &mut Desk<'_>, revision: i64) {
        let now = desk.now();
        for client in 0..self.all.len() {
            let watchers = &self.all[client].watchers;
            let behind = |number: &u32| watchers.wanted(*number).any(|(_, watcher)| watcher.seen < revision);
            let streams = watchers.streams.keys().filter(|number| behind(number));
            let future: Vec<u64> = streams
                .flat_map(|number| watchers.wanted(*number))
                .filter(|(_, watcher)| watcher.next > revision && !watcher.cancelled && watcher.id.is_some())
                .map(|(serial, _)| serial)
                .collect();
            future.into_iter().for_each(|serial| self.cancel(desk, client, serial));
        }
        let behind = |state: &Client, number: u32, client_stream: &ClientStream| {
            client_stream.stream.is_some()
                && now >= client_stream.asked + PROGRESS_INTERVAL
                && state.watchers.wanted(number).any(|(_, watcher)| watcher.seen < revision)
        };
        for client in 0..self.all.len() {
            let state = &self.all[client];
            let to_ask: Vec<u32> = (state.watchers.streams.iter())
                .filter(|(number, client_stream)| behind(state, **number, client_stream))
                .map(|(number, _)| *number)
                .collect();
            to_ask.into_iter().for_each(|number| self.ask_progress(desk, client, number));
        }
    }

    /// Which watches have not received everything up to `revision`, one sentence for each. Only watches at members of
    /// `core` count, and only if client and member can reach each other.
    pub(crate) fn watches_behind(&self, view: &View<'_>, revision: i64, core: &[MemberId]) -> Vec<String> {
        let mut behind = Vec::new();
        for (at, client) in self.all.iter().enumerate() {
            let connected = |member: MemberId| {
                core.contains(&member) && !view.unreliable(Party::Member(member), Party::Client(at))
            };
            // A learner serves neither new watches nor lists.
            let reaches =
                |member: MemberId| connected(member) && view.configuration().voters.contains(&member);
            // A client that asks its members in turn keeps coming back to one that it cannot reach. It may then never
            // complete a list of several pages.
            let is_served = match client.plan.failover {
                Failover::RoundRobin => client.endpoints.iter().all(|member| reaches(*member)),
                Failover::Pinned | Failover::OnTrouble => reaches(client.member()),
            };
            if !client.relists.is_empty() && is_served {
                behind.push(format!("Client {at} has not relisted the keys it follows."));
            }
            for (number, client_stream) in &client.watchers.streams {
                if let Some(stream) =
                    client_stream.stream.filter(|stream| connected(self.streams.member(*stream)))
                    && !client_stream.creating.is_empty()
                {
                    behind.push(format!("Stream {stream} of client {at} has creations without an answer."));
                }
                let least = client.watchers.wanted(*number).map(|(_, watcher)| watcher.seen).min();
                let Some(least) = least.filter(|least| *least < revision) else { continue };
                let sentence = match client_stream.stream {
                    Some(stream) if connected(self.streams.member(stream)) => format!(
                        "Stream {stream} of client {at} at member {} has shown everything up to revision {least}, not {revision}.",
                        self.streams.member(stream)
                    ),
                    None if is_served => format!("Client {at} has not opened its watch stream again."),
                    _ => continue,
                };
                behind.push(sentence);
            }
        }
        behind
    }
}
