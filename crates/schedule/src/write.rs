//! Writes a plan as a TOML file. [`Plan::parse`] reads it back as the same plan.
//!
//! Plans and scenarios have the same file format. It consists of sections such as `[network]`. `sections.rs` and the
//! nodes' part have a table of the fields ([`Field`]) of each section; this file goes through these tables and writes
//! one line for each field. Other files use parts of it to print a scenario that was built in code.

use std::fmt::Write;

use trace::Nanos;

use crate::choice::{Value, Who};
use crate::expand::{ends_at_client, put_in_order};
use crate::field::{Field, Form, Key, Names};
use crate::kinds::{Kinds, Usual};
use crate::part::Part;
use crate::sections::{self, Top};
use crate::units::Unit;
use crate::words::{print_condition, print_target};
use crate::{Fault, FaultKind, Plan, Spread, Trigger};

impl<P: Part> Plan<P> {
    /// The plan as a file from which [`Plan::parse`] reads the same plan.
    pub fn to_toml(&self) -> String {
        let mut file = Writer::new(P::NAMES);
        let (title, scenario) = (self.title.clone(), self.scenario.clone());
        let top = Top { title, scenario, seed: self.seed, flaws: self.flaws.clone() };
        file.section("", sections::TOP, &top);
        file.section("[cluster]", sections::MEMBERS, &self.cluster.members);
        file.section("", P::settings(), &self.cluster.settings);
        file.section("[network]", sections::NETWORK, &self.network);
        file.section("[network.peers]", sections::LINK, &self.network.peers);
        file.section("[network.clients]", sections::LINK, &self.network.clients);
        file.section("[disk]", sections::DISK, &self.disk);
        file.section("[run]", sections::RUN, &self.phases);
        file.section("[expect]", sections::EXPECT, &self.expect);
        for fault in &self.faults {
            // A fault of network links need not name all fields of a link. A field that it leaves out keeps the value
            // that the section `[network.peers]` or `[network.clients]` gives it, so only the others are written.
            let ends_at_client = ends_at_client(&fault.target, &fault.kind);
            let link = if ends_at_client { self.network.clients } else { self.network.peers };
            file.fault(fault, Usual { link, point: P::NAMES.usual_point });
        }
        for noise in &self.noise {
            file.section("[[noise]]", sections::NOISE, noise);
        }
        for client in &self.clients {
            file.section("[[client]]", P::client(), client);
        }
        file.text
    }

    /// The plan as a file without the fields that have their default values. It reads back as the same plan as long as
    /// the defaults do not change.
    pub fn to_short_toml(&self) -> String {
        let mut file = Writer { short: true, ..Writer::new(P::NAMES) };
        let (title, scenario) = (self.title.clone(), self.scenario.clone());
        let top = Top { title, scenario, seed: self.seed, flaws: self.flaws.clone() };
        let usual = Plan::<P>::default();
        file.section("", sections::TOP, &top);
        let mut cluster = Writer::new(P::NAMES);
        cluster.section("", sections::MEMBERS, &self.cluster.members);
        cluster.differences("", P::settings(), &self.cluster.settings, &usual.cluster.settings);
        file.under("[cluster]", &cluster.text);
        file.differences("[network]", sections::NETWORK, &self.network, &usual.network);
        file.differences("[network.peers]", sections::LINK, &self.network.peers, &usual.network.peers);
        file.differences("[network.clients]", sections::LINK, &self.network.clients, &usual.network.clients);
        file.differences("[disk]", sections::DISK, &self.disk, &usual.disk);
        file.differences("[run]", sections::RUN, &self.phases, &usual.phases);
        file.differences("[expect]", sections::EXPECT, &self.expect, &usual.expect);
        for fault in &self.faults {
            let ends_at_client = ends_at_client(&fault.target, &fault.kind);
            let link = if ends_at_client { self.network.clients } else { self.network.peers };
            file.fault(fault, Usual { link, point: P::NAMES.usual_point });
        }
        for noise in &self.noise {
            file.section("[[noise]]", sections::NOISE, noise);
        }
        for client in &self.clients {
            file.head("[[client]]");
            file.differences("", P::client(), client, &P::Client::default());
        }
        file.text
    }
}

