//! Prints measurements: Markdown, to be read in a terminal and kept in `docs/performance.md`, and JSON.

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::layers::{Layer, Spent};
use super::measure::{Instructions, Measured, Tools};

/// The report for people.
pub fn text(tools: &Tools, measured: &[Measured]) -> String {
    let Tools { valgrind, rustc, commit } = tools;
    let valgrind = valgrind.as_deref().unwrap_or("without valgrind");
    let mut text = format!("Commit {commit}, {rustc}, {valgrind}:\n\n{}", costs(measured));
    if measured.iter().any(|measured| measured.instructions.is_some()) {
        text.push_str("\nWhere the instructions go:\n\n");
        text.push_str(&apart(measured));
        text.push_str("\nWith allocation and copying counted for the layer that caused them:\n\n");
        text.push_str(&by_cause(measured));
    }
    text
}

/// The cost of each plan.
fn costs(measured: &[Measured]) -> String {
    let header = [
        "plan",
        "instructions",
        "a virtual second",
        "a message",
        "an operation",
        "peak memory",
        "trace hash",
    ];
    let rows = measured.iter().map(|Measured { plan, run, instructions }| {
        let total = instructions.as_ref().map(|instructions| instructions.total);
        let each = |count: f64| total.map_or("-".to_string(), |total| scaled(total as f64 / count));
        vec![
            plan.clone(),
            each(1.0),
            each(run.virtual_ns as f64 / 1e9),
            each(run.messages as f64),
            each(run.operations as f64),
            run.peak_bytes.map_or("-".to_string(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6)),
            run.trace_hash.clone(),
        ]
    });
    table(header.map(String::from).to_vec(), rows)
}

/// The share of each layer's code, of allocation and of copying.
fn apart(measured: &[Measured]) -> String {
    let sum = |part: fn(&Spent) -> f64| {
        move |spent: &[Spent; Layer::ALL.len()]| spent.iter().map(part).sum::<f64>()
    };
    let mut rows: Vec<Vec<String>> = Layer::ALL
        .iter()
        .map(|layer| shares(measured, layer.name(), |spent| spent[*layer as usize].own))
        .collect();
    rows.push(shares(measured, "allocation", sum(|spent| spent.allocation)));
    rows.push(shares(measured, "copying", sum(|spent| spent.copying)));
    table(names("layer", measured), rows)
}

/// The share of each layer with the allocation and copying it caused.
fn by_cause(measured: &[Measured]) -> String {
    let row = |layer: &Layer| shares(measured, layer.name(), |spent| spent[*layer as usize].all());
    table(names("layer", measured), Layer::ALL.iter().map(row))
}

/// A row: what part of each plan's instructions something is.
fn shares(
    measured: &[Measured],
    name: &str,
    part: impl Fn(&[Spent; Layer::ALL.len()]) -> f64,
) -> Vec<String> {
    let share = |Instructions { total, layers }: &Instructions| {
        format!("{:.1} %", 100.0 * part(layers) / *total as f64)
    };
    let cells = measured.iter().map(|measured| measured.instructions.as_ref().map_or("-".to_string(), share));
    [name.to_string()].into_iter().chain(cells).collect()
}

/// A header with a column for each plan.
fn names(first: &str, measured: &[Measured]) -> Vec<String> {
    [first.to_string()].into_iter().chain(measured.iter().map(|measured| measured.plan.clone())).collect()
}

fn table(header: Vec<String>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let columns = header.len();
    table.set_header(header);
    rows.into_iter().for_each(|row| _ = table.add_row(row));
    for column in 1..columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{table}\n")
}

/// `1.234 G`, `56.78 M`, `901.2 k`, `345`.
fn scaled(number: f64) -> String {
    let (unit, number) = match number {
        1e9.. => (" G", number / 1e9),
        1e6.. => (" M", number / 1e6),
        1e3.. => (" k", number / 1e3),
        _ => return format!("{number:.0}"),
    };
    let decimals = match number {
        100.0.. => 1,
        10.0.. => 2,
        _ => 3,
    };
    format!("{number:.decimals$}{unit}")
}

/// The report for programs.
pub fn json(tools: &Tools, measured: &[Measured]) -> String {
    let Tools { valgrind, rustc, commit } = tools;
    let plans: Vec<Value> = measured.iter().map(plan).collect();
    let report = json!({
        "schema": "etcdsim.instructions/1",
        "commit": commit,
        "rustc": rustc,
        "valgrind": valgrind,
        "plans": plans,
    });
    serde_json::to_string_pretty(&report).expect("JSON can be written")
}

fn plan(Measured { plan, run, instructions }: &Measured) -> Value {
    let instructions = instructions.as_ref().map(|Instructions { total, layers }| {
        let each = |count: f64| (*total as f64 / count).round() as u64;
        let layer = |(layer, spent): (&Layer, &Spent)| {
            json!({
                "layer": layer.name(),
                "own": spent.own.round() as u64,
                "allocation": spent.allocation.round() as u64,
                "copying": spent.copying.round() as u64,
            })
        };
        json!({
            "total": total,
            "per_virtual_second": each(run.virtual_ns as f64 / 1e9),
            "per_message": each(run.messages as f64),
            "per_operation": each(run.operations as f64),
            "layers": Layer::ALL.iter().zip(layers).map(layer).collect::<Vec<_>>(),
        })
    });
    json!({ "plan": plan, "run": run, "instructions": instructions })
}
