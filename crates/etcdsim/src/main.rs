//! The command `etcdsim`.

use std::process::ExitCode;

fn main() -> ExitCode {
    etcdsim::command::main().into()
}
