//! Leases without evidence: what the answers alone prove.
//!
//! For each lease, the answers show when it was granted at the earliest and at the latest, and by when an acknowledged
//! revocation, or keys that vanished, had ended it. So three things can be wrong: a keep-alive is confirmed for a lease
//! that nobody granted; a keep-alive is confirmed after the lease ended (the revision in its header can show that,
//! too); or a lease is said not to exist although nothing can have ended it. K1's replay finds keys that vanished
//! before their lease can have expired; they are reported here, under L1.
//!
//! A lease that the history does not show may still exist: from before the history began, or from a grant without an
//! answer, whose id only the cluster knows. An answer that only such a lease can explain is not judged.
//!
//! Not checked: late expiry (L2); how much time is left, except that it is not far more than the lease was granted for;
//! that a lease has no time left; lists of leases; the keys of a lease in an answer; anything if clients outside the
//! history may have granted and revoked.

use std::collections::BTreeMap;

use api::{Error, Part, Request, Response};
use record::{History, Nanos, Operation, Outcome};

use crate::clocks::of_lease;
use crate::definite::{is_definite, over_at};
use crate::k1::LeaseEnd;
use crate::k1::headers::Newest;
use crate::locks::lease_of;
use crate::model::FIRST_REVISION;
use crate::{Context, Missing, Oracle, Sheet, Violation, describe};

