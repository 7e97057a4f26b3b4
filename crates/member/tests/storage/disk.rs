//! A disk in memory that can lose power.
//!
//! Every operation takes effect in the cache at once, and is remembered until a sync. A power failure loses
//! any subset of what was not synced: each rename, creation and removal separately, each change of length,
//! each 512-byte sector of each write. That is harsher than a real disk: of two writes to one sector, the
//! later can survive without the earlier.
//!
//! What it does not model: time, capacity.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use etcdsim_member::disk::{Disk, DiskError, DiskErrorKind, DiskOp, Path};
use keyed::{Domain, Keyed, Ratio};

const SECTOR: usize = 512;
const LOSS: Domain = Domain::new("test-disk-loss");

/// The disk.
#[derive(Debug, Default)]
pub struct TestDisk(Mutex<State>);

/// Its files and names, and what is to go wrong.
#[derive(Clone, Debug, Default)]
struct State {
    /// All files. Names refer to them by index.
    files: Vec<File>,
    /// The names as a running process sees them.
    names: BTreeMap<Path, usize>,
    /// The names as of the last sync of the directory.
    durable_names: BTreeMap<Path, usize>,
    /// The changes of names since that sync.
    name_changes: Vec<NameChange>,
    /// Operations performed so far, reads included.
    operations: u64,
    /// The process is gone once so many operations were performed.
    stop_at: Option<u64>,
    /// These operations fail.
    failing: BTreeMap<u64, DiskErrorKind>,
}

/// A file.
#[derive(Clone, Debug, Default)]
struct File {
    /// What a running process sees.
    content: Vec<u8>,
    /// The content as of the last sync.
    durable: Vec<u8>,
    /// The changes since that sync.
    changes: Vec<Change>,
}

/// A change of a name.
#[derive(Clone, Debug)]
enum NameChange {
    Add(Path, usize),
    Move(Path, Path, usize),
    Remove(Path),
}

/// A change of a file's content.
#[derive(Clone, Debug)]
enum Change {
    /// These bytes were written at this offset.
    Write(usize, Vec<u8>),
    /// The file got this length.
    Length(usize),
}

impl TestDisk {
    pub fn new() -> Arc<TestDisk> {
        Arc::default()
    }

    /// The number of operations so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Operation `nth` and all later ones find the process gone. Operations are numbered from 0 since the disk was
    /// created.
    pub fn stop_at(&self, nth: u64) {
        self.state().stop_at = Some(nth);
    }

    /// Operation `nth`, numbered as in [`TestDisk::stop_at`], fails.
    pub fn fail_at(&self, nth: u64, kind: DiskErrorKind) {
        self.state().failing.insert(nth, kind);
    }

    /// The process was killed and restarts: the cache is as it was.
    pub fn after_kill(&self) -> Arc<TestDisk> {
        let state = State { stop_at: None, failing: BTreeMap::new(), ..self.state().clone() };
        Arc::new(TestDisk(Mutex::new(state)))
    }

    /// Power fails: each change that was not synced is lost with probability `lost`.
    pub fn after_power_loss(&self, seed: u64, lost: Ratio) -> Arc<TestDisk> {
        let state = self.state();
        let keyed = Keyed::new(seed, LOSS);
        let mut nth = 0;
        let mut kept = || {
            nth += 1;
            !keyed.draw(0, nth).happens(lost)
        };
        let mut names = state.durable_names.clone();
        for change in state.name_changes.iter().filter(|_| kept()) {
            change.apply(&mut names);
        }
        let mut files = state.files.clone();
        for file in &mut files {
            let mut content = file.durable.clone();
            for change in file.changes.drain(..) {
                match change {
                    Change::Length(length) if kept() => content.resize(length, 0),
                    Change::Length(_) => {}
                    Change::Write(offset, data) => {
                        let mut at = 0;
                        while at < data.len() {
                            let end = data.len().min((offset + at) / SECTOR * SECTOR + SECTOR - offset);
                            if kept() {
                                write(&mut content, offset + at, &data[at..end]);
                            }
                            at = end;
                        }
                    }
                }
            }
            file.content.clone_from(&content);
            file.durable = content;
        }
        let names: BTreeMap<_, _> = names.into_iter().collect();
        Arc::new(TestDisk(Mutex::new(State {
            files,
            durable_names: names.clone(),
            names,
            ..State::default()
        })))
    }

    /// The existing file names.
    pub fn paths(&self) -> Vec<Path> {
        self.state().names.keys().cloned().collect()
    }

    /// A file's content.
    pub fn content(&self, path: &str) -> Vec<u8> {
        let state = self.state();
        state.files[state.names[path]].content.clone()
    }

    /// Corrupts a file, in the cache and on the disk, without counting as an operation. Its unsynced changes become
    /// durable.
    pub fn damage(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let file = state.names[path];
        let file = &mut state.files[file];
        change(&mut file.content);
        file.durable.clone_from(&file.content);
        file.changes.clear();
    }

    /// A separate disk with the same files, all durable.
    pub fn copy(&self) -> Arc<TestDisk> {
        let copy = self.after_kill();
        {
            let mut state = copy.state();
            state.files.iter_mut().for_each(File::sync);
            state.durable_names = state.names.clone();
            state.name_changes.clear();
        }
        copy
    }

