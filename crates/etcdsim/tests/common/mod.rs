//! Runs the built command as a user would: from the root of the repository.

pub mod folder;

use std::path::Path;
use std::process::Command;

/// How a run of the command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The command, ready for arguments.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_etcdsim"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    // The test itself may run under cargo, but the line to paste must name the binary.
    command.env_remove("CARGO").env("NO_COLOR", "1");
    command
}

/// Runs it with these arguments.
pub fn etcdsim(arguments: &[&str]) -> Ended {
    end(command().args(arguments))
}

/// Runs it to its end.
pub fn end(command: &mut Command) -> Ended {
    let output = command.output().expect("the command starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the command writes text");
    Ended {
        code: output.status.code().expect("the command ends by itself"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

impl Ended {
    /// The line to paste.
    pub fn last_line(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }

    /// The first trace hash in the output.
    pub fn trace_hash(&self) -> &str {
        let at =
            self.stdout.find("trace hash ").unwrap_or_else(|| panic!("no trace hash in {}", self.stdout));
        self.stdout[at + "trace hash ".len()..].split_whitespace().next().unwrap_or_default()
    }

    /// Whether stderr contains this, ignoring line breaks and frames, which depend on the terminal.
    pub fn explains(&self, part: &str) -> bool {
        let bare = |text: &str| -> String {
            text.chars().filter(|c| !c.is_whitespace() && !['│', '|'].contains(c)).collect()
        };
        bare(&self.stderr).contains(&bare(part))
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Ended {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}
