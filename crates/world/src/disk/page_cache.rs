//! The page cache above the medium: what each operation does to files and names, and what a crash or a power
//! failure undoes.
//!
//! An operation takes effect here at once, because the member sees its result at once. In virtual time it ends
//! later ([`super::io_queues`]). If the process crashes before that, [`PageCache::undo`] takes it back.

use std::collections::BTreeMap;

use bytes::Bytes;
use contract::disk::{DiskErrorKind, DiskOp, Path};
use keyed::Draw;

use super::content::SECTOR;
use super::counts::Counts;
use super::file::{Fate, File};
use super::io_queues::Touch;
use super::names::{Change, FileId, Names};
use super::stamp::Stamp;
use super::survival;

/// No file grows beyond this. Not a limit of the model: it keeps a stray offset from using up the heap.
const FILE_BYTES_MAX: u64 = 1 << 32;

/// All files and names of a disk.
#[derive(Debug)]
pub(super) struct PageCache {
    pub(super) names: Names,
    /// By number; numbers are not reused.
    files: Vec<Option<Box<File>>>,
    /// The file used last, and its name. Most operations use the same file as the one before.
    recent: Option<(Path, FileId)>,
    /// Sum of the lengths of all named files, in bytes.
    used: u64,
    /// The limit of `used`. Growing a file reserves its space, as `fallocate` does.
    pub(super) limit: u64,
}

/// Where a write goes, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) len: u64,
    /// Length of the file before it.
    pub(super) file_len: u64,
}

/// An operation that failed, and what it changed before that.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) kind: DiskErrorKind,
    pub(super) touch: Touch,
}

impl From<DiskErrorKind> for Refusal {
    fn from(kind: DiskErrorKind) -> Refusal {
        Refusal { kind, touch: Touch::Nothing }
    }
}

type Done = Result<Touch, Refusal>;

impl PageCache {
    /// An empty disk with space for `limit` bytes.
    pub(super) fn new(limit: u64) -> PageCache {
        PageCache { names: Names::default(), files: Vec::new(), recent: None, used: 0, limit }
    }

