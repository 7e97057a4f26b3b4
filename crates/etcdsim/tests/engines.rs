//! Judges the histories of whole runs with several engines and compares their verdicts. A validator checks every order
//! that an engine reports.

use etcdsim::{Case, run_plan};
use verify::{Expectations, Oracle, judge};

#[test]
fn a_second_engine_puts_every_run_in_order() {
    let (mut confirmed, mut parts) = (0, 0);
    for scenario in ["swarm", "power-loss", "kubernetes-cluster", "etcd-put-delete-lease"] {
        let path = format!("{}/../../scenarios/{scenario}.toml", env!("CARGO_MANIFEST_DIR"));
        let case = Case::load(path.as_ref()).expect("a scenario");
        for seed in 0..8 {
            let outcome = run_plan(&case.plan(seed)).expect("the simulator runs");
            let verdict =
                judge(&outcome.record, &Expectations { starts: outcome.starts, ..Expectations::default() });
            let count = |what: &str| {
                let checks =
                    verdict.checks.iter().filter(|check| check.oracle == Oracle::K1 && check.what == what);
                checks.map(|check| check.count).sum::<u64>()
            };
            let (placed, second) = (
                count("operations placed by revision and compared"),
                count("operations that a second engine put in order"),
            );
            assert!(second <= placed, "{scenario} {seed}: {second} of {placed}");
            confirmed += second;
            parts += count("parts of operations put in order by their values alone");
        }
    }
    assert!(
        confirmed > 5_000 && parts > 5_000,
        "only {confirmed} operations and {parts} parts were put in order"
    );
}
