//! I5: when a committed entry is first committed, it is durable on a quorum of the configuration in force.
//!
//! Sources: Raft paper, figure 2 ("persistent state … updated on stable storage before responding to RPCs"), and
//! section 10.2.1 of the thesis: a leader may send entries in parallel with its own write, but counts itself only
//! once that write is durable (etcd raft issue 14413, flaw R3; for a single member etcd issue 14370).
//!
//! The configuration in force is the one that the committing member uses or, if it is not the leader, the one that its
//! leader uses. In a joint configuration each half needs a quorum of its own (section 4.3). If no configuration was
//! reported, all members vote.
//!
//! One comparison is enough, at the highest committed index: a member that has that entry durable has everything
//! before. A member that is down counts with what its disk had. A member whose disk the plan damaged counts as having
//! the entry, because its acknowledgement was true when it was given.
//!
//! Not checked: that the leader *knew* of the quorum; the rule that only entries of the current term are committed by
//! counting (section 5.4.2; I3 sees the consequences of breaking it); whether the configuration was the right one
//! (I10). A recovered log counts as durable even if a killed process left it only in the page cache (see `disk.rs`).

use record::probe::Counts;
use record::{Event, Members, Probe};

use super::configuration::halves;
use super::member::Member;
use super::{Breach, Breaches};
use crate::Oracle;

/// Checks the commit index of the first member that reaches `index`.
pub(super) fn committed(
    event: &Event,
    (index, term): (u64, u64),
    members: &Members<Member>,
    breaches: &mut Breaches,
    probes: &mut Counts,
) {
    let has = |member: &&&Member| member.damage.is_some() || member.has_durable(index, term);
    let member = &members[event.member];
    let halves = halves(member, members);
    for (at, voters) in halves.iter().enumerate() {
        let (holders, quorum) = (voters.iter().filter(has).count(), voters.len() / 2 + 1);
        if holders == quorum && at == 0 {
            probes[Probe::CommittedByBareQuorum] += 1;
        }
        if holders >= quorum {
            continue;
        }
        breaches.add(Oracle::I5, event, || {
            let lacking: Vec<&&Member> = voters.iter().filter(|member| !has(member)).collect();
            let who = match (halves.len(), at) {
                (1, _) if voters.len() == members.len() => "members",
                (1, _) => "voters",
                (_, 0) => "incoming voters",
                _ => "outgoing voters",
            };
            let breach = Breach::new(format!("Entry {index} was committed before a quorum had it on disk"))
                .say(format!(
                    "Member {} committed entry {index} of term {term} when {} of {} {who} had it on their disks; a quorum is {quorum}.",
                    event.member, holders, voters.len(),
                ));
            lacking.into_iter().fold(breach, |breach, member| {
                breach.say(lack(member, index, term)).prove(member.disk.log_evidence(member.id, index))
            })
        });
    }
}

/// A sentence that says what a member lacks.
fn lack(member: &Member, index: u64, term: u64) -> String {
    match member.log.term_at(index) {
        Some(other) if other != term => {
            format!("Member {} has an entry of term {other} there.", member.id)
        }
        None => format!("The log of member {} ends at {}.", member.id, member.log.last()),
        Some(_) => format!(
            "Of the log of member {} only entries up to {} were on disk: {}.",
            member.id,
            member.disk.now.matched,
            member.disk.whereabouts(index)
        ),
    }
}

#[cfg(test)]
mod tests {
    use record::{Fact, FaultEffect, Probe, Stop};

    use crate::Oracle;

    use super::super::script::Script;

    #[test]
    fn a_leader_that_counts_itself_too_early() {
        let mut run = Script::new(5);
        run.leads(1, 3);
        run.write(1, &[(1, 3)]);
        run.append(1, &[(2, 3), (3, 3)]);
        run.save(1);
        run.write(2, &[(1, 3), (2, 3), (3, 3)]);
        run.write(3, &[(1, 3), (2, 3), (3, 3)]);
        run.write(4, &[(1, 3)]);
        run.append(5, &[(1, 2)]);
        run.append(4, &[(2, 3), (3, 3)]);
        run.commit(1, 3, 3);
        let violation = run.broke(
            Oracle::I5,
            "Member 1 committed entry 3 of term 3 when 2 of 5 members had it on their disks; a quorum is 3. \
             Of the log of member 1 only entries up to 1 were on disk: job 3, which holds 2 and 3, was still being written. \
             Of the log of member 4 only entries up to 1 were on disk: no write of 3 was under way. \
             The log of member 5 ends at 1.",
        );
        assert_eq!(violation.events.len(), 4, "{:#?}", violation.events);
    }

