//! Builds scenarios in code instead of a file.
//!
//! A [`ScenarioBuilder`] makes the text of a scenario file, and the reader of files reads it. So there is one
//! way for all scenarios, with the same checks, defaults and draws, and what was built can be printed and kept
//! as a file.
//!
//! Ranges and choices are possible for the number of members, times, targets and the workload. Settings of the
//! members and fields of `[network]`, `[disk]` and `[[client]]` can only be fixed values here; in a file they
//! can be left open, too.

use std::fmt::Write;
use std::time::Duration;

use keyed::Ratio;
use record::MemberId;

use crate::choice::Who;
use crate::kinds::{Kind, Usual};
use crate::open::{Open, Written, toml};
use crate::own::Workload;
use crate::sections;
use crate::write::{differences, fault_fields, print, quote};
use crate::{
    Client, Cluster, Condition, Disk, FaultKind, FlawAt, Link, NAMES, Network, NetworkFault, Plan, Scenario,
    ScenarioErrors, Settings, Spread,
};

/// Builds a [`Scenario`] in code.
///
/// ```
/// use std::time::Duration;
/// use etcdsim_plan::{NamedWorkload, ProcessFault, Scenario, ScenarioFault, Target};
///
/// let scenario = Scenario::builder("The leader is killed now and then")
///     .members(3)
///     .workload(NamedWorkload::new("register").clients(4).rate(50))
///     .fault(
///         ScenarioFault::new(ProcessFault::Crash)
///             .on(Target::Leader)
///             .every(Duration::from_secs(2)..=Duration::from_secs(5))
///             .lasting(Duration::from_millis(500)),
///     )
///     .chaos(Duration::from_secs(20))
///     .build()?;
/// assert_eq!(scenario.expand(1), scenario.expand(1));
/// # Ok::<(), etcdsim_plan::ScenarioErrors>(())
/// ```
#[derive(Clone, Debug)]
pub struct ScenarioBuilder {
    title: String,
    name: String,
    flaws: Vec<FlawAt>,
    /// The number of members as TOML text, if it is set.
    members: Option<String>,
    settings: Settings,
    network: Network,
    disk: Disk,
    workload: Option<NamedWorkload>,
    clients: Vec<Client>,
    faults: Vec<ScenarioFault>,
    run: Lines,
    expect: Lines,
    swarm: bool,
    /// Custom workloads.
    own: Vec<crate::own::Own>,
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

    fn write(&self, text: &mut String) {
        for (name, value) in &self.0 {
            line(text, name, value);
        }
    }
}

/// Writes one field as a line of TOML.
fn line(text: &mut String, name: &str, value: &str) {
    writeln!(text, "{name} = {value}").expect("a string takes any text");
}

impl Scenario {
    /// Begins a scenario. Everything that is not set has the default of a file.
    pub fn builder(title: &str) -> ScenarioBuilder {
        ScenarioBuilder {
            title: title.to_string(),
            name: slug(title),
            flaws: Vec::new(),
            members: None,
            settings: Settings::default(),
            network: Network::default(),
            disk: Disk::default(),
            workload: None,
            clients: Vec::new(),
            faults: Vec::new(),
            run: Lines::default(),
            expect: Lines::default(),
            swarm: false,
            own: Vec::new(),
        }
    }
}

impl ScenarioBuilder {
    /// Names the scenario in messages and in the names of saved plans. Left out: made from the title.
    #[must_use]
    pub fn name(mut self, name: &str) -> ScenarioBuilder {
        self.name = name.to_string();
        self
    }

    /// How many members: 1 to 9. Left out: 3.
    #[must_use]
    pub fn members(mut self, members: impl Into<Open<u32>>) -> ScenarioBuilder {
        self.members = Some(toml(&members.into()));
        self
    }

    /// Changes settings of the members.
    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> ScenarioBuilder {
        change(&mut self.settings);
        self
    }

    /// Changes how links behave while no fault affects them.
    #[must_use]
    pub fn network(mut self, change: impl FnOnce(&mut Network)) -> ScenarioBuilder {
        change(&mut self.network);
        self
    }

    /// Changes how disks behave while no fault affects them.
    #[must_use]
    pub fn disk(mut self, change: impl FnOnce(&mut Disk)) -> ScenarioBuilder {
        change(&mut self.disk);
        self
    }

