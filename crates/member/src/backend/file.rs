//! The file in which redb, the database of the backend, keeps its pages: redb's trait [`StorageBackend`],
//! implemented with the member's [`Disk`]. It collects writes until the next sync, or until another operation
//! depends on them, and then passes them on in order of their offsets.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use redb::StorageBackend;

use super::{BackendError, DIR};
use crate::disk::{Disk, DiskError, DiskErrorKind, DiskOp, Path};

/// A handle to the file. redb and the backend have one each.
#[derive(Clone, Debug)]
pub(super) struct File(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    disk: Arc<dyn Disk>,
    path: Path,
    /// Writes that are not passed on yet, by offset. They do not overlap. redb writes in the order of its
    /// hash tables, which differs between processors. The disk must see the writes in the same order
    /// everywhere.
    pending: BTreeMap<u64, Bytes>,
    /// The first error of the disk. redb returns that error once; afterwards it only says that there was one.
    error: Option<DiskError>,
    /// Whether all operations are refused.
    stopped: bool,
}

impl File {
    pub(super) fn open(disk: Arc<dyn Disk>, path: Path) -> File {
        File(Arc::new(Mutex::new(State {
            disk,
            path,
            pending: BTreeMap::new(),
            error: None,
            stopped: false,
        })))
    }

    /// Refuses all operations from now on, as if the process had ended. Returns the disk and the file's path.
    pub(super) fn stop(&self) -> (Arc<dyn Disk>, Path) {
        let mut state = self.state();
        state.stopped = true;
        (state.disk.clone(), state.path.clone())
    }

    /// The disk and the file's path.
    pub(super) fn location(&self) -> (Arc<dyn Disk>, Path) {
        let state = self.state();
        (state.disk.clone(), state.path.clone())
    }

    /// Renames the file and syncs the directory. The file stays open.
    pub(super) fn rename(&self, to: Path) -> Result<(), DiskError> {
        let mut state = self.state();
        let from = std::mem::replace(&mut state.path, to.clone());
        state.disk.perform(&DiskOp::Rename { from, to })?;
        state.disk.perform(&DiskOp::SyncDir { path: DIR.into() })
    }

    /// Converts redb's error. If the disk had an error, the result is that error; if it had none, the file is
    /// damaged. A read past the end of the file is damage, too.
    pub(super) fn result<T>(
        &self,
        doing: &'static str,
        result: Result<T, redb::Error>,
    ) -> Result<T, BackendError> {
        result.map_err(|error| {
            let of_the_disk = self.state().error.clone();
            match of_the_disk {
                Some(DiskError { kind: DiskErrorKind::PastEnd, .. }) => {
                    self.damaged(doing, "it is shorter than its content requires".into())
                }
                Some(error) => BackendError::Disk { doing, error },
                None => self.damaged(doing, error.to_string()),
            }
        })
    }

    /// The error for a file whose content is not as it was written.
    pub(super) fn damaged(&self, doing: &'static str, what: String) -> BackendError {
        BackendError::Damaged { path: self.state().path.clone(), doing, what }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Runs an operation, unless operations are refused, and remembers its error.
    fn run<T>(&self, work: impl FnOnce(&mut State) -> Result<T, DiskError>) -> io::Result<T> {
        let mut state = self.state();
        if state.stopped {
            return Err(io::Error::other("the file is stopped"));
        }
        work(&mut state).map_err(|error| {
            state.error.get_or_insert_with(|| error.clone());
            io::Error::other(error)
        })
    }
}

impl State {
    /// Passes all pending writes to the disk.
    fn write_pending(&mut self) -> Result<(), DiskError> {
        while let Some((offset, data)) = self.pending.pop_first() {
            self.disk.perform(&DiskOp::WriteAt { path: self.path.clone(), offset, data })?;
        }
        Ok(())
    }

    /// Passes all pending writes to the disk if any of them overlaps this range.
    fn write_overlapping(&mut self, offset: u64, length: usize) -> Result<(), DiskError> {
        let end = offset + length as u64;
        match self.pending.range(..end).next_back() {
            Some((at, data)) if at + data.len() as u64 > offset => self.write_pending(),
            _ => Ok(()),
        }
    }
}

impl StorageBackend for File {
    fn len(&self) -> io::Result<u64> {
        self.run(|state| state.disk.len(&state.path))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.run(|state| {
            state.write_pending()?;
            state.disk.read(&state.path, offset, out)
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.run(|state| {
            state.write_pending()?;
            state.disk.perform(&DiskOp::Truncate { path: state.path.clone(), len })
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.run(|state| {
            state.write_pending()?;
            state.disk.perform(&DiskOp::Sync { path: state.path.clone() })
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.run(|state| {
            // redb often writes the same page again. The new write then replaces the pending one.
            if state.pending.get(&offset).is_none_or(|old| old.len() != data.len()) {
                state.write_overlapping(offset, data.len())?;
            }
            state.pending.insert(offset, Bytes::copy_from_slice(data));
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One file.
    #[derive(Debug, Default)]
    struct OneFile(Mutex<Vec<u8>>);

    impl Disk for OneFile {
        fn list(&self, _: &str) -> Result<Vec<String>, DiskError> {
            Ok(Vec::new())
        }

        fn len(&self, _: &str) -> Result<u64, DiskError> {
            Ok(self.0.lock().unwrap().len() as u64)
        }

        fn read(&self, _: &str, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
            buffer.copy_from_slice(&self.0.lock().unwrap()[offset as usize..][..buffer.len()]);
            Ok(())
        }

        fn perform(&self, op: &DiskOp) -> Result<(), DiskError> {
            let mut content = self.0.lock().unwrap();
            match op {
                DiskOp::WriteAt { offset, data, .. } => {
                    content[*offset as usize..][..data.len()].copy_from_slice(data);
                }
                DiskOp::Truncate { len, .. } => content.resize(*len as usize, 0),
                _ => {}
            }
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn it_reads_as_it_was_written(
            calls in prop::collection::vec((0..60_u64, 1..20_usize, 1..8_u8), 1..40),
        ) {
            let file = File::open(Arc::new(OneFile::default()), "db/file".into());
            let mut model = vec![0; 80];
            file.set_len(80).unwrap();
            for (offset, length, value) in calls {
                // 1 stands for a sync and 2 for a read; other values are written.
                match value {
                    1 => file.sync_data().unwrap(),
                    2 => {
                        let mut content = vec![0; length];
                        file.read(offset, &mut content).unwrap();
                        prop_assert_eq!(&content, &model[offset as usize..][..length]);
                    }
                    _ => {
                        file.write(offset, &vec![value; length]).unwrap();
                        model[offset as usize..][..length].fill(value);
                    }
                }
            }
            let mut content = vec![0; 80];
            file.read(0, &mut content).unwrap();
            prop_assert_eq!(content, model);
        }
    }
}
