//! The watch hub. It has all watchers of this member and sends each of them the changes of its keys, in order
//! and exactly once. It models etcd's `mvcc/watchable_store.go` and the server side of a watch stream,
//! `api/v3rpc/watch.go`.
//!
//! A watcher that no compaction has cancelled is in one of three groups:
//! - A *synced* watcher has received all changes so far, and is sent each new one when it is applied.
//! - An *unsynced* watcher lags. A *pass* every `watch_sync_interval` (100 ms, as in etcd) sends such
//!   watchers what they missed, from the store's history.
//! - A *victim* has one response for which its stream had no room. It is retried every
//!   `watch_victim_interval` (10 ms).
//!
//! A stream's responses wait in its *channel*, a queue of at most `watch_buffer` responses, until fewer than
//! `watch_window` responses are in flight to the client; see [`outbox`].
//!
//! | file | what it contains |
//! |---|---|
//! | `request` | a client's requests: create or cancel a watcher, request progress |
//! | `watcher` | one watcher: what it wants and how far it has come |
//! | `interests` | an index that finds the watchers of a key |
//! | `groups` | moves watchers between groups |
//! | `outbox`, `fragment` | the queues of a stream; splitting large responses |
//! | `resync` | passes over unsynced watchers, retries of victims |
//! | `progress` | progress notifications, on request and periodic |
//!
//! Not here: the permission to watch (the caller checks it), the cluster id, member id and term in response
//! headers, and streams that end because there is no leader.
//!
//! Differences from etcd:
//! - A pass takes watchers in rotation; Go's maps give them in any order.
//! - Control responses go before the channel; Go's `select` chooses at random.
//! - Each watcher has its own timer for periodic progress; in etcd, each stream has one.
//! - The next pass always comes after the next interval; etcd's comes at once if the last one made watchers
//!   synced.
//! - A watcher cancelled by a compaction does not hold back progress on its stream; in etcd it does until the
//!   client cancels it, too.
//!
//! Invariants:
//! - A watcher is in the group that its field `group` names ([`Group`]), and in no other.
//! - Synced watchers have been sent all changes up to `notified`, the revision of the last change.
//! - The next revision of an unsynced watcher is not in the future, unless a snapshot made it unsynced.
//! - Each watcher is sent the changes it wants in order, each once, until it is cancelled.
//! - A stream has at most `watch_window` responses in flight and at most `watch_buffer` in its channel.

mod fragment;
mod groups;
mod interests;
mod outbox;
mod progress;
mod request;
mod resync;
#[cfg(test)]
mod tests;
mod watcher;

use std::collections::{BTreeMap, BTreeSet};

use api::etcdserverpb::{ResponseHeader, WatchResponse};
use api::mvccpb::Event;
use keyed::Keyed;
use record::Probe;
use record::inner::WatcherCause;

use crate::config::Config;
use crate::flaw::{Flaw, Flaws};
use crate::keeps::{Count, count};
use crate::mvcc::Store;
use crate::probes::Probes;
use crate::punctual;

use interests::Interests;
use outbox::{Notice, Outbox};
use watcher::{Group, Watcher};

/// The watch id of a response that concerns no single watcher (`clientv3.InvalidWatchID`).
const NO_WATCHER: i64 = -1;

/// Identifies a watcher in the hub: by the number of its stream and its watch id on that stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    stream: u64,
    id: i64,
}

/// One watch stream.
#[derive(Debug, Default)]
struct Stream {
    /// The stream's watchers, by watch id.
    watchers: BTreeMap<i64, Watcher>,
    /// From here on, the hub looks for an unused watch id.
    next_id: i64,
    outbox: Outbox,
}

/// Limits and intervals from the settings `watch_…` of the same names, raised to at least 1 where 0 makes no
/// sense. Intervals are in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Limits {
    window: usize,
    buffer: usize,
    sync_interval: u64,
    victim_interval: u64,
    sync_batch: usize,
    batch_revisions: u32,
    progress_interval: u64,
    fragment_bytes: u64,
}

