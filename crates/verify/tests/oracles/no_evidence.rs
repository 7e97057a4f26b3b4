//! Histories without what the cluster applied, as those of a real system: what the answers and the watchers determine
//! is judged, and an explanation that agrees with everything is enough.

use api::etcdserverpb::*;
use api::{Error, Request, Response};
use etcdsim_verify::history_file::HistoryFile;
use etcdsim_verify::{Missing, Oracle, Verdict, judge};

use super::build::*;
use super::evidence::{grant, header, revoke};
use super::leases::{keep, kept};

fn granted(id: i64, ttl: i64, revision: i64) -> Response {
    LeaseGrantResponse { header: header(revision), id, ttl, error: String::new() }.into()
}

fn revoked(revision: i64) -> Response {
    LeaseRevokeResponse { header: header(revision) }.into()
}

fn put_with(key: &'static str, value: &'static str, lease: i64) -> Request {
    PutRequest { key: key.into(), value: value.into(), lease, ..PutRequest::default() }.into()
}

fn kv_with(key: &str, value: &str, revision: i64, lease: i64) -> api::mvccpb::KeyValue {
    api::mvccpb::KeyValue { lease, ..kv(key, value, revision, revision, 1) }
}

fn of_file(text: &str) -> Verdict {
    let file = HistoryFile::read("report.jsonl", text).expect("a history");
    let (record, expectations) = file.into_record();
    judge(&record, &expectations)
}

#[track_caller]
fn finds(text: &str, oracle: Oracle, title: &str) {
    let verdict = of_file(text);
    let found = verdict.violations.iter().any(|one| one.oracle == oracle && one.title.contains(title));
    assert!(found, "no {oracle} {title:?} in {verdict:#?}");
}

#[test]
fn the_files_of_the_reports() {
    finds(include_str!("../data/reports/F3-watch-blind.jsonl"), Oracle::W7, "a watcher missed a change");
    finds(include_str!("../data/reports/F4-lease-blind.jsonl"), Oracle::K1, "a read was answered wrongly");
    finds(
        include_str!("../data/reports/F4-keepalive-after-revoke.jsonl"),
        Oracle::L3,
        "a keep-alive was confirmed without its lease",
    );
    for text in [
        include_str!("../data/reports/lease-blinds.jsonl"),
        include_str!("../data/reports/lease-blinds-without.jsonl"),
    ] {
        finds(text, Oracle::K1, "a read was answered wrongly");
    }
}

/// Key `a` was put at revisions 2, 4 and 5; the write in between was not answered.
fn one_open(open: Request) -> Story {
    Story::default()
        .ok(1, put("a", "1"), (1, 2), done(2))
        .unknown(2, open, 3)
        .ok(1, put("a", "3"), (5, 6), done(4))
        .ok(1, put("a", "4"), (7, 8), done(5))
}

/// A watcher of key `a` from revision 2 on, whose response names `newest` as the revision of the store.
fn watcher_at(newest: i64, events: &[api::mvccpb::Event]) -> Stream {
    Stream::default().create(from("a", "", 2)).created(0, 1).at(10).receives(0, newest, events)
}

fn watcher(events: &[api::mvccpb::Event]) -> Stream {
    watcher_at(5, events)
}

#[test]
fn an_unanswered_write_does_not_blind_the_watchers() {
    let first = was_put("a", "1", 2, 2, 1);
    let (third, fourth) = (was_put("a", "3", 2, 4, 2), was_put("a", "4", 2, 5, 3));
    let elsewhere = || one_open(put("z", "2"));
    elsewhere().watch(watcher(&[first.clone(), third.clone(), fourth.clone()])).holds(Oracle::W7);
    elsewhere()
        .watch(watcher(&[first.clone(), fourth.clone()]))
        .breaks(Oracle::W7, "a watcher missed a change");
    // It may have been any of several: the watcher is wrong whichever it was.
    let several = || {
        Story::default()
            .ok(1, put("a", "1"), (1, 2), done(2))
            .unknown(2, put("z", "2"), 3)
            .unknown(3, put("y", "2"), 3)
            .ok(1, put("a", "3"), (5, 6), done(4))
            .ok(1, put("a", "4"), (7, 8), done(5))
    };
    several()
        .watch(watcher(&[first.clone(), fourth.clone()]))
        .breaks(Oracle::W7, "a watcher missed a change");
    several().watch(watcher(&[first.clone(), third.clone(), fourth.clone()])).holds(Oracle::W7);
    // The version says that the write in between was one of this key, and it never came.
    let (third, fourth) = (was_put("a", "3", 2, 4, 3), was_put("a", "4", 2, 5, 4));
    one_open(put("a", "2"))
        .watch(watcher(&[first.clone(), third.clone(), fourth.clone()]))
        .breaks(Oracle::W7, "a watcher missed a change");
    let second = was_put("a", "2", 2, 3, 2);
    one_open(put("a", "2")).watch(watcher(&[first, second, third, fourth])).holds(Oracle::W7);
}

