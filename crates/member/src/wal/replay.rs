//! Recovers a log after a restart: reads it from its files, checks it, and repairs its end if a power failure
//! tore it.
//!
//! It has two parts. [`Replay::read`] changes nothing on the disk, so the caller can look at the markers,
//! choose a snapshot, or refuse to start. [`Replay::finish`] then repairs and syncs the log. After a crash in
//! the middle of it, the next recovery repairs the rest.

use std::collections::VecDeque;

use bytes::BytesMut;
use raft::eraftpb::{Entry, HardState};

use super::damage::{Damage, WalError, proof_of_damage};
use super::frame::{self, Place};
use super::record::{Begin, Record, Records};
use super::{DIR, Marker, Segment, Wal};
use crate::disk::{Disk, DiskOp, Path, read_all};
use crate::flaw::Flaws;

/// A log that was read and is not repaired yet.
#[derive(Debug)]
pub struct Replay {
    segments: VecDeque<Segment>,
    /// Files that are not part of the log and will be removed. A crash left them, when a segment was being
    /// made or old segments were being removed.
    leftovers: Vec<Path>,
    log: Log,
    /// The markers of the log, oldest first.
    markers: Vec<Marker>,
    /// The position after the last good frame, with the checksum of that frame.
    end: Place,
    /// The torn tail, if there is one.
    torn: Option<Repair>,
}

/// The entries and hard state of the frames read so far.
#[derive(Debug, Default)]
struct Log {
    /// Contiguous entries up to `last_index`. Which one is first depends on the oldest segment.
    entries: Vec<Entry>,
    last_index: u64,
    hard_state: HardState,
}

/// A torn tail that was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The segment.
    pub path: Path,
    /// Its new length, in bytes.
    pub offset: u64,
    /// How many bytes were cut off.
    pub dropped: u64,
    /// What was wrong with them.
    pub what: &'static str,
}

/// A recovered log, ready to be written to.
#[derive(Debug)]
pub struct Recovered {
    /// The log.
    pub wal: Wal,
    /// The last saved hard state.
    pub hard_state: HardState,
    /// The entries after the marker, contiguous.
    pub entries: Vec<Entry>,
    /// The torn tail that was cut off, if there was one.
    pub repaired: Option<Repair>,
}

impl Replay {
    /// Reads and checks every segment.
    ///
    /// # Errors
    /// No log, a failing disk, damage.
    pub fn read(disk: &dyn Disk) -> Result<Replay, WalError> {
        Replay::read_with(disk, Flaws::NONE)
    }

    /// As [`Replay::read`], in a member with flaws.
    ///
    /// # Errors
    /// No log, a failing disk, damage.
    pub fn read_with(disk: &dyn Disk, flaws: Flaws) -> Result<Replay, WalError> {
        let (segments, leftovers) = list(disk)?;
        let mut replay = Replay {
            segments,
            leftovers,
            log: Log::default(),
            markers: Vec::new(),
            end: Place { segment: 0, offset: 0, chain: 0 },
            torn: None,
        };
        for at in 0..replay.segments.len() {
            replay.read_segment(disk, at, flaws)?;
        }
        Ok(replay)
    }

    /// The markers from which the log can be replayed, in the order in which they were written.
    pub fn markers(&self) -> &[Marker] {
        &self.markers
    }

    /// The last saved hard state.
    pub fn hard_state(&self) -> &HardState {
        &self.log.hard_state
    }

    /// Repairs and syncs the log, and returns it with the entries after `from`. `segment_bytes` is as for
    /// [`Wal::create`].
    ///
    /// # Errors
    /// `from` is not a marker of this log; entries between `from` and the commit index are missing; the disk
    /// fails.
    pub fn finish(self, disk: &dyn Disk, from: &Marker, segment_bytes: u64) -> Result<Recovered, WalError> {
        self.check(from)?;
        let Replay { segments, leftovers, mut log, end, torn, .. } = self;
        let path = segments.back().map(|segment| segment.path.clone()).unwrap_or_else(|| DIR.into());
        if torn.is_some() {
            disk.perform(&DiskOp::Truncate { path: path.clone(), len: end.offset })?;
        }
        // This is needed even if nothing is torn: a killed process may leave frames that were never synced.
        disk.perform(&DiskOp::Sync { path })?;
        for path in leftovers {
            disk.perform(&DiskOp::Remove { path })?;
        }
        disk.perform(&DiskOp::SyncDir { path: DIR.into() })?;

        let covered = log.entries.partition_point(|entry| entry.index <= from.index);
        let wal = Wal {
            segments,
            length: end.offset,
            synced: end.offset,
            durable: end.offset,
            chain: end.chain,
            last_index: log.last_index,
            hard_state: log.hard_state.clone(),
            segment_bytes,
            buffer: BytesMut::new(),
        };
        Ok(Recovered {
            wal,
            hard_state: log.hard_state,
            entries: log.entries.split_off(covered),
            repaired: torn,
        })
    }

