//! `etcdsim shrink`: makes a failing plan as small as it can, and saves it with a comment for each fault that is left.

use std::fmt::Write;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::plan::Plan;
use clap::Args;
use owo_colors::OwoColorize;

use super::one_run::OneRun;
use super::progress::ShrinkProgress;
use super::run::{INTERRUPTED, stop_on_ctrl_c};
use super::{Mistakes, values};
use crate::case::Case;
use crate::error::Error;
use crate::exit::Exit;
use crate::show::numbers;
use crate::shrink::{Ended, NotShrunk, Shrinker, Shrunk, Size};
use crate::signature::Signature;
use crate::{flaws, replay_line, saved};

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(flatten)]
    run: OneRun,
    /// Where the small plan is saved [default: the plan's name with `-small`; for a scenario, in `failures`]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The longest real time: `60s`, `5m`
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = values::duration)]
    time_budget: Duration,
    /// How many threads run candidates [default: all cores]
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
}

const AFTER_HELP: &str = "\
What must remain is the failure's signature: the oracle, its rule, the kind of operation. Called again, it goes on \
from the small plan that it finds in its output. docs/shrink.md says what is tried.

Exit codes: 0 shrunk, 5 the plan does not fail, 130 interrupted (what was reached is saved).";

/// How the name of a small plan ends.
const SMALL: &str = "-small";

/// Runs the command `shrink`.
pub(super) fn shrink(arguments: &Arguments) -> Result<Exit, Mistakes> {
    let (case, seed) = arguments.run.load()?;
    let output = arguments.output.clone().unwrap_or_else(|| output(&case, &arguments.run.file, seed));
    let goal = Goal { source: source(&case, seed), output, time_budget: arguments.time_budget };
    stop_on_ctrl_c();
    let plan = case.plan(seed);
    let shrinker = Shrinker::new(values::threads(arguments.jobs));
    match goal.reach(plan, shrinker, arguments.run.file != goal.output)? {
        Ok(shrunk) => {
            super::print(&text(&shrunk, &goal));
            Ok(if shrunk.ended == Ended::Interrupted { Exit::Interrupted } else { Exit::Held })
        }
        Err(why) => {
            super::print(&format!("{}: {why}.\n", goal.source));
            Ok(exit(&why))
        }
    }
}

/// The exit code if nothing was shrunk.
fn exit(why: &NotShrunk) -> Exit {
    match why {
        NotShrunk::Holds | NotShrunk::Other(_) => Exit::NotReproduced,
        NotShrunk::Undecided(_) | NotShrunk::Harness(_) => Exit::Harness,
        NotShrunk::Diverged(_) => Exit::Nondeterministic,
    }
}

/// What the plan was, for people.
pub(super) fn source(case: &Case, seed: u64) -> String {
    let mut text = format!("{}, seed {seed}", case.file);
    for flaw in case.flaws() {
        write!(text, ", flaw {}", flaws::name(flaw)).expect("a String takes everything");
    }
    text
}

/// The file of the small plan, if the user names none.
fn output(case: &Case, file: &Path, seed: u64) -> PathBuf {
    if case.is_plan() && case.name.ends_with(SMALL) {
        return file.to_path_buf();
    }
    let folder = if case.is_plan() { file.parent().unwrap_or(Path::new("")) } else { Path::new("failures") };
    small(&folder.join(saved::file_name(case, seed)))
}

/// The file of the small plan for a saved plan.
pub(super) fn small(saved: &Path) -> PathBuf {
    let stem = saved.file_stem().map_or_else(|| "plan".into(), |stem| stem.to_string_lossy());
    saved.with_file_name(format!("{stem}{SMALL}.toml"))
}

/// What is to be shrunk, and where the result goes.
pub(super) struct Goal {
    /// Where the plan comes from, for people.
    pub source: String,
    /// The file of the small plan.
    pub output: PathBuf,
    /// The longest real time.
    pub time_budget: Duration,
}

