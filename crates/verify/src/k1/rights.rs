//! Users and rights: checks the answers and errors that depend on them and that the replay does not check.
//!
//! Changes of users and rights carry no revision, but the evidence has them in the order of the log, and they depend
//! on nothing else in the store. So this file first computes the auth store (users, roles, permissions) after every
//! entry. A request that went through the log and changed something is checked at its own entry, in the replay. This
//! file checks the others: reads, password checks, and requests that were refused before they became entries. The
//! outcome must fit the auth store of some moment between call and answer. If a member answers from its own state
//! alone, that state may be old, so any auth store up to the answer will do.
//!
//! Not checked: rights to a lease that follow from the keys attached to it, except for revocations and puts that went
//! through the log; how old a token is, and which revision of the auth store it was made for; requests for which
//! etcd's versions require different rights
//! ([`versions_differ`](crate::model::auth::versions_differ)). If the evidence does not have every acknowledged
//! change of users and rights, nothing is checked.

use api::{Error, Part, Request};
use record::{Applied, History, Nanos, Operation, Outcome};

use super::order::Order;
use super::place::{is_beside_the_store, is_local, is_write};
use crate::model::auth::{self, Auth};
use crate::model::{self, Ties};
use crate::{Oracle, Violation};
use crate::{answer, definite, describe};

/// The auth store over the run: one version for each entry that changed it.
struct Timeline<'a> {
    history: &'a History,
    /// Each version, with the rank of the entry that made it (its index in the evidence, from 1).
    stores: Vec<(u32, Auth)>,
    /// When the first member applied each entry; indexed by rank - 1.
    times: Vec<Nanos>,
    /// For each revision, the rank of the entry that made it; in order.
    makers: Vec<(i64, u32)>,
    /// By operation: the rank of its entry, if it has one.
    entries: Vec<Option<u32>>,
}

/// Checks a history, and returns how many operations were checked. `closed` says that there were no users at first,
/// and that no client outside the history changed any.
pub fn check(
    history: &History,
    applied: Option<&[Applied]>,
    order: &Order,
    closed: bool,
    violations: &mut Vec<Violation>,
) -> usize {
    let changes = history.operations.iter().any(|operation| auth::changes_auth(&operation.request));
    let refused = |operation: &Operation| matches!(operation.outcome, Outcome::Error { error, .. } if definite::is_of_auth(error) || auth::any_time(error));
    // Either not all changes of rights are known, or nobody changed rights and nobody was refused because of them.
    if !closed || changes && !order.rights || !changes && !history.operations.iter().any(refused) {
        return 0;
    }
    let timeline = Timeline::new(history, applied.unwrap_or_default());
    let floors = timeline.floors();
    let mut count = 0;
    for (number, operation) in history.operations.iter().enumerate() {
        if let Some(verdict) = timeline.judge(number, operation, floors[number]) {
            count += 1;
            violations.extend(verdict.err().map(|reason| wrong(operation, number, reason)));
        }
    }
    // Without any change of users or rights, there was nothing to check but that nobody was refused because of them.
    if changes { count } else { 0 }
}

