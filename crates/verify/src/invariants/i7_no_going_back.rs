//! I7: term, vote, commit, applied and consistent index never go back, and never get ahead of what is durable.
//!
//! Within one incarnation:
//!
//! * The term does not fall. The vote of a term, once given, neither changes nor vanishes (Raft paper, figure 2 and
//!   section 5.2).
//! * The commit index does not fall (figure 2: "increases monotonically").
//! * Nothing is applied beyond the commit index that the member knows, and no snapshot takes the store back (section
//!   5.3; I4 checks that entries are applied in order).
//! * The durable consistent index does not fall (etcd issue 20434: from 105 to 100). It is not ahead of what was
//!   applied (13766), and not ahead of the durable log. Otherwise a power loss leaves a store with entries that the
//!   log has lost, and that another leader may replace.
//!
//! Across a restart, what was certain to be durable is still there (`disk.rs` says what is certain):
//!
//! * the log, entry by entry, except where a snapshot replaced it; term and vote; the commit index; the consistent
//!   index;
//! * the vote of a term is the one that an earlier incarnation sent in a message, whether it was durable or not;
//! * log, snapshot and store fit together: the snapshot's index <= consistent index <= last index of the log, or some
//!   entries are in neither (20426, 10219, 22340); and commit <= last index (13066; raft refuses to start otherwise).
//!
//! Not required: consistent index <= durable commit index. etcd syncs a change of the commit index only together with
//! something else, so its store can come back ahead of the commit index (etcd issue 22028: 1049 against 1047). That
//! does no harm while the log has those entries: an entry in the store was committed, so a member may resume at the
//! larger of the two.
//!
//! Once the plan has damaged what a member's disk had confirmed (bit rot, lost or misdirected writes, a lost disk),
//! nothing needs to be there after its restarts, for the rest of the run.
//!
//! Not checked until a crash shows it: that the log is compacted only as far as the store is durable.

use record::{Event, Fact, MemberId};

use super::disk::OnDisk;
use super::log::TermLog;
use super::member::Member;
use super::{Breach, Breaches, phrases};
use crate::Oracle;

/// Checks a reported term and vote.
pub(super) fn state(event: &Event, term: u64, vote: MemberId, member: &Member, breaches: &mut Breaches) {
    let (id, was) = (member.id, &member.state);
    if term < was.term {
        breaches.add(Oracle::I7, event, || {
            Breach::new(format!("The term of member {id} went back"))
                .say(format!("Member {id} was in term {} and is in term {term} now.", was.term))
                .prove(member.state_event())
        });
    } else if term == was.term && !was.vote.is_none() && vote != was.vote {
        breaches.add(Oracle::I7, event, || {
            Breach::new(format!("Member {id} changed its vote in term {term}"))
                .say(format!(
                    "Member {id} had voted for {} in term {term}; now its vote is for {}.",
                    phrases::who(was.vote),
                    phrases::who(vote)
                ))
                .prove(member.state_event())
        });
    } else if let Some((sent, voted)) = &member.voted
        && let Fact::Sent { to, head, .. } = sent.fact
        && head.term == term
        && !vote.is_none()
        && vote != *voted
        && member.damage.is_none()
    {
        breaches.add(Oracle::I7, event, || {
            Breach::new(format!("Member {id} voted twice in term {term}"))
                .say(format!(
                    "Member {id} votes for {} in term {term}, but a message to member {to} said that it voted for {}.",
                    phrases::who(vote),
                    phrases::who(*voted)
                ))
                .prove([sent.clone()])
                .prove(member.restart())
        });
    }
}

/// Checks a commit index that moved to `index`.
#[inline]
pub(super) fn committed(event: &Event, index: u64, member: &Member, breaches: &mut Breaches) {
    if index < member.commit {
        breaches.add(Oracle::I7, event, || {
            let (id, was) = (member.id, member.commit);
            Breach::new(format!("The commit index of member {id} went back"))
                .say(format!("The commit index of member {id} was {was} and is {index} now."))
                .prove(member.commit_event())
        });
    }
}

/// Checks the index of an applied entry.
#[inline]
pub(super) fn applied(event: &Event, index: u64, member: &Member, breaches: &mut Breaches) {
    // Up to `basis` the store had everything already, so such an entry changes nothing.
    if index > member.commit && index > member.basis {
        breaches.add(Oracle::I7, event, || {
            let id = member.id;
            Breach::new(format!("Member {id} applied what it did not know to be committed"))
                .say(format!(
                    "Member {id} applied entry {index} while its commit index was {}.",
                    member.commit
                ))
                .prove(member.commit_event())
        });
    }
}