impl Goal {
    /// Shrinks the plan and saves the result. With `go_on`, it begins with what an earlier call saved in the same file.
    pub(super) fn reach(
        &self,
        plan: Plan,
        shrinker: Shrinker,
        go_on: bool,
    ) -> Result<Result<Shrunk, NotShrunk>, Error> {
        let mut shrinker = Shrinker { time_budget: Some(self.time_budget), ..shrinker };
        let mut plan = plan;
        if go_on && self.output.exists() {
            match shrinker.signature_of(&plan) {
                Ok(signature) => {
                    plan = self.earlier(&signature)?;
                    shrinker.signature = Some(signature);
                }
                Err(why) => return Ok(Err(why)),
            }
        }
        let mut progress = ShrinkProgress::start(&self.source, &plan);
        let shrunk = shrinker.shrink(plan, &INTERRUPTED, &mut |step| progress.step(&step));
        progress.end();
        if let Ok(shrunk) = &shrunk {
            self.save(shrunk).map_err(|error| Error::Unwritable { path: self.output.clone(), error })?;
        }
        Ok(shrunk)
    }

    /// The plan that an earlier call saved for the same failure.
    fn earlier(&self, signature: &Signature) -> Result<Plan, Error> {
        let taken = || Error::OutputTaken { path: self.output.clone(), signature: signature.to_string() };
        let text = fs::read_to_string(&self.output)
            .map_err(|error| Error::Unreadable { path: self.output.clone(), error })?;
        if saved::signature(&text).as_ref() != Some(signature) {
            return Err(taken());
        }
        let case = Case::load(&self.output)?;
        if !case.is_plan() {
            return Err(taken());
        }
        eprintln!("Going on from {}.", self.output.display());
        Ok(case.plan(0))
    }

    fn save(&self, shrunk: &Shrunk) -> std::io::Result<()> {
        if let Some(folder) = self.output.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&self.output, shrunk.text(&self.source))
    }
}

/// How much of a plan a reader must understand: "3 members, 2 faults, 4 operations".
pub(super) fn extent(plan: &Plan) -> String {
    let size = Size::of(plan);
    format!(
        "{}, {}, {}",
        numbers::counted(plan.cluster.members as usize, "member"),
        numbers::counted(plan.faults.len(), "fault"),
        numbers::counted(size.acts - plan.faults.len(), "operation"),
    )
}

/// What was reached, in a line.
pub(super) fn summary(shrunk: &Shrunk) -> String {
    let ended = match shrunk.ended {
        Ended::Complete if shrunk.size.acts == 0 => "; it fails although nothing happens",
        Ended::Complete if shrunk.minimal => "; the failure goes away without any one of them",
        Ended::Complete => "",
        Ended::TimeBudget => "; the time ran out, and the same command goes on from there",
        Ended::Interrupted => "; interrupted, and the same command goes on from there",
    };
    format!(
        "{}\n{} faults and operations became {}: {}{ended} ({}, {})\n",
        shrunk.signature.bold(),
        numbers::count(shrunk.from.acts as u64),
        numbers::count(shrunk.size.acts as u64),
        extent(&shrunk.plan),
        numbers::counted(shrunk.runs, "run"),
        numbers::span(shrunk.wall),
    )
}

/// The result for people: the plan, further findings, and how to see it.
fn text(shrunk: &Shrunk, goal: &Goal) -> String {
    let mut text = summary(shrunk);
    write!(text, "\n{}\n", shrunk.text(&goal.source)).expect("a String takes everything");
    text += &others(shrunk);
    let line = replay_line::of_saved(&replay_line::launcher(), &goal.output);
    text + &format!("Saved in {}. To see it:\n{line}\n", goal.output.display())
}

/// The failures of other kinds that were met.
pub(super) fn others(shrunk: &Shrunk) -> String {
    if shrunk.others.is_empty() {
        return String::new();
    }
    let mut text = String::from("Smaller plans also failed in other ways:\n");
    for other in &shrunk.others {
        writeln!(
            text,
            "   {} ({}; the smallest has {})",
            other.signature,
            times(other.times),
            extent(&other.plan)
        )
        .expect("a String takes everything");
    }
    text + "\n"
}

fn times(times: usize) -> String {
    if times == 1 { "once".to_string() } else { format!("{} times", numbers::count(times as u64)) }
}
