//! Operators' requests to one member (status, hashes, snapshots, defragmentation, leadership transfer), and
//! the member's own checks: the space quota, and the comparison of all members' hashes by the leader.

use api::etcdserverpb::{
    AlarmRequest, AlarmType, HashKvRequest, HashKvResponse, HashRequest, HashResponse, MoveLeaderResponse,
    StatusResponse, alarm_request::AlarmAction,
};
use api::{Error, Request, Response};
use bytes::Bytes;
use record::MemberId;

use crate::member::Member;
use crate::out::Out;
use crate::snapshot_stream::{SnapshotStream, VERSION};

/// A transfer of leadership that a client waits for.
#[derive(Debug)]
pub(crate) struct Transfer {
    operation: u64,
    to: MemberId,
    /// When the client gets a timeout.
    deadline: u64,
}

/// The state of the leader's comparison of hashes.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// When the next comparison starts, on the member's clock.
    next: u64,
    /// The leader's own hash.
    own: HashKvResponse,
    /// The requests to other members that are not answered yet: operation and member.
    unanswered: Vec<(u64, MemberId)>,
}

impl Member {
    /// The response to a status request.
    pub(crate) fn status_response(&self) -> Response {
        let size = self.persistence.size();
        let mut errors = Vec::new();
        if self.node.leader().is_none() {
            errors.push(Error::NoLeader.text().to_string());
        }
        errors.extend(
            self.replica
                .cluster
                .alarms()
                .map(|alarm| format!("memberID:{} alarm:{} ", alarm.member_id, alarm.alarm().as_str_name())),
        );
        StatusResponse {
            header: self.replica.header(),
            version: VERSION.to_string(),
            db_size: size.total as i64,
            leader: self.node.leader().raft_id(),
            raft_index: self.node.committed(),
            raft_term: self.node.term(),
            raft_applied_index: self.replica.applied(),
            errors,
            db_size_in_use: size.in_use as i64,
            is_learner: self.is_learner(),
            ..StatusResponse::default()
        }
        .into()
    }

    /// The hash of the whole store. It can only be compared with those of our members, not with etcd's.
    pub(crate) fn hash_response(&self) -> Response {
        let revision = self.replica.store.revision();
        let hash = self.replica.store.hash_at(revision).unwrap_or(0);
        HashResponse { header: self.replica.header(), hash }.into()
    }

    /// The hash of the store up to a revision.
    pub(crate) fn hash_kv(&self, request: HashKvRequest) -> Result<HashKvResponse, Error> {
        let revision = if request.revision <= 0 { self.replica.store.revision() } else { request.revision };
        let hash = self.replica.store.hash_at(revision)?;
        let compact_revision = self.replica.store.compact_revision();
        Ok(HashKvResponse { header: self.replica.header(), hash, compact_revision, hash_revision: revision })
    }

    /// Sends an operator a snapshot of all replicated state.
    pub(crate) fn snapshot(&mut self, stream: u64, token: Option<&Bytes>, out: &mut Out<'_>) {
        let who = self.replica.auth.who(token.map(|token| &token[..]), self.now);
        // The permission is the same as for a hash: the user must be root.
        let hash = Request::Hash(HashRequest {});
        let admitted = who.and_then(|who| self.replica.admit(who.as_ref(), &hash));
        let stopped = if self.stopping.is_some() { Err(Error::Stopped) } else { Ok(()) };
        let snapshot =
            stopped.and(admitted).map(|()| SnapshotStream::new(self.replica.header(), self.replica.image()));
        out.send_snapshot(stream, snapshot);
    }

    // ---- leadership -------------------------------------------------------------------------------

    /// Transfers leadership to another member, if this one leads.
    pub(crate) fn move_leader(&mut self, operation: u64, to: MemberId, out: &mut Out<'_>) {
        if !self.node.is_leader() {
            return self.reply(operation, Err(Error::NotLeader), out);
        }
        if !self.node.log().conf_state().voters.contains(&to.raft_id()) {
            return self.reply(operation, Err(Error::BadLeaderTransferee), out);
        }
        self.node.transfer_leader(to);
        let deadline = self.now + self.config.settings.request_timeout;
        self.transfers.push(Transfer { operation, to, deadline });
        // If `to` is this member, it leads already, and the client is answered at once.
        self.look_after_transfers(out);
    }

