//! What a small node needs to run here: one that has no settings, no streams, no store and no facts of its own, and
//! whose clients call it in closed loops. The node supplies five types and four functions ([`Simple`]); [`Plain`] fills
//! in the rest.

use std::fmt::{self, Debug, Formatter};
use std::marker::PhantomData;

use contract::{Never, NoStore, NoWork, Types, Watched};
use schedule::field::{Field, HOUR, MS, count, keys, time};
use schedule::words::{BadWords, bad};
use schedule::{
    Client, ClientPart as _, Given, NoTask, Operation, OwnSection, OwnSections, Part, Plan, Planned, Turn,
    fields, turns,
};
use trace::{MemberId, Nanos, PlainHead, Silent};

use crate::clock::{MILLISECOND, SECOND};
use crate::loops::{Asks, Next};
use crate::system::System;

/// A small node, with its workload.
pub trait Simple: Sized + 'static {
    /// The node.
    type Node: Watched<Types = Plain<Self>>;
    /// What a node is given when it starts.
    type Config: Clone + Debug;
    /// A message from one node to another.
    type Message: Clone + Debug;
    /// A client's request.
    type Request: Clone + Debug + PartialEq;
    /// The answer to a request.
    type Answer: Clone + Debug;

    /// The configuration of a node of the cluster.
    fn config(plan: &Plan<Plain<Self>>, member: MemberId) -> Self::Config;

    /// What a client asks for in a turn. The client is one of the section `[workload]`, or the one that asks at the end
    /// whether the cluster serves, whose number comes after theirs.
    fn operation(client: u32, turn: Turn) -> Self::Request;

    /// A request as one line of a plan.
    fn print(request: &Self::Request) -> String;

    /// Reads such a line; `None` if it is not a request.
    fn parse(line: &str) -> Option<Self::Request>;
}

/// The cluster of a [`Simple`] node. It has no values: it only names the node's types ([`Types`]), its part of a plan
/// ([`Part`]) and its system ([`System`]).
///
/// Its scenarios have the section `[workload]`, with the fields `clients` (how many there are) and `every` (the time in
/// which each of them calls once).
pub struct Plain<N>(PhantomData<fn() -> N>);

/// A request of a plan.
pub struct Ask<N: Simple>(pub N::Request);

// Written by hand: if derived, they would require `N` itself to have these traits, which only its types need.

impl<N> Clone for Plain<N> {
    fn clone(&self) -> Plain<N> {
        Plain(PhantomData)
    }
}

impl<N> Debug for Plain<N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Plain")
    }
}

impl<N: Simple> Clone for Ask<N> {
    fn clone(&self) -> Ask<N> {
        Ask(self.0.clone())
    }
}

impl<N: Simple> Debug for Ask<N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<N: Simple> PartialEq for Ask<N> {
    fn eq(&self, other: &Ask<N>) -> bool {
        self.0 == other.0
    }
}

impl<N: Simple> Types for Plain<N> {
    type Words = Silent;
    type Config = N::Config;
    type Message = N::Message;
    type Request = N::Request;
    type Answer = N::Answer;
    type Up = Never;
    type Down = Never;
    type Store = NoStore;
    type Work = NoWork;

    fn head(_: &N::Message) -> PlainHead {
        PlainHead::Message
    }
}

impl<N: Simple> System for Plain<N> {
    type Node = N::Node;
    type Part = Plain<N>;
    type Segment = Never;
    type Event = Next;

    fn config(plan: &Plan<Plain<N>>, member: MemberId) -> N::Config {
        N::config(plan, member)
    }
}

/// The section `[workload]`.
struct Workload {
    clients: u32,
    every: Nanos,
}

static WORKLOAD: &[Field<Workload>] = &fields! {
    "clients" count(0, 100) => clients, "How many clients. Left out: 3.";
    "every" time(MS, HOUR) => every, "Each client calls once in this time. Left out: 100 ms.";
};

const USUAL: Workload = Workload { clients: 3, every: 100 * MILLISECOND };

impl<N: Simple> Part for Plain<N> {
    type Settings = ();
    type Client = Client<Ask<N>>;
    type Task = NoTask;

    const SECTIONS: &'static [OwnSection] = &[OwnSection {
        path: "workload",
        about: "What the clients do.",
        keys: || keys(WORKLOAD).collect(),
        inner: &[],
    }];

    fn settings() -> &'static [Field<()>] {
        &[]
    }

    fn client() -> &'static [Field<Client<Ask<N>>>] {
        Client::FIELDS
    }

    fn restart_delay((): &()) -> Nanos {
        SECOND
    }

    fn how_many_clients(own: &OwnSections) -> (i128, i128) {
        own.find("workload").map_or((0, 0), |load| load.bounds("clients", USUAL.clients.into(), 100))
    }

    fn clients(given: &Given<'_>) -> Vec<Client<Ask<N>>> {
        let Some(section) = given.section("workload") else { return Vec::new() };
        let dice = given.dice().part("workload");
        let mut load = USUAL;
        section.draw(WORKLOAD, dice, given.context(), &mut load);
        let client = |number: u32| {
            let nth = |at: u32| MemberId::new((number + at) % given.members + 1);
            let rate = given.clock_rate(dice.nth(number.into()));
            let mut client = Client::new((0..given.members).map(nth).collect(), rate);
            let turns = turns(dice, given.load, number, load.every);
            client.operations =
                turns.map(|turn| Planned { at: turn.at, what: Ask::new(number, turn) }).collect();
            client
        };
        (0..load.clients).map(client).collect()
    }
}

impl<N: Simple> Operation for Ask<N> {
    fn print(&self) -> String {
        N::print(&self.0)
    }

    fn parse(line: &str) -> Result<Ask<N>, BadWords> {
        let ask = N::parse(line).map(Ask);
        ask.ok_or_else(|| bad(format!("{line:?} is not a request"), "write it as a saved plan has it"))
    }
}

impl<N: Simple> Asks<N::Request> for Ask<N> {
    fn new(client: u32, turn: Turn) -> Ask<N> {
        Ask(N::operation(client, turn))
    }

    fn request(&self) -> N::Request {
        self.0.clone()
    }
}
