//! What members do with their watchers, as B8 needs it: when each watcher was synced, which ones waited for room in their
//! stream's channel, when each response left, and how far each member had applied the log.
//!
//! Members report the moves of their watchers; the world shows when a response leaves. So nothing here depends on how fast
//! clients read, or on their links.

use std::collections::BTreeMap;

use record::inner::{Group, WatcherCause, WatcherMove};
use record::{MemberId, Members, Nanos, Operation};

use super::cluster::Spans;

/// A watcher: the stream's number in the history, and the watch id.
pub(super) type Name = (u64, i64);

/// A response for which its stream's channel had no room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    /// Its watcher.
    pub name: Name,
    /// When there was no room.
    pub at: Nanos,
    /// The revisions whose changes it has: from the first one on, up to the second, which is not included.
    pub revisions: (i64, i64),
}

/// The watchers of a run.
#[derive(Clone, Debug)]
pub(super) struct Watchers {
    /// When each watcher was synced.
    synced: BTreeMap<(MemberId, Name), Spans>,
    /// The responses that waited for room, in order.
    pub waiting: Vec<Waiting>,
    /// When each response of a stream left, by the stream's number.
    sends: Vec<Vec<Nanos>>,
    /// The entries that each member's process has applied, each with the time; without those that others follow at the
    /// same time.
    applied: Members<Vec<(Nanos, u64)>>,
}

impl Watchers {
    pub fn new(members: u32) -> Watchers {
        Watchers {
            synced: BTreeMap::new(),
            waiting: Vec::new(),
            sends: Vec::new(),
            applied: Members::new(members, |_| Vec::new()),
        }
    }

    /// A watcher moves.
    pub fn moves(&mut self, time: Nanos, member: MemberId, moved: &WatcherMove) {
        let WatcherMove { stream, id, from, to, why, .. } = moved;
        let is_synced = to.0 == Group::Synced && *why != WatcherCause::Ended;
        let name = (*stream, *id);
        self.synced.entry((member, name)).or_default().set(time, is_synced);
        if *why == WatcherCause::NoRoom {
            self.waiting.push(Waiting { name, at: time, revisions: (from.1, to.1) });
        }
    }

    /// A response of this stream leaves, or what else a member sends to a client that has a stream.
    #[inline]
    pub fn sends(&mut self, time: Nanos, stream: u64) {
        if stream & Operation::RANGE != 0 {
            return; // chunks of a streamed range
        }
        let stream = stream as usize;
        if self.sends.len() <= stream {
            self.sends.resize(stream + 1, Vec::new());
        }
        self.sends[stream].push(time);
    }

    /// A member applies an entry.
    #[inline]
    pub fn applies(&mut self, time: Nanos, member: MemberId, index: u64) {
        let Some(applied) = self.applied.get_mut(member) else { return };
        match applied.last_mut() {
            Some(last) if last.0 == time => last.1 = index,
            _ => applied.push((time, index)),
        }
    }

    /// A process has ended, and its watchers with it.
    pub fn stopped(&mut self, time: Nanos, member: MemberId) {
        let of_it = self.synced.range_mut((member, (0, i64::MIN))..=(member, (u64::MAX, i64::MAX)));
        of_it.for_each(|(_, synced)| synced.set(time, false));
    }

    /// Whether a watcher was synced all the time between two times.
    pub fn was_synced(&self, member: MemberId, name: Name, from: Nanos, to: Nanos) -> bool {
        self.synced.get(&(member, name)).is_some_and(|synced| synced.cover(from, to))
    }

    /// When each response of this stream left, in order.
    pub fn sent(&self, stream: u64) -> &[Nanos] {
        self.sends.get(stream as usize).map_or(&[], |sends| sends)
    }

    /// The last entry that a member applied before one time and not before another.
    pub fn applied_before(&self, member: MemberId, time: Nanos, since: Nanos) -> Option<u64> {
        let applied = self.applied.get(member)?;
        let before = applied.partition_point(|(at, _)| *at < time);
        let (at, index) = applied.get(before.checked_sub(1)?)?;
        (*at >= since).then_some(*index)
    }
}
