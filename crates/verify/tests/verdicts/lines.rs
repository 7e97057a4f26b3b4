//! JSON lines with one value changed.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// One value of one line, changed.
pub struct Change {
    /// The kind of line and the path of the value: `Put request.key`.
    pub name: String,
    /// Which line.
    pub line: usize,
    /// What stands there now; `None` if the line is gone.
    pub becomes: Option<Value>,
}

/// For each name of a value in these lines, the value changed in as many lines as `times` says, spread over all lines in
/// which it stands. `kind` is the kind of a line.
pub fn changes(lines: &[Value], times: usize, kind: impl Fn(&Value) -> String) -> Vec<Change> {
    let mut at: BTreeMap<(String, Vec<String>), Vec<usize>> = BTreeMap::new();
    for (number, line) in lines.iter().enumerate() {
        let mut paths = vec![Vec::new()];
        collect(line, &mut Vec::new(), &mut paths);
        for path in paths {
            at.entry((kind(line), path)).or_default().push(number);
        }
    }
    let mut changes = Vec::new();
    for ((kind, path), numbers) in at {
        let times = times.min(numbers.len());
        for nth in 0..times {
            let line = numbers[(2 * nth + 1) * numbers.len() / (2 * times)];
            let name = format!("{kind} {}", path.join("."));
            let becomes = (!path.is_empty()).then(|| {
                let mut changed = lines[line].clone();
                change(&mut changed, &path);
                changed
            });
            changes.push(Change { name, line, becomes });
        }
    }
    changes
}

/// The paths of all values below this one. The first of a list stands for all.
fn collect(value: &Value, here: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(values) => values.iter().take(1).map(|value| ("0".to_string(), value)).collect(),
        _ => return,
    };
    for (name, value) in below {
        here.push(name);
        paths.push(here.clone());
        collect(value, here, paths);
        here.pop();
    }
}

/// Changes the value at a path.
fn change(value: &mut Value, path: &[String]) {
    let (name, deeper) = path.split_first().expect("a path has a name");
    let below = match value {
        Value::Object(fields) if deeper.is_empty() => return change_field(fields, name),
        Value::Object(fields) => fields.get_mut(name),
        Value::Array(values) if deeper.is_empty() => {
            values.remove(0);
            return;
        }
        Value::Array(values) => values.first_mut(),
        _ => None,
    };
    change(below.expect("the path was found in this line"), deeper);
}

/// Changes a field: numbers grow by one, truths turn round, texts get another end, and all else goes.
fn change_field(fields: &mut Map<String, Value>, name: &str) {
    let value = fields.get_mut(name).expect("the path was found in this line");
    match value {
        Value::Bool(truth) => *truth = !*truth,
        Value::Number(number) => {
            *value = number.as_i64().map_or(Value::Null, |number| (number + 1).into());
        }
        Value::String(text) => match text.parse::<i64>() {
            Ok(number) => *text = (number + 1).to_string(),
            Err(_) => *text = another(text),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => _ = fields.remove(name),
    }
}

/// Another text: the same in base 64 if it is that.
fn another(text: &str) -> String {
    match text.as_bytes() {
        [b'A', rest @ ..] => format!("B{}", String::from_utf8_lossy(rest)),
        [first, rest @ ..] if first.is_ascii() => format!("A{}", String::from_utf8_lossy(rest)),
        _ => "AA==".to_string(),
    }
}
