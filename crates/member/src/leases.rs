//! Connects the lessor, which tracks when leases expire, with the log and with clients. Revocations and
//! checkpoints that are due are proposed here; keep-alives and questions about the time left are answered
//! here, or sent to the leader if this member is not the primary lessor.
//!
//! Before a leader renews a lease or proposes a revocation, it confirms by ReadIndex that it still leads. A
//! process that was paused still believes that it leads when it resumes (etcd issues 12528, 15247; flaw
//! M-15247).

use api::etcdserverpb::{
    LeaseCheckpoint, LeaseCheckpointRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
    LeaseRevokeRequest, LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
};
use api::{Error, Request};
use record::EtcdFact as Fact;

use crate::failpoint::Failpoint;
use crate::flaw::Flaw;
use crate::io::Effects;
use crate::lessor::Renewed;
use crate::member::{Member, NOBODY};
use crate::reads::Read;

impl Member {
    /// Handles a keep-alive from a client of this member or of another one.
    pub(crate) fn keep_alive(
        &mut self,
        operation: u64,
        request: LeaseKeepAliveRequest,
        effects: &mut Effects,
    ) {
        if !self.node.is_leader() && !self.lessor.is_primary() {
            return self.ask_leader(operation, request.into());
        }
        if self.config.flaws.has(Flaw::StalledLeaderRevokes) {
            return self.renew(operation, request.id, effects); // flaw M-15247
        }
        let deadline = self.now + self.config.settings.request_timeout;
        self.reads.push(Read { operation, request: request.into(), deadline, token: None });
    }

    /// Renews a lease, after a ReadIndex confirmed that this member leads.
    pub(crate) fn renew(&mut self, operation: u64, id: i64, effects: &mut Effects) {
        // The lessor learns only at the end of a step that this member lost its leadership.
        if !self.node.is_leader() && !self.config.flaws.has(Flaw::StalledLeaderRevokes) {
            return self.ask_leader(operation, LeaseKeepAliveRequest { id }.into());
        }
        self.pass(Failpoint::BeforeCheckpointInLeaseRenew, effects);
        match self.lessor.renew(&self.store, id, self.now, self.wall) {
            Renewed::Renewed { ttl } => self.answer_keep_alive(operation, id, ttl, effects),
            Renewed::NotFound => self.answer_keep_alive(operation, id, 0, effects),
            // The lease expired: the answer waits until the revocation is applied.
            Renewed::Expiring => {
                self.waiting_renewals.push((operation, id, self.now + self.config.settings.request_timeout))
            }
            Renewed::Checkpointed => {
                self.propose_checkpoints(vec![(id, 0)], effects);
                self.waiting_renewals.push((operation, id, self.now + self.config.settings.request_timeout));
            }
            Renewed::NotPrimary => self.ask_leader(operation, LeaseKeepAliveRequest { id }.into()),
        }
    }

    /// Answers a keep-alive with the TTL to which the lease was renewed; 0 means that there is no such lease.
    fn answer_keep_alive(&mut self, operation: u64, id: i64, ttl: i64, effects: &mut Effects) {
        let response = LeaseKeepAliveResponse { header: self.header(), id, ttl };
        self.answer_here(operation, Ok(response.into()), effects);
    }

    /// Answers how much time a lease has left, or sends the request to the leader, which alone knows that.
    pub(crate) fn time_to_live(
        &mut self,
        operation: u64,
        request: LeaseTimeToLiveRequest,
        effects: &mut Effects,
    ) {
        if !self.lessor.is_primary() {
            return self.ask_leader(operation, request.into());
        }
        self.pass(Failpoint::BeforeLookupWhenLeaseTimeToLive, effects);
        let mut response = LeaseTimeToLiveResponse {
            header: self.header(),
            id: request.id,
            ttl: -1,
            ..LeaseTimeToLiveResponse::default()
        };
        if let Some(lease) = self.store.lease(request.id) {
            response.granted_ttl = lease.ttl;
            response.ttl = self.lessor.remaining(request.id, self.now, self.wall).unwrap_or(lease.ttl);
            if request.keys {
                response.keys = lease.keys().cloned().collect();
            }
        }
        self.answer_here(operation, Ok(response.into()), effects);
    }

    /// Makes this member the primary lessor. Called when the first entry of its own term is applied.
    pub(crate) fn become_lessor(&mut self, effects: &mut Effects) {
        self.lessor.promote(&self.store, self.now, self.wall);
        effects.facts.push(Fact::Lessor { primary: true });
    }

