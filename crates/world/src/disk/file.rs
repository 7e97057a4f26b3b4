//! One file: its durable content on the medium, its cached content, and the unsynced operations between them.
//!
//! After a lost or misdirected write or a flipped bit, the page cache still has the right bytes and counts them
//! as clean, while the medium has others. Such sectors are called *divergent*. A sector stops being divergent
//! when the cache is dropped, or when the sector is written again.
//!
//! Invariants:
//! - Cached content = durable content, then the divergent sectors, then the log in order.
//! - The log has the operations that no sync covers yet, by stamp.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::content::{Content, SECTOR, Sector, sectors};
use super::stamp::Stamp;

/// A file, and its operations since the last sync.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) cached: Content,
    pub(super) durable: Content,
    pub(super) log: Vec<Entry>,
    /// The cached bytes of the divergent sectors, by sector number.
    pub(super) divergent: BTreeMap<u64, Sector>,
    /// Virtual time at which the last operation on it ends: operations on one file run one after another, as
    /// the kernel's inode lock makes them.
    pub(super) busy_until: u64,
    /// The offset of the last write that a sync made durable.
    pub(super) tail: u64,
    /// Whether the log may have anything but writes that reach the medium. If so, a sync takes the slow path.
    special: bool,
    /// The last sync that was submitted and will succeed. A later sync that fails cannot drop what that one
    /// covers, even while it is under way.
    pub(super) sync_asked: Stamp,
}

/// An operation that no sync covers yet.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) stamp: Stamp,
    /// The file's length after it.
    pub(super) len: u64,
    /// What it wrote; nothing for a truncation.
    pub(super) write: Option<Write>,
    /// The failed sync that drops the written bytes from the cache, if any.
    dropped_by: Option<Stamp>,
}

/// Written bytes.
#[derive(Debug)]
pub(super) struct Write {
    /// The offset.
    pub(super) offset: u64,
    /// The bytes.
    pub(super) data: Bytes,
    /// What becomes of the write when it is synced.
    pub(super) fate: Fate,
}

/// What becomes of a write when it is synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It reaches the medium.
    Arrives,
    /// It does not reach the medium, though the sync succeeds.
    Lost,
    /// It overwrites another place of the file.
    Misdirected {
        /// The offset of that place, in bytes.
        to: u64,
    },
}

/// Faults that took effect in a sync.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SyncEffects {
    /// Writes that never reached the medium.
    pub(super) lost: u64,
    /// Writes that overwrote another place.
    pub(super) misdirected: u64,
}

impl Entry {
    /// The write, if its bytes are still in the cache.
    pub(super) fn live_write(&self) -> Option<&Write> {
        self.write.as_ref().filter(|_| self.dropped_by.is_none())
    }
}

impl File {
    /// Whether the cache and the medium have the same content.
    pub(super) fn is_clean(&self) -> bool {
        self.log.is_empty() && self.divergent.is_empty()
    }

    /// Writes into the cache.
    pub(super) fn write(&mut self, stamp: Stamp, offset: u64, data: Bytes, fate: Fate) {
        self.cached.write(offset, &data);
        if fate != Fate::Arrives {
            self.special = true;
        }
        let write = Some(Write { offset, data, fate });
        self.log.push(Entry { stamp, len: self.cached.len(), write, dropped_by: None });
    }

    /// Sets the length in the cache.
    pub(super) fn truncate(&mut self, stamp: Stamp, len: u64) {
        self.special = true;
        self.cached.set_len(len);
        self.log.push(Entry { stamp, len, write: None, dropped_by: None });
    }

    /// A sync that will fail: from now on the cache shows the medium's old bytes. Lengths stay, as Linux
    /// keeps them in the inode.
    pub(super) fn fail_sync(&mut self, stamp: Stamp) {
        let sync_asked = self.sync_asked;
        let dirty = |entry: &&mut Entry| entry.dropped_by.is_none() && entry.stamp > sync_asked;
        for entry in self.log.iter_mut().filter(dirty) {
            entry.dropped_by = Some(stamp);
        }
        self.special = true;
        self.rebuild();
    }

    /// The failed sync has ended: what it dropped is lost permanently.
    pub(super) fn drop_pages(&mut self, stamp: Stamp) {
        for entry in self.log.iter_mut().filter(|entry| entry.dropped_by == Some(stamp)) {
            entry.write = None;
            entry.dropped_by = None;
        }
    }

