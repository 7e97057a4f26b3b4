//! Logins that are in the log, and requests that wait for one: their token was issued by an entry that this
//! member has not applied yet.

use std::collections::BTreeMap;

use api::Request;
use api::etcdserverpb::AuthenticateRequest;

use crate::auth::{Credential, token_index};
use crate::keeps::{Count, count};

/// A request whose token is not known here yet.
#[derive(Debug, PartialEq)]
pub(crate) struct Waiting {
    pub(crate) operation: u64,
    pub(crate) request: Request,
    pub(crate) credential: Option<Credential>,
    /// When it is refused, on the member's clock.
    pub(crate) until: u64,
}

/// Logins in the log, and the requests that wait for a token.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    /// By operation: the login, and the auth revision at which its password was checked.
    in_log: BTreeMap<u64, (AuthenticateRequest, u64)>,
    waiting: Vec<Waiting>,
}

impl Logins {
    /// The password of a login was right at this auth revision; its entry is proposed now.
    pub(crate) fn begun(&mut self, operation: u64, request: AuthenticateRequest, revision: u64) {
        self.in_log.insert(operation, (request, revision));
    }

    /// The entry of an operation was applied, and the auth revision is now this one. Returns the login if
    /// users or roles changed after the password was checked: it must start over. `None` for any other
    /// operation.
    pub(crate) fn applied(&mut self, operation: u64, revision: u64) -> Option<AuthenticateRequest> {
        let (request, checked_at) = self.in_log.remove(&operation)?;
        (checked_at != revision).then_some(request)
    }

    /// An operation will not be applied as far as this member knows: it timed out, or raft refused its entry.
    pub(crate) fn given_up(&mut self, operation: u64) {
        self.in_log.remove(&operation);
    }

    /// A request waits for its token.
    pub(crate) fn wait(&mut self, waiting: Waiting) {
        self.waiting.push(waiting);
    }

    /// Removes and returns the requests that wait. The caller puts back those that must wait longer.
    pub(crate) fn take_waiting(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.waiting)
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 2] {
        [count("logins", self.in_log.len()), count("requests-ahead-of-their-login", self.waiting.len())]
    }

    /// When a request has waited for too long; `u64::MAX` if none waits.
    pub(crate) fn due_at(&self) -> u64 {
        self.waiting.iter().map(|waiting| waiting.until).min().unwrap_or(u64::MAX)
    }
}

/// Whether a token was issued by a login whose entry is not among those applied so far.
pub(crate) fn is_ahead(credential: Option<&Credential>, applied: u64) -> bool {
    let Some(Credential::Token(token)) = credential else { return false };
    token_index(token).is_some_and(|index| index > applied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_starts_over_if_users_changed() {
        let mut logins = Logins::default();
        let login = AuthenticateRequest { name: "a".into(), password: "b".into() };
        for operation in 1..=3 {
            logins.begun(operation, login.clone(), 5);
        }
        logins.given_up(1);
        assert_eq!(logins.applied(1, 6), None);
        assert_eq!((logins.applied(2, 5), logins.applied(2, 6)), (None, None));
        assert_eq!(logins.applied(3, 6), Some(login));
    }

    #[test]
    fn a_token_names_the_entry_that_issued_it() {
        let is_ahead =
            |token: &'static str, applied| is_ahead(Some(&Credential::Token(token.into())), applied);
        assert!(is_ahead("abcdef.17", 16) && !is_ahead("abcdef.17", 17));
        assert!(!is_ahead("no index", 0) && !super::is_ahead(None, 0));
    }
}
