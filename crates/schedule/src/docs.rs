//! Generates the tables of `docs/scenarios.md` and `docs/faults.md` from the tables of fields and kinds, so
//! that they cannot become outdated. A test compares the pages; `UPDATE_DOCS=1` writes them.

use std::fmt::Write;

use crate::field::{Field, Form, Key, Names, keys};
use crate::kinds::{Family, Lasts, Shape, Whom, shapes};
use crate::part::Part;
use crate::sections::{self, Clocks, Swarm, Top};
use crate::units::Unit;
use crate::words::GROUPS;
use crate::{Cluster, Disk, Expect, Link, Network, Phases, write};

/// Marks where generated text begins.
const BEGINS: &str = "<!-- made: ";
/// Marks where generated text ends.
const ENDS: &str = "<!-- end -->";

/// A page of the documentation with its tables regenerated: the text between `<!-- made: NAME -->` and
/// `<!-- end -->` is replaced.
pub fn document<P: Part>(page: &str) -> String {
    let mut made = String::new();
    let mut rest = page;
    while let Some(begin) = rest.find(BEGINS) {
        let after = &rest[begin + BEGINS.len()..];
        let (Some(name), Some(end)) = (after.split_once(" -->"), after.find(ENDS)) else { break };
        made += &rest[..begin];
        let text = P::table(name.0).unwrap_or_else(|| part::<P>(name.0));
        let _ = write!(made, "{BEGINS}{} -->\n\n{text}\n{ENDS}", name.0);
        rest = &after[end + ENDS.len()..];
    }
    made + rest
}

/// The text of the part of a page with this name.
fn part<P: Part>(name: &str) -> String {
    let names = P::NAMES;
    match name {
        "top" => fields(names, sections::TOP, &Top::default()),
        "cluster" => {
            let usual = Cluster::<P::Settings>::default();
            fields(names, sections::MEMBERS, &usual.members) + &rows(names, P::settings(), &usual.settings)
        }
        "network" => fields(names, sections::NETWORK, &Network::default()),
        "link" => fields(names, sections::LINK, &Link::default()),
        "disk" => fields(names, sections::DISK, &Disk::default()),
        "clocks" => fields(names, sections::CLOCKS, &Clocks::default()),
        "run" => fields(names, sections::RUN, &Phases::default()),
        "expect" => fields(names, sections::EXPECT, &Expect::default()),
        "swarm" => fields(names, sections::SWARM, &Swarm::default()),
        "client" => fields(names, P::client(), &P::Client::default()),
        "fault" => {
            let mut table = String::from("| field | value | meaning |\n|---|---|---|\n");
            sections::FAULT.iter().for_each(|key| row(&mut table, names, key, &[]));
            table
        }
        "noise" => {
            let mut table = String::from("| field | value | meaning |\n|---|---|---|\n");
            keys(sections::NOISE).for_each(|key| row(&mut table, names, key, &[]));
            table
        }
        "targets" => {
            let mut table = String::from("| target | means |\n|---|---|\n");
            for (name, _, about) in GROUPS {
                let _ = writeln!(table, "| `{name}` | {about} |");
            }
            table
                + "| `member 3`, `members 1, 3` | these members, numbered from 1 |\n| `client 0`, `clients 0, 2` | these clients, numbered from 0 |\n"
        }
        "network-faults" => family::<P>(Family::Network),
        "disk-faults" => family::<P>(Family::Disk),
        "clock-faults" => family::<P>(Family::Clock),
        "process-faults" => family::<P>(Family::Process),
        "operator-faults" => family::<P>(Family::Task),
        other => panic!("there is no table {other:?} to make"),
    }
}

/// A table of fields. `usual` is the value from which the defaults are read.
pub fn fields<T>(names: Names, fields: &[Field<T>], usual: &T) -> String {
    String::from("| field | value | left out | meaning |\n|---|---|---|---|\n") + &rows(names, fields, usual)
}

/// The rows of a table of fields.
fn rows<T>(names: Names, fields: &[Field<T>], usual: &T) -> String {
    let mut rows = String::new();
    for field in fields {
        row(&mut rows, names, &field.key, &[left_out(names, field, usual)]);
    }
    rows
}

/// The default of a field; empty if there is nothing to say.
pub fn left_out<T>(names: Names, field: &Field<T>, usual: &T) -> String {
    let value = field.get(usual).filter(|_| field.key.name != "seed");
    let default = value.map(|value| write::print(names, field.key.form, &value));
    // An empty text is not shown as a default, nor is a list: lists are empty by default.
    let default = default.filter(|text| text != "\"\"" && !text.starts_with('['));
    default.map_or(String::new(), |text| format!("`{text}`"))
}

