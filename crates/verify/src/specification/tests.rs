//! The specification, step by step: for every rule a step that breaks it, made from a right one by a small change; and
//! whole runs that break nothing.

mod cases;
mod rig;
mod runs;

use super::rule::Rule;
use cases::CASES;

#[test]
fn every_rule_is_broken_by_a_step() {
    for case in CASES {
        let (rig, member, mut step) = (case.right)();
        (case.wrong)(&mut step);
        let found = rig.judge(member, &step);
        let rules: Vec<Rule> = found.iter().map(|finding| finding.rule).collect();
        assert!(rules.contains(&case.rule), "{:?}, {}: found {found:#?}", case.rule, case.what);
    }
}

#[test]
fn no_rule_is_broken_by_a_right_step() {
    for case in CASES {
        let (rig, member, step) = (case.right)();
        let found = rig.judge(member, &step);
        assert!(found.is_empty(), "{:?}, {}: found {found:#?}", case.rule, case.what);
    }
}

#[test]
fn every_rule_has_a_case() {
    for rule in Rule::ALL {
        assert!(CASES.iter().any(|case| case.rule == *rule), "{rule:?} has no case");
    }
}
