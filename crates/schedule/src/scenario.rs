//! A scenario: the contents of a scenario file after it was read and checked. Ranges and choices are still
//! open.

use std::fmt;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::choice::{Choice, Value};
use crate::field::{Form, Key, Section, keys};
use crate::kinds::{Kind, Shape, shapes};
use crate::mistakes::{Mistake, ScenarioErrors, suggest};
use crate::own::Own;
use crate::part::{OwnSection, OwnSections, Part};
use crate::read::{Node, Reader};
use crate::{Plan, check, sections};

/// A scenario file. [`Scenario::expand`] makes a [`Plan`] from it and a seed.
pub struct Scenario<P: Part> {
    /// The file's name, as given.
    pub name: String,
    /// What it is about, in a few words.
    pub title: String,
    /// The comment at the top of the file: what it tests, and where the idea comes from.
    pub about: String,
    pub(crate) sections: Sections,
    /// Workloads that no file contains.
    pub(crate) own: Vec<Own<P>>,
}

/// The sections of a file.
#[derive(Clone, Debug)]
pub(crate) struct Sections {
    /// The fields outside any section.
    pub top: Section,
    pub cluster: Section,
    pub network: Section,
    /// `[network.peers]`
    pub peers: Section,
    /// `[network.clients]`
    pub client_links: Section,
    pub disk: Section,
    pub clocks: Section,
    /// The sections of the nodes' part.
    pub own: OwnSections,
    pub clients: Vec<Section>,
    pub faults: Vec<FaultEntry>,
    pub noise: Vec<Section>,
    pub run: Section,
    pub expect: Section,
    pub swarm: Option<Section>,
}

impl<P: Part> Clone for Scenario<P> {
    fn clone(&self) -> Scenario<P> {
        Scenario {
            name: self.name.clone(),
            title: self.title.clone(),
            about: self.about.clone(),
            sections: self.sections.clone(),
            own: self.own.clone(),
        }
    }
}

impl<P: Part> fmt::Debug for Scenario<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scenario { name, title, about, sections, own } = self;
        f.debug_struct("Scenario")
            .field("name", name)
            .field("title", title)
            .field("about", about)
            .field("sections", sections)
            .field("own", own)
            .finish()
    }
}

/// One `[[fault]]`.
#[derive(Clone, Debug)]
pub(crate) struct FaultEntry {
    pub kind: &'static Kind,
    /// Whether faults of its kind have another end, the field `to`.
    pub has_to: bool,
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
pub enum Source<P: Part> {
    /// A scenario.
    Scenario(Box<Scenario<P>>),
    /// A plan.
    Plan(Box<Plan<P>>),
}

impl<P: Part> Source<P> {
    /// Reads a file. `Err` holds every mistake that was found.
    pub fn load(path: &std::path::Path) -> Result<Source<P>, ScenarioErrors> {
        let name = path.to_string_lossy();
        let bytes =
            std::fs::read(path).map_err(|error| ScenarioErrors::unreadable(&name, &error.to_string()))?;
        match String::from_utf8(bytes) {
            Ok(text) => Source::parse(&name, &text),
            Err(_) => Err(ScenarioErrors::unreadable(&name, "it is not UTF-8 text")),
        }
    }

