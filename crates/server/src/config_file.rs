//! `--config-file`: flags in YAML, as etcd has them (`etcd.conf.yml.sample`). Its values become a command line, so that
//! the meaning of each flag is defined in one place.
//!
//! A time that is a bare number is in nanoseconds there, as in etcd.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use serde_json::Value;

use crate::flags;

/// Sections of the file, and the flags of their fields.
const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "client-transport-security",
        &[
            ("cert-file", "cert-file"),
            ("key-file", "key-file"),
            ("client-cert-auth", "client-cert-auth"),
            ("trusted-ca-file", "trusted-ca-file"),
        ],
    ),
    (
        "peer-transport-security",
        &[
            ("cert-file", "peer-cert-file"),
            ("key-file", "peer-key-file"),
            ("client-cert-auth", "peer-client-cert-auth"),
            ("trusted-ca-file", "peer-trusted-ca-file"),
        ],
    ),
];

/// Flags whose value is a time: a bare number of the file is nanoseconds.
const TIMES: &[&str] = &[
    "backend-batch-interval",
    "compaction-sleep-interval",
    "corrupt-check-time",
    "grpc-keepalive-interval",
    "grpc-keepalive-timeout",
    "watch-progress-notify-interval",
];

/// Reads the file, and makes a command line of it. Also returns warnings: etcd accepts fields that it does not know, so
/// they must not stop a start.
///
/// # Errors
/// It cannot be read, or is no YAML of this form.
pub fn command_line(path: &Path) -> Result<(Vec<OsString>, Vec<String>), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let fields: BTreeMap<String, Value> =
        serde_saphyr::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let known = flags::names();
    let (mut args, mut warnings) = (vec![OsString::from("etcdsim-server")], Vec::new());
    let mut take = |name: &str, shown: &str, value: &Value| match text_of(name, value) {
        None => {}
        Some(text) if known.iter().any(|flag| flag == name) => args.push(format!("--{name}={text}").into()),
        Some(_) => warnings.push(format!("the field {shown} of {} has no effect here", path.display())),
    };
    for (name, value) in &fields {
        match (SECTIONS.iter().find(|(section, _)| section == name), value) {
            (Some((_, flags)), Value::Object(fields)) => {
                for (field, value) in fields {
                    let flag = flags.iter().find(|(known, _)| known == field).map_or("", |(_, flag)| *flag);
                    take(flag, &format!("{name}.{field}"), value);
                }
            }
            _ => take(name, name, value),
        }
    }
    Ok((args, warnings))
}

/// A value as a flag takes it; `None` for one that was left empty.
fn text_of(name: &str, value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if TIMES.contains(&name) => Some(format!("{number}ns")),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            // `feature-gates` may be a map.
            let pairs = fields.iter().map(|(name, value)| format!("{name}={value}"));
            Some(pairs.collect::<Vec<_>>().join(","))
        }
    }
}
