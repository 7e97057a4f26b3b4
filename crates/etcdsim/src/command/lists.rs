//! The subcommands that list things and run nothing: `etcdsim scenarios`, `etcdsim flaws` and `etcdsim schema`.

use std::path::PathBuf;

use clap::Args;
use comfy_table::{Table, presets};
use member::Flaw;

use super::Mistakes;
use crate::case::{self, Case};
use crate::exit::Exit;

#[derive(Debug, Args)]
pub(super) struct ScenariosArguments {
    /// Scenarios, or folders of scenarios
    #[arg(default_value = "scenarios")]
    paths: Vec<PathBuf>,
    /// Show also the comment at the head of each, which says what it is looking for
    #[arg(long)]
    about: bool,
}

/// Runs the command `scenarios`.
pub(super) fn scenarios(arguments: &ScenariosArguments) -> Result<Exit, Mistakes> {
    let cases =
        case::find(&arguments.paths)?.iter().map(|file| Case::load(file)).collect::<Result<Vec<_>, _>>()?;
    if arguments.about {
        let one = |case: &Case| format!("{}: {}\n\n{}\n", case.file, case.title(), case.about());
        super::print(&cases.iter().map(one).collect::<Vec<_>>().join("\n"));
    } else {
        list(cases.iter().map(|case| [case.file.as_str(), case.title()]));
    }
    Ok(Exit::Held)
}

/// Runs the command `flaws`.
pub(super) fn flaws() -> Exit {
    list(Flaw::ALL.iter().map(|flaw| [flaw.id(), flaw.name(), flaw.describe()]));
    Exit::Held
}

/// Runs the command `schema`.
pub(super) fn schema() -> Exit {
    let schema = serde_json::to_string_pretty(&::plan::schema());
    super::print(&(schema.expect("a schema has only string keys") + "\n"));
    Exit::Held
}

/// Prints a table without lines.
fn list<'a, const COLUMNS: usize>(rows: impl Iterator<Item = [&'a str; COLUMNS]>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    for row in rows {
        table.add_row(row);
    }
    super::print(&format!("{}\n", table.trim_fmt()));
}
