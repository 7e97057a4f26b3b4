//! Requests from one member to another outside raft, named *calls* below. A member calls the leader to renew
//! a lease, to read a lease's time left, or to promote a learner, and it calls any member to compare hashes.
//! etcd uses HTTP on the peer port for these.
//!
//! A call is resent at intervals until it is answered or times out (`v3_server.go`, `LeaseRenew`), so the
//! called member may execute it more than once. Only the answer can show this, and only for a promotion: if
//! the first copy promoted the learner, a second may be answered "can only promote a learner", as in etcd.
//!
//! Invariant: the tables are bounded, because every call ends after the request timeout.

use std::collections::BTreeMap;

use api::{Error, Request, Response};
use record::MemberId;

use crate::io::PeerMessage;
use crate::member::Member;
use crate::out::Out;

/// The bit of operation numbers that serve another member's call.
pub(crate) const CALLED: u64 = 1 << 62;
/// The bit of operation numbers that belong to the member's own comparisons of hashes.
pub(crate) const OWN: u64 = 1 << 61;
/// How long to wait before resending a call that was refused, in nanoseconds (`v3_server.go`: 50 ms).
const RETRY: u64 = 50_000_000;

/// All calls in progress, from this member and to it.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// The calls that this member makes, by its number for them.
    outgoing: BTreeMap<u64, Outgoing>,
    /// The calls that this member serves, by operation: the caller and the caller's number for the call.
    pub(crate) serving: BTreeMap<u64, (MemberId, u64)>,
    /// The last number used, for a call or for an operation that serves one.
    next: u64,
}

/// A call that this member makes. Times are on the member's clock.
#[derive(Debug)]
struct Outgoing {
    /// The operation that waits for the answer.
    operation: u64,
    request: Request,
    /// When the call times out.
    deadline: u64,
    /// When to send the call, or to resend it.
    send_at: u64,
    /// The member to call; `None` for whichever member leads.
    to: Option<MemberId>,
}

impl Calls {
    /// When the next call must be sent or times out, on the member's clock.
    pub(crate) fn wake_at(&self) -> u64 {
        self.outgoing.values().map(|call| call.send_at.min(call.deadline)).min().unwrap_or(u64::MAX)
    }

    /// Removes all calls and returns the operations that waited for those of this member.
    pub(crate) fn take_all(&mut self) -> Vec<u64> {
        self.serving.clear();
        std::mem::take(&mut self.outgoing).into_values().map(|call| call.operation).collect()
    }
}

impl Member {
    /// Calls the leader. The operation is answered with the leader's answer.
    pub(crate) fn ask_leader(&mut self, operation: u64, request: Request) {
        self.ask(operation, request, None);
    }

    /// Calls a given member. The operation is answered with that member's answer.
    pub(crate) fn ask_member(&mut self, to: MemberId, operation: u64, request: Request) {
        self.ask(operation, request, Some(to));
    }

    /// Plans to send a client's request to another member.
    fn ask(&mut self, operation: u64, request: Request, to: Option<MemberId>) {
        self.calls.next += 1;
        let deadline = self.now + self.config.settings.request_timeout;
        let call = Outgoing { operation, request, deadline, send_at: self.now, to };
        self.calls.outgoing.insert(self.calls.next, call);
    }

    /// Handles a message from another member outside raft. A member that was removed from the cluster is told
    /// so, whatever it sent.
    pub(crate) fn peer(&mut self, from: MemberId, message: PeerMessage, out: &mut Out<'_>) {
        if self.has_left(from) && !matches!(message, PeerMessage::Removed) {
            out.send_peer(from, PeerMessage::Removed);
            return;
        }
        match message {
            PeerMessage::Call { id, request } => {
                self.calls.next += 1;
                let operation = CALLED | self.calls.next;
                self.calls.serving.insert(operation, (from, id));
                self.serve_peer(operation, request, out);
            }
            PeerMessage::Answer { id, result } => self.answered(id, result, out),
            PeerMessage::Removed => self.learned_of_removal(),
            PeerMessage::Hello => {}
        }
    }

    /// A call was answered.
    fn answered(&mut self, id: u64, result: Result<Response, Error>, out: &mut Out<'_>) {
        let Some(call) = self.calls.outgoing.get_mut(&id) else { return };
        // These errors mean that the called member does not lead any more: a later attempt may reach the
        // current leader.
        let leads_no_more = [Error::NotLeader, Error::NotPrimaryLessor, Error::LeaderChanged, Error::Stopped];
        if call.to.is_none() && matches!(&result, Err(error) if leads_no_more.contains(error)) {
            call.send_at = self.now + RETRY;
            return;
        }
        let call = self.calls.outgoing.remove(&id).expect("it was there a moment ago");
        let result = self.with_header(result);
        self.reply(call.operation, result, out);
    }

    /// Sends calls that are due, and answers those that timed out with an error.
    pub(crate) fn look_after_calls(&mut self, out: &mut Out<'_>) {
        if self.calls.wake_at() > self.now {
            return;
        }
        let (now, leader, own) = (self.now, self.node.leader(), self.config.id);
        let timed_out: Vec<u64> = self
            .calls
            .outgoing
            .extract_if(.., |_, call| call.deadline <= now)
            .map(|(_, call)| call.operation)
            .collect();
        for operation in timed_out {
            self.reply(operation, Err(Error::Timeout), out);
        }
        let mut serve_here = Vec::new();
        for (id, call) in &mut self.calls.outgoing {
            if call.send_at > now {
                continue;
            }
            // A lost message is awaited for longer (200 ms) than the pause after a refusal (50 ms).
            call.send_at = now + 4 * RETRY;
            match call.to.unwrap_or(leader) {
                MemberId::NONE => call.send_at = now + RETRY,
                // By now, this member leads. It serves the call itself as soon as it has applied the first
                // entry of its term. But it may also have lost its leadership again in raft, while it waits
                // for a save and so does not know yet (`Node::leads_in_raft`); then the call waits.
                to if to == own && self.leases.is_primary() && self.node.leads_in_raft() => {
                    serve_here.push(*id)
                }
                to if to == own => call.send_at = now + RETRY,
                to => {
                    let request = call.request.clone();
                    out.send_peer(to, PeerMessage::Call { id: *id, request });
                }
            }
        }
        for id in serve_here {
            if let Some(call) = self.calls.outgoing.remove(&id) {
                self.serve_peer(call.operation, call.request, out);
            }
        }
    }

    /// Sends all other members a greeting if this member has not heard from its leader for two election
    /// timeouts. Only a removed member gets an answer, which is how it learns of its removal if it missed the
    /// entry. A voter would also learn of it by campaigning, but learners never campaign.
    ///
    /// A member that has no member list yet contacts the members of its initial configuration.
    pub(crate) fn look_for_others(&mut self, out: &mut Out<'_>) {
        let silence = 2 * self.config.settings.election_timeout();
        let leader = self.leadership.leader;
        let heard = self.leadership.heard.get(&leader).copied().unwrap_or(0);
        if self.node.is_leader() || self.now < heard.max(self.said_hello_at) + silence {
            return;
        }
        self.said_hello_at = self.now;
        let mut others: Vec<MemberId> = self.replica.cluster.ids().collect();
        if others.is_empty() {
            others = self.config.peers.iter().map(|peer| peer.id).collect();
        }
        others.retain(|id| *id != self.config.id);
        others.into_iter().for_each(|id| out.send_peer(id, PeerMessage::Hello));
    }
}
