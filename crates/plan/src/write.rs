//! Writes a plan as a TOML file. [`Plan::parse`] reads it back as the same plan.
//!
//! Plans and scenarios have the same file format. It consists of sections such as `[network]`. `sections.rs` has a
//! table of the fields ([`Field`]) of each section; this file goes through these tables and writes one line for each
//! field. Other files use parts of it to print a scenario that was built in code.

use std::fmt::Write;

use crate::choice::{Value, Who};
use crate::expand::ends_at_client;
use crate::field::{Field, Form, Names};
use crate::kinds::Usual;
use crate::sections;
use crate::units::Unit;
use crate::words::{print_condition, print_target};
use crate::{Fault, FaultKind, NAMES, Plan, Spread, Trigger};

impl Plan {
    /// The plan as a file from which [`Plan::parse`] reads the same plan.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        section(&mut text, NAMES, "", sections::TOP, self);
        section(&mut text, NAMES, "[cluster]", &sections::CLUSTER, &self.cluster);
        section(&mut text, NAMES, "[network]", sections::NETWORK, &self.network);
        section(&mut text, NAMES, "[network.peers]", sections::LINK, &self.network.peers);
        section(&mut text, NAMES, "[network.clients]", sections::LINK, &self.network.clients);
        section(&mut text, NAMES, "[disk]", sections::DISK, &self.disk);
        section(&mut text, NAMES, "[run]", sections::RUN, &self.phases);
        section(&mut text, NAMES, "[expect]", sections::EXPECT, &self.expect);
        for fault in &self.faults {
            self.fault(&mut text, fault);
        }
        for client in &self.clients {
            section(&mut text, NAMES, "[[client]]", sections::CLIENT, client);
        }
        text
    }

    /// Writes the section of a fault.
    fn fault(&self, text: &mut String, fault: &Fault) {
        let time = |nanos: u64| quote(&Unit::Time.print(nanos.into()));
        let kind = fault.kind.kind();
        let mut line =
            |name: &str, value: String| writeln!(text, "{name} = {value}").expect("a string takes any text");
        line("\n[[fault]]\nkind", quote(kind.name)); // the first line of the section, then its first field
        line("id", fault.id.to_string());
        match &fault.when {
            Trigger::At(at) => line("at", time(*at)),
            Trigger::When { condition, from, delay } => {
                line("when", quote(&print_condition(condition)));
                line("from", time(*from));
                line("after", time(*delay));
            }
        }
        if let Some(duration) = fault.duration {
            line("for", time(duration));
        }
        line("target", quote(&print_target(&fault.target)));
        // A fault of network links need not name all fields of a link. A field that it leaves out keeps the value
        // that the section `[network.peers]` or `[network.clients]` gives it, so only the others are written.
        let links = &self.network;
        let base = if ends_at_client(&fault.target, &fault.kind) { links.clients } else { links.peers };
        fault_fields(
            text,
            NAMES,
            &fault.kind,
            Some(&(kind.new)(Usual { link: base, point: NAMES.usual_point })),
        );
    }
}

/// Writes the fields that a fault of its kind has. If `usual` is given, only those that differ from the ones of
/// `usual`.
pub(crate) fn fault_fields(text: &mut String, names: Names, fault: &FaultKind, usual: Option<&FaultKind>) {
    for field in fault.kind().fields {
        let value = field.get(fault);
        if usual.is_none_or(|usual| value != field.get(usual)) {
            line_of(text, names, field, value);
        }
    }
}

/// Writes a section with the fields of `it` that differ from those of `usual`. `head` is the section's first line,
/// such as `[network]`; it is left out if it is empty or if there are no such fields.
pub(crate) fn differences<T>(
    text: &mut String,
    names: Names,
    head: &str,
    fields: &[Field<T>],
    it: &T,
    usual: &T,
) {
    let mut body = String::new();
    for field in fields {
        let value = field.get(it);
        if value != field.get(usual) {
            line_of(&mut body, names, field, value);
        }
    }
    if !body.is_empty() && !head.is_empty() {
        writeln!(text, "\n{head}").expect("a string takes any text");
    }
    text.push_str(&body);
}

/// Writes a section with all fields of `it`. `head` is its first line, such as `[network]`; empty for the fields at
/// the top of the file.
fn section<T>(text: &mut String, names: Names, head: &str, fields: &[Field<T>], it: &T) {
    if !head.is_empty() {
        writeln!(text, "\n{head}").expect("a string takes any text");
    }
    for field in fields {
        line_of(text, names, field, field.get(it));
    }
}

/// Writes the line of a field, unless it has no value or one that is the same as leaving it out.
fn line_of<T>(text: &mut String, names: Names, field: &Field<T>, value: Option<Value>) {
    if let Some(value) = value.filter(|value| !is_nothing(value)) {
        writeln!(text, "{} = {}", field.key.name, print(names, field.key.form, &value))
            .expect("a string takes any text");
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
pub(crate) fn print(names: Names, form: Form, value: &Value) -> String {
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
pub(crate) fn quote(text: &str) -> String {
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
