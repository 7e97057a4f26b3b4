//! All oracles over one record.

use record::{Fact, MemberId, Nanos, Observer, Record, WatchStream};

use crate::k1::{Known, Premises};
use crate::leases::{Lessors, Terms};
use crate::model::FIRST_REVISION;
use crate::truth::Truth;
use crate::{
    Oracle, Verdict, agreement, caches, ends, hash_kv, k1, k2, k3, k4, leases, locks, membership, watch,
};

/// What must hold beyond the oracles, and what is known beside the record.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectations {
    /// Least number of operations that must have been answered.
    pub answered: u64,
    /// The revision of the store when the history began.
    pub start_revision: i64,
    /// What was watched beside the streams of the history. It is taken for evidence, and not judged itself.
    pub watched: Vec<WatchStream>,
    /// Whether orders that were found are also walked through by a validator, which takes about as long as all other
    /// judging together.
    pub validate: bool,
    /// Whether others than the clients of the history wrote too. Then a revision that nothing explains proves nothing.
    pub open_world: bool,
    /// When each process was started, the first start included, in any order. Needed only where the record keeps no
    /// events; empty where it is not known, and then K2 does not hold reads against earlier ones of their member.
    pub starts: Vec<(MemberId, Nanos)>,
    /// Rates of the slowest and the fastest clock of any member, in millionths of true time; the slowest is not 0.
    pub clock_rates: (u32, u32),
    /// How long after its time a lease may stay in a cluster that is well.
    pub lease_bound: Nanos,
    /// What a new leader adds to the time of every lease: an election timeout.
    pub lease_extension: Nanos,
    /// How often the time that leases have left is agreed on and kept over changes of leader; `None` where it is not.
    pub lease_checkpoint: Option<Nanos>,
    /// When somebody looked after the leases ([`Lessors::spans`]). Needed only where the record keeps no events.
    pub lessors: Vec<(Nanos, Nanos)>,
    /// Whether the space of any member can come to its end. If not, nobody may be refused for want of it.
    pub quota: bool,
}

impl Default for Expectations {
    fn default() -> Self {
        Expectations {
            answered: 0,
            start_revision: FIRST_REVISION,
            watched: Vec::new(),
            validate: true,
            open_world: false,
            starts: Vec::new(),
            clock_rates: (1_000_000, 1_000_000),
            lease_bound: 10_000_000_000,
            lease_extension: 1_000_000_000,
            lease_checkpoint: None,
            lessors: Vec::new(),
            quota: true,
        }
    }
}

