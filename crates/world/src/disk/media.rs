//! Faults of the device: which are on, and which operations they strike next.
//!
//! A fault carries its number in the plan; its draws are keyed by that number and by the operation's
//! ordinal, so faults do not disturb one another (rule R2).

use std::collections::BTreeMap;

use keyed::{Draw, Keyed};
use member::disk::DiskOp;
use plan::{DiskCall, DiskFault, Files};

use super::atlas;
use super::content::{SECTOR, sectors};
use super::counts::Counts;
use super::file::Fate;
use super::page_cache::Extent;
use super::timing::sample;

/// The faults that are on.
#[derive(Debug)]
pub(super) struct Media {
    /// By their number. Counts go down as they strike; a fault with none left is removed. The space of
    /// [`DiskFault::DiskFull`] is counted from an empty disk here.
    active: BTreeMap<u64, DiskFault>,
    keyed: Keyed,
}

/// Which kind of files a path, or a directory, belongs to; `None` outside the known directories.
pub(super) fn kind_of(path: &str) -> Option<Files> {
    match path.split('/').next()? {
        "wal" => Some(Files::Wal),
        "snap" => Some(Files::Snapshot),
        "db" => Some(Files::Backend),
        _ => None,
    }
}

/// Which kind of call an operation is.
pub(super) fn call_of(op: &DiskOp) -> DiskCall {
    match op {
        DiskOp::Sync { .. } | DiskOp::SyncDir { .. } => DiskCall::Sync,
        _ => DiskCall::Write,
    }
}

pub(super) fn about(files: Files, path: &str) -> bool {
    files == Files::All || kind_of(path) == Some(files)
}

impl Media {
    /// A device without faults.
    pub(super) fn new(keyed: Keyed) -> Media {
        Media { active: BTreeMap::new(), keyed }
    }

    /// Whether no fault is on.
    #[inline]
    pub(super) fn quiet(&self) -> bool {
        self.active.is_empty()
    }

    /// The draw for an operation that the fault of this number struck.
    pub(super) fn draw(&self, fault: u64, ordinal: u64) -> Draw {
        self.keyed.draw(fault, ordinal)
    }

    /// Switches a fault on.
    pub(super) fn begin(&mut self, fault: u64, kind: DiskFault) {
        self.active.insert(fault, kind);
    }

    /// Switches a fault off; returns its kind if it was on.
    pub(super) fn end(&mut self, fault: u64) -> Option<DiskFault> {
        self.active.remove(&fault)
    }

    /// The numbers of the faults that are on.
    pub(super) fn faults(&self) -> Vec<u64> {
        self.active.keys().copied().collect()
    }

    /// Whether the disk is stalled.
    pub(super) fn stalls(&self) -> bool {
        self.active.values().any(|kind| *kind == DiskFault::StalledDisk)
    }

    /// Bytes the disk holds, where `capacity` is its own limit.
    pub(super) fn limit(&self, capacity: u64) -> u64 {
        let limits = self.active.values().filter_map(|kind| match kind {
            DiskFault::DiskFull { left } => Some(*left),
            _ => None,
        });
        limits.fold(capacity, u64::min)
    }

    /// How long an operation takes whose normal time is `takes`.
    pub(super) fn slow(&self, call: DiskCall, ordinal: u64, takes: u64, counts: &mut Counts) -> u64 {
        self.active.iter().fold(takes, |takes, (fault, kind)| match kind {
            DiskFault::SlowDisk { call: only, factor, extra } if only.is_none_or(|only| only == call) => {
                counts.add(kind.name(), 1);
                let extra = sample(*extra, || self.draw(*fault, ordinal));
                takes.saturating_mul(u64::from(*factor)).saturating_add(extra)
            }
            _ => takes,
        })
    }

    /// Whether a call fails with EIO: the number of the fault that causes it.
    pub(super) fn fails(&mut self, call: DiskCall, path: &str, counts: &mut Counts) -> Option<u64> {
        let (fault, name) = self.strike(|kind| match kind {
            DiskFault::DiskError { call: only, files, count } if *only == call && about(*files, path) => {
                Some(count)
            }
            _ => None,
        })?;
        counts.add(name, 1);
        Some(fault)
    }

