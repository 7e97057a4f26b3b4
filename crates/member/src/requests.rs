//! Client requests: how each is handled, and what happens to those that time out.
//!
//! Linearizable reads go through ReadIndex, serializable ones straight to the store; writes go through the
//! log; what only the leader knows goes to the leader; what only this member knows is answered here. Error
//! texts and the reasons given for time-outs are etcd's (`v3_server.go`, `parseProposeCtxErr`).

use api::etcdserverpb::{
    AuthenticateRequest, InternalAuthenticateRequest, LeaseGrantRequest, MemberListResponse, ResponseHeader,
};
use api::{Error, Request, Response};
use bytes::Bytes;
use record::{Fact, MemberId};

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

const SECRETS: keyed::Domain = keyed::Domain::new("member salts and tokens");

impl Member {
    /// A client's request.
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
            // The token comes from a login that this member has not applied yet.
            Err(Error::InvalidAuthToken) if self.is_early(token) => {
                let (token, until) = (token.cloned(), self.now + self.config.settings.request_timeout);
                return self.early.push((operation, request, token, until));
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

    /// A request that another member forwards because only this one can serve it. The sender has already
    /// checked it.
    pub(crate) fn serve_peer(&mut self, operation: u64, request: Request, effects: &mut Effects) {
        if self.stopping.is_some() {
            return self.reply(operation, Err(Error::Stopped), effects);
        }
        match request {
            Request::HashKv(request) => {
                let result = self.hash_kv(request).map(Response::HashKv);
                self.reply(operation, result, effects);
            }
            // The sender will look for the current leader.
            _ if !self.node.is_leader() => self.reply(operation, Err(Error::NotLeader), effects),
            Request::LeaseTimeToLive(request) => {
                self.pass(crate::failpoint::Failpoint::BeforeLookupWhenForwardLeaseTimeToLive, effects);
                self.time_to_live(operation, request, effects);
            }
            request => self.serve(operation, request, None, None, effects),
        }
    }

    /// Whether a token comes from an entry that is not yet applied here.
    fn is_early(&self, token: Option<&Bytes>) -> bool {
        let index = token.and_then(|token| crate::auth::token_index(token));
        index.is_some_and(|index| index > self.applied.0)
    }

    /// Resumes requests whose tokens have become known, and ends those that waited too long.
    pub(crate) fn look_after_early(&mut self, effects: &mut Effects) {
        if self.early.is_empty() {
            return;
        }
        for (operation, request, token, until) in std::mem::take(&mut self.early) {
            if !self.is_early(token.as_ref()) {
                self.request(operation, request, token.as_ref(), effects);
            } else if until <= self.now {
                self.reply(operation, Err(Error::InvalidAuthToken), effects);
            } else {
                self.early.push((operation, request, token, until));
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

    /// Starts handling a request.
    pub(crate) fn serve(
        &mut self,
        operation: u64,
        request: Request,
        who: Option<AuthInfo>,
        token: Option<Bytes>,
        effects: &mut Effects,
    ) {
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
            // R5: a linearizable read is answered like a serializable one, without a quorum.
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
            // The check must use the current users (`v3_server.go`, `Authenticate`).
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

    /// A login, once this member has applied all changes of users.
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

    /// A pseudo-random number for salts and tokens (rule R2).
    fn random(&mut self) -> u64 {
        let nth = self.fresh_id();
        keyed::Keyed::new(self.config.seed, SECRETS).draw(nth, 0).below(u64::MAX)
    }

    /// Answers from this member's own state.
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

    // ---- to the log -------------------------------------------------------------------------------

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

    fn propose_for(
        &mut self,
        operation: u64,
        command: Command,
        who: Option<AuthInfo>,
        effects: &mut Effects,
    ) {
        let id = self.fresh_id();
        let user = who.as_ref().map_or(("", 0), |who| (&who.user[..], who.revision));
        let own = operation == NOBODY || self.services.owns_request(operation);
        let internal = match &command {
            // The sender of a grant also needs the lease id: the client may have left it open.
            Command::Request(request) if own || matches!(request, Request::LeaseGrant(_)) => {
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
        if !own {
            effects.facts.push(Fact::Proposed { operation, request: id });
        }
        effects.facts.extend(internal.map(|what| Fact::ProposedInternal { request: id, what }));
        let deadline = self.now + self.config.settings.request_timeout;
        self.proposals.push(id, operation, self.now, deadline, Payload::Data(data));
    }

    /// Proposes a request that no client made.
    pub(crate) fn propose_internal(&mut self, request: Request, effects: &mut Effects) {
        self.propose_for(NOBODY, Command::Request(request), None, effects);
    }

    /// Proposes a command that no client could request.
    pub(crate) fn propose_command(&mut self, command: Command, effects: &mut Effects) {
        self.propose_for(NOBODY, command, None, effects);
    }

    /// Proposes waiting requests while raft knows a leader.
    pub(crate) fn propose_waiting(&mut self, effects: &mut Effects) {
        while self.node.takes_proposals()
            && let Some((id, payload)) = self.proposals.next_waiting()
        {
            let taken = match payload {
                Payload::Data(data) => self.node.propose(data),
                Payload::Change(change) => self.node.propose_change(change),
            };
            if !taken && let Some(operation) = self.proposals.refused(id) {
                self.reply(operation, Err(Error::ProposalDropped), effects);
            }
        }
    }

    // ---- changes of the membership ----------------------------------------------------------------

    /// A request to change the membership.
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

    /// Several membership changes at once.
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

    fn propose_configuration(&mut self, operation: u64, change: &Change, effects: &mut Effects) {
        let id = self.fresh_id();
        let learners = &self.node.log().conf_state().learners;
        // M-21737: an update of a learner forgets that it is one.
        let forgets = self.config.flaws.has(Flaw::MemberUpdatePromotesLearner);
        let change = configuration::for_raft(id, change, |id| learners.contains(&id.raft_id()) && !forgets);
        effects.facts.push(Fact::Proposed { operation, request: id });
        let deadline = self.now + self.config.settings.request_timeout;
        self.proposals.push(id, operation, self.now, deadline, Payload::Change(change));
    }

    // ---- time-outs --------------------------------------------------------------------------------

    /// Ends requests that have timed out inside the server.
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

    /// The reason that etcd gives for a proposal's time-out.
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

/// Whether a learner answers it (`v3rpc/util.go`, `isRPCSupportedForLearner`).
fn for_learners(request: &Request) -> bool {
    match request {
        Request::Status(_) => true,
        Request::Range(range) => range.serializable,
        _ => false,
    }
}
