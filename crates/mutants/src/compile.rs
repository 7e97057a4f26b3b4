//! Builds one program with all mutants that compile.
//!
//! Not every mutant compiles, and the compiler says which do not. Those are left out, and the rest is built again:
//! first until the types fit, then until the borrows do. The mutants that were left out are remembered, so that the
//! next call builds only once.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::{Deserialize, Serialize};

use crate::blame::{Blame, Diagnostic, Written};
use crate::cargo::{self, Package, Workspace};
use crate::error::Error;
use crate::mirror::Mirror;
use crate::rewrite::rewrite;
use crate::sources::Source;

/// The most rounds of building. An error needs as many rounds as there are guesses, and the compiler checks the borrows
/// only when the types fit.
const MOST_ROUNDS: usize = 15;

/// What is built.
#[derive(Clone, Debug)]
pub enum Program {
    /// A program that serves jobs: its package.
    Runner(String),
    /// The tests of the package itself.
    Tests,
}

/// What to build and where.
#[derive(Clone, Copy, Debug)]
pub struct Compilation<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// The package that has the mutants.
    pub package: &'a Package,
    /// Its sources. Those without sites stay as they are.
    pub sources: &'a [Source],
    /// The files that get mutants.
    pub only: &'a [String],
    /// What is built.
    pub program: &'a Program,
    /// cargo's profile.
    pub profile: &'a str,
    /// The folder for everything that is written.
    pub work: &'a Path,
}

/// What was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// The executables: one runner, or one for each program of tests.
    pub programs: Vec<PathBuf>,
    /// The mutants that do not compile.
    pub left_out: BTreeSet<u32>,
    /// The copy that it was built from.
    pub mirror: Mirror,
}

/// The file that remembers which mutants do not compile.
#[derive(Serialize, Deserialize)]
struct Remembered {
    /// Of which sources.
    fingerprint: u64,
    numbers: BTreeSet<u32>,
}

