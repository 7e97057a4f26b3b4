//! What members ask of each other beside raft, as etcd does by HTTP on the peer port: a lease is renewed
//! or looked up at the leader, a learner is promoted by it, hashes are compared.
//!
//! A request that only the leader can serve is sent to it, and sent again every so often until it is
//! answered or its time is over (`v3_server.go`, `LeaseRenew`). Copies do no harm: what they ask for is the
//! same the second time. A promotion that was done by the first may be told "can only promote a learner" by
//! the second, as in etcd.
//!
//! Invariant: bounded by the requests under way, which all end after the request time-out.

use std::collections::BTreeMap;

use api::{Error, Request, Response};

use crate::io::{Effects, PeerMessage};
use crate::member::{Member, NOBODY};

/// Numbers of operations that stand for another member's call have this bit.
const CALLED: u64 = 1 << 62;
/// Numbers of operations of the member's own, which compares hashes, have this bit.
pub(crate) const OWN: u64 = 1 << 61;
/// Pause before a call is sent again (`v3_server.go`: 50 ms between attempts).
const AGAIN: u64 = 50_000_000;

/// The calls under way.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// Own calls, by number.
    asked: BTreeMap<u64, Asked>,
    /// What other members asked here: by the operation that serves it, who asked and their number.
    serving: BTreeMap<u64, (u64, u64)>,
    next: u64,
}

#[derive(Debug)]
struct Asked {
    /// The operation that waits for it.
    operation: u64,
    request: Request,
    /// When its time is over.
    deadline: u64,
    /// When to send it again.
    again: u64,
    /// To a certain member; `None` is to whoever leads.
    to: Option<u64>,
}

impl Calls {
    /// When to look again, on the member's clock.
    pub(crate) fn wake_at(&self) -> u64 {
        self.asked.values().map(|asked| asked.again.min(asked.deadline)).min().unwrap_or(u64::MAX)
    }

    /// Empties everything; the operations that were under way.
    pub(crate) fn take_all(&mut self) -> Vec<u64> {
        self.serving.clear();
        std::mem::take(&mut self.asked).into_values().map(|asked| asked.operation).collect()
    }
}

impl Member {
    /// Has the leader serve a request.
    pub(crate) fn ask_leader(&mut self, operation: u64, request: Request) {
        self.ask(operation, request, None);
    }

    /// Has a certain member serve a request.
    pub(crate) fn ask_member(&mut self, to: u64, operation: u64, request: Request) {
        self.ask(operation, request, Some(to));
    }

    fn ask(&mut self, operation: u64, request: Request, to: Option<u64>) {
        self.calls.next += 1;
        let deadline = self.now + self.config.settings.request_timeout;
        self.calls.asked.insert(self.calls.next, Asked { operation, request, deadline, again: self.now, to });
    }

    /// Another member says something beside raft.
    pub(crate) fn peer(&mut self, from: u64, message: PeerMessage, effects: &mut Effects) {
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
            PeerMessage::Removed => self.told_of_removal(),
            PeerMessage::Hello => {}
        }
    }

    fn answered(&mut self, id: u64, result: Result<Response, Error>, effects: &mut Effects) {
        let Some(asked) = self.calls.asked.get_mut(&id) else { return };
        // Whoever was asked does not lead any more: another attempt may find the one who does.
        let moved_on = [Error::NotLeader, Error::NotPrimaryLessor, Error::LeaderChanged, Error::Stopped];
        if asked.to.is_none() && matches!(&result, Err(error) if moved_on.contains(error)) {
            asked.again = self.now + AGAIN;
            return;
        }
        let asked = self.calls.asked.remove(&id).expect("it was there a moment ago");
        let result = self.with_header(result);
        self.reply(asked.operation, result, effects);
    }

    /// Sends what is due, and ends what took too long.
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
            // An answer that got lost is waited for a little longer than for one that says no.
            asked.again = now + 4 * AGAIN;
            match asked.to.unwrap_or(leader) {
                0 => asked.again = now + AGAIN,
                // It leads itself by now, but may have to apply its first entry yet.
                to if to == own && self.lessor.is_primary() => own_now.push(*id),
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

    /// Looks for the others when the leader has been silent for two election timeouts: a learner that was
    /// removed while it was cut off would never learn it otherwise, because learners never campaign. Whoever was
    /// removed before it ever heard of a member knows those that it was told to join.
    pub(crate) fn look_for_others(&mut self, effects: &mut Effects) {
        let patience = 2 * self.config.settings.election_timeout();
        let leader = self.leadership.leader;
        let heard = self.leadership.heard.get(&leader).copied().unwrap_or(0);
        if self.node.is_leader() || self.now < heard.max(self.greeted) + patience {
            return;
        }
        self.greeted = self.now;
        let mut others: Vec<u64> = self.cluster.ids().collect();
        if others.is_empty() {
            others = self.config.peers.iter().map(|peer| peer.id).collect();
        }
        let others = others.into_iter().filter(|id| *id != self.config.id);
        effects.peers.extend(others.map(|id| (id, PeerMessage::Hello)));
    }

    /// An operation ended: its answer goes to whoever asked.
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