/// Judges a record that does not have what the cluster applied.
pub fn judge(context: &Context<'_>, violations: &mut Vec<Violation>, sheet: &mut Sheet) {
    let history = context.history();
    let replayed = context.replayed();
    let (mut left_open, mut by_others) = (0, 0);
    for end in replayed.lease_ends.iter().filter(|end| end.latest < end.earliest) {
        if !context.is_closed() {
            by_others += 1;
        } else if context.expectations.clocks_known {
            violations.push(too_early(end));
        } else {
            left_open += 1;
        }
    }
    super::leave_open(left_open, sheet);
    if by_others > 0 {
        sheet.leave_open(format!(
            "{by_others} leases ended before their time; others wrote too, and may have ended them."
        ));
    }
    let sure = replayed.known.as_ref().map_or(0, |known| known.until);
    let ends = replayed.lease_ends.iter().filter(|end| end.revision <= sure);
    let from_start = context.expectations.start_revision == FIRST_REVISION;
    let lifetimes = Lifetimes::of(history, ends, from_start, context.expectations.clock_rates.1);
    let newest = Newest::of(context);
    let (mut answers, mut open) = (0, BTreeMap::new());
    for (number, operation) in history.operations.iter().enumerate() {
        let Some(judged) = lifetimes.judge(operation) else { continue };
        let judged = match judged {
            _ if !context.is_closed() => Judged::Open(Missing::OtherClients),
            Judged::Right => lifetimes.ended_before(operation, &newest),
            judged => judged,
        };
        match judged {
            Judged::Right => answers += 1,
            Judged::Wrong(title, reason) => {
                answers += 1;
                let at = operation.returned().unwrap_or(operation.call);
                let violation = Violation::new(Oracle::L3, at, title)
                    .say(format!("The answer: {}.", describe::operation(operation)))
                    .say(reason)
                    .shown_by([number]);
                violations.push(violation);
            }
            Judged::Open(missing) => *open.entry(missing).or_insert(0) += 1,
        }
    }
    sheet.checked(Oracle::L1, "leases that expired", replayed.lease_ends.len());
    sheet.checked(Oracle::L3, ANSWERS, answers);
    for (missing, count) in open {
        sheet.not_judged(Oracle::L3, ANSWERS, count, missing);
    }
    let is_list = |one: &&Operation| matches!(one.response(), Some(Response::LeaseLeases(_)));
    let lists = history.operations.iter().filter(is_list).count();
    sheet.not_judged(Oracle::L3, "lists of leases", lists, Missing::AppliedEntries);
    let left = |one: &Operation| match (&one.request, one.response()) {
        (Request::LeaseTimeToLive(asked), Some(Response::LeaseTimeToLive(answer))) => {
            Some((asked.keys, answer.ttl))
        }
        _ => None,
    };
    let times = || history.operations.iter().filter_map(left);
    let with_keys = times().filter(|(keys, ttl)| *keys && *ttl >= 0).count();
    sheet.not_judged(Oracle::L3, "keys of leases in answers", with_keys, Missing::AppliedEntries);
    // Only a leader that is not deposed certainly knows the lease.
    let gone = times().filter(|(_, ttl)| *ttl < 0).count();
    sheet.not_judged(Oracle::L3, "answers that a lease has no time left", gone, Missing::Run);
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

/// The longest election timeout that etcd accepts, in seconds (`maxElectionMs` in `server/embed/config.go`).
const ELECTION_TIMEOUT_MAX: i64 = 50;
/// The fewest leases per second that a new leader lets end when many are due (three quarters of
/// `defaultLeaseRevokeRate` are 750).
const ENDS_PER_SECOND: i64 = 500;
/// What L3 judges.
const ANSWERS: &str = "answers about leases";

/// The verdict on an answer.
enum Judged {
    Right,
    /// The title of the violation, and its reason.
    Wrong(&'static str, String),
    /// It cannot be judged without this.
    Open(Missing),
}

impl Judged {
    /// Wrong if there is a reason.
    fn by(title: &'static str, reason: Option<String>) -> Judged {
        reason.map_or(Judged::Right, |reason| Judged::Wrong(title, reason))
    }
}

/// A lease from one of its grants on. An id that was granted again has several lifetimes.
#[derive(Clone, Copy, Debug)]
struct Lifetime {
    /// The call of its grant.
    from: Nanos,
    /// When the grant was answered, if it was.
    granted: Option<Nanos>,
    /// The revision of that answer; 0 if it is not known.
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
    /// The first call that may have made a lease whose id no answer names.
    nameless: Option<Nanos>,
    /// Whether there can be no lease from before the history.
    from_start: bool,
    /// The rate of the fastest clock, in millionths of true time.
    fastest: u32,
}

impl Lifetimes {
    fn of<'e>(
        history: &History,
        ends: impl Iterator<Item = &'e LeaseEnd>,
        from_start: bool,
        fastest: u32,
    ) -> Lifetimes {
        let mut lifetimes = Lifetimes {
            by_id: BTreeMap::new(),
            revoked: BTreeMap::new(),
            renewed: BTreeMap::new(),
            nameless: None,
            from_start,
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
        let answer = operation.response().zip(over_at(operation));
        let refused = matches!(operation.outcome, Outcome::Error { error, .. } if is_definite(error));
        let mut begins = |id: i64, granted: Option<(Nanos, i64)>, ttl: Option<i64>| {
            let (granted, revision) = granted.map_or((None, 0), |(at, revision)| (Some(at), revision));
            let lifetime = Lifetime { from: operation.call, granted, revision, ttl, gone: None };
            self.by_id.entry(id).or_default().push(lifetime);
        };
        // Without a lease, the services make their own, even if they then refuse what was asked.
        let unnamed = match (&operation.request, answer) {
            (Request::LeaseGrant(_), Some((Response::LeaseGrant(answer), at))) => {
                // A recorder may not have kept the time.
                let ttl = Some(answer.ttl).filter(|ttl| *ttl > 0);
                begins(answer.id, Some((at, crate::answer::revision(answer.header.as_ref()))), ttl);
                false
            }
            (Request::Lock(lock), Some((Response::Lock(answer), at))) if lock.lease == 0 => {
                let lease = lease_of(&answer.key);
                if let Some(id) = lease {
                    begins(id, Some((at, 0)), None);
                }
                lease.is_none()
            }
            (Request::Campaign(campaign), Some((Response::Campaign(answer), at))) if campaign.lease == 0 => {
                let lease = answer.leader.as_ref().map(|leader| leader.lease);
                if let Some(id) = lease {
                    begins(id, Some((at, 0)), None);
                }
                lease.is_none()
            }
            (Request::Lock(lock), _) => lock.lease == 0,
            (Request::Campaign(campaign), _) => campaign.lease == 0,
            _ if refused => return,
            (Request::LeaseGrant(grant), _) if grant.id != 0 => {
                begins(grant.id, None, None);
                false
            }
            (Request::LeaseGrant(_), _) => true,
            (Request::LeaseRevoke(revoke), _) => {
                self.revoked.entry(revoke.id).or_default().push((operation.call, over_at(operation)));
                false
            }
            (Request::LeaseKeepAlive(_), Some((Response::LeaseKeepAlive(answer), at))) if answer.ttl > 0 => {
                self.renewed.entry(answer.id).or_default().push((operation.call, at));
                false
            }
            _ => false,
        };
        if unnamed {
            // Operations come in the order of their calls.
            self.nameless.get_or_insert(operation.call);
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

    /// Whether a lease that the history does not show may have had this id at some moment from `from` to `until`; and
    /// what is missing to know that.
    fn hidden(&self, id: i64, from: Nanos, until: Nanos) -> Option<Missing> {
        let lifetimes = self.lifetimes(id);
        let over = |(_, over): &(Nanos, Option<Nanos>)| over.is_some_and(|over| over < from);
        if self.revoked.get(&id).is_some_and(|revoked| revoked.iter().any(over)) {
            return None;
        }
        // When an id is granted, no earlier lease has it any more.
        let granted = |lifetime: &Lifetime| lifetime.granted.is_some_and(|at| at < from);
        if !self.from_start && !lifetimes.iter().any(granted) {
            return Some(Missing::Beginning);
        }
        let asked = lifetimes.iter().any(|lifetime| lifetime.from <= until);
        let nameless = self.nameless.is_some_and(|call| call <= until);
        (nameless && !asked).then_some(Missing::LeaseIds)
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
        lifetime.gone.is_none() && last.saturating_add(of_lease(ttl, self.fastest)) > until
    }

    /// Judges an answer; `None` if it is not about leases.
    fn judge(&self, operation: &Operation) -> Option<Judged> {
        let from = operation.call;
        match (&operation.request, &operation.outcome) {
            (_, Outcome::Answer { at, response: Response::LeaseKeepAlive(answer) }) => {
                Some(self.keep_alive(answer.id, answer.ttl, from, *at))
            }
            (_, Outcome::Answer { at, response: Response::LeaseTimeToLive(answer) }) if answer.ttl >= 0 => {
                let most = self.most_left(answer.granted_ttl);
                if answer.granted_ttl > 0 && answer.ttl > most {
                    let reason = format!(
                        "A lease of {} s has at most {most} s left, even under a new leader. The answer says {} s.",
                        answer.granted_ttl, answer.ttl
                    );
                    return Some(Judged::Wrong("an answer has the wrong time of a lease", reason));
                }
                // A leader does not make sure that it leads, so the moment may lie in the past.
                let title = "a lease that does not exist has time left";
                Some(self.alive(answer.id, answer.granted_ttl, 0, *at, title))
            }
            (_, Outcome::Answer { at, response: Response::LeaseGrant(answer) }) => {
                let again = self.certain(answer.id, from, *at);
                Some(Judged::by("a lease was granted that exists", again.then(|| self.there(answer.id))))
            }
            (request, Outcome::Error { at, error: Error::LeaseNotFound }) => {
                let ids = leases_named(request);
                let all = !ids.is_empty() && ids.iter().all(|id| self.certain(*id, from, *at));
                Some(Judged::by("a lease is said not to exist", all.then(|| self.there(ids[0]))))
            }
            (Request::LeaseGrant(grant), Outcome::Error { at, error: Error::LeaseExists }) => {
                if self.possible(grant.id, from, *at).next().is_some() {
                    return Some(Judged::Right);
                }
                let wrong = || Judged::Wrong("a lease is said to exist", self.absent(grant.id, from));
                Some(self.hidden(grant.id, from, *at).map_or_else(wrong, Judged::Open))
            }
            _ => None,
        }
    }

    fn keep_alive(&self, id: i64, ttl: i64, from: Nanos, at: Nanos) -> Judged {
        if ttl <= 0 {
            let there = self.certain(id, from, at).then(|| self.there(id));
            return Judged::by("a keep-alive found no lease where there was one", there);
        }
        self.alive(id, ttl, from, at, "a keep-alive was confirmed without its lease")
    }

    /// The most seconds that a lease with this time to live can have left: a new leader adds an election timeout,
    /// and delays leases that would end together (`Promote` in `server/lease/lessor.go`).
    fn most_left(&self, ttl: i64) -> i64 {
        let delayed = self.by_id.len() as i64 / ENDS_PER_SECOND;
        ttl.saturating_add(ELECTION_TIMEOUT_MAX).saturating_add(delayed)
    }

    /// Judges a confirmed keep-alive by the revision in its header, which etcd reads before it passes the keep-alive
    /// on (`LeaseKeepAlive` in `server/etcdserver/api/v3rpc/lease.go`). If this revision cannot have existed without
    /// the end of the lease, the lease was not there any more.
    fn ended_before(&self, operation: &Operation, newest: &Newest) -> Judged {
        let (Some(at), Some(Response::LeaseKeepAlive(answer))) = (operation.returned(), operation.response())
        else {
            return Judged::Right;
        };
        let (id, revision) = (answer.id, crate::answer::revision(answer.header.as_ref()));
        let once = self.lifetimes(id).len() == 1 && self.hidden(id, operation.call, at).is_none();
        let most = newest.by(at, Some(id));
        let possible = most.saturating_add(1)..=newest.by(at, None);
        if answer.ttl <= 0 || !once || !possible.contains(&revision) {
            return Judged::Right;
        }
        let reason = format!(
            "Its header has revision {revision}. Without the end of lease {id} there was none after {most}, so it had ended before."
        );
        Judged::Wrong("a keep-alive was confirmed without its lease", reason)
    }

    /// Checks that a lease with this time to live can have existed at some moment of the call.
    fn alive(&self, id: i64, ttl: i64, from: Nanos, at: Nanos, title: &'static str) -> Judged {
        let mut possible = self.possible(id, from, at).peekable();
        let wrong = if possible.peek().is_none() {
            (title, self.absent(id, from))
        } else if possible.all(|lifetime| lifetime.ttl.is_some_and(|granted| granted != ttl)) {
            ("an answer has the wrong time of a lease", format!("Lease {id} was not granted for {ttl} s."))
        } else {
            return Judged::Right;
        };
        self.hidden(id, from, at).map_or_else(|| Judged::Wrong(wrong.0, wrong.1), Judged::Open)
    }

    /// Sentences that say that the lease existed.
    fn there(&self, id: i64) -> String {
        let lifetime = self.lifetimes(id).last();
        format!(
            "Lease {id} had been granted by {}. Nothing ended it by then, and it cannot have expired.",
            describe::time(lifetime.and_then(|lifetime| lifetime.granted).unwrap_or(0))
        )
    }

    /// A sentence that says that the lease did not exist at `from`.
    fn absent(&self, id: i64, from: Nanos) -> String {
        let revoked = self.revoked.get(&id).into_iter().flatten().filter_map(|(_, over)| *over);
        let gone = self.lifetimes(id).iter().filter_map(|lifetime| lifetime.gone).chain(revoked);
        match gone.filter(|gone| *gone < from).max() {
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
