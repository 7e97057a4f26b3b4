//! W12: watchers are created and cancelled in order, and for the right reasons.
//!
//! * Creations are answered in the order in which they were sent, each with the id that follows from what was sent.
//!   What must be refused is refused (`mvcc: watcher range is empty`, `mvcc: duplicate watch ID provided on the
//!   WatchStream`, a negative start revision as compacted), and nothing else is, except for lack of rights.
//! * No response is for a watcher that does not exist yet, or no longer.
//! * A watcher is cancelled because its client asked, or because it needs revisions that had been compacted. Then the
//!   response names the revision that was compacted to.
//! * A watcher that needs compacted revisions is cancelled; it does not skip them.
//!
//! Not checked: that a cancellation is answered; that a watcher which its client has given up is told of a compaction;
//! which users may watch what, except that none is refused before authentication can have been enabled; the header of a
//! cancellation; whether an id is free again after a compaction cancelled its watcher, because versions of etcd differ;
//! which compactions there were, if clients outside the history wrote too.

use api::{Error, Request};
use record::{Nanos, Outcome, WatchStream};

use super::gaps::{self, Where};
use super::ledger::Ledger;
use super::stream::{End, Transcript, Wrong};
use super::w11_delivery::given_up;
use super::{Look, lines, said, seen};
use crate::answer::NOT_RECORDED;
use crate::definite::is_definite;
use crate::{Oracle, Severity, Violation, describe};

/// Checks how a watcher was created and cancelled.
pub fn check(look: &Look<'_>, ledger: &Ledger<'_>, looked: &mut usize) -> Option<Violation> {
    let found = cancelled(look, ledger, looked).or_else(|| kept(look, ledger, looked));
    found.or_else(|| passed_over(look, ledger))
}

/// Checks the reason of a watcher that a compaction cancelled.
fn cancelled(look: &Look<'_>, ledger: &Ledger<'_>, looked: &mut usize) -> Option<Violation> {
    let Some(End::Compacted { at, revision, response }) = ledger.watcher.end else { return None };
    *looked += 1;
    let recorded = revision != NOT_RECORDED;
    let wrong = |title: &str| {
        let compacted = if recorded { format!("compacted at {revision}") } else { "compacted".to_string() };
        seen(ledger.watcher, Oracle::W12, at, title, &[response])
            .say(format!("At {} it was cancelled: {compacted}.", describe::time(at)))
    };
    let needs = ledger.newest().map_or(ledger.first, |newest| ledger.first.max(newest.saturating_add(1)));
    let knows_first = ledger.watcher.request.start_revision >= 0 && ledger.first != i64::MAX;
    if !recorded {
        let none = !look.truth.may_be_compacted(needs, at);
        return (knows_first && none).then(|| {
            wrong("a watcher was cancelled by a compaction that never was")
                .say(format!("It needed revision {needs} and later; no compaction can have removed these."))
        });
    }
    let happened = look.truth.compactions_by(at).any(|compaction| compaction.revision == revision);
    if look.truth.is_sure_of_compactions() && !happened {
        let violation = wrong("a watcher was cancelled by a compaction that never was");
        return Some(violation.say(format!("Nothing had been compacted at revision {revision} yet.")));
    }
    (knows_first && needs >= revision).then(|| {
        wrong("a watcher was cancelled by a compaction that removed nothing it needed")
            .say(format!("It needed nothing before revision {needs}."))
    })
}

/// Finds compacted revisions that a watcher skipped.
fn passed_over(look: &Look<'_>, ledger: &Ledger<'_>) -> Option<Violation> {
    let gap = gaps::find(ledger, look.truth, Where::Compacted)?;
    let title = "a watcher skipped compacted revisions without being cancelled";
    let responses = [gap.jump.response];
    let violation = seen(ledger.watcher, Oracle::W12, gap.jump.at, title, &responses);
    Some(
        violation
            .of_severity(Severity::Lost)
            .say(format!("It received {}; {} before that never came.", said(gap.jump), gap.count))
            .say(format!("The first of these: {}.", look.made(gap.number)))
            .say("They can have been compacted before that; it should have been cancelled for that reason.")
            .shown_by(look.maker(gap.revision)),
    )
}

