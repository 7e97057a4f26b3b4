//! The raft log in memory, which the raft library reads through its `Storage` trait. It also has the hard
//! state, the configuration, and the snapshot that raft may send to a follower.
//!
//! It has everything that was given to the disk, whether it is durable yet or not. The WAL knows what is
//! durable.
//!
//! Invariants: the entries are contiguous and start at `before.0 + 1`; `before` never decreases.

use std::cell::Cell;
use std::collections::VecDeque;

use protobuf::Message as _;
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{Error, GetEntriesContext, RaftState, Storage, StorageError};

use crate::keeps::{Count, count};

/// The log, the hard state and the configuration.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Index and term of the entry just before the first one, which was compacted or is in a snapshot.
    before: (u64, u64),
    entries: VecDeque<Entry>,
    /// How many of the entries at the front are not in the log any more. They are freed little by little, because
    /// freeing many at once takes a while.
    gone: usize,
    hard_state: HardState,
    /// Invariant: the configuration at the applied index, which is before that of a snapshot that waits to be
    /// installed. Raft reads it at its start only.
    conf_state: ConfState,
    /// A snapshot of the replicated state, for followers that need entries from before the log. It is made
    /// when raft asks for one.
    snapshot: Option<Snapshot>,
    /// The number of the work that makes a snapshot; `None` if none is being made that could still be used.
    making: Option<u64>,
    /// A large snapshot that is no longer needed, to be freed.
    useless: Option<Snapshot>,
    /// Whether raft has asked for a snapshot and got none.
    snapshot_wanted: Cell<bool>,
}

impl Log {
    /// A log as found on disk.
    pub(crate) fn new(
        before: (u64, u64),
        entries: Vec<Entry>,
        hard_state: HardState,
        conf_state: ConfState,
    ) -> Log {
        let mut log = Log { before, hard_state, conf_state, ..Log::default() };
        log.append(&entries);
        log
    }

    /// Index and term of the entry just before the first one.
    pub(crate) fn before(&self) -> (u64, u64) {
        self.before
    }

    /// The index of the last entry.
    pub(crate) fn last(&self) -> u64 {
        self.before.0 + (self.entries.len() - self.gone) as u64
    }

    /// The term of the last entry, or of the one before the log if it has none.
    pub(crate) fn last_term(&self) -> u64 {
        self.entries
            .back()
            .filter(|_| self.entries.len() > self.gone)
            .map_or(self.before.1, |entry| entry.term)
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 2] {
        [count("log-entries", self.entries.len() - self.gone), count("log-entries-gone", self.gone)]
    }

    /// Copies of all entries.
    pub(crate) fn all(&self) -> Vec<Entry> {
        self.entries.iter().skip(self.gone).cloned().collect()
    }

    /// All entries, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The raft configuration at the applied index: who votes and who learns.
    pub(crate) fn conf_state(&self) -> &ConfState {
        &self.conf_state
    }

    /// Sets the configuration after a change or an installed snapshot, and discards a snapshot from before it: raft drops
    /// a snapshot whose configuration does not include the receiver, so a new member could not use it.
    pub(crate) fn set_conf_state(&mut self, conf_state: ConfState) {
        self.forget_snapshot();
        self.conf_state = conf_state;
    }

    /// Raft's term, vote and commit index.
    pub(crate) fn hard_state(&self) -> &HardState {
        &self.hard_state
    }

    /// Replaces the hard state.
    pub(crate) fn set_hard_state(&mut self, hard_state: HardState) {
        self.hard_state = hard_state;
    }

    /// Appends entries, after removing any that have the first one's index or a higher one.
    pub(crate) fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        assert!(
            self.before.0 < first.index && first.index <= self.last() + 1,
            "entries from {} do not fit a log of {}..={}: a gap, or entries that a snapshot already holds",
            first.index,
            self.before.0 + 1,
            self.last()
        );
        self.entries.truncate(self.gone + (first.index - self.before.0 - 1) as usize);
        self.entries.extend(entries.iter().cloned());
        let freed = self.gone.min(2 * entries.len());
        self.entries.drain(..freed);
        self.gone -= freed;
    }

    /// Drops the entries up to `index`, which the state machine has applied.
    pub(crate) fn compact(&mut self, index: u64) {
        if index <= self.before.0 {
            return;
        }
        let term = self.term(index).expect("the log is compacted to an index it holds");
        self.gone += (index - self.before.0) as usize;
        self.before = (index, term);
    }

    /// Replaces the whole log by a snapshot: no entries are left. The configuration stays until the snapshot is
    /// installed.
    pub(crate) fn restore(&mut self, snapshot: &Snapshot) {
        let metadata = snapshot.get_metadata();
        self.before = (metadata.index, metadata.term);
        self.gone = self.entries.len();
        self.forget_snapshot();
    }

    /// Whether raft needs a snapshot to send to a follower, and none is being made.
    pub(crate) fn wants_snapshot(&self) -> bool {
        self.snapshot_wanted.get() && !self.is_making_snapshot()
    }

    /// Whether a snapshot is being made that raft will get.
    pub(crate) fn is_making_snapshot(&self) -> bool {
        self.making.is_some()
    }

    /// The work with this number makes the snapshot that raft asked for.
    pub(crate) fn begin_snapshot(&mut self, work: u64) {
        self.snapshot_wanted.set(false);
        self.making = Some(work);
    }

    /// Gives raft the snapshot that this work has made. It is dropped if the configuration has changed meanwhile.
    pub(crate) fn offer_snapshot(&mut self, work: u64, snapshot: Snapshot) {
        let is_of_use = self.making.take_if(|making| *making == work).is_some();
        self.useless = if is_of_use { self.snapshot.replace(snapshot) } else { Some(snapshot) };
    }

    fn forget_snapshot(&mut self) {
        self.making = None;
        self.useless = self.snapshot.take().or(self.useless.take());
    }

    /// Removes the snapshot that is no longer needed. Freeing it takes a while.
    pub(crate) fn take_useless(&mut self) -> Option<Snapshot> {
        self.useless.take()
    }
}

