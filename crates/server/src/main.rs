//! The command `etcdsim-server`.

use std::process::ExitCode;

fn main() -> ExitCode {
    etcdsim_server::command::run()
}
