//! A simulation in a test of your own.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use verify::Oracle;

use crate::batch::Batch;
use crate::case::Case;
use crate::error::Error;
use crate::report::{End, Report};
use crate::show::human;
use crate::{flaws, replay_line};

/// Runs this one seed and no other.
pub const SEED_VARIABLE: &str = "ETCDSIM_SEED";
/// Runs this many seeds, from the first one on.
pub const SEEDS_VARIABLE: &str = "ETCDSIM_SEEDS";

/// A scenario and the seeds to run it with.
///
/// The environment has the last word on the seeds: `ETCDSIM_SEED=7` runs seed 7 alone,
/// `ETCDSIM_SEEDS=500` runs 500 seeds, so that a test can be replayed or run for longer without a
/// change.
///
/// ```no_run
/// # fn main() -> Result<(), etcdsim::Error> {
/// let report = etcdsim::Simulation::from_file("scenarios/power-loss.toml")?.seeds(0..20).flaw("R2")?.run();
/// assert!(report.failures() > 0, "R2 must be found");
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
    command: String,
}

impl Simulation {
    /// A scenario or a saved plan.
    pub fn from_file(file: impl AsRef<Path>) -> Result<Simulation, Error> {
        Ok(Simulation::new(Case::load(file.as_ref())?))
    }

    /// The text of a scenario; `name` stands for its file in messages.
    pub fn from_text(name: &str, text: &str) -> Result<Simulation, Error> {
        Ok(Simulation::new(Case::parse(name, text)?))
    }

    fn new(case: Case) -> Simulation {
        let command = "etcdsim".to_string();
        Simulation {
            case,
            seeds: (0..10).collect(),
            jobs: 1,
            until_first: false,
            check_determinism: false,
            command,
        }
    }

    /// The seeds to run; 0 to 9 where none are named.
    pub fn seeds(mut self, seeds: impl IntoIterator<Item = u64>) -> Simulation {
        self.seeds = seeds.into_iter().collect();
        self
    }

    /// Switches a flaw on: `R2` on every member, `R2@3` on member 3.
    pub fn flaw(mut self, flaw: &str) -> Result<Simulation, Error> {
        self.case = self.case.with_flaws(&[flaws::parse(flaw)?])?;
        Ok(self)
    }

    /// The plan of one seed, with the flaws that were switched on.
    pub fn expand(&self, seed: u64) -> plan::Plan {
        self.case.plan(seed)
    }

    /// How many threads run seeds; 1 where none is named, as tests run side by side already.
    pub fn jobs(mut self, jobs: usize) -> Simulation {
        self.jobs = jobs;
        self
    }

    /// Stops at the first seed that fails.
    pub fn until_first(mut self) -> Simulation {
        self.until_first = true;
        self
    }

    /// Runs every seed twice and compares the trace hashes.
    pub fn check_determinism(mut self) -> Simulation {
        self.check_determinism = true;
        self
    }

    /// The command in the line that replays a failure; `etcdsim` where none is named.
    pub fn replayed_with(mut self, command: &str) -> Simulation {
        self.command = command.to_string();
        self
    }

    /// Runs the seeds.
    pub fn run(self) -> Report {
        let Simulation { case, seeds, jobs, until_first, check_determinism, .. } = self;
        let batch = Batch {
            jobs,
            fail_fast: until_first,
            check_determinism,
            ..Batch::new(vec![case], chosen(seeds))
        };
        let mut report = batch.run(&AtomicBool::new(false), &mut |_, _, _| {});
        report.explain();
        report
    }

    /// Runs the seeds; `Err` holds what is to be said of the failures, the line that replays the
    /// first one last.
    pub fn verdict(self) -> Result<Report, String> {
        let command = self.command.clone();
        let report = self.run();
        let bad = report.runs().find(|(_, run)| !matches!(run.end, End::Held));
        match bad {
            None => Ok(report),
            Some((case, run)) => {
                let text = anstream::adapter::strip_str(&human::report(&report, false)).to_string();
                let (_, worst) =
                    report.groups().first().map_or((case, run), |group| (group.case, group.runs[0].0));
                let line = replay_line::of_seed(&command, &case.case, worst.seed);
                let again = format!("{SEED_VARIABLE}={} runs this test with that seed alone", worst.seed);
                Err(format!("{text}\n{again}; to replay it with its trace:\n{line}"))
            }
        }
    }

    /// Runs the seeds.
    ///
    /// # Panics
    /// If anything does not hold, with what broke and the line that replays it.
    pub fn check(self) -> Report {
        self.verdict().unwrap_or_else(|failure| panic!("{failure}"))
    }
}

impl Report {
    /// The oracles that were broken in any run.
    pub fn oracles(&self) -> BTreeSet<Oracle> {
        let failures = self.cases.iter().flat_map(|case| case.failures());
        failures.flat_map(|(_, failure)| failure.violations.iter().map(|finding| finding.oracle)).collect()
    }
}

/// The seeds after the environment had its say.
fn chosen(seeds: Vec<u64>) -> Vec<u64> {
    let number = |name: &str| {
        let value = env::var(name).ok()?;
        Some(
            value
                .trim()
                .parse::<u64>()
                .unwrap_or_else(|_| panic!("{name} is {value:?}, which is not a number")),
        )
    };
    match (number(SEED_VARIABLE), number(SEEDS_VARIABLE)) {
        (Some(seed), _) => vec![seed],
        (None, Some(count)) => {
            let first = seeds.first().copied().unwrap_or(0);
            (first..first + count).collect()
        }
        (None, None) => seeds,
    }
}
