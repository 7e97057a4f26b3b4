//! I6: what a member promises to a peer is durable before the promise is sent (Raft paper, figure 2: term, vote and
//! log are "updated on stable storage before responding to RPCs"; the rule for the order of a Ready in etcd's
//! `raft/doc.go`).
//!
//! * An append response that does not reject, for index `i` in term `t`, promises that the log up to `i` and the term
//!   are durable (flaw R2 breaks this). There are two exceptions, in both of which the sender has moved on to a later
//!   term:
//!   * It has cut its log below `i`. Then it is enough that its disk still reaches to `i`, or did before the cut that
//!     the last sync covered. Such a response is as good as one that was sent before the cut and arrived late.
//!   * The log on its disk ends with an entry of a term later than `t`. A member that waits for its disk receives the
//!     appends of an old leader and of a new one, and then saves only what is left of them in its log; the answer to
//!     the old leader is sent after that. What it acknowledges was never on the disk, but nothing can be committed by
//!     it: the new leader did not have the entry, so none of its voters acknowledged the entry before they voted (votes
//!     compare with the log in memory), nor after (they were in a later term). Its voters are a quorum, so the old
//!     leader never gets one. etcd's members do the same (`raft/node.go` steps messages while a Ready is saved).
//! * A vote promises that term and vote are durable (flaw R1 breaks this).
//! * A request for votes promises that the candidate's vote for itself is durable, because the candidate counts it.
//! * A message that only a leader sends (entries, heartbeats, snapshots, TimeoutNow) promises that the leader's vote
//!   for itself is durable. Otherwise it might lead the same term again after a crash, with other entries. The leader's
//!   own copy of the entries that it sends need not be durable: I5 counts who has them.
//!
//! A later term on the disk is as good as the vote, because the vote can never be given again.
//!
//! Pre-votes promise nothing (thesis, section 9.6), nor do rejections and heartbeat responses. I5 checks a leader
//! that counts its own log.
//!
//! Not checked: that the term is durable before *any* answer names it; what a member promises of a log that it
//! recovered but whose writes were never synced (see `disk.rs`; I7 catches it when the log is lost).

use record::{Event, MemberId, MessageHead, MessageKind};

use super::member::Member;
use super::{Breach, Breaches, phrases};
use crate::Oracle;

/// Checks a message of `member` to `to`. Call it only for a message that [`promises`] something.
pub(super) fn sent(
    event: &Event,
    to: MemberId,
    head: &MessageHead,
    member: &mut Member,
    breaches: &mut Breaches,
) {
    match head.kind {
        MessageKind::AppendResponse => append_response(event, to, head, member, breaches),
        MessageKind::RequestVoteResponse => vote(event, to, head, to, member, breaches),
        _ => vote(event, to, head, member.id, member, breaches),
    }
}

/// Whether a message promises anything.
#[inline]
pub(super) fn promises(head: &MessageHead) -> bool {
    match head.kind {
        MessageKind::AppendResponse => !head.reject && head.index > 0,
        MessageKind::RequestVoteResponse => !head.reject,
        MessageKind::RequestVote => true,
        _ => false,
    }
}

/// Whether only a leader sends such a message.
#[inline]
pub(super) fn is_from_leader(head: &MessageHead) -> bool {
    use MessageKind::{Append, Heartbeat, Snapshot, TimeoutNow};
    matches!(head.kind, Append | Heartbeat | Snapshot | TimeoutNow)
}

/// Checks a message of a leader to `to`. Call it only for a message that [`is_from_leader`].
#[inline]
pub(super) fn sent_by_leader(
    event: &Event,
    to: MemberId,
    head: &MessageHead,
    member: &Member,
    breaches: &mut Breaches,
) {
    let (term, own) = (head.term, member.id);
    if member.disk.holds_vote(term, own) {
        return;
    }
    let only_voter = member.configuration.as_ref().is_some_and(|used| used.is_only_voter(own));
    breaches.add(Oracle::I6, event, || {
        Breach::new(format!("Member {} led before its vote was durable", member.id))
            .say(format!(
                "Member {}{} said to member {to} that it leads term {term}, but on its disk were term {} and a vote for {}: {}.",
                member.id,
                if only_voter { ", the only voter," } else { "" },
                member.disk.now.term,
                phrases::who(member.disk.now.vote),
                member.disk.state_whereabouts(term, own),
            ))
            .prove(member.disk.state_evidence(member.id, term, own))
    });
}

