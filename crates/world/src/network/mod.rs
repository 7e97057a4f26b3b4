//! The network between members and clients. It decides for each packet whether and when it arrives.
//!
//! * `party`: the ends of a link; `links`: latency, loss, duplication and bandwidth of one link.
//! * `partitions`: which links are cut; `rules`: what happens to chosen messages.
//! * A *clog* is a fault that holds all packets of a link until it ends, and then delivers them.
//!
//! A partition is checked when a packet is sent and again when it arrives. Every packet carries the
//! incarnations of its sender and its receiver; if one of the two has ended, the packet is dropped (rule R5
//! of ARCHITECTURE.md). A message is encoded only when its bytes matter: to corrupt it, or for its size under
//! a bandwidth limit.
//!
//! Not modelled: routing through other processes, and connections between members. Each message travels
//! alone, so messages between the same two members may overtake each other, which a node must tolerate.

mod links;
mod partitions;
mod party;
mod rules;

use contract::{HeadOf, Types as _};
use keyed::{Domain, Keyed, Ratio};
use schedule::{Link, MessageRule, Network as Setup, RuleAction};
use trace::{CallKind, Head as _};
use trace::{DropReason, Nanos};

pub(crate) use partitions::{between, bridge, majorities_ring};
pub(crate) use party::Pair;
pub use party::Party;

use crate::system::{AnswerOf, RequestOf, Segment as _, System, TypesOf};

use links::{Fate, LinkState};
use partitions::Cuts;
use party::{Grid, pair_key};
use rules::ActiveRule;

/// The content of a packet. Large contents are boxed, because most packets are messages between members.
#[derive(Clone, Debug)]
pub(crate) enum Body<S: System> {
    /// A message between members.
    Node(<TypesOf<S> as contract::Types>::Message),
    /// A client's request, with the number of the call.
    Request(u64, RequestOf<S>),
    /// The client no longer waits for this call.
    Cancel(u64),
    /// A member's answer.
    Response(u64, Box<AnswerOf<S>>),
    /// The connection over which this call was sent broke, because the member's process ended.
    Reset(u64),
    /// A packet of the callers' own, with the number of its stream.
    Stream(u64, Box<S::Segment>),
}

/// A message under way.
#[derive(Clone, Debug)]
pub(crate) struct Packet<S: System> {
    /// Its number in the trace; 0 until it is sent.
    pub(crate) number: u64,
    pub(crate) from: Party,
    pub(crate) to: Party,
    /// The incarnations of sender and receiver when it was sent; 0 for a client.
    pub(crate) incarnations: (u32, u32),
    /// What the trace shows of it.
    pub(crate) head: HeadOf<TypesOf<S>>,
    /// Whether the sender learns what became of it.
    pub(crate) receipt: bool,
    /// What it carries.
    pub(crate) body: Body<S>,
}

/// The bytes that a packet takes in memory. Each message makes one, so a packet should stay small.
pub const fn packet_size<S: System>() -> usize {
    size_of::<Packet<S>>()
}

impl<S: System> Packet<S> {
    /// Takes what it carries.
    #[inline]
    pub(crate) fn take_body(&mut self) -> Body<S> {
        std::mem::replace(&mut self.body, Body::Cancel(0))
    }

    /// A packet between a member and a client, with the incarnations of its sender and its receiver.
    pub(crate) fn of_call(
        from: (Party, u32),
        to: (Party, u32),
        kind: CallKind,
        body: Body<S>,
    ) -> Box<Packet<S>> {
        let head = HeadOf::<TypesOf<S>>::of_call(kind);
        let incarnations = (from.1, to.1);
        Box::new(Packet { number: 0, from: from.0, to: to.0, incarnations, head, receipt: false, body })
    }
}

/// How many boxes are kept. There are rarely more messages under way.
const BOXES: usize = 256;
/// The domain in which the places that a rule damages are drawn.
const DAMAGE: Domain = Domain::new("world network damage");

