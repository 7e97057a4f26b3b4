//! The rules of the specification: one row each, with what it requires and where that comes from.
//!
//! A rule without a source is no rule. Where the `raft` crate and etcd's raft differ and both are right, the rule
//! allows both. Sources: the Raft paper (its sections and figure 2), Ongaro's thesis ("thesis" and the section),
//! etcd-io/raft (its file, or the action of `tla/etcdraft.tla`).
//!
//! A new rule is a row here, the place that uses it in the file of its action, and a case in `tests/cases.rs`: a right
//! step, and the small change that breaks the rule.

macro_rules! rules {
    ($($name:ident: $says:literal, $source:literal;)+) => {
        /// A rule of the specification.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $says] $name,)+
        }

        impl Rule {
            /// All rules, in the order of the table.
            pub const ALL: &'static [Rule] = &[$(Rule::$name),+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Rule::$name => stringify!($name),)+ }
            }

            /// What it requires; a sentence.
            pub const fn says(self) -> &'static str {
                match self { $(Rule::$name => $says,)+ }
            }

            /// Whether it is about the messages that a step sends, and not about what the step makes of the state.
            pub const fn is_of_messages(self) -> bool {
                use Rule::{AppendDue, AppendSize, AppendTrue, HeartbeatDue, HeartbeatTrue, Unasked};
                matches!(self, AppendTrue | AppendDue | AppendSize | HeartbeatTrue | HeartbeatDue | Unasked)
            }

            /// Where it comes from.
            pub const fn source(self) -> &'static str {
                match self { $(Rule::$name => $source,)+ }
            }
        }
    };
}

