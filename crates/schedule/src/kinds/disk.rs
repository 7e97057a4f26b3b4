//! Faults of a member's disk: slowness, errors, and lost or damaged data. The head of [`super`] says what a row
//! contains. (VOPR, in the sources, is TigerBeetle's simulator. Its fault atlas, like the world's, keeps faults
//! from destroying more copies of data than the cluster can lose.)

use trace::FaultEffect;

use super::{Alone, Kinds, Lasts, TIMES, Whom};
use crate::Spread;
use crate::field::{Form, Words, number, words};
use crate::sections::LATENCY;
use crate::units::Unit;

/// The files of a member that a disk fault affects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Files {
    /// The write-ahead log.
    Wal,
    /// Snapshots of the log.
    Snapshot,
    /// The backend's database.
    Backend,
    /// Any.
    All,
}

/// Which calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DiskCall {
    /// Reads.
    Read,
    /// Writes, truncations, creations, renames, removals.
    Write,
    /// Syncs of files and directories.
    Sync,
}

words!(Files: "wal" = Files::Wal, "snapshot" = Files::Snapshot, "backend" = Files::Backend, "all" = Files::All);
words!(DiskCall: "read" = DiskCall::Read, "write" = DiskCall::Write, "sync" = DiskCall::Sync);

/// The name of a disk operation.
const CALL: Form = Form::Word(DiskCall::NAMES);
/// The name of a group of files.
const FILES: Form = Form::Word(Files::NAMES);