/// The boxes of packets that have arrived, for the next ones.
pub(crate) struct Boxes<S: System>(Vec<Box<Packet<S>>>);

impl<S: System> Boxes<S> {
    pub(crate) fn new() -> Boxes<S> {
        Boxes(Vec::new())
    }

    /// A packet in a box.
    #[inline]
    pub(crate) fn fill(&mut self, packet: Packet<S>) -> Box<Packet<S>> {
        match self.0.pop() {
            Some(mut used) => {
                *used = packet;
                used
            }
            None => Box::new(packet),
        }
    }

    /// A packet whose body was taken has arrived.
    #[inline]
    pub(crate) fn keep(&mut self, packet: Box<Packet<S>>) {
        if self.0.len() < BOXES {
            self.0.push(packet);
        }
    }
}

/// What becomes of a sent packet.
pub(crate) enum SendResult<S: System> {
    Dropped(DropReason),
    /// A clog or a rule holds it until the fault ends.
    Held,
    Arrives {
        at: Nanos,
        packet: Box<Packet<S>>,
        /// When a duplicate arrives, if there is one.
        again: Option<Nanos>,
        /// Whether it got an extra delay that lets later packets overtake it.
        late: bool,
    },
}

/// The network.
pub(crate) struct Network<S: System> {
    /// The behaviour of links without faults.
    setup: Setup,
    /// The state of each link.
    links: Grid<LinkState>,
    /// The pairs that partitions cut.
    cuts: Cuts,
    /// When each ordered pair was last cut or joined.
    changed: Grid<Nanos>,
    /// The pairs that a clog blocks: for them, `is_cut` means "is clogged".
    clogs: Cuts,
    /// The rules on messages that are in force.
    rules: Vec<ActiveRule>,
    /// Packets that wait for a clog or a rule to end, with its fault.
    held: Vec<(u32, Box<Packet<S>>)>,
    /// The clogs with the pairs that they block, oldest first.
    clogging: Vec<(u32, Vec<Pair>)>,
    /// The draws of the places that rules damage.
    damage: Keyed,
}

impl<S: System> Network<S> {
    pub(crate) fn new(seed: u64, members: u32, clients: usize, setup: Setup) -> Network<S> {
        Network {
            setup,
            links: Grid::new(members, clients, |pair| LinkState::new(seed, pair_key(pair))),
            cuts: Cuts::new(members, clients),
            changed: Grid::new(members, clients, |_| 0),
            clogs: Cuts::new(members, clients),
            rules: Vec::new(),
            held: Vec::new(),
            clogging: Vec::new(),
            damage: Keyed::new(seed, DAMAGE),
        }
    }

