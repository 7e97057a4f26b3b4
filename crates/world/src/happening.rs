//! What can happen in a run: the events on the heap.

use trace::MemberId;

use crate::network::Packet;
use crate::system::System;

/// An event that is scheduled on the heap.
#[derive(Debug)]
pub(crate) enum Happening<S: System> {
    /// A packet arrives.
    Arrive(Box<Packet<S>>),
    /// A member asked to be woken.
    Wake { member: MemberId, incarnation: u32 },
    /// An asynchronous disk job ends.
    JobDone { member: MemberId, incarnation: u32, job: u64 },
    /// The disk operations of a recovery or of a job of the store end (see `disk`, *sections*).
    SectionDone { member: MemberId, incarnation: u32 },
    /// A process slowed by a fault has finished its step and can take the next input.
    SlowStepOver { member: MemberId, incarnation: u32 },
    /// The supervisor of a host starts a process that ended by itself.
    Supervise { member: MemberId },
    /// A process that was asked to stop has not ended in time; it is killed.
    StopOverdue { member: MemberId, incarnation: u32 },
    /// A member's pause at a failpoint, in the middle of a step, is over.
    FailpointPauseOver { member: MemberId, incarnation: u32 },
    /// A process that crashed at a failpoint may start again.
    FailpointOver { member: MemberId, fault: u32 },
    /// The process of a member that was added to the cluster starts for the first time.
    Join { member: MemberId },
    /// A process reaches the disk operation at which a fault crashes it.
    ArmedCrash { member: MemberId, incarnation: u32 },
    /// The sender of a message learns whether it arrived.
    Receipt { member: MemberId, incarnation: u32, to: MemberId, arrived: bool },
    /// The caller of a call stops waiting for its answer.
    CallTimesOut { call: u64 },
    /// An event of the callers.
    Callers(S::Event),
    /// A fault begins.
    FaultBegins { fault: usize },
    /// A fault ends.
    FaultEnds { fault: usize },
    /// A flapping partition begins or heals.
    Flap { fault: usize },
    /// From now on, draws are made anew.
    Noise { key: u64 },
    /// The chaos phase is over.
    Heal,
    /// The calm phase is over.
    Settle,
    /// Checks whether the cluster has settled.
    SettleCheck,
}
