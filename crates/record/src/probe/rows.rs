//! The registry of probes (see [`super`]): one row for each, grouped by area. For example:
//!
//! ```text
//! 62 LeadersWithoutPower "leaders-without-power": "A leader lost power."        number, variant, name: what happened
//!     why "Its own copy must not have counted before it was durable.";          why the tests should reach it
//! ```
//!
//! A row may also have `unless`: why the swarm need not reach the probe, even in a long run over many seeds.
//!
//! To add a probe, add a row and count it where it is reached:
//!
//! * in the member by `Probes::reached`, which becomes an [`EtcdFact::Probe`](crate::EtcdFact::Probe) at its next tick;
//! * in a client by [`Stats::reached`](crate::Stats::reached);
//! * in an invariant of `verify`, which sees every fact, by a count;
//! * in `etcdsim`, if only the whole history shows it.
//!
//! A number is never reused and never changes: it is part of every trace hash. The next probe takes the next
//! number: 142.

use crate::Failpoint;

macro_rules! probes {
    ($($area:ident $title:literal: $about:literal {
        $($number:literal $probe:ident $name:literal: $means:literal
            why $why:literal $(unless $unless:literal)?;)+
    })+) => {
        /// An interesting state that the tests should reach.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Probe {
            $($(#[doc = $means] $probe = $number,)+)+
            /// A member crashed, lost power or was paused at this point.
            At(Failpoint) = u16::MAX,
        }

        impl Probe {
            /// Every probe that has a row, in the order of the rows.
            pub const ROWS: &[Probe] = &[$($(Probe::$probe),+),+];

            /// Its name in reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $($(Probe::$probe => $name,)+)+
                    Probe::At(point) => point.probe_name(),
                }
            }

            /// Its number in the trace hash. Failpoints have numbers of their own: they are
            /// reported as `EtcdFact::Failpoint`.
            #[inline]
            pub const fn number(self) -> u64 {
                match self {
                    $($(Probe::$probe => $number,)+)+
                    Probe::At(_) => u16::MAX as u64,
                }
            }

            /// What it is about.
            pub const fn area(self) -> Area {
                match self {
                    $($(Probe::$probe)|+ => Area::$area,)+
                    Probe::At(_) => Area::Failpoints,
                }
            }

            /// What happened when it is counted, in one sentence.
            pub const fn means(self) -> &'static str {
                match self {
                    $($(Probe::$probe => $means,)+)+
                    Probe::At(point) => point.about(),
                }
            }

            /// Why the tests should reach it, in one sentence.
            pub const fn why(self) -> &'static str {
                match self {
                    $($(Probe::$probe => $why,)+)+
                    Probe::At(_) => "A crash there leaves the steps before it done and those after it undone.",
                }
            }

            /// Why the swarm need not reach it in a long run; `None` if it must.
            pub const fn unless(self) -> Option<&'static str> {
                match self {
                    $($($(Probe::$probe => Some($unless),)?)+)+
                    _ => None,
                }
            }
        }

        /// What probes are about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Area {
            $(#[doc = $about] $area,)+
            /// Points in the member's code.
            Failpoints,
        }

        impl Area {
            /// All areas, in the order of the documentation.
            pub const ALL: &[Area] = &[$(Area::$area,)+ Area::Failpoints];

            /// Its name.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Area::$area => $title,)+
                    Area::Failpoints => "failpoints",
                }
            }

            /// What it is about, in one sentence.
            pub const fn about(self) -> &'static str {
                match self {
                    $(Area::$area => $about,)+
                    Area::Failpoints => {
                        "A member crashed, lost power or was paused at the point. The names are etcd's own."
                    }
                }
            }
        }
    };
}

