//! Builds scenarios in code instead of a file.
//!
//! A [`ScenarioBuilder`] makes the text of a scenario file, and the reader of files reads it. So all scenarios take the
//! same path, with the same checks, defaults and draws, and what was built can be printed and kept as a file.
//!
//! Ranges and choices are possible for the number of members, times, targets and the workload. Settings of the
//! members and fields of `[network]`, `[disk]` and `[[client]]` can only be fixed values here; in a file they
//! can be left open, too.

use std::fmt;
use std::time::Duration;

use keyed::Ratio;
use trace::MemberId;

use crate::choice::Who;
use crate::kinds::{Kinds, Usual};
use crate::open::{Open, Written, toml};
use crate::own::Own;
use crate::part::{Part, TakesWorkload};
use crate::sections::{self, Top};
use crate::write::{Writer, quote};
use crate::{Condition, Disk, FaultKind, FlawAt, Link, Network, NetworkFault, Scenario, ScenarioErrors};

/// Builds a [`Scenario`] in code.
#[derive(Clone, Debug)]
pub struct ScenarioBuilder<P: Part> {
    title: String,
    name: String,
    flaws: Vec<FlawAt>,
    /// The number of members as TOML text, if it is set.
    members: Option<String>,
    settings: P::Settings,
    network: Network,
    disk: Disk,
    /// The text of the part's own sections.
    workload: String,
    clients: Vec<P::Client>,
    faults: Vec<ScenarioFault<P::Task>>,
    run: Lines,
    expect: Lines,
    swarm: bool,
    /// Custom workloads.
    own: Vec<Own<P>>,
}

