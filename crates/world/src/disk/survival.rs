//! Decides which of a file's unsynced operations survive a power failure.
//!
//! The kernel writes a dirty page back at any time, or never. So each sector gets any one of the versions that
//! the cache had since the last sync, independently of the other sectors. It never gets a mixture of two
//! versions, nor one that never existed. The length of a file is metadata and survives separately: of its
//! changes, the first ones up to some point. So a file may have its new length but zeros in it, or its new
//! content but cut off.
//!
//! Two rules connect content and length. If a truncation survives, the bytes that it cut off read as zeros. If
//! it does not survive, what was written after it is lost too: those bytes went to new blocks of the medium,
//! which the old metadata does not refer to.
//!
//! For each file and power failure, one draw first decides how likely a write is to survive, in eighths from
//! none to all. So losing everything and losing a single sector are both much more frequent than if every
//! sector were a fair coin flip.

use std::collections::BTreeMap;

use keyed::Draw;

use super::content::{Content, SECTOR, Sector, sectors};
use super::file::File;

/// The chance of survival is drawn in this many parts.
const PARTS: u64 = 8;

/// What a power failure took from a file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loss {
    /// Sectors that differ from what the cache last had.
    pub(super) sectors: u64,
    /// Unsynced sectors that survived.
    pub(super) kept: u64,
    /// Whether the length differs from what the cache last had.
    pub(super) length: bool,
}

/// Which of `count` versions survives; the last is the newest. The newest one has a chance of `parts` in
/// [`PARTS`].
pub(super) fn version(draw: Draw, count: usize, parts: u64) -> usize {
    if count == 1 || draw.below(PARTS) < parts {
        count - 1
    } else {
        draw.then(1).below(count as u64 - 1) as usize
    }
}

/// Draws the chance of survival, for [`version`].
pub(super) fn parts(draw: Draw) -> u64 {
    draw.then(0).below(PARTS + 1)
}

/// The file's content after a power failure, decided by `draw`.
pub(super) fn survivor(file: &File, draw: Draw) -> (Content, Loss) {
    let parts = parts(draw);
    let surviving = surviving_lengths(file, draw.then(1), parts);
    let mut history = History::new(file);
    for (index, entry) in file.log.iter().enumerate() {
        if let Some(write) = entry.live_write() {
            history.write(write.offset, &write.data);
        }
        history.set_len(entry.len, index < surviving);
    }
    let mut loss = Loss { length: history.medium.len() != history.cached.len(), ..Loss::default() };
    let content = history.choose(draw.then(2), parts, &mut loss);
    (content, loss)
}

/// How many log entries' lengths survive.
fn surviving_lengths(file: &File, draw: Draw, parts: u64) -> usize {
    let mut changes = vec![0];
    let mut len = file.durable.len();
    for (index, entry) in file.log.iter().enumerate() {
        if entry.len != len {
            changes.push(index + 1);
            len = entry.len;
        }
    }
    changes[version(draw, changes.len(), parts)]
}

/// The versions of the sectors that were written since the last sync.
struct History {
    /// The file as the cache had it, entry by entry.
    cached: Content,
    /// The file as the medium has it if no unsynced sector survives.
    medium: Content,
    /// All versions of the written sectors, the medium's first.
    versions: BTreeMap<u64, Vec<Sector>>,
    /// From this offset on no later write survives, because it follows a truncation that did not survive.
    /// `u64::MAX` if there is none.
    severed_from: u64,
}

impl History {
    /// The file before the first entry of its log.
    fn new(file: &File) -> History {
        let mut cached = file.durable.clone();
        for (sector, bytes) in &file.divergent {
            cached.set_sector(*sector, bytes);
        }
        let medium = file.durable.clone();
        History { cached, medium, versions: BTreeMap::new(), severed_from: u64::MAX }
    }

    /// The next entry of the log wrote this.
    fn write(&mut self, offset: u64, data: &[u8]) {
        self.cached.write(offset, data);
        for sector in sectors(offset, data.len() as u64) {
            if sector >= self.severed_from / SECTOR {
                break;
            }
            let medium = &self.medium;
            let versions = self.versions.entry(sector).or_insert_with(|| vec![medium.sector(sector)]);
            versions.push(self.cached.sector(sector));
        }
    }

    /// After the next entry of the log, the file had this length. Whether the length survives is decided
    /// already.
    fn set_len(&mut self, len: u64, survives: bool) {
        let shrinks = len < self.cached.len();
        self.cached.set_len(len);
        if !survives {
            if shrinks {
                self.severed_from = self.severed_from.min(len);
            }
            return;
        }
        self.medium.set_len(len);
        if shrinks {
            self.versions.split_off(&len.div_ceil(SECTOR));
            for version in self.versions.get_mut(&(len / SECTOR)).into_iter().flatten() {
                version[(len % SECTOR) as usize..].fill(0);
            }
        }
    }

    /// Draws which version of each sector survives, and counts what is lost.
    fn choose(self, draw: Draw, parts: u64, loss: &mut Loss) -> Content {
        let mut content = self.medium;
        for (sector, versions) in self.versions {
            content.set_sector(sector, &versions[version(draw.then(sector), versions.len(), parts)]);
            if content.sector(sector) == self.cached.sector(sector) {
                loss.kept += 1;
            } else {
                loss.sectors += 1;
            }
        }
        content
    }
}
