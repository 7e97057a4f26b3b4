//! The watch hub: every watcher of this member, and the events each has still to receive.
//!
//! It models etcd's `mvcc/watchable_store.go` and the server side of a stream, `api/v3rpc/watch.go`. A
//! watcher is in one of three groups. *Synced* watchers are sent each change as it is applied. *Unsynced*
//! watchers lag behind and are served from the history by a pass every `watch_sync_interval`. *Victims* hold
//! one response for which their stream's channel had no room, and retry every `watch_victim_interval`. A
//! stream's responses wait in its channel (`watch_buffer`) until the transport has room (`watch_window`); see
//! [`outbox`].
//!
//! | file | job |
//! |---|---|
//! | `request` | client requests: create, cancel, ask for progress |
//! | `watcher`, `interests` | what one watcher wants; who wants a key |
//! | `groups` | who is in which group |
//! | `outbox`, `fragment` | a stream's channel and its way to the transport |
//! | `resync` | passes over unsynced watchers, victims, compaction |
//! | `progress` | progress, on request and periodic |
//!
//! Not here: who may watch what (the caller checks that), the cluster id, member id and term in response
//! headers, and streams that end because there is no leader.
//!
//! Where this differs from etcd: a pass takes watchers in order, where Go's maps give them in any order;
//! control responses go before the channel, where Go's `select` picks at random; each watcher has its own
//! timer for periodic progress, where etcd has one per stream; the next pass always waits for the next
//! interval, where etcd continues at once if the last pass caught some watchers up; and a watcher cancelled
//! by compaction does not hold back progress on its stream, where etcd waits until the client cancels it too.
//!
//! Invariants:
//! - A watcher is in the group it names ([`Group`]), and in no other.
//! - Synced watchers have received everything up to `notified`, the revision of the last change.
//! - An unsynced watcher's next revision is not in the future, unless a snapshot moved it there.
//! - Each watcher receives the changes it wants in order, each once, until it is cancelled.
//! - A stream has at most `watch_window` responses in flight and `watch_buffer` in its channel.

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

use crate::config::Config;
use crate::flaw::{Flaw, Flaws};
use crate::mvcc::Store;
use crate::probes::Probes;

use interests::Interests;
use outbox::{Notice, Outbox};
use watcher::{Group, Watcher};

/// The watch id of a response that concerns no single watcher (`clientv3.InvalidWatchID`).
const NO_WATCHER: i64 = -1;

/// Identifies a watcher: its stream's number and its watch id on that stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    stream: u64,
    id: i64,
}

/// One stream of watchers.
#[derive(Debug, Default)]
struct Stream {
    watchers: BTreeMap<i64, Watcher>,
    /// The first id not yet given out.
    next_id: i64,
    outbox: Outbox,
}

/// Limits from the configuration; see [`Config`]. None that must be positive is 0.
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

/// Number of streams and of watchers per group, for status and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Open streams.
    pub streams: usize,
    /// Watchers that are up to date, including those that wait for a future revision.
    pub synced: usize,
    /// Watchers that still have to catch up with the history.
    pub unsynced: usize,
    /// Watchers whose next response found the channel full.
    pub victims: usize,
}

/// All watchers of a member.
#[derive(Debug)]
pub(crate) struct Hub {
    limits: Limits,
    flaws: Flaws,
    jitter: Keyed,
    /// The member's clock, as of the last call.
    now: u64,
    streams: BTreeMap<u64, Stream>,
    synced: Interests,
    unsynced: BTreeSet<Name>,
    /// Victims, each with the notice it could not send.
    victims: BTreeMap<Name, Notice>,
    /// When each watcher with periodic progress is due, soonest first.
    timers: BTreeSet<(u64, Name)>,
    /// Streams that may have a response to send and room in the transport.
    to_drain: BTreeSet<u64>,
    /// The revision of the last change; meaningless while no watcher is synced.
    notified: i64,
    /// How many watchers were ever created.
    last_serial: u64,
    /// The last watcher that a pass took.
    cursor: Name,
    /// Time of the next pass over unsynced watchers; `None` until the next call sets it.
    sync_at: Option<u64>,
    /// Time of the next retry of victims; `None` until the next call sets it.
    victims_at: Option<u64>,
    probes: Probes,
}