/// Checks that a snapshot up to `index` does not take the store back.
pub(super) fn installed(event: &Event, index: u64, member: &Member, breaches: &mut Breaches) {
    if index < member.applied {
        breaches.add(Oracle::I7, event, || {
            let id = member.id;
            Breach::new(format!("A snapshot took the store of member {id} back")).say(format!(
                "Member {id} had applied everything up to {} and installed a snapshot of the entries up to {index}.",
                member.applied
            ))
            .prove(member.applied_evidence())
        });
    }
}

/// Checks a consistent index with which the backend became durable.
pub(super) fn backend(event: &Event, index: u64, member: &Member, breaches: &mut Breaches) {
    let id = member.id;
    let (was, time) = member.backend;
    if index < was {
        breaches.add(Oracle::I7, event, || {
            Breach::new(format!("The consistent index of member {id} went back"))
                .say(format!("The store of member {id} was durable with consistent index {was}, and is now with {index}."))
                .prove([backend_event(member, was, time)])
        });
    } else if index > member.applied {
        breaches.add(Oracle::I7, event, || {
            Breach::new(format!("The consistent index of member {id} is ahead of what it applied")).say(format!(
                "The store of member {id} is durable with consistent index {index}, but {id} has applied only entries up to {}: a restart would skip the rest.",
                member.applied
            ))
            .prove(member.applied_evidence())
        });
    } else if index > member.disk.now.matched {
        breaches.add(Oracle::I7, event, || {
            Breach::new(format!("The consistent index of member {id} is ahead of its durable log"))
                .say(format!(
                    "The store of member {id} is durable with consistent index {index}, but of its log only entries up to {} are on disk: {}.",
                    member.disk.now.matched,
                    member.disk.whereabouts(index)
                ))
                .prove(member.disk.log_evidence(id, index))
        });
    }
}

/// Checks what a process recovered at its start.
pub(super) fn recovered(
    event: &Event,
    log: &TermLog,
    found: OnDisk,
    consistent_index: u64,
    member: &Member,
    breaches: &mut Breaches,
) {
    if member.damage.is_some() {
        return;
    }
    let found = RecoveredState { log, held: found, consistent_index };
    let Some((title, sentence, proof)) = lost(&found, member).or_else(|| torn(&found, member)) else {
        return;
    };
    breaches.add(Oracle::I7, event, || Breach::new(title).say(sentence).prove(proof).prove(member.restart()));
}

/// What a process found on its disk at its start.
struct RecoveredState<'a> {
    /// The terms of the entries.
    log: &'a TermLog,
    /// Term, vote and commit index.
    held: OnDisk,
    /// The index of the last entry whose effects the backend holds.
    consistent_index: u64,
}

/// What is wrong after a restart: the title of a violation, a sentence, and the event that proves it.
type Trouble = (String, String, Option<Event>);

/// Finds something that was certain to be on the disk and is not there after the restart.
#[cold]
fn lost(found: &RecoveredState<'_>, member: &Member) -> Option<Trouble> {
    let (id, certain) = (member.id, &member.disk.certain);
    let (log_proof, state_proof) = (&member.disk.log_proof, &member.disk.state_proof);
    let held = &found.held;

    // The last entry that was certain to be on the disk, and the term of the entry that is there now.
    let (index, here) = (certain.matched, found.log.term_at(certain.matched));
    let other = matches!((member.log.term_at(index), here), (Some(was), Some(is)) if was != is);
    if index > found.log.last() || other {
        let now = match here {
            Some(term) => format!("there is an entry of term {term}"),
            None => format!("its log ends at {}", found.log.last()),
        };
        return Some((
            format!("Member {id} lost durable entries"),
            format!(
                "Member {id} had its log on disk up to {index}: {}. After its restart {now}.",
                log_proof.reason()
            ),
            log_proof.event(id),
        ));
    }
    if held.term < certain.term
        || held.term == certain.term && !certain.vote.is_none() && held.vote != certain.vote
    {
        return Some((
            format!("Member {id} lost a durable term or vote"),
            format!(
                "Member {id} had term {} with a vote for {} on disk: {}. After its restart it is in term {} with a vote for {}.",
                certain.term,
                phrases::who(certain.vote),
                state_proof.reason(),
                held.term,
                phrases::who(held.vote),
            ),
            state_proof.event(id),
        ));
    }
    if held.commit < certain.commit {
        return Some((
            format!("Member {id} lost a durable commit index"),
            format!(
                "Member {id} had commit index {} on disk: {}. After its restart it is {}.",
                certain.commit,
                state_proof.reason(),
                held.commit
            ),
            state_proof.event(id),
        ));
    }
    let (backend, time) = member.backend;
    (found.consistent_index < backend).then(|| {
        (
            format!("Member {id} lost a durable store"),
            format!(
                "The store of member {id} was durable with consistent index {backend}. After its restart it holds only entries up to {}.",
                found.consistent_index
            ),
            Some(backend_event(member, backend, time)),
        )
    })
}

