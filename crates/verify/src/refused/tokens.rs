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
use super::{ended_so, violation};
use crate::clocks::true_time;
use crate::definite::{is_modelled, is_of_auth};
use crate::model::auth::is_about_auth;
use crate::{Context, Oracle, Sheet, describe, model};

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
        let expiry = uses.expired(operation);
        uses.add(operation, looked.is_some());
        let (Some(looked), Some(_)) = (looked, operation.returned()) else { continue };
        let whose = if operation.is_forged() {
            forged += 1;
            "no login has issued its token".to_string()
        } else if let Some(expiry) = expiry {
            expired += 1;
            uses.history_of(operation, expiry)
        } else {
            continue;
        };
        let title = match operation.outcome {
            Outcome::Error { error, .. } if is_right(error, looked) => continue,
            Outcome::Error { .. } => "a token that is not valid is refused by another error",
            _ => "a token that is not valid is accepted",
        };
        let sentence = format!("{}, although {whose}.", ended_so(operation));
        let wrong = violation(Oracle::N2, number, operation, title, sentence);
        sheet.add(wrong.say(format!("Authentication was on: \"{}\" is right.", Error::InvalidAuthToken)));
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
    /// For each client, when and by which member it logged in last.
    logins: BTreeMap<u32, (Nanos, MemberId)>,
    /// The clients that have watchers at a member: their watchers use the token, too.
    watching: BTreeSet<(u32, MemberId)>,
    /// The TTL of tokens, and how long a token must go unused to have expired, by a true clock; `None` if that is not
    /// known.
    lifetime: Option<(Nanos, Nanos)>,
}

/// When a token has certainly expired at a member.
#[derive(Clone, Copy)]
struct Expiry {
    /// When it was used there last.
    used: Nanos,
    ttl: Nanos,
    /// When it had certainly expired.
    by: Nanos,
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
            logins: BTreeMap::new(),
            watching: streams.map(|stream| (stream.client, stream.member)).collect(),
            lifetime: ttl.map(|ttl| (ttl, true_time(ttl + 2 * RESOLUTION, slowest))),
        }
    }

    /// When the operation's token has expired at its member, if it certainly has.
    fn expired(&self, operation: &Operation) -> Option<Expiry> {
        let at = (operation.client, operation.member);
        let has_token = operation.user.is_some() && !operation.is_forged();
        let ((ttl, enough), last) = (self.lifetime?, self.last.get(&at)?);
        let found = last.found?;
        let by = last.until.checked_add(enough)?;
        let certainly = has_token
            && !self.starts.iter().any(|(member, at)| *member == operation.member && *at > found)
            && !self.watching.contains(&at)
            && by < operation.call;
        certainly.then_some(Expiry { used: last.until, ttl, by })
    }

    /// What is known of the operation's token, which has expired; the end of a sentence.
    fn history_of(&self, operation: &Operation, expiry: Expiry) -> String {
        let issued = self.logins.get(&operation.client).map_or(String::new(), |(at, member)| {
            let user = operation.user.as_deref().unwrap_or_default();
            let by = describe::by_member(" by", *member);
            format!("it was issued at {} for the login as {user}{by}, ", describe::time(*at))
        });
        format!(
            "its token had expired: {issued}its TTL is {}, and it was used there last at {}, so it had certainly expired by {}",
            describe::time(expiry.ttl),
            describe::time(expiry.used),
            describe::time(expiry.by)
        )
    }

    /// Takes the next operation of the history. `looked` says whether its caller was certainly checked.
    fn add(&mut self, operation: &Operation, looked: bool) {
        if matches!(operation.request, Request::Authenticate(_)) {
            self.last.retain(|(client, _), _| *client != operation.client);
            if let Some(at) = operation.returned().filter(|_| operation.response().is_some()) {
                self.logins.insert(operation.client, (at, operation.member));
            }
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
