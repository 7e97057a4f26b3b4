//! The write-ahead log: raft's entries, hard state and snapshot markers, in the order in which they
//! were saved.
//!
//! # Layout
//!
//! Numbers are little-endian. The log is a sequence of *segments*, files
//! `wal/{number:016x}-{index:016x}.wal`; `index` is the first entry the segment can hold that was not yet
//! dropped from the log when the segment was started. A segment is a sequence of *frames*, each written by
//! one operation and kept or dropped as a whole:
//!
//! | bytes | |
//! |---|---|
//! | 0..4 | `wal1`, the format's version |
//! | 4..8 | length of the payload, a multiple of 8 |
//! | 8..16 | *durable*: up to here, this segment was known to be durable when the frame was made |
//! | 16..20 | CRC-32C of the payload as stored in the file, continued from the previous frame |
//! | 20..24 | CRC-32C of bytes 0..20, the segment's number and the frame's offset |
//! | 24.. | the payload: records (see `record.rs`), zeros to a multiple of 8, all whitened |
//!
//! A segment's first frame holds what a reader needs if it has no older segment: the checksum of the previous
//! frame, the last index of the log and the hard state. A segment is complete and synced under a temporary
//! name before it gets its final one, and its predecessor is synced before that: as in etcd
//! (`server/storage/wal/wal.go`, `cut`), so only the last segment can end in a torn frame.
//!
//! # A torn tail is repaired, damage is refused
//!
//! A power failure can lose any 512-byte sectors that were not synced: they are as they were at the last
//! sync, which for a file that only grows means zeros, or the end of the file. The first bad frame of the
//! last segment counts as such a *torn tail*, and the log ends before it, if
//! 1. no later frame covers it with its *durable* field, and
//! 2. the file ends inside it, or the part of it in one sector is all zeros. Frames are aligned to 8 bytes
//!    and whitened, so that neither a value full of zeros nor a part of a byte or two passes for a missing
//!    sector: a part that was written is zero once in 2^64.
//!
//! Everything else is *damage*, and the member refuses to start: a flipped bit, a misdirected write (the
//! offset is in the header's checksum), a lost write with a later frame after it, a segment that is missing
//! or cut short before another (the chain of checksums), a frame from before a repair (the same chain).
//!
//! One case looks like a power failure and is repaired: the disk loses synced sectors of the last segment
//! that no later frame covers. Usually that is only the last frame or the last few: those since the last sync
//! that was reported before another frame was made. It also happens if the last segment was cut short, or is
//! gone with its name.
//!
//! # Invariants
//!
//! - A recovered log equals the log after one of the calls that wrote it, at or after the last call whose
//!   operations were synced (I5, I6, I7).
//! - What recovery returns is durable: a killed process leaves frames that are only in the page cache, and an
//!   answer may depend on them before the next sync.
//! - While running, the log performs no operation itself; it adds them to a job.

mod damage;
mod frame;
mod record;
mod replay;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use raft::eraftpb::{ConfState, Entry, HardState};

pub use damage::{Damage, WalError};
pub use replay::{Recovered, Repair, Replay};

use crate::disk::{DiskOp, Path};

/// The log's directory.
pub const DIR: &str = "wal";

/// A snapshot in the log: a position from which the log can be replayed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marker {
    /// Index of the last entry the snapshot covers.
    pub index: u64,
    /// Term of that entry.
    pub term: u64,
    /// The configuration at that entry.
    pub conf_state: ConfState,
}

/// A position in the log: everything before it is durable once its operations are done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    segment: u64,
    offset: u64,
}

/// What is written as one frame.
#[derive(Default)]
struct Batch<'a> {
    /// A snapshot, and whether it replaced the log.
    marker: Option<(&'a Marker, bool)>,
    hard_state: Option<&'a HardState>,
    entries: &'a [Entry],
}

/// The number and name of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Segment {
    number: u64,
    /// One more than the last index of the log when the segment was started.
    index: u64,
    path: Path,
}

impl Segment {
    fn new(number: u64, index: u64) -> Segment {
        Segment { number, index, path: format!("{DIR}/{number:016x}-{index:016x}.wal").into() }
    }

