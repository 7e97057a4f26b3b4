//! The nemesis: begins and ends the plan's faults.
//!
//! A fault is resolved when it strikes: a group such as `leader` becomes members then, with keyed
//! draws (by the fault's number) where a choice is left. What a fault did is kept until it ends, so
//! that its end undoes exactly that.

use std::collections::BTreeMap;

use keyed::{Domain, Draw, Keyed};
use member::failpoint::{Action, Armed};
use member::io::Input;
use plan::{Condition, Fault, FaultKind, Plan, PointAction, Target, Trigger};
use record::{Fact, Nanos, Stop};

use crate::clock::Swing;
use crate::disk::Atlas;
use crate::network::{Pair, between, bridge, majorities_ring};
use crate::process::State;
use crate::world::{Happening, SECOND, World};

const TARGET: Domain = Domain::new("world fault target");

/// A fault that has begun and not ended.
pub(crate) struct Active {
    /// Members it struck, by place.
    pub(crate) members: Vec<usize>,
    /// Pairs of processes it cuts (now).
    pub(crate) pairs: Vec<Pair>,
    /// For flapping: whether it is down at the moment.
    down: bool,
}

/// The faults of a run.
pub(crate) struct Nemesis {
    keyed: Keyed,
    atlas: Atlas,
    /// Those that wait for a condition: fault, condition, from, delay.
    waiting: Vec<(usize, Condition, Nanos, Nanos)>,
    pub(crate) active: BTreeMap<usize, Active>,
    /// Members that the plan expects to refuse their start.
    expected: Vec<bool>,
    pausing: Vec<bool>,
    /// No new fault begins any more.
    pub(crate) over: bool,
}

impl Nemesis {
    pub(crate) fn new(plan: &Plan) -> Nemesis {
        let members = plan.cluster.members;
        let expected =
            (1..=plan.most_members()).map(|member| plan.expect.refusals.contains(&member)).collect();
        let removed = plan.faults.iter().filter(|fault| fault.kind.removes_member()).count() as u32;
        Nemesis {
            keyed: Keyed::new(plan.seed, TARGET),
            // As many copies may be spoilt as the smallest cluster there can be stands.
            atlas: Atlas::new(members.saturating_sub(removed).max(1)),
            waiting: Vec::new(),
            active: BTreeMap::new(),
            expected,
            pausing: plan.faults.iter().map(|fault| fault.kind == FaultKind::Pause).collect(),
            over: false,
        }
    }

    /// Whether a member may refuse to start for good: its disk was damaged, or the plan expects it.
    pub(crate) fn excuses_refusal(&self, member: usize) -> bool {
        self.expected[member] || self.is_damaged(member)
    }

    /// Whether the member's disk was damaged or lost.
    pub(crate) fn is_damaged(&self, member: usize) -> bool {
        self.atlas.is_damaged(member as u32 + 1)
    }

    pub(crate) fn is_pausing(&self, faults: &[u32]) -> bool {
        faults.iter().any(|fault| self.pausing[*fault as usize])
    }

    fn draw(&self, fault: &Fault) -> Draw {
        self.keyed.draw(u64::from(fault.id), 0)
    }
}