    /// What clients do: one of the workloads of this crate.
    #[must_use]
    pub fn workload(mut self, workload: NamedWorkload) -> ScenarioBuilder {
        self.workload = Some(workload);
        self
    }

    /// What clients do: your own workload. Its clients come after all others; you can add several workloads.
    #[must_use]
    pub fn own_workload(mut self, workload: impl Workload + 'static) -> ScenarioBuilder {
        self.own.push(crate::own::Own::new(workload));
        self
    }

    /// Adds one client with all its operations. Without endpoints it knows all members.
    #[must_use]
    pub fn client(mut self, client: Client) -> ScenarioBuilder {
        self.clients.push(client);
        self
    }

    /// Adds a fault.
    #[must_use]
    pub fn fault(mut self, fault: ScenarioFault) -> ScenarioBuilder {
        self.faults.push(fault);
        self
    }

    /// Lets the seed choose which families of faults there are, and everything this scenario leaves out.
    #[must_use]
    pub fn swarm(mut self) -> ScenarioBuilder {
        self.swarm = true;
        self
    }

    /// Switches a flaw on, on every member or on one.
    #[must_use]
    pub fn flaw(mut self, flaw: &str, member: Option<MemberId>) -> ScenarioBuilder {
        self.flaws.push(FlawAt { flaw: flaw.to_string(), member });
        self
    }

    /// The length of the chaos phase, in which the workload runs and the faults strike. At most 24 h; left
    /// out: 30 s.
    #[must_use]
    pub fn chaos(mut self, chaos: impl Into<Open<Duration>>) -> ScenarioBuilder {
        self.run.set("chaos", toml(&chaos.into()));
        self
    }

    /// How many members are healed after the chaos phase; the others stay as broken as they are until
    /// their faults end by themselves. Left out: all.
    #[must_use]
    pub fn core(mut self, members: impl Into<Open<u32>>) -> ScenarioBuilder {
        self.run.set("core", toml(&members.into()));
        self
    }

    /// The most time that the settle phase may take: by then there must be a leader, and every operation must
    /// have ended. Left out: 60 s.
    #[must_use]
    pub fn settle(mut self, settle: impl Into<Open<Duration>>) -> ScenarioBuilder {
        self.run.set("settle", toml(&settle.into()));
        self
    }

    /// The minimum number of operations that must have been answered: guards against a run in which nothing
    /// happens.
    #[must_use]
    pub fn answered(mut self, operations: u64) -> ScenarioBuilder {
        self.expect.set("answered", operations.to_string());
        self
    }

    /// The longest time that may pass without any answer while some client waits for one. It is checked from
    /// the first fault to the end of the chaos phase.
    #[must_use]
    pub fn progress(mut self, within: Duration) -> ScenarioBuilder {
        self.expect.set("progress", toml(&Open::Value(within)));
        self
    }

    /// Members that may refuse to start, because a fault damages data that they need.
    #[must_use]
    pub fn refusals(mut self, members: &[MemberId]) -> ScenarioBuilder {
        self.expect.set("refusals", format!("{members:?}"));
        self
    }

    /// The scenario as a file. It does not contain your own workloads.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let top = Plan { title: self.title.clone(), flaws: self.flaws.clone(), ..Plan::default() };
        differences(&mut text, NAMES, "", sections::TOP, &top, &Plan::default());
        if self.swarm {
            line(&mut text, "swarm", "true");
        }
        let mut cluster = String::new();
        if let Some(members) = &self.members {
            line(&mut cluster, "members", members);
        }
        let usual = Cluster::default();
        let changed = Cluster { settings: self.settings.clone(), ..Cluster::default() };
        differences(&mut cluster, NAMES, "", &sections::CLUSTER, &changed, &usual);
        under(&mut text, "[cluster]", &cluster);
        let usual = Network::default();
        differences(&mut text, NAMES, "[network]", sections::NETWORK, &self.network, &usual);
        differences(&mut text, NAMES, "[network.peers]", sections::LINK, &self.network.peers, &usual.peers);
        differences(
            &mut text,
            NAMES,
            "[network.clients]",
            sections::LINK,
            &self.network.clients,
            &usual.clients,
        );
        differences(&mut text, NAMES, "[disk]", sections::DISK, &self.disk, &Disk::default());
        if let Some(workload) = &self.workload {
            workload.write(&mut text);
        }
        for (head, lines) in [("[run]", &self.run), ("[expect]", &self.expect)] {
            let mut body = String::new();
            lines.write(&mut body);
            under(&mut text, head, &body);
        }
        for fault in &self.faults {
            fault.write(&mut text);
        }
        for client in &self.clients {
            text += "\n[[client]]\n";
            differences(&mut text, NAMES, "", sections::CLIENT, client, &Client::default());
        }
        text
    }

    /// The scenario.
    ///
    /// # Errors
    /// The errors that the same scenario would have in a file, each with its position in the text of
    /// [`ScenarioBuilder::to_toml`].
    pub fn build(self) -> Result<Scenario, ScenarioErrors> {
        let mut scenario = Scenario::parse(&self.name, &self.to_toml())?;
        scenario.own = self.own;
        Ok(scenario)
    }
}