    /// If this member no longer leads: the lessor stops tracking time, and waiting renewals go to the new
    /// leader.
    pub(crate) fn note_lessor(&mut self, effects: &mut Effects) {
        if !self.lessor.is_primary() || self.node.is_leader() {
            self.demote_at = None;
            return;
        }
        // Flaw M-15247: the lessor notices two scan intervals after raft that this member no longer leads.
        if self.config.flaws.has(Flaw::StalledLeaderRevokes) {
            let aware_at =
                *self.demote_at.get_or_insert(self.now + 2 * self.config.settings.lease_scan_interval);
            if self.now < aware_at {
                return;
            }
        }
        self.demote_at = None;
        self.lessor.demote();
        effects.facts.push(Fact::Lessor { primary: false });
        for (operation, id, _) in std::mem::take(&mut self.waiting_renewals) {
            self.ask_leader(operation, LeaseKeepAliveRequest { id }.into());
        }
    }

    /// Starts the revocation of expired leases, proposes checkpoints, and ends renewals that waited too long.
    pub(crate) fn look_after_leases(&mut self, effects: &mut Effects) {
        if self.lessor.wake_at() <= self.now {
            for id in self.lessor.due(self.now, self.wall) {
                let revoke = Request::LeaseRevoke(LeaseRevokeRequest { id });
                if self.config.flaws.has(Flaw::StalledLeaderRevokes) {
                    self.lessor.confirmed(id); // flaw M-15247
                } else {
                    let deadline = self.now + self.config.settings.request_timeout;
                    self.reads.push(Read { operation: NOBODY, request: revoke, deadline, token: None });
                }
            }
            let checkpoints = self.lessor.checkpoints(&self.store, self.now, self.wall);
            if !checkpoints.is_empty() {
                self.propose_checkpoints(checkpoints, effects);
            }
        }
        self.end_leases(effects);
        if self.waiting_renewals.iter().any(|(.., deadline)| *deadline <= self.now) {
            let now = self.now;
            let timed_out: Vec<_> =
                self.waiting_renewals.extract_if(.., |(.., deadline)| *deadline <= now).collect();
            for (operation, ..) in timed_out {
                self.reply(operation, Err(Error::Timeout), effects);
            }
        }
    }

    /// Proposes revocations of expired leases, as many as may be in progress at a time.
    fn end_leases(&mut self, effects: &mut Effects) {
        while self.lessor.is_primary()
            && let Some(id) = self.lessor.next_revocation(self.now, self.wall)
        {
            self.propose_internal(LeaseRevokeRequest { id }.into(), effects);
        }
    }

    /// Applies a checkpoint, which records the time left of some leases, and retries renewals that waited for
    /// it.
    pub(crate) fn apply_checkpoints(&mut self, request: &LeaseCheckpointRequest, effects: &mut Effects) {
        crate::apply::checkpoint(&mut self.store, request);
        for checkpoint in &request.checkpoints {
            self.lessor.checkpoint_applied(checkpoint.id);
            let waited: Vec<_> =
                self.waiting_renewals.extract_if(.., |(_, id, _)| *id == checkpoint.id).collect();
            for (operation, id, _) in waited {
                self.renew(operation, id, effects);
            }
        }
    }

    /// Proposes a checkpoint with the time left of these leases.
    fn propose_checkpoints(&mut self, checkpoints: Vec<(i64, i64)>, effects: &mut Effects) {
        let checkpoints =
            checkpoints.into_iter().map(|(id, remaining)| LeaseCheckpoint { id, remaining_ttl: remaining });
        let request = LeaseCheckpointRequest { checkpoints: checkpoints.collect() };
        self.propose_command(crate::envelope::Command::Checkpoint(request), effects);
    }

    /// A revocation was applied: answers the clients that tried to renew the lease after it expired.
    pub(crate) fn lease_gone(&mut self, id: i64, effects: &mut Effects) {
        self.lessor.revoked(id);
        if self.waiting_renewals.is_empty() {
            return;
        }
        let waited: Vec<_> =
            self.waiting_renewals.extract_if(.., |(_, expiring, _)| *expiring == id).collect();
        for (operation, ..) in waited {
            self.answer_keep_alive(operation, id, 0, effects);
        }
    }
}
