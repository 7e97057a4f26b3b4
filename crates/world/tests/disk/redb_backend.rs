//! Tests redb, the database of the member's backend, on the simulated disk, with the member's settings. It recovers
//! completely from every power failure. It refuses to open a damaged file, unless the damage is where no row is. (Only
//! damage that the fault atlas allows is tried: see `disk/atlas.rs`.)

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use keyed::Draw;
use redb::{Database, DatabaseError, ReadableDatabase, StorageBackend, TableDefinition};
use schedule::{DiskFault, Files};

use super::*;

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("table");
const PATH: &str = "db/1";

/// Which values to write and how many, and where to fail.
const CHOICE: Keyed = Keyed::new(1, Domain::new("redb test"));

/// The simulated disk as redb uses it.
#[derive(Debug)]
struct Backend(Arc<dyn Disk>);

fn io_error(error: DiskError) -> io::Error {
    io::Error::other(error)
}

impl StorageBackend for Backend {
    fn len(&self) -> Result<u64, io::Error> {
        self.0.len(PATH).map_err(io_error)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.0.read(PATH, offset, out).map_err(io_error)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.perform(&truncate(PATH, len)).map_err(io_error)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.perform(&sync(PATH)).map_err(io_error)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.perform(&write_at(PATH, offset, data)).map_err(io_error)
    }
}

/// As the member opens its backend.
fn open(files: &Arc<dyn Disk>) -> Result<Database, DatabaseError> {
    Database::builder().set_check_integrity_on_open(true).create_with_backend(Backend(files.clone()))
}

/// Commit number `commit` writes this many keys with this value.
fn commit(database: &Database, commit: u64, draw: Draw) -> Result<(), Box<dyn std::error::Error>> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    {
        let mut table = transaction.open_table(TABLE)?;
        table.insert(0, commit.to_le_bytes().as_slice())?;
        for nth in 0..draw.below(20) {
            let key = 1 + draw.then(nth).below(200);
            table.insert(key, vec![commit as u8; draw.then(100 + nth).below(800) as usize].as_slice())?;
        }
    }
    Ok(transaction.commit()?)
}

/// All keys and values of the table.
type Rows = Vec<(u64, Vec<u8>)>;

/// Reads all rows.
fn rows(database: &Database) -> Result<Rows, Box<dyn std::error::Error>> {
    let transaction = database.begin_read()?;
    let table = match transaction.open_table(TABLE) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Rows::new()),
        other => other?,
    };
    table
        .range::<u64>(..)?
        .map(|row| row.map(|(key, value)| (key.value(), value.value().to_vec())))
        .map(|row| Ok(row?))
        .collect()
}

/// A process that ended, killed or after it closed its database, and the rows after each commit.
fn commits(
    seed: u64,
    count: u64,
    closed: bool,
    mut between: impl FnMut(&mut Process, u64),
) -> (Process, Vec<Rows>) {
    let mut process = Process::new(disk(seed));
    process.make(PATH, &[]);
    let files = process.files.clone();
    let database = process.section(|_| open(&files)).unwrap();
    let mut states = vec![Rows::new()];
    for nth in 1..=count {
        between(&mut process, nth);
        process.section(|_| commit(&database, nth, CHOICE.draw(seed, nth))).unwrap();
        states.push(process.section(|_| rows(&database)).unwrap());
    }
    if closed {
        process.section(|_| drop(database));
        process.crash();
    } else {
        // What a destructor would write belongs to a process that is gone (rule R5).
        process.crash();
        drop(database);
    }
    (process, states)
}

#[test]
fn redb_survives_power_failures_at_any_moment() {
    for seed in 0..150 {
        let (mut process, mut states) = commits(seed, 5, false, |_, _| {});
        let draw = CHOICE.draw(seed, 1000);
        let files = process.files.clone();
        let database = process.section(|_| open(&files)).unwrap();
        let start = process.now;
        process.section(|_| commit(&database, 6, draw)).unwrap();
        states.push(process.section(|_| rows(&database)).unwrap());
        process.now = draw.then(7).within(start, process.now);
        process.lose_power();
        drop(database);
        let files = process.files.clone();
        let database = process.section(|_| open(&files)).expect("a database that lost power should open");
        let found = process.section(|_| rows(&database)).unwrap();
        assert!(
            states[5..].contains(&found),
            "seed {seed}: neither the last nor the running commit is there"
        );
        process.disk.crash(process.now);
    }
}

/// What happens to the rows when a process opens a database that may be damaged.
fn reopen(process: &mut Process, states: &[Rows]) -> &'static str {
    let files = process.files.clone();
    let reopened = process.section(|_| {
        catch_unwind(AssertUnwindSafe(|| rows(&open(&files).map_err(Box::new)?))).map_err(|_| "panicked")
    });
    match reopened {
        Err(panicked) => panicked,
        Ok(Err(_)) => "refused",
        Ok(Ok(found)) => match states.iter().rposition(|rows| *rows == found) {
            Some(last) if last + 1 == states.len() => "whole",
            Some(_) => "rolled back",
            None => "served damage",
        },
    }
}

#[test]
fn damage_the_atlas_lets_through_is_never_served() {
    const FILES: Files = Files::Backend;
    let faults = [
        DiskFault::BitRot { files: FILES, count: 20 },
        DiskFault::LostWrite { files: FILES, count: 3 },
        DiskFault::MisdirectedWrite { files: FILES, count: 3 },
    ];
    for fault in faults {
        let mut outcomes = std::collections::BTreeMap::new();
        for seed in 0..200 {
            let strikes = CHOICE.draw(seed, 2000).within(1, 8);
            let (mut process, states) = commits(seed, 8, seed % 2 == 0, |process, nth| {
                if nth == strikes {
                    process.disk.inject(process.now, seed, &fault);
                }
            });
            *outcomes.entry(reopen(&mut process, &states)).or_insert(0) += 1;
        }
        assert!(outcomes.contains_key("refused"), "{fault:?} did nothing: {outcomes:?}");
        assert!(
            outcomes.keys().all(|outcome| ["whole", "refused"].contains(outcome)),
            "{fault:?}: {outcomes:?}"
        );
    }
}
