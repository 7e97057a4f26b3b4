//! The command: from the command line to a server that runs.

use std::process::ExitCode;

use crate::setup::Setup;
use crate::{config_file, flags, server};

/// Runs a server with this process's command line and environment, until it ends.
pub fn run() -> ExitCode {
    let mut given = flags::parse(std::env::args_os(), true).unwrap_or_else(|error| error.exit());
    if let Some(path) = &given.flags.config_file {
        let (args, warnings) = match config_file::command_line(path) {
            Ok(read) => read,
            Err(error) => return failed(&error),
        };
        given = flags::parse(args, false).unwrap_or_else(|error| error.exit());
        given.warnings.extend(warnings);
    }
    begin_log(&given.flags.log_level);
    for warning in &given.warnings {
        tracing::warn!("{warning}");
    }
    let result = Setup::new(given).and_then(server::run);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(why: &str) -> ExitCode {
    eprintln!("etcdsim-server: {why}");
    ExitCode::FAILURE
}

fn begin_log(level: &str) {
    let level = match level {
        "debug" => tracing::Level::DEBUG,
        "info" => tracing::Level::INFO,
        "warn" => tracing::Level::WARN,
        _ => tracing::Level::ERROR,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(false).init();
}