/// Finds that log, snapshot and store do not fit together after the restart.
#[cold]
fn torn(found: &RecoveredState<'_>, member: &Member) -> Option<Trouble> {
    let (id, consistent, commit) = (member.id, found.consistent_index, found.held.commit);
    let (before, last) = (found.log.before(), found.log.last());
    let (title, sentence) = if consistent < before {
        (
            format!("Member {id} has a gap between its store and its log"),
            format!(
                "The store of member {id} holds everything up to {consistent}, and its log begins after {before}."
            ),
        )
    } else if consistent > last {
        (
            format!("The store of member {id} is ahead of its log"),
            format!(
                "The store of member {id} holds everything up to {consistent}, but its log ends at {last}."
            ),
        )
    } else if commit > last {
        (
            format!("The commit index of member {id} is ahead of its log"),
            format!("Member {id} recovered commit index {commit}, but its log ends at {last}."),
        )
    } else {
        return None;
    };
    Some((title, sentence, None))
}

/// The fact that made this consistent index durable, as evidence.
fn backend_event(member: &Member, consistent_index: u64, time: record::Nanos) -> Event {
    Event {
        time,
        member: member.id,
        fact: record::Fact::Own(record::EtcdFact::BackendDurable { consistent_index }),
    }
}

#[cfg(test)]
mod tests {
    use record::{EtcdFact, Fact, FaultEffect, MemberId, MessageKind, Probe, Role, Stop};

    use crate::Oracle;

    use super::super::script::Script;

    /// One member of three with entries 1 to 4 of term 2 durable, 1 to 3 committed and applied, and a
    /// store that is durable up to 2.
    fn member() -> Script {
        let mut run = Script::new(3);
        run.votes(1, 2, 2);
        run.write(1, &[(1, 2), (2, 2), (3, 2), (4, 2)]);
        (2..=3).for_each(|other| run.write(other, &[(1, 2), (2, 2), (3, 2), (4, 2)]));
        run.commit(1, 3, 2);
        (1..=3).for_each(|index| run.apply(1, index, 2));
        run.report(1, Fact::Own(EtcdFact::BackendDurable { consistent_index: 2 }));
        run.finds_nothing();
        run
    }

    #[test]
    fn the_term_goes_back() {
        let mut run = member();
        run.state(1, 1, 0, Role::Follower);
        run.broke(Oracle::I7, "Member 1 was in term 2 and is in term 1 now.");
    }

    #[test]
    fn the_vote_changes() {
        let mut run = member();
        run.state(1, 2, 3, Role::Follower);
        let sentence = "Member 1 had voted for member 2 in term 2; now its vote is for member 3.";
        assert_eq!(run.broke(Oracle::I7, sentence).events.len(), 2);
    }

    #[test]
    fn the_vote_of_an_earlier_life_is_forgotten() {
        let mut run = member();
        run.votes(1, 3, 3);
        run.send(1, 3, MessageKind::RequestVoteResponse, 3, 0);
        run.stop(1, Stop::PowerLoss);
        run.lose_state(1, 2, 2, 0);
        run.fault(1, FaultEffect::NONE);
        run.start(1, 3);
        run.broke(
            Oracle::I7,
            "Member 1 had term 3 with a vote for member 3 on disk: job 3 was synced. \
             After its restart it is in term 2 with a vote for member 2.",
        );
    }

    #[test]
    fn a_vote_that_was_never_durable_is_given_again() {
        let mut run = member();
        run.state(1, 3, 3, Role::Follower);
        run.send(1, 3, MessageKind::RequestVoteResponse, 3, 0);
        run.stop(1, Stop::Crash);
        run.lose_state(1, 2, 2, 0);
        run.start(1, 3);
        run.state(1, 3, 2, Role::Follower);
        let oracles: Vec<_> = run.sheet.violations().iter().map(|one| one.oracle).collect();
        assert_eq!(oracles, [Oracle::I6, Oracle::I7]);
        assert_eq!(
            run.sheet.violations()[1].sentences,
            [
                "Member 1 votes for member 2 in term 3, but a message to member 3 said that it voted for member 3."
            ]
        );
    }

