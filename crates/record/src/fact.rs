//! The event trace: what happened in a run, when, and to which member.
//!
//! A [`Fact`] is one thing that happened. The member reports what its log and its state machine did. The world,
//! which simulates everything around the members, reports what the disks, the network and the processes did. An
//! [`Event`] is a fact with its time and its member.
//!
//! The oracles I1 to I10 of `verify` are invariants of the cluster. They see these events and nothing else, so
//! whatever an invariant needs must be in a fact.
//!
//! Not here: payloads of messages, and values of keys. Facts carry 64-bit hashes of them, called digests.

use crate::hash::TraceHash;
use crate::{Failpoint, MemberId, Nanos, Probe, Step};

/// A fact with its time and its member.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, on the simulator's true clock.
    pub time: Nanos,
    /// The member that the fact is about; [`MemberId::NONE`] if it is about a client or the whole run.
    pub member: MemberId,
    /// What happened.
    pub fact: Fact,
}

/// Code that sees every event of a run, in order, while it runs.
pub trait Observer {
    /// Is called with the next event.
    fn event(&mut self, event: &Event);

    /// Whether it wants to see the steps of the members, too. It is asked once, before the run.
    fn wants_steps(&self) -> bool {
        false
    }

    /// Is called with the next step of a member, if it wants them. The steps of a member's input come after the facts
    /// of that input, and before the messages it sends.
    fn step(&mut self, time: Nanos, member: MemberId, step: &Step) {
        let _ = (time, member, step);
    }
}

/// The observer that ignores all events.
impl Observer for () {
    fn event(&mut self, _: &Event) {}
}

/// A raft role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// It follows a leader, or waits for one.
    Follower,
    /// It asks whether it could win an election (pre-vote).
    PreCandidate,
    /// It asks for votes.
    Candidate,
    /// It leads its term.
    Leader,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It was asked to stop, and ended in good order.
    Graceful,
    /// It was killed (`kill -9`). What it wrote to files is still in the page cache.
    Crash,
    /// Its machine lost power. What was not synced to the disk may be lost.
    PowerLoss,
    /// It ended itself because it could not continue safely, for example after a disk error. The text is the
    /// reason.
    Fatal(String),
    /// It panicked. The text is the panic's message and location.
    Panic(String),
    /// It refused to start. The text is the reason.
    Refused(String),
    /// It ended because its member was removed from the cluster for good.
    Removed,
}

/// The lasting effects of a kind of fault: those that remain when the fault is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultEffect {
    /// Whether it destroys data that a member's disk has reported as durable.
    pub damages: bool,
    /// Whether a member on a new machine joins the cluster.
    pub adds_member: bool,
    /// Whether a member leaves the cluster.
    pub removes_member: bool,
}

impl FaultEffect {
    /// None: when the fault is over, everything is as before.
    pub const NONE: FaultEffect = FaultEffect { damages: false, adds_member: false, removes_member: false };
    /// It destroys data that the disk has reported as durable.
    pub const DAMAGE: FaultEffect = FaultEffect { damages: true, ..FaultEffect::NONE };
    /// A member joins.
    pub const ADDS_MEMBER: FaultEffect = FaultEffect { adds_member: true, ..FaultEffect::NONE };
    /// A member leaves.
    pub const REMOVES_MEMBER: FaultEffect = FaultEffect { removes_member: true, ..FaultEffect::NONE };
    /// A member leaves, and another one joins.
    pub const REPLACES_MEMBER: FaultEffect = FaultEffect { adds_member: true, ..FaultEffect::REMOVES_MEMBER };
}

/// A part of a run. The numbers enter the trace hash, so they must not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// The workload runs and the faults strike.
    Chaos = 1,
    /// All faults are ended.
    Heal = 2,
    /// The run waits until there is a leader, every operation has ended and the members are equal.
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
    /// Its position in the log, from 1.
    pub index: u64,
    /// The term of the leader that appended it first.
    pub term: u64,
    /// The digest of its type and payload.
    pub digest: u64,
}