family! {
    /// Faults of a member's disk.
    Disk: DiskFault {
        "Disk operations take `factor` times as long, plus `extra`."
        SlowDisk { call: Option<DiskCall>, factor: u32, extra: Spread } => {
            number: 12,
            name: "slow-disk",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "VOPR: reads of up to 100 ms, writes of up to a second in the mean.",
            fields: of! {
                "call" CALL => DiskFault::SlowDisk { call, .. } => *call, "Only these calls. Left out: all.";
                "factor" TIMES => DiskFault::SlowDisk { factor, .. } => *factor, "How many times as long. Left out: 10.";
                "extra" LATENCY => DiskFault::SlowDisk { extra, .. } => *extra, "How much longer in addition. Left out: nothing.";
            },
            new: |_| DiskFault::SlowDisk { call: None, factor: 10, extra: Spread::Constant(0) },
        }

        "No disk operation ends before the fault does."
        StalledDisk => {
            number: 13,
            name: "stalled-disk",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::Itself,
            members: 1,
            effect: FaultEffect::NONE,
            source: "Our own: from a hiccup of 100 ms to a controller that resets for 10 s.",
            fields: &[],
            new: |_| DiskFault::StalledDisk,
        }

        "The next `count` matching calls fail with EIO. A sync that fails drops what was not written, as Linux does."
        DiskError { call: DiskCall, files: Files, count: u32 } => {
            number: 14,
            name: "disk-error",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "FoundationDB's InjectFaults; “Can Applications Recover from fsync Failures?” (ATC'20).",
            fields: of! {
                "call" CALL => DiskFault::DiskError { call, .. } => *call, "Which calls. Left out: `sync`.";
                "files" FILES => DiskFault::DiskError { files, .. } => *files, "Of which files. Left out: `all`.";
                "count" TIMES => DiskFault::DiskError { count, .. } => *count, "How many. Left out: 1.";
            },
            new: |_| DiskFault::DiskError { call: DiskCall::Sync, files: Files::All, count: 1 },
        }

        "The disk has this much free space left; writes that need more fail with ENOSPC."
        DiskFull { left: u64 } => {
            number: 15,
            name: "disk-full",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::Itself,
            members: 1,
            effect: FaultEffect::NONE,
            source: "FoundationDB's InjectFaults. Left: nothing to 64 KiB, so that it runs out within a write as well as between two.",
            fields: of! {
                "left" number(Unit::Size, 0, 1 << 50) => DiskFault::DiskFull { left } => *left, "Bytes that are left. Left out: none.";
            },
            new: |_| DiskFault::DiskFull { left: 0 },
        }

        "A bit of durable content flips permanently in `count` places, only where a checksum can detect it."
        BitRot { files: Files, count: u32 } => {
            number: 16,
            name: "bit-rot",
            whom: Whom::Members,
            lasts: Lasts::Instant,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::DAMAGE,
            source: "VOPR's fault atlas: sticky, at most replication quorum − 1 copies of anything.",
            fields: of! {
                "files" FILES => DiskFault::BitRot { files, .. } => *files, "Of which files. Left out: `wal`.";
                "count" TIMES => DiskFault::BitRot { count, .. } => *count, "In how many places. Left out: 1.";
            },
            new: |_| DiskFault::BitRot { files: Files::Wal, count: 1 },
        }

        "The next `count` synced writes never reach the medium although the sync succeeds."
        LostWrite { files: Files, count: u32 } => {
            number: 17,
            name: "lost-write",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::DAMAGE,
            source: "VOPR: write faults of 0 to 10 %, within its atlas. The world spares the log, in which such a loss looks like a write that was never synced.",
            fields: of! {
                "files" FILES => DiskFault::LostWrite { files, .. } => *files, "Of which files. Left out: `all`.";
                "count" TIMES => DiskFault::LostWrite { count, .. } => *count, "How many. Left out: 1.";
            },
            new: |_| DiskFault::LostWrite { files: Files::All, count: 1 },
        }

        "The next `count` writes land elsewhere in the same file."
        MisdirectedWrite { files: Files, count: u32 } => {
            number: 18,
            name: "misdirected-write",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::DAMAGE,
            source: "VOPR: at most one a disk, within its atlas. The world spares the log here too.",
            fields: of! {
                "files" FILES => DiskFault::MisdirectedWrite { files, .. } => *files, "Of which files. Left out: `all`.";
                "count" TIMES => DiskFault::MisdirectedWrite { count, .. } => *count, "How many. Left out: 1.";
            },
            new: |_| DiskFault::MisdirectedWrite { files: Files::All, count: 1 },
        }

        "The next `count` reads return fewer bytes than requested, which is an error for the caller."
        ShortRead { files: Files, count: u32 } => {
            number: 19,
            name: "short-read",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "FoundationDB's short reads.",
            fields: of! {
                "files" FILES => DiskFault::ShortRead { files, .. } => *files, "Of which files. Left out: `all`.";
                "count" TIMES => DiskFault::ShortRead { count, .. } => *count, "How many. Left out: 1.";
            },
            new: |_| DiskFault::ShortRead { files: Files::All, count: 1 },
        }

        "The process ends, and its disk is empty when it starts again under its old identity. Its votes and acknowledgements are gone, so it must refuse to serve."
        LostDisk => {
            number: 20,
            name: "lost-disk",
            whom: Whom::Minority,
            lasts: Lasts::Down,
            alone: Alone::Down,
            members: 3,
            effect: FaultEffect::DAMAGE,
            source: "VOPR: 30 % of restarts reformat, while a quorum stays recoverable.",
            fields: &[],
            new: |_| DiskFault::LostDisk,
        }

        "The process ends, and one of its files is gone when it starts again: a segment of the log that is not the last one, or a snapshot."
        LostFile { files: Files } => {
            number: 42,
            name: "lost-file",
            whom: Whom::Minority,
            lasts: Lasts::Down,
            alone: Alone::Down,
            members: 3,
            effect: FaultEffect::DAMAGE,
            source: "Our own: a file system check that moves a file to lost+found, a restore that forgets one. The world spares the last segment: without it, the log looks as if it had never been written.",
            fields: of! {
                "files" FILES => DiskFault::LostFile { files, .. } => *files, "Of which files. Left out: `wal`.";
            },
            new: |_| DiskFault::LostFile { files: Files::Wal },
        }

        "The process ends, and two of its files have each other's content when it starts again: a segment of the log under another one's name, a snapshot of another time."
        SwappedFiles { files: Files } => {
            number: 43,
            name: "swapped-files",
            whom: Whom::Minority,
            lasts: Lasts::Down,
            alone: Alone::Down,
            members: 3,
            effect: FaultEffect::DAMAGE,
            source: "Our own: a restore that mixes files of different times. Each file is intact by itself.",
            fields: of! {
                "files" FILES => DiskFault::SwappedFiles { files, .. } => *files, "Of which files. Left out: `wal`.";
            },
            new: |_| DiskFault::SwappedFiles { files: Files::Wal },
        }
    }
}

impl DiskFault {
    /// The kind's name in a scenario; also its key in the counts of a run.
    pub fn name(&self) -> &'static str {
        self.row().kind.name
    }

    /// Whether it ends the process, which starts again when the fault is over.
    pub fn ends_process(&self) -> bool {
        self.row().kind.alone == Alone::Down
    }
}
