//! Accepts requests and passes each to the part of the member that serves it. Carries out what the parts want
//! of each other ([`Want`]), and gives each result to whoever waits for it.
//!
//! A request is served in one of five ways. A linearizable read waits for ReadIndex. A serializable read is answered
//! from the store at once. A write is proposed to the log and answered when it is applied. A request that only the
//! leader can answer is sent to the leader. A request about this member itself, such as its status, is answered here.
//!
//! Error texts are etcd's.

use api::etcdserverpb::DowngradeRequest;
use api::etcdserverpb::downgrade_request::DowngradeAction;
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{
    AlarmType, AuthenticateRequest, HashRequest, InternalAuthenticateRequest, LeaseGrantRequest,
    LeaseTimeToLiveRequest, RangeRequest, RangeStreamResponse, WatchRequest,
};
use api::membershippb::{ClusterVersionSetRequest, DowngradeInfoSetRequest};
use api::{Error, Request, Response};
use bytes::Bytes;
use contract::Now;
use record::inner::LeaseDeed;
use record::{EtcdFact as Fact, Inner, MemberId};

use crate::apply;
use crate::auth::{AuthInfo, Credential};
use crate::cluster::{self, Change, Cluster};
use crate::config::EtcdVersion;
use crate::configuration;
use crate::downgrade::{LOOK_INTERVAL, target};
use crate::envelope::{self, Command};
use crate::flaw::Flaw;
use crate::inner;
use crate::io::{Ask, Call, Meta, PeerMessage, Up};
use crate::logins::{self, Waiting};
use crate::maintenance;
use crate::member::Member;
use crate::out::Out;
use crate::pending::Then;
use crate::proposals::{Payload, Purpose, Waiter};
use crate::range_stream::{self, Chunk};
use crate::reads::Read;
use crate::version;
use crate::want::{NOBODY, Want, Wants};
use crate::work::Piece;

impl Member {
    /// Handles a client's call.
    pub(crate) fn call(&mut self, operation: u64, ask: Ask<Call>, out: &mut Out<'_>) {
        let Ask { what, meta } = ask;
        if self.lacks_leader(&meta) {
            return self.reply(operation, Err(Error::NoLeader), out);
        }
        match what {
            Call::Api(request) => self.request(operation, request, meta.credential().as_ref(), out),
            Call::Reconfigure(changes) => self.reconfigure(operation, &changes, out),
        }
    }

    /// Handles what a client sends on a stream.
    pub(crate) fn item(&mut self, stream: u64, ask: Ask<Up>, out: &mut Out<'_>) {
        let Ask { what, meta } = ask;
        if self.lacks_leader(&meta) {
            return self.refuse_stream(stream, Error::NoLeader, out);
        }
        if meta.require_leader {
            self.require_leader.opened(stream);
        }
        match what {
            Up::Watch(request) => self.watch(stream, request, meta.credential().as_ref(), out),
            Up::Snapshot => self.snapshot(stream, meta.credential().as_ref(), out),
            Up::Range(request) => self.stream_range(stream, request, meta.credential(), out),
            Up::KeepAlive => {}
        }
    }

    /// Whether a client must be refused because it wants a member that knows a leader.
    fn lacks_leader(&self, meta: &Meta) -> bool {
        meta.require_leader && self.node.leader().is_none()
    }