/// The number of streams, and of watchers in each group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Open streams.
    pub streams: usize,
    /// Watchers that are up to date, including those that wait for a future revision.
    pub synced: usize,
    /// Watchers that lag and are served from the history.
    pub unsynced: usize,
    /// Watchers with a response for which their stream's channel had no room.
    pub victims: usize,
}

/// All watchers of a member. Times are on the member's clock.
#[derive(Debug)]
pub(crate) struct Hub {
    limits: Limits,
    flaws: Flaws,
    /// The keyed draws of the watchers' progress periods.
    jitter: Keyed,
    /// The time of the last call.
    now: u64,
    streams: BTreeMap<u64, Stream>,
    synced: Interests,
    unsynced: BTreeSet<Name>,
    /// The victims, each with the notice for which there was no room.
    victims: BTreeMap<Name, Notice>,
    /// When each watcher with periodic progress is due for it, soonest first.
    timers: BTreeSet<(u64, Name)>,
    /// Streams that may have a response to send and may be able to send it at once.
    to_drain: BTreeSet<u64>,
    /// The revision of the last change that synced watchers were sent. Not used while there are none.
    notified: i64,
    /// The serial number of the last watcher that was created.
    last_serial: u64,
    /// The last watcher that the last pass served. The next pass begins after it.
    cursor: Name,
    /// When the next pass over unsynced watchers is due; `None` until [`Hub::look_after`] sets it.
    sync_at: Option<u64>,
    /// When the next retry of victims is due; `None` until [`Hub::look_after`] sets it.
    victims_at: Option<u64>,
    /// Storage for the responses of a step, reused by all steps.
    pub(crate) responses: Vec<(u64, WatchResponse)>,
    probes: Probes,
}

/// The next multiple of `interval` after `now`. In etcd, a loop wakes at each interval, whether or not there
/// is work. So the times of its passes do not depend on when a watcher needs one.
fn next_multiple(now: u64, interval: u64) -> u64 {
    (now / interval + 1).saturating_mul(interval)
}

/// A response header with only the revision.
fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader { revision, ..ResponseHeader::default() })
}

impl Hub {
    /// A hub without streams.
    pub(crate) fn new(config: &Config) -> Hub {
        let limits = Limits {
            window: config.settings.watch_window.max(1) as usize,
            buffer: config.settings.watch_buffer.max(1) as usize,
            sync_interval: config.settings.watch_sync_interval.max(1),
            victim_interval: config.settings.watch_victim_interval.max(1),
            sync_batch: config.settings.watch_sync_batch.max(1) as usize,
            batch_revisions: config.settings.watch_batch_revisions.max(1),
            progress_interval: config.settings.watch_progress_interval.max(progress::SHORTEST_INTERVAL),
            fragment_bytes: config.settings.watch_fragment_bytes,
        };
        Hub {
            limits,
            flaws: config.flaws,
            jitter: progress::jitter(config),
            now: 0,
            streams: BTreeMap::new(),
            synced: Interests::default(),
            unsynced: BTreeSet::new(),
            victims: BTreeMap::new(),
            timers: BTreeSet::new(),
            to_drain: BTreeSet::new(),
            notified: 0,
            last_serial: 0,
            cursor: Name::default(),
            sync_at: None,
            victims_at: None,
            responses: Vec::new(),
            probes: Probes::default(),
        }
    }

    /// From now on, draws use the configuration's new seed.
    pub(crate) fn reseed(&mut self, config: &Config) {
        self.jitter = progress::jitter(config);
    }

    /// The client's side has taken a response of `stream`: the transport has room for one more.
    pub(crate) fn taken(&mut self, stream: u64) {
        // The stream may have been closed while the response was in flight.
        if let Some(open_stream) = self.streams.get_mut(&stream) {
            open_stream.outbox.taken(stream);
            self.to_drain.insert(stream);
        }
    }

