//! Rules on single raft messages: match on kind, term, index, direction and count; drop, delay,
//! duplicate, hold and release. The first rule that matches decides.

use plan::{MessageRule, RuleAction};
use record::fact::MessageHead;

use super::party::{Pair, Party};

/// An active rule.
pub(crate) struct ActiveRule {
    pub(crate) fault: u32,
    pub(crate) rule: MessageRule,
    /// Senders and receivers it applies to.
    pub(crate) from: Vec<Party>,
    pub(crate) to: Vec<Party>,
    /// Parties among which it no longer applies.
    pub(crate) spared: Vec<Party>,
    seen: u32,
}

impl ActiveRule {
    pub(crate) fn new(fault: u32, rule: MessageRule, from: Vec<Party>, to: Vec<Party>) -> ActiveRule {
        ActiveRule { fault, rule, from, to, spared: Vec::new(), seen: 0 }
    }

    /// What this rule does with a message; `None` if it does not match.
    pub(crate) fn decide(&mut self, (from, to): Pair, head: &MessageHead) -> Option<RuleAction> {
        let rule = &self.rule;
        let matches = rule.kind.is_none_or(|kind| kind == head.kind)
            && rule.term.is_none_or(|term| term == head.term)
            && rule.index.is_none_or(|(low, high)| (low..=high).contains(&head.index))
            && self.from.contains(&from)
            && self.to.contains(&to)
            && !(self.spared.contains(&from) && self.spared.contains(&to));
        if !matches {
            return None;
        }
        self.seen += 1;
        let counted = self.seen.checked_sub(rule.skip + 1)?;
        (rule.count == 0 || counted < rule.count).then_some(rule.action)
    }
}
