//! The queues of a watch stream, which decide what the client receives and in which order.
//!
//! There are three, as in etcd. The remaining fragments of a response go first. Control responses (a watcher
//! was created or cancelled) go next. The *channel* comes last; it has the notices of all the stream's
//! watchers: events, progress, cancellations by compaction. So a client learns that a watcher was created
//! before it receives the watcher's events.
//!
//! If a watcher wants previous key-value pairs, they are read from the store when a notice leaves the
//! channel. A compaction may have removed them by then.

use std::collections::{BTreeMap, VecDeque};

use api::etcdserverpb::WatchResponse;
use api::mvccpb::event::EventType;
use api::mvccpb::{Event, KeyValue};
use record::inner::{Queued, Said};
use record::{Inner, Probe};

use super::watcher::Watcher;
use super::{Limits, NO_WATCHER, fragment, header};
use crate::inner;
use crate::mvcc::{KeyRange, Store};
use crate::probes::Probes;

/// Events, progress or a cancellation for a watcher: what the channel queues.
#[derive(Debug)]
pub(super) struct Notice {
    /// The watcher's id; [`NO_WATCHER`] means all watchers of the stream.
    watch_id: i64,
    /// The watcher's [`serial`](super::watcher::Watcher::serial); 0 with [`NO_WATCHER`].
    serial: u64,
    /// The revision in the response header.
    pub(super) revision: i64,
    /// Empty for progress and cancellations.
    pub(super) events: Vec<Event>,
    /// If not 0, this is a cancellation, because the history below this revision was compacted.
    compact_revision: i64,
    /// Whether a pass over unsynced watchers made this notice. Only the flaw M-21355 uses it, if it is switched on.
    pub(super) catch_up: bool,
}

impl Notice {
    /// Events.
    pub(super) fn events(watch_id: i64, serial: u64, revision: i64, events: Vec<Event>) -> Notice {
        Notice { watch_id, serial, revision, events, compact_revision: 0, catch_up: false }
    }

    /// Whether it is progress of the whole stream. A client may also give a watcher of its own the id -1.
    fn is_for_whole_stream(&self) -> bool {
        self.watch_id == NO_WATCHER && self.serial == 0
    }

    /// The notice as it is shown to the code that explains a run; `waiting` others wait in the channel.
    fn reported(&self, stream: u64, waiting: usize) -> Queued {
        let event = |event: &Event| {
            let kv = event.kv.as_ref();
            let key = kv.map(|kv| kv.key.clone()).unwrap_or_default();
            (key, kv.map_or(0, |kv| kv.mod_revision), event.r#type() == EventType::Delete)
        };
        let what = match (&self.events[..], self.compact_revision) {
            ([], 0) => Said::Progress,
            ([], compacted) => Said::Compacted(compacted),
            (events, _) => Said::Events(events.iter().map(event).collect()),
        };
        let Notice { watch_id: id, serial, revision, .. } = *self;
        Queued { stream, id, serial, revision, what, ahead: false, waiting }
    }

    /// Marks the notice as made by a pass.
    pub(super) fn catching_up(self) -> Notice {
        Notice { catch_up: true, ..self }
    }

    /// Progress: the watcher has been sent all its changes up to `revision`.
    pub(super) fn progress(watch_id: i64, serial: u64, revision: i64) -> Notice {
        Notice::events(watch_id, serial, revision, Vec::new())
    }

    /// A cancellation, because the history below `compact_revision` was compacted. The revision in its header
    /// is 0, as in etcd.
    pub(super) fn compacted(watch_id: i64, serial: u64, compact_revision: i64) -> Notice {
        Notice { compact_revision, ..Notice::progress(watch_id, serial, 0) }
    }
}

/// One stream's queues.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// The remaining fragments of a response whose first one was sent.
    fragments: VecDeque<WatchResponse>,
    /// Control responses. This queue has no limit: it grows if a client creates watchers and reads nothing.
    control: VecDeque<WatchResponse>,
    /// The notices that wait, oldest first. etcd has a Go channel here.
    channel: VecDeque<Notice>,
    /// How many responses are in flight to the client.
    in_flight: usize,
}

