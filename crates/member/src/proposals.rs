//! Keeps track of the requests that go through the log, from their arrival until they are answered. At first
//! a request waits in a queue until raft knows a leader. After it is given to raft, it waits until its entry
//! is applied on this member.
//!
//! Invariant: a request is answered at most once: when it is applied here, when raft refuses it, or when it
//! times out.

use std::collections::{BTreeMap, VecDeque};

use api::Error;

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

/// What a proposal is for: what the operation that waits for it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The result of its entry, or an error if it is refused or times out.
    Answer,
    /// This error, whatever becomes of it.
    Refuse(Error),
    /// The renewal of this lease, whose checkpoint it undoes.
    Renew(i64),
}

/// What waits for a proposal. Times are on the member's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) operation: u64,
    /// When its request arrived.
    pub(crate) started: u64,
    /// When it times out.
    pub(crate) deadline: u64,
    /// What it gets.
    pub(crate) purpose: Purpose,
}

/// A request that timed out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) waiter: Waiter,
    /// Whether it was given to raft.
    pub(crate) proposed: bool,
}

/// All requests that go through the log and are not answered yet.
#[derive(Default)]
pub(crate) struct Proposals {
    /// The requests, by the id that their entry carries.
    pending: BTreeMap<u64, Waiter>,
    /// The deadline and id of each request, in order of time. An answered request stays here until it reaches the front.
    deadlines: VecDeque<(u64, u64)>,
    /// Proposals that are not given to raft yet. etcd keeps them in a channel.
    waiting: VecDeque<(u64, Payload)>,
}

impl Proposals {
    /// Queues a proposal.
    pub(crate) fn push(&mut self, id: u64, waiter: Waiter, payload: Payload) {
        let deadline = waiter.deadline;
        self.pending.insert(id, waiter);
        // Nearly always the last place: most requests have the same timeout.
        let place =
            self.deadlines.len() - self.deadlines.iter().rev().take_while(|(at, _)| *at > deadline).count();
        self.deadlines.insert(place, (deadline, id));
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

    /// Raft refused a proposal. Returns what waits for it.
    pub(crate) fn refused(&mut self, id: u64) -> Option<Waiter> {
        self.pending.remove(&id)
    }

    /// The entry with this id was applied. Returns what waits for it, if it came from this member and has not timed
    /// out.
    pub(crate) fn applied(&mut self, id: u64) -> Option<Waiter> {
        self.pending.remove(&id)
    }

    /// Whether the request with this id came from this member and has not timed out.
    pub(crate) fn has(&self, id: u64) -> bool {
        self.pending.contains_key(&id)
    }

    /// Removes and returns the requests that have timed out.
    pub(crate) fn expired(&mut self, now: u64) -> Vec<Expired> {
        let mut expired = Vec::new();
        while let Some((deadline, id)) = self.deadlines.front().copied() {
            let Some(waiter) = self.pending.get(&id).copied() else {
                self.deadlines.pop_front();
                continue;
            };
            if deadline > now {
                break;
            }
            punctual::was_due("the end of a proposal", deadline);
            let waited = self.waiting.iter().position(|(other, _)| *other == id);
            if let Some(at) = waited {
                self.waiting.remove(at);
            }
            self.pending.remove(&id);
            self.deadlines.pop_front();
            expired.push(Expired { waiter, proposed: waited.is_none() });
        }
        expired
    }

    /// Removes the renewals, and returns their operations and leases.
    pub(crate) fn take_renewals(&mut self) -> Vec<(u64, i64)> {
        let renews = |waiter: &Waiter| match waiter.purpose {
            Purpose::Renew(lease) => Some((waiter.operation, lease)),
            Purpose::Answer | Purpose::Refuse(_) => None,
        };
        let renewals = self.pending.values().filter_map(renews).collect();
        self.pending.retain(|_, waiter| renews(waiter).is_none());
        renewals
    }

    /// When the next request times out, on the member's clock; or earlier, if an answered one is still at the
    /// front.
    pub(crate) fn wake_at(&self) -> u64 {
        self.deadlines.front().map_or(u64::MAX, |(deadline, _)| *deadline)
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> impl Iterator<Item = Count> {
        let operations = self.pending.values().map(|waiter| waiter.operation);
        let pending = keeps::by_asker(("proposals", "own-proposals"), NOBODY, operations);
        let waiting = count("proposals-not-given-to-raft", self.waiting.len());
        pending.into_iter().chain([waiting, count("proposal-deadlines", self.deadlines.len())])
    }

    /// Removes all requests and returns their operations.
    pub(crate) fn take_all(&mut self) -> Vec<u64> {
        self.waiting.clear();
        self.deadlines.clear();
        std::mem::take(&mut self.pending).into_values().map(|waiter| waiter.operation).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(operation: u64, deadline: u64, purpose: Purpose) -> Waiter {
        Waiter { operation, started: 0, deadline, purpose }
    }

    /// The alarm for a request that lacked space when it was applied has the deadline of that request.
    #[test]
    fn requests_expire_in_the_order_of_their_deadlines() {
        let mut proposals = Proposals::default();
        for (id, deadline) in [(1, 10), (2, 30), (3, 20), (4, 30)] {
            proposals.push(id, waiter(id, deadline, Purpose::Answer), Payload::Data(Vec::new()));
        }
        assert_eq!(proposals.wake_at(), 10);
        let expired = |proposals: &mut Proposals, now| -> Vec<u64> {
            proposals.expired(now).iter().map(|one| one.waiter.operation).collect()
        };
        assert_eq!(expired(&mut proposals, 25), [1, 3]);
        assert_eq!(expired(&mut proposals, 30), [2, 4]);
        assert!(!proposals.has_waiting());
    }

    #[test]
    fn renewals_are_taken_back_alone() {
        let mut proposals = Proposals::default();
        let purposes =
            [Purpose::Answer, Purpose::Renew(7), Purpose::Refuse(Error::NoSpace), Purpose::Renew(8)];
        for (id, purpose) in (1..).zip(purposes) {
            proposals.push(id, waiter(10 * id, 5, purpose), Payload::Data(Vec::new()));
        }
        assert_eq!(proposals.take_renewals(), [(20, 7), (40, 8)]);
        assert!(proposals.take_renewals().is_empty());
        assert_eq!(proposals.applied(1), Some(waiter(10, 5, Purpose::Answer)));
        assert_eq!(proposals.applied(2), None);
        assert_eq!(proposals.take_all(), [30]);
    }
}