impl<P: Part> Plan<P> {
    /// The plan with its faults in the order that reading its file gives them. Call this after changing their times.
    #[must_use]
    pub fn in_order(mut self) -> Plan<P> {
        put_in_order(&mut self.faults);
        self
    }

    /// What a fault of the plan has besides its kind, its target and its times, as the file says it: the fields that
    /// differ from their defaults, or all fields if none differs. Empty for a kind without fields.
    pub fn values_of(&self, fault: &Fault<P::Task>) -> String {
        let ends_at_client = ends_at_client(&fault.target, &fault.kind);
        let link = if ends_at_client { self.network.clients } else { self.network.peers };
        let written = |usual| {
            let mut file = Writer { short: true, ..Writer::new(P::NAMES) };
            file.fault_fields(&fault.kind, usual);
            file.text
        };
        let unusual = written(Some(Usual { link, point: P::NAMES.usual_point }));
        let all = if unusual.is_empty() { written(None) } else { unusual };
        all.lines().collect::<Vec<_>>().join(", ")
    }
}

/// Writes the sections of a file.
pub(crate) struct Writer {
    pub text: String,
    names: Names,
    /// Whether times of a fault that are 0 are left out.
    short: bool,
}

impl Writer {
    /// An empty file of nodes with these names.
    pub fn new(names: Names) -> Writer {
        Writer { text: String::new(), names, short: false }
    }

    /// Writes one field as a line of TOML.
    pub fn line(&mut self, name: &str, value: &str) {
        writeln!(self.text, "{name} = {value}").expect("a string takes any text");
    }

    /// Writes the first line of a section, unless the section is the top of the file.
    pub fn head(&mut self, head: &str) {
        if !head.is_empty() {
            writeln!(self.text, "\n{head}").expect("a string takes any text");
        }
    }

    /// Writes a section with all fields of `it`. `head` is its first line, such as `[network]`; empty for the fields at
    /// the top of the file, and for more fields of the section before.
    fn section<T>(&mut self, head: &str, fields: &[Field<T>], it: &T) {
        self.head(head);
        for field in fields {
            self.field(&field.key, field.get(it));
        }
    }

    /// Writes a section with the fields of `it` that differ from those of `usual`. `head` is the section's first line,
    /// such as `[network]`; it is left out if it is empty or if there are no such fields.
    pub fn differences<T>(&mut self, head: &str, fields: &[Field<T>], it: &T, usual: &T) {
        let mut body = Writer::new(self.names);
        for field in fields {
            let value = field.get(it);
            if value != field.get(usual) {
                body.field(&field.key, value);
            }
        }
        self.under(head, &body.text);
    }

    /// Writes a section with this text, unless it is empty.
    pub fn under(&mut self, head: &str, body: &str) {
        if !body.is_empty() {
            self.head(head);
            self.text.push_str(body);
        }
    }

    /// Writes the section of a fault, without those fields of its kind that have their defaults (`usual`).
    fn fault<T: Kinds>(&mut self, fault: &Fault<T>, usual: Usual) {
        let time = |nanos: Nanos| quote(&Unit::Time.print(nanos.into()));
        self.head("[[fault]]");
        self.line("kind", &quote(fault.kind.name()));
        self.line("id", &fault.id.to_string());
        match &fault.when {
            Trigger::At(at) => self.line("at", &time(*at)),
            Trigger::When { condition, from, delay } => {
                self.line("when", &quote(&print_condition(condition)));
                for (name, length) in [("from", *from), ("after", *delay)] {
                    if !self.short || length > 0 {
                        self.line(name, &time(length));
                    }
                }
            }
        }
        if let Some(duration) = fault.duration {
            self.line("for", &time(duration));
        }
        self.line("target", &quote(&print_target(&fault.target)));
        self.fault_fields(&fault.kind, Some(usual));
    }

