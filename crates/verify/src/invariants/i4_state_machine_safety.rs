//! I4, state machine safety: if a member has applied an entry at an index, no member ever applies another one there
//! (Raft paper, section 5.4.3 and figure 3), and each member applies every entry once and in order.
//!
//! "Once" means executed once on the store, across restarts: an incarnation executes exactly the entries after the
//! consistent index that it recovered. It may report the entries up to that index as applied again without executing
//! them, for its bookkeeping. It may neither execute one of them (etcd issues 13514, 14685) nor leave out the next one
//! (etcd issue 13766). A crash loses whatever was executed after the last durable consistent index; executing it again
//! does not count as twice.
//!
//! Not checked: that an operation of a client is in the log only once (K4); what the entries do to the store (I8);
//! entries below the window that is remembered.

use record::{EtcdFact, Event, Fact, MemberId, Nanos};

use super::member::Member;
use super::window::Window;
use super::{Breach, Breaches, phrases};
use crate::Oracle;

/// The first execution of each index.
#[derive(Clone, Debug)]
pub(super) struct StateMachineSafety {
    first_executions: Window<Execution>,
}

/// An applied entry, as [`EtcdFact::Applied`] reports it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Applied {
    pub index: u64,
    pub term: u64,
    pub digest: u64,
    pub request: u64,
    pub revision: u64,
    pub state_hash: u64,
    pub mutated: bool,
    pub executed: bool,
}

/// An applied entry, with the time and the member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Execution {
    pub time: Nanos,
    pub member: MemberId,
    pub applied: Applied,
}

impl StateMachineSafety {
    pub fn new() -> StateMachineSafety {
        StateMachineSafety { first_executions: Window::new() }
    }

    /// The first execution of `index`.
    #[inline]
    pub fn first_execution(&self, index: u64) -> Option<&Execution> {
        self.first_executions.get(index)
    }

    /// Forgets the entries below `floor`, which no member can report any more.
    pub fn forget_below(&mut self, floor: u64) {
        self.first_executions.forget_below(floor);
    }

    /// Checks an entry that `member` applied.
    #[inline]
    pub fn applied(&mut self, event: &Event, member: &Member, applied: &Applied, breaches: &mut Breaches) {
        let index = applied.index;
        let in_order = match member.next {
            Some(next) => index == next,
            // After a start, the first entry may be any that the store already contains, or the one after them.
            None => index <= member.basis + 1,
        };
        if !in_order || applied.executed != (index > member.basis) {
            out_of_order(event, member, applied, breaches);
        }
        if member.log.term_at(index).is_some_and(|term| term != applied.term) {
            not_in_log(event, member, applied, breaches);
        }
        match self.first_executions.get(index) {
            Some(first) => {
                let there = &first.applied;
                if (there.term, there.digest) != (applied.term, applied.digest) {
                    differ(event, member, applied, first, breaches);
                }
            }
            None if applied.executed => {
                let first = Execution { time: event.time, member: event.member, applied: *applied };
                self.first_executions.put(index, first);
            }
            None => {}
        }
    }
}

/// Reports that a member did not apply its entries once and in order.
#[cold]
fn out_of_order(event: &Event, member: &Member, applied: &Applied, breaches: &mut Breaches) {
    let (id, index, held) = (member.id, applied.index, member.basis);
    breaches.add(Oracle::I4, event, || {
        let expected = member.next.unwrap_or(held + 1);
        let breach = if index > expected {
            let (skipped, verb) = (phrases::indexes(expected, index - 1), plural(expected, index - 1));
            Breach::new(format!("Member {id} skipped entries"))
                .say(format!("Member {id} applied entry {index}, but {skipped} {verb} missing before it."))
        } else if index <= held && applied.executed {
            Breach::new(format!("Member {id} executed an entry twice")).say(format!(
                "Member {id} executed entry {index}, but its store held everything up to {held} {}.",
                member.since()
            ))
        } else if index < expected && member.next.is_some() {
            Breach::new(format!("Member {id} applied an entry twice"))
                .say(format!("Member {id} applied entry {index} after it had applied {}.", expected - 1))
        } else {
            Breach::new(format!("Member {id} left out an entry")).say(format!(
                "Member {id} skipped the execution of entry {index}, but its store held only the entries up to {held} {}.",
                member.since()
            ))
        };
        breach.prove(member.applied_evidence())
    });
}

/// Reports that a member applied an entry that its log does not have.
#[cold]
fn not_in_log(event: &Event, member: &Member, applied: &Applied, breaches: &mut Breaches) {
    breaches.add(Oracle::I4, event, || {
        let here = member.log.term_at(applied.index).unwrap_or_default();
        Breach::new(format!("Member {} applied an entry that is not in its log", member.id)).say(format!(
            "Member {} applied entry {} of term {}, but its log has an entry of term {here} there.",
            member.id, applied.index, applied.term
        ))
    });
}

/// Reports that a member applied a different entry at this index from the one that was applied there first.
#[cold]
fn differ(event: &Event, member: &Member, applied: &Applied, first: &Execution, breaches: &mut Breaches) {
    let (id, index) = (member.id, applied.index);
    breaches.add(Oracle::I4, event, || {
        let before = if id == first.member {
            "it had itself applied another one".to_string()
        } else {
            format!("member {} had applied another one", first.member)
        };
        let there = &first.applied;
        let how = if there.term == applied.term {
            format!("both of term {}, with different contents", applied.term)
        } else {
            format!("the first of term {}, this one of term {}", there.term, applied.term)
        };
        Breach::new(format!("Two entries were applied at index {index}"))
            .say(format!("Member {id} applied an entry at index {index} where {before}: {how}."))
            .prove([first.event()])
    });
}