rules! {
    // ---- terms, roles, clocks
    TermMoves: "A term changes only by a campaign of its own or by a message of a higher term, and never goes back.",
        "paper 5.1; UpdateTerm";
    PreVoteKeepsTerm: "A request for a pre-vote and its grant change nobody's term.",
        "thesis 9.6";
    StaleChangesNothing: "A message of a lower term changes nothing. It may be answered with the current term.",
        "paper 5.1; DropStaleResponse";
    StrangerChangesNothing: "An answer of a member that is not in the configuration changes nothing.",
        "etcd-io/raft rawnode.go, Step";
    RoleChanges: "A role changes only as figure 4 of the paper says, and each change has its cause in this step.",
        "paper 5.1, 5.2";
    FollowsLeader: "A valid message of the leader of the current term makes its receiver a follower of that leader.",
        "paper 5.2; BecomeFollowerOfTerm";
    OneLeader: "A term has one leader: a member follows no second one, and no second one leads.",
        "paper 5.2 (election safety); MoreThanOneLeaderInv";
    ClockMoves: "The election clock advances by a tick, and begins anew when the leader is heard, a vote is given or a campaign begins.",
        "paper 5.2, figure 2";
    TimeoutInRange: "An election timeout is at least the configured one and less than twice that.",
        "paper 5.2; etcd-io/raft raft.go, resetRandomizedElectionTimeout";
    Restart: "A process starts as a follower of nobody, with what it found on its disk and nothing else.",
        "paper figure 2; Restart";
    Frame: "What an action does not name stays as it was.",
        "UNCHANGED in tla/etcdraft.tla";

    // ---- elections
    CampaignDue: "A voter campaigns when its election timeout runs out or its leader orders it, and not otherwise.",
        "paper 5.2; Timeout";
    CampaignVotersOnly: "Only a voter campaigns.",
        "thesis 4.2.1; Timeout";
    CampaignGuard: "Nobody campaigns or stays a candidate while a change of the configuration is committed and not applied.",
        "etcd-io/raft raft.go, hup; issue 456";
    CampaignAsks: "A candidate asks every other voter, once, and says what its own log ends with.",
        "paper 5.2, 5.4.1; RequestVote";
    VoteOnce: "A member gives one vote a term.",
        "paper 5.2, figure 2; HandleRequestVoteRequest";
    VoteUpToDate: "A vote or pre-vote goes only to a candidate whose log is at least as up to date, and such a candidate gets it.",
        "paper 5.4.1; HandleRequestVoteRequest";
    VoteLease: "With check-quorum, a member that heard from a leader within an election timeout ignores requests for votes, unless a transfer asks.",
        "thesis 4.2.3, 6.4.1; etcd-io/raft raft.go, Step";
    VoteAnswered: "A request for a vote or a pre-vote is answered, with the term that the candidate needs.",
        "paper figure 2; thesis 9.6; HandleRequestVoteRequest";
    VotesCounted: "A candidate counts the first answer of each member to this candidacy, and counts it as given.",
        "paper 5.2; HandleRequestVoteResponse";
    WonByQuorum: "A candidate leads, or goes on to ask for votes, exactly when a quorum of each half of the configuration granted; it gives up exactly when no quorum can.",
        "paper 5.2, 6; BecomeLeader";
    LeaderBegins: "A new leader knows of no matches but its own, sends from the end of its log, and adds one empty entry of its term.",
        "paper figure 2, 8; thesis 6.4; BecomeLeader";
    CommitByVote: "A commit index that comes with a vote or a read is taken only if the entry there has the same term.",
        "raft 0.7.0 raft.rs, maybe_commit_by_vote; paper 5.3 (log matching)";

    // ---- logs
    LeaderAppends: "A leader only adds to its log: what is proposed, in its own term.",
        "paper 5.3 (leader append-only); ClientRequest";
    AppendConsistent: "Entries are accepted exactly if the log has the entry before them.",
        "paper 5.3, figure 2; HandleAppendEntriesRequest";
    CutAtConflict: "A log is cut only at the first entry that conflicts, and never at or below the commit index.",
        "paper 5.3; ConflictAppendEntriesRequest";
    AppendTaken: "What an append brings is in the log afterwards, with its terms.",
        "paper 5.3; NoConflictAppendEntriesRequest";
    FollowerCommit: "A follower's commit index becomes the smaller of its leader's and the last entry it knows to share, and never goes back.",
        "paper figure 2; AppendEntriesAlreadyDone";
    AppendAnswered: "An append is answered: with the last index that agrees, or with a refusal that says where the logs may agree.",
        "paper 5.3; etcd-io/raft raft.go, handleAppendEntries";
    HeartbeatAnswered: "A heartbeat is answered, with its context.",
        "etcd-io/raft raft.go, handleHeartbeat";

    // ---- replication
    MatchMoves: "What a leader knows to match moves only by an acknowledgement of this term that covers it, or by its own durable entries, and never back.",
        "paper figure 2; HandleAppendEntriesResponse";
    AcknowledgedExists: "An acknowledgement is of entries that the leader has.",
        "paper 5.3 (log matching)";
    NextMoves: "The next entry to send follows what matches; it moves with what is sent, and back only by a refusal that is not stale.",
        "paper 5.3; etcd-io/raft tracker/progress.go";
    NextAboveMatch: "The next entry to send lies above what matches.",
        "etcd-io/raft tracker/progress.go (Match < Next)";
    FlowControl: "A follower is probed with one message at a time, gets as many as the window holds once its log agrees, and nothing while a snapshot is on its way.",
        "etcd-io/raft, design of the progress; tracker/state.go";
    AppendTrue: "An append says what the leader's log has: the entry before, the entries, the commit index.",
        "paper figure 2; AppendEntriesInRange";
    AppendDue: "A leader sends entries to every follower that lacks them and may get them.",
        "paper 5.3, figure 2; AppendEntries";
    AppendSize: "An append has at most the configured bytes, or one entry.",
        "etcd-io/raft raft.go, MaxSizePerMsg";
    HeartbeatTrue: "A heartbeat names a commit index that the follower is known to have.",
        "etcd-io/raft raft.go, sendHeartbeat; Heartbeat";
    HeartbeatDue: "A leader sends a heartbeat to every member at every heartbeat interval and for every read.",
        "paper 5.2; Heartbeat";
    SnapshotTrue: "A snapshot ends in the applied part of the log and has the configuration of that index.",
        "paper 7; thesis 5.1; SendSnapshot";
    SnapshotDue: "A snapshot is sent only to a member that has answered lately and needs entries that the log no longer has.",
        "paper 7; etcd-io/raft raft.go, maybeSendSnapshot";
    SnapshotTaken: "A snapshot replaces the log exactly if it is ahead of the commit index, names its receiver, and the log does not have its last entry.",
        "paper 7, figure 13; etcd-io/raft raft.go, restore";
    SnapshotAnswered: "A snapshot is answered with the last index that agrees.",
        "etcd-io/raft raft.go, handleSnapshot";
    ActiveCounted: "A member counts as active exactly if it answered since the leader last checked.",
        "etcd-io/raft tracker/progress.go (RecentActive)";

    // ---- commit
    CommitQuorum: "A leader's commit index moves only to an entry that a quorum of each half of the configuration has.",
        "paper 5.3, 6; AdvanceCommitIndex";
    CommitOwnTerm: "A leader's commit index moves only to an entry of its own term.",
        "paper 5.4.2; AdvanceCommitIndex";
    CommitDue: "A leader commits an entry of its term as soon as it knows of the quorum.",
        "paper figure 2 (rules for servers, leaders); AdvanceCommitIndex";
    CommitNeverBack: "A commit index never goes back.",
        "paper figure 2";
    CommitKnown: "A commit index moves only where the log reaches.",
        "paper 5.3";

    // ---- leadership
    CheckQuorum: "With check-quorum, a leader steps down exactly if no quorum answered it within an election timeout.",
        "thesis 6.2; StepDownToFollower";
    TransferState: "One transfer is under way at a time, to another voter; it is given up after an election timeout.",
        "thesis 3.10; etcd-io/raft raft.go, stepLeader";
    TransferOrder: "A leader sends a member TimeoutNow only in a transfer to it, once its log is complete, and then must.",
        "thesis 3.10";
    StepDownRemoved: "A host makes a leader step down only if it has left the configuration.",
        "thesis 4.2.2; etcd-io/raft raft.go, StepDownOnRemoval";

    // ---- proposals and the configuration
    ProposalTaken: "A leader takes every proposal, unless it transfers its leadership, has left the configuration, or has too much uncommitted; others pass it on or drop it.",
        "paper 8; thesis 3.10; etcd-io/raft raft.go, stepLeader";
    OneChangeAtATime: "A change of the configuration enters the log only if all earlier ones are applied and it fits the configuration; otherwise an empty entry takes its place.",
        "thesis 4.1; etcd-io/raft raft.go, pendingConfIndex; AddNewServer";
    ConfigurationApplied: "A configuration is the one before with the applied change: one voter at most, or by a joint configuration.",
        "paper 6; thesis 4.1, 4.3; ApplySimpleConfChange";
    ConfigurationsAgree: "All members have the same configuration after the same entry.",
        "thesis 4.1";
    JointLeft: "A leader leaves a joint configuration on its own once it has applied it, if auto-leave is set.",
        "paper 6; etcd-io/raft raft.go, appliedTo";

    // ---- reads
    ReadAfterCommit: "A leader gives out read indexes only once it has committed an entry of its own term.",
        "thesis 6.4";
    ReadByQuorum: "A read index is given out only once a quorum has confirmed the leader after the request.",
        "thesis 6.4; etcd-io/raft read_only.go";
    ReadIndexTrue: "A read index is the commit index at the time of the request.",
        "thesis 6.4";
    ReadContextOnce: "A process asks for each read index under a number of its own.",
        "etcd-io/raft doc.go, ReadIndex (unique context)";
    ReadPassedOn: "A request for a read index goes to the leader, and its answer to whoever asked.",
        "thesis 6.4; etcd-io/raft raft.go, stepFollower";

    // ---- the host
    ReadyComplete: "A ready hands over every entry, snapshot, message and answer since the last one, once and in order.",
        "etcd-io/raft doc.go, node.go (Ready); Ready";
    AppliedWhenCommitted: "Only entries that are committed and durable are handed over to be applied, in order, each once.",
        "paper 5.3, figure 2; etcd-io/raft doc.go";
    PersistedWhenDurable: "A member counts its own entries only once they are durable.",
        "thesis 10.2.1; etcd-io/raft doc.go (asynchronous storage)";
    PersistedMoves: "What is known to be durable moves to what was written, and back only where the log is replaced.",
        "etcd-io/raft log_unstable.go; raft 0.7.0, maybe_persist";
    DurableBeforeSent: "Votes, requests for votes and acknowledgements leave only once what they promise is durable.",
        "paper figure 2; thesis 3.8; etcd-io/raft doc.go";
    LeaderDurable: "What only a leader sends leaves only once its vote for itself is durable.",
        "thesis 3.8, 10.2.1";
    MessagesWait: "A message leaves only once its ready is durable; a leader whose vote is durable sends beside its save.",
        "etcd server/etcdserver/raft.go, start; thesis 10.2.1; docs/findings.md (the only voter)";
    MessagesLeave: "A leader's messages leave as soon as a ready hands them over, all others' as soon as it is durable.",
        "etcd server/etcdserver/raft.go, start; thesis 10.2.1";
    LoopWaits: "A raft loop that waits for its saves makes no tick, begins no campaign and takes no ready during one.",
        "etcd server/etcdserver/raft.go, start";
    Configured: "Raft runs with the settings of the plan, and with a heartbeat each tick.",
        "etcd server/etcdserver/bootstrap.go, raftConfig; server/config";
    ReleasedOnce: "A host lets each message go once, and only what raft put out.",
        "etcd-io/raft doc.go";
    UncommittedCounted: "The bytes of uncommitted proposals are counted when they are taken, and no longer when they are handed over to be applied.",
        "etcd-io/raft raft.go, MaxUncommittedEntriesSize";
    Unasked: "A member sends only what an action of the specification sends.",
        "tla/etcdraft.tla (Next)";
}