    /// Handles a client's request: checks its form, its user and the user's permission, then serves it.
    pub(crate) fn request(
        &mut self,
        operation: u64,
        request: Request,
        credential: Option<&Credential>,
        out: &mut Out<'_>,
    ) {
        if self.stopping.is_some() {
            return self.reply(operation, Err(Error::Stopped), out);
        }
        // etcd checks this for every call before it looks at the call itself.
        if self.node.is_learner() && !for_learners(&request) && !self.config.flaws.has(Flaw::LearnerServes) {
            return self.reply(operation, Err(Error::NotSupportedForLearner), out); // flaw M-learner-serves
        }
        // Flaw M-one-op-more: the limit is taken for the first number of operations that is too large.
        let more = u32::from(self.config.flaws.has(Flaw::OneOpMore));
        if let Err(error) = apply::check_request(&request, self.config.settings.max_txn_ops + more) {
            return self.reply(operation, Err(error), out);
        }
        // As in etcd, bad URLs of a new member are refused before the user's rights are checked, those of an update
        // after.
        if let Request::MemberAdd(add) = &request
            && let Err(error) = cluster::check_urls(&add.peer_urls)
        {
            return self.reply(operation, Err(error), out);
        }
        let who = match self.replica.auth.identify(credential, self.now) {
            Ok(who) => who,
            // The entry of the login that issued the token is not applied here yet: the request waits for it.
            Err(Error::InvalidAuthToken) if logins::is_ahead(credential, self.replica.applied()) => {
                let (credential, until) =
                    (credential.cloned(), self.now + self.config.settings.request_timeout);
                return self.logins.wait(Waiting { operation, request, credential, until });
            }
            Err(error) => return self.reply(operation, Err(error), out),
        };
        if let Err(error) = self.replica.admit(who.as_ref(), &request) {
            return self.reply(operation, Err(error), out);
        }
        match request {
            Request::Lock(_)
            | Request::Unlock(_)
            | Request::Campaign(_)
            | Request::Proclaim(_)
            | Request::Leader(_)
            | Request::Resign(_) => self.with_wants(out, |own, _, wants| {
                own.services.begin(operation, request, credential.cloned(), wants);
            }),
            request => self.serve(operation, request, who, credential.cloned(), out),
        }
    }

    /// Handles a request from another member, which only this member can serve. The other member has already
    /// checked the user's permission.
    pub(crate) fn serve_peer(&mut self, operation: u64, request: Request, out: &mut Out<'_>) {
        if self.stopping.is_some() {
            return self.reply(operation, Err(Error::Stopped), out);
        }
        match request {
            Request::HashKv(request) => {
                let result = maintenance::hash_kv(&self.replica, request).map(Response::HashKv);
                self.reply(operation, result, out);
            }
            // The sender will retry with the current leader.
            _ if !self.node.is_leader() => self.reply(operation, Err(Error::NotLeader), out),
            Request::LeaseTimeToLive(request) => {
                out.pass(crate::failpoint::Failpoint::BeforeLookupWhenForwardLeaseTimeToLive);
                self.time_to_live(operation, request, out);
            }
            request => self.serve(operation, request, None, None, out),
        }
    }

    /// Handles a message from another member outside raft. A member that was removed from the cluster is told
    /// so, whatever it sent.
    pub(crate) fn peer(&mut self, from: MemberId, message: PeerMessage, out: &mut Out<'_>) {
        if self.has_left(from) && !matches!(message, PeerMessage::Removed) {
            return out.send_peer(from, PeerMessage::Removed);
        }
        match message {
            PeerMessage::Call { id, request } => {
                if let Some(operation) = self.calls.arrived(from, id) {
                    self.serve_peer(operation, request, out);
                }
            }
            PeerMessage::Answer { id, result } => {
                self.with_wants(out, |own, out, wants| {
                    own.calls.answered(id, result, (out.now.clock, own.replica.store.revision()), wants)
                });
            }
            PeerMessage::Removed => self.membership.learned_of_removal(self.now),
            PeerMessage::Hello => {}
        }
    }

    /// Sends an operator a snapshot of all replicated state.
    pub(crate) fn snapshot(&mut self, stream: u64, credential: Option<&Credential>, out: &mut Out<'_>) {
        let who = self.replica.auth.identify(credential, self.now);
        // The permission is the same as for a hash: the user must be root.
        let hash = Request::Hash(HashRequest {});
        let admitted = who.and_then(|who| self.replica.admit(who.as_ref(), &hash));
        let stopped = if self.stopping.is_some() { Err(Error::Stopped) } else { Ok(()) };
        match stopped.and(admitted) {
            Ok(()) => {
                let version = version::storage(self.config.settings.etcd_version);
                let snapshot = Piece::Snapshot(self.replica.parts(), version);
                self.pending.hand_out(snapshot, Then::Send(stream), out);
            }
            Err(error) => out.refuse(stream, error),
        }
    }

    // ---- streamed ranges --------------------------------------------------------------------------

