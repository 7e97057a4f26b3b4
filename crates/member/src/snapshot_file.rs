//! Snapshot files: `snap/{term:016x}-{index:016x}.snap`, one per snapshot, as in etcd
//! (`server/etcdserver/api/snap/snapshotter.go`).
//!
//! A file gets its name only once its content is durable. It counts only if the write-ahead log has a marker
//! for it, written later; without one, the process died between the two.
//!
//! # Layout
//!
//! Numbers are little-endian: `snp1`, CRC-32C of all that follows (4), term (8), index (8), length (4) and
//! protobuf of the configuration, the data.
//!
//! It does not decide which state belongs to a snapshot. The data is the caller's; it may be empty if the
//! backend holds the state.

use bytes::{BufMut, Bytes, BytesMut};
use protobuf::Message as _;
use raft::eraftpb::ConfState;

use crate::disk::{Disk, DiskError, DiskOp, Path, read_all};
use crate::wal::Marker;

/// The directory of snapshot files.
pub const DIR: &str = "snap";
/// How many snapshot files are kept. etcd: `--max-snapshots`.
pub const KEPT: usize = 5;

const MAGIC: &[u8; 4] = b"snp1";

/// A snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SnapshotFile {
    /// The position it covers.
    pub marker: Marker,
    /// The state, as encoded by the caller.
    pub data: Bytes,
}

/// The existing snapshot files.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// Term and index, ascending.
    files: Vec<(u64, u64)>,
}

impl Snapshots {
    /// Scans the directory and reads the newest intact snapshot that is in `markers`.
    ///
    /// A damaged file is renamed `.broken` and the next older one is tried, as in etcd. The log then has to
    /// reach back that far; if it does not, its recovery reports that.
    ///
    /// # Errors
    /// The disk's.
    pub fn load(disk: &dyn Disk, markers: &[Marker]) -> Result<(Snapshots, Option<SnapshotFile>), DiskError> {
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
            match decode(read_all(disk, &path)?.into()) {
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

    /// Saves a snapshot, and removes the oldest files beyond [`KEPT`]. Once the operations are done, the file
    /// and its name are durable, and it may be marked in the log.
    pub fn save(&mut self, snapshot: &SnapshotFile, ops: &mut Vec<DiskOp>) {
        let Marker { term, index, .. } = snapshot.marker;
        let path = path(term, index);
        let temporary: Path = format!("{path}.tmp").into();
        ops.push(DiskOp::Create { path: temporary.clone() });
        ops.push(DiskOp::Append { path: temporary.clone(), data: encode(snapshot) });
        ops.push(DiskOp::Sync { path: temporary.clone() });
        ops.push(DiskOp::Rename { from: temporary, to: path });
        ops.push(DiskOp::SyncDir { path: DIR.into() });
        let at = self.files.binary_search(&(term, index)).unwrap_or_else(|at| {
            self.files.insert(at, (term, index));
            at
        });
        // Never this one, however many newer files without a marker there are.
        let surplus = self.files.len().saturating_sub(KEPT).min(at);
        // Not synced: a file that comes back is removed by a later save.
        ops.extend(
            self.files.drain(..surplus).map(|(term, index)| DiskOp::Remove { path: self::path(term, index) }),
        );
    }
}

fn path(term: u64, index: u64) -> Path {
    format!("{DIR}/{term:016x}-{index:016x}.snap").into()
}

fn parse(name: &str) -> Option<(u64, u64)> {
    let (term, index) = name.strip_suffix(".snap")?.split_once('-')?;
    let parsed = (u64::from_str_radix(term, 16).ok()?, u64::from_str_radix(index, 16).ok()?);
    (path(parsed.0, parsed.1).strip_prefix(DIR)?.strip_prefix('/')? == name).then_some(parsed)
}

fn encode(snapshot: &SnapshotFile) -> Bytes {
    let Marker { index, term, conf_state } = &snapshot.marker;
    let conf_state =
        conf_state.write_to_bytes().expect("a configuration has no required fields to be missing");
    let mut content = BytesMut::with_capacity(28 + conf_state.len() + snapshot.data.len());
    content.put_slice(MAGIC);
    content.put_u32_le(0);
    content.put_u64_le(*term);
    content.put_u64_le(*index);
    content.put_u32_le(conf_state.len() as u32);
    content.put_slice(&conf_state);
    content.put_slice(&snapshot.data);
    let crc = crc32c::crc32c(&content[8..]);
    content[4..8].copy_from_slice(&crc.to_le_bytes());
    content.freeze()
}

fn decode(content: Bytes) -> Option<SnapshotFile> {
    let (magic, rest) = content.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    if magic != MAGIC || u32::from_le_bytes(*crc) != crc32c::crc32c(rest) {
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
