//! The backend: a database file with the rows of the store and all other replicated state.
//!
//! It takes the place of etcd's bbolt (`server/storage/backend`); the database library here is redb. It is
//! committed in batches, independently of the write-ahead log. After a restart it may be behind, so the
//! member replays the log from the backend's *consistent index*, the index of the last entry whose effects it
//! holds.
//!
//! # How it is used
//!
//! - Each commit is one transaction with rows and [`Meta`] together, so the consistent index always matches
//!   the rows (etcd issue 13766).
//! - redb commits in two phases, as bbolt does: it writes the pages and the new root and syncs them; then it
//!   writes the byte that says which root is current and syncs that. This is one sync more than redb's
//!   default. With one phase, redb takes a damaged page of the newest commit for a sign that the commit was
//!   not finished, and silently goes back to the commit before.
//! - Every start checks every page and every row, whether the last process exited cleanly or was killed. So
//!   the file is never closed, and dropping a [`Backend`] does nothing to the disk.
//! - The cache has room for every page, so that no page is read from the disk again after it was checked.
//!   redb does not check pages that it reads later; if one was damaged meanwhile, it returns wrong content or
//!   panics.
//!
//! # Layout
//!
//! The table `rows` maps keys to values, which are bytes that the caller chooses. The table `meta` has one
//! row (see `meta.rs`). It includes a checksum of all rows, which every start compares with the rows.
//!
//! # What it cannot detect
//!
//! redb has no checksum for the byte that says which of its two roots is current. If the write of this byte
//! is lost, or a bit in it flips, the backend has the content of the commit before the last one, complete and
//! consistent, but never of an older one. That does no harm if the log reaches back to the consistent index
//! of that commit. The member must check this, and refuse to start if it does not.

mod commit;
mod file;
mod ledger;
mod meta;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use contract::Store;
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use crate::disk::{Disk, DiskError, DiskOp, Path};
use crate::flaw::{Flaw, Flaws};
pub use commit::{Commit, Job, Transaction};
use file::File;
pub use ledger::{Ledger, Split};
pub use meta::{Meta, Size};

/// The backend's directory.
pub const DIR: &str = "db";

const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
const META: TableDefinition<'_, (), &[u8]> = TableDefinition::new("meta");
/// Once the commits that are kept change this many rows, they must be written.
const KEPT_ROWS_MAX: usize = 10_000;
/// The same, for this many bytes.
const KEPT_BYTES_MAX: u64 = 8 << 20;
/// How many reads it takes to open an empty backend.
const READS_OF_OPENING: u64 = 13;
/// How many bytes of rows cost one more read: redb reads each page about one and a half times.
const BYTES_A_READ: u64 = 2_700;

/// Why the backend cannot continue. It is unusable afterwards.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// The disk failed.
    #[error("the backend's disk failed while it {doing}: {error}")]
    Disk {
        /// What the backend was doing.
        doing: &'static str,
        /// How the disk failed.
        error: DiskError,
    },
    /// Durable content is not as it was written.
    #[error("{path} is damaged, found while the backend {doing}: {what}")]
    Damaged {
        /// The file.
        path: Path,
        /// What the backend was doing.
        doing: &'static str,
        /// What is wrong.
        what: String,
    },
}

/// A key and its value.
pub type Row = (Bytes, Bytes);

/// A key and the value that it gets, or `None` if its row is removed, which may be missing.
pub type Change = (Bytes, Option<Bytes>);

/// The content of the file when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Every row, by key.
    pub rows: Vec<Row>,
    /// The metadata of the last commit.
    pub meta: Meta,
    /// What the member must remember of it.
    pub ledger: Ledger,
    /// Whether the file did not exist and was created.
    pub created: bool,
}

/// An open backend. The driver owns it and performs on it the jobs that the member hands out ([`Job`]).
///
/// The driver may keep commits instead of writing them, as long as nobody looks at the file
/// ([`Store::keep`]). Before anybody does, and before any other job, it must bring the file up to date
/// ([`Store::catch_up`]).
pub struct Backend {
    database: Database,
    file: File,
    /// The copy that a defragmentation has made.
    copy: Option<Box<Backend>>,
    kept: Kept,
    flaws: Flaws,
}

/// Transactions that are done, as far as the member knows, but are not in the file yet.
#[derive(Debug, Default)]
struct Kept {
    /// In order.
    transactions: Vec<Transaction>,
    /// How many rows they change.
    rows: usize,
    /// How many bytes they have.
    bytes: u64,
}

