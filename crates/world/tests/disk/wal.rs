//! Tests the member's write-ahead log on the simulated disk. What it acknowledged survives every crash and power
//! failure, and none of these makes it refuse to start. Rot that the fault atlas (`disk/atlas.rs`) allows never shortens
//! the log.

use keyed::Draw;
use member::wal::{Marker, Recovered, Replay, Wal, WalError};
use raft::eraftpb::{ConfState, Entry, HardState};
use schedule::{DiskFault, Files};

use super::*;

const CHOICE: Keyed = Keyed::new(1, Domain::new("wal test"));
/// Small, so that many segments come and go.
const SEGMENT_BYTES: u64 = 3000;

fn marker() -> Marker {
    Marker { index: 1, term: 1, conf_state: ConfState::default() }
}

fn hard_state() -> HardState {
    HardState { term: 1, commit: 1, ..HardState::default() }
}

/// The entry at an index: its bytes follow from the index, and are often all zeros.
fn entry(index: u64) -> Entry {
    let draw = CHOICE.draw(0, index);
    let byte = if draw.below(2) == 0 { 0 } else { draw.then(1).0 as u8 };
    let data = vec![byte; draw.then(2).log_within(1, 2500) as usize];
    Entry { index, term: 1, data: data.into(), ..Entry::default() }
}

/// A process and its log.
struct Logging {
    process: Process,
    wal: Wal,
    jobs: u64,
}

impl Logging {
    fn new(seed: u64) -> Logging {
        let mut process = Process::new(disk(seed));
        let mut ops = Vec::new();
        let (wal, _) = Wal::create(&marker(), &hard_state(), SEGMENT_BYTES, &mut ops);
        process.section(|files| ops.iter().try_for_each(|op| files.perform(op))).unwrap();
        Logging { process, wal, jobs: 0 }
    }

    /// Appends batches, several of them under way at a time, and returns the last index acknowledged before
    /// the process ends in the middle of its work.
    fn live(&mut self, draw: Draw, mut between: impl FnMut(&Process, u64)) -> u64 {
        let Logging { process, wal, jobs } = self;
        let mut acknowledged = wal.last_index();
        let mut under_way = std::collections::VecDeque::new();
        for nth in 0..draw.within(1, 40) {
            let draw = draw.then(100 + nth);
            between(process, nth);
            let first = wal.last_index() + 1;
            let entries: Vec<_> = (first..=first + draw.below(4)).map(entry).collect();
            let mut ops = Vec::new();
            let position = wal.append(None, &entries, true, &mut ops);
            *jobs += 1;
            process.disk.submit(process.now, &job(*jobs, ops));
            under_way.push_back((*jobs, position, wal.last_index()));
            process.now += draw.then(1).below(8 * STEP);
            while let Some((id, position, last)) = under_way.front()
                && let Some(outcome) = process.disk.complete(process.now, *id)
            {
                assert!(outcome.synced, "a job of a sound disk should sync all it wrote");
                wal.durable(*position);
                acknowledged = *last;
                under_way.pop_front();
            }
        }
        if draw.then(1).below(2) == 0 {
            process.crash()
        } else {
            process.lose_power()
        }
        acknowledged
    }

    /// Opens the log as a new process, which checks that it holds what was acknowledged.
    fn recover(&mut self, acknowledged: u64) -> Result<(), WalError> {
        let written = self.wal.last_index();
        let recovered =
            self.process.section(|files| Replay::read(files)?.finish(files, &marker(), SEGMENT_BYTES));
        let Recovered { wal, entries, .. } = recovered?;
        let last = wal.last_index();
        assert!(
            (acknowledged..=written).contains(&last),
            "{last} of {written}, {acknowledged} were acknowledged"
        );
        assert_eq!(entries.len() as u64, last - 1);
        assert!(entries.iter().zip(2..).all(|(found, index)| *found == entry(index)), "an entry changed");
        self.wal = wal;
        Ok(())
    }
}

#[test]
fn what_the_log_acknowledged_survives() {
    for seed in 0..100 {
        let mut logging = Logging::new(seed);
        for life in 0..6 {
            let acknowledged = logging.live(CHOICE.draw(1 + seed, life), |_, _| {});
            logging.recover(acknowledged).expect("a log that was not damaged should open");
        }
    }
}

#[test]
fn rot_never_shortens_the_log() {
    let mut refused = 0;
    for seed in 0..300 {
        let mut logging = Logging::new(seed);
        for life in 0..4 {
            let acknowledged = logging.live(CHOICE.draw(1000 + seed, life), |process, nth| {
                if nth % 10 == 9 {
                    process.disk.inject(process.now, nth, &DiskFault::BitRot { files: Files::Wal, count: 1 });
                }
            });
            match logging.recover(acknowledged) {
                Ok(()) => {}
                Err(WalError::Damaged(_)) => {
                    refused += 1;
                    break;
                }
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
    }
    assert!(refused > 200, "only {refused} logs were refused: the rot struck nothing");
}

#[test]
fn a_file_that_is_lost_or_exchanged_never_shortens_the_log() {
    for fault in [DiskFault::LostFile { files: Files::Wal }, DiskFault::SwappedFiles { files: Files::Wal }] {
        let mut refused = 0;
        for seed in 0..100 {
            let mut logging = Logging::new(seed);
            for life in 0..4 {
                let acknowledged = logging.live(CHOICE.draw(2000 + seed, life), |_, _| {});
                logging.process.disk.inject(logging.process.now, life, &fault);
                match logging.recover(acknowledged) {
                    Ok(()) => {}
                    Err(WalError::Damaged(_) | WalError::NoMarker { .. }) => {
                        refused += 1;
                        break;
                    }
                    Err(error) => panic!("{fault:?}, seed {seed}: {error}"),
                }
            }
        }
        assert!(refused > 50, "{fault:?}: only {refused} logs were refused");
    }
}