    /// Performs operations in order, up to the first that fails.
    pub fn run(&self, ops: &[DiskOp]) -> Result<(), DiskError> {
        ops.iter().try_for_each(|op| self.perform(op))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn begin(&mut self, path: &str) -> Result<(), DiskError> {
        let nth = self.operations;
        if self.stop_at.is_some_and(|stop| nth >= stop) {
            return Err(error(DiskErrorKind::Dead, path));
        }
        self.operations += 1;
        self.failing.get(&nth).map_or(Ok(()), |kind| Err(error(*kind, path)))
    }

    fn file(&mut self, path: &str) -> Result<&mut File, DiskError> {
        let file = *self.names.get(path).ok_or_else(|| error(DiskErrorKind::NotFound, path))?;
        Ok(&mut self.files[file])
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.name_changes.push(change);
    }
}

impl File {
    fn change(&mut self, change: Change) {
        match &change {
            Change::Write(offset, data) => write(&mut self.content, *offset, data),
            Change::Length(length) => self.content.resize(*length, 0),
        }
        self.changes.push(change);
    }

    /// Writes `data`. If `begun` is an error, writes only its first half, or nothing if the process is gone, and returns
    /// the error.
    fn write(&mut self, offset: usize, data: &[u8], begun: Result<(), DiskError>) -> Result<(), DiskError> {
        match &begun {
            Ok(()) => self.change(Change::Write(offset, data.to_vec())),
            Err(error) if error.kind == DiskErrorKind::Dead => {}
            Err(_) => self.change(Change::Write(offset, data[..data.len() / 2].to_vec())),
        }
        begun
    }

    fn sync(&mut self) {
        self.durable.clone_from(&self.content);
        self.changes.clear();
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<Path, usize>) {
        match self {
            NameChange::Add(path, file) => {
                names.insert(path.clone(), *file);
            }
            NameChange::Move(from, to, file) => {
                if names.get(from) == Some(file) {
                    names.remove(from);
                }
                names.insert(to.clone(), *file);
            }
            NameChange::Remove(path) => {
                names.remove(path);
            }
        }
    }

    fn directory(&self) -> &str {
        let (NameChange::Add(path, _) | NameChange::Move(path, ..) | NameChange::Remove(path)) = self;
        path.split('/').next().unwrap()
    }
}

impl Disk for TestDisk {
    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError> {
        let mut state = self.state();
        state.begin(dir)?;
        let names: BTreeSet<_> =
            state.names.keys().filter_map(|path| path.strip_prefix(dir)?.strip_prefix('/')).collect();
        Ok(names.into_iter().map(String::from).collect())
    }

    fn len(&self, path: &str) -> Result<u64, DiskError> {
        let mut state = self.state();
        state.begin(path)?;
        Ok(state.file(path)?.content.len() as u64)
    }

    fn read(&self, path: &str, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let mut state = self.state();
        state.begin(path)?;
        let content = &state.file(path)?.content;
        let end = offset as usize + buffer.len();
        let wanted = content.get(offset as usize..end).ok_or_else(|| error(DiskErrorKind::PastEnd, path))?;
        buffer.copy_from_slice(wanted);
        Ok(())
    }

    fn perform(&self, op: &DiskOp) -> Result<(), DiskError> {
        let mut state = self.state();
        match op {
            DiskOp::Create { path } => {
                state.begin(path)?;
                if state.names.contains_key(path) {
                    return Err(error(DiskErrorKind::Exists, path));
                }
                let file = state.files.len();
                state.files.push(File::default());
                state.change_name(NameChange::Add(path.clone(), file));
            }
            DiskOp::Append { path, data } => {
                let begun = state.begin(path);
                let file = state.file(path)?;
                let offset = file.content.len();
                file.write(offset, data, begun)?;
            }
            DiskOp::WriteAt { path, offset, data } => {
                let begun = state.begin(path);
                state.file(path)?.write(*offset as usize, data, begun)?;
            }
            DiskOp::Truncate { path, len } => {
                state.begin(path)?;
                state.file(path)?.change(Change::Length(*len as usize));
            }
            DiskOp::Rename { from, to } => {
                state.begin(from)?;
                let file = *state.names.get(from).ok_or_else(|| error(DiskErrorKind::NotFound, from))?;
                state.change_name(NameChange::Move(from.clone(), to.clone(), file));
            }
            DiskOp::Remove { path } => {
                state.begin(path)?;
                state.file(path)?;
                state.change_name(NameChange::Remove(path.clone()));
            }
            DiskOp::Sync { path } => {
                let begun = state.begin(path);
                let file = state.file(path)?;
                if begun.is_ok() {
                    file.sync();
                } else if begun.as_ref().is_err_and(|error| error.kind != DiskErrorKind::Dead) {
                    // As on Linux: the dirty pages are dropped.
                    file.content.clone_from(&file.durable);
                    file.changes.clear();
                }
                begun?;
            }
            DiskOp::SyncDir { path } => {
                state.begin(path)?;
                let synced = |change: &&NameChange| change.directory() == &**path;
                let State { name_changes, durable_names, .. } = &mut *state;
                name_changes.iter().filter(synced).for_each(|change| change.apply(durable_names));
                name_changes.retain(|change| change.directory() != &**path);
            }
        }
        Ok(())
    }
}

fn write(content: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(data);
}

/// An error of the disk.
fn error(kind: DiskErrorKind, path: &str) -> DiskError {
    DiskError { kind, path: path.into() }
}
