//! Keeps track of the requests that go through the log, from their arrival until they are answered. At first
//! a request waits in a queue until raft knows a leader. After it is given to raft, it waits until its entry
//! is applied on this member.
//!
//! Invariant: a request is answered at most once: when it is applied here, when raft refuses it, or when it
//! times out.

use std::collections::{BTreeMap, VecDeque};

use crate::configuration::Proposed;
use crate::keeps::{self, Count, count};
use crate::punctual;
use crate::want::NOBODY;

/// What is proposed to raft.
pub(crate) enum Payload {
    /// The data of a normal entry: an encoded request.
    Data(Vec<u8>),
    /// A configuration change.
    Change(Proposed),
}

/// A request that is not answered yet.
#[derive(Debug)]
struct Pending {
    operation: u64,
    /// When it arrived, on the member's clock.
    started: u64,
}

/// A request that timed out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) operation: u64,
    /// When it arrived, on the member's clock.
    pub(crate) started: u64,
    /// Whether it was given to raft.
    pub(crate) proposed: bool,
}

/// All requests that go through the log and are not answered yet.
#[derive(Default)]
pub(crate) struct Proposals {
    /// The requests, by the id that their entry carries.
    pending: BTreeMap<u64, Pending>,
    /// The deadline and id of each request. They are in order of time, because all requests have the same
    /// timeout. An answered request stays here until it reaches the front.
    deadlines: VecDeque<(u64, u64)>,
    /// Proposals that are not given to raft yet. etcd keeps them in a channel.
    waiting: VecDeque<(u64, Payload)>,
}

impl Proposals {
    /// Queues a proposal.
    pub(crate) fn push(&mut self, id: u64, operation: u64, started: u64, deadline: u64, payload: Payload) {
        self.pending.insert(id, Pending { operation, started });
        self.deadlines.push_back((deadline, id));
        self.waiting.push_back((id, payload));
    }

    /// Whether any proposal is not given to raft yet.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes the next proposal to give to raft.
    pub(crate) fn next_waiting(&mut self) -> Option<(u64, Payload)> {
        self.waiting.pop_front()
    }

    /// Raft refused a proposal. Returns the operation to answer.
    pub(crate) fn refused(&mut self, id: u64) -> Option<u64> {
        self.pending.remove(&id).map(|pending| pending.operation)
    }

    /// The entry with this id was applied. Returns the operation to answer, if it came from this member and
    /// has not timed out.
    pub(crate) fn applied(&mut self, id: u64) -> Option<u64> {
        self.pending.remove(&id).map(|pending| pending.operation)
    }

    /// Whether the request with this id came from this member and has not timed out.
    pub(crate) fn has(&self, id: u64) -> bool {
        self.pending.contains_key(&id)
    }

    /// Removes and returns the requests that have timed out.
    pub(crate) fn expired(&mut self, now: u64) -> Vec<Expired> {
        let mut expired = Vec::new();
        while let Some((deadline, id)) = self.deadlines.front().copied() {
            let Some(pending) = self.pending.get(&id) else {
                self.deadlines.pop_front();
                continue;
            };
            if deadline > now {
                break;
            }
            punctual::was_due("the end of a proposal", deadline);
            let (operation, started) = (pending.operation, pending.started);
            let waited = self.waiting.iter().position(|(other, _)| *other == id);
            if let Some(at) = waited {
                self.waiting.remove(at);
            }
            self.pending.remove(&id);
            self.deadlines.pop_front();
            expired.push(Expired { operation, started, proposed: waited.is_none() });
        }
        expired
    }

    /// When the next request times out, on the member's clock; or earlier, if an answered one is still at the
    /// front.
    pub(crate) fn wake_at(&self) -> u64 {
        self.deadlines.front().map_or(u64::MAX, |(deadline, _)| *deadline)
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> impl Iterator<Item = Count> {
        let operations = self.pending.values().map(|pending| pending.operation);
        let pending = keeps::by_asker(("proposals", "own-proposals"), NOBODY, operations);
        let waiting = count("proposals-not-given-to-raft", self.waiting.len());
        pending.into_iter().chain([waiting, count("proposal-deadlines", self.deadlines.len())])
    }

    /// Removes all requests and returns their operations.
    pub(crate) fn take_all(&mut self) -> Vec<u64> {
        self.waiting.clear();
        self.deadlines.clear();
        std::mem::take(&mut self.pending).into_values().map(|pending| pending.operation).collect()
    }
}
