//! Makes the command line that replays a failure, or judges a history again. Reports print it for the user to copy and paste.

use std::env;
use std::path::Path;

use crate::case::Case;
use crate::flaws;

/// The beginning of the line: how this process was started.
pub fn launcher() -> String {
    let program = env::args().next().unwrap_or_else(|| "etcdsim".to_string());
    // `cargo run` sets this.
    match env::var_os("CARGO") {
        Some(_) if cfg!(debug_assertions) => "cargo run --".to_string(),
        Some(_) => "cargo run --release --".to_string(),
        None => quoted(&program),
    }
}

/// The line that replays one seed of a case.
pub fn of_seed(launcher: &str, case: &Case, seed: u64) -> String {
    let mut line = format!("{launcher} replay {}", quoted(&case.file));
    if !case.is_plan() {
        line.push_str(&format!(" --seed {seed}"));
    }
    for flaw in case.flaws() {
        line.push_str(&format!(" --flaw {}", quoted(&flaws::name(flaw))));
    }
    line
}

/// The line that replays a saved plan.
pub fn of_saved(launcher: &str, file: &Path) -> String {
    format!("{launcher} replay {}", quoted(&file.to_string_lossy()))
}

/// The line that judges a history again.
pub fn of_check(file: &str) -> String {
    format!("{} check {}", launcher(), quoted(file))
}

/// Quotes a word for the shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=@:,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_if_the_shell_needs_it() {
        assert_eq!(quoted("scenarios/a-b.toml"), "scenarios/a-b.toml");
        assert_eq!(quoted("my plans/it's.toml"), r"'my plans/it'\''s.toml'");
    }
}
