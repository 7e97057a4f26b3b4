//! The oracles of the run itself (V1, V2, I8): the cluster settles, members do not panic, and equal logs give equal
//! states.

use etcdsim_verify::Oracle;
use record::{MemberId, Stop};

use super::build::*;

#[test]
fn a_cluster_settles_after_healing() {
    Story::default().end(1, 9, 1).holds(Oracle::V1);
    let mut story = Story::default();
    story.record.unsettled.push("No member leads after 10 s.".to_string());
    assert_eq!(story.breaks(Oracle::V1, "did not settle").sentences, ["No member leads after 10 s."]);
}

#[test]
fn a_run_in_which_nothing_happens_proves_nothing() {
    let mut story = Story::default().ok(1, get("a"), (1, 2), found(1, &[])).end(1, 9, 1);
    story.expectations.answered = 1;
    story.holds(Oracle::V1);
    story.expectations.answered = 2;
    story.breaks(Oracle::V1, "too little was answered");
}

#[test]
fn no_member_panics() {
    let mut story = Story::default();
    assert!(story.verdict().holds());
    story.record.surprises.push((
        7,
        MemberId::new(2),
        Stop::Panic("index out of range, raft.rs:17".to_string()),
    ));
    let violation = story.breaks(Oracle::V2, "a member panicked");
    assert!(violation.sentences[1].contains("raft.rs:17"));
}

#[test]
fn members_that_applied_the_same_are_equal() {
    Story::default().end(1, 9, 1).end(2, 9, 1).end(3, 8, 2).holds(Oracle::I8);
    Story::default().end(1, 9, 1).end(2, 9, 2).breaks(Oracle::I8, "differ");
}
