//! Executes the placed operations on the model, one after another, and compares every answer with the model's, field
//! by field.
//!
//! The model of the replay is never compacted, so that a read at an old revision can always be compared. `loose`
//! checks whether a compaction had removed that revision by then.

use std::borrow::Cow;
use std::collections::BTreeMap;

use api::etcdserverpb::{LeaseGrantRequest, LeaseRevokeRequest};
use api::{Error, Part, Request, Response};
use record::{Applied, History, Nanos, Operation, Outcome};

use super::gaps::own_lease;
use super::order::{NOBODY, Step};
use super::place::{is_beside_the_store, is_write};
use super::rights::taken_as_nobodys;
use crate::keys_only;
use crate::model::{Model, Ties, auth};
use crate::{Oracle, Violation};
use crate::{answer, definite, describe, k2, k3};

/// For how many seconds the lock and election services grant a lease that they make themselves
/// (etcd's `defaultSessionTTL`).
const SESSION_TTL: i64 = 60;

/// A grant of a lease that took effect or may have taken effect.
#[derive(Clone, Copy, Debug)]
struct Grant {
    call: Nanos,
    /// When it was answered; `None` if it may still take effect.
    over: Option<Nanos>,
    ttl: i64,
}

/// A replay in progress.
pub struct Replay<'a> {
    history: &'a History,
    /// What the cluster applied; the rank of a step is an index into it, counted from 1.
    applied: &'a [Applied],
    /// Whether users' rights are checked.
    rights: bool,
    /// The state after the last step.
    pub model: Model,
    /// Pairs that a sorted read may return in either order, because their sort keys are equal.
    ties: Ties,
    /// Whether it is not known what changed the store at some revision. Nothing after that can be judged.
    pub lost_track: bool,
    /// Without evidence: the grants that took effect or may have, by the id of the lease. With evidence: `None`.
    grants: Option<BTreeMap<i64, Vec<Grant>>>,
}

impl<'a> Replay<'a> {
    /// A replay at the start of the history.
    pub fn new(history: &'a History, start: i64) -> Replay<'a> {
        let mut model = Model::starting_at(start);
        model.keep_changes();
        model.leave_leases_out(keys_only::leave_leases_out(history));
        let (ties, lost_track) = (Ties::default(), false);
        Replay { history, applied: &[], rights: false, model, ties, lost_track, grants: None }
    }

    /// Adds the evidence by which the steps were ordered. `rights` says whether it shows all users and their rights.
    pub fn by_evidence(mut self, applied: &'a [Applied], rights: bool) -> Replay<'a> {
        (self.applied, self.rights) = (applied, rights);
        self
    }

    /// Replays without evidence. Changes of leases that no answer shows then happen in the model when they are needed:
    /// a lease without keys ends once it is granted again, and a grant without an answer takes effect once a key is
    /// attached to its lease.
    pub fn by_answers(mut self) -> Replay<'a> {
        let mut grants: BTreeMap<i64, Vec<Grant>> = BTreeMap::new();
        for operation in &self.history.operations {
            let over = definite::over_at(operation);
            let (id, ttl, over) = match (&*granted(operation), operation.response()) {
                (Request::LeaseGrant(grant), Some(_)) => (grant.id, grant.ttl, over),
                (Request::LeaseGrant(grant), None) if over.is_none() => (grant.id, grant.ttl, None),
                // A lock or election service that was not given a lease makes one of its own. No answer shows when.
                (_, Some(_)) => (own_lease(operation).unwrap_or(0), SESSION_TTL, None),
                _ => continue,
            };
            if id != 0 {
                grants.entry(id).or_default().push(Grant { call: operation.call, over, ttl });
            }
        }
        self.grants = Some(grants);
        self
    }

    /// The first revision that must have been made before this step, but that no step so far has made.
    #[inline]
    pub fn missing(&self, step: &Step) -> Option<i64> {
        let before = step.position.revision() - i64::from(step.position.makes_revision());
        (self.model.revision() < before).then(|| self.model.revision() + 1)
    }

    /// Takes one step, and returns how its answer differs from the model's.
    pub fn take(&mut self, step: &Step) -> Result<(), Mismatch> {
        let revision = step.position.revision();
        let outcome = if step.operation == NOBODY {
            match self.entry(step).and_then(|entry| entry.internal.as_deref()) {
                Some(request) => self.take_own(request, step),
                None => {
                    self.expire();
                    Ok(())
                }
            }
        } else {
            let operation = &self.history.operations[step.operation as usize];
            self.compare(operation, step)
        };
        // A step that does not fit must not shift the revisions after it.
        if self.model.revision() > revision {
            self.model.rewind(revision);
        } else if self.model.revision() < revision {
            self.model.skip_to(revision);
        }
        outcome
    }

    /// The entry of the evidence that belongs to a step, if its rank names one.
    fn entry(&self, step: &Step) -> Option<&'a Applied> {
        self.applied.get((step.rank as usize).checked_sub(1)?)
    }

