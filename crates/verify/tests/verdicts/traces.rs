//! What S says of a trace of etcd-io/raft in which one value is changed.

use std::io::Cursor;

use etcdsim_verify::specification::trace::judge;
use serde_json::Value;

use super::lines::changes;
use super::*;

/// How often each value is changed.
const TIMES: usize = 3;

/// The kind of a line: the event, and of a message its type.
fn kind(line: &Value) -> String {
    let text = |pointer: &str| line.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_string();
    format!("{} {} {}", text("/event/name"), text("/event/msg/type"), text("/event/role"))
}

#[test]
fn of_traces_with_a_change() {
    let recorded = std::fs::read_to_string("tests/data/raft-trace.ndjson").expect("it is there");
    let lines: Vec<&str> = recorded.lines().collect();
    let values: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut text = String::new();
    for change in changes(&values, TIMES, kind) {
        let becomes = change.becomes.map(|value| value.to_string());
        let changed = lines.iter().enumerate().filter_map(|(number, line)| match number == change.line {
            true => becomes.as_deref(),
            false => Some(*line),
        });
        let changed: Vec<&str> = changed.collect();
        let said = match judge("changed", Cursor::new(changed.join("\n"))) {
            Ok(judged) => {
                let rules: Vec<&str> = judged.breaches.iter().map(|breach| breach.rule).collect();
                format!("{} {:08x}", rules.join(" "), digest(&format!("{judged:?}")))
            }
            Err(error) => error.to_string(),
        };
        writeln!(text, "{}, line {}: {said}", change.name, change.line + 1)
            .expect("a String takes everything");
    }
    compare("traces", &text);
}