probes! {
    Raft "raft": "Elections, logs and messages of Raft." {
        58 LeadersElected "leaders-elected": "A member became leader."
            why "Without elections nothing else here means much.";
        59 TwoLeadersAtOnce "two-leaders-at-once": "A member became leader while another, of an older term, still believed that it led."
            why "Stale reads, writes by a deposed leader, leases revoked by the wrong member.";
        60 LeadersSteppedDown "leaders-stepped-down": "A leader stepped down in its own term: it did not hear a quorum, or was removed."
            why "The quorum check is what ends a leader without a quorum.";
        61 LeadersWithoutACommit "leaders-without-a-commit": "A leadership ended before anything was committed under it."
            why "It may have put entries into some logs, which the next leader must replace or adopt.";
        62 LeadersWithoutPower "leaders-without-power": "A leader lost power."
            why "Its own copy must not have counted before it was durable.";
        63 LeadersPaused "leaders-paused": "A leader was paused."
            why "It wakes up without knowing yet that there is another leader.";
        137 DeposedBySlowDisk "deposed-by-slow-disk": "A leader waited for its disk for an election timeout or longer, and the others elected a new one meanwhile."
            why "It neither sends heartbeats nor checks its quorum while it waits, and comes back as a leader of an old term.";
        64 ElectionsWithoutAWinner "elections-without-a-winner": "A candidate had to start over."
            why "Split votes; terms grow without leaders.";
        65 PreVotesGivenUp "pre-votes-given-up": "A pre-candidate became a follower again."
            why "Pre-vote is meant to keep such members from disturbing a leader.";
        66 VotesRefused "votes-refused": "A vote was refused."
            why "Terms, earlier votes and logs are compared.";
        67 AppendsRefused "appends-refused": "An append was refused."
            why "The leader must find where the logs diverge.";
        68 LogsCut "logs-cut": "An append replaced entries."
            why "Uncommitted entries go; committed entries must stay.";
        69 LeadershipsHandedOver "leaderships-handed-over": "A leader asked another member to campaign at once."
            why "A transfer skips the pre-vote and does not wait for a timeout.";
        70 ProposalsForwarded "proposals-forwarded": "A follower forwarded a proposal to its leader."
            why "Forwarded proposals can be lost, or arrive twice.";
        71 ReadsForwarded "reads-forwarded": "A follower asked its leader for a read index."
            why "An answer can come after the leader was deposed.";
        72 ReadsConfirmed "reads-confirmed": "A read index was confirmed."
            why "Linearizable reads depend on it.";
        73 PeersCalled "peers-called": "A member passed a request to another member."
            why "Keep-alives and time-to-live requests go to the leader, and may miss it.";
        74 Commits "commits": "The highest commit index moved."
            why "Without commits nothing is at stake.";
        75 CommittedByBareQuorum "committed-by-bare-quorum": "The highest commit index moved where exactly a quorum had the entry on disk."
            why "One more lying disk breaks I5.";
        76 Promises "promises": "A message that promises something was sent."
            why "I6 checks each of them.";
        77 StoresCompared "stores-compared": "A store was compared with another member's, or its own before a restart, at the same index."
            why "Otherwise I8 checks nothing.";
        78 SnapshotsSent "snapshots-sent": "A snapshot was sent."
            why "A follower was too far behind for the log.";
        79 SnapshotsLost "snapshots-lost": "A snapshot was lost on its way."
            why "The leader must notice, and send another one.";
        80 SnapshotsInstalled "snapshots-installed": "A snapshot was installed."
            why "Log, store, watchers, leases, users and configuration are replaced at once.";
        81 TwoMembersReceivingSnapshots "two-members-receiving-snapshots": "A snapshot was sent to a second member before the first member had handled its own."
            why "The log must not be compacted under either of them.";
        82 EndedWhileReceivingSnapshots "ended-while-receiving-snapshots": "A process ended after a snapshot was delivered to it and before it had handled it."
            why "Snapshot file, log and backend are changed one after another; the process may end in between.";
    }

    DiskAndRecovery "disk and recovery": "Writes that fail, and restarts." {
        83 Restarts "restarts": "A process restarted."
            why "Everything it promised must be there.";
        84 RestartsWithShorterLog "restarts-with-shorter-log": "A process recovered without the end of the log that had been in memory."
            why "Only what was never promised may be missing.";
        85 ExecutedAgain "executed-again": "An entry was executed again because the store had not been durable."
            why "The outcome must be the same as the first time.";
        86 KilledWhileSaving "killed-while-saving": "A process was killed while a write of raft state was under way."
            why "The write may be there or not.";
        87 PowerLostWhileSaving "power-lost-while-saving": "The machine lost power while a write of raft state was under way."
            why "The write may be there in part.";
        88 KilledBeforeTheirFirstStep "killed-before-their-first-step": "A process was killed after it had recovered and before it had done anything."
            why "Recovery also writes, and must survive an interruption.";
        33 LogTailRepaired "log-tail-repaired": "A torn tail of the log was cut off."
            why "A torn tail is repaired, damage in the middle is not.";
        141 DamagedSnapshotDropped "damaged-snapshot-dropped": "A member dropped a leader's snapshot that was damaged on its way."
            why "Once it is saved, no start can read it."
            unless "Only a rule with `do = \"damage\"` does this, and the swarm has none.";
        39 RecoveredFromSnapshotFile "recovered-from-snapshot-file": "A process recovered from a snapshot file that the backend did not hold yet."
            why "The process ended after the snapshot was marked and before the backend adopted it.";
        138 TornCommitFound "torn-commit-found": "A process ended in the middle of a backend commit, and the next one found the backend as it was before."
            why "A commit written in part must not be taken for a whole one, and the log must still have its entries.";
        139 CommitLostWhole "commit-lost-whole": "A process ended before a backend commit had written anything, and the next one found the backend as it was before."
            why "The log must still have the commit's entries.";
        140 CommitKeptWhole "commit-kept-whole": "A process ended before it learned that a backend commit is durable, and the next one found the commit."
            why "Its entries must not be applied again.";
        89 DiskJobsFailed "disk-jobs-failed": "A disk job failed."
            why "A failed sync must not count as a success, nor be retried.";
        90 EndedByTheirDisk "ended-by-their-disk": "A process ended because its disk failed."
            why "It must not continue with data that it does not have.";
        91 DisksDamaged "disks-damaged": "The plan destroyed data that a disk had confirmed."
            why "The member may fail, the cluster may not.";
        92 RefusedToStart "refused-to-start": "A start was refused because of what is on the disk."
            why "No member is better than one that has forgotten its vote.";
        93 QuorumsDown "quorums-down": "A process ended and left fewer than a quorum running."
            why "Nothing may be committed until a quorum runs again.";
        94 AllMembersDown "all-members-down": "A process ended and left no member running."
            why "Everything must come back from the disks.";
        19 FirstStartBegunAgain "first-start-begun-again": "A first start that a crash had interrupted in its first write was repeated."
            why "What it left behind promised nothing."
            unless "A crash within the very first write is too rare for the swarm.";
    }

    Membership "membership": "Members that come, go, learn and change their address." {
        95 ConfigurationsChanged "configurations-changed": "A configuration came into force that no member had used before."
            why "Quorums change.";
        96 JointConfigurations "joint-configurations": "A joint configuration came into force."
            why "Two quorums are needed.";
        20 JointChangeApplied "joint-change-applied": "A change of several members at once was applied."
            why "It must be checked as one change.";
        97 LeadersElectedInJoint "leaders-elected-in-joint": "A leader was elected under a joint configuration."
            why "It needs both halves, and must lead the cluster out of it.";
        98 LeadersElectedWhileChangePending "leaders-elected-while-change-pending": "A change was made under one leader and first applied under another."
            why "A second change may be under way at the same time.";
        99 LeadersRemovedByThemselves "leaders-removed-by-themselves": "A leader applied its own removal from the voters."
            why "It must not count itself, and must step down.";
        100 RestartsInJoint "restarts-in-joint": "A process started under a joint configuration."
            why "The configuration must be durable together with what it committed.";
        101 FailpointsStruckInJoint "failpoints-struck-in-joint": "A failpoint struck while the newest configuration was joint."
            why "Entering and leaving it can be interrupted at every step.";
        102 FailpointsStruckOnLeaders "failpoints-struck-on-leaders": "A failpoint struck a leader."
            why "The next leader decides what becomes of the messages and entries it was about to send or apply.";
        103 SnapshotsInstalledInJoint "snapshots-installed-in-joint": "A snapshot was installed while the newest configuration was joint."
            why "The snapshot carries both halves.";
        104 SnapshotsInstalledByLearners "snapshots-installed-by-learners": "A learner installed a snapshot."
            why "Learners begin with nothing.";
        22 LearnerAdded "learner-added": "A learner was added."
            why "It must count in no quorum.";
        105 LearnersPromoted "learners-promoted": "A learner became a voter."
            why "It must have caught up when it counts.";
        23 LearnerPromoted "learner-promoted": "A member applied the promotion of a learner."
            why "Store and configuration must agree about it.";
        106 VotersRemoved "voters-removed": "A voter was removed."
            why "Quorums shrink.";
        35 MemberRemoved "member-removed": "A member applied a removal."
            why "Its id must never come back.";
        34 MemberReAddedUrl "member-re-added-url": "A member was added with a peer URL of a removed member."
            why "The address comes back, the id does not."
            unless "The simulator's operators give every new member a URL of its own; a test of the cluster reaches it.";
        107 RemovedMembersStopped "removed-members-stopped": "A process ended because its member had been removed."
            why "A removed member that keeps running disturbs the others, or answers clients.";
        108 MembersJoined "members-joined": "A member started for the first time after a leader had been elected."
            why "It has no log, no snapshot and no configuration.";
        109 MembersJoinedWithoutLeader "members-joined-without-leader": "A member started for the first time without a leader, after one had been elected."
            why "It must wait, and not elect itself.";
        14 ChangeRefusedUnhealthy "change-refused-unhealthy": "A change was refused because too few voters are connected or started."
            why "Strict reconfiguration keeps operators from losing the quorum.";
        13 ChangeRefusedAtApply "change-refused-at-apply": "A change was refused when it was applied, because of another change in between."
            why "All members must refuse it.";
        38 PromotionRefusedNotReady "promotion-refused-not-ready": "A promotion was refused because the learner lags."
            why "A voter that lags stops the cluster.";
    }

    Watches "watches": "Watchers that lag, are cut off, or are asked for their progress." {
        55 WatchVictim "watch-victim": "A response did not fit into its stream's buffer: the watcher became a victim."
            why "etcd's own watch bugs lived there.";
        57 WatchVictimStillLags "watch-victim-still-lags": "A victim was served, and more had happened meanwhile."
            why "It must continue as a lagging watcher, without a gap.";
        56 WatchVictimAtSnapshot "watch-victim-at-snapshot": "A snapshot was installed while there were victims."
            why "They wait for events of a store that is gone.";
        54 WatchUnsyncedAtSnapshot "watch-unsynced-at-snapshot": "A snapshot was installed while watchers lagged behind."
            why "They may need revisions that the new store has compacted.";
        46 WatchFutureAtSnapshot "watch-future-at-snapshot": "A snapshot was installed while watchers waited for a future revision."
            why "The snapshot may skip it.";
        47 WatchFutureReached "watch-future-reached": "The revision that a watcher had waited for came."
            why "The first event must be of exactly that revision.";
        52 WatchSeveralBatches "watch-several-batches": "A watcher that lagged needed several batches."
            why "Other changes come between two batches.";
        53 WatchSeveralPasses "watch-several-passes": "More watchers lagged than one pass can serve."
            why "No watcher may be left out.";
        42 WatchCancelledByCompaction "watch-cancelled-by-compaction": "A watcher was cancelled because what it needs was compacted."
            why "The client must learn of it, and of the revision.";
        43 WatchCompactionCancelDelayed "watch-compaction-cancel-delayed": "There was no room on the stream for the cancellation."
            why "It must be sent later.";
        45 WatchFragmented "watch-fragmented": "A response was split."
            why "The parts belong together.";
        48 WatchPrevKvCompacted "watch-prev-kv-compacted": "The pair before a change had been compacted."
            why "The event is sent without it, and nothing else changes.";
        44 WatchDroppedAfterCancel "watch-dropped-after-cancel": "The pending events of a watcher were dropped when it was cancelled."
            why "Nothing may come after the cancellation.";
        50 WatchProgressHeldBack "watch-progress-held-back": "A progress request was not answered at once, because a watcher lags."
            why "An answer would skip events that are still to come.";
        49 WatchProgressBeforeStart "watch-progress-before-start": "Progress was requested of a watcher whose first revision is still to come."
            why "There is no progress to report yet.";
        51 WatchProgressPeriodic "watch-progress-periodic": "A watcher got a progress notification because nothing had happened for long."
            why "The client starts from that revision next time.";
        110 WatchStreamsBroken "watch-streams-broken": "A client's stream broke."
            why "The client continues elsewhere, from the last revision it received.";
        111 WatchesResumed "watches-resumed": "A client resumed a watcher on another stream."
            why "No event may be lost or delivered twice.";
        112 WatchesCompacted "watches-compacted": "A client learned that its watcher needs revisions that were compacted."
            why "It must list again.";
        113 Relists "relists": "A client listed again to repair its copy."
            why "No event may be lost between list and watch.";
    }

    Leases "leases": "Leases that expire, on clocks that do not agree." {
        27 LeaseExpired "lease-expired": "A lessor found an expired lease."
            why "It must confirm that it leads before it revokes the lease.";
        114 LeasesDue "leases-due": "A member proposed to revoke an expired lease."
            why "L1 and L2 judge when.";
        115 LeasesDueWhileAnOldLessorIsPaused "leases-due-while-an-old-lessor-is-paused": "A member proposed to revoke an expired lease while another member that believed it was the lessor was paused."
            why "The old lessor wakes up with old expiry times, and must not act on them.";
        116 LessorsPaused "lessors-paused": "A member was paused while it was the lessor."
            why "Time passes without it.";
        117 LessorsChanged "lessors-changed": "A different member became the lessor."
            why "It extends the leases: it does not know when they were renewed.";
        118 TwoLessorsAtOnce "two-lessors-at-once": "A member became the lessor while another believed that it was."
            why "Only one of them can confirm that it leads.";
        21 LeaderLostWhileRevokingLeases "leader-lost-while-revoking-leases": "A lessor stopped leading while revocations were under way."
            why "They may or may not be applied.";
        28 LeaseExtendedByNewLeader "lease-extended-by-new-leader": "A new leader extended a lease."
            why "No lease may end early because the leader changed.";
        26 LeaseContinuedFromCheckpoint "lease-continued-from-checkpoint": "A new leader continued a lease from a checkpoint."
            why "Without checkpoints a long lease restarts with each leader.";
        24 LeaseCheckpointTaken "lease-checkpoint-taken": "A checkpoint of the remaining time was proposed."
            why "It must not shorten a lease.";
        25 LeaseCheckpointUndone "lease-checkpoint-undone": "A renewal undid a checkpoint."
            why "Otherwise the next leader would continue from an old checkpoint.";
        29 LeaseRenewedLate "lease-renewed-late": "A lease was renewed with less than a tenth of its TTL left."
            why "Renewal and revocation race.";
        18 ExpiredLeaseRenewed "expired-lease-renewed": "A keep-alive was received for a lease that is being revoked."
            why "The caller must wait for the outcome.";
        17 ExpiredLeaseOfferedAgain "expired-lease-offered-again": "A revocation that did not take effect was tried again."
            why "A lease must not live for ever because one proposal was lost.";
        30 LeaseRevocationsWaitForOthers "lease-revocations-wait-for-others": "Revocations waited because too many were under way."
            why "etcd limits how many there are at once.";
        36 MoreLeasesDueThanOneScanTakes "more-leases-due-than-one-scan-takes": "More than 500 leases were due at once."
            why "The others are due at the next scan."
            unless "A seed with that many leases would take too long; a test of the lessor reaches it.";
    }

    CompactionAndDefragmentation "compaction and defragmentation": "History that is removed, and files that are rewritten." {
        16 CompactionInterrupted "compaction-interrupted": "A process started and found an unfinished compaction."
            why "The compaction must be resumed, or hashes differ for ever.";
        15 CompactionInSeveralBatches "compaction-in-several-batches": "A compaction needed several batches."
            why "Requests come between two batches.";
        7 AutoCompaction "auto-compaction": "A leader compacted automatically."
            why "The revision to keep was recorded earlier.";
        9 AutoCompactionLeftToTheLeader "auto-compaction-left-to-the-leader": "A member that does not lead left automatic compaction to the leader."
            why "It keeps recording revisions for when it leads.";
        8 AutoCompactionFailed "auto-compaction-failed": "An automatic compaction failed."
            why "It must be tried again.";
        119 CompactionsOfTheirOwn "compactions-of-their-own": "A member proposed a compaction."
            why "No client asked for it, and watchers may lag.";
        120 CompactorsBeaten "compactors-beaten": "One of two clients' compactors came too late."
            why "Exactly one may advance the revision.";
        10 BackendDefragmented "backend-defragmented": "A backend was copied and replaced by its copy."
            why "What is committed meanwhile must not be lost.";
        40 SnapshotDuringDefragmentation "snapshot-during-defragmentation": "A snapshot was installed while a defragmentation was under way."
            why "The copy must not replace the snapshot's file.";
    }

    UsersAndRoles "users and roles": "Who may do what, and until when." {
        4 AuthEnabled "auth-enabled": "Auth was enabled."
            why "From then on every request needs a token.";
        37 PermissionDenied "permission-denied": "A request was refused because its user lacks the permission."
            why "The refusal is decided when the request is applied, by the same rows on all members.";
        5 AuthOldRevision "auth-old-revision": "A request was refused because users or roles had changed after it was admitted."
            why "Permissions are checked twice, and may change in between.";
        6 AuthTokenExpired "auth-token-expired": "A token expired."
            why "Tokens live in each member's memory, by its own clock.";
        3 AuthChangedBySnapshot "auth-changed-by-snapshot": "A snapshot replaced users or roles."
            why "Caches of permissions must be dropped with them.";
        121 AnsweredInvalidAuthToken "told-invalid-auth-token": "A member answered that the token is invalid."
            why "The client must log in again, here and perhaps elsewhere.";
        122 AnsweredAuthenticationFailed "told-authentication-failed": "A login failed."
            why "Passwords change while clients work.";
        123 AnsweredUserNameIsEmpty "told-user-name-is-empty": "A client without a token was refused."
            why "Auth may be on at one member and not yet at another.";
    }

    LocksAndElections "locks and elections": "Waiting for another client's lease." {
        32 LockWaited "lock-waited": "A client that had waited got a lock."
            why "The clients ahead of it in the queue must have left first.";
        41 WaiterGone "waiter-gone": "A client that waited for a lock or an election gave up."
            why "Its place in the queue must not block it.";
        31 LockSessionExpiredWhileWaiting "lock-session-expired-while-waiting": "The lease of a client that waits for a lock ended."
            why "It must not get the lock.";
        12 CampaignWaited "campaign-waited": "A client that had waited won an election."
            why "The same holds as for a lock.";
        11 CampaignAgainWithAnotherValue "campaign-again-with-another-value": "A client campaigned again with another value."
            why "The value changes, the place in the queue does not.";
        124 StepsForLocksAndElections "steps-for-locks-and-elections": "A member proposed a step of the lock and election services."
            why "These services consist of ordinary requests, each of which can fail.";
        125 FencedOff "fenced-off": "A write was refused because its lock had been lost."
            why "That is what fencing tokens are for.";
        126 SessionsLost "sessions-lost": "A client learned that the lease of its lock or leadership was gone."
            why "It may have relied on the lease meanwhile.";
    }

    QuotaAndAlarms "quota and alarms": "Space that runs out." {
        2 AlarmRaised "alarm-raised": "An alarm was raised."
            why "Writes are refused from then on, on all members at the same entry.";
        1 AlarmDisarmed "alarm-disarmed": "An alarm was disarmed."
            why "Writes are accepted again.";
        127 AnsweredNoSpace "told-no-space": "A request was refused because there is no space left."
            why "Reads, deletions and compactions must still work.";
    }

    Answers "answers": "What clients got as answers." {
        128 AnsweredNothing "told-nothing": "A client gave up without an answer."
            why "The operation stays open to the end of the history.";
        129 AnsweredCompacted "told-compacted": "A member answered that a revision is compacted."
            why "If it is not, K3 is violated.";
        130 AnsweredFutureRevision "told-future-revision": "A member answered that a revision is in the future."
            why "If it is not in the future, K3 is violated.";
        131 AnsweredLeaseNotFound "told-lease-not-found": "A member answered that there is no such lease."
            why "It may have ended a moment ago.";
        132 AnsweredLeaderChanged "told-leader-changed": "A read was refused because the leader changed."
            why "Its read index was no longer valid.";
        133 AnsweredRequestTimedOut "told-request-timed-out": "A request took too long inside the server."
            why "It may still take effect.";
        134 AnsweredTimedOutAfterLeaderFailure "told-timed-out-after-leader-failure": "A request took too long inside the server, and the leader was lost meanwhile."
            why "The error text differs, the outcome is just as uncertain.";
        135 AnsweredServerStopped "told-server-stopped": "A client asked a member that was stopping."
            why "What was proposed may still be applied.";
        136 AnsweredNotSupportedForLearner "told-not-supported-for-learner": "A learner refused a request."
            why "Learners lag, and must not answer.";
    }
}
