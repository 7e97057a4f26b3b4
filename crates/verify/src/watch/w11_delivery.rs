//! W11: after healing, a watcher receives everything it must.
//!
//! If a watcher's stream is open at the end of the run, the watcher has received every change up to the last revision
//! of its member, or the news that it needs compacted revisions; and every creation on the stream has been answered.
//! The settle phase gives the cluster time for that, and does not end earlier unless it gives up. Changes of the last
//! moments, [`DELIVERY`], are excused.
//!
//! Not checked: streams to members that do not run at the end, or that are not in the core (the part of the cluster
//! that was healed); histories from elsewhere, which do not say how their members ended; a missing change that later
//! ones followed (W6, W7, W10).

use api::etcdserverpb::WatchRequest;
use api::etcdserverpb::watch_request::RequestUnion;
use record::{Nanos, WatchStream};

use super::ledger::Ledger;
use super::stream::{Transcript, Watcher};
use super::{Look, lines, seen};
use crate::{Oracle, Violation, describe};

/// 2 s: a change must have arrived by the end of the run if, this long before the end, it had been made, its watcher
/// created and the cluster healed. That is twenty rounds of etcd's slowest watch loop (100 ms;
/// `mvcc/watchable_store.go`).
pub const DELIVERY: Nanos = 2_000_000_000;

/// Checks that a watcher received everything by the end of the run.
pub fn check(look: &Look<'_>, ledger: &Ledger<'_>, looked: &mut usize) -> Option<Violation> {
    let watcher = ledger.watcher;
    if watcher.end.is_some() || !look.is_due(watcher.stream, watcher.created) {
        return None;
    }
    if given_up(watcher) {
        return None;
    }
    let member = look.revision_of(watcher.stream)?;
    let end = look.record.stats.virtual_ns;
    let due = |revision: i64| {
        let in_time = look.truth.made_at(revision).is_some_and(|made| made + DELIVERY <= end);
        revision <= member && in_time
    };
    *looked += ledger.expected.iter().filter(|expected| expected.revision <= member).count();
    let late: Vec<_> =
        ledger.expected[ledger.reached()..].iter().filter(|expected| due(expected.revision)).collect();
    let first = late.first()?;
    let title = "a watcher never received a change";
    let last = watcher.stream.received.len().saturating_sub(1);
    let violation = seen(watcher, Oracle::W11, end, title, &[last]);
    Some(
        violation
            .say(format!(
                "The cluster was healed at {}, and by the end, at {}, {} changes had not come.",
                describe::time(look.record.healed),
                describe::time(end),
                late.len()
            ))
            .say(format!("The first of these: {}.", look.made(first.number)))
            .shown_by(look.maker(first.revision)),
    )
}

/// Finds a creation that had to be answered by the end of the run.
pub fn unanswered(look: &Look<'_>, stream: &WatchStream, transcript: &Transcript<'_>) -> Option<Violation> {
    let (sent, request) = transcript.unanswered.iter().find(|(sent, _)| look.is_due(stream, *sent))?;
    let end = look.record.stats.virtual_ns;
    let violation = Violation::new(Oracle::W11, end, "a watcher was never created");
    Some(
        violation
            .say(format!(
                "Client {} asked member {} at {} to watch {}.",
                stream.client,
                stream.member,
                describe::time(*sent),
                describe::watcher(request)
            ))
            .say(format!(
                "The cluster was healed at {}, and by the end, at {}, there was no answer.",
                describe::time(look.record.healed),
                describe::time(end)
            ))
            .seen_in(lines(stream, &[stream.received.len().saturating_sub(1)])),
    )
}

/// Whether its client cancelled the watcher. Then nothing more must arrive; the answer to the cancellation may still be
/// under way.
pub(super) fn given_up(watcher: &Watcher<'_>) -> bool {
    let cancels = |(at, request): &(Nanos, WatchRequest)| match &request.request_union {
        Some(RequestUnion::CancelRequest(cancel)) => cancel.watch_id == watcher.id && *at >= watcher.created,
        _ => false,
    };
    watcher.stream.sent.iter().any(cancels)
}

impl Look<'_> {
    /// Whether a request sent on this stream at `since` must have been fulfilled by the end of the run.
    pub(super) fn is_due(&self, stream: &WatchStream, since: Nanos) -> bool {
        let from = since.max(self.record.healed);
        stream.ended.is_none()
            && self.record.healed > 0
            && from + DELIVERY <= self.record.stats.virtual_ns
            && self.revision_of(stream).is_some()
    }

    /// The revision at which the member at the other end ended the run, if it was running and healthy.
    pub(super) fn revision_of(&self, stream: &WatchStream) -> Option<i64> {
        let mut members = self.record.members.iter();
        let member = members.find(|end| end.member == stream.member && end.running && end.core)?;
        Some(member.revision as i64)
    }
}
