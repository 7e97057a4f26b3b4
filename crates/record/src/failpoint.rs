//! The names of the points at which a member can be made to crash or to pause: those of etcd's own
//! failpoints (`gofail` comments in etcd's sources; `tests/robustness/failpoint`).

use std::fmt;
use std::str::FromStr;

macro_rules! points {
    ($($variant:ident = $name:literal, $about:literal;)+) => {
        /// A point in the member's code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Failpoint {
            $(#[doc = $about] $variant,)+
        }

        impl Failpoint {
            /// Every point.
            pub const ALL: &[Failpoint] = &[$(Failpoint::$variant),+];

            /// The names of all, in the same order.
            pub const NAMES: &[&str] = &[$($name),+];

            /// etcd's name for it.
            pub const fn name(self) -> &'static str {
                match self { $(Failpoint::$variant => $name,)+ }
            }

            /// Where it lies.
            pub const fn about(self) -> &'static str {
                match self { $(Failpoint::$variant => $about,)+ }
            }
        }
    };
}

points! {
    RaftBeforeLeaderSend = "raftBeforeLeaderSend", "Before a leader hands a ready's messages to the transport.";
    RaftBeforeSave = "raftBeforeSave", "Before hard state and entries of a ready go to the log.";
    RaftAfterSave = "raftAfterSave", "After a write of hard state and entries is durable, before anything that waits for it.";
    RaftBeforeSaveSnap = "raftBeforeSaveSnap", "Before a snapshot from the leader goes to its file.";
    RaftAfterSaveSnap = "raftAfterSaveSnap", "After that file was handed to the disk, before the log is told of it.";
    RaftBeforeApplySnap = "raftBeforeApplySnap", "Before a durable snapshot replaces the log in memory and the store.";
    RaftAfterApplySnap = "raftAfterApplySnap", "After a snapshot replaced the store.";
    RaftAfterWalRelease = "raftAfterWALRelease", "After segments of the log that nobody needs were released.";
    RaftBeforeFollowerSend = "raftBeforeFollowerSend", "Before a follower sends what waited for its disk.";
    RaftBeforeAdvance = "raftBeforeAdvance", "After a ready was handled, before raft is told so.";
    BeforeApplyOneEntryNormal = "beforeApplyOneEntryNormal", "Before a request is applied.";
    AfterApplyOneEntryNormal = "afterApplyOneEntryNormal", "After a request was applied.";
    BeforeApplyOneConfChange = "beforeApplyOneConfChange", "Before a change of the configuration is applied.";
    ApplyBeforeOpenSnapshot = "applyBeforeOpenSnapshot", "Before the store is read from a snapshot's file.";
    CommitBeforePreCommitHook = "commitBeforePreCommitHook", "Before the consistent index is put into a commit of the backend.";
    CommitAfterPreCommitHook = "commitAfterPreCommitHook", "After it.";
    BeforeCommit = "beforeCommit", "Before the backend commits.";
    AfterCommit = "afterCommit", "After the backend committed.";
    BeforeStartDbTxn = "beforeStartDBTxn", "Before the next batch of the backend begins.";
    AfterStartDbTxn = "afterStartDBTxn", "After it.";
    BeforeWritebackBuf = "beforeWritebackBuf", "Before changes are taken over into the backend's batch.";
    AfterWritebackBuf = "afterWritebackBuf", "After it.";
    DefragBeforeCopy = "defragBeforeCopy", "Before a defragmentation copies the backend.";
    DefragBeforeRename = "defragBeforeRename", "After the copy, before it takes the backend's place.";
    CompactBeforeCommitScheduledCompact = "compactBeforeCommitScheduledCompact", "Before a compaction is marked as scheduled.";
    CompactAfterCommitScheduledCompact = "compactAfterCommitScheduledCompact", "After it was.";
    CompactBeforeCommitBatch = "compactBeforeCommitBatch", "Before a batch of a compaction's scrub.";
    CompactAfterCommitBatch = "compactAfterCommitBatch", "After it.";
    CompactBeforeSetFinishedCompact = "compactBeforeSetFinishedCompact", "Before a compaction is marked as finished.";
    CompactAfterSetFinishedCompact = "compactAfterSetFinishedCompact", "After it was.";
    WalBeforeSync = "walBeforeSync", "Before a write of the log goes to the disk with its sync.";
    WalAfterSync = "walAfterSync", "After the sync.";
    BeforeSendWatchResponse = "beforeSendWatchResponse", "Before responses on watch streams are handed to the transport.";
    BeforeLookupWhenLeaseTimeToLive = "beforeLookupWhenLeaseTimeToLive", "Before a leader looks up what is left of a lease.";
    BeforeLookupWhenForwardLeaseTimeToLive = "beforeLookupWhenForwardLeaseTimeToLive", "Before a leader does so for another member.";
    BeforeCheckpointInLeaseRenew = "beforeCheckpointInLeaseRenew", "Before a renewed lease's checkpoint is undone.";
}

impl fmt::Display for Failpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Failpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Failpoint::ALL.iter().find(|point| point.name() == text);
        known.copied().ok_or_else(|| format!("there is no failpoint {text:?}"))
    }
}
