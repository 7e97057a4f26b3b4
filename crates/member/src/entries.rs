//! Applies a log entry: decodes it, checks the user's permission, gives it to the part of the replicated
//! state that it changes, and answers the client if the request came through this member.
//!
//! The permission is checked here even if it was checked when the request arrived, because users and roles
//! may have changed since (etcd's `apply_auth.go`). All members must come to the same result, so applying
//! depends only on the entry and on replicated state.

use api::etcdserverpb::{LeaseGrantRequest, LeaseRevokeRequest};
use api::{Error, Request, Response};
use raft::eraftpb::Entry;
use record::MemberId;

use crate::apply::Applied;
use crate::auth::AuthInfo;
use crate::envelope::{self, Command, Envelope};
use crate::failpoint::Failpoint;
use crate::member::Member;
use crate::out::Out;

impl Member {
    /// Applies a normal entry. Returns the id of its request and whether the request made a revision.
    pub(crate) fn apply_entry(&mut self, entry: Entry, out: &mut Out<'_>) -> (u64, bool) {
        let index = entry.index;
        let Envelope { id, user, auth_revision, command } =
            envelope::decode(entry.data).unwrap_or_else(|error| {
                panic!("entry {index} cannot be decoded ({error}): its checksum is right, so it was encoded wrong")
            });
        out.pass(Failpoint::BeforeApplyOneEntryNormal);
        let waiting = self.proposals.applied(id);
        let Applied { result, mutated } = match &command {
            Command::Request(request) => {
                let who = (!user.is_empty()).then_some(AuthInfo { user, revision: auth_revision });
                self.apply_request(request, who.as_ref(), waiting.is_some(), out)
            }
            Command::Checkpoint(request) => {
                self.apply_checkpoints(request, out);
                self.not_capable()
            }
            Command::Attributes(request) => {
                if let Some(attributes) = &request.member_attributes {
                    self.cluster.apply_attributes(
                        MemberId::from_raft(request.member_id),
                        &attributes.name,
                        &attributes.client_urls,
                    );
                }
                self.not_capable()
            }
            Command::Authenticate(request) => {
                let result = self.auth.authenticated(request, index, self.now).map(Response::Authenticate);
                Applied { result, mutated: false }
            }
        };
        if mutated {
            self.hub.changed(&self.store);
        }
        out.pass(Failpoint::AfterApplyOneEntryNormal);
        if let Some(operation) = waiting {
            // If users or roles changed after the password was checked, the login starts over.
            if let Some((login, revision)) = self.logins.remove(&operation)
                && revision != self.auth.revision()
            {
                self.serve(operation, login.into(), None, None, out);
                return (id, mutated);
            }
            let result = self.with_header(result);
            match (&command, result) {
                (Command::Request(Request::Compact(request)), Ok(response)) if request.physical => {
                    self.waiting_compactions.push((operation, request.revision, response));
                }
                (_, result) => self.reply(operation, result, out),
            }
        }
        (id, mutated)
    }

    /// The result of a command whose result no client sees; so it does not matter which error this is.
    fn not_capable(&self) -> Applied {
        Applied { result: Err(Error::NotCapable), mutated: false }
    }

    /// Applies a request. `proposer` says whether it came through this member, which then answers it.
    fn apply_request(
        &mut self,
        request: &Request,
        who: Option<&AuthInfo>,
        proposer: bool,
        out: &mut Out<'_>,
    ) -> Applied {
        let refused = |error| Applied { result: Err(error), mutated: false };
        if let Some(error) = self.cluster.refuses(request) {
            return refused(error);
        }
        if let Err(error) = self.may_apply(request, who) {
            return refused(error);
        }
        match request {
            Request::Alarm(request) => {
                let response = self.cluster.alarm(request);
                Applied { result: Ok(response.into()), mutated: false }
            }
            request if self.auth.covers(request) => {
                let result = self.auth.apply(request);
                Applied { result, mutated: false }
            }
            request => {
                let has_room = self.has_room(request);
                if let Request::Compact(_) = request {
                    out.pass(Failpoint::CompactBeforeCommitScheduledCompact);
                }
                let applied = crate::apply::apply_as(&mut self.store, request, proposer);
                match (request, &applied.result) {
                    (Request::LeaseGrant(LeaseGrantRequest { .. }), Ok(Response::LeaseGrant(granted))) => {
                        self.lessor.granted(granted.id, granted.ttl, self.now, self.wall);
                    }
                    (Request::LeaseRevoke(LeaseRevokeRequest { id }), _) => self.lease_gone(*id, out),
                    (Request::Compact(_), _) => {
                        out.pass(Failpoint::CompactAfterCommitScheduledCompact);
                    }
                    _ => {}
                }
                if !has_room && applied.result.is_ok() && proposer {
                    // As in etcd, the request takes effect, but its answer is an error (`apply.go`,
                    // `quotaApplierV3`).
                    self.raise_no_space(out);
                    return Applied { result: Err(Error::NoSpace), ..applied };
                }
                applied
            }
        }
    }

    /// Whether the user of an entry has the permission for its request.
    fn may_apply(&self, request: &Request, who: Option<&AuthInfo>) -> Result<(), Error> {
        match (who, request) {
            // The revocation of an expired lease has no user.
            (None, Request::LeaseRevoke(_)) => Ok(()),
            (who, request) => {
                let nobody = AuthInfo::default();
                self.auth.permit(who.unwrap_or(&nobody), request, &|id| self.keys_of(id))
            }
        }
    }
}
