//! What those who may not change the world want done to it: the faults and their undoing. They write a list of
//! deeds, and the world carries it out.
//!
//! Invariant: deeds are carried out in their order, depth first: what carrying out one of them brings about is done
//! before the next one.

use keyed::Draw;
use member::io::Input;
use record::{Fact, MemberId, Nanos, Stop};

use crate::happening::Happening;

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Deed {
    /// Records a fact about a member.
    Note(MemberId, Fact),
    /// Counts a fault that took effect.
    Count(&'static str),
    /// Lets this happen at this time.
    At(Nanos, Happening),
    /// Gives a member an input: now, or when its process can run again.
    Give(MemberId, Input),
    /// Gives a member an input before the inputs that wait.
    GiveFirst(MemberId, Input),
    /// Schedules the wake-up of a member, unless an earlier one is scheduled.
    Wake(MemberId),
    /// Starts a process that is down.
    Start(MemberId),
    /// Ends a process, if it runs.
    End(MemberId, Stop),
    /// Begins a fault of a member's disk.
    InjectDisk(MemberId, u32),
    /// The disk of a member became slower or faster: what is under way ends at other times.
    Retime(MemberId),
    /// An operator begins the task that is this fault of the plan.
    Task {
        fault: usize,
        /// The members that are its target.
        members: Vec<MemberId>,
        /// The draw that decides its choices.
        draw: Draw,
    },
}