/// Checks an append response.
fn append_response(
    event: &Event,
    to: MemberId,
    head: &MessageHead,
    member: &mut Member,
    breaches: &mut Breaches,
) {
    let (now, index) = (member.disk.now, head.index);
    let of_old_term = head.term < member.state.term;
    let replaced = || member.log.term_at(now.matched).is_some_and(|term| term > head.term);
    if index > now.matched && !(of_old_term && (index <= member.disk.passed || replaced())) {
        breaches.add(Oracle::I6, event, || {
            Breach::new(format!("Member {} acknowledged entries before they were durable", member.id))
                .say(format!(
                    "Member {} answered member {to} that it has entries up to {index}, but only entries up to {} were on its disk: {}.",
                    member.id,
                    now.matched,
                    member.disk.whereabouts(index),
                ))
                .prove(member.disk.log_evidence(member.id, index))
        });
    } else if head.term > now.term {
        breaches.add(Oracle::I6, event, || {
            Breach::new(format!("Member {} answered in a term before it was durable", member.id))
                .say(format!(
                    "Member {} acknowledged entries to member {to} in term {}, but its disk knew only term {}: {}.",
                    member.id,
                    head.term,
                    now.term,
                    member.disk.state_whereabouts(head.term, member.state.vote),
                ))
                .prove(member.disk.state_evidence(member.id, head.term, member.state.vote))
        });
    } else if !of_old_term {
        member.disk.promised_log(event);
    }
}

/// Checks a vote, or a candidate's request for votes.
fn vote(
    event: &Event,
    to: MemberId,
    head: &MessageHead,
    candidate: MemberId,
    member: &mut Member,
    breaches: &mut Breaches,
) {
    let (now, term) = (member.disk.now, head.term);
    member.voted = Some((event.clone(), candidate));
    if member.disk.holds_vote(term, candidate) {
        return member.disk.promised_vote(event, candidate);
    }
    breaches.add(Oracle::I6, event, || {
        let (what, how) = if candidate == member.id {
            (
                "asked for votes",
                format!("asked member {to} for its vote in term {term}, as one who votes for itself"),
            )
        } else {
            ("voted", format!("gave member {to} its vote in term {term}"))
        };
        Breach::new(format!("Member {} {what} before its vote was durable", member.id))
            .say(format!(
                "Member {} {how}, but on its disk were term {} and a vote for {}: {}.",
                member.id,
                now.term,
                phrases::who(now.vote),
                member.disk.state_whereabouts(term, candidate),
            ))
            .prove(member.disk.state_evidence(member.id, term, candidate))
    });
}

#[cfg(test)]
mod tests {
    use record::{EtcdFact, Fact, Probe, Role, Stop};

    use crate::describe;

    use super::super::script::Script;
    use super::*;

    const ACK: MessageKind = MessageKind::AppendResponse;
    const VOTE: MessageKind = MessageKind::RequestVoteResponse;

    /// Member 3 follows member 1 in term 2 with a log up to 55, all durable.
    fn follower() -> Script {
        let mut run = Script::new(3);
        run.votes(3, 2, 1);
        let entries: Vec<_> = (1..=55).map(|index| (index, 2)).collect();
        run.write(3, &entries);
        run
    }

    #[test]
    fn an_acknowledgement_before_the_sync() {
        let mut run = follower();
        run.append(3, &[(56, 2), (57, 2)]);
        let job = run.save(3);
        run.send(3, 1, ACK, 2, 55);
        run.finds_nothing();
        run.send(3, 1, ACK, 2, 57);
        let violation = run.broke(
            Oracle::I6,
            "Member 3 answered member 1 that it has entries up to 57, but only entries up to 55 were on its disk: \
             job 3, which holds 56 and 57, was still being written.",
        );
        assert_eq!(violation.title, "Member 3 acknowledged entries before they were durable");
        let expected =
            Fact::Own(EtcdFact::Saving { job, term: 2, vote: MemberId::new(1), commit: 0, last_index: 57 });
        assert!(violation.events[1].ends_with(&describe::fact(&expected)));
        assert_eq!(violation.events.len(), 3);
    }

    #[test]
    fn an_acknowledgement_of_what_a_later_leader_replaced_in_memory() {
        // Entries 56 and 57 of term 2 arrive while the disk is busy; the leader of term 3 replaces 56.
        let mut run = follower();
        run.votes(3, 3, 0);
        run.append(3, &[(56, 2), (57, 2)]);
        run.append(3, &[(56, 3)]);
        let job = run.save(3);
        run.sync(3, job);
        run.send(3, 1, ACK, 2, 57);
        run.finds_nothing();
        // The leader of its own term must not count on it.
        run.send(3, 2, ACK, 3, 57);
        run.broke(
            Oracle::I6,
            "Member 3 answered member 2 that it has entries up to 57, but only entries up to 56 were on its disk: no write of 57 was under way.",
        );
    }

