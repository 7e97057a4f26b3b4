//! Failpoints: named points in the member's code at which a fault of the plan can crash or pause the process.
//!
//! They are those of etcd, where they are `gofail` comments in the sources; `tests/robustness/failpoint` of
//! etcd lists them. Reaching one also counts as a [probe](crate::probe).

use std::fmt;
use std::str::FromStr;

macro_rules! points {
    ($($number:literal $variant:ident = $name:literal, $about:literal;)+) => {
        /// A failpoint.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Failpoint {
            $(#[doc = $about] $variant,)+
        }

        impl Failpoint {
            /// Every failpoint.
            pub const ALL: &[Failpoint] = &[$(Failpoint::$variant),+];

            /// etcd's name for it.
            pub const fn name(self) -> &'static str {
                match self { $(Failpoint::$variant => $name,)+ }
            }

            /// The name of its probe.
            pub const fn probe_name(self) -> &'static str {
                match self { $(Failpoint::$variant => concat!("at-", $name),)+ }
            }

            /// Its number in the trace hash; never reused, never changed.
            pub const fn number(self) -> u64 {
                match self { $(Failpoint::$variant => $number,)+ }
            }

            /// Where it is: before or after which step of the member.
            pub const fn about(self) -> &'static str {
                match self { $(Failpoint::$variant => $about,)+ }
            }
        }
    };
}

points! {
    1 RaftBeforeLeaderSend = "raftBeforeLeaderSend", "Before a leader hands a ready's messages to the transport.";
    2 RaftBeforeSave = "raftBeforeSave", "Before hard state and entries of a ready go to the log.";
    3 RaftAfterSave = "raftAfterSave", "After a write of hard state and entries is durable, before anything that waits for it.";
    4 RaftBeforeSaveSnap = "raftBeforeSaveSnap", "Before a snapshot from the leader goes to its file.";
    5 RaftAfterSaveSnap = "raftAfterSaveSnap", "After that file was handed to the disk, before the log knows of it.";
    6 RaftBeforeApplySnap = "raftBeforeApplySnap", "Before a durable snapshot replaces the log in memory and the store.";
    7 RaftAfterApplySnap = "raftAfterApplySnap", "After a snapshot replaced the store.";
    8 RaftAfterWalRelease = "raftAfterWALRelease", "After log segments that are no longer needed were released.";
    9 RaftBeforeFollowerSend = "raftBeforeFollowerSend", "Before a follower sends what waited for its disk.";
    10 RaftBeforeAdvance = "raftBeforeAdvance", "After a ready was handled, before raft knows.";
    11 BeforeApplyOneEntryNormal = "beforeApplyOneEntryNormal", "Before a request is applied.";
    12 AfterApplyOneEntryNormal = "afterApplyOneEntryNormal", "After a request was applied.";
    13 BeforeApplyOneConfChange = "beforeApplyOneConfChange", "Before a change of the configuration is applied.";
    14 ApplyBeforeOpenSnapshot = "applyBeforeOpenSnapshot", "Before the store is read from a snapshot's file.";
    15 CommitBeforePreCommitHook = "commitBeforePreCommitHook", "Before the consistent index is put into a commit of the backend.";
    16 CommitAfterPreCommitHook = "commitAfterPreCommitHook", "After it.";
    17 BeforeCommit = "beforeCommit", "Before the backend commits.";
    18 AfterCommit = "afterCommit", "After the backend committed.";
    19 BeforeStartDbTxn = "beforeStartDBTxn", "Before the next batch of the backend begins.";
    20 AfterStartDbTxn = "afterStartDBTxn", "After it.";
    21 BeforeWritebackBuf = "beforeWritebackBuf", "Before changes are taken over into the backend's batch.";
    22 AfterWritebackBuf = "afterWritebackBuf", "After it.";
    23 DefragBeforeCopy = "defragBeforeCopy", "Before a defragmentation copies the backend.";
    24 DefragBeforeRename = "defragBeforeRename", "After the copy, before it takes the backend's place.";
    25 CompactBeforeCommitScheduledCompact = "compactBeforeCommitScheduledCompact", "Before a compaction is marked as scheduled.";
    26 CompactAfterCommitScheduledCompact = "compactAfterCommitScheduledCompact", "After it was marked.";
    27 CompactBeforeCommitBatch = "compactBeforeCommitBatch", "Before a batch of a compaction's scrub.";
    28 CompactAfterCommitBatch = "compactAfterCommitBatch", "After it.";
    29 CompactBeforeSetFinishedCompact = "compactBeforeSetFinishedCompact", "Before a compaction is marked as finished.";
    30 CompactAfterSetFinishedCompact = "compactAfterSetFinishedCompact", "After it was marked.";
    31 WalBeforeSync = "walBeforeSync", "Before a write of the log goes to the disk with its sync.";
    32 WalAfterSync = "walAfterSync", "After the sync.";
    33 BeforeSendWatchResponse = "beforeSendWatchResponse", "Before responses on watch streams are handed to the transport.";
    34 BeforeLookupWhenLeaseTimeToLive = "beforeLookupWhenLeaseTimeToLive", "Before a leader looks up what is left of a lease.";
    35 BeforeLookupWhenForwardLeaseTimeToLive = "beforeLookupWhenForwardLeaseTimeToLive", "Before a leader does so for another member.";
    36 BeforeCheckpointInLeaseRenew = "beforeCheckpointInLeaseRenew", "Before a renewed lease's checkpoint is undone.";
}

impl fmt::Display for Failpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Its number. Plans name a failpoint by it, because they know nothing about any node's failpoints.
impl From<Failpoint> for u16 {
    fn from(point: Failpoint) -> u16 {
        point.number() as u16
    }
}

impl TryFrom<u16> for Failpoint {
    type Error = String;

    fn try_from(number: u16) -> Result<Failpoint, String> {
        let known = Failpoint::ALL.iter().find(|point| u16::from(**point) == number);
        known.copied().ok_or_else(|| format!("there is no failpoint number {number}"))
    }
}

impl FromStr for Failpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Failpoint::ALL.iter().find(|point| point.name() == text);
        known.copied().ok_or_else(|| format!("there is no failpoint {text:?}"))
    }
}
