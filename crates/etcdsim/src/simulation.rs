//! [`Simulation`]: runs a scenario with many seeds in a `#[test]` of another workspace, with that test's own workloads,
//! observers and oracles if it has any.

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use plan::{Plan, Scenario, Workload};
use record::{Etcd, Observer};
use verify::{Judge, Monitor, Oracle};

use crate::additions::Additions;
use crate::batch::Batch;
use crate::case::Case;
use crate::error::Error;
use crate::report::{CaseReport, End, Report, SeedRun};
use crate::show::human;
use crate::{flaws, replay_line, saved};

/// The environment variable that makes a test run this seed only.
pub const SEED_VARIABLE: &str = "ETCDSIM_SEED";
/// The environment variable that makes a test run this many seeds, from its first one on.
pub const SEEDS_VARIABLE: &str = "ETCDSIM_SEEDS";
/// The most seeds that [`SEEDS_VARIABLE`] may ask for; our choice.
const MOST_SEEDS: u64 = 10_000_000;
/// The most plans that one simulation saves; our choice.
const MOST_SAVED: usize = 10;

/// A scenario, the seeds to run it with, and additional observers and oracles.
///
/// The environment overrides the seeds: `ETCDSIM_SEED=7` runs seed 7 alone and `ETCDSIM_SEEDS=500` runs
/// 500 seeds, so a test can be replayed or run for longer without a change.
///
/// ```
/// # fn main() -> Result<(), etcdsim::Error> {
/// use etcdsim::Simulation;
///
/// let text = r#"
///     title = "The leader loses power"
///     [[fault]]
///     kind = "power-loss"
///     target = "leader"
///     every = "2s..4s"
///     for = "500ms"
///     [run]
///     chaos = "10s"
///     [workload]
/// "#;
/// let report = Simulation::from_text("leader.toml", text)?.seeds(0..3).check();
/// assert_eq!(report.done(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Simulation {
    case: Case,
    seeds: Vec<u64>,
    jobs: usize,
    until_first: bool,
    check_determinism: bool,
    additions: Additions,
    save_in: Option<PathBuf>,
    command: String,
}

/// Why a simulation did not pass.
#[non_exhaustive]
pub enum SimulationFailure {
    /// It was not run, because of a mistake of the user.
    Usage(Error),
    /// It ran, and a run had a violation, could not be decided, was not deterministic, or made the harness fail.
    Failed {
        /// Everything that was run.
        report: Box<Report>,
        /// The report as text; it ends with how to replay the first failure.
        account: String,
    },
}

impl Simulation {
    /// A simulation of a scenario that was built in code, see [`Scenario::builder`].
    ///
    /// # Errors
    /// If the scenario switches on a flaw that does not exist, or has a custom workload that makes invalid
    /// clients.
    pub fn new(scenario: Scenario) -> Result<Simulation, Error> {
        Ok(Simulation::of(Case::of(scenario)?))
    }

    /// A simulation of a scenario or a saved plan in a file.
    ///
    /// # Errors
    /// If the file cannot be read, or contains mistakes; each has its line and how to fix it.
    pub fn from_file(file: impl AsRef<Path>) -> Result<Simulation, Error> {
        Ok(Simulation::of(Case::load(file.as_ref())?))
    }

    /// A simulation of a scenario or a plan given as text; `name` stands for its file in messages.
    ///
    /// # Errors
    /// If the text contains mistakes; each has its line and how to fix it.
    pub fn from_text(name: &str, text: &str) -> Result<Simulation, Error> {
        Ok(Simulation::of(Case::parse(name, text)?))
    }

    fn of(case: Case) -> Simulation {
        Simulation {
            case,
            seeds: (0..10).collect(),
            jobs: 1,
            until_first: false,
            check_determinism: false,
            additions: Additions::default(),
            save_in: None,
            command: "etcdsim".to_string(),
        }
    }

    /// The seeds to run; 0 to 9 by default. A plan has its own seed and runs once.
    #[must_use]
    pub fn seeds(mut self, seeds: impl IntoIterator<Item = u64>) -> Simulation {
        self.seeds = seeds.into_iter().collect();
        self
    }

    /// Switches a flaw on: `R2` on every member, `R2@3` on member 3.
    ///
    /// # Errors
    /// If there is no such flaw, or no such member.
    pub fn flaw(mut self, flaw: &str) -> Result<Simulation, Error> {
        self.case = self.case.with_flaws(&[flaws::parse(flaw)?])?;
        Ok(self)
    }

    /// Adds the clients of a custom workload. A saved plan does not change.
    #[must_use]
    pub fn workload(mut self, workload: impl Workload + 'static) -> Simulation {
        self.case = self.case.with_workload(workload);
        self
    }

