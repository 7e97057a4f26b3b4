//! W4: all changes of one revision reach a watcher in one response.
//!
//! If the watcher asked for fragments, a response may come in several, one right after another. All but the last are
//! marked as fragments; together they count as one response.
//!
//! Not checked: how large a response must be before it is split; a response whose last fragments were still under way
//! when the stream ended; whether all of a revision arrived, if the truth of that revision is not known.

use std::collections::BTreeMap;

use record::WatchStream;

use super::ledger::{Expected, Ledger};
use super::stream::{Reply, Transcript, Wrong};
use super::{Look, lines, seen};
use crate::{Oracle, Violation, describe};

/// Checks that no revision's changes came in parts.
pub fn check(look: &Look<'_>, ledger: &Ledger<'_>, looked: &mut usize) -> Option<Violation> {
    split(ledger).or_else(|| torn(look, ledger, looked))
}

/// Finds a revision whose changes came in two responses.
fn split(ledger: &Ledger<'_>) -> Option<Violation> {
    // By revision: which delivery was its first. Those that came in the order of revisions are in a list, which costs
    // less than a map.
    let mut rising: Vec<(i64, usize)> = Vec::new();
    let mut others: BTreeMap<i64, usize> = BTreeMap::new();
    let mut last = None;
    for (at, delivery) in ledger.deliveries.iter().enumerate() {
        if delivery.again || last == Some((delivery.revision, delivery.reply)) {
            continue;
        }
        last = Some((delivery.revision, delivery.reply));
        if rising.last().is_none_or(|(newest, _)| *newest < delivery.revision) {
            rising.push((delivery.revision, at));
            continue;
        }
        let first = match rising.binary_search_by_key(&delivery.revision, |(revision, _)| *revision) {
            Ok(found) => rising[found].1,
            Err(_) => *others.entry(delivery.revision).or_insert(at),
        };
        let first = &ledger.deliveries[first];
        if first.reply != delivery.reply {
            let title = "the changes of one revision came in two responses";
            let responses = [first.response, delivery.response];
            let violation = seen(ledger.watcher, Oracle::W4, delivery.at, title, &responses);
            let revision = delivery.revision;
            return Some(violation.say(format!("Revision {revision} is one write, and comes as one.")));
        }
    }
    None
}

/// Finds a revision of which only a part arrived.
fn torn(look: &Look<'_>, ledger: &Ledger<'_>, looked: &mut usize) -> Option<Violation> {
    for revision in ledger.expected.chunk_by(|one, next| one.revision == next.revision) {
        let mut got = revision.iter().filter_map(|expected| expected.got).peekable();
        *looked += usize::from(revision.len() > 1 && got.peek().is_some());
        let Some(delivery) = got.next().map(|place| &ledger.deliveries[place as usize]) else { continue };
        let is_missing = |expected: &&Expected| {
            expected.got.is_none() && !look.truth.may_be_dropped(expected.number, delivery.at)
        };
        let missing = revision.iter().find(is_missing);
        if let Some(missing) = missing
            && matches!(&ledger.watcher.replies[delivery.reply], Reply::Batch(batch) if batch.whole)
        {
            let title = "a watcher received a part of a revision";
            let responses = [delivery.response];
            let violation = seen(ledger.watcher, Oracle::W4, delivery.at, title, &responses);
            let count = revision.iter().filter(|expected| expected.got.is_some()).count();
            return Some(
                violation
                    .say(format!(
                        "Of the {} changes of revision {} it received {count}.",
                        revision.len(),
                        missing.revision
                    ))
                    .say(format!("Missing: {}.", look.made(missing.number)))
                    .shown_by(look.maker(missing.revision)),
            );
        }
    }
    None
}

/// Finds a response of a stream that is wrong as a fragment.
pub fn slips(stream: &WatchStream, transcript: &Transcript<'_>) -> Option<Violation> {
    transcript.slips.iter().find_map(|slip| {
        let (title, sentence) = match slip.what {
            Wrong::Fragment => {
                ("a response was split unasked", "The watcher had not asked for fragments, but received one.")
            }
            Wrong::Between => (
                "something came between the fragments of a response",
                "The response before was a fragment, and this is not the next one.",
            ),
            _ => return None,
        };
        let at = stream.received[slip.response].0;
        let around = [slip.response.saturating_sub(1), slip.response];
        let violation = Violation::new(Oracle::W4, at, title);
        Some(
            violation
                .say(format!(
                    "Client {} had a stream of watchers{}.",
                    stream.client,
                    describe::by_member(" with", stream.member)
                ))
                .say(sentence)
                .seen_in(lines(stream, &around)),
        )
    })
}
