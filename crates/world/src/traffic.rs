//! The packets: how they are sent, and what happens when they arrive.

use contract::Input;
use trace::{DropReason, Fact, Head as _, MemberId};

use crate::calls::{self, Ended};
use crate::clock::{MILLISECOND, SECOND};
use crate::happening::Happening;
use crate::network::{Body, Packet, Party, SendResult};
use crate::system::{Segment as _, System};
use crate::world::World;

impl<S: System> World<'_, S> {
    /// Sends a packet. The network decides whether and when it arrives.
    pub(crate) fn send(&mut self, mut packet: Box<Packet<S>>) {
        let now = self.queue.now();
        let number = self.recorder.next_packet();
        packet.number = number;
        let (from, to) = (packet.from.in_facts(), packet.to.in_facts());
        self.recorder.note(now, from, Fact::Sent { to, packet: number, head: packet.head });
        if let (true, Party::Member(sender)) = (packet.receipt, packet.from) {
            self.processes[sender].machine.receipts += 1;
        }
        let (kind, receipt, incarnation) = (packet.head.kind(), packet.receipt, packet.incarnations.0);
        match self.network.send(now, packet) {
            SendResult::Dropped(why) => {
                self.recorder.note(now, from, Fact::Dropped { to, packet: number, kind, why });
                if receipt {
                    self.give_receipt(from, incarnation, to, false);
                }
            }
            SendResult::Held => self.recorder.count("message-held"),
            SendResult::Arrives { at, packet, again, late } => {
                if late {
                    self.recorder.count("message-reordered");
                }
                if let Some(again) = again {
                    self.recorder.count("message-duplicated");
                    let mut copy = packet.clone();
                    copy.receipt = false; // one request, one answer
                    self.queue.push(again, Happening::Arrive(copy));
                }
                self.queue.push(at, Happening::Arrive(packet));
            }
        }
    }

    /// Tells the sender of a message whether it arrived. A success is known after 5 ms, a failure after
    /// 1 s: times of a request over HTTP, by which etcd sends raft's snapshots.
    fn give_receipt(&mut self, sender: MemberId, incarnation: u32, to: MemberId, arrived: bool) {
        let at = self.now() + if arrived { 5 * MILLISECOND } else { SECOND };
        self.queue.push(at, Happening::Receipt { member: sender, incarnation, to, arrived });
    }

    /// A packet arrives, unless the link was cut or a process at either end has ended meanwhile.
    pub(crate) fn arrive(&mut self, mut packet: Box<Packet<S>>) {
        let now = self.queue.now();
        let (from, to) = (packet.from.in_facts(), packet.to.in_facts());
        let (number, kind) = (packet.number, packet.head.kind());
        let alive = |party: Party, incarnation: u32| match party {
            Party::Client(_) => true,
            Party::Member(member) => {
                let process = &self.processes[member];
                process.machine.incarnation == incarnation && process.machine.is_up()
            }
        };
        let refused = if !self.network.reaches(&packet) {
            Some(DropReason::CutAtArrival)
        } else if is_reset::<S>(&packet.body)
            || alive(packet.from, packet.incarnations.0) && alive(packet.to, packet.incarnations.1)
        {
            None
        } else {
            Some(DropReason::Dead)
        };
        if packet.receipt {
            self.give_receipt(from, packet.incarnations.0, to, refused.is_none());
        }
        if let Some(why) = refused {
            self.recorder.note(now, from, Fact::Dropped { to, packet: number, kind, why });
            match (&packet.body, why) {
                (Body::Request(operation, ..), DropReason::Dead) => {
                    self.send(calls::reset(packet.to, packet.from, *operation));
                }
                (Body::Stream(stream, segment), DropReason::Dead) => {
                    if let Party::Member(member) = packet.to {
                        self.ask(|callers, view, orders| {
                            callers.undelivered(view, member, *stream, segment, orders);
                        });
                    }
                }
                _ => {}
            }
            return;
        }
        self.recorder.note(now, to, Fact::Delivered { from, packet: number, head: packet.head });
        let (to, body) = (packet.to, packet.take_body());
        self.boxes.keep(packet);
        match to {
            Party::Member(member) => self.arrives_at_member(member, from, number, body),
            Party::Client(client) => self.arrives_at_client(client, body),
        }
    }

    /// Gives the content of a packet to its member.
    fn arrives_at_member(&mut self, member: MemberId, from: MemberId, packet: u64, body: Body<S>) {
        match body {
            Body::Node(message) => self.feed(member, Input::Message { from, packet, message }),
            Body::Request(call, request) => {
                if self.calls.arrives(call) {
                    self.give(member, Input::Call { call, request });
                }
            }
            Body::Cancel(call) => {
                // It travels on the request's connection. If the simulated network delivers it first, the
                // request is no longer served.
                if !self.calls.arrives(call) {
                    self.feed(member, Input::Cancel { call });
                }
            }
            Body::Stream(stream, segment) => self.segment(Party::Member(member), stream, *segment),
            Body::Response(..) | Body::Reset(_) => unreachable!("only clients are sent {body:?}"),
        }
    }

    /// Gives the content of a packet to its client.
    fn arrives_at_client(&mut self, client: usize, body: Body<S>) {
        match body {
            Body::Response(call, result) => self.call_ended(call, Ended::Answer(*result)),
            Body::Reset(call) => self.call_ended(call, Ended::Reset),
            Body::Stream(stream, segment) => self.segment(Party::Client(client), stream, *segment),
            Body::Node(_) | Body::Request(..) | Body::Cancel(_) => {
                unreachable!("only members are sent {body:?}")
            }
        }
    }

    /// A call has ended for its caller.
    pub(crate) fn call_ended(&mut self, call: u64, how: Ended<S>) {
        self.ask(|callers, view, orders| callers.ended(view, call, how, orders));
    }

    /// A packet of the callers' own arrives at one of its ends.
    fn segment(&mut self, at: Party, stream: u64, segment: S::Segment) {
        self.ask(|callers, view, orders| callers.segment(view, at, stream, segment, orders));
    }
}

/// Whether a kernel sends the packet, so that no process need be alive.
fn is_reset<S: System>(body: &Body<S>) -> bool {
    match body {
        Body::Reset(_) => true,
        Body::Stream(_, segment) => segment.is_reset(),
        _ => false,
    }
}
