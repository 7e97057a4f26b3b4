//! Tests of the watch hub. A [`Rig`] has a small store, a hub, and clients that read their responses or do
//! not. The tests compare responses in a short form, which [`show`] explains.

mod delivery;
mod every_change;
mod progress;
mod resync;
mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::Error;
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{
    WatchCancelRequest, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse,
};
use api::mvccpb::Event;
use api::mvccpb::event::EventType;
use record::Probe;

use super::Hub;
use crate::config::Config;
use crate::flaw::Flaw;
use crate::mvcc::{KeyRange, Store, Write};

const MS: u64 = 1_000_000;

struct Rig {
    store: Store,
    hub: Hub,
    now: u64,
    /// Streams whose clients read nothing.
    stalled: BTreeSet<u64>,
    /// How many responses are in flight to each of those.
    unread: BTreeMap<u64, usize>,
    /// What the transport was given since the last [`Rig::seen`], with the stream of each.
    received: Vec<(u64, WatchResponse)>,
}

impl Rig {
    fn new() -> Rig {
        Rig::with(|_| {})
    }

    fn flawed(flaw: Option<Flaw>) -> Rig {
        Rig::flawed_with(flaw, |_| {})
    }

    fn with(set: impl FnOnce(&mut Config)) -> Rig {
        Rig::flawed_with(None, set)
    }

    fn flawed_with(flaw: Option<Flaw>, set: impl FnOnce(&mut Config)) -> Rig {
        let mut config = Config::new(record::MemberId::new(1), Arc::new([]));
        flaw.into_iter().for_each(|flaw| config.flaws.insert(flaw));
        set(&mut config);
        Rig {
            store: Store::new(),
            hub: Hub::new(&config),
            now: 0,
            stalled: BTreeSet::new(),
            unread: BTreeMap::new(),
            received: Vec::new(),
        }
    }

    // ---- the store ------------------------------------------------------------------------------

    fn write(&mut self, write: impl FnOnce(&mut Write<'_>)) {
        write(&mut self.store.write());
        self.hub.changed(&self.store);
    }

    fn put(&mut self, key: &str, value: impl ToString) {
        self.write(|write| put(write, key, value));
    }

    fn delete(&mut self, key: &str) {
        self.write(|write| delete(write, key));
    }

    fn compact(&mut self, revision: i64) {
        self.store.compact(revision).unwrap();
    }

    /// Changes the store as a snapshot does: the hub does not see the changes one by one.
    fn snapshot(&mut self, write: impl FnOnce(&mut Store)) {
        write(&mut self.store);
        self.hub.replaced(&self.store);
    }

    // ---- the clients ----------------------------------------------------------------------------

    fn say(&mut self, stream: u64, request: RequestUnion, permitted: Result<(), Error>) {
        let request = WatchRequest { request_union: Some(request) };
        self.hub.request(&self.store, self.now, stream, request, permitted);
    }

    fn create(&mut self, stream: u64, create: WatchCreateRequest) {
        self.say(stream, RequestUnion::CreateRequest(create), Ok(()));
    }

    fn cancel(&mut self, stream: u64, watch_id: i64) {
        self.say(stream, RequestUnion::CancelRequest(WatchCancelRequest { watch_id }), Ok(()));
    }

    fn ask_progress(&mut self, stream: u64) {
        self.say(stream, RequestUnion::ProgressRequest(WatchProgressRequest {}), Ok(()));
    }

    fn stall(&mut self, stream: u64) {
        self.stalled.insert(stream);
    }

    /// The client reads what it was sent, and keeps reading.
    fn resume(&mut self, stream: u64) {
        self.stalled.remove(&stream);
        for _ in 0..self.unread.remove(&stream).unwrap_or_default() {
            self.hub.taken(stream);
        }
    }

    /// Does what the member does with the hub at the end of a step: nothing while nothing is due.
    fn step(&mut self) {
        if self.now < self.hub.due_at() {
            return;
        }
        self.hub.look_after(&self.store, self.now);
        loop {
            let mut out = Vec::new();
            self.hub.drain(&self.store, &mut out);
            if out.is_empty() {
                return;
            }
            for (stream, response) in out {
                if self.stalled.contains(&stream) {
                    *self.unread.entry(stream).or_default() += 1;
                } else {
                    self.hub.taken(stream);
                }
                self.received.push((stream, response));
            }
        }
    }

    /// Lets time pass and wakes the hub when it is due. Returns how often.
    fn wait(&mut self, time: u64) -> usize {
        let end = self.now + time;
        let mut wakes = 0;
        self.step();
        while self.hub.wake_at() <= end {
            assert!(self.hub.wake_at() > self.now || wakes == 0, "the hub wants to be woken in the past");
            self.now = self.now.max(self.hub.wake_at());
            self.step();
            wakes += 1;
        }
        self.now = end;
        wakes
    }

    /// What was received since the last call on all streams, in a short form.
    fn seen(&mut self) -> Vec<String> {
        self.step();
        std::mem::take(&mut self.received).iter().map(|(_, response)| show(response)).collect()
    }

    fn probes(&mut self) -> Vec<Probe> {
        self.hub.take_probes().into_iter().collect()
    }
}

fn put(write: &mut Write<'_>, key: &str, value: impl ToString) {
    write.put(&key.to_owned().into(), value.to_string().into(), 0);
}

fn delete(write: &mut Write<'_>, key: &str) {
    write.delete(KeyRange::Single(key.as_bytes()));
}

/// A watch on one key from now on.
fn on(key: &str) -> WatchCreateRequest {
    WatchCreateRequest { key: key.to_owned().into(), ..WatchCreateRequest::default() }
}

/// A watch on `[key, end)` from now on.
fn between(key: &str, end: &str) -> WatchCreateRequest {
    WatchCreateRequest { range_end: end.to_owned().into(), ..on(key) }
}

/// Makes a watch start at a revision.
fn from(start_revision: i64, create: WatchCreateRequest) -> WatchCreateRequest {
    WatchCreateRequest { start_revision, ..create }
}

/// `ID @REVISION`, flags, `KEY=VALUE@REVISION` for puts and `KEY-@REVISION` for deletions, with `^VALUE` for
/// the previous value, and `...` if fragments follow.
fn show(response: &WatchResponse) -> String {
    let mut text = format!("{} @{}", response.watch_id, response.header.as_ref().unwrap().revision);
    for (is, word) in [(response.created, " created"), (response.canceled, " canceled")] {
        text += if is { word } else { "" };
    }
    if response.compact_revision != 0 {
        text += &format!(" compacted {}", response.compact_revision);
    }
    if !response.cancel_reason.is_empty() {
        text += &format!(": {}", response.cancel_reason);
    }
    response.events.iter().for_each(|event| text += &format!(" {}", show_event(event)));
    text + if response.fragment { " ..." } else { "" }
}

fn show_event(event: &Event) -> String {
    let kv = event.kv.as_ref().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let change = match event.r#type() {
        EventType::Put => format!("{}={}", text(&kv.key), text(&kv.value)),
        EventType::Delete => format!("{}-", text(&kv.key)),
    };
    let before = event.prev_kv.as_ref().map(|kv| format!("^{}", text(&kv.value))).unwrap_or_default();
    format!("{change}@{}{before}", kv.mod_revision)
}
