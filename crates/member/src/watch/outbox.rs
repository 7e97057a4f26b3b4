//! What a stream has for its client, and the order in which it goes.
//!
//! Three queues, as in etcd: fragments of a response that was begun, then control responses
//! (created, canceled), then the channel, through which all watchers of the stream are told. A
//! watcher's creation goes before its events for that reason.
//!
//! What a notice needs of the store beside its events, the pairs before them, is looked up when it is
//! sent. What a compaction took away meanwhile is not there then.

use std::collections::{BTreeMap, VecDeque};

use api::etcdserverpb::WatchResponse;
use api::mvccpb::event::EventType;
use api::mvccpb::{Event, KeyValue};
use record::Probe;

use super::watcher::Watcher;
use super::{Limits, NO_WATCHER, fragment, header};
use crate::mvcc::{KeyRange, Store};
use crate::probes::Probes;

/// What a watcher is told, on its way through the channel.
#[derive(Debug)]
pub(super) struct Notice {
    /// Whom; [`NO_WATCHER`] for all of the stream.
    watch_id: i64,
    /// Its birth.
    birth: u64,
    /// The revision that the header will have.
    pub(super) revision: i64,
    /// None for progress and cancellations.
    pub(super) events: Vec<Event>,
    /// Not 0: a cancellation, because history below this is gone.
    compact_revision: i64,
    /// Whether a pass over unsynced watchers made it.
    pub(super) catch_up: bool,
}

impl Notice {
    /// Changes, as they happen.
    pub(super) fn events(watch_id: i64, birth: u64, revision: i64, events: Vec<Event>) -> Notice {
        Notice { watch_id, birth, revision, events, compact_revision: 0, catch_up: false }
    }

    /// The same, found in the history by a pass.
    pub(super) fn catching_up(self) -> Notice {
        Notice { catch_up: true, ..self }
    }

    /// "You know everything up to here."
    pub(super) fn progress(watch_id: i64, birth: u64, revision: i64) -> Notice {
        Notice::events(watch_id, birth, revision, Vec::new())
    }

    /// "History before this revision is gone, and you with it." etcd leaves the header's revision at 0.
    pub(super) fn compacted(watch_id: i64, birth: u64, compact_revision: i64) -> Notice {
        Notice { compact_revision, ..Notice::progress(watch_id, birth, 0) }
    }
}

/// One stream's queues.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    fragments: VecDeque<WatchResponse>,
    /// Not bounded: a client that creates watchers and reads nothing fills it.
    control: VecDeque<WatchResponse>,
    channel: VecDeque<Notice>,
    /// Responses with the transport.
    on_their_way: usize,
}

impl Outbox {
    pub(super) fn has_room(&self, buffer: usize) -> bool {
        self.channel.len() < buffer
    }

    /// Puts a notice into the channel, or gives it back if that holds `buffer` already.
    pub(super) fn offer(&mut self, notice: Notice, buffer: usize) -> Result<(), Notice> {
        if !self.has_room(buffer) {
            return Err(notice);
        }
        self.channel.push_back(notice);
        Ok(())
    }

    /// Takes back what waits to be told to all watchers of the stream at once: a new one, whose creation
    /// overtakes it, would take it for its own. etcd tells it all the same (`sendLoop` of `v3rpc/watch.go`
    /// takes from both queues as it likes).
    pub(super) fn void_progress(&mut self) {
        self.channel.retain(|notice| notice.watch_id != NO_WATCHER);
    }

    pub(super) fn control(&mut self, response: WatchResponse) {
        self.control.push_back(response);
    }

    /// The notices in the channel.
    pub(super) fn channel_mut(&mut self) -> impl Iterator<Item = &mut Notice> {
        self.channel.iter_mut()
    }

    /// The client's side took one response of this stream.
    pub(super) fn taken(&mut self, stream: u64) {
        self.on_their_way = self.on_their_way.checked_sub(1).unwrap_or_else(|| {
            panic!("a response of stream {stream} was taken and none is on its way: the driver said so twice")
        });
    }

    /// The next response, if there is one and the transport has room for it.
    pub(super) fn next(
        &mut self,
        watchers: &mut BTreeMap<i64, Watcher>,
        store: &Store,
        limits: &Limits,
        probes: &Probes,
    ) -> Option<WatchResponse> {
        if self.on_their_way >= limits.window {
            return None;
        }
        let waiting = self.fragments.pop_front().or_else(|| self.control.pop_front());
        let response = match waiting {
            Some(response) => response,
            None => self.next_of_channel(watchers, store, limits, probes)?,
        };
        self.on_their_way += 1;
        Some(response)
    }

    fn next_of_channel(
        &mut self,
        watchers: &mut BTreeMap<i64, Watcher>,
        store: &Store,
        limits: &Limits,
        probes: &Probes,
    ) -> Option<WatchResponse> {
        loop {
            let notice = self.channel.pop_front()?;
            if notice.watch_id == NO_WATCHER && notice.birth == 0 {
                return Some(response(notice, false, store, probes));
            }
            let watcher = watchers.get_mut(&notice.watch_id).filter(|watcher| watcher.birth == notice.birth);
            let Some(watcher) = watcher else {
                // It was cancelled meanwhile; its id may belong to another by now.
                probes.reached(Probe::WatchDroppedAfterCancel);
                continue;
            };
            if let Some(progress) = watcher.progress.as_mut().filter(|_| !notice.events.is_empty()) {
                progress.idle = false;
            }
            let whole = response(notice, watcher.prev_kv, store, probes);
            if !watcher.fragment {
                return Some(whole);
            }
            self.fragments = fragment::split(whole, limits.fragment_bytes);
            if self.fragments.len() > 1 {
                probes.reached(Probe::WatchFragmented);
            }
            return self.fragments.pop_front();
        }
    }
}

fn response(notice: Notice, prev_kv: bool, store: &Store, probes: &Probes) -> WatchResponse {
    let Notice { watch_id, revision, mut events, compact_revision, .. } = notice;
    if prev_kv {
        for event in &mut events {
            event.prev_kv = before(event, store, probes);
        }
    }
    WatchResponse {
        header: header(revision),
        watch_id,
        canceled: compact_revision != 0,
        compact_revision,
        events,
        ..WatchResponse::default()
    }
}

/// The pair before a change, which a creation has not, if it can still be read.
fn before(event: &Event, store: &Store, probes: &Probes) -> Option<KeyValue> {
    let kv = event.kv.as_ref()?;
    if event.r#type() == EventType::Put && kv.create_revision == kv.mod_revision {
        return None;
    }
    let at = kv.mod_revision - 1;
    if at < store.compact_revision() {
        probes.reached(Probe::WatchPrevKvCompacted);
        return None;
    }
    let found = store.live(KeyRange::Single(&kv.key), at).next()?;
    Some(store.row(found).clone())
}
