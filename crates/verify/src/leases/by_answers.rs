//! Leases without evidence: what the answers alone prove.
//!
//! For each lease, the answers show when it was granted at the earliest and at the latest, and by when an
//! acknowledged revocation, or keys that vanished, had ended it. So two things can be wrong: a keep-alive is
//! confirmed after the lease ended, or a lease is said not to exist although nothing can have ended it. K1's replay
//! finds keys that vanished before the time of their lease was over; L1 reports these here.
//!
//! Not checked: late expiry (L2); how much time is left; lists of leases; the keys of a lease in an answer; anything
//! if clients outside the history may have granted and revoked.

use std::collections::BTreeMap;

use api::{Error, Part, Request, Response};
use record::{History, Nanos, Operation, Outcome};

use super::by_clock;
use crate::definite::{is_definite, over_at};
use crate::k1::LeaseEnd;
use crate::{Context, Oracle, Sheet, Violation, describe};

/// Judges a record that does not have what the cluster applied.
pub fn judge(context: &Context<'_>, violations: &mut Vec<Violation>, sheet: &mut Sheet) {
    let history = context.history();
    let replayed = context.replayed();
    let mut left_open = 0;
    for end in replayed.lease_ends.iter().filter(|end| end.latest < end.earliest) {
        if context.expectations.clocks_known {
            violations.push(too_early(end));
        } else {
            left_open += 1;
        }
    }
    super::leave_open(left_open, sheet);
    let sure = replayed.known.as_ref().map_or(0, |known| known.until);
    let ends = replayed.lease_ends.iter().filter(|end| end.revision <= sure);
    let lifetimes = Lifetimes::of(history, ends, context.expectations.clock_rates.1);
    let mut answers = 0;
    if context.is_closed() {
        for (number, operation) in history.operations.iter().enumerate() {
            let Some(wrong) = lifetimes.judge(operation) else { continue };
            answers += 1;
            if let Some((title, reason)) = wrong {
                let at = operation.returned().unwrap_or(operation.call);
                let violation = Violation::new(Oracle::L3, at, title)
                    .say(format!("The answer: {}.", describe::operation(operation)))
                    .say(reason)
                    .shown_by([number]);
                violations.push(violation);
            }
        }
    }
    sheet.checked(Oracle::L1, "leases whose time was over", replayed.lease_ends.len());
    sheet.checked(Oracle::L3, "answers about leases", answers);
}

/// The violation for a lease that ended before its time.
fn too_early(end: &LeaseEnd) -> Violation {
    Violation::new(Oracle::L1, end.latest, "a lease ended before its time")
        .say(format!(
            "Revision {} removed the keys of lease {}, and had been made by {}.",
            end.revision,
            end.lease,
            describe::time(end.latest)
        ))
        .say("No client had asked for that, and nothing else can have made this revision.")
        .say(format!("By the fastest clock it may end at {}, no earlier.", describe::time(end.earliest)))
}

