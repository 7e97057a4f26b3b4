//! L3: what answers say about leases, compared with the lifetimes that the evidence shows.
//!
//! * A keep-alive is confirmed only while the lease exists, and with the TTL that was granted. It reports no time left
//!   only if the lease was absent at some moment of the call, or may have expired. The leader makes sure that it leads
//!   before it answers, so this is true at some moment between call and answer.
//! * The answer to a time-to-live request names a lease that exists, its granted TTL, and the keys that were attached
//!   to it; the time left is at most that TTL plus what a new leader adds. For this request a leader does not make sure
//!   that it leads, so the moment may be before the call; but not if the cluster had already been healed for the length
//!   of the bound.
//! * A list has the leases that the member had at the revision of its answer.
//!
//! Not checked: an answer that a lease does not exist although it does, if the leader may have been deposed; how much
//! time is left; the order of lists.

use std::collections::{BTreeMap, BTreeSet};

use api::etcdserverpb::{LeaseKeepAliveResponse, LeaseLeasesResponse, LeaseTimeToLiveResponse};
use api::{Request, Response};
use bytes::Bytes;
use record::{Applied, History, Nanos, Operation};

use super::lifetimes::{Lifetime, Lifetimes};
use super::{Terms, earliest_end};
use crate::k1::Known;
use crate::{Oracle, Violation, answer, describe};

/// Checks L3, and returns how many answers were checked.
pub fn check(
    history: &History,
    applied: &[Applied],
    lifetimes: &Lifetimes,
    known: Option<&Known>,
    terms: &Terms,
    violations: &mut Vec<Violation>,
) -> usize {
    let mut count = 0;
    let wants_keys =
        |operation: &Operation| matches!(&operation.request, Request::LeaseTimeToLive(asked) if asked.keys);
    let keys = known.filter(|_| history.operations.iter().any(wants_keys)).map(Keys::of);
    let judge = Leases { applied, lifetimes, keys, terms };
    for (number, operation) in history.operations.iter().enumerate() {
        let (Some(at), Some(response)) = (operation.returned(), operation.response()) else { continue };
        let wrong = match response {
            Response::LeaseKeepAlive(answer) => judge.keep_alive(operation, at, answer),
            Response::LeaseTimeToLive(answer) => judge.time_to_live(operation, at, answer),
            Response::LeaseLeases(answer) => judge.list(at, answer),
            _ => continue,
        };
        count += 1;
        if let Some((title, reason)) = wrong {
            let violation = Violation::new(Oracle::L3, at, title)
                .say(format!("The answer: {}.", describe::operation(operation)))
                .say(reason)
                .shown_by([number]);
            violations.push(violation);
        }
    }
    count
}

/// The title of a violation, and its reason; `None` if nothing is wrong.
type Wrong = Option<(&'static str, String)>;

/// What answers are compared with.
struct Leases<'a> {
    /// The entries that the cluster applied.
    applied: &'a [Applied],
    /// When each lease lived.
    lifetimes: &'a Lifetimes,
    /// The keys that were attached to each lease; `None` if the store is not known.
    keys: Option<Keys>,
    /// What is known of clocks and lessors.
    terms: &'a Terms,
}

