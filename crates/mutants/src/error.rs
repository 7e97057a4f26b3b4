//! What can go wrong, with what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A mistake of the user, or a failure of the environment.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder that cannot be read or written.
    #[error("cannot {what} {}: {error}", path.display())]
    File {
        /// "read", "write", …
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },

    /// A program that cannot be started.
    #[error("cannot start {program}: {error}")]
    Start {
        /// Which.
        program: String,
        /// Why.
        error: io::Error,
    },

    /// cargo refused.
    #[error("`cargo {command}` failed in {}:\n{said}", folder.display())]
    Cargo {
        /// The command.
        command: String,
        /// Where.
        folder: PathBuf,
        /// What it wrote.
        said: String,
    },

    /// A package that is not there.
    #[error(
        "there is no package `{name}` in {}. Name one that the simulator is built from: `cargo tree` lists them{}",
        root.display(),
        if several.is_empty() { String::new() } else { format!("; several match, so write one of {}", several.join(", ")) }
    )]
    NoPackage {
        /// What was asked for.
        name: String,
        /// The workspace.
        root: PathBuf,
        /// The packages that it may mean.
        several: Vec<String>,
    },

    /// A package without a library.
    #[error("package `{0}` has no library, so no other program can hold its mutants")]
    NoLibrary(String),

    /// A source that does not parse.
    #[error("{}: {error}. Only sources that compile have mutants", file.display())]
    Source {
        /// Which.
        file: PathBuf,
        /// Why.
        error: syn::Error,
    },

    /// Nothing to run.
    #[error("there are no mutants in {files}. `etcdsim-mutants list {package}` shows where there are some")]
    NoMutants {
        /// The package.
        package: String,
        /// The files that were asked for.
        files: String,
    },

    /// More mutants than a program can hold.
    #[error(
        "{package} has {found} mutants, but a program holds {most}. Name some of its files with `--only`"
    )]
    TooMany {
        /// The package.
        package: String,
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: u32,
    },

    /// Code that does not compile although no mutant is to blame.
    #[error("{package} does not compile, and no mutant that is left can be the reason:\n{said}")]
    DoesNotCompile {
        /// The package.
        package: String,
        /// What the compiler wrote.
        said: String,
    },

    /// The rewritten package takes no part in the runner.
    #[error(
        "the runner is not built from {package} {version} as found in {}. Is it a dependency of `{runner}`?",
        source_folder.display()
    )]
    NotPartOfRunner {
        /// The package.
        package: String,
        /// Its version.
        version: String,
        /// Where it was found.
        source_folder: PathBuf,
        /// The runner.
        runner: String,
    },

    /// The program that runs the jobs does not work even without a mutant.
    #[error("{0}")]
    Runner(String),

    /// Results of an earlier run that was not finished.
    #[error(
        "{} has {done} of {planned} results of a run that was not finished. Continue it with `--resume`, or remove the file",
        path.display()
    )]
    Unfinished {
        /// The journal.
        path: PathBuf,
        /// How many results it has.
        done: usize,
        /// How many were planned.
        planned: usize,
    },

    /// Results that cannot be continued.
    #[error(
        "{} cannot be continued: {why}. Run without `--resume` after removing the file, or with the settings it was begun with",
        path.display()
    )]
    CannotResume {
        /// The journal.
        path: PathBuf,
        /// Why.
        why: String,
    },

    /// A file that is not the journal or list that it should be.
    #[error("{}: {why}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl Error {
    /// An error about a file, for `map_err`.
    pub fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_path_buf();
        move |error| Error::File { what, path, error }
    }
}
