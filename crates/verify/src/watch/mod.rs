//! W1 to W12: what watchers receive.
//!
//! Most of the twelve check a promise that etcd documents for watches: filtered, ordered, unique, atomic,
//! bookmarkable, resumable, reliable. `stream` splits each stream into its watchers. `ledger` lists, for one watcher,
//! the changes that it must receive and the events that arrived; it takes the changes from [`Truth`], which is what
//! K1's replay knows of the store. Then each oracle, one file each, checks the ledgers.
//!
//! Each oracle reports at most one violation for a watcher: a watcher that missed a hundred events is one violation.
//!
//! Not checked by any of them: how late an event is while faults last; responses that were under way when a stream
//! broke; the events of one watcher against those of another (each is compared with the truth alone); member, cluster
//! and term of headers; whether a user has the right to watch. Where the truth is not known, a stream is only checked
//! for contradictions with itself.

mod gaps;
mod ledger;
pub(crate) mod reach;
pub mod stream;
mod w10_from_now_on;
mod w11_delivery;
mod w12_reasons;
mod w1_filter;
mod w2_ordered;
mod w3_unique;
mod w4_atomic;
mod w5_bookmarkable;
mod w6_resumable;
mod w7_reliable;
mod w8_prev_kv;
mod w9_is_create;

use std::collections::BTreeMap;

use record::{History, Nanos, Record, WatchStream};

use crate::answer::NOT_RECORDED;
use crate::truth::Truth;
use crate::{Context, Oracle, Sheet, Violation, describe};
use ledger::{Delivery, Ledger};
use stream::Watcher;

/// How many violations of one oracle are reported one by one; further ones are only counted.
const REPORTED_MAX: usize = 5;

/// The input of the twelve oracles.
struct Look<'a> {
    record: &'a Record,
    truth: &'a Truth,
}

/// An oracle's check of one ledger. It adds the number of things that it checked to the count.
type Check = fn(&Look<'_>, &Ledger<'_>, &mut usize) -> Option<Violation>;

/// The oracles over ledgers, and what each checks.
const CHECKS: [(Oracle, &str, Check); 12] = [
    (Oracle::W1, "events checked against keys and filters", w1_filter::check),
    (Oracle::W2, "events in their order", w2_ordered::check),
    (Oracle::W3, "events checked for repetition", w3_unique::check),
    (Oracle::W4, "revisions of several events", w4_atomic::check),
    (Oracle::W5, "progress responses and headers", w5_bookmarkable::check),
    (Oracle::W6, "watchers from a revision", w6_resumable::check),
    (Oracle::W7, "events compared with what happened", w7_reliable::check),
    (Oracle::W8, "events with the previous pair", w8_prev_kv::check),
    (Oracle::W9, "puts", w9_is_create::check),
    (Oracle::W10, "watchers from now on", w10_from_now_on::check),
    (Oracle::W11, "events that had to arrive by the end", w11_delivery::check),
    (Oracle::W12, "watchers that met a compaction", w12_reasons::check),
];

/// Whether the history has watchers, or clients' copies, which are kept by watchers.
pub(crate) fn is_watched(history: &History) -> bool {
    !(history.watches.is_empty() && history.caches.is_empty())
}

/// Judges a record by W1 to W12.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    if let (true, Some(truth)) = (is_watched(context.history()), context.truth()) {
        check(context.record, truth, sheet);
    }
}

