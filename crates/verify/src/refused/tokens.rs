//! N2: nobody is served by a token that no login has issued, or that has expired; and a token that a member has taken
//! stays valid there for its time.
//!
//! When a member receives a request, it looks the token up among its own users, which may be out of date: if it does
//! not know yet that authentication is on, it treats the caller as nobody. So the oracle judges only requests whose
//! caller is checked once more where the state is certain: linearizable reads, after ReadIndex, and what goes through
//! the log.
//!
//! A token has expired at a member if a request with it was served there, and nothing was sent there with it for the
//! token's TTL and two seconds, by the slowest clock: members look for expired tokens once a second. A member that starts
//! applies logins again and issues their tokens anew, so nothing is known until it has served the token.
//!
//! A token is valid at a member from the entry of its login on, until its TTL after its last use there, or until its
//! user is deleted or gets another password, or authentication is disabled (etcd's `server/auth/store.go`:
//! `invalidateUser`, `disable`). A member that restarts, or installs a snapshot, may lack logins that the snapshot covers;
//! what it has, it keeps. So if the member served the token and has not ended since, the TTL is not over by the fastest
//! clock, and whatever may end the token was answered before the login was called, then it may not call the token
//! invalid.

use std::collections::{BTreeMap, BTreeSet};

use api::{Error, Request};
use record::{History, MemberId, Nanos, Operation, Outcome};

use super::switches::Switches;
use super::{ended_so, violation};
use crate::clocks::true_time;
use crate::definite::{is_definite, is_modelled, is_of_auth};
use crate::model::auth::is_about_auth;
use crate::{Context, Oracle, Sheet, Violation, describe, model};

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
    let ends = if context.is_closed() { Some(ends(context.history())) } else { None };
    let (mut forged, mut expired, mut valid) = (0, 0, 0);
    for (number, operation) in context.history().operations.iter().enumerate() {
        let until = operation.returned().unwrap_or(Nanos::MAX);
        let looked = looked_at(operation).filter(|_| switches.must_be_on(operation.call, until));
        let expiry = uses.expired(operation);
        if ends.as_ref().is_some_and(|ends| uses.is_valid(operation, ends)) {
            valid += 1;
            if matches!(operation.outcome, Outcome::Error { error: Error::InvalidAuthToken, .. }) {
                sheet.add(uses.wrongly_refused(number, operation));
            }
        }
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
    sheet.checked(Oracle::N2, "requests with a token that its member has taken before", valid);
}

/// A request that ends tokens, if it was carried out.
struct End<'a> {
    call: Nanos,
    answered: Option<Nanos>,
    /// The user whose tokens it ends; `None` for those of all users.
    user: Option<&'a str>,
}

/// The requests that end tokens, without those that were refused.
fn ends(history: &History) -> Vec<End<'_>> {
    history.operations.iter().filter_map(End::of).collect()
}

impl<'a> End<'a> {
    fn of(operation: &'a Operation) -> Option<End<'a>> {
        let user = match &operation.request {
            Request::AuthDisable(_) => None,
            Request::UserDelete(gone) => Some(&gone.name[..]),
            Request::UserChangePassword(changed) => Some(&changed.name[..]),
            _ => return None,
        };
        match operation.outcome {
            Outcome::Error { error, .. } if is_definite(error) => None,
            Outcome::Answer { at, .. } => Some(End { call: operation.call, answered: Some(at), user }),
            _ => Some(End { call: operation.call, answered: None, user }),
        }
    }
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
    /// For each client, its last login.
    logins: BTreeMap<u32, Login>,
    /// The clients that have watchers at a member: their watchers use the token, too.
    watching: BTreeSet<(u32, MemberId)>,
    /// The TTL of tokens, and how long a token must go unused to have expired, by a true clock; `None` if that is not
    /// known.
    lifetime: Option<(Nanos, Nanos)>,
    /// The rate of the fastest clock.
    fastest: u32,
}

/// A login.
#[derive(Clone, Copy)]
struct Login {
    call: Nanos,
    at: Nanos,
    by: MemberId,
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
    /// When the last request with the token that was certainly served was called.
    served: Option<Nanos>,
    /// When the last request with the token was over; `Nanos::MAX` if one may still arrive.
    until: Nanos,
}

impl<'a> Uses<'a> {
    fn of(context: &'a Context<'_>) -> Uses<'a> {
        let expectations = context.expectations;
        let ttl = expectations.limits.as_ref().and_then(|limits| limits.token_ttl);
        let (slowest, fastest) = expectations.clock_rates;
        let streams = context.history().watches.iter();
        Uses {
            starts: context.starts(),
            last: BTreeMap::new(),
            logins: BTreeMap::new(),
            watching: streams.map(|stream| (stream.client, stream.member)).collect(),
            fastest,
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

    /// Whether the operation's token was certainly valid at its member until the operation ended.
    fn is_valid(&self, operation: &Operation, ends: &[End<'_>]) -> bool {
        let at = (operation.client, operation.member);
        let Some(user) = operation.user.as_deref().filter(|_| !operation.is_forged()) else { return false };
        let Some(served) = self.last.get(&at).and_then(|last| last.served) else { return false };
        let (Some((ttl, _)), Some(login)) = (self.lifetime, self.logins.get(&operation.client)) else {
            return false;
        };
        let Some(until) = operation.returned() else { return false };
        let may_end = |end: &End<'_>| {
            end.user.is_none_or(|of| of == user)
                && end.call <= until
                && end.answered.is_none_or(|at| at >= login.call)
        };
        until < served.saturating_add(true_time(ttl, self.fastest))
            && !self.starts.iter().any(|(member, at)| *member == operation.member && *at > served)
            && !ends.iter().any(may_end)
    }

    /// The violation for an operation whose token was called invalid, although it was valid.
    fn wrongly_refused(&self, number: usize, operation: &Operation) -> Violation {
        let issued = self.logins.get(&operation.client).map_or(String::new(), |login| {
            let by = describe::by_member(" by", login.by);
            format!(" It was issued at {}{by}.", describe::time(login.at))
        });
        let title = "a valid token is called invalid";
        let sentence = format!(
            "{}, although the member had served that token before, within its time, and nothing had ended it.",
            ended_so(operation)
        );
        violation(Oracle::N2, number, operation, title, sentence + &issued)
    }

    /// What is known of the operation's token, which has expired; the end of a sentence.
    fn history_of(&self, operation: &Operation, expiry: Expiry) -> String {
        let issued = self.logins.get(&operation.client).map_or(String::new(), |login| {
            let user = operation.user.as_deref().unwrap_or_default();
            let by = describe::by_member(" by", login.by);
            format!("it was issued at {} for the login as {user}{by}, ", describe::time(login.at))
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
                let login = Login { call: operation.call, at, by: operation.member };
                self.logins.insert(operation.client, login);
            }
            return;
        }
        if operation.is_forged() {
            return;
        }
        let at = (operation.client, operation.member);
        let last = self.last.entry(at).or_insert(Use { found: None, served: None, until: 0 });
        if looked && operation.response().is_some() && operation.user.is_some() {
            last.found = last.found.max(operation.returned());
            last.served = last.served.max(Some(operation.call));
        }
        last.until = last.until.max(operation.returned().unwrap_or(Nanos::MAX));
    }
}
