//! Leases and locks: a lease lasts its TTL by the monotonic clock of the member that tracks it, only a leader ends and
//! renews it, and a lock goes to a key that exists.

use std::collections::{BTreeMap, BTreeSet};

use api::Request;
use record::inner::LeaseDeed;
use record::{EtcdFact, Fact, Inner, MemberId, Nanos, Role};
use verify::describe;

use crate::explain::evidence::{Evidence, What};
use crate::explain::wrong::{Subject, Wrong, time};

/// A second.
const SECOND: u64 = 1_000_000_000;
/// The longest time from the expiry of a lease until its lessor notices. The lessor looks twice a second, and a new
/// leader adds an election timeout; our choice is far above that.
const LATE: u64 = 30 * SECOND;

/// A span of time in words.
fn span(nanos: u64) -> String {
    format!("{}.{:02} s", nanos / SECOND, nanos % SECOND / 10_000_000)
}

/// A lease is found expired when its TTL has run out by the monotonic clock, and a new leader continues from the
/// checkpoint.
pub(super) fn lasts(evidence: &Evidence) -> Vec<Wrong> {
    /// The last time that a lessor gave to a lease.
    struct Given {
        at: Nanos,
        clock: u64,
        lasts: u64,
        how: &'static str,
    }
    let mut given: BTreeMap<(MemberId, i64), Given> = BTreeMap::new();
    let mut found = Vec::new();
    for (place, happened) in evidence.all.iter().enumerate() {
        let (at, member) = (happened.time, happened.member);
        if let What::Fact(Fact::Started { .. }) = happened.what {
            given.retain(|(of, _), _| *of != member);
        }
        let What::Inner(Inner::Lease { id, what, clock }) = &happened.what else { continue };
        let seconds = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(SECOND);
        let mut give = |lasts: u64, how| {
            given.insert((member, *id), Given { at, clock: *clock, lasts, how });
        };
        match what {
            LeaseDeed::Granted { ttl } => give(seconds(*ttl), "granted"),
            LeaseDeed::Renewed { ttl } => give(seconds(*ttl), "renewed"),
            LeaseDeed::TakenOver { ttl, checkpoint, left } => {
                give(seconds(*left), "taken over");
                if *checkpoint > 0 && left > checkpoint {
                    let says = format!(
                        "When member {member} became the leader, it gave lease {id} its whole TTL of {ttl} s again at {}, although the last checkpoint in the log says that {checkpoint} s were left.",
                        time(at)
                    );
                    found.push(
                        Wrong::new(at, member, says)
                            .rule("A new leader continues with the remaining time in the lease's last checkpoint.")
                            .change(format!("lease {id} has {checkpoint} s left"), format!("it has {left} s left"))
                            .about(Subject::Lease(*id)),
                    );
                }
            }
            LeaseDeed::Expired { .. } => {
                // It is found expired again and again, until it is revoked.
                let Some(given) = given.remove(&(member, *id)) else { continue };
                let passed = clock.saturating_sub(given.clock);
                let wall = wall_clock(evidence, place, member);
                let how = match () {
                    () if passed < given.lasts => "before its time had run out",
                    () if passed > given.lasts + LATE && !was_away(evidence, place, member, given.at) => {
                        "long after its time had run out"
                    }
                    () => continue,
                };
                let says = format!(
                    "Member {member} found lease {id} expired at {} {how}: only {} had passed by its monotonic clock since the lease was {} for {} at {}{wall}.",
                    time(at),
                    span(passed),
                    given.how,
                    span(given.lasts),
                    time(given.at)
                )
                .replace("long after its time had run out: only ", "long after its time had run out: ");
                found.push(
                    Wrong::new(at, member, says)
                        .rule("A lease lasts its TTL by the monotonic clock of the leader that tracks it; setting the wall clock has no effect.")
                        .change(
                            format!("lease {id} has {} left", span(given.lasts.saturating_sub(passed))),
                            "it counts as expired".to_string(),
                        )
                        .about(Subject::Lease(*id)),
                );
            }
            _ => {}
        }
    }
    found
}