    /// Whether a read returns fewer bytes than requested.
    pub(super) fn cuts_read(&mut self, path: &str, counts: &mut Counts) -> bool {
        let struck = self.strike(|kind| match kind {
            DiskFault::ShortRead { files, count } if about(*files, path) => Some(count),
            _ => None,
        });
        struck.inspect(|(_, name)| counts.add(name, 1)).is_some()
    }

    /// What becomes of a write.
    pub(super) fn fate(&mut self, path: &str, ordinal: u64, extent: Extent) -> Fate {
        if self.quiet() || !atlas::write_may_go_astray(kind_of(path), extent.offset) {
            return Fate::Arrives;
        }
        let lost = self.strike(|kind| match kind {
            DiskFault::LostWrite { files, count } if about(*files, path) => Some(count),
            _ => None,
        });
        if lost.is_some() {
            return Fate::Lost;
        }
        let places = Places::new(kind_of(path), extent);
        let struck = self.strike(|kind| match kind {
            DiskFault::MisdirectedWrite { files, count } if about(*files, path) && places.count > 0 => {
                Some(count)
            }
            _ => None,
        });
        let to = struck.map(|(fault, _)| places.nth(self.draw(fault, ordinal).below(places.count)));
        to.map_or(Fate::Arrives, |to| Fate::Misdirected { to })
    }

    /// Finds the first fault that still has strikes left in `count`, and uses one.
    fn strike(
        &mut self,
        mut count: impl FnMut(&mut DiskFault) -> Option<&mut u32>,
    ) -> Option<(u64, &'static str)> {
        for (fault, kind) in &mut self.active {
            let name = kind.name();
            let Some(left) = count(kind).filter(|left| **left > 0) else { continue };
            *left -= 1;
            let (fault, empty) = (*fault, *left == 0);
            if empty {
                self.active.remove(&fault);
            }
            return Some((fault, name));
        }
        None
    }
}

/// The offsets where a misdirected write can land: whole sectors away from its own, in the same file, without
/// touching a sector it was meant for.
struct Places {
    offset: u64,
    /// Sectors the write touches.
    span: u64,
    before: u64,
    count: u64,
}

impl Places {
    fn new(files: Option<Files>, Extent { offset, len, file_len }: Extent) -> Places {
        let touched = sectors(offset, len);
        let span = touched.end - touched.start;
        let count = |room: Option<u64>| room.map_or(0, |room| (room / SECTOR + 1).saturating_sub(span));
        let before = count(offset.checked_sub(atlas::superblock(files)));
        let after = count(file_len.checked_sub(offset + len));
        Places { offset, span, before, count: before + after }
    }

    fn nth(&self, nth: u64) -> u64 {
        if nth < self.before {
            self.offset - (self.span + nth) * SECTOR
        } else {
            self.offset + (self.span + nth - self.before) * SECTOR
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misdirected_write_lands_within_its_file_and_away_from_its_place() {
        for (offset, len, file_len) in
            [(0, 4096, 4096), (4096, 4096, 65536), (700, 200, 900), (5000, 3000, 20_000)]
        {
            for files in [None, Some(Files::Backend)] {
                let places = Places::new(files, Extent { offset, len, file_len });
                let own = sectors(offset, len);
                for nth in 0..places.count {
                    let at = places.nth(nth);
                    let there = sectors(at, len);
                    assert!(there.end <= own.start || own.end <= there.start, "{offset} {len} {at}");
                    assert!(at >= atlas::superblock(files) && at + len <= file_len, "{offset} {len} {at}");
                    assert_eq!(at % SECTOR, offset % SECTOR);
                }
            }
        }
        assert_eq!(Places::new(None, Extent { offset: 0, len: 4096, file_len: 4096 }).count, 0);
        assert_eq!(Places::new(None, Extent { offset: 700, len: 200, file_len: 900 }).count, 1);
    }
}