impl Leases<'_> {
    /// Checks the answer to a keep-alive.
    fn keep_alive(&self, operation: &Operation, at: Nanos, answer: &LeaseKeepAliveResponse) -> Wrong {
        let lifetimes = self.lifetimes.of(answer.id);
        if answer.ttl <= 0 {
            let lifetime = self.certainly_there(lifetimes, operation.call, at)?;
            return Some((
                "a keep-alive found no lease where there was one",
                format!(
                    "{} Nothing ended it by then, and it cannot have expired.",
                    granted(answer.id, lifetime)
                ),
            ));
        }
        if lifetimes.is_empty() && self.lifetimes.nameless > 0 {
            return None;
        }
        let there: Vec<&Lifetime> =
            lifetimes.iter().filter(|lifetime| lifetime.overlaps(operation.call, at)).collect();
        let Some(lifetime) = there.first() else {
            let absence = self.absence(answer.id, lifetimes, operation.call);
            return Some(("a keep-alive was confirmed without its lease", absence));
        };
        let right = there.iter().any(|lifetime| lifetime.ttl == answer.ttl);
        (!right).then(|| {
            let reason = format!("{} The answer says {} s.", granted(answer.id, lifetime), answer.ttl);
            ("a keep-alive was confirmed for another time than granted", reason)
        })
    }

    /// Checks the answer to a time-to-live request.
    fn time_to_live(&self, operation: &Operation, at: Nanos, answer: &LeaseTimeToLiveResponse) -> Wrong {
        let lifetimes = self.lifetimes.of(answer.id);
        // Whether the cluster had already been healed for the length of the bound when this was asked.
        let calm =
            self.terms.healed > 0 && operation.call >= self.terms.healed.saturating_add(self.terms.bound);
        if answer.ttl < 0 {
            let lifetime = self.certainly_there(lifetimes, operation.call, at).filter(|_| calm)?;
            return Some((
                "a lease is said not to exist",
                format!(
                    "{} Nothing ended it by then, and it cannot have expired.",
                    granted(answer.id, lifetime)
                ),
            ));
        }
        if lifetimes.is_empty() && self.lifetimes.nameless > 0 {
            return None;
        }
        let from = if calm { operation.call } else { 0 };
        let Some(lifetime) = lifetimes.iter().rfind(|lifetime| lifetime.overlaps(from, at)) else {
            return Some((
                "a lease that does not exist has time left",
                self.absence(answer.id, lifetimes, from),
            ));
        };
        let most = lifetime.ttl.saturating_add(self.terms.extension.div_ceil(1_000_000_000) as i64);
        let fits = |lifetime: &Lifetime| lifetime.overlaps(from, at) && lifetime.ttl == answer.granted_ttl;
        if !lifetimes.iter().any(fits) || answer.ttl > most {
            return Some((
                "an answer has the wrong time of a lease",
                format!(
                    "{} The answer says {} of {} s.",
                    granted(answer.id, lifetime),
                    answer.ttl,
                    answer.granted_ttl
                ),
            ));
        }
        let asked = matches!(&operation.request, Request::LeaseTimeToLive(asked) if asked.keys);
        self.never_attached(answer, asked, from, at).then_some(())?;
        Some((
            "an answer lists keys of a lease that never had them together",
            format!("{} These were its keys at no revision of that time.", granted(answer.id, lifetime)),
        ))
    }

    /// Whether at no moment of this time the keys of the lease were those in the answer.
    fn never_attached(&self, answer: &LeaseTimeToLiveResponse, asked: bool, from: Nanos, at: Nanos) -> bool {
        if !asked {
            return !answer.keys.is_empty();
        }
        let Some(keys) = &self.keys else { return false };
        let revision =
            |entries: usize| entries.checked_sub(1).map_or(0, |last| self.applied[last].revision as i64);
        let first = revision(self.applied.partition_point(|entry| entry.time < from));
        let last = revision(self.applied.partition_point(|entry| entry.time <= at));
        let seen: BTreeSet<&Bytes> = answer.keys.iter().collect();
        last <= keys.until && !keys.were(answer.id, &seen, first, last)
    }

    /// Checks a list of leases.
    fn list(&self, at: Nanos, answer: &LeaseLeasesResponse) -> Wrong {
        let seen: BTreeSet<i64> = answer.leases.iter().map(|lease| lease.id).collect();
        let revision = answer::revision(answer.header.as_ref());
        if revision == 0 {
            return None;
        }
        let of_revision = |entry: &Applied| entry.revision as i64 <= revision && entry.time <= at;
        let last = self.applied.iter().take_while(|entry| of_revision(entry)).count() as u32;
        let making = |entry: &&Applied| entry.mutated && entry.revision as i64 <= revision;
        let first = self.applied.iter().rposition(|entry| making(&entry)).map_or(0, |at| at as u32 + 1);
        // A lease that was granted or ended between `first` and `last` may or may not be in the list.
        let (mut always, mut sometimes) = (BTreeSet::new(), BTreeSet::new());
        for (id, lifetime) in self.lifetimes.iter() {
            let ended = lifetime.end.map_or(u32::MAX, |end| end.rank);
            if lifetime.rank <= first && ended > last && !lifetime.doubtful {
                always.insert(id);
            }
            if lifetime.rank <= last && ended > first {
                sometimes.insert(id);
            }
        }
        if let Some(id) = always.difference(&seen).next() {
            return Some((
                "a lease is missing in the list",
                format!("Lease {id} existed all the time in which revision {revision} was the newest."),
            ));
        }
        let strange = seen.iter().find(|id| !sometimes.contains(*id) && self.lifetimes.nameless == 0)?;
        Some((
            "a lease is listed that does not exist",
            format!("Lease {strange} existed at no moment at which revision {revision} was the newest."),
        ))
    }

    /// The lifetime in which the lease certainly existed from `from` to `until`: it covers that time, and the lease
    /// cannot have expired before `until`.
    fn certainly_there<'l>(
        &self,
        lifetimes: &'l [Lifetime],
        from: Nanos,
        until: Nanos,
    ) -> Option<&'l Lifetime> {
        let lifetime = lifetimes.iter().find(|lifetime| lifetime.covers(from, until))?;
        (earliest_end(lifetime, until, self.terms).0 > until).then_some(lifetime)
    }

    /// A sentence that says why the lease did not exist when an answer says it did.
    fn absence(&self, id: i64, lifetimes: &[Lifetime], from: Nanos) -> String {
        let ended = lifetimes.iter().filter_map(|lifetime| lifetime.end).rfind(|end| end.time < from);
        match ended {
            Some(end) => {
                format!("Lease {id} had ended at {}, before it was asked for.", describe::time(end.time))
            }
            None => format!("Lease {id} had not been granted by then."),
        }
    }
}

