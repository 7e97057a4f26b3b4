//! The command line. Each subcommand has a file or folder; this file parses the arguments, calls the subcommand, and
//! turns its result into an exit code.
//!
//! Results go to stdout, progress and mistakes of the user to stderr.

mod aim;
mod beside;
mod bisect;
mod check;
mod diff;
mod explain;
mod lists;
mod log;
mod one_run;
mod plan;
mod progress;
mod record;
mod replay;
mod run;
mod shrink;
mod step;
mod values;
mod why;

use std::io::{self, Write};

use clap::{Parser, Subcommand, ValueEnum};
use miette::Report;

use crate::error::Error;
use crate::execute::{HarnessFailure, catch_panics};
use crate::exit::Exit;
use crate::show::github;

/// Runs clusters of etcd members in virtual time, injects faults, and judges what their clients saw.
#[derive(Debug, Parser)]
#[command(name = "etcdsim", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
    0  everything held
    1  a violation
    2  bad usage or a bad file
    3  the harness itself failed, or could not decide
    4  not deterministic
    5  a saved failure did not reproduce, or its plan no longer gets there
  130  interrupted";

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs scenarios with many seeds and judges every run
    Run(run::Arguments),
    /// Runs one plan, or one seed of a scenario, again, with its trace and log if asked
    Replay(replay::Arguments),
    /// Shrinks a failing plan as far as it can while it still fails in the same way
    Shrink(shrink::Arguments),
    /// Runs one plan, or one seed of a scenario, and explains why it fails
    Explain(explain::Arguments),
    /// Prints the plan that a scenario and a seed make
    Plan(plan::Arguments),
    /// Shows when a failure became certain, and which faults and operations it needs
    Why(why::Arguments),
    /// Changes a saved plan a little until it again reaches what its failing run reached
    Aim(aim::Arguments),
    /// Judges histories recorded elsewhere, for example of a real etcd
    Check(check::Arguments),
    /// Walks a member through the record of a real process again, and reports whether it takes the same steps
    Step(record::Arguments),
    /// Shows two runs of one plan side by side, up to the first event at which they diverge
    Diff(diff::Arguments),
    /// Finds the commit of a repository with which a plan begins to fail
    Bisect(bisect::Arguments),
    /// Lists scenarios with their titles
    Scenarios(lists::ScenariosArguments),
    /// Lists the flaws that `--flaw` switches on
    Flaws,
    /// Prints the JSON schema of scenarios and plans, for editors
    Schema,
    /// Runs an etcd server: the simulator's member on real sockets and files
    #[command(disable_help_flag = true)]
    Serve(beside::Arguments),
    /// Puts, reads and watches keys of etcd servers, with etcdctl's flags
    #[command(disable_help_flag = true)]
    Ctl(beside::Arguments),
}

/// The format of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object
    Json,
    /// JUnit's XML
    Junit,
    /// Annotations for GitHub Actions
    Github,
}

/// Mistakes of the user, and whether to print them as annotations for GitHub, too.
#[derive(Debug)]
struct Mistakes {
    errors: Vec<Error>,
    annotate: bool,
}

impl From<Error> for Mistakes {
    fn from(error: Error) -> Mistakes {
        Mistakes { errors: vec![error], annotate: false }
    }
}

/// Reads the command line, runs the command and returns the exit code.
pub fn main() -> Exit {
    let Arguments { command } = Arguments::parse();
    // The panic hook has already printed the text of a panic.
    let done = catch_panics(|| match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::Shrink(arguments) => shrink::shrink(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Plan(arguments) => plan::print(&arguments),
        Command::Why(arguments) => why::why(&arguments),
        Command::Aim(arguments) => aim::aim_plan(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Step(arguments) => record::step(&arguments),
        Command::Diff(arguments) => diff::diff(&arguments),
        Command::Bisect(arguments) => bisect::bisect(&arguments),
        Command::Scenarios(arguments) => lists::scenarios(&arguments),
        Command::Flaws => Ok(lists::flaws()),
        Command::Schema => Ok(lists::schema()),
        Command::Serve(arguments) => beside::execute("etcdsim-server", &arguments),
        Command::Ctl(arguments) => beside::execute("etcdsim-ctl", &arguments),
    });
    match done {
        Ok(Ok(exit)) => exit,
        Ok(Err(mistakes)) => {
            show(mistakes);
            Exit::Usage
        }
        Err(HarnessFailure(_)) => Exit::Harness,
    }
}

/// Prints errors. `annotate` adds annotations for GitHub.
fn show(Mistakes { errors, annotate }: Mistakes) {
    for error in errors {
        if annotate {
            print(&annotations(&error));
        }
        anstream::eprintln!("{:?}", Report::new(error));
    }
}

/// An error as annotations for GitHub, one for each mistake in a file.
fn annotations(error: &Error) -> String {
    match error {
        Error::File(errors) => errors
            .mistakes()
            .iter()
            .map(|mistake| {
                let message = format!("{}\n{}", mistake.message, mistake.help);
                github::annotation(errors.file(), errors.place(mistake), "bad scenario", message.trim())
            })
            .collect(),
        other => github::annotation("", (1, 1), "bad usage", &other.to_string()),
    }
}

/// Writes a result to stdout. If the reader has closed the pipe, such as `head`, that is not an error.
fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        eprintln!("cannot write the result: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_valid() {
        Arguments::command().debug_assert();
    }
}
