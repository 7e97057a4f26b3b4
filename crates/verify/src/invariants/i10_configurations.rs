//! I10: the members agree on the configuration after each index, and each one is a step from the one before, so that
//! no two in succession have quorums without a common voter.
//!
//! A step is one voter more or less (Raft thesis, section 4.2.1), or one into a joint configuration, whose outgoing
//! half is the voters of the one before, or one out of it, whose voters are the incoming half (section 4.3). A change
//! of several voters in one simple step, or a second change on top of one that not everybody knows of, shows here (zoo
//! R11, R12), as does a snapshot that names the members of another index (zoo R13).
//!
//! Whoever applies a change first tells it, so every configuration is known before anybody can have a later one.
//!
//! Not checked: learners beyond being the same everywhere; whether a change was allowed; configurations older than
//! the last 256.

use std::collections::BTreeMap;

use record::Event;

use super::configuration::Configuration;
use super::{Account, Findings};

const REMEMBERED: usize = 256;

/// All configurations so far, by the index that made them, with the event that first told each.
#[derive(Debug, Default)]
pub(super) struct Configurations {
    by_index: BTreeMap<u64, (Configuration, Event)>,
}

impl Configurations {
    /// A member goes by this one from now on. Says whether nobody did before.
    pub fn told(&mut self, event: &Event, now: &Configuration, findings: &mut Findings) -> bool {
        let Some((_, (before, witness))) = self.by_index.range(..=now.index).next_back() else {
            if self.by_index.is_empty() {
                self.remember(event, now);
            }
            return false;
        };
        if before.equals(now) {
            return false;
        }
        let newest = self.by_index.last_key_value().is_some_and(|(index, _)| *index < now.index);
        if !newest {
            findings.add("I10", event, || differ(event, now, before, witness));
            return false;
        }
        if !is_step(before, now) {
            findings.add("I10", event, || jump(event, now, before, witness));
        }
        self.remember(event, now);
        true
    }

    /// The newest.
    pub fn newest(&self) -> Option<&Configuration> {
        self.by_index.last_key_value().map(|(_, (newest, _))| newest)
    }

    fn remember(&mut self, event: &Event, now: &Configuration) {
        self.by_index.insert(now.index, (now.clone(), event.clone()));
        if self.by_index.len() > REMEMBERED {
            self.by_index.pop_first();
        }
    }
}

fn is_step(before: &Configuration, now: &Configuration) -> bool {
    match (before.is_joint(), now.is_joint()) {
        (false, false) => {
            let gone = before.voters.iter().filter(|id| !now.voters.contains(id)).count();
            let come = now.voters.iter().filter(|id| !before.voters.contains(id)).count();
            gone + come <= 1
        }
        (false, true) => now.outgoing == before.voters,
        (true, false) => now.voters == before.voters,
        (true, true) => (&now.voters, &now.outgoing) == (&before.voters, &before.outgoing),
    }
}

fn differ(event: &Event, now: &Configuration, before: &Configuration, witness: &Event) -> Account {
    Account::new(format!("Two configurations after entry {}", now.index))
        .say(format!("Member {} goes by {} from entry {} on.", event.member, now.words(), now.index))
        .say(format!(
            "There it should be {}, as member {} had it from entry {} on.",
            before.words(),
            witness.member,
            before.index
        ))
        .prove([witness.clone()])
}

fn jump(event: &Event, now: &Configuration, before: &Configuration, witness: &Event) -> Account {
    Account::new("A change of the configuration skips a step")
        .say(format!("Member {} goes by {} from entry {} on.", event.member, now.words(), now.index))
        .say(format!("Before, from entry {} on, it was {}.", before.index, before.words()))
        .say("Quorums of the two need not have a voter in common.")
        .prove([witness.clone()])
}

#[cfg(test)]
mod tests {
    use super::super::script::Script;

    fn run() -> Script {
        let mut run = Script::new(5);
        (1..=3).for_each(|member| run.configure(member, 0, &[1, 2, 3], &[], &[]));
        run
    }

    #[test]
    fn one_voter_a_step_and_several_over_a_joint_one() {
        let mut run = run();
        run.configure(1, 4, &[1, 2, 3], &[], &[4]);
        run.configure(1, 5, &[1, 2, 3, 4], &[], &[]);
        run.configure(1, 6, &[1, 4, 5], &[1, 2, 3, 4], &[]);
        run.configure(1, 7, &[1, 4, 5], &[], &[]);
        run.configure(2, 4, &[1, 2, 3], &[], &[4]);
        // With a snapshot, and after a restart.
        run.configure(5, 9, &[1, 4, 5], &[], &[]);
        run.configure(2, 4, &[1, 2, 3], &[], &[4]);
        run.holds();
        assert_eq!(run.monitors.probes().configurations_changed, 4);
        assert_eq!(run.monitors.probes().joint_configurations, 1);
    }

    #[test]
    fn two_voters_in_one_simple_step() {
        let mut run = run();
        run.configure(1, 4, &[1, 4, 5], &[], &[]);
        let broken = run.broke(
            "I10",
            "Member 1 goes by voters 1, 4, 5 from entry 4 on. Before, from entry 0 on, it was voters 1, 2, 3. \
             Quorums of the two need not have a voter in common.",
        );
        assert_eq!(broken.evidence.len(), 2);
    }

    #[test]
    fn a_joint_configuration_of_others() {
        let mut run = run();
        run.configure(1, 4, &[1, 4, 5], &[1, 2], &[]);
        assert_eq!(run.monitors.violations()[0].invariant, "I10");
    }

    #[test]
    fn a_snapshot_with_the_members_of_another_index() {
        let mut run = run();
        run.configure(1, 4, &[1, 2, 3, 4], &[], &[]);
        run.configure(3, 4, &[1, 2, 3], &[], &[]);
        run.broke(
            "I10",
            "Member 3 goes by voters 1, 2, 3 from entry 4 on. \
             There it should be voters 1, 2, 3, 4, as member 1 had it from entry 4 on.",
        );
    }
}
