//! B8: a watcher is told within a bound, and a lease that nobody renews ends within a bound.
//!
//! Watchers. A change is applied by the watcher's member within l + 2 d after the first member has applied it (the leader's
//! announcement, after a save that holds up the member's loop). It goes to the watcher at once, and to one that lags with the
//! next pass but one (two `watch-sync-interval`s), or with the next try of one whose stream was full (10 ms). The response
//! takes one way to the client, behind responses that are each one way under way: 2 ways. So: l + 2 d + two intervals + 10 ms
//! + two ways of the client.
//!
//! Leases. The primary lessor looks for expired leases every 500 ms, confirms that it leads (B7: 4 l + 6 d) and proposes the
//! revocation (B6: 4 l + 7 d). So a lease is gone within its time to live by the slowest clock, one second and 8 l + 13 d after
//! it was granted or renewed last.
//!
//! Premises: links lose nothing. Of watchers: the watcher watches from now on, its clients take responses without delay, fewer
//! responses than the stream's window came in the time in question, the member serves from the change to its arrival, and
//! the client's links are well since the stream was opened (a client that has missed a response takes time to notice and to
//! watch again). Of leases: one leader is steady and serves from the last renewal to the bound (a new one
//! gives all leases their whole time, and an election timeout more), every renewal was answered,
//! the id was granted once, no client raised an alarm.
//!
//! Not judged: changes that never arrive (W11); watchers from a revision of the past, which catch up first; physical compactions
//! and defragmentations, which take as long as the disk needs; the removal of an alarm is a request (B6).

use std::collections::BTreeMap;

use api::etcdserverpb::watch_request::RequestUnion;
use api::{Request, Response};
use record::{Nanos, Record, WatchStream};

use super::b3_no_election::seconds;
use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::setup::Setup;
use super::speed::{Speed, Worst};
use crate::{Oracle, Sheet, Violation};

/// Time between two tries of watchers whose stream was full.
const VICTIMS: Nanos = 10_000_000;
/// Two intervals between looks for expired leases.
const SCANS: Nanos = 1_000_000_000;
/// A second.
const SECOND: Nanos = 1_000_000_000;

/// How long the revocation of a lease takes that has run out.
pub(super) fn revocation(setup: &Setup, worst: Worst) -> Nanos {
    setup.longest_of(SCANS) + 8 * worst.peers + 13 * worst.saves
}

/// What is known of a run that is over.
pub(super) type Known<'a> = (&'a Setup, &'a Cluster, &'a Speed);

/// Judges the watchers and the leases of a run.
pub(super) fn judge(record: &Record, known: Known<'_>, tally: &mut Tally, sheet: &mut Sheet) {
    let mut applied = BTreeMap::new();
    for entry in record.applied.iter().filter(|entry| entry.mutated) {
        applied.entry(entry.revision).or_insert(entry.time);
    }
    let mut late = None;
    for stream in &record.history.watches {
        told(stream, &applied, known, tally, &mut late);
    }
    sheet.add_all(late);
    let mut stays = None;
    leases(record, known, tally, &mut stays);
    sheet.add_all(stays);
}

/// Judges the changes that one stream brought.
fn told(
    stream: &WatchStream,
    applied: &BTreeMap<u64, Nanos>,
    (setup, cluster, speed): Known<'_>,
    tally: &mut Tally,
    late: &mut Option<Violation>,
) {
    // The answers to creations come in the order of the requests.
    let mut asked = stream.sent.iter().filter_map(|(_, request)| match &request.request_union {
        Some(RequestUnion::CreateRequest(create)) => Some(create.start_revision),
        _ => None,
    });
    let mut from_now = BTreeMap::new();
    for (at, (time, response)) in stream.received.iter().enumerate() {
        if response.created {
            let start = asked.next().unwrap_or(1);
            if start == 0 && !response.canceled {
                from_now.insert(response.watch_id, *time);
            }
            continue;
        }
        let revisions =
            response.events.iter().filter_map(|event| event.kv.as_ref()).map(|kv| kv.mod_revision);
        let Some(oldest) = revisions.min() else { continue };
        let Some(since) = applied.get(&(oldest as u64)) else { continue };
        let since = *since;
        if !from_now.get(&response.watch_id).is_some_and(|created| *created < since) {
            tally.skipped(Premise::Nature);
            continue;
        }
        if !setup.watchers_are_quick {
            tally.skipped(Premise::Patience);
            continue;
        }
        if !setup.peers_keep || !setup.clients_keep {
            tally.skipped(Premise::Links);
            continue;
        }
        if !cluster.served(stream.member, since, *time) || !cluster.clients_reached(stream.opened, *time) {
            tally.skipped(Premise::Health);
            continue;
        }
        let worst = speed.worst(since, *time);
        let recent = since.saturating_sub(2 * worst.clients);
        let before = stream.received[..at].iter().rev().take_while(|(earlier, _)| *earlier >= recent).count();
        if before as u64 + 1 >= setup.watch_window {
            tally.skipped(Premise::Slow);
            continue;
        }
        tally.judged();
        let bound = worst.peers
            + 2 * worst.saves
            + 2 * setup.longest_of(setup.watch_sync)
            + VICTIMS
            + 2 * worst.clients;
        if time - since > bound && late.is_none() {
            let sentence = format!(
                "The change of revision {oldest} was applied at {:.3} s. Client {} watches its key at member {}, and received \
                 it at {:.3} s. Member, client, the links between them and a leader with a quorum were well all the time, so it \
                 was due within {:.3} s.",
                seconds(since),
                stream.client,
                stream.member,
                seconds(*time),
                seconds(bound)
            );
            let title = format!("a watcher at member {} was told late", stream.member);
            *late = Some(Violation::new(Oracle::B8, *time, title).say(sentence));
        }
    }
}

