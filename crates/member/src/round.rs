//! Decides at the end of a step whether the member must look at everything that may be due (`due`). That costs as much
//! as an idle step, and after most messages nothing is due.
//!
//! A round can be left out if it would do nothing. What it does depends on three things:
//! - *Time.* Each part says when it next has something to do, if nothing but time passes. The earliest of these times
//!   has been known since the last round.
//! - *The leader* that this member sees. It is compared with the leader at the last round.
//! - *Everything else*: what a client or another member wants, an applied entry, an answered read, the end of a job.
//!   Code that changes a part outside a round says so ([`Round::require`]), and the round follows in the same step, or
//!   in the next step if the round of this one is over. Only a message, a tick or the end of a write without such a
//!   consequence leaves every part as the last round left it.

use record::MemberId;

/// When the next round is needed. Times are on the member's clock.
#[derive(Debug)]
pub(crate) struct Round {
    /// Whether a part has changed since the last round began.
    required: bool,
    /// When time alone makes one of the parts act.
    next: u64,
    /// The leader that the last round knew, and whether it was this member.
    leader: (MemberId, bool),
    /// The earliest of the parts' alarm clocks, without those that move between rounds.
    alarm: u64,
}

impl Round {
    /// The first step needs a round.
    pub(crate) fn new() -> Round {
        Round { required: true, next: 0, leader: (MemberId::NONE, false), alarm: 0 }
    }

    /// A part has changed.
    #[inline]
    pub(crate) fn require(&mut self) {
        self.required = true;
    }

    /// Whether this step needs a round.
    #[inline]
    pub(crate) fn is_due(&self, now: u64, leader: (MemberId, bool)) -> bool {
        self.required || now >= self.next || leader != self.leader
    }

    /// A round begins, with this leader. What changes from now on needs another round: this one may have passed the
    /// changed part already.
    pub(crate) fn begin(&mut self, leader: (MemberId, bool)) {
        (self.required, self.leader) = (false, leader);
    }

    /// A round is over. Time alone makes one of the parts act at `next`.
    pub(crate) fn end(&mut self, next: u64) {
        self.next = next;
    }

    /// The step that had a round is over. `alarm` is the earliest of the alarm clocks.
    pub(crate) fn set_alarm(&mut self, alarm: u64) {
        self.alarm = alarm;
    }

    /// The earliest of the alarm clocks. Only what needs a round moves them.
    #[inline]
    pub(crate) fn alarm(&self) -> u64 {
        self.alarm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_due_by_time_by_leader_or_by_a_change() {
        let (none, leader) = ((MemberId::NONE, false), (MemberId::new(2), false));
        let mut round = Round::new();
        assert!(round.is_due(0, none));
        round.begin(none);
        round.end(5);
        assert_eq!([4, 5].map(|now| round.is_due(now, none)), [false, true]);
        assert!(round.is_due(4, leader));
        round.require();
        assert!(round.is_due(4, none));
        // What changes while a round is under way needs another one.
        round.begin(leader);
        round.require();
        round.end(9);
        assert!(round.is_due(4, leader));
    }
}
