//! Accepts client requests, passes each to the part of the member that serves it, and ends those that time out.
//!
//! A request is served in one of five ways. A linearizable read waits for ReadIndex. A serializable read is answered
//! from the store at once. A write is proposed to the log and answered when it is applied. A request that only the
//! leader can answer is sent to the leader. A request about this member itself, such as its status, is answered here.
//!
//! Error texts, and the choice of the error for a timeout, are etcd's (`v3_server.go`, `parseProposeCtxErr`).

use api::etcdserverpb::{
    AuthenticateRequest, InternalAuthenticateRequest, LeaseGrantRequest, MemberListResponse, ResponseHeader,
};
use api::{Error, Request, Response};
use bytes::Bytes;
use record::{EtcdFact as Fact, MemberId};

use crate::apply;
use crate::auth::AuthInfo;
use crate::cluster::Change;
use crate::configuration;
use crate::envelope::{self, Command};
use crate::flaw::Flaw;
use crate::io::Effects;
use crate::member::{Member, NOBODY};
use crate::proposals::Payload;
use crate::reads::Read;

/// The name under which salts and tokens are drawn.
const SECRETS: keyed::Domain = keyed::Domain::new("member salts and tokens");

impl Member {
    /// Handles a client's request: checks its form, its user and the user's permission, then serves it.
    pub(crate) fn request(
        &mut self,
        operation: u64,
        request: Request,
        token: Option<&Bytes>,
        effects: &mut Effects,
    ) {
        if self.stopping.is_some() {
            return self.reply(operation, Err(Error::Stopped), effects);
        }
        if let Err(error) = apply::check_request(&request, self.config.settings.max_txn_ops) {
            return self.reply(operation, Err(error), effects);
        }
        if self.is_learner() && !for_learners(&request) {
            return self.reply(operation, Err(Error::NotSupportedForLearner), effects);
        }
        let who = match self.auth.who(token.map(|token| &token[..]), self.now) {
            Ok(who) => who,
            // The entry of the login that issued the token is not applied here yet: the request waits for it.
            Err(Error::InvalidAuthToken) if self.awaits_login(token) => {
                let (token, until) = (token.cloned(), self.now + self.config.settings.request_timeout);
                return self.waiting_for_token.push((operation, request, token, until));
            }
            Err(error) => return self.reply(operation, Err(error), effects),
        };
        if let Err(error) = self.auth.admit(who.as_ref(), &request, &|id| self.keys_of(id)) {
            return self.reply(operation, Err(error), effects);
        }
        match request {
            Request::Lock(_)
            | Request::Unlock(_)
            | Request::Campaign(_)
            | Request::Proclaim(_)
            | Request::Leader(_)
            | Request::Resign(_) => self.serve_service(operation, request, token.cloned(), effects),
            request => self.serve(operation, request, who, token.cloned(), effects),
        }
    }

    /// Handles a request from another member, which only this member can serve. The other member has already
    /// checked the user's permission.
    pub(crate) fn serve_peer(&mut self, operation: u64, request: Request, effects: &mut Effects) {
        if self.stopping.is_some() {
            return self.reply(operation, Err(Error::Stopped), effects);
        }
        match request {
            Request::HashKv(request) => {
                let result = self.hash_kv(request).map(Response::HashKv);
                self.reply(operation, result, effects);
            }
            // The sender will retry with the current leader.
            _ if !self.node.is_leader() => self.reply(operation, Err(Error::NotLeader), effects),
            Request::LeaseTimeToLive(request) => {
                self.pass(crate::failpoint::Failpoint::BeforeLookupWhenForwardLeaseTimeToLive, effects);
                self.time_to_live(operation, request, effects);
            }
            request => self.serve(operation, request, None, None, effects),
        }
    }

    /// Whether a token was issued by a login whose entry this member has not applied yet.
    fn awaits_login(&self, token: Option<&Bytes>) -> bool {
        let index = token.and_then(|token| crate::auth::token_index(token));
        index.is_some_and(|index| index > self.applied.0)
    }

