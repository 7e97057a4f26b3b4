//! `etcdsim bisect`: which commit of a repository made a plan fail, or take other steps.
//!
//! It builds the commits between a good and a bad one in a folder of its own (`git worktree`), replays the plan with each,
//! and halves the rest, as `git bisect` does. A commit that does not build, or cannot read the plan, is skipped. At the
//! end it compares the traces of the last good and the first bad build.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, ValueEnum};
use owo_colors::OwoColorize;

use super::Mistakes;
use super::diff::{self, Scratch};
use crate::case::Case;
use crate::diff::{Trace, parting};
use crate::error::Error;
use crate::exit::Exit;
use crate::show::numbers;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A saved plan, or a scenario together with `--seed`
    file: PathBuf,
    /// The seed of a scenario
    #[arg(long)]
    seed: Option<u64>,
    /// A commit whose build is good
    #[arg(long, value_name = "REV")]
    good: String,
    /// A later commit whose build is bad
    #[arg(long, value_name = "REV")]
    bad: String,
    /// The repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    repository: PathBuf,
    /// What makes a build bad
    #[arg(long, value_enum, default_value_t = By::Verdict)]
    by: By,
}

/// What makes a build bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// The plan has a violation
    Verdict,
    /// The plan takes other steps than with the good build
    Trace,
}

/// A build with its run of the plan.
struct Tried {
    trace: Trace,
    /// Whether the plan has a violation.
    fails: bool,
}

/// The search.
struct Search<'a> {
    arguments: &'a Arguments,
    repository: &'a Repository,
    folder: &'a Path,
    plan: PathBuf,
}

/// Runs the command `bisect`.
pub(super) fn bisect(arguments: &Arguments) -> Result<Exit, Mistakes> {
    let case = Case::load(&arguments.file)?;
    let plan = case.plan(case.seed(arguments.seed)?);
    let repository = Repository(arguments.repository.clone());
    let (good, bad) = (repository.commit(&arguments.good)?, repository.commit(&arguments.bad)?);
    let commits = repository.between(&good, &bad)?;
    let folder = Scratch::new()?;
    let file = folder.path().join("plan.toml");
    fs::write(&file, plan.to_toml()).map_err(|error| Error::Unwritable { path: file.clone(), error })?;
    repository.run(
        ["worktree", "add", "--detach", "--force"],
        [folder.path().join("tree").as_os_str(), good.as_ref()],
    )?;
    let search = Search { arguments, repository: &repository, folder: folder.path(), plan: file };
    let found = search.search(&good, &commits);
    // The folder goes away; so must git's note of it.
    drop(folder);
    repository.run(["worktree", "prune"], [])?;
    super::print(&found?);
    Ok(Exit::Held)
}

