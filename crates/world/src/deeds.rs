//! What those who may not change the world want done to it: the faults and their undoing, and those who call the
//! members. They write a list of deeds, and the world carries it out.
//!
//! Invariant: deeds are carried out in their order, depth first: what carrying out one of them brings about is done
//! before the next one.

use api::Request;
use bytes::Bytes;
use keyed::Draw;
use member::io::{Ask, Call, Input};
use record::{Fact, MemberId, Nanos, Stop};
use trace::CallKind;

use crate::caller_event::CallerEvent;
use crate::clients::segment::Segment;
use crate::happening::Happening;
use crate::network::{Body, Packet, Party};

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Deed {
    /// Records a fact about a member.
    Note(MemberId, Fact),
    /// Counts a fault that took effect.
    Count(&'static str),
    /// Lets this happen at this time.
    At(Nanos, Happening),
    /// Tells the callers this now, in its place among the deeds.
    Then(CallerEvent),
    /// A client calls.
    Called { call: u64, client: u32, digest: u64 },
    /// Sends a packet.
    Send(Box<Packet>),
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

/// What callers want done.
pub(crate) struct Orders(Vec<Deed>);

impl Orders {
    /// Orders on an empty list.
    pub(crate) fn new(list: Vec<Deed>) -> Orders {
        Orders(list)
    }

    pub(crate) fn into_deeds(self) -> Vec<Deed> {
        self.0
    }

    /// A client calls. At `gives_up` it learns that it waits no longer.
    pub(crate) fn call(&mut self, call: u64, client: u32, digest: u64, gives_up: Nanos) {
        self.0.push(Deed::Called { call, client, digest });
        self.0.push(Deed::At(gives_up, Happening::CallTimesOut { call }));
    }

    /// Sends the request of a call to this incarnation of a member.
    pub(crate) fn request(
        &mut self,
        call: u64,
        client: usize,
        to: (MemberId, u32),
        request: Request,
        token: Option<Bytes>,
    ) {
        let ask = Ask::with_token(Call::Api(request), token);
        self.send_up(client, to, CallKind::Request, Body::Request(call, ask));
    }

    /// Tells this incarnation of a member that the client no longer waits for an answer.
    pub(crate) fn cancel(&mut self, call: u64, client: usize, to: (MemberId, u32)) {
        self.send_up(client, to, CallKind::Request, Body::Cancel(call));
    }

    /// Sends a packet of a stream from the client to this incarnation of the member.
    pub(crate) fn segment_up(&mut self, client: usize, to: (MemberId, u32), stream: u64, segment: Segment) {
        self.send_up(client, to, CallKind::Up, Body::Stream(stream, Box::new(segment)));
    }

    /// Sends a packet of a stream from this incarnation of the member to the client.
    pub(crate) fn segment_down(
        &mut self,
        from: (MemberId, u32),
        client: usize,
        stream: u64,
        segment: Segment,
    ) {
        let from = (Party::Member(from.0), from.1);
        let to = (Party::Client(client), 0);
        let body = Body::Stream(stream, Box::new(segment));
        self.0.push(Deed::Send(Packet::of_call(from, to, CallKind::Down, body)));
    }

    /// Sends a packet from a client to this incarnation of a member.
    fn send_up(&mut self, client: usize, to: (MemberId, u32), kind: CallKind, body: Body) {
        let (from, to) = ((Party::Client(client), 0), (Party::Member(to.0), to.1));
        self.0.push(Deed::Send(Packet::of_call(from, to, kind, body)));
    }

    /// Gives a member an input that does not travel: from its own end of a stream, or from an operator's hand.
    pub(crate) fn give(&mut self, member: MemberId, input: Input) {
        self.0.push(Deed::Give(member, input));
    }

    /// Tells the callers this at a time.
    pub(crate) fn at(&mut self, time: Nanos, event: CallerEvent) {
        self.0.push(Deed::At(time, Happening::Callers(event)));
    }

    /// Tells the callers this once all orders before it are carried out.
    pub(crate) fn then(&mut self, event: CallerEvent) {
        self.0.push(Deed::Then(event));
    }

    /// Records a fact of no member.
    pub(crate) fn note(&mut self, fact: Fact) {
        self.0.push(Deed::Note(MemberId::NONE, fact));
    }

    /// Counts a fault that took effect.
    pub(crate) fn count(&mut self, fault: &'static str) {
        self.0.push(Deed::Count(fault));
    }
}