    /// Bytes in use.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// Every file that a name may refer to.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut File> {
        self.files.iter_mut().flatten().map(|file| &mut **file)
    }

    /// A file by its number. A pending operation may have the number of a file that no longer exists.
    pub(super) fn file(&mut self, id: FileId) -> Option<&mut File> {
        self.files.get_mut(id as usize)?.as_deref_mut()
    }

    /// A file by its name in the cache.
    pub(super) fn named(&self, path: &str) -> Result<&File, DiskErrorKind> {
        let id = self.names.get(path).ok_or(DiskErrorKind::NotFound)?;
        Ok(self.files[id as usize].as_deref().expect("a name refers to a file that was dropped"))
    }

    /// The number of the file that `path` refers to.
    pub(super) fn resolve(&mut self, path: &Path) -> Result<FileId, DiskErrorKind> {
        if let Some((recent, id)) = &self.recent
            && Path::ptr_eq(recent, path)
        {
            return Ok(*id);
        }
        let id = self.names.get(path).ok_or(DiskErrorKind::NotFound)?;
        self.recent = Some((path.clone(), id));
        Ok(id)
    }

    fn open(&mut self, id: FileId) -> &mut File {
        self.file(id).expect("a name refers to a file that was dropped")
    }

    /// Carries out `op` and returns what it touched. `fate` decides what becomes of a write.
    pub(super) fn apply(&mut self, op: &DiskOp, stamp: Stamp, fate: impl FnOnce(Extent) -> Fate) -> Done {
        match op {
            DiskOp::Create { path } => self.create(stamp, path),
            DiskOp::Append { path, data } => {
                let id = self.resolve(path)?;
                let end = self.open(id).cached.len();
                self.write(stamp, id, end, data, fate)
            }
            DiskOp::WriteAt { path, offset, data } => {
                let id = self.resolve(path)?;
                self.write(stamp, id, *offset, data, fate)
            }
            DiskOp::Truncate { path, len } => self.truncate(stamp, path, *len),
            DiskOp::Rename { from, to } => self.rename(stamp, from, to),
            DiskOp::Remove { path } => self.remove(stamp, path),
            DiskOp::Sync { path } => {
                let id = self.resolve(path)?;
                self.open(id).sync_asked = stamp;
                Ok(Touch::Sync(id))
            }
            DiskOp::SyncDir { path } => Ok(Touch::SyncDir(path.clone())),
        }
    }

    /// Carries out an operation that fails with an I/O error. A write still writes the sectors before a drawn
    /// offset; a sync drops the dirty pages.
    pub(super) fn fail(&mut self, op: &DiskOp, stamp: Stamp, draw: Draw) -> Refusal {
        let done = match op {
            DiskOp::Append { path, data } => self.resolve(path).map(|id| {
                let end = self.open(id).cached.len();
                self.fail_write(stamp, id, end, data, draw)
            }),
            DiskOp::WriteAt { path, offset, data } => {
                self.resolve(path).map(|id| self.fail_write(stamp, id, *offset, data, draw))
            }
            DiskOp::Sync { path } => self.resolve(path).map(|id| {
                self.open(id).fail_sync(stamp);
                Touch::FailedSync(id)
            }),
            _ => Ok(Touch::Nothing),
        };
        done.map_or_else(Refusal::from, |touch| Refusal { kind: DiskErrorKind::Io, touch })
    }

    fn fail_write(&mut self, stamp: Stamp, id: FileId, offset: u64, data: &Bytes, draw: Draw) -> Touch {
        let reached = offset.saturating_add(draw.within(0, data.len() as u64)) / SECTOR * SECTOR;
        let done = data.slice(..reached.saturating_sub(offset) as usize);
        match self.write(stamp, id, offset, &done, |_| Fate::Arrives) {
            Ok(touch) | Err(Refusal { touch, .. }) => touch,
        }
    }

    fn create(&mut self, stamp: Stamp, path: &Path) -> Done {
        if self.names.get(path).is_some() {
            return Err(DiskErrorKind::Exists.into());
        }
        let id = FileId::try_from(self.files.len())
            .expect("more than 2^32 files: a member creates files in a loop");
        self.files.push(Some(Box::default()));
        self.names.change(stamp, Change::Create(path.clone(), id));
        Ok(Touch::Name(id))
    }

    /// Writes as much as there is space for, and fails if that is not all.
    fn write(
        &mut self,
        stamp: Stamp,
        id: FileId,
        offset: u64,
        data: &Bytes,
        fate: impl FnOnce(Extent) -> Fate,
    ) -> Done {
        let free = self.limit.saturating_sub(self.used);
        let file = self.open(id);
        let len = file.cached.len();
        let reachable = len.max(len.saturating_add(free).min(FILE_BYTES_MAX));
        let whole = offset.saturating_add(data.len() as u64) <= reachable;
        let done = if whole { data.clone() } else { data.slice(..reachable.saturating_sub(offset) as usize) };
        if !done.is_empty() {
            let extent = Extent { offset, len: done.len() as u64, file_len: len };
            file.write(stamp, offset, done, if whole { fate(extent) } else { Fate::Arrives });
            let grown = file.cached.len() - len;
            self.used += grown;
        }
        let touch = Touch::File(id);
        if whole { Ok(touch) } else { Err(Refusal { kind: DiskErrorKind::Full, touch }) }
    }

    fn truncate(&mut self, stamp: Stamp, path: &Path, to: u64) -> Done {
        let id = self.resolve(path)?;
        let free = self.limit.saturating_sub(self.used);
        let file = self.open(id);
        let len = file.cached.len();
        if to.saturating_sub(len) > free || to > FILE_BYTES_MAX {
            return Err(DiskErrorKind::Full.into());
        }
        if to != len {
            file.truncate(stamp, to);
        }
        self.used = self.used - len + to;
        Ok(Touch::File(id))
    }

    fn rename(&mut self, stamp: Stamp, from: &Path, to: &Path) -> Done {
        let id = self.names.get(from).ok_or(DiskErrorKind::NotFound)?;
        if from == to {
            return Ok(Touch::Nothing);
        }
        self.recent = None;
        if let Ok(replaced) = self.named(to) {
            self.used -= replaced.cached.len();
        }
        self.names.change(stamp, Change::Rename(from.clone(), to.clone()));
        Ok(Touch::Name(id))
    }

    fn remove(&mut self, stamp: Stamp, path: &Path) -> Done {
        let id = self.names.get(path).ok_or(DiskErrorKind::NotFound)?;
        self.recent = None;
        self.used -= self.open(id).cached.len();
        self.names.change(stamp, Change::Remove(path.clone()));
        Ok(Touch::Name(id))
    }

    /// An operation has ended in virtual time. This has an effect only for a sync: data becomes durable.
    pub(super) fn op_completed(&mut self, stamp: Stamp, touch: &Touch, counts: &mut Counts) {
        match touch {
            Touch::Sync(id) => {
                let effects = self.file(*id).map(|file| file.make_durable(stamp)).unwrap_or_default();
                counts.add("lost-write", effects.lost);
                counts.add("misdirected-write", effects.misdirected);
            }
            Touch::FailedSync(id) => {
                if let Some(file) = self.file(*id) {
                    file.drop_pages(stamp);
                }
            }
            Touch::SyncDir(directory) => {
                self.names.make_durable(directory, stamp);
                self.drop_unnamed_files();
            }
            Touch::Nothing | Touch::File(_) | Touch::Name(_) => {}
        }
    }

    /// Undoes operations that had not ended at a crash, in the order of their stamps.
    pub(super) fn undo<'a>(&mut self, undone: impl Iterator<Item = (Stamp, &'a Touch)>) {
        let mut names_from = None;
        for (stamp, touch) in undone {
            match touch {
                Touch::File(id) | Touch::FailedSync(id) => {
                    if let Some(file) = self.file(*id) {
                        file.undo(stamp);
                    }
                }
                Touch::Name(_) => {
                    names_from.get_or_insert(stamp);
                }
                Touch::Sync(id) => {
                    if let Some(file) = self.file(*id) {
                        file.sync_asked = Stamp::default();
                    }
                }
                Touch::Nothing | Touch::SyncDir(_) => {}
            }
        }
        if let Some(stamp) = names_from {
            self.names.undo(stamp);
        }
        self.drop_unnamed_files();
        self.release();
    }

    /// Power fails: a part of the unsynced data survives.
    pub(super) fn lose_power(&mut self, draw: impl Fn(u64, u64) -> Draw, counts: &mut Counts) {
        for (id, file) in self.files.iter_mut().enumerate() {
            let Some(file) = file.as_mut().filter(|file| !file.is_clean()) else { continue };
            let newest = file.log.last().map_or(0, |entry| entry.stamp.ordinal);
            let (content, loss) = survival::survivor(file, draw(1 + id as u64, newest));
            file.reset_to(content);
            counts.add("lost-sector", loss.sectors);
            counts.add("lost-length", u64::from(loss.length));
            counts.add("torn-write", u64::from(loss.sectors > 0 && loss.kept > 0));
        }
        let newest = self.names.newest();
        counts.add("lost-name", self.names.lose_power(draw(0, newest)));
        self.drop_unnamed_files();
        self.release();
    }

    /// Drops all clean pages, so that a new process reads them from the medium.
    pub(super) fn evict(&mut self) {
        self.files().for_each(File::evict);
    }

    /// All named files with their content, of the medium or of the cache.
    pub(super) fn content(&self, durable: bool) -> BTreeMap<String, Vec<u8>> {
        let names = if durable { self.names.durable() } else { self.names.cached() };
        let content = |id: FileId| {
            let file = self.files[id as usize].as_ref().expect("a name refers to a file that was dropped");
            let content = if durable { &file.durable } else { &file.cached };
            let mut bytes = vec![0; content.len() as usize];
            content.read(0, &mut bytes);
            bytes
        };
        names.iter().map(|(path, id)| (path.to_string(), content(*id))).collect()
    }

    /// The lengths of all files as a process sees them, by path.
    pub(super) fn lengths(&self) -> Vec<(String, u64)> {
        let length = |id: FileId| {
            self.files[id as usize].as_ref().expect("a name refers to a file that was dropped").cached.len()
        };
        self.names.cached().iter().map(|(path, id)| (path.to_string(), length(*id))).collect()
    }

    /// A file is gone, with its name.
    pub(super) fn lose(&mut self, path: &Path) {
        self.names.lose(path);
        self.drop_unnamed_files();
    }

    /// Two files exchange their names.
    pub(super) fn swap(&mut self, one: &Path, other: &Path) {
        self.names.swap(one, other);
        self.recent = None;
    }

    /// No operation is pending any more.
    pub(super) fn release(&mut self) {
        self.names.busy_until = 0;
        self.files().for_each(|file| file.busy_until = 0);
    }

    /// Drops files that no name can refer to any more, and recounts the bytes in use.
    fn drop_unnamed_files(&mut self) {
        self.recent = None;
        let referenced = self.names.referenced();
        for (id, file) in self.files.iter_mut().enumerate() {
            if !referenced.contains(&(id as FileId)) {
                *file = None;
            }
        }
        let named = self.names.cached().values();
        let lens = named.map(|id| self.files[*id as usize].as_ref().map_or(0, |file| file.cached.len()));
        self.used = lens.sum();
    }
}