    /// From now on, all links draw with another seed.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.links.each(|pair, link| link.reseed(seed, pair_key(pair)));
        self.damage = Keyed::new(seed, DAMAGE);
    }

    /// All parties that are clients.
    pub(crate) fn clients(&self) -> impl Iterator<Item = Party> + use<S> {
        (0..self.links.clients()).map(Party::Client)
    }

    /// The link's behaviour without faults.
    fn usual(&self, pair: Pair) -> Link {
        match pair {
            (Party::Member(_), Party::Member(_)) => self.setup.peers,
            _ => self.setup.clients,
        }
    }

    /// Decides what becomes of a packet that is sent now.
    pub(crate) fn send(&mut self, now: Nanos, mut packet: Box<Packet<S>>) -> SendResult<S> {
        let pair = (packet.from, packet.to);
        if self.cuts.is_cut(pair) {
            return SendResult::Dropped(DropReason::CutAtSend);
        }
        let mut delay = 0;
        let mut second_by = None;
        if !self.rules.is_empty() {
            let decided = self
                .rules
                .iter_mut()
                .find_map(|rule| rule.decide(pair, &packet.head).map(|action| (rule.fault, action)));
            match decided {
                None => {}
                Some((_, RuleAction::Drop)) => return SendResult::Dropped(DropReason::Rule),
                Some((_, RuleAction::Delay(by))) => delay = by,
                Some((_, RuleAction::Duplicate(by))) => second_by = Some(by),
                Some((fault, RuleAction::Hold)) => {
                    self.held.push((fault, packet));
                    return SendResult::Held;
                }
                Some((fault, RuleAction::Damage)) => {
                    let place = self.damage.draw(u64::from(fault), packet.number).0;
                    if let Body::Node(message) = &packet.body
                        && let Some(message) = TypesOf::<S>::damaged_inside(message, place)
                    {
                        packet.body = Body::Node(message);
                    }
                }
            }
        }
        if self.clogs.is_cut(pair) {
            let clog = self.clogging.iter().find(|(_, pairs)| pairs.contains(&pair));
            let (fault, _) = clog.expect("a clogged pair belongs to a clog");
            self.held.push((*fault, packet));
            return SendResult::Held;
        }
        let usual = self.usual(pair);
        let fate = self.links[pair].send(&usual, now, || size::<S>(&packet.body));
        match fate {
            Fate::Lost => SendResult::Dropped(DropReason::Loss),
            Fate::Overflow => SendResult::Dropped(DropReason::Overflow),
            Fate::Arrives { at, again, corrupt, late } => {
                if let Some(place) = corrupt {
                    if self.setup.checksums {
                        return SendResult::Dropped(DropReason::Corrupt);
                    }
                    match damaged::<S>(&packet.body, place) {
                        Some(body) => packet.body = body,
                        None => return SendResult::Dropped(DropReason::Corrupt),
                    }
                }
                let at = at + delay;
                SendResult::Arrives { at, packet, again: again.or(second_by.map(|by| at + by)), late }
            }
        }
    }

    /// Whether the link of a packet that arrives now is not cut.
    #[inline]
    pub(crate) fn reaches(&self, packet: &Packet<S>) -> bool {
        !self.cuts.is_cut((packet.from, packet.to))
    }

    /// Whether two parties cannot rely on reaching each other: a link between them is cut, clogged, or loses more
    /// than half of its messages. Then there is no bound on the tries until a message and its answer arrive.
    pub(crate) fn unreliable(&self, a: Party, b: Party) -> bool {
        let mostly_lost =
            |pair: Pair| self.links[pair].behaviour(&self.usual(pair)).loss > Ratio::percent(50);
        [(a, b), (b, a)]
            .into_iter()
            .any(|pair| self.cuts.is_cut(pair) || self.clogs.is_cut(pair) || mostly_lost(pair))
    }

    /// Cuts the links of these pairs.
    pub(crate) fn cut(&mut self, pairs: &[Pair], now: Nanos) {
        self.cuts.cut(pairs);
        self.note_change(pairs, now);
    }

    /// Ends one cut of each of these pairs.
    pub(crate) fn heal(&mut self, pairs: &[Pair], now: Nanos) {
        self.cuts.heal(pairs);
        self.note_change(pairs, now);
    }

    /// Notes when these pairs were cut or joined.
    fn note_change(&mut self, pairs: &[Pair], now: Nanos) {
        for pair in pairs {
            self.changed[*pair] = now;
        }
    }

    /// The time since which messages pass both ways between two parties; `None` if they do not.
    pub(crate) fn joined_since(&self, a: Party, b: Party) -> Option<Nanos> {
        let pass = !self.cuts.is_cut((a, b)) && !self.cuts.is_cut((b, a));
        pass.then(|| self.changed[(a, b)].max(self.changed[(b, a)]))
    }

    /// Replaces the behaviour of these links until the fault ends.
    pub(crate) fn overlay(&mut self, fault: u32, pairs: &[Pair], link: Link) {
        for pair in pairs {
            self.links[*pair].overlay(fault, link);
        }
    }

    /// Ends a fault's change of links.
    pub(crate) fn remove_overlay(&mut self, fault: u32) {
        self.links.values_mut().for_each(|link| link.remove_overlay(fault));
    }

    /// Begins a clog of these pairs.
    pub(crate) fn clog(&mut self, fault: u32, pairs: Vec<Pair>) {
        self.clogs.cut(&pairs);
        self.clogging.push((fault, pairs));
    }

    /// Adds a rule on raft messages, until the fault ends.
    pub(crate) fn add_rule(&mut self, fault: u32, rule: MessageRule, from: Vec<Party>, to: Vec<Party>) {
        self.rules.push(ActiveRule::new(fault, rule, from, to));
    }

    /// Ends a fault's change of links between healed parties; other links stay as they are.
    pub(crate) fn remove_overlay_among(&mut self, fault: u32, healed: &[Party]) {
        for from in healed {
            for to in healed {
                self.links[(*from, *to)].remove_overlay(fault);
            }
        }
    }

    /// How many packets wait for a clog or a rule to end, between parties for which `is_there` returns true.
    pub(crate) fn held(&self, is_there: impl Fn(Party) -> bool) -> usize {
        self.held.iter().filter(|(_, packet)| is_there(packet.from) && is_there(packet.to)).count()
    }

    /// Ends a clog or a rule between healed parties only. Packets that it held between them are sent now, in
    /// order.
    pub(crate) fn release_among(
        &mut self,
        fault: u32,
        healed: &[Party],
        now: Nanos,
    ) -> Vec<(Nanos, Box<Packet<S>>)> {
        let among = |(from, to): &Pair| healed.contains(from) && healed.contains(to);
        for rule in self.rules.iter_mut().filter(|rule| rule.fault == fault) {
            rule.ended_among = healed.to_vec();
        }
        for (_, pairs) in self.clogging.iter_mut().filter(|(other, _)| *other == fault) {
            let freed: Vec<Pair> = pairs.extract_if(.., |pair| among(pair)).collect();
            self.clogs.heal(&freed);
        }
        self.send_held(now, |other, packet| other == fault && among(&(packet.from, packet.to)))
    }

    /// Ends a clog or a rule. Packets that it held are sent now, in order.
    pub(crate) fn release(&mut self, fault: u32, now: Nanos) -> Vec<(Nanos, Box<Packet<S>>)> {
        self.rules.retain(|rule| rule.fault != fault);
        if let Some(at) = self.clogging.iter().position(|(other, _)| *other == fault) {
            let (_, pairs) = self.clogging.remove(at);
            self.clogs.heal(&pairs);
        }
        self.send_held(now, |other, _| other == fault)
    }

    /// Sends held packets, each with a newly drawn latency.
    fn send_held(
        &mut self,
        now: Nanos,
        which: impl Fn(u32, &Packet<S>) -> bool,
    ) -> Vec<(Nanos, Box<Packet<S>>)> {
        let mut released = Vec::new();
        let held: Vec<_> = self.held.extract_if(.., |(fault, packet)| which(*fault, packet)).collect();
        for (_, packet) in held {
            let pair = (packet.from, packet.to);
            let usual = self.usual(pair);
            released.push((self.links[pair].release(&usual, now), packet));
        }
        released
    }
}

/// Size of a packet on the wire in bytes. 40 is for the headers of IP and TCP.
fn size<S: System>(body: &Body<S>) -> u64 {
    let content = match body {
        Body::Node(message) => TypesOf::<S>::message_bytes(message),
        Body::Request(_, request) => TypesOf::<S>::request_bytes(request),
        Body::Response(_, answer) => TypesOf::<S>::answer_bytes(answer),
        Body::Stream(_, segment) => segment.bytes(),
        Body::Cancel(_) | Body::Reset(_) => 64,
    };
    content + 40
}

/// What a packet carries with one bit of it flipped; `None` if a receiver could not decode it. Only messages between
/// members can be damaged unnoticed.
fn damaged<S: System>(body: &Body<S>, place: u64) -> Option<Body<S>> {
    let Body::Node(message) = body else { return None };
    TypesOf::<S>::damaged(message, place).map(Body::Node)
}