    /// Adds an observer, which sees every event of a run as it happens and cannot change the run. `make` is
    /// called once for each run.
    #[must_use]
    pub fn observer<O: Observer<Etcd> + 'static>(
        mut self,
        make: impl Fn(&Plan) -> O + Send + Sync + 'static,
    ) -> Simulation {
        self.additions.observer(make);
        self
    }

    /// Adds an oracle that judges the record of every run. A function `fn(&Context<'_>, &mut Sheet)` is one.
    /// A violation that it adds to the sheet makes the run fail.
    ///
    /// ```
    /// use etcdsim::{Context, Oracle, Scenario, Severity, Sheet, Simulation, Violation};
    ///
    /// const QUICK: Oracle = Oracle::own("QUICK", "every answer comes within 5 s", Severity::Stuck);
    ///
    /// fn quick(context: &Context<'_>, sheet: &mut Sheet) {
    ///     let operations = &context.history().operations;
    ///     sheet.checked(QUICK, "operations", operations.len());
    ///     for (number, operation) in operations.iter().enumerate() {
    ///         if operation.returned().is_some_and(|at| at - operation.call > 5_000_000_000) {
    ///             let violation = Violation::new(QUICK, operation.call, "an answer took more than 5 s");
    ///             sheet.add(violation.shown_by([number]));
    ///         }
    ///     }
    /// }
    ///
    /// let scenario = Scenario::builder("Two seconds").chaos(std::time::Duration::from_secs(2)).build()?;
    /// Simulation::new(scenario)?.judge(quick).seeds(0..2).check();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn judge(mut self, judge: impl Judge + Send + Sync + 'static) -> Simulation {
        self.additions.judge(judge);
        self
    }

    /// Adds an oracle that watches the events of every run. `make` is called once for each run.
    #[must_use]
    pub fn monitor<M: Monitor + 'static>(
        mut self,
        make: impl Fn(&Plan) -> M + Send + Sync + 'static,
    ) -> Simulation {
        self.additions.monitor(make);
        self
    }

    /// The plan of one seed, with the flaws that were switched on.
    pub fn expand(&self, seed: u64) -> Plan {
        self.case.plan(seed)
    }

    /// How many threads run seeds; 1 by default, because tests already run in parallel.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Simulation {
        self.jobs = jobs;
        self
    }

    /// Stops at the first seed that fails.
    #[must_use]
    pub fn until_first(mut self) -> Simulation {
        self.until_first = true;
        self
    }

    /// Runs every seed twice and compares the trace hashes.
    #[must_use]
    pub fn check_determinism(mut self) -> Simulation {
        self.check_determinism = true;
        self
    }

    /// Saves the plans of the first ten failing seeds in this folder. A saved plan needs neither the scenario nor the
    /// test: run it with [`Simulation::from_file`] or `etcdsim replay`.
    #[must_use]
    pub fn save_failures(mut self, folder: impl Into<PathBuf>) -> Simulation {
        self.save_in = Some(folder.into());
        self
    }

    /// The command in the line that replays a failure; `etcdsim` by default.
    #[must_use]
    pub fn replayed_with(mut self, command: &str) -> Simulation {
        self.command = command.to_string();
        self
    }

    /// Runs the seeds. The report says how each run ended.
    ///
    /// # Errors
    /// If one of the two environment variables is not a valid number.
    pub fn run(self) -> Result<Report, Error> {
        let batch = Batch {
            jobs: self.jobs,
            fail_fast: self.until_first,
            check_determinism: self.check_determinism,
            additions: self.additions,
            ..Batch::new(vec![self.case], chosen(self.seeds)?)
        };
        let mut report = batch.run(&AtomicBool::new(false), &mut |_, _, _| {});
        report.explain(&self.command);
        Ok(report)
    }

    /// Runs the seeds, and requires that every run has no violation and could be decided.
    ///
    /// # Errors
    /// If a run has a violation, could not be decided, was not deterministic, or made the harness fail: the report,
    /// also as text. Otherwise as for [`Simulation::run`].
    pub fn verdict(self) -> Result<Report, SimulationFailure> {
        let (command, save_in) = (self.command.clone(), self.save_in.clone());
        let report = self.run()?;
        if report.runs().all(|(_, run)| matches!(run.end, End::Held)) {
            return Ok(report);
        }
        let account = account(&report, &command, save_in.as_deref());
        Err(SimulationFailure::Failed { report: Box::new(report), account })
    }

    /// Runs the seeds, and requires that every run has no violation and could be decided.
    ///
    /// # Panics
    /// If [`Simulation::verdict`] would return an error; the message has the violations and how to replay
    /// them.
    pub fn check(self) -> Report {
        self.verdict().unwrap_or_else(|failure| panic!("{failure}"))
    }
}

