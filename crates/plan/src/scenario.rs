//! A scenario: the contents of a scenario file after it was read and checked. Ranges and choices are still
//! open.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::choice::{Choice, Value};
use crate::field::{Field, Key, Section};
use crate::kinds::{Kind, kind, kinds};
use crate::mistakes::{Mistake, ScenarioErrors, suggest};
use crate::own::Own;
use crate::read::{Node, Reader};
use crate::workload::{MIX, WORKLOAD};
use crate::{NAMES, Plan, check, sections};

/// A scenario file. [`Scenario::expand`] makes a [`Plan`] from it and a seed.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file's name, as given.
    pub name: String,
    /// What it is about, in a few words.
    pub title: String,
    /// The comment at the top of the file: what it tests, and where the idea comes from.
    pub about: String,
    // The sections of the file.
    /// The fields outside any section.
    pub(crate) top: Section,
    pub(crate) cluster: Section,
    pub(crate) network: Section,
    /// `[network.peers]`
    pub(crate) peers: Section,
    /// `[network.clients]`
    pub(crate) client_links: Section,
    pub(crate) disk: Section,
    pub(crate) clocks: Section,
    pub(crate) workload: Option<Section>,
    /// `[workload.mix]`
    pub(crate) mix: Option<Section>,
    pub(crate) clients: Vec<Section>,
    pub(crate) faults: Vec<FaultEntry>,
    pub(crate) run: Section,
    pub(crate) expect: Section,
    pub(crate) swarm: Option<Section>,
    /// Workloads that no file contains.
    pub(crate) own: Vec<Own>,
}

/// One `[[fault]]`.
#[derive(Clone, Debug)]
pub(crate) struct FaultEntry {
    pub kind: &'static Kind,
    /// Identifies it in the draws of the seed, together with `nth`.
    pub name: String,
    /// How many faults with the same name come before it.
    pub nth: u64,
    /// The fields that faults of all kinds have: target and times.
    pub frame: Section,
    /// The fields that only faults of its kind have.
    pub fields: Section,
    /// Its position in the file, in bytes.
    pub span: Range<usize>,
}

/// A file that can be run: a scenario, which needs a seed, or a plan, which has one.
#[derive(Clone, Debug)]
pub enum Source {
    /// A scenario.
    Scenario(Box<Scenario>),
    /// A plan.
    Plan(Box<Plan>),
}

impl Source {
    /// Reads a file. `Err` holds every mistake that was found.
    pub fn load(path: &std::path::Path) -> Result<Source, ScenarioErrors> {
        let name = path.to_string_lossy();
        let bytes =
            std::fs::read(path).map_err(|error| ScenarioErrors::unreadable(&name, &error.to_string()))?;
        match String::from_utf8(bytes) {
            Ok(text) => Source::parse(&name, &text),
            Err(_) => Err(ScenarioErrors::unreadable(&name, "it is not UTF-8 text")),
        }
    }

    /// Reads the text of a file with this name.
    pub fn parse(name: &str, text: &str) -> Result<Source, ScenarioErrors> {
        let (scenario, seed) = read(name, text)?;
        Ok(match seed {
            Some(seed) => Source::Plan(Box::new(scenario.expand(seed))),
            None => Source::Scenario(Box::new(scenario)),
        })
    }
}

impl Scenario {
    /// Reads a scenario. `name` is the file, for messages.
    pub fn parse(name: &str, text: &str) -> Result<Scenario, ScenarioErrors> {
        match read(name, text)? {
            (scenario, None) => Ok(scenario),
            (_, Some(_)) => {
                let mistake =
                    Mistake::at(0..0, "this is a plan, but a scenario was expected", "it has a `seed`");
                Err(ScenarioErrors::new(
                    name,
                    text,
                    vec![mistake.help("remove the `seed`, or replay it as it is")],
                ))
            }
        }
    }
}

impl Plan {
    /// Reads a plan: what [`Plan::to_toml`] writes, or the same written by hand.
    pub fn parse(name: &str, text: &str) -> Result<Plan, ScenarioErrors> {
        match read(name, text)? {
            (scenario, Some(seed)) => Ok(scenario.expand(seed)),
            (_, None) => {
                let mistake =
                    Mistake::at(0..0, "this is a scenario, but a plan was expected", "it has no `seed`");
                Err(ScenarioErrors::new(
                    name,
                    text,
                    vec![mistake.help("turn it into a plan with a seed: `etcdsim plan`")],
                ))
            }
        }
    }
}