#[test]
fn a_watcher_shows_which_of_several_writes_it_was() {
    let story = || {
        Story::default()
            .unknown(2, put("a", "1"), 1)
            .unknown(3, put("a", "2"), 1)
            .ok(1, put("b", "3"), (5, 6), done(4))
            .ok(1, get("a"), (7, 8), found(4, &[kv("a", "1", 2, 3, 2)]))
    };
    let events = [was_put("a", "2", 2, 2, 1), was_put("a", "1", 2, 3, 2)];
    story().watch(watcher_at(4, &events)).holds(Oracle::W7);
    // Nobody is blamed for a revision that only the watcher names.
    let ahead = story().watch(watcher_at(5, &events)).verdict();
    assert!(ahead.violations.iter().all(|one| one.oracle != Oracle::K1), "{ahead:#?}");
    let swapped = [was_put("a", "1", 2, 2, 1), was_put("a", "2", 2, 3, 2)];
    assert!(!story().watch(watcher_at(4, &swapped)).verdict().violations.is_empty());
    // Two watchers who contradict each other are not both right.
    let torn = story().watch(watcher_at(4, &events)).watch(watcher_at(4, &swapped));
    assert!(!torn.verdict().violations.is_empty());
}

#[test]
fn what_comes_after_the_last_answer_is_judged_too() {
    let story = || Story::default().ok(1, put("a", "1"), (1, 2), done(2)).unknown(2, put("a", "2"), 3);
    let first = was_put("a", "1", 2, 2, 1);
    let stream = |event| {
        Stream::default().create(from("a", "", 2)).created(0, 1).at(9).receives(0, 3, &[first.clone(), event])
    };
    story().watch(stream(was_put("a", "2", 2, 3, 2))).holds(Oracle::W7);
    story().watch(stream(was_put("a", "2", 2, 3, 3))).breaks(Oracle::W7, "wrong content");
    assert!(!story().watch(stream(was_put("a", "3", 2, 3, 2))).verdict().holds());
}

/// Lease 7 of 10 s was granted at 2 s; key `a` was put with it, `b` without.
fn leased() -> Story {
    Story::default()
        .ok(1, grant(7, 10), (1, 3), granted(7, 10, 1))
        .ok(1, put_with("a", "x", 7), (4, 5), done(2))
        .ok(1, put("b", "y"), (6, 7), done(3))
}

#[test]
fn a_lease_does_not_blind_the_replay() {
    let there = [kv_with("a", "x", 2, 7)];
    leased().ok(1, get("a"), (8, 9), found(3, &there)).holds(Oracle::K1);
    leased().ok(1, get("b"), (8, 9), found(3, &[])).breaks(Oracle::K1, "a read was answered wrongly");
    leased().ok(1, get("a"), (8, 9), found(3, &[])).breaks(Oracle::K1, "a read was answered wrongly");
    let other = [kv_with("a", "x", 2, 8)];
    leased().ok(1, get("a"), (8, 9), found(3, &other)).breaks(Oracle::K1, "a read was answered wrongly");
}

#[test]
fn a_key_goes_with_its_lease_and_not_before() {
    leased().ok(1, get("a"), (13, 14), found(4, &[])).holds(Oracle::K1);
    leased().ok(1, get("a"), (8, 9), found(4, &[])).breaks(Oracle::L1, "a lease ended before its time");
    // A confirmed keep-alive moves its end.
    let renewed = || leased().ok(1, keep(7), (8, 9), kept(7, 10));
    renewed().ok(1, get("a"), (13, 14), found(4, &[])).breaks(Oracle::L1, "a lease ended before its time");
    renewed().ok(1, get("a"), (18, 19), found(4, &[])).holds(Oracle::K1);
    // A key without a lease stays.
    leased().ok(1, get("b"), (13, 14), found(4, &[])).breaks(Oracle::K1, "a read was answered wrongly");
    // A revocation without an answer can have been it.
    leased().unknown(2, revoke(7), 8).ok(1, get("a"), (9, 10), found(4, &[])).holds(Oracle::K1);
    leased().ok(2, revoke(7), (8, 9), revoked(4)).ok(1, get("a"), (10, 11), found(4, &[])).holds(Oracle::K1);
    // Its key went, and yet it is there.
    let kept_key = [kv_with("a", "x", 2, 7)];
    leased()
        .ok(2, revoke(7), (8, 9), revoked(4))
        .ok(1, get("a"), (10, 11), found(4, &kept_key))
        .breaks(Oracle::K1, "a read was answered wrongly");
}

