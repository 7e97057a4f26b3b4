//! The JSON schema of scenario and plan files. Editors use it to complete and check what one types.

use serde_json::{Map, Value, json};

use crate::field::{Form, Key, Names, keys};
use crate::kinds::{Shape, shapes};
use crate::part::{OwnSection, Part};
use crate::sections;
use crate::units::Unit;
use crate::words::GROUPS;

/// The JSON schema of scenarios and plans. For etcd, `docs/scenario.schema.json` is this, printed.
pub fn schema<P: Part>() -> Value {
    let names = P::NAMES;
    let section = |keys: &mut dyn Iterator<Item = &'static Key>| object(names, keys, Vec::new());
    let mut root = section(&mut keys(sections::TOP));
    let mut network = section(&mut keys(sections::NETWORK));
    for links in ["peers", "clients"] {
        network["properties"][links] = section(&mut keys(sections::LINK));
    }
    let cluster = section(&mut keys(sections::MEMBERS).chain(keys(P::settings())));
    let mut all = vec![
        ("cluster", "The members and their settings.", cluster),
        ("network", "Links while no fault affects them.", network),
        ("disk", "Disks while no fault affects them.", section(&mut keys(sections::DISK))),
        ("clocks", "How far clocks drift.", section(&mut keys(sections::CLOCKS))),
    ];
    all.extend(P::SECTIONS.iter().map(|own| (own.path, own.about, own_section(names, own))));
    all.push(("run", "How long each phase lasts.", section(&mut keys(sections::RUN))));
    all.push(("expect", "What must hold beyond the oracles.", section(&mut keys(sections::EXPECT))));
    for (name, about, section) in all {
        root["properties"][name] = section;
        root["properties"][name]["description"] = about.into();
    }
    root["properties"]["swarm"] = json!({
        "description": "Let the seed choose what the file leaves out, and which families of faults there are.",
        "anyOf": [{ "type": "boolean" }, section(&mut keys(sections::SWARM))],
    });
    root["properties"]["client"] = json!({
        "description": "A client and all its operations.",
        "type": "array",
        "items": section(&mut keys(P::client())),
    });
    root["properties"]["fault"] = json!({
        "description": "Something that goes wrong.",
        "type": "array",
        "items": { "$ref": "#/$defs/fault" },
    });
    root["properties"]["noise"] = json!({
        "description": "From a given time on, everything that the run decides by draws is drawn anew. Only in plans.",
        "type": "array",
        "items": object(names, &mut keys(sections::NOISE), vec!["from", "key"]),
    });
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    root["title"] = "A scenario or a plan of etcdsim".into();
    root["required"] = json!(["title"]);
    let operation = keys(P::client()).find_map(|key| match key.form {
        Form::Operations { pattern, .. } => Some(pattern),
        _ => None,
    });
    let mut definitions = forms(operation.unwrap_or_default());
    definitions.insert("fault".into(), fault(names, &shapes::<P::Task>(names)));
    root["$defs"] = definitions.into();
    root
}

/// One of the part's own sections, with the sections inside it.
fn own_section(names: Names, own: &OwnSection) -> Value {
    let mut section = object(names, &mut (own.keys)().into_iter(), Vec::new());
    for inner in own.inner {
        section["properties"][inner.name()] = own_section(names, inner);
    }
    section
}

/// A fault: it knows the fields of all kinds and allows those of its own kind.
fn fault(names: Names, kinds: &[Shape]) -> Value {
    let mut fault = object(names, &mut sections::FAULT.iter(), vec!["kind"]);
    let words: Vec<&str> = kinds.iter().map(|shape| shape.kind.name).collect();
    fault["properties"]["kind"] = json!({ "description": "What goes wrong.", "enum": words });
    let common: Vec<&str> = sections::FAULT.iter().map(|key| key.name).collect();
    let cases = kinds.iter().map(|Shape { kind, keys }| {
        let allowed: Vec<&str> = common.iter().copied().chain(keys.iter().map(|key| key.name)).collect();
        let own: Map<String, Value> =
            keys.iter().map(|key| (key.name.to_string(), property(names, key))).collect();
        json!({
            "if": { "properties": { "kind": { "const": kind.name } } },
            "then": { "description": kind.about, "properties": own, "propertyNames": { "enum": allowed } },
        })
    });
    fault["allOf"] = cases.collect();
    // The cases define the other fields.
    fault.as_object_mut().expect("an object was just made").remove("additionalProperties");
    fault
}

/// The schema of a table with these keys and no others.
fn object(names: Names, keys: &mut dyn Iterator<Item = &'static Key>, required: Vec<&str>) -> Value {
    let properties: Map<String, Value> =
        keys.map(|key| (key.name.to_string(), property(names, key))).collect();
    let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        object["required"] = required.into();
    }
    object
}

