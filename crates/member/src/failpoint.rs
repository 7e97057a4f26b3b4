//! Failpoints: named points in the member's code at which its process can be made to crash or pause. The
//! names are those of etcd's failpoints (`gofail` comments in etcd's sources; `tests/robustness/failpoint`).
//!
//! A crash ends the step at that point, by a panic with the payload [`Struck`]. The effects from before that
//! point remain, and there are none from after it. After a pause, the effects from before it are carried out
//! at once, and those from after it when the pause is over ([`crate::io::Stall`]).

use record::EtcdFact as Fact;
pub use record::Failpoint;

use crate::io::{Effects, Stall};
use crate::member::Member;

/// What happens at a failpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The process crashes there.
    Crash,
    /// The process pauses there for this long, in nanoseconds of virtual time.
    Sleep(u64),
}

/// A failpoint that was switched on. It crashes or pauses the process once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Armed {
    /// The failpoint.
    pub point: Failpoint,
    /// How many times the code passes the failpoint before it acts.
    pub skip: u32,
    /// What happens.
    pub action: Action,
}

/// The panic payload of a step that crashed at a failpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Struck(pub Failpoint);

impl Member {
    /// Arms a failpoint, in place of the one that was armed before, if any.
    pub fn arm(&mut self, armed: Option<Armed>) {
        self.failpoint = armed;
    }

    /// Marks this place in the code as a failpoint.
    #[inline]
    pub(crate) fn pass(&mut self, point: Failpoint, effects: &mut Effects) {
        if self.failpoint.is_some() {
            act(&mut self.failpoint, point, effects);
        }
    }
}

impl Member {
    /// Marks a failpoint that comes before the watch responses from `first` on, although these are in
    /// `effects` already.
    #[inline]
    pub(crate) fn pass_before(&mut self, point: Failpoint, first: usize, effects: &mut Effects) {
        if self.failpoint.is_some() {
            let after = effects.watch.split_off(first);
            act(&mut self.failpoint, point, effects);
            effects.watch.extend(after);
        }
    }
}

/// Crashes or pauses the process if the armed failpoint is `point` and has been passed often enough.
#[cold]
fn act(failpoint: &mut Option<Armed>, point: Failpoint, effects: &mut Effects) {
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
                usize::from(effects.backend.is_some()),
            ];
            effects.stall = Some(Stall { time, before });
        }
    }
}
