//! I10: the members agree on the configuration after each index, and each configuration is one step from the one
//! before, so that any two quorums of consecutive configurations have a voter in common.
//!
//! A step is one of three: one voter more or less (Raft thesis, section 4.2.1); into a joint configuration, whose
//! outgoing half is the voters before; or out of one, to the voters of its incoming half (section 4.3). Two things
//! break I10: a change of several voters in one simple step (as with the flaw R12), and a snapshot that names the
//! members of another index (as with the flaw R13).
//!
//! Single steps are not enough. If a leader begins a second change before the first is in force, the configurations
//! of two members can be two steps apart. So a leader puts a change into its log only after it has applied all
//! earlier ones (section 4.1 and etcd-raft's `pendingConfIndex`; flaw R11).
//!
//! The first member to apply a change reports it, so every configuration is known before any member can have a later
//! one. A snapshot or a restart never makes a new configuration.
//!
//! Not checked: learners, except that they are the same everywhere; whether a change was allowed, and who asked for it
//! (M2); configurations older than the last 256; a snapshot of the very next index; that a change which changes nothing
//! is in force before the next one begins.

use std::collections::BTreeMap;

use record::{Event, LogEntry};

use super::configuration::Configuration;
use super::{Breach, Breaches};
use crate::Oracle;

/// How many configurations are remembered, and how many runs of leaders' entries (each with the configuration in use).
const CONFIGURATIONS_MAX: usize = 256;

/// All configurations so far, by the index that made them, with the event that first reported each.
#[derive(Clone, Debug, Default)]
pub(super) struct Configurations {
    by_index: BTreeMap<u64, (Configuration, Event)>,
    /// The index of the configuration that a leader used when it made entries; by the term and the first index of
    /// these entries.
    made: BTreeMap<(u64, u64), u64>,
    /// The term of the entry that a leader made last, and the index of the configuration it used.
    last_made: (u64, u64),
}

/// Where a configuration comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// An entry of this term; `None` if it is not known.
    Entry(Option<u64>),
    /// A store that a restart found.
    Restart,
}

impl Configurations {
    /// Checks a configuration that a member uses from now on. Returns whether the member is the first to use it.
    pub fn reported(
        &mut self,
        event: &Event,
        now: &Configuration,
        source: Source,
        breaches: &mut Breaches,
    ) -> bool {
        // The first configuration of all is no change; neither is one that is older than all that are remembered.
        let Some((_, (before, reporter))) = self.by_index.range(..=now.index).next_back() else {
            if self.by_index.is_empty() {
                self.remember(event, now);
            }
            return false;
        };
        if before.equals(now) {
            return false;
        }
        let newest = self.by_index.last_key_value().is_some_and(|(index, _)| *index < now.index);
        let Source::Entry(term) = source else {
            breaches.add(Oracle::I10, event, || differ(event, now, before, reporter));
            return false;
        };
        if !newest {
            breaches.add(Oracle::I10, event, || differ(event, now, before, reporter));
            return false;
        }
        if !is_step(before, now) {
            breaches.add(Oracle::I10, event, || jump(event, now, before, reporter));
        } else if self.in_use(term, now.index).is_some_and(|in_use| in_use < before.index) {
            breaches.add(Oracle::I10, event, || too_soon(event, now, before, reporter));
        }
        self.remember(event, now);
        true
    }

    /// The last configuration that the member reported came with a snapshot up to `index`. If no member had reported
    /// it before, the snapshot made it up.
    pub fn installed(&mut self, event: &Event, index: u64, breaches: &mut Breaches) {
        let its = |(_, reporter): &(Configuration, Event)| {
            (reporter.member, reporter.time) == (event.member, event.time)
        };
        if self.by_index.len() < 2 || !self.by_index.get(&index).is_some_and(its) {
            return;
        }
        let Some((now, _)) = self.by_index.remove(&index) else { return };
        if let Some((_, (before, reporter))) = self.by_index.range(..index).next_back() {
            breaches.add(Oracle::I10, event, || differ(event, &now, before, reporter));
        }
    }

    /// Remembers that the leader that made this entry used the configuration of index `in_use`.
    #[inline]
    pub fn made(&mut self, entry: &LogEntry, in_use: u64) {
        if self.last_made == (entry.term, in_use) {
            return;
        }
        self.last_made = (entry.term, in_use);
        self.made.insert((entry.term, entry.index), in_use);
        if self.made.len() > CONFIGURATIONS_MAX {
            self.made.pop_first();
        }
    }

    /// The index of the configuration used by the leader that made an entry.
    fn in_use(&self, term: Option<u64>, index: u64) -> Option<u64> {
        let term = term?;
        self.made.range((term, 0)..=(term, index)).next_back().map(|(_, in_use)| *in_use)
    }

    /// The newest configuration.
    pub fn newest(&self) -> Option<&Configuration> {
        self.by_index.last_key_value().map(|(_, (newest, _))| newest)
    }

    /// Remembers a configuration, and forgets the oldest ones.
    fn remember(&mut self, event: &Event, now: &Configuration) {
        self.by_index.insert(now.index, (now.clone(), event.clone()));
        if self.by_index.len() > CONFIGURATIONS_MAX {
            self.by_index.pop_first();
        }
    }
}

/// Whether one configuration may follow the other.
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

/// The violation that two members report different configurations of one index.
fn differ(event: &Event, now: &Configuration, before: &Configuration, reporter: &Event) -> Breach {
    Breach::new(format!("Two configurations after entry {}", now.index))
        .say(format!("Member {} uses {} from entry {} on.", event.member, now.describe(), now.index))
        .say(format!(
            "There it should be {}, as member {} had it from entry {} on.",
            before.describe(),
            reporter.member,
            before.index
        ))
        .prove([reporter.clone()])
}

