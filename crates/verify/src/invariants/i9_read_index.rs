//! I9: a ReadIndex context is used for one question only, and its answer covers everything that was committed when
//! the question was asked (Raft thesis, section 6.4).
//!
//! A question is a member's request for a read index; the context is the number that identifies it; the answer is
//! called a confirmation.
//!
//! * A context is never used twice, by any member. Raft identifies its pending reads by the context, so a heartbeat
//!   response from before a deposition would confirm a later read (etcd issue 20418, raft pull request 397; flaw
//!   M-20418b).
//! * A confirmation belongs to a question of the same member and the same incarnation, and comes once.
//! * The confirmed index is not below the highest index that any member knew to be committed when the question was
//!   asked.
//!
//! Not checked: that the read waits until the index is applied (flaw R7), and that a read asks at all (flaw R5). K1
//! sees both in what clients read. Only the last 16,384 questions are remembered.

use std::collections::{BTreeMap, VecDeque};

use record::{EtcdFact, Event, Fact, MemberId, Nanos};

use super::commits::Commit;
use super::member::Member;
use super::{Breach, Breaches};
use crate::{Oracle, describe};

/// How many questions are remembered.
const QUESTIONS_MAX: usize = 16_384;

/// The questions asked.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadIndex {
    /// By context.
    asked: BTreeMap<u64, Question>,
    /// The contexts, the oldest first.
    order: VecDeque<u64>,
    /// Whether a question was forgotten before it was answered. Then a confirmation of an unknown context proves
    /// nothing.
    forgot_open: bool,
}

/// A member's request for a read index.
#[derive(Clone, Copy, Debug)]
struct Question {
    time: Nanos,
    member: MemberId,
    incarnation: u32,
    /// The commit with the highest index at that time.
    committed: Option<Commit>,
    /// When it was answered, and with which index.
    answer: Option<(Nanos, u64)>,
}

impl ReadIndex {
    /// Checks a question of `member`.
    pub fn asked(
        &mut self,
        event: &Event,
        context: u64,
        member: &Member,
        committed: Option<Commit>,
        breaches: &mut Breaches,
    ) {
        let (time, incarnation) = (event.time, member.incarnation);
        let question = Question { time, member: member.id, incarnation, committed, answer: None };
        if let Some(first) = self.asked.insert(context, question) {
            breaches.add(Oracle::I9, event, || {
                Breach::new("A ReadIndex context was used twice")
                    .say(format!(
                        "Member {} asked for a read index with context {}, which {} had used already: a late answer to the first question can be taken for one to the second.",
                        member.id,
                        describe::number(context),
                        if first.member == member.id { "it".to_string() } else { format!("member {}", first.member) },
                    ))
                    .prove([first.event(context)])
            });
            return;
        }
        self.order.push_back(context);
        if self.order.len() > QUESTIONS_MAX {
            let oldest = self.order.pop_front().and_then(|context| self.asked.remove(&context));
            self.forgot_open |= oldest.is_some_and(|question| question.answer.is_none());
        }
    }

    /// Checks a confirmation that `member` received.
    pub fn confirmed(
        &mut self,
        event: &Event,
        (context, index): (u64, u64),
        member: &Member,
        breaches: &mut Breaches,
    ) {
        let id = member.id;
        let Some(question) = self.asked.get_mut(&context) else {
            if !self.forgot_open {
                breaches.add(Oracle::I9, event, || {
                    Breach::new("A read index was confirmed that nobody asked for".to_string()).say(format!(
                        "Member {id} took a confirmation of index {index} for context {}, which nobody ever used.",
                        describe::number(context)
                    ))
                });
            }
            return;
        };
        let first = *question;
        question.answer = Some((event.time, index));
        let title = if (first.member, first.incarnation) != (id, member.incarnation) {
            "A read index was confirmed to a member that did not ask"
        } else if first.answer.is_some() {
            "A read index was confirmed twice"
        } else if first.committed.is_some_and(|commit| index < commit.index) {
            "A read index behind what was committed"
        } else {
            return;
        };
        breaches.add(Oracle::I9, event, || {
            let breach = Breach::new(title.to_string()).prove([first.event(context)]);
            let shown = describe::number(context);
            if first.member != id {
                breach.say(format!(
                    "Member {id} took a confirmation of index {index} for context {shown}, which is a question of member {}.",
                    first.member
                ))
            } else if first.incarnation != member.incarnation {
                breach
                    .say(format!(
                        "Member {id} took a confirmation of index {index} for context {shown}, which it had asked before it was restarted."
                    ))
                    .prove(member.restart())
            } else if let Some((time, before)) = first.answer {
                let fact = Fact::Own(EtcdFact::ReadIndexConfirmed { context, index: before });
                breach
                    .say(format!(
                        "Member {id} took a confirmation of index {index} for context {shown}, which had been confirmed with index {before} already."
                    ))
                    .prove([Event { time, member: id, fact }])
            } else {
                let commit = first.committed.map(|commit| (commit.event(), commit));
                commit.into_iter().fold(breach, |breach, (proof, commit)| {
                    breach
                        .say(format!(
                            "Member {id} took a confirmation of index {index} for context {shown}, but when it asked, member {} had committed entry {}.",
                            commit.member, commit.index
                        ))
                        .say("A read at this index can miss writes that were acknowledged before it began.")
                        .prove([proof])
                })
            }
        });
    }
}

