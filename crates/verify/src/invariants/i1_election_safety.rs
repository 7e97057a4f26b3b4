//! I1, election safety: at most one leader in each term (Raft paper, section 5.2 and figure 3).
//!
//! A member that leads a term, crashes, and leads the same term again after its restart breaks I1 too, because it may
//! give the same index and term to two entries. This happens if its vote for itself was not durable (flaw R1).
//!
//! A member that is the only voter is excused: raft counts its own vote before the vote is durable. That does no harm
//! while no other member hears of the term, and I6 checks that. What the member did not have on disk when it crashed
//! then counts as never having happened.
//!
//! Not checked: that the leader was elected by a quorum of votes; that votes went to candidates whose log was new
//! enough (I3 sees the consequences); terms older than the last 1,024.

use std::collections::BTreeMap;

use record::{Event, MemberId};

use super::member::Member;
use super::{Breach, Breaches};
use crate::Oracle;

/// How many terms are remembered.
const TERMS_MAX: usize = 1_024;

/// Who led each term.
#[derive(Clone, Debug, Default)]
pub(super) struct ElectionSafety {
    leaders: BTreeMap<u64, Leader>,
}

/// The first leader of a term.
#[derive(Clone, Debug)]
struct Leader {
    member: MemberId,
    incarnation: u32,
    event: Event,
}

impl ElectionSafety {
    /// Forgets the terms after `term`: the only voter restarted without them.
    pub fn forget_after(&mut self, term: u64) {
        self.leaders.retain(|led, _| *led <= term);
    }

    /// Checks that nobody led `term` before, now that `member` reports that it leads it.
    pub fn leads(&mut self, event: &Event, term: u64, member: &Member, breaches: &mut Breaches) {
        let Some(first) = self.leaders.get(&term) else {
            let leader = Leader { member: member.id, incarnation: member.incarnation, event: event.clone() };
            self.leaders.insert(term, leader);
            if self.leaders.len() > TERMS_MAX {
                self.leaders.pop_first();
            }
            return;
        };
        if (first.member, first.incarnation) == (member.id, member.incarnation) {
            return;
        }
        breaches.add(Oracle::I1, event, || {
            if first.member == member.id {
                Breach::new(format!("Member {} was elected twice in term {term}", member.id))
                    .say(format!(
                        "Member {} leads term {term}, which it led already before it was restarted.",
                        member.id
                    ))
                    .prove([first.event.clone()])
                    .prove(member.restart())
            } else {
                Breach::new(format!("Two leaders in term {term}"))
                    .say(format!(
                        "Member {} leads term {term}, which member {} leads or led.",
                        member.id, first.member
                    ))
                    .prove([first.event.clone()])
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use record::{EtcdFact, Fact, LogEntry, Probe, Role, Stop};

    use crate::Oracle;

    use super::super::script::Script;

    #[test]
    fn two_members_lead_one_term() {
        let mut run = Script::new(3);
        run.leads(1, 5);
        run.leads(2, 6);
        run.finds_nothing();
        run.leads(3, 5);
        let violation = run.broke(Oracle::I1, "Member 3 leads term 5, which member 1 leads or led.");
        assert_eq!(violation.title, "Two leaders in term 5");
        assert_eq!(violation.events.len(), 2);
        assert!(violation.events[0].contains(" m1 "), "{}", violation.events[0]);
    }

    #[test]
    fn one_member_leads_one_term_in_two_incarnations() {
        let mut run = Script::new(3);
        run.state(1, 5, 1, Role::Leader);
        run.stop(1, Stop::PowerLoss);
        run.lose_state(1, 4, 0, 0);
        run.start(1, 0);
        run.leads(1, 5);
        run.broke(Oracle::I1, "Member 1 leads term 5, which it led already before it was restarted.");
    }

    /// Member 1 leads term 5, loses what it had of it, and leads it again with another entry.
    fn leads_again(mut run: Script) {
        run.state(1, 5, 1, Role::Leader);
        run.append(1, &[(1, 5), (2, 5)]);
        run.stop(1, Stop::Crash);
        run.lose_after(1, 0);
        run.lose_state(1, 4, 1, 0);
        run.start(1, 0);
        run.leads(1, 5);
        run.report(1, Fact::Own(EtcdFact::Appended(vec![LogEntry { index: 1, term: 5, digest: 7 }])));
        run.finds_nothing();
    }

    #[test]
    fn a_cluster_of_one_leads_a_term_again_that_nobody_heard_of() {
        leads_again(Script::new(1));
    }

    #[test]
    fn the_only_voter_leads_a_term_again_that_its_learner_never_heard_of() {
        let mut run = Script::new(2);
        run.configure(1, 0, &[1], &[], &[2]);
        leads_again(run);
    }

    #[test]
    fn a_leader_may_say_so_twice_and_lead_again_in_a_later_term() {
        let mut run = Script::new(3);
        run.leads(1, 5);
        run.state(1, 5, 1, Role::Leader);
        run.state(1, 5, 1, Role::Follower);
        run.leads(1, 6);
        run.finds_nothing();
        assert_eq!(run.invariants.probes()[Probe::LeadersElected], 2);
    }
}
