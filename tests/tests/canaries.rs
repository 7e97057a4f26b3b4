//! A check that cannot fail is a defect: every flaw must be found by the scenario that is after it,
//! by an oracle that is meant to find it, and the same seeds must find nothing without the flaw.

use etcdsim_tests::{explained, simulation};
use libtest_mimic::{Failed, Trial};
use verify::Oracle;

/// A flaw, the scenario that catches it, and the oracles that are meant to, of which one must.
struct Canary {
    flaw: &'static str,
    scenario: &'static str,
    oracles: &'static [Oracle],
}

/// No flaw may need more seeds than this.
const MOST_SEEDS: u64 = 200;

const CANARIES: &[Canary] = &[
    Canary { flaw: "R1", scenario: "power-loss", oracles: &[Oracle::I1, Oracle::I6, Oracle::I7] },
    Canary { flaw: "R2", scenario: "power-loss", oracles: &[Oracle::K4, Oracle::I6] },
    Canary { flaw: "R3", scenario: "power-loss", oracles: &[Oracle::K4, Oracle::I5] },
    Canary { flaw: "R5", scenario: "pause-leader", oracles: &[Oracle::K1] },
    Canary { flaw: "R7", scenario: "stale-reads", oracles: &[Oracle::K1] },
    Canary { flaw: "R19", scenario: "crash-loop", oracles: &[Oracle::K1, Oracle::I4, Oracle::I8] },
    Canary { flaw: "R37", scenario: "lossy-duplicating-reordering", oracles: &[Oracle::K4] },
    Canary { flaw: "R38", scenario: "only-voter", oracles: &[Oracle::I6] },
    Canary { flaw: "M-14370", scenario: "single-member", oracles: &[Oracle::K4, Oracle::I5] },
    Canary { flaw: "M-13766", scenario: "crash-loop", oracles: &[Oracle::K1, Oracle::I7, Oracle::I8] },
    Canary { flaw: "M-15220", scenario: "issue-15220", oracles: &[Oracle::W5] },
    Canary { flaw: "M-15271", scenario: "issue-15271", oracles: &[Oracle::W3, Oracle::W12] },
    Canary { flaw: "M-17529", scenario: "issue-17529", oracles: &[Oracle::W6, Oracle::W7, Oracle::W12] },
    Canary { flaw: "M-20221a", scenario: "issue-20221", oracles: &[Oracle::W5] },
    Canary { flaw: "M-20221b", scenario: "issue-20221", oracles: &[Oracle::W6] },
    Canary { flaw: "M-20693", scenario: "negative-watch", oracles: &[Oracle::W6, Oracle::W12] },
    Canary { flaw: "M-21174", scenario: "many-watchers", oracles: &[Oracle::W12] },
    Canary { flaw: "M-22264", scenario: "many-watchers", oracles: &[Oracle::W11] },
    Canary { flaw: "M-21355", scenario: "slow-watchers", oracles: &[Oracle::W6, Oracle::W7] },
    Canary { flaw: "M-17247", scenario: "slow-watchers", oracles: &[Oracle::W3] },
    Canary { flaw: "M-17780", scenario: "issue-17780", oracles: &[Oracle::K1, Oracle::K3, Oracle::I8] },
    Canary { flaw: "M-18089", scenario: "issue-18089", oracles: &[Oracle::W6, Oracle::W7] },
    Canary { flaw: "M-19179", scenario: "issue-19179", oracles: &[Oracle::W6, Oracle::I8] },
    Canary { flaw: "M-18667", scenario: "txn-at-compacted", oracles: &[Oracle::K1, Oracle::I8] },
    Canary { flaw: "M-20418b", scenario: "pause-leader", oracles: &[Oracle::I9] },
    Canary { flaw: "M-15247", scenario: "lease-leader-stalls", oracles: &[Oracle::L1, Oracle::L3] },
    Canary { flaw: "M-17132", scenario: "lease-checkpoints", oracles: &[Oracle::L2] },
    Canary { flaw: "M-12291", scenario: "clock-jumps", oracles: &[Oracle::L1] },
    Canary { flaw: "M-lock-expired", scenario: "jepsen-lock", oracles: &[Oracle::M1] },
    Canary { flaw: "M-21737", scenario: "learner-moves", oracles: &[Oracle::M2] },
    Canary { flaw: "M-20797", scenario: "learner-forgotten", oracles: &[Oracle::M2, Oracle::I8] },
    Canary { flaw: "R11", scenario: "changes-at-once", oracles: &[Oracle::I10] },
    Canary { flaw: "R12", scenario: "joint-change", oracles: &[Oracle::I10] },
    Canary { flaw: "R13", scenario: "joint-change", oracles: &[Oracle::I10, Oracle::V1] },
    Canary { flaw: "M-14685", scenario: "defragment", oracles: &[Oracle::K1, Oracle::K4, Oracle::I8] },
    Canary { flaw: "M-20271", scenario: "defragment-during-snapshot", oracles: &[Oracle::I7, Oracle::I8] },
    Canary { flaw: "M-14571", scenario: "users-and-snapshots", oracles: &[Oracle::I8] },
    Canary { flaw: "M-11651", scenario: "users-and-snapshots", oracles: &[Oracle::I8] },
];

/// The tests, by name.
pub fn trials() -> Vec<Trial> {
    let test = |canary: &'static Canary| {
        Trial::test(format!("canaries::{}::{}", canary.flaw, canary.scenario), || catch(canary))
    };
    CANARIES.iter().map(test).collect()
}

fn catch(canary: &Canary) -> Result<(), Failed> {
    let Canary { flaw, scenario, oracles } = canary;
    let file = format!("scenarios/{scenario}.toml");
    let with = simulation(file.as_ref())?.seeds(0..MOST_SEEDS).until_first();
    let report = with.flaw(flaw).map_err(explained)?.run().map_err(explained)?;
    let seeds = report.done() as u64;
    if report.failures() == 0 {
        return Err(format!("{flaw} was not found by {scenario} in {seeds} seeds").into());
    }
    let found = report.oracles();
    if !oracles.iter().any(|oracle| found.contains(oracle)) {
        return Err(
            format!("{flaw} was found by {found:?}, where one of {oracles:?} is meant to find it").into()
        );
    }
    let without = simulation(file.as_ref())?.seeds(0..seeds);
    without.verdict().map(drop).map_err(|failure| format!("without {flaw}:\n{failure}").into())
}