impl<'a> Timeline<'a> {
    fn new(history: &'a History, applied: &[Applied]) -> Timeline<'a> {
        let mut timeline = Timeline {
            history,
            stores: vec![(0, Auth::default())],
            times: applied.iter().map(|entry| entry.time).collect(),
            makers: Vec::new(),
            entries: vec![None; history.operations.len()],
        };
        let mut store = Auth::default();
        for (rank, entry) in (1..).zip(applied) {
            if entry.mutated {
                timeline.makers.push((entry.revision as i64, rank));
            }
            let Some(number) = entry.operation.map(|number| number as usize) else { continue };
            let Some(operation) = history.operations.get(number) else { continue };
            timeline.entries[number].get_or_insert(rank);
            let request = &operation.request;
            let unknown = matches!(operation.outcome, Outcome::Error { error, .. }
                if auth::any_time(error) || taken_as_nobodys(operation, error));
            if auth::changes_auth(request)
                && !unknown
                && store.permits(operation.user.as_deref(), request, &|_| Vec::new()).is_ok()
                && store.apply(request, 0).is_ok()
            {
                timeline.stores.push((rank, store.clone()));
            }
        }
        timeline
    }

    /// The rank of the entry that made this revision or, if none did, the last one before it; 0 if there is none.
    fn maker(&self, revision: i64) -> u32 {
        let after = self.makers.partition_point(|(made, _)| *made <= revision);
        after.checked_sub(1).map_or(0, |last| self.makers[last].1)
    }

    /// For each operation, the rank of the last entry that is known to have been applied when the operation was
    /// called.
    fn floors(&self) -> Vec<u32> {
        let mut returns: Vec<(Nanos, u32)> = Vec::new();
        for (number, operation) in self.history.operations.iter().enumerate() {
            if let Some(at) = definite::over_at(operation) {
                let entry = self.entries[number].filter(|_| operation.response().is_some());
                returns.push((at, entry.unwrap_or(0).max(self.seen(operation))));
            }
        }
        returns.sort_unstable();
        let mut next = returns.into_iter().peekable();
        let mut floor = 0;
        let before = |operation: &Operation| {
            while let Some((_, rank)) = next.next_if(|(at, _)| *at < operation.call) {
                floor = floor.max(rank);
            }
            floor
        };
        self.history.operations.iter().map(before).collect()
    }

    /// The rank of the last entry that must have been applied before the operation was answered, by the revision of
    /// its answer.
    fn seen(&self, operation: &Operation) -> u32 {
        self.maker(operation.response().map_or(0, |response| answer::revision(response.header())))
    }

    /// The versions of the auth store by which a member may have checked the operation. `floor` is the rank of the
    /// last entry that is known to have been applied at its call.
    fn stores(&self, number: usize, operation: &Operation, floor: u32) -> impl Iterator<Item = &Auth> {
        let (from, until) = match self.entries[number] {
            Some(rank) if !matches!(operation.request, Request::Authenticate(_)) => (rank, rank),
            _ => {
                let floor = if is_local(&operation.request) || checked_on_receipt(&operation.request) {
                    0
                } else {
                    floor
                };
                let returned = operation.returned().unwrap_or(Nanos::MAX);
                let until = self.times.partition_point(|time| *time <= returned) as u32;
                (floor.max(self.seen(operation)), until)
            }
        };
        let first = self.stores.partition_point(|(rank, _)| *rank <= from) - 1;
        let last = self.stores.partition_point(|(rank, _)| *rank <= until.max(from));
        self.stores[first..last].iter().map(|(_, store)| store)
    }

    /// Whether the operation's outcome fits the rights of its time; `None` if this file does not check it.
    fn judge(&self, number: usize, operation: &Operation, floor: u32) -> Option<Result<(), String>> {
        let request = &operation.request;
        let logged = is_write(request) || is_beside_the_store(request);
        let placed = logged && self.entries[number].is_some();
        let differ = auth::versions_differ(request);
        let status = matches!(request, Request::AuthStatus(_)) && operation.response().is_some();
        // The replay checks what has an entry. Otherwise, where versions of etcd differ or the keys of a lease decide,
        // only the token is judged.
        if placed || differ && !status || names_lease(request) {
            return self.judge_token(operation);
        }
        let fits = |store: &Auth| match &operation.outcome {
            Outcome::Answer { response, .. } if auth::is_about_auth(request) => {
                let user = operation.user.as_deref();
                (differ || store.permits(user, request, &|_| Vec::new()).is_ok())
                    && store.clone().apply(request, 0).is_ok_and(|expected| {
                        answer::difference(&expected, response, &Ties::default()).is_none()
                    })
            }
            Outcome::Answer { .. } => self.refused(store, operation).is_none(),
            Outcome::Error { error, .. } => {
                // Lists of users and roles go through the log, too.
                auth::is_about_auth(request) && taken_as_nobodys(operation, *error) && store.is_enabled()
                    || self
                        .refused(store, operation)
                        .is_some_and(|expected| definite::is_same(*error, expected))
            }
            Outcome::Unknown { .. } => true,
        };
        let judged = match operation.outcome {
            Outcome::Answer { .. } => {
                !logged && (auth::is_about_auth(request) || model::Model::covers(request))
            }
            Outcome::Error { error, .. } => {
                // Whether a request was taken as anonymous depends on what the member knew.
                let taken = taken_as_nobodys(operation, error);
                definite::is_of_auth(error) && !taken && model::check(request) != Err(error)
            }
            Outcome::Unknown { .. } => false,
        };
        if !judged {
            return self.judge_token(operation);
        }
        let mut stores = self.stores(number, operation, floor);
        if stores.any(fits) {
            return Some(Ok(()));
        }
        let reason = "By the users and rights of that time, the answer should have been another.";
        Some(Err(reason.to_string()))
    }

    /// The error with which this store refuses the operation, if it does.
    fn refused(&self, store: &Auth, operation: &Operation) -> Option<Error> {
        let request = &operation.request;
        let refused = store.permits(operation.user.as_deref(), request, &|_| Vec::new()).err();
        let about = auth::is_about_auth(request);
        refused.or_else(|| if about { store.clone().apply(request, 0).err() } else { None })
    }

    /// Checks an error about the caller's token: the request must have had a token, and a token can be too old only
    /// after a change of users or rights.
    fn judge_token(&self, operation: &Operation) -> Option<Result<(), String>> {
        let Outcome::Error { at, error } = operation.outcome else { return None };
        if !auth::any_time(error) && !taken_as_nobodys(operation, error) {
            return None;
        }
        if operation.user.is_none() {
            return Some(Err("It was sent without a token.".to_string()));
        }
        let called = |other: &Operation| other.call <= at && auth::changes_auth(&other.request);
        let changed = error != Error::AuthOldRevision || self.history.operations.iter().any(called);
        Some(if changed { Ok(()) } else { Err("Nobody had changed users or rights by then.".to_string()) })
    }
}

/// Whether the request was refused because it has no user, although the client sent one. This is how etcd behaves if
/// the member that receives the request does not know yet that authentication is on: it ignores the user and proposes
/// the request as anonymous. The entry that enables authentication then precedes the request in the log.
pub(super) fn taken_as_nobodys(operation: &Operation, error: Error) -> bool {
    error == Error::UserEmpty && operation.user.is_some()
}

/// Whether the member checks the rights when it receives the request, by its own auth store of that moment, which may
/// be old. This holds for all requests except those of the KV and auth APIs, whose rights are checked when they are
/// executed.
fn checked_on_receipt(request: &Request) -> bool {
    let is_kv =
        matches!(request, Request::Range(_) | Request::Put(_) | Request::DeleteRange(_) | Request::Txn(_));
    !is_kv && !auth::is_about_auth(request)
}

/// Whether the request puts a key with a lease.
pub(super) fn names_lease(request: &Request) -> bool {
    request.parts().any(|part| matches!(part, Part::Put(put) if put.lease != 0))
}

/// The violation for an operation whose outcome does not fit the rights of its time.
fn wrong(operation: &Operation, number: usize, reason: String) -> Violation {
    let time = operation.returned().unwrap_or(operation.call);
    let title = match operation.outcome {
        Outcome::Answer { .. } => "an answer that contradicts the caller's rights",
        _ => "an error that contradicts the caller's rights",
    };
    let who = operation
        .user
        .as_deref()
        .map_or("An anonymous client".to_string(), |user| format!("User \"{user}\""));
    Violation::new(Oracle::K1, time, title)
        .say(format!("{who} asked: {}.", describe::operation(operation)))
        .say(reason)
        .shown_by([number])
}