/// Reads a file; returns the seed if it is a plan.
fn read(name: &str, text: &str) -> Result<(Scenario, Option<u64>), ScenarioErrors> {
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let mistakes = errors.iter().map(|error| {
            let span = within(error.span().unwrap_or(0..0), text);
            Mistake::at(span, format!("not TOML: {}", error.message()), "here")
                .help("the format is described in docs/scenarios.md")
        });
        return Err(ScenarioErrors::new(name, text, mistakes.collect()));
    }
    let mut reader = Reader::new(NAMES, root.get_ref().contains_key("seed"));
    let scenario = reader.file(name, text, root.get_ref());
    let seed = reader.plan.then(|| scenario.top.choice("seed").map_or(0, |seed| seed.bounds().0 as u64));
    check::check(&mut reader, &scenario, text);
    if reader.mistakes.is_empty() {
        Ok((scenario, seed))
    } else {
        for mistake in &mut reader.mistakes {
            mistake.span = mistake.span.take().map(|span| within(span, text));
        }
        Err(ScenarioErrors::new(name, text, reader.mistakes))
    }
}

/// A position, cut so that it lies within the text.
fn within(span: Range<usize>, text: &str) -> Range<usize> {
    let end = span.end.min(text.len());
    span.start.min(end)..end
}

/// The comment at the top of a file, without the comment marks and without directives for an editor.
fn head_comment(text: &str) -> String {
    let comments =
        text.lines().take_while(|line| line.starts_with('#')).filter(|line| !line.starts_with("#:"));
    comments.map(|line| line.trim_start_matches('#').trim()).collect::<Vec<_>>().join("\n")
}