    /// Undoes the operations from this one on: they never happened.
    pub(super) fn undo(&mut self, from: Stamp) {
        let undone = |entry: &Entry| entry.stamp >= from || entry.dropped_by >= Some(from);
        if !self.log.iter().any(undone) {
            return;
        }
        self.log.retain(|entry| entry.stamp < from);
        for entry in self.log.iter_mut().filter(|entry| entry.dropped_by >= Some(from)) {
            entry.dropped_by = None;
        }
        self.rebuild();
    }

    /// Drops the clean pages from the cache: the next reader sees the medium.
    pub(super) fn evict(&mut self) {
        if !self.divergent.is_empty() {
            self.divergent.clear();
            self.rebuild();
        }
    }

    /// Damages a sector of the medium. The page cache keeps the old bytes, so the process does not see it yet.
    pub(super) fn damage(&mut self, sector: u64, change: impl FnOnce(&mut Content)) {
        let clean = self.durable.sector(sector);
        self.divergent.entry(sector).or_insert(clean);
        change(&mut self.durable);
    }

    /// A sync has ended: the operations before it are durable. Returns the faults that took effect.
    pub(super) fn make_durable(&mut self, sync: Stamp) -> SyncEffects {
        let covered = self.log.partition_point(|entry| entry.stamp < sync);
        if !self.special && self.divergent.is_empty() && covered == self.log.len() {
            self.sync_fast();
            return SyncEffects::default();
        }
        self.sync_slow(covered)
    }

    /// The usual case: no fault, and the whole log is covered. Cache and medium become equal, so they can share
    /// pages.
    fn sync_fast(&mut self) {
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

    fn sync_slow(&mut self, covered: usize) -> SyncEffects {
        let mut effects = SyncEffects::default();
        let mut tail = u64::MAX;
        for entry in self.log.drain(..covered).collect::<Vec<_>>() {
            if let Some(write) = entry.live_write() {
                tail = tail.min(write.offset);
                self.sync_write(write, &mut effects);
            }
            self.durable.set_len(entry.len);
            cut(&mut self.divergent, entry.len);
        }
        self.tail = if tail == u64::MAX { self.tail } else { tail }.min(self.durable.len());
        if self.log.is_empty() {
            self.special = false;
        }
        effects
    }

    fn sync_write(&mut self, write: &Write, effects: &mut SyncEffects) {
        let Write { offset, ref data, fate } = *write;
        let len = data.len() as u64;
        match fate {
            Fate::Arrives => {
                // The cache writes whole sectors, so the medium gets the cached bytes around the write, too.
                for sector in sectors(offset, len) {
                    if let Some(cached) = self.divergent.remove(&sector) {
                        self.durable.set_sector(sector, &cached);
                    }
                }
                self.durable.write(offset, data);
            }
            Fate::Misdirected { to } if to + len <= self.durable.len() => {
                effects.misdirected += 1;
                self.diverge(offset, data);
                for sector in sectors(to, len) {
                    let clean = self.durable.sector(sector);
                    self.divergent.entry(sector).or_insert(clean);
                }
                self.durable.write(to, data);
            }
            Fate::Lost | Fate::Misdirected { .. } => {
                effects.lost += 1;
                self.diverge(offset, data);
            }
        }
    }

    /// Marks the sectors of a write as divergent: the cache has `data` and counts it as clean, the medium lacks it.
    fn diverge(&mut self, offset: u64, data: &[u8]) {
        for sector in sectors(offset, data.len() as u64) {
            let clean = self.durable.sector(sector);
            patch(self.divergent.entry(sector).or_insert(clean), sector, offset, data);
        }
    }

    /// Computes the cached content from durable content, divergent sectors and log.
    pub(super) fn rebuild(&mut self) {
        self.cached = self.durable.clone();
        for (sector, bytes) in &self.divergent {
            self.cached.set_sector(*sector, bytes);
        }
        for entry in &self.log {
            if let Some(write) = entry.live_write() {
                self.cached.write(write.offset, &write.data);
            }
            self.cached.set_len(entry.len);
        }
    }

    /// The cache is lost, and the medium has this content.
    pub(super) fn reset_to(&mut self, durable: Content) {
        self.tail = self.tail.min(durable.len());
        self.cached = durable.clone();
        self.durable = durable;
        self.log.clear();
        self.divergent.clear();
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

/// Truncates the divergent sectors of a file to `len` bytes.
fn cut(divergent: &mut BTreeMap<u64, Sector>, len: u64) {
    if divergent.is_empty() {
        return;
    }
    divergent.split_off(&len.div_ceil(SECTOR));
    if let Some(last) = divergent.get_mut(&(len / SECTOR)) {
        last[(len % SECTOR) as usize..].fill(0);
    }
}