impl World<'_> {
    pub(crate) fn schedule_faults(&mut self) {
        for (at, fault) in self.plan.faults.iter().enumerate() {
            match fault.when {
                Trigger::At(time) => self.queue.push(time, Happening::FaultBegins { fault: at }),
                Trigger::When { condition, from, delay } => {
                    self.nemesis.waiting.push((at, condition, from, delay));
                }
            }
        }
    }

    /// Looks whether a condition came true that a fault waits for.
    pub(crate) fn conditions(&mut self) {
        if self.nemesis.waiting.is_empty() {
            return;
        }
        let now = self.now();
        let progress = &self.progress;
        let due = self
            .nemesis
            .waiting
            .extract_if(.., |(_, condition, from, _)| now >= *from && progress.holds(condition));
        let due: Vec<(usize, Nanos)> = due.map(|(fault, _, _, delay)| (fault, now + delay)).collect();
        for (fault, at) in due {
            self.queue.push(at, Happening::FaultBegins { fault });
        }
    }

    /// The members (by place) a target means now.
    fn resolve(&self, target: &Target, draw: Draw) -> Vec<usize> {
        let all = self.members();
        let quorum = all.len() / 2 + 1;
        let leader = || self.progress.leader().unwrap_or_else(|| *draw.then(1).pick(&all));
        let mut shuffled = all.clone();
        draw.then(2).shuffle(&mut shuffled);
        match target {
            Target::Members(members) => {
                let places = members.iter().map(|member| *member as usize - 1);
                places.filter(|member| all.contains(member)).collect()
            }
            Target::Leader => vec![leader()],
            Target::Followers => {
                let leader = leader();
                all.into_iter().filter(|member| *member != leader).collect()
            }
            Target::Follower => {
                let leader = leader();
                let followers: Vec<usize> = all.iter().copied().filter(|member| *member != leader).collect();
                if followers.is_empty() { all } else { vec![*draw.pick(&followers)] }
            }
            Target::Random => vec![*draw.pick(&all)],
            Target::Majority => shuffled[..quorum].to_vec(),
            Target::Minority => shuffled[..all.len() - quorum].to_vec(),
            Target::LeaderMajority => {
                let leader = leader();
                shuffled.retain(|member| *member != leader);
                shuffled.insert(0, leader);
                shuffled[..quorum].to_vec()
            }
            Target::All => all,
            Target::Clients(_) => Vec::new(),
        }
    }

    /// The processes (members or clients) a target means now.
    fn resolve_processes(&self, target: &Target, draw: Draw) -> Vec<usize> {
        match target {
            Target::Clients(clients) => {
                clients.iter().map(|client| self.processes.len() + *client as usize).collect()
            }
            other => self.resolve(other, draw),
        }
    }

    pub(crate) fn fault_begins(&mut self, at: usize) {
        if self.nemesis.over {
            return;
        }
        let plan = self.plan;
        let fault: &Fault = &plan.faults[at];
        let draw = self.nemesis.draw(fault);
        let mut members = self.resolve(&fault.target, draw);
        if members.is_empty() && matches!(&fault.target, Target::Members(_)) {
            return; // they have left the cluster
        }
        // The atlas keeps enough good copies: whom it does not give free, nothing happens to.
        members.retain(|member| {
            let admitted =
                !damages(&fault.kind) || self.nemesis.atlas.may_damage(*member as u32 + 1, &fault.kind);
            if !admitted {
                self.recorder.count("refused-by-atlas");
            }
            admitted
        });
        if damages(&fault.kind) && members.is_empty() {
            return;
        }
        let targets = self.resolve_processes(&fault.target, draw);
        let number = at as u32;
        tracing::debug!(fault = at, kind = fault.kind.name(), ?members, "fault begins");
        for member in if members.is_empty() { &[usize::MAX][..] } else { &members[..] } {
            let name = fault.kind.name();
            let member = if *member == usize::MAX { 0 } else { *member as u32 + 1 };
            self.note(
                member,
                Fact::Fault { fault: number, what: name, kind: fault.kind.number(), begins: true },
            );
        }
        let mut active = Active { members: members.clone(), pairs: Vec::new(), down: false };
        self.begin_kind(at, &fault.kind, draw, &targets, &mut active);
        self.nemesis.active.insert(at, active);
        if let FaultKind::Flapping { .. } = fault.kind {
            self.queue.push(self.now(), Happening::Flap { fault: at });
        }
        // A process that is struck at a failpoint starts again that long after it was struck.
        if let Some(duration) = fault.duration.filter(|_| !matches!(fault.kind, FaultKind::Failpoint { .. }))
        {
            self.queue.push(self.now() + duration, Happening::FaultEnds { fault: at });
        }
    }

    fn begin_kind(
        &mut self,
        at: usize,
        kind: &FaultKind,
        draw: Draw,
        targets: &[usize],
        active: &mut Active,
    ) {
        let now = self.now();
        let number = at as u32;
        let members = active.members.clone();
        let everyone: Vec<usize> = (0..self.processes.len()).collect();
        let cut = |world: &mut Self, active: &mut Active, pairs: Vec<Pair>| {
            world.network.cut(&pairs, now);
            active.pairs = pairs;
        };
        match kind {
            FaultKind::Link { to, both, link } => {
                let to = self.resolve_processes(to, draw.then(7));
                let pairs = between(targets, &to, *both);
                self.network.overlay(number, &pairs, *link);
            }
            FaultKind::Cut { to, both } => {
                let to = self.resolve_processes(to, draw.then(7));
                cut(self, active, between(targets, &to, *both));
            }
            FaultKind::Isolate => cut(self, active, between(&members, &everyone, true)),
            FaultKind::OneWay { inbound } => {
                let pairs = if *inbound {
                    between(&everyone, &members, false)
                } else {
                    between(&members, &everyone, false)
                };
                cut(self, active, pairs);
            }
            FaultKind::Split => {
                let rest: Vec<usize> =
                    everyone.iter().copied().filter(|member| !members.contains(member)).collect();
                cut(self, active, between(&members, &rest, true));
            }
            FaultKind::MajoritiesRing => cut(self, active, majorities_ring(everyone.len(), draw.then(8))),
            FaultKind::Bridge => cut(self, active, bridge(everyone.len(), members[0], draw.then(8))),
            FaultKind::Flapping { .. } => {}
            FaultKind::CutClients => {
                let clients: Vec<usize> =
                    (0..=self.operator()).map(|client| everyone.len() + client).collect();
                cut(self, active, between(&clients, &members, true));
            }
            FaultKind::Clog { to } => {
                let to = self.resolve_processes(to, draw.then(7));
                self.network.clog(number, between(targets, &to, false));
            }
            FaultKind::Rule(rule) => {
                let to = self.resolve_processes(&rule.to, draw.then(7));
                self.network.add_rule(number, rule.clone(), targets.to_vec(), to);
            }
            FaultKind::BitRot { .. }
            | FaultKind::LostWrite { .. }
            | FaultKind::MisdirectedWrite { .. }
            | FaultKind::SlowDisk { .. }
            | FaultKind::StalledDisk
            | FaultKind::DiskError { .. }
            | FaultKind::DiskFull { .. }
            | FaultKind::ShortRead { .. } => {
                for member in members {
                    let key = self.fault_key(number);
                    self.processes[member].disk.inject(now, key, kind);
                    self.retime(member);
                }
            }
            FaultKind::LostDisk => {
                for member in members {
                    self.processes[member].held_by.push(number);
                    self.kill(member, Stop::PowerLoss);
                    self.processes[member].disk.wipe();
                }
            }
            FaultKind::ClockRate { rate } => self.set_clocks(targets, |clock| clock.set_rate(now, *rate)),
            FaultKind::ClockFreeze => self.set_clocks(targets, |clock| clock.set_rate(now, 0)),
            FaultKind::ClockStep { by } => self.set_clocks(targets, |clock| clock.step(*by)),
            FaultKind::ClockStrobe { by, period } => self.set_clocks(targets, |clock| {
                clock.set_swing(now, Some(Swing::Strobe { by: *by, period: *period }));
            }),
            FaultKind::ClockSine { by, period } => self.set_clocks(targets, |clock| {
                clock.set_swing(now, Some(Swing::Sine { by: *by, period: *period }));
            }),
            FaultKind::GracefulRestart => {
                for member in members {
                    self.processes[member].held_by.push(number);
                    self.stop_gracefully(member, number);
                }
            }
            FaultKind::Crash | FaultKind::PowerLoss => {
                let stop = if *kind == FaultKind::Crash { Stop::Crash } else { Stop::PowerLoss };
                for member in members {
                    self.processes[member].held_by.push(number);
                    self.kill(member, stop.clone());
                }
            }
            FaultKind::Pause => {
                for member in members {
                    self.processes[member].held_by.push(number);
                    if self.processes[member].state == State::Running {
                        self.processes[member].state = State::Paused;
                        self.note_of(member, Fact::Paused);
                    }
                }
            }
            FaultKind::SlowCpu { step } => {
                members.iter().for_each(|member| self.processes[*member].step_takes = *step)
            }
            FaultKind::CrashAtDiskOp { nth, power } => {
                for member in members {
                    let process = &mut self.processes[member];
                    process.armed_power = *power;
                    process.disk.crash_at(process.disk.ordinal() + nth);
                }
            }
            FaultKind::CrashInRecovery { nth, power } => {
                for member in members {
                    self.processes[member].held_by.push(number);
                    self.processes[member].crash_in_recovery = Some((*nth, *power));
                    self.kill(member, if *power { Stop::PowerLoss } else { Stop::Crash });
                }
            }
            FaultKind::Failpoint { point, skip, does } => {
                let action = match does {
                    PointAction::Crash | PointAction::PowerLoss => Action::Crash,
                    PointAction::Pause => Action::Sleep(self.plan.faults[at].duration.unwrap_or(SECOND)),
                };
                let armed = Some(Armed { point: *point, skip: *skip, action });
                for member in members {
                    let process = &mut self.processes[member];
                    process.point = Some((number, *does));
                    process.config.failpoint = armed;
                    if let Some(running) = &mut process.member {
                        running.arm(armed);
                    }
                }
            }
            FaultKind::AddMember { .. }
            | FaultKind::RemoveMember
            | FaultKind::ReplaceMember { .. }
            | FaultKind::UpdateMember
            | FaultKind::MoveLeader
            | FaultKind::Defragment
            | FaultKind::Compact { .. }
            | FaultKind::ReclaimSpace => self.begin_task(at, kind, &members, draw),
        }
    }

    /// What names a fault in the disks' draws.
    fn fault_key(&self, number: u32) -> u64 {
        u64::from(self.plan.faults[number as usize].id)
    }

    fn set_clocks(&mut self, targets: &[usize], set: impl Fn(&mut crate::clock::Clock)) {
        for &process in targets {
            if process < self.processes.len() {
                set(&mut self.processes[process].clock);
                // The wake-up was set by the old rate.
                self.processes[process].wake = Nanos::MAX;
                self.set_wake(process);
            } else if let Some(client) = self.clients.get_mut(process - self.processes.len()) {
                set(&mut client.clock);
            }
        }
    }

    fn stop_gracefully(&mut self, member: usize, fault: u32) {
        if !self.processes[member].is_up() {
            return;
        }
        self.processes[member].stopping = Some(fault);
        let incarnation = self.processes[member].incarnation;
        // A service manager waits so long before it kills.
        self.queue.push(self.now() + 10 * SECOND, Happening::StopOverdue { member, incarnation });
        self.feed(member, Input::Stop);
    }

    /// The disk operation at which a crash was armed is due.
    pub(crate) fn armed_crash(&mut self, member: usize) {
        let now = self.now();
        if self.processes[member].disk.armed_crash().is_none_or(|at| at > now) {
            return;
        }
        self.recorder.count("crash-at-disk-op-fired");
        let stop = if self.processes[member].armed_power { Stop::PowerLoss } else { Stop::Crash };
        self.kill(member, stop);
        if self.processes[member].held_by.is_empty() {
            self.queue.push(now + self.plan.cluster.settings.restart_delay, Happening::Supervise { member });
        }
    }

    pub(crate) fn fault_ends(&mut self, at: usize) {
        let Some(active) = self.nemesis.active.remove(&at) else { return };
        let plan = self.plan;
        let kind = &plan.faults[at].kind;
        let number = at as u32;
        tracing::debug!(fault = at, kind = kind.name(), "fault ends");
        for member in if active.members.is_empty() { &[usize::MAX][..] } else { &active.members[..] } {
            let member = if *member == usize::MAX { 0 } else { *member as u32 + 1 };
            self.note(
                member,
                Fact::Fault { fault: number, what: kind.name(), kind: kind.number(), begins: false },
            );
        }
        self.network.heal(&active.pairs, self.now());
        for member in active.members.clone() {
            self.end_kind(number, kind, member);
        }
        if let (Target::Clients(clients), Some(now)) = (&plan.faults[at].target, Some(self.now())) {
            for client in clients {
                self.clients[*client as usize].clock.reset_rate(now);
            }
        }
        self.network.remove_overlay(number);
        for (at, packet) in self.network.release(number, self.now()) {
            self.queue.push(at, Happening::Arrive(packet));
        }
    }

    fn end_kind(&mut self, number: u32, kind: &FaultKind, member: usize) {
        let now = self.now();
        match kind {
            FaultKind::SlowDisk { .. }
            | FaultKind::StalledDisk
            | FaultKind::DiskError { .. }
            | FaultKind::DiskFull { .. }
            | FaultKind::ShortRead { .. }
            | FaultKind::BitRot { .. }
            | FaultKind::LostWrite { .. }
            | FaultKind::MisdirectedWrite { .. } => {
                let key = self.fault_key(number);
                self.processes[member].disk.heal(now, key);
                self.retime(member);
            }
            FaultKind::ClockRate { .. } | FaultKind::ClockFreeze => {
                self.set_clocks(&[member], |clock| clock.reset_rate(now));
            }
            FaultKind::ClockStrobe { .. } | FaultKind::ClockSine { .. } => {
                self.set_clocks(&[member], |clock| clock.set_swing(now, None));
            }
            FaultKind::GracefulRestart
            | FaultKind::Crash
            | FaultKind::PowerLoss
            | FaultKind::LostDisk
            | FaultKind::Pause
            | FaultKind::CrashInRecovery { .. } => self.let_go(member, number),
            FaultKind::SlowCpu { .. } => {
                self.processes[member].step_takes = 0;
            }
            FaultKind::CrashAtDiskOp { .. } => self.processes[member].disk.disarm(),
            FaultKind::Failpoint { .. } => {
                let process = &mut self.processes[member];
                process.point = None;
                process.config.failpoint = None;
                if let Some(running) = &mut process.member {
                    running.arm(None);
                }
            }
            _ => {}
        }
    }

    /// A fault no longer holds a process; if none does, it runs again.
    pub(crate) fn let_go(&mut self, member: usize, fault: u32) {
        let process = &mut self.processes[member];
        process.held_by.retain(|other| *other != fault);
        let held = process.held_by.clone();
        match process.state {
            // A graceful stop that is still under way ends first; a supervisor starts it then.
            _ if process.stopping == Some(fault) => {
                self.kill(member, Stop::Crash);
                self.start(member);
            }
            State::Down if held.is_empty() => self.start(member),
            State::Paused if !self.nemesis.is_pausing(&held) => {
                process.state = State::Running;
                self.note_of(member, Fact::Resumed);
                // Its timers ran on: it wakes first, as a process whose signals wait does.
                self.feed_first(member, Input::Wake);
            }
            _ => {}
        }
    }

    /// Feeds an input ahead of those that wait.
    fn feed_first(&mut self, member: usize, input: Input) {
        self.processes[member].inbox.push_front(input);
        self.drain_inbox(member);
        self.set_wake(member);
    }

    /// A flapping partition goes down or up.
    pub(crate) fn flap(&mut self, at: usize) {
        let plan = self.plan;
        let FaultKind::Flapping { down, up } = plan.faults[at].kind else { return };
        let Some(mut active) = self.nemesis.active.remove(&at) else { return };
        let everyone: Vec<usize> = (0..self.processes.len()).collect();
        if active.down {
            self.network.heal(&active.pairs, self.now());
            active.pairs.clear();
        } else {
            active.pairs = between(&active.members, &everyone, true);
            self.network.cut(&active.pairs, self.now());
        }
        active.down = !active.down;
        let next = self.now() + if active.down { down } else { up }.max(1_000_000);
        self.nemesis.active.insert(at, active);
        self.queue.push(next, Happening::Flap { fault: at });
    }

    /// Ends all faults, or those among the core only: what else is broken stays so for good.
    pub(crate) fn end_faults(&mut self, core: &[bool]) {
        self.nemesis.over = true;
        let members = self.processes.len();
        let is_core = |process: usize| process >= members || core[process];
        let active: Vec<usize> = self.nemesis.active.keys().copied().collect();
        let spared: Vec<usize> =
            (0..members + self.operator() + 1).filter(|process| is_core(*process)).collect();
        for at in active {
            if core.iter().all(|core| *core) {
                self.fault_ends(at);
                continue;
            }
            // Heal what lies within the core; the rest of the fault never ends.
            let fault = self.nemesis.active.get_mut(&at).expect("it was there a moment ago");
            let (healed, kept): (Vec<Pair>, Vec<Pair>) =
                fault.pairs.iter().copied().partition(|(from, to)| is_core(*from) && is_core(*to));
            fault.pairs = kept;
            let healed_members: Vec<usize> =
                fault.members.iter().copied().filter(|member| core[*member]).collect();
            fault.members.retain(|member| !core[*member]);
            self.network.heal(&healed, self.now());
            for (arrival, packet) in self.network.end_among(at as u32, &spared, self.now()) {
                self.queue.push(arrival, Happening::Arrive(packet));
            }
            for member in healed_members {
                self.end_kind(at as u32, &self.plan.faults[at].kind, member);
            }
        }
    }
}

/// Whether a fault takes from a disk what was durable on it.
fn damages(kind: &FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::BitRot { .. }
            | FaultKind::LostWrite { .. }
            | FaultKind::MisdirectedWrite { .. }
            | FaultKind::LostDisk
    )
}