/// The fields of a section, with their values as TOML text.
#[derive(Clone, Debug, Default)]
struct Lines(Vec<(&'static str, String)>);

impl Lines {
    /// Sets a field; the last value wins.
    fn set(&mut self, name: &'static str, value: String) {
        self.0.retain(|line| line.0 != name);
        self.0.push((name, value));
    }

    fn write(&self, file: &mut Writer) {
        for (name, value) in &self.0 {
            file.line(name, value);
        }
    }
}

impl<P: Part> Scenario<P> {
    /// Begins a scenario. Everything that is not set has the default of a file.
    pub fn builder(title: &str) -> ScenarioBuilder<P> {
        ScenarioBuilder {
            title: title.to_string(),
            name: slug(title),
            flaws: Vec::new(),
            members: None,
            settings: P::Settings::default(),
            network: Network::default(),
            disk: Disk::default(),
            workload: String::new(),
            clients: Vec::new(),
            faults: Vec::new(),
            run: Lines::default(),
            expect: Lines::default(),
            swarm: false,
            own: Vec::new(),
        }
    }
}

impl<P: Part> ScenarioBuilder<P> {
    /// Names the scenario in messages and in the names of saved plans. Left out: made from the title.
    #[must_use]
    pub fn name(mut self, name: &str) -> ScenarioBuilder<P> {
        self.name = name.to_string();
        self
    }

    /// How many members: 1 to 9. Left out: 3.
    #[must_use]
    pub fn members(mut self, members: impl Into<Open<u32>>) -> ScenarioBuilder<P> {
        self.members = Some(toml(&members.into()));
        self
    }

    /// Changes settings of the members.
    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut P::Settings)) -> ScenarioBuilder<P> {
        change(&mut self.settings);
        self
    }

    /// Changes how links behave while no fault affects them.
    #[must_use]
    pub fn network(mut self, change: impl FnOnce(&mut Network)) -> ScenarioBuilder<P> {
        change(&mut self.network);
        self
    }

    /// Changes how disks behave while no fault affects them.
    #[must_use]
    pub fn disk(mut self, change: impl FnOnce(&mut Disk)) -> ScenarioBuilder<P> {
        change(&mut self.disk);
        self
    }

    /// What clients do: the nodes' own sections, such as `[workload]`, as text that `workload` prints.
    #[must_use]
    pub fn workload(mut self, workload: impl fmt::Display) -> ScenarioBuilder<P> {
        self.workload = workload.to_string();
        self
    }

    /// What clients do: your own workload. Its clients come after all others; you can add several workloads.
    #[must_use]
    pub fn own_workload<W: Send + Sync + 'static>(mut self, workload: W) -> ScenarioBuilder<P>
    where
        P: TakesWorkload<W>,
    {
        self.own.push(Own::new(workload));
        self
    }

    /// Adds one client with all its operations. Without endpoints it knows all members.
    #[must_use]
    pub fn client(mut self, client: P::Client) -> ScenarioBuilder<P> {
        self.clients.push(client);
        self
    }

    /// Adds a fault.
    #[must_use]
    pub fn fault(mut self, fault: ScenarioFault<P::Task>) -> ScenarioBuilder<P> {
        self.faults.push(fault);
        self
    }

    /// Lets the seed choose which families of faults there are, and everything this scenario leaves out.
    #[must_use]
    pub fn swarm(mut self) -> ScenarioBuilder<P> {
        self.swarm = true;
        self
    }

    /// Switches a flaw on, on every member or on one.
    #[must_use]
    pub fn flaw(mut self, flaw: &str, member: Option<MemberId>) -> ScenarioBuilder<P> {
        self.flaws.push(FlawAt { flaw: flaw.to_string(), member });
        self
    }

    /// The length of the chaos phase, in which the workload runs and the faults strike. At most 24 h; left
    /// out: 30 s.
    #[must_use]
    pub fn chaos(mut self, chaos: impl Into<Open<Duration>>) -> ScenarioBuilder<P> {
        self.run.set("chaos", toml(&chaos.into()));
        self
    }

    /// The length of the calm phase, in which the workload goes on without new faults. At most 24 h; left out: none.
    #[must_use]
    pub fn calm(mut self, calm: impl Into<Open<Duration>>) -> ScenarioBuilder<P> {
        self.run.set("calm", toml(&calm.into()));
        self
    }

    /// How many members are healed after the chaos phase; the others stay as broken as they are until
    /// their faults end by themselves. Left out: all.
    #[must_use]
    pub fn core(mut self, members: impl Into<Open<u32>>) -> ScenarioBuilder<P> {
        self.run.set("core", toml(&members.into()));
        self
    }

    /// The most time that the settle phase may take. Before it runs out, there must be a leader, and every operation
    /// must have ended. Left out: 60 s.
    #[must_use]
    pub fn settle(mut self, settle: impl Into<Open<Duration>>) -> ScenarioBuilder<P> {
        self.run.set("settle", toml(&settle.into()));
        self
    }

    /// The minimum number of operations that must have been answered: guards against a run in which nothing
    /// happens.
    #[must_use]
    pub fn answered(mut self, operations: u64) -> ScenarioBuilder<P> {
        self.expect.set("answered", operations.to_string());
        self
    }

    /// The longest time that may pass without any answer while some client waits for one. It is checked from
    /// the first fault to the end of the chaos phase.
    #[must_use]
    pub fn progress(mut self, within: Duration) -> ScenarioBuilder<P> {
        self.expect.set("progress", toml(&Open::Value(within)));
        self
    }

    /// Members that may refuse to start, because a fault damages data that they need.
    #[must_use]
    pub fn refusals(mut self, members: &[MemberId]) -> ScenarioBuilder<P> {
        self.expect.set("refusals", format!("{members:?}"));
        self
    }

    /// The scenario as a file. It does not contain your own workloads.
    pub fn to_toml(&self) -> String {
        let mut file = Writer::new(P::NAMES);
        let top = Top { title: self.title.clone(), flaws: self.flaws.clone(), ..Top::default() };
        file.differences("", sections::TOP, &top, &Top::default());
        if self.swarm {
            file.line("swarm", "true");
        }
        let mut cluster = Writer::new(P::NAMES);
        if let Some(members) = &self.members {
            cluster.line("members", members);
        }
        cluster.differences("", P::settings(), &self.settings, &P::Settings::default());
        file.under("[cluster]", &cluster.text);
        let (links, usual) = (&self.network, Network::default());
        file.differences("[network]", sections::NETWORK, links, &usual);
        file.differences("[network.peers]", sections::LINK, &links.peers, &usual.peers);
        file.differences("[network.clients]", sections::LINK, &links.clients, &usual.clients);
        file.differences("[disk]", sections::DISK, &self.disk, &Disk::default());
        file.text += &self.workload;
        for (head, lines) in [("[run]", &self.run), ("[expect]", &self.expect)] {
            let mut body = Writer::new(P::NAMES);
            lines.write(&mut body);
            file.under(head, &body.text);
        }
        for fault in &self.faults {
            fault.write(&mut file, P::NAMES.usual_point);
        }
        for client in &self.clients {
            file.head("[[client]]");
            file.differences("", P::client(), client, &P::Client::default());
        }
        file.text
    }

    /// The scenario.
    ///
    /// # Errors
    /// The errors that the same scenario would have in a file, each with its position in the text of
    /// [`ScenarioBuilder::to_toml`].
    pub fn build(self) -> Result<Scenario<P>, ScenarioErrors> {
        let mut scenario = Scenario::parse(&self.name, &self.to_toml())?;
        scenario.own = self.own;
        Ok(scenario)
    }
}

