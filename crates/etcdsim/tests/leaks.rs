//! Oracle Z in whole runs: each number that a member gives is compared with a bound, and each bound with a number.

use std::collections::BTreeSet;

use etcdsim::{Additions, Case, Oracle};

#[test]
fn each_count_is_compared_and_each_number_has_a_bound() {
    let rows: BTreeSet<&str> =
        etcdsim::verify::leaks::counts::COUNTS.iter().map(|count| count.name).collect();
    let mut compared = BTreeSet::new();
    for scenario in ["leaks", "users", "jepsen-lock"] {
        let path = format!("{}/../../scenarios/{scenario}.toml", env!("CARGO_MANIFEST_DIR"));
        let case = Case::load(path.as_ref()).expect("a scenario");
        let outcome = Additions::default().run(&case.plan(0)).expect("the simulator runs");
        assert!(outcome.verdict.count(Oracle::Z) > 0, "{scenario}: nothing was compared");
        let record = outcome.record;
        let calm = if scenario == "leaks" { 1 } else { 0 };
        assert_eq!(record.kept.len(), 1 + calm, "{scenario}: one at the end, and one after the calm phase");
        for (name, _) in record.kept.iter().flat_map(|kept| &kept.members).flat_map(|member| &member.counts) {
            assert!(rows.contains(name), "no bound for `{name}`: add a row to `verify/src/leaks/counts.rs`");
        }
        compared.extend(record.stats.leaks.into_keys());
    }
    let never: Vec<_> = rows.iter().filter(|name| !compared.contains(**name)).collect();
    assert!(never.is_empty(), "no member gave a number for {never:?}, or no bound was known");
}
