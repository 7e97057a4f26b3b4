//! The oracles W1 to W12: what watchers receive. See `build.rs` for the methods of a `Story` and of a `Stream`.

use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::*;
use api::mvccpb::Event;
use api::{Error, Request, Response};
use etcdsim_verify::Oracle;
use record::StreamEnd;

use super::build::*;

/// Revision 2 puts a, 3 puts a again, 4 puts b, 5 deletes a, 6 puts b and a.
pub(super) fn written() -> Story {
    let op = |key: &'static str, value: &'static str| {
        let put = PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() };
        RequestOp { request: Some(Op::RequestPut(put)) }
    };
    let both: Request =
        TxnRequest { success: vec![op("b", "4"), op("a", "4")], ..TxnRequest::default() }.into();
    let header = Some(ResponseHeader { revision: 6, ..ResponseHeader::default() });
    let nested = || {
        let header = Some(ResponseHeader { revision: 6, ..ResponseHeader::default() });
        let put = PutResponse { header, prev_kv: None };
        ResponseOp { response: Some(response_op::Response::ResponsePut(put)) }
    };
    let done_both: Response =
        TxnResponse { header, succeeded: true, responses: vec![nested(), nested()] }.into();
    Story::default()
        .ok(1, put("a", "1"), (1, 2), done(2))
        .ok(1, put("a", "2"), (3, 4), done(3))
        .ok(1, put("b", "3"), (5, 6), done(4))
        .ok(1, delete("a"), (7, 8), deleted(5, 1))
        .ok(1, both, (9, 10), done_both)
        .applied(0, 2)
        .applied(1, 3)
        .applied(2, 4)
        .applied(3, 5)
        .applied(4, 6)
}

/// The changes of [`written`] as a watcher receives them, by revision.
pub(super) fn events() -> [Vec<Event>; 5] {
    [
        vec![was_put("a", "1", 2, 2, 1)],
        vec![was_put("a", "2", 2, 3, 2)],
        vec![was_put("b", "3", 4, 4, 1)],
        vec![was_deleted("a", 5)],
        vec![was_put("b", "4", 4, 6, 2), was_put("a", "4", 6, 6, 1)],
    ]
}

/// A watcher of everything from revision 2 on, which receives these events.
fn received(batches: &[&[Event]]) -> Story {
    let mut stream = Stream::default().at(11).create(from("a", "c", 2)).created(0, 6);
    for events in batches {
        let last = events.iter().filter_map(|event| event.kv.as_ref()).map(|kv| kv.mod_revision).max();
        stream = stream.at(12).receives(0, last.unwrap_or(6), events);
    }
    written().watch(stream)
}

/// The same as a vector.
fn all() -> Vec<Vec<Event>> {
    events().to_vec()
}

