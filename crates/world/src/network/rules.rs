//! Rules on messages, which a plan can have as faults. A rule matches messages by kind, term, index, sender
//! and receiver, skips the first ones and takes a number of them. It drops, delays, duplicates or holds each.
//! The first rule that matches decides.

use schedule::{MessageRule, RuleAction};
use trace::Head;

use super::party::{Pair, Party};

/// A rule that is on.
pub(crate) struct ActiveRule {
    /// The index of its fault in the plan.
    pub(crate) fault: u32,
    pub(crate) rule: MessageRule,
    /// The senders it applies to.
    pub(crate) from: Vec<Party>,
    /// The receivers it applies to.
    pub(crate) to: Vec<Party>,
    /// The healed parties: between them it no longer applies.
    pub(crate) ended_among: Vec<Party>,
    /// How many messages have matched.
    seen: u32,
}

impl ActiveRule {
    pub(crate) fn new(fault: u32, rule: MessageRule, from: Vec<Party>, to: Vec<Party>) -> ActiveRule {
        ActiveRule { fault, rule, from, to, ended_among: Vec::new(), seen: 0 }
    }

    /// What this rule does with a message; `None` if it does not match.
    pub(crate) fn decide(&mut self, (from, to): Pair, head: &impl Head) -> Option<RuleAction> {
        let rule = &self.rule;
        let matches = rule.kind.is_none_or(|kind| kind == head.kind().into())
            && rule.term.is_none_or(|term| term == head.term())
            && rule.index.is_none_or(|(low, high)| (low..=high).contains(&head.index()))
            && self.from.contains(&from)
            && self.to.contains(&to)
            && !(self.ended_among.contains(&from) && self.ended_among.contains(&to));
        if !matches {
            return None;
        }
        self.seen += 1;
        // How many messages this rule has acted on before.
        let before = self.seen.checked_sub(rule.skip + 1)?;
        (rule.count == 0 || before < rule.count).then_some(rule.action)
    }
}