/// The next multiple of `interval` after `now`. etcd's loops run whether or not there is work, so their phase
/// does not depend on what happens to a watcher.
fn next_multiple(now: u64, interval: u64) -> u64 {
    (now / interval + 1).saturating_mul(interval)
}

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
            jitter: Keyed::new(config.seed, progress::JITTER).split(config.id.raft_id()),
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
            probes: Probes::default(),
        }
    }

    /// The transport has room for one more response of `stream`.
    pub(crate) fn taken(&mut self, stream: u64) {
        // The stream may have been closed while its responses were in flight.
        if let Some(open) = self.streams.get_mut(&stream) {
            open.outbox.taken(stream);
            self.to_drain.insert(stream);
        }
    }

    /// An entry was applied. If it made a revision, synced watchers are sent its changes. Call this after
    /// each entry: a compaction in the next one may remove the changes of this one.
    ///
    /// # Panics
    /// If revisions were made without a call to this.
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
            self.notify(name, revision, events);
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
        // M-15271: `next` is not updated, so a snapshot makes the watcher receive the changes again.
        let noted = !self.flaws.has(Flaw::SyncedMinRevStale);
        let watcher = self.watcher_mut(name);
        if noted {
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

    /// A snapshot replaced the store. The changes in between are not known one by one, so synced watchers
    /// must find them in the history.
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
            self.regroup(name, Group::Unsynced);
        }
    }

    /// Does whatever is due: retries of victims, a pass over unsynced watchers, periodic progress. Call this
    /// in each step, before [`Hub::drain`].
    pub(crate) fn look_after(&mut self, store: &Store, now: u64) {
        self.now = now;
        let (next_try, next_pass) =
            (next_multiple(now, self.limits.victim_interval), next_multiple(now, self.limits.sync_interval));
        if self.victims_at.is_some_and(|at| now >= at) {
            self.retry_victims(store);
            self.victims_at = Some(next_try);
        }
        if self.sync_at.is_some_and(|at| now >= at) {
            self.resync(store);
            self.sync_at = Some(next_pass);
        }
        // Groups that were empty until now wait for their next turn.
        self.victims_at.get_or_insert(next_try);
        self.sync_at.get_or_insert(next_pass);
        self.periodic_progress(store);
    }

    /// When [`Hub::look_after`] is due next, on the member's clock; `u64::MAX` if nothing waits. The time may
    /// be in the past: then a step should follow at once.
    pub(crate) fn wake_at(&self) -> u64 {
        if !self.to_drain.is_empty() {
            return self.now;
        }
        let sync = if self.unsynced.is_empty() { u64::MAX } else { self.sync_at.unwrap_or(self.now) };
        let victims = if self.victim_has_room() { self.victims_at.unwrap_or(self.now) } else { u64::MAX };
        let progress = self.timers.first().map_or(u64::MAX, |(due, _)| *due);
        sync.min(victims).min(progress)
    }

    /// Moves the responses that the transport has room for to `out`, each with its stream. Headers contain
    /// only the revision; the 0 in a cancellation by compaction is intended.
    pub(crate) fn drain(&mut self, store: &Store, out: &mut Vec<(u64, WatchResponse)>) {
        while let Some(number) = self.to_drain.pop_first() {
            let Some(stream) = self.streams.get_mut(&number) else { continue };
            let Stream { watchers, outbox, .. } = stream;
            while let Some(response) = outbox.next(watchers, store, &self.limits, &self.probes) {
                out.push((number, response));
            }
        }
    }

    /// Whether there are no streams, so that nothing is due and nothing is to be drained.
    pub(crate) fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    /// Number of streams and of watchers per group.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            streams: self.streams.len(),
            synced: self.synced.len(),
            unsynced: self.unsynced.len(),
            victims: self.victims.len(),
        }
    }

    /// The probes reached since the last call, each once.
    pub(crate) fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.probes.take()
    }
}