    /// Reads and checks one segment.
    fn read_segment(&mut self, disk: &dyn Disk, at: usize, flaws: Flaws) -> Result<(), WalError> {
        let segment = self.segments[at].clone();
        let is_last = at + 1 == self.segments.len();
        let mut content = read_all(disk, &segment.path)?;
        let damaged = |offset, (what, hypothesis)| {
            Err(WalError::Damaged(Damage { path: segment.path.clone(), offset, what, hypothesis }))
        };
        let before = self.end.chain;
        let mut place = Place { segment: segment.number, offset: 0, chain: 0 };
        let hypothesis = "bit rot, or a lost or misdirected write";
        // An empty file is not skipped: a segment has at least its first frame.
        while place.offset < content.len() as u64 || place.offset == 0 {
            let opened = frame::open(&mut content, place, flaws).map(|(chain, payload)| {
                let first = (place.offset == 0).then_some((at > 0).then_some(before));
                (chain, payload.len(), self.log_records(payload, first))
            });
            match opened {
                Ok((_, _, Err(what))) => {
                    return damaged(
                        place.offset,
                        (what, "it is another member's segment, or a segment in between was replaced"),
                    );
                }
                Ok((chain, length, Ok(()))) => {
                    place.chain = chain;
                    place.offset += (frame::HEADER + length) as u64;
                }
                Err(bad) => {
                    let proof = match bad.0 {
                        bad if place.offset == 0 => Some((
                            format!("{bad}, but a segment gets its name only when its start is durable"),
                            hypothesis,
                        )),
                        bad if !is_last => {
                            Some((format!("{bad}, but a later segment was started"), hypothesis))
                        }
                        _ => proof_of_damage(&content, segment.number, place.offset, bad),
                    };
                    if let Some(proof) = proof {
                        return damaged(place.offset, proof);
                    }
                    self.torn = Some(Repair {
                        path: segment.path.clone(),
                        offset: place.offset,
                        dropped: content.len() as u64 - place.offset,
                        what: bad.0,
                    });
                    break;
                }
            }
        }
        self.end = place;
        Ok(())
    }

    /// Adds the records of a frame. `first` is set for the first frame of a segment; it then has the checksum
    /// of the last frame of the previous segment, if there was one.
    fn log_records(&mut self, payload: &[u8], first: Option<Option<u32>>) -> Result<(), String> {
        let mut beginning = first;
        for record in Records(payload) {
            match (record, beginning.take()) {
                (Err(()), _) => return Err("a record cannot be decoded".into()),
                (Ok(Record::Begin(begin)), Some(chain)) => self.log.begin(begin, chain)?,
                (Ok(Record::Begin(_)), None) | (Ok(_), Some(_)) => {
                    return Err("the segment's start record is missing or misplaced".into());
                }
                (Ok(Record::HardState(hard_state)), None) => self.log.hard_state = hard_state,
                (Ok(Record::Entry(entry)), None) => self.log.push(entry)?,
                (Ok(Record::Marker { marker, replaces }), None) => {
                    if replaces {
                        self.log.entries.clear();
                        self.log.last_index = marker.index;
                    }
                    self.markers.push(marker);
                }
            }
        }
        Ok(())
    }

