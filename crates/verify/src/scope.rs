//! Reports the parts of a history that no oracle looked at, so that "nothing found" is not mistaken for "checked".
//!
//! Most oracles report themselves what they could not judge ([`Sheet::not_judged`]). This file covers the oracles
//! that need more than a history from elsewhere has. For each it lists which parts of a history the oracle judges. If
//! the history has such parts, and the oracle checked nothing and reported nothing, this file reports them as not
//! judged.

use api::{Request, Response};
use record::{History, Operation};

use crate::model::auth;
use crate::{Context, Missing, Oracle, Sheet};

/// One kind of thing in a history that an oracle judges.
struct Subject {
    oracle: Oracle,
    /// The checks of the oracle that count it; if empty, all its checks.
    checks: &'static [&'static str],
    /// The name of such things in the report.
    what: &'static str,
    /// How many of them a history has.
    count: fn(&History) -> usize,
    /// What the oracle would need to judge them.
    missing: Missing,
}

const SUBJECTS: [Subject; 7] = [
    Subject {
        oracle: Oracle::K1,
        checks: &["answers checked against the caller's rights"],
        what: "changes of users and rights",
        count: |history| answered(history, |operation| auth::changes_auth(&operation.request)),
        missing: Missing::AppliedEntries,
    },
    Subject {
        oracle: Oracle::K1,
        checks: &["alarms"],
        what: "requests about alarms",
        count: |history| answered(history, |operation| matches!(operation.request, Request::Alarm(_))),
        missing: Missing::AppliedEntries,
    },
    Subject {
        oracle: Oracle::W11,
        checks: &[],
        what: "open streams that must have received everything by the end",
        count: |history| history.watches.iter().filter(|stream| stream.ended.is_none()).count(),
        missing: Missing::Run,
    },
    Subject {
        oracle: Oracle::C1,
        checks: &[],
        what: "views of clients' copies",
        count: |history| history.caches.len(),
        missing: Missing::Store,
    },
    Subject {
        oracle: Oracle::L1,
        checks: &[],
        what: "leases that may have ended before their time",
        count: |history| answered(history, |operation| matches!(operation.request, Request::LeaseGrant(_))),
        missing: Missing::AppliedEntries,
    },
    Subject {
        oracle: Oracle::L2,
        checks: &[],
        what: "leases that may have stayed after their time",
        count: |history| answered(history, |operation| matches!(operation.request, Request::LeaseGrant(_))),
        missing: Missing::Run,
    },
    Subject {
        oracle: Oracle::L3,
        checks: &[],
        what: "answers about leases",
        count: |history| answered(history, is_about_leases),
        missing: Missing::AppliedEntries,
    },
];

/// How many of the operations for which `is_meant` is true were answered.
fn answered(history: &History, is_meant: impl Fn(&Operation) -> bool) -> usize {
    history
        .operations
        .iter()
        .filter(|operation| operation.response().is_some() && is_meant(operation))
        .count()
}

fn is_about_leases(operation: &Operation) -> bool {
    matches!(
        operation.response(),
        Some(Response::LeaseKeepAlive(_) | Response::LeaseTimeToLive(_) | Response::LeaseLeases(_))
    )
}

/// Reports what no oracle looked at. It must run after all judges. A record with evidence has all that they need, so
/// nothing is reported.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    if !context.applied().is_empty() {
        return;
    }
    for subject in &SUBJECTS {
        let looked = sheet.looked_at(subject.oracle, subject.checks);
        let said = sheet.has_not_judged(subject.oracle, subject.what)
            || subject.checks.is_empty() && sheet.has_not_judged(subject.oracle, "");
        if !looked && !said {
            let count = (subject.count)(context.history());
            sheet.not_judged(subject.oracle, subject.what, count, subject.missing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::Record;

    #[test]
    fn an_empty_history_leaves_nothing_out() {
        let (record, expectations) = (Record::default(), crate::Expectations::default());
        let mut sheet = Sheet::default();
        judge(&Context::new(&record, &expectations), &mut sheet);
        assert!(sheet.into_verdict().not_judged.is_empty());
    }
}
