//! The simulator as a process that runs seeds with mutants, as `etcdsim-mutants` tells it to. A job is one seed, either
//! of a scenario or of a flaw's scenario with that flaw on.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use etcdsim::{Case, End, Error, FlawAt, run_seed};
use etcdsim_mutants_switch::{Answer, Ending, serve};
use member::Flaw;

/// Runs seeds of scenarios with mutants. `etcdsim-mutants` starts it and talks to it on stdin and stdout.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds of each scenario
    #[arg(long, default_value_t = 40)]
    seeds: u64,
    /// How many seeds of the scenario of each flaw, with the flaw switched on
    #[arg(long, default_value_t = 0)]
    flaw_seeds: u64,
    /// The scenarios
    scenarios: Vec<PathBuf>,
}

/// A seed of a case.
struct Job {
    case: Case,
    seed: u64,
}

fn main() -> ExitCode {
    let jobs = match jobs(&Arguments::parse()) {
        Ok(jobs) => jobs,
        Err(error) => {
            eprintln!("{:?}", miette::Report::new(error));
            return ExitCode::from(2);
        }
    };
    let names: Vec<String> = jobs.iter().map(Job::name).collect();
    match serve(&names, |nth| jobs[nth].run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the connection to etcdsim-mutants failed: {error}");
            ExitCode::from(2)
        }
    }
}

/// All jobs: the first seed of every case before the second of any, because the cases differ more than seeds do.
fn jobs(arguments: &Arguments) -> Result<Vec<Job>, Error> {
    let mut cases = Vec::new();
    for file in &arguments.scenarios {
        cases.push((Case::load(file)?, arguments.seeds));
    }
    for flaw in Flaw::ALL.iter().filter(|_| arguments.flaw_seeds > 0) {
        let on = FlawAt { flaw: flaw.id().to_string(), member: None };
        let case = Case::load(format!("scenarios/{}.toml", flaw.scenario()).as_ref())?;
        cases.push((case.with_flaws(&[on])?, arguments.flaw_seeds));
    }
    let rounds = cases.iter().map(|(_, seeds)| *seeds).max().unwrap_or(0);
    let round = |seed: u64| {
        let cases = cases.iter().filter(move |(_, seeds)| seed < *seeds);
        cases.map(move |(case, _)| Job { case: case.clone(), seed })
    };
    Ok((0..rounds).flat_map(round).collect())
}

impl Job {
    fn name(&self) -> String {
        let flaws: String = self.case.flaws().iter().map(|flaw| format!(" with {}", flaw.flaw)).collect();
        format!("{}{flaws}, seed {}", self.case.name, self.seed)
    }

    fn run(&self) -> Answer {
        let (run, _) = run_seed(&self.case, self.seed, false);
        let held = Answer {
            ending: Ending::Held,
            trace: run.trace_hash.to_string(),
            by: String::new(),
            verdict: String::new(),
            says: String::new(),
        };
        match &run.end {
            End::Violated(failure) => {
                // The oracle that sees it first, in the time of the run, is closest to the defect.
                let first = failure.violations.iter().min_by_key(|violation| violation.time_ns);
                let first = first.unwrap_or_else(|| failure.worst());
                let panicked = first.title == "a member panicked";
                let mut oracles: Vec<&str> =
                    failure.violations.iter().map(|violation| violation.oracle.id()).collect();
                oracles.sort_unstable();
                Answer {
                    ending: if panicked { Ending::Panicked } else { Ending::Caught },
                    by: first.oracle.id().into(),
                    verdict: oracles.join(" "),
                    says: match first.sentences.last() {
                        Some(message) if panicked => message.clone(),
                        _ => first.title.clone(),
                    },
                    ..held
                }
            }
            End::Collapsed(text) => Answer { ending: Ending::Broken, says: text.clone(), ..held },
            End::Held | End::Undecided(_) | End::Diverged(_) => held,
            _ => Answer { ending: Ending::Broken, says: "an unknown ending".into(), ..held },
        }
    }
}