/// As [`received`].
fn received_in(batches: &[Vec<Event>]) -> Story {
    received(&batches.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

#[test]
fn a_watcher_that_receives_everything_as_it_was_holds() {
    for oracle in
        [Oracle::W1, Oracle::W2, Oracle::W3, Oracle::W4, Oracle::W6, Oracle::W7, Oracle::W9, Oracle::W12]
    {
        received_in(&all()).holds(oracle);
    }
    // When it catches up, many revisions come at once.
    received(&[&all().concat()]).holds(Oracle::W4);
    // A stream may break at any time.
    for length in 0..5 {
        let mut story = received_in(&all()[..length]);
        story.record.history.watches[0].ended = Some((13, StreamEnd::Broken));
        assert!(story.verdict().holds());
    }
}

#[test]
fn without_evidence_the_answers_say_what_happened() {
    let mut story = received_in(&all());
    story.record.applied.clear();
    story.holds(Oracle::W7);
    let mut story = received_in(&[&all()[..1], &all()[2..]].concat());
    story.record.applied.clear();
    story.breaks(Oracle::W7, "missed a change");
}

#[test]
fn a_watcher_receives_only_what_it_asked_for() {
    let story = |request| {
        let created = Stream::default().at(11).create(request).created(0, 6).at(12);
        written().watch(created.receives(0, 2, &events()[0]))
    };
    story(from("a", "", 2)).holds(Oracle::W1);
    story(from("b", "c", 2)).breaks(Oracle::W1, "does not watch");
    story(from("", "a", 2)).breaks(Oracle::W1, "does not watch");
    story(from("", "b", 2)).holds(Oracle::W1);
    story(WatchCreateRequest { filters: vec![0], ..from("a", "", 2) }).breaks(Oracle::W1, "filtered out");
    story(WatchCreateRequest { filters: vec![1], ..from("a", "", 2) }).holds(Oracle::W1);
    // What is filtered out is not missed.
    let deletes = WatchCreateRequest { filters: vec![0], ..from("a", "c", 2) };
    let stream =
        Stream::default().at(11).create(deletes).created(0, 6).receives(0, 6, &events()[3]).progress(0, 6);
    written().watch(stream).holds(Oracle::W5);
}

#[test]
fn changes_come_in_their_order() {
    let [one, two, three, four, five] = events();
    received(&[&one, &three, &two, &four, &five]).breaks(Oracle::W2, "wrong order");
    let swapped = [five[1].clone(), five[0].clone()];
    let violation = received(&[&one, &two, &three, &four, &swapped]).breaks(Oracle::W2, "wrong order");
    assert_eq!(
        violation.sentences[1],
        r#"At 12.000 s it received `put b="4" (create 4, mod 6, version 2)`, after `put a="4" (create 6, mod 6, version 1)`, which happened later."#
    );
}

#[test]
fn nothing_comes_twice() {
    let [one, two, three, ..] = events();
    received(&[&one, &two, &two, &three]).breaks(Oracle::W3, "twice");
    received(&[&one, &two, &one, &two, &three]).breaks(Oracle::W3, "twice");
    // On another watcher of the stream it does not count.
    let stream = Stream::default().at(11).create(from("a", "c", 2)).create(from("a", "c", 2));
    let stream = stream.created(0, 6).created(1, 6).receives(1, 2, &one).receives(0, 2, &one);
    written().watch(stream).holds(Oracle::W3);
}

#[test]
fn a_revision_comes_whole() {
    let [one, two, three, four, five] = events();
    let split = received(&[&one, &two, &three, &four, &five[..1], &five[1..]]);
    split.breaks(Oracle::W4, "in two responses");
    let torn = received(&[&one, &two, &three, &four, &five[..1]]).breaks(Oracle::W4, "a part of a revision");
    assert_eq!(torn.sentences[1], "Of the 2 changes of revision 6 it received 1.");
    assert_eq!(torn.operations, [4]);
}

#[test]
fn fragments_are_one_response() {
    let [one, two, three, four, five] = events();
    let before = [one, two, three, four].concat();
    let stream = |fragment, between: Option<WatchResponse>| {
        let request = WatchCreateRequest { fragment, ..from("a", "c", 2) };
        let part = |events: &[Event], fragment| WatchResponse { fragment, ..response(0, 6, events) };
        let mut stream = Stream::default().at(11).create(request).created(0, 6);
        stream = stream.takes(part(&before, true)).takes(part(&five[..1], true));
        if let Some(between) = between {
            stream = stream.takes(between);
        }
        stream.takes(part(&five[1..], false))
    };
    written().watch(stream(true, None)).holds(Oracle::W4);
    written().watch(stream(false, None)).breaks(Oracle::W4, "split unasked");
    written().watch(stream(true, Some(response(-1, 6, &[])))).breaks(Oracle::W4, "between the fragments");
    // The stream broke before the last fragment came.
    let mut story = written().watch(stream(true, None));
    let watch = &mut story.record.history.watches[0];
    watch.received.pop();
    watch.ended = Some((13, StreamEnd::Broken));
    assert!(story.verdict().holds());
}

#[test]
fn nothing_comes_after_the_progress_that_covers_it() {
    let [one, two, three, four, five] = events();
    let stream = |progress: i64, id: i64| {
        let created = Stream::default().at(11).create(from("a", "c", 2)).created(0, 6);
        let stream = created.receives(0, 2, &one).receives(0, 3, &two).progress(id, progress);
        written()
            .watch(stream.receives(0, 4, &three).receives(0, 5, &four).receives(0, 6, &five).progress(id, 6))
    };
    stream(3, 0).holds(Oracle::W5);
    stream(3, -1).holds(Oracle::W5);
    let violation = stream(4, -1).breaks(Oracle::W5, "before an event that it covers");
    assert_eq!(violation.operations, [2]);
    stream(2, 0).breaks(Oracle::W5, "behind what was delivered");
    stream(7, 0).breaks(Oracle::W5, "never made");
    // Progress for all does not count for the watcher that does not exist yet.
    let late = Stream::default().at(11).create(from("a", "c", 2)).progress(-1, 6).created(0, 6);
    written().watch(late.receives(0, 6, &all().concat())).holds(Oracle::W5);
}

#[test]
fn progress_does_not_go_back() {
    let created = |start| Stream::default().at(11).create(from("x", "", start)).created(0, 6);
    written().watch(created(2).progress(0, 5).progress(0, 6)).holds(Oracle::W5);
    written().watch(created(2).progress(0, 6).progress(0, 5)).breaks(Oracle::W5, "went back");
    // A watcher that continued at a member that lags.
    let lagging = |start| Stream::default().at(11).create(from("x", "", start)).created(0, 4).progress(0, 4);
    written().watch(lagging(5)).holds(Oracle::W5);
    written().watch(lagging(6)).breaks(Oracle::W5, "before the watcher's first revision");
}

#[test]
fn a_header_names_a_revision_that_was_made() {
    let created = || Stream::default().at(11).create(from("a", "", 5)).created(0, 6);
    let [_, _, _, four, _] = events();
    written().watch(created().receives(0, 6, &four)).holds(Oracle::W5);
    written().watch(created().receives(0, 4, &four)).breaks(Oracle::W5, "older revision than its events");
    written().watch(created().receives(0, 7, &four)).breaks(Oracle::W5, "never made");
    let future = Stream::default().at(11).create(from("a", "", 5)).created(0, 7);
    written().watch(future).breaks(Oracle::W5, "never made");
}

#[test]
fn without_the_truth_a_stream_is_held_against_itself() {
    // It is not known what the leases do, nor which client wrote revision 7.
    let foreign = |stream: Stream| {
        let mut story = received_in(&all()).watch(stream);
        story.record.applied.clear();
        story.expectations.open_world = true;
        story
    };
    let created = || Stream::default().at(11).create(from("a", "", 7)).created(0, 9);
    let (seven, eight) = ([was_put("a", "x", 6, 7, 2)], [was_put("a", "y", 6, 8, 3)]);
    let verdict = foreign(created().receives(0, 7, &seven).receives(0, 8, &eight)).verdict();
    assert!(verdict.violations.is_empty() && verdict.undecided.len() == 1, "{verdict:#?}");
    foreign(created().receives(0, 8, &eight).receives(0, 8, &seven)).breaks(Oracle::W2, "wrong order");
    foreign(created().receives(0, 7, &seven).receives(0, 7, &seven)).breaks(Oracle::W3, "twice");
    foreign(created().progress(0, 7).receives(0, 7, &seven)).breaks(Oracle::W5, "after a progress response");
    foreign(created().receives(0, 9, &[was_put("b", "x", 4, 7, 2)])).breaks(Oracle::W1, "does not watch");
    // What is not known can be missing.
    let missed = foreign(created().receives(0, 8, &eight)).verdict();
    assert!(missed.violations.is_empty());
}

#[test]
fn what_was_only_guessed_is_not_held_against_a_watcher() {
    // Either of the two writes without an answer can have made revision 2.
    let seen = |value, more: &[Event]| {
        let lost = Story::default().unknown(1, put("a", "1"), 1).unknown(2, put("a", "2"), 1);
        let stream = Stream::default().at(5).create(from("a", "", 2)).created(0, 3);
        let stream = stream.receives(0, 2, &[was_put("a", value, 2, 2, 1)]);
        let stream = if more.is_empty() { stream } else { stream.receives(0, 3, more) };
        lost.ok(3, put("b", "1"), (2, 3), done(3)).watch(stream)
    };
    seen("1", &[]).holds(Oracle::W7);
    seen("2", &[]).holds(Oracle::W7);
    seen("3", &[]).breaks(Oracle::W7, "with the wrong content");
    let story = |value| seen(value, &[was_put("b", "x", 3, 3, 1)]);
    story("1").breaks(Oracle::W1, "does not watch");
    // The evidence shows which it was.
    story("1").applied(0, 2).applied(2, 3).breaks(Oracle::W1, "does not watch");
    story("2").applied(0, 2).applied(2, 3).breaks(Oracle::W7, "with the wrong content");
}

#[test]
fn a_watcher_from_a_revision_begins_there() {
    let [_, _, three, four, five] = events();
    let stream = |start| Stream::default().at(11).create(from("a", "c", start)).created(0, 6);
    let rest = [four, five].concat();
    written().watch(stream(5).receives(0, 6, &rest)).holds(Oracle::W6);
    let violation =
        written().watch(stream(4).receives(0, 6, &rest)).breaks(Oracle::W6, "missed the first changes");
    assert_eq!(violation.operations, [2]);
    let early = [three.clone(), rest.clone()].concat();
    written().watch(stream(5).receives(0, 6, &early)).breaks(Oracle::W6, "before its first revision");
    // In the future it waits.
    written().watch(stream(7)).holds(Oracle::W6);
    written().watch(stream(7).receives(0, 6, &rest)).breaks(Oracle::W6, "before its first revision");
}

#[test]
fn a_change_between_is_missed() {
    let [one, _, three, four, five] = events();
    let violation = received(&[&one, &three, &four, &five]).breaks(Oracle::W7, "missed a change");
    assert_eq!(
        violation.sentences,
        [
            "Client 1 watched a..c from revision 2 by member 1 (stream 0, watcher 0, created at 11.000 s with revision 6).",
            r#"It received `put b="3" (create 4, mod 4, version 1)`; 1 before that never came."#,
            r#"The first of these: `put a="2" (create 2, mod 3, version 2)` was made by: client 1  put a="2"  -> revision 3   3.000 s .. 4.000 s  via member 1."#,
        ]
    );
    assert_eq!(
        violation.events,
        [r#"12.000 s  watcher 0: put b="3" (create 4, mod 4, version 1)  -> revision 4"#]
    );
}

#[test]
fn a_change_arrives_as_it_was() {
    type Spoiler = (Oracle, &'static str, fn(&mut Event));
    let spoilers: [Spoiler; 7] = [
        (Oracle::W7, "with the wrong content", |event| event.kv.as_mut().expect("a pair").value = "x".into()),
        (Oracle::W7, "with the wrong content", |event| event.kv.as_mut().expect("a pair").version = 1),
        (Oracle::W7, "with the wrong content", |event| event.kv.as_mut().expect("a pair").lease = 7),
        (Oracle::W7, "never happened", |event| event.kv.as_mut().expect("a pair").key = "bb".into()),
        (Oracle::W7, "never happened", |event| event.r#type = 1),
        (Oracle::W9, "a changed key as a new one", |event| {
            event.kv.as_mut().expect("a pair").create_revision = 3
        }),
        (Oracle::W7, "never happened", |event| event.kv = None),
    ];
    for (oracle, title, spoil) in spoilers {
        let mut batches = all();
        spoil(&mut batches[1][0]);
        received_in(&batches).breaks(oracle, title);
    }
    let mut batches = all();
    batches[3][0].kv.as_mut().expect("a pair").value = "2".into();
    received_in(&batches).breaks(Oracle::W7, "with the wrong content");
}

#[test]
fn a_new_key_is_not_a_changed_one() {
    let mut batches = all();
    batches[4][1].kv.as_mut().expect("a pair").create_revision = 2;
    let violation = received_in(&batches).breaks(Oracle::W9, "a new key as a changed one");
    assert_eq!(violation.operations, [4]);
    batches[4][1].kv.as_mut().expect("a pair").create_revision = 7;
    received_in(&batches).breaks(Oracle::W9, "");
}

#[test]
fn what_was_before_is_exact() {
    let [_, two, _, four, five] = events();
    let stream = |prev_kv, events: &[Event]| {
        let request = WatchCreateRequest { prev_kv, ..from("a", "", 3) };
        written().watch(Stream::default().at(11).create(request).created(0, 6).at(12).receives(0, 6, events))
    };
    let first = after(two[0].clone(), kv("a", "1", 2, 2, 1));
    let gone = after(four[0].clone(), kv("a", "2", 2, 3, 2));
    let again = five[1].clone();
    let right = [first.clone(), gone.clone(), again.clone()];
    stream(true, &right).holds(Oracle::W8);
    stream(false, &right).breaks(Oracle::W8, "not asked for");
    stream(true, &[two[0].clone(), gone.clone(), again.clone()])
        .breaks(Oracle::W8, "the wrong previous pair");
    let other = after(two[0].clone(), kv("a", "2", 2, 3, 2));
    let violation =
        stream(true, &[other, gone.clone(), again.clone()]).breaks(Oracle::W8, "the wrong previous pair");
    assert_eq!(
        violation.sentences[2],
        r#"Before that there was a="1" (create 2, mod 2, version 1); it says a="2" (create 2, mod 3, version 2)."#
    );
    // A put that makes the key new has nothing before it.
    let made_up = after(again, kv("a", "2", 2, 3, 2));
    stream(true, &[first, gone.clone(), made_up]).breaks(Oracle::W8, "the wrong previous pair");
}

#[test]
fn what_was_before_can_have_been_compacted() {
    let [_, two, ..] = events();
    let story = |compacted_to| {
        let request = WatchCreateRequest { prev_kv: true, ..from("a", "", 3) };
        let stream = Stream::default().at(11).create(request).created(0, 6).at(14).receives(0, 3, &two);
        let compaction = written().ok(1, compact(compacted_to), (12, 13), compacted(6));
        compaction.applied_idly(5, 6).watch(stream)
    };
    story(3).holds(Oracle::W12);
    story(2).breaks(Oracle::W8, "the wrong previous pair");
}

#[test]
fn a_new_watcher_misses_nothing() {
    let stream = |revision| Stream::default().at(5).create(from("a", "c", 0)).created(0, revision).at(12);
    let [_, _, three, four, five] = events();
    let rest = [four.clone(), five.clone()].concat();
    written().watch(stream(4).receives(0, 6, &rest)).holds(Oracle::W10);
    written().watch(stream(3).receives(0, 6, &rest)).breaks(Oracle::W10, "missed the first changes");
    let early = [three, rest].concat();
    written().watch(stream(4).receives(0, 6, &early)).breaks(Oracle::W6, "before its first revision");
    // Nor does a real server, of which there is no evidence.
    let mut story = written().watch(stream(4).receives(0, 6, &early));
    story.record.applied.clear();
    story.breaks(Oracle::W6, "before its first revision");
}

#[test]
fn what_is_owed_arrives_after_healing() {
    let stream = || Stream::default().at(11).create(from("a", "c", 2)).created(0, 6).at(12);
    let most = all()[..4].concat();
    let all = all().concat();
    written().watch(stream().receives(0, 6, &all)).settled(20, 30, 6).holds(Oracle::W11);
    let violation = written()
        .watch(stream().receives(0, 5, &most))
        .settled(20, 30, 6)
        .breaks(Oracle::W11, "never received");
    assert_eq!(violation.operations, [4]);
    written().watch(stream()).settled(20, 30, 6).breaks(Oracle::W11, "never received");
    // Not on a stream that is closed, on a member that is not healthy, for what it has not applied, or so soon.
    let closed = written().watch(stream().receives(0, 5, &most).closed()).settled(20, 30, 6);
    assert!(closed.verdict().holds());
    for spoil in [
        (|story| story.record.members[0].core = false) as fn(&mut Story),
        |story| story.record.members[0].running = false,
        |story| story.record.members[0].revision = 5,
        |story| story.record.healed = 29_000_000_000,
    ] {
        let mut story = written().watch(stream().receives(0, 5, &most)).settled(20, 30, 6);
        spoil(&mut story);
        let verdict = story.verdict();
        assert!(verdict.violations.is_empty(), "{verdict:#?}");
    }
}

#[test]
fn a_creation_is_answered_after_healing() {
    let stream = || Stream::default().at(11).create(from("a", "c", 7));
    written().watch(stream()).settled(20, 30, 6).breaks(Oracle::W11, "never created");
    assert!(written().watch(stream().closed()).settled(20, 30, 6).verdict().holds());
    assert!(
        written()
            .watch(Stream::default().at(29).create(from("a", "", 7)))
            .settled(20, 30, 6)
            .verdict()
            .holds()
    );
}

/// Compacted to 5 at 6 s of the cluster's log, asked for from 12 to 13 s.
pub(super) fn compacted_to(revision: i64) -> Story {
    written().ok(1, compact(revision), (12, 13), compacted(6)).applied_idly(5, 6)
}

#[test]
fn a_compaction_cancels_what_it_took_something_from() {
    let stream = |start, to| {
        let created = Stream::default().at(14).create(from("a", "c", start)).created(0, 6);
        created.cancelled(0, to)
    };
    compacted_to(5).watch(stream(4, 5)).holds(Oracle::W12);
    compacted_to(5).watch(stream(4, 4)).breaks(Oracle::W12, "that never was");
    compacted_to(5).watch(stream(5, 5)).breaks(Oracle::W12, "removed nothing it needed");
    written().watch(stream(4, 5)).breaks(Oracle::W12, "that never was");
    // It had received what was compacted.
    let [_, _, three, four, _] = events();
    let got = Stream::default().at(11).create(from("a", "c", 4)).created(0, 6).at(14);
    let got = got.receives(0, 6, &[three, four].concat()).cancelled(0, 5);
    compacted_to(5).watch(got).breaks(Oracle::W12, "removed nothing it needed");
    // A member that compacts on its own.
    let mut own = compacted_to(5).watch(stream(4, 5));
    own.record.history.operations.pop();
    let entry = own.record.applied.last_mut().expect("the compaction");
    entry.operation = None;
    assert!(!own.verdict().violations.is_empty());
    let entry = own.record.applied.last_mut().expect("the compaction");
    entry.internal = Some(Box::new(compact(5)));
    own.holds(Oracle::W12);
}

#[test]
fn nobody_is_led_past_compacted_revisions() {
    let stream = |start| Stream::default().at(14).create(from("a", "c", start)).created(0, 6);
    let five = &events()[4];
    compacted_to(5).watch(stream(4).receives(0, 6, five)).breaks(Oracle::W12, "without being cancelled");
    // Revision 5 itself is still there.
    compacted_to(5).watch(stream(5).receives(0, 6, five)).breaks(Oracle::W6, "missed the first changes");
    // It came late, but it came: its member had not compacted yet.
    compacted_to(5).watch(stream(2).receives(0, 6, &all().concat())).holds(Oracle::W12);
    // Nothing came after, and by the end it had received neither the change nor the compaction.
    let silent = || compacted_to(5).watch(stream(5).closed()).watch(stream(4));
    silent().settled(20, 30, 6).breaks(Oracle::W11, "never received");
}

#[test]
fn a_watcher_of_what_is_gone_is_cancelled() {
    let story = |start| {
        let written = compacted_to(5).ok(1, put("z", "1"), (14, 15), done(7)).applied(6, 7);
        let created = Stream::default().at(16).create(from("y", "", start)).created(0, 7);
        written.watch(created).settled(20, 30, 7)
    };
    story(4).breaks(Oracle::W12, "was not cancelled");
    assert!(story(5).verdict().holds());
    let mut early = story(4);
    early.record.history.watches[0].received[0].1.header.as_mut().expect("a header").revision = 6;
    assert!(early.verdict().violations.is_empty(), "its member may not have compacted yet");
    let written = || compacted_to(5).ok(1, put("z", "1"), (14, 15), done(7)).applied(6, 7);
    let given_up = Stream::default().at(16).create(from("y", "", 4)).created(0, 7).at(17).cancel(0);
    written().watch(given_up).settled(20, 30, 7).holds(Oracle::W12);
}

#[test]
fn creations_are_answered_in_order_with_their_ids() {
    let stream = || Stream::default().at(11).create(from("a", "", 7)).create(from("b", "", 7));
    written().watch(stream().created(0, 6).created(1, 6)).holds(Oracle::W12);
    written().watch(stream().created(1, 6)).breaks(Oracle::W12, "the wrong id");
    written().watch(stream().created(0, 6).created(0, 6)).breaks(Oracle::W12, "the wrong id");
    written()
        .watch(stream().created(0, 6).created(1, 6).created(2, 6))
        .breaks(Oracle::W12, "nobody had asked for");
    // An id of the client's choice, and those around it.
    let id = |watch_id| WatchCreateRequest { watch_id, ..from("c", "", 7) };
    let chosen = || stream().create(id(2)).create(from("d", "", 7)).created(0, 6).created(1, 6).created(2, 6);
    written().watch(chosen().created(3, 6)).holds(Oracle::W12);
    written().watch(chosen().created(2, 6)).breaks(Oracle::W12, "the wrong id");
}

#[test]
fn a_creation_is_refused_for_a_reason() {
    const TWICE: &str = "mvcc: duplicate watch ID provided on the WatchStream";
    const EMPTY: &str = "mvcc: watcher range is empty";
    let id = |watch_id| WatchCreateRequest { watch_id, ..from("c", "", 7) };
    let twice = || Stream::default().at(11).create(id(7)).create(id(7)).created(7, 6);
    written().watch(twice().refused(6, TWICE)).holds(Oracle::W12);
    written().watch(twice().created(7, 6)).breaks(Oracle::W12, "should have been refused");
    written()
        .watch(Stream::default().create(id(7)).refused(6, TWICE))
        .breaks(Oracle::W12, "refused without a reason");
    // After a cancellation the id is free.
    let freed = Stream::default().at(11).create(id(7)).cancel(7).create(id(7)).created(7, 6);
    written().watch(freed.cancelled(7, 0).created(7, 6)).holds(Oracle::W12);

    let empty = |end| Stream::default().at(11).create(from("b", end, 7));
    written().watch(empty("a").refused(6, EMPTY)).holds(Oracle::W12);
    written().watch(empty("b").refused(6, EMPTY)).holds(Oracle::W12);
    written().watch(empty("c").refused(6, EMPTY)).breaks(Oracle::W12, "refused without a reason");
    written().watch(empty("b").created(0, 6)).breaks(Oracle::W12, "should have been refused");
    // An end of one zero byte is no end.
    written().watch(empty("\0").created(0, 6)).holds(Oracle::W12);

    let past =
        |start| Stream::default().at(11).create(from("b", "", start)).refused(6, Error::Compacted.text());
    written().watch(past(-1)).holds(Oracle::W12);
    written().watch(past(1)).breaks(Oracle::W12, "refused without a reason");

    let denied =
        || Stream::default().at(11).create(from("b", "", 7)).refused(6, Error::PermissionDenied.text());
    written().watch(denied()).breaks(Oracle::W12, "refused without a reason");
    let story = written().unknown(1, AuthEnableRequest {}.into(), 11).watch(denied());
    assert!(story.verdict().violations.is_empty());
    // A refusal names no watcher: the client would take watcher 0 for cancelled (etcd issue 14563).
    let refusal = WatchResponse {
        header: Some(ResponseHeader { revision: 6, ..ResponseHeader::default() }),
        created: true,
        canceled: true,
        cancel_reason: Error::PermissionDenied.text().to_string(),
        ..WatchResponse::default()
    };
    let named = Stream::default().at(11).create(from("b", "", 7)).takes(refusal);
    let story = written().unknown(1, AuthEnableRequest {}.into(), 11).watch(named);
    story.breaks(Oracle::W12, "a watcher has the wrong id");
}

#[test]
fn a_watcher_is_cancelled_when_its_client_asks() {
    let stream = || Stream::default().at(11).create(from("a", "", 2)).created(0, 6);
    written().watch(stream().cancel(0).cancelled(0, 0)).holds(Oracle::W12);
    written().watch(stream().cancelled(0, 0)).breaks(Oracle::W12, "cancelled without a reason");
    // A cancellation of an unknown id is not answered.
    written().watch(stream().cancel(5)).holds(Oracle::W12);
    written().watch(stream().cancel(5).cancelled(5, 0)).breaks(Oracle::W12, "does not exist");
    // Until the answer its events may come, and then no more.
    let [one, two, ..] = events();
    written().watch(stream().cancel(0).receives(0, 2, &one).cancelled(0, 0)).holds(Oracle::W12);
    let late = stream().cancel(0).receives(0, 2, &one).cancelled(0, 0).receives(0, 3, &two);
    written().watch(late).breaks(Oracle::W12, "does not exist");
}

#[test]
fn nothing_comes_before_the_creation() {
    let one = &events()[0];
    let early = Stream::default().at(11).create(from("a", "", 2)).receives(0, 2, one).created(0, 6);
    written().watch(early).breaks(Oracle::W12, "does not exist");
    let mixed = WatchResponse { created: true, ..response(0, 6, one) };
    let mixed = Stream::default().at(11).create(from("a", "", 2)).takes(mixed);
    written().watch(mixed).breaks(Oracle::W12, "two things at once");
}

#[test]
fn one_cause_is_one_violation() {
    // Nothing but the last came: four missing changes, one watcher, one violation.
    let verdict = received(&[&events()[4]]).verdict();
    let lost: Vec<_> = verdict.violations.iter().filter(|one| one.oracle == Oracle::W6).collect();
    assert_eq!((lost.len(), verdict.violations.len()), (1, 1), "{verdict:#?}");
    // And of many watchers only the first few.
    let mut story = written();
    for _ in 0..20 {
        story = story.watch(Stream::default().at(11).create(from("a", "c", 2)).created(0, 6).receives(
            0,
            6,
            &events()[4],
        ));
    }
    let verdict = story.verdict();
    assert_eq!(verdict.violations.len(), 5);
    let more = "There are 15 more of this kind.";
    assert!(verdict.violations.iter().any(|one| one.sentences.iter().any(|line| line == more)));
}

#[test]
fn nobody_receives_what_was_not_asked_for_yet() {
    let story = |at| {
        let stream = Stream::default().at(1).create(from("a", "", 0)).created(0, 1);
        let stream = stream.at(at).receives(0, 2, &[was_put("a", "1", 2, 2, 1)]);
        Story::default().ok(1, put("a", "1"), (5, 7), done(2)).watch(stream)
    };
    story(5).holds(Oracle::W7);
    story(4).breaks(Oracle::W7, "no client had requested yet");
}

#[test]
fn a_compaction_leaves_the_last_change_of_a_key() {
    // A delete without an end does not conflict with puts, so one revision can put a key and delete it again.
    let put_z = Op::RequestPut(PutRequest { key: "z".into(), ..PutRequest::default() });
    let delete_all = DeleteRangeRequest { key: "b".into(), range_end: "\0".into(), prev_kv: false };
    let ops = [put_z, Op::RequestDeleteRange(delete_all)];
    let success = ops.map(|op| RequestOp { request: Some(op) }).to_vec();
    let txn: Request = TxnRequest { success, ..TxnRequest::default() }.into();
    let (put_z, deleted_both) = (was_put("z", "", 3, 3, 1), [was_deleted("c", 3), was_deleted("z", 3)]);
    let story = |compacts: bool, filters: &[i32], events: &[Event]| {
        let story = Story::default().unknown(1, put("c", "0"), 1).unknown(2, txn.clone(), 2);
        let story = if compacts { story.unknown(3, compact(3), 3) } else { story };
        let story = story.applied(0, 2).applied(1, 3);
        let story = if compacts { story.applied_idly(2, 3) } else { story };
        let request = WatchCreateRequest { filters: filters.to_vec(), ..from("a", "\0", 3) };
        let stream = Stream::default().at(7).create(request).created(0, 3);
        let stream = if events.is_empty() { stream } else { stream.receives(0, 3, events) };
        story.watch(stream.progress(0, 3))
    };
    story(true, &[], &deleted_both).holds(Oracle::W4);
    story(true, &[], &[&[put_z][..], &deleted_both[..]].concat()).holds(Oracle::W4);
    story(true, &[1], &[]).holds(Oracle::W5);
    story(false, &[], &deleted_both).breaks(Oracle::W4, "a part of a revision");
    story(false, &[1], &[]).breaks(Oracle::W5, "before an event that it covers");
    story(true, &[], &deleted_both[..1]).breaks(Oracle::W4, "a part of a revision");
}

#[test]
fn a_reason_may_come_with_its_code() {
    let enabled = || {
        let header = Some(ResponseHeader { revision: 1, ..ResponseHeader::default() });
        Story::default().ok(2, AuthEnableRequest {}.into(), (1, 2), AuthEnableResponse { header }.into())
    };
    let refused = |text: &str| Stream::default().at(3).create(from("a", "", 0)).refused(1, text);
    // Go prints a gRPC error this way, and etcd puts it into the response.
    let denied = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
    let other = "rpc error: code = PermissionDenied desc = etcdserver: no such thing";
    for text in [denied, "etcdserver: permission denied"] {
        assert!(enabled().watch(refused(text)).verdict().holds());
        Story::default().watch(refused(text)).breaks(Oracle::W12, "refused without a reason");
    }
    enabled().watch(refused(other)).breaks(Oracle::W12, "refused without a reason");
}