    /// Parses a name in the directory; `None` if the file is not a segment.
    fn parse(name: &str) -> Option<Segment> {
        let (number, index) = name.strip_suffix(".wal")?.split_once('-')?;
        let segment =
            Segment::new(u64::from_str_radix(number, 16).ok()?, u64::from_str_radix(index, 16).ok()?);
        (segment.path.strip_prefix(DIR)?.strip_prefix('/')? == name).then_some(segment)
    }
}

/// The log, open at its end.
#[derive(Debug)]
pub struct Wal {
    /// The existing segments, by number; the last one is being written. Never empty.
    segments: VecDeque<Segment>,
    /// Length of the last segment.
    length: u64,
    /// How far the last segment will be durable once the issued operations are done; never beyond `length`.
    synced: u64,
    /// How far it is known to be durable; never beyond `synced`.
    durable: u64,
    /// Checksum of the last frame.
    chain: u32,
    /// Last index of the log.
    last_index: u64,
    hard_state: HardState,
    /// The length at which a segment is closed.
    segment_bytes: u64,
    /// Frames are split off from it; their memory is reused when the disk is done with them.
    buffer: BytesMut,
}

impl Wal {
    /// Starts a log at `marker`, in an empty directory. There is no log until the operations are done.
    ///
    /// `segment_bytes` is the length at which a segment is closed (etcd: 64 000 000).
    pub fn create(
        marker: &Marker,
        hard_state: &HardState,
        segment_bytes: u64,
        ops: &mut Vec<DiskOp>,
    ) -> (Wal, Position) {
        let mut wal = Wal {
            segments: VecDeque::new(),
            length: 0,
            synced: 0,
            durable: 0,
            chain: 0,
            last_index: marker.index,
            hard_state: hard_state.clone(),
            segment_bytes,
            buffer: BytesMut::new(),
        };
        let batch = Batch { marker: Some((marker, true)), hard_state: Some(hard_state), entries: &[] };
        // Named by the marker's index, not the next one, so that a search from the marker finds it.
        wal.begin(Segment::new(0, marker.index), Some(&batch), ops);
        let position = wal.position();
        (wal, position)
    }

    /// Saves a hard state and entries. Existing entries from the first index of `entries` on are replaced.
    ///
    /// Without `must_sync`, a power failure may lose them until something later is synced.
    pub fn append(
        &mut self,
        hard_state: Option<&HardState>,
        entries: &[Entry],
        must_sync: bool,
        ops: &mut Vec<DiskOp>,
    ) -> Position {
        if hard_state.is_some() || !entries.is_empty() {
            self.write(&Batch { marker: None, hard_state, entries }, must_sync, ops);
        }
        self.position()
    }

    /// Records that the store or a snapshot file holds everything up to `marker`. The log stays.
    ///
    /// Whatever the marker stands for must already be durable (etcd issue 10219).
    pub fn mark_snapshot(&mut self, marker: &Marker, ops: &mut Vec<DiskOp>) -> Position {
        assert!(
            marker.index <= self.last_index,
            "a snapshot at {} of a log that ends at {}: did it come from a leader? Those replace the log",
            marker.index,
            self.last_index
        );
        // The commit index may not have been saved yet; what a snapshot covers is committed.
        let mut hard_state = self.hard_state.clone();
        hard_state.commit = hard_state.commit.max(marker.index);
        let hard_state = (hard_state != self.hard_state).then_some(&hard_state);
        self.write(&Batch { marker: Some((marker, false)), hard_state, entries: &[] }, true, ops);
        self.position()
    }

    /// Records that a leader's snapshot replaced the log, with the hard state and the entries of the same
    /// Ready. All in one frame: a restart between marker and hard state would find a log that ends in a term
    /// the member does not know.
    pub fn replace(
        &mut self,
        marker: &Marker,
        hard_state: &HardState,
        entries: &[Entry],
        ops: &mut Vec<DiskOp>,
    ) -> Position {
        assert!(
            marker.index <= hard_state.commit && marker.term <= hard_state.term,
            "a snapshot at {} of term {} with a hard state that is behind it: {hard_state:?}",
            marker.index,
            marker.term
        );
        let batch = Batch { marker: Some((marker, true)), hard_state: Some(hard_state), entries };
        self.write(&batch, true, ops);
        self.position()
    }