/// A title, turned into a file name.
fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.map(str::to_lowercase).collect::<Vec<_>>().join("-");
    if name.is_empty() { "scenario".to_string() } else { name }
}

/// A fault of a scenario that is built in code: kind, target, time and duration.
#[derive(Clone, Debug)]
pub struct ScenarioFault<T> {
    /// The kind, with the fields that only this kind has.
    kind: FaultKind<T>,
    /// The fields that faults of all kinds have, such as target and times.
    frame: Lines,
}

impl<T: Kinds> ScenarioFault<T> {
    /// A fault of this kind. It needs a time ([`at`](ScenarioFault::at), [`every`](ScenarioFault::every),
    /// [`about_every`](ScenarioFault::about_every) or [`when`](ScenarioFault::when)) and, unless its kind has
    /// none, a target ([`on`](ScenarioFault::on)).
    pub fn new(kind: impl Into<FaultKind<T>>) -> ScenarioFault<T> {
        ScenarioFault { kind: kind.into(), frame: Lines::default() }
    }

    fn set<V: Written>(mut self, name: &'static str, value: impl Into<Open<V>>) -> ScenarioFault<T> {
        self.frame.set(name, toml(&value.into()));
        self
    }

    /// The target of the fault: a [`Target`](crate::Target), or a [`Who`] where the seed decides once for the
    /// whole run.
    #[must_use]
    pub fn on(self, target: impl Into<Open<Who>>) -> ScenarioFault<T> {
        self.set("target", target)
    }

    /// When it strikes, since the start of the run.
    #[must_use]
    pub fn at(self, time: impl Into<Open<Duration>>) -> ScenarioFault<T> {
        self.set("at", time)
    }

    /// Strikes repeatedly; each gap is drawn separately. At least 1 ms.
    #[must_use]
    pub fn every(self, gap: impl Into<Open<Duration>>) -> ScenarioFault<T> {
        self.set("every", gap)
    }

    /// Strikes repeatedly; the mean gap is drawn once per run, the gaps are exponentially distributed.
    #[must_use]
    pub fn about_every(self, mean: impl Into<Open<Duration>>) -> ScenarioFault<T> {
        self.set("about-every", mean)
    }

    /// How many times at most; 1 to 1,000.
    #[must_use]
    pub fn times(self, times: impl Into<Open<u32>>) -> ScenarioFault<T> {
        self.set("times", times)
    }

    /// Strikes when this comes true.
    #[must_use]
    pub fn when(self, condition: Condition) -> ScenarioFault<T> {
        self.set("when", condition)
    }

    /// Time between the condition and the fault.
    #[must_use]
    pub fn after(self, delay: impl Into<Open<Duration>>) -> ScenarioFault<T> {
        self.set("after", delay)
    }

    /// Not before this time.
    #[must_use]
    pub fn from(self, time: impl Into<Open<Duration>>) -> ScenarioFault<T> {
        self.set("from", time)
    }

    /// Not after this time. Left out: the end of the chaos phase.
    #[must_use]
    pub fn until(self, time: impl Into<Open<Duration>>) -> ScenarioFault<T> {
        self.set("until", time)
    }

    /// How long it lasts; for a crash or a power loss, the time until the restart. Left out: to the end of the
    /// chaos phase.
    #[must_use]
    pub fn lasting(self, time: impl Into<Open<Duration>>) -> ScenarioFault<T> {
        self.set("for", time)
    }

    /// The probability that the fault is part of a run.
    #[must_use]
    pub fn chance(self, chance: Ratio) -> ScenarioFault<T> {
        self.set("chance", chance)
    }

    /// The fault's name in the draws of the seed. Left out: its kind.
    #[must_use]
    pub fn name(mut self, name: &str) -> ScenarioFault<T> {
        self.frame.set("name", quote(name));
        self
    }

    fn write(&self, file: &mut Writer, point: u16) {
        file.head("[[fault]]");
        file.line("kind", &quote(self.kind.name()));
        self.frame.write(file);
        // All fields of a link are written, because a field left out would get the value of the scenario's network.
        let is_link = matches!(self.kind, FaultKind::Network(NetworkFault::Link { .. }));
        file.fault_fields(&self.kind, (!is_link).then_some(Usual { link: Link::default(), point }));
    }
}
