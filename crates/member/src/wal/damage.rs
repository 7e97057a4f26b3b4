//! The errors of opening a log, and the decision whether a bad frame is the torn tail that a power failure
//! leaves, which is repaired, or damage, which is refused. The module documentation of `wal` has the reasons.

use std::fmt;

use super::frame::{ALIGNMENT, Bad, HEADER, Header};
use crate::disk::{DiskError, Path};

/// The size of a disk sector in bytes. A power failure keeps or loses a sector as a whole.
const SECTOR: u64 = 512;

/// A log that cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalError {
    /// There is no log.
    #[error("there is no write-ahead log: this is the member's first start, or its disk was lost")]
    Empty,
    /// The disk failed.
    #[error("the write-ahead log cannot be read or mended: {0}")]
    Disk(#[from] DiskError),
    /// Content that was durable is not as it was written.
    #[error("{0}")]
    Damaged(Damage),
    /// The log has no marker for this snapshot.
    #[error(
        "the write-ahead log has no snapshot at {index} of term {term}: was it removed, or is this another member's log?"
    )]
    NoMarker {
        /// Its index.
        index: u64,
        /// Its term.
        term: u64,
    },
}

/// Where and how a log is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub path: Path,
    /// The byte offset in it.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
    /// What may have caused it.
    pub hypothesis: &'static str,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damage { path, offset, what, hypothesis } = self;
        write!(f, "{path} is damaged at byte {offset}: {what}; {hypothesis}")
    }
}

/// Why a bad frame must be damage, with a possible cause; `None` if it may be the torn tail of a power
/// failure.
pub(super) fn proof_of_damage(
    content: &[u8],
    segment: u64,
    at: u64,
    bad: Bad,
) -> Option<(String, &'static str)> {
    for later in (at as usize..content.len()).step_by(ALIGNMENT).skip(1) {
        let was_durable =
            Header::parse(content, segment, later as u64).is_some_and(|header| header.durable > at);
        if was_durable {
            return Some((
                format!("{}, but the frame at byte {later} records that it was durable", bad.0),
                "bit rot, or a lost or misdirected write",
            ));
        }
    }
    let end = content.len() as u64;
    let length = Header::parse(content, segment, at).map_or(HEADER, |header| header.frame_length());
    let frame = at..at + length as u64;
    if frame.end > end || sectors(frame).any(|share| content[share].iter().all(|byte| *byte == 0)) {
        return None;
    }
    Some((
        format!("{}, but none of its sectors is missing, as one would be after a power failure", bad.0),
        "bit rot, or a misdirected write",
    ))
}

/// A byte range, split at sector boundaries.
fn sectors(range: std::ops::Range<u64>) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut at = range.start;
    std::iter::from_fn(move || {
        let share = at..range.end.min((at / SECTOR + 1) * SECTOR);
        at = share.end;
        (!share.is_empty()).then_some(share.start as usize..share.end as usize)
    })
}
