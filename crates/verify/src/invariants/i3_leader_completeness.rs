//! I3, leader completeness: an entry committed in one term is in the log of the leader of every later term (Raft
//! paper, section 5.4 and figure 3).
//!
//! A member may learn late that it won the election of an old term, when a newer leader has committed more. So a
//! leader needs only the entries that were committed by members in *earlier* terms than its own. One comparison is
//! enough, at the highest such entry: if the leader has it, I2 says that it has everything before.
//!
//! Not checked: entries that the leader has only in a snapshot (I4 and I8 compare those), and leaders of terms older
//! than the last 256 in which something was committed.

use record::Event;

use super::commits::Commits;
use super::member::Member;
use super::{Breach, Breaches};
use crate::Oracle;

/// Checks that `member`, which has begun to lead `term`, has the entries committed in earlier terms.
pub(super) fn leads(event: &Event, term: u64, member: &Member, commits: &Commits, breaches: &mut Breaches) {
    let Some(commit) = commits.before_term(term) else { return };
    let log = &member.log;
    if log.before() >= commit.index || log.term_at(commit.index) == Some(commit.term) {
        return;
    }
    breaches.add(Oracle::I3, event, || {
        let lacks = match log.term_at(commit.index) {
            Some(other) => format!("has an entry of term {other} there"),
            None => format!("ends at {}", log.last()),
        };
        Breach::new(format!("The leader of term {term} lacks committed entries"))
            .say(format!(
                "Member {} was elected in term {term}, but its log {lacks}: entry {} of term {} was committed by member {} in term {}.",
                member.id, commit.index, commit.term, commit.member, commit.during,
            ))
            .say("It will overwrite that entry in the logs of its followers.")
            .prove([commit.event()])
    });
}

#[cfg(test)]
mod tests {
    use record::Role;

    use crate::Oracle;

    use super::super::script::Script;

    /// Members 1 and 2 of three have entry 2 of term 1 on disk, and it is committed in term 1.
    fn committed() -> Script {
        let mut run = Script::new(3);
        run.leads(1, 1);
        run.write(1, &[(1, 1), (2, 1)]);
        run.write(2, &[(1, 1), (2, 1)]);
        run.write(3, &[(1, 1)]);
        run.commit(1, 2, 1);
        run
    }

    #[test]
    fn a_leader_without_a_committed_entry() {
        let mut run = committed();
        run.leads(3, 2);
        let violation = run.broke(
            Oracle::I3,
            "Member 3 was elected in term 2, but its log ends at 1: entry 2 of term 1 was committed by member 1 in term 1. \
             It will overwrite that entry in the logs of its followers.",
        );
        assert_eq!(violation.events.len(), 2);
    }

    #[test]
    fn a_leader_with_another_entry_there() {
        let mut run = committed();
        run.append(3, &[(2, 2)]);
        run.leads(3, 3);
        run.broke(
            Oracle::I3,
            "Member 3 was elected in term 3, but its log has an entry of term 2 there: entry 2 of term 1 was committed by member 1 in term 1. \
             It will overwrite that entry in the logs of its followers.",
        );
    }

    #[test]
    fn a_deposed_leader_may_be_the_last_to_commit() {
        let mut run = committed();
        run.leads(2, 2);
        (1..=2).for_each(|member| run.write(member, &[(3, 1), (4, 1)]));
        run.commit(2, 3, 1);
        run.commit(1, 4, 1);
        run.finds_nothing();
        run.write(3, &[(2, 1), (3, 1)]);
        run.leads(3, 3);
        assert_eq!(run.sheet.violations()[0].oracle, Oracle::I3);
    }

    #[test]
    fn leaders_that_have_it_in_the_log_or_in_a_snapshot() {
        let mut run = committed();
        run.leads(2, 2);
        run.install(3, 3, 1);
        run.leads(3, 3);
        run.finds_nothing();
    }

    #[test]
    fn who_wins_an_old_term_late_owes_nothing_of_newer_ones() {
        let mut run = Script::new(3);
        run.votes(3, 1, 3);
        run.leads(1, 2);
        run.write(1, &[(1, 2)]);
        run.write(2, &[(1, 2)]);
        run.commit(1, 1, 2);
        run.state(3, 1, 3, Role::Leader);
        run.finds_nothing();
    }
}
