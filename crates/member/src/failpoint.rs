//! Named points at which a member can be made to crash or to pause, under the names of etcd's own
//! failpoints (`gofail` comments in etcd's sources; `tests/robustness/failpoint`).
//!
//! A crash ends the step right there, by unwinding with [`Struck`] as the payload: what the step did
//! before it has happened, what would have come after it never does. A pause lets what came before
//! happen at once and everything after it later ([`crate::io::Stall`]).

use record::Fact;
pub use record::Failpoint;

use crate::io::{Effects, Stall};
use crate::member::Member;

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The process ends there.
    Crash,
    /// The process stands still there for this long, in nanoseconds of true time.
    Sleep(u64),
}

/// A point that is armed: it strikes once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Armed {
    /// Where.
    pub point: Failpoint,
    /// How many times the point is passed first.
    pub skip: u32,
    /// What happens.
    pub action: Action,
}

/// The payload with which a step ends that ran into an armed crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Struck(pub Failpoint);

impl Member {
    /// Arms a point. One at a time: a second one replaces the first.
    pub fn arm(&mut self, armed: Option<Armed>) {
        self.failpoint = armed;
    }

    /// The member's code passes a point.
    #[inline]
    pub(crate) fn pass(&mut self, point: Failpoint, effects: &mut Effects) {
        if self.failpoint.is_some() {
            strike(&mut self.failpoint, point, effects);
        }
    }
}

impl Member {
    /// The same, where watch responses from `first` on come after the point.
    #[inline]
    pub(crate) fn pass_before(&mut self, point: Failpoint, first: usize, effects: &mut Effects) {
        if self.failpoint.is_some() {
            let after = effects.watch.split_off(first);
            strike(&mut self.failpoint, point, effects);
            effects.watch.extend(after);
        }
    }
}

/// Lets an armed point strike, if it is this one and its turn has come.
#[cold]
pub(crate) fn strike(failpoint: &mut Option<Armed>, point: Failpoint, effects: &mut Effects) {
    let Some(armed) = failpoint.as_mut().filter(|armed| armed.point == point) else { return };
    if armed.skip > 0 {
        armed.skip -= 1;
        return;
    }
    let action = armed.action;
    *failpoint = None;
    effects.facts.push(Fact::Failpoint { point });
    match action {
        Action::Crash => std::panic::resume_unwind(Box::new(Struck(point))),
        Action::Sleep(time) => {
            let before = [
                effects.messages.len(),
                effects.peers.len(),
                effects.replies.len(),
                effects.watch.len(),
                effects.jobs.len(),
            ];
            effects.stall = Some(Stall { time, before });
        }
    }
}
