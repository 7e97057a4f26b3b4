//! What a run is made of, as types: the node, its part of a plan, and what its callers add. All code of the kernel that
//! deals with a node has a [`System`] as its type parameter. This file knows nothing else of the kernel.

use std::fmt::Debug;

use contract::{Never, Node, Types, Watched};
use schedule::{Part, Plan};
use trace::MemberId;

use crate::keeper::Found;

/// A kind of cluster. The type that implements this needs no values: it is only their name.
pub trait System: Clone + Debug + 'static {
    /// The node.
    type Node: Watched;
    /// Its part of plans and of their text.
    type Part: Part;
    /// What the callers' own packets carry; [`Never`] if they have none.
    type Segment: Segment;
    /// What a caller waits for.
    type Event: Debug;

    /// What a member of the cluster is given when its process starts.
    fn config(plan: &Plan<Self::Part>, member: MemberId) -> ConfigOf<Self>;

    /// A member is added to the cluster, which then has these members: changes what it is given when it starts.
    fn joins(_config: &mut ConfigOf<Self>, _members: &[MemberId]) {}

    /// From now on, the member draws with this seed: changes what it is given when it starts.
    fn reseed(_config: &mut ConfigOf<Self>, _seed: u64) {}

    /// What to record about the commit during which the last process ended, when a start has found it in this state.
    fn interrupted(_found: Found) -> Option<OwnFactOf<Self>> {
        None
    }
}

/// What a packet of the callers' own carries, between a caller and the host of a member.
pub trait Segment: Clone + Debug {
    /// Its bytes on the wire, apart from the packet's head. Asked only if the bandwidth is limited.
    fn bytes(&self) -> u64 {
        32
    }

    /// Whether the kernel of a host sends it, so that no process need be alive.
    fn is_reset(&self) -> bool {
        false
    }
}

impl Segment for Never {}

/// The types of the node.
pub type TypesOf<S> = <<S as System>::Node as Node>::Types;
/// What the node and its callers add to the trace.
pub type WordsOf<S> = <TypesOf<S> as Types>::Words;
/// A fact of the trace.
pub type FactOf<S> = trace::Fact<WordsOf<S>>;
/// A fact that only this kind of cluster has.
pub type OwnFactOf<S> = contract::FactOf<TypesOf<S>>;
/// What a node is given when it starts.
pub type ConfigOf<S> = <TypesOf<S> as Types>::Config;
/// A request.
pub type RequestOf<S> = <TypesOf<S> as Types>::Request;
/// The answer to a request.
pub type AnswerOf<S> = <TypesOf<S> as Types>::Answer;
/// An item of a stream from a node to a caller.
pub type DownOf<S> = <TypesOf<S> as Types>::Down;
/// An input of a node.
pub type InputOf<S> = contract::Input<TypesOf<S>>;
/// The effects of a step.
pub type EffectsOf<S> = contract::Effects<TypesOf<S>>;
/// What the world holds for a node.
pub type StoreOf<S> = <TypesOf<S> as Types>::Store;
/// A task of a plan.
pub type TaskOf<S> = <<S as System>::Part as Part>::Task;
