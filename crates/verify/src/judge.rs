//! All oracles over one record.

use record::{Fact, MemberId, Nanos, Record};

use crate::k1::Premises;
use crate::model::FIRST_REVISION;
use crate::truth::Truth;
use crate::{Oracle, Verdict, caches, ends, k1, k2, k3, k4, watch};

/// What must hold beyond the oracles, and what is known beside the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectations {
    /// Least number of operations that must have been answered.
    pub answered: u64,
    /// The revision of the store when the history began.
    pub start_revision: i64,
    /// Whether others than the clients of the history wrote too. Then a revision that nothing explains proves nothing.
    pub open_world: bool,
    /// When each process was started, the first start included, in any order. Needed only where the record keeps no
    /// events; empty where it is not known, and then K2 does not hold reads against earlier ones of their member.
    pub starts: Vec<(MemberId, Nanos)>,
}

impl Default for Expectations {
    fn default() -> Self {
        Expectations { answered: 0, start_revision: FIRST_REVISION, open_world: false, starts: Vec::new() }
    }
}

/// Judges a record by K1 to K4, W1 to W12, C1, V1, V2 and the end of I8.
///
/// The invariants I1 to I9 watch the run as it goes (`invariants`), and D1 needs two runs; their violations are added
/// by whoever runs it.
pub fn judge(record: &Record, expectations: &Expectations) -> Verdict {
    let mut verdict = Verdict::default();
    let history = &record.history;
    let starts = if record.events.is_empty() { expectations.starts.clone() } else { starts(record) };
    let applied = (!record.applied.is_empty()).then_some(&record.applied[..]);

    let premises =
        Premises { applied, start_revision: expectations.start_revision, closed: !expectations.open_world };
    let k1 = k1::check(history, &premises);
    verdict.checked(Oracle::K1, "operations placed by revision and compared", k1.placed);
    verdict.checked(Oracle::K1, "of these without an answer", k1.resolved);
    verdict.checked(Oracle::K1, "errors and compactions fitted in", k1.loose);
    verdict.checked(Oracle::K1, "revisions", k1.revisions);
    verdict.violations.extend(k1.violations);
    verdict.undecided.extend(k1.undecided);

    let k2 = k2::check(history, &starts);
    verdict.checked(Oracle::K2, "serializable answers", k2.reads);
    verdict.checked(Oracle::K2, "held against earlier answers of their member", k2.compared);
    verdict.violations.extend(k2.violations);

    let k3 = k3::check(history, &record.applied, &starts);
    verdict.checked(Oracle::K3, "reads at a revision", k3.reads);
    verdict.violations.extend(k3.violations);

    let k4 = k4::check(history, &record.applied);
    verdict.checked(Oracle::K4, "acknowledged writes looked for at the end", k4.writes);
    verdict.checked(Oracle::K4, "applied entries", k4.applied);
    verdict.violations.extend(k4.violations);

    if let Some(known) = &k1.known
        && !(history.watches.is_empty() && history.caches.is_empty())
    {
        let truth =
            Truth::new(history, applied, known, expectations.start_revision, !expectations.open_world);
        watchers(record, &truth, &mut verdict);
    }

    ends::liveness(record, expectations.answered, &mut verdict);
    ends::surprises(record, &mut verdict);
    ends::equal_ends(record, &mut verdict);
    verdict.rank();
    verdict
}

/// What clients were told without asking again: by watches, and what they made of it.
fn watchers(record: &Record, truth: &Truth, verdict: &mut Verdict) {
    let watches = watch::check(record, truth);
    for (oracle, what, count) in watches.looked {
        verdict.checked(oracle, what, count);
    }
    verdict.violations.extend(watches.violations);
    verdict.undecided.extend(watches.undecided);

    let caches = caches::check(&record.history, truth);
    verdict.checked(Oracle::C1, "views of clients' copies", caches.views);
    verdict.checked(Oracle::C1, "pairs in them", caches.pairs);
    verdict.violations.extend(caches.violations);
    verdict.undecided.extend(caches.undecided);
}

fn starts(record: &Record) -> Vec<(MemberId, Nanos)> {
    let started = |event: &&record::Event| matches!(event.fact, Fact::Started { .. });
    record.events.iter().filter(started).map(|event| (event.member, event.time)).collect()
}