/// The keys of a table of fields.
fn keys<T>(fields: &'static [Field<T>]) -> impl Iterator<Item = &'static Key> + Clone {
    fields.iter().map(|field| &field.key)
}

/// The sections of a file, in addition to its own fields.
pub(crate) const SECTIONS: &[&str] =
    &["cluster", "network", "disk", "clocks", "workload", "client", "fault", "run", "expect", "swarm"];

impl Reader {
    /// Reads all sections of a file.
    fn file(&mut self, name: &str, text: &str, root: &DeTable<'_>) -> Scenario {
        let top = self.section(root, keys(sections::TOP), "a scenario", SECTIONS);
        let title = self.title(&top, root);
        let (network, peers, client_links) = self.network(root);
        let (workload, mix) = self.workload(root);
        Scenario {
            name: name.to_string(),
            title,
            about: head_comment(text),
            cluster: self.named_section(root, "cluster", &sections::CLUSTER),
            network,
            peers,
            client_links,
            disk: self.named_section(root, "disk", sections::DISK),
            clocks: self.named_section(root, "clocks", sections::CLOCKS),
            workload,
            mix,
            clients: self.clients(root),
            faults: self.faults(root),
            run: self.named_section(root, "run", sections::RUN),
            expect: self.named_section(root, "expect", sections::EXPECT),
            swarm: self.swarm(root),
            own: Vec::new(),
            top,
        }
    }

    /// The title. It is a mistake if there is none.
    fn title(&mut self, top: &Section, root: &DeTable<'_>) -> String {
        match root.get("title").and_then(|title| title.get_ref().as_str()) {
            Some(title) => title.to_string(),
            None => {
                if !top.has("title") {
                    self.report(
                        0..0,
                        "the file has no title",
                        "expected `title = \"…\"`",
                        "say in a few words what the scenario is about",
                    );
                }
                String::new()
            }
        }
    }

    /// Reads the section `[name]`.
    fn named_section<T>(&mut self, root: &DeTable<'_>, name: &str, fields: &'static [Field<T>]) -> Section {
        let what = format!("[{name}]");
        let table = root.get(name).and_then(|node| self.table(node, &what));
        table.map_or(Section::default(), |table| self.section(table, keys(fields), &what, &[]))
    }

    /// Reads `[network]`: its own fields, and the links of members and of clients.
    fn network(&mut self, root: &DeTable<'_>) -> (Section, Section, Section) {
        let Some(table) = root.get("network").and_then(|node| self.table(node, "[network]")) else {
            return <(Section, Section, Section)>::default();
        };
        let network = self.section(table, keys(sections::NETWORK), "[network]", &["peers", "clients"]);
        let mut link = |name: &str, what: &str| {
            let table = table.get(name).and_then(|node| self.table(node, what));
            table.map_or(Section::default(), |table| self.section(table, keys(sections::LINK), what, &[]))
        };
        let peers = link("peers", "[network.peers]");
        (network, peers, link("clients", "[network.clients]"))
    }

    /// Reads `[workload]`: its own fields and the mix.
    fn workload(&mut self, root: &DeTable<'_>) -> (Option<Section>, Option<Section>) {
        let Some(node) = root.get_key_value("workload") else { return (None, None) };
        if self.plan {
            let help = "list what each client does under `[[client]]`; `etcdsim plan` does so";
            self.report(node.0.span(), "a plan has no [workload]", "left to the seed", help);
            return (None, None);
        }
        let Some(table) = self.table(node.1, "[workload]") else { return (None, None) };
        let workload = self.section(table, keys(WORKLOAD), "[workload]", &["mix"]);
        let mix = table.get("mix").and_then(|node| self.table(node, "[workload.mix]"));
        let mix = mix.map(|table| self.section(table, keys(MIX), "[workload.mix]", &[]));
        (Some(workload), mix)
    }

    /// Reads `[swarm]`.
    fn swarm(&mut self, root: &DeTable<'_>) -> Option<Section> {
        let (key, node) = root.get_key_value("swarm")?;
        if self.plan {
            self.report(
                key.span(),
                "a plan has no swarm",
                "left to the seed",
                "list each fault; `etcdsim plan` does so",
            );
            return None;
        }
        match node.get_ref() {
            DeValue::Boolean(on) => on.then(Section::default),
            _ => {
                let table = self.table(node, "[swarm]")?;
                Some(self.section(table, keys(sections::SWARM), "[swarm]", &[]))
            }
        }
    }

    /// The tables of `[[name]]`.
    fn tables<'a, 'b>(&mut self, root: &'b DeTable<'a>, name: &str) -> Vec<(Range<usize>, &'b DeTable<'a>)> {
        let Some(node) = root.get(name) else { return Vec::new() };
        let Some(items) = node.get_ref().as_array() else {
            let help = format!("write it as `[[{name}]]` on a line of its own, with its fields below");
            self.report(
                node.span(),
                format!("`{name}` is a list of tables"),
                "expected a list of tables",
                help,
            );
            return Vec::new();
        };
        let what = format!("[[{name}]]");
        items.iter().filter_map(|item: &Node<'a>| Some((item.span(), self.table(item, &what)?))).collect()
    }

    /// Reads all `[[client]]`.
    fn clients(&mut self, root: &DeTable<'_>) -> Vec<Section> {
        let mut clients = Vec::new();
        for (span, table) in self.tables(root, "client") {
            let client = self.section(table, keys(sections::CLIENT), "[[client]]", &[]);
            let idle = match client.find("operations") {
                Some(set) => matches!(&set.choice, Choice::Fixed(Value::Lines(lines)) if lines.is_empty())
                    .then(|| set.span.clone()),
                None => (!client.is_unread("operations")).then_some(span),
            };
            // A plan that was shortened may have such clients.
            if let Some(span) = idle.filter(|_| !self.plan) {
                let help =
                    "list what it does in `operations`, such as `\"1s put k v\"`, or remove the client";
                self.report(span, "a client without operations", "does nothing", help);
            }
            clients.push(client);
        }
        clients
    }

    /// Reads all `[[fault]]`.
    fn faults(&mut self, root: &DeTable<'_>) -> Vec<FaultEntry> {
        let mut faults: Vec<FaultEntry> = Vec::new();
        for (span, table) in self.tables(root, "fault") {
            let Some(kind) = self.kind(&span, table) else { continue };
            let what = format!("the fault `{}`", kind.name);
            let frame = sections::FAULT.iter().filter(|key| key.name != "kind");
            // Both lists are read together, so that the message about an unknown name can suggest any of their
            // names.
            let all = self.section(
                table,
                frame.chain(kind.fields.iter().map(|field| &field.key)),
                &what,
                &["kind"],
            );
            let of_kind = |name: &str| kind.fields.iter().any(|field| field.key.name == name);
            let (fields, frame) = all.sets.into_iter().partition(|set| of_kind(set.name));
            let (unread, frame_unread) = all.unread.into_iter().partition(|name| of_kind(name));
            let fields = Section { sets: fields, unread };
            let frame = Section { sets: frame, unread: frame_unread };
            let name =
                table.get("name").and_then(|name| name.get_ref().as_str()).unwrap_or(kind.name).to_string();
            let nth = faults.iter().filter(|fault| fault.name == name).count() as u64;
            faults.push(FaultEntry { kind, name, nth, frame, fields, span });
        }
        faults
    }

    /// Reads the kind of a fault.
    fn kind(&mut self, span: &Range<usize>, table: &DeTable<'_>) -> Option<&'static Kind> {
        let names = || kinds().map(|kind| kind.name);
        let Some(node) = table.get("kind") else {
            self.report(
                span.clone(),
                "the fault has no kind",
                "expected `kind = \"…\"`",
                format!("one of {}", names().collect::<Vec<_>>().join(", ")),
            );
            return None;
        };
        let name = node.get_ref().as_str().unwrap_or("");
        let found = kind(name);
        if found.is_none() {
            let message = if name.is_empty() {
                "`kind` is a word".to_string()
            } else {
                format!("there is no fault {name:?}")
            };
            self.report(node.span(), message, "unknown kind", suggest(name, names().collect::<Vec<_>>()));
        }
        found
    }
}

impl FaultEntry {
    /// The smallest and the largest value of one of its times, if that is set.
    pub fn time(&self, name: &str) -> Option<(i128, i128)> {
        self.frame.choice(name).map(Choice::bounds)
    }

    /// The position of a field, or of the fault.
    pub fn place(&self, name: &str) -> Range<usize> {
        self.frame.find(name).map_or(self.span.clone(), |set| set.span.clone())
    }
}
