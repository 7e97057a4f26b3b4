//! The event trace: what happened, when, and to which member.
//!
//! Each *fact* is reported by the part that knows it: the member reports what its log and state machine did,
//! the world reports what reached the disk, the wire and the process table. The invariants I1 to I10 of
//! `verify` are written against these facts and nothing else.
//!
//! What is not here: message payloads and values. A fact carries digests of them.

use crate::hash::TraceHash;
use crate::{Failpoint, MemberId, Nanos, Probe};

/// A fact with its time and its member.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, on the simulator's true clock.
    pub time: Nanos,
    /// The member of the fact; [`MemberId::NONE`] where it belongs to no member (a client, the world).
    pub member: MemberId,
    /// What happened.
    pub fact: Fact,
}

/// Watches a run as it goes. The world calls it for every event, in order.
pub trait Observer {
    /// The next event.
    fn event(&mut self, event: &Event);
}

/// Ignores everything.
impl Observer for () {
    fn event(&mut self, _: &Event) {}
}

/// A raft role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Follows a leader, or waits for one.
    Follower,
    /// Asks whether it could win an election (pre-vote).
    PreCandidate,
    /// Asks for votes.
    Candidate,
    /// Leads its term.
    Leader,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Asked to stop; it finished what it had to.
    Graceful,
    /// Killed (kill -9). What it wrote to files stays in the page cache.
    Crash,
    /// Lost power, with its disk: what was not synced may be lost.
    PowerLoss,
    /// Ended itself because it could not continue safely (a disk error, say). Carries the reason.
    Fatal(String),
    /// Panicked. Carries the panic's message and location.
    Panic(String),
    /// Refused to start. Carries the reason.
    Refused(String),
    /// Learned that it is no longer a member of the cluster, for good.
    Removed,
}

/// What remains of a fault after it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultEffect {
    /// It destroys, for good, data that a member's disk has confirmed.
    pub damages: bool,
    /// A member on a new machine joins the cluster.
    pub adds_member: bool,
    /// A member leaves the cluster.
    pub removes_member: bool,
}

impl FaultEffect {
    /// Nothing: when the fault is over, everything is as before.
    pub const NONE: FaultEffect = FaultEffect { damages: false, adds_member: false, removes_member: false };
    /// Data that the disk has confirmed is destroyed.
    pub const DAMAGE: FaultEffect = FaultEffect { damages: true, ..FaultEffect::NONE };
    /// A member joins.
    pub const ADDS_MEMBER: FaultEffect = FaultEffect { adds_member: true, ..FaultEffect::NONE };
    /// A member leaves.
    pub const REMOVES_MEMBER: FaultEffect = FaultEffect { removes_member: true, ..FaultEffect::NONE };
    /// A member leaves, and another one joins.
    pub const REPLACES_MEMBER: FaultEffect = FaultEffect { adds_member: true, ..FaultEffect::REMOVES_MEMBER };
}

/// A part of a run. The numbers are those of the trace hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// The workload runs while faults happen.
    Chaos = 1,
    /// Faults end.
    Heal = 2,
    /// The run waits for what must come about after healing.
    Settle = 3,
    /// The run is over.
    End = 4,
}

impl Phase {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Chaos => "chaos",
            Phase::Heal => "heal",
            Phase::Settle => "settle",
            Phase::End => "end",
        }
    }
}

/// One entry of a raft log, without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogEntry {
    /// Position in the log, from 1.
    pub index: u64,
    /// The term of the leader that made it.
    pub term: u64,
    /// Digest of type and payload.
    pub digest: u64,
}

/// Raft's messages, under their names in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are raft's own")]
pub enum MessageKind {
    Append,
    AppendResponse,
    RequestVote,
    RequestVoteResponse,
    RequestPreVote,
    RequestPreVoteResponse,
    Heartbeat,
    HeartbeatResponse,
    Snapshot,
    Propose,
    TransferLeader,
    TimeoutNow,
    ReadIndex,
    ReadIndexResponse,
    /// A client's request to a member.
    ClientRequest,
    /// A member's answer to a client.
    ClientResponse,
    /// A client's message on a watch stream.
    WatchRequest,
    /// A member's message on a watch stream.
    WatchResponse,
    /// A call of one member to another that is not a raft message: a lease renewed at the leader, a hash
    /// compared.
    PeerCall,
    /// The answer to such a call.
    PeerAnswer,
    Other,
}