impl Backend {
    /// Opens `db/{name}`, or creates it if it does not exist.
    ///
    /// # Errors
    /// The disk's errors; `Damaged` if the content is not as it was written.
    pub fn open(disk: Arc<dyn Disk>, name: &str) -> Result<(Backend, Loaded), BackendError> {
        let path: Path = format!("{DIR}/{name}").into();
        let doing = "looked for its file";
        let failed = |error| BackendError::Disk { doing, error };
        let files = disk.list(DIR).map_err(failed)?;
        for unfinished in [temporary(&path), copy_of(&path)] {
            if files.iter().any(|file| unfinished.strip_prefix("db/") == Some(file)) {
                disk.perform(&DiskOp::Remove { path: unfinished }).map_err(failed)?;
            }
        }
        if !files.iter().any(|file| file == name) {
            let backend =
                Backend::create(disk, path, &Ledger::default().install(Vec::new(), Meta::default()))?;
            return Ok((backend, Loaded { created: true, ..Loaded::default() }));
        }
        // A process that was killed may have left the file's name only in the cache.
        disk.perform(&DiskOp::SyncDir { path: DIR.into() }).map_err(failed)?;
        // redb would turn an empty file into a new database.
        if disk.len(&path).map_err(failed)? == 0 {
            return Err(BackendError::Damaged { path, doing, what: "it is empty".into() });
        }
        let file = File::open(Arc::clone(&disk), path);
        let database = file.result("opened its database", database(&file))?;
        let loaded = file.result("read its rows", load(&database))?;
        let (meta, wanted, size) = Meta::decode(&loaded.1)
            .ok_or_else(|| file.damaged("read its rows", "the metadata row is not readable".into()))?;
        let ledger = Ledger::of(&loaded.0, meta.clone(), size);
        if ledger.sum() != wanted {
            let what = format!("its rows add up to {}, but the last commit recorded {wanted}", ledger.sum());
            return Err(file.damaged("checked its rows", what));
        }
        disk_reads(&disk, size);
        let backend = Backend::with(database, file);
        Ok((backend, Loaded { rows: loaded.0, meta, ledger, created: false }))
    }

    fn with(database: Database, file: File) -> Backend {
        Backend { database, file, copy: None, kept: Kept::default(), flaws: Flaws::NONE }
    }

    /// Sets the flaws of the part that brings the file up to date.
    pub fn set_flaws(&mut self, flaws: Flaws) {
        self.flaws = flaws;
    }

    /// Commits. See [`Store::perform`].
    ///
    /// # Errors
    /// The disk's. After a restart a transaction may or may not be there, but never in part.
    pub fn commit(&mut self, commit: &Commit) -> Result<(), BackendError> {
        self.assert_up_to_date();
        commit
            .transactions
            .iter()
            .try_for_each(|transaction| self.file.result("committed", write(&self.database, transaction)))
    }

    fn assert_up_to_date(&self) {
        assert!(!self.is_behind(), "{} transactions are kept: was `catch_up` left out?", self.kept.rows);
    }

    /// The first part of a defragmentation: copies the committed content into a new file next to this one and
    /// syncs it.
    fn make_copy(&mut self) -> Result<(), BackendError> {
        self.assert_up_to_date();
        let doing = "read its rows";
        let (rows, meta) = self.file.result(doing, load(&self.database))?;
        let (meta, sum, size) = Meta::decode(&meta)
            .ok_or_else(|| self.file.damaged(doing, "the metadata row is not readable".into()))?;
        let size = Size { total: size.in_use, ..size };
        let (disk, path) = self.file.location();
        let changes = rows.into_iter().map(|(key, value)| (key, Some(value))).collect();
        let content = Transaction { changes, meta, sum, size };
        self.copy = Some(Box::new(Backend::create_at(disk, copy_of(&path), &content)?));
        Ok(())
    }

    /// The second part of a defragmentation: the copy replaces this backend. After a crash, the file is either the
    /// old one or the copy.
    fn replace_by_copy(&mut self) -> Result<(), BackendError> {
        self.assert_up_to_date();
        let copy = self.copy.take().expect("the backend was copied before its copy takes over");
        let (_, path) = self.file.stop();
        copy.file
            .rename(path)
            .map_err(|error| BackendError::Disk { doing: "replaced its file by the copy", error })?;
        self.become_file_of(*copy);
        Ok(())
    }

    /// Replaces the whole content by the rows of a snapshot: writes them to a new file, syncs it, renames it
    /// over the old one and syncs the directory. After a crash, the file is either the old one or the new
    /// one. See [`Store::perform`].
    ///
    /// # Errors
    /// The disk's.
    pub fn install(&mut self, content: &Transaction) -> Result<(), BackendError> {
        self.assert_up_to_date();
        let (disk, path) = self.file.stop();
        let new = Backend::create(disk, path, content)?;
        self.become_file_of(new);
        Ok(())
    }

    fn become_file_of(&mut self, new: Backend) {
        let old = std::mem::replace(self, new);
        self.flaws = old.flaws;
        // M-20271: a copy that was made before a snapshot is installed outlives it.
        self.copy = old.take_copy();
    }

    fn take_copy(mut self) -> Option<Box<Backend>> {
        self.copy.take()
    }

    fn create(disk: Arc<dyn Disk>, path: Path, content: &Transaction) -> Result<Backend, BackendError> {
        let doing = "made its file";
        let backend = Backend::create_at(disk, temporary(&path), content)?;
        backend.file.rename(path).map_err(|error| BackendError::Disk { doing, error })?;
        Ok(backend)
    }