/// A field: the form of its value, and its meaning.
fn property(names: Names, key: &Key) -> Value {
    let mut property = match key.form {
        Form::Word(_) | Form::Message | Form::Point => {
            let words: Vec<&str> = names.words(key.form).map(|(_, word)| word).collect();
            json!({ "anyOf": [{ "enum": words }, any(json!({ "enum": words }))] })
        }
        Form::Number { unit, zero: Some(word), .. } => {
            let one = json!({ "anyOf": [{ "$ref": reference(unit_name(unit)) }, { "const": word }] });
            json!({ "anyOf": [one, any(one)] })
        }
        form => json!({ "$ref": reference(name(form)) }),
    };
    property["description"] = names.about(key).into();
    property
}

/// How a schema refers to a definition.
fn reference(name: &str) -> String {
    format!("#/$defs/{name}")
}

/// A choice of such values.
fn any(items: Value) -> Value {
    json!({
        "type": "object",
        "properties": { "any": { "type": "array", "items": items, "minItems": 1 } },
        "required": ["any"],
        "additionalProperties": false,
    })
}

/// All units.
const UNITS: &[Unit] = &[Unit::Count, Unit::Time, Unit::Size, Unit::Bandwidth, Unit::Share, Unit::Rate];

/// The name of a unit's definition.
fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "count",
        Unit::Time => "duration",
        Unit::Size => "size",
        Unit::Bandwidth => "bandwidth",
        Unit::Share => "share",
        Unit::Rate => "rate",
    }
}

/// The name of the definition that every field of this form refers to.
fn name(form: Form) -> &'static str {
    match form {
        Form::Number { unit, .. } => unit_name(unit),
        Form::Word(_) | Form::Message | Form::Point => "word",
        Form::Switch => "switch",
        Form::Text => "text",
        Form::Spread { unit: Unit::Size, .. } => "sizes",
        Form::Spread { .. } => "durations",
        Form::Who => "target",
        Form::Members => "members",
        Form::Condition => "condition",
        Form::Operations { .. } => "operations",
        Form::Flaws => "flaws",
    }
}

/// Every form, by its name.
fn forms(operation: &str) -> Map<String, Value> {
    let mut forms = Map::new();
    // A form that may be left open refers to itself: a choice may contain choices.
    let mut open = |name: &str, form: Value| {
        forms.insert(name.into(), json!({ "anyOf": [form, any(json!({ "$ref": reference(name) }))] }));
    };
    for unit in UNITS {
        let text = json!({ "type": "string", "pattern": unit.pattern() });
        let bare = match unit {
            Unit::Count => json!({ "type": "integer" }),
            _ => json!({ "const": 0 }),
        };
        open(unit_name(*unit), json!({ "anyOf": [bare, text] }));
    }
    for unit in [Unit::Time, Unit::Size] {
        let form = Form::Spread { unit, high: 0 }; // only for its name, which does not depend on `high`
        let shape = |parts: &[(&str, Unit)]| {
            let properties: Map<String, Value> = parts
                .iter()
                .map(|(name, unit)| ((*name).into(), json!({ "$ref": reference(unit_name(*unit)) })))
                .collect();
            let names: Vec<&str> = parts.iter().map(|part| part.0).collect();
            json!({ "type": "object", "properties": properties, "required": names, "additionalProperties": false })
        };
        open(
            name(form),
            json!({ "anyOf": [
            { "$ref": reference(unit_name(unit)) },
            shape(&[("from", unit), ("to", unit)]),
            shape(&[("floor", unit), ("mean", unit)]),
            shape(&[("usual", unit), ("worst", unit), ("tail", Unit::Share)]),
        ] }),
        );
    }
    let groups: Vec<&str> = GROUPS.iter().map(|group| group.0).collect();
    let numbered = "^(members?|clients?) [0-9]+( *, *[0-9]+)*$";
    open("target", json!({ "anyOf": [{ "enum": groups }, { "type": "string", "pattern": numbered }] }));
    let condition = "^(leader|no leader|election .+|operations .+|(member [0-9]+ )?(applied|snapshot) .+)$";
    open("condition", json!({ "type": "string", "pattern": condition }));
    open("switch", json!({ "type": "boolean" }));
    open("text", json!({ "type": "string" }));
    let list = |items: Value| json!({ "type": "array", "items": items });
    forms.insert("members".into(), list(json!({ "type": "integer", "minimum": 1, "maximum": 9 })));
    forms.insert("operations".into(), list(json!({ "type": "string", "pattern": operation })));
    forms.insert("flaws".into(), list(json!({ "type": "string" })));
    forms
}
