//! The member's files, on a real disk.
//!
//! Jobs for the write-ahead log are performed by a thread of their own, so that the event loop never waits for a sync.
//! All jobs that have come while the disk was busy are performed together: their writes first, then each file that they
//! wrote is synced once. That is the group commit.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::disk::{Disk, DiskError, DiskErrorKind, DiskJob, DiskOp, Path};

/// The directories that a member uses.
const DIRECTORIES: [&str; 3] = ["wal", "snap", "db"];

/// How many files are kept open. The oldest ones are segments that nobody writes any more.
const OPEN_MAX: usize = 16;

/// The files below one directory.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
    /// Open files by path.
    open: Mutex<BTreeMap<Path, Arc<File>>>,
}

impl RealDisk {
    /// The disk below this directory. Makes the member's directories if they do not exist.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new(root: PathBuf) -> io::Result<RealDisk> {
        for directory in DIRECTORIES {
            fs::create_dir_all(root.join(directory))?;
        }
        File::open(&root)?.sync_all()?;
        Ok(RealDisk { root, open: Mutex::default() })
    }

    fn open_files(&self) -> MutexGuard<'_, BTreeMap<Path, Arc<File>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An open file. It stays open for later calls.
    fn file(&self, path: &str) -> io::Result<Arc<File>> {
        let mut files = self.open_files();
        if let Some(file) = files.get(path) {
            return Ok(Arc::clone(file));
        }
        if files.len() >= OPEN_MAX {
            files.pop_first();
        }
        let file = Arc::new(OpenOptions::new().read(true).write(true).open(self.root.join(path))?);
        files.insert(path.into(), Arc::clone(&file));
        Ok(file)
    }

    fn forget(&self, path: &str) {
        self.open_files().remove(path);
    }

    fn try_perform(&self, op: &DiskOp) -> io::Result<()> {
        match op {
            DiskOp::Create { path } => {
                OpenOptions::new().write(true).create_new(true).open(self.root.join(&**path)).map(drop)
            }
            DiskOp::Append { path, data } => {
                let file = self.file(path)?;
                let end = file.metadata()?.len();
                file.write_all_at(data, end)
            }
            DiskOp::WriteAt { path, offset, data } => self.file(path)?.write_all_at(data, *offset),
            DiskOp::Truncate { path, len } => self.file(path)?.set_len(*len),
            DiskOp::Rename { from, to } => {
                self.forget(to);
                let file = self.open_files().remove(from);
                fs::rename(self.root.join(&**from), self.root.join(&**to))?;
                if let Some(file) = file {
                    self.open_files().insert(Arc::clone(to), file);
                }
                Ok(())
            }
            DiskOp::Remove { path } => {
                self.forget(path);
                fs::remove_file(self.root.join(&**path))
            }
            DiskOp::Sync { path } => self.file(path)?.sync_data(),
            DiskOp::SyncDir { path } => File::open(self.root.join(&**path))?.sync_all(),
        }
    }
}

/// The kind of an operating system error, among those that the member distinguishes.
fn kind_of(error: &io::Error) -> DiskErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => DiskErrorKind::NotFound,
        io::ErrorKind::AlreadyExists => DiskErrorKind::Exists,
        io::ErrorKind::UnexpectedEof => DiskErrorKind::PastEnd,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            DiskErrorKind::Full
        }
        _ => DiskErrorKind::Io,
    }
}

/// An error of the operating system, as the member gets it. It is logged in the system's words.
fn failed(error: &io::Error, path: &str) -> DiskError {
    let kind = kind_of(error);
    if !matches!(kind, DiskErrorKind::NotFound | DiskErrorKind::PastEnd) {
        tracing::error!(path, %error, "the disk failed");
    }
    DiskError { kind, path: path.into() }
}

/// How much of the database stays in memory: the store itself is there already.
const CACHE_BYTES: usize = 64 << 20;

