//! B6: every request is answered, while nothing that it needs is broken, within a few round trips and writes; a
//! time-out is a violation.
//!
//! Derivation. The request and its answer take one way each between client and member. A write goes to the leader (2 d
//! and l, as in B7), leaves it beside its next ready's save (d, l), waits for the followers' save under way and their
//! own (2 d), is acknowledged (l), committed at the leader's next ready (d), announced (l) and applied at the member's
//! next ready (d): 4 l + 7 d. A linearizable read waits for the ReadIndex under way and its own (B7): twice 4 l + 7 d.
//! What takes both (such as the renewal of a lease, which the leader confirms by a ReadIndex, and whose checkpoint may
//! have to be written) takes the sum and a way to the leader and back, 14 l + 21 d, plus a tick, because what a full
//! window of appends left behind goes on with the next heartbeat's answer. A narrow window (`max-inflight-messages`)
//! sends a queue of at most as many entries as there are requests under way in several round trips: each takes 2 l + 2
//! d. A keep-alive of a lease that has expired waits until the lease is revoked (etcd, `Renew` of the lessor). The
//! primary lessor looks for expired leases every 500 ms, confirms that it leads (B7: 4 l + 7 d) and proposes the
//! revocation (4 l + 7 d): with two such intervals, one second and 8 l + 14 d more.
//!
//! Premises: links lose nothing; the client's links are well; the member serves (`cluster`): it is well, has caught up
//! and is in the base of a steady cluster, from the call to the end, and for `read-index-retry` before it: a ReadIndex
//! that a new leader dropped is asked again only then, and the next one waits for it. The client waits for longer than
//! the bound.
//!
//! Not judged, because they may take long by their nature: locks and elections, physical compactions, defragmentations,
//! transfers of leadership (B2), changes of the membership, ranges in chunks (their client may be slow), requests with a
//! forged token.

use api::{Error, Request};
use record::{Nanos, Operation, Outcome, Record};

use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::setup::Setup;
use super::speed::{Speed, Worst};
use crate::describe::time;
use crate::locks::is_service;
use crate::{Oracle, Sheet, Violation};

/// The most violations reported per run; as a rule, the others have the same cause.
const MOST: usize = 3;

/// Two of the intervals at which the lessor looks for expired leases.
pub(super) const SCANS: Nanos = 1_000_000_000;

/// How long the revocation of an expired lease takes.
pub(super) fn revocation(setup: &Setup, worst: Worst) -> Nanos {
    setup.longest_of(SCANS) + 8 * worst.peers + 14 * worst.saves
}

/// Judges all operations of a run.
///
/// `rounds` is how many windows of appends hold one request of each client.
pub(super) fn judge(
    record: &Record,
    rounds: u64,
    (setup, cluster, speed): (&Setup, &Cluster, &Speed),
    tally: &mut Tally,
    sheet: &mut Sheet,
) {
    let operations = &record.history.operations;
    let over = record.stats.virtual_ns;
    let mut reported = 0;
    for (number, operation) in operations.iter().enumerate() {
        match look(operation, over, rounds, (setup, cluster, speed)) {
            Ok(None) => tally.judged(),
            Ok(Some(bound)) => {
                tally.judged();
                reported += 1;
                if reported <= MOST {
                    sheet.add(violation(number, operation, bound));
                }
            }
            Err(premise) => tally.skipped(premise),
        }
    }
}

/// When an operation was answered; the time at which its client gave up if it was not.
fn ended(operation: &Operation, over: Nanos) -> (bool, Nanos) {
    match operation.outcome {
        Outcome::Answer { at, .. } => (true, at),
        Outcome::Error { at, error } => (!says_it_took_too_long(error), at),
        // For an operation under way at the end of the run, the record gives the time of its call as the time at which
        // it was given up.
        Outcome::Unknown { gave_up } if gave_up == operation.call => (false, over),
        Outcome::Unknown { gave_up } => (false, gave_up),
    }
}

/// Looks at an operation. Returns the bound if it was answered too late or not at all.
fn look(
    operation: &Operation,
    over: Nanos,
    rounds: u64,
    (setup, cluster, speed): (&Setup, &Cluster, &Speed),
) -> Result<Option<Nanos>, Premise> {
    // A member waits for the entry that a token names before it calls the token unknown. A forged token may name any
    // entry.
    if operation.streamed || operation.is_forged() || takes_long(&operation.request) {
        return Err(Premise::Nature);
    }
    if !setup.peers_keep || !setup.clients_keep {
        return Err(Premise::Links);
    }
    let (answered, end) = ended(operation, over);
    let call = operation.call;
    let before = call.saturating_sub(setup.longest_of(setup.read_index_retry));
    if !cluster.served(operation.member, before, end) || !cluster.clients_reached(call, end) {
        return Err(Premise::Health);
    }
    let worst = speed.worst(call, end);
    let mut bound = 2 * worst.clients
        + (14 + 2 * rounds) * worst.peers
        + (21 + 2 * rounds) * worst.saves
        + setup.longest(1);
    if matches!(operation.request, Request::LeaseKeepAlive(_)) {
        bound += revocation(setup, worst);
    }
    match end - call {
        took if took > bound => Ok(Some(bound)),
        _ if answered => Ok(None),
        _ => Err(Premise::Patience),
    }
}

/// Whether an error says that the request was not served in time, or that there was nobody to serve it.
fn says_it_took_too_long(error: Error) -> bool {
    matches!(
        error,
        Error::Timeout
            | Error::TimeoutDueToLeaderFail
            | Error::TimeoutDueToConnectionLost
            | Error::ContextDeadlineExceeded
            | Error::NoLeader
            | Error::LeaderChanged
    )
}

/// Whether a request may take long by its nature.
fn takes_long(request: &Request) -> bool {
    match request {
        Request::Compact(compact) => compact.physical,
        Request::Defragment(_)
        | Request::MoveLeader(_)
        | Request::MemberAdd(_)
        | Request::MemberRemove(_)
        | Request::MemberUpdate(_)
        | Request::MemberPromote(_) => true,
        request => is_service(request),
    }
}

fn violation(number: usize, operation: &Operation, bound: Nanos) -> Violation {
    let member = operation.member;
    let title = format!("member {member} did not answer in time, though nothing was broken");
    let sentence = format!(
        "Client {} asked member {member} at {}. The member, a leader with a quorum and all links between them were \
         well all the time, so an answer was due within {}.",
        operation.client,
        time(operation.call),
        time(bound)
    );
    Violation::new(Oracle::B6, operation.call + bound, title).say(sentence).shown_by([number])
}