fn plural(first: u64, last: u64) -> &'static str {
    if first == last { "is" } else { "are" }
}

impl Execution {
    /// The event that reported it.
    pub fn event(&self) -> Event {
        let Applied { index, term, digest, request, revision, state_hash, mutated, executed } = self.applied;
        let fact = Fact::Own(EtcdFact::Applied {
            index,
            term,
            digest,
            request,
            revision,
            state_hash,
            mutated,
            executed,
        });
        Event { time: self.time, member: self.member, fact }
    }
}

#[cfg(test)]
mod tests {
    use record::{EtcdFact, Fact, LogEntry, Probe, Stop};

    use crate::describe;

    use crate::Oracle;

    use super::super::script::{Script, applied, entry};

    /// Entries 1 to 4 of term 1 are durable and committed everywhere; member 1 applied them.
    fn applied_by_one() -> Script {
        let mut run = Script::new(3);
        for member in 1..=3 {
            run.votes(member, 1, 1);
            run.write(member, &[(1, 1), (2, 1), (3, 1), (4, 1)]);
        }
        (1..=3).for_each(|member| run.commit(member, 4, 1));
        (1..=4).for_each(|index| run.apply(1, index, 1));
        run
    }

    fn restart(run: &mut Script, consistent_index: u64) {
        run.stop(1, Stop::Crash);
        run.start(1, consistent_index);
        run.finds_nothing();
    }

    #[test]
    fn another_entry_at_an_index() {
        let mut run = applied_by_one();
        run.apply(2, 1, 1);
        run.report(2, applied(LogEntry { digest: 7, ..entry(2, 1) }, (2, 1_002), true));
        let violation = run.broke(
            Oracle::I4,
            "Member 2 applied an entry at index 2 where member 1 had applied another one: both of term 1, with different contents.",
        );
        assert!(violation.events[0].ends_with(&describe::fact(&applied(entry(2, 1), (2, 1_002), true))));
    }

    #[test]
    fn what_one_store_can_still_execute_is_not_forgotten() {
        let mut run = applied_by_one();
        run.install(2, 3, 1);
        (1..=2).for_each(|member| {
            run.report(member, Fact::Own(EtcdFact::BackendDurable { consistent_index: 3 }))
        });
        run.report(3, applied(LogEntry { digest: 7, ..entry(1, 1) }, (1, 1_001), true));
        assert_eq!(run.sheet.violations().len(), 1);
        run.install(3, 3, 1);
        run.report(3, Fact::Own(EtcdFact::BackendDurable { consistent_index: 3 }));
        assert!(
            run.invariants.machine.first_execution(2).is_none()
                && run.invariants.machine.first_execution(3).is_some()
        );
    }

    #[test]
    fn an_entry_that_is_not_in_the_log() {
        let mut run = Script::new(1);
        run.votes(1, 2, 1);
        run.write(1, &[(1, 2)]);
        run.commit(1, 1, 2);
        run.apply(1, 1, 1);
        run.broke(
            Oracle::I4,
            "Member 1 applied entry 1 of term 1, but its log has an entry of term 2 there.",
        );
    }

    #[test]
    fn a_gap_within_an_incarnation() {
        let mut run = applied_by_one();
        run.apply(2, 1, 1);
        run.apply(2, 4, 1);
        run.broke(Oracle::I4, "Member 2 applied entry 4, but 2 and 3 are missing before it.");
    }

    #[test]
    fn twice_within_an_incarnation() {
        let mut run = applied_by_one();
        run.apply(1, 4, 1);
        run.broke(Oracle::I4, "Member 1 applied entry 4 after it had applied 4.");
    }

    #[test]
    fn a_gap_after_a_restart() {
        let mut run = applied_by_one();
        restart(&mut run, 2);
        run.apply(1, 4, 1);
        run.broke(Oracle::I4, "Member 1 applied entry 4, but 3 is missing before it.");
    }

    #[test]
    fn a_second_execution_after_a_restart() {
        let mut run = applied_by_one();
        restart(&mut run, 2);
        run.apply(1, 2, 1);
        run.broke(
            Oracle::I4,
            "Member 1 executed entry 2, but its store held everything up to 2 when it started for the 2nd time.",
        );
    }

    #[test]
    fn an_entry_passed_over_after_a_restart() {
        let mut run = applied_by_one();
        restart(&mut run, 2);
        run.replay(1, 2, 1);
        run.finds_nothing();
        run.replay(1, 3, 1);
        run.broke(
            Oracle::I4,
            "Member 1 skipped the execution of entry 3, but its store held only the entries up to 2 when it started for the 2nd time.",
        );
    }

    #[test]
    fn restarts_replays_and_snapshots_that_are_right() {
        let mut run = applied_by_one();
        restart(&mut run, 2);
        (1..=2).for_each(|index| run.replay(1, index, 1));
        (3..=4).for_each(|index| run.apply(1, index, 1));
        restart(&mut run, 3);
        run.apply(1, 4, 1);
        run.install(2, 3, 1);
        run.append(2, &[(4, 1)]);
        run.apply(2, 4, 1);
        run.finds_nothing();
        let probes = run.invariants.probes();
        assert_eq!((probes[Probe::ExecutedAgain], probes[Probe::Restarts]), (3, 2));
    }
}
