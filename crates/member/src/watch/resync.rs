//! Serves the watchers that are not synced: passes over unsynced watchers, and retries of victims.
//!
//! A pass takes up to `watch_sync_batch` watchers. It cancels those that want revisions which were compacted. For the
//! others, it reads the history once, from the oldest revision that any of them wants, and sends each its changes, up
//! to `watch_batch_revisions` revisions. It reads no more than [`HISTORY_ROWS`] rows, however much they want; the next
//! pass continues there.
//!
//! The next pass begins with the watcher after the last one of this pass. If each pass began with the first,
//! then watchers whose cancellation finds no room in the channel could keep all others from being served.

use std::collections::BTreeMap;
use std::ops::Bound;

use api::mvccpb::{Event, KeyValue};
use record::inner::{Pass, WatcherCause};
use record::{Inner, Probe};

use super::interests::Interests;
use super::outbox::Notice;
use super::watcher::{Group, Watcher};
use super::{Hub, Name};
use crate::flaw::Flaw;
use crate::inner;
use crate::mvcc::Store;
use crate::punctual;

/// The most rows of the history that a pass reads, except that it completes the last revision. etcd reads all rows,
/// outside of its other work.
pub(super) const HISTORY_ROWS: usize = 4_096;

/// The changes that a pass sends one watcher. It has all changes of a revision or none.
#[derive(Debug, Default)]
struct Batch {
    events: Vec<Event>,
    /// The last revision in the batch, even if the watcher does not want its changes.
    last: i64,
    /// The number of revisions in the batch.
    revisions: u32,
    /// The first revision with changes in the watcher's range that is not in the batch because of a limit.
    more: Option<i64>,
}

impl Batch {
    /// Adds a change in the watcher's range, unless the batch is full.
    fn add(&mut self, watcher: &Watcher, row: &KeyValue, limit: u32) {
        if row.mod_revision < watcher.next || self.more.is_some() {
            return;
        }
        if row.mod_revision > self.last {
            if self.revisions == limit {
                self.more = Some(row.mod_revision);
                return;
            }
            self.revisions += 1;
            self.last = row.mod_revision;
        }
        self.events.extend(watcher.event(row));
    }
}

impl Hub {
    /// Makes one pass over unsynced watchers.
    pub(super) fn resync(&mut self, store: &Store) {
        // As in etcd, this is false even if the unsynced watchers just fill the limit.
        let takes_all = self.unsynced.len() < self.limits.sync_batch;
        let mut lagging = Vec::new();
        let (at, lag) = ((store.revision(), store.compact_revision()), self.unsynced.len());
        let chosen = self.choose();
        let taken: Vec<(u64, i64)> = chosen.iter().map(|name| (name.stream, name.id)).collect();
        for name in chosen {
            let watcher = self.watcher(name);
            assert!(
                watcher.next <= store.revision() || watcher.restored,
                "{name:?} is unsynced and waits for revision {}, but the store is at {}: no snapshot moved it, so it \
                 should have stayed synced",
                watcher.next,
                store.revision()
            );
            if watcher.next < store.compact_revision() {
                let from = self.place(name);
                let why = if self.cancel_compacted(name, store, takes_all) {
                    WatcherCause::Compacted
                } else {
                    WatcherCause::CompactedWithoutRoom
                };
                self.tell_move(name, from, why, at);
            } else {
                lagging.push(name);
            }
        }
        let mut batches = self.read_history(store, &lagging, (lag, taken));
        if self.flaws.has(Flaw::EventBufferReuse) {
            self.overwrite_waiting(&batches);
        }
        for name in lagging {
            let from = self.place(name);
            self.catch_up(name, batches.remove(&name).unwrap_or_default(), store.revision());
            let why =
                if self.place(name).0 == Group::Victim { WatcherCause::NoRoom } else { WatcherCause::Served };
            self.tell_move(name, from, why, at);
        }
    }

    /// Chooses the watchers of this pass: those after the last one of the previous pass, then those from the
    /// first on.
    fn choose(&mut self) -> Vec<Name> {
        // Flaw M-22264: each pass begins with the first watcher.
        if self.flaws.has(Flaw::SyncWatchersStall) {
            self.cursor = Name::default();
        }
        let later = self.unsynced.range((Bound::Excluded(self.cursor), Bound::Unbounded));
        let earlier = self.unsynced.range(..=self.cursor);
        let mut chosen: Vec<Name> = later.chain(earlier).take(self.limits.sync_batch).copied().collect();
        if chosen.len() < self.unsynced.len() {
            self.probes.reached(Probe::WatchSeveralPasses);
        }
        self.cursor = chosen.last().copied().unwrap_or_default();
        chosen.sort_unstable();
        chosen
    }

    /// Cancels a watcher that wants revisions which were compacted. If the channel has no room for the
    /// cancellation, a later pass tries again. `takes_all` says whether this pass takes all unsynced
    /// watchers. Returns whether there was room.
    fn cancel_compacted(&mut self, name: Name, store: &Store, takes_all: bool) -> bool {
        let notice = Notice::compacted(name.id, self.watcher(name).serial, store.compact_revision());
        if self.offer(name.stream, notice).is_err() {
            self.probes.reached(Probe::WatchCompactionCancelDelayed);
            // Flaw M-17529: the watcher becomes synced, without the changes that were compacted.
            if self.flaws.has(Flaw::CompactedWatcherSkipped) {
                self.watcher_mut(name).next = store.revision() + 1;
                self.regroup(name, Group::Synced);
            }
            return false;
        }
        self.probes.reached(Probe::WatchCancelledByCompaction);
        // Flaw M-21174: unless the pass takes the whole group, the watcher is removed only from a copy of the
        // group, as in etcd issue 21174, and so stays unsynced.
        if takes_all || !self.flaws.has(Flaw::CompactedWatchersLeak) {
            self.stop_progress(name);
            self.regroup(name, Group::Cancelled);
        }
        true
    }