impl Search<'_> {
    /// Halves the commits, the last of which is bad. Returns what was found, as text.
    fn search(&self, good: &str, commits: &[String]) -> Result<String, Error> {
        let begin = self.must_try(good, "good")?;
        let bad = commits.last().map_or(good, |last| last);
        let end = self.must_try(bad, "bad")?;
        if self.is_bad(&begin, &begin) {
            return Err(Error::NotGood { commit: good.to_string(), what: "already fails".to_string() });
        }
        if !self.is_bad(&begin, &end) {
            let what = match self.arguments.by {
                By::Verdict => "does not fail; `--by trace` finds where the steps change",
                By::Trace => "takes the same steps as the good one",
            };
            return Err(Error::NotGood { commit: bad.to_string(), what: what.to_string() });
        }
        // Everything before `low` is good, `high` is bad. The good commit itself is not in the list.
        let (mut low, mut high) = (0, commits.len() - 1);
        let (mut last_good, mut first_bad) = ((good.to_string(), begin), end);
        let mut skipped = vec![false; commits.len()];
        while let Some(middle) = middle(low, high, &skipped) {
            eprintln!("{} left to try", numbers::counted(high - low, "commit"));
            match self.attempt(&commits[middle])? {
                None => skipped[middle] = true,
                Some(tried) if self.is_bad(&last_good.1, &tried) => (high, first_bad) = (middle, tried),
                Some(tried) => (low, last_good) = (middle + 1, (commits[middle].clone(), tried)),
            }
        }
        let mut text = String::new();
        if low < high {
            let open: Vec<_> =
                commits[low..=high].iter().map(|commit| self.repository.title(commit)).collect();
            text += &format!(
                "One of these commits is the first bad one; all but the last could not be tried:\n   {}\n",
                open.join("\n   ")
            );
        } else {
            let title = self.repository.title(&commits[high]);
            text += &format!("{}\n   {title}\n", "The first bad commit:".bold());
        }
        text += &format!("\nleft:  {}\nright: {}\n", last_good.0, commits[high]);
        if let Some(parting) = parting(&last_good.1.trace, &first_bad.trace) {
            diff::describe(&mut text, [&last_good.1.trace, &first_bad.trace], &parting, 8, 0)
                .expect("a String takes everything");
        }
        Ok(text)
    }

    fn is_bad(&self, good: &Tried, tried: &Tried) -> bool {
        match self.arguments.by {
            By::Verdict => tried.fails,
            By::Trace => parting(&good.trace, &tried.trace).is_some(),
        }
    }

    /// Tries a commit that the search cannot do without.
    fn must_try(&self, commit: &str, which: &str) -> Result<Tried, Error> {
        let tried = self.attempt(commit)?;
        tried.ok_or_else(|| Error::NotGood {
            commit: commit.to_string(),
            what: format!("cannot be tried, but the search needs it as the {which} one"),
        })
    }

    /// Builds a commit and replays the plan with it; `None` if it does not build or cannot read the plan.
    fn attempt(&self, commit: &str) -> Result<Option<Tried>, Error> {
        let (tree, target) = (self.folder.join("tree"), self.folder.join("target"));
        eprintln!("building {}", self.repository.title(commit));
        Repository(tree.clone()).run(["checkout", "--quiet", "--detach", "--force"], [commit.as_ref()])?;
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--release", "--quiet", "--package", "etcdsim"]).current_dir(&tree);
        cargo.env("CARGO_TARGET_DIR", &target).env_remove("CARGO_BUILD_TARGET");
        let built = cargo.output().map_err(|error| Error::NoTool { tool: "cargo", error })?;
        if !built.status.success() {
            let said = String::from_utf8_lossy(&built.stderr).lines().last().unwrap_or_default().to_string();
            eprintln!("   skipped: it does not build: {said}");
            return Ok(None);
        }
        let binary = target.join("release/etcdsim");
        match diff::trace_of(&binary, &self.plan, &self.folder.join("trace.txt"), commit) {
            Ok((trace, code)) => {
                eprintln!("   {}", if code == 1 { "the plan has a violation" } else { "the plan holds" });
                Ok(Some(Tried { trace, fails: code == 1 }))
            }
            Err(error) => {
                eprintln!("   skipped: {error}");
                Ok(None)
            }
        }
    }
}

/// The commit to try next, between the first that may be bad and the first known to be bad: of those not skipped, the
/// one nearest to the middle.
fn middle(low: usize, high: usize, skipped: &[bool]) -> Option<usize> {
    let centre = low + (high - low) / 2;
    (low..high).filter(|at| !skipped[*at]).min_by_key(|at| at.abs_diff(centre))
}

/// A git repository.
struct Repository(PathBuf);

impl Repository {
    /// Runs git, and returns what it prints.
    fn run<const N: usize, const M: usize>(
        &self,
        words: [&str; N],
        more: [&OsStr; M],
    ) -> Result<String, Error> {
        let mut git = Command::new("git");
        git.arg("-C").arg(&self.0).args(words).args(more);
        let ended = git.output().map_err(|error| Error::NoTool { tool: "git", error })?;
        if ended.status.success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).trim().to_string());
        }
        let why = String::from_utf8_lossy(&ended.stderr).trim().to_string();
        Err(Error::Git { repository: self.0.clone(), command: words.join(" "), why })
    }

    /// The full name of a commit.
    fn commit(&self, revision: &str) -> Result<String, Error> {
        let wanted = format!("{revision}^{{commit}}");
        self.run(["rev-parse", "--verify", "--quiet"], [wanted.as_ref()]).map_err(|error| match error {
            Error::Git { repository, .. } => Error::NoCommit { repository, revision: revision.to_string() },
            other => other,
        })
    }

    /// The commits after `good` up to `bad`, the oldest first.
    fn between(&self, good: &str, bad: &str) -> Result<Vec<String>, Error> {
        let range = format!("{good}..{bad}");
        let list = self.run(["rev-list", "--reverse", "--first-parent"], [range.as_ref()])?;
        let commits: Vec<String> = list.lines().map(str::to_string).collect();
        if commits.is_empty() {
            let what = "is not before the bad one".to_string();
            return Err(Error::NotGood { commit: good.to_string(), what });
        }
        Ok(commits)
    }

    /// A commit with its first line.
    fn title(&self, commit: &str) -> String {
        self.run(["log", "-1", "--format=%h %s"], [commit.as_ref()]).unwrap_or_else(|_| commit.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_not_one_that_was_skipped() {
        let mut skipped = vec![false; 8];
        assert_eq!(middle(0, 7, &skipped), Some(3));
        skipped[3] = true;
        assert_eq!(middle(0, 7, &skipped), Some(2));
        skipped[..7].fill(true);
        assert_eq!(middle(0, 7, &skipped), None);
        assert_eq!(middle(7, 7, &skipped), None);
    }
}
