//! What a history has and no oracle looked at.
//!
//! Most oracles report themselves what they could not judge ([`Sheet::not_judged`]). This file has the rest: for each
//! oracle that needs more than a history from elsewhere has, which of its operations are the oracle's business. If the
//! oracle checked nothing although there are such operations, and did not say so itself, they were not judged. So
//! "held" never stands for an oracle that looked at nothing.

use api::{Request, Response};
use record::{History, Operation};

use crate::model::auth;
use crate::{Context, Missing, Oracle, Sheet};

/// What an oracle judges in a history.
struct Business {
    oracle: Oracle,
    /// The checks that look at it; all of the oracle's if empty.
    checks: &'static [&'static str],
    what: &'static str,
    count: fn(&History) -> usize,
    missing: Missing,
}

const BUSINESS: [Business; 7] = [
    Business {
        oracle: Oracle::K1,
        checks: &["answers checked against the caller's rights"],
        what: "changes of users and rights",
        count: |history| answered(history, |operation| auth::changes_auth(&operation.request)),
        missing: Missing::AppliedEntries,
    },
    Business {
        oracle: Oracle::K1,
        checks: &["alarms"],
        what: "requests about alarms",
        count: |history| answered(history, |operation| matches!(operation.request, Request::Alarm(_))),
        missing: Missing::AppliedEntries,
    },
    Business {
        oracle: Oracle::W11,
        checks: &[],
        what: "open streams that must have received everything by the end",
        count: |history| history.watches.iter().filter(|stream| stream.ended.is_none()).count(),
        missing: Missing::Run,
    },
    Business {
        oracle: Oracle::C1,
        checks: &[],
        what: "views of clients' copies",
        count: |history| history.caches.len(),
        missing: Missing::Store,
    },
    Business {
        oracle: Oracle::L1,
        checks: &[],
        what: "leases that may have ended before their time",
        count: |history| answered(history, |operation| matches!(operation.request, Request::LeaseGrant(_))),
        missing: Missing::AppliedEntries,
    },
    Business {
        oracle: Oracle::L2,
        checks: &[],
        what: "leases that may have stayed after their time",
        count: |history| answered(history, |operation| matches!(operation.request, Request::LeaseGrant(_))),
        missing: Missing::Run,
    },
    Business {
        oracle: Oracle::L3,
        checks: &[],
        what: "answers about leases",
        count: |history| answered(history, is_about_leases),
        missing: Missing::AppliedEntries,
    },
];

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

/// Reports what no oracle looked at. Comes after all judges. A record with evidence has all that they need.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    if !context.applied().is_empty() {
        return;
    }
    for business in &BUSINESS {
        let looked = sheet.looked_at(business.oracle, business.checks);
        let said = sheet.has_not_judged(business.oracle, business.what)
            || business.checks.is_empty() && sheet.has_not_judged(business.oracle, "");
        if !looked && !said {
            let count = (business.count)(context.history());
            sheet.not_judged(business.oracle, business.what, count, business.missing);
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
