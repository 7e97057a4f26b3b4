//! Operators' requests to one member (status, hashes, snapshots, defragmentation, leadership transfer), and
//! the member's own checks: the space quota, and the comparison of all members' hashes by the leader.

use api::etcdserverpb::{
    AlarmRequest, AlarmType, DefragmentResponse, HashKvRequest, HashKvResponse, HashRequest, HashResponse,
    MoveLeaderResponse, ResponseHeader, SnapshotResponse, StatusResponse, alarm_request::AlarmAction,
};
use api::{Error, Request, Response};
use bytes::Bytes;
use record::{EtcdFact as Fact, MemberId, Probe};
use sha2::{Digest as _, Sha256};

use crate::io::Effects;
use crate::member::Member;
use crate::mvcc::Damaged;

/// The version of etcd that this member names in its answers.
pub const VERSION: &str = "3.6.0";

/// How many bytes of the image one message of a snapshot stream has at most (`v3rpc/maintenance.go`,
/// `snapshotSendBufferSize`).
const BLOB: usize = 32 << 10;

/// A snapshot for an operator: first the image in pieces, then its SHA-256, as in etcd. The image is in our
/// format, which [`crate::Config::restore`] accepts, and not a bbolt file.
#[derive(Clone, Debug)]
pub struct SnapshotStream {
    header: Option<ResponseHeader>,
    /// The part of the image that is not sent yet.
    rest: Bytes,
    /// The SHA-256, until it is sent.
    checksum: Option<Bytes>,
}

impl SnapshotStream {
    fn new(header: Option<ResponseHeader>, image: Bytes) -> SnapshotStream {
        let checksum = Some(Bytes::copy_from_slice(&Sha256::digest(&image)));
        SnapshotStream { header, rest: image, checksum }
    }

    /// Joins the pieces of a snapshot to the image.
    ///
    /// # Errors
    /// A piece is missing, or the checksum does not match.
    pub fn collect(pieces: impl IntoIterator<Item = SnapshotResponse>) -> Result<Bytes, Damaged> {
        let mut all: Vec<u8> = Vec::new();
        pieces.into_iter().for_each(|piece| all.extend_from_slice(&piece.blob));
        let Some(end) = all.len().checked_sub(32) else {
            return Err(Damaged::new(format!("{} bytes are not a snapshot", all.len())));
        };
        let checksum = all.split_off(end);
        if checksum != Sha256::digest(&all)[..] {
            return Err(Damaged::new("the SHA-256 after the snapshot does not match it"));
        }
        Ok(all.into())
    }
}

impl Iterator for SnapshotStream {
    type Item = SnapshotResponse;