    #[test]
    fn an_acknowledgement_of_an_old_term_that_nothing_replaced() {
        // It knows of term 3, but nothing of that term is in its log: 56 may still be committed in term 2.
        let mut run = follower();
        run.votes(3, 3, 0);
        run.append(3, &[(56, 2)]);
        run.send(3, 1, ACK, 2, 56);
        run.broke(
            Oracle::I6,
            "Member 3 answered member 1 that it has entries up to 56, but only entries up to 55 were on its disk: no write of 56 was under way.",
        );
    }

    #[test]
    fn an_acknowledgement_after_the_log_was_cut() {
        let mut run = follower();
        run.votes(3, 3, 0);
        run.append(3, &[(54, 3), (55, 3)]);
        run.send(3, 2, ACK, 3, 55);
        run.broke(
            Oracle::I6,
            "Member 3 answered member 2 that it has entries up to 55, but only entries up to 53 were on its disk: \
             no write of 55 was under way.",
        );
    }

    #[test]
    fn an_acknowledgement_after_a_failed_write() {
        let mut run = follower();
        run.append(3, &[(56, 2)]);
        let job = run.save(3);
        run.report(3, Fact::JobDone { job, synced: false, failed: true });
        run.send(3, 1, ACK, 2, 56);
        run.broke(
            Oracle::I6,
            "Member 3 answered member 1 that it has entries up to 56, but only entries up to 55 were on its disk: \
             job 3, which holds 56, had failed.",
        );
    }

    #[test]
    fn an_acknowledgement_by_a_write_of_an_earlier_incarnation() {
        let mut run = follower();
        run.append(3, &[(56, 2)]);
        let job = run.save(3);
        run.stop(3, Stop::PowerLoss);
        run.lose_after(3, 55);
        run.start(3, 0);
        run.append(3, &[(56, 2)]);
        run.sync(3, job);
        run.send(3, 1, ACK, 2, 56);
        run.broke(
            Oracle::I6,
            "Member 3 answered member 1 that it has entries up to 56, but only entries up to 55 were on its disk: \
             no write of 56 was under way.",
        );
    }

    #[test]
    fn an_acknowledgement_in_a_term_that_is_not_durable() {
        let mut run = follower();
        run.state(3, 3, 0, Role::Follower);
        run.send(3, 2, ACK, 3, 55);
        run.broke(
            Oracle::I6,
            "Member 3 acknowledged entries to member 2 in term 3, but its disk knew only term 2: no write of it was under way.",
        );
    }

    #[test]
    fn a_vote_before_the_sync() {
        let mut run = follower();
        run.state(3, 3, 2, Role::Follower);
        run.save(3);
        run.send(3, 2, VOTE, 3, 0);
        run.broke(
            Oracle::I6,
            "Member 3 gave member 2 its vote in term 3, but on its disk were term 2 and a vote for member 1: \
             job 3, which holds it, was still being written.",
        );
    }

    #[test]
    fn a_candidacy_before_the_sync() {
        let mut run = follower();
        run.state(3, 3, 3, Role::Candidate);
        run.send(3, 2, MessageKind::RequestVote, 3, 0);
        run.broke(
            Oracle::I6,
            "Member 3 asked member 2 for its vote in term 3, as one who votes for itself, but on its disk were term 2 and a vote for member 1: \
             no write of it was under way.",
        );
    }

    #[test]
    fn a_leader_that_is_heard_of_before_its_vote_for_itself_is_durable() {
        let mut run = Script::new(3);
        run.state(1, 5, 1, Role::Leader);
        let job = run.save(1);
        run.send(1, 2, MessageKind::HeartbeatResponse, 5, 0);
        run.finds_nothing();
        run.send(1, 2, MessageKind::Append, 5, 0);
        let violation = run.broke(
            Oracle::I6,
            "Member 1 said to member 2 that it leads term 5, but on its disk were term 0 and a vote for nobody: \
             job 1, which holds it, was still being written.",
        );
        assert_eq!((violation.title.as_str(), job), ("Member 1 led before its vote was durable", 1));
        let mut run = Script::new(3);
        run.votes(1, 5, 1);
        run.send(1, 2, MessageKind::Append, 5, 0);
        run.send(1, 3, MessageKind::Heartbeat, 5, 0);
        run.finds_nothing();
    }

