//! `etcdsim explain`: runs one seed of a scenario, or a plan, and explains why it fails: the first wrong step inside the
//! cluster, and the chain from it to what a client saw. `replay` prints the same below its own result.

use clap::Args;

use super::Mistakes;
use super::one_run::{HumanOrJson, OneRun, simulator_failed};
use crate::execute::{HarnessFailure, run_plan};
use crate::exit::Exit;
use crate::report::Failure;
use crate::show::human;
use crate::{explain as explaining, replay_line};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    run: OneRun,
    /// The format of the explanation
    #[arg(long, value_enum, default_value_t = HumanOrJson::Human)]
    format: HumanOrJson,
}

/// Runs the command `explain`.
pub(super) fn explain(arguments: &Arguments) -> Result<Exit, Mistakes> {
    let (case, seed) = arguments.run.load()?;
    let plan = case.plan(seed);
    let outcome = match run_plan(&plan) {
        Ok(outcome) => outcome,
        Err(HarnessFailure(said)) => return Ok(simulator_failed(&said)),
    };
    let Some(mut failure) = Failure::of(&outcome.verdict, &outcome.record.history) else {
        let undecided = &outcome.verdict.undecided;
        super::print(&match &undecided[..] {
            [] => format!("{}, seed {seed}: all oracles held; there is nothing to explain.\n", case.file),
            open => format!("{}, seed {seed}: not decided: {}\n", case.file, open.join(" ")),
        });
        return Ok(if undecided.is_empty() { Exit::Held } else { Exit::Harness });
    };
    let line = replay_line::of_seed(&replay_line::launcher(), &case, seed);
    explaining::explain(&plan, &mut failure, Some(&line));
    let mut text = String::new();
    match arguments.format {
        HumanOrJson::Human => human::failure(&mut text, &failure).expect("a String takes everything"),
        HumanOrJson::Json => {
            text = serde_json::to_string_pretty(&failure).expect("a failure has only string keys");
            text.push('\n');
        }
    }
    super::print(&text);
    Ok(Exit::Violation)
}