impl Question {
    /// The event in the trace with which the question was asked.
    fn event(&self, context: u64) -> Event {
        Event { time: self.time, member: self.member, fact: Fact::Own(EtcdFact::ReadIndexAsked { context }) }
    }
}

#[cfg(test)]
mod tests {
    use record::{EtcdFact, Stop};

    use super::super::script::Script;
    use super::*;

    fn ask(run: &mut Script, member: u32, context: u64) {
        run.report(member, Fact::Own(EtcdFact::ReadIndexAsked { context }));
    }

    fn confirm(run: &mut Script, member: u32, context: u64, index: u64) {
        run.report(member, Fact::Own(EtcdFact::ReadIndexConfirmed { context, index }));
    }

    #[test]
    fn a_context_used_again() {
        let mut run = Script::new(2);
        ask(&mut run, 1, 16);
        confirm(&mut run, 1, 16, 0);
        ask(&mut run, 1, 16);
        let violation = run.broke(
            Oracle::I9,
            "Member 1 asked for a read index with context 0.0.16, which it had used already: \
             a late answer to the first question can be taken for one to the second.",
        );
        assert_eq!(violation.events.len(), 2);
    }

    #[test]
    fn a_context_of_another_member() {
        let mut run = Script::new(2);
        ask(&mut run, 1, 16);
        ask(&mut run, 2, 16);
        run.broke(
            Oracle::I9,
            "Member 2 asked for a read index with context 0.0.16, which member 1 had used already: \
             a late answer to the first question can be taken for one to the second.",
        );
    }

    #[test]
    fn a_confirmation_out_of_nothing() {
        let mut run = Script::new(2);
        confirm(&mut run, 1, 16, 4);
        run.broke(
            Oracle::I9,
            "Member 1 took a confirmation of index 4 for context 0.0.16, which nobody ever used.",
        );
    }

    #[test]
    fn two_confirmations() {
        let mut run = Script::new(2);
        ask(&mut run, 1, 16);
        confirm(&mut run, 1, 16, 0);
        confirm(&mut run, 1, 16, 1);
        let violation = run.broke(
            Oracle::I9,
            "Member 1 took a confirmation of index 1 for context 0.0.16, which had been confirmed with index 0 already.",
        );
        assert_eq!(violation.events.len(), 3);
    }

    #[test]
    fn a_confirmation_for_another_incarnation_or_another_member() {
        let mut run = Script::new(2);
        ask(&mut run, 1, 16);
        run.stop(1, Stop::Crash);
        run.start(1, 0);
        confirm(&mut run, 1, 16, 0);
        run.broke(
            Oracle::I9,
            "Member 1 took a confirmation of index 0 for context 0.0.16, which it had asked before it was restarted.",
        );
        let mut run = Script::new(2);
        ask(&mut run, 1, 16);
        confirm(&mut run, 2, 16, 0);
        run.broke(
            Oracle::I9,
            "Member 2 took a confirmation of index 0 for context 0.0.16, which is a question of member 1.",
        );
    }

    #[test]
    fn an_index_behind_what_was_committed() {
        let mut run = Script::new(1);
        run.leads(1, 1);
        run.write(1, &[(1, 1), (2, 1), (3, 1)]);
        run.commit(1, 2, 1);
        ask(&mut run, 1, 16);
        ask(&mut run, 1, 17);
        run.commit(1, 3, 1);
        confirm(&mut run, 1, 16, 2);
        run.finds_nothing();
        confirm(&mut run, 1, 17, 1);
        let violation = run.broke(
            Oracle::I9,
            "Member 1 took a confirmation of index 1 for context 0.0.17, but when it asked, member 1 had committed entry 2. \
             A read at this index can miss writes that were acknowledged before it began.",
        );
        assert_eq!(violation.events.len(), 3);
    }

    #[test]
    fn many_questions_in_bounded_memory() {
        let mut run = Script::new(1);
        for context in 0..2 * QUESTIONS_MAX as u64 {
            ask(&mut run, 1, context);
            if context % 2 == 0 {
                confirm(&mut run, 1, context, 0);
            }
        }
        confirm(&mut run, 1, 1, 0);
        run.finds_nothing();
        assert_eq!(run.invariants.reads.asked.len(), QUESTIONS_MAX);
    }
}