    /// Sends the changes of the last revision to synced watchers. Call this after each entry that made a
    /// revision, before the next entry is applied: that may be a compaction, which removes the changes.
    ///
    /// # Panics
    /// If a revision was made without a call of this method.
    pub(crate) fn changed(&mut self, store: &Store) {
        let revision = store.revision();
        let before = std::mem::replace(&mut self.notified, revision);
        if before == revision || self.synced.is_empty() {
            return;
        }
        assert_eq!(
            before + 1,
            revision,
            "synced watchers are at revision {before} but the store is at {revision}: an entry was applied, or \
             a snapshot installed, without a call to the hub"
        );
        for (name, events) in self.interested(store, revision) {
            let from = self.place(name);
            self.notify(name, revision, events);
            let why = if self.place(name).0 == Group::Victim {
                WatcherCause::NoRoom
            } else {
                WatcherCause::Notified
            };
            self.tell_move(name, from, why, (revision, store.compact_revision()));
        }
    }

    /// The synced watchers that want changes at `revision`, each with the events it wants.
    fn interested(&self, store: &Store, revision: i64) -> BTreeMap<Name, Vec<Event>> {
        let mut events: BTreeMap<Name, Vec<Event>> = BTreeMap::new();
        for (_, row) in store.history(revision) {
            self.synced.for_each(&row.key, |name| {
                let watcher = &self.streams[&name.stream].watchers[&name.id];
                if revision >= watcher.next {
                    let events = events.entry(name).or_default();
                    events.extend(watcher.event(row));
                }
            });
        }
        events
    }

    /// Sends a synced watcher the changes at `revision`.
    fn notify(&mut self, name: Name, revision: i64, events: Vec<Event>) {
        // Flaw M-15271: `next` is not updated, so after a snapshot the watcher is sent the changes again.
        let updates_next = !self.flaws.has(Flaw::SyncedMinRevStale);
        let watcher = self.watcher_mut(name);
        if updates_next {
            watcher.next = revision + 1;
        }
        if events.is_empty() {
            return;
        }
        let notice = Notice::events(name.id, watcher.serial, revision, events);
        if std::mem::take(&mut watcher.future) {
            self.probes.reached(Probe::WatchFutureReached);
        }
        if let Err(notice) = self.offer(name.stream, notice) {
            self.watcher_mut(name).next = revision + 1;
            self.make_victim(name, notice);
        }
    }

    /// A snapshot replaced the store. The hub did not see the changes in it one by one, so synced
    /// watchers become unsynced and get them from the history.
    pub(crate) fn replaced(&mut self, store: &Store) {
        self.notified = store.revision();
        if !self.victims.is_empty() {
            self.probes.reached(Probe::WatchVictimAtSnapshot);
        }
        if !self.unsynced.is_empty() {
            self.probes.reached(Probe::WatchUnsyncedAtSnapshot);
        }
        for name in self.synced.names() {
            let watcher = self.watcher_mut(name);
            watcher.restored = true;
            if watcher.next > store.revision() + 1 {
                self.probes.reached(Probe::WatchFutureAtSnapshot);
            }
            let from = self.place(name);
            self.regroup(name, Group::Unsynced);
            let at = (store.revision(), store.compact_revision());
            self.tell_move(name, from, WatcherCause::SnapshotInstalled, at);
        }
    }

