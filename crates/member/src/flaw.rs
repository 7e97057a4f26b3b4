//! The table of flaws: defects of real systems that a run can switch on. They show that the oracles find such
//! defects. All are off by default. Where the member's code has a flaw, one line tests whether it is on, and a
//! comment there names its id, such as "flaw R5".
//!
//! To add one: add a row here, the line in the code that has the flaw, and a scenario in which it shows.
//! `docs/flaws.md` says where the ids come from; its tables are generated from these rows.

use std::fmt;
use std::str::FromStr;

macro_rules! flaws {
    ($($(#[doc = $doc:literal])+ $variant:ident = $id:literal, $name:literal, $area:ident,
        in $scenario:literal by $($oracle:literal)+;)+) => {
        /// One flaw.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Flaw {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Flaw {
            /// Every flaw.
            pub const ALL: &[Flaw] = &[$(Flaw::$variant),+];

            /// Its id, as `--flaw` takes it.
            pub const fn id(self) -> &'static str {
                match self { $(Flaw::$variant => $id,)+ }
            }

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Flaw::$variant => $name,)+ }
            }

            /// The area it belongs to.
            pub const fn area(self) -> FlawArea {
                match self { $(Flaw::$variant => FlawArea::$area,)+ }
            }

            /// The scenario that must find it: the stem of a file in `scenarios/`.
            pub const fn scenario(self) -> &'static str {
                match self { $(Flaw::$variant => $scenario,)+ }
            }

            /// The ids of the oracles that are expected to find it there; one of them must. Never empty.
            pub const fn oracles(self) -> &'static [&'static str] {
                match self { $(Flaw::$variant => &[$($oracle),+],)+ }
            }

            /// What the flawed code does, in a sentence or two.
            pub const fn describe(self) -> &'static str {
                match self { $(Flaw::$variant => concat!($($doc),+).trim_ascii_start(),)+ }
            }
        }
    };
}

/// The area of a flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlawArea {
    /// Raft, and the loop that hosts it.
    Raft,
    /// Changes of the membership.
    Membership,
    /// The store, its backend, and users.
    Store,
    /// Watches.
    Watches,
    /// Leases, and the locks that depend on them.
    Leases,
    /// Checksums, and what has to be cleaned up.
    Care,
    /// What the simulator leaves out to be fast.
    Simulator,
}

impl FlawArea {
    /// All areas, in the order of the documentation.
    pub const ALL: &[FlawArea] = &[
        FlawArea::Raft,
        FlawArea::Membership,
        FlawArea::Store,
        FlawArea::Watches,
        FlawArea::Leases,
        FlawArea::Care,
        FlawArea::Simulator,
    ];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            FlawArea::Raft => "Raft and the loop that hosts it",
            FlawArea::Membership => "Membership",
            FlawArea::Store => "Store, backend, users",
            FlawArea::Watches => "Watches",
            FlawArea::Leases => "Leases and locks",
            FlawArea::Care => "Checksums, and what must be cleaned up",
            FlawArea::Simulator => "The simulator's own shortcuts",
        }
    }
}

