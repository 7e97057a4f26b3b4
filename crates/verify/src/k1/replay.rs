//! The placed operations, one after another, on the model: every answer must be the model's, field by field.
//!
//! The model is never compacted here, so that reads at old revisions can be compared whenever they come; whether a
//! compaction had taken the revision away by then is `loose`'s question.

use std::borrow::Cow;

use api::Request;
use record::{History, Operation, Outcome};

use super::order::{NOBODY, Step};
use crate::model::{Model, Ties};
use crate::{Oracle, Severity, Violation};
use crate::{answer, definite, describe, k2, k3};

/// The replay on its way.
pub struct Replay<'a> {
    history: &'a History,
    /// The state after the last step.
    pub model: Model,
    ties: Ties,
    /// Whether a revision was made by something that is not known, so that nothing after it can be judged.
    pub lost_track: bool,
}

impl<'a> Replay<'a> {
    /// At the start.
    pub fn new(history: &'a History, start: i64) -> Replay<'a> {
        Replay { history, model: Model::starting_at(start), ties: Ties::default(), lost_track: false }
    }

    /// The first revision that must have been made before this step, but was not.
    #[inline]
    pub fn missing(&self, step: &Step) -> Option<i64> {
        let before = step.position.revision() - i64::from(step.position.makes_revision());
        (self.model.revision() < before).then(|| self.model.revision() + 1)
    }

    /// Takes one step, and says how its answer differs from the model's.
    pub fn take(&mut self, step: &Step) -> Result<(), Mismatch> {
        let revision = step.position.revision();
        let outcome = if step.operation == NOBODY {
            self.expire();
            Ok(())
        } else {
            let operation = &self.history.operations[step.operation as usize];
            self.compare(operation, step)
        };
        // After a step that does not fit, the order of revisions is right again all the same.
        if self.model.revision() > revision {
            self.model.rewind(revision);
        } else if self.model.revision() < revision {
            self.model.skip_to(revision);
        }
        outcome
    }

    #[inline]
    fn compare(&mut self, operation: &Operation, step: &Step) -> Result<(), Mismatch> {
        let request = granted(operation);
        let result = self.model.apply_noting(&request, &mut self.ties);
        let difference = match (&operation.outcome, &result) {
            (Outcome::Answer { response, .. }, Ok(expected)) => {
                answer::difference(expected, response, &self.ties)
            }
            (Outcome::Answer { .. }, Err(error)) => Some(format!("it should be the error \"{error}\"")),
            (Outcome::Error { error, .. }, Err(expected)) if error == expected => None,
            (Outcome::Error { .. } | Outcome::Unknown { .. }, _) if step.position.makes_revision() => {
                let fits = self.model.revision() == step.position.revision();
                (!fits).then(|| "it could not have made that revision".to_string())
            }
            // What else has an error and a place is about leases.
            (Outcome::Error { error, .. }, result) if definite::is_definite(*error) => Some(match result {
                Ok(_) => "there was no reason for that error".to_string(),
                Err(expected) => format!("it should be the error \"{expected}\""),
            }),
            _ => None,
        };
        match difference {
            None => Ok(()),
            Some(difference) => Err(Mismatch { operation: step.operation, difference }),
        }
    }

    /// A lease ends of its own accord. Which one can only be told where a single one has keys.
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

/// The request with what the server chose filled in.
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

/// An answer that is not the model's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Whose.
    pub operation: u32,
    /// In what.
    pub difference: String,
}

impl Mismatch {
    /// As a violation of the oracle whose kind of operation it is.
    pub fn violation(&self, history: &History, steps: &[Step], model: &Model) -> Violation {
        let number = self.operation as usize;
        let operation = &history.operations[number];
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
        let said = match (&operation.outcome, operation.returned()) {
            (Outcome::Answer { response, .. }, Some(at)) => {
                let revision = answer::revision(response.header());
                format!("was answered with revision {revision} at {}", describe::time(at))
            }
            (Outcome::Error { error, .. }, Some(at)) => {
                format!("was answered with \"{error}\" at {}", describe::time(at))
            }
            _ => "got no answer, and was applied".to_string(),
        };
        let mut violation = Violation::new(oracle, Severity::Wrong, time, title)
            .say(format!("{} {said}.", describe::who(operation)))
            .say(format!("By all writes up to that revision, {}.", self.difference))
            .shown_by([number]);
        if let Some(writer) = last_writer(history, steps, model, operation).filter(|writer| *writer != number)
        {
            let line = describe::operation(&history.operations[writer]);
            violation = violation.say(format!("The last write there: {line}.")).shown_by([writer]);
        }
        violation
    }
}

/// Who wrote the one key that is asked for, last as seen by this operation.
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
