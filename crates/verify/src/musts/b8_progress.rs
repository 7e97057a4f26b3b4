//! B8, of progress: a watcher that asked for progress notifications is sent one when it had no events for a while, and only
//! then.
//!
//! Derivation. The timer of a watcher fires every `watch-progress-interval`, plus up to a tenth
//! (`server/etcdserver/api/v3rpc/watch.go`, `GetProgressReportInterval`), at least every 100 ms (`minWatchProgressInterval`).
//! It sends progress if the watcher was sent no events since it fired last, or was created. Let a watcher be sent something
//! at a time, and nothing after it.
//! - Too late. If that was progress or its creation, the timer fires for it within a period. If it was events, the timer may
//!   fire once in vain, and then within two periods. A tick and 2 d are added, for a member that is busy.
//! - Too early. If it was events, the timer fires in vain first. So no progress comes within an interval by the fastest
//!   clock, less a tick and 2 d, by which the timer may have fired late before.
//!
//! All times are those at which responses leave the member, so clients may be slow.
//!
//! Premises: from an interval before until the end, the member's process runs, is not paused, and no fault is active on it,
//! its disk or its clock. The watcher is synced, and started at a revision that there was when it was created. Whenever the
//! timer may fire, fewer responses of the stream are under way, or are sent until progress is due, than its window and its
//! buffer have: progress that finds no room is not sent. Of those that the client has taken, the member knows after 2 c, if
//! links of clients lose nothing and have been well since the stream was opened. For a client that takes long, progress is
//! owed a period later, as it may have taken what is under way by then.
//!
//! Not judged: the revision that progress names (W5); progress on request; ids below 0, with which other progress comes.

use std::collections::BTreeMap;

use api::etcdserverpb::watch_request::RequestUnion;
use record::{Nanos, Record, WatchStream};

use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::setup::Setup;
use super::speed::Speed;
use super::watchers::Watchers;
use crate::describe::time;
use crate::{Oracle, Sheet, Violation};

/// The shortest time between two notifications.
const SHORTEST: Nanos = 100_000_000;

/// Judges the watchers of a run that asked for progress notifications.
pub(super) fn judge(
    record: &Record,
    watchers: &Watchers,
    (setup, cluster, speed): (&Setup, &Cluster, &Speed),
    tally: &mut Tally,
    sheet: &mut Sheet,
) {
    let mut wrong = None;
    for (number, stream) in record.history.watches.iter().enumerate() {
        let sent = watchers.sent(number as u64);
        let look = Look { number: number as u64, stream, sent, watchers, setup, cluster, speed };
        for wait in waits(stream, sent, record.stats.virtual_ns) {
            for found in [look.too_late(wait), look.too_early(wait)] {
                match found {
                    Ok(None) => {}
                    Ok(Some(bound)) => {
                        tally.judged();
                        if let Some(violation) = bound {
                            wrong.get_or_insert(violation);
                        }
                    }
                    Err(premise) => tally.skipped(premise),
                }
            }
        }
    }
    sheet.add_all(wrong);
}

/// A span of time in which a watcher that had asked for progress was sent nothing.
#[derive(Clone, Copy, Debug)]
struct Wait {
    id: i64,
    from: Nanos,
    until: Nanos,
    /// If events were sent before it: when the first fragment of them left.
    after_events: Option<Nanos>,
    /// Whether a progress notification ended it.
    progress: bool,
}

/// All such spans of a stream. `sent` says when each response left.
fn waits(stream: &WatchStream, sent: &[Nanos], over: Nanos) -> Vec<Wait> {
    let mut asked = stream.sent.iter().filter_map(|(_, request)| match &request.request_union {
        Some(RequestUnion::CreateRequest(create)) => Some(create),
        _ => None,
    });
    let mut found = Vec::new();
    // The watchers that are alive, with the time at which each was last sent something, and when events began to leave, if
    // that was events. The last tells whether more fragments of them follow.
    let mut alive: BTreeMap<i64, (Nanos, Option<Nanos>, bool)> = BTreeMap::new();
    for ((_, response), at) in stream.received.iter().zip(sent) {
        let id = response.watch_id;
        let heard = alive.remove(&id);
        let has_events = !response.events.is_empty();
        let progress = !response.created && !response.canceled && !has_events;
        found.extend(heard.map(|(from, after_events, _)| Wait {
            id,
            from,
            until: *at,
            after_events,
            progress,
        }));
        let wants = match response.created {
            true => asked.next().is_some_and(|create| {
                let current = response.header.as_ref().map_or(0, |header| header.revision);
                create.progress_notify && create.start_revision <= current
            }),
            false => heard.is_some(),
        };
        if wants && !response.canceled && id >= 0 {
            let began = heard.filter(|(_, _, goes_on)| *goes_on).and_then(|(_, began, _)| began);
            alive.insert(id, (*at, has_events.then(|| began.unwrap_or(*at)), response.fragment));
        }
    }
    // What left after that did not arrive.
    let until = sent.get(stream.received.len()).copied().unwrap_or(over);
    let last = |(id, (from, after_events, _))| Wait { id, from, until, after_events, progress: false };
    found.extend(alive.into_iter().map(last));
    found
}

