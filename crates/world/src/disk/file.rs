//! One file: what the medium holds, what the page cache holds, and the operations between the two.
//!
//! Invariants:
//! - cached content = durable content, then what the cache *believes* of it, then the log in order.
//! - The log holds, in order of their ordinals, the operations that no sync covers yet.
//! - The belief holds clean sectors that differ between the medium and the cache: a lost or misdirected
//!   write, a rotten bit. It ends when the cache is dropped, or with the sector's next write.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::content::{Content, SECTOR, Sector, sectors};

/// A file and its past since the last sync.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) cached: Content,
    pub(super) durable: Content,
    pub(super) log: Vec<Entry>,
    pub(super) belief: BTreeMap<u64, Sector>,
    /// Virtual time at which the last operation on it ends: operations on one file run one after another, as
    /// the kernel's inode lock makes them.
    pub(super) busy_until: u64,
    /// Where the last write that a sync made durable begins.
    pub(super) tail: u64,
    /// Whether the log may hold anything but writes that reach the medium: then a sync takes the slow path.
    special: bool,
    /// The last sync that was submitted and will succeed: what it covers is safe from later failures, even
    /// while it is under way.
    pub(super) sync_asked: u64,
}

/// An operation that no sync covers yet.
#[derive(Debug)]
pub(super) struct Entry {
    /// The operation's number, counted over the life of the disk.
    pub(super) ordinal: u64,
    /// The file's length after it.
    pub(super) len: u64,
    /// What it wrote; nothing for a truncation.
    pub(super) write: Option<Write>,
    /// The failed sync that drops the written bytes from the cache, once it has happened; 0 for none.
    dropped_by: u64,
}

/// Written bytes.
#[derive(Debug)]
pub(super) struct Write {
    /// The offset.
    pub(super) offset: u64,
    /// The bytes.
    pub(super) data: Bytes,
    /// What the medium will make of it.
    pub(super) fate: Fate,
}

/// What becomes of a write when it is synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It reaches the medium.
    Arrives,
    /// It does not reach the medium, though the sync succeeds.
    Lost,
    /// It lands elsewhere.
    Misdirected {
        /// The offset, in bytes.
        to: u64,
    },
}

/// Faults that took effect in a sync.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Folded {
    /// Writes that never reached the medium.
    pub(super) lost: u64,
    /// Writes that landed elsewhere.
    pub(super) misdirected: u64,
}

impl Entry {
    /// Whether the entry's bytes are still in the cache.
    pub(super) fn live_write(&self) -> Option<&Write> {
        self.write.as_ref().filter(|_| self.dropped_by == 0)
    }
}

impl File {
    /// Whether the cache and the medium hold the same.
    pub(super) fn is_clean(&self) -> bool {
        self.log.is_empty() && self.belief.is_empty()
    }

    /// Writes into the cache.
    pub(super) fn write(&mut self, ordinal: u64, offset: u64, data: Bytes, fate: Fate) {
        self.cached.write(offset, &data);
        if fate != Fate::Arrives {
            self.special = true;
        }
        let write = Some(Write { offset, data, fate });
        self.log.push(Entry { ordinal, len: self.cached.len(), write, dropped_by: 0 });
    }

    /// Sets the length in the cache.
    pub(super) fn truncate(&mut self, ordinal: u64, len: u64) {
        self.special = true;
        self.cached.set_len(len);
        self.log.push(Entry { ordinal, len, write: None, dropped_by: 0 });
    }

    /// A sync that will fail: from now on the cache shows the medium's old bytes. Lengths stay, as Linux
    /// keeps them in the inode.
    pub(super) fn fail_sync(&mut self, ordinal: u64) {
        let sync_asked = self.sync_asked;
        for entry in self.log.iter_mut().filter(|entry| entry.dropped_by == 0 && entry.ordinal > sync_asked) {
            entry.dropped_by = ordinal;
        }
        self.special = true;
        self.rebuild();
    }

    /// The failed sync has happened: what it dropped is gone for good.
    pub(super) fn drop_pages(&mut self, ordinal: u64) {
        for entry in self.log.iter_mut().filter(|entry| entry.dropped_by == ordinal) {
            entry.write = None;
            entry.dropped_by = 0;
        }
    }

    /// Takes back the operations from `ordinal` on: they never happened.
    pub(super) fn undo(&mut self, ordinal: u64) {
        let undone = |entry: &Entry| entry.ordinal >= ordinal || entry.dropped_by >= ordinal;
        if !self.log.iter().any(undone) {
            return;
        }
        self.log.retain(|entry| entry.ordinal < ordinal);
        for entry in self.log.iter_mut().filter(|entry| entry.dropped_by >= ordinal) {
            entry.dropped_by = 0;
        }
        self.rebuild();
    }

