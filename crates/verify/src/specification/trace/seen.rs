//! Which rules of the specification a trace of etcd-io/raft shows enough for, and why not the others.
//!
//! The trace has no ticks, no pre-votes, no transfers of leadership and no reads; entries come without their terms,
//! what is durable is not said, and learners are not listed. Terms of entries are known all the same, because the
//! specification follows every log.

use crate::specification::rule::Rule;

const TIME: &str = "the trace has no ticks and no settings";
const PRE_VOTE: &str = "the trace has no pre-votes";
const DISK: &str = "the trace does not say what is durable";
const FLOW: &str = "the trace does not have what a leader knows of its followers";
const TRANSFER: &str = "the trace has no transfers of leadership";
const PROPOSALS: &str = "the trace has only proposals that were taken";
const READS: &str = "the trace has no reads";
const READY: &str = "the trace does not say what a ready hands over";
const STRANGERS: &str = "the trace does not list learners";

/// Why a rule cannot be judged by a trace; `None` if it is judged.
pub fn not_seen(rule: Rule) -> Option<&'static str> {
    use Rule::*;
    match rule {
        TermMoves | StaleChangesNothing | RoleChanges | FollowsLeader | OneLeader | Restart | Frame
        | CampaignVotersOnly | CampaignGuard | CampaignAsks | VoteOnce | VoteUpToDate | VoteAnswered
        | VotesCounted | WonByQuorum | LeaderBegins | CommitByVote | LeaderAppends | AppendConsistent
        | CutAtConflict | AppendTaken | FollowerCommit | AppendAnswered | HeartbeatAnswered | MatchMoves
        | AcknowledgedExists | AppendTrue | HeartbeatTrue | SnapshotTrue | SnapshotTaken
        | SnapshotAnswered | CommitQuorum | CommitOwnTerm | CommitDue | CommitNeverBack | CommitKnown
        | OneChangeAtATime | ConfigurationApplied | ConfigurationsAgree | Unasked => None,
        ClockMoves | TimeoutInRange | CampaignDue | VoteLease | HeartbeatDue | CheckQuorum => Some(TIME),
        PreVoteKeepsTerm => Some(PRE_VOTE),
        StrangerChangesNothing => Some(STRANGERS),
        NextMoves | NextAboveMatch | FlowControl | AppendDue | AppendSize | SnapshotDue | ActiveCounted => {
            Some(FLOW)
        }
        TransferState | TransferOrder | StepDownRemoved => Some(TRANSFER),
        ProposalTaken | UncommittedCounted | JointLeft => Some(PROPOSALS),
        ReadAfterCommit | ReadByQuorum | ReadIndexTrue | ReadContextOnce | ReadPassedOn => Some(READS),
        ReadyComplete | AppliedWhenCommitted | ReleasedOnce => Some(READY),
        PersistedWhenDurable | PersistedMoves | DurableBeforeSent | LeaderDurable | MessagesWait
        | MessagesLeave | LoopWaits => Some(DISK),
        Configured => Some(TIME),
    }
}