/// Writes a section, unless it has no fields.
fn under(text: &mut String, head: &str, body: &str) {
    if !body.is_empty() {
        write!(text, "\n{head}\n{body}").expect("a string takes any text");
    }
}

/// A title, turned into a file name.
fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.map(str::to_lowercase).collect::<Vec<_>>().join("-");
    if name.is_empty() { "scenario".to_string() } else { name }
}

/// One of the workloads of this crate, for a scenario that is built in code. `docs/scenarios.md` lists them
/// with their fields.
#[derive(Clone, Debug)]
pub struct NamedWorkload {
    /// Fields of `[workload]`, with their values as TOML text.
    fields: Vec<(String, String)>,
    /// Kinds of operations, with their weights.
    mix: Vec<(String, u32)>,
}

impl NamedWorkload {
    /// The workload of this name, such as `mixed`, `register` or `kubernetes`.
    pub fn new(name: &str) -> NamedWorkload {
        NamedWorkload { fields: vec![("name".into(), quote(name))], mix: Vec::new() }
    }

    /// How many clients. Left out: 5.
    #[must_use]
    pub fn clients(self, clients: impl Into<Open<u32>>) -> NamedWorkload {
        self.set("clients", &toml(&clients.into()))
    }

    /// Operations a second of all clients together. Left out: 20.
    #[must_use]
    pub fn rate(self, a_second: u32) -> NamedWorkload {
        self.set("rate", &quote(&format!("{a_second}/s")))
    }

    /// Every client sends this many operations, each as soon as the one before is answered.
    #[must_use]
    pub fn unthrottled(self, operations: impl Into<Open<u64>>) -> NamedWorkload {
        self.set("rate", "\"unthrottled\"").set("operations", &toml(&operations.into()))
    }

    /// How many keys; few keys cause conflicts. Left out: 5.
    #[must_use]
    pub fn keys(self, keys: impl Into<Open<u32>>) -> NamedWorkload {
        self.set("keys", &toml(&keys.into()))
    }

    /// Length of a value in bytes, drawn for each.
    #[must_use]
    pub fn value_bytes(self, bytes: Spread) -> NamedWorkload {
        let key = crate::workload::WORKLOAD.iter().find(|field| field.key.name == "value-bytes");
        let form = key.expect("the workload's table has the length of values").key.form;
        self.set("value-bytes", &print(NAMES, form, &crate::choice::Value::Spread(bytes)))
    }

    /// How long a client waits for an answer, drawn for each. Left out: 2 s.
    #[must_use]
    pub fn timeout(self, timeout: impl Into<Open<Duration>>) -> NamedWorkload {
        self.set("timeout", &toml(&timeout.into()))
    }

    /// The weight of a kind of operation in the workload `mixed`. As soon as one kind is named, the others
    /// are left out.
    #[must_use]
    pub fn mix(mut self, operation: &str, weight: u32) -> NamedWorkload {
        self.mix.push((operation.to_string(), weight));
        self
    }

    /// Any field of `[workload]`, with its value as in a file: `.set("endpoints", r#""one""#)`.
    #[must_use]
    pub fn set(mut self, field: &str, toml: &str) -> NamedWorkload {
        self.fields.retain(|(name, _)| name != field);
        self.fields.push((field.to_string(), toml.to_string()));
        self
    }