    /// Drops the clean pages from the cache: the next reader sees the medium.
    pub(super) fn evict(&mut self) {
        if !self.belief.is_empty() {
            self.belief.clear();
            self.rebuild();
        }
    }

    /// Changes bytes of a durable sector. A process whose page cache holds the page does not see it yet.
    pub(super) fn damage(&mut self, sector: u64, change: impl FnOnce(&mut Content)) {
        let clean = self.durable.sector(sector);
        self.belief.entry(sector).or_insert(clean);
        change(&mut self.durable);
    }

    /// A sync has happened: the operations before `ordinal` are durable.
    pub(super) fn fold(&mut self, ordinal: u64) -> Folded {
        let covered = self.log.partition_point(|entry| entry.ordinal < ordinal);
        if !self.special && self.belief.is_empty() && covered == self.log.len() {
            self.fold_plainly();
            return Folded::default();
        }
        self.fold_faithfully(covered)
    }

    /// The hot path: afterwards both contents are equal, so pages can be shared.
    fn fold_plainly(&mut self) {
        let mut tail = u64::MAX;
        for write in self.log.drain(..).filter_map(|entry| entry.write) {
            tail = tail.min(write.offset);
            self.durable.adopt(&self.cached, write.offset, &write.data);
        }
        self.durable.set_len(self.cached.len());
        if tail != u64::MAX {
            self.tail = tail;
        }
    }

    fn fold_faithfully(&mut self, covered: usize) -> Folded {
        let mut folded = Folded::default();
        let mut tail = u64::MAX;
        for entry in self.log.drain(..covered).collect::<Vec<_>>() {
            if let Some(write) = entry.live_write() {
                tail = tail.min(write.offset);
                self.fold_write(write, &mut folded);
            }
            self.durable.set_len(entry.len);
            cut(&mut self.belief, entry.len);
        }
        self.tail = if tail == u64::MAX { self.tail } else { tail }.min(self.durable.len());
        if self.log.is_empty() {
            self.special = false;
        }
        folded
    }

    fn fold_write(&mut self, write: &Write, folded: &mut Folded) {
        let Write { offset, ref data, fate } = *write;
        let len = data.len() as u64;
        match fate {
            Fate::Arrives => {
                // The cache writes whole sectors: what it believed of them becomes true.
                for sector in sectors(offset, len) {
                    if let Some(believed) = self.belief.remove(&sector) {
                        self.durable.set_sector(sector, &believed);
                    }
                }
                self.durable.write(offset, data);
            }
            Fate::Misdirected { to } if to + len <= self.durable.len() => {
                folded.misdirected += 1;
                self.believe(offset, data);
                for sector in sectors(to, len) {
                    let clean = self.durable.sector(sector);
                    self.belief.entry(sector).or_insert(clean);
                }
                self.durable.write(to, data);
            }
            Fate::Lost | Fate::Misdirected { .. } => {
                folded.lost += 1;
                self.believe(offset, data);
            }
        }
    }

    /// The cache holds `data` at `offset` as clean; the medium does not.
    fn believe(&mut self, offset: u64, data: &[u8]) {
        for sector in sectors(offset, data.len() as u64) {
            let clean = self.durable.sector(sector);
            patch(self.belief.entry(sector).or_insert(clean), sector, offset, data);
        }
    }

    /// Rebuilds the cached content from durable content, belief and log.
    pub(super) fn rebuild(&mut self) {
        self.cached = self.durable.clone();
        for (sector, bytes) in &self.belief {
            self.cached.set_sector(*sector, bytes);
        }
        for entry in &self.log {
            if let Some(write) = entry.live_write() {
                self.cached.write(write.offset, &write.data);
            }
            self.cached.set_len(entry.len);
        }
    }

    /// Only the medium is left, with this content.
    pub(super) fn settle(&mut self, durable: Content) {
        self.tail = self.tail.min(durable.len());
        self.cached = durable.clone();
        self.durable = durable;
        self.log.clear();
        self.belief.clear();
        self.special = false;
    }
}

/// Copies into `sector`, number `number`, the part of `data` (at `offset`) that falls into it.
fn patch(sector: &mut Sector, number: u64, offset: u64, data: &[u8]) {
    let start = number * SECTOR;
    let from = offset.max(start);
    let to = (offset + data.len() as u64).min(start + SECTOR);
    sector[(from - start) as usize..(to - start) as usize]
        .copy_from_slice(&data[(from - offset) as usize..(to - offset) as usize]);
}

/// What a truncation to `len` leaves of a belief.
fn cut(belief: &mut BTreeMap<u64, Sector>, len: u64) {
    if belief.is_empty() {
        return;
    }
    belief.split_off(&len.div_ceil(SECTOR));
    if let Some(last) = belief.get_mut(&(len / SECTOR)) {
        last[(len % SECTOR) as usize..].fill(0);
    }
}