impl Storage for Log {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.hard_state.clone(), self.conf_state.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.before.0 {
            return Err(Error::Store(StorageError::Compacted));
        }
        assert!(
            high <= self.last() + 1,
            "raft asked for entries up to {high} of a log that ends at {}: it considers entries stable that were never appended",
            self.last()
        );
        let nth = |index: u64| self.gone + (index - self.before.0 - 1) as usize;
        let range = nth(low)..nth(high);
        let limit = max_size.into().unwrap_or(u64::MAX);
        let mut size = 0;
        let mut wanted = Vec::with_capacity(range.len().min(64));
        for entry in self.entries.range(range) {
            size += u64::from(entry.compute_size());
            // `Storage::entries` must return at least one entry, however large it is.
            if size > limit && !wanted.is_empty() {
                break;
            }
            wanted.push(entry.clone());
        }
        Ok(wanted)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.before.0 {
            return Ok(self.before.1);
        }
        if index < self.before.0 {
            return Err(Error::Store(StorageError::Compacted));
        }
        match self.entries.get(self.gone + (index - self.before.0 - 1) as usize) {
            Some(entry) => Ok(entry.term),
            None => Err(Error::Store(StorageError::Unavailable)),
        }
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.before.0 + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        match &self.snapshot {
            Some(snapshot) if snapshot.get_metadata().index >= request_index.max(self.before.0) => {
                Ok(snapshot.clone())
            }
            // The member then has one made; raft asks again at the follower's next response.
            _ => {
                self.snapshot_wanted.set(!self.is_making_snapshot());
                Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(range: std::ops::RangeInclusive<u64>, term: u64) -> Vec<Entry> {
        range.map(|index| Entry { index, term, ..Entry::default() }).collect()
    }

    #[test]
    fn later_entries_replace_earlier_ones() {
        let mut log = Log::new((3, 1), entries(4..=8, 1), HardState::default(), ConfState::default());
        log.append(&entries(6..=6, 2));
        assert_eq!((log.last(), log.term(6).unwrap(), log.term(5).unwrap()), (6, 2, 1));
        log.compact(5);
        assert_eq!((log.before(), log.first_index().unwrap()), ((5, 1), 6));
        log.append(&entries(7..=9, 2));
        assert_eq!((log.last(), log.all().len(), log.term(7).unwrap()), (9, 4, 2));
        assert!(log.term(4).is_err());
        let context = GetEntriesContext::empty(false);
        assert!(log.entries(5, 7, None, context).is_err());
    }

    #[test]
    fn a_snapshot_from_before_a_change_of_the_configuration_is_of_no_use() {
        let mut log = Log::new((3, 1), Vec::new(), HardState::default(), ConfState::default());
        let made = |index| {
            let mut snapshot = Snapshot::default();
            snapshot.mut_metadata().index = index;
            snapshot
        };
        assert!(log.snapshot(0, 2).is_err() && log.wants_snapshot());
        log.begin_snapshot(7);
        assert!(log.snapshot(0, 2).is_err() && !log.wants_snapshot(), "one is being made");
        log.set_conf_state(ConfState::default());
        log.offer_snapshot(7, made(3));
        assert!(log.snapshot(0, 2).is_err() && log.wants_snapshot());
        log.begin_snapshot(8);
        log.offer_snapshot(8, made(4));
        assert_eq!(log.snapshot(0, 2).unwrap().get_metadata().index, 4);
    }

    #[test]
    fn a_size_limit_leaves_at_least_one_entry() {
        let log = Log::new((0, 0), entries(1..=5, 1), HardState::default(), ConfState::default());
        assert_eq!(log.entries(2, 6, 0, GetEntriesContext::empty(false)).unwrap().len(), 1);
        assert_eq!(log.entries(2, 6, None, GetEntriesContext::empty(false)).unwrap().len(), 4);
    }
}