// A row: what the flawed code does, as a comment; then variant = id, name, area, the scenario that must find
// it, and the oracles that are expected to find it, of which one must.
flaws! {
    /// Votes are sent, and elections started, before term and vote are durable.
    VoteNotPersisted = "R1", "vote-not-persisted", Raft, in "power-loss" by "I1" "I6" "I7";
    /// A follower acknowledges entries before they are durable.
    AppendAckBeforeFsync = "R2", "append-ack-before-fsync", Raft, in "power-loss" by "K4" "I6";
    /// A leader counts its own copy of an entry before it is durable.
    LeaderSelfAckBeforeFsync = "R3", "leader-self-ack-before-fsync", Raft, in "power-loss" by "K4" "I5";
    /// Linearizable reads are answered from local state without asking a quorum.
    StaleReadNoQuorum = "R5", "stale-read-no-quorum", Raft, in "pause-leader" by "K1";
    /// A read is answered once its read index is confirmed, without waiting until that index is applied.
    ReadIndexNoApplyWait = "R7", "readindex-no-apply-wait", Raft, in "stale-reads" by "K1";
    /// The consistent index is not committed together with the data, so entries are applied again
    /// after a restart.
    ApplyTwiceAfterRestart = "R19", "apply-twice-after-restart", Raft, in "crash-loop" by "K1" "I4" "I8";
    /// A second configuration change is proposed before the first is applied.
    ConfChangeTwoAtOnce = "R11", "conf-change-two-at-once", Raft, in "changes-at-once" by "I10";
    /// Several configuration changes take effect at once without a joint configuration.
    NonJointMultiChange = "R12", "non-joint-multi-change", Raft, in "joint-change" by "I10";
    /// A leader's snapshot carries the cluster's initial configuration.
    ConfStateMissingInSnapshot = "R13", "confstate-missing-in-snapshot", Raft, in "joint-change" by "I10" "V1";
    /// A leader proposes a forwarded request once for every copy of the message that it receives.
    ProposalTwiceOnForward = "R37", "proposal-dup-on-forward", Raft, in "lossy-duplicating-reordering" by "K4";
    /// A sole voter lets its learners know that it leads before its vote for itself is durable, as raft 0.7
    /// does unless prevented.
    OnlyVoterHeardEarly = "R38", "only-voter-heard-early", Raft, in "only-voter" by "I6";
    /// A single member applies and answers before its log is durable (etcd issue 14370).
    AckBeforeFsyncSingle = "M-14370", "ack-before-fsync-single", Raft, in "single-member" by "K4" "I5";
    /// A defragmentation commits pending changes without their consistent index (etcd issue 14685).
    DefragCommitWithoutHook = "M-14685", "defrag-commit-without-hook", Store, in "defragment" by "K1" "K4" "I8";
    /// A defragmentation does not prevent a snapshot from replacing the backend meanwhile, and then replaces
    /// the new backend with its copy of the old one (etcd issue 20271).
    DefragVsSnapshotSwap = "M-20271", "defrag-vs-snapshot-swap", Store, in "defragment-during-snapshot" by "I7" "I8";
    /// A ReadIndex is retried with the context of the first attempt, and later reads use that context, too (etcd issue
    /// 20418).
    ReadIndexContextReused = "M-20418b", "readindex-ctx-reused", Raft, in "pause-leader" by "I9";
    /// A change of a learner's peer URLs turns it into a voter (etcd issue 21737).
    MemberUpdatePromotesLearner = "M-21737", "memberupdate-promotes-learner", Membership, in "learner-moves" by "M2";
    /// The promotion of a learner is missing from the saved membership (etcd issue 20797).
    PromotionNotPersisted = "M-20797", "promotion-not-persisted", Membership, in "learner-forgotten" by "M2" "I8";
    /// The cache of users' permissions survives the installation of a snapshot (etcd issue 14571).
    AuthCacheNotRefreshed = "M-14571", "auth-cache-not-refreshed", Store, in "users-and-snapshots" by "I8";
    /// The saved users and roles do not include the current auth revision, only the one at the start (after
    /// etcd issue 11651).
    AuthRevisionNotSaved = "M-11651", "auth-revision-not-saved", Store, in "users-and-snapshots" by "I8";
    /// The consistent index moves before the entry is applied, so a commit between the two makes a
    /// restart skip the entry (etcd issue 13766).
    ConsistentIndexBeforeApply = "M-13766", "ci-before-apply", Raft, in "crash-loop" by "K1" "I7" "I8";
    /// A progress request on a watch stream is answered at once, ahead of the events that wait there (etcd
    /// issue 15220).
    ProgressViaControlStream = "M-15220", "progress-via-control-stream", Watches, in "issue-15220" by "W5";
    /// It is not recorded how far a synced watcher is, so after a snapshot from the leader it receives the same events
    /// again (etcd issue 15271).
    SyncedMinRevStale = "M-15271", "synced-minrev-stale", Watches, in "issue-15271" by "W3" "W12";
    /// A watcher whose history was compacted while its channel was full is treated as up to date instead of
    /// being cancelled (etcd issue 17529).
    CompactedWatcherSkipped = "M-17529", "compacted-watcher-skipped", Watches, in "issue-17529" by "W6" "W7" "W12";
    /// A watcher that waits for a future revision gets a progress notification before that revision
    /// (etcd issue 20221).
    ProgressForFutureWatch = "M-20221a", "progress-for-future-watch", Watches, in "issue-20221" by "W5";
    /// After a snapshot from the leader, a watcher that waits for a future revision receives earlier ones
    /// (etcd issue 20221).
    RestoreLowersFutureMinRev = "M-20221b", "restore-lowers-future-minrev", Watches, in "issue-20221" by "W6";
    /// A watch from revision -1 is accepted and makes all watchers that are resynchronized with it miss their
    /// events (etcd issue 20693).
    WatchRevMinusOne = "M-20693", "watch-rev-minus-one", Watches, in "negative-watch" by "W6" "W12";
    /// If more watchers lag than one pass takes, those cancelled by a compaction stay in the group and are
    /// cancelled again in every pass (etcd issues 21174 and 22294).
    CompactedWatchersLeak = "M-21174", "compacted-watchers-leak", Watches, in "many-watchers" by "W12";
    /// Each pass over lagging watchers starts with the same ones, so that those that make no progress keep
    /// the others from ever being served.
    SyncWatchersStall = "M-22264", "syncwatchers-stall", Watches, in "many-watchers" by "W11";
    /// A pass over lagging watchers reads its events into the memory of the previous pass's events, which
    /// responses to slow clients still use (etcd issue 21355).
    EventBufferReuse = "M-21355", "event-buffer-reuse", Watches, in "slow-watchers" by "W6" "W7";
    /// A leader revokes and renews leases without making sure that it still leads, so one that was paused
    /// revokes what its successor renewed (etcd issue 15247).
    StalledLeaderRevokes = "M-15247", "stalled-leader-revokes", Leases, in "lease-leader-stalls" by "L1" "L3" "L4";
    /// A new leader gives every lease its whole TTL, whatever the last checkpoint says (etcd issue 17132).
    LeaseTtlResets = "M-17132", "lease-ttl-resets", Leases, in "lease-checkpoints" by "L2" "L4";
    /// Leases use the wall clock (etcd issue 12291).
    LeaseWallClock = "M-12291", "lease-wall-clock", Leases, in "clock-jumps" by "L1";
    /// A restart derives the revision from the rows it finds, although an unfinished compaction may have
    /// removed the last ones (etcd issue 17780). Deletions at the compact revision are dropped too: the
    /// versions with this defect did so, and otherwise it cannot show.
    RestoreRevFromIndex = "M-17780", "restore-rev-from-index", Store, in "issue-17780" by "K1" "K3" "I8";
    /// A compaction forgets deletions at its own revision, from which a watch may start (etcd issue 18089).
    TombstoneDroppedAtCompactRev = "M-18089", "tombstone-dropped-at-compact-rev", Store, in "issue-18089" by "W6" "W7";
    /// A restart skips a deletion if a compaction has removed the puts before it (etcd issue 19179).
    LoneTombstoneNotRestored = "M-19179", "lone-tombstone-not-restored", Store, in "issue-19179" by "W6" "I8";
    /// Reads after a backend commit show the first row of that commit twice: the rest of the write buffer is
    /// merged into the read buffer without a check for duplicates (etcd issue 17247).
    WritebackDedupeBroken = "M-17247", "writeback-dedupe-broken", Store, in "slow-watchers" by "W3";
    /// Members that did not propose a transaction strip its ranges before they apply it, so that one
    /// with a range of a compacted revision fails on its proposer only (etcd issue 18667).
    TxnStripRangesNonProposer = "M-18667", "txn-strip-ranges-nonproposer", Store, in "txn-at-compacted" by "K1" "I8";
    /// A lock is reported as held although the waiter's own key has expired meanwhile: the `Lock` of etcd
    /// 3.4.
    LockHeldAfterExpiry = "M-lock-expired", "lock-held-after-expiry", Leases, in "jepsen-lock" by "M1";
    /// Puts in nested transactions cost nothing of the space quota, and the alarm NOSPACE lets them pass (etcd issue
    /// 22139).
    NestedTxnCostsNothing = "M-22139", "nested-txn-costs-nothing", Store, in "no-space" by "K1";
    /// The alarm NOSPACE refuses transactions that only read (etcd issue 14884).
    NoSpaceRefusesReads = "M-14884", "no-space-refuses-reads", Store, in "no-space" by "V2";
    /// A transaction with a range that cannot be read keeps the writes before that range (etcd issue 18799).
    TxnFailsMidway = "M-18799", "txn-fails-midway", Store, in "txn-at-compacted" by "K1" "K4" "I8";
    /// A user who may read a key may watch all keys from that key on (advisory GHSA-xg4h-6gfc-h4m8).
    WatchFromKeyUnchecked = "M-xg4h", "watch-from-key-unchecked", Watches, in "refused-watches" by "K1";
    /// The operations of nested transactions are not checked against the rights of the user (advisory
    /// GHSA-rfx7-8w68-q57q).
    NestedTxnUnchecked = "M-rfx7", "nested-txn-unchecked", Store, in "rights-in-transactions" by "K1";
    /// A put in a transaction needs no right for the previous pair that it returns, nor for its lease (etcd issues
    /// 21681 and 21685).
    TxnPutHalfChecked = "M-21681", "txn-put-half-checked", Store, in "rights-in-transactions" by "K1";
    /// A lease that expired and is about to be revoked is reported as renewed (after etcd issue 20615).
    RevokedLeaseRenewed = "M-20615", "revoked-lease-renewed", Leases, in "late-renewals" by "L1";
    /// The answer to a watch that is refused for lack of rights names watcher 0, so the client takes its watcher 0 for
    /// cancelled (etcd issue 14563).
    RefusedWatchHasId = "M-14563", "refused-watch-has-id", Watches, in "refused-watches" by "W12";
    /// A streamed range of a negative revision reads each of its chunks at the newest revision (etcd 3.7).
    RangeStreamUnpinned = "M-range-revision", "range-stream-unpinned", Store, in "streamed-ranges" by "K1";
    /// A streamed range accepts a sort target without an order. It sorts each chunk by itself and continues after its
    /// last pair, so it loses keys or repeats them (etcd 3.7).
    RangeStreamSortTarget = "M-range-sort", "range-stream-sort-target", Store, in "streamed-ranges" by "K1";
    /// A login is accepted with any password.
    AnyPassword = "M-any-password", "any-password", Store, in "refused" by "K1";
    /// A token that the member does not know counts as no token.
    UnknownTokenIgnored = "M-token-ignored", "unknown-token-ignored", Store, in "refused" by "N2";
    /// Tokens never expire.
    TokenLivesForEver = "M-token-forever", "token-lives-for-ever", Store, in "refused" by "N2";
    /// A transaction may have one operation more than the limit allows.
    OneOpMore = "M-one-op-more", "one-op-more", Store, in "refused" by "N1" "K1";
    /// The size of requests is not limited.
    AnySize = "M-any-size", "any-size", Store, in "refused" by "N1";
    /// A learner serves every request.
    LearnerServes = "M-learner-serves", "learner-serves", Membership, in "refused" by "N3";
    /// A learner is promoted however far it lags behind the leader.
    LearnerPromotedEarly = "R16", "learner-promoted-early", Membership, in "refused-changes" by "N3";
    /// More learners than the limit may join.
    AnyLearners = "M-any-learners", "any-learners", Membership, in "refused-changes" by "N3";
    /// A voter is removed although too few of the others have started.
    AnyRemoval = "M-any-removal", "any-removal", Membership, in "refused-changes" by "N3";
    /// The checksum of a frame of the log is not compared with its content.
    FrameChecksumIgnored = "X1", "frame-checksum-ignored", Care, in "integrity" by "I2" "I4" "I7" "I8" "K1";
    /// The checksums of snapshots are not compared with their content, neither in a file nor in a message.
    SnapshotChecksumIgnored = "X2", "snapshot-checksum-ignored", Care, in "integrity" by "I8" "K1" "V1" "V2";
    /// Old snapshot files are never removed.
    SnapshotFilesStay = "Z1", "snapshot-files-stay", Care, in "leaks" by "Z";
    /// Segments of the log that no start would read are never removed.
    SegmentsStay = "Z2", "segments-stay", Care, in "leaks" by "Z";
    /// Turning authentication off leaves all tokens, which are valid again when it is turned on.
    TokensStay = "Z3", "tokens-stay", Care, in "users" by "Z";
    /// A key whose last row was removed by a compaction stays in the index.
    EmptyKeysStay = "Z4", "empty-keys-stay", Care, in "leaks" by "Z";
    /// A lock or a campaign waits for the one before it with a watcher, which then stays.
    LockWatchStays = "Z5", "lock-watch-stays", Care, in "jepsen-lock" by "Z";
    /// A snapshot that is lost on its way to a follower counts as under way for ever, so the log is never cut again.
    LostSnapshotAwaited = "Z6", "lost-snapshot-awaited", Care, in "leaks" by "Z";
    /// When the backend's file is brought up to date with the commits that were kept, the first of them is left
    /// out.
    KeptCommitLeftOut = "S1", "kept-commit-left-out", Simulator, in "crash-loop" by "V2" "I7" "I8";
    /// When the backend's file is brought up to date, a row is left out.
    KeptRowLeftOut = "S2", "kept-row-left-out", Simulator, in "crash-loop" by "V2" "I8";
    /// When the backend's file is brought up to date, it gets a consistent index that is one too high.
    KeptIndexTooFar = "S3", "kept-index-too-far", Simulator, in "crash-loop" by "I7" "I8" "K1" "V2";
}

