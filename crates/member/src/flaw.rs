//! Defects of real systems, as switches. Each sits at its site as one readable line; off is the
//! default. The ids are those of the bug zoo (`docs/flaws.md`).

use std::fmt;
use std::str::FromStr;

macro_rules! flaws {
    ($($(#[doc = $doc:literal])+ $variant:ident = $id:literal, $name:literal;)+) => {
        /// One defect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Flaw {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Flaw {
            /// Every flaw.
            pub const ALL: &[Flaw] = &[$(Flaw::$variant),+];

            /// Its id in the zoo, as `--flaw` takes it.
            pub const fn id(self) -> &'static str {
                match self { $(Flaw::$variant => $id,)+ }
            }

            /// Its name in the zoo.
            pub const fn name(self) -> &'static str {
                match self { $(Flaw::$variant => $name,)+ }
            }

            /// What the flawed code does, in a sentence or two.
            pub const fn describe(self) -> &'static str {
                match self { $(Flaw::$variant => concat!($($doc),+).trim_ascii_start(),)+ }
            }
        }
    };
}

flaws! {
    /// Votes leave, and elections are entered, before term and vote are durable.
    VoteNotPersisted = "R1", "vote-not-persisted";
    /// A follower acknowledges entries before they are durable.
    AppendAckBeforeFsync = "R2", "append-ack-before-fsync";
    /// A leader counts its own copy of an entry before it is durable.
    LeaderSelfAckBeforeFsync = "R3", "leader-self-ack-before-fsync";
    /// Linearizable reads are answered from local state without asking a quorum.
    StaleReadNoQuorum = "R5", "stale-read-no-quorum";
    /// A read is answered once its read index is confirmed, not when that index is applied.
    ReadIndexNoApplyWait = "R7", "readindex-no-apply-wait";
    /// The consistent index is not committed together with the data, so entries are applied again
    /// after a restart.
    ApplyTwiceAfterRestart = "R19", "apply-twice-after-restart";
    /// A second change of the configuration is proposed before the first is applied.
    ConfChangeTwoAtOnce = "R11", "conf-change-two-at-once";
    /// Several changes of the configuration take effect at once without a joint configuration.
    NonJointMultiChange = "R12", "non-joint-multi-change";
    /// A leader's snapshot carries the configuration the cluster began with.
    ConfStateMissingInSnapshot = "R13", "confstate-missing-in-snapshot";
    /// A leader proposes a forwarded request once for every copy of the message that reaches it.
    ProposalTwiceOnForward = "R37", "proposal-dup-on-forward";
    /// The only voter tells its learners that it leads before its vote for itself is durable, as raft 0.7 would have it.
    OnlyVoterHeardEarly = "R38", "only-voter-heard-early";
    /// A single member applies and answers before its log is durable (etcd issue 14370).
    AckBeforeFsyncSingle = "M-14370", "ack-before-fsync-single";
    /// A defragmentation commits what is pending without the consistent index that belongs to it
    /// (etcd issue 14685).
    DefragCommitWithoutHook = "M-14685", "defrag-commit-without-hook";
    /// A defragmentation does not keep a snapshot from replacing the backend meanwhile, and puts its
    /// copy of the old one in the new one's place (etcd issue 20271).
    DefragVsSnapshotSwap = "M-20271", "defrag-vs-snapshot-swap";
    /// A ReadIndex is asked for again with the context of the first attempt, and so are later reads
    /// (etcd issue 20418).
    ReadIndexContextReused = "M-20418b", "readindex-ctx-reused";
    /// A change of a member's peer URLs makes a voter of a learner (etcd issue 21737).
    MemberUpdatePromotesLearner = "M-21737", "memberupdate-promotes-learner";
    /// The promotion of a learner is not in what is saved of the membership (etcd issue 20797).
    PromotionNotPersisted = "M-20797", "promotion-not-persisted";
    /// The cache of the users' permissions outlives the installation of a snapshot (etcd issue 14571).
    AuthCacheNotRefreshed = "M-14571", "auth-cache-not-refreshed";
    /// The revision of users and roles is not in what is saved of them, only the one at the start (after
    /// etcd issue 11651).
    AuthRevisionNotSaved = "M-11651", "auth-revision-not-saved";
    /// The consistent index moves before the entry is applied, so a commit between the two makes a
    /// restart skip the entry (etcd issue 13766).
    ConsistentIndexBeforeApply = "M-13766", "ci-before-apply";
    /// A progress request on a watch stream is answered at once and past the events that wait there
    /// (etcd issue 15220).
    ProgressViaControlStream = "M-15220", "progress-via-control-stream";
    /// What a synced watcher was told is not noted, so that a snapshot from the leader makes it learn
    /// that again (etcd issue 15271).
    SyncedMinRevStale = "M-15271", "synced-minrev-stale";
    /// A watcher whose history was compacted while its channel was full is taken for up to date instead
    /// of being cancelled (etcd issue 17529).
    CompactedWatcherSkipped = "M-17529", "compacted-watcher-skipped";
    /// A watcher that waits for a future revision is told of progress before that revision (etcd issue 20221).
    ProgressForFutureWatch = "M-20221a", "progress-for-future-watch";
    /// After a snapshot from the leader a watcher that waits for a future revision is told of earlier ones
    /// (etcd issue 20221).
    RestoreLowersFutureMinRev = "M-20221b", "restore-lowers-future-minrev";
    /// A watch from revision -1 is accepted and makes all watchers that are resynchronized with it miss
    /// their events (etcd issue 20693).
    WatchRevMinusOne = "M-20693", "watch-rev-minus-one";
    /// Where more watchers lag than one pass takes, those cancelled by a compaction stay in the group and
    /// are cancelled again with every pass (etcd issues 21174 and 22294).
    CompactedWatchersLeak = "M-21174", "compacted-watchers-leak";
    /// Each pass over lagging watchers begins with the same ones, so that those that cannot be helped
    /// keep the others from ever being reached.
    SyncWatchersStall = "M-22264", "syncwatchers-stall";
    /// The events of a pass over lagging watchers are read into the memory of the last pass's, which
    /// responses to slow clients still use (etcd issue 21355).
    EventBufferReuse = "M-21355", "event-buffer-reuse";
    /// A leader revokes leases and renews them without making sure that it still leads, so one that
    /// stood still takes away what its successor renewed (etcd issue 15247).
    StalledLeaderRevokes = "M-15247", "stalled-leader-revokes";
    /// A new leader gives every lease its whole TTL, whatever the last checkpoint says (etcd issue 17132).
    LeaseTtlResets = "M-17132", "lease-ttl-resets";
    /// The time of leases is that of the wall clock (etcd issue 12291).
    LeaseWallClock = "M-12291", "lease-wall-clock";
    /// A restart takes the revision from the rows it finds, although an unfinished compaction may have
    /// removed the last ones (etcd issue 17780). Deletions at the compact revision are dropped, too: the
    /// versions with this defect did so, and without that it cannot show.
    RestoreRevFromIndex = "M-17780", "restore-rev-from-index";
    /// A compaction forgets deletions at its own revision, which a watch may begin at (etcd issue 18089).
    TombstoneDroppedAtCompactRev = "M-18089", "tombstone-dropped-at-compact-rev";
    /// A restart passes over a deletion whose puts a compaction removed (etcd issue 19179).
    LoneTombstoneNotRestored = "M-19179", "lone-tombstone-not-restored";
    /// What is read after a commit of the backend shows the first row of that commit twice: the write
    /// buffer's rest is merged into the read buffer without a look for duplicates (etcd issue 17247).
    WritebackDedupeBroken = "M-17247", "writeback-dedupe-broken";
    /// Members that did not propose a transaction strip its ranges before they apply it, so that one
    /// with a range of a compacted revision fails on its proposer only (etcd issue 18667).
    TxnStripRangesNonProposer = "M-18667", "txn-strip-ranges-nonproposer";
    /// A lock is told to be held although the waiter's own key expired meanwhile: the `Lock` of etcd 3.4.
    LockHeldAfterExpiry = "M-lock-expired", "lock-held-after-expiry";
}

/// A set of flaws.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flaws(u64);

impl Flaws {
    /// Adds one.
    pub fn insert(&mut self, flaw: Flaw) {
        self.0 |= 1 << flaw as u32;
    }

    /// Whether `flaw` is switched on.
    #[inline]
    pub fn has(self, flaw: Flaw) -> bool {
        self.0 & 1 << flaw as u32 != 0
    }

    /// Those switched on.
    pub fn iter(self) -> impl Iterator<Item = Flaw> {
        Flaw::ALL.iter().copied().filter(move |flaw| self.has(*flaw))
    }
}

impl fmt::Debug for Flaws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Flaw::id)).finish()
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Flaw {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |flaw: &&Flaw| flaw.id().eq_ignore_ascii_case(text) || flaw.name() == text;
        Flaw::ALL.iter().find(known).copied().ok_or_else(|| {
            let ids: Vec<_> = Flaw::ALL.iter().map(|flaw| flaw.id()).collect();
            format!("there is no flaw {text:?}; there are {}", ids.join(", "))
        })
    }
}