/// The title of a violation, and its reason.
type Wrong = Option<(&'static str, String)>;

/// A lease from one of its grants on. An id that was granted again has several lifetimes.
#[derive(Clone, Copy, Debug)]
struct Lifetime {
    /// The call of its grant.
    from: Nanos,
    /// When the grant was answered, if it was.
    granted: Option<Nanos>,
    /// The revision of that answer.
    revision: i64,
    /// The time to live in seconds; `None` if no answer names it.
    ttl: Option<i64>,
    /// The time by which it had certainly ended.
    gone: Option<Nanos>,
}

/// All leases.
struct Lifetimes {
    by_id: BTreeMap<i64, Vec<Lifetime>>,
    /// Call and end of all revocations that may have taken effect, by id.
    revoked: BTreeMap<i64, Vec<(Nanos, Option<Nanos>)>>,
    /// Call and answer of all confirmed keep-alives, by id.
    renewed: BTreeMap<i64, Vec<(Nanos, Nanos)>>,
    /// Whether there may be leases whose id no answer names.
    nameless: bool,
    /// The rate of the fastest clock, in millionths of true time.
    fastest: u32,
}

impl Lifetimes {
    /// Collects what the answers say about leases, and when they ended.
    fn of<'e>(history: &History, ends: impl Iterator<Item = &'e LeaseEnd>, fastest: u32) -> Lifetimes {
        let mut lifetimes = Lifetimes {
            by_id: BTreeMap::new(),
            revoked: BTreeMap::new(),
            renewed: BTreeMap::new(),
            nameless: false,
            fastest,
        };
        for operation in &history.operations {
            lifetimes.take(operation);
        }
        for end in ends {
            for lifetime in lifetimes.by_id.get_mut(&end.lease).into_iter().flatten() {
                if lifetime.granted.is_some() && lifetime.revision < end.revision {
                    lifetime.end(end.latest);
                }
            }
        }
        for (id, revoked) in &lifetimes.revoked {
            for (call, over) in revoked {
                for lifetime in lifetimes.by_id.get_mut(id).into_iter().flatten() {
                    if let Some(over) = over.filter(|_| lifetime.granted.is_some_and(|at| at < *call)) {
                        lifetime.end(over);
                    }
                }
            }
        }
        lifetimes
    }

    /// Adds what an operation says about leases.
    fn take(&mut self, operation: &Operation) {
        if matches!(operation.outcome, Outcome::Error { error, .. } if is_definite(error)) {
            return;
        }
        let answer = operation.response().zip(over_at(operation));
        match (&operation.request, answer) {
            (Request::LeaseGrant(_), Some((Response::LeaseGrant(answer), at))) => {
                // A recorder may not have kept the time.
                let ttl = Some(answer.ttl).filter(|ttl| *ttl > 0);
                let revision = crate::answer::revision(answer.header.as_ref());
                let lifetime =
                    Lifetime { from: operation.call, granted: Some(at), revision, ttl, gone: None };
                self.by_id.entry(answer.id).or_default().push(lifetime);
            }
            (Request::LeaseGrant(grant), _) if grant.id != 0 => {
                let lifetime =
                    Lifetime { from: operation.call, granted: None, revision: 0, ttl: None, gone: None };
                self.by_id.entry(grant.id).or_default().push(lifetime);
            }
            (Request::LeaseGrant(_), _) => self.nameless = true,
            // Without a lease, the services make their own.
            (Request::Lock(lock), _) => self.nameless |= lock.lease == 0,
            (Request::Campaign(campaign), _) => self.nameless |= campaign.lease == 0,
            (Request::LeaseRevoke(revoke), _) => {
                self.revoked.entry(revoke.id).or_default().push((operation.call, over_at(operation)));
            }
            (Request::LeaseKeepAlive(_), Some((Response::LeaseKeepAlive(answer), at))) if answer.ttl > 0 => {
                self.renewed.entry(answer.id).or_default().push((operation.call, at));
            }
            _ => {}
        }
    }

    /// The lifetimes of a lease id.
    fn lifetimes(&self, id: i64) -> &[Lifetime] {
        self.by_id.get(&id).map_or(&[], |lifetimes| &lifetimes[..])
    }

    /// The lifetimes that can have been current at some moment from `from` to `until`.
    fn possible(&self, id: i64, from: Nanos, until: Nanos) -> impl Iterator<Item = &Lifetime> {
        let there = move |lifetime: &&Lifetime| {
            lifetime.from <= until && lifetime.gone.is_none_or(|gone| gone >= from)
        };
        self.lifetimes(id).iter().filter(there)
    }

    /// Whether the lease certainly existed all the time from `from` to `until`.
    fn certain(&self, id: i64, from: Nanos, until: Nanos) -> bool {
        let Some(lifetime) =
            self.lifetimes(id).iter().rfind(|lifetime| lifetime.granted.is_some_and(|at| at < from))
        else {
            return false;
        };
        let Some(ttl) = lifetime.ttl else { return false };
        let may_end = |(call, over): &(Nanos, Option<Nanos>)| {
            *call <= until && over.is_none_or(|over| over >= lifetime.from)
        };
        if self.revoked.get(&id).is_some_and(|revoked| revoked.iter().any(may_end)) {
            return false;
        }
        let renewed = self.renewed.get(&id).into_iter().flatten();
        let renewed =
            renewed.filter(|(call, at)| *call > lifetime.from && *at <= from).map(|(call, _)| *call);
        let last = renewed.max().unwrap_or(lifetime.from);
        lifetime.gone.is_none() && last.saturating_add(by_clock(ttl, self.fastest)) > until
    }

    /// What is wrong with an answer; the outer `None` if the answer is not about leases.
    fn judge(&self, operation: &Operation) -> Option<Wrong> {
        let from = operation.call;
        match (&operation.request, &operation.outcome) {
            (_, Outcome::Answer { at, response: Response::LeaseKeepAlive(answer) }) => {
                Some(self.keep_alive(answer.id, answer.ttl, from, *at))
            }
            (_, Outcome::Answer { at, response: Response::LeaseTimeToLive(answer) }) if answer.ttl >= 0 => {
                // A leader does not make sure that it leads, so the moment may lie in the past.
                Some(self.alive(
                    answer.id,
                    answer.granted_ttl,
                    0,
                    *at,
                    "a lease that does not exist has time left",
                ))
            }
            (_, Outcome::Answer { at, response: Response::LeaseGrant(answer) }) => {
                let again = self.certain(answer.id, from, *at);
                Some(again.then(|| ("a lease was granted that exists", self.there(answer.id))))
            }
            (request, Outcome::Error { at, error: Error::LeaseNotFound }) => {
                let ids = leases_named(request);
                let all = !ids.is_empty() && ids.iter().all(|id| self.certain(*id, from, *at));
                Some(all.then(|| ("a lease is said not to exist", self.there(ids[0]))))
            }
            (Request::LeaseGrant(grant), Outcome::Error { at, error: Error::LeaseExists }) => {
                let there = self.nameless || self.possible(grant.id, from, *at).next().is_some();
                Some((!there).then(|| ("a lease is said to exist", self.absent(grant.id, from))))
            }
            _ => None,
        }
    }

    /// Checks the answer to a keep-alive.
    fn keep_alive(&self, id: i64, ttl: i64, from: Nanos, at: Nanos) -> Wrong {
        if ttl <= 0 {
            let there = self.certain(id, from, at);
            return there.then(|| ("a keep-alive found no lease where there was one", self.there(id)));
        }
        self.alive(id, ttl, from, at, "a keep-alive was confirmed without its lease")
    }

    /// Checks that a lease with this time to live can have existed at some moment of the call.
    fn alive(&self, id: i64, ttl: i64, from: Nanos, at: Nanos, title: &'static str) -> Wrong {
        let mut possible = self.possible(id, from, at).peekable();
        if possible.peek().is_none() {
            let unknown = self.nameless && self.lifetimes(id).is_empty();
            return (!unknown).then(|| (title, self.absent(id, from)));
        }
        let other = possible.all(|lifetime| lifetime.ttl.is_some_and(|granted| granted != ttl));
        other.then(|| {
            let title = "an answer has the wrong time of a lease";
            (title, format!("Lease {id} was not granted for {ttl} s."))
        })
    }

    /// Sentences that say that the lease existed.
    fn there(&self, id: i64) -> String {
        let lifetime = self.lifetimes(id).last();
        format!(
            "Lease {id} had been granted by {}. Nothing ended it by then, nor can its time have been over.",
            describe::time(lifetime.and_then(|lifetime| lifetime.granted).unwrap_or(0))
        )
    }

    /// A sentence that says that the lease did not exist at `from`.
    fn absent(&self, id: i64, from: Nanos) -> String {
        match self.lifetimes(id).iter().filter_map(|lifetime| lifetime.gone).rfind(|gone| *gone < from) {
            Some(gone) => {
                format!("Lease {id} had ended by {}, before this was asked.", describe::time(gone))
            }
            None => format!("Nobody had asked for lease {id} by then."),
        }
    }
}

impl Lifetime {
    /// The lease had certainly ended by then.
    fn end(&mut self, by: Nanos) {
        self.gone = Some(self.gone.map_or(by, |gone| gone.min(by)));
    }
}

/// The leases that must exist for the request to succeed.
fn leases_named(request: &Request) -> Vec<i64> {
    match request {
        Request::LeaseRevoke(revoke) => vec![revoke.id],
        request => {
            let lease = |part: Part<'_>| match part {
                Part::Put(put) if put.lease != 0 => Some(put.lease),
                _ => None,
            };
            request.parts().filter_map(lease).collect()
        }
    }
}