    /// Notes that the operations up to `position` were done without an error. Later frames record that, which
    /// is how recovery distinguishes damage from a torn tail.
    pub fn durable(&mut self, position: Position) {
        if position.segment == self.number() {
            self.durable = self.durable.max(position.offset);
        }
    }

    /// Removes the segments that a replay from a marker at `index` does not need.
    ///
    /// The marker and what it stands for must be durable (etcd issue 10219).
    pub fn release(&mut self, index: u64, ops: &mut Vec<DiskOp>) {
        let needed = self.segments.iter().rposition(|segment| segment.index <= index).unwrap_or(0);
        if needed == 0 {
            return;
        }
        ops.extend(self.segments.drain(..needed).map(|segment| DiskOp::Remove { path: segment.path }));
        ops.push(DiskOp::SyncDir { path: DIR.into() });
    }

    /// The last index of the log.
    pub fn last_index(&self) -> u64 {
        self.last_index
    }

    fn last(&self) -> &Segment {
        self.segments.back().expect("a log without segments: `create` and recovery make the first one")
    }

    fn number(&self) -> u64 {
        self.last().number
    }

    fn position(&self) -> Position {
        Position { segment: self.number(), offset: self.synced }
    }

    fn write(&mut self, batch: &Batch<'_>, must_sync: bool, ops: &mut Vec<DiskOp>) {
        let path = self.last().path.clone();
        if let Some((marker, true)) = batch.marker {
            self.last_index = marker.index;
        }
        if let (Some(first), Some(last)) = (batch.entries.first(), batch.entries.last()) {
            assert!(
                first.index <= self.last_index + 1,
                "entries from {} on follow entry {}: raft and the log disagree about what was saved",
                first.index,
                self.last_index
            );
            self.last_index = last.index;
        }
        if let Some(hard_state) = batch.hard_state {
            self.hard_state.clone_from(hard_state);
        }
        let data = self.frame(self.number(), |buffer| record::put_batch(buffer, batch));
        ops.push(DiskOp::Append { path: path.clone(), data });
        let full = self.length >= self.segment_bytes;
        if must_sync || full {
            ops.push(DiskOp::Sync { path });
            self.synced = self.length;
        }
        if full {
            self.begin(Segment::new(self.number() + 1, self.last_index + 1), None, ops);
        }
    }

    /// Starts a segment, with its first batch if there is one.
    fn begin(&mut self, segment: Segment, batch: Option<&Batch<'_>>, ops: &mut Vec<DiskOp>) {
        (self.length, self.synced, self.durable) = (0, 0, 0);
        let (chain, last_index, hard_state) = (self.chain, self.last_index, self.hard_state.clone());
        self.chain = 0;
        let path: Path = format!("{}.tmp", segment.path).into();
        ops.push(DiskOp::Create { path: path.clone() });
        let data = self.frame(segment.number, |buffer| {
            record::put_segment(buffer, &record::Begin { chain, last_index, hard_state });
        });
        ops.push(DiskOp::Append { path: path.clone(), data });
        if let Some(batch) = batch {
            let data = self.frame(segment.number, |buffer| record::put_batch(buffer, batch));
            ops.push(DiskOp::Append { path: path.clone(), data });
        }
        ops.push(DiskOp::Sync { path: path.clone() });
        self.synced = self.length;
        ops.push(DiskOp::Rename { from: path, to: segment.path.clone() });
        ops.push(DiskOp::SyncDir { path: DIR.into() });
        self.segments.push_back(segment);
    }

    fn frame(&mut self, segment: u64, payload: impl FnOnce(&mut BytesMut)) -> Bytes {
        self.buffer.resize(frame::HEADER, 0);
        payload(&mut self.buffer);
        self.buffer.resize(self.buffer.len().next_multiple_of(frame::ALIGNMENT), 0);
        let place = frame::Place { segment, offset: self.length, chain: self.chain };
        self.chain = frame::seal(&mut self.buffer, place, self.durable);
        self.length += self.buffer.len() as u64;
        self.buffer.split().freeze()
    }
}
