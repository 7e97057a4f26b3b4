//! B8, of progress: a watcher that asked for progress notifications and has no events is told how far it is.
//!
//! Derivation. The timer of a watcher fires every `watch-progress-interval`, plus up to a tenth
//! (`server/etcdserver/api/v3rpc/watch.go`, `GetProgressReportInterval`), at least every 100 ms (`minWatchProgressInterval`).
//! It sends progress if the watcher was sent nothing since it fired last, or was created. So by the slowest clock, a watcher
//! is sent something within a period after progress or its creation, and within two periods after events; a pass over the
//! watchers that lag (two `watch-sync-interval`s), a tick and two ways to the client are added.
//!
//! Premises: those of a watcher that is told of a change (`b8_watchers`), for all this time. Neither the client nor the
//! member ends the watcher in it.
//!
//! Not judged: watchers from a revision, which may lie in the future.

use std::collections::BTreeMap;

use api::etcdserverpb::watch_request::RequestUnion;
use record::{Nanos, Record, WatchStream};

use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::setup::Setup;
use super::speed::Speed;
use crate::describe::time;
use crate::{Oracle, Sheet, Violation};

/// The shortest time between two notifications.
const SHORTEST: Nanos = 100_000_000;

/// Judges the watchers of a run that asked for progress notifications.
pub(super) fn judge(
    record: &Record,
    known: (&Setup, &Cluster, &Speed),
    tally: &mut Tally,
    sheet: &mut Sheet,
) {
    let over = record.stats.virtual_ns;
    let mut silent = None;
    for stream in &record.history.watches {
        for wait in waits(stream, over) {
            let Wait { id, from, .. } = wait;
            match look(stream, wait, known) {
                Ok(None) if wait.progress => tally.judged(),
                Ok(None) => {}
                Ok(Some(bound)) => {
                    tally.judged();
                    silent.get_or_insert_with(|| violation(stream, id, from, bound));
                }
                Err(premise) => tally.skipped(premise),
            }
        }
    }
    sheet.add_all(silent);
}

/// A span of time in which a watcher that had asked for progress was sent nothing.
#[derive(Clone, Copy)]
struct Wait {
    id: i64,
    from: Nanos,
    until: Nanos,
    /// Whether it began with events.
    after_events: bool,
    /// Whether a progress notification ended it.
    progress: bool,
}

/// All such spans of a stream.
fn waits(stream: &WatchStream, over: Nanos) -> Vec<Wait> {
    let ended = stream.ended.map_or(over, |(at, _)| at);
    let mut asked = stream.sent.iter().filter_map(|(_, request)| match &request.request_union {
        Some(RequestUnion::CreateRequest(create)) => {
            Some(create.progress_notify && create.start_revision == 0)
        }
        _ => None,
    });
    // When the client asked for a watcher's end.
    let cancelled = |id: i64, from: Nanos| {
        let mut asked = stream.sent.iter().filter(|(at, _)| *at >= from);
        let found = asked.find(|(_, request)| {
            matches!(&request.request_union, Some(RequestUnion::CancelRequest(cancel)) if cancel.watch_id == id)
        });
        found.map_or(Nanos::MAX, |(at, _)| *at)
    };
    let mut found = Vec::new();
    // The watchers that are alive, with the time at which the client heard of each last, and whether it was of events.
    let mut alive = BTreeMap::new();
    for (at, response) in &stream.received {
        let id = response.watch_id;
        let heard = alive.remove(&id);
        let has_events = !response.events.is_empty();
        let progress = !response.created && !response.canceled && !has_events;
        found.extend(heard.map(|(from, after_events)| Wait { id, from, until: *at, after_events, progress }));
        let wants = if response.created { asked.next() == Some(true) } else { heard.is_some() };
        if wants && !response.canceled {
            alive.insert(id, (*at, has_events));
        }
    }
    let last = |(id, (from, after_events))| Wait { id, from, until: ended, after_events, progress: false };
    found.extend(alive.into_iter().map(last));
    for wait in &mut found {
        wait.until = wait.until.min(cancelled(wait.id, wait.from));
    }
    found
}

/// The bound if a watcher should have been sent something in a span of time.
fn look(
    stream: &WatchStream,
    Wait { from, until, after_events, .. }: Wait,
    (setup, cluster, speed): (&Setup, &Cluster, &Speed),
) -> Result<Option<Nanos>, Premise> {
    let interval = setup.watch_progress.max(SHORTEST);
    let period = interval + interval / 10;
    let periods = setup.longest_of(if after_events { 2 * period } else { period } + 2 * setup.watch_sync);
    if until <= from + periods {
        return Ok(None);
    }
    if !setup.watchers_are_quick {
        return Err(Premise::Patience);
    }
    if !setup.peers_keep || !setup.clients_keep {
        return Err(Premise::Links);
    }
    let worst = speed.worst(from, from + periods);
    let bound = periods + setup.longest(1) + 2 * worst.clients;
    let due = from + bound;
    if until <= due {
        return Ok(None);
    }
    if !cluster.served(stream.member, from, due) || !cluster.clients_reached(stream.opened, due) {
        return Err(Premise::Health);
    }
    let recent: Vec<_> =
        stream.received.iter().map(|(at, _)| *at).filter(|at| (from..=due).contains(at)).collect();
    let window = setup.watch_window as usize;
    if recent.windows(window.max(1)).any(|full| full[full.len() - 1] - full[0] <= 2 * worst.clients) {
        return Err(Premise::Slow);
    }
    Ok(Some(bound))
}

fn violation(stream: &WatchStream, id: i64, from: Nanos, bound: Nanos) -> Violation {
    let title = format!("a watcher at member {} is sent no progress", stream.member);
    let sentence = format!(
        "Client {} watches at member {} with watcher {id}, which asked for progress notifications. From {} on it was sent \
         nothing, though the member, a leader with a quorum, the client and all links between them were well all the time: \
         a notification was due within {}.",
        stream.client,
        stream.member,
        time(from),
        time(bound)
    );
    Violation::new(Oracle::B8, from + bound, title).say(sentence)
}
