//! B8, of watchers: a watcher is told of a change within a bound.
//!
//! Derivation. The first member that applies a change is, as a rule, the leader. It announces the commit with its next
//! ready's messages, beside a save; the watcher's member takes it after a save, and applies it after another: l + 3 d. A full
//! window of appends goes on with the answers, a heartbeat at the latest: as in B6, r round trips of 2 l + 2 d, and a tick.
//! From there the change goes to the watcher at once; to one that lags with the next pass but one (two
//! `watch-sync-interval`s); to one whose stream was full with the next try (10 ms). The response takes one way to the client,
//! behind responses that each take one: 2 ways.
//!
//! Premises: links lose nothing. The watcher watches from now on, and its change came after the client knew that it watches.
//! The clients take responses without delay, and fewer responses than fill the stream's window came within two ways. The
//! watcher's member serves from the change until it arrives; the client's links have been well since the stream was opened,
//! because a client that has missed a response takes time to notice it and to watch again.
//!
//! Not judged: changes that never arrive (W11); watchers from a revision of the past, which catch up first (`b8_passes` judges
//! that passes take them).

use std::collections::BTreeMap;

use api::etcdserverpb::watch_request::RequestUnion;
use record::{Nanos, Record, WatchStream};

use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::setup::Setup;
use super::speed::{Speed, Worst};
use crate::describe::time;
use crate::{Oracle, Sheet, Violation};

/// Time between two tries of watchers whose stream was full.
const VICTIMS: Nanos = 10_000_000;

/// How long a change may take from the first member that has applied it to a client that watches. `rounds` is how many
/// windows of appends hold one request of each client.
fn bound(setup: &Setup, worst: Worst, rounds: u64) -> Nanos {
    let to_the_member = (1 + 2 * rounds) * worst.peers + (3 + 2 * rounds) * worst.saves + setup.longest(1);
    to_the_member + 2 * setup.longest_of(setup.watch_sync) + VICTIMS + 2 * worst.clients
}

/// Judges the watchers of a run.
pub(super) fn judge(
    record: &Record,
    rounds: u64,
    known: (&Setup, &Cluster, &Speed),
    tally: &mut Tally,
    sheet: &mut Sheet,
) {
    let mut applied = BTreeMap::new();
    for entry in record.applied.iter().filter(|entry| entry.mutated) {
        applied.entry(entry.revision).or_insert(entry.time);
    }
    let mut late = None;
    for stream in &record.history.watches {
        let change = |revision: i64| applied.get(&u64::try_from(revision).ok()?).copied();
        told(stream, rounds, change, known, tally, &mut late);
    }
    sheet.add_all(late);
}

/// Judges the changes that one stream brought. `applied` says when the first member had applied a revision.
fn told(
    stream: &WatchStream,
    rounds: u64,
    applied: impl Fn(i64) -> Option<Nanos>,
    known: (&Setup, &Cluster, &Speed),
    tally: &mut Tally,
    late: &mut Option<Violation>,
) {
    // The answers to creations come in the order of the requests.
    let mut asked = stream.sent.iter().filter_map(|(_, request)| match &request.request_union {
        Some(RequestUnion::CreateRequest(create)) => Some(create.start_revision),
        _ => None,
    });
    // Since when clients know of the watchers that watch from now on, by id. An id can be used again.
    let mut from_now = BTreeMap::new();
    for (at, (arrived, response)) in stream.received.iter().enumerate() {
        if response.created {
            from_now.remove(&response.watch_id);
            if asked.next() == Some(0) && !response.canceled {
                from_now.insert(response.watch_id, *arrived);
            }
            continue;
        }
        let revisions =
            response.events.iter().filter_map(|event| event.kv.as_ref()).map(|kv| kv.mod_revision);
        let Some(oldest) = revisions.min() else { continue };
        let Some(since) = applied(oldest) else { continue };
        let knows = from_now.get(&response.watch_id).is_some_and(|created| *created < since);
        match look(stream, at, since, knows, rounds, known) {
            Err(premise) => tally.skipped(premise),
            Ok(bound) => {
                tally.judged();
                // A watcher that was told before anybody had applied the change is a matter of W1 to W12.
                if arrived.saturating_sub(since) > bound && late.is_none() {
                    *late = Some(violation(stream, oldest, (since, *arrived), bound));
                }
            }
        }
    }
}

/// The bound for the change that the response `at` of a stream brought, and that was applied at the time `since`.
fn look(
    stream: &WatchStream,
    at: usize,
    since: Nanos,
    knows: bool,
    rounds: u64,
    (setup, cluster, speed): (&Setup, &Cluster, &Speed),
) -> Result<Nanos, Premise> {
    let arrived = stream.received[at].0;
    if !knows {
        return Err(Premise::Nature);
    }
    if !setup.watchers_are_quick {
        return Err(Premise::Patience);
    }
    if !setup.peers_keep || !setup.clients_keep {
        return Err(Premise::Links);
    }
    if !cluster.served(stream.member, since, arrived) || !cluster.clients_reached(stream.opened, arrived) {
        return Err(Premise::Health);
    }
    let worst = speed.worst(since, arrived);
    let recent = since.saturating_sub(2 * worst.clients);
    let before = stream.received[..at].iter().rev().take_while(|(earlier, _)| *earlier >= recent).count();
    if before as u64 + 1 >= setup.watch_window {
        return Err(Premise::Slow);
    }
    Ok(bound(setup, worst, rounds))
}

fn violation(
    stream: &WatchStream,
    revision: i64,
    (since, arrived): (Nanos, Nanos),
    bound: Nanos,
) -> Violation {
    let title = format!("a watcher at member {} was told late", stream.member);
    let sentence = format!(
        "The change of revision {revision} was applied at {}. Client {} watches its key at member {}, and received it at {}. \
         The member, a leader with a quorum, the client and all links between them were well all the time, so it was due \
         within {}.",
        time(since),
        stream.client,
        stream.member,
        time(arrived),
        time(bound)
    );
    Violation::new(Oracle::B8, arrived, title).say(sentence)
}
