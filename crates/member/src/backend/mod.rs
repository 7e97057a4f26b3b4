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

mod file;
mod meta;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use crate::disk::{Disk, DiskError, DiskOp, Path};
use file::File;
use meta::Sum;
pub use meta::{Meta, Size};

/// The backend's directory.
pub const DIR: &str = "db";

const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
const META: TableDefinition<'_, (), &[u8]> = TableDefinition::new("meta");
/// The limit of redb's cache, in bytes: more than a simulated store needs.
const CACHE_BYTES: usize = 1 << 30;

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

/// The rows and metadata that one commit writes. Each key occurs once.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Rows to insert or replace.
    pub puts: &'a [Row],
    /// Keys to remove; missing ones are ignored.
    pub deletes: &'a [Bytes],
    /// The metadata that belongs to the rows after this commit.
    pub meta: &'a Meta,
}

/// The content of the file when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Every row, by key.
    pub rows: Vec<Row>,
    /// The metadata of the last commit.
    pub meta: Meta,
    /// Whether the file did not exist and was created.
    pub created: bool,
}

/// The order of the two transactions into which flaws R19 and M-13766 split a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Rows first: after a crash in between, entries are applied twice (R19).
    RowsFirst,
    /// Consistent index first: after a crash in between, entries are skipped (M-13766).
    IndexFirst,
}

