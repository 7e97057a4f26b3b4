//! One member's process: its host, the node and its store, and its inputs that wait. A process can start, stop
//! gracefully, crash, lose power, pause, resume, run slowly, and end itself; `lives.rs`, `feeding.rs` and
//! `faults/process.rs` carry that out.
//!
//! Invariants: a process that is down has no node in memory. Whatever belongs to an ended incarnation has no effect any
//! more (rule R5). A process that starts receives no messages until its recovery is on disk.

use std::collections::VecDeque;
use std::sync::Arc;

use contract::disk::Disk;
use contract::{Armed, Boot, Node, Watched as _};
use keyed::{Domain, Keyed};
use schedule::{Part as _, Plan, PointAction};
use trace::{MemberId, Members, Nanos};

use crate::clock::Clock;
use crate::disk::SimDisk;
use crate::keeper::{Interrupted, Keeper};
use crate::machine::{Machine, Stage, State};
use crate::system::{ConfigOf, EffectsOf, InputOf, StoreOf, System};

/// The domain in which everything about disks is drawn.
const DISK: Domain = Domain::new("world disk");

/// One member's process and host.
pub(crate) struct Process<S: System> {
    pub(crate) machine: Machine,
    pub(crate) node: Option<S::Node>,
    /// The store of that node.
    pub(crate) keeper: Option<Keeper<StoreOf<S>>>,
    /// The commit during which the last process ended, until the next process has looked for it.
    pub(crate) interrupted: Option<Interrupted>,
    pub(crate) config: ConfigOf<S>,
    /// Whether every commit of its store is written at once.
    eager: bool,
    /// Inputs that came while it could not run.
    pub(crate) inbox: VecDeque<InputOf<S>>,
    /// While a step pauses at a failpoint: the effects that are carried out when the pause is over.
    pub(crate) stalled: Option<Box<EffectsOf<S>>>,
    /// Storage for the effects of a step, reused by all steps. `None` before the first step, and while the world
    /// carries the effects out.
    pub(crate) effects: Option<Box<EffectsOf<S>>>,
}

impl<S: System> Process<S> {
    pub(crate) fn new(plan: &Plan<S::Part>, id: MemberId, clock: Clock) -> Process<S> {
        let disk = SimDisk::new(id, Keyed::new(plan.seed, DISK), plan.disk);
        Process {
            machine: Machine::new(id, disk, clock),
            node: None,
            keeper: None,
            interrupted: None,
            config: S::config(plan, id),
            eager: S::Part::eager_store(&plan.cluster.settings),
            inbox: VecDeque::new(),
            stalled: None,
            effects: None,
        }
    }

    /// Puts an input off until the process takes it.
    pub(crate) fn put_off(&mut self, now: Nanos, input: InputOf<S>) {
        self.machine.behind_since.get_or_insert(now);
        self.inbox.push_back(input);
    }

    /// Drops everything that a process has in memory.
    pub(crate) fn drop_memory(&mut self) {
        // Destructors cannot change the disk: it refuses calls of an ended incarnation.
        self.node = None;
        self.keeper = None;
        self.inbox.clear();
        self.stalled = None;
        self.effects = None;
        self.machine.process_ended();
    }

    /// Brings the files of the store up to date, if the process has one: from now on its content can be seen.
    pub(crate) fn show_store(&mut self, now: Nanos) {
        if let Some(keeper) = &mut self.keeper {
            keeper.bring_up_to_date(now, &self.machine.disk);
        }
    }

    /// Sets or clears its failpoint, now and for its next start.
    pub(crate) fn arm_point(&mut self, point: Option<(u32, PointAction)>, armed: Option<Armed>) {
        (self.machine.point, self.machine.armed) = (point, armed);
        if let Some(running) = &mut self.node {
            running.arm(armed);
        }
    }

    /// From now on, the disk and the process draw with this seed.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.machine.disk.reseed(self.machine.id, Keyed::new(seed, DISK));
        S::reseed(&mut self.config, seed);
        if let Some(running) = &mut self.node {
            running.reseed(seed);
        }
    }

    /// Starts a new incarnation, which recovers from the disk. `steps` and `inner` say whether the observer wants its
    /// steps and what happens inside it.
    pub(crate) fn recover(
        &mut self,
        now: Nanos,
        steps: bool,
        inner: bool,
    ) -> Result<(), <S::Node as Node>::Refusal> {
        self.machine.incarnation += 1;
        self.machine.started = now;
        self.machine.section = false;
        let boot = Boot {
            id: self.machine.id,
            config: self.config.clone(),
            incarnation: self.machine.incarnation,
            first: !self.machine.bootstrapped,
            now: self.machine.clock.read(now),
            armed: self.machine.armed,
            steps,
            inner,
        };
        let disk: Arc<dyn Disk> = self.machine.disk.attach(self.machine.incarnation);
        let effects = self.effects.get_or_insert_default();
        let (node, store) = S::Node::start(boot, disk, effects)?;
        let index = node.status().map_or(0, |status| status.applied);
        self.keeper = Some(Keeper::new(store, self.eager, index));
        self.node = Some(node);
        self.machine.state = State::Starting;
        Ok(())
    }
}

/// The ids of the members that belong to the cluster now.
pub(crate) fn members<S: System>(processes: &Members<Process<S>>) -> Vec<MemberId> {
    let is_member = |(member, process): (MemberId, &Process<S>)| {
        (process.machine.stage == Stage::Member).then_some(member)
    };
    processes.iter().filter_map(is_member).collect()
}
