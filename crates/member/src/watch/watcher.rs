//! What one watcher wants.

use api::Error;
use api::etcdserverpb::WatchCreateRequest;
use api::etcdserverpb::watch_create_request::FilterType;
use api::mvccpb::event::EventType;
use api::mvccpb::{Event, KeyValue};
use bytes::Bytes;

use super::interests::Range;

/// Where a watcher stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Knows everything there is.
    Synced,
    /// Has history to catch up with.
    Unsynced,
    /// Holds a notice for which its channel had no room.
    Victim,
    /// Cancelled by a compaction. As in etcd its id is taken until the client cancels it, too.
    Cancelled,
}

/// A watcher that wants to be told of progress now and then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// When it is looked at next.
    pub(super) due: u64,
    /// Time between two looks.
    pub(super) period: u64,
    /// Whether it was sent no events since the last look.
    pub(super) idle: bool,
}

/// A watcher.
#[derive(Debug)]
pub(super) struct Watcher {
    /// The how-manieth watcher of the hub it is: tells it from an earlier one of the same name.
    pub(super) birth: u64,
    pub(super) range: Range,
    pub(super) group: Group,
    /// The revision it asked to begin at; 0 for what comes after its creation.
    pub(super) start: i64,
    /// The first revision it was not told of. etcd: `minRev`.
    pub(super) next: i64,
    /// Whether a snapshot made it unsynced: then, alone, `next` may be in the future.
    pub(super) restored: bool,
    /// Whether it began in the future and still waits for its first event.
    pub(super) future: bool,
    pub(super) prev_kv: bool,
    pub(super) fragment: bool,
    pub(super) progress: Option<Progress>,
    puts: bool,
    deletes: bool,
}

impl Watcher {
    /// The watcher that is asked for while the store is at revision `current`.
    ///
    /// # Errors
    /// `WatchEmptyRange`.
    pub(super) fn new(request: &WatchCreateRequest, birth: u64, current: i64) -> Result<Watcher, Error> {
        // The smallest key stands for none.
        let key = if request.key.is_empty() { Bytes::from_static(b"\0") } else { request.key.clone() };
        let range = Range { key, end: request.range_end.clone() };
        if range.is_empty() {
            return Err(Error::WatchEmptyRange);
        }
        let wants = |filter: FilterType| !request.filters.contains(&(filter as i32));
        let start = request.start_revision;
        Ok(Watcher {
            birth,
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

    /// The event that tells it of a change in its range; none if it filters such changes.
    pub(super) fn event(&self, row: &KeyValue) -> Option<Event> {
        // Deletions are rows without a version.
        let (kind, wanted) = match row.version {
            0 => (EventType::Delete, self.deletes),
            _ => (EventType::Put, self.puts),
        };
        wanted.then(|| Event { r#type: kind as i32, kv: Some(row.clone()), prev_kv: None })
    }
}