/// What the invariants need to know of a message. Fields that a kind does not use are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageHead {
    /// Which message.
    pub kind: MessageKind,
    /// The sender's term as the message states it (0 for proposals and client messages).
    pub term: u64,
    /// Append: index before its entries. AppendResponse: last index accepted (or the one rejected).
    /// Snapshot: its index.
    pub index: u64,
    /// Term of the entry at `index`.
    pub log_term: u64,
    /// The commit index it carries.
    pub commit: u64,
    /// Whether it is a rejection.
    pub reject: bool,
    /// How many entries it carries.
    pub entries: u32,
}

/// Why a message did not arrive as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DropReason {
    /// Lost by the link's loss ratio.
    Loss,
    /// The link was cut when it was sent.
    CutAtSend,
    /// The link was cut when it should have arrived.
    CutAtArrival,
    /// Damaged, and dropped by the transport's checksum or the decoder.
    Corrupt,
    /// A message rule of the plan dropped it.
    Rule,
    /// Its receiver, or the incarnation it was meant for, is gone.
    Dead,
    /// The link's queue was full.
    Overflow,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    // ---- processes; reported by the world -------------------------------------------------------
    /// The process begins; what it recovers follows in [`Fact::Recovered`].
    Started {
        /// The number of starts of this member, from 1.
        incarnation: u32,
    },
    /// The process is gone.
    Stopped(Stop),
    /// The process is paused; its clocks go on.
    Paused,
    /// The process is resumed.
    Resumed,
    /// A fault of the plan begins (`begins`) or ends; `what` and `kind` are its kind, `fault` its number.
    Fault {
        /// Number of the fault in the plan.
        fault: u32,
        /// Its kind, by its name in a scenario.
        what: &'static str,
        /// The number of its kind, for the trace hash.
        kind: u64,
        /// What remains of it after it ends, for the judges.
        effect: FaultEffect,
        /// Whether it begins or ends.
        begins: bool,
    },
    /// A new phase of the run.
    Phase(Phase),

    // ---- raft and the state machine; reported by the member -------------------------------------
    /// What a process found on its disk. Replaces everything known of this member's log.
    Recovered {
        /// Term of its hard state.
        term: u64,
        /// The vote in that term.
        vote: MemberId,
        /// Commit index of its hard state.
        commit: u64,
        /// Index and term just before its first entry: those of its last snapshot, or 0, 0.
        before: (u64, u64),
        /// All entries after that position.
        entries: Vec<LogEntry>,
        /// The consistent index of its backend: everything up to it is in the store.
        consistent_index: u64,
        /// The store's revision.
        revision: u64,
        /// The hash of all replicated state: the store, the membership, users and roles.
        state_hash: u64,
    },
    /// Term, vote or role changed in memory.
    State {
        /// Current term.
        term: u64,
        /// Vote in this term.
        vote: MemberId,
        /// Role.
        role: Role,
        /// Known leader.
        leader: MemberId,
    },
    /// Entries were appended to the log in memory. They replace everything at and after the first one.
    Appended(Vec<LogEntry>),
    /// The log in memory now begins after this position; earlier entries are in a snapshot.
    LogCompacted {
        /// Last index dropped.
        index: u64,
        /// Its term.
        term: u64,
    },
    /// A snapshot from the leader replaces log and store.
    SnapshotInstalled {
        /// The snapshot's index.
        index: u64,
        /// Its term.
        term: u64,
        /// The store's revision after it.
        revision: u64,
        /// The hash of all replicated state after it.
        state_hash: u64,
    },
    /// A write of raft state was handed to the disk as job `job`. When the world reports [`Fact::JobDone`]
    /// with `synced`, all of this is durable.
    Saving {
        /// The disk job's number.
        job: u64,
        /// Term of the hard state in it (the current one if the job carries none).
        term: u64,
        /// Vote of that hard state.
        vote: MemberId,
        /// Commit of that hard state.
        commit: u64,
        /// Last index of the log once the job has ended.
        last_index: u64,
    },
    /// The commit index moved.
    Committed {
        /// The new commit index.
        index: u64,
        /// The term of the entry there.
        term: u64,
    },
    /// An entry was applied.
    Applied {
        /// Its index.
        index: u64,
        /// Its term.
        term: u64,
        /// Its digest, as in [`LogEntry`].
        digest: u64,
        /// The raft request id it carries; 0 for the empty entry of a new leader and for configuration
        /// changes.
        request: u64,
        /// The store's revision after it.
        revision: u64,
        /// The hash of all replicated state after it.
        state_hash: u64,
        /// Whether it made a revision.
        mutated: bool,
        /// False if the consistent index showed that the store already holds it, so that only the bookkeeping
        /// moved (replay after a restart).
        executed: bool,
    },
    /// The backend was committed and is durable with this consistent index.
    BackendDurable {
        /// The consistent index inside that commit.
        consistent_index: u64,
    },
    /// A linearizable read asked the leader for its commit index.
    ReadIndexAsked {
        /// The context it used.
        context: u64,
    },
    /// A read index was confirmed to this member.
    ReadIndexConfirmed {
        /// Its context.
        context: u64,
        /// The index.
        index: u64,
    },
    /// A client's request became a proposal.
    Proposed {
        /// The client operation's number in the history.
        operation: u64,
        /// The raft request id chosen for it.
        request: u64,
    },

    /// A member proposes something that no client asked for: the revocation of a lease, an automatic
    /// compaction, a step of the lock or election service.
    ProposedInternal {
        /// The raft request id chosen for it.
        request: u64,
        /// The proposed request.
        what: Box<api::Request>,
    },
    /// The configuration in force on this member from now on: after its start, a change that it applied, or a
    /// snapshot that it installed.
    Configuration {
        /// Index of the entry (or snapshot) that made it.
        index: u64,
        /// Voters, sorted; in a joint configuration the incoming ones.
        voters: Vec<MemberId>,
        /// Voters of the outgoing half of a joint configuration; empty otherwise.
        outgoing: Vec<MemberId>,
        /// Learners, sorted.
        learners: Vec<MemberId>,
    },
    /// The member became the lessor, or stopped being it.
    Lessor {
        /// Whether it is the lessor now.
        primary: bool,
    },
    /// The member hit an armed crash or pause point, or passed one that conditions and probes wait for.
    Failpoint {
        /// The failpoint.
        point: Failpoint,
    },
    /// The member reached a probe.
    Probe {
        /// The probe.
        probe: Probe,
    },

    // ---- disk; reported by the world --------------------------------------------------------------
    /// A disk job ended.
    JobDone {
        /// Its number.
        job: u64,
        /// Whether everything in it, and in all jobs before it, is durable now.
        synced: bool,
        /// Whether it failed.
        failed: bool,
    },

    // ---- network; reported by the world -----------------------------------------------------------
    /// A message was sent. The event's member is the sender, or none for a client.
    Sent {
        /// The receiver; none for a client.
        to: MemberId,
        /// The message.
        head: MessageHead,
    },
    /// A message was delivered. The event's member is the receiver.
    Delivered {
        /// The sender.
        from: MemberId,
        /// The message.
        head: MessageHead,
    },
    /// A message was lost. The event's member is the sender.
    Dropped {
        /// The receiver it did not reach.
        to: MemberId,
        /// The message.
        kind: MessageKind,
        /// The reason.
        why: DropReason,
    },

    // ---- clients; reported by the world -----------------------------------------------------------
    /// A client sends operation `operation` of the history.
    Called {
        /// Number in the history.
        operation: u64,
        /// The client.
        client: u32,
        /// Digest of the request.
        digest: u64,
    },
    /// A client has its answer, or gives up (`answered` false).
    Returned {
        /// Number in the history.
        operation: u64,
        /// Whether there was an answer.
        answered: bool,
        /// Digest of the answer.
        digest: u64,
    },
    /// A client opened watch stream `stream`.
    WatchOpened {
        /// Number among the streams of the history.
        stream: u64,
        /// The client.
        client: u32,
        /// The member at the other end.
        to: MemberId,
    },
    /// A response of a stream was delivered to its client.
    WatchReceived {
        /// Number among the streams of the history.
        stream: u64,
        /// The revision in its header.
        revision: u64,
        /// How many events it carries.
        events: u32,
        /// Digest of the whole response.
        digest: u64,
    },
    /// A stream ended for its client.
    WatchEnded {
        /// Number among the streams of the history.
        stream: u64,
    },
}