/// Checks all streams of a record.
fn check(record: &Record, truth: &Truth, sheet: &mut Sheet) {
    let look = Look { record, truth };
    let mut report = Report::default();
    let mut looked = [0; CHECKS.len()];
    let (mut creations, mut cancellations, mut unknown) = (0, 0, 0);
    for (number, stream) in record.history.watches.iter().enumerate() {
        let transcript = stream::read(number, stream);
        creations += transcript.creations;
        cancellations += transcript.cancellations;
        report.take(w4_atomic::slips(stream, &transcript));
        report.take(w12_reasons::slips(&look, stream, &transcript));
        report.take(w11_delivery::unanswered(&look, stream, &transcript));
        for watcher in &transcript.watchers {
            let ledger = Ledger::new(watcher, truth);
            unknown += ledger.deliveries.iter().filter(|one| !truth.knows(one.revision)).count();
            for ((.., check), looked) in CHECKS.iter().zip(&mut looked) {
                report.take(check(&look, &ledger, looked));
            }
        }
    }
    for ((oracle, what, _), looked) in CHECKS.iter().zip(looked) {
        sheet.checked(*oracle, what, looked);
    }
    sheet.checked(Oracle::W12, "creations answered", creations);
    sheet.checked(Oracle::W12, "cancellations", cancellations);
    sheet.add_all(report.violations());
    if unknown > 0 {
        sheet.leave_open(format!(
            "Of {unknown} events that watchers received only the order was judged: what was in the store after revision {} is not known.",
            truth.until()
        ));
    }
}

/// The first violations of each oracle, and how many more there were.
#[derive(Default)]
struct Report {
    found: BTreeMap<Oracle, (Vec<Violation>, usize)>,
}

impl Report {
    /// Adds violations, or only counts them.
    fn take(&mut self, violations: impl IntoIterator<Item = Violation>) {
        for violation in violations {
            let (reported, more) = self.found.entry(violation.oracle).or_default();
            if reported.len() < REPORTED_MAX {
                reported.push(violation);
            } else {
                *more += 1;
            }
        }
    }

    /// All violations found. The last one of each kind says how many more there are.
    fn violations(self) -> Vec<Violation> {
        let mut all = Vec::new();
        for (mut reported, more) in self.found.into_values() {
            if let Some(last) = reported.last_mut()
                && more > 0
            {
                last.sentences.push(format!("There are {more} more of this kind."));
            }
            all.extend(reported);
        }
        all
    }
}

/// A violation about a watcher, with the responses that prove it.
fn seen(watcher: &Watcher<'_>, oracle: Oracle, at: Nanos, title: &str, responses: &[usize]) -> Violation {
    let created = match watcher.revision {
        NOT_RECORDED => String::new(),
        revision => format!(
            ", watcher {}, created at {} with revision {revision}",
            watcher.id,
            describe::time(watcher.created)
        ),
    };
    let asked = format!(
        "Client {} watched {}{} (stream {}{created}).",
        watcher.stream.client,
        describe::watcher(watcher.request),
        describe::by_member(" by", watcher.stream.member),
        watcher.number,
    );
    Violation::new(oracle, at, title).say(asked).seen_in(lines(watcher.stream, responses))
}

/// Responses of a stream, a line each.
fn lines(stream: &WatchStream, responses: &[usize]) -> Vec<String> {
    let line = |number: &usize| {
        let (at, response) = stream.received.get(*number)?;
        Some(describe::watch_response(*at, response))
    };
    responses.iter().filter_map(line).collect()
}

/// An event as part of a sentence.
fn said(delivery: &Delivery<'_>) -> String {
    match &delivery.event.kv {
        Some(kv) => format!("`{}`", describe::change(ledger::is_delete(delivery.event), kv)),
        None => "an event without a pair".to_string(),
    }
}

impl Look<'_> {
    /// A sentence about a change and the operation that made it.
    fn made(&self, number: u32) -> String {
        let event = self.truth.event(number);
        let change = describe::change(event.deleted, &event.kv);
        match self.maker(event.kv.mod_revision) {
            Some(maker) => {
                let line = describe::operation(&self.record.history.operations[maker]);
                format!("`{change}` was made by: {line}")
            }
            None => format!("`{change}` was made by no client"),
        }
    }

    /// The operation that made a revision.
    fn maker(&self, revision: i64) -> Option<usize> {
        self.truth.maker(revision).filter(|number| *number < self.record.history.operations.len())
    }
}
