//! One watcher: which changes it wants, up to which revision it has been sent them, and in which group it is.

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
    /// It has been sent all changes so far, or waits for a revision in the future.
    Synced,
    /// It lags and is served from the history.
    Unsynced,
    /// It has a notice for which its stream's channel had no room.
    Victim,
    /// It was cancelled by a compaction. As in etcd, its id stays in use until the client cancels it, too.
    Cancelled,
}

impl Group {
    /// The group as it is shown to the code that explains a run.
    pub(super) const fn reported(self) -> record::inner::Group {
        match self {
            Group::Synced => record::inner::Group::Synced,
            Group::Unsynced => record::inner::Group::Unsynced,
            Group::Victim => record::inner::Group::Victim,
            Group::Cancelled => record::inner::Group::Cancelled,
        }
    }
}

/// The timer of a watcher that wants periodic progress. Times are on the member's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// When the timer fires next.
    pub(super) due: u64,
    /// The time from one firing to the next.
    pub(super) period: u64,
    /// Whether the watcher was sent no events since the timer fired last.
    pub(super) idle: bool,
}

/// A watcher.
#[derive(Debug)]
pub(super) struct Watcher {
    /// A number that no other watcher of the hub has had. It tells this watcher from an earlier one with the
    /// same name.
    pub(super) serial: u64,
    /// The keys that it watches.
    pub(super) range: Range,
    /// The group that it is in.
    pub(super) group: Group,
    /// The revision at which the client wants to start; 0 means the first one after the watcher's creation.
    pub(super) start: i64,
    /// The first revision whose changes it has not been sent (etcd's `minRev`).
    pub(super) next: i64,
    /// Whether it is unsynced because a snapshot replaced the store. Only then may `next` be in the future while it
    /// is unsynced.
    pub(super) restored: bool,
    /// Whether its start revision was in the future and it was sent no event yet.
    pub(super) future: bool,
    /// Whether it wants previous key-value pairs.
    pub(super) prev_kv: bool,
    /// Whether it allows large responses to be split.
    pub(super) fragment: bool,
    /// When to send progress notifications; `None` if the client did not ask for them.
    pub(super) progress: Option<Progress>,
    /// Whether it wants puts.
    puts: bool,
    /// Whether it wants deletions.
    deletes: bool,
}

impl Watcher {
    /// The watcher that a request creates. `current` is the store's revision.
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

    /// The group for a watcher that is not a victim, while the store is at revision `current`.
    pub(super) fn group_at(&self, current: i64) -> Group {
        if self.next > current { Group::Synced } else { Group::Unsynced }
    }

    /// Whether it wants puts, and whether it wants deletions.
    pub(super) const fn wants(&self) -> (bool, bool) {
        (self.puts, self.deletes)
    }

    /// The event for a change in its range. `None` if the watcher does not want such changes.
    pub(super) fn event(&self, row: &KeyValue) -> Option<Event> {
        // Deletions are rows without a version.
        let (kind, wanted) = match row.version {
            0 => (EventType::Delete, self.deletes),
            _ => (EventType::Put, self.puts),
        };
        wanted.then(|| Event { r#type: kind as i32, kv: Some(row.clone()), prev_kv: None })
    }
}
