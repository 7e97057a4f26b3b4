//! The result of a batch of runs, as plain values. The modules in `show` turn them into text, JSON and XML.
//!
//! A *failure* is all violations of one run. Failures of one case whose first violation is of the same oracle form a
//! *group*, because they probably have the same cause.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use record::probe::Counts;
use record::{History, Operation, Probe, Stats, TraceHash};
use serde::Serialize;
use verify::{Oracle, Severity, Verdict, Violation, describe};

use crate::case::Case;
use crate::determinism::Divergence;
use crate::exit::Exit;
use crate::explain::{self, Explanation, Story};
use crate::landmarks::Landmarks;
use crate::{replay_line, signature};

/// How many failures are shown in full.
pub const SHOWN_IN_FULL: usize = 3;

/// A batch: every case, with every seed that was run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The cases, in the order in which the user named them.
    pub cases: Vec<CaseReport>,
    /// Why the batch ended.
    pub ended: Ended,
    /// Real time of the batch.
    pub wall: Duration,
}

/// Why a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Ended {
    /// Every seed was run.
    Complete,
    /// The time budget was used up.
    TimeBudget,
    /// The user pressed Ctrl-C.
    Interrupted,
    /// It stopped at the first failure.
    FirstFailure,
}

/// A case and its runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CaseReport {
    /// What was run.
    pub case: Case,
    /// How many runs were asked for.
    pub asked: usize,
    /// The runs, by seed. A run without a failure takes little memory, because a long batch has millions.
    pub runs: Vec<SeedRun>,
    /// The sum over all runs.
    pub total: Stats,
    /// In how many runs each probe was reached.
    pub reached: Counts,
    /// Peak memory of the whole process by the end of this case's last run, in bytes.
    pub peak_rss_bytes: u64,
}

/// One run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SeedRun {
    /// Its seed.
    pub seed: u64,
    /// The hash over all its events.
    pub trace_hash: TraceHash,
    /// Real time, including the judges.
    pub wall: Duration,
    /// Real time of the judges.
    pub check: Duration,
    /// Why no client asked the cluster anything, as the end of a sentence; `None` if one did.
    pub idle: Option<&'static str>,
    /// How it ended.
    pub end: End,
    /// If it failed, what it reached, to be saved with its plan.
    pub landmarks: Option<Box<Landmarks>>,
    /// If it is a saved plan: what the failing run reached and this one does not.
    pub strayed: Vec<String>,
}

/// How a run ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum End {
    /// There is no violation, and everything was decided.
    Held,
    /// There is a violation.
    Violated(Failure),
    /// There is no violation, but a judge could not decide something: the reasons, a sentence each.
    Undecided(Vec<String>),
    /// The plan took different steps when it was run again (oracle D1).
    Diverged(Box<Divergence>),
    /// The simulator, an oracle, an observer or a workload panicked: the text of the panic.
    Collapsed(String),
}

/// How often a probe was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reached {
    /// The probe.
    pub probe: Probe,
    /// How often, over all runs.
    pub times: u64,
    /// In how many runs.
    pub seeds: usize,
}

/// Violations of one run.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// The first violation of each oracle, the worst first. Never empty.
    pub violations: Vec<ViolationReport>,
    /// If one of the violations names an acknowledged write that was lost: how it was lost, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub story: Option<Story>,
    /// Why it failed, if that was looked into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

/// A violation, and the operations and events that prove it, as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ViolationReport {
    /// Which oracle is violated.
    pub oracle: Oracle,
    /// How bad it is for a user.
    pub severity: Severity,
    /// When it became visible, in virtual nanoseconds.
    pub time_ns: u64,
    /// A short title.
    pub title: String,
    /// Two or three sentences that explain it.
    pub sentences: Vec<String>,
    /// The operations that prove it, one line each, with their numbers.
    pub operations: Vec<String>,
    /// The events that prove it, one line each.
    pub events: Vec<String>,
    /// How many more violations of this oracle the run has.
    pub others: usize,
    /// The numbers of `operations`.
    #[serde(skip)]
    pub numbers: Vec<usize>,
    /// The kind of the operation in which it became visible, "get"; `None` if no operation shows it.
    #[serde(skip)]
    pub operation: Option<&'static str>,
}

impl ViolationReport {
    /// The report of one violation.
    pub(crate) fn of(violation: &Violation, history: &History) -> ViolationReport {
        let operation = |number: &usize| match history.operations.get(*number) {
            Some(operation) => format!("#{number}  {}", describe::operation(operation)),
            None => format!("#{number}"),
        };
        // The operation at whose call or end the violation became visible.
        let shown = || violation.operations.iter().filter_map(|number| history.operations.get(*number));
        let then = |operation: &&Operation| {
            operation.returned() == Some(violation.time) || operation.call == violation.time
        };
        let decisive = shown().find(then).or_else(|| shown().next());
        ViolationReport {
            oracle: violation.oracle,
            severity: violation.severity,
            time_ns: violation.time,
            title: violation.title.clone(),
            sentences: violation.sentences.clone(),
            operations: violation.operations.iter().map(operation).collect(),
            events: violation.events.clone(),
            others: 0,
            numbers: violation.operations.clone(),
            operation: decisive.map(|operation| signature::kind(&operation.request)),
        }
    }
}

