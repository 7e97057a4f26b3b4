//! Inner events: what happens inside a member that no oracle needs to know, for the code that explains a run.
//!
//! They are a list of their own beside the facts, do not enter the trace hash, and are made only on request
//! ([`Observer::wants_inner`]). So one can be added, changed or removed without changing any run. Unlike facts they
//! have contents: keys, requests, watch events.
//!
//! A few are for oracles: what a lessor does with leases, what a member proposes on its own and applies of that, when its
//! backend commits and its compactions remove rows, and the moves of watchers, except those that go with every change.
//! These are *deeds* ([`Inner::is_deed`]). They are rare, and are made whenever the steps of raft are.
//!
//! To add one: its row here, the line of the member that reports it (`tell` of the member's `inner`), and the rule or
//! the part of the chain that uses it (`etcdsim/src/explain`).
//!
//! [`Observer::wants_inner`]: crate::Observer::wants_inner

use api::{Error, Request};
use bytes::Bytes;

use crate::MemberId;

/// One thing that happened inside a member.
#[derive(Clone, Debug, PartialEq)]
pub enum Inner {
    // ---- the replicated state ---------------------------------------------------------------------
    /// The store is given a request of an entry to execute. It should be the request of the entry.
    Executes(Box<Request>),
    /// An entry was applied.
    Applied(Box<AppliedEntry>),
    /// The replicated state after an entry was applied, after a start, and after the installation of a snapshot.
    State(Box<State>),
    /// The store was loaded by a start, or came with a leader's snapshot.
    Loaded(Box<Loaded>),
    /// A compaction removed rows permanently.
    Removed {
        /// The revision to which the history is compacted.
        compacted: i64,
        /// The rows.
        rows: Vec<Row>,
    },
    /// A compaction removed rows permanently.
    Scrubs {
        /// How many.
        rows: u64,
        /// The revision of the compaction, if it is done now.
        finished: Option<i64>,
    },
    /// A leader's snapshot replaced users and roles.
    UsersReplaced {
        /// The auth revision now.
        revision: u64,
        /// Whether the permissions that are used for checks are those of the new users and roles.
        permissions_follow: bool,
    },

    // ---- the backend ------------------------------------------------------------------------------
    /// A backend commit begins.
    Commits {
        /// The last entry that is applied, and so has its effects in the commit.
        applied: u64,
        /// The consistent index of the commit before.
        before: u64,
        /// Its transactions: how many rows each has, and the consistent index that it records.
        transactions: Vec<(usize, u64)>,
        /// Why it is made.
        why: CommitCause,
    },
    /// A defragmentation begins to copy the backend, which holds the effects of all entries up to here.
    Copies {
        /// The consistent index.
        index: u64,
    },
    /// The copy of a defragmentation replaces the backend.
    ReplacesByCopy {
        /// The consistent index of the content that it replaces.
        held: u64,
        /// The consistent index of the copy.
        holds: u64,
    },

    // ---- watchers ---------------------------------------------------------------------------------
    /// A watcher is created, goes to another group, or gets another next revision.
    Watcher(Box<WatcherMove>),
    /// A pass over the watchers that lag.
    Pass(Box<Pass>),
    /// A response is put into a queue of a stream.
    Queued(Box<Queued>),
    /// A response leaves the queue for the client.
    HandedOut(Box<Queued>),

    // ---- leases and locks -------------------------------------------------------------------------
    /// The lessor does something with a lease.
    Lease {
        /// The lease.
        id: i64,
        /// What it does.
        what: LeaseDeed,
        /// The member's monotonic clock.
        clock: u64,
    },
    /// A call of the lock service is answered: the client has the lock.
    LockGiven {
        /// The key that stands for it in the queue.
        key: Bytes,
        /// The revision at which the service found it first in the queue.
        revision: i64,
    },

    // ---- the member's own proposals ---------------------------------------------------------------
    /// The member proposes something on its own.
    ProposesOwn {
        /// What it proposes.
        what: Own,
        /// The member's monotonic clock.
        clock: u64,
    },
    /// The member applies an entry that some member has proposed on its own.
    AppliesOwn {
        /// The index of the entry.
        index: u64,
        /// What it says.
        what: Own,
    },