#[test]
fn a_lease_is_granted_again_when_it_has_ended() {
    // Lease 8 has no keys: nobody sees its end.
    let story = |at: u64| {
        Story::default().ok(1, grant(8, 10), (1, 3), granted(8, 10, 1)).ok(
            1,
            grant(8, 10),
            (at, at + 1),
            granted(8, 10, 1),
        )
    };
    story(14).holds(Oracle::L3);
    story(5).breaks(Oracle::L3, "a lease was granted that exists");
    // A grant without an answer took effect if a key was attached.
    let attached = Story::default()
        .unknown(1, grant(8, 10), 1)
        .ok(2, put_with("a", "x", 8), (2, 3), done(2))
        .ok(2, get("a"), (4, 5), found(2, &[kv_with("a", "x", 2, 8)]));
    attached.holds(Oracle::K1);
    // It may have been called as late as the put returned, but no later.
    let called_at =
        |at| Story::default().ok(2, put_with("a", "x", 8), (2, 3), done(2)).unknown(1, grant(8, 10), at);
    called_at(3).holds(Oracle::K1);
    called_at(4).breaks(Oracle::K1, "a write was answered wrongly");
    Story::default()
        .ok(2, put_with("a", "x", 8), (2, 3), done(2))
        .breaks(Oracle::K1, "a write was answered wrongly");
}

#[test]
fn keep_alives_are_of_leases_that_exist() {
    let ended = || leased().ok(2, revoke(7), (8, 9), revoked(4));
    ended().ok(1, keep(7), (10, 11), kept(7, 10)).breaks(Oracle::L3, "a keep-alive was confirmed without");
    ended().ok(1, keep(7), (10, 11), kept(7, 0)).holds(Oracle::L3);
    ended().ok(1, keep(7), (8, 10), kept(7, 10)).holds(Oracle::L3);
    ended()
        .ok(2, grant(7, 10), (10, 11), granted(7, 10, 4))
        .ok(1, keep(7), (12, 13), kept(7, 10))
        .holds(Oracle::L3);
    leased().ok(1, keep(7), (8, 9), kept(7, 0)).breaks(Oracle::L3, "a keep-alive found no lease");
    leased().ok(1, keep(7), (14, 15), kept(7, 0)).holds(Oracle::L3);
    // A renewal makes it live longer.
    let renewed = leased().ok(1, keep(7), (8, 9), kept(7, 10));
    renewed.ok(1, keep(7), (14, 15), kept(7, 0)).breaks(Oracle::L3, "a keep-alive found no lease");
    leased().error(2, grant(7, 10), (8, 9), Error::LeaseExists).holds(Oracle::L3);
    leased().ok(1, keep(9), (8, 9), kept(9, 10)).breaks(Oracle::L3, "a keep-alive was confirmed without");
    leased().ok(1, keep(7), (8, 9), kept(7, 60)).breaks(Oracle::L3, "the wrong time of a lease");
    let refused = |at| leased().error(1, put_with("c", "x", 7), at, Error::LeaseNotFound);
    refused((8, 9)).breaks(Oracle::L3, "a lease is said not to exist");
    refused((13, 14)).holds(Oracle::K1);
}

/// Lease 10 is kept alive after all that happened so far, or maybe during it.
fn kept_alive(story: Story) -> Story {
    story.ok(1, keep(10), (8, 9), kept(10, 10))
}

fn lock(lease: i64) -> Request {
    api::v3lockpb::LockRequest { name: "l".into(), lease }.into()
}