    /// Begins to stream a range: checks the request, then waits for ReadIndex unless the range is serializable.
    fn stream_range(
        &mut self,
        stream: u64,
        request: RangeRequest,
        credential: Option<Credential>,
        out: &mut Out<'_>,
    ) {
        let refused = if self.config.settings.etcd_version < EtcdVersion::V3_7 {
            Err(Error::NoRangeStream)
        } else if self.stopping.is_some() {
            Err(Error::Stopped)
        } else if self.node.is_learner() {
            // A learner refuses even serializable ranges: of all streams it serves only snapshots.
            Err(Error::NotSupportedForLearner)
        } else {
            range_stream::check(&request, self.config.flaws)
        };
        if let Err(error) = refused {
            return self.refuse_range(stream, error, out);
        }
        if request.serializable {
            return self.begin_range(stream, request, credential.as_ref(), out);
        }
        self.range_streams.wait(stream);
        self.reads.push(Read {
            operation: range_stream::operation_of(stream),
            request: request.into(),
            deadline: self.now + self.config.settings.request_timeout,
            credential,
        });
    }

    /// Checks the user's permission for the whole range, and sends the first chunk.
    fn begin_range(
        &mut self,
        stream: u64,
        request: RangeRequest,
        credential: Option<&Credential>,
        out: &mut Out<'_>,
    ) {
        let who = self.replica.auth.identify(credential, self.now).map(Option::unwrap_or_default);
        let permitted = who.and_then(|who| {
            self.replica.auth.permit_range(&who, &request.key, &request.range_end)?;
            Ok(who.revision)
        });
        match permitted {
            Ok(revision) => {
                self.range_streams.open(stream, request, revision, self.config.flaws);
                self.send_chunk(stream, out);
            }
            Err(error) => self.refuse_range(stream, error, out),
        }
    }

    /// Sends the next chunk of a range. Returns whether the stream is one of a range.
    pub(crate) fn send_chunk(&mut self, stream: u64, out: &mut Out<'_>) -> bool {
        let largest = self.config.settings.max_request_bytes;
        let Some(chunk) = self.range_streams.next(stream, &self.replica.store, largest) else { return false };
        match chunk {
            Ok(Chunk { mut pairs, last }) => {
                if let Some(header) = &mut pairs.header {
                    self.replica.stamp(header);
                }
                out.send_range(stream, RangeStreamResponse { range_response: Some(pairs) });
                match last {
                    None => {}
                    // As in etcd, the client learns only now that users or roles have changed.
                    Some(revision) if !self.replica.auth.is_current(revision) => {
                        self.refuse_range(stream, Error::AuthOldRevision, out);
                    }
                    Some(_) => {
                        self.require_leader.closed(stream);
                        out.end_stream(stream);
                    }
                }
            }
            Err(error) => self.refuse_range(stream, error, out),
        }
        true
    }

    /// Ends a streamed range with an error.
    fn refuse_range(&mut self, stream: u64, error: Error, out: &mut Out<'_>) {
        self.range_streams.closed(stream);
        self.require_leader.closed(stream);
        out.refuse(stream, error);
    }

    /// Transfers leadership to another member, if this one leads.
    fn move_leader(&mut self, operation: u64, to: MemberId, out: &mut Out<'_>) {
        if !self.node.is_leader() {
            return self.reply(operation, Err(Error::NotLeader), out);
        }
        if !self.node.log().conf_state().voters.contains(&to.raft_id()) {
            return self.reply(operation, Err(Error::BadLeaderTransferee), out);
        }
        self.node.transfer_leader(to, out);
        self.transfers.begin(operation, to, self.now);
        // If `to` is this member, it leads already, and the client is answered at once.
        self.look_after_transfers(out);
    }