/// Checks that a watcher whose first revisions were compacted before it was created was cancelled.
fn kept(look: &Look<'_>, ledger: &Ledger<'_>, looked: &mut usize) -> Option<Violation> {
    let watcher = ledger.watcher;
    let start = watcher.request.start_revision;
    if start <= 0 || watcher.end.is_some() {
        return None;
    }
    let reached = ledger.newest().unwrap_or(0);
    let gone = |compaction: &&crate::truth::Compaction| {
        // The watcher's member was already past the entry of the compaction, so it had compacted.
        compaction.after.is_some_and(|after| after < watcher.revision) && compaction.revision > start
    };
    let compaction = look.truth.compactions().iter().filter(gone).max_by_key(|one| one.revision)?;
    let due = look.is_due(watcher.stream, watcher.created) && !given_up(watcher);
    if !due && reached < compaction.revision {
        return None;
    }
    *looked += 1;
    let title = "a watcher that needs compacted revisions was not cancelled";
    let at = watcher.stream.received.last().map_or(watcher.created, |(at, _)| *at);
    Some(
        seen(watcher, Oracle::W12, at, title, &[])
            .say(format!(
                "Its member was at revision {} then; at revision {} it had compacted to {}.",
                watcher.revision,
                compaction.after.unwrap_or(0),
                compaction.revision
            ))
            .say("It was never notified that what it asked for is gone."),
    )
}

/// Finds a response that should not have come.
pub fn slips(look: &Look<'_>, stream: &WatchStream, transcript: &Transcript<'_>) -> Option<Violation> {
    transcript.slips.iter().find_map(|slip| {
        let (at, response) = &stream.received[slip.response];
        let (title, sentence) = describe_wrong(look, *at, &response.cancel_reason, &slip.what)?;
        let violation = Violation::new(Oracle::W12, *at, title);
        let member = describe::by_member(" with", stream.member);
        let who = format!("Client {} had a stream of watchers{member}.", stream.client);
        Some(violation.say(who).say(sentence).seen_in(lines(stream, &[slip.response])))
    })
}

/// A title and a sentence for a wrong response; `None` if it may be right after all, or if another oracle reports it.
fn describe_wrong(
    look: &Look<'_>,
    at: Nanos,
    reason: &str,
    wrong: &Wrong<'_>,
) -> Option<(&'static str, String)> {
    let asked = |request| format!("It had asked to watch {}", describe::watcher(request));
    Some(match wrong {
        Wrong::NotAsked => {
            ("a watcher was created that nobody had asked for", "Every creation had its answer.".to_string())
        }
        Wrong::Id(id, request) => (
            "a watcher has the wrong id",
            format!("{}; by what was sent before, its id is {id}.", asked(request)),
        ),
        Wrong::Accepted(reason, request) => (
            "a watcher was created that should have been refused",
            format!("{}, which etcd refuses with \"{reason}\".", asked(request)),
        ),
        Wrong::Refused(request) => (
            "a watcher was refused without a reason",
            format!("{}; \"{reason}\" is not a reason to refuse that.", asked(request)),
        ),
        Wrong::RefusedUser(request) => {
            // If clients outside the history may have compacted, they may have enabled authentication, too.
            if !look.truth.is_sure_of_compactions() || may_ask_for_users(look, at) {
                return None;
            }
            (
                "a watcher was refused without a reason",
                format!("{}; authentication had not been enabled.", asked(request)),
            )
        }
        Wrong::NoWatcher => (
            "a response is for a watcher that does not exist",
            "It was not created yet, or had ended.".to_string(),
        ),
        Wrong::Cancelled => (
            "a watcher was cancelled without a reason",
            "Its client had not asked for that, and no compaction is named.".to_string(),
        ),
        Wrong::Mixed => (
            "a response is two things at once",
            "It creates a watcher and carries events, or names a compaction and does not cancel.".to_string(),
        ),
        Wrong::Fragment | Wrong::Between => return None,
    })
}

/// Whether authentication can have been enabled.
fn may_ask_for_users(look: &Look<'_>, at: Nanos) -> bool {
    let refused = |outcome: &Outcome| matches!(outcome, Outcome::Error { error, .. } if is_definite(*error) || *error == Error::RootUserNotExist);
    look.record.history.operations.iter().any(|operation| {
        matches!(operation.request, Request::AuthEnable(_))
            && operation.call <= at
            && !refused(&operation.outcome)
    })
}
