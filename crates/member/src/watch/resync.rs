//! Watchers that are not up to date: passes over the unsynced ones, and retries for victims.
//!
//! A pass takes a number of watchers, cancels those whose history was compacted, reads the history once from
//! the oldest revision that the others want, and hands each its part, up to a number of revisions. Successive
//! passes take the watchers in turn; otherwise those that make no progress (their cancellation finds no room)
//! would keep the others from ever being served.

use std::collections::BTreeMap;
use std::ops::Bound;

use api::mvccpb::{Event, KeyValue};
use record::Probe;

use super::interests::Interests;
use super::outbox::Notice;
use super::watcher::{Group, Watcher};
use super::{Hub, Name};
use crate::flaw::Flaw;
use crate::mvcc::Store;

/// One watcher's part of the history. Changes of one revision stay together.
#[derive(Debug, Default)]
struct Batch {
    events: Vec<Event>,
    /// The last revision in it, including changes that the watcher filters.
    last: i64,
    revisions: u32,
    /// The first revision for this watcher that did not fit.
    more: Option<i64>,
}

impl Batch {
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
    /// One pass over unsynced watchers.
    pub(super) fn resync(&mut self, store: &Store) {
        let whole = self.unsynced.len() < self.limits.sync_batch;
        let mut lagging = Vec::new();
        for name in self.choose() {
            let watcher = self.watcher(name);
            assert!(
                watcher.next <= store.revision() || watcher.restored,
                "{name:?} is unsynced and waits for revision {}, but the store is at {}: no snapshot moved it, so it \
                 should have stayed synced",
                watcher.next,
                store.revision()
            );
            if watcher.next < store.compact_revision() {
                self.cancel_compacted(name, store, whole);
            } else {
                lagging.push(name);
            }
        }
        let mut batches = self.read_history(store, &lagging);
        if self.flaws.has(Flaw::EventBufferReuse) {
            self.overwrite_waiting(&batches);
        }
        for name in lagging {
            self.catch_up(name, batches.remove(&name).unwrap_or_default(), store.revision());
        }
    }

    /// The watchers of this pass: those after the last one of the previous pass, then from the first.
    fn choose(&mut self) -> Vec<Name> {
        // M-22264: always from the first.
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

    /// Cancels a watcher that wants compacted history. If there is no room, the next pass retries. `whole`
    /// says whether the pass takes all unsynced watchers.
    fn cancel_compacted(&mut self, name: Name, store: &Store, whole: bool) {
        let notice = Notice::compacted(name.id, self.watcher(name).serial, store.compact_revision());
        if self.offer(name.stream, notice).is_err() {
            self.probes.reached(Probe::WatchCompactionCancelDelayed);
            // M-17529: treated as up to date.
            if self.flaws.has(Flaw::CompactedWatcherSkipped) {
                self.watcher_mut(name).next = store.revision() + 1;
                self.regroup(name, Group::Synced);
            }
            return;
        }
        self.probes.reached(Probe::WatchCancelledByCompaction);
        // M-21174: etcd removes it from a copy of the group if the pass does not take the whole group.
        if whole || !self.flaws.has(Flaw::CompactedWatchersLeak) {
            self.stop_progress(name);
            self.regroup(name, Group::Cancelled);
        }
    }

    /// The history for these watchers, starting where each of them stopped.
    fn read_history(&self, store: &Store, lagging: &[Name]) -> BTreeMap<Name, Batch> {
        let mut interests = Interests::default();
        let mut from = i64::MAX;
        for name in lagging {
            let watcher = self.watcher(*name);
            interests.insert(watcher.range.clone(), *name);
            from = from.min(watcher.next);
        }
        // M-20693: in the backend's order revisions are unsigned, so a negative one comes after all others.
        if from < 0 && self.flaws.has(Flaw::WatchRevMinusOne) {
            from = i64::MAX;
        }
        let mut batches: BTreeMap<Name, Batch> = BTreeMap::new();
        let mut open = lagging.len();
        for (_, row) in store.history(from) {
            if open == 0 {
                break;
            }
            interests.for_each(&row.key, |name| {
                let batch = batches.entry(name).or_default();
                let was_open = batch.more.is_none();
                batch.add(self.watcher(name), row, self.limits.batch_revisions);
                open -= usize::from(was_open && batch.more.is_some());
            });
        }
        batches
    }

    /// Hands a watcher its part of the history.
    fn catch_up(&mut self, name: Name, batch: Batch, current: i64) {
        // M-20221b: a watcher that a snapshot moved here may wait for a future revision.
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
                // This watcher may be far behind by the time the notice is sent.
                notice.revision = next - 1;
                return self.make_victim(name, notice);
            }
        }
        if batch.more.is_none() {
            self.regroup(name, Group::Synced);
        }
    }

    /// M-21355: a pass reads events into the memory of the previous pass, which responses to slow clients
    /// still use.
    fn overwrite_waiting(&mut self, batches: &BTreeMap<Name, Batch>) {
        let buffer: Vec<Event> = batches.values().flat_map(|batch| &batch.events).cloned().collect();
        let channels = self.streams.values_mut().flat_map(|open| open.outbox.channel_mut());
        for notice in channels.chain(self.victims.values_mut()).filter(|notice| notice.catch_up) {
            notice.events.iter_mut().zip(&buffer).for_each(|(old, new)| old.clone_from(new));
        }
    }

    /// Retries the victims' notices. Watchers whose notice was sent become unsynced or synced again.
    pub(super) fn retry_victims(&mut self, store: &Store) {
        for name in self.victims.keys().copied().collect::<Vec<_>>() {
            if !self.has_room(name.stream) {
                continue;
            }
            let group = self.watcher(name).group_at(store.revision());
            if group == Group::Unsynced {
                self.probes.reached(Probe::WatchVictimStillLags);
            }
            let notice = self.victims.remove(&name).expect("the key was there");
            self.offer(name.stream, notice).expect("the channel has room");
            self.join(name, group);
        }
    }
}
