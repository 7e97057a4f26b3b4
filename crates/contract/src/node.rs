//! The node itself: how it starts, its step, and what else a test bench asks of it.

use std::fmt::Display;
use std::sync::Arc;

use trace::MemberId;

use crate::disk::{Disk, DiskError, DiskErrorKind};
use crate::effects::Effects;
use crate::failpoint::Armed;
use crate::input::{Input, Now};
use crate::types::Types;

/// What a node gets when its process starts. Besides this and its disk, it knows nothing.
#[derive(Clone, Debug)]
pub struct Boot<T: Types> {
    /// The node's id.
    pub id: MemberId,
    /// Its configuration.
    pub config: T::Config,
    /// The number of this start. No other start on the same data directory has had it.
    pub incarnation: u32,
    /// Whether the node has never started completely, that is, whether it has never got
    /// [`Input::Recovered`]. After that, an empty disk is a lost disk.
    pub first: bool,
    /// Its clocks.
    pub now: Now,
    /// The failpoint that is armed, if one is.
    pub armed: Option<Armed>,
    /// Whether the driver wants the steps ([`Effects::steps`]).
    pub steps: bool,
    /// Whether the driver wants to know what happens inside ([`Effects::inner`]).
    pub inner: bool,
}

/// The result of a start: the node, and what the driver holds for it.
pub type Started<N> = Result<(N, <<N as Node>::Types as Types>::Store), <N as Node>::Refusal>;

/// A node of a cluster, as a state machine. See [the crate](crate) for the contract between it and its driver.
pub trait Node: Sized + 'static {
    /// The types of its inputs and effects.
    type Types: Types;
    /// Why it does not start.
    type Refusal: Refusal;

    /// Starts it from what its disk holds. The disk is used synchronously. The effects are those of a step.
    ///
    /// # Errors
    /// It does not start. Nothing more is asked of it.
    fn start(
        boot: Boot<Self::Types>,
        disk: Arc<dyn Disk>,
        effects: &mut Effects<Self::Types>,
    ) -> Started<Self>;

    /// Handles one input, and fills in the effects, which are empty before.
    ///
    /// # Panics
    /// On a bug of the node, and at a failpoint ([`Struck`](crate::Struck)).
    fn step(&mut self, now: Now, input: Input<Self::Types>, effects: &mut Effects<Self::Types>);
}

/// Why a node does not start.
pub trait Refusal: Display {
    /// Whether every later start would fail, too.
    fn is_lasting(&self) -> bool;

    /// Whether the reason is that the node has left the cluster permanently.
    fn is_removal(&self) -> bool {
        false
    }
}

/// For a node that refuses to start only because of its disk. What is gone stays gone.
impl Refusal for DiskError {
    fn is_lasting(&self) -> bool {
        matches!(self.kind, DiskErrorKind::NotFound | DiskErrorKind::PastEnd)
    }
}

/// What else a test bench asks of a node. [`arm`](Watched::arm) and [`reseed`](Watched::reseed) change what the node
/// does next; the other functions change nothing that a run can see. A server needs none of this.
pub trait Watched: Node {
    /// Arms a failpoint in place of the one that was armed before, if any; or disarms it.
    fn arm(&mut self, _armed: Option<Armed>) {}

    /// From now on it draws with this seed; what it has drawn already stays.
    fn reseed(&mut self, _seed: u64) {}

    /// A summary of its state; `None` if nothing can be compared with other nodes.
    fn status(&self) -> Option<Status> {
        None
    }

    /// What must end before a run has settled, one sentence each; `None` if this node does not know and another one
    /// does.
    fn owes(&self) -> Option<Vec<String>> {
        None
    }

    /// What it keeps now, as numbers by name, so that a test bench can check that it keeps no more than is alive. A
    /// node that holds nothing beyond its state has nothing to count.
    fn keeps(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// What it waits for, and until when: for the message about a node that wants to be woken again and again.
    fn explain(&self) -> String {
        String::new()
    }
}

/// A summary of a node's state. Nodes that have applied the same are equal in all but the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The leader that it follows, itself if it leads, or none.
    pub leader: MemberId,
    /// The index of the last entry that it has applied.
    pub applied: u64,
    /// The revision of its state: how often it was changed.
    pub revision: u64,
    /// The hash of its state.
    pub state_hash: u64,
}