    /// Reads the text of a file with this name.
    pub fn parse(name: &str, text: &str) -> Result<Source<P>, ScenarioErrors> {
        let (scenario, seed) = read(name, text)?;
        Ok(match seed {
            Some(seed) => Source::Plan(Box::new(scenario.expand(seed))),
            None => Source::Scenario(Box::new(scenario)),
        })
    }
}

impl<P: Part> Scenario<P> {
    /// Reads a scenario. `name` is the file, for messages.
    pub fn parse(name: &str, text: &str) -> Result<Scenario<P>, ScenarioErrors> {
        match read::<P>(name, text)? {
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

impl<P: Part> Plan<P> {
    /// Reads a plan: what [`Plan::to_toml`] writes, or the same written by hand.
    pub fn parse(name: &str, text: &str) -> Result<Plan<P>, ScenarioErrors> {
        match read::<P>(name, text)? {
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
fn read<P: Part>(name: &str, text: &str) -> Result<(Scenario<P>, Option<u64>), ScenarioErrors> {
    let root = parse(name, text)?;
    let mut reader = Reader::new(P::NAMES, root.contains_key("seed"));
    let (title, sections) = reader.file(&Format::of::<P>(), &root);
    let seed = reader.plan.then(|| sections.top.choice("seed").map_or(0, |seed| seed.bounds().0 as u64));
    check::check::<P>(&mut reader, &sections, text);
    reader.end(name, text)?;
    let (name, about) = (name.to_string(), head_comment(text));
    Ok((Scenario { name, title, about, sections, own: Vec::new() }, seed))
}

/// The tables of a file. It is a mistake if it is not TOML.
fn parse<'a>(name: &str, text: &'a str) -> Result<DeTable<'a>, ScenarioErrors> {
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(root.into_inner());
    }
    let mistakes = errors.iter().map(|error| {
        let span = within(error.span().unwrap_or(0..0), text);
        Mistake::at(span, format!("not TOML: {}", error.message()), "here")
            .help("the format is described in docs/scenarios.md")
    });
    Err(ScenarioErrors::new(name, text, mistakes.collect()))
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

/// What a file may contain, without the types of the part.
struct Format {
    cluster: Vec<&'static Key>,
    own: &'static [OwnSection],
    client: Vec<&'static Key>,
    kinds: Vec<Shape>,
    has_swarm: fn() -> bool,
}

impl Format {
    fn of<P: Part>() -> Format {
        Format {
            cluster: keys(sections::MEMBERS).chain(keys(P::settings())).collect(),
            own: P::SECTIONS,
            client: keys(P::client()).collect(),
            kinds: shapes::<P::Task>(P::NAMES),
            has_swarm: || P::swarm().is_some(),
        }
    }

    /// The sections of a file, in addition to its own fields.
    fn sections(&self) -> Vec<&'static str> {
        let own = self.own.iter().map(OwnSection::name);
        let first = ["cluster", "network", "disk", "clocks"];
        first.into_iter().chain(own).chain(["client", "fault", "noise", "run", "expect", "swarm"]).collect()
    }
}

impl Reader {
    /// Reads all sections of a file, and its title.
    fn file(&mut self, format: &Format, root: &DeTable<'_>) -> (String, Sections) {
        let top = self.section(root, keys(sections::TOP), "a scenario", &format.sections());
        let title = self.title(&top, root);
        let (network, peers, client_links) = self.network(root);
        let own = self.own(format, root);
        let sections = Sections {
            cluster: self.named_section(root, "cluster", format.cluster.iter().copied()),
            network,
            peers,
            client_links,
            disk: self.named_section(root, "disk", keys(sections::DISK)),
            clocks: self.named_section(root, "clocks", keys(sections::CLOCKS)),
            own,
            clients: self.clients(format, root),
            faults: self.faults(format, root),
            noise: self.noise(root),
            run: self.named_section(root, "run", keys(sections::RUN)),
            expect: self.named_section(root, "expect", keys(sections::EXPECT)),
            swarm: self.swarm(format, root),
            top,
        };
        (title, sections)
    }

    /// All mistakes, if there are any.
    fn end(self, name: &str, text: &str) -> Result<(), ScenarioErrors> {
        if self.mistakes.is_empty() {
            return Ok(());
        }
        let mut mistakes = self.mistakes;
        for mistake in &mut mistakes {
            mistake.span = mistake.span.take().map(|span| within(span, text));
        }
        Err(ScenarioErrors::new(name, text, mistakes))
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
    fn named_section(
        &mut self,
        root: &DeTable<'_>,
        name: &str,
        keys: impl Iterator<Item = &'static Key> + Clone,
    ) -> Section {
        let what = format!("[{name}]");
        let table = root.get(name).and_then(|node| self.table(node, &what));
        table.map_or(Section::default(), |table| self.section(table, keys, &what, &[]))
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

    /// Reads the part's own sections, and the sections inside them.
    fn own(&mut self, format: &Format, root: &DeTable<'_>) -> OwnSections {
        let mut own = OwnSections::default();
        for section in format.own {
            let Some((key, node)) = root.get_key_value(section.path) else { continue };
            let what = format!("[{}]", section.path);
            if self.plan {
                let help = "list what each client does under `[[client]]`; `etcdsim plan` does so";
                self.report(key.span(), format!("a plan has no {what}"), "left to the seed", help);
                continue;
            }
            let Some(table) = self.table(node, &what) else { continue };
            let inner: Vec<&str> = section.inner.iter().map(OwnSection::name).collect();
            own.0.push((section.path, self.section(table, (section.keys)().into_iter(), &what, &inner)));
            for inner in section.inner {
                let what = format!("[{}]", inner.path);
                if let Some(table) = table.get(inner.name()).and_then(|node| self.table(node, &what)) {
                    own.0.push((inner.path, self.section(table, (inner.keys)().into_iter(), &what, &[])));
                }
            }
        }
        own
    }

    /// Reads `[swarm]`.
    fn swarm(&mut self, format: &Format, root: &DeTable<'_>) -> Option<Section> {
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
        if !(format.has_swarm)() {
            self.report(key.span(), "these nodes have no swarm", "does not exist", "list each fault");
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
    fn clients(&mut self, format: &Format, root: &DeTable<'_>) -> Vec<Section> {
        let operations = format.client.iter().find(|key| matches!(key.form, Form::Operations { .. }));
        let operations = operations.map_or("operations", |key| key.name);
        let mut clients = Vec::new();
        for (span, table) in self.tables(root, "client") {
            let client = self.section(table, format.client.iter().copied(), "[[client]]", &[]);
            let idle = match client.find(operations) {
                Some(set) => matches!(&set.choice, Choice::Fixed(Value::Lines(lines)) if lines.is_empty())
                    .then(|| set.span.clone()),
                None => (!client.is_unread(operations)).then_some(span),
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
    fn faults(&mut self, format: &Format, root: &DeTable<'_>) -> Vec<FaultEntry> {
        let mut faults: Vec<FaultEntry> = Vec::new();
        for (span, table) in self.tables(root, "fault") {
            let Some(shape) = self.kind(format, &span, table) else { continue };
            let (kind, keys) = (shape.kind, &shape.keys);
            let what = format!("the fault `{}`", kind.name);
            let frame = sections::FAULT.iter().filter(|key| key.name != "kind");
            // Both lists are read together, so that the message about an unknown name can suggest any of their
            // names.
            let all = self.section(table, frame.chain(keys.iter().copied()), &what, &["kind"]);
            let of_kind = |name: &str| keys.iter().any(|key| key.name == name);
            let (fields, frame) = all.sets.into_iter().partition(|set| of_kind(set.name));
            let (unread, frame_unread) = all.unread.into_iter().partition(|name| of_kind(name));
            let fields = Section { sets: fields, unread };
            let frame = Section { sets: frame, unread: frame_unread };
            let name =
                table.get("name").and_then(|name| name.get_ref().as_str()).unwrap_or(kind.name).to_string();
            let nth = faults.iter().filter(|fault| fault.name == name).count() as u64;
            faults.push(FaultEntry { kind, has_to: of_kind("to"), name, nth, frame, fields, span });
        }
        faults
    }

    /// Reads all `[[noise]]`.
    fn noise(&mut self, root: &DeTable<'_>) -> Vec<Section> {
        let mut noise: Vec<Section> = Vec::new();
        for (span, table) in self.tables(root, "noise") {
            if !self.plan {
                let help =
                    "every seed draws everything anew; for one seed, make a plan of it with `etcdsim plan`";
                self.report(span, "a scenario has no `[[noise]]`", "only in plans", help);
                continue;
            }
            let section = self.section(table, keys(sections::NOISE), "[[noise]]", &[]);
            for name in ["from", "key"].into_iter().filter(|name| !section.has(name)) {
                let help = "write it as `from = \"12s\"` and `key = 7`";
                self.report(span.clone(), format!("the noise has no `{name}`"), "incomplete", help);
            }
            let from = |section: &Section| section.choice("from").map(Choice::bounds);
            let before = noise.last().and_then(from);
            if let (Some(before), Some(set)) = (before, section.find("from"))
                && set.choice.bounds() <= before
            {
                let help = "list them in the order of time, each with a time of its own";
                self.report(set.span.clone(), "the previous noise begins no earlier", "out of order", help);
            }
            noise.push(section);
        }
        noise
    }

    /// Reads the kind of a fault.
    fn kind<'f>(
        &mut self,
        format: &'f Format,
        span: &Range<usize>,
        table: &DeTable<'_>,
    ) -> Option<&'f Shape> {
        let names = || format.kinds.iter().map(|shape| shape.kind.name);
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
        let found = format.kinds.iter().find(|shape| shape.kind.name == name);
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