    /// Serves a request whose form and permission are checked.
    pub(crate) fn serve(
        &mut self,
        operation: u64,
        request: Request,
        who: Option<AuthInfo>,
        credential: Option<Credential>,
        out: &mut Out<'_>,
    ) {
        // For a read: whether it is serializable.
        let read = match &request {
            Request::Range(range) => Some(range.serializable),
            Request::Txn(txn) if apply::is_read_only(txn) => Some(apply::is_serializable(txn)),
            Request::LeaseLeases(_) => Some(true),
            Request::MemberList(list) => Some(!list.linearizable),
            _ => None,
        };
        if let Some(serializable) = read {
            let read = Read {
                operation,
                request,
                deadline: self.now + self.config.settings.request_timeout,
                credential,
            };
            // Flaw M-14884: the alarm NOSPACE refuses transactions that only read.
            if matches!(read.request, Request::Txn(_))
                && self.replica.cluster.is_on(AlarmType::Nospace)
                && self.config.flaws.has(Flaw::NoSpaceRefusesReads)
            {
                return self.reply(operation, Err(Error::NoSpace), out);
            }
            // Flaw R5: a linearizable read is answered from the store at once, like a serializable one.
            return if serializable || self.config.flaws.has(Flaw::StaleReadNoQuorum) {
                self.tell_read(&read, None);
                self.answer_read(read, out)
            } else {
                self.reads.push(read)
            };
        }
        match request {
            Request::LeaseKeepAlive(request) => {
                let leads = self.node.is_leader();
                self.with_wants(out, |own, out, wants| {
                    own.leases.keep_alive(operation, request, leads, &own.replica.store, out, wants);
                });
            }
            Request::LeaseTimeToLive(request) => self.time_to_live(operation, request, out),
            Request::Status(_) => {
                let status = maintenance::status(
                    &self.replica,
                    &self.node,
                    self.persistence.size(),
                    &self.config.settings,
                );
                self.answer_here(operation, Ok(status.into()), out);
            }
            Request::Hash(_) => self.answer_here(operation, Ok(maintenance::hash(&self.replica)), out),
            Request::HashKv(request) => {
                let result = maintenance::hash_kv(&self.replica, request).map(|mut answer| {
                    if self.config.settings.etcd_version < EtcdVersion::V3_6 {
                        answer.hash_revision = 0;
                    }
                    Response::HashKv(answer)
                });
                self.answer_here(operation, result, out);
            }
            Request::Defragment(_) => self.persistence.defragment(operation),
            Request::MoveLeader(request) => {
                self.move_leader(operation, MemberId::from_raft(request.target_id), out)
            }
            Request::MemberAdd(_)
            | Request::MemberRemove(_)
            | Request::MemberUpdate(_)
            | Request::MemberPromote(_) => self.change_members(operation, request, out),
            Request::LeaseGrant(LeaseGrantRequest { id: 0, ttl }) => {
                let source = self.ids.fresh();
                let id = crate::lessor::fresh_lease_id(&self.replica.store, source);
                self.propose(operation, LeaseGrantRequest { id, ttl }.into(), who, out);
            }
            Request::Downgrade(request) => self.downgrade(operation, request, out),
            // ReadIndex comes first, so that the password is checked against the current users
            // (`v3_server.go`, `Authenticate`).
            Request::Authenticate(_) => {
                let deadline = self.now + self.config.settings.request_timeout;
                self.reads.push(Read { operation, request, deadline, credential: None });
            }
            mut request => {
                let random = self.ids.random();
                match self.replica.auth.take_password(&mut request, random) {
                    None => self.propose(operation, request, who, out),
                    Some(password) => {
                        let then = Then::Propose { operation, request, who };
                        self.pending.hand_out(Piece::Hash(password), then, out);
                    }
                }
            }
        }
    }

    /// Continues a request for which ReadIndex is done, or answers a serializable read, from the current
    /// state.
    pub(crate) fn answer_read(&mut self, read: Read, out: &mut Out<'_>) {
        let Read { operation, request, credential, .. } = read;
        match request {
            Request::Range(request) if let Some(stream) = range_stream::stream_of(operation) => {
                if self.range_streams.waited(stream) {
                    self.begin_range(stream, request, credential.as_ref(), out);
                }
                return;
            }
            Request::LeaseKeepAlive(request) => return self.renew(operation, request.id, out),
            Request::LeaseRevoke(request) => {
                crate::lessor::tell(request.id, LeaseDeed::Confirmed, self.now);
                return self.leases.confirmed(request.id);
            }
            Request::Authenticate(request) => return self.log_in(operation, request, out),
            Request::Downgrade(request) => return self.begin_downgrade(operation, &request, out),
            Request::MemberList(_) => {
                return self.answer_here(operation, Ok(self.replica.member_list()), out);
            }
            _ => {}
        }
        // Users and roles may have changed while the read waited.
        let who = self.replica.auth.identify(credential.as_ref(), self.now).map(Option::unwrap_or_default);
        let permitted = who.and_then(|who| self.replica.permit(&who, &request));
        let result = permitted.and_then(|()| self.replica.read(&request));
        self.answer_here(operation, result, out);
    }

    /// Reports that a read is answered, and which ReadIndex was confirmed for it, if one was.
    pub(crate) fn tell_read(&self, read: &Read, context: Option<u64>) {
        inner::tell(|| Inner::Reads {
            operation: read.operation,
            request: Box::new(read.request.clone()),
            context,
            applied: self.replica.applied(),
        });
    }

