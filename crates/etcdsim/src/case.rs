//! A case is what `etcdsim` runs with one or many seeds: a scenario or a saved plan, with the file it came from and
//! the flaws to switch on.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use plan::{FlawAt, Plan, Scenario};

use crate::error::Error;
use crate::flaws;
use crate::saved::SavedResult;

/// Folders of this name have scenarios for benchmarks, which run only if the user names them.
const BENCHES: &str = "bench";

/// A scenario or a plan that can be run, with the flaws that are switched on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Case {
    /// The file as named by the caller; or the name given to a scenario that is not in a file.
    pub file: String,
    /// Its name without folder and extension.
    pub name: String,
    /// The scenario or the plan.
    source: plan::Source,
    /// Whether it was read from a file.
    in_file: bool,
    /// The flaws to switch on, in addition to those in the file.
    flaws: Vec<FlawAt>,
    /// The result of a plan when it was saved.
    saved: Option<SavedResult>,
}

impl Case {
    /// Reads a scenario or a plan.
    ///
    /// # Errors
    /// If the file cannot be read, contains mistakes, or switches on a flaw that does not exist.
    pub fn load(path: &Path) -> Result<Case, Error> {
        let source = plan::Source::load(path)?;
        let case = Case::new(&path.to_string_lossy(), source)?;
        let text = fs::read_to_string(path).unwrap_or_default(); // it was just read
        let saved = SavedResult::read(&text).filter(|_| case.is_plan());
        Ok(Case { in_file: true, saved, ..case })
    }

    /// Parses the text of a scenario or a plan; `name` stands for the file in messages.
    ///
    /// # Errors
    /// If it contains mistakes, or switches on a flaw that does not exist.
    pub fn parse(name: &str, text: &str) -> Result<Case, Error> {
        Case::new(name, plan::Source::parse(name, text)?)
    }

    /// A scenario that was built in code.
    ///
    /// # Errors
    /// If it switches on a flaw that does not exist, or if it has a custom workload that makes invalid clients
    /// (see [`Plan::validate`]) with seed 0.
    pub fn of(scenario: Scenario) -> Result<Case, Error> {
        let name = scenario.name.clone();
        let case = Case::new(&name, plan::Source::Scenario(Box::new(scenario)))?;
        case.valid_plan(0)?;
        Ok(case)
    }

    fn new(file: &str, source: plan::Source) -> Result<Case, Error> {
        let stem = Path::new(file).file_stem().map_or_else(|| file.into(), |stem| stem.to_string_lossy());
        let (file, name) = (file.to_string(), stem.into_owned());
        let case = Case { file, name, source, in_file: false, flaws: Vec::new(), saved: None };
        // Files name flaws; only this crate knows which flaws exist.
        flaws::check(&case.plan(0).flaws, &case.file, &|seed| case.plan(seed))?;
        Ok(case)
    }

    /// Adds a custom workload. A plan is complete and does not change.
    pub(crate) fn with_workload(mut self, workload: impl plan::Workload + 'static) -> Case {
        if let plan::Source::Scenario(scenario) = self.source {
            self.source = plan::Source::Scenario(Box::new(scenario.with_workload(workload)));
        }
        self
    }

    /// Whether `etcdsim replay` can replay one of its seeds: it must be in a file and have no workload in code.
    pub fn is_in_file(&self) -> bool {
        let own = matches!(&self.source, plan::Source::Scenario(scenario) if scenario.has_own_workloads());
        self.in_file && !own
    }

    /// Switches flaws on, in addition to those in the file.
    ///
    /// # Errors
    /// If there is no such flaw, or no such member.
    pub fn with_flaws(mut self, flaws: &[FlawAt]) -> Result<Case, Error> {
        flaws::check(flaws, &self.file, &|seed| self.plan(seed))?;
        self.flaws.extend_from_slice(flaws);
        Ok(self)
    }

