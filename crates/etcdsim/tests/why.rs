//! `etcdsim why`, `etcdsim aim`, and what saved plans reach.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::common::folder::Folder;
use crate::common::{Ended, etcdsim};

/// A failing run whose violation comes within a second, so that its futures are short.
const FAILING: [&str; 5] = ["scenarios/pause-leader.toml", "--seed", "0", "--flaw", "R5"];

fn why(more: &[&str]) -> Ended {
    let arguments = [&["why"], &FAILING[..], &["--draws", "8", "--instants", "10"], more].concat();
    etcdsim(&arguments)
}

#[test]
fn the_answer_is_the_same_on_any_number_of_threads() {
    let [one, three] = ["1", "3"].map(|jobs| why(&["--jobs", jobs, "--format", "json"]).expect(0).stdout);
    assert_eq!(one, three);
    let answer: Value = serde_json::from_str(&one).expect("one JSON object");
    assert_eq!(
        (answer["schema"].as_str(), answer["ended"].as_str()),
        (Some("etcdsim.why/1"), Some("complete"))
    );
    let curve = answer["curve"].as_array().expect("a list");
    let at = |instant: &Value| instant["at_ns"].as_u64().expect("a time");
    assert!(curve.len() > 6 && curve.is_sorted_by_key(at), "{curve:#?}");
    assert_eq!(curve.last().expect("it is not empty")["failed"], 8, "nothing is left to draw");
    let violated = answer["violated_ns"].as_u64().expect("a time");
    match answer["jump"].as_object() {
        Some(jump) => assert!(at(&jump["from"]) < violated, "{answer:#}"),
        None => assert_eq!(answer["always"], true, "{answer:#}"),
    }
    let faults = answer["faults"].as_array().expect("a list");
    assert!(faults.iter().all(|fault| at(fault) <= violated), "later ones cannot be the cause: {faults:#?}");
    assert!(!answer["operations"].as_array().expect("a list").is_empty());
}

#[test]
fn people_see_a_curve() {
    let text = why(&[]).expect(0).stdout;
    for part in ["K1 / a stale read", "100 % │", "of 8", "nothing is left to draw", "! the violation"] {
        assert!(text.contains(part), "{part:?} in:\n{text}");
    }
}

#[test]
fn a_budget_of_time_ends_it_and_it_says_so() {
    let text = why(&["--time-budget", "1ms"]).expect(0).stdout;
    assert!(text.contains("The time ran out"), "{text}");
    let held = etcdsim(&["why", "scenarios/steady.toml", "--seed", "0"]).expect(5).stdout;
    assert!(held.contains("nothing fails"), "{held}");
}

/// A plan whose leader crashes twice, at these times.
fn crashes(folder: &Folder, times: [&str; 2]) -> PathBuf {
    let fault = |(id, at): (usize, &str)| {
        format!(
            "[[fault]]\nkind = \"crash\"\nid = {id}\nat = \"{at}\"\nfor = \"800ms\"\ntarget = \"leader\"\n"
        )
    };
    let faults: String = times.into_iter().enumerate().map(fault).collect();
    let text = format!(
        "# oracles: K1\n# trace hash: 00000000000000000000000000000000\n\ntitle = \"Crashes of the leader\"\nseed = 7\n[run]\nchaos = \"9s\"\n{faults}[[client]]\nendpoints = [1, 2, 3]\noperations = [\"3s put a b\"]\n"
    );
    let file = folder.path().join("crashes.toml");
    fs::write(&file, text).expect("a temporary folder can be written");
    file
}

#[test]
fn a_plan_that_strays_is_reported_and_aimed_again() {
    let folder = Folder::new();
    let file = crashes(&folder, ["3s", "6s"]);
    let name = file.to_str().expect("a temporary folder has a plain name");
    let unrecorded = etcdsim(&["replay", name]).expect(5).stdout;
    assert!(unrecorded.contains("did not reproduce") && !unrecorded.contains("STRAYED"), "{unrecorded}");
    let no_goal = etcdsim(&["aim", name]).expect(2);
    assert!(no_goal.explains("does not say what it reached"), "{}", no_goal.stderr);

    // It holds, and gets where it should.
    etcdsim(&["replay", name, "--write-reached"]).expect(0);
    let there = etcdsim(&["replay", name]).expect(0).stdout;
    assert!(there.contains("same trace hash as recorded") && there.contains("still reaches"), "{there}");
    let nothing_to_do = etcdsim(&["aim", name]).expect(0).stdout;
    assert!(nothing_to_do.contains("nothing need be changed"), "{nothing_to_do}");

    // Nobody leads yet when both crashes come, so there is only one election.
    let recorded = fs::read_to_string(&file).expect("the plan was written");
    let strayed = recorded.replace("at = \"3s\"", "at = \"10ms\"").replace("at = \"6s\"", "at = \"10ms\"");
    fs::write(&file, strayed).expect("a temporary folder can be written");
    let lost = etcdsim(&["replay", name]).expect(5).stdout;
    assert!(lost.contains("STRAYED: it no longer reaches 3 leaders (now 1)"), "{lost}");
    let warned = etcdsim(&["run", name]).expect(0).stdout;
    assert!(warned.contains("no longer reaches 3 leaders"), "{warned}");

    let aimed = etcdsim(&["aim", name, "--tries", "200"]).expect(0).stdout;
    assert!(aimed.contains("it again reaches what it reached"), "{aimed}");
    let again = etcdsim(&["replay", name]).expect(0).stdout;
    assert!(again.contains("same trace hash as recorded") && again.contains("still reaches"), "{again}");
}

#[test]
fn nothing_is_written_into_a_scenario() {
    let refused = etcdsim(&["replay", "scenarios/steady.toml", "--seed", "1", "--write-reached"]).expect(2);
    assert!(refused.explains("name a saved plan, without `--flaw`"), "{}", refused.stderr);
}