impl Outbox {
    /// Whether the channel holds fewer than `buffer` notices.
    pub(super) fn has_room(&self, buffer: usize) -> bool {
        self.channel.len() < buffer
    }

    /// How many notices wait in the channel.
    pub(super) fn notices(&self) -> usize {
        self.channel.len()
    }

    /// How many control responses and fragments wait.
    pub(super) fn controls(&self) -> usize {
        self.control.len() + self.fragments.len()
    }

    /// How many responses are in flight to the client.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Puts a notice into the channel, or returns it if the channel already holds `buffer` notices.
    pub(super) fn offer(&mut self, stream: u64, notice: Notice, buffer: usize) -> Result<(), Notice> {
        if !self.has_room(buffer) {
            return Err(notice);
        }
        inner::tell(|| Inner::Queued(Box::new(notice.reported(stream, self.channel.len()))));
        self.channel.push_back(notice);
        Ok(())
    }

    /// Withdraws progress for the whole stream from the channel. Call this when a watcher is created: its
    /// control response overtakes the progress, and the client would believe that the progress holds for the
    /// new watcher, too. etcd sends it anyway (`sendLoop` of `v3rpc/watch.go` takes from both queues in any
    /// order).
    pub(super) fn void_progress(&mut self) {
        self.channel.retain(|notice| !notice.is_for_whole_stream());
    }

    /// Queues a control response.
    pub(super) fn control(&mut self, stream: u64, response: WatchResponse) {
        inner::tell(|| {
            let is_progress = !response.created && !response.canceled;
            Inner::Queued(Box::new(Queued {
                stream,
                id: response.watch_id,
                serial: 0,
                revision: response.header.as_ref().map_or(0, |header| header.revision),
                what: if is_progress { Said::Progress } else { Said::Control },
                ahead: true,
                waiting: self.channel.len(),
            }))
        });
        self.control.push_back(response);
    }

    /// The notices in the channel.
    pub(super) fn channel_mut(&mut self) -> impl Iterator<Item = &mut Notice> {
        self.channel.iter_mut()
    }

    /// The client's side has taken one response of this stream.
    pub(super) fn taken(&mut self, stream: u64) {
        self.in_flight = self.in_flight.checked_sub(1).unwrap_or_else(|| {
            panic!("a response of stream {stream} was taken but none is in flight: did the driver report it twice?")
        });
    }

    /// The next response, if there is one and the transport has room for it.
    pub(super) fn next(
        &mut self,
        stream: u64,
        watchers: &mut BTreeMap<i64, Watcher>,
        store: &Store,
        limits: &Limits,
        probes: &Probes,
    ) -> Option<WatchResponse> {
        if self.in_flight >= limits.window {
            return None;
        }
        let waiting = self.fragments.pop_front().or_else(|| self.control.pop_front());
        let response = match waiting {
            Some(response) => response,
            None => self.next_of_channel(stream, watchers, store, limits, probes)?,
        };
        self.in_flight += 1;
        Some(response)
    }

    /// The next response from the channel.
    fn next_of_channel(
        &mut self,
        stream: u64,
        watchers: &mut BTreeMap<i64, Watcher>,
        store: &Store,
        limits: &Limits,
        probes: &Probes,
    ) -> Option<WatchResponse> {
        loop {
            let notice = self.channel.pop_front()?;
            if notice.is_for_whole_stream() {
                inner::tell(|| Inner::HandedOut(Box::new(notice.reported(stream, self.channel.len()))));
                return Some(response(notice, false, store, probes));
            }
            let watcher =
                watchers.get_mut(&notice.watch_id).filter(|watcher| watcher.serial == notice.serial);
            let Some(watcher) = watcher else {
                // The watcher was cancelled meanwhile. If there is a watcher with this id now, it is a different one.
                probes.reached(Probe::WatchDroppedAfterCancel);
                continue;
            };
            if let Some(progress) = watcher.progress.as_mut().filter(|_| !notice.events.is_empty()) {
                progress.idle = false;
            }
            inner::tell(|| Inner::HandedOut(Box::new(notice.reported(stream, self.channel.len()))));
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

/// Makes a notice a response, with previous key-value pairs if `prev_kv` says so.
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

/// The key-value pair before a change. `None` if the change created the key, or if the pair was compacted.
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