/// An open backend.
pub struct Backend {
    database: Database,
    file: File,
    /// The metadata of the last commit.
    meta: Meta,
    sum: Sum,
    size: Size,
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
            let backend = Backend::create(disk, path, &[], &Meta::default())?;
            return Ok((backend, Loaded { created: true, ..Loaded::default() }));
        }
        // A process that was killed may have left the file's name only in the cache.
        disk.perform(&DiskOp::SyncDir { path: DIR.into() }).map_err(failed)?;
        // redb would turn an empty file into a new database.
        if disk.len(&path).map_err(failed)? == 0 {
            return Err(BackendError::Damaged { path, doing, what: "it is empty".into() });
        }
        let file = File::open(disk, path);
        let database = file.result("opened its database", database(&file))?;
        let loaded = file.result("read its rows", load(&database))?;
        let sum = Sum::of(&loaded.0);
        let (meta, wanted, size) = Meta::decode(&loaded.1)
            .ok_or_else(|| file.damaged("read its rows", "the metadata row is not readable".into()))?;
        if sum != wanted {
            let what = format!("its rows add up to {sum}, but the last commit recorded {wanted}");
            return Err(file.damaged("checked its rows", what));
        }
        let backend = Backend { database, file, meta: meta.clone(), sum, size };
        Ok((backend, Loaded { rows: loaded.0, meta, created: false }))
    }

    /// Commits a batch. When this returns, all operations of the commit, with their syncs, were performed.
    ///
    /// # Errors
    /// The disk's. After a restart the commit may or may not be there, but never in part.
    pub fn commit(&mut self, batch: Batch<'_>) -> Result<(), BackendError> {
        let (mut sum, mut size) = (self.sum, self.size);
        self.file.result("committed", write(&self.database, batch, &mut sum, &mut size))?;
        (self.sum, self.size) = (sum, size);
        self.meta.clone_from(batch.meta);
        Ok(())
    }

    /// Commits a batch as flaws R19 and M-13766 do: rows and consistent index in separate transactions.
    ///
    /// # Errors
    /// As [`Backend::commit`].
    pub fn commit_flawed(&mut self, batch: Batch<'_>, order: Split) -> Result<(), BackendError> {
        let Meta { consistent_index, term, .. } = *batch.meta;
        let before = self.meta.clone();
        match order {
            Split::RowsFirst => {
                let (consistent_index, term) = (before.consistent_index, before.term);
                self.commit(Batch { meta: &Meta { consistent_index, term, ..batch.meta.clone() }, ..batch })?;
                self.commit(Batch { puts: &[], deletes: &[], ..batch })
            }
            Split::IndexFirst => {
                let meta = &Meta { consistent_index, term, ..before };
                self.commit(Batch { puts: &[], deletes: &[], meta })?;
                self.commit(batch)
            }
        }
    }

    /// Commits the rows of a batch without its consistent index (flaw M-14685).
    ///
    /// # Errors
    /// As [`Backend::commit`].
    pub fn commit_rows_only(&mut self, batch: Batch<'_>) -> Result<(), BackendError> {
        let Meta { consistent_index, term, .. } = self.meta;
        self.commit(Batch { meta: &Meta { consistent_index, term, ..batch.meta.clone() }, ..batch })
    }

    /// The first part of a defragmentation: copies the committed content into a new file next to this one and
    /// syncs it. Do not commit until the copy has replaced this backend.
    ///
    /// # Errors
    /// The disk's.
    pub fn copy(&mut self) -> Result<Backend, BackendError> {
        let (rows, _) = self.file.result("read its rows", load(&self.database))?;
        let (disk, path) = self.file.location();
        Backend::create_at(disk, copy_of(&path), &rows, &self.meta)
    }

    /// The second part of a defragmentation: the copy replaces this backend. After a crash, the file is
    /// either the old one or the copy.
    ///
    /// # Errors
    /// The disk's.
    pub fn replace_by(&mut self, copy: Backend) -> Result<(), BackendError> {
        let (_, path) = self.file.stop();
        copy.file
            .rename(path)
            .map_err(|error| BackendError::Disk { doing: "replaced its file by the copy", error })?;
        *self = copy;
        Ok(())
    }

    /// The size of the database as of the last commit.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Replaces the whole content by the rows of a snapshot: writes them to a new file, syncs it, renames it
    /// over the old one and syncs the directory. After a crash, the file is either the old one or the new
    /// one.
    ///
    /// # Errors
    /// The disk's.
    pub fn install(&mut self, rows: &[Row], meta: &Meta) -> Result<(), BackendError> {
        let (disk, path) = self.file.stop();
        *self = Backend::create(disk, path, rows, meta)?;
        Ok(())
    }

    /// The metadata of the last commit.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    fn create(disk: Arc<dyn Disk>, path: Path, rows: &[Row], meta: &Meta) -> Result<Backend, BackendError> {
        let doing = "made its file";
        let backend = Backend::create_at(disk, temporary(&path), rows, meta)?;
        backend.file.rename(path).map_err(|error| BackendError::Disk { doing, error })?;
        Ok(backend)
    }

    fn create_at(
        disk: Arc<dyn Disk>,
        path: Path,
        rows: &[Row],
        meta: &Meta,
    ) -> Result<Backend, BackendError> {
        let doing = "made its file";
        disk.perform(&DiskOp::Create { path: path.clone() })
            .map_err(|error| BackendError::Disk { doing, error })?;
        let file = File::open(disk, path);
        let database = file.result(doing, database(&file))?;
        let (mut sum, mut size) = (Sum::default(), Size::default());
        let batch = Batch { puts: rows, deletes: &[], meta };
        file.result(doing, write(&database, batch, &mut sum, &mut size))?;
        Ok(Backend { database, file, meta: meta.clone(), sum, size })
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
        f.debug_struct("Backend").field("file", &self.file).field("meta", &self.meta).finish_non_exhaustive()
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
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    Ok(builder.create_with_backend(file.clone())?)
}

fn write(database: &Database, batch: Batch<'_>, sum: &mut Sum, size: &mut Size) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    {
        let mut rows = transaction.open_table(ROWS)?;
        for key in batch.deletes {
            if let Some(old) = rows.remove(&key[..])? {
                sum.remove(key, old.value());
                size.remove(key, old.value());
            }
        }
        for (key, value) in batch.puts {
            if let Some(old) = rows.insert(&key[..], &value[..])? {
                sum.remove(key, old.value());
                size.remove(key, old.value());
            }
            sum.add(key, value);
            size.add(key, value);
        }
        transaction.open_table(META)?.insert((), &batch.meta.encode(*sum, *size)[..])?;
    }
    Ok(transaction.commit()?)
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
