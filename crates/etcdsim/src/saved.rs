//! Saves the plans of failing runs as files. Comments at the head of a file say which oracles the plan violated and
//! which trace hash it had.
//!
//! A saved plan needs neither its scenario nor its seed, so it replays the same failure after the scenario has
//! changed. The file can be moved to `scenarios/regressions/` as it is.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use record::TraceHash;

use crate::case::Case;
use crate::report::{Failure, SeedRun};
use crate::signature::Signature;
use crate::{flaws, page, replay_line};

// How the comment lines begin that record the result of the saved run.
const SIGNATURE: &str = "# signature: ";
const ORACLES: &str = "# oracles: ";
const TRACE_HASH: &str = "# trace hash: ";

/// The result of a plan when it was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedResult {
    /// The ids of the oracles it violated, the worst first.
    pub oracles: Vec<String>,
    /// The hash over its events.
    pub trace_hash: TraceHash,
}

impl SavedResult {
    /// Reads it from the comments at the head of a plan; `None` if one of the two lines is missing.
    pub fn read(text: &str) -> Option<SavedResult> {
        let mut head = text.lines().take_while(|line| line.starts_with('#'));
        let oracles = head.clone().find_map(|line| line.strip_prefix(ORACLES))?;
        let trace_hash = head.find_map(|line| line.strip_prefix(TRACE_HASH))?;
        Some(SavedResult {
            oracles: oracles.split(',').map(|id| id.trim().to_string()).collect(),
            trace_hash: trace_hash.trim().parse().ok()?,
        })
    }
}

/// Saves the plan of a failing run in `folder`, with a page beside it that shows the run, and returns the file of the
/// plan. `launcher` is how the command is called in the line that the page shows.
pub fn save(
    folder: &Path,
    case: &Case,
    run: &SeedRun,
    failure: &Failure,
    launcher: &str,
) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let file = folder.join(file_name(case, run.seed));
    fs::write(&file, text(case, run, failure))?;
    let line = replay_line::of_saved(launcher, &file);
    page::write_again(&file.with_extension("html"), case, run.seed, &line, Some(failure), &[])?;
    Ok(file)
}

/// The name of the file for a failing run.
pub(crate) fn file_name(case: &Case, seed: u64) -> String {
    let mut name = if case.is_plan() { case.name.clone() } else { format!("{}-{seed}", case.name) };
    for flaw in case.flaws() {
        write!(name, "-{}", flaws::name(flaw)).expect("a String takes everything");
    }
    name + ".toml"
}

/// The content of the file: comments that describe the failure, and the plan.
fn text(case: &Case, run: &SeedRun, failure: &Failure) -> String {
    let worst = failure.worst();
    let mut text = format!("# {}, seed {}: {}.\n", case.file, run.seed, worst.title);
    for sentence in &worst.sentences {
        text.push_str("# ");
        text.push_str(&sentence.replace('\n', " "));
        text.push('\n');
    }
    text += &head(&Signature::of(failure), &failure.oracles(), run.trace_hash);
    text + "\n" + &case.plan(run.seed).to_toml()
}

/// The comment lines that record the result of a saved run.
pub(crate) fn head(signature: &Signature, oracles: &str, trace_hash: TraceHash) -> String {
    format!("{SIGNATURE}{signature}\n{ORACLES}{oracles}\n{TRACE_HASH}{trace_hash}\n")
}

/// The signature of the failure for which a plan was saved, from the comments at its head; `None` if there is none.
pub(crate) fn signature(text: &str) -> Option<Signature> {
    let mut head = text.lines().take_while(|line| line.starts_with('#'));
    head.find_map(|line| line.strip_prefix(SIGNATURE))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_saved_plan_is_read_back() {
        let text = "# lost\n# oracles: K4, I6\n# trace hash: 000000000000000000000000000000ff\n\nseed = 7\n";
        let recorded = SavedResult::read(text).expect("both lines are there");
        assert_eq!(recorded.oracles, ["K4", "I6"]);
        assert_eq!(recorded.trace_hash.to_string(), "000000000000000000000000000000ff");
        assert_eq!(SavedResult::read("# by hand\nseed = 7\n# oracles: K4\n"), None);
    }
}
