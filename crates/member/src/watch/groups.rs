//! Moves watchers between their groups, and puts responses into the queues of a stream. The groups are etcd's: a
//! *synced* watcher gets new changes at once, an *unsynced* one lags and is served from the history, and a *victim*
//! waits because its stream's channel was full.

use std::ops::Bound;

use api::etcdserverpb::WatchResponse;
use record::inner::{WatcherCause, WatcherMove};
use record::{Inner, Probe};

use super::outbox::Notice;
use super::watcher::{Group, Watcher};
use super::{Hub, Name};
use crate::inner;

impl Hub {
    /// The watcher of this name, which must be in some group.
    pub(super) fn watcher(&self, name: Name) -> &Watcher {
        let stream = self.streams.get(&name.stream);
        let watcher = stream.and_then(|open_stream| open_stream.watchers.get(&name.id));
        watcher.unwrap_or_else(|| panic!("a group holds {name:?}, but it was closed or cancelled"))
    }

    /// The same, mutable.
    pub(super) fn watcher_mut(&mut self, name: Name) -> &mut Watcher {
        let stream = self.streams.get_mut(&name.stream);
        let watcher = stream.and_then(|open_stream| open_stream.watchers.get_mut(&name.id));
        watcher.unwrap_or_else(|| panic!("a group holds {name:?}, but it was closed or cancelled"))
    }

    /// A watcher's group and its next revision.
    pub(super) fn place(&self, name: Name) -> (Group, i64) {
        let watcher = self.watcher(name);
        (watcher.group, watcher.next)
    }

    /// Reports that a watcher's place has changed from `from`, while the store is at revision `current` and compacted
    /// to `compacted`.
    pub(super) fn tell_move(
        &self,
        name: Name,
        from: (Group, i64),
        why: WatcherCause,
        (current, compacted): (i64, i64),
    ) {
        let tells = if why == WatcherCause::Notified { inner::tell } else { inner::tell_deed };
        tells(|| {
            let watcher = self.watcher(name);
            Inner::Watcher(Box::new(WatcherMove {
                stream: name.stream,
                id: name.id,
                keys: (watcher.range.key.clone(), watcher.range.end.clone()),
                start: watcher.start,
                wants: watcher.wants(),
                from: (from.0.reported(), from.1),
                to: (watcher.group.reported(), watcher.next),
                why,
                current,
                compacted,
            }))
        });
    }

    /// Puts a watcher that is in no group into `group`. To make a watcher a victim, use [`Hub::make_victim`].
    pub(super) fn join(&mut self, name: Name, group: Group) {
        self.watcher_mut(name).group = group;
        match group {
            Group::Synced => {
                let range = self.watcher(name).range.clone();
                self.synced.insert(range, name);
            }
            Group::Unsynced => {
                if self.unsynced.is_empty() {
                    self.sync_at = None;
                }
                self.unsynced.insert(name);
            }
            Group::Victim | Group::Cancelled => {}
        }
    }

    /// Takes a watcher out of its group.
    pub(super) fn leave(&mut self, name: Name) {
        let watcher = self.watcher(name);
        match watcher.group {
            Group::Synced => {
                let range = watcher.range.clone();
                self.synced.remove(range, name);
            }
            Group::Unsynced => {
                self.unsynced.remove(&name);
            }
            Group::Victim => {
                self.victims.remove(&name);
            }
            Group::Cancelled => {}
        }
    }

    /// Moves a watcher to another group.
    pub(super) fn regroup(&mut self, name: Name, group: Group) {
        self.leave(name);
        self.join(name, group);
    }

    /// Makes a watcher a victim, with the notice for which its stream's channel had no room.
    pub(super) fn make_victim(&mut self, name: Name, notice: Notice) {
        self.probes.reached(Probe::WatchVictim);
        if self.victims.is_empty() {
            self.victims_at = None;
        }
        self.regroup(name, Group::Victim);
        self.victims.insert(name, notice);
    }

    /// Puts a notice into the stream's channel, or returns it if the channel is full.
    pub(super) fn offer(&mut self, stream: u64, notice: Notice) -> Result<(), Notice> {
        let open_stream = self.streams.get_mut(&stream);
        let open_stream =
            open_stream.unwrap_or_else(|| panic!("{notice:?} is for stream {stream}, but that is not open"));
        open_stream.outbox.offer(stream, notice, self.limits.buffer)?;
        self.to_drain.insert(stream);
        Ok(())
    }

    /// Queues a control response, which goes before all notices in the stream's channel.
    pub(super) fn control(&mut self, stream: u64, response: WatchResponse) {
        let open_stream = self.streams.get_mut(&stream).expect("the request opened the stream");
        open_stream.outbox.control(stream, response);
        self.to_drain.insert(stream);
    }

    /// Whether the channel of any victim has room.
    pub(super) fn victim_has_room(&self) -> bool {
        let mut first = self.victims.first_key_value();
        while let Some((name, _)) = first {
            if self.has_room(name.stream) {
                return true;
            }
            // The victims of one stream share its channel, so the next one to look at is of another stream.
            let rest = Bound::Excluded(Name { stream: name.stream, id: i64::MAX });
            first = self.victims.range((rest, Bound::Unbounded)).next();
        }
        false
    }

    /// Whether the channel of `stream` has room.
    pub(super) fn has_room(&self, stream: u64) -> bool {
        self.streams.get(&stream).is_some_and(|open_stream| open_stream.outbox.has_room(self.limits.buffer))
    }
}