/// A keep-alive is answered with a new TTL only if the lease was renewed, and with "no such lease" only if a quorum has
/// confirmed that this member leads.
pub(super) fn answered(evidence: &Evidence) -> Vec<Wrong> {
    // When a lease was found expired, unless it was renewed since.
    let mut expired: BTreeMap<(MemberId, i64), Nanos> = BTreeMap::new();
    // How many keep-alives waited for a ReadIndex and have no answer yet.
    let mut confirmed: BTreeMap<(MemberId, i64), usize> = BTreeMap::new();
    let mut found = Vec::new();
    for (place, happened) in evidence.all.iter().enumerate() {
        let (at, member) = (happened.time, happened.member);
        if let Some(id) = confirmed_renewal(&happened.what) {
            *confirmed.entry((member, id)).or_default() += 1;
        }
        let What::Inner(Inner::Lease { id, what, .. }) = &happened.what else { continue };
        let key = (member, *id);
        let wrong =
            |says: String, rule: &str| Wrong::new(at, member, says).rule(rule).about(Subject::Lease(*id));
        match what {
            LeaseDeed::Renewed { .. } => _ = expired.remove(&key),
            LeaseDeed::Expired { .. } => _ = expired.insert(key, at),
            LeaseDeed::Answered { ttl } => {
                let waiting = confirmed.entry(key).or_default();
                let is_confirmed = *waiting > 0;
                *waiting = waiting.saturating_sub(1);
                if *ttl == 0 && !is_confirmed {
                    let says = format!(
                        "Member {member} told a client at {} that there is no lease {id}, without confirming with a quorum that it still led{}.",
                        time(at),
                        successor(evidence, place, member)
                    );
                    found.push(wrong(says, "A keep-alive may be answered only from the state of a leader that a quorum has confirmed (ReadIndex)."));
                } else if let (1.., Some(since)) = (*ttl, expired.get(&key)) {
                    let says = format!(
                        "Member {member} told a client at {} that lease {id} has {ttl} s again, but did not renew it: it had found it expired at {}, and its revocation was under way.",
                        time(at),
                        time(*since)
                    );
                    found.push(
                        wrong(says, "A keep-alive of a lease that has expired waits for its revocation, and then says that there is no such lease.")
                            .change(format!("lease {id} has expired"), "the same, but its client believes that it lives".to_string()),
                    );
                }
            }
            _ => {}
        }
    }
    found
}

