//! Requests that go through the log: those that wait for a leader, and those already proposed.
//!
//! Invariant: a proposed request is answered at most once, when it is applied here or when it times out.

use std::collections::{BTreeMap, VecDeque};

use crate::configuration::Proposed;

/// What is proposed to raft.
pub(crate) enum Payload {
    /// A request.
    Data(Vec<u8>),
    /// A configuration change.
    Change(Proposed),
}

/// A request that was proposed, or waits to be.
#[derive(Debug)]
struct Pending {
    operation: u64,
    started: u64,
}

/// A request that timed out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) operation: u64,
    /// When it arrived, on the member's clock.
    pub(crate) started: u64,
    /// Whether it was ever proposed to raft.
    pub(crate) proposed: bool,
}

/// All requests in progress.
#[derive(Default)]
pub(crate) struct Proposals {
    /// By raft request id.
    pending: BTreeMap<u64, Pending>,
    /// Deadlines with ids, in order: all requests have the same time-out. Includes answered ones.
    deadlines: VecDeque<(u64, u64)>,
    /// Encoded requests that wait for a leader, as in etcd's proposal channel.
    waiting: VecDeque<(u64, Payload)>,
}

impl Proposals {
    pub(crate) fn push(&mut self, id: u64, operation: u64, started: u64, deadline: u64, payload: Payload) {
        self.pending.insert(id, Pending { operation, started });
        self.deadlines.push_back((deadline, id));
        self.waiting.push_back((id, payload));
    }

    /// Whether any request waits to be proposed.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next request to propose.
    pub(crate) fn next_waiting(&mut self) -> Option<(u64, Payload)> {
        self.waiting.pop_front()
    }

    /// raft refused a request for good: returns its operation.
    pub(crate) fn refused(&mut self, id: u64) -> Option<u64> {
        self.pending.remove(&id).map(|pending| pending.operation)
    }

    /// A request was applied here: returns its operation, if a client still waits for it.
    pub(crate) fn applied(&mut self, id: u64) -> Option<u64> {
        self.pending.remove(&id).map(|pending| pending.operation)
    }

    /// Requests that have timed out.
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

    /// When to check again, on the member's clock.
    pub(crate) fn wake_at(&self) -> u64 {
        self.deadlines.front().map_or(u64::MAX, |(deadline, _)| *deadline)
    }

    /// Removes everything and returns the operations that were in progress.
    pub(crate) fn take_all(&mut self) -> Vec<u64> {
        self.waiting.clear();
        self.deadlines.clear();
        std::mem::take(&mut self.pending).into_values().map(|pending| pending.operation).collect()
    }
}
