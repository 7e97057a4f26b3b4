//! Faults of the device that are on, and what they do to the next operations: slow them, fail them, lose or
//! misdirect a write.
//!
//! A fault carries its number in the plan; its draws are keyed by that number and by the operation's
//! ordinal, so faults do not disturb one another (rule R2).

use std::collections::BTreeMap;

use contract::disk::DiskOp;
use keyed::{Draw, Keyed};
use schedule::{DiskCall, DiskFault, Files};

use super::atlas;
use super::content::{SECTOR, sectors};
use super::counts::Counts;
use super::file::Fate;
use super::page_cache::Extent;
use super::timing::sample;

/// The faults that are on.
#[derive(Debug)]
pub(super) struct Media {
    /// By their number in the plan. A fault's `count` goes down each time it strikes; at 0 the fault is removed.
    /// `left` of [`DiskFault::DiskFull`] is here the limit of all bytes in use.
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

/// Whether a fault for these files concerns this path.
pub(super) fn concerns(files: Files, path: &str) -> bool {
    files == Files::All || kind_of(path) == Some(files)
}

/// Whether a fault can change what the backend's files hold, or what a process reads from them. Those that only
/// take time cannot.
pub fn concerns_backend(kind: &DiskFault) -> bool {
    match kind {
        // The backend is one file.
        DiskFault::SlowDisk { .. }
        | DiskFault::StalledDisk
        | DiskFault::LostFile { .. }
        | DiskFault::SwappedFiles { .. } => false,
        DiskFault::DiskFull { .. } | DiskFault::LostDisk => true,
        DiskFault::DiskError { files, .. }
        | DiskFault::BitRot { files, .. }
        | DiskFault::LostWrite { files, .. }
        | DiskFault::MisdirectedWrite { files, .. }
        | DiskFault::ShortRead { files, .. } => concerns(*files, "db"),
    }
}

impl Media {
    /// A device without faults.
    pub(super) fn new(keyed: Keyed) -> Media {
        Media { active: BTreeMap::new(), keyed }
    }

    /// From now on, draws come from this source.
    pub(super) fn reseed(&mut self, keyed: Keyed) {
        self.keyed = keyed;
    }

    /// Whether no fault is on.
    #[inline]
    pub(super) fn has_no_faults(&self) -> bool {
        self.active.is_empty()
    }

    /// The draw for the effect of a fault on an operation.
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

    /// Whether a fault that is on can change what the backend's files hold, or what a process reads from them.
    pub(super) fn concerns_backend(&self) -> bool {
        self.active.values().any(concerns_backend)
    }

    /// Whether the disk is stalled.
    pub(super) fn stalls(&self) -> bool {
        self.active.values().any(|kind| *kind == DiskFault::StalledDisk)
    }

    /// How many bytes fit on the disk now; `capacity` is its limit without faults.
    pub(super) fn limit(&self, capacity: u64) -> u64 {
        let limits = self.active.values().filter_map(|kind| match kind {
            DiskFault::DiskFull { left } => Some(*left),
            _ => None,
        });
        limits.fold(capacity, u64::min)
    }

    /// How long an operation takes that would take `takes` without faults.
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

    /// The number of the fault that makes this call fail with EIO; `None` if none does.
    pub(super) fn fails(&mut self, call: DiskCall, path: &str, counts: &mut Counts) -> Option<u64> {
        let (fault, name) = self.strike(|kind| match kind {
            DiskFault::DiskError { call: only, files, count } if *only == call && concerns(*files, path) => {
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
            DiskFault::ShortRead { files, count } if concerns(*files, path) => Some(count),
            _ => None,
        });
        struck.inspect(|(_, name)| counts.add(name, 1)).is_some()
    }

    /// What becomes of a write.
    pub(super) fn fate(&mut self, path: &str, ordinal: u64, extent: Extent) -> Fate {
        if self.has_no_faults() || !atlas::write_may_go_astray(kind_of(path), extent.offset) {
            return Fate::Arrives;
        }
        let lost = self.strike(|kind| match kind {
            DiskFault::LostWrite { files, count } if concerns(*files, path) => Some(count),
            _ => None,
        });
        if lost.is_some() {
            return Fate::Lost;
        }
        let places = Places::new(kind_of(path), extent);
        let struck = self.strike(|kind| match kind {
            DiskFault::MisdirectedWrite { files, count } if concerns(*files, path) && places.count > 0 => {
                Some(count)
            }
            _ => None,
        });
        let to = struck.map(|(fault, _)| places.nth(self.draw(fault, ordinal).below(places.count)));
        to.map_or(Fate::Arrives, |to| Fate::Misdirected { to })
    }

    /// Finds the first fault that applies, that is, for which `count` returns a count above 0. Counts it down, and
    /// returns the fault's number and name.
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

/// The offsets to which a write can be misdirected: in the same file, a whole number of sectors away, and not
/// in a sector that the write was meant for.
struct Places {
    offset: u64,
    /// The number of sectors that the write touches.
    span: u64,
    /// How many of the offsets come before its own.
    before: u64,
    /// How many there are.
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
