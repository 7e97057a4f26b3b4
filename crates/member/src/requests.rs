//! Requests of clients: which way each goes, and how those end that are never answered.
//!
//! Reads go through ReadIndex or, if serializable, straight to the store; writes through the log.
//! Error texts and the attribution of time-outs are etcd's (`v3_server.go`, `parseProposeCtxErr`).

use api::{Error, Request};
use record::Fact;

use crate::apply;
use crate::envelope;
use crate::flaw::Flaw;
use crate::io::Effects;
use crate::member::Member;
use crate::reads::Read;

impl Member {
    /// A client asks.
    pub(crate) fn request(&mut self, operation: u64, request: Request, effects: &mut Effects) {
        let refuse = |error: Error, effects: &mut Effects| effects.replies.push((operation, Err(error)));
        if self.stopping.is_some() {
            return refuse(Error::Stopped, effects);
        }
        if let Err(error) = apply::check_request(&request, self.config.max_txn_ops) {
            return refuse(error, effects);
        }
        let deadline = self.now + self.config.request_timeout;
        let read = match &request {
            Request::Range(range) => Some(range.serializable),
            Request::Txn(txn) if apply::is_read_only(txn) => Some(apply::is_serializable(txn)),
            // 3.4 answers these from the local store, too; leases are part 2's.
            Request::LeaseTimeToLive(_) | Request::LeaseLeases(_) => Some(true),
            _ => None,
        };
        match read {
            Some(serializable) => {
                let read = Read { operation, request, deadline };
                // R5: a linearizable read is answered like a serializable one, without asking a quorum.
                if serializable || self.config.flaws.has(Flaw::StaleReadNoQuorum) {
                    self.answer_read(read, effects);
                } else {
                    self.reads.push(read);
                }
            }
            None => {
                if self.node.committed() > self.applied.0 + self.config.max_apply_gap {
                    return refuse(Error::TooManyRequests, effects);
                }
                let id = self.fresh_id();
                let Some(data) = envelope::encode(id, &request) else {
                    return refuse(Error::NotCapable, effects);
                };
                if data.len() as u64 > self.config.max_request_bytes {
                    return refuse(Error::RequestTooLarge, effects);
                }
                effects.facts.push(Fact::Proposed { operation, request: id });
                self.proposals.push(id, operation, self.now, deadline, data);
            }
        }
    }

    /// Hands waiting requests to raft while it knows a leader.
    pub(crate) fn propose_waiting(&mut self, effects: &mut Effects) {
        while self.node.leader() != 0
            && let Some((id, data)) = self.proposals.next_waiting()
        {
            if !self.node.propose(data)
                && let Some(operation) = self.proposals.refused(id)
            {
                effects.replies.push((operation, Err(Error::ProposalDropped)));
            }
        }
    }

    /// Ends the requests whose time inside the server is over.
    pub(crate) fn expire(&mut self, effects: &mut Effects) {
        for expired in self.proposals.expired(self.now) {
            let error = if expired.proposed {
                self.why_late(expired.started)
            } else {
                Error::ContextDeadlineExceeded
            };
            effects.replies.push((expired.operation, Err(error)));
        }
        for read in self.reads.expired(self.now) {
            effects.replies.push((read.operation, Err(Error::Timeout)));
        }
    }

    /// To what etcd puts a proposal's time-out down.
    fn why_late(&self, started: u64) -> Error {
        let election = self.config.heartbeat_interval * u64::from(self.config.election_ticks);
        if started >= self.leadership.since.saturating_sub(2 * election) && started <= self.leadership.since {
            return Error::TimeoutDueToLeaderFail;
        }
        let connected = |peer: u64| self.leadership.heard.get(&peer).is_some_and(|heard| *heard >= started);
        let cut_off = if self.node.is_leader() {
            let peers =
                self.config.peers.iter().filter(|peer| peer.id == self.config.id || connected(peer.id));
            peers.count() <= self.config.peers.len() / 2
        } else {
            !connected(self.leadership.leader)
        };
        if cut_off { Error::TimeoutDueToConnectionLost } else { Error::Timeout }
    }
}
