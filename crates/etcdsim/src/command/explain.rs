//! `etcdsim explain`: runs one seed of a scenario, or a plan, and explains why it fails: the first wrong step inside the
//! cluster, and the chain from it to what a client saw. `replay` prints the same below its own result.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use owo_colors::OwoColorize;

use super::{Mistakes, values};
use crate::case::Case;
use crate::execute::{HarnessFailure, run_plan};
use crate::exit::Exit;
use crate::report::Failure;
use crate::show::human;
use crate::{explain as explaining, replay_line};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A saved plan, or a scenario together with `--seed`
    file: PathBuf,
    /// The seed of a scenario
    #[arg(long)]
    seed: Option<u64>,
    /// Switch on a flaw (a deliberate bug in the members, see docs/flaws.md), in addition to those of the plan
    #[arg(long, value_name = "ID[@MEMBER]", value_parser = values::flaw)]
    flaw: Vec<::plan::FlawAt>,
    /// The format of the explanation
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// How an explanation is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object: the violations and the explanation
    Json,
}

/// Runs the command `explain`.
pub(super) fn explain(arguments: &Arguments) -> Result<Exit, Mistakes> {
    let case = Case::load(&arguments.file)?.with_flaws(&arguments.flaw)?;
    let seed = case.seed(arguments.seed)?;
    let plan = case.plan(seed);
    let outcome = match run_plan(&plan) {
        Ok(outcome) => outcome,
        Err(HarnessFailure(said)) => {
            super::print(&format!("{}\n{said}\n", "The simulator itself failed.".red().bold()));
            return Ok(Exit::Harness);
        }
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
        Format::Human => human::failure(&mut text, &failure).expect("a String takes everything"),
        Format::Json => {
            text = serde_json::to_string_pretty(&failure).expect("a failure has only string keys");
            text.push('\n');
        }
    }
    super::print(&text);
    Ok(Exit::Violation)
}
