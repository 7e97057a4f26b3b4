//! Named points at which a member can be made to crash or pause, with the names of etcd's failpoints
//! (`gofail` comments in etcd's sources; `tests/robustness/failpoint`).
//!
//! A crash ends the step at that point, by unwinding with [`Struck`] as the payload: what the step did before
//! has happened, what would have come after never does. A pause lets what came before happen at once and
//! everything after it later ([`crate::io::Stall`]).

use record::Fact;
pub use record::Failpoint;

use crate::io::{Effects, Stall};
use crate::member::Member;

/// What happens at a failpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The process crashes there.
    Crash,
    /// The process pauses there for this long, in nanoseconds of true time.
    Sleep(u64),
}

/// An armed failpoint: it strikes once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Armed {
    /// The failpoint.
    pub point: Failpoint,
    /// How many passes to skip first.
    pub skip: u32,
    /// What happens.
    pub action: Action,
}

/// The panic payload of a step that ran into an armed crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Struck(pub Failpoint);

impl Member {
    /// Arms a failpoint. There is one at a time: a second one replaces the first.
    pub fn arm(&mut self, armed: Option<Armed>) {
        self.failpoint = armed;
    }

    /// The member's code passes a failpoint.
    #[inline]
    pub(crate) fn pass(&mut self, point: Failpoint, effects: &mut Effects) {
        if self.failpoint.is_some() {
            strike(&mut self.failpoint, point, effects);
        }
    }
}

impl Member {
    /// The same, if the watch responses from `first` on come after the failpoint.
    #[inline]
    pub(crate) fn pass_before(&mut self, point: Failpoint, first: usize, effects: &mut Effects) {
        if self.failpoint.is_some() {
            let after = effects.watch.split_off(first);
            strike(&mut self.failpoint, point, effects);
            effects.watch.extend(after);
        }
    }
}

/// Lets the armed failpoint strike, if it is this one and its turn has come.
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
