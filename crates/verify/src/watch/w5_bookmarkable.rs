//! W5: progress is a bookmark: after a progress response of revision R, no event of R or an earlier revision comes. A
//! client can continue from R at another member.
//!
//! So a progress response comes after everything expected up to its revision. Its revision is not below that of an
//! earlier progress response or event, and not below the watcher's first revision less one. Headers name revisions
//! that were made, and none below that of their events.
//!
//! The header of a response with events is no such promise: when a watcher catches up, etcd sends at most 1000
//! revisions at once, under the newest revision.
//!
//! Not checked: that progress is reported when a client asked for it, or in time; changes that had been skipped
//! before (W6, W7, W10).

use super::ledger::Ledger;
use super::stream::Reply;
use super::{Look, said, seen};
use crate::answer::NOT_RECORDED;
use crate::{Oracle, Violation};

/// Checks the progress responses of a watcher.
pub fn check(look: &Look<'_>, ledger: &Ledger<'_>, looked: &mut usize) -> Option<Violation> {
    let watcher = ledger.watcher;
    if let Some(newest) = look.truth.newest()
        && watcher.revision > newest
    {
        let title = "a watcher was created at a revision that was never made";
        let violation = seen(watcher, Oracle::W5, watcher.created, title, &[]);
        return Some(violation.say(format!("The newest revision of all is {newest}.")));
    }
    let mut walk = Walk { ledger, next: 0, delivered: 0, newest: None, promised: None };
    for (at, reply) in watcher.replies.iter().enumerate() {
        *looked += 1;
        let found = match reply {
            Reply::Batch(_) => walk.batch(look, at),
            Reply::Progress { .. } => walk.progress(look, at),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The state of the check, which goes through the replies one by one.
struct Walk<'a, 'b> {
    ledger: &'b Ledger<'a>,
    /// The index of the first expected change that neither arrived nor was skipped.
    next: usize,
    /// How many events have arrived.
    delivered: usize,
    /// The highest revision of an event.
    newest: Option<i64>,
    /// The highest revision of a progress response, and which response of the stream that was.
    promised: Option<(i64, usize)>,
}

impl Walk<'_, '_> {
    /// Checks a response with events.
    fn batch(&mut self, look: &Look<'_>, reply: usize) -> Option<Violation> {
        let Reply::Batch(batch) = &self.ledger.watcher.replies[reply] else { return None };
        let watcher = self.ledger.watcher;
        let wrong = |title: &str, responses: &[usize]| seen(watcher, Oracle::W5, batch.at, title, responses);
        let deliveries = &self.ledger.deliveries[self.delivered..self.delivered + batch.events.len()];
        self.delivered += deliveries.len();
        for delivery in deliveries {
            if let Some((promised, response)) = self.promised
                && delivery.revision <= promised
                && !delivery.again
            {
                let violation = wrong(
                    "an event came after a progress response that covers it",
                    &[response, delivery.response],
                );
                return Some(violation.say(format!(
                    "A progress response had said that it had everything up to revision {promised}; then came {}.",
                    said(delivery)
                )));
            }
            self.newest = self.newest.max(Some(delivery.revision));
            let expected = &self.ledger.expected;
            let place = delivery
                .number
                .and_then(|number| expected.binary_search_by_key(&number, |one| one.number).ok());
            self.next = self.next.max(place.map_or(0, |place| place + 1));
        }
        let last = deliveries.iter().map(|delivery| delivery.revision).max().unwrap_or(0);
        if last > batch.revision && batch.revision != NOT_RECORDED {
            let violation = wrong("a response is of an older revision than its events", &[batch.response]);
            return Some(violation.say(format!(
                "Its header names revision {}, and it carries an event of revision {last}.",
                batch.revision
            )));
        }
        if let Some(newest) = look.truth.newest()
            && batch.revision > newest
        {
            let violation = wrong("a response names a revision that was never made", &[batch.response]);
            return Some(violation.say(format!("The newest revision of all is {newest}.")));
        }
        None
    }

    /// Checks a progress response.
    fn progress(&mut self, look: &Look<'_>, reply: usize) -> Option<Violation> {
        let Reply::Progress { at, revision, response } = self.ledger.watcher.replies[reply] else {
            return None;
        };
        let watcher = self.ledger.watcher;
        let wrong = |title: &str| seen(watcher, Oracle::W5, at, title, &[response]);
        if let Some((promised, before)) = self.promised
            && revision < promised
        {
            let title = "progress went back";
            let responses = [before, response];
            let violation = seen(watcher, Oracle::W5, at, title, &responses);
            return Some(violation.say(format!(
                "It had received progress up to revision {promised}, and then progress up to revision {revision}."
            )));
        }
        self.promised = Some((revision, response));
        if let Some(newest) = self.newest.filter(|newest| revision < *newest) {
            return Some(wrong("progress is behind what was delivered").say(format!(
                "An event of revision {newest} had come; then it received progress up to revision {revision}."
            )));
        }
        let start = watcher.request.start_revision;
        if start > 0 && revision < start - 1 {
            return Some(wrong("progress is reported before the watcher's first revision").say(format!(
                "It needs nothing before revision {start}; progress up to {revision} sends it back."
            )));
        }
        if let Some(newest) = look.truth.newest()
            && revision > newest
        {
            return Some(
                wrong("progress is reported up to a revision that was never made")
                    .say(format!("The newest revision of all is {newest}.")),
            );
        }
        let to_come = self.ledger.expected.get(self.next..).unwrap_or_default().iter();
        let mut due = to_come.take_while(|expected| expected.revision <= revision);
        let expected = due.find(|expected| !look.truth.may_be_dropped(expected.number, at))?;
        Some(
            wrong("progress was reported before an event that it covers")
                .say(format!("The progress response said that it had everything up to revision {revision}."))
                .say(format!("It had not received this: {}.", look.made(expected.number)))
                .shown_by(look.maker(expected.revision)),
        )
    }
}
