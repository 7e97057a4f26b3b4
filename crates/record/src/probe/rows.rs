//! The registry of probes: one row each.
//!
//! A row is: number, variant, name, what has happened when it is counted, why a search should get there, and, where
//! a long run of the swarm need not reach it, why not. To add a probe, add a row and reach it somewhere:
//!
//! * in the member by `Probes::reached`, at its next tick a [`Fact::Probe`](crate::Fact::Probe);
//! * in a client's program by [`Stats::reached`](crate::Stats::reached);
//! * in the monitors of the invariants (`verify`), which see every fact, by a count;
//! * in `etcdsim`, where only the whole history shows it.
//!
//! A number is never used twice and never changes: it is part of every trace hash. The next probe takes the next
//! number: 137.

use crate::Failpoint;

macro_rules! probes {
    ($($area:ident $title:literal: $about:literal {
        $($number:literal $probe:ident $name:literal: $means:literal
            why $why:literal $(unless $unless:literal)?;)+
    })+) => {
        /// A state that a search should reach.
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

            /// The number by which the trace hash knows it. Failpoints have numbers of their own: they are
            /// reported as `Fact::Failpoint`.
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

            /// What has happened when it is counted, in a sentence.
            pub const fn means(self) -> &'static str {
                match self {
                    $($(Probe::$probe => $means,)+)+
                    Probe::At(point) => point.about(),
                }
            }

            /// Why a search should get there, in a sentence.
            pub const fn why(self) -> &'static str {
                match self {
                    $($(Probe::$probe => $why,)+)+
                    Probe::At(_) => "A crash there leaves what comes before it done and what comes after it undone.",
                }
            }

            /// Why a long run of the swarm need not reach it, where it need not.
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
            /// Places in the member's code.
            Failpoints,
        }

        impl Area {
            /// All, in the order of the documentation.
            pub const ALL: &[Area] = &[$(Area::$area,)+ Area::Failpoints];

            /// Its name.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Area::$area => $title,)+
                    Area::Failpoints => "failpoints",
                }
            }

            /// What it is about, in a sentence.
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
        58 LeadersElected "leaders-elected": "A member began to lead."
            why "Without elections nothing else here means much.";
        59 TwoLeadersAtOnce "two-leaders-at-once": "A member began to lead while another, of an older term, still thought that it did."
            why "Stale reads, writes of a deposed leader, leases revoked by the wrong one.";
        60 LeadersSteppedDown "leaders-stepped-down": "A leader gave up leading in its own term: it heard no quorum, or was removed."
            why "The check of the quorum is what ends a leader that nobody hears.";
        61 LeadersWithoutACommit "leaders-without-a-commit": "A leader ended before anything was committed under it."
            why "It may have put entries into some logs that the next leader has to replace or to take over.";
        62 LeadersWithoutPower "leaders-without-power": "A leader lost power."
            why "Its own copy must not have counted before it was durable.";
        63 LeadersPaused "leaders-paused": "A leader was paused."
            why "It wakes up and does not know yet that there is another one.";
        64 ElectionsWithoutAWinner "elections-without-a-winner": "A candidate had to begin again."
            why "Split votes; terms grow without leaders.";
        65 PreVotesGivenUp "pre-votes-given-up": "A member that thought of campaigning went back to following."
            why "Pre-vote is meant to keep such members from disturbing a leader.";
        66 VotesRefused "votes-refused": "A vote was refused."
            why "Terms, earlier votes and the freshness of logs are compared.";
        67 AppendsRefused "appends-refused": "An append was refused."
            why "The leader has to find where the logs part.";
        68 LogsCut "logs-cut": "An append replaced entries."
            why "What was not committed goes; what was committed must stay.";
        69 LeadershipsHandedOver "leaderships-handed-over": "A leader asked another member to campaign at once."
            why "A transfer skips the pre-vote and does not wait for a timeout.";
        70 ProposalsForwarded "proposals-forwarded": "A follower sent a proposal on to its leader."
            why "Forwarded proposals can be lost, or arrive twice.";
        71 ReadsForwarded "reads-forwarded": "A follower asked its leader for a read index."
            why "An answer can come after the leader was deposed.";
        72 ReadsConfirmed "reads-confirmed": "A read index was confirmed."
            why "Linearizable reads rest on it.";
        73 PeersCalled "peers-called": "A member handed a request to another one."
            why "Keep-alives and questions about the time to live go to the leader, and may miss it.";
        74 Commits "commits": "The highest commit index moved."
            why "Without commits nothing is at stake.";
        75 CommittedByBareQuorum "committed-by-bare-quorum": "The highest commit index moved where exactly a quorum had the entry on disk."
            why "One more lie of a disk breaks I5.";
        76 Promises "promises": "A message left that promises something."
            why "I6 looks at each of them.";
        77 StoresCompared "stores-compared": "A store was compared with another member's, or its own before a restart, at the same index."
            why "I8 has nothing to say otherwise.";
        78 SnapshotsSent "snapshots-sent": "A snapshot was sent."
            why "A follower was too far behind for the log.";
        79 SnapshotsLost "snapshots-lost": "A snapshot was lost on its way."
            why "The leader must notice, and send another.";
        80 SnapshotsInstalled "snapshots-installed": "A snapshot was installed."
            why "Log, store, watchers, leases, users and configuration are replaced at once.";
        81 TwoMembersReceivingSnapshots "two-members-receiving-snapshots": "A second member was sent a snapshot before the first had dealt with its own."
            why "The log must not be compacted under either of them.";
        82 EndedWhileReceivingSnapshots "ended-while-receiving-snapshots": "A process ended after a snapshot was delivered to it and before it had dealt with it."
            why "Snapshot file, log and backend are changed one after another; the end may come between.";
    }

    DiskAndRecovery "disk and recovery": "Writes that fail, and restarts." {
        83 Restarts "restarts": "A process restarted."
            why "Everything it promised must be there.";
        84 RestartsWithShorterLog "restarts-with-shorter-log": "A process recovered without the end of the log that had been in memory."
            why "Only what nobody was promised may be missing.";
        85 ExecutedAgain "executed-again": "An entry was executed again because the store had not been durable."
            why "The outcome must be the same as the first time.";
        86 KilledWhileSaving "killed-while-saving": "A process was killed while a write of raft state was under way."
            why "The write may be there or not.";
        87 PowerLostWhileSaving "power-lost-while-saving": "The machine lost power while a write of raft state was under way."
            why "The write may be there in part.";
        88 KilledBeforeTheirFirstStep "killed-before-their-first-step": "A process was killed after it had recovered and before it had done anything."
            why "Recovery writes, too, and must bear being cut off.";
        33 LogTailRepaired "log-tail-repaired": "A torn tail of the log was cut off."
            why "A torn tail is mended, damage in the middle is not.";
        39 RecoveredFromSnapshotFile "recovered-from-snapshot-file": "A process recovered from a snapshot file that the backend did not hold yet."
            why "The end came after the snapshot was marked and before the backend took it over.";
        89 DiskJobsFailed "disk-jobs-failed": "A disk job failed."
            why "A failed sync must not be taken for a success, nor tried again.";
        90 EndedByTheirDisk "ended-by-their-disk": "A process ended because its disk failed."
            why "It must not go on with what it does not have.";
        91 DisksDamaged "disks-damaged": "The plan took back what a disk had confirmed."
            why "The member is excused, the cluster is not.";
        92 RefusedToStart "refused-to-start": "A start was refused because of what is on the disk."
            why "Better no member than one that has forgotten its vote.";
        93 QuorumsDown "quorums-down": "The end of a process left fewer than a quorum running."
            why "Nothing may be committed then.";
        94 AllMembersDown "all-members-down": "The end of a process left none running."
            why "Everything must come back from the disks.";
        19 FirstStartBegunAgain "first-start-begun-again": "A first start that a crash had cut off within its first write was begun again."
            why "What it left behind promised nothing."
            unless "A crash within the very first write is too rare for the swarm.";
    }

    Membership "membership": "Members that come, go, learn and change their address." {
        95 ConfigurationsChanged "configurations-changed": "A configuration came into force that nobody had gone by before."
            why "Quorums change.";
        96 JointConfigurations "joint-configurations": "A joint configuration came into force."
            why "Two quorums are needed.";
        20 JointChangeApplied "joint-change-applied": "A change of several members at once was applied."
            why "It has to be checked as one.";
        97 LeadersElectedInJoint "leaders-elected-in-joint": "A leader was elected that goes by a joint configuration."
            why "It needs both halves, and has to bring the cluster out of it.";
        98 LeadersElectedWhileChangePending "leaders-elected-while-change-pending": "A change was made under one leader and first applied under another."
            why "A second change may be under way at the same time.";
        99 LeadersRemovedByThemselves "leaders-removed-by-themselves": "A leader applied its own removal from the voters."
            why "It must not count itself, and has to step down.";
        100 RestartsInJoint "restarts-in-joint": "A process began that goes by a joint configuration."
            why "The configuration must be durable with what was committed by it.";
        101 FailpointsStruckInJoint "failpoints-struck-in-joint": "A failpoint struck while the newest configuration was joint."
            why "The way into and out of it can be cut off at every step.";
        102 FailpointsStruckOnLeaders "failpoints-struck-on-leaders": "A failpoint struck a leader."
            why "What it was about to send or to apply is decided by the next one.";
        103 SnapshotsInstalledInJoint "snapshots-installed-in-joint": "A snapshot was installed while the newest configuration was joint."
            why "The snapshot carries both halves.";
        104 SnapshotsInstalledByLearners "snapshots-installed-by-learners": "A learner installed a snapshot."
            why "Learners begin with nothing.";
        22 LearnerAdded "learner-added": "A learner was added."
            why "It must count in no quorum.";
        105 LearnersPromoted "learners-promoted": "A learner became a voter."
            why "It must be in step when it counts.";
        23 LearnerPromoted "learner-promoted": "A member applied the promotion of a learner."
            why "Store and configuration must agree about it.";
        106 VotersRemoved "voters-removed": "A voter left."
            why "Quorums shrink.";
        35 MemberRemoved "member-removed": "A member applied a removal."
            why "Its id must never come back.";
        34 MemberReAddedUrl "member-re-added-url": "A member was added with a peer URL of one that was removed."
            why "The address comes back, the id does not."
            unless "The simulator's operators give every new member a URL of its own; a test of the cluster reaches it.";
        107 RemovedMembersStopped "removed-members-stopped": "A process ended because its member had been removed."
            why "One that goes on disturbs the others, or answers clients.";
        108 MembersJoined "members-joined": "A member started for the first time after somebody had led."
            why "It has no log, no snapshot and no configuration.";
        109 MembersJoinedWithoutLeader "members-joined-without-leader": "A member started for the first time while nobody led, after somebody had."
            why "It must wait, and not vote by itself.";
        14 ChangeRefusedUnhealthy "change-refused-unhealthy": "A change was refused because too few voters are connected or started."
            why "Strict reconfiguration keeps operators from losing the quorum.";
        13 ChangeRefusedAtApply "change-refused-at-apply": "A change was refused when it was applied, because of a change in between."
            why "All members must refuse it.";
        38 PromotionRefusedNotReady "promotion-refused-not-ready": "A promotion was refused because the learner lags."
            why "A voter that lags stops the cluster.";
    }

    Watches "watches": "Watchers that lag, are cut off, or are asked where they are." {
        55 WatchVictim "watch-victim": "A response did not fit into its stream's buffer: the watcher became a victim."
            why "etcd's own watch bugs lived there.";
        57 WatchVictimStillLags "watch-victim-still-lags": "A victim was served, and more had happened meanwhile."
            why "It has to go on as one that lags, without a gap.";
        56 WatchVictimAtSnapshot "watch-victim-at-snapshot": "A snapshot was installed while there were victims."
            why "What they wait for is of a store that is gone.";
        54 WatchUnsyncedAtSnapshot "watch-unsynced-at-snapshot": "A snapshot was installed while watchers lagged behind."
            why "They may need revisions that the new store has compacted.";
        46 WatchFutureAtSnapshot "watch-future-at-snapshot": "A snapshot was installed while watchers waited for a revision to come."
            why "The snapshot may pass by it.";
        47 WatchFutureReached "watch-future-reached": "The revision came for which a watcher had waited."
            why "The first event must be of exactly that one.";
        52 WatchSeveralBatches "watch-several-batches": "A watcher that lagged needed several batches."
            why "Other changes come between two of them.";
        53 WatchSeveralPasses "watch-several-passes": "More watchers lagged than one pass serves."
            why "Nobody may be left out.";
        42 WatchCancelledByCompaction "watch-cancelled-by-compaction": "A watcher was cancelled because what it needs was compacted."
            why "The client must learn of it, and of the revision.";
        43 WatchCompactionCancelDelayed "watch-compaction-cancel-delayed": "There was no room on the stream to say so."
            why "It must be said later.";
        45 WatchFragmented "watch-fragmented": "A response was split."
            why "The parts belong together.";
        48 WatchPrevKvCompacted "watch-prev-kv-compacted": "The pair before a change had been compacted."
            why "The event comes without it, and nothing else changes.";
        44 WatchDroppedAfterCancel "watch-dropped-after-cancel": "What had been waiting for a watcher was dropped as it was cancelled."
            why "Nothing may come after the cancellation.";
        50 WatchProgressHeldBack "watch-progress-held-back": "A progress request was not answered at once, because a watcher lags."
            why "An answer would pass by events that are still to come.";
        49 WatchProgressBeforeStart "watch-progress-before-start": "Progress was asked of a watcher whose first revision is still to come."
            why "There is nothing to promise yet.";
        51 WatchProgressPeriodic "watch-progress-periodic": "A watcher got a progress notification because nothing had happened for long."
            why "The client starts from that revision next time.";
        110 WatchStreamsBroken "watch-streams-broken": "A stream broke for its client."
            why "The client goes on elsewhere, from what it has seen.";
        111 WatchesResumed "watches-resumed": "A client went on with a watcher on another stream."
            why "Nothing may be missed or come twice.";
        112 WatchesCompacted "watches-compacted": "A client learned that its watcher needs revisions that were compacted."
            why "It has to list again.";
        113 Relists "relists": "A client listed again to mend its copy."
            why "Between list and watch nothing may be missed.";
    }

    Leases "leases": "Time that runs out, on clocks that do not agree." {
        27 LeaseExpired "lease-expired": "A lessor found a lease whose time is over."
            why "It must confirm that it leads before it revokes it.";
        114 LeasesDue "leases-due": "A member asked the cluster to end a lease whose time was over."
            why "L1 and L2 judge when.";
        115 LeasesDueWhileAnOldLessorIsPaused "leases-due-while-an-old-lessor-is-paused": "A member asked for the end of such a lease while another member that thought it looked after leases was paused."
            why "The old one wakes up with old times, and must not act by them.";
        116 LessorsPaused "lessors-paused": "A member was paused while it looked after leases."
            why "Time goes on without it.";
        117 LessorsChanged "lessors-changed": "Another member than the last began to look after leases."
            why "It extends them: it does not know when they were renewed.";
        118 TwoLessorsAtOnce "two-lessors-at-once": "A member began to look after leases while another thought that it did."
            why "Only one of them can confirm that it leads.";
        21 LeaderLostWhileRevokingLeases "leader-lost-while-revoking-leases": "A lessor ceased to lead while revocations were under way."
            why "They may be applied, or never.";
        28 LeaseExtendedByNewLeader "lease-extended-by-new-leader": "A new leader extended a lease."
            why "No lease may end early because the leader changed.";
        26 LeaseContinuedFromCheckpoint "lease-continued-from-checkpoint": "A new leader went on from a checkpoint."
            why "Without checkpoints a long lease begins anew with each leader.";
        24 LeaseCheckpointTaken "lease-checkpoint-taken": "A checkpoint of the time left was proposed."
            why "It must not shorten a lease.";
        25 LeaseCheckpointUndone "lease-checkpoint-undone": "A renewal undid a checkpoint."
            why "Else the next leader would go on from an old one.";
        29 LeaseRenewedLate "lease-renewed-late": "A lease was renewed after its time, before it was revoked."
            why "Renewal and revocation race.";
        18 ExpiredLeaseRenewed "expired-lease-renewed": "A keep-alive came for a lease that is being revoked."
            why "Whoever asks must wait for the outcome.";
        17 ExpiredLeaseOfferedAgain "expired-lease-offered-again": "A revocation that did not come about was tried again."
            why "A lease must not stay for ever because one proposal was lost.";
        30 LeaseRevocationsWaitForOthers "lease-revocations-wait-for-others": "Revocations waited because enough were under way."
            why "etcd bounds them.";
        36 MoreLeasesDueThanOneScanTakes "more-leases-due-than-one-scan-takes": "More than 500 leases were due at once."
            why "The others are due at the next scan."
            unless "A seed with so many leases would take too long; a test of the lessor reaches it.";
    }

    CompactionAndDefragmentation "compaction and defragmentation": "History that goes, and files that are rewritten." {
        16 CompactionInterrupted "compaction-interrupted": "A process began and found a compaction that had not been finished."
            why "It must be resumed, or hashes differ for good.";
        15 CompactionInSeveralBatches "compaction-in-several-batches": "A compaction needed several batches."
            why "Requests come between two of them.";
        7 AutoCompaction "auto-compaction": "A leader compacted by itself."
            why "The revision to keep is remembered from earlier.";
        9 AutoCompactionLeftToTheLeader "auto-compaction-left-to-the-leader": "A member that does not lead left it to the one that does."
            why "It keeps its memory for when it leads.";
        8 AutoCompactionFailed "auto-compaction-failed": "An automatic compaction failed."
            why "It has to be tried again.";
        119 CompactionsOfTheirOwn "compactions-of-their-own": "A member asked the cluster to compact."
            why "Clients did not ask, and watchers are behind.";
        120 CompactorsBeaten "compactors-beaten": "Of two compactors of clients one came too late."
            why "Exactly one may move the revision on.";
        10 BackendDefragmented "backend-defragmented": "A backend was copied and replaced by its copy."
            why "What is committed meanwhile must not be lost.";
        40 SnapshotDuringDefragmentation "snapshot-during-defragmentation": "A snapshot was installed while a defragmentation was under way."
            why "The copy must not replace the snapshot's file.";
    }

    UsersAndRoles "users and roles": "Who may do what, and until when." {
        4 AuthEnabled "auth-enabled": "Auth was enabled."
            why "From then on every request needs a token.";
        37 PermissionDenied "permission-denied": "A request was refused because its user lacks the permission."
            why "The refusal is decided where it is applied, by the same rows on all members.";
        5 AuthOldRevision "auth-old-revision": "A request was refused because users or roles had changed after it was admitted."
            why "Rights are checked twice, and may change between.";
        6 AuthTokenExpired "auth-token-expired": "A token's time was over."
            why "Tokens live in each member's memory, by its own clock.";
        3 AuthChangedBySnapshot "auth-changed-by-snapshot": "A snapshot replaced users or roles."
            why "Caches of rights must go with them.";
        121 AnsweredInvalidAuthToken "told-invalid-auth-token": "A member said that the token is invalid."
            why "It has to log in again, here and perhaps elsewhere.";
        122 AnsweredAuthenticationFailed "told-authentication-failed": "A login failed."
            why "Passwords change while clients work.";
        123 AnsweredUserNameIsEmpty "told-user-name-is-empty": "A client without a token was refused."
            why "Auth may be on here and not yet there.";
    }

    LocksAndElections "locks and elections": "Waiting for somebody else's lease." {
        32 LockWaited "lock-waited": "A lock was given to one that had waited."
            why "Whoever is first in the queue must have gone first.";
        41 WaiterGone "waiter-gone": "A client that waits for a lock or an election broke off."
            why "Its place in the queue must not block it.";
        31 LockSessionExpiredWhileWaiting "lock-session-expired-while-waiting": "The lease of one that waits for a lock ended."
            why "It must not be given the lock.";
        12 CampaignWaited "campaign-waited": "An election was won by one that had waited."
            why "As with a lock.";
        11 CampaignAgainWithAnotherValue "campaign-again-with-another-value": "Somebody campaigned again with another value."
            why "The value changes, the place in the queue does not.";
        124 StepsForLocksAndElections "steps-for-locks-and-elections": "A member asked for a step on behalf of the lock and election services."
            why "They are made of ordinary requests, which can fail one by one.";
        125 FencedOff "fenced-off": "A write was refused because the lock it rests on had been lost."
            why "That is what fencing tokens are for.";
        126 SessionsLost "sessions-lost": "A client learned that the lease of its lock or leadership was gone."
            why "It may have acted on it meanwhile.";
    }

    QuotaAndAlarms "quota and alarms": "Space that runs out." {
        2 AlarmRaised "alarm-raised": "An alarm was raised."
            why "Writes are refused from then on, on all members at the same entry.";
        1 AlarmDisarmed "alarm-disarmed": "An alarm was disarmed."
            why "Writes are taken again.";
        127 AnsweredNoSpace "told-no-space": "A request was refused because there is no space left."
            why "Reads, deletions and compactions must still work.";
    }

    Answers "answers": "What clients got as answers." {
        128 AnsweredNothing "told-nothing": "A client gave up without an answer."
            why "The operation stays open to the end of the history.";
        129 AnsweredCompacted "told-compacted": "A member said that a revision is compacted."
            why "If it is not, K3 is violated.";
        130 AnsweredFutureRevision "told-future-revision": "A member said that a revision is yet to come."
            why "If it is not in the future, K3 is violated.";
        131 AnsweredLeaseNotFound "told-lease-not-found": "A member said that there is no such lease."
            why "It may have ended a moment ago.";
        132 AnsweredLeaderChanged "told-leader-changed": "A read was refused because the leader changed."
            why "Its read index was void.";
        133 AnsweredRequestTimedOut "told-request-timed-out": "A request took too long inside the server."
            why "It may still take effect.";
        134 AnsweredTimedOutAfterLeaderFailure "told-timed-out-after-leader-failure": "The same, and the leader was lost meanwhile."
            why "The text differs, the outcome is as open.";
        135 AnsweredServerStopped "told-server-stopped": "A client asked a member that stops."
            why "What was proposed may still be applied.";
        136 AnsweredNotSupportedForLearner "told-not-supported-for-learner": "A learner refused a request."
            why "Learners lag, and must not answer.";
    }
}