    #[test]
    fn the_commit_index_goes_back() {
        let mut run = member();
        run.commit(1, 2, 2);
        run.broke(Oracle::I7, "The commit index of member 1 was 3 and is 2 now.");
    }

    #[test]
    fn an_entry_is_applied_before_it_is_committed() {
        let mut run = member();
        run.apply(1, 4, 2);
        run.broke(Oracle::I7, "Member 1 applied entry 4 while its commit index was 3.");
    }

    #[test]
    fn a_snapshot_takes_the_store_back() {
        let mut run = member();
        run.install(1, 2, 2);
        run.broke(
            Oracle::I7,
            "Member 1 had applied everything up to 3 and installed a snapshot of the entries up to 2.",
        );
    }

    #[test]
    fn the_consistent_index_goes_back() {
        let mut run = member();
        run.report(1, Fact::Own(EtcdFact::BackendDurable { consistent_index: 1 }));
        run.broke(
            Oracle::I7,
            "The store of member 1 was durable with consistent index 2, and is now with 1.",
        );
    }

    #[test]
    fn the_consistent_index_is_ahead_of_what_was_applied() {
        let mut run = member();
        run.report(1, Fact::Own(EtcdFact::BackendDurable { consistent_index: 4 }));
        run.broke(
            Oracle::I7,
            "The store of member 1 is durable with consistent index 4, but 1 has applied only entries up to 3: a restart would skip the rest.",
        );
    }

    #[test]
    fn the_consistent_index_is_ahead_of_the_durable_log() {
        let mut run = member();
        run.append(1, &[(5, 2)]);
        run.save(1);
        (2..=3).for_each(|other| run.write(other, &[(5, 2)]));
        run.commit(1, 5, 2);
        (4..=5).for_each(|index| run.apply(1, index, 2));
        run.report(1, Fact::Own(EtcdFact::BackendDurable { consistent_index: 5 }));
        run.broke(
            Oracle::I7,
            "The store of member 1 is durable with consistent index 5, but of its log only entries up to 4 are on disk: \
             job 3, which holds 5, was still being written.",
        );
    }

    #[test]
    fn durable_entries_are_gone() {
        let mut run = member();
        run.stop(1, Stop::PowerLoss);
        run.lose_after(1, 3);
        run.start(1, 2);
        let violation = run.broke(
            Oracle::I7,
            "Member 1 had its log on disk up to 4: job 2 was synced. After its restart its log ends at 3.",
        );
        assert_eq!(violation.events.len(), 4);
    }

    #[test]
    fn a_durable_entry_is_another_one() {
        let mut run = member();
        run.stop(1, Stop::PowerLoss);
        run.replace(1, (4, 1));
        run.start(1, 2);
        run.broke(
            Oracle::I7,
            "Member 1 had its log on disk up to 4: job 2 was synced. After its restart there is an entry of term 1.",
        );
    }

    #[test]
    fn what_was_promised_from_the_page_cache_is_gone() {
        let mut run = member();
        run.append(1, &[(5, 2)]);
        run.save(1);
        run.stop(1, Stop::Crash);
        run.start(1, 2);
        run.send(1, 2, MessageKind::AppendResponse, 2, 5);
        run.stop(1, Stop::PowerLoss);
        run.lose_after(1, 4);
        run.start(1, 2);
        run.broke(
            Oracle::I7,
            "Member 1 had its log on disk up to 5: it had said so to member 2. After its restart its log ends at 4.",
        );
    }

    #[test]
    fn what_was_read_back_after_a_power_loss_is_gone() {
        let mut run = member();
        run.append(1, &[(5, 2)]);
        run.save(1);
        run.stop(1, Stop::PowerLoss);
        run.report(1, Fact::Started { incarnation: 2 });
        run.stop(1, Stop::Refused("the disk failed".to_string()));
        run.start(1, 2);
        run.stop(1, Stop::PowerLoss);
        run.lose_after(1, 4);
        run.start(1, 2);
        run.broke(
            Oracle::I7,
            "Member 1 had its log on disk up to 5: it had read it back from the medium after a power loss. \
             After its restart its log ends at 4.",
        );
    }