/// The report as text, with how to replay the first failure.
fn account(report: &Report, command: &str, save_in: Option<&Path>) -> String {
    let mut text = report.to_string();
    let groups = report.groups();
    let first = groups.first().map(|group| (group.case, group.runs[0].0));
    let Some((case, run)) = first.or_else(|| report.runs().find(|(_, run)| !matches!(run.end, End::Held)))
    else {
        return text;
    };
    let saved = save_in.map(|folder| save(report, folder, (case, run), command));
    text += &format!("\n{SEED_VARIABLE}={} runs this test with that seed alone", run.seed);
    let line = match &saved {
        Some(Ok(Some(file))) => Some(replay_line::of_saved(command, file)),
        Some(Err(error)) => {
            text += &format!("; its plan was not saved: {error}");
            None
        }
        _ => None,
    };
    let line =
        line.or_else(|| case.case.is_in_file().then(|| replay_line::of_seed(command, &case.case, run.seed)));
    match line {
        Some(line) => text + "; to replay it with its trace:\n" + &line,
        None => text,
    }
}

/// Saves failing plans, that of the run `first` before the others. Returns its file.
fn save(
    report: &Report,
    folder: &Path,
    first: (&CaseReport, &SeedRun),
    command: &str,
) -> Result<Option<PathBuf>, Error> {
    let unwritable = |error| Error::Unwritable { path: folder.to_path_buf(), error };
    let others = report.runs().filter(|(_, run)| run.seed != first.1.seed);
    let failures = std::iter::once(first).chain(others).filter_map(|(case, run)| match &run.end {
        End::Violated(failure) => Some((case, run, failure)),
        _ => None,
    });
    let mut file = None;
    for (case, run, failure) in failures.take(MOST_SAVED) {
        let saved = saved::save(folder, &case.case, run, failure, command).map_err(unwritable)?;
        file = file.or((run.seed == first.1.seed).then_some(saved));
    }
    Ok(file)
}

/// The report as the command prints it for people, without colours.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        anstream::adapter::strip_str(&human::report(self, false)).fmt(f)
    }
}

impl Report {
    /// The oracles that were violated in any run.
    pub fn oracles(&self) -> BTreeSet<Oracle> {
        let failures = self.cases.iter().flat_map(|case| case.failures());
        failures
            .flat_map(|(_, failure)| failure.violations.iter().map(|violation| violation.oracle))
            .collect()
    }
}

impl SimulationFailure {
    /// The report; `None` if nothing was run.
    pub fn report(&self) -> Option<&Report> {
        match self {
            SimulationFailure::Usage(_) => None,
            SimulationFailure::Failed { report, .. } => Some(report),
        }
    }
}

impl From<Error> for SimulationFailure {
    fn from(error: Error) -> SimulationFailure {
        SimulationFailure::Usage(error)
    }
}

impl fmt::Display for SimulationFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SimulationFailure::Usage(error) => error.fmt(f),
            SimulationFailure::Failed { account, .. } => f.write_str(account),
        }
    }
}

/// The same text, because a test that returns this error prints it with `Debug`.
impl fmt::Debug for SimulationFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for SimulationFailure {}

/// The seeds to run: those that the environment variables ask for. If neither is set: `seeds`.
fn chosen(seeds: Vec<u64>) -> Result<Vec<u64>, Error> {
    let value = |name: &'static str| env::var(name).ok().map(|value| (name, value));
    choose(seeds, value(SEED_VARIABLE), value(SEEDS_VARIABLE))
}

/// The name and the value of an environment variable; `None` if it is not set.
type Variable = Option<(&'static str, String)>;

/// The seeds to run, given the values of the two variables.
fn choose(seeds: Vec<u64>, one: Variable, many: Variable) -> Result<Vec<u64>, Error> {
    let number = |(name, value): (&'static str, String)| {
        value.trim().parse::<u64>().map_err(|_| Error::BadVariable { name, value, most: u64::MAX })
    };
    let (one, many) = (one.map(number).transpose()?, many.map(number).transpose()?);
    match (one, many) {
        (Some(seed), _) => Ok(vec![seed]),
        (None, Some(count)) if count > MOST_SEEDS => {
            Err(Error::BadVariable { name: SEEDS_VARIABLE, value: count.to_string(), most: MOST_SEEDS })
        }
        (None, Some(count)) => {
            let first = seeds.first().copied().unwrap_or(0);
            Ok((first..=u64::MAX).take(count as usize).collect())
        }
        (None, None) => Ok(seeds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_overrides_the_seeds() {
        let some = |name, value: &str| Some((name, value.to_string()));
        let chosen = |one, many| choose(vec![5, 9], one, many);
        assert_eq!(chosen(None, None).unwrap(), [5, 9]);
        assert_eq!(chosen(some(SEED_VARIABLE, "7"), some(SEEDS_VARIABLE, "3")).unwrap(), [7]);
        assert_eq!(chosen(None, some(SEEDS_VARIABLE, " 3 ")).unwrap(), [5, 6, 7]);
        for bad in ["", "x", "-1", "1e3"] {
            assert!(
                matches!(chosen(some(SEED_VARIABLE, bad), None), Err(Error::BadVariable { .. })),
                "{bad:?}"
            );
        }
        assert!(chosen(None, some(SEEDS_VARIABLE, "18446744073709551615")).is_err());
    }
}
