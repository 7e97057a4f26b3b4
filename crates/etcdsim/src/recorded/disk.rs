//! The files that a process found, in memory. After its start, a member only hands out jobs, whose ends are in the
//! record; so nothing that it writes later is needed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use contract::disk::{Disk, DiskError, DiskErrorKind, DiskOp, Path};

/// Files by path.
#[derive(Debug, Default)]
pub(super) struct Found(Mutex<BTreeMap<Path, Vec<u8>>>);

impl Found {
    fn files(&self) -> MutexGuard<'_, BTreeMap<Path, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process found this data; it follows what is already known of the file.
    pub(super) fn add(&self, path: &str, data: &[u8]) {
        self.files().entry(path.into()).or_default().extend_from_slice(data);
    }
}

fn error(kind: DiskErrorKind, path: &str) -> DiskError {
    DiskError { kind, path: path.into() }
}

impl Disk for Found {
    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError> {
        let files = self.files();
        let names = files.keys().filter_map(|path| path.strip_prefix(dir)?.strip_prefix('/'));
        Ok(names.map(String::from).collect())
    }

    fn len(&self, path: &str) -> Result<u64, DiskError> {
        let len = self.files().get(path).map(|content| content.len() as u64);
        len.ok_or_else(|| error(DiskErrorKind::NotFound, path))
    }

    fn read(&self, path: &str, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let files = self.files();
        let content = files.get(path).ok_or_else(|| error(DiskErrorKind::NotFound, path))?;
        let end = offset.saturating_add(buffer.len() as u64) as usize;
        let wanted = content.get(offset as usize..end).ok_or_else(|| error(DiskErrorKind::PastEnd, path))?;
        buffer.copy_from_slice(wanted);
        Ok(())
    }

    fn perform(&self, op: &DiskOp) -> Result<(), DiskError> {
        let mut files = self.files();
        let missing = |path: &Path| error(DiskErrorKind::NotFound, path);
        match op {
            DiskOp::Create { path } if files.contains_key(path) => {
                return Err(error(DiskErrorKind::Exists, path));
            }
            DiskOp::Create { path } => _ = files.insert(Path::clone(path), Vec::new()),
            DiskOp::Append { path, data } => {
                files.get_mut(path).ok_or_else(|| missing(path))?.extend_from_slice(data);
            }
            DiskOp::WriteAt { path, offset, data } => {
                let content = files.get_mut(path).ok_or_else(|| missing(path))?;
                let (from, end) = (*offset as usize, *offset as usize + data.len());
                content.resize(content.len().max(end), 0);
                content[from..end].copy_from_slice(data);
            }
            DiskOp::Truncate { path, len } => {
                files.get_mut(path).ok_or_else(|| missing(path))?.resize(*len as usize, 0);
            }
            DiskOp::Rename { from, to } => {
                let content = files.remove(from).ok_or_else(|| missing(from))?;
                files.insert(Path::clone(to), content);
            }
            DiskOp::Remove { path } => _ = files.remove(path).ok_or_else(|| missing(path))?,
            DiskOp::Sync { .. } | DiskOp::SyncDir { .. } => {}
        }
        Ok(())
    }
}
