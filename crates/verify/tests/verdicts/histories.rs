//! What the judges of histories say of a history in which one value is changed, with the evidence and without.

use serde_json::Value;

use super::lines::{Change, changes};
use super::*;

/// The seeds of the swarm from which the histories are. Seed 6 is not among them: without evidence it is searched to the
/// end of the budget, once for each change.
const SEEDS: [u64; 8] = [0, 1, 2, 3, 4, 5, 7, 8];
/// How many operations, and how many lines about each watch stream, are kept.
const OPERATIONS: usize = 60;
const OF_A_STREAM: usize = 12;

/// The beginning of a run's history, as lines. An operation that was answered later is one without an answer.
fn beginning(plan: &Plan) -> Vec<Value> {
    let outcome = run(plan);
    let mut file = history_of_run(plan, &outcome);
    let operations = &mut file.history.operations;
    let end = operations.get(OPERATIONS).map_or(u64::MAX, |one| one.call);
    operations.retain(|one| one.call < end);
    operations.iter_mut().filter(|one| one.returned().is_some_and(|at| at >= end)).for_each(|one| {
        one.outcome = etcdsim::record::Outcome::Unknown { gave_up: end };
    });
    file.applied.retain(|entry| entry.time < end);
    file.starts.retain(|(_, at)| *at < end);
    let streams = &mut file.history.watches;
    streams.retain(|stream| stream.opened < end);
    for stream in streams {
        stream.sent.retain(|(at, _)| *at < end);
        stream.sent.truncate(OF_A_STREAM);
        stream.received.retain(|(at, _)| *at < end);
        stream.received.truncate(OF_A_STREAM);
        stream.ended = None;
    }
    let mut text = Vec::new();
    file.write(&mut text).expect("a vector takes everything");
    let text = String::from_utf8(text).expect("JSON");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The kind of a line.
fn kind(line: &Value) -> String {
    let named = |name: &str| line.get(name).is_some();
    if let Some(rpc) = line.get("rpc").and_then(Value::as_str) {
        return rpc.to_string();
    }
    let what = ["format", "applied", "cache", "fault", "opened", "sent", "received", "ended"];
    what.into_iter().find(|name| named(name)).unwrap_or("a line").to_string()
}

/// What the judges say of these lines.
fn judged(lines: &[Value], change: Option<&Change>, evidence: bool) -> Result<Verdict, String> {
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let line = match change {
            Some(change) if change.line == number => change.becomes.as_ref(),
            _ => Some(line),
        };
        if let Some(line) = line.filter(|line| evidence || line.get("applied").is_none()) {
            writeln!(text, "{line}").expect("a String takes everything");
        }
    }
    let file = HistoryFile::read("history", &text).map_err(|error| error.to_string())?;
    let (record, expectations) = file.into_record();
    Ok(judge(&record, &expectations))
}

#[test]
fn of_histories_with_a_change() {
    let case = scenario("swarm");
    let mut text = String::new();
    for seed in SEEDS {
        let lines = beginning(&case.plan(seed));
        for evidence in [true, false] {
            let how = if evidence { "" } else { ", without evidence" };
            writeln!(text, "seed {seed}{how}").expect("a String takes everything");
            let mut unchanged = Sums::default();
            unchanged.add_verdict(&judged(&lines, None, evidence).expect("a history"));
            writeln!(text, "{}", unchanged.text()).expect("a String takes everything");
            for change in changes(&lines, 1, kind) {
                let said = match judged(&lines, Some(&change), evidence) {
                    Ok(verdict) => in_brief(&verdict),
                    Err(error) => error,
                };
                writeln!(text, "{}: {said}", change.name).expect("a String takes everything");
            }
        }
    }
    compare("histories", &text);
}