/// A sentence that says how a lease was granted.
fn granted(id: i64, lifetime: &Lifetime) -> String {
    format!("Lease {id} was granted for {} s at {}.", lifetime.ttl, describe::time(lifetime.granted))
}

/// The keys that were attached to each lease, by revision.
struct Keys {
    /// For each lease: the revision, the key, and whether it was attached or detached.
    changes: BTreeMap<i64, Vec<(i64, Bytes, bool)>>,
    /// The revision up to which the store is known.
    until: i64,
}

impl Keys {
    /// Follows which keys were attached to which lease, revision by revision.
    fn of(known: &Known) -> Keys {
        let mut changes: BTreeMap<i64, Vec<(i64, Bytes, bool)>> = BTreeMap::new();
        let mut now: BTreeMap<Bytes, i64> = BTreeMap::new();
        for (kv, deleted) in known.model.changes() {
            let lease = if deleted { 0 } else { kv.lease };
            let before = now.insert(kv.key.clone(), lease).unwrap_or(0);
            if before == lease {
                continue;
            }
            for (lease, comes) in [(before, false), (lease, true)] {
                if lease != 0 {
                    changes.entry(lease).or_default().push((kv.mod_revision, kv.key.clone(), comes));
                }
            }
        }
        Keys { changes, until: known.until }
    }

    /// Whether these were the keys of the lease at some revision from `first` to `last`.
    fn were(&self, id: i64, seen: &BTreeSet<&Bytes>, first: i64, last: i64) -> bool {
        let mut keys: BTreeSet<&Bytes> = BTreeSet::new();
        let mut at = 0;
        for change in self.changes.get(&id).map_or(&[][..], |changes| &changes[..]) {
            let (revision, key, comes) = change;
            // All changes of one revision come together.
            if *revision > at {
                if *revision > first && keys == *seen {
                    return true;
                }
                if *revision > last {
                    return false;
                }
                at = *revision;
            }
            if *comes {
                keys.insert(key);
            } else {
                keys.remove(key);
            }
        }
        keys == *seen
    }
}