    #[test]
    fn a_durable_store_is_gone() {
        let mut run = member();
        run.stop(1, Stop::PowerLoss);
        run.start(1, 1);
        run.broke(
            Oracle::I7,
            "The store of member 1 was durable with consistent index 2. After its restart it holds only entries up to 1.",
        );
    }

    #[test]
    fn a_durable_commit_index_is_gone() {
        let mut run = member();
        let job = run.save(1);
        run.sync(1, job);
        run.stop(1, Stop::PowerLoss);
        run.lose_state(1, 2, 2, 2);
        run.start(1, 3);
        run.broke(
            Oracle::I7,
            "Member 1 had commit index 3 on disk: job 3 was synced. After its restart it is 2.",
        );
    }

    #[test]
    fn log_and_store_do_not_fit() {
        let mut run = member();
        run.stop(1, Stop::Crash);
        run.report(1, Fact::Started { incarnation: 2 });
        let (term, vote, entries, revision, state_hash) = (2, MemberId::new(2), Vec::new(), 3, 1_003);
        let (before, consistent_index, commit) = ((4, 2), 3, 4);
        run.report(
            1,
            Fact::Own(EtcdFact::Recovered {
                term,
                vote,
                commit,
                before,
                entries,
                consistent_index,
                revision,
                state_hash,
            }),
        );
        run.broke(Oracle::I7, "The store of member 1 holds everything up to 3, and its log begins after 4.");

        let mut run = member();
        run.append(1, &[(5, 2)]);
        (2..=3).for_each(|other| run.write(other, &[(5, 2)]));
        run.commit(1, 5, 2);
        (4..=5).for_each(|index| run.apply(1, index, 2));
        run.stop(1, Stop::PowerLoss);
        run.lose_after(1, 4);
        run.start(1, 5);
        run.broke(Oracle::I7, "The store of member 1 holds everything up to 5, but its log ends at 4.");

        let mut run = member();
        run.commit(1, 4, 2);
        run.stop(1, Stop::PowerLoss);
        run.lose_state(1, 2, 2, 5);
        run.start(1, 3);
        run.broke(Oracle::I7, "Member 1 recovered commit index 5, but its log ends at 4.");
    }

    #[test]
    fn what_was_not_durable_may_go_and_what_stays_may_be_more() {
        let mut run = member();
        run.append(1, &[(5, 2), (6, 2)]);
        run.save(1);
        run.state(1, 3, 3, Role::Follower);
        run.stop(1, Stop::PowerLoss);
        run.lose_after(1, 5);
        run.lose_state(1, 2, 2, 0);
        run.start(1, 3);
        run.append(1, &[(4, 3)]);
        run.stop(1, Stop::Crash);
        run.start(1, 3);
        run.install(1, 9, 3);
        let write =
            Fact::Own(EtcdFact::Saving { job: 4, term: 3, vote: MemberId::NONE, commit: 9, last_index: 9 });
        run.report(1, write);
        run.sync(1, 4);
        run.report(1, Fact::Own(EtcdFact::BackendDurable { consistent_index: 9 }));
        run.finds_nothing();
        assert_eq!(run.invariants.probes()[Probe::RestartsWithShorterLog], 1);
    }

    #[test]
    fn a_store_may_be_ahead_of_the_recovered_commit_index() {
        let mut run = member();
        run.stop(1, Stop::PowerLoss);
        run.lose_state(1, 2, 2, 0);
        run.start(1, 3);
        run.replay(1, 2, 2);
        run.commit(1, 2, 2);
        run.replay(1, 3, 2);
        run.commit(1, 4, 2);
        run.apply(1, 4, 2);
        run.finds_nothing();
    }

    #[test]
    fn a_fault_that_struck_nobody_excuses_nobody() {
        let mut run = member();
        run.fault(0, FaultEffect::DAMAGE);
        run.stop(1, Stop::PowerLoss);
        run.lose_after(1, 3);
        run.start(1, 2);
        assert_eq!(run.sheet.violations().len(), 1);
    }

    #[test]
    fn a_damaged_disk_excuses() {
        let mut run = member();
        run.send(1, 2, MessageKind::RequestVoteResponse, 2, 0);
        run.fault(1, FaultEffect::DAMAGE);
        run.stop(1, Stop::PowerLoss);
        run.lose_after(1, 0);
        run.lose_state(1, 0, 0, 0);
        run.start(1, 0);
        run.report(1, Fact::Own(EtcdFact::BackendDurable { consistent_index: 0 }));
        run.votes(1, 2, 3);
        run.finds_nothing();
        assert_eq!(run.invariants.probes()[Probe::DisksDamaged], 1);
    }
}
