//! Compares the engines on every history that is judged: no other engine may reject what `k1` accepts.
//!
//! 1. The crate `revision` gets `k1`'s explanation of the revisions that no answer acknowledges. It must find an
//!    order of the operations with a replay of its own, and its validator must confirm that order
//!    ([`crate::by_revision`]).
//! 2. The crate `linear` judges each key's values as a register ([`crate::general::values`]). It uses neither
//!    revisions nor evidence.
//!
//! Neither shares code with `k1`, except the list of definite errors and the places of answers. That they accept what
//! `k1` rejects proves nothing, because both check less than `k1` does. That direction is tested on small histories
//! with the whole model (`tests/cross_check.rs`).
//!
//! A disagreement is a bug of ours, in one of the engines, and the run ends with a panic.

use linear::{Budget, Verdict};
use record::{History, Record};

use crate::by_revision::ByRevision;
use crate::describe;
use crate::general::values::ByKey;
use crate::k1::{Known, calls_services};
use crate::model::FIRST_REVISION;
use crate::{Context, Expectations, Oracle, Sheet};

/// How many steps the crate `linear` may take for all keys together. This is more than it needs for any run if the
/// values are unique, and takes little time compared with the run itself.
const STEPS_MAX: u64 = 200_000;
/// How much memory it may take, in bytes.
const BYTES_MAX: usize = 64 << 20;

/// What was compared.
#[derive(Default)]
struct Agreement {
    /// Operations in the order that `revision` found and its validator confirmed.
    confirmed: usize,
    /// Parts of operations that were ordered by their values, key by key.
    parts: usize,
    /// Keys that were judged this way; 0 if the budget ran out.
    keys: usize,
}

/// Has the other engines judge a record in which no violation was found so far.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    if !sheet.is_clean() {
        return;
    }
    let agreement = check(context.record, context.expectations, context.known());
    sheet.checked(Oracle::K1, "operations that a second engine put in order", agreement.confirmed);
    sheet.checked(Oracle::K1, "parts of operations put in order by their values alone", agreement.parts);
    sheet.checked(Oracle::K1, "keys with such an order", agreement.keys);
}

/// Has the other engines judge a history in which `k1` found nothing wrong.
///
/// # Panics
/// If one of them rejects the history: then one of the three engines is wrong.
fn check(record: &Record, expectations: &Expectations, known: Option<&Known>) -> Agreement {
    let history = &record.history;
    let mut agreement = Agreement::default();
    if expectations.open_world {
        return agreement;
    }
    if let Some(known) = known {
        agreement.confirmed = confirmed(history, expectations, known);
    }
    let services = record.applied.is_empty() && calls_services(history);
    if expectations.start_revision == FIRST_REVISION && !services {
        by_values(record, &mut agreement);
    }
    agreement
}

/// Lets the crate `revision` confirm the order of `k1`. Returns how many operations it confirmed.
fn confirmed(history: &History, expectations: &Expectations, known: &Known) -> usize {
    let Ok(taken) = ByRevision::new(history, expectations.start_revision, known) else { return 0 };
    let verdict = taken.check();
    if expectations.validate
        && let Err(why) = taken.validate(&verdict)
    {
        panic!("the crate `revision` says {verdict:?}, but its validator: {why}. One of the two is wrong");
    }
    match verdict {
        revision::Verdict::Linearizable(found) => found.order(&taken.history).len(),
        revision::Verdict::Undecided(_) => 0,
        revision::Verdict::Violation(violation) => {
            let numbers = violation.operations.iter().map(|number| taken.numbers[*number as usize] as usize);
            disagree(history, "the revisions", &violation.to_string(), numbers)
        }
    }
}

/// Lets the crate `linear` judge each key.
fn by_values(record: &Record, agreement: &mut Agreement) {
    let history = &record.history;
    let parts = ByKey::new(history, &record.applied);
    let budget = Budget {
        steps_max: STEPS_MAX,
        bytes_max: BYTES_MAX,
        explain_steps_max: STEPS_MAX,
        ..Budget::default()
    };
    let report = parts.check(&budget);
    agreement.parts = parts.history.len();
    match report.verdict {
        Verdict::Linearizable(_) => agreement.keys = report.components,
        Verdict::Undecided(_) => {}
        Verdict::NotLinearizable(violation) => {
            let conflict = &violation.conflict.operations;
            let key = conflict.first().map_or(String::new(), |part| parts.key_of(*part));
            let what = format!("the values of key {key} cannot be put in order");
            disagree(history, "the values", &what, parts.operations(conflict).into_iter())
        }
    }
}

/// Panics, naming the operations about which the engines disagree.
fn disagree(history: &History, by: &str, what: &str, numbers: impl Iterator<Item = usize>) -> ! {
    let lines =
        numbers.map(|number| format!("\n  #{number} {}", describe::operation(&history.operations[number])));
    panic!(
        "the engines disagree: `k1` finds nothing wrong, but, judged by {by}: {what}. Either `k1` overlooks a violation or the other engine invents one:{}",
        lines.collect::<String>()
    )
}