/// A row of a table; `cells` are those between the value and the meaning.
pub fn row(table: &mut String, names: Names, key: &Key, cells: &[String]) {
    let _ = write!(table, "| `{}` | {} |", key.name, describe(names, key.form));
    for cell in cells {
        let space = if cell.is_empty() { "" } else { " " };
        let _ = write!(table, "{space}{cell} |");
    }
    let _ = writeln!(table, " {} |", names.about(key));
}

/// A description of a form.
fn describe(names: Names, form: Form) -> String {
    match form {
        Form::Number { unit, low, high, zero } => {
            let word = zero.map_or(String::new(), |word| format!(", or `\"{word}\"`"));
            let what = match unit {
                Unit::Count => "a number",
                Unit::Time => "a duration",
                Unit::Size => "a size",
                Unit::Bandwidth => "a bandwidth",
                Unit::Share => "a share",
                Unit::Rate => "a rate",
            };
            let bounds = match high {
                // A count that can be as large as its type allows.
                high if high >= u32::MAX.into() && unit == Unit::Count => String::new(),
                high => format!(", {} to {}", unit.print(low), unit.print(high)),
            };
            format!("{what}{bounds}{word}")
        }
        Form::Word(_) | Form::Message | Form::Point => {
            names.words(form).map(|(_, word)| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ")
        }
        Form::Switch => "`true`, `false`".into(),
        Form::Text => "a text".into(),
        Form::Spread { unit: Unit::Size, .. } => "a distribution of sizes".into(),
        Form::Spread { .. } => "a distribution of durations".into(),
        Form::Who => "a target".into(),
        Form::Members => "a list of members".into(),
        Form::Condition => "a condition".into(),
        Form::Operations { .. } => "a list of operations".into(),
        Form::Flaws => "a list of flaws".into(),
    }
}

/// All kinds of faults of a family.
fn family<P: Part>(family: Family) -> String {
    let swarm = P::swarm().map_or("", |swarm| swarm.text);
    let shapes = shapes::<P::Task>(P::NAMES).into_iter().filter(|shape| shape.kind.family == family);
    shapes.map(|shape| kind(P::NAMES, &shape, swarm)).collect::<Vec<_>>().join("\n")
}

/// One kind of fault: its meaning and its fields.
fn kind(names: Names, shape: &Shape, swarm: &str) -> String {
    let kind = shape.kind;
    let mut text = format!("### `{}`\n\n{}\n\n", kind.name, kind.about);
    if !shape.keys.is_empty() {
        text += "| field | value | meaning |\n|---|---|---|\n";
        shape.keys.iter().for_each(|key| row(&mut text, names, key, &[]));
        text.push('\n');
    }
    let whom = match kind.whom {
        Whom::Members => "any members",
        Whom::One => "one member",
        Whom::Part => "some members, not all",
        Whom::Minority => "at most a minority",
        Whom::Ends => "members or clients",
        Whom::Nobody => "none: it affects all members",
    };
    let lasts = match kind.lasts {
        Lasts::Span => "how long it lasts",
        Lasts::Down | Lasts::Struck => "the time until the restart",
        Lasts::Instant => "not allowed: the fault is over at once",
    };
    let _ = writeln!(text, "- Target: {whom}. `for`: {lasts}.");
    if kind.members > 1 {
        let _ = writeln!(text, "- Needs at least {} members.", kind.members);
    }
    if kind.effect.damages {
        text += "- Damages the disk permanently. The world keeps a quorum of members undamaged.\n";
    }
    let _ = writeln!(text, "- Where ranges come from: {}", kind.source);
    let entries: Vec<&str> = swarm_entries(swarm, kind.name).collect();
    if entries.is_empty() {
        text += "- In the swarm: never.\n";
    } else {
        let _ = writeln!(text, "- In the swarm:\n\n```toml\n{}\n```", entries.join("\n\n"));
    }
    text
}

/// The entries of the swarm for a kind, as text.
fn swarm_entries<'a>(swarm: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let line = format!("kind = \"{name}\"");
    let entries = swarm.split("[[fault]]\n").skip(1);
    entries.filter(move |entry| entry.lines().any(|own| own == line)).map(|entry| {
        let end = entry.find("\n#").unwrap_or(entry.len());
        entry[..end].trim_end()
    })
}