/// Whether flaws can be on at all. The package `etcdsim-sound-member` compiles these same sources for the server; there
/// the compiler removes the code of all flaws, because [`Flaws::has`] is always false.
const CAN_BE_ON: bool = matches!(env!("CARGO_PKG_NAME").as_bytes(), b"etcdsim-member");

/// A set of flaws, with room for all of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flaws(Bits<{ Flaw::ALL.len().div_ceil(64) }>);

impl Flaws {
    /// The set without flaws.
    pub const NONE: Flaws = Flaws(Bits::EMPTY);

    /// The same set and `flaw`.
    pub const fn with(self, flaw: Flaw) -> Flaws {
        Flaws(self.0.with(flaw as usize))
    }

    /// Adds a flaw.
    pub fn insert(&mut self, flaw: Flaw) {
        *self = self.with(flaw);
    }

    /// Whether `flaw` is on. The member's code asks only through this.
    #[inline]
    pub const fn has(self, flaw: Flaw) -> bool {
        CAN_BE_ON && self.0.has(flaw as usize)
    }

    /// The flaws that are on.
    pub fn iter(self) -> impl Iterator<Item = Flaw> {
        let all = if CAN_BE_ON { Flaw::ALL } else { &[] };
        all.iter().copied().filter(move |flaw| self.has(*flaw))
    }
}

