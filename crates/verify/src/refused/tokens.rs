//! N2: nobody is served by a token that no login has issued, or that has expired.
//!
//! When a member receives a request, it looks the token up among its own users, which may be out of date: if it does
//! not know yet that authentication is on, it treats the caller as nobody. So the oracle judges only requests whose
//! caller is checked once more where the state is certain: linearizable reads, after ReadIndex, and what goes through
//! the log.
//!
//! A token has expired at a member if a request with it was served there, and nothing was sent there with it for the
//! token's TTL and two seconds, by the slowest clock: members look for expired tokens once a second. A member that starts
//! applies logins again and issues their tokens anew, so nothing is known until it has served the token.

use std::collections::{BTreeMap, BTreeSet};

use api::{Error, Request};
use record::{MemberId, Nanos, Operation, Outcome};

use super::switches::Switches;
use super::violation;
use crate::clocks::true_time;
use crate::definite::{is_modelled, is_of_auth};
use crate::model::auth::is_about_auth;
use crate::{Context, Oracle, Sheet, model};

/// How often a member looks for expired tokens.
const RESOLUTION: Nanos = 1_000_000_000;

/// Where the caller of a request is certainly checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looked {
    /// After ReadIndex, by the member that answers.
    AtReading,
    /// When its entry is applied, by the user that the proposing member had found.
    AtApplying,
}

/// Judges a record by N2.
pub(super) fn judge(context: &Context<'_>, switches: &Switches, sheet: &mut Sheet) {
    let mut uses = Uses::of(context);
    let (mut forged, mut expired) = (0, 0);
    for (number, operation) in context.history().operations.iter().enumerate() {
        let until = operation.returned().unwrap_or(Nanos::MAX);
        let looked = looked_at(operation).filter(|_| switches.must_be_on(operation.call, until));
        let has_expired = uses.has_expired(operation);
        uses.add(operation, looked.is_some());
        let (Some(looked), Some(_)) = (looked, operation.returned()) else { continue };
        let whose = if operation.is_forged() {
            forged += 1;
            "no login has issued its token"
        } else if has_expired {
            expired += 1;
            "its token had expired"
        } else {
            continue;
        };
        let title = match operation.outcome {
            Outcome::Error { error, .. } if is_right(error, looked) => continue,
            Outcome::Error { .. } => "a token that is not valid is refused by another error",
            _ => "a token that is not valid is accepted",
        };
        let reason = format!("Authentication was on, and {whose}: \"{}\" is right.", Error::InvalidAuthToken);
        sheet.add(violation(Oracle::N2, number, operation, title, reason));
    }
    sheet.checked(Oracle::N2, "requests with a token that no login has issued", forged);
    sheet.checked(Oracle::N2, "requests with an expired token", expired);
}

/// Where the operation's caller is certainly checked; `None` if nowhere.
fn looked_at(operation: &Operation) -> Option<Looked> {
    let request = &operation.request;
    if model::check(request).is_err() {
        return None;
    }
    match request {
        Request::Range(range) => (!range.serializable).then_some(Looked::AtReading),
        Request::Txn(txn) if model::is_read_only(txn) => {
            (!model::is_serializable(txn)).then_some(Looked::AtReading)
        }
        Request::Put(_) | Request::DeleteRange(_) | Request::Txn(_) => Some(Looked::AtApplying),
        Request::Authenticate(_) | Request::AuthStatus(_) => None,
        request => is_about_auth(request).then_some(Looked::AtApplying),
    }
}

/// Whether the error is right for a request whose token is not valid.
fn is_right(error: Error, looked: Looked) -> bool {
    match error {
        Error::InvalidAuthToken => true,
        // The member did not know yet that authentication is on, and proposed the request without a user.
        Error::UserEmpty => looked == Looked::AtApplying,
        // It means that the member found the token, or even served the request.
        Error::AuthOldRevision => false,
        error => !is_modelled(error) && !is_of_auth(error),
    }
}

/// Where and when the tokens of clients were used last.
struct Uses<'a> {
    /// When each process started.
    starts: &'a [(MemberId, Nanos)],
    /// For each client and member: its last use since the client logged in last.
    last: BTreeMap<(u32, MemberId), Use>,
    /// The clients that have watchers at a member: their watchers use the token, too.
    watching: BTreeSet<(u32, MemberId)>,
    /// How long a token must go unused to have expired, by a true clock; `None` if that is not known.
    enough: Option<Nanos>,
}

/// The last use of a token at a member.
#[derive(Clone, Copy)]
struct Use {
    /// When the member had certainly last looked the token up and found it.
    found: Option<Nanos>,
    /// When the last request with the token was over; `Nanos::MAX` if one may still arrive.
    until: Nanos,
}

impl<'a> Uses<'a> {
    fn of(context: &'a Context<'_>) -> Uses<'a> {
        let expectations = context.expectations;
        let ttl = expectations.limits.as_ref().and_then(|limits| limits.token_ttl);
        let (slowest, _) = expectations.clock_rates;
        let streams = context.history().watches.iter();
        Uses {
            starts: context.starts(),
            last: BTreeMap::new(),
            watching: streams.map(|stream| (stream.client, stream.member)).collect(),
            enough: ttl.map(|ttl| true_time(ttl + 2 * RESOLUTION, slowest)),
        }
    }

    /// Whether the operation's token has certainly expired at its member.
    fn has_expired(&self, operation: &Operation) -> bool {
        let at = (operation.client, operation.member);
        let has_token = operation.user.is_some() && !operation.is_forged();
        let (Some(enough), Some(last)) = (self.enough, self.last.get(&at)) else { return false };
        let Some(found) = last.found else { return false };
        has_token
            && !self.starts.iter().any(|(member, at)| *member == operation.member && *at > found)
            && !self.watching.contains(&at)
            && last.until.checked_add(enough).is_some_and(|end| end < operation.call)
    }

    /// Takes the next operation of the history. `looked` says whether its caller was certainly checked.
    fn add(&mut self, operation: &Operation, looked: bool) {
        if matches!(operation.request, Request::Authenticate(_)) {
            self.last.retain(|(client, _), _| *client != operation.client);
            return;
        }
        if operation.is_forged() {
            return;
        }
        let at = (operation.client, operation.member);
        let last = self.last.entry(at).or_insert(Use { found: None, until: 0 });
        if looked && operation.response().is_some() && operation.user.is_some() {
            last.found = last.found.max(operation.returned());
        }
        last.until = last.until.max(operation.returned().unwrap_or(Nanos::MAX));
    }
}
