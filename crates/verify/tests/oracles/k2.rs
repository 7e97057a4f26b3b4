//! The oracle K2: a serializable read may be old, but does not go back behind what its member has shown.

use etcdsim_verify::Oracle;

use super::build::*;

/// Client 2 reads its own member while client 1 writes by another.
fn story(second: i64) -> Story {
    let (one, two) = (kv("a", "1", 2, 2, 1), kv("a", "2", 2, 3, 2));
    let state = |revision| {
        if revision == 2 {
            found(2, std::slice::from_ref(&one))
        } else {
            found(3, std::slice::from_ref(&two))
        }
    };
    Story::default()
        .ok(1, put("a", "1"), (1, 2), done(2))
        .ok(1, put("a", "2"), (3, 4), done(3))
        .ok(2, serializable("a"), (5, 6), state(3))
        .ok(2, serializable("a"), (9, 10), state(second))
}

#[test]
fn a_serializable_read_may_be_old() {
    Story::default()
        .ok(1, put("a", "1"), (1, 2), done(2))
        .ok(2, serializable("a"), (3, 4), found(1, &[]))
        .starts(&[])
        .holds(Oracle::K2);
}

#[test]
fn it_does_not_go_back_on_its_member() {
    story(3).starts(&[]).holds(Oracle::K2);
    let violation = story(2).starts(&[]).breaks(Oracle::K2, "went back behind what its member had shown");
    assert_eq!(violation.operations, [2, 3]);
}

#[test]
fn it_may_go_back_over_a_restart_and_on_another_member() {
    story(2).starts(&[(2, 7)]).holds(Oracle::K2);
    // If a restart falls into a read, it is not known which process answered it.
    story(2).starts(&[(2, 10)]).holds(Oracle::K2);
    story(2).by(3).starts(&[]).holds(Oracle::K2);
    // Another member's restart is no excuse.
    story(2).starts(&[(3, 7)]).breaks(Oracle::K2, "went back");
}

#[test]
fn it_shows_a_state_that_was() {
    let kv = kv("a", "never", 2, 2, 1);
    Story::default()
        .ok(1, put("a", "1"), (1, 2), done(2))
        .ok(2, serializable("a"), (3, 4), found(2, &[kv]))
        .breaks(Oracle::K2, "a state that never was");
}

#[test]
fn what_it_showed_cannot_be_unseen() {
    let story = |call| {
        Story::default()
            .ok(1, put("a", "1"), (1, 9), done(2))
            .ok(2, serializable("a"), (2, 3), found(2, &[kv("a", "1", 2, 2, 1)]))
            .ok(3, get("a"), (call, 6), found(1, &[]))
    };
    story(4).breaks(Oracle::K2, "older state than a serializable read had shown");
    story(3).holds(Oracle::K2);
}

#[test]
fn nothing_linearizable_is_behind_what_a_watcher_saw() {
    let story = |call| {
        let stream = Stream::default().at(1).create(from("a", "", 0)).created(0, 1);
        Story::default()
            .ok(1, put("a", "1"), (2, 9), done(2))
            .ok(3, get("a"), (call, 6), found(1, &[]))
            .watch(stream.at(3).receives(0, 2, &[was_put("a", "1", 2, 2, 1)]))
    };
    story(4).breaks(Oracle::K2, "older state than a watcher had seen");
    assert!(story(3).verdict().holds());
}

#[test]
fn what_was_shown_had_been_asked_for() {
    // A client saw the value before the put was called; that the put has no answer is no excuse.
    let story = |call| {
        Story::default().ok(2, serializable("a"), (1, 2), found(2, &[kv("a", "1", 2, 2, 1)])).unknown(
            1,
            put("a", "1"),
            call,
        )
    };
    story(3).breaks(Oracle::K1, "nobody made revision 2");
    story(2).holds(Oracle::K2);
    story(3).applied(1, 2).breaks(Oracle::K1, "contradict real time");
    story(2).applied(1, 2).holds(Oracle::K2);
    // Nor can what was shown be in the future.
    let refused = |call| {
        Story::default()
            .ok(1, put("a", "1"), (1, 9), done(2))
            .ok(2, serializable("a"), (2, 3), found(2, &[kv("a", "1", 2, 2, 1)]))
            .error(3, get_at("a", 2), (call, 5), api::Error::FutureRev)
    };
    refused(4).breaks(Oracle::K3, "was known already");
    refused(3).holds(Oracle::K2);
}