impl Failure {
    /// The failure in a verdict; `None` if there is no violation.
    pub fn of(verdict: &Verdict, history: &History) -> Option<Failure> {
        let mut violations: Vec<ViolationReport> = Vec::new();
        for violation in &verdict.violations {
            if let Some(known) = violations.iter_mut().find(|known| known.oracle == violation.oracle) {
                known.others += 1;
                continue;
            }
            violations.push(ViolationReport::of(violation, history));
        }
        (!violations.is_empty()).then_some(Failure { violations, story: None, explanation: None })
    }

    /// The worst violation.
    pub fn worst(&self) -> &ViolationReport {
        &self.violations[0]
    }

    /// The violation to show first. This is the worst one, with one exception: if the worst is only that a process
    /// ended or that nothing was answered, an earlier violation inside the cluster is the cause and comes first.
    pub fn first(&self) -> &ViolationReport {
        let worst = self.worst();
        let comes_first =
            |cause: &&ViolationReport| worst.severity == Severity::Stuck && cause.time_ns <= worst.time_ns;
        self.cause().filter(comes_first).unwrap_or(worst)
    }

    /// A short title: that of the violation to show first. But if a story shows a lost write and no violation
    /// says so, it is the story's.
    pub fn title(&self) -> &str {
        match &self.story {
            Some(story) if self.worst().severity > Severity::Lost => &story.title,
            _ => &self.first().title,
        }
    }

    /// The earliest violation inside the cluster besides the worst one. It is as close to the cause as the invariants
    /// can show.
    pub fn cause(&self) -> Option<&ViolationReport> {
        let inside = self.violations[1..].iter().filter(|violation| violation.severity == Severity::Inside);
        inside.min_by_key(|violation| violation.time_ns)
    }

    /// The oracles that were violated, the worst first: "K4, I6".
    pub fn oracles(&self) -> String {
        let ids: Vec<_> = self.violations.iter().map(|violation| violation.oracle.id()).collect();
        ids.join(", ")
    }
}

/// Says that nobody asked anything, and why ([`plan::Plan::why_idle`]).
pub(crate) fn idle_warning(file: &str, why: &str) -> String {
    format!("{file}: no client asked anything, because {why}: only the cluster itself was judged")
}

/// Says that a saved plan no longer reaches what its failing run reached.
pub(crate) fn strayed_warning(file: &str, missing: &[String]) -> String {
    format!(
        "{file} no longer reaches {}: it may hold only because it does not get to where the failure was (`etcdsim aim` mends the plan)",
        missing.join(", ")
    )
}

/// Failures of one case whose first violation is of the same oracle.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Group<'a> {
    /// The case.
    pub case: &'a CaseReport,
    /// The runs in ascending order of seeds, each with its failure.
    pub runs: Vec<(&'a SeedRun, &'a Failure)>,
}

