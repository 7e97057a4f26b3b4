//! `serve` and `ctl`: other programs in this one's folder. They are separate so that this one stays small, and madsim,
//! which replaces the clocks of a whole process, stays out of a real server.

use std::env;
use std::env::consts::EXE_SUFFIX;
use std::ffi::OsString;
use std::io;
use std::process::Command;

use clap::Args;

use super::Mistakes;
use crate::error::Error;
use crate::exit::Exit;

/// What is passed on.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Passed on as they are; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Executes a program of this project in place of this one.
pub(super) fn execute(program: &'static str, arguments: &Arguments) -> Result<Exit, Mistakes> {
    let path = env::current_exe().map(|own| own.with_file_name(format!("{program}{EXE_SUFFIX}")));
    let failed = |error| Mistakes::from(Error::NotBeside { program, error });
    let path = path.map_err(failed)?;
    let mut command = Command::new(path);
    command.args(&arguments.arguments);
    replace(&mut command).map_err(failed)
}

/// The new program takes over this process, with its signals.
#[cfg(unix)]
fn replace(command: &mut Command) -> io::Result<Exit> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec())
}

#[cfg(not(unix))]
fn replace(command: &mut Command) -> io::Result<Exit> {
    let status = command.status()?;
    Ok(if status.success() { Exit::Held } else { Exit::Usage })
}
