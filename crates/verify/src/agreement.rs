//! The engines against each other: on every history that is judged, the general engine must not refuse what the
//! revision engine accepts.
//!
//! Each key's values are judged as a register ([`crate::general::values`]), which knows neither revisions nor evidence
//! and shares no code with `k1` but the list of definite errors. The other direction says nothing, since values alone
//! allow more than etcd does; it is tested on small histories with the whole model (`tests/cross_check.rs`).
//!
//! A disagreement is a bug of ours, in whichever engine, and ends the run as one.

use linear::{Budget, Verdict};
use record::{History, Record};

use crate::Expectations;
use crate::describe;
use crate::general::values::ByKey;
use crate::model::FIRST_REVISION;

/// More than any run's keys need whose values are unique, and little beside the run itself.
const STEPS_MAX: u64 = 200_000;
const BYTES_MAX: usize = 64 << 20;

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Parts of operations that were ordered, key by key.
    pub parts: usize,
    /// Keys that were judged; 0 where the budget ended.
    pub keys: usize,
}

/// Judges the values of a history that the revision engine found nothing wrong with.
///
/// # Panics
/// If the values of a key cannot be put in order: then one of the engines is wrong.
pub fn check(record: &Record, expectations: &Expectations) -> Agreement {
    let history = &record.history;
    let whole = expectations.start_revision == FIRST_REVISION && !expectations.open_world;
    if !whole || record.applied.is_empty() && has_services(history) {
        return Agreement::default();
    }
    let parts = ByKey::new(history, &record.applied);
    let budget = Budget {
        steps_max: STEPS_MAX,
        bytes_max: BYTES_MAX,
        explain_steps_max: STEPS_MAX,
        ..Budget::default()
    };
    let report = parts.check(&budget);
    match report.verdict {
        Verdict::Linearizable(_) => Agreement { parts: parts.history.len(), keys: report.components },
        Verdict::Undecided(_) => Agreement { parts: parts.history.len(), keys: 0 },
        Verdict::NotLinearizable(violation) => {
            let conflict = &violation.conflict.operations;
            let lines = parts
                .operations(conflict)
                .into_iter()
                .map(|number| format!("\n  #{number} {}", describe::operation(&history.operations[number])));
            panic!(
                "the engines disagree: by revisions all operations have their place, but the values of key {} cannot be put in order. \
                 Either `k1` overlooks a violation or `general::values` invents one:{}",
                conflict.first().map_or(String::new(), |part| parts.key_of(*part)),
                lines.collect::<String>()
            );
        }
    }
}

/// Whether keys are written that no client names.
fn has_services(history: &History) -> bool {
    use api::Request;
    history
        .operations
        .iter()
        .any(|one| matches!(one.request, Request::Lock(_) | Request::Campaign(_) | Request::Proclaim(_)))
}