impl Disk for RealDisk {
    fn cache_bytes(&self) -> usize {
        CACHE_BYTES
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError> {
        let names = || -> io::Result<Vec<String>> {
            let entries = fs::read_dir(self.root.join(dir))?;
            let name =
                |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
            entries.map(name).collect()
        };
        let mut names = names().map_err(|error| failed(&error, dir))?;
        names.sort_unstable();
        Ok(names)
    }

    fn len(&self, path: &str) -> Result<u64, DiskError> {
        let length = self.file(path).and_then(|file| file.metadata()).map(|metadata| metadata.len());
        length.map_err(|error| failed(&error, path))
    }

    fn read(&self, path: &str, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let read = self.file(path).and_then(|file| file.read_exact_at(buffer, offset));
        read.map_err(|error| failed(&error, path))
    }

    fn perform(&self, op: &DiskOp) -> Result<(), DiskError> {
        self.try_perform(op).map_err(|error| failed(&error, path_of(op)))
    }
}

fn path_of(op: &DiskOp) -> &Path {
    match op {
        DiskOp::Create { path }
        | DiskOp::Append { path, .. }
        | DiskOp::WriteAt { path, .. }
        | DiskOp::Truncate { path, .. }
        | DiskOp::Remove { path }
        | DiskOp::Sync { path }
        | DiskOp::SyncDir { path } => path,
        DiskOp::Rename { from, .. } => from,
    }
}

/// Performs jobs that were handed out one after the other. They succeed or fail together: each builds on those before it.
///
/// # Errors
/// Those of the first operation that failed. The ones after it were not performed.
pub fn perform_all(disk: &dyn Disk, jobs: &[DiskJob]) -> Result<(), DiskError> {
    let ops: Vec<&DiskOp> = jobs.iter().flat_map(|job| &job.ops).collect();
    for (at, op) in ops.iter().enumerate() {
        if !is_covered(op, &ops[at + 1..]) {
            disk.perform(op)?;
        }
    }
    Ok(())
}

/// Whether a sync may be left out because a later one of the same file does its work, and only appends to that file come
/// between the two.
fn is_covered(op: &DiskOp, later: &[&DiskOp]) -> bool {
    let DiskOp::Sync { path } = op else { return false };
    let other = later.iter().find(|op| !matches!(op, DiskOp::Append { path: of, .. } if of == path));
    matches!(other, Some(DiskOp::Sync { path: of }) if of == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes what is performed, and fails if asked.
    #[derive(Debug, Default)]
    struct Noted(Mutex<Vec<DiskOp>>, Option<usize>);

    impl Disk for Noted {
        fn list(&self, _: &str) -> Result<Vec<String>, DiskError> {
            Ok(Vec::new())
        }

        fn len(&self, _: &str) -> Result<u64, DiskError> {
            Ok(0)
        }

        fn read(&self, _: &str, _: u64, _: &mut [u8]) -> Result<(), DiskError> {
            Ok(())
        }

        fn perform(&self, op: &DiskOp) -> Result<(), DiskError> {
            let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            noted.push(op.clone());
            match self.1 {
                Some(nth) if noted.len() > nth => {
                    Err(DiskError { kind: DiskErrorKind::Full, path: path_of(op).clone() })
                }
                _ => Ok(()),
            }
        }
    }

    fn append(path: &str) -> DiskOp {
        DiskOp::Append { path: path.into(), data: "x".into() }
    }

    fn sync(path: &str) -> DiskOp {
        DiskOp::Sync { path: path.into() }
    }

    #[test]
    fn jobs_that_came_together_are_synced_once() {
        let jobs = [
            DiskJob { id: 1, ops: vec![append("wal/a"), sync("wal/a")] },
            DiskJob { id: 2, ops: vec![append("wal/a"), sync("wal/a")] },
            DiskJob { id: 3, ops: vec![append("wal/b"), sync("wal/b")] },
        ];
        let disk = Noted::default();
        assert_eq!(perform_all(&disk, &jobs), Ok(()));
        let wanted = [append("wal/a"), append("wal/a"), sync("wal/a"), append("wal/b"), sync("wal/b")];
        assert_eq!(*disk.0.lock().unwrap_or_else(PoisonError::into_inner), wanted);
        let full = Noted(Mutex::default(), Some(1));
        assert!(perform_all(&full, &jobs).is_err());
    }
}
