//! Generates the tables of `docs/scenarios.md` and `docs/faults.md` from the tables of fields and kinds, so
//! that they cannot become outdated. A test compares the pages; `UPDATE_DOCS=1` writes them.

use std::fmt::Write;

use crate::field::{Field, Form, Key};
use crate::kinds::{Family, Kind, Lasts, Whom, kinds};
use crate::sections::{self, Clocks, Swarm};
use crate::units::Unit;
use crate::words::GROUPS;
use crate::workload::{MIX, Mix, WORKLOAD, WORKLOADS, Workload};
use crate::{Client, Cluster, Disk, Expect, Link, NAMES, Network, Phases, Plan, Settings, swarm, write};

/// Marks where generated text begins.
const BEGINS: &str = "<!-- made: ";
/// Marks where generated text ends.
const ENDS: &str = "<!-- end -->";

/// A page of the documentation with its tables regenerated: the text between `<!-- made: NAME -->` and
/// `<!-- end -->` is replaced.
pub fn document(page: &str) -> String {
    let mut made = String::new();
    let mut rest = page;
    while let Some(begin) = rest.find(BEGINS) {
        let after = &rest[begin + BEGINS.len()..];
        let (Some(name), Some(end)) = (after.split_once(" -->"), after.find(ENDS)) else { break };
        made += &rest[..begin];
        let _ = write!(made, "{BEGINS}{} -->\n\n{}\n{ENDS}", name.0, part(name.0));
        rest = &after[end + ENDS.len()..];
    }
    made + rest
}

/// The text of the part of a page with this name.
fn part(name: &str) -> String {
    match name {
        "top" => fields(sections::TOP, &Plan::default()),
        "cluster" => cluster(),
        "network" => fields(sections::NETWORK, &Network::default()),
        "link" => fields(sections::LINK, &Link::default()),
        "disk" => fields(sections::DISK, &Disk::default()),
        "clocks" => fields(sections::CLOCKS, &Clocks::default()),
        "workload" => fields(WORKLOAD, &Workload::default()),
        "mix" => fields(MIX, &Mix::usual()),
        "workloads" => {
            let mut table = String::from("| name | what its clients do |\n|---|---|\n");
            for workload in WORKLOADS {
                let _ = writeln!(table, "| `{}` | {} |", workload.word, workload.about);
            }
            table
        }
        "run" => fields(sections::RUN, &Phases::default()),
        "expect" => fields(sections::EXPECT, &Expect::default()),
        "swarm" => fields(sections::SWARM, &Swarm::default()),
        "client" => fields(sections::CLIENT, &Client::default()),
        "fault" => {
            let mut table = String::from("| field | value | meaning |\n|---|---|---|\n");
            sections::FAULT.iter().for_each(|key| row(&mut table, key, &[]));
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
        "network-faults" => family(Family::Network),
        "disk-faults" => family(Family::Disk),
        "clock-faults" => family(Family::Clock),
        "process-faults" => family(Family::Process),
        "operator-faults" => family(Family::Operator),
        other => panic!("there is no table {other:?} to make"),
    }
}

/// A table of fields. `usual` is the value from which the defaults are read.
fn fields<T>(fields: &[Field<T>], usual: &T) -> String {
    let mut table = String::from("| field | value | left out | meaning |\n|---|---|---|---|\n");
    for field in fields {
        row(&mut table, &field.key, &[left_out(field, usual)]);
    }
    table
}

/// The default of a field; empty if there is nothing to say.
fn left_out<T>(field: &Field<T>, usual: &T) -> String {
    let value = field.get(usual).filter(|_| field.key.name != "seed");
    let default = value.map(|value| write::print(NAMES, field.key.form, &value));
    // An empty text is not shown as a default, nor is a list: lists are empty by default.
    let default = default.filter(|text| text != "\"\"" && !text.starts_with('['));
    default.map_or(String::new(), |text| format!("`{text}`"))
}

/// The fields of the cluster; for a setting also etcd's default and its source.
fn cluster() -> String {
    let mut table = String::from("| field | value | left out | in etcd | meaning |\n|---|---|---|---|---|\n");
    let (usual, etcd) = (Cluster::default(), Cluster { settings: Settings::etcd(), ..Cluster::default() });
    for field in sections::CLUSTER.iter() {
        let source = settings::row(field.key.name).and_then(|row| row.etcd);
        let etcd = source.map_or(String::new(), |source| format!("{}: {source}", left_out(field, &etcd)));
        row(&mut table, &field.key, &[left_out(field, &usual), etcd]);
    }
    table
}

/// A row of a table; `cells` are those between the value and the meaning.
fn row(table: &mut String, key: &Key, cells: &[String]) {
    let _ = write!(table, "| `{}` | {} |", key.name, describe(key.form));
    for cell in cells {
        let space = if cell.is_empty() { "" } else { " " };
        let _ = write!(table, "{space}{cell} |");
    }
    let _ = writeln!(table, " {} |", NAMES.about(key));
}

/// A description of a form.
fn describe(form: Form) -> String {
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
            NAMES.words(form).map(|(_, word)| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ")
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
fn family(family: Family) -> String {
    kinds().filter(|kind| kind.family == family).map(kind).collect::<Vec<_>>().join("\n")
}

/// One kind of fault: its meaning and its fields.
fn kind(kind: &Kind) -> String {
    let mut text = format!("### `{}`\n\n{}\n\n", kind.name, kind.about);
    if !kind.fields.is_empty() {
        text += "| field | value | meaning |\n|---|---|---|\n";
        kind.fields.iter().for_each(|field| row(&mut text, &field.key, &[]));
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
        text += "- Damages the disk for good. The world keeps a quorum of members undamaged.\n";
    }
    let _ = writeln!(text, "- Where ranges come from: {}", kind.source);
    let entries: Vec<&str> = swarm_entries(kind.name).collect();
    if entries.is_empty() {
        text += "- In the swarm: never.\n";
    } else {
        let _ = writeln!(text, "- In the swarm:\n\n```toml\n{}\n```", entries.join("\n\n"));
    }
    text
}

/// The entries of the swarm for a kind, as text.
fn swarm_entries(name: &str) -> impl Iterator<Item = &'static str> {
    let line = format!("kind = \"{name}\"");
    let entries = swarm::TEXT.split("[[fault]]\n").skip(1);
    entries.filter(move |entry| entry.lines().any(|own| own == line)).map(|entry| {
        let end = entry.find("\n#").unwrap_or(entry.len());
        entry[..end].trim_end()
    })
}
