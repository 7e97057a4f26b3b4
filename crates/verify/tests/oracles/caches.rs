//! The oracle C1: what a client's copy of some keys holds is what the store held at that revision.

use etcdsim_verify::Oracle;

use super::build::*;

/// Revisions 2 to 4: put a, put b, delete a.
fn written() -> Story {
    Story::default().ok(1, put("a", "1"), (1, 2), done(2)).ok(1, put("b", "1"), (3, 4), done(3)).ok(
        1,
        delete("a"),
        (5, 6),
        deleted(4, 1),
    )
}

#[test]
fn a_copy_is_the_store_at_its_revision() {
    written()
        .copy(2, 3, 1, &[])
        .copy(2, 4, 2, &[("a", 2)])
        .copy(2, 7, 3, &[("a", 2), ("b", 3)])
        .copy(2, 8, 4, &[("b", 3)])
        .holds(Oracle::C1);
}

#[test]
fn a_copy_misses_nothing_and_keeps_nothing() {
    written().copy(2, 7, 3, &[("a", 2)]).breaks(Oracle::C1, "misses a key");
    written().copy(2, 7, 3, &[("b", 3)]).breaks(Oracle::C1, "misses a key");
    let kept = written().copy(2, 7, 4, &[("a", 2), ("b", 3)]).breaks(Oracle::C1, "a key that was not there");
    assert_eq!(kept.sentences[2], "Revision 4 had deleted it.");
    assert_eq!(kept.operations, [2]);
    written().copy(2, 7, 3, &[("a", 2), ("b", 3), ("c", 3)]).breaks(Oracle::C1, "a key that was not there");
    written().copy(2, 7, 4, &[("b", 2)]).breaks(Oracle::C1, "old or wrong version");
}

#[test]
fn a_copy_does_not_go_back() {
    let story = |client| written().copy(2, 7, 3, &[("a", 2), ("b", 3)]).copy(client, 8, 2, &[("a", 2)]);
    story(2).breaks(Oracle::C1, "went back");
    story(3).holds(Oracle::C1);
}

#[test]
fn a_copy_is_of_a_revision_that_was_made() {
    written().copy(2, 7, 5, &[("b", 3)]).breaks(Oracle::C1, "never made");
    // Unless others write too: then it is not known.
    let mut story = written().copy(2, 7, 5, &[("b", 3)]);
    story.expectations.open_world = true;
    let verdict = story.verdict();
    assert!(verdict.violations.is_empty() && verdict.undecided.len() == 1, "{verdict:#?}");
}
