//! Prints the report of `etcdsim run` for CI servers: JUnit's XML, with a suite for each scenario and a test case for
//! each seed.
//!
//! A violation is a `failure` of a test case. A run without a verdict is an `error`.

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use crate::report::{CaseReport, End, Report, SeedRun};
use crate::show::human;

/// The report as XML. `replay` gives the command that replays a run.
pub fn report(report: &Report, replay: &dyn Fn(&CaseReport, &SeedRun) -> String) -> String {
    let mut junit = Junit::new("etcdsim");
    junit.set_time(report.wall);
    for scenario in &report.cases {
        let mut suite = TestSuite::new(scenario.case.name.as_str());
        suite.set_time(scenario.wall());
        suite.add_test_cases(scenario.runs.iter().map(|run| test_case(scenario, run, replay)));
        junit.add_test_suite(suite);
    }
    junit.to_string().expect("the text of a report is free of what XML cannot hold: quick-junit strips it")
}

/// A run of a scenario as a test case.
fn test_case(
    scenario: &CaseReport,
    run: &SeedRun,
    replay: &dyn Fn(&CaseReport, &SeedRun) -> String,
) -> TestCase {
    let mut test = TestCase::new(format!("seed {}", run.seed), status(run));
    test.set_classname(format!("etcdsim.{}", scenario.case.name));
    test.set_time(run.wall);
    test.add_property(("trace_hash", run.trace_hash.to_string().as_str()));
    if !matches!(run.end, End::Held) {
        test.set_system_out(replay(scenario, run));
    }
    test
}

/// Whether the test case succeeded, failed, or ended with an error.
fn status(run: &SeedRun) -> TestCaseStatus {
    let (kind, name, message, text) = match &run.end {
        End::Held => return TestCaseStatus::success(),
        End::Violated(failure) => {
            let mut text = String::new();
            human::failure(&mut text, failure).expect("a String takes everything");
            let worst = failure.worst();
            (NonSuccessKind::Failure, worst.oracle.id(), worst.title.clone(), text)
        }
        End::Undecided(sentences) => (
            NonSuccessKind::Error,
            "undecided",
            "the checker could not decide whether the run is correct".to_string(),
            sentences.join("\n"),
        ),
        End::Diverged(divergence) => {
            (NonSuccessKind::Error, "D1", "not deterministic".to_string(), human::divergence(divergence))
        }
        End::Collapsed(said) => {
            (NonSuccessKind::Error, "harness", "the simulator itself failed".to_string(), said.clone())
        }
    };
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_type(name)
        .set_message(message)
        .set_description(anstream::adapter::strip_str(&text).to_string());
    status
}
