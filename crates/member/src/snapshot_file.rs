//! Files with the snapshots that a leader sent: `snap/{term:016x}-{index:016x}.snap`, one for each, as in
//! etcd (`server/etcdserver/api/snap/snapshotter.go`).
//!
//! A file gets its name only once its content is durable. After that, a marker for the snapshot is written to the
//! write-ahead log: a record that says that the snapshot replaces the log up to its index. A file without a marker is
//! ignored, because the process crashed between the two writes.
//!
//! # Layout
//!
//! `snp1`, CRC-32C of all that follows (4 bytes), term (8), index (8), length (4) and protobuf of the
//! configuration, the data. Numbers are little-endian. The data is the state, in a format that this file does
//! not know.

use bytes::{BufMut, Bytes, BytesMut};
use protobuf::Message as _;
use raft::eraftpb::{ConfState, Snapshot};

use crate::disk::{Disk, DiskError, DiskOp, Path, read_all};
use crate::flaw::{Flaw, Flaws};
use crate::wal::Marker;

/// The directory of snapshot files.
pub const DIR: &str = "snap";
/// How many snapshot files are kept (etcd's default of `--max-snapshots`).
pub const KEPT: usize = 5;

/// The first bytes of a file.
const MAGIC: &[u8; 4] = b"snp1";

/// A snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SnapshotFile {
    /// The index up to which the snapshot replaces the log, with its term and configuration.
    pub marker: Marker,
    /// The state, as encoded by the caller.
    pub data: Bytes,
}

impl SnapshotFile {
    /// The content of the file. The cost of computing it grows with the length of the data.
    pub fn encode(&self) -> Bytes {
        let Marker { index, term, conf_state } = &self.marker;
        let conf_state =
            conf_state.write_to_bytes().expect("a configuration has no required fields to be missing");
        let mut content = BytesMut::with_capacity(28 + conf_state.len() + self.data.len());
        content.put_slice(MAGIC);
        content.put_u32_le(0);
        content.put_u64_le(*term);
        content.put_u64_le(*index);
        content.put_u32_le(conf_state.len() as u32);
        content.put_slice(&conf_state);
        content.put_slice(&self.data);
        let crc = crc32c::crc32c(&content[8..]);
        content[4..8].copy_from_slice(&crc.to_le_bytes());
        content.freeze()
    }
}

/// The list of existing snapshot files.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// The term and index of each, in ascending order.
    files: Vec<(u64, u64)>,
}

impl Snapshots {
    /// Lists the directory and reads the newest intact snapshot that has a marker in `markers`.
    ///
    /// A damaged file is renamed to `.broken`, and the next older one is tried, as in etcd. If the log does
    /// not reach back to that one, recovery of the log returns an error.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn load(disk: &dyn Disk, markers: &[Marker]) -> Result<(Snapshots, Option<SnapshotFile>), DiskError> {
        Snapshots::load_with(disk, markers, Flaws::NONE)
    }

    /// As [`Snapshots::load`], in a member with flaws.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn load_with(
        disk: &dyn Disk,
        markers: &[Marker],
        flaws: Flaws,
    ) -> Result<(Snapshots, Option<SnapshotFile>), DiskError> {
        let mut snapshots = Snapshots::default();
        for name in disk.list(DIR)? {
            if name.ends_with(".tmp") {
                disk.perform(&DiskOp::Remove { path: format!("{DIR}/{name}").into() })?;
            } else {
                snapshots.files.extend(parse(&name));
            }
        }
        for at in (0..snapshots.files.len()).rev() {
            let (term, index) = snapshots.files[at];
            if !markers.iter().any(|marker| (marker.term, marker.index) == (term, index)) {
                continue;
            }
            let path = path(term, index);
            match decode(read_all(disk, &path)?.into(), flaws) {
                Some(snapshot) if (snapshot.marker.term, snapshot.marker.index) == (term, index) => {
                    return Ok((snapshots, Some(snapshot)));
                }
                _ => {
                    snapshots.files.remove(at);
                    disk.perform(&DiskOp::Rename { to: format!("{path}.broken").into(), from: path })?;
                }
            }
        }
        Ok((snapshots, None))
    }

    /// Appends the operations that save a snapshot with this marker and this content of its file
    /// ([`SnapshotFile::encode`]), and that remove the oldest files beyond [`KEPT`]. Once they are done, the file and
    /// its name are durable, and a marker may be written to the log.
    pub fn save(&mut self, marker: &Marker, content: Bytes, ops: &mut Vec<DiskOp>) {
        let Marker { term, index, .. } = *marker;
        let path = path(term, index);
        let temporary: Path = format!("{path}.tmp").into();
        ops.push(DiskOp::Create { path: temporary.clone() });
        ops.push(DiskOp::Append { path: temporary.clone(), data: content });
        ops.push(DiskOp::Sync { path: temporary.clone() });
        ops.push(DiskOp::Rename { from: temporary, to: path });
        ops.push(DiskOp::SyncDir { path: DIR.into() });
        let at = self.files.binary_search(&(term, index)).unwrap_or_else(|at| {
            self.files.insert(at, (term, index));
            at
        });
        // The new file itself is never removed, even if many files without a marker have higher terms or
        // indices.
        let surplus = self.files.len().saturating_sub(KEPT).min(at);
        // The removals are not synced. If a crash undoes one, a later save removes that file.
        ops.extend(
            self.files.drain(..surplus).map(|(term, index)| DiskOp::Remove { path: self::path(term, index) }),
        );
    }
}

/// The marker for a snapshot: index, term and configuration.
pub(crate) fn marker_of(snapshot: &Snapshot) -> Marker {
    let metadata = snapshot.get_metadata();
    Marker { index: metadata.index, term: metadata.term, conf_state: metadata.get_conf_state().clone() }
}

/// The path of the file of the snapshot with this term and index.
fn path(term: u64, index: u64) -> Path {
    format!("{DIR}/{term:016x}-{index:016x}.snap").into()
}

/// The term and index in a file's name; `None` if it is not the name of a snapshot file.
fn parse(name: &str) -> Option<(u64, u64)> {
    let (term, index) = name.strip_suffix(".snap")?.split_once('-')?;
    let parsed = (u64::from_str_radix(term, 16).ok()?, u64::from_str_radix(index, 16).ok()?);
    (path(parsed.0, parsed.1).strip_prefix(DIR)?.strip_prefix('/')? == name).then_some(parsed)
}

/// Decodes a file; `None` if it is damaged.
fn decode(content: Bytes, flaws: Flaws) -> Option<SnapshotFile> {
    let (magic, rest) = content.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    // Flaw X2: the checksum need not match.
    let intact = u32::from_le_bytes(*crc) == crc32c::crc32c(rest) || flaws.has(Flaw::SnapshotChecksumIgnored);
    if magic != MAGIC || !intact {
        return None;
    }
    let (term, rest) = rest.split_first_chunk::<8>()?;
    let (index, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (conf_state, data) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let marker = Marker {
        index: u64::from_le_bytes(*index),
        term: u64::from_le_bytes(*term),
        conf_state: ConfState::parse_from_bytes(conf_state).ok()?,
    };
    Some(SnapshotFile { marker, data: content.slice_ref(data) })
}
