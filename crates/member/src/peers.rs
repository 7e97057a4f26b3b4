//! Requests between members outside raft, for which etcd uses HTTP on the peer port: renewing a lease or
//! reading its time left at the leader, promoting a learner, comparing hashes.
//!
//! A request that only the leader can serve is sent to it and resent at intervals until it is answered or
//! times out (`v3_server.go`, `LeaseRenew`). Copies are harmless: they ask for the same thing. If the first
//! copy promoted a learner, the second may be answered "can only promote a learner", as in etcd.
//!
//! Invariant: bounded by the requests in progress, which all end after the request time-out.

use std::collections::BTreeMap;

use api::{Error, Request, Response};
use record::MemberId;

use crate::io::{Effects, PeerMessage};
use crate::member::{Member, NOBODY};

/// This bit marks operations that serve another member's call.
const CALLED: u64 = 1 << 62;
/// This bit marks the member's own operations: comparisons of hashes.
pub(crate) const OWN: u64 = 1 << 61;
/// Pause before a call is resent (`v3_server.go`: 50 ms between attempts).
const AGAIN: u64 = 50_000_000;

/// The calls in progress.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// This member's calls, by number.
    asked: BTreeMap<u64, Asked>,
    /// Calls of other members: for each operation that serves one, the caller and its number.
    serving: BTreeMap<u64, (MemberId, u64)>,
    next: u64,
}

#[derive(Debug)]
struct Asked {
    /// The operation that waits for it.
    operation: u64,
    request: Request,
    /// When it times out.
    deadline: u64,
    /// When to resend it.
    again: u64,
    /// The member to ask; `None` for the current leader.
    to: Option<MemberId>,
}

impl Calls {
    /// When to check again, on the member's clock.
    pub(crate) fn wake_at(&self) -> u64 {
        self.asked.values().map(|asked| asked.again.min(asked.deadline)).min().unwrap_or(u64::MAX)
    }

    /// Removes everything and returns the operations that were in progress.
    pub(crate) fn take_all(&mut self) -> Vec<u64> {
        self.serving.clear();
        std::mem::take(&mut self.asked).into_values().map(|asked| asked.operation).collect()
    }
}

impl Member {
    /// Asks the leader to serve a request.
    pub(crate) fn ask_leader(&mut self, operation: u64, request: Request) {
        self.ask(operation, request, None);
    }

    /// Asks a certain member to serve a request.
    pub(crate) fn ask_member(&mut self, to: MemberId, operation: u64, request: Request) {
        self.ask(operation, request, Some(to));
    }

    fn ask(&mut self, operation: u64, request: Request, to: Option<MemberId>) {
        self.calls.next += 1;
        let deadline = self.now + self.config.settings.request_timeout;
        self.calls.asked.insert(self.calls.next, Asked { operation, request, deadline, again: self.now, to });
    }

    /// Handles another member's message outside raft.
    pub(crate) fn peer(&mut self, from: MemberId, message: PeerMessage, effects: &mut Effects) {
        if self.has_left(from) && !matches!(message, PeerMessage::Removed) {
            effects.peers.push((from, PeerMessage::Removed));
            return;
        }
        match message {
            PeerMessage::Call { id, request } => {
                self.calls.next += 1;
                let operation = CALLED | self.calls.next;
                self.calls.serving.insert(operation, (from, id));
                self.serve_peer(operation, request, effects);
            }
            PeerMessage::Answer { id, result } => self.answered(id, result, effects),
            PeerMessage::Removed => self.learned_of_removal(),
            PeerMessage::Hello => {}
        }
    }

    fn answered(&mut self, id: u64, result: Result<Response, Error>, effects: &mut Effects) {
        let Some(asked) = self.calls.asked.get_mut(&id) else { return };
        // The member that was asked no longer leads: another attempt may find the current leader.
        let moved_on = [Error::NotLeader, Error::NotPrimaryLessor, Error::LeaderChanged, Error::Stopped];
        if asked.to.is_none() && matches!(&result, Err(error) if moved_on.contains(error)) {
            asked.again = self.now + AGAIN;
            return;
        }
        let asked = self.calls.asked.remove(&id).expect("it was there a moment ago");
        let result = self.with_header(result);
        self.reply(asked.operation, result, effects);
    }

    /// Sends calls that are due, and ends those that timed out.
    pub(crate) fn look_after_calls(&mut self, effects: &mut Effects) {
        if self.calls.wake_at() > self.now {
            return;
        }
        let (now, leader, own) = (self.now, self.node.leader(), self.config.id);
        let over: Vec<u64> = self
            .calls
            .asked
            .extract_if(.., |_, asked| asked.deadline <= now)
            .map(|(_, a)| a.operation)
            .collect();
        for operation in over {
            self.reply(operation, Err(Error::Timeout), effects);
        }
        let mut own_now = Vec::new();
        for (id, asked) in &mut self.calls.asked {
            if asked.again > now {
                continue;
            }
            // Wait a little longer for a lost answer than after a refusal.
            asked.again = now + 4 * AGAIN;
            match asked.to.unwrap_or(leader) {
                MemberId::NONE => asked.again = now + AGAIN,
                // This member leads by now, but may still have to apply its first entry; or it led, and its disk
                // keeps it from knowing better.
                to if to == own && self.lessor.is_primary() && self.node.leads_in_raft() => own_now.push(*id),
                to if to == own => asked.again = now + AGAIN,
                to => {
                    let request = asked.request.clone();
                    effects.peers.push((to, PeerMessage::Call { id: *id, request }));
                }
            }
        }
        for id in own_now {
            if let Some(asked) = self.calls.asked.remove(&id) {
                self.serve_peer(asked.operation, asked.request, effects);
            }
        }
    }

    /// Contacts the others when the leader has been silent for two election timeouts: a learner that was
    /// removed while it was cut off would otherwise never learn of it, because learners never campaign. A
    /// member removed before it ever heard from another one knows the members in its initial configuration.
    pub(crate) fn look_for_others(&mut self, effects: &mut Effects) {
        let patience = 2 * self.config.settings.election_timeout();
        let leader = self.leadership.leader;
        let heard = self.leadership.heard.get(&leader).copied().unwrap_or(0);
        if self.node.is_leader() || self.now < heard.max(self.greeted) + patience {
            return;
        }
        self.greeted = self.now;
        let mut others: Vec<MemberId> = self.cluster.ids().collect();
        if others.is_empty() {
            others = self.config.peers.iter().map(|peer| peer.id).collect();
        }
        let others = others.into_iter().filter(|id| *id != self.config.id);
        effects.peers.extend(others.map(|id| (id, PeerMessage::Hello)));
    }

    /// An operation ended: sends its answer to the client or member that asked.
    pub(crate) fn reply(&mut self, operation: u64, result: Result<Response, Error>, effects: &mut Effects) {
        if operation == NOBODY {
            return;
        }
        if self.services.owns_request(operation) {
            return self.service_answered(operation, result, effects);
        }
        if operation & OWN != 0 {
            return self.compared(operation, result, effects);
        }
        if operation & CALLED == 0 {
            effects.replies.push((operation, result));
        } else if let Some((to, id)) = self.calls.serving.remove(&operation) {
            effects.peers.push((to, PeerMessage::Answer { id, result }));
        }
    }
}