    /// Checks that the marker `from`, the entries and the hard state fit together. Otherwise, raft would
    /// start from a log that never existed.
    fn check(&self, from: &Marker) -> Result<(), WalError> {
        let Log { entries, last_index, hard_state } = &self.log;
        let damaged = |segment: Option<&Segment>, offset, what, hypothesis| {
            let path = segment.map_or_else(|| DIR.into(), |segment| segment.path.clone());
            Err(WalError::Damaged(Damage { path, offset, what, hypothesis }))
        };
        if !self.markers.iter().any(|marker| (marker.index, marker.term) == (from.index, from.term)) {
            if self.leftovers.iter().any(|path| path.ends_with(".wal")) {
                let what =
                    format!("the segment before it is missing, but the snapshot at {} needs it", from.index);
                return damaged(
                    self.segments.front(),
                    0,
                    what,
                    "a file was removed, or the directory lost its name",
                );
            }
            return Err(WalError::NoMarker { index: from.index, term: from.term });
        }
        let missing = |what| {
            let hypothesis = "segments were removed, or a newer snapshot cannot be read";
            damaged(self.segments.back(), self.end.offset, what, hypothesis)
        };
        let first_index = last_index + 1 - entries.len() as u64;
        if *last_index < from.index || (*last_index > from.index && first_index > from.index + 1) {
            return missing(format!(
                "entries {first_index}..={last_index} do not continue a snapshot at {}",
                from.index
            ));
        }
        let here = entries.iter().find(|entry| entry.index == from.index);
        if let Some(entry) = here.filter(|entry| entry.term != from.term) {
            return missing(format!(
                "entry {} has term {}, but its snapshot has term {}",
                from.index, entry.term, from.term
            ));
        }
        let last_term = entries.last().map_or(from.term, |entry| entry.term);
        if !(from.index..=*last_index).contains(&hard_state.commit) || hard_state.term < last_term {
            return missing(format!(
                "term {} and commit {} do not fit a snapshot at {} and entries up to {last_index} of term {last_term}",
                hard_state.term, hard_state.commit, from.index
            ));
        }
        Ok(())
    }
}

impl Log {
    /// Handles the first record of a segment. `chain` is the checksum of the last frame before it, if there
    /// is one.
    fn begin(&mut self, begin: Begin, chain: Option<u32>) -> Result<(), String> {
        match chain {
            Some(chain) if chain != begin.chain => {
                return Err(format!(
                    "the segment before ends with checksum {chain:08x}, not {:08x}: frames are missing at its end",
                    begin.chain
                ));
            }
            Some(_) => {}
            None => self.last_index = begin.last_index,
        }
        self.hard_state = begin.hard_state;
        Ok(())
    }

    /// Adds an entry. It replaces an earlier one with the same index and all entries after that.
    fn push(&mut self, entry: Entry) -> Result<(), String> {
        if entry.index > self.last_index + 1 {
            return Err(format!("entry {} follows entry {}", entry.index, self.last_index));
        }
        let first_index = self.last_index + 1 - self.entries.len() as u64;
        // This is needed even if the entry is before all entries read so far. etcd's `ReadAll` skips such an
        // entry and does not drop the entries that it replaces, so entries that an old leader never committed
        // can reappear after a snapshot.
        self.entries.truncate(entry.index.saturating_sub(first_index) as usize);
        if self.entries.last().is_some_and(|before| before.term > entry.term) {
            return Err(format!("entry {} goes back to term {}", entry.index, entry.term));
        }
        self.last_index = entry.index;
        self.entries.push(entry);
        Ok(())
    }
}

/// The segments of the log, and the files to be removed.
fn list(disk: &dyn Disk) -> Result<(VecDeque<Segment>, Vec<Path>), WalError> {
    let (mut segments, mut leftovers) = (VecDeque::<Segment>::new(), Vec::new());
    for name in disk.list(DIR)? {
        if name.ends_with(".tmp") {
            leftovers.push(format!("{DIR}/{name}").into());
        } else if let Some(segment) = Segment::parse(&name) {
            // The names are sorted, and so the segments are in order of their numbers.
            match segments.back() {
                Some(last) if last.number == segment.number => {
                    return Err(WalError::Damaged(Damage {
                        path: segment.path,
                        offset: 0,
                        what: format!("{} has the same number", last.path),
                        hypothesis: "a file of another member, or a copy",
                    }));
                }
                // A crash can leave a gap if old segments were being removed and not all removals were
                // durable. The segments before the gap are then not needed. If they are, `check` finds their
                // entries missing.
                Some(last) if last.number + 1 != segment.number => {
                    leftovers.extend(segments.drain(..).map(|segment| segment.path));
                }
                _ => {}
            }
            segments.push_back(segment);
        }
    }
    if segments.is_empty() { Err(WalError::Empty) } else { Ok((segments, leftovers)) }
}