impl Default for Flaws {
    fn default() -> Flaws {
        Flaws::NONE
    }
}

/// A set of numbers below 64 times `WORDS`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Bits<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Bits<WORDS> {
    /// No bit is set.
    const EMPTY: Bits<WORDS> = Bits([0; WORDS]);

    /// The same bits, and this one set.
    const fn with(mut self, number: usize) -> Bits<WORDS> {
        self.0[number / 64] |= 1 << (number % 64);
        self
    }

    /// Whether this bit is set.
    #[inline]
    const fn has(self, number: usize) -> bool {
        self.0[number / 64] & 1 << (number % 64) != 0
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_set_may_be_wider_than_a_word() {
        let odd = (0..192).filter(|number| number % 2 == 1);
        let set = odd.fold(Bits::<3>::EMPTY, Bits::with);
        for number in 0..192 {
            assert_eq!(set.has(number), number % 2 == 1, "{number}");
        }
    }

    #[test]
    fn a_set_contains_what_was_inserted() {
        const TWO: Flaws = Flaws::NONE.with(Flaw::VoteNotPersisted).with(Flaw::LockHeldAfterExpiry);
        assert_eq!(TWO.iter().collect::<Vec<_>>(), [Flaw::VoteNotPersisted, Flaw::LockHeldAfterExpiry]);
        let mut all = Flaws::default();
        for flaw in Flaw::ALL {
            assert!(!all.has(*flaw), "{flaw}");
            all.insert(*flaw);
            assert!(all.has(*flaw), "{flaw}");
        }
    }

    #[test]
    fn ids_and_names_are_unique() {
        let ids: BTreeSet<&str> = Flaw::ALL.iter().flat_map(|flaw| [flaw.id(), flaw.name()]).collect();
        assert_eq!(ids.len(), 2 * Flaw::ALL.len());
    }
}
