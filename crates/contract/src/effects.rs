//! What comes out of a step.

use trace::MemberId;

use crate::disk::DiskJob;
use crate::reused::Reused;
use crate::store::Store;
use crate::types::{FactOf, InnerOf, StepOf, Types};

/// What the driver does after a step, list by list, in the order of these fields. It empties them before the next step.
#[derive(Debug)]
pub struct Effects<T: Types> {
    /// What happened in the step, in order, for the trace. The driver records it before it does anything else.
    pub facts: Vec<FactOf<T>>,
    /// The steps of the node's algorithm, in order, if the driver has asked for them
    /// ([`Boot::steps`](crate::Boot::steps)). They are for observers, and change nothing.
    pub steps: Reused<StepOf<T>>,
    /// What happened inside the node, in order, if the driver has asked for it ([`Boot::inner`](crate::Boot::inner)).
    /// It is for observers, and changes nothing.
    pub inner: Vec<InnerOf<T>>,
    /// A job for the store. The driver gives [`Input::StoreDone`](crate::Input::StoreDone) once it is durable. Until
    /// then, the node hands out no other one.
    pub store: Option<<T::Store as Store>::Job>,
    /// Messages to other nodes, each with its receiver.
    pub messages: Vec<(MemberId, T::Message)>,
    /// Items for callers, each with the driver's number for the stream.
    pub items: Vec<(u64, T::Down)>,
    /// Answers to callers, each with the driver's number for the call.
    pub answers: Vec<(u64, T::Answer)>,
    /// Disk jobs to begin.
    pub jobs: Vec<DiskJob>,
    /// Computations to begin, each with the node's number for it.
    pub work: Vec<(u64, T::Work)>,
    /// Set if the process ends with this step.
    pub end: Option<End>,
    /// When the node needs [`Input::Wake`](crate::Input::Wake), on its own monotonic clock; `u64::MAX` for never. Every
    /// step sets it anew.
    pub wake_at: u64,
    /// Set if the step paused at a failpoint. All else here is carried out when the pause is over.
    pub stall: Option<Box<Stall<T>>>,
}

/// A pause in the middle of a step, at a failpoint. Until it is over, the process does nothing.
#[derive(Debug)]
pub struct Stall<T: Types> {
    /// The length of the pause, in nanoseconds.
    pub time: u64,
    /// What is carried out at once: the effects from before the pause; all facts, steps and inner events of the step;
    /// and the end of the process, if the step ends it.
    pub before: Effects<T>,
}

/// How a process ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It has stopped, as requested.
    Finished,
    /// Its node has left the cluster permanently.
    Removed,
    /// It cannot continue. The text is the reason.
    Fatal(String),
}

impl<T: Types> Default for Effects<T> {
    fn default() -> Effects<T> {
        Effects {
            facts: Vec::new(),
            steps: Reused::default(),
            inner: Vec::new(),
            store: None,
            messages: Vec::new(),
            items: Vec::new(),
            answers: Vec::new(),
            jobs: Vec::new(),
            work: Vec::new(),
            end: None,
            wake_at: u64::MAX,
            stall: None,
        }
    }
}