/// The lease of a keep-alive that has waited for a ReadIndex.
fn confirmed_renewal(what: &What) -> Option<i64> {
    match what {
        What::Inner(Inner::Reads { request, context: Some(_), .. }) => match &**request {
            Request::LeaseKeepAlive(request) => Some(request.id),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a process was paused or down at some time since `since`, so that it could not look.
fn was_away(evidence: &Evidence, place: usize, member: MemberId, since: Nanos) -> bool {
    let own = evidence.before(place).take_while(|happened| happened.time >= since);
    own.filter(|happened| happened.member == member)
        .any(|happened| matches!(happened.what, What::Fact(Fact::Paused | Fact::Resumed | Fact::Stopped(_))))
}

/// The last fault that set the member's clock, as the end of a sentence.
fn wall_clock(evidence: &Evidence, place: usize, member: MemberId) -> String {
    let fault = evidence.before(place).find_map(|happened| match &happened.what {
        What::Fact(Fact::Fault { what, begins: true, .. })
            if what.starts_with("clock") && (happened.member == member || happened.member.is_none()) =>
        {
            Some((happened.time, *what))
        }
        _ => None,
    });
    fault.map_or(String::new(), |(at, what)| {
        format!(
            "; the fault {what} had set its wall clock at {}, so the expiry follows the wall clock",
            time(at)
        )
    })
}

/// A leader revokes and renews only after a quorum has confirmed that it still leads.
pub(super) fn confirmed(evidence: &Evidence) -> Vec<Wrong> {
    let mut expired: BTreeMap<(MemberId, i64), bool> = BTreeMap::new();
    let mut asked: BTreeSet<(MemberId, i64)> = BTreeSet::new();
    let mut found = Vec::new();
    for (place, happened) in evidence.all.iter().enumerate() {
        let (at, member) = (happened.time, happened.member);
        if let Some(id) = confirmed_renewal(&happened.what) {
            asked.insert((member, id));
        }
        let What::Inner(Inner::Lease { id, what, .. }) = &happened.what else { continue };
        let says = match what {
            LeaseDeed::Expired { .. } => {
                // It may be found expired again while a confirmed revocation waits for others.
                expired.entry((member, *id)).or_insert(false);
                continue;
            }
            LeaseDeed::Confirmed => {
                expired.insert((member, *id), true);
                continue;
            }
            LeaseDeed::Revokes if expired.remove(&(member, *id)) == Some(false) => "proposed to revoke",
            // A renewal that waited for its checkpoint was confirmed before that.
            LeaseDeed::Renewed { .. } if !asked.contains(&(member, *id)) => "renewed",
            _ => continue,
        };
        let says = format!(
            "Member {member} {says} lease {id} at {} without confirming with a quorum that it still led{}.",
            time(at),
            successor(evidence, place, member)
        );
        found.push(
            Wrong::new(at, member, says)
                .rule("Before a leader renews a lease or proposes its revocation, a quorum confirms that it still leads (ReadIndex): one that was paused may have a successor.")
                .about(Subject::Lease(*id)),
        );
    }
    // The step of a member that no longer led is the one that matters.
    found.sort_by_key(|wrong: &Wrong| (!wrong.says.contains("already led"), wrong.time));
    found
}

/// Who leads instead of a member that believes itself the leader, as the end of a sentence.
fn successor(evidence: &Evidence, place: usize, member: MemberId) -> String {
    let at = evidence.all[place].time;
    let own = evidence.before(place).filter(|happened| happened.member == member).find_map(|happened| {
        match &happened.what {
            What::Fact(Fact::Own(EtcdFact::State { term, role: Role::Leader, .. })) => Some(*term),
            _ => None,
        }
    });
    let paused = evidence.before(place).filter(|happened| happened.member == member).find_map(|happened| {
        match &happened.what {
            What::Fact(Fact::Resumed) => Some(happened.time),
            _ => None,
        }
    });
    let resumed =
        paused.map_or(String::new(), |since| format!(" (it had been paused until {})", time(since)));
    match (own, evidence.leader_at(at)) {
        (Some(own), Some((term, since, leader))) if term > own && leader != member => format!(
            ": it was the leader of term {own}, but member {leader} already led term {term} since {}{resumed}",
            time(since)
        ),
        _ => String::new(),
    }
}

/// The lock service gives a lock only to a key that exists.
pub(super) fn locks(evidence: &Evidence) -> Vec<Wrong> {
    // For each key, whether it exists and when that last changed, on each member.
    let mut keys: BTreeMap<(MemberId, &[u8]), (bool, Nanos, u64)> = BTreeMap::new();
    let mut found = Vec::new();
    for happened in &evidence.all {
        let (at, member) = (happened.time, happened.member);
        match &happened.what {
            What::Inner(Inner::Loaded(loaded)) => {
                keys.retain(|(of, _), _| *of != member);
                for row in &loaded.rows {
                    keys.insert((member, &row.key), (!row.tombstone, at, loaded.index));
                }
            }
            What::Inner(Inner::Applied(entry)) => {
                for row in &entry.rows {
                    keys.insert((member, &row.key), (!row.tombstone, at, entry.index));
                }
            }
            What::Inner(Inner::LockGiven { key, revision }) => {
                let Some((false, gone, index)) = keys.get(&(member, &key[..])).copied() else { continue };
                let says = format!(
                    "Member {member} gave the lock to key {} at {} (by a read at revision {revision}) although that key no longer existed: {} had deleted it at {}, and the service did not check again whether the waiter's own key still existed.",
                    describe::key(key),
                    time(at),
                    evidence.name_of(index),
                    time(gone)
                );
                found.push(
                    Wrong::new(at, member, says)
                        .rule("Before a lock is given to a waiter, the service checks that the waiter's own key still exists: its lease may have expired meanwhile.")
                        .change(format!("key {} is deleted", describe::key(key)), "it is said to hold the lock".to_string())
                        .about(Subject::Entry(index)),
                );
            }
            _ => {}
        }
    }
    found
}