    /// Renews a lease, after a ReadIndex confirmed that this member leads.
    pub(crate) fn renew(&mut self, operation: u64, id: i64, out: &mut Out<'_>) {
        let leads = self.node.is_leader();
        self.with_wants(out, |own, out, wants| {
            own.leases.renew(operation, id, leads, &own.replica.store, out, wants);
        });
    }

    /// Answers how much time a lease has left, if this member knows it.
    fn time_to_live(&mut self, operation: u64, request: LeaseTimeToLiveRequest, out: &mut Out<'_>) {
        self.with_wants(out, |own, out, wants| {
            own.leases.time_to_live(operation, request, &own.replica.store, out, wants);
        });
    }

    /// Continues a login after ReadIndex: has the password checked.
    pub(crate) fn log_in(&mut self, operation: u64, request: AuthenticateRequest, out: &mut Out<'_>) {
        match self.replica.auth.check_password(&request.name, &request.password) {
            Err(error) => self.reply(operation, Err(error), out),
            // Flaw M-any-password: the password is not compared.
            Ok((_, revision)) if self.config.flaws.has(Flaw::AnyPassword) => {
                self.password_checked(operation, request, Some(revision), out);
            }
            Ok((password, revision)) => {
                let then = Then::LogIn { operation, request, revision };
                self.pending.hand_out(Piece::Check(password), then, out);
            }
        }
    }

    /// Continues a login after the check of its password: proposes an entry that issues a token. `revision` is the auth
    /// revision at which the password was right; `None` if it was wrong.
    pub(crate) fn password_checked(
        &mut self,
        operation: u64,
        request: AuthenticateRequest,
        revision: Option<u64>,
        out: &mut Out<'_>,
    ) {
        match revision {
            None => self.reply(operation, Err(Error::AuthFailed), out),
            Some(revision) => {
                self.logins.begun(operation, request.clone(), revision);
                let random = self.ids.random();
                let simple_token = self.replica.auth.fresh_token(random);
                let command =
                    InternalAuthenticateRequest { name: request.name, password: String::new(), simple_token };
                self.propose_for(operation, Command::Authenticate(command), None, out);
            }
        }
    }

    /// Answers a request that this member did not put through the log, with a filled-in response header.
    pub(crate) fn answer_here(&mut self, operation: u64, result: Result<Response, Error>, out: &mut Out<'_>) {
        let result = self.replica.stamped(result);
        self.reply(operation, result, out);
    }

    // ---- what the parts want ----------------------------------------------------------------------

