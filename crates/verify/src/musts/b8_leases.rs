//! B8, of leases: a lease that nobody renews is gone within a bound.
//!
//! Derivation. The time of a lease counts from its grant or its last renewal, by the clock of the leader, the lessor. A new
//! lessor gives it its whole time again and an election timeout; if the lessor checkpoints the time that is left
//! (`lease-checkpoint-interval`), it gives what the last checkpoint says. A checkpoint is at most an interval old, is rounded up to a
//! second, includes that election timeout, and is made by a scan every 500 ms; to be applied takes 4 l + 7 d (B6). The primary
//! lessor looks for expired leases every 500 ms, confirms that it leads (B7: 4 l + 7 d) and proposes the revocation (B6: 4 l +
//! 7 d, r round trips of 2 l + 2 d, and a tick). What it began before the peace may be lost, such as a proposal during a
//! transfer of leadership: it begins again after a request timeout (`server.go`, `ExpiredLeasesRetryInterval`).
//!
//! So from the latest of its last renewal, the lessor's beginning and the beginning of the peace, a lease is gone within the
//! time that is left by the slowest clock and an election timeout, or from the beginning of the peace within a request
//! timeout if that is longer; and in both cases one second, a tick and (8 + 2 r) l + (14 + 2 r) d more.
//!
//! Premises: links between members lose nothing. The cluster is at peace, that is, steady under one leader that serves, from
//! that latest time to the bound; the peace of earlier lessors counts towards the time that their checkpoints have taken off. A
//! keep-alive without an answer may renew a lease until ten seconds after its client gave up, and one that took 100 ms or
//! longer until ten seconds after its answer. No member raised the alarm CORRUPT, under which no lease ends.
//!
//! Not judged: leases that a client revokes; leases of the lock and election services, which renew them on their own.

use record::{Nanos, Record};

use super::b6_answers::{SCANS, revocation};
use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::setup::Setup;
use super::speed::{Speed, Worst};
use crate::describe::time;
use crate::leases::{Lifetime, Lifetimes, corrupt_from};
use crate::{Oracle, Sheet, Violation};

/// What a checkpoint is rounded up to.
const ROUNDING: Nanos = 1_000_000_000;
/// How long after its client gave up, or after an answer that took long, a keep-alive may renew a lease.
const LATE_RENEWAL: Nanos = 10_000_000_000;

/// What the judgement of one lease needs of the run.
#[derive(Clone, Copy)]
struct Run<'a> {
    setup: &'a Setup,
    speed: &'a Speed,
    /// When the cluster was at peace, in order.
    peace: &'a [(Nanos, Nanos)],
    /// When a member was the lessor, in order.
    lessors: &'a [(Nanos, Nanos)],
    rounds: u64,
    over: Nanos,
}

impl Run<'_> {
    /// How long an entry may wait behind those before it: for the round trips of full windows, and for a heartbeat.
    fn queue(&self, worst: Worst) -> Nanos {
        2 * self.rounds * (worst.peers + worst.saves) + self.setup.longest(1)
    }
}

/// Judges the ends of the leases of a run.
pub(super) fn judge(
    record: &Record,
    rounds: u64,
    lessors: &[(Nanos, Nanos)],
    (setup, cluster, speed): (&Setup, &Cluster, &Speed),
    tally: &mut Tally,
    sheet: &mut Sheet,
) {
    let over = record.stats.virtual_ns;
    let peace: Vec<_> = cluster.peace(over).collect();
    let run = Run { setup, speed, peace: &peace, lessors, rounds, over };
    let corrupt = corrupt_from(&record.history, &record.applied);
    let lifetimes = Lifetimes::new(&record.history, &record.applied, LATE_RENEWAL);
    let mut stays = None;
    for (id, lifetime) in lifetimes.iter() {
        match look(lifetime, run) {
            Err(premise) => tally.skipped(premise),
            Ok(None) => tally.judged(),
            Ok(Some(due)) if due < corrupt => {
                tally.judged();
                if stays.is_none() {
                    stays = Some(violation(id, lifetime, due));
                }
            }
            Ok(Some(_)) => tally.skipped(Premise::Nature),
        }
    }
    sheet.add_all(stays);
}