/// A line of cargo's output.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    #[serde(rename = "compiler-message")]
    Diagnosed {
        message: Diagnostic,
    },
    CompilerArtifact {
        target: Target,
        profile: Profile,
        executable: Option<PathBuf>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// A number that differs for different contents.
pub fn fingerprint(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.into_iter().for_each(|part| part.as_ref().hash(&mut hasher));
    hasher.finish()
}

/// Builds. `progress` is told what happens, a line each.
///
/// # Errors
/// If cargo fails for a reason other than a mutant that does not compile.
pub fn compile(what: &Compilation<'_>, progress: &mut dyn FnMut(&str)) -> Result<Built, Error> {
    let memory = what.work.join("left-out.json");
    // The fingerprint of the texts with all mutants: they change if the sources change, or if this program finds other
    // mutants.
    let chosen = || what.sources.iter().filter(|source| source.is_among(what.only));
    let fingerprint = fingerprint(chosen().map(|source| rewrite(&source.text, &source.sites).text));
    let remembered =
        fs::read(&memory).ok().and_then(|bytes| serde_json::from_slice::<Remembered>(&bytes).ok());
    let remembered = remembered.filter(|remembered| remembered.fingerprint == fingerprint);
    let mut left_out = remembered.map(|remembered| remembered.numbers).unwrap_or_default();
    let mut blame = Blame::default();
    for round in 1.. {
        let mut texts = BTreeMap::new();
        let mut written = BTreeMap::new();
        for source in chosen() {
            let stays = |site: &&crate::mutant::Site| !left_out.contains(&site.mutant.number);
            let sites: Vec<_> = source.sites.iter().filter(stays).collect();
            let rewritten = rewrite(&source.text, sites.iter().copied());
            texts.insert(source.file.clone(), rewritten.text);
            written.insert(
                source.file.as_str(),
                Written { sites, places: rewritten.places.into_iter().collect() },
            );
        }
        let mirror = Mirror::write(what.workspace, what.package, what.work, &texts)?;
        if round == 1 {
            is_part_of_runner(what, &mirror)?;
        }
        let count: usize = written.values().map(|written| written.sites.len()).sum();
        progress(&format!("building with {count} mutants of {} (round {round})", what.package.name));
        let (programs, errors, said) = build(what, &mirror)?;
        let Some(programs) = programs else {
            let place = |name: &str| {
                let path = mirror.root.join(name);
                let file = path.strip_prefix(&mirror.package).ok()?;
                let file = file.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
                written.get(file.as_str())
            };
            let before = left_out.len();
            errors.iter().for_each(|error| left_out.extend(blame.of(error, place)));
            if left_out.len() == before || round == MOST_ROUNDS {
                let rendered = errors.iter().filter_map(|error| error.rendered.as_deref()).take(3);
                let said = if errors.is_empty() { said } else { rendered.collect::<Vec<_>>().join("\n") };
                return Err(Error::DoesNotCompile { package: what.package.name.clone(), said });
            }
            progress(&format!("{} mutants do not compile and are left out", left_out.len()));
            continue;
        };
        let remembered = Remembered { fingerprint, numbers: left_out.clone() };
        let text = serde_json::to_vec(&remembered).map_err(std::io::Error::from);
        text.and_then(|text| fs::write(&memory, text)).map_err(Error::file("write", &memory))?;
        return Ok(Built { programs, left_out, mirror });
    }
    unreachable!("the loop ends with a return")
}

/// Checks that the copy is built from the rewritten package, and not from another version of it.
fn is_part_of_runner(what: &Compilation<'_>, mirror: &Mirror) -> Result<(), Error> {
    let copy = Workspace::read(&mirror.root, false)?;
    let asked = format!("{}@{}", what.package.name, what.package.version);
    if copy.package(&asked).is_ok_and(|found| found.folder == mirror.package) {
        return Ok(());
    }
    let runner = match what.program {
        Program::Runner(runner) => runner.clone(),
        Program::Tests => what.package.name.clone(),
    };
    Err(Error::NotPartOfRunner {
        package: what.package.name.clone(),
        version: what.package.version.clone(),
        source_folder: what.package.folder.clone(),
        runner,
    })
}

/// The programs if cargo succeeded, the compiler's errors, and what cargo said besides.
type Attempt = (Option<Vec<PathBuf>>, Vec<Diagnostic>, String);

/// Calls cargo once.
fn build(what: &Compilation<'_>, mirror: &Mirror) -> Result<Attempt, Error> {
    let mut command = cargo::cargo(&mirror.root);
    match what.program {
        Program::Runner(runner) => command.args(["build", "--bins", "--package", runner]),
        Program::Tests => command.args(["test", "--no-run", "--package", &what.package.name]),
    };
    command.args(["--offline", "--message-format", "json", "--profile", what.profile]);
    command.arg("--target-dir").arg(&mirror.target);
    // A mutant may be code that the lints of the package forbid.
    match env::var("RUSTFLAGS") {
        Ok(flags) => command.env("RUSTFLAGS", format!("{flags} --cap-lints=allow")),
        Err(_) => command.args(["--config", r#"build.rustflags = ["--cap-lints=allow"]"#]),
    };
    command.env_remove("CARGO_TARGET_DIR");
    let log = what.work.join("cargo.log");
    let log_file = fs::File::create(&log).map_err(Error::file("write", &log))?;
    let mut child = (command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log_file).spawn())
        .map_err(|error| Error::Start { program: "cargo".to_string(), error })?;
    let (mut programs, mut errors) = (Vec::new(), Vec::new());
    for line in BufReader::new(child.stdout.take().expect("stdout is piped")).lines() {
        let line = line.map_err(|error| Error::Start { program: "cargo".to_string(), error })?;
        match serde_json::from_str(&line) {
            // The last error of a crate only counts the others, and names no place.
            Ok(Message::Diagnosed { message })
                if message.level.starts_with("error") && !message.spans.is_empty() =>
            {
                errors.push(message);
            }
            Ok(Message::CompilerArtifact { target, profile, executable: Some(executable) }) => {
                let wanted = match what.program {
                    Program::Runner(_) => target.kind.iter().any(|kind| kind == "bin"),
                    Program::Tests => profile.test,
                };
                if wanted {
                    programs.push(executable);
                }
            }
            _ => {}
        }
    }
    let status = child.wait().map_err(|error| Error::Start { program: "cargo".to_string(), error })?;
    let said = fs::read_to_string(&log).unwrap_or_default();
    Ok((status.success().then_some(programs), errors, said))
}