    /// Lets a part of the member say what it wants, and carries that out.
    pub(crate) fn with_wants(
        &mut self,
        out: &mut Out<'_>,
        part: impl FnOnce(&mut Member, &mut Out<'_>, &mut Wants),
    ) {
        let mut wants = std::mem::take(&mut self.wants);
        part(self, out, &mut wants);
        if wants.is_empty() {
            self.wants = wants;
            return;
        }
        // Each want may lead to others, which are in a list of their own and are carried out before the next one.
        for want in wants.drain(..) {
            self.carry_out(want, out);
        }
        self.wants = wants;
    }

    /// Does what a part of the member wants.
    fn carry_out(&mut self, want: Want, out: &mut Out<'_>) {
        match want {
            Want::Reply(operation, result) => self.reply(operation, result, out),
            Want::Answer(operation, result) => self.answer_here(operation, result, out),
            Want::Read(read) => self.reads.push(read),
            Want::Propose { operation, command, who } => self.propose_for(operation, command, who, out),
            Want::Undo { operation, lease, command } => {
                let waiter = Waiter { purpose: Purpose::Renew(lease), ..self.waiter(operation) };
                self.propose_to_answer(waiter, command, None, out);
            }
            Want::AskLeader(operation, request) => self.ask(None, operation, request),
            Want::AskMember(to, operation, request) => {
                self.ask(Some(to), operation, request);
            }
            Want::Serve(operation, request) => self.serve_peer(operation, request, out),
            Want::Request { operation, request, credential } => {
                self.request(operation, request, credential.as_ref(), out);
            }
            Want::Watch { stream, request, credential } => {
                self.watch(stream, request, credential.as_ref(), out)
            }
            Want::CloseWatch(stream) => self.hub.closed(stream),
        }
    }

    /// Calls another member, or whichever one leads.
    pub(crate) fn ask(&mut self, to: Option<MemberId>, operation: u64, request: Request) {
        self.calls.ask(to, operation, request, (self.now, self.replica.store.revision()));
    }

    /// An operation ended: gives its result to whoever waits for it, which is a client, another member, one
    /// of the services of this member, or its comparison of hashes.
    pub(crate) fn reply(&mut self, operation: u64, result: Result<Response, Error>, out: &mut Out<'_>) {
        if operation == NOBODY {
            return;
        }
        if self.services.owns_request(operation) {
            return self.with_wants(out, |own, _, wants| own.services.answered(operation, result, wants));
        }
        if let Some(stream) = range_stream::stream_of(operation) {
            // Until a stream begins, the only result that it can get is an error.
            if let (true, Err(error)) = (self.range_streams.waited(stream), result) {
                self.refuse_range(stream, error, out);
            }
            return;
        }
        if self.comparison.owns(operation) {
            return self.with_wants(out, |own, _, wants| own.comparison.compared(operation, result, wants));
        }
        if self.calls.owns(operation) {
            self.calls.answer(operation, result, out);
        } else {
            out.reply(operation, result);
        }
    }

    /// The client of a request is gone. Only calls of the services are abandoned; other requests continue.
    pub(crate) fn abandon(&mut self, operation: u64, out: &mut Out<'_>) {
        self.with_wants(out, |own, _, wants| own.services.abandon(operation, wants));
    }

    // ---- watch streams ----------------------------------------------------------------------------

    /// Handles a client's message on a watch stream.
    pub(crate) fn watch(
        &mut self,
        stream: u64,
        request: WatchRequest,
        credential: Option<&Credential>,
        out: &mut Out<'_>,
    ) {
        if self.stopping.is_some() {
            return self.refuse_stream(stream, Error::Stopped, out);
        }
        if self.node.is_learner() {
            return self.refuse_stream(stream, Error::NotSupportedForLearner, out);
        }
        let permitted = match &request.request_union {
            Some(RequestUnion::CreateRequest(create)) => {
                self.may_read(credential, &create.key, &create.range_end)
            }
            _ => Ok(()),
        };
        self.hub.request(&self.replica.store, self.now, stream, request, permitted);
    }

    /// Whether the user of a credential may read a range.
    fn may_read(&mut self, credential: Option<&Credential>, key: &Bytes, end: &Bytes) -> Result<(), Error> {
        let who = self.replica.auth.identify(credential, self.now)?;
        self.replica.auth.permit_range(&who.unwrap_or_default(), key, end)
    }

    /// Refuses a watch stream and tells its client, or the services if the stream is theirs.
    fn refuse_stream(&mut self, stream: u64, error: Error, out: &mut Out<'_>) {
        self.hub.closed(stream);
        self.require_leader.closed(stream);
        if self.services.owns_stream(stream) {
            self.with_wants(out, |own, _, wants| own.services.watch_ended(stream, error, wants));
        } else {
            out.refuse(stream, error);
        }
    }

    /// Ends the streams whose clients want a leader, if there has been none for too long.
    pub(crate) fn look_after_leaderless(&mut self, out: &mut Out<'_>) {
        for stream in self.require_leader.due(!self.node.leader().is_none(), self.now) {
            self.range_streams.closed(stream);
            self.refuse_stream(stream, Error::NoLeader, out);
        }
    }

    // ---- proposals to the log ---------------------------------------------------------------------

    /// Proposes a client's request, unless too many committed entries wait to be applied or the backend has
    /// reached its quota.
    pub(crate) fn propose(
        &mut self,
        operation: u64,
        request: Request,
        who: Option<AuthInfo>,
        out: &mut Out<'_>,
    ) {
        if self.node.committed() > self.replica.applied() + self.config.settings.max_apply_gap {
            return self.reply(operation, Err(Error::TooManyRequests), out);
        }
        if !self.persistence.has_room(&request) {
            return self.raise_no_space(self.waiter(operation), out);
        }
        self.propose_for(operation, Command::Request(request), who, out);
    }

    /// Queues a command as a proposal, to be answered to `operation` when it is applied here.
    pub(crate) fn propose_for(
        &mut self,
        operation: u64,
        command: Command,
        who: Option<AuthInfo>,
        out: &mut Out<'_>,
    ) {
        self.propose_to_answer(self.waiter(operation), command, who, out);
    }

    /// What waits for a proposal that is made now, with the request timeout.
    fn waiter(&self, operation: u64) -> Waiter {
        let deadline = self.now + self.config.settings.request_timeout;
        Waiter { operation, started: self.now, deadline, purpose: Purpose::Answer }
    }

    /// Queues a command as a proposal, for what waits until it is applied here. If that does not wait for the result of
    /// the entry, the member proposes the command of its own.
    fn propose_to_answer(
        &mut self,
        waiter: Waiter,
        command: Command,
        who: Option<AuthInfo>,
        out: &mut Out<'_>,
    ) {
        let Waiter { operation, purpose, .. } = waiter;
        let id = self.ids.fresh();
        let user = who.as_ref().map_or(("", 0), |who| (&who.user[..], who.revision));
        let no_client =
            operation == NOBODY || purpose != Purpose::Answer || self.services.owns_request(operation);
        let internal = match &command {
            // The facts report the content of a request that no client made, since no history has it. They
            // also report that of a grant: the client may have left the choice of the lease id to this
            // member.
            Command::Request(request) if no_client || matches!(request, Request::LeaseGrant(_)) => {
                Some(Box::new(request.clone()))
            }
            _ => None,
        };
        if no_client && let Some(what) = envelope::own(&command) {
            let clock = self.now;
            inner::tell_deed(|| Inner::ProposesOwn { what, clock });
        }
        let Some(data) = envelope::encode(id, user, command) else {
            return self.reply(operation, Err(Error::NotCapable), out);
        };
        // Flaw M-any-size: requests may be as large as a message of gRPC.
        let any_size = self.config.flaws.has(Flaw::AnySize);
        if data.len() as u64 > self.config.settings.max_request_bytes && !any_size {
            return self.reply(operation, Err(Error::RequestTooLarge), out);
        }
        if !no_client {
            out.fact(Fact::Proposed { operation, request: id });
        }
        if let Some(what) = internal {
            out.fact(Fact::ProposedInternal { request: id, what });
        }
        self.proposals.push(id, waiter, Payload::Data(data));
    }

    /// Proposes the alarm NOSPACE for this member. A request that lacks space is refused once that is applied: who reads
    /// that there is no space sees the alarm, as in etcd (`quota.go`, `quotaAlarmer.check`, and `server.go`,
    /// `applyEntryNormal`). If the alarm cannot be raised, the request is refused nevertheless, in its own time.
    pub(crate) fn raise_no_space(&mut self, refused: Waiter, out: &mut Out<'_>) {
        let alarm = maintenance::raise(self.config.id, AlarmType::Nospace);
        self.propose_to_answer(
            Waiter { purpose: Purpose::Refuse(Error::NoSpace), ..refused },
            alarm,
            None,
            out,
        );
    }

    /// Gives queued proposals to raft, as long as raft knows a leader.
    pub(crate) fn propose_waiting(&mut self, out: &mut Out<'_>) {
        while self.node.takes_proposals()
            && let Some((id, payload)) = self.proposals.next_waiting()
        {
            let accepted = match payload {
                Payload::Data(data) => self.node.propose(data, out),
                Payload::Change(change) => self.node.propose_change(change, out),
            };
            if !accepted && let Some(Waiter { operation, purpose, .. }) = self.proposals.refused(id) {
                self.round.require();
                self.logins.given_up(operation);
                let error = match purpose {
                    Purpose::Refuse(error) => error,
                    Purpose::Answer | Purpose::Renew(_) => Error::ProposalDropped,
                };
                self.reply(operation, Err(error), out);
            }
        }
    }

    // ---- changes of the membership ----------------------------------------------------------------

    /// Checks and proposes one membership change.
    fn change_members(&mut self, operation: u64, request: Request, out: &mut Out<'_>) {
        // Only the leader knows how far a learner has caught up.
        if matches!(request, Request::MemberPromote(_)) && !self.node.leads_in_raft() {
            return self.ask(None, operation, request);
        }
        match self.checked_change(&self.replica.cluster, &request, out.now) {
            Ok(change) => self.propose_configuration(operation, &change, out),
            Err(error) => self.reply(operation, Err(error), out),
        }
    }

    /// The membership change that a request asks for, or the reason for refusing it.
    fn checked_change(&self, cluster: &Cluster, request: &Request, now: Now) -> Result<Change, Error> {
        self.membership.checked(cluster, request, now, |id| self.node.match_index(id))
    }

    /// Checks and proposes several membership changes at once, by a joint configuration. Each is checked against the
    /// membership that would result from those before it.
    pub(crate) fn reconfigure(&mut self, operation: u64, requests: &[Request], out: &mut Out<'_>) {
        let mut cluster = self.replica.cluster.clone();
        let mut changes = Vec::new();
        for request in requests {
            let checked = self.checked_change(&cluster, request, out.now).and_then(|change| {
                cluster.apply_change(0, &change)?;
                Ok(change)
            });
            match checked {
                Ok(change) => changes.push(change),
                Err(error) => return self.reply(operation, Err(error), out),
            }
        }
        self.propose_configuration(operation, &Change::Joint(changes), out);
    }

    /// Proposes a membership change as an entry that changes raft's configuration.
    fn propose_configuration(&mut self, operation: u64, change: &Change, out: &mut Out<'_>) {
        let id = self.ids.fresh();
        let update_votes = self.config.flaws.has(Flaw::MemberUpdatePromotesLearner);
        let change = configuration::for_raft(id, change, update_votes);
        out.fact(Fact::Proposed { operation, request: id });
        self.proposals.push(id, self.waiter(operation), Payload::Change(change));
    }
}

/// Whether a learner serves this request (`v3rpc/util.go`, `isRPCSupportedForLearner`).
fn for_learners(request: &Request) -> bool {
    match request {
        Request::Status(_) => true,
        Request::Range(range) => range.serializable,
        _ => false,
    }
}

impl Member {
    /// Serves a request about a downgrade: checks its form, and lets it wait for ReadIndex if it needs that.
    pub(crate) fn downgrade(&mut self, operation: u64, request: DowngradeRequest, out: &mut Out<'_>) {
        let version = self.config.settings.etcd_version;
        let checked = match DowngradeAction::try_from(request.action) {
            _ if version < EtcdVersion::V3_5 => Err(Error::NotCapable),
            Ok(DowngradeAction::Validate | DowngradeAction::Enable) => target(&request.version).map(|_| true),
            // From 3.6 on, etcd answers even if there is nothing to cancel.
            Ok(DowngradeAction::Cancel)
                if version == EtcdVersion::V3_5 && self.replica.cluster.downgrade().is_none() =>
            {
                Err(Error::NoInflightDowngrade)
            }
            Ok(DowngradeAction::Cancel) => Ok(false),
            Err(_) => Err(Error::UnknownMethod),
        };
        match checked {
            Err(error) => self.reply(operation, Err(error), out),
            Ok(true) => {
                let deadline = self.now + self.config.settings.request_timeout;
                self.reads.push(Read { operation, request: request.into(), deadline, credential: None });
            }
            Ok(false) => {
                let end = DowngradeInfoSetRequest::default();
                self.propose_for(operation, Command::Downgrade(end), None, out);
            }
        }
    }

