//! `replay --trace-out`, `--until` and `--step`; `check --format raft-trace`; `diff`.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::common::etcdsim;
use crate::common::folder::Folder;

/// Members join and leave, by joint configurations, with snapshots.
const JOINT: [&str; 3] = ["scenarios/joint-change.toml", "--seed", "3"];

/// Writes the trace of a run under this name, and returns it.
fn written(run: &[&str], name: &str) -> (Folder, String) {
    let folder = Folder::new();
    let file = folder.path().join(name);
    let ended =
        etcdsim(&[&["replay"], run, &["--trace-out", file.to_str().expect("a path of ASCII")]].concat());
    assert!(matches!(ended.code, 0 | 1), "{}{}", ended.stdout, ended.stderr);
    let text = fs::read_to_string(&file).expect("the trace was written");
    (folder, text)
}

#[test]
fn a_viewer_changes_nothing() {
    let plain = etcdsim(&[&["replay"], &JOINT[..]].concat());
    for name in ["a.json", "a.shiviz", "a.ndjson"] {
        let folder = Folder::new();
        let file = folder.path().join(name);
        let path = file.to_str().expect("a path of ASCII");
        let ended = etcdsim(&[&["replay"], &JOINT[..], &["--trace-out", path]].concat());
        assert_eq!(ended.trace_hash(), plain.trace_hash(), "{name}");
    }
}

#[test]
fn the_format_must_be_known() {
    let ended = etcdsim(&[&["replay"], &JOINT[..], &["--trace-out", "trace.out"]].concat());
    assert_eq!(ended.code, 2);
    assert!(ended.explains("add `--trace-format chrome`"), "{}", ended.stderr);
}

#[test]
fn a_trace_of_chrome_has_members_messages_and_faults() {
    let (_folder, text) = written(&JOINT, "a.json");
    let trace: Value = serde_json::from_str(&text).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("a list");
    let count = |ph: &str| events.iter().filter(|event| event["ph"] == ph).count();
    let named = |part: &str| {
        events.iter().any(|event| event["name"].as_str().is_some_and(|name| name.contains(part)))
    };
    assert!(named("leader, term") && named("put ") && named("(fault "), "roles, operations, faults");
    // Every arrow that ends has begun; every span that begins ends.
    assert!(count("s") > 1000 && count("f") > 1000 && count("f") <= count("s") * 2);
    assert_eq!(count("b"), count("e"));
    assert!(events.iter().all(|event| event["dur"].as_f64().is_none_or(|length| length >= 0.0)));
}

#[test]
fn the_clocks_of_shiviz_count_each_lane_and_never_go_back() {
    let (_folder, text) = written(&JOINT, "a.shiviz");
    let mut lines = text.lines();
    assert!(lines.next().is_some_and(|line| line.starts_with("(?<host>")) && lines.next() == Some(""));
    let mut last: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    while let (Some(clock), Some(_event)) = (lines.next(), lines.next()) {
        let (lane, clock) = clock.split_once(' ').expect("a lane and a clock");
        let clock: BTreeMap<String, u64> = serde_json::from_str(clock).expect("a clock");
        let before = last.insert(lane.to_string(), clock.clone()).unwrap_or_default();
        assert_eq!(clock[lane], before.get(lane).copied().unwrap_or(0) + 1, "{lane}");
        assert!(before.iter().all(|(other, count)| clock[other] >= *count), "{lane} forgets");
        // Nobody knows of more than there is.
        let known = clock.iter().filter(|(other, _)| *other != lane);
        assert!(known.clone().all(|(other, count)| last[other][other] >= *count), "{lane} knows too much");
    }
    for lane in ["m1", "m2", "c0", "faults"] {
        assert!(last.contains_key(lane), "{lane}");
    }
    assert!(last["m1"].len() > 3, "a member learns of others");
}

#[test]
fn s_holds_for_what_a_run_writes_as_a_trace_of_raft() {
    for run in [JOINT, ["scenarios/power-loss.toml", "--seed", "8"], ["scenarios/swarm.toml", "--seed", "11"]]
    {
        let (folder, text) = written(&run, "a.ndjson");
        let file = folder.path().join("a.ndjson");
        let ended = etcdsim(&["check", "--format", "raft-trace", file.to_str().expect("a path of ASCII")]);
        assert_eq!(ended.code, 0, "{run:?}\n{}{}", ended.stdout, ended.stderr);
        assert!(
            ended.stdout.contains("all rules of S that the trace shows held")
                && ended.stdout.contains("not seen")
        );
        assert!(text.lines().count() > 1000);
    }
}

#[test]
fn a_broken_trace_is_found_with_its_line() {
    let (folder, text) = written(&JOINT, "a.ndjson");
    let commits = text.lines().enumerate().filter(|(_, line)| line.contains("\"Commit\""));
    let (at, _) = commits.last().expect("somebody commits");
    let broken: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(nth, line)| {
            let mut value: Value = serde_json::from_str(line).expect("JSON");
            if nth == at {
                // One more than a quorum can have.
                value["event"]["state"]["commit"] = value["event"]["log"].clone();
                value["event"]["log"] = (value["event"]["log"].as_u64().expect("a number") + 1).into();
                value["event"]["state"]["commit"] = value["event"]["log"].clone();
            }
            value.to_string()
        })
        .collect();
    let file = folder.path().join("broken.ndjson");
    fs::write(&file, broken.join("\n")).expect("a file can be written");
    let path = file.to_str().expect("a path of ASCII");
    let ended = etcdsim(&["check", "--format", "raft-trace", path]);
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("broke the rule CommitQuorum"), "{}", ended.stdout);
    assert!(ended.stdout.contains(&format!("line {}:", at + 1)), "{}", ended.stdout);
    let json = etcdsim(&["check", "--json", "--format", "raft-trace", path]);
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(json["traces"][0]["breaches"][0]["line"], at + 1);
    // A line that is none.
    fs::write(&file, "{\"event\":{\"name\":\"Commit\"}}\n").expect("a file can be written");
    let ended = etcdsim(&["check", "--format", "raft-trace", path]);
    assert!(ended.code == 2 && ended.explains("missing field `nid`"), "{}", ended.stderr);
}

#[test]
fn a_run_stops_at_its_first_violation() {
    let run = ["replay", "scenarios/power-loss.toml", "--seed", "8", "--flaw", "R2"];
    let ended = etcdsim(&[&run[..], &["--until", "violation", "--trace"]].concat());
    assert_eq!(ended.code, 1);
    let at = ended.stdout.lines().find_map(|line| line.strip_prefix("Stopped at ")).expect("it stopped");
    let (at, _) = at.split_once(" s,").expect("a time");
    assert!(ended.stdout.contains("commit ") && ended.stdout.contains("member 3"), "{}", ended.stdout);
    // The trace ends there.
    let last = ended.stdout.lines().take_while(|line| line.starts_with(' ')).last().expect("a trace");
    assert_eq!(last.split_whitespace().next(), Some(at));
    let ended = etcdsim(&[&["replay"], &JOINT[..], &["--until", "violation"]].concat());
    assert!(ended.code == 0 && ended.stdout.contains("no violation to stop at"), "{}", ended.stdout);
    let ended = etcdsim(&[&["replay"], &JOINT[..], &["--until", "soon"]].concat());
    assert!(ended.code == 2 && ended.stderr.contains("is no moment"), "{}", ended.stderr);
}

#[test]
fn walking_needs_a_terminal() {
    let ended = etcdsim(&[&["replay"], &JOINT[..], &["--step"]].concat());
    assert!(ended.code == 2 && ended.explains("`--step` needs a terminal"), "{}", ended.stderr);
}