    /// Executes a request that is not a step, such as the revocation of an expired lease. Returns whether it made
    /// this revision.
    pub fn make(&mut self, request: &Request, revision: i64) -> bool {
        // No call limits when this was executed, so any grant may have come before it.
        self.settle_leases(request, 0, Nanos::MAX);
        let made = self.model.apply(request).is_ok() && self.model.revision() == revision;
        if self.model.revision() > revision {
            self.model.rewind(revision);
        }
        made
    }

    /// Grants and ends leases in the model as far as this request needs it (see [`Replay::by_answers`]). The request
    /// was called at `call` and was over at `over`.
    fn settle_leases(&mut self, request: &Request, call: Nanos, over: Nanos) {
        let Some(grants) = &self.grants else { return };
        if let Request::LeaseGrant(grant) = request
            && self.model.lease_ttl(grant.id).is_some()
            && self.model.lease_keys(grant.id).is_empty()
        {
            let revoke = Request::LeaseRevoke(LeaseRevokeRequest { id: grant.id });
            self.model.apply(&revoke).expect("a lease that exists can be revoked");
        }
        let needed = request.parts().filter_map(|part| match part {
            Part::Put(put) if put.lease != 0 => Some(put.lease),
            _ => None,
        });
        let revoked = match request {
            Request::LeaseRevoke(revoke) => Some(revoke.id),
            _ => None,
        };
        for id in needed.chain(revoked) {
            // A grant that overlaps a revocation may have come before it. Between two revisions no answer shows their
            // order.
            let may_be = |grant: &&Grant| {
                grant.call <= over && grant.over.is_none_or(|granted| revoked.is_some() && granted >= call)
            };
            if self.model.lease_ttl(id).is_none()
                && let Some(grant) = grants.get(&id).and_then(|grants| grants.iter().find(may_be))
            {
                drop(self.model.apply(&Request::LeaseGrant(LeaseGrantRequest { id, ttl: grant.ttl })));
            }
        }
    }

    /// Executes an entry that a member proposed itself: it must make a revision in the model exactly if it made one in
    /// the cluster.
    fn take_own(&mut self, request: &Request, step: &Step) -> Result<(), Mismatch> {
        let before = self.model.revision();
        self.settle_leases(request, 0, Nanos::MAX);
        let result = self.model.apply(request);
        let difference = match (step.position.makes_revision(), self.model.revision() > before) {
            (true, false) => match result {
                Ok(_) => "there was nothing for it to change",
                Err(error) => error.text(),
            },
            (false, true) => "it should have made a revision",
            _ => return Ok(()),
        };
        Err(Mismatch { operation: NOBODY, rank: step.rank, difference: difference.to_string() })
    }