#[test]
fn a_lease_that_nobody_granted_is_not_kept_alive() {
    let breaks = |story: Story| story.breaks(Oracle::L3, "a keep-alive was confirmed without its lease");
    let said = breaks(kept_alive(Story::default())).sentences;
    assert!(said.contains(&"Nobody had asked for lease 10 by then.".to_string()), "{said:#?}");
    breaks(kept_alive(Story::default().error(2, grant(10, 10), (1, 2), Error::LeaseTtlTooLarge)));
    breaks(kept_alive(Story::default().error(2, grant(0, 10), (1, 2), Error::LeaseTtlTooLarge)));
    // Grants of other leases, with an answer or without, and one that was asked for only afterwards.
    breaks(kept_alive(Story::default().ok(2, grant(0, 10), (1, 2), granted(8, 10, 1))));
    breaks(kept_alive(Story::default().unknown(2, grant(8, 10), 1)));
    breaks(kept_alive(Story::default()).unknown(2, grant(10, 10), 10));
    breaks(kept_alive(Story::default()).unknown(2, grant(0, 10), 10));
    // Lease 10 is known, and had ended.
    let ended = Story::default()
        .ok(2, grant(10, 10), (1, 2), granted(10, 10, 1))
        .ok(2, revoke(10), (3, 4), revoked(1))
        .unknown(3, grant(0, 10), 5);
    breaks(kept_alive(ended));
    // Each of these can have granted it.
    kept_alive(Story::default().unknown(2, grant(10, 10), 1)).holds(Oracle::L3);
    kept_alive(Story::default().unknown(2, grant(10, 10), 8)).holds(Oracle::L3);
    kept_alive(Story::default().ok(2, grant(0, 10), (1, 2), granted(10, 10, 1))).holds(Oracle::L3);
    // A client that takes a lock without a lease learns that of its key.
    let locked = api::v3lockpb::LockResponse { header: header(2), key: "l/a".into() };
    let verdict = kept_alive(Story::default().ok(2, lock(0), (1, 2), locked.clone().into())).verdict();
    assert!(verdict.violations.iter().all(|one| one.oracle != Oracle::L3), "{verdict:#?}");
    assert!(verdict.count(Oracle::L3) > 0, "{verdict:#?}");
    let other = api::v3lockpb::LockResponse { key: "l/b".into(), ..locked };
    breaks(kept_alive(Story::default().ok(2, lock(0), (1, 2), other.into())));
}

#[test]
fn a_lease_that_the_history_may_not_show_is_not_judged() {
    let open = |story: Story, missing: Missing| {
        let verdict = story.verdict();
        assert!(verdict.violations.iter().all(|one| one.oracle != Oracle::L3), "{verdict:#?}");
        let said = verdict.not_judged.iter().find(|one| (one.oracle, one.missing) == (Oracle::L3, missing));
        let said = said.unwrap_or_else(|| panic!("{verdict:#?}"));
        assert_eq!((said.what, said.count), ("answers about leases", 1));
    };
    open(kept_alive(Story::default().unknown(2, grant(0, 10), 1)), Missing::LeaseIds);
    open(kept_alive(Story::default().unknown(2, lock(0), 1)), Missing::LeaseIds);
    open(kept_alive(Story::default().error(2, lock(0), (1, 2), Error::PermissionDenied)), Missing::LeaseIds);
    let in_use = |story: Story| {
        let mut story = story;
        story.expectations.start_revision = 5;
        story
    };
    open(kept_alive(in_use(Story::default())), Missing::Beginning);
    open(in_use(Story::default()).error(2, grant(10, 10), (1, 2), Error::LeaseExists), Missing::Beginning);
    let mut others = kept_alive(Story::default());
    others.expectations.open_world = true;
    open(others, Missing::OtherClients);
    // A lease from before the history is gone once it is granted anew, or revoked.
    let anew = || in_use(Story::default()).ok(2, grant(10, 10), (1, 2), granted(10, 10, 5));
    kept_alive(anew()).holds(Oracle::L3);
    anew().ok(1, keep(10), (8, 9), kept(10, 60)).breaks(Oracle::L3, "the wrong time of a lease");
    let again = in_use(Story::default()).ok(2, revoke(10), (3, 4), revoked(5));
    let violation = kept_alive(again).breaks(Oracle::L3, "a keep-alive was confirmed without its lease");
    assert!(violation.sentences[1].starts_with("Lease 10 had ended by 4.000 s"), "{violation:#?}");
}