    fn create_at(disk: Arc<dyn Disk>, path: Path, content: &Transaction) -> Result<Backend, BackendError> {
        let doing = "made its file";
        disk.perform(&DiskOp::Create { path: path.clone() })
            .map_err(|error| BackendError::Disk { doing, error })?;
        let file = File::open(disk, path);
        let database = file.result(doing, database(&file))?;
        file.result(doing, write(&database, content))?;
        Ok(Backend::with(database, file))
    }
}

impl Store for Backend {
    type Job = Job;
    type Error = BackendError;

    fn perform(&mut self, job: &Job) -> Result<(), BackendError> {
        match job {
            Job::Commit(commit) => self.commit(commit),
            Job::Copy => self.make_copy(),
            Job::Replace => self.replace_by_copy(),
            Job::Install(transaction) => self.install(transaction),
        }
    }

    fn shape(job: &Job) -> Option<Vec<u32>> {
        match job {
            Job::Commit(commit) => Some(commit.shape()),
            Job::Copy | Job::Replace | Job::Install(_) => None,
        }
    }

    fn mark(job: &Job) -> Option<u64> {
        match job {
            Job::Commit(commit) => Some(commit.consistent_index()),
            Job::Copy | Job::Replace | Job::Install(_) => None,
        }
    }

    fn keep(&mut self, commit: Job) {
        let Job::Commit(commit) = commit else { panic!("only commits can be kept, not {commit:?}") };
        for transaction in commit.transactions {
            self.kept.rows += transaction.rows();
            self.kept.bytes += transaction.bytes();
            self.kept.transactions.push(transaction);
        }
    }

    fn is_behind(&self) -> bool {
        !self.kept.transactions.is_empty()
    }

    fn keeps_too_much(&self) -> bool {
        self.kept.rows >= KEPT_ROWS_MAX || self.kept.bytes >= KEPT_BYTES_MAX
    }

    /// Writes all commits that were kept, in one transaction.
    fn catch_up(&mut self) -> Result<(), BackendError> {
        let kept = std::mem::take(&mut self.kept);
        let Some(merged) = kept.merged(self.flaws) else { return Ok(()) };
        self.file.result("caught up", write(&self.database, &merged))
    }
}

impl Kept {
    /// One transaction that does what all of them do; `None` if there are none.
    fn merged(mut self, flaws: Flaws) -> Option<Transaction> {
        let last = self.transactions.last()?;
        let (mut meta, sum, size) = (last.meta.clone(), last.sum, last.size);
        if flaws.has(Flaw::KeptCommitLeftOut) && self.transactions.len() > 1 {
            self.transactions.remove(0); // S1
        }
        let mut rows = BTreeMap::new();
        for Transaction { changes, .. } in self.transactions {
            rows.extend(changes);
        }
        if flaws.has(Flaw::KeptRowLeftOut) {
            rows.pop_first(); // S2
        }
        if flaws.has(Flaw::KeptIndexTooFar) {
            meta.consistent_index += 1; // S3
        }
        Some(Transaction { changes: rows.into_iter().collect(), meta, sum, size })
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        // redb writes when a database is dropped, but a process that has ended must write nothing (rule R5).
        self.file.stop();
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").field("file", &self.file).field("kept", &self.kept).finish_non_exhaustive()
    }
}

fn temporary(path: &Path) -> Path {
    format!("{path}.tmp").into()
}

/// The path of the copy that a defragmentation makes.
fn copy_of(path: &Path) -> Path {
    format!("{path}.defrag").into()
}

fn database(file: &File) -> Result<Database, redb::Error> {
    let mut builder = Database::builder();
    // Without the check of integrity, redb would follow the root of a two-phase commit before it has checked
    // the page, and panic if the page is damaged.
    builder.set_cache_size(file.location().0.cache_bytes()).set_check_integrity_on_open(true);
    Ok(builder.create_with_backend(file.clone())?)
}

fn write(database: &Database, content: &Transaction) -> Result<(), redb::Error> {
    let Transaction { changes, meta, sum, size } = content;
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    {
        let mut rows = transaction.open_table(ROWS)?;
        for (key, value) in changes {
            match value {
                Some(value) => rows.insert(&key[..], &value[..])?,
                None => rows.remove(&key[..])?,
            };
        }
        transaction.open_table(META)?.insert((), &meta.encode(*sum, *size)[..])?;
    }
    Ok(transaction.commit()?)
}

/// Tells the disk how much was read to open a backend of this size. This is an estimate: how often redb really reads
/// depends on how its pages lie in the file, and only the content of the file may have an effect.
fn disk_reads(disk: &Arc<dyn Disk>, size: Size) {
    disk.charge_reads(READS_OF_OPENING + size.in_use / BYTES_A_READ);
}

fn load(database: &Database) -> Result<(Vec<Row>, Vec<u8>), redb::Error> {
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(META)?.get(())?.map(|row| row.value().to_vec()).unwrap_or_default();
    let mut rows = Vec::new();
    for row in transaction.open_table(ROWS)?.iter()? {
        let (key, value) = row?;
        rows.push((Bytes::copy_from_slice(key.value()), Bytes::copy_from_slice(value.value())));
    }
    Ok((rows, meta))
}