/// The kinds of messages. Those without a comment are raft's.
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
    /// A request of one member to another outside raft, for example to renew a lease at the leader.
    PeerCall,
    /// The answer to a [`MessageKind::PeerCall`].
    PeerAnswer,
    Other,
}

/// What the invariants need to know about a message. Fields that a kind of message does not have are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageHead {
    /// The kind of message.
    pub kind: MessageKind,
    /// The term in the message (0 for proposals and client messages).
    pub term: u64,
    /// Of an append: the index before its first entry. Of an answer to an append: the last index that was
    /// accepted, or the index that was rejected. Of a snapshot: its index.
    pub index: u64,
    /// The term of the entry at `index`.
    pub log_term: u64,
    /// The commit index in the message.
    pub commit: u64,
    /// Whether the message rejects a request.
    pub reject: bool,
    /// The number of entries in the message.
    pub entries: u32,
}

/// Why a message was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DropReason {
    /// The link lost it. A link loses a share of all messages, which the plan sets.
    Loss,
    /// The link was cut when the message was sent.
    CutAtSend,
    /// The link was cut when the message should have arrived.
    CutAtArrival,
    /// It was damaged, and the checksum of the transport or the decoder noticed.
    Corrupt,
    /// A fault of the plan drops messages of this kind.
    Rule,
    /// The process that it was sent to has ended, even if it has restarted since.
    Dead,
    /// The link's queue was full.
    Overflow,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    // ---- processes; reported by the world -------------------------------------------------------
    /// A process begins. What it finds on its disk follows as [`Fact::Recovered`].
    Started {
        /// The number of starts of this member, from 1.
        incarnation: u32,
    },
    /// A process ended.
    Stopped(Stop),
    /// A process is paused. Its clocks go on.
    Paused,
    /// A paused process continues.
    Resumed,
    /// A fault of the plan begins or ends.
    Fault {
        /// The fault's id in the plan.
        fault: u32,
        /// The name of its kind, as in a scenario.
        what: &'static str,
        /// The number of its kind, for the trace hash.
        kind: u64,
        /// What remains after it ends. Some oracles must know.
        effect: FaultEffect,
        /// True if it begins, false if it ends.
        begins: bool,
    },
    /// A new phase of the run begins.
    Phase(Phase),

    // ---- raft and the state machine; reported by the member -------------------------------------
    /// What a process found on its disk when it started. It replaces everything known about this member's log.
    Recovered {
        /// The term of its hard state.
        term: u64,
        /// The vote in that term.
        vote: MemberId,
        /// The commit index of its hard state.
        commit: u64,
        /// Index and term just before its first entry: those of its last snapshot, or 0, 0.
        before: (u64, u64),
        /// All entries after that position.
        entries: Vec<LogEntry>,
        /// The consistent index of its backend: the effects of all entries up to it are in the store.
        consistent_index: u64,
        /// The store's revision.
        revision: u64,
        /// The hash of all replicated state: the store, the membership, users and roles.
        state_hash: u64,
    },
    /// Term, vote, role or leader changed in the member's memory. They may not be durable yet.
    State {
        /// The current term.
        term: u64,
        /// The vote in this term.
        vote: MemberId,
        /// The role in this term.
        role: Role,
        /// The leader that the member knows of.
        leader: MemberId,
    },
    /// Entries were appended to the log in memory. They replace all entries from the index of the first one on.
    Appended(Vec<LogEntry>),
    /// The log in memory now begins after this position. The earlier entries are covered by a snapshot.
    LogCompacted {
        /// The last index that was dropped.
        index: u64,
        /// The term of the entry there.
        term: u64,
    },
    /// A snapshot from the leader replaces the member's log and store.
    SnapshotInstalled {
        /// The index of the last entry that the snapshot contains.
        index: u64,
        /// The term of that entry.
        term: u64,
        /// The store's revision after it.
        revision: u64,
        /// The hash of all replicated state after it.
        state_hash: u64,
    },
    /// The member gave its disk a write of raft state to do, as a disk job. It is durable once the world
    /// reports [`Fact::JobDone`] with `synced` for this job or a later one.
    Saving {
        /// The disk job's number.
        job: u64,
        /// The term of the hard state that is written; the current one if none is.
        term: u64,
        /// The vote of that hard state.
        vote: MemberId,
        /// The commit index of that hard state.
        commit: u64,
        /// The last index of the log after the write.
        last_index: u64,
    },
    /// The commit index advanced.
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
        /// The id of the request in it, by which the proposing member recognizes its proposal. 0 for the empty
        /// entry of a new leader and for configuration changes.
        request: u64,
        /// The store's revision after it.
        revision: u64,
        /// The hash of all replicated state after it.
        state_hash: u64,
        /// Whether it made a revision.
        mutated: bool,
        /// False if the store already contained its effects, as the consistent index showed. This happens after
        /// a restart, when the member goes through entries again that it had applied before.
        executed: bool,
    },
    /// A commit of the backend is durable.
    BackendDurable {
        /// The consistent index in that commit.
        consistent_index: u64,
    },
    /// A member with a linearizable read asked the leader for its commit index (ReadIndex).
    ReadIndexAsked {
        /// The number by which the answer is recognized.
        context: u64,
    },
    /// The answer to a ReadIndex reached the member.
    ReadIndexConfirmed {
        /// The number from [`Fact::ReadIndexAsked`].
        context: u64,
        /// The index that the member must have applied before it reads.
        index: u64,
    },
    /// A client's request became a proposal.
    Proposed {
        /// The client operation's number in the history.
        operation: u64,
        /// The id that the member chose for it, as in [`Fact::Applied`].
        request: u64,
    },

    /// A member proposes a request that is no client's: the revocation of a lease, an automatic compaction, a
    /// step of the lock or election service.
    ProposedInternal {
        /// The id that the member chose for it, as in [`Fact::Applied`].
        request: u64,
        /// The proposed request.
        what: Box<api::Request>,
    },
    /// The member uses a new configuration of raft: after its start, after it applied a change, or after it
    /// installed a snapshot.
    Configuration {
        /// The index of the entry or snapshot with the configuration.
        index: u64,
        /// The voters, sorted. In a joint configuration (two sets of voters during a change): the new ones.
        voters: Vec<MemberId>,
        /// In a joint configuration: the old voters. Otherwise empty.
        outgoing: Vec<MemberId>,
        /// The learners, sorted.
        learners: Vec<MemberId>,
    },
    /// The member became the lessor, or stopped being it. The lessor is the member that tracks the time of
    /// leases, which a leader does.
    Lessor {
        /// Whether it is the lessor now.
        primary: bool,
    },
    /// The member reached a failpoint that a fault uses, or that is counted as a probe.
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
        /// Whether its writes, and those of all jobs before it, are durable now.
        synced: bool,
        /// Whether the disk reported an error.
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
        /// The receiver that it did not reach; none for a client.
        to: MemberId,
        /// The kind of message.
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
    /// Adds this event to a trace hash. Each kind of fact has a number, its tag, which must never change. Names
    /// enter the hash as numbers, and texts do not enter it. A role, a kind of message and a reason enter by
    /// their places in their enums, so a new one belongs at the end.
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
                // The texts are left out: a better sentence must not change the hash of a run.
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
                for members in [voters, outgoing, learners] {
                    members.iter().for_each(|id| put(28, &[id.raft_id()]));
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
    /// The head as words for the trace hash, with the other end of the message.
    fn words(&self, peer: MemberId) -> [u64; 5] {
        let flags = peer.raft_id() | (self.kind as u64) << 32 | u64::from(self.reject) << 48;
        [flags, self.term, self.index, self.log_term << 20 ^ self.commit, u64::from(self.entries)]
    }
}