/// A lease that was granted.
struct Lease {
    ttl: Nanos,
    /// When it was granted or renewed last, at the latest.
    touched: Nanos,
    /// The operation that granted it.
    granted: usize,
    /// Whether its end is known well enough to be judged.
    clear: bool,
    /// When its revocation was applied.
    revoked: Option<Nanos>,
}

/// Judges the ends of leases.
fn leases(
    record: &Record,
    (setup, cluster, speed): Known<'_>,
    tally: &mut Tally,
    stays: &mut Option<Violation>,
) {
    let operations = &record.history.operations;
    let mut leases: BTreeMap<i64, Lease> = BTreeMap::new();
    let mut alarmed = false;
    for (number, operation) in operations.iter().enumerate() {
        match (&operation.request, operation.response()) {
            (Request::LeaseGrant(_), Some(Response::LeaseGrant(answer))) => {
                let touched = operation.returned().unwrap_or(operation.call);
                let ttl = answer.ttl.max(0) as Nanos * SECOND;
                let lease = Lease { ttl, touched, granted: number, clear: true, revoked: None };
                if let Some(before) = leases.insert(answer.id, lease) {
                    leases.get_mut(&answer.id).expect("it was just put in").clear = before.ttl == 0;
                }
            }
            (Request::LeaseKeepAlive(asked), _) => {
                if let Some(lease) = leases.get_mut(&asked.id) {
                    match operation.returned() {
                        Some(at) => lease.touched = lease.touched.max(at),
                        None => lease.clear = false,
                    }
                }
            }
            (Request::Alarm(alarm), _) => alarmed |= alarm.action == 1,
            _ => {}
        }
    }
    for entry in &record.applied {
        let asked = entry.operation.and_then(|number| operations.get(number as usize));
        let request = entry.internal.as_deref().or(asked.map(|operation| &operation.request));
        if let Some(Request::LeaseRevoke(revoke)) = request
            && let Some(lease) = leases.get_mut(&revoke.id)
        {
            lease.revoked = lease.revoked.or(Some(entry.time));
        }
    }
    for (id, lease) in &leases {
        let over = lease.touched + setup.longest_of(lease.ttl);
        let end = lease.revoked.unwrap_or(record.stats.virtual_ns);
        if lease.revoked.is_some_and(|at| at < lease.touched + lease.ttl / 2) {
            continue; // a client revoked it
        }
        let worst = speed.worst(over.min(end), end.min(over + SCANS));
        let due = over + revocation(setup, worst);
        let premises = if !setup.peers_keep {
            Err(Premise::Links)
        } else if !lease.clear || alarmed {
            Err(Premise::Nature)
        } else if !cluster.steady_between(lease.touched, end.min(due))
            || lease.revoked.is_none() && end <= due
        {
            Err(Premise::Leader)
        } else {
            Ok(())
        };
        match premises {
            Err(premise) => tally.skipped(premise),
            Ok(()) if end <= due => tally.judged(),
            Ok(()) => {
                tally.judged();
                let sentence = format!(
                    "Lease {id} was granted or renewed last at {:.3} s, for {} s. One leader was well from then on. By the slowest \
                     clock it had to be gone at {:.3} s.",
                    seconds(lease.touched),
                    lease.ttl / SECOND,
                    seconds(due)
                );
                let violation = Violation::new(Oracle::B8, due, format!("lease {id} stays after its time"))
                    .say(sentence)
                    .shown_by([lease.granted]);
                stays.get_or_insert(violation);
            }
        }
    }
}
