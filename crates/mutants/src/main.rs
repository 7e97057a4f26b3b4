//! The command `etcdsim-mutants`.

use std::process::ExitCode;

fn main() -> ExitCode {
    etcdsim_mutants::command::main()
}
