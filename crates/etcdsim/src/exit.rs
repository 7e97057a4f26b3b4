//! The exit codes of the command `etcdsim`.

use std::process::ExitCode;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// No violation, and everything was decided.
    Held,
    /// A violation.
    Violation,
    /// A mistake of the user: in the arguments or in a file.
    Usage,
    /// The harness (the simulator, an oracle, an observer or a workload) failed, or a judge could not decide.
    Harness,
    /// Two runs of the same plan took different steps (oracle D1).
    Nondeterministic,
    /// A saved plan no longer has the violation with which it was saved, or no longer gets there; a plan that should be
    /// shrunk or explained does not fail.
    NotReproduced,
    /// The user pressed Ctrl-C.
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