    /// Answers the clients whose transfer has succeeded or timed out.
    pub(crate) fn look_after_transfers(&mut self, out: &mut Out<'_>) {
        if self.transfers.is_empty() {
            return;
        }
        let (now, leader) = (self.now, self.node.leader());
        let ended =
            self.transfers.extract_if(.., |transfer| transfer.to == leader || transfer.deadline <= now);
        for Transfer { operation, to, .. } in ended.collect::<Vec<_>>() {
            let done = MoveLeaderResponse { header: None }.into();
            let result = if to == leader { Ok(done) } else { Err(Error::TimeoutLeaderTransfer) };
            self.reply(operation, result, out);
        }
    }

    /// When the next transfer times out, on the member's clock.
    pub(crate) fn transfers_wake_at(&self) -> u64 {
        self.transfers.iter().map(|transfer| transfer.deadline).min().unwrap_or(u64::MAX)
    }

    // ---- space ------------------------------------------------------------------------------------

    /// Proposes the alarm NOSPACE for this member. Once the entry is applied, it restricts the whole cluster.
    pub(crate) fn raise_no_space(&mut self, out: &mut Out<'_>) {
        self.raise(self.config.id, AlarmType::Nospace, out);
    }

    /// Proposes an alarm.
    fn raise(&mut self, member: MemberId, alarm: AlarmType, out: &mut Out<'_>) {
        let member_id = member.raft_id();
        let request = AlarmRequest { action: AlarmAction::Activate as i32, member_id, alarm: alarm as i32 };
        self.propose_internal(request.into(), out);
    }

    // ---- comparison of hashes ---------------------------------------------------------------------

    /// When the next comparison starts, on the member's clock.
    pub(crate) fn comparison_at(&self) -> u64 {
        match self.config.settings.corrupt_checks() {
            Some(_) if self.node.is_leader() => self.comparison.next,
            _ => u64::MAX,
        }
    }

    /// If a comparison is due and this member leads: requests the hash at its own revision from all other
    /// members (`corrupt.go`, `PeriodicCheck`).
    pub(crate) fn look_after_comparison(&mut self) {
        let Some(interval) = self.config.settings.corrupt_checks() else { return };
        if !self.node.is_leader() || self.comparison.next > self.now {
            return;
        }
        self.comparison.next = self.now + interval;
        let revision = self.replica.store.revision();
        let Ok(own) = self.hash_kv(HashKvRequest { revision }) else { return };
        self.comparison.own = own;
        self.comparison.unanswered.clear();
        let others: Vec<MemberId> = self.replica.cluster.ids().filter(|id| *id != self.config.id).collect();
        for member in others {
            // The mask clears the high bits, some of which mark other operations.
            let operation = crate::peers::OWN | self.fresh_id() & 0xffff_ffff;
            self.comparison.unanswered.push((operation, member));
            self.ask_member(member, operation, HashKvRequest { revision }.into());
        }
    }

    /// A member answered with its hash: raises the alarm CORRUPT for that member if the hash differs.
    pub(crate) fn compared(&mut self, operation: u64, result: Result<Response, Error>, out: &mut Out<'_>) {
        let Some(at) = self.comparison.unanswered.iter().position(|(asked, _)| *asked == operation) else {
            return;
        };
        let (_, member) = self.comparison.unanswered.swap_remove(at);
        // A member that lags, or has another compact revision, cannot be compared.
        let Ok(Response::HashKv(other)) = result else { return };
        let own = &self.comparison.own;
        if other.compact_revision == own.compact_revision
            && other.hash_revision == own.hash_revision
            && other.hash != own.hash
        {
            self.raise(member, AlarmType::Corrupt, out);
        }
    }
}
