//! The calls of a run as the world knows them. Their numbers are the callers' own: 0, 1, 2, …

use trace::CallKind;

use crate::network::{Body, Packet, Party};
use crate::system::{AnswerOf, System};

/// How a call ended for its caller.
#[derive(Debug)]
pub enum Ended<S: System> {
    /// It was answered.
    Answer(AnswerOf<S>),
    /// Its connection broke.
    Reset,
    /// Its caller no longer waits.
    TimedOut,
}

/// All calls of a run.
#[derive(Default)]
pub(crate) struct Calls(Vec<Call>);

struct Call {
    /// Who called.
    client: u32,
    /// Whether its request or its cancellation has reached a member.
    reached: bool,
}

impl Calls {
    /// A client calls.
    pub(crate) fn begin(&mut self, call: u64, client: u32) {
        assert_eq!(call, self.0.len() as u64, "calls have the numbers 0, 1, 2, …");
        self.0.push(Call { client, reached: false });
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The client that called; `None` if nobody did.
    pub(crate) fn client_of(&self, call: u64) -> Option<usize> {
        self.0.get(call as usize).map(|call| call.client as usize)
    }

    /// Something of a call arrives at a member. Returns whether it is the first: requests travel over TCP, which drops
    /// duplicates.
    pub(crate) fn arrives(&mut self, call: u64) -> bool {
        !std::mem::replace(&mut self.0[call as usize].reached, true)
    }
}

/// Tells a client that the connection of its call is broken: the process has ended but its host runs on, so the
/// kernel answers.
pub(crate) fn reset<S: System>(from: Party, to: Party, call: u64) -> Box<Packet<S>> {
    Packet::of_call((from, 0), (to, 0), CallKind::Answer, Body::Reset(call))
}
