//! The actions of the specification, and the ways in which each may lawfully refuse or ignore its input. They are
//! counted: what no run reaches proves nothing.
//!
//! Names of actions are those of etcd-io/raft's `tla/etcdraft.tla` where it has them. `docs/specification.md` lists
//! them from this table.

macro_rules! table {
    ($($action:literal { $($name:ident: $what:literal $(, seldom $why:literal)?;)+ })+) => {
        /// A way through an action.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reached {
            $($(#[doc = $what] $name,)+)+
        }

        impl Reached {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Reached] = &[$($(Reached::$name,)+)+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $($(Reached::$name => stringify!($name),)+)+ }
            }

            /// The action it belongs to.
            pub const fn action(self) -> &'static str {
                match self { $($(Reached::$name)|+ => $action,)+ }
            }

            /// What happens.
            pub const fn what(self) -> &'static str {
                match self { $($(Reached::$name => $what,)+)+ }
            }

            /// Why runs need not reach it; empty if they must.
            pub const fn seldom(self) -> &'static str {
                match self { $($(Reached::$name => concat!($($why)?),)+)+ }
            }
        }
    };
}

table! {
    "Restart" {
        Restarted: "a process starts";
    }
    "Timeout" {
        TimeoutNotDue: "a tick before the election timeout";
        TimeoutNoVoter: "the timeout of a member that does not vote";
        TimeoutHasChange: "no campaign, because a committed change is not applied";
        CampaignPreVote: "a campaign begins with pre-votes";
        CampaignElection: "a campaign asks for votes";
        CampaignTransfer: "a campaign that the leader ordered";
        CampaignAsLeader: "a leader is asked to campaign and stays leader",
            seldom "the host tells only a sole voter to campaign, when it starts";
    }
    "BecomeLeader" {
        Elected: "a quorum granted";
        ElectedAlone: "the only voter leads at once";
        PreVoteWon: "a quorum granted the pre-vote";
        Defeated: "a quorum is out of reach";
        VoteOpen: "an answer decides nothing yet";
    }
    "UpdateTerm" {
        TermRaised: "a message of a higher term makes a follower";
        HigherPreVote: "a request for a pre-vote of a higher term, which changes no term";
        HigherPreVoteGrant: "the grant of a pre-vote, which changes no term";
        IgnoredInLease: "a request for a vote is ignored, because a leader was heard from";
        TransferOverLease: "a request for a vote that a transfer allows although a leader was heard from";
    }
    "DropStaleResponse" {
        StaleIgnored: "a message of a lower term is ignored";
        StaleLeaderTold: "a leader of a lower term hears of the current one";
        StalePreVoteRefused: "a request for a pre-vote of a lower term is refused";
        Stranger: "an answer of a member outside of the configuration is ignored",
            seldom "the host gives raft nothing of a member that has left";
    }
    "HandleRequestVoteRequest" {
        VoteGranted: "a vote is given";
        VoteRepeated: "the same vote is given once more";
        VoteRefusedVoted: "a vote is refused, because it is given or a leader is known";
        VoteRefusedLog: "a vote is refused, because the candidate's log is behind";
        PreVoteGranted: "a pre-vote is granted";
        PreVoteRefused: "a pre-vote is refused, because the candidate's log is behind or its term is no higher";
        CommitFromVote: "a commit index is taken from a request for votes or its refusal";
        CommitStopsCampaign: "a candidate learns that a change is committed, and gives up",
            seldom "the change must be committed by others, and in the candidate's log, before it hears of it";
    }
    "HandleRequestVoteResponse" {
        VoteCounted: "an answer is counted";
        VoteRepeatedAnswer: "a second answer of one member is not counted";
        VoteTooLate: "an answer that comes when the candidacy is over";
        VoteOfOtherKind: "an answer to the pre-vote comes to a candidate, or the other way round";
    }
    "HandleAppendEntriesRequest" {
        AppendStored: "new entries are added";
        AppendCuts: "entries in conflict are replaced";
        AppendDone: "all entries are there already";
        AppendEmpty: "an append without entries agrees";
        AppendBelowCommit: "an append from below the commit index";
        AppendRefused: "an append is refused, because the logs do not agree";
        AppendEndsCandidacy: "a candidate follows the leader of its term";
    }
    "HandleHeartbeat" {
        HeartbeatCommits: "a heartbeat moves the commit index";
        HeartbeatOnly: "a heartbeat moves nothing";
        HeartbeatEndsCandidacy: "a candidate follows the leader of its term";
    }
    "HandleSnapshotRequest" {
        SnapshotRestored: "a snapshot replaces the log";
        SnapshotBelowCommit: "a snapshot from below the commit index is ignored";
        SnapshotOfOthers: "a snapshot that does not name its receiver is ignored",
            seldom "the host makes a new snapshot after each change of the configuration";
        SnapshotKnown: "a snapshot whose last entry is in the log only moves the commit index";
    }
    "HandleAppendEntriesResponse" {
        AckAdvances: "an acknowledgement moves the match index";
        AckKnown: "an acknowledgement of what is known already";
        AckEndsProbe: "an acknowledgement ends the probing";
        AckEndsSnapshot: "an acknowledgement of a snapshot";
        RefusalHeeded: "a refusal moves the next entry back";
        RefusalStale: "a refusal that is out of date is ignored";
        AckCommits: "an acknowledgement makes a quorum";
        AckOrdersTransfer: "an acknowledgement completes the log of the member that is to lead";
    }
    "HandleHeartbeatResponse" {
        HeartbeatAcked: "an answer to a heartbeat";
        HeartbeatFreesWindow: "an answer makes room in a full window";
        ReadConfirmed: "an answer confirms a read, and with it all before it";
        ReadOneMore: "an answer confirms a read that needs more";
    }
    "AppendEntries" {
        ReplicateSent: "entries are sent";
        ReplicateEmpty: "an append without entries is sent";
        ReplicatePaused: "nothing is sent, because an answer is awaited or the window is full";
        SnapshotSent: "a snapshot is sent";
        SnapshotNotAtHand: "a snapshot is needed, and is not there yet or the member was not heard from";
    }
    "Heartbeat" {
        HeartbeatsSent: "a leader sends heartbeats";
    }
    "CheckQuorum" {
        QuorumActive: "a quorum has answered";
        QuorumLost: "no quorum has answered, and the leader steps down";
    }
    "ClientRequest" {
        Proposed: "a leader takes a proposal";
        ProposalForwarded: "a follower passes a proposal on";
        ProposalNoLeader: "a proposal is dropped, because there is no leader";
        ProposalInTransfer: "a proposal is dropped, because leadership is being transferred";
        ProposalTooMuch: "a proposal is dropped, because too much is uncommitted",
            seldom "the limit is 64 MiB";
        ProposalRemoved: "a proposal is dropped by a leader that has left the configuration",
            seldom "the host makes such a leader step down at once";
        ChangeProposed: "a leader takes a change of the configuration";
        ChangeRefused: "an empty entry takes the place of a change";
    }
    "ApplyConfChange" {
        ChangedSimply: "a configuration changes by one member";
        JointEntered: "a joint configuration begins";
        JointEnded: "a joint configuration ends";
        ChangedNothing: "a change that is no longer valid changes nothing";
        ChangeCommits: "a change makes the quorum smaller, and the smaller one has an entry",
            seldom "an even number of voters must shrink just when an entry lacks one last answer";
        ChangeConfirmsRead: "a change makes the quorum smaller, and the smaller one has confirmed a read",
            seldom "a read must wait for its last answer just when the configuration shrinks";
        ChangeEndsTransfer: "a change removes the member that was to lead",
            seldom "a transfer takes milliseconds";
        RemovedLeader: "a leader that has left the configuration steps down";
        JointLeaves: "a leader proposes to leave the joint configuration";
    }
    "ReadIndex" {
        ReadBegun: "a leader asks for a quorum";
        ReadAlone: "the only voter answers at once";
        ReadTooEarly: "a read is dropped, because the leader has committed nothing in its term";
        ReadForwarded: "a follower passes a read on";
        ReadNoLeader: "a read is dropped, because there is no leader";
        ReadAnswered: "a follower receives a read index";
        ReadCommits: "a read index moves the commit index of a follower";
        ReadNotFollower: "a read index comes to a member that does not follow any more";
    }
    "TransferLeadership" {
        TransferBegun: "a transfer begins";
        TransferOrdered: "the order to campaign goes out at once";
        TransferRepeated: "the same transfer is asked for again";
        TransferReplaced: "a transfer takes the place of another";
        TransferToSelf: "a transfer to the leader itself is ignored";
        TransferToNobody: "a transfer to a learner or a stranger is ignored",
            seldom "the host asks only for voters";
        TransferForwarded: "a follower passes the request on",
            seldom "the host asks only a leader, which may have been deposed just now";
        TransferNoLeader: "the request is dropped by a member without a leader",
            seldom "the host asks only a leader, which may have been deposed just now";
        TransferGivenUp: "a transfer is given up after an election timeout";
        OrderIgnored: "an order to campaign is ignored by a member that does not follow or does not vote";
    }
    "SnapshotStatus" {
        SnapshotArrived: "a snapshot arrived";
        SnapshotFailed: "a snapshot did not arrive";
        SnapshotStatusLate: "the report on a snapshot comes when nobody waits for it";
    }
    "Ready" {
        ReadyTaken: "a ready without anything to save";
        ReadySaved: "a ready that must be saved";
        ReadyWithSnapshot: "a ready with a snapshot";
    }
    "PersistState" {
        EntriesPersisted: "entries are durable";
        SnapshotPersisted: "a snapshot is durable";
        NothingPersisted: "a ready without entries is durable, or its entries are replaced already";
        OwnCopyCommits: "the leader's own copy makes a quorum";
    }
    "Send" {
        Released: "messages leave";
    }
}

/// How often each was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts([u64; Reached::ALL.len()]);

impl Default for Counts {
    fn default() -> Counts {
        Counts([0; Reached::ALL.len()])
    }
}

impl Counts {
    /// Counts one.
    #[inline]
    pub(super) fn count(&mut self, reached: Reached) {
        self.0[reached as usize] += 1;
    }

    /// How often one was reached.
    pub fn of(&self, reached: Reached) -> u64 {
        self.0[reached as usize]
    }
}