    #[test]
    fn promises_that_are_durable_and_answers_that_promise_nothing() {
        let mut run = follower();
        run.append(3, &[(56, 2)]);
        let job = run.save(3);
        run.send(3, 1, MessageKind::HeartbeatResponse, 2, 56);
        run.send(3, 1, MessageKind::RequestPreVoteResponse, 9, 0);
        let head =
            MessageHead { kind: ACK, term: 9, index: 99, log_term: 0, commit: 0, reject: true, entries: 0 };
        run.report(3, Fact::Sent { to: MemberId::new(1), packet: 1, head });
        run.sync(3, job);
        run.send(3, 1, ACK, 2, 56);
        run.votes(3, 3, 2);
        run.send(3, 2, VOTE, 3, 0);
        run.votes(3, 4, 3);
        run.send(3, 2, MessageKind::RequestVote, 4, 0);
        run.finds_nothing();
        assert_eq!(run.invariants.probes()[Probe::Promises], 3);
    }

    #[test]
    fn a_sync_covers_the_writes_before_it() {
        let mut run = follower();
        run.append(3, &[(56, 2)]);
        let job = run.save(3);
        run.report(3, Fact::JobDone { job, synced: false, failed: false });
        run.sync(3, job + 1);
        run.send(3, 1, ACK, 2, 56);
        run.finds_nothing();
    }

    #[test]
    fn a_late_answer_of_an_old_term_to_what_the_disk_still_held() {
        let mut run = follower();
        run.append(3, &[(56, 2)]);
        let job = run.save(3);
        run.state(3, 3, 0, Role::Follower);
        run.append(3, &[(55, 3)]);
        run.sync(3, job);
        run.send(3, 1, ACK, 2, 56);
        run.finds_nothing();
    }

    #[test]
    fn a_late_answer_of_an_old_term_to_what_one_sync_wrote_and_cut() {
        let mut run = follower();
        run.append(3, &[(56, 2)]);
        let job = run.save(3);
        run.state(3, 3, 0, Role::Follower);
        run.append(3, &[(55, 3)]);
        run.report(
            3,
            Fact::Own(EtcdFact::Saving { job, term: 3, vote: MemberId::NONE, commit: 0, last_index: 55 }),
        );
        run.sync(3, job);
        run.send(3, 1, ACK, 2, 56);
        run.finds_nothing();
        // In the new term it has no such entry.
        run.send(3, 1, ACK, 3, 56);
        run.broke(
            Oracle::I6,
            "Member 3 answered member 1 that it has entries up to 56, but only entries up to 55 were on its disk: \
             no write of 56 was under way.",
        );
    }

    #[test]
    fn a_snapshot_is_acknowledged_once_its_write_is_synced_whenever_it_is_installed() {
        for installed in 0..5 {
            let mut run = follower();
            let mut now = 0..5;
            let mut step = |run: &mut Script| {
                if now.next() == Some(installed) {
                    run.report(
                        3,
                        Fact::Own(EtcdFact::SnapshotInstalled {
                            index: 90,
                            term: 2,
                            revision: 90,
                            state_hash: 0,
                        }),
                    );
                }
            };
            step(&mut run);
            run.report(
                3,
                Fact::Own(EtcdFact::Saving {
                    job: 3,
                    term: 2,
                    vote: MemberId::new(1),
                    commit: 90,
                    last_index: 90,
                }),
            );
            step(&mut run);
            run.sync(3, 3);
            step(&mut run);
            run.send(3, 1, ACK, 2, 90);
            run.append(3, &[(91, 2)]);
            step(&mut run);
            run.report(
                3,
                Fact::Own(EtcdFact::Saving {
                    job: 4,
                    term: 2,
                    vote: MemberId::new(1),
                    commit: 90,
                    last_index: 91,
                }),
            );
            run.sync(3, 4);
            step(&mut run);
            run.send(3, 1, ACK, 2, 90);
            run.send(3, 1, ACK, 2, 91);
            run.finds_nothing();
        }
    }

    #[test]
    fn a_snapshot_is_acknowledged_before_its_write_is_synced() {
        let mut run = follower();
        run.install(3, 90, 2);
        let write = Fact::Own(EtcdFact::Saving {
            job: 3,
            term: 2,
            vote: MemberId::new(1),
            commit: 90,
            last_index: 90,
        });
        run.report(3, write);
        run.send(3, 1, ACK, 2, 90);
        run.broke(
            Oracle::I6,
            "Member 3 answered member 1 that it has entries up to 90, but only entries up to 0 were on its disk: \
             job 3, which holds 90, was still being written.",
        );
    }
}