    /// The scenario's title.
    pub fn title(&self) -> &str {
        match &self.source {
            plan::Source::Scenario(scenario) => &scenario.title,
            plan::Source::Plan(plan) => &plan.title,
        }
    }

    /// The comment at the head of a scenario, which says what it is looking for. Empty for a plan.
    pub fn about(&self) -> &str {
        match &self.source {
            plan::Source::Scenario(scenario) => &scenario.about,
            plan::Source::Plan(_) => "",
        }
    }

    /// The result of a plan when it was saved; `None` if it was not saved, or if further flaws are switched on.
    pub(crate) fn saved(&self) -> Option<&SavedResult> {
        self.saved.as_ref().filter(|_| self.flaws.is_empty())
    }

    /// The flaws that were switched on in addition to those in the file.
    pub fn flaws(&self) -> &[FlawAt] {
        &self.flaws
    }

    /// The seeds to run: `asked` for a scenario, its own seed for a plan.
    pub fn seeds<'a>(&self, asked: &'a [u64]) -> Cow<'a, [u64]> {
        match &self.source {
            plan::Source::Scenario(_) => Cow::Borrowed(asked),
            plan::Source::Plan(plan) => Cow::Owned(vec![plan.seed]),
        }
    }

    /// The seed to run again: a plan has its own, a scenario needs one from the user.
    pub(crate) fn seed(&self, asked: Option<u64>) -> Result<u64, Error> {
        match (&self.source, asked) {
            (plan::Source::Plan(plan), None) => Ok(plan.seed),
            (plan::Source::Scenario(_), Some(seed)) => Ok(seed),
            (plan::Source::Plan(_), Some(_)) => Err(Error::SeedOfPlan { file: self.file.clone() }),
            (plan::Source::Scenario(_), None) => Err(Error::ScenarioWithoutSeed { file: self.file.clone() }),
        }
    }

    /// Whether it is a plan, which leaves nothing to a seed.
    pub fn is_plan(&self) -> bool {
        matches!(self.source, plan::Source::Plan(_))
    }

    /// Expands the scenario with a seed, and switches the flaws on. A plan is returned unchanged but for the flaws.
    pub fn plan(&self, seed: u64) -> Plan {
        let mut plan = match &self.source {
            plan::Source::Scenario(scenario) => scenario.expand(seed),
            plan::Source::Plan(plan) => Plan::clone(plan),
        };
        plan.flaws.extend(self.flaws.iter().cloned());
        plan
    }

    /// The plan of a seed, validated if a custom workload made clients.
    pub(crate) fn valid_plan(&self, seed: u64) -> Result<Plan, Error> {
        let plan = self.plan(seed);
        if matches!(&self.source, plan::Source::Scenario(scenario) if scenario.has_own_workloads()) {
            plan.validate()?;
        }
        Ok(plan)
    }
}

/// The scenario files that `paths` name, in order and without duplicates. A folder stands for every `.toml` file in
/// it and its subfolders, except in folders named `bench`.
///
/// # Errors
/// If a folder cannot be read, or has no scenario.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            collect(path, &mut files)?;
            if files.len() == before {
                return Err(Error::NothingToRun { path: path.clone() });
            }
        } else {
            files.push(path.clone());
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    files.retain(|file| seen.insert(file.clone()));
    Ok(files)
}

/// Adds all scenario files of a folder and its subfolders.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let unreadable = |error| Error::Unreadable { path: folder.to_path_buf(), error };
    let mut entries = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>())
        .map_err(unreadable)?;
    entries.sort();
    // Files first: the scenarios of a folder come before those in its subfolders.
    let (folders, plain): (Vec<_>, Vec<_>) = entries.into_iter().partition(|path| path.is_dir());
    files.extend(
        plain.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "toml")),
    );
    for inner in folders.iter().filter(|inner| inner.file_name().is_some_and(|name| name != BENCHES)) {
        collect(inner, files)?;
    }
    Ok(())
}
