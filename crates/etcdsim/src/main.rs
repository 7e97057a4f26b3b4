//! The command `etcdsim`.

use std::process::ExitCode;

/// A run allocates for each message; this costs half of what the system's allocator does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    etcdsim::command::main().into()
}