#[test]
fn a_lease_that_ends_early_by_unknown_clocks_is_left_open() {
    let text = |first: &str| {
        let lines = include_str!("../data/reports/F4-lease-blind.jsonl");
        let (_, rest) = lines.split_once('\n').expect("several lines");
        let grant = rest.lines().next().expect("the grant").replace("\"10\"", "\"2\"");
        let put = rest.lines().nth(1).expect("the put").replace("\"eA==\"}", "\"eA==\", \"lease\": \"7\"}");
        let read = r#"{"client": 1, "member": 1, "rpc": "Range", "request": {"key": "YQ=="}, "call": 1500000000, "return": 1600000000, "response": {"header": {"revision": "3"}}}"#;
        format!("{first}\n{grant}\n{put}\n{read}\n")
    };
    let real = text(r#"{"format": "etcdsim-history-2", "server": "etcd"}"#);
    assert_eq!(of_file(&real).violations[0].oracle, Oracle::L1);
    let simulated = of_file(&text(r#"{"format": "etcdsim-history-2", "server": "etcdsim"}"#));
    assert!(simulated.violations.is_empty(), "{simulated:#?}");
    assert!(simulated.undecided.iter().any(|said| said.contains("clock_rates")), "{simulated:#?}");
    let fast = r#"{"format": "etcdsim-history-2", "server": "etcdsim", "clock_rates": [1000000, 2000000]}"#;
    assert!(of_file(&text(fast)).holds());
    let exact = r#"{"format": "etcdsim-history-2", "server": "etcdsim", "clock_rates": [1000000, 1000000]}"#;
    assert_eq!(of_file(&text(exact)).violations[0].oracle, Oracle::L1);
    for wrong in ["[0, 1]", "[2, 1]"] {
        let line = exact.replace("[1000000, 1000000]", wrong);
        let error = HistoryFile::read("report.jsonl", &text(&line)).expect_err("rates that cannot be");
        assert!(error.to_string().starts_with("report.jsonl:1:54: expected the rates"), "{error}");
    }
}

#[test]
fn the_services_write_too() {
    let locked = |key: &'static str, revision| {
        let response = api::v3lockpb::LockResponse { header: header(revision), key: key.into() };
        Response::from(response)
    };
    let story = || {
        Story::default()
            .ok(1, grant(7, 60), (1, 2), granted(7, 60, 1))
            .ok(2, grant(8, 60), (1, 2), granted(8, 60, 1))
            .ok(1, lock(7), (3, 4), locked("l/7", 2))
    };
    story().ok(1, put("a", "1"), (5, 6), done(3)).holds(Oracle::K1);
    // One key more than there are writers.
    story().ok(1, put("a", "1"), (5, 6), done(4)).breaks(Oracle::L1, "a lease ended before its time");
    story().unknown(2, lock(8), 3).ok(1, put("a", "1"), (5, 6), done(4)).holds(Oracle::K1);
}

#[test]
fn no_answer_names_a_revision_of_the_future() {
    let title = "a revision that cannot have existed";
    let status = |revision| -> Response {
        StatusResponse { header: header(revision), ..StatusResponse::default() }.into()
    };
    let ask = || Request::from(StatusRequest {});
    // The second put got no answer; the third was called later.
    let story = |revision, asked| {
        Story::default()
            .ok(1, put("a", "1"), (1, 2), done(2))
            .unknown(1, put("a", "2"), 3)
            .ok(2, ask(), asked, status(revision))
            .ok(1, put("b", "3"), (8, 9), done(4))
    };
    for revision in [1, 2, 3] {
        story(revision, (4, 5)).holds(Oracle::K1);
    }
    story(4, (4, 5)).breaks(Oracle::K1, title);
    story(4, (4, 8)).holds(Oracle::K1);
    story(5, (4, 8)).breaks(Oracle::K1, title);
    // A lease that ends makes a revision, if it can have keys.
    let leased = |put, revision| {
        Story::default().ok(1, grant(7, 10), (1, 2), granted(7, 10, 1)).ok(1, put, (3, 4), done(2)).ok(
            2,
            ask(),
            (30, 31),
            status(revision),
        )
    };
    leased(put_with("a", "1", 7), 3).holds(Oracle::K1);
    leased(put_with("a", "1", 7), 4).breaks(Oracle::K1, title);
    leased(put("a", "1"), 3).breaks(Oracle::K1, title);
    // The services may write as often as they like, and so may others.
    let served = Story::default().unknown(1, lock(0), 1).ok(2, ask(), (4, 5), status(9)).verdict();
    assert!(served.violations.is_empty(), "{served:#?}");
    let mut others = story(9, (4, 9));
    others.expectations.open_world = true;
    assert!(others.verdict().violations.is_empty(), "{:#?}", others.verdict());
}

#[test]
fn a_keep_alive_does_not_follow_the_end_of_its_lease() {
    let title = "a keep-alive was confirmed without its lease";
    let story = |revision| {
        let kept = LeaseKeepAliveResponse { header: header(revision), id: 7, ttl: 10 };
        Story::default()
            .ok(1, grant(7, 10), (1, 2), granted(7, 10, 1))
            .ok(1, put_with("a", "1", 7), (3, 4), done(2))
            .unknown(1, revoke(7), 5)
            .ok(1, keep(7), (6, 7), kept.into())
    };
    story(2).holds(Oracle::L3);
    story(3).breaks(Oracle::L3, title);
    // Something else may have made that revision.
    story(3).unknown(2, put("b", "1"), 9).breaks(Oracle::L3, title);
    let mut other = story(3);
    let last = other.record.history.operations.pop().expect("the keep-alive");
    other = other.unknown(2, put("b", "1"), 5);
    other.record.history.operations.push(last);
    other.holds(Oracle::L3);
}

#[test]
fn the_time_left_by_the_answer_alone() {
    let story = |keys: bool, ttl, granted_ttl| {
        let asked = LeaseTimeToLiveRequest { id: 7, keys };
        let answer = LeaseTimeToLiveResponse {
            header: header(1),
            id: 7,
            ttl,
            granted_ttl,
            ..LeaseTimeToLiveResponse::default()
        };
        Story::default().ok(1, grant(7, 10), (1, 2), granted(7, 10, 1)).ok(
            1,
            asked.into(),
            (3, 4),
            answer.into(),
        )
    };
    story(false, 9, 10).holds(Oracle::L3);
    // A new leader may add an election timeout.
    story(false, 11, 10).holds(Oracle::L3);
    story(false, 300, 10).breaks(Oracle::L3, "the wrong time of a lease");
    story(false, 9, 20).breaks(Oracle::L3, "the wrong time of a lease");
    let open = |story: Story| {
        let open = story.verdict().not_judged.into_iter().filter(|one| one.oracle == Oracle::L3);
        open.map(|one| (one.what, one.count, one.missing)).collect::<Vec<_>>()
    };
    assert!(open(story(false, 9, 10)).is_empty());
    assert_eq!(open(story(true, 9, 10)), [("keys of leases in answers", 1, Missing::AppliedEntries)]);
    assert_eq!(open(story(true, -1, 0)), [("answers that a lease has no time left", 1, Missing::Run)]);
}

#[test]
fn a_lease_may_have_been_ended_by_others() {
    let story = Story::default()
        .ok(1, grant(7, 100), (1, 2), granted(7, 100, 1))
        .ok(1, put_with("a", "1", 7), (3, 4), done(2))
        .ok(1, get("a"), (5, 6), found(3, &[]));
    story.breaks(Oracle::L1, "a lease ended before its time");
    let mut others = story;
    others.expectations.open_world = true;
    let verdict = others.verdict();
    assert!(verdict.violations.is_empty() && !verdict.undecided.is_empty(), "{verdict:#?}");
}

#[test]
fn of_many_wrong_answers_a_few_are_shown_and_all_are_counted() {
    let wrong = |count: u64| {
        let ask = |story: Story, nth: u64| story.ok(1, keep(9), (8 + 2 * nth, 9 + 2 * nth), kept(9, 10));
        let verdict = (0..count).fold(leased(), ask).verdict();
        let of_leases = verdict.violations.into_iter().filter(|one| one.oracle == Oracle::L3);
        of_leases.map(|one| one.sentences).collect::<Vec<_>>()
    };
    let shown = wrong(40).len();
    assert!((1..40).contains(&shown), "{shown}");
    let says_more =
        |sentences: &Vec<String>| sentences.iter().any(|one| one.contains("more leases or answers"));
    assert!(!wrong(shown as u64).iter().any(says_more));
    let all = wrong(shown as u64 + 2);
    assert_eq!(all.len(), shown);
    assert_eq!(all[shown - 1].last().map(String::as_str), Some("2 more leases or answers are like that."));
    assert!(!all[..shown - 1].iter().any(says_more));
}