/// The violation that a configuration is more than one step from the one before.
fn jump(event: &Event, now: &Configuration, before: &Configuration, reporter: &Event) -> Breach {
    Breach::new("A change of the configuration skips a step")
        .say(format!(
            "Member {} went in one step from {} (from entry {} on) to {} (from entry {} on), without the joint \
             configuration that several changes of voters need: quorums of the two need not have a voter in common.",
            event.member,
            before.describe(),
            before.index,
            now.describe(),
            now.index
        ))
        .prove([reporter.clone()])
}

/// The violation that a change began before the one before it was in force.
fn too_soon(event: &Event, now: &Configuration, before: &Configuration, reporter: &Event) -> Breach {
    Breach::new("A change of the configuration was begun before the last one was in force")
        .say(format!(
            "Member {} uses {} from entry {} on, but the leader that put this change into the log had not applied the \
             change before it yet, to {} at entry {}: two changes were under way at once.",
            event.member,
            now.describe(),
            now.index,
            before.describe(),
            before.index
        ))
        .say("A quorum of some member's configuration and one of another's need not have a voter in common.")
        .prove([reporter.clone()])
}

#[cfg(test)]
mod tests {
    use record::{Probe, Stop};

    use crate::Oracle;

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
        run.finds_nothing();
        assert_eq!(run.invariants.probes()[Probe::ConfigurationsChanged], 4);
        assert_eq!(run.invariants.probes()[Probe::JointConfigurations], 1);
    }

    #[test]
    fn two_voters_in_one_simple_step() {
        let mut run = run();
        run.configure(1, 4, &[1, 4, 5], &[], &[]);
        let violation = run.broke(
            Oracle::I10,
            "Member 1 went in one step from voters 1, 2, 3 (from entry 0 on) to voters 1, 4, 5 (from entry 4 on), without \
             the joint configuration that several changes of voters need: quorums of the two need not have a voter in \
             common.",
        );
        assert_eq!(violation.events.len(), 2);
    }

    #[test]
    fn a_joint_configuration_of_others() {
        let mut run = run();
        run.configure(1, 4, &[1, 4, 5], &[1, 2], &[]);
        assert_eq!(run.sheet.violations()[0].oracle, Oracle::I10);
    }

    #[test]
    fn a_change_waits_for_the_one_before() {
        let mut run = run();
        run.leads(1, 1);
        run.append(1, &[(1, 1)]);
        run.configure(1, 1, &[1, 2, 3, 4], &[], &[]);
        run.append(1, &[(2, 1)]);
        run.configure(1, 2, &[1, 2, 3, 4, 5], &[], &[]);
        run.finds_nothing();
        run.append(1, &[(3, 1), (4, 1)]);
        run.configure(1, 3, &[1, 2, 3, 5], &[], &[]);
        run.configure(1, 4, &[1, 2, 5], &[], &[]);
        run.broke(
            Oracle::I10,
            "Member 1 uses voters 1, 2, 5 from entry 4 on, but the leader that put this change into the log had not \
             applied the change before it yet, to voters 1, 2, 3, 5 at entry 3: two changes were under way at once. \
             A quorum of some member's configuration and one of another's need not have a voter in common.",
        );
    }

    #[test]
    fn a_restart_makes_no_configuration() {
        let mut run = run();
        run.stop(3, Stop::Crash);
        // A store of entry 4 that no other member has is a violation of I7; what it says about the members is one of
        // I10.
        run.start(3, 4);
        run.configure(3, 4, &[1, 2, 3, 4], &[], &[]);
        assert!(run.sheet.violations().iter().any(|violation| violation.oracle == Oracle::I10));
    }

    #[test]
    fn a_restart_in_a_joint_configuration_is_counted() {
        let mut run = run();
        run.configure(1, 4, &[1, 4, 5], &[1, 2, 3], &[]);
        for restarts in 1..=2 {
            run.stop(1, Stop::Crash);
            run.start(1, 4);
            run.configure(1, 4, &[1, 4, 5], &[1, 2, 3], &[]);
            assert_eq!(run.invariants.probes()[Probe::RestartsInJoint], restarts);
        }
    }

    #[test]
    fn a_member_that_applies_again_after_a_restart_makes_configurations() {
        let mut run = run();
        run.leads(3, 1);
        run.write(3, &[(1, 1)]);
        run.stop(3, Stop::Crash);
        run.start(3, 0);
        run.commit(3, 1, 1);
        run.apply(3, 1, 1);
        run.configure(3, 1, &[1, 2, 3, 4], &[], &[]);
        assert!(run.sheet.violations().iter().all(|violation| violation.oracle != Oracle::I10));
        assert_eq!(run.invariants.probes()[Probe::ConfigurationsChanged], 1);
    }

    #[test]
    fn a_snapshot_makes_no_configuration() {
        let mut run = run();
        run.configure(1, 4, &[1, 2, 3, 4], &[], &[]);
        run.snapshot(3, 9, 1, &[1, 2, 3, 4]);
        run.finds_nothing();
        run.snapshot(3, 12, 1, &[1, 2, 3]);
        run.broke(
            Oracle::I10,
            "Member 3 uses voters 1, 2, 3 from entry 12 on. \
             There it should be voters 1, 2, 3, 4, as member 1 had it from entry 4 on.",
        );
    }

    #[test]
    fn a_snapshot_with_the_members_of_another_index() {
        let mut run = run();
        run.configure(1, 4, &[1, 2, 3, 4], &[], &[]);
        run.configure(3, 4, &[1, 2, 3], &[], &[]);
        run.broke(
            Oracle::I10,
            "Member 3 uses voters 1, 2, 3 from entry 4 on. \
             There it should be voters 1, 2, 3, 4, as member 1 had it from entry 4 on.",
        );
    }
}