    /// Continues a request for which ReadIndex is done.
    pub(crate) fn begin_downgrade(&mut self, operation: u64, request: &DowngradeRequest, out: &mut Out<'_>) {
        let checked = target(&request.version).and_then(|target| {
            self.replica.may_downgrade(&target)?;
            Ok(target)
        });
        match checked {
            Err(error) => self.reply(operation, Err(error), out),
            Ok(ver) if request.action == DowngradeAction::Enable as i32 => {
                let begin = DowngradeInfoSetRequest { enabled: true, ver };
                self.propose_for(operation, Command::Downgrade(begin), None, out);
            }
            Ok(_) => self.answer_here(operation, Ok(self.replica.downgrade_answer()), out),
        }
    }

    /// When this member, if it leads, next looks at the cluster version.
    pub(crate) fn version_due_at(&self) -> u64 {
        let leads = self.node.is_leader();
        if leads && self.replica.wanted_version().is_some() { self.version_look_at } else { u64::MAX }
    }

    /// If this member leads: proposes the wanted cluster version, if it differs from the current one.
    pub(crate) fn look_after_version(&mut self, out: &mut Out<'_>) {
        if self.version_due_at() > self.now {
            return;
        }
        self.version_look_at = self.now + LOOK_INTERVAL;
        if let Some(ver) = self.replica.wanted_version() {
            self.propose_for(NOBODY, Command::Version(ClusterVersionSetRequest { ver }), None, out);
        }
    }
}
