//! A disk in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use contract::disk::{Disk, DiskError, DiskErrorKind, DiskOp, Path};

/// Files by path.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<Path, Vec<u8>>>);

impl Memory {
    fn files(&self) -> MutexGuard<'_, BTreeMap<Path, Vec<u8>>> {
        self.0.lock().expect("one thread uses the disk")
    }
}

/// Runs operations in order.
pub fn run(disk: &Arc<Memory>, ops: &[DiskOp]) -> Result<(), DiskError> {
    ops.iter().try_for_each(|op| disk.perform(op))
}

fn error(kind: DiskErrorKind, path: &str) -> DiskError {
    DiskError { kind, path: path.into() }
}

fn write(content: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(data);
}

impl Disk for Memory {
    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError> {
        let files = self.files();
        let names = files.keys().filter_map(|path| path.strip_prefix(dir)?.strip_prefix('/'));
        Ok(names.map(String::from).collect())
    }

    fn len(&self, path: &str) -> Result<u64, DiskError> {
        let files = self.files();
        files
            .get(path)
            .map(|content| content.len() as u64)
            .ok_or_else(|| error(DiskErrorKind::NotFound, path))
    }

    fn read(&self, path: &str, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let files = self.files();
        let content = files.get(path).ok_or_else(|| error(DiskErrorKind::NotFound, path))?;
        let from = offset as usize;
        let wanted =
            content.get(from..from + buffer.len()).ok_or_else(|| error(DiskErrorKind::PastEnd, path))?;
        buffer.copy_from_slice(wanted);
        Ok(())
    }

    fn perform(&self, op: &DiskOp) -> Result<(), DiskError> {
        let mut files = self.files();
        match op {
            DiskOp::Create { path } => _ = files.insert(path.clone(), Vec::new()),
            DiskOp::Append { path, data } => files.entry(path.clone()).or_default().extend_from_slice(data),
            DiskOp::WriteAt { path, offset, data } => {
                write(files.entry(path.clone()).or_default(), *offset as usize, data);
            }
            DiskOp::Truncate { path, len } => files.entry(path.clone()).or_default().resize(*len as usize, 0),
            DiskOp::Rename { from, to } => {
                let content = files.remove(from).ok_or_else(|| error(DiskErrorKind::NotFound, from))?;
                files.insert(to.clone(), content);
            }
            DiskOp::Remove { path } => _ = files.remove(path),
            DiskOp::Sync { .. } | DiskOp::SyncDir { .. } => {}
        }
        Ok(())
    }
}