impl Report {
    /// All failures in groups, the worst first.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: BTreeMap<(Severity, usize, Oracle), Group<'_>> = BTreeMap::new();
        for (index, case) in self.cases.iter().enumerate() {
            for (run, failure) in case.failures() {
                let key = (failure.worst().severity, index, failure.first().oracle);
                let group = groups.entry(key).or_insert_with(|| Group { case, runs: Vec::new() });
                group.runs.push((run, failure));
            }
        }
        groups.into_values().collect()
    }

    /// Explains each failure that is shown in full, by running its plan again. `launcher` begins the lines that replay
    /// them.
    pub fn explain(&mut self, launcher: &str) {
        let shown: Vec<(String, u64)> = (self.groups().iter().take(SHOWN_IN_FULL))
            .map(|group| (group.case.case.file.clone(), group.runs[0].0.seed))
            .collect();
        for case in &mut self.cases {
            for run in &mut case.runs {
                let wanted = shown.iter().any(|(file, seed)| *file == case.case.file && *seed == run.seed);
                if let (true, End::Violated(failure)) = (wanted, &mut run.end) {
                    let replay = (case.case.is_in_file())
                        .then(|| replay_line::of_seed(launcher, &case.case, run.seed));
                    explain::explain(&case.case.plan(run.seed), failure, replay.as_deref());
                }
            }
        }
    }

    /// The number of runs that were done.
    pub fn done(&self) -> usize {
        self.cases.iter().map(|case| case.runs.len()).sum()
    }

    /// The number of runs that were asked for.
    pub fn asked(&self) -> usize {
        self.cases.iter().map(|case| case.asked).sum()
    }

    /// The number of runs with a violation.
    pub fn failures(&self) -> usize {
        self.cases.iter().map(|case| case.failures().count()).sum()
    }

    /// Why a result may be worth less than it seems: cases in which no client ever asked anything, and saved plans that
    /// no longer reach what they reached.
    pub fn warnings(&self) -> Vec<String> {
        let idle = |case: &CaseReport| {
            let why = case.runs.first()?.idle?;
            case.runs.iter().all(|run| run.idle.is_some()).then(|| idle_warning(&case.case.file, why))
        };
        let strayed = |(case, run): (&CaseReport, &SeedRun)| {
            let strayed = !run.strayed.is_empty();
            strayed.then(|| strayed_warning(&case.case.file, &run.strayed))
        };
        self.cases.iter().filter_map(idle).chain(self.runs().filter_map(strayed)).collect()
    }

    /// How often each probe was reached. Those that most runs reached come first.
    pub fn coverage(&self) -> Vec<Reached> {
        let mut reached: Vec<Reached> = Probe::all()
            .map(|probe| Reached {
                probe,
                times: self.cases.iter().map(|case| case.total.probes[probe]).sum(),
                seeds: self.cases.iter().map(|case| case.reached[probe] as usize).sum(),
            })
            .collect();
        reached.sort_by_key(|reached| (Reverse((reached.seeds, reached.times)), reached.probe.name()));
        reached
    }

    /// Every run with its case.
    pub fn runs(&self) -> impl Iterator<Item = (&CaseReport, &SeedRun)> {
        self.cases.iter().flat_map(|case| case.runs.iter().map(move |run| (case, run)))
    }

    /// The exit code of the command. A reason that makes the other results worthless comes first.
    pub fn exit(&self) -> Exit {
        let any = |is: fn(&End) -> bool| self.runs().any(|(_, run)| is(&run.end));
        if self.ended == Ended::Interrupted {
            Exit::Interrupted
        } else if any(|end| matches!(end, End::Collapsed(_))) {
            Exit::Harness
        } else if any(|end| matches!(end, End::Diverged(_))) {
            Exit::Nondeterministic
        } else if any(|end| matches!(end, End::Violated(_))) {
            Exit::Violation
        } else if any(|end| matches!(end, End::Undecided(_))) {
            Exit::Harness
        } else {
            Exit::Held
        }
    }
}

impl SeedRun {
    /// A run of which nothing is known yet.
    pub(crate) fn of(seed: u64) -> SeedRun {
        SeedRun {
            seed,
            trace_hash: TraceHash::default(),
            wall: Duration::ZERO,
            check: Duration::ZERO,
            idle: None,
            end: End::Held,
            landmarks: None,
            strayed: Vec::new(),
        }
    }
}

impl CaseReport {
    /// The runs with a violation.
    pub fn failures(&self) -> impl Iterator<Item = (&SeedRun, &Failure)> {
        self.runs.iter().filter_map(|run| match &run.end {
            End::Violated(failure) => Some((run, failure)),
            _ => None,
        })
    }

    /// A case before any of its seeds ran.
    pub fn new(case: Case, asked: usize) -> CaseReport {
        CaseReport {
            case,
            asked,
            runs: Vec::new(),
            total: Stats::default(),
            reached: Counts::default(),
            peak_rss_bytes: 0,
        }
    }

    /// Adds a run and its counts.
    pub(crate) fn add(&mut self, run: SeedRun, stats: &Stats) {
        self.runs.push(run);
        self.total.add(stats);
        for (probe, _) in stats.probes.iter() {
            self.reached[probe] += 1;
        }
    }

    /// The sum of the real times of all runs; each run used one core.
    pub fn wall(&self) -> Duration {
        self.runs.iter().map(|run| run.wall).sum()
    }

    /// The sum of the real times of the judges in all runs.
    pub fn check(&self) -> Duration {
        self.runs.iter().map(|run| run.check).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use verify::Violation;

    fn failure(violations: Vec<Violation>) -> Failure {
        let mut verdict = Verdict { violations, ..Verdict::default() };
        verdict.violations.sort_by_key(Violation::rank);
        Failure::of(&verdict, &History::default()).expect("there are violations")
    }

    #[test]
    fn a_cause_comes_before_the_panic_that_follows_from_it() {
        let panic = || Violation::new(Oracle::V2, 7, "a member panicked");
        let inside = |time| Violation::new(Oracle::I8, time, "states differ");
        let lost = Violation::new(Oracle::K4, 9, "a write was lost");
        assert_eq!(failure(vec![panic(), inside(5)]).first().oracle, Oracle::I8);
        assert_eq!(failure(vec![panic(), inside(5)]).title(), "states differ");
        assert_eq!(failure(vec![panic(), inside(8)]).first().oracle, Oracle::V2, "it came later");
        assert_eq!(failure(vec![panic(), inside(5), lost]).first().oracle, Oracle::K4, "what a client lost");
    }
}