    fn next(&mut self) -> Option<SnapshotResponse> {
        let blob = match self.rest.len() {
            0 => self.checksum.take()?,
            left => self.rest.split_to(left.min(BLOB)),
        };
        let remaining_bytes = self.rest.len() as u64;
        let version = VERSION.to_string();
        Some(SnapshotResponse { header: self.header, remaining_bytes, blob, version })
    }
}

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
    /// A response header with the store's revision; `with_header` fills in the rest.
    pub(crate) fn header(&self) -> Option<ResponseHeader> {
        Some(ResponseHeader { revision: self.store.revision(), ..ResponseHeader::default() })
    }

    /// The response to a status request.
    pub(crate) fn status_response(&self) -> Response {
        let size = self.backend.size();
        let mut errors = Vec::new();
        if self.node.leader().is_none() {
            errors.push(Error::NoLeader.text().to_string());
        }
        errors.extend(
            self.cluster
                .alarms()
                .map(|alarm| format!("memberID:{} alarm:{} ", alarm.member_id, alarm.alarm().as_str_name())),
        );
        StatusResponse {
            header: self.header(),
            version: VERSION.to_string(),
            db_size: size.total as i64,
            leader: self.node.leader().raft_id(),
            raft_index: self.node.committed(),
            raft_term: self.node.term(),
            raft_applied_index: self.applied.0,
            errors,
            db_size_in_use: size.in_use as i64,
            is_learner: self.is_learner(),
            ..StatusResponse::default()
        }
        .into()
    }

    /// The hash of the whole store. It can only be compared with those of our members, not with etcd's.
    pub(crate) fn hash_response(&self) -> Response {
        let revision = self.store.revision();
        let hash = self.store.hash_at(revision).unwrap_or(0);
        HashResponse { header: self.header(), hash }.into()
    }

    /// The hash of the store up to a revision.
    pub(crate) fn hash_kv(&self, request: HashKvRequest) -> Result<HashKvResponse, Error> {
        let revision = if request.revision <= 0 { self.store.revision() } else { request.revision };
        let hash = self.store.hash_at(revision)?;
        let compact_revision = self.store.compact_revision();
        Ok(HashKvResponse { header: self.header(), hash, compact_revision, hash_revision: revision })
    }

    /// Sends an operator a snapshot of all replicated state.
    pub(crate) fn snapshot(&mut self, stream: u64, token: Option<&Bytes>, effects: &mut Effects) {
        let who = self.auth.who(token.map(|token| &token[..]), self.now);
        // The permission is the same as for a hash: the user must be root.
        let hash = Request::Hash(HashRequest {});
        let admitted = who.and_then(|who| self.auth.admit(who.as_ref(), &hash, &|id| self.keys_of(id)));
        let stopped = if self.stopping.is_some() { Err(Error::Stopped) } else { Ok(()) };
        let snapshot =
            stopped.and(admitted).map(|()| SnapshotStream::new(self.header(), self.encode_image()));
        effects.snapshots.push((stream, snapshot));
    }

    /// A defragmentation is done: answers the client that requested it.
    pub(crate) fn defragmented(&mut self, operation: u64, effects: &mut Effects) {
        effects.facts.push(Fact::Probe { probe: Probe::BackendDefragmented });
        self.reply(operation, Ok(DefragmentResponse { header: None }.into()), effects);
    }

    // ---- leadership -------------------------------------------------------------------------------

    /// Transfers leadership to another member, if this one leads.
    pub(crate) fn move_leader(&mut self, operation: u64, to: MemberId, effects: &mut Effects) {
        if !self.node.is_leader() {
            return self.reply(operation, Err(Error::NotLeader), effects);
        }
        if !self.node.log().conf_state().voters.contains(&to.raft_id()) {
            return self.reply(operation, Err(Error::BadLeaderTransferee), effects);
        }
        self.node.transfer_leader(to);
        let deadline = self.now + self.config.settings.request_timeout;
        self.transfers.push(Transfer { operation, to, deadline });
        // If `to` is this member, it leads already, and the client is answered at once.
        self.look_after_transfers(effects);
    }

    /// Answers the clients whose transfer has succeeded or timed out.
    pub(crate) fn look_after_transfers(&mut self, effects: &mut Effects) {
        if self.transfers.is_empty() {
            return;
        }
        let (now, leader) = (self.now, self.node.leader());
        let ended =
            self.transfers.extract_if(.., |transfer| transfer.to == leader || transfer.deadline <= now);
        for Transfer { operation, to, .. } in ended.collect::<Vec<_>>() {
            let done = MoveLeaderResponse { header: None }.into();
            let result = if to == leader { Ok(done) } else { Err(Error::TimeoutLeaderTransfer) };
            self.reply(operation, result, effects);
        }
    }

    /// When the next transfer times out, on the member's clock.
    pub(crate) fn transfers_wake_at(&self) -> u64 {
        self.transfers.iter().map(|transfer| transfer.deadline).min().unwrap_or(u64::MAX)
    }

    // ---- space ------------------------------------------------------------------------------------

    /// Whether the backend stays below its space quota if this request is applied.
    pub(crate) fn has_room(&self, request: &Request) -> bool {
        let cost = crate::cluster::cost(request);
        let quota = self.config.settings.quota_bytes();
        quota.is_none_or(|quota| cost == 0 || self.backend.size().total + cost < quota)
    }

    /// Proposes the alarm NOSPACE for this member. Once the entry is applied, it restricts the whole cluster.
    pub(crate) fn raise_no_space(&mut self, effects: &mut Effects) {
        self.raise(self.config.id, AlarmType::Nospace, effects);
    }

    /// Proposes an alarm.
    fn raise(&mut self, member: MemberId, alarm: AlarmType, effects: &mut Effects) {
        let member_id = member.raft_id();
        let request = AlarmRequest { action: AlarmAction::Activate as i32, member_id, alarm: alarm as i32 };
        self.propose_internal(request.into(), effects);
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
        let revision = self.store.revision();
        let Ok(own) = self.hash_kv(HashKvRequest { revision }) else { return };
        self.comparison.own = own;
        self.comparison.unanswered.clear();
        let others: Vec<MemberId> = self.cluster.ids().filter(|id| *id != self.config.id).collect();
        for member in others {
            // The mask clears the high bits, some of which mark other operations.
            let operation = crate::peers::OWN | self.fresh_id() & 0xffff_ffff;
            self.comparison.unanswered.push((operation, member));
            self.ask_member(member, operation, HashKvRequest { revision }.into());
        }
    }

    /// A member answered with its hash: raises the alarm CORRUPT for that member if the hash differs.
    pub(crate) fn compared(
        &mut self,
        operation: u64,
        result: Result<Response, Error>,
        effects: &mut Effects,
    ) {
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
            self.raise(member, AlarmType::Corrupt, effects);
        }
    }
}
