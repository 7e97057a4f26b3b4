//! The file of a shrunk plan: comments that say what fails and why each fault is there, and the plan without the fields
//! that have their defaults. The file can be moved to `scenarios/regressions/` as it is.

use std::fmt::Write;

use plan::Plan;

use super::{Shrunk, Without};
use crate::saved;

/// The line before a section of a fault.
const FAULT: &str = "[[fault]]";

impl Shrunk {
    /// The content of its file. `source` says what it was shrunk from: "scenarios/power-loss.toml, seed 8".
    pub fn text(&self, source: &str) -> String {
        let (from, size) = (self.from.acts, self.size.acts);
        let mut text = format!("# Shrunk from {source}: {from} faults and operations became {size}.\n");
        let oracle = self.signature.oracle;
        comment(&mut text, &format!("{oracle}: {}.", self.title));
        for sentence in &self.sentences {
            comment(&mut text, sentence);
        }
        if self.minimal && size > 0 {
            comment(
                &mut text,
                &format!("Without any one of its faults or operations, {oracle} does not break like this."),
            );
        }
        text.push_str(&saved::result_lines(&self.signature, &self.oracles, self.trace_hash));
        text.push('\n');
        let mut reasons = self.without.iter();
        for line in plan_text(&self.plan).lines() {
            if line == FAULT
                && let Some(without) = reasons.next()
            {
                comment(&mut text, &without.sentence(&oracle.to_string()));
            }
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

/// A plan without the fields that have their defaults, if it reads back as the same plan; otherwise with all fields.
fn plan_text(plan: &Plan) -> String {
    let short = plan.to_short_toml();
    match Plan::parse("plan", &short) {
        Ok(read) if read == *plan => short,
        _ => plan.to_toml(),
    }
}

/// Adds a comment line.
fn comment(text: &mut String, sentence: &str) {
    writeln!(text, "# {}", sentence.replace('\n', " ")).expect("a String takes everything");
}

impl Without {
    /// What happens without the fault, as a sentence.
    pub fn sentence(&self, oracle: &str) -> String {
        match self {
            Without::Holds => format!("Without this, {oracle} holds."),
            Without::Other(other) if other.oracle.id() == oracle => {
                format!("Without this, {oracle} breaks in another way: {}.", other.rule)
            }
            Without::Other(other) => format!("Without this, {oracle} is not the first to break: {other}."),
            Without::Undecided => format!("Without this, nobody can decide whether {oracle} holds."),
            Without::Same => "It fails without this, too.".to_string(),
            Without::Untried => "Whether it fails without this was not tried.".to_string(),
        }
    }
}
