//! An event: a fact, its time and its member.

use crate::{Fact, Head, MemberId, Nanos, OwnFact, Stop, TraceHasher, Vocabulary};

/// A fact with its time and its member.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<V: Vocabulary> {
    /// When, on the simulator's true clock.
    pub time: Nanos,
    /// The member that the fact is about; [`MemberId::NONE`] if it is about a client or the whole run.
    pub member: MemberId,
    /// What happened.
    pub fact: Fact<V>,
}

/// What a node does with a call or with a stream of its callers. The number is the driver's, of the call or of the
/// stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It takes the request of a call.
    Takes(u64),
    /// It learns that the caller no longer waits for the answer to a call.
    Cancelled(u64),
    /// It answers a call.
    Answers(u64),
    /// It takes an item from a stream.
    TakesItem(u64),
    /// It puts an item into a stream, or ends the stream.
    SendsItem(u64),
    /// It learns that the caller's side of a stream is gone.
    Closed(u64),
}

/// Code that sees every event of a run, in order, while it runs.
pub trait Observer<V: Vocabulary> {
    /// Is called with the next event.
    fn event(&mut self, event: &Event<V>);

    /// Whether it wants to see the steps of the nodes, too. It is asked once, before the run.
    fn wants_steps(&self) -> bool {
        false
    }

    /// Is called with the next step of a node, if an observer wants steps. The steps of an input come after the facts
    /// of that input, and before the messages it sends. They do not enter the trace hash.
    fn step(&mut self, time: Nanos, member: MemberId, step: &V::Step) {
        let _ = (time, member, step);
    }

    /// Whether it wants to know what happens inside the nodes, too. It is asked once, before the run.
    fn wants_inner(&self) -> bool {
        false
    }

    /// Is called with the next inner event of a node, if an observer wants inner events. Those of an input come after
    /// the facts and the steps of that input. They do not enter the trace hash.
    fn inner(&mut self, time: Nanos, member: MemberId, inner: &V::Inner) {
        let _ = (time, member, inner);
    }

    /// Is called when a node takes something from its callers, before the facts of that input, and when it gives them
    /// something, after the facts of its step. That does not enter the trace hash.
    fn served(&mut self, time: Nanos, member: MemberId, served: Served) {
        let _ = (time, member, served);
    }
}

/// The observer that ignores all events.
impl<V: Vocabulary> Observer<V> for () {
    fn event(&mut self, _: &Event<V>) {}
}

impl<V: Vocabulary> Event<V> {
    /// Adds this event to a trace hash. Each kind of fact has a number, its tag, which must never change. Names
    /// enter the hash as numbers, and texts do not enter it. A reason enters by its place in its enum, so a new one
    /// belongs at the end.
    #[inline]
    pub fn absorb_into(&self, hasher: &mut TraceHasher) {
        let (time, who) = (self.time, self.member.raft_id());
        // The number of words shows where each part of a fact ends.
        let mut put = |tag: u64, words: &[u64]| {
            hasher.absorb(&[time, who, tag << 32 | words.len() as u64]);
            hasher.absorb(words);
        };
        match &self.fact {
            Fact::Started { incarnation } => put(1, &[u64::from(*incarnation)]),
            Fact::Stopped(stop) => match stop {
                Stop::Graceful => put(2, &[0]),
                Stop::Crash => put(2, &[1]),
                Stop::PowerLoss => put(2, &[2]),
                // The texts are left out: a better sentence must not change the hash of a run.
                Stop::Fatal(_) => put(2, &[3]),
                Stop::Panic(_) => put(2, &[4]),
                Stop::Refused(_) => put(2, &[5]),
                Stop::Removed => put(2, &[6]),
            },
            Fact::Paused => put(3, &[]),
            Fact::Resumed => put(4, &[]),
            Fact::Fault { fault, what: _, kind, effect: _, begins } => {
                put(5, &[u64::from(*fault), *kind, u64::from(*begins)]);
            }
            Fact::Phase(phase) => put(6, &[*phase as u64]),
            Fact::JobDone { job, synced, failed } => {
                put(20, &[*job, u64::from(*synced) | u64::from(*failed) << 1]);
            }
            Fact::Sent { to, packet: _, head } => put(21, &head.words(*to)),
            Fact::Delivered { from, packet: _, head } => put(22, &head.words(*from)),
            Fact::Dropped { to, packet: _, kind, why } => {
                let kind: u16 = (*kind).into();
                put(23, &[to.raft_id() | u64::from(kind) << 32 | (*why as u64) << 48]);
            }
            Fact::Called { operation, client, digest } => put(24, &[*operation, u64::from(*client), *digest]),
            Fact::Returned { operation, answered, digest } => {
                put(25, &[*operation, u64::from(*answered), *digest]);
            }
            Fact::Own(fact) => fact.absorb(&mut put),
        }
    }
}
