//! An etcd server. The member is the one that the simulator tortures; here it is driven by threads and by tokio, with real
//! clocks, real files and real sockets. What holds between the two, the crate `contract` says.
//!
//! | file | job |
//! |---|---|
//! | `main`, `server` | the command; how everything starts and stops |
//! | `flags`, `duration`, `config_file`, `setup`, `url` | what the user says |
//! | `data_dir`, `disk`, `clock` | the machine under the member: its files and its clocks |
//! | `driver`, `handle` | the event loop, and how everybody else talks to it |
//! | `app`, `connections`, `net`, `tls` | addresses that listen, and their connections |
//! | `grpc`, `observe`, `http`, `gateway`, `metrics` | what clients are answered |
//! | `peers`, `peer_server`, `wire` | what members say to each other |
//! | `passwords` | how passwords are hashed |
//!
//! Architecture invariants: nothing of etcd's logic is here, only in `member`. Neither madsim nor a flaw is in this
//! program; `tests/binary.rs` looks.

mod app;
mod clock;
mod config_file;
mod connections;
mod data_dir;
mod disk;
mod driver;
mod duration;
mod flags;
mod gateway;
mod grpc;
mod handle;
mod http;
mod metrics;
mod net;
mod observe;
mod passwords;
mod peer_server;
mod peers;
mod server;
mod setup;
mod tls;
mod url;
mod wire;

use std::process::ExitCode;

use setup::Setup;

fn main() -> ExitCode {
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