    /// Writes the fields of a fault's kind. If `usual` is given, only those that differ from the defaults.
    pub fn fault_fields<T: Kinds>(&mut self, fault: &FaultKind<T>, usual: Option<Usual>) {
        let usual = usual.map(|usual| fault.with_defaults(usual).values());
        for (nth, (key, value)) in fault.values().into_iter().enumerate() {
            if usual.as_ref().is_none_or(|usual| value != usual[nth].1) {
                self.field(key, value);
            }
        }
    }

    /// Writes the line of a field, unless it has no value or one that is the same as leaving it out.
    fn field(&mut self, key: &Key, value: Option<Value>) {
        if let Some(value) = value.filter(|value| !is_nothing(value)) {
            self.line(key.name, &print(self.names, key.form, &value));
        }
    }
}

/// Whether a value means the same as leaving its field out.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Flaws(flaws) => flaws.is_empty(),
        _ => false,
    }
}

/// A field's value as TOML. `form` is the form of the field's values, for example a number with a unit.
pub fn print(names: Names, form: Form, value: &Value) -> String {
    match (form, value) {
        (Form::Number { zero: Some(word), .. }, Value::Number(0)) => quote(word),
        (Form::Number { unit: Unit::Count, .. }, Value::Number(number)) => number.to_string(),
        (Form::Number { unit, .. }, Value::Number(number)) => quote(&unit.print(*number)),
        (Form::Word(_) | Form::Message | Form::Point, Value::Number(number)) => {
            // A plan that was made in code may have a number without a name. The reader says that it is unknown.
            let word = names.words(form).find(|(known, _)| *known as i128 == *number);
            word.map_or_else(|| quote(&number.to_string()), |(_, word)| quote(word))
        }
        (Form::Switch, Value::Number(on)) => (*on != 0).to_string(),
        (Form::Spread { unit, .. }, Value::Spread(spread)) => print_spread(unit, spread),
        (_, Value::Text(text)) => quote(text),
        (_, Value::Who(Who::Target(target))) => quote(&print_target(target)),
        (_, Value::Members(members)) => format!("{members:?}"),
        (_, Value::Condition(condition)) => quote(&print_condition(condition)),
        (_, Value::Lines(lines)) => {
            let lines = lines.iter().map(|line| format!("    {},\n", quote(line)));
            format!("[\n{}]", lines.collect::<String>())
        }
        (_, Value::Flaws(flaws)) => {
            let name = |flaw: &crate::FlawAt| match flaw.member {
                Some(member) => quote(&format!("{}@{member}", flaw.flaw)),
                None => quote(&flaw.flaw),
            };
            format!("[{}]", flaws.iter().map(name).collect::<Vec<_>>().join(", "))
        }
        (form, value) => unreachable!("{value:?} is in a field of the form {form:?}"),
    }
}

/// A distribution of random amounts ([`Spread`]) as TOML.
fn print_spread(unit: Unit, spread: &Spread) -> String {
    let amount = |value: u64| match unit {
        Unit::Count => value.to_string(),
        unit => quote(&unit.print(value.into())),
    };
    match *spread {
        Spread::Constant(value) => amount(value),
        Spread::Uniform { low, high } => format!("{{ from = {}, to = {} }}", amount(low), amount(high)),
        Spread::Exponential { floor, mean } => {
            format!("{{ floor = {}, mean = {} }}", amount(floor), amount(mean))
        }
        Spread::HeavyTail { usual, worst, ratio } => {
            let tail = quote(&Unit::Share.print(ratio.parts().into()));
            format!("{{ usual = {}, worst = {}, tail = {tail} }}", amount(usual), amount(worst))
        }
    }
}

/// A text as a TOML string, without escapes if possible.
pub fn quote(text: &str) -> String {
    let plain = !text.contains(|c: char| c.is_control());
    if plain && !text.contains(['"', '\\']) {
        return format!("\"{text}\"");
    }
    if plain && !text.contains('\'') {
        return format!("'{text}'");
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted += &format!("\\u{:04X}", c as u32),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
