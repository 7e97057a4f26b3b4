//! `diff`: where two runs of one plan part.

use std::fs;

use crate::common::folder::Folder;
use crate::common::{Ended, etcdsim};

/// The line of a side at the parting.
fn side<'a>(ended: &'a Ended, name: &str) -> &'a str {
    let parted = ended.stdout.split("Then they part:").nth(1).unwrap_or_else(|| panic!("{}", ended.stdout));
    let line = parted.lines().find_map(|line| line.trim_start().strip_prefix(name));
    line.unwrap_or_default().trim_start()
}

#[test]
fn with_a_flaw_on_one_member_the_first_difference_is_its_first_effect() {
    let flaws = [
        // scenario, seed, flaw, the member, what the flawed member does first
        ("power-loss", "8", "R1@2", "m2", "sends a vote response"),
        ("power-loss", "8", "R2@2", "m2", "sends an append response"),
        ("power-loss", "8", "R3@1", "m1", "commits up to"),
        ("pause-leader", "1", "R5@2", "m2", "sends an answer to a client"),
        ("issue-20221", "1", "M-20221a@2", "m2", "sends a watch response"),
        ("single-member", "1", "M-14370@1", "m1", "commits up to"),
    ];
    for (scenario, seed, flaw, member, does) in flaws {
        let file = format!("scenarios/{scenario}.toml");
        let ended = etcdsim(&["diff", &file, "--seed", seed, "--flaw", flaw]);
        assert_eq!(ended.code, 0, "{flaw}: {}", ended.stderr);
        let left = side(&ended, "left");
        assert_eq!(left.split_whitespace().nth(1), Some(member), "{flaw}: {left}");
        assert!(left.contains(does), "{flaw}: {left}");
        assert!(ended.stdout.contains("The members before that, in both runs"), "{}", ended.stdout);
    }
}

#[test]
fn what_cannot_differ_and_what_does_not_exist_is_said() {
    let nothing = etcdsim(&["diff", "scenarios/power-loss.toml", "--seed", "8"]);
    assert!(nothing.code == 2 && nothing.explains("the two runs would be the same"), "{}", nothing.stderr);
    let fault = etcdsim(&["diff", "scenarios/power-loss.toml", "--seed", "8", "--without-fault", "9999"]);
    assert!(fault.code == 2 && fault.explains("there is no fault 9999"), "{}", fault.stderr);
    let binary =
        etcdsim(&["diff", "scenarios/power-loss.toml", "--seed", "8", "--other-binary", "/no/etcdsim"]);
    assert!(binary.code == 2 && binary.explains("/no/etcdsim did not replay"), "{}", binary.stderr);
}

#[test]
fn without_a_fault_the_runs_part_where_it_strikes() {
    let plan = etcdsim(&["plan", "scenarios/power-loss.toml", "--seed", "8"]);
    let folder = Folder::new();
    let file = folder.path().join("saved.toml");
    fs::write(&file, &plan.stdout).expect("a file can be written");
    let path = file.to_str().expect("a path of ASCII");
    let id = plan.stdout.lines().find_map(|line| line.strip_prefix("id = ")).expect("a fault").trim();
    let ended = etcdsim(&["diff", path, "--without-fault", id]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(side(&ended, "left").contains("power-loss, begins"), "{}", ended.stdout);
}

#[test]
fn the_same_build_takes_the_same_steps() {
    let own = env!("CARGO_BIN_EXE_etcdsim");
    let ended = etcdsim(&["diff", "scenarios/only-voter.toml", "--seed", "1", "--other-binary", own]);
    assert!(ended.code == 0 && ended.stdout.contains("Both runs took the same steps."), "{}", ended.stdout);
}

#[test]
fn a_search_needs_two_commits() {
    let unknown = etcdsim(&[
        "bisect",
        "scenarios/only-voter.toml",
        "--seed",
        "1",
        "--good",
        "no-such",
        "--bad",
        "HEAD",
    ]);
    assert!(unknown.code == 2 && unknown.explains("has no commit \"no-such\""), "{}", unknown.stderr);
    let same =
        etcdsim(&["bisect", "scenarios/only-voter.toml", "--seed", "1", "--good", "HEAD", "--bad", "HEAD"]);
    assert!(same.code == 2 && same.explains("is not before the bad one"), "{}", same.stderr);
}