    #[test]
    fn a_single_member_that_commits_before_its_sync() {
        let mut run = Script::new(1);
        run.leads(1, 1);
        run.append(1, &[(1, 1)]);
        let job = run.save(1);
        run.report(1, Fact::JobDone { job, synced: false, failed: false });
        run.commit(1, 1, 1);
        run.broke(
            Oracle::I5,
            "Member 1 committed entry 1 of term 1 when 0 of 1 members had it on their disks; a quorum is 1. \
             Of the log of member 1 only entries up to 0 were on disk: job 2, which holds 1, was written but not synced.",
        );
    }

    #[test]
    fn a_quorum_without_the_leader_and_with_the_dead() {
        let mut run = Script::new(3);
        run.leads(1, 1);
        run.append(1, &[(1, 1)]);
        run.save(1);
        run.write(2, &[(1, 1)]);
        run.write(3, &[(1, 1)]);
        run.stop(3, Stop::PowerLoss);
        run.commit(1, 1, 1);
        run.commit(2, 1, 1);
        run.finds_nothing();
        let probes = run.invariants.probes();
        assert_eq!((probes[Probe::Commits], probes[Probe::CommittedByBareQuorum]), (1, 1));
    }

    /// Members 1 and 2 of five have the entry on disk; member 1 leads.
    fn on_two_of_five() -> Script {
        let mut run = Script::new(5);
        run.leads(1, 1);
        (1..=2).for_each(|member| run.write(member, &[(1, 1)]));
        run
    }

    #[test]
    fn only_voters_count() {
        let mut run = on_two_of_five();
        run.configure(1, 0, &[1, 2, 3], &[], &[4, 5]);
        run.commit(1, 1, 1);
        run.finds_nothing();
        let mut run = on_two_of_five();
        run.configure(1, 0, &[1, 4, 5], &[], &[2, 3]);
        run.commit(1, 1, 1);
        run.broke(
            Oracle::I5,
            "Member 1 committed entry 1 of term 1 when 1 of 3 voters had it on their disks; a quorum is 2. \
             The log of member 4 ends at 0. The log of member 5 ends at 0.",
        );
    }

    #[test]
    fn both_halves_of_a_joint_configuration_count() {
        let mut run = on_two_of_five();
        run.configure(1, 0, &[1, 2, 3], &[1, 2], &[]);
        run.commit(1, 1, 1);
        run.finds_nothing();
        let mut run = on_two_of_five();
        run.configure(1, 0, &[1, 2, 3], &[1, 4, 5], &[]);
        run.commit(1, 1, 1);
        run.broke(
            Oracle::I5,
            "Member 1 committed entry 1 of term 1 when 1 of 3 outgoing voters had it on their disks; a quorum is 2. \
             The log of member 4 ends at 0. The log of member 5 ends at 0.",
        );
    }

    #[test]
    fn what_a_cluster_begins_with_was_committed_by_nobody() {
        let mut run = Script::without_members(3);
        let begin = |run: &mut Script, member| {
            run.begin_after(member, (3, 1));
            run.start(member, 3);
            run.commit(member, 3, 1);
        };
        begin(&mut run, 1);
        run.leads(1, 2);
        run.write(1, &[(4, 2)]);
        (2..=3).for_each(|member| begin(&mut run, member));
        run.write(2, &[(4, 2)]);
        run.commit(1, 4, 2);
        run.finds_nothing();
        assert_eq!(run.invariants.probes()[Probe::Commits], 1);
    }

    #[test]
    fn a_member_whose_disk_was_damaged_counts_as_what_it_acknowledged() {
        let mut run = Script::new(3);
        run.leads(1, 1);
        run.write(1, &[(1, 1)]);
        run.fault(2, FaultEffect::DAMAGE);
        run.commit(1, 1, 1);
        run.finds_nothing();
    }
}