    // ---- reads ------------------------------------------------------------------------------------
    /// A read is answered from the store of this member.
    Reads {
        /// The operation, by its number in the history; for the member's own reads, a number that is not in the
        /// history.
        operation: u64,
        /// The request.
        request: Box<Request>,
        /// The number of the ReadIndex that was confirmed for it; `None` if it waited for none.
        context: Option<u64>,
        /// The last applied entry.
        applied: u64,
    },
    /// A chunk of a streamed range is read.
    Chunk {
        /// The stream.
        stream: u64,
        /// The revision at which it is read.
        revision: i64,
        /// Whether it is the first of its stream.
        first: bool,
    },
}

impl Inner {
    /// Whether it is for oracles.
    pub fn is_deed(&self) -> bool {
        match self {
            Inner::Lease { .. }
            | Inner::ProposesOwn { .. }
            | Inner::AppliesOwn { .. }
            | Inner::Scrubs { .. }
            | Inner::Commits { .. } => true,
            Inner::Watcher(moved) => moved.why != WatcherCause::Notified,
            _ => false,
        }
    }
}

/// What a member proposes on its own, and not as a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// The version that the whole cluster speaks.
    Version(String),
    /// The name and the client URLs of a member, which it publishes.
    Name {
        /// The member.
        member: MemberId,
        /// Its name.
        name: String,
        /// Its client URLs.
        urls: Vec<String>,
    },
}

/// An applied entry with its content.
#[derive(Clone, Debug, PartialEq)]
pub struct AppliedEntry {
    /// Its index.
    pub index: u64,
    /// The id of its request; 0 if it has none.
    pub request: u64,
    /// What it asks for.
    pub command: Command,
    /// The user who asked; empty if there is none.
    pub user: String,
    /// Whether it was proposed by this member, and its client still waits here.
    pub mine: bool,
    /// Why it was refused, if it was.
    pub error: Option<Error>,
    /// The store's revision before and after it.
    pub revisions: (i64, i64),
    /// The rows that it made.
    pub rows: Vec<Row>,
}

/// What an entry asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A request.
    Request(Box<Request>),
    /// To record the remaining time of leases: id and seconds.
    Checkpoint(Vec<(i64, i64)>),
    /// To change the membership.
    Membership(Vec<(MemberId, MembershipDeed)>),
    /// Something else, by a name.
    Other(&'static str),
}

/// What a change of the membership does with a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipDeed {
    /// It joins as a voter.
    AddVoter,
    /// It joins as a learner.
    AddLearner,
    /// It leaves.
    Remove,
    /// It gets other addresses.
    Update,
    /// The learner becomes a voter.
    Promote,
}

/// A row of the store: a change of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Its revision: the main part, and its place among the changes of that revision.
    pub at: (i64, i64),
    /// The key.
    pub key: Bytes,
    /// Whether it is a tombstone: the key was deleted.
    pub tombstone: bool,
}

/// The replicated state in brief.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The index of the last entry whose effects it has.
    pub index: u64,
    /// The store's revision.
    pub revision: i64,
    /// The revision to which the history is compacted; -1 for none.
    pub compacted: i64,
    /// How many leases there are.
    pub leases: usize,
    /// The members, each with whether it is a learner, sorted.
    pub members: Vec<(MemberId, bool)>,
    /// The auth revision.
    pub users: u64,
    /// Hashes of the store, the membership and the users.
    pub hashes: [u64; 3],
}

/// The content of a store that was loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// Whether a start loaded it; otherwise it came with a leader's snapshot.
    pub by_start: bool,
    /// The index of the last entry whose effects it should have.
    pub index: u64,
    /// The store's revision.
    pub revision: i64,
    /// The revisions of the last compaction that was scheduled, and of the last that was finished; -1 for none.
    pub compaction: (i64, i64),
    /// Its rows.
    pub rows: Vec<Row>,
}

/// Why a backend commit is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitCause {
    /// It is due.
    Due,
    /// A defragmentation needs everything in the file.
    Defragmentation,
    /// A leader's snapshot replaces the whole content.
    Snapshot,
}

/// The groups of watchers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// It has been sent all changes so far, or waits for a revision in the future.
    Synced,
    /// It lags and is served from the history.
    Unsynced,
    /// It has a response for which its stream had no room.
    Victim,
    /// A compaction cancelled it.
    Cancelled,
}