    /// Reads the history for these watchers. Each gets the changes in its range from its next revision on. `pass` is
    /// only reported: how many watchers lag, and which of them this pass takes.
    fn read_history(
        &self,
        store: &Store,
        lagging: &[Name],
        pass: (usize, Vec<(u64, i64)>),
    ) -> BTreeMap<Name, Batch> {
        let mut interests = Interests::default();
        let mut from = i64::MAX;
        for name in lagging {
            let watcher = self.watcher(*name);
            interests.insert(watcher.range.clone(), *name);
            from = from.min(watcher.next);
        }
        let needed = from;
        // Flaw M-20693: the backend orders revisions as unsigned numbers, so a negative one comes after all
        // others, and the watchers get nothing.
        if from < 0 && self.flaws.has(Flaw::WatchRevMinusOne) {
            from = i64::MAX;
        }
        let mut batches: BTreeMap<Name, Batch> = BTreeMap::new();
        // How many watchers have no full batch yet.
        let mut open = lagging.len();
        let (mut last, mut unread) = (from, None);
        let mut read = Vec::new();
        for (nth, (at, row)) in store.history(from).enumerate() {
            if open == 0 {
                break;
            }
            if nth >= HISTORY_ROWS && at.main > last {
                unread = Some(at.main);
                break;
            }
            last = at.main;
            if inner::is_on() {
                read.push((at.main, at.sub));
            }
            interests.for_each(&row.key, |name| {
                let batch = batches.entry(name).or_default();
                let was_open = batch.more.is_none();
                batch.add(self.watcher(name), row, self.limits.batch_revisions);
                open -= usize::from(was_open && batch.more.is_some());
            });
        }
        inner::tell(|| {
            let (lag, taken) = pass;
            Inner::Pass(Box::new(Pass { lag, taken, from: needed, rows: read, current: store.revision() }))
        });
        if let Some(unread) = unread {
            for name in lagging {
                let next = self.watcher(*name).next;
                // A watcher that waits for a future revision lacks nothing.
                if next <= store.revision() {
                    batches.entry(*name).or_default().more.get_or_insert(next.max(unread));
                }
            }
        }
        batches
    }

    /// Sends a watcher its batch. If that was all, the watcher is synced.
    fn catch_up(&mut self, name: Name, batch: Batch, current: i64) {
        // Flaw M-20221b: the next revision of a watcher is lowered to the current one, even if the watcher waits
        // for a revision in the future. Only a snapshot makes such a watcher unsynced.
        let lowers = self.flaws.has(Flaw::RestoreLowersFutureMinRev);
        let watcher = self.watcher_mut(name);
        watcher.next = match batch.more {
            Some(more) => more,
            None if lowers => current + 1,
            None => watcher.next.max(current + 1),
        };
        watcher.restored = false;
        let (serial, next) = (watcher.serial, watcher.next);
        if batch.more.is_some() {
            self.probes.reached(Probe::WatchSeveralBatches);
        }
        if !batch.events.is_empty() {
            let notice = Notice::events(name.id, serial, current, batch.events).catching_up();
            if let Err(mut notice) = self.offer(name.stream, notice) {
                // By the time the notice is sent, the store may be at a later revision than the watcher.
                notice.revision = next - 1;
                return self.make_victim(name, notice);
            }
        }
        if batch.more.is_none() {
            self.regroup(name, Group::Synced);
        }
    }

    /// Called only if the flaw M-21355 is switched on: a pass reuses the memory of the previous pass for its events,
    /// so it overwrites those that still wait for slow clients.
    fn overwrite_waiting(&mut self, batches: &BTreeMap<Name, Batch>) {
        let buffer: Vec<Event> = batches.values().flat_map(|batch| &batch.events).cloned().collect();
        let channels = self.streams.values_mut().flat_map(|stream| stream.outbox.channel_mut());
        for notice in channels.chain(self.victims.values_mut()).filter(|notice| notice.catch_up) {
            notice.events.iter_mut().zip(&buffer).for_each(|(old, new)| old.clone_from(new));
        }
    }

    /// Tries to send each victim's notice, which was due at `due`. If that succeeds, the watcher becomes synced or
    /// unsynced again.
    pub(super) fn retry_victims(&mut self, store: &Store, due: u64) {
        for name in self.victims.keys().copied().collect::<Vec<_>>() {
            if !self.has_room(name.stream) {
                continue;
            }
            punctual::was_due("the retry of a victim", due);
            let group = self.watcher(name).group_at(store.revision());
            if group == Group::Unsynced {
                self.probes.reached(Probe::WatchVictimStillLags);
            }
            let from = self.place(name);
            let notice = self.victims.remove(&name).expect("the key was there");
            self.offer(name.stream, notice).expect("the channel has room");
            self.join(name, group);
            let at = (store.revision(), store.compact_revision());
            self.tell_move(name, from, WatcherCause::Retried, at);
        }
    }
}
