//! Performs the same operations on the simulated disk and on a real directory, and checks that the answers and the
//! files are the same. What survives a power loss is not compared, because the real machine does not lose power.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use contract::disk::{DiskErrorKind, DiskOp};
use proptest::prelude::*;

use super::*;

const DIRECTORIES: [&str; 2] = ["wal", "snap"];

/// A real directory, driven by the standard library.
struct Real(PathBuf);

impl Drop for Real {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

impl Real {
    fn new() -> Real {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let real = Real(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        fs::create_dir_all(&real.0).unwrap();
        for directory in DIRECTORIES {
            fs::create_dir(real.path(directory)).unwrap();
        }
        real
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    fn perform(&self, op: &DiskOp) -> io::Result<()> {
        let open = |path: &str| OpenOptions::new().write(true).open(self.path(path));
        match op {
            DiskOp::Create { path } => {
                OpenOptions::new().write(true).create_new(true).open(self.path(path)).map(drop)
            }
            DiskOp::Append { path, data } => {
                OpenOptions::new().append(true).open(self.path(path))?.write_all(data)
            }
            DiskOp::WriteAt { path, offset, data } => open(path)?.write_all_at(data, *offset),
            DiskOp::Truncate { path, len } => open(path)?.set_len(*len),
            DiskOp::Rename { from, to } => fs::rename(self.path(from), self.path(to)),
            DiskOp::Remove { path } => fs::remove_file(self.path(path)),
            DiskOp::Sync { path } => open(path)?.sync_all(),
            DiskOp::SyncDir { path } => fs::File::open(self.path(path))?.sync_all(),
        }
    }

    fn read(&self, path: &str, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        fs::File::open(self.path(path))?.read_exact_at(buffer, offset)
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(directory)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// The kind that the simulated disk would give this error.
fn kind(error: &io::Error) -> DiskErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => DiskErrorKind::NotFound,
        io::ErrorKind::AlreadyExists => DiskErrorKind::Exists,
        io::ErrorKind::UnexpectedEof => DiskErrorKind::PastEnd,
        other => panic!("the real directory answered {other:?}: {error}"),
    }
}

/// A random file in one of the directories.
pub(super) fn path() -> impl Strategy<Value = String> {
    (0..2_usize, 0..3_u32).prop_map(|(directory, name)| format!("{}/{name}", DIRECTORIES[directory]))
}

/// Random data: short, or longer than a page.
fn data() -> impl Strategy<Value = Vec<u8>> {
    (prop_oneof![0..700_usize, 3000..13_000_usize], 1..=255_u8).prop_map(|(len, byte)| vec![byte; len])
}

/// A random offset, often near the border of a sector or page.
fn place() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..3_u64,
        500..520_u64,
        4090..4100_u64,
        0..20_000_u64,
        (0..5_u64).prop_map(|page| page * 4096)
    ]
}

/// A random operation.
pub(super) fn operation() -> impl Strategy<Value = DiskOp> {
    prop_oneof![
        3 => path().prop_map(|path| create(&path)),
        5 => (path(), data()).prop_map(|(path, data)| append(&path, &data)),
        5 => (path(), place(), data()).prop_map(|(path, offset, data)| write_at(&path, offset, &data)),
        2 => (path(), place()).prop_map(|(path, len)| truncate(&path, len)),
        2 => (path(), path()).prop_map(|(from, to)| rename(&from, &to)),
        1 => path().prop_map(|path| remove(&path)),
        2 => path().prop_map(|path| sync(&path)),
        1 => (0..2_usize).prop_map(|directory| sync_dir(DIRECTORIES[directory])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_real_directory_answers_the_same(
        steps in proptest::collection::vec((operation(), path(), place(), 0..9000_usize, any::<bool>()), 1..60)
    ) {
        let real = Real::new();
        let mut process = Process::new(disk(1));
        for (op, read, offset, len, crash) in steps {
            let answer = process.perform(op.clone()).map_err(|error| error.kind);
            prop_assert_eq!(answer, real.perform(&op).map_err(|error| kind(&error)), "{:?}", op);

            let (mut ours, mut theirs) = (vec![0; len], vec![0; len]);
            let answer = process.section(|files| files.read(&read, offset, &mut ours)).map_err(|error| error.kind);
            let real_answer = real.read(&read, offset, &mut theirs).map_err(|error| kind(&error));
            prop_assert_eq!(answer, real_answer, "reading {} bytes of {} at {}", len, read, offset);
            if answer.is_ok() {
                prop_assert_eq!(ours, theirs);
            }
            // A killed process leaves the page cache as it is.
            if crash {
                process.crash();
            }
        }
        for directory in DIRECTORIES {
            prop_assert_eq!(process.section(|files| files.list(directory)).unwrap(), real.list(directory));
        }
        for (path, content) in process.disk.cached_files() {
            prop_assert_eq!(content.len() as u64, process.section(|files| files.len(&path)).unwrap());
            prop_assert_eq!(content, fs::read(real.path(&path)).unwrap());
        }
    }
}