    /// Does what is due: retries of victims, a pass over unsynced watchers, periodic progress. Call this in
    /// each step, before [`Hub::drain`].
    pub(crate) fn look_after(&mut self, store: &Store, now: u64) {
        self.now = now;
        let (next_try, next_pass) =
            (next_multiple(now, self.limits.victim_interval), next_multiple(now, self.limits.sync_interval));
        if let Some(at) = self.victims_at.filter(|at| now >= *at) {
            self.retry_victims(store, at);
            self.victims_at = Some(next_try);
        }
        if let Some(at) = self.sync_at.filter(|at| now >= *at) {
            if !self.unsynced.is_empty() {
                punctual::was_due("a pass over watchers that lag", at);
            }
            self.resync(store);
            self.sync_at = Some(next_pass);
        }
        // The time is not set if the group was empty until now: the group waits for its next interval.
        self.victims_at.get_or_insert(next_try);
        self.sync_at.get_or_insert(next_pass);
        self.periodic_progress(store);
    }

    /// When [`Hub::look_after`] is due next, on the member's clock; `u64::MAX` if nothing is. If the time is
    /// in the past, a step should follow at once.
    pub(crate) fn wake_at(&self) -> u64 {
        if !self.to_drain.is_empty() {
            return self.now;
        }
        let sync = if self.unsynced.is_empty() { u64::MAX } else { self.sync_at.unwrap_or(self.now) };
        let victims = if self.victim_has_room() { self.victims_at.unwrap_or(self.now) } else { u64::MAX };
        let progress = self.timers.first().map_or(u64::MAX, |(due, _)| *due);
        sync.min(victims).min(progress)
    }

    /// When [`Hub::look_after`] or [`Hub::drain`] next does something if nothing but time passes; 0 if the
    /// next step must call them.
    ///
    /// Retries of victims keep to their interval even while no channel has room, and a pass without watchers
    /// moves the cursor back; so these are due at their times, too. The times of a group that is empty have
    /// no effect: they are set anew when it gets its first watcher.
    pub(crate) fn due_at(&self) -> u64 {
        if self.is_idle() {
            return u64::MAX;
        }
        if !self.to_drain.is_empty() {
            return 0;
        }
        let passes = !self.unsynced.is_empty() || self.cursor != Name::default();
        let sync = if passes { self.sync_at.unwrap_or(0) } else { u64::MAX };
        let victims = if self.victims.is_empty() { u64::MAX } else { self.victims_at.unwrap_or(0) };
        let progress = self.timers.first().map_or(u64::MAX, |(due, _)| *due);
        sync.min(victims).min(progress)
    }

    /// Appends the responses for which the transport has room to `out`, each with the number of its stream.
    /// Their headers have only the revision. In a cancellation by compaction it is 0, as in etcd.
    pub(crate) fn drain(&mut self, store: &Store, out: &mut Vec<(u64, WatchResponse)>) {
        while let Some(number) = self.to_drain.pop_first() {
            let Some(stream) = self.streams.get_mut(&number) else { continue };
            let Stream { watchers, outbox, .. } = stream;
            while let Some(response) = outbox.next(number, watchers, store, &self.limits, &self.probes) {
                out.push((number, response));
            }
        }
    }

    /// Whether there are no streams, so that the hub has nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    /// The number of streams, and of watchers in each group.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            streams: self.streams.len(),
            synced: self.synced.len(),
            unsynced: self.unsynced.len(),
            victims: self.victims.len(),
        }
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 9] {
        let watchers = self.streams.values().map(|stream| stream.watchers.len()).sum();
        let outboxes = || self.streams.values().map(|stream| &stream.outbox);
        [
            count("watch-streams", self.streams.len()),
            count("streams-to-drain", self.to_drain.len()),
            count("watchers", watchers),
            count("watchers-in-groups", self.synced.len() + self.unsynced.len() + self.victims.len()),
            count("watched-ranges", self.synced.ranges()),
            count("progress-timers", self.timers.len()),
            count("notices", outboxes().map(Outbox::notices).sum()),
            count("control-responses", outboxes().map(Outbox::controls).sum()),
            count("responses-in-flight", outboxes().map(Outbox::in_flight).sum()),
        ]
    }

    /// The probes reached since the last call, each once.
    pub(crate) fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.probes.take()
    }
}
