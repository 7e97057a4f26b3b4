//! Encodes and decodes the records of the write-ahead log. The payload of a frame consists of records: the start of a
//! segment, a hard state, an entry, or a marker for a snapshot. (The head of `wal/mod.rs` explains segments, frames
//! and markers.)
//!
//! | kind | after the kind byte |
//! |---|---|
//! | 0 | nothing; the rest of the payload is padding |
//! | 1, start of a segment | checksum of the previous frame (4), last index (8), hard state |
//! | 2, hard state | term (8), vote (8), commit (8) |
//! | 3, entry | type (1), lengths of context (4) and data (4), term (8), index (8), context, data |
//! | 4, marker | whether it replaces the log (1), index (8), term (8), length (4) and protobuf of the configuration |

use bytes::{BufMut, Bytes, BytesMut};
use protobuf::{Message as _, ProtobufEnum as _};
use raft::eraftpb::{ConfState, Entry, EntryType, HardState};

use super::{Batch, Marker};

// The first byte of a record says of which kind it is.
const BEGIN: u8 = 1;
const HARD_STATE: u8 = 2;
const ENTRY: u8 = 3;
const MARKER: u8 = 4;

/// The first record of a segment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Begin {
    /// The checksum of the last frame of the previous segment; 0 in the first segment of a log.
    pub(super) chain: u32,
    /// The last index of the log when the segment was started.
    pub(super) last_index: u64,
    /// The hard state when the segment was started.
    pub(super) hard_state: HardState,
}

/// Any record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record {
    Begin(Begin),
    HardState(HardState),
    Entry(Entry),
    Marker { marker: Marker, replaces: bool },
}

/// Appends the first record of a segment.
pub(super) fn put_segment(buffer: &mut BytesMut, begin: &Begin) {
    buffer.put_u8(BEGIN);
    buffer.put_u32_le(begin.chain);
    buffer.put_u64_le(begin.last_index);
    put_hard_state(buffer, &begin.hard_state);
}

/// Appends the records of a batch.
pub(super) fn put_batch(buffer: &mut BytesMut, batch: &Batch<'_>) {
    // The marker goes first, because it may replace the log, and the entries of the batch come after it.
    if let Some((marker, replaces)) = batch.marker {
        put_marker(buffer, marker, replaces);
    }
    if let Some(hard_state) = batch.hard_state {
        buffer.put_u8(HARD_STATE);
        put_hard_state(buffer, hard_state);
    }
    for entry in batch.entries {
        put_entry(buffer, entry);
    }
}

/// Writes a hard state.
fn put_hard_state(buffer: &mut BytesMut, hard_state: &HardState) {
    buffer.put_u64_le(hard_state.term);
    buffer.put_u64_le(hard_state.vote);
    buffer.put_u64_le(hard_state.commit);
}

/// Writes an entry.
fn put_entry(buffer: &mut BytesMut, entry: &Entry) {
    // The fixed part is one slice, so that there is only one check of the buffer's size: this runs for each
    // entry.
    let mut head = [0; 26];
    head[0] = ENTRY;
    head[1] = entry.entry_type as u8;
    head[2..6].copy_from_slice(&length(&entry.context).to_le_bytes());
    head[6..10].copy_from_slice(&length(&entry.data).to_le_bytes());
    head[10..18].copy_from_slice(&entry.term.to_le_bytes());
    head[18..].copy_from_slice(&entry.index.to_le_bytes());
    buffer.put_slice(&head);
    buffer.put_slice(&entry.context);
    buffer.put_slice(&entry.data);
}

/// Writes a marker.
fn put_marker(buffer: &mut BytesMut, marker: &Marker, replaces: bool) {
    let conf_state =
        marker.conf_state.write_to_bytes().expect("a configuration has no required fields to be missing");
    buffer.put_u8(MARKER);
    buffer.put_u8(u8::from(replaces));
    buffer.put_u64_le(marker.index);
    buffer.put_u64_le(marker.term);
    buffer.put_u32_le(length(&conf_state));
    buffer.put_slice(&conf_state);
}

/// The length of a field, as it is written.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or_else(|_| panic!("{} bytes in one entry", bytes.len()))
}

/// Reads the records of a payload. It ends after an `Err`, which means that the payload is not made of
/// records.
pub(super) struct Records<'a>(pub(super) &'a [u8]);

impl Iterator for Records<'_> {
    type Item = Result<Record, ()>;

    fn next(&mut self) -> Option<Self::Item> {
        // At the end of the payload, or at the zeros that pad it.
        if self.0.first().is_none_or(|kind| *kind == 0) {
            return None;
        }
        let record = self.record().ok_or(());
        if record.is_err() {
            self.0 = &[];
        }
        Some(record)
    }
}

impl Records<'_> {
    /// Reads one record. `None` if the bytes are not a record.
    fn record(&mut self) -> Option<Record> {
        Some(match self.u8()? {
            BEGIN => Record::Begin(Begin {
                chain: self.u32()?,
                last_index: self.u64()?,
                hard_state: self.hard_state()?,
            }),
            HARD_STATE => Record::HardState(self.hard_state()?),
            ENTRY => {
                let entry_type = EntryType::from_i32(self.u8()?.into())?;
                let (context, data) = (self.u32()?, self.u32()?);
                let mut entry =
                    Entry { entry_type, term: self.u64()?, index: self.u64()?, ..Entry::default() };
                entry.context = Bytes::copy_from_slice(self.take(context as usize)?);
                entry.data = Bytes::copy_from_slice(self.take(data as usize)?);
                Record::Entry(entry)
            }
            MARKER => {
                let replaces = self.u8()? != 0;
                let (index, term) = (self.u64()?, self.u64()?);
                let conf_state = self.u32()?;
                let conf_state = ConfState::parse_from_bytes(self.take(conf_state as usize)?).ok()?;
                Record::Marker { marker: Marker { index, term, conf_state }, replaces }
            }
            _ => return None,
        })
    }

    fn hard_state(&mut self) -> Option<HardState> {
        Some(HardState { term: self.u64()?, vote: self.u64()?, commit: self.u64()?, ..HardState::default() })
    }

    /// Takes this many bytes of the payload, if that many are left.
    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }
}