    /// Executes an operation's step on the model, and compares the operation's outcome with the model's.
    #[inline]
    fn compare(&mut self, operation: &Operation, step: &Step) -> Result<(), Mismatch> {
        let mut request = granted(operation);
        if let (Request::LeaseGrant(grant), Some(entry)) = (&*request, self.entry(step))
            && grant.id == 0
        {
            request = Cow::Owned(LeaseGrantRequest { id: chosen_id(entry), ..*grant }.into());
        }
        let over = definite::over_at(operation).unwrap_or(Nanos::MAX);
        self.settle_leases(&request, operation.call, over);
        let result = self.carry_out(operation, &request, step);
        let difference = match (&operation.outcome, &result) {
            (Outcome::Answer { response, .. }, Ok(expected)) => {
                answer::difference(expected, response, &self.ties)
            }
            (Outcome::Answer { .. }, Err(error)) => Some(due(*error, operation)),
            (Outcome::Error { error, .. }, Err(expected))
                if definite::is_same(*error, *expected)
                    || definite::is_other_order(&request, *error, *expected) =>
            {
                None
            }
            (Outcome::Error { .. } | Outcome::Unknown { .. }, _) if step.position.makes_revision() => {
                let fits = self.model.revision() == step.position.revision();
                (!fits).then(|| "it could not have made that revision".to_string())
            }
            // Errors about leases, rights and alarms have a place if the evidence has their entry.
            (Outcome::Error { error, .. }, result) if definite::is_definite(*error) => Some(match result {
                Ok(_) => "there was no reason for that error".to_string(),
                Err(expected) => due(*expected, operation),
            }),
            _ => None,
        };
        match difference {
            None => Ok(()),
            Some(difference) => Err(Mismatch { operation: step.operation, rank: step.rank, difference }),
        }
    }

    /// Executes the operation on the model. If the operation goes through the log, this also checks the caller's
    /// rights at the place of its entry. The file `rights.rs` checks them for all other operations.
    #[inline]
    fn carry_out(
        &mut self,
        operation: &Operation,
        request: &Request,
        step: &Step,
    ) -> Result<Response, Error> {
        // The member did not know yet that authentication is on, and proposed the request as anonymous.
        if self.model.auth().is_enabled()
            && matches!(operation.outcome, Outcome::Error { error, .. } if taken_as_nobodys(operation, error))
        {
            return Err(Error::UserEmpty);
        }
        // Lists of users and roles go through the log, too.
        let listed = step.rank > 0 && auth::is_about_auth(request);
        if !self.rights || !(is_write(request) || is_beside_the_store(request) || listed) {
            return self.model.apply_noting(request, &mut self.ties);
        }
        let keys = match request {
            Request::LeaseRevoke(revoke) => self.model.lease_keys(revoke.id),
            _ => Vec::new(),
        };
        let refused = match operation.outcome {
            Outcome::Error { error: error @ (Error::UserEmpty | Error::PermissionDenied), .. } => Some(error),
            // A revocation without an answer may have been refused because of its token.
            Outcome::Unknown { .. } if !keys.is_empty() && !step.position.makes_revision() => {
                Some(Error::AuthOldRevision)
            }
            _ => None,
        };
        // For some requests, versions of etcd require different rights. There a refusal is believed and an answer needs
        // no rights, except for the revocation of a lease with keys.
        match refused {
            Some(error) if auth::versions_differ(request) && (keys.is_empty() || auth::any_time(error)) => {
                Err(error)
            }
            None if auth::versions_differ(request) && keys.is_empty() => {
                self.model.apply_noting(request, &mut self.ties)
            }
            _ => self.model.apply_noting_as(operation.user.as_deref(), request, &mut self.ties),
        }
    }

    /// Executes an entry that made a revision, but whose request the evidence does not have: it can only be the end
    /// of a lease. Which lease it was is known only if a single one has keys.
    fn expire(&mut self) {
        let mut with_keys = self.model.leases_with_keys();
        match (with_keys.next(), with_keys.next()) {
            (Some(id), None) => {
                drop(with_keys);
                let revoke = Request::LeaseRevoke(api::etcdserverpb::LeaseRevokeRequest { id });
                self.model.apply(&revoke).expect("a lease with keys can be revoked");
            }
            _ => self.lost_track = true,
        }
    }
}

/// Says that an error is due in place of the operation's outcome, and whose rights are missing if it is about rights.
fn due(error: Error, operation: &Operation) -> String {
    match operation.user.as_deref() {
        Some(user) if error == Error::PermissionDenied && !operation.is_forged() => {
            format!("the error \"{error}\" is due: its user {user} has no right to it")
        }
        _ => format!("the error \"{error}\" is due"),
    }
}

