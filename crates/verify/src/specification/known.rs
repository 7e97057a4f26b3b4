//! Where the published `raft` 0.7.0 is known to break a rule. The rule stays on: a breach that meets the narrow
//! condition of a row here is counted instead of reported, and the count shows which runs met it.
//!
//! Each row has a finding in `docs/findings.md`. A row is removed when the crate is fixed.

use record::MessageKind;
use record::step::{Call, Step};

use super::act::Finding;
use super::rule::Rule;

/// A known breach.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The rule that is broken.
    pub rule: Rule,
    /// What happens; a sentence. `docs/findings.md` has the rest.
    pub what: &'static str,
    /// Whether a step that breaks the rule is this breach.
    applies: fn(&Step) -> bool,
}

/// All known breaches.
pub const KNOWN: &[Known] = &[Known {
    rule: Rule::NextAboveMatch,
    what: "A refusal of a probe moves the next entry to what matches, or below.",
    applies: |step| matches!(&step.call, Call::Receive(message) if message.kind == MessageKind::AppendResponse && message.reject),
}];

/// The row of a finding, if it is known.
pub(super) fn row(finding: &Finding, step: &Step) -> Option<usize> {
    KNOWN.iter().position(|known| known.rule == finding.rule && (known.applies)(step))
}
