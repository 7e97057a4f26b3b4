//! What happens at once when a fault of a disk begins or ends. `media.rs` has what a fault that is on does to later
//! operations.
//!
//! A fault that damages data says so in its row in `plan`, and has an arm in [`Drive::inject`]. The [`Atlas`]
//! reads the row; no other code has to know.
//!
//! [`Atlas`]: super::Atlas

use std::ops::Range;

use contract::disk::Path;
use keyed::Draw;
use schedule::{DiskFault, Files};

use super::atlas;
use super::content::SECTOR;
use super::drive::Drive;
use super::file::File;
use super::media;

impl Drive {
    /// A fault begins. `fault` is its number in the plan.
    pub(super) fn inject(&mut self, now: u64, fault: u64, kind: &DiskFault) {
        self.complete_due(now);
        match *kind {
            DiskFault::SlowDisk { .. }
            | DiskFault::DiskError { .. }
            | DiskFault::LostWrite { .. }
            | DiskFault::MisdirectedWrite { .. }
            | DiskFault::ShortRead { .. } => self.media.begin(fault, kind.clone()),
            DiskFault::StalledDisk => {
                self.media.begin(fault, kind.clone());
                self.counts.add(kind.name(), self.io_queues.stall());
            }
            DiskFault::DiskFull { left } => {
                let left = self.cache.used().saturating_add(left);
                self.media.begin(fault, DiskFault::DiskFull { left });
                self.set_limit();
            }
            DiskFault::BitRot { files, count } => {
                let flipped = self.damage(fault, files, count, |file, at, _, draw| {
                    file.damage(at / SECTOR, |durable| durable.flip(at, draw.below(8) as u32));
                });
                self.counts.add(kind.name(), flipped);
            }
            DiskFault::LostFile { files } => {
                let candidates = self.whole_files(files);
                let draw = self.media.draw(fault, self.ordinal);
                if !candidates.is_empty() {
                    self.cache.lose(&candidates[draw.below(candidates.len() as u64) as usize]);
                    self.counts.add(kind.name(), 1);
                }
            }
            DiskFault::SwappedFiles { files } => {
                let mut candidates = self.whole_files(files);
                let draw = self.media.draw(fault, self.ordinal);
                draw.shuffle(&mut candidates);
                // A segment and a snapshot do not take each other's place.
                let other = candidates
                    .iter()
                    .skip(1)
                    .find(|other| media::kind_of(other) == media::kind_of(&candidates[0]));
                if let Some(other) = other {
                    self.cache.swap(&candidates[0], other);
                    self.counts.add(kind.name(), 1);
                }
            }
            DiskFault::LostDisk => {
                self.wipe();
                self.set_limit();
                self.counts.add(kind.name(), 1);
            }
        }
    }

    /// A fault ends.
    pub(super) fn heal(&mut self, now: u64, fault: u64) {
        self.complete_due(now);
        let was_slow = matches!(self.media.end(fault), Some(DiskFault::SlowDisk { .. }));
        self.set_limit();
        if !self.media.stalls() {
            self.io_queues.resume(&mut self.cache, now);
        }
        if was_slow {
            self.io_queues.end_slowness(&mut self.cache, now);
        }
    }

    /// Ends all faults that are on.
    pub(super) fn heal_all(&mut self, now: u64) {
        for fault in self.media.faults() {
            self.heal(now, fault);
        }
    }

    /// Tells the page cache how many bytes the disk may hold now.
    fn set_limit(&mut self) {
        self.cache.limit = self.media.limit(self.capacity);
    }

    /// The files that may be lost or exchanged as a whole, while no process runs: those that have their names on the
    /// medium and in the cache, and whose absence recovery notices.
    fn whole_files(&self, files: Files) -> Vec<Path> {
        let names = &self.cache.names;
        let named = names.durable().iter().filter(|(path, id)| names.get(path) == Some(**id));
        let named: Vec<&Path> =
            named.map(|(path, _)| path).filter(|path| media::concerns(files, path)).collect();
        let may_be_lost = |path: &&&Path| atlas::may_be_lost(path, names.durable().keys());
        named.iter().filter(may_be_lost).map(|path| (*path).clone()).collect()
    }

    /// Damages durable content in `count` places, permanently. `strike` damages a byte of a file: it gets the byte's
    /// offset, the range of bytes around it that may be damaged too, and a draw. Returns the number of places damaged:
    /// 0 where nothing may be damaged.
    fn damage(
        &mut self,
        fault: u64,
        files: Files,
        count: u32,
        strike: impl Fn(&mut File, u64, &Range<u64>, Draw),
    ) -> u64 {
        let cache = &mut self.cache;
        let named: Vec<_> = cache.names.durable().iter().map(|(path, id)| (path.clone(), *id)).collect();
        let mut exposed = Vec::new();
        for (path, id) in named.into_iter().filter(|(path, _)| media::concerns(files, path)) {
            let Some(file) = cache.file(id) else { continue };
            let range = atlas::exposed_to_rot(media::kind_of(&path), file.durable.len(), file.tail);
            exposed.extend(file.durable.written(range).map(|piece| (id, piece)));
        }
        let bytes: u64 = exposed.iter().map(|(_, piece)| piece.end - piece.start).sum();
        if bytes == 0 {
            return 0;
        }
        for nth in 0..count {
            let draw = self.media.draw(fault, self.ordinal).then(u64::from(nth));
            let mut at = draw.below(bytes);
            for (id, piece) in &exposed {
                let len = piece.end - piece.start;
                if at < len {
                    let file = cache.file(*id).expect("a file went away while its bytes were counted");
                    strike(file, piece.start + at, piece, draw.then(1));
                    break;
                }
                at -= len;
            }
        }
        u64::from(count)
    }
}