/// The request of an operation; if it is a grant without a lease id, with the id that the server chose.
pub(crate) fn granted(operation: &Operation) -> Cow<'_, Request> {
    match (&operation.request, operation.response()) {
        (Request::LeaseGrant(request), Some(api::Response::LeaseGrant(response))) if request.id == 0 => {
            let mut request = *request;
            request.id = response.id;
            Cow::Owned(Request::LeaseGrant(request))
        }
        (request, _) => Cow::Borrowed(request),
    }
}

/// The id of a lease that the server chose and that no answer names. The entry has it if the evidence has the request
/// as the member proposed it. Otherwise this is an invented id that no lease has.
fn chosen_id(entry: &Applied) -> i64 {
    match entry.internal.as_deref() {
        Some(Request::LeaseGrant(grant)) if grant.id != 0 => grant.id,
        _ => i64::MIN + entry.index as i64,
    }
}

/// An answer that differs from the model's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The operation; [`NOBODY`] for an entry that a member proposed itself.
    pub operation: u32,
    /// The index of the entry in the evidence, counted from 1; 0 where it does not matter.
    pub rank: u32,
    /// How it differs.
    pub difference: String,
}

impl Mismatch {
    /// The violation, of the oracle that judges this kind of operation.
    pub fn violation(
        &self,
        history: &History,
        applied: &[Applied],
        steps: &[Step],
        model: &Model,
    ) -> Violation {
        let number = self.operation as usize;
        let Some(operation) = history.operations.get(number) else {
            return self.of_own(&applied[self.rank as usize - 1]);
        };
        let time = operation.returned().unwrap_or(operation.call);
        let (oracle, title) = match &operation.request {
            request if k3::reads_the_past(request) => {
                (Oracle::K3, "a read at a revision does not return that revision")
            }
            request if k2::is_judged(request) => {
                (Oracle::K2, "a serializable read returns a state that never was")
            }
            request if super::place::is_write(request) => (Oracle::K1, "a write was answered wrongly"),
            _ => (Oracle::K1, "a read was answered wrongly"),
        };
        let (said, until) = match (&operation.outcome, operation.returned()) {
            (Outcome::Answer { response, .. }, Some(at)) => {
                let revision = answer::revision(response.header());
                let said = format!("was answered with revision {revision} at {}", describe::time(at));
                (said, "that revision")
            }
            (Outcome::Error { error, .. }, Some(at)) => {
                (format!("was answered with \"{error}\" at {}", describe::time(at)), "then")
            }
            _ => ("got no answer, and was applied".to_string(), "then"),
        };
        let mut violation = Violation::new(oracle, time, title)
            .say(format!(
                "{} {said}, where by all writes up to {until} {}.",
                describe::who(operation),
                self.difference
            ))
            .shown_by([number]);
        if let Some(writer) = last_writer(history, steps, model, operation).filter(|writer| *writer != number)
        {
            let line = describe::operation(&history.operations[writer]);
            violation = violation.say(format!("The last write there: {line}.")).shown_by([writer]);
        }
        violation
    }
}

impl Mismatch {
    /// The violation for an entry that a member proposed itself.
    fn of_own(&self, entry: &Applied) -> Violation {
        let what = entry.internal.as_deref().map_or_else(String::new, describe::request);
        let made = if entry.mutated { "made" } else { "was applied at" };
        let title = "a member's own proposal does not fit";
        Violation::new(Oracle::K1, entry.time, title)
            .say(format!(
                "Entry {}, `{what}`, which a member proposed itself, {made} revision {}.",
                entry.index, entry.revision
            ))
            .say(format!("By all that was applied before: {}.", self.difference))
    }
}

/// The write that last changed the key of this operation before it, if the operation is about a single key.
fn last_writer(history: &History, steps: &[Step], model: &Model, operation: &Operation) -> Option<usize> {
    let revision = operation.response().map_or(0, |response| answer::revision(response.header()));
    let (key, at) = match &operation.request {
        Request::Range(request) if request.range_end.is_empty() => {
            (&request.key, if request.revision > 0 { request.revision } else { revision })
        }
        Request::Put(request) => (&request.key, revision - 1),
        _ => return None,
    };
    let modified = model.get(key, at)?.mod_revision;
    let making = super::place::Position::making(modified);
    let found = steps.binary_search_by_key(&making, |step| step.position).ok()?;
    let number = steps[found].operation as usize;
    (number < history.operations.len()).then_some(number)
}
