//! One watcher: what it wants and how far it has come.

use api::Error;
use api::etcdserverpb::WatchCreateRequest;
use api::etcdserverpb::watch_create_request::FilterType;
use api::mvccpb::event::EventType;
use api::mvccpb::{Event, KeyValue};
use bytes::Bytes;

use super::interests::Range;

/// A watcher's group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Up to date.
    Synced,
    /// Still has to catch up with the history.
    Unsynced,
    /// Holds a notice for which its channel had no room.
    Victim,
    /// Cancelled by a compaction. As in etcd, its id stays in use until the client cancels it too.
    Cancelled,
}

/// Periodic progress of a watcher that asked for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// When it is due next.
    pub(super) due: u64,
    /// Time between two turns.
    pub(super) period: u64,
    /// Whether it received no events since the last turn.
    pub(super) idle: bool,
}

/// A watcher.
#[derive(Debug)]
pub(super) struct Watcher {
    /// Serial number within the hub; distinguishes the watcher from an earlier one with the same name.
    pub(super) serial: u64,
    pub(super) range: Range,
    pub(super) group: Group,
    /// The revision it asked to start at; 0 means after its creation.
    pub(super) start: i64,
    /// The next revision it has to receive. etcd: `minRev`.
    pub(super) next: i64,
    /// Whether a snapshot made it unsynced: only then may `next` be in the future.
    pub(super) restored: bool,
    /// Whether it started in the future and still waits for its first event.
    pub(super) future: bool,
    pub(super) prev_kv: bool,
    pub(super) fragment: bool,
    pub(super) progress: Option<Progress>,
    puts: bool,
    deletes: bool,
}

impl Watcher {
    /// The watcher for a request that arrives while the store is at revision `current`.
    ///
    /// # Errors
    /// `WatchEmptyRange`.
    pub(super) fn new(request: &WatchCreateRequest, serial: u64, current: i64) -> Result<Watcher, Error> {
        // An empty key stands for the smallest one.
        let key = if request.key.is_empty() { Bytes::from_static(b"\0") } else { request.key.clone() };
        let range = Range { key, end: request.range_end.clone() };
        if range.is_empty() {
            return Err(Error::WatchEmptyRange);
        }
        let wants = |filter: FilterType| !request.filters.contains(&(filter as i32));
        let start = request.start_revision;
        Ok(Watcher {
            serial,
            range,
            group: Group::Synced,
            start,
            next: if start == 0 { current + 1 } else { start },
            restored: false,
            future: start > current + 1,
            prev_kv: request.prev_kv,
            fragment: request.fragment,
            progress: None,
            puts: wants(FilterType::Noput),
            deletes: wants(FilterType::Nodelete),
        })
    }

    /// The group it belongs to while the store is at revision `current` and nothing waits to be sent.
    pub(super) fn group_at(&self, current: i64) -> Group {
        if self.next > current { Group::Synced } else { Group::Unsynced }
    }

    /// The event for a change in its range; none if it filters such changes.
    pub(super) fn event(&self, row: &KeyValue) -> Option<Event> {
        // Deletions are rows without a version.
        let (kind, wanted) = match row.version {
            0 => (EventType::Delete, self.deletes),
            _ => (EventType::Put, self.puts),
        };
        wanted.then(|| Event { r#type: kind as i32, kv: Some(row.clone()), prev_kv: None })
    }
}
