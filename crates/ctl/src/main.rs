//! `etcdsim-ctl`: puts, reads and watches keys of etcd servers, and looks after their members, with etcdctl's flags,
//! variables and output.
//!
//! | file | job |
//! |---|---|
//! | `args` | the command line |
//! | `session` | connections to the servers, and the user |
//! | `keys`, `watch`, `txn`, `leases`, `members`, `endpoints`, `snapshot` | the commands |
//! | `show` | how answers are written |

mod args;
mod endpoints;
mod keys;
mod leases;
mod members;
mod session;
mod show;
mod snapshot;
mod txn;
mod watch;

use std::process::ExitCode;

use args::{Args, Command};
use clap::Parser as _;

/// Why a command failed, and the process's exit code.
pub struct Failure {
    /// The code, as etcdctl has it (`ctlv3/command`, `error.go`).
    pub code: u8,
    /// The reason.
    pub text: String,
}

/// The exit code for arguments that make no sense.
pub const BAD_ARGS: u8 = 128;

impl Failure {
    /// Arguments that make no sense.
    pub fn of_args(text: impl Into<String>) -> Failure {
        Failure { code: BAD_ARGS, text: text.into() }
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Failure {
        Failure { code: 1, text: status.message().to_string() }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure { code: 1, text: error.to_string() }
    }
}

/// How a command ends.
pub type Outcome = Result<(), Failure>;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&Failure::from(error)),
    };
    match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(&failure),
    }
}

fn failed(failure: &Failure) -> ExitCode {
    eprintln!("Error: {}", failure.text);
    ExitCode::from(failure.code)
}

async fn run(args: Args) -> Outcome {
    let Args { command, global } = args;
    match command {
        Command::Put(args) => keys::put(&global, args).await,
        Command::Get(args) => keys::get(&global, args).await,
        Command::Del(args) => keys::del(&global, args).await,
        Command::Compaction(args) => keys::compact(&global, args).await,
        Command::Watch(args) => watch::watch(&global, args).await,
        Command::Txn(args) => txn::txn(&global, args).await,
        Command::Lease(what) => leases::lease(&global, what).await,
        Command::Member(what) => members::member(&global, what).await,
        Command::Endpoint(what) => endpoints::endpoint(&global, what).await,
        Command::Snapshot(args::Snapshot::Save { file }) => snapshot::save(&global, &file).await,
        Command::Version => {
            println!("etcdsim-ctl version: {}", env!("CARGO_PKG_VERSION"));
            println!("API version: 3.7");
            Ok(())
        }
    }
}