impl Event {
    /// Takes this event into a trace hash. Names enter as numbers, texts not at all.
    pub fn absorb_into(&self, hash: &mut TraceHash) {
        let (time, who) = (self.time, self.member.raft_id());
        let mut put = |tag: u64, words: &[u64]| {
            let mut all = [0_u64; 12];
            all[0] = time;
            all[1] = who | tag << 32;
            all[2..2 + words.len()].copy_from_slice(words);
            hash.absorb(&all[..2 + words.len()]);
        };
        match &self.fact {
            Fact::Started { incarnation } => put(1, &[u64::from(*incarnation)]),
            Fact::Stopped(stop) => match stop {
                Stop::Graceful => put(2, &[0]),
                Stop::Crash => put(2, &[1]),
                Stop::PowerLoss => put(2, &[2]),
                // Texts are for people, not for the hash: a better sentence does not change the run.
                Stop::Fatal(_) => put(2, &[3]),
                Stop::Panic(_) => put(2, &[4]),
                Stop::Refused(_) => put(2, &[5]),
                Stop::Removed => put(2, &[6]),
            },
            Fact::Paused => put(3, &[]),
            Fact::Resumed => put(4, &[]),
            Fact::Fault { fault, what: _, kind, effect: _, begins } => {
                put(5, &[u64::from(*fault), *kind, u64::from(*begins)]);
            }
            Fact::Phase(phase) => put(6, &[*phase as u64]),
            Fact::Recovered {
                term,
                vote,
                commit,
                before,
                entries,
                consistent_index,
                revision,
                state_hash,
            } => {
                put(
                    7,
                    &[
                        *term,
                        vote.raft_id(),
                        *commit,
                        before.0,
                        before.1,
                        *consistent_index,
                        *revision,
                        *state_hash,
                    ],
                );
                entries.iter().for_each(|entry| put(8, &[entry.index, entry.term, entry.digest]));
            }
            Fact::State { term, vote, role, leader } => {
                put(9, &[*term, vote.raft_id(), *role as u64, leader.raft_id()])
            }
            Fact::Appended(entries) => {
                entries.iter().for_each(|entry| put(10, &[entry.index, entry.term, entry.digest]));
            }
            Fact::LogCompacted { index, term } => put(11, &[*index, *term]),
            Fact::SnapshotInstalled { index, term, revision, state_hash } => {
                put(12, &[*index, *term, *revision, *state_hash]);
            }
            Fact::Saving { job, term, vote, commit, last_index } => {
                put(13, &[*job, *term, vote.raft_id(), *commit, *last_index]);
            }
            Fact::Committed { index, term } => put(14, &[*index, *term]),
            Fact::Applied { index, term, digest, request, revision, state_hash, mutated, executed } => put(
                15,
                &[
                    *index,
                    *term,
                    *digest,
                    *request,
                    *revision,
                    *state_hash,
                    u64::from(*mutated) | u64::from(*executed) << 1,
                ],
            ),
            Fact::BackendDurable { consistent_index } => put(16, &[*consistent_index]),
            Fact::ReadIndexAsked { context } => put(17, &[*context]),
            Fact::ReadIndexConfirmed { context, index } => put(18, &[*context, *index]),
            Fact::Proposed { operation, request } => put(19, &[*operation, *request]),
            Fact::ProposedInternal { request, what } => put(26, &[*request, what.number()]),
            Fact::Configuration { index, voters, outgoing, learners } => {
                put(27, &[*index, voters.len() as u64, outgoing.len() as u64, learners.len() as u64]);
                for half in [voters, outgoing, learners] {
                    half.iter().for_each(|id| put(28, &[id.raft_id()]));
                }
            }
            Fact::Lessor { primary } => put(29, &[u64::from(*primary)]),
            Fact::Failpoint { point } => put(30, &[point.number()]),
            Fact::Probe { probe } => put(31, &[probe.number()]),
            Fact::JobDone { job, synced, failed } => {
                put(20, &[*job, u64::from(*synced) | u64::from(*failed) << 1]);
            }
            Fact::Sent { to, head } => put(21, &head.words(*to)),
            Fact::Delivered { from, head } => put(22, &head.words(*from)),
            Fact::Dropped { to, kind, why } => {
                put(23, &[to.raft_id() | (*kind as u64) << 32 | (*why as u64) << 48]);
            }
            Fact::Called { operation, client, digest } => put(24, &[*operation, u64::from(*client), *digest]),
            Fact::Returned { operation, answered, digest } => {
                put(25, &[*operation, u64::from(*answered), *digest]);
            }
            Fact::WatchOpened { stream, client, to } => {
                put(32, &[*stream, u64::from(*client), to.raft_id()]);
            }
            Fact::WatchReceived { stream, revision, events, digest } => {
                put(33, &[*stream, *revision, u64::from(*events), *digest]);
            }
            Fact::WatchEnded { stream } => put(34, &[*stream]),
        }
    }
}

impl MessageHead {
    fn words(&self, peer: MemberId) -> [u64; 5] {
        let flags = peer.raft_id() | (self.kind as u64) << 32 | u64::from(self.reject) << 48;
        [flags, self.term, self.index, self.log_term << 20 ^ self.commit, u64::from(self.entries)]
    }
}