/// Looks at a lease. Returns when it was due if it stayed beyond that.
fn look(lifetime: &Lifetime, run: Run<'_>) -> Result<Option<Nanos>, Premise> {
    let was_revoked = lifetime.end.is_some_and(|end| !end.expired);
    if lifetime.own || lifetime.doubtful || was_revoked {
        return Err(Premise::Nature);
    }
    if !run.setup.peers_keep {
        return Err(Premise::Links);
    }
    let ended = lifetime.end.map_or(run.over, |end| end.time);
    let last = lifetime.last_renewed().max(lifetime.renewed_by_copy);
    let mut ends_in_peace = false;
    for &(from, until) in run.peace {
        let Some(due) = due(lifetime, last, (from, until), run) else { continue };
        if due <= until && due < ended {
            return Ok(Some(due));
        }
        ends_in_peace |= lifetime.end.is_some_and(|end| from <= end.time && end.time <= until.min(due));
    }
    if ends_in_peace { Ok(None) } else { Err(Premise::Leader) }
}

/// When a lease must be gone if this peace goes on. `None` if nobody was the lessor in it.
fn due(lifetime: &Lifetime, last: Nanos, peace: (Nanos, Nanos), run: Run<'_>) -> Option<Nanos> {
    let Run { setup, speed, .. } = run;
    let extension = setup.longest(setup.election_ticks);
    // A peace has one leader. The lessor before it may have been one for a moment longer.
    let nth = run.lessors.iter().rposition(|(from, until)| *from <= peace.1 && peace.0 < *until)?;
    let (began, _) = run.lessors[nth];
    let mut left = setup.longest_of(lifetime.ttl.max(0) as Nanos * SECOND);
    if let Some(interval) = setup.checkpoint {
        for lessor in &run.lessors[..nth] {
            for at_peace in run.peace {
                let (from, until) = (lessor.0.max(at_peace.0).max(last), lessor.1.min(at_peace.1));
                let worst = speed.worst(from, until);
                let not_in_checkpoints = setup.longest_of(interval + ROUNDING + SCANS)
                    + extension
                    + 4 * worst.peers
                    + 7 * worst.saves
                    + run.queue(worst);
                left = left.saturating_sub(until.saturating_sub(from).saturating_sub(not_in_checkpoints));
            }
        }
    }
    // The peace may begin in the middle of a ReadIndex that is asked again.
    let since = last.max(began).max(peace.0 + setup.longest_of(setup.read_index_retry));
    let over = (since + left + extension).max(peace.0 + setup.longest_of(setup.request_timeout));
    let worst = speed.worst(over, over + SCANS + SCANS);
    Some(over + revocation(setup, worst) + run.queue(worst))
}

/// A second.
const SECOND: Nanos = 1_000_000_000;

fn violation(id: i64, lifetime: &Lifetime, due: Nanos) -> Violation {
    let last = lifetime.renewals.iter().max_by_key(|(_, returned, _)| *returned);
    let renewed = match last {
        Some((_, returned, _)) => format!(" and renewed last by {}", time(*returned)),
        None => String::new(),
    };
    let state = match lifetime.end {
        Some(end) => format!("It ended at {}.", time(end.time)),
        None => "At the end of the run it was still there.".to_string(),
    };
    Violation::new(Oracle::B8, due, format!("lease {id} stays after its time"))
        .say(format!(
            "Lease {id} of {} s was granted at {}{renewed}. One leader with a quorum was well for long enough: by the slowest \
             clock, the lease was due to be gone by {}.",
            lifetime.ttl,
            time(lifetime.granted),
            time(due)
        ))
        .say(state)
        .shown_by(last.map(|(.., number)| *number))
}
