//! B7: a ReadIndex ends within a round trip to a quorum.
//!
//! Derivation. A member's ready waits for its save under way (d), and what a follower says leaves after the ready's own
//! save (d). So the question takes 2 d and l to the leader; the leader's heartbeats leave beside its next ready's save
//! (d, l); the followers' answers take 2 d and l; the leader's answer leaves with its next ready (d, l), and takes
//! effect with the asker's next ready (d): 4 l + 7 d. If the leader itself asks, two of the ways are saved.
//!
//! Premises: links between members lose nothing, and the asker serves from the question to the bound (`cluster`). It is
//! timed by the true clock: nothing in it waits for anybody's clock.
//!
//! A member has one question under way, which it may ask again: it is timed from the first time.

use record::{MemberId, Members, Nanos};

use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::setup::Setup;
use super::speed::Speed;
use crate::describe::time;
use crate::{Oracle, Sheet, Violation};

/// The must.
#[derive(Clone, Debug)]
pub(super) struct ReadIndex {
    /// Since when each member has a question under way.
    asked: Members<Option<Nanos>>,
    pub tally: Tally,
    reported: bool,
}

impl ReadIndex {
    pub fn new(members: u32) -> ReadIndex {
        ReadIndex { asked: Members::new(members, |_| None), tally: Tally::default(), reported: false }
    }

    /// A member asks.
    pub fn asks(&mut self, now: Nanos, member: MemberId) {
        if let Some(asked) = self.asked.get_mut(member) {
            asked.get_or_insert(now);
        }
    }

    /// A member's process ends, or its leader changes: the question is dropped.
    pub fn dropped(&mut self, member: MemberId) {
        if let Some(asked) = self.asked.get_mut(member).filter(|asked| asked.is_some()) {
            *asked = None;
            self.tally.skipped(Premise::Leader);
        }
    }

    /// A member has its answer.
    pub fn confirmed(
        &mut self,
        now: Nanos,
        member: MemberId,
        known: (&Setup, &Cluster, &Speed),
        sheet: &mut Sheet,
    ) {
        if let Some(since) = self.asked.get_mut(member).and_then(Option::take) {
            self.judge(now, member, since, true, known, sheet);
        }
    }

    /// Looks for questions that should have ended.
    pub fn poll(&mut self, now: Nanos, known: (&Setup, &Cluster, &Speed), sheet: &mut Sheet) {
        let open: Vec<(MemberId, Nanos)> =
            self.asked.iter().filter_map(|(member, asked)| Some((member, (*asked)?))).collect();
        for (member, since) in open {
            if self.judge(now, member, since, false, known, sheet) {
                self.asked[member] = None;
            }
        }
    }

    /// Judges a question. Returns whether it was judged: a question without an answer is not while it is still in time.
    fn judge(
        &mut self,
        now: Nanos,
        member: MemberId,
        since: Nanos,
        answered: bool,
        (setup, cluster, speed): (&Setup, &Cluster, &Speed),
        sheet: &mut Sheet,
    ) -> bool {
        let premises = if !setup.peers_keep {
            Err(Premise::Links)
        } else if cluster.serves_since(member).is_none_or(|serves| serves > since) {
            Err(Premise::Health)
        } else {
            Ok(())
        };
        if let Err(premise) = premises {
            self.tally.skipped(premise);
            return true;
        }
        let worst = speed.worst_now(since, now, cluster);
        let bound = 4 * worst.peers + 7 * worst.saves;
        if now - since <= bound {
            if answered {
                self.tally.judged();
            }
            return answered;
        }
        self.tally.judged();
        if !self.reported {
            self.reported = true;
            let how = if answered { "was confirmed late" } else { "is not confirmed" };
            let sentence = format!(
                "Member {member} asked for a read index at {:.4} s, and it {how} at {:.4} s. It was due within {:.4} s.",
                time(since),
                time(now),
                time(bound)
            );
            let title = format!("a ReadIndex of member {member} took too long, though nothing was broken");
            sheet.add(Violation::new(Oracle::B7, now, title).say(sentence));
        }
        true
    }
}