    fn write(&self, text: &mut String) {
        *text += "\n[workload]\n";
        for (name, value) in &self.fields {
            line(text, name, value);
        }
        if !self.mix.is_empty() {
            *text += "\n[workload.mix]\n";
            for (name, weight) in &self.mix {
                line(text, name, &weight.to_string());
            }
        }
    }
}

/// A fault of a scenario that is built in code: kind, target, time and duration.
#[derive(Clone, Debug)]
pub struct ScenarioFault {
    /// The kind, with the fields that only this kind has.
    kind: FaultKind,
    /// The fields that faults of all kinds have, such as target and times.
    frame: Lines,
}

impl ScenarioFault {
    /// A fault of this kind. It needs a time ([`at`](ScenarioFault::at), [`every`](ScenarioFault::every),
    /// [`about_every`](ScenarioFault::about_every) or [`when`](ScenarioFault::when)) and, unless its kind has
    /// none, a target ([`on`](ScenarioFault::on)).
    pub fn new(kind: impl Into<FaultKind>) -> ScenarioFault {
        ScenarioFault { kind: kind.into(), frame: Lines::default() }
    }

    fn set<T: Written>(mut self, name: &'static str, value: impl Into<Open<T>>) -> ScenarioFault {
        self.frame.set(name, toml(&value.into()));
        self
    }

    /// The target of the fault: a [`Target`](crate::Target), or a [`Who`] where the seed decides once for the
    /// whole run.
    #[must_use]
    pub fn on(self, target: impl Into<Open<Who>>) -> ScenarioFault {
        self.set("target", target)
    }

    /// When it strikes, since the start of the run.
    #[must_use]
    pub fn at(self, time: impl Into<Open<Duration>>) -> ScenarioFault {
        self.set("at", time)
    }

    /// Strikes repeatedly; each gap is drawn separately. At least 1 ms.
    #[must_use]
    pub fn every(self, gap: impl Into<Open<Duration>>) -> ScenarioFault {
        self.set("every", gap)
    }

    /// Strikes repeatedly; the mean gap is drawn once per run, the gaps are exponentially distributed.
    #[must_use]
    pub fn about_every(self, mean: impl Into<Open<Duration>>) -> ScenarioFault {
        self.set("about-every", mean)
    }

    /// How many times at most; 1 to 1,000.
    #[must_use]
    pub fn times(self, times: impl Into<Open<u32>>) -> ScenarioFault {
        self.set("times", times)
    }

    /// Strikes when this comes true.
    #[must_use]
    pub fn when(self, condition: Condition) -> ScenarioFault {
        self.set("when", condition)
    }

    /// Time between the condition and the fault.
    #[must_use]
    pub fn after(self, delay: impl Into<Open<Duration>>) -> ScenarioFault {
        self.set("after", delay)
    }

    /// Not before this time.
    #[must_use]
    pub fn from(self, time: impl Into<Open<Duration>>) -> ScenarioFault {
        self.set("from", time)
    }

    /// Not after this time. Left out: the end of the chaos phase.
    #[must_use]
    pub fn until(self, time: impl Into<Open<Duration>>) -> ScenarioFault {
        self.set("until", time)
    }

    /// How long it lasts; for a crash or a power loss, the time until the restart. Left out: to the end of the
    /// chaos phase.
    #[must_use]
    pub fn lasting(self, time: impl Into<Open<Duration>>) -> ScenarioFault {
        self.set("for", time)
    }

    /// The probability that the fault is part of a run.
    #[must_use]
    pub fn chance(self, chance: Ratio) -> ScenarioFault {
        self.set("chance", chance)
    }

    /// The fault's name in the draws of the seed. Left out: its kind.
    #[must_use]
    pub fn name(mut self, name: &str) -> ScenarioFault {
        self.frame.set("name", quote(name));
        self
    }

    fn write(&self, text: &mut String) {
        let kind: &Kind = self.kind.kind();
        *text += "\n[[fault]]\n";
        line(text, "kind", &quote(kind.name));
        self.frame.write(text);
        // All fields of a link are written, because those left out would be those of the scenario's network.
        let usual = (kind.new)(Usual { link: Link::default(), point: NAMES.usual_point });
        let is_link = matches!(self.kind, FaultKind::Network(NetworkFault::Link { .. }));
        fault_fields(text, NAMES, &self.kind, (!is_link).then_some(&usual));
    }
}