/// A change of a watcher's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatcherMove {
    /// The stream, by its number in the history; for the member's own watchers, a number that is not in the history.
    pub stream: u64,
    /// The watch id.
    pub id: i64,
    /// The keys that it watches: key and range end.
    pub keys: (Bytes, Bytes),
    /// The revision at which the client wants to start; 0 for the next one.
    pub start: i64,
    /// Whether it wants puts, and whether it wants deletions.
    pub wants: (bool, bool),
    /// The group and the next revision (etcd's `minRev`) before it, and after.
    pub from: (Group, i64),
    /// See `from`.
    pub to: (Group, i64),
    /// Why.
    pub why: WatcherCause,
    /// The store's revision.
    pub current: i64,
    /// The revision to which the history is compacted; -1 for none.
    pub compacted: i64,
}

/// Why a watcher's place changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatcherCause {
    /// It is created.
    Created,
    /// The changes of a new revision are sent to it.
    Notified,
    /// Its stream has no room for its response.
    NoRoom,
    /// A pass serves it from the history.
    Served,
    /// What it needs next is compacted, and it is told so.
    Compacted,
    /// What it needs next is compacted, and its stream has no room to tell it so.
    CompactedWithoutRoom,
    /// A leader's snapshot replaced the store.
    SnapshotInstalled,
    /// Its stream has room again for the response that waited.
    Retried,
    /// It is gone: its client cancelled it, or its stream is closed.
    Ended,
}

/// A pass over watchers that lag.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// How many lag.
    pub lag: usize,
    /// The watchers that it takes, by stream and watch id.
    pub taken: Vec<(u64, i64)>,
    /// The first revision that any of them needs.
    pub from: i64,
    /// The revisions of the rows that it reads, in the order in which it reads them.
    pub rows: Vec<(i64, i64)>,
    /// The store's revision.
    pub current: i64,
}

/// A response in a queue of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Queued {
    /// The stream.
    pub stream: u64,
    /// The watch id; -1 for all watchers of the stream.
    pub id: i64,
    /// A number that only this watcher has had.
    pub serial: u64,
    /// The revision in its header.
    pub revision: i64,
    /// What it says.
    pub what: Said,
    /// Whether it goes ahead of the responses that wait in the stream's channel.
    pub ahead: bool,
    /// How many responses wait in the channel.
    pub waiting: usize,
}

/// What a response says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// Changes: key, revision, and whether it is a deletion.
    Events(Vec<(Bytes, i64, bool)>),
    /// That everything up to its revision was sent.
    Progress,
    /// That the watcher is cancelled, because the history up to here is compacted.
    Compacted(i64),
    /// That a watcher is created, or cancelled as its client asked, or refused.
    Control,
}

/// What the lessor does with a lease. Times are in nanoseconds of the clock that it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseDeed {
    /// It was granted, for this many seconds.
    Granted {
        /// The TTL.
        ttl: i64,
    },
    /// It was renewed, for this many seconds.
    Renewed {
        /// The TTL.
        ttl: i64,
    },
    /// This member is the leader now, and tracks its time from here on.
    TakenOver {
        /// The TTL, in seconds.
        ttl: i64,
        /// The time left by its last checkpoint, in seconds; 0 for none.
        checkpoint: i64,
        /// The time that it gets, in seconds, without the extension of a new leader.
        left: i64,
    },
    /// It is found to have expired.
    Expired {
        /// How long ago it expired.
        since: u64,
    },
    /// After the expiry, a quorum confirmed that this member leads.
    Confirmed,
    /// Its revocation is proposed.
    Revokes,
    /// A keep-alive is answered, with this many seconds; 0 means that there is no such lease.
    Answered {
        /// The seconds.
        ttl: i64,
    },
    /// The lessor has set when it expires. It comes before what says why.
    Timed {
        /// When it expires.
        expiry: u64,
    },
    /// The lessor proposes a checkpoint of it.
    Checkpoints {
        /// The time left that is to be recorded, in seconds; 0 to forget what was recorded.
        left: i64,
    },
    /// The member, which need not be the lessor, applies its grant.
    Created {
        /// The index of the entry.
        index: u64,
        /// The TTL, in seconds.
        ttl: i64,
    },
    /// The member, which need not be the lessor, applies a checkpoint of it.
    Recorded {
        /// The index of the entry.
        index: u64,
        /// The time left by the checkpoint, in seconds; 0 for none.
        left: i64,
    },
}