    /// Resumes the requests whose token's login is applied now, and refuses those that waited too long.
    pub(crate) fn look_after_waiting_for_token(&mut self, effects: &mut Effects) {
        if self.waiting_for_token.is_empty() {
            return;
        }
        for (operation, request, token, until) in std::mem::take(&mut self.waiting_for_token) {
            if !self.awaits_login(token.as_ref()) {
                self.request(operation, request, token.as_ref(), effects);
            } else if until <= self.now {
                self.reply(operation, Err(Error::InvalidAuthToken), effects);
            } else {
                self.waiting_for_token.push((operation, request, token, until));
            }
        }
    }

    /// The keys attached to a lease; for 0, those of all leases.
    pub(crate) fn keys_of(&self, lease: i64) -> Vec<Bytes> {
        let of = |(_, lease): (i64, &crate::mvcc::Lease)| lease.keys().cloned().collect::<Vec<_>>();
        match lease {
            0 => self.store.leases().flat_map(of).collect(),
            id => self.store.lease(id).map(|lease| of((id, lease))).unwrap_or_default(),
        }
    }

    /// Serves a request whose form and permission are checked.
    pub(crate) fn serve(
        &mut self,
        operation: u64,
        request: Request,
        who: Option<AuthInfo>,
        token: Option<Bytes>,
        effects: &mut Effects,
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
            let read =
                Read { operation, request, deadline: self.now + self.config.settings.request_timeout, token };
            // Flaw R5: a linearizable read is answered from the store at once, like a serializable one.
            return if serializable || self.config.flaws.has(Flaw::StaleReadNoQuorum) {
                self.answer_read(read, effects)
            } else {
                self.reads.push(read)
            };
        }
        match request {
            Request::LeaseKeepAlive(request) => self.keep_alive(operation, request, effects),
            Request::LeaseTimeToLive(request) => self.time_to_live(operation, request, effects),
            Request::Status(_) => self.answer_here(operation, Ok(self.status_response()), effects),
            Request::Hash(_) => self.answer_here(operation, Ok(self.hash_response()), effects),
            Request::HashKv(request) => {
                let result = self.hash_kv(request).map(Response::HashKv);
                self.answer_here(operation, result, effects);
            }
            Request::Defragment(_) => self.ask_defragmentation(operation),
            Request::MoveLeader(request) => {
                self.move_leader(operation, MemberId::from_raft(request.target_id), effects)
            }
            Request::MemberAdd(_)
            | Request::MemberRemove(_)
            | Request::MemberUpdate(_)
            | Request::MemberPromote(_) => self.change_members(operation, request, effects),
            Request::LeaseGrant(LeaseGrantRequest { id: 0, ttl }) => {
                let source = self.fresh_id();
                let id = crate::lessor::fresh_lease_id(&self.store, source);
                self.propose(operation, LeaseGrantRequest { id, ttl }.into(), who, effects);
            }
            Request::Downgrade(_) => self.reply(operation, Err(Error::NotCapable), effects),
            // ReadIndex comes first, so that the password is checked against the current users
            // (`v3_server.go`, `Authenticate`).
            Request::Authenticate(_) => {
                let deadline = self.now + self.config.settings.request_timeout;
                self.reads.push(Read { operation, request, deadline, token: None });
            }
            request => {
                let random = self.random();
                let request = self.auth.seal(request, random);
                self.propose(operation, request, who, effects);
            }
        }
    }

    /// Continues a login after ReadIndex: checks the password, then proposes an entry that issues a token.
    pub(crate) fn log_in(&mut self, operation: u64, request: AuthenticateRequest, effects: &mut Effects) {
        let checked = self.auth.check_password(&request.name, &request.password);
        match checked {
            Err(error) => self.reply(operation, Err(error), effects),
            Ok(revision) => {
                self.logins.insert(operation, (request.clone(), revision));
                let random = self.random();
                let simple_token = self.auth.fresh_token(random);
                let command =
                    InternalAuthenticateRequest { name: request.name, password: String::new(), simple_token };
                self.propose_for(operation, Command::Authenticate(command), None, effects);
            }
        }
    }

    /// A keyed draw for a salt or a token (rule R2 of ARCHITECTURE.md).
    fn random(&mut self) -> u64 {
        let nth = self.fresh_id();
        keyed::Keyed::new(self.config.seed, SECRETS).draw(nth, 0).below(u64::MAX)
    }

    /// Answers a request that this member did not put through the log, with a filled-in response header.
    pub(crate) fn answer_here(
        &mut self,
        operation: u64,
        result: Result<Response, Error>,
        effects: &mut Effects,
    ) {
        let result = self.with_header(result);
        self.reply(operation, result, effects);
    }

    /// The members as this one knows them.
    pub(crate) fn member_list(&self) -> Response {
        MemberListResponse { header: Some(ResponseHeader::default()), members: self.cluster.list() }.into()
    }

    // ---- proposals to the log ---------------------------------------------------------------------

    /// Proposes a client's request, unless too many committed entries wait to be applied or the backend has
    /// reached its quota.
    fn propose(&mut self, operation: u64, request: Request, who: Option<AuthInfo>, effects: &mut Effects) {
        if self.node.committed() > self.applied.0 + self.config.settings.max_apply_gap {
            return self.reply(operation, Err(Error::TooManyRequests), effects);
        }
        if !self.has_room(&request) {
            self.raise_no_space(effects);
            return self.reply(operation, Err(Error::NoSpace), effects);
        }
        self.propose_for(operation, Command::Request(request), who, effects);
    }

    /// Queues a command as a proposal, to be answered to `operation` when it is applied here.
    fn propose_for(
        &mut self,
        operation: u64,
        command: Command,
        who: Option<AuthInfo>,
        effects: &mut Effects,
    ) {
        let id = self.fresh_id();
        let user = who.as_ref().map_or(("", 0), |who| (&who.user[..], who.revision));
        let no_client = operation == NOBODY || self.services.owns_request(operation);
        let internal = match &command {
            // The facts report the content of a request that no client made, since no history has it. They
            // also report that of a grant: the client may have left the choice of the lease id to this
            // member.
            Command::Request(request) if no_client || matches!(request, Request::LeaseGrant(_)) => {
                Some(Box::new(request.clone()))
            }
            _ => None,
        };
        let Some(data) = envelope::encode(id, user, command) else {
            return self.reply(operation, Err(Error::NotCapable), effects);
        };
        if data.len() as u64 > self.config.settings.max_request_bytes {
            return self.reply(operation, Err(Error::RequestTooLarge), effects);
        }
        if !no_client {
            effects.facts.push(Fact::Proposed { operation, request: id });
        }
        effects.facts.extend(internal.map(|what| Fact::ProposedInternal { request: id, what }));
        let deadline = self.now + self.config.settings.request_timeout;
        self.proposals.push(id, operation, self.now, deadline, Payload::Data(data));
    }

    /// Proposes a request that the member makes itself, such as the revocation of an expired lease.
    pub(crate) fn propose_internal(&mut self, request: Request, effects: &mut Effects) {
        self.propose_for(NOBODY, Command::Request(request), None, effects);
    }

    /// Proposes a command that clients cannot request, such as a lease checkpoint.
    pub(crate) fn propose_command(&mut self, command: Command, effects: &mut Effects) {
        self.propose_for(NOBODY, command, None, effects);
    }

    /// Gives queued proposals to raft, as long as raft knows a leader.
    pub(crate) fn propose_waiting(&mut self, effects: &mut Effects) {
        while self.node.takes_proposals()
            && let Some((id, payload)) = self.proposals.next_waiting()
        {
            let accepted = match payload {
                Payload::Data(data) => self.node.propose(data),
                Payload::Change(change) => self.node.propose_change(change),
            };
            if !accepted && let Some(operation) = self.proposals.refused(id) {
                self.reply(operation, Err(Error::ProposalDropped), effects);
            }
        }
    }

    // ---- changes of the membership ----------------------------------------------------------------

    /// Checks and proposes one membership change.
    fn change_members(&mut self, operation: u64, request: Request, effects: &mut Effects) {
        // Only the leader knows how far a learner has caught up.
        if matches!(request, Request::MemberPromote(_)) && !self.node.leads_in_raft() {
            return self.ask_leader(operation, request);
        }
        match self.checked_change(&self.cluster, &request) {
            Ok(change) => self.propose_configuration(operation, &change, effects),
            Err(error) => self.reply(operation, Err(error), effects),
        }
    }

    /// Checks and proposes several membership changes at once, by a joint configuration. Each is checked
    /// against the membership that those before it would make.
    pub(crate) fn reconfigure(&mut self, operation: u64, requests: &[Request], effects: &mut Effects) {
        let mut cluster = self.cluster.clone();
        let mut changes = Vec::new();
        for request in requests {
            let checked = self.checked_change(&cluster, request).and_then(|change| {
                cluster.apply_change(0, &change)?;
                Ok(change)
            });
            match checked {
                Ok(change) => changes.push(change),
                Err(error) => return self.reply(operation, Err(error), effects),
            }
        }
        self.propose_configuration(operation, &Change::Joint(changes), effects);
    }

    /// Proposes a membership change as an entry that changes raft's configuration.
    fn propose_configuration(&mut self, operation: u64, change: &Change, effects: &mut Effects) {
        let id = self.fresh_id();
        let learners = &self.node.log().conf_state().learners;
        // Flaw M-21737: an update of a learner forgets that it is one.
        let forgets = self.config.flaws.has(Flaw::MemberUpdatePromotesLearner);
        let change = configuration::for_raft(id, change, |id| learners.contains(&id.raft_id()) && !forgets);
        effects.facts.push(Fact::Proposed { operation, request: id });
        let deadline = self.now + self.config.settings.request_timeout;
        self.proposals.push(id, operation, self.now, deadline, Payload::Change(change));
    }

    // ---- timeouts ---------------------------------------------------------------------------------

    /// Answers requests that have timed out inside the server with an error.
    pub(crate) fn expire(&mut self, effects: &mut Effects) {
        for expired in self.proposals.expired(self.now) {
            self.logins.remove(&expired.operation);
            let error = if expired.proposed {
                self.why_late(expired.started)
            } else {
                Error::ContextDeadlineExceeded
            };
            self.reply(expired.operation, Err(error), effects);
        }
        for read in self.reads.expired(self.now) {
            self.reply(read.operation, Err(Error::Timeout), effects);
        }
    }

    /// The error that etcd gives for a proposal that timed out: it names a failed leader or a lost connection
    /// if one may be the cause. `started` is when the request arrived.
    fn why_late(&self, started: u64) -> Error {
        let election = self.config.settings.election_timeout();
        if started >= self.leadership.since.saturating_sub(2 * election) && started <= self.leadership.since {
            return Error::TimeoutDueToLeaderFail;
        }
        let connected =
            |peer: MemberId| self.leadership.heard.get(&peer).is_some_and(|heard| *heard >= started);
        let cut_off = if self.node.is_leader() {
            let voters = &self.node.log().conf_state().voters;
            let heard = voters.iter().copied().map(MemberId::from_raft);
            let heard = heard.filter(|voter| *voter == self.config.id || connected(*voter));
            heard.count() <= voters.len() / 2
        } else {
            !connected(self.leadership.leader)
        };
        if cut_off { Error::TimeoutDueToConnectionLost } else { Error::Timeout }
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
