//! The exit codes of the command.

use std::process::ExitCode;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// Everything held.
    Held,
    /// A violation.
    Violation,
    /// Bad usage or a bad file.
    Usage,
    /// The harness itself failed, or could not decide.
    Harness,
    /// The same plan took different steps.
    Nondeterministic,
    /// A saved failure did not reproduce.
    NotReproduced,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Held => 0,
            Exit::Violation => 1,
            Exit::Usage => 2,
            Exit::Harness => 3,
            Exit::Nondeterministic => 4,
            Exit::NotReproduced => 5,
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