/// A stream, and what is known of it.
struct Look<'a> {
    number: u64,
    stream: &'a WatchStream,
    /// When each of its responses left.
    sent: &'a [Nanos],
    watchers: &'a Watchers,
    setup: &'a Setup,
    cluster: &'a Cluster,
    speed: &'a Speed,
}

/// Whether something was judged, and if so, whether it was wrong; or the premise that did not hold.
type Found = Result<Option<Option<Violation>>, Premise>;

impl Look<'_> {
    fn interval(&self) -> Nanos {
        self.setup.watch_progress.max(SHORTEST)
    }

    /// How long a member that runs may be busy from a time on.
    fn busy(&self, from: Nanos, until: Nanos) -> Nanos {
        self.setup.longest(1) + 2 * self.speed.worst(from, until).saves
    }

    /// Whether a watcher is sent nothing though its timer must have fired.
    fn too_late(&self, wait: Wait) -> Found {
        let Wait { id, from, until, after_events, progress } = wait;
        let interval = self.interval();
        let period = self.setup.longest_of(interval + interval / 10);
        let mut result = Ok(None);
        let first = if after_events.is_some() { 2 } else { 1 };
        for periods in [first, first + 1] {
            let due = from + periods * period + self.busy(from, from + periods * period);
            if until <= due {
                return if result.is_err() { result } else { Ok(progress.then_some(None)) };
            }
            if !self.is_free(from, due) {
                return Err(Premise::Health);
            }
            if !self.watchers.was_synced(self.stream.member, (self.number, id), from, due) {
                return Err(Premise::Nature);
            }
            // The timer that counts fires after so many shortest intervals.
            let fires = from + (periods - 1) * self.setup.shortest_of(interval);
            if self.has_room(fires, due) {
                return Ok(Some(Some(self.silent(id, from, due - from))));
            }
            result = Err(Premise::Slow);
        }
        result
    }

    /// Whether a watcher is sent progress though its timer cannot have fired twice since it was sent events.
    fn too_early(&self, wait: Wait) -> Found {
        let Wait { id, from, until, after_events: Some(began), progress: true } = wait else {
            return Ok(None);
        };
        let interval = self.setup.shortest_of(self.interval());
        let bound = interval.saturating_sub(self.busy(began.saturating_sub(interval), until));
        if until - from >= bound {
            return Ok(None);
        }
        if !self.is_free(began.saturating_sub(2 * interval), until) {
            return Err(Premise::Health);
        }
        if !self.has_room(began, until) {
            return Err(Premise::Slow);
        }
        let violation = (until - began < bound).then(|| self.hasty(id, (began, until), bound));
        Ok(Some(violation))
    }

    /// Whether the member's process ran freely between two times.
    fn is_free(&self, from: Nanos, until: Nanos) -> bool {
        self.cluster.free_until(self.stream.member, from).is_some_and(|free| free >= until)
    }

    /// Whether less than a window of responses was under way between two times.
    fn has_room(&self, from: Nanos, until: Nanos) -> bool {
        let left = self.sent.partition_point(|at| *at <= until);
        let keep = self.setup.clients_keep && self.cluster.clients_reached(self.stream.opened, until);
        let taken = match keep {
            true => {
                let known =
                    from.saturating_sub(2 * self.speed.worst(from.saturating_sub(SHORTEST), until).clients);
                self.stream.received.partition_point(|(at, _)| *at < known)
            }
            false => 0,
        };
        ((left - taken) as u64) < self.setup.watch_window
    }

    fn silent(&self, id: i64, from: Nanos, bound: Nanos) -> Violation {
        let title = format!("a watcher at member {} is sent no progress", self.stream.member);
        let sentence = format!(
            "Client {} watches at member {} with watcher {id}, which asked for progress notifications. From {} on it was \
             sent nothing, though it had all changes and the member ran freely: a notification was due within {}.",
            self.stream.client,
            self.stream.member,
            time(from),
            time(bound)
        );
        Violation::new(Oracle::B8, from + bound, title).say(sentence)
    }

    fn hasty(&self, id: i64, (began, until): (Nanos, Nanos), bound: Nanos) -> Violation {
        let title = format!("a watcher at member {} is sent progress too early", self.stream.member);
        let sentence = format!(
            "Watcher {id} of client {} at member {} was sent events at {} and progress at {}. Its timer fires in vain first, \
             so there may be none within {}.",
            self.stream.client,
            self.stream.member,
            time(began),
            time(until),
            time(bound)
        );
        Violation::new(Oracle::B8, until, title).say(sentence)
    }
}