/// Judges a record by K1 to K4, W1 to W12, C1, L1 to L3, M1, M2, V1, V2 and what of I8 clients and the end show.
///
/// The invariants I1 to I10 watch the run as it goes (`invariants`), and D1 needs two runs; their violations are added
/// by whoever runs it.
pub fn judge(record: &Record, expectations: &Expectations) -> Verdict {
    let mut verdict = Verdict::default();
    let history = &record.history;
    let starts = if record.events.is_empty() { expectations.starts.clone() } else { starts(record) };
    let applied = (!record.applied.is_empty()).then_some(&record.applied[..]);

    let premises = Premises {
        applied,
        watched: &expectations.watched,
        start_revision: expectations.start_revision,
        closed: !expectations.open_world,
    };
    let k1 = k1::check(history, &premises);
    verdict.checked(Oracle::K1, "operations placed by revision and compared", k1.placed);
    verdict.checked(Oracle::K1, "of these without an answer", k1.resolved);
    verdict.checked(Oracle::K1, "errors and compactions fitted in", k1.loose);
    verdict.checked(Oracle::K1, "revisions", k1.revisions);
    verdict.checked(Oracle::K1, "entries that members asked for themselves", k1.own);
    verdict.checked(Oracle::K1, "answers held against the rights of who asked", k1.rights);
    verdict.violations.extend(k1.violations);
    verdict.undecided.extend(k1.undecided);

    let k2 = k2::check(history, &starts);
    verdict.checked(Oracle::K2, "serializable answers", k2.reads);
    verdict.checked(Oracle::K2, "held against earlier answers of their member", k2.compared);
    verdict.violations.extend(k2.violations);

    let k3 = k3::check(history, &record.applied, &starts, premises.closed);
    verdict.checked(Oracle::K3, "reads at a revision", k3.reads);
    verdict.violations.extend(k3.violations);

    let k4 = k4::check(history, &record.applied, premises.closed);
    verdict.checked(Oracle::K4, "acknowledged writes looked for at the end", k4.writes);
    verdict.checked(Oracle::K4, "applied entries", k4.applied);
    verdict.violations.extend(k4.violations);

    if verdict.violations.is_empty() && verdict.undecided.is_empty() {
        let agreement = agreement::check(record, expectations, k1.known.as_ref());
        verdict.checked(Oracle::K1, "operations that a second engine put in order", agreement.confirmed);
        verdict.checked(
            Oracle::K1,
            "parts of operations put in order by their values alone",
            agreement.parts,
        );
        verdict.checked(Oracle::K1, "keys with such an order", agreement.keys);
    }

    if let Some(known) = &k1.known
        && !(history.watches.is_empty() && history.caches.is_empty())
    {
        let truth =
            Truth::new(history, applied, known, expectations.start_revision, !expectations.open_world);
        watchers(record, &truth, &mut verdict);
    }

    leases_and_locks(record, expectations, k1.known.as_ref(), &mut verdict);
    let members = membership::check(history);
    verdict.checked(Oracle::M2, "answers that list the members", members.lists);
    verdict.checked(Oracle::M2, "changes of the members that were acknowledged", members.changes);
    verdict.violations.extend(members.violations);

    let hashes = hash_kv::check(history, &record.applied, &starts);
    verdict.checked(Oracle::I8, "hashes of keys that clients were told", hashes.hashes);
    verdict.checked(Oracle::I8, "of these held against another", hashes.compared);
    verdict.violations.extend(hashes.violations);

    ends::liveness(record, expectations.answered, &mut verdict);
    ends::space(record, expectations.quota, &mut verdict);
    ends::surprises(record, &mut verdict);
    ends::equal_ends(record, &mut verdict);
    verdict.rank();
    verdict
}

fn leases_and_locks(
    record: &Record,
    expectations: &Expectations,
    known: Option<&Known>,
    verdict: &mut Verdict,
) {
    let lessors = if record.events.is_empty() { expectations.lessors.clone() } else { lessors(record) };
    let terms = Terms {
        clock_rates: expectations.clock_rates,
        bound: expectations.lease_bound,
        extension: expectations.lease_extension,
        checkpoint: expectations.lease_checkpoint,
        lessors,
        healed: record.healed,
        end: record.stats.virtual_ns,
    };
    if !record.applied.is_empty() {
        let leases = leases::check(&record.history, &record.applied, known, &terms);
        verdict.checked(Oracle::L1, "leases whose time was over", leases.expired);
        verdict.checked(Oracle::L2, "leases held against the latest moment of their end", leases.timed);
        verdict.checked(Oracle::L3, "answers about leases", leases.told);
        verdict.violations.extend(leases.violations);
    }
    if let Some(known) = known {
        let locks = locks::check(&record.history, &record.applied, known);
        verdict.checked(Oracle::M1, "answers of the lock and election services", locks.answers);
        verdict.checked(Oracle::M1, "writes guarded by a token", locks.guarded);
        verdict.checked(Oracle::M1, "times that a lock was held, by the clock", locks.held);
        verdict.checked(Oracle::M1, "of these beside another (shown, not judged)", locks.beside);
        verdict.violations.extend(locks.violations);
    }
}

fn lessors(record: &Record) -> Vec<(Nanos, Nanos)> {
    let mut lessors = Lessors::default();
    record.events.iter().for_each(|event| lessors.event(event));
    lessors.spans()
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
