//! The write-ahead log (WAL): the files to which a member saves raft's entries and hard state before it acts
//! on them. It also has *markers*; a marker says that the backend or a snapshot file holds the effects of all
//! entries up to an index, so that a replay can begin there.
//!
//! # Layout
//!
//! Numbers are little-endian. The log is a sequence of *segments*, which are files
//! `wal/{number:016x}-{index:016x}.wal`; `index` is one more than the last index of the log when the segment
//! was started. A segment is a sequence of *frames*. A frame is written by one operation, and recovery keeps
//! or drops it as a whole:
//!
//! | bytes | |
//! |---|---|
//! | 0..4 | `wal1`, the format's version |
//! | 4..8 | length of the payload, a multiple of 8 |
//! | 8..16 | *durable*: up to here, this segment was known to be durable when the frame was made |
//! | 16..20 | CRC-32C of the payload as stored in the file, continued from the previous frame |
//! | 20..24 | CRC-32C of bytes 0..20, the segment's number and the frame's offset |
//! | 24.. | the payload: records (see `record.rs`), zeros to a multiple of 8; all of it *whitened*, which means combined with a pattern so that zeros are not stored as zeros |
//!
//! The first frame of a segment has what a reader needs if there is no older segment: the checksum of the
//! previous frame, the last index of the log and the hard state. A new segment is completed and synced under
//! a temporary name before it gets its final one, and the segment before it is synced earlier still, as in
//! etcd (`server/storage/wal/wal.go`, `cut`). So only the last segment can end in a torn frame.
//!
//! # A torn tail is repaired, damage is refused
//!
//! A power failure can lose any sectors (512 bytes) that were not synced. They are then as they were at the
//! last sync. Since a segment only grows, this means zeros, or that the file ends before them. The first bad
//! frame of the last segment counts as such a *torn tail*, and the log is cut off before it, if
//! 1. no later frame says, in its field *durable*, that this frame was durable, and
//! 2. the file ends within the frame, or the frame's part of some sector is all zeros. To make this test
//!    reliable, frames are aligned to 8 bytes and whitened: a part of a frame that was written has at least 8
//!    bytes, and they are all zero with a probability of 2^-64, even if the value is full of zeros.
//!
//! Every other bad frame is *damage*, and the member refuses to start. Examples are a flipped bit, a
//! misdirected write (the header's checksum covers the offset), a lost write before a later frame, a segment
//! that is missing or too short although there is a later one (the chain of checksums breaks), and a frame
//! that an earlier repair cut off (the chain breaks, too).
//!
//! One kind of damage looks like a power failure and is repaired although it should be refused: the disk
//! loses sectors of the last segment that were synced, and no later frame says that they were durable.
//! Usually these can only be the last few frames, because a frame says how far the segment was durable when
//! it was made. The same happens if the last segment is cut short, or disappears with its name.
//!
//! # Invariants
//!
//! - A recovered log equals the log after one of the calls that wrote it, and that call is not before the
//!   last one whose operations were synced (the oracles I5, I6 and I7).
//! - What recovery returns is durable. A killed process may leave frames that are only in the page cache, so
//!   recovery syncs the log before anything depends on them.
//! - While the member runs, the log performs no operation itself; it adds operations to a disk job.

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

/// A marker in the log: an index from which the log can be replayed, because the backend or a snapshot file
/// holds the effects of all entries up to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marker {
    /// The index of the last entry whose effects are held.
    pub index: u64,
    /// The term of that entry.
    pub term: u64,
    /// The configuration at that entry.
    pub conf_state: ConfState,
}

/// A position in the log. A call that writes returns the one up to which the log is durable once the call's
/// operations are done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    segment: u64,
    offset: u64,
}

/// The content of one frame.
#[derive(Default)]
struct Batch<'a> {
    /// A marker, and whether its snapshot replaces the log.
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

/// A log to which the member writes. Invariant: `durable <= synced <= length`.
#[derive(Debug)]
pub struct Wal {
    /// The existing segments, by number. New frames go to the last one. Never empty.
    segments: VecDeque<Segment>,
    /// The length of the last segment, in bytes.
    length: u64,
    /// Up to this offset, the last segment is durable once the operations returned so far are done.
    synced: u64,
    /// Up to this offset, the last segment is known to be durable.
    durable: u64,
    /// The checksum of the last frame.
    chain: u32,
    /// The last index of the log.
    last_index: u64,
    hard_state: HardState,
    /// A segment that has reached this length, in bytes, is closed.
    segment_bytes: u64,
    /// The memory in which frames are made. It is reused when the disk has written a frame.
    buffer: BytesMut,
}

impl Wal {
    /// Starts a log at `marker`, in an empty directory. There is no log on disk until the operations are
    /// done.
    ///
    /// `segment_bytes` is the length at which a segment is closed (64,000,000 in etcd).
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
        // The first segment is named after the marker's own index, not the next one, so that a search for the
        // segments that the marker needs finds it.
        wal.begin(Segment::new(0, marker.index), Some(&batch), ops);
        let position = wal.position();
        (wal, position)
    }

    /// Saves a hard state and entries. They replace existing entries from the first of their indices on.
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

    /// Writes a marker: the backend holds the effects of all entries up to its index. The entries stay in the
    /// log.
    ///
    /// The backend commit that the marker refers to must be durable before (etcd issue 10219).
    pub fn mark_snapshot(&mut self, marker: &Marker, ops: &mut Vec<DiskOp>) -> Position {
        assert!(
            marker.index <= self.last_index,
            "a snapshot at {} of a log that ends at {}: did it come from a leader? Those replace the log",
            marker.index,
            self.last_index
        );
        // The saved commit index may be lower than the marker's index, but all that the backend holds is
        // committed.
        let mut hard_state = self.hard_state.clone();
        hard_state.commit = hard_state.commit.max(marker.index);
        let hard_state = (hard_state != self.hard_state).then_some(&hard_state);
        self.write(&Batch { marker: Some((marker, false)), hard_state, entries: &[] }, true, ops);
        self.position()
    }

    /// Writes the marker of a leader's snapshot, which replaces all entries, together with the hard state and
    /// the entries of the same ready. They are one frame: otherwise, a restart between marker and hard state
    /// could find a log whose last term is higher than the member's own.
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

    /// The operations up to `position` are done. Later frames record this, so that recovery can tell damage
    /// from a torn tail.
    pub fn durable(&mut self, position: Position) {
        if position.segment == self.number() {
            self.durable = self.durable.max(position.offset);
        }
    }

    /// Removes the segments that a replay from a marker at `index` does not need.
    ///
    /// The marker, and the backend commit that it refers to, must be durable (etcd issue 10219).
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

    /// The segment that is being written.
    fn last(&self) -> &Segment {
        self.segments.back().expect("a log without segments: `create` and recovery make the first one")
    }

    /// The number of that segment.
    fn number(&self) -> u64 {
        self.last().number
    }

    /// The end of what was synced.
    fn position(&self) -> Position {
        Position { segment: self.number(), offset: self.synced }
    }

    /// Writes a frame, and starts a new segment if the last one is full.
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

    /// Makes a frame at the end of a segment.
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
