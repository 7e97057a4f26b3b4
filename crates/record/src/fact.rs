//! The etcd part of the event trace: what happened in its members and to its clients.
//!
//! An [`EtcdFact`] is one thing that happened. The member reports what its log and its state machine did, the clients
//! what they did. What the world reports of any node, such as the end of a process or a lost message, is a
//! [`Fact`] of `trace`, in which these are [`Fact::Own`]. An [`Event`] is a fact with its time and its member.
//!
//! The oracles I1 to I10 of `verify` are invariants of the cluster. They see these events and nothing else, so
//! whatever an invariant needs must be in a fact.
//!
//! Not here: payloads of messages, and values of keys. Facts carry 64-bit hashes of them, called digests.

use trace::{OwnFact, Sign, Vocabulary};

use crate::{Failpoint, Inner, MemberId, MessageHead, Probe, Step};

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

/// One thing that happened in a member or to a client.
#[derive(Clone, Debug, PartialEq)]
pub enum EtcdFact {
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
        /// The number from [`EtcdFact::ReadIndexAsked`].
        context: u64,
        /// The index that the member must have applied before it reads.
        index: u64,
    },
    /// A client's request became a proposal.
    Proposed {
        /// The client operation's number in the history.
        operation: u64,
        /// The id that the member chose for it, as in [`EtcdFact::Applied`].
        request: u64,
    },

    /// A member proposes a request that no client sent: the revocation of a lease, an automatic compaction, a step of
    /// the lock or election service.
    ProposedInternal {
        /// The id that the member chose for it, as in [`EtcdFact::Applied`].
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

    // ---- clients; reported by themselves ----------------------------------------------------------
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

/// What a trace of etcd has besides the kernel's facts: [`EtcdFact`] and [`MessageHead`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Etcd {}

impl Vocabulary for Etcd {
    type Step = Step;
    type Inner = Inner;
    type Fact = EtcdFact;
    type Head = MessageHead;
}

/// An event of a run of etcd.
pub type Event = trace::Event<Etcd>;

/// One thing that happened in a run of etcd.
pub type Fact = trace::Fact<Etcd>;

// A run may keep all its events.
const _: () = assert!(size_of::<Event>() <= 104);

impl OwnFact for EtcdFact {
    /// A role enters the hash by its place in its enum, so a new one belongs at the end.
    fn absorb(&self, put: &mut impl FnMut(u64, &[u64])) {
        match self {
            EtcdFact::Recovered {
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
            EtcdFact::State { term, vote, role, leader } => {
                put(9, &[*term, vote.raft_id(), *role as u64, leader.raft_id()])
            }
            EtcdFact::Appended(entries) => {
                entries.iter().for_each(|entry| put(10, &[entry.index, entry.term, entry.digest]));
            }
            EtcdFact::LogCompacted { index, term } => put(11, &[*index, *term]),
            EtcdFact::SnapshotInstalled { index, term, revision, state_hash } => {
                put(12, &[*index, *term, *revision, *state_hash]);
            }
            EtcdFact::Saving { job, term, vote, commit, last_index } => {
                put(13, &[*job, *term, vote.raft_id(), *commit, *last_index]);
            }
            EtcdFact::Committed { index, term } => put(14, &[*index, *term]),
            EtcdFact::Applied { index, term, digest, request, revision, state_hash, mutated, executed } => {
                put(
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
                )
            }
            EtcdFact::BackendDurable { consistent_index } => put(16, &[*consistent_index]),
            EtcdFact::ReadIndexAsked { context } => put(17, &[*context]),
            EtcdFact::ReadIndexConfirmed { context, index } => put(18, &[*context, *index]),
            EtcdFact::Proposed { operation, request } => put(19, &[*operation, *request]),
            EtcdFact::ProposedInternal { request, what } => put(26, &[*request, what.number()]),
            EtcdFact::Configuration { index, voters, outgoing, learners } => {
                put(27, &[*index, voters.len() as u64, outgoing.len() as u64, learners.len() as u64]);
                for members in [voters, outgoing, learners] {
                    members.iter().for_each(|id| put(28, &[id.raft_id()]));
                }
            }
            EtcdFact::Lessor { primary } => put(29, &[u64::from(*primary)]),
            EtcdFact::Failpoint { point } => put(30, &[point.number()]),
            EtcdFact::Probe { probe } => put(31, &[probe.number()]),
            EtcdFact::WatchOpened { stream, client, to } => {
                put(32, &[*stream, u64::from(*client), to.raft_id()]);
            }
            EtcdFact::WatchReceived { stream, revision, events, digest } => {
                put(33, &[*stream, *revision, u64::from(*events), *digest]);
            }
            EtcdFact::WatchEnded { stream } => put(34, &[*stream]),
        }
    }

    #[inline]
    fn sign(&self) -> Option<Sign<'_>> {
        Some(match self {
            EtcdFact::State { term, role, .. } => Sign::Role { term: *term, leads: *role == Role::Leader },
            EtcdFact::Applied { index, .. } => Sign::Applied(*index),
            EtcdFact::Recovered { consistent_index, .. } | EtcdFact::BackendDurable { consistent_index } => {
                Sign::Durable(*consistent_index)
            }
            EtcdFact::SnapshotInstalled { index, .. } => Sign::SnapshotAt(*index),
            EtcdFact::Configuration { index, voters, outgoing, learners } => {
                Sign::Members { index: *index, voters, outgoing, learners }
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_learns_who_leads_what_is_applied_and_who_belongs_to_the_cluster() {
        let state = |role| EtcdFact::State { term: 4, vote: MemberId::NONE, role, leader: MemberId::NONE };
        assert_eq!(state(Role::Leader).sign(), Some(Sign::Role { term: 4, leads: true }));
        assert_eq!(state(Role::Candidate).sign(), Some(Sign::Role { term: 4, leads: false }));
        let durable = EtcdFact::BackendDurable { consistent_index: 9 };
        assert_eq!(durable.sign(), Some(Sign::Durable(9)));
        let installed = EtcdFact::SnapshotInstalled { index: 7, term: 3, revision: 5, state_hash: 1 };
        assert_eq!(installed.sign(), Some(Sign::SnapshotAt(7)));
        let ids: Vec<MemberId> = MemberId::first(4).collect();
        let (voters, learners) = ids.split_at(3);
        let configuration = EtcdFact::Configuration {
            index: 9,
            voters: voters.to_vec(),
            outgoing: Vec::new(),
            learners: learners.to_vec(),
        };
        let members = Sign::Members { index: 9, voters, outgoing: &[], learners };
        assert_eq!(configuration.sign(), Some(members));
        assert_eq!(EtcdFact::Lessor { primary: true }.sign(), None);
    }
}
