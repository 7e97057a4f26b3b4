//! Each rule fires at the step that it is about, and at no right one.

use api::Request;
use api::etcdserverpb::{LeaseKeepAliveRequest, PutRequest, RangeRequest};
use record::inner::{
    AppliedEntry, Command, CommitCause, Group, LeaseDeed, Loaded, MembershipDeed, Pass, Queued, Row, Said,
    State, WatcherCause, WatcherMove,
};
use record::{EtcdFact, Fact, FaultEffect, Inner, MemberId, Record, Stop};
use verify::Verdict;

use super::super::evidence::{Evidence, Happened, What};
use super::look;

/// What the rules find when these happen, a millisecond apart, each with its member.
fn found(all: impl IntoIterator<Item = (u32, Inner)>) -> Vec<(&'static str, String)> {
    found_in(all.into_iter().map(|(member, inner)| (member, What::Inner(inner))))
}

fn found_in(all: impl IntoIterator<Item = (u32, What)>) -> Vec<(&'static str, String)> {
    let happened = |(nth, (member, what)): (usize, (u32, What))| Happened {
        time: nth as u64 * 1_000_000,
        member: MemberId::new(member),
        what,
    };
    let all = all.into_iter().enumerate().map(happened).collect();
    let evidence = Evidence::of(all, Record::default(), Verdict::default());
    look(&evidence).into_iter().map(|wrong| (wrong.by, wrong.says)).collect()
}

/// Requires that one rule fires, and that its sentence has these words.
#[track_caller]
fn one(found: &[(&'static str, String)], rule: &str, words: &[&str]) {
    let [(by, says)] = found else { panic!("one rule must fire: {found:#?}") };
    assert_eq!(*by, rule);
    assert!(words.iter().all(|word| says.contains(word)), "{says}");
}

fn put(key: &str) -> Request {
    Request::Put(PutRequest { key: key.to_string().into(), ..PutRequest::default() })
}

fn row(key: &str, revision: i64, tombstone: bool) -> Row {
    Row { at: (revision, 0), key: key.to_string().into(), tombstone }
}

/// Entry `index`, which made the revision of the same number.
fn applied(index: u64, rows: Vec<Row>) -> AppliedEntry {
    let revision = index as i64;
    AppliedEntry {
        index,
        request: 1 << 48 | index,
        command: Command::Request(Box::new(put("k"))),
        user: String::new(),
        mine: false,
        error: None,
        revisions: (revision - 1, revision),
        rows,
    }
}

fn state(index: u64, learner: bool) -> Inner {
    let members = vec![(MemberId::new(4), learner)];
    let hashes = [0, u64::from(learner), 0];
    Inner::State(Box::new(State { index, members, hashes, revision: index as i64, ..State::default() }))
}

fn boxed(entry: AppliedEntry) -> Inner {
    Inner::Applied(Box::new(entry))
}

#[test]
fn entries_are_executed_as_they_are_and_alike() {
    let executes = |key: &str| Inner::Executes(Box::new(put(key)));
    assert_eq!(found([(1, executes("k")), (1, boxed(applied(2, vec![])))]), []);
    let other = found([(1, executes("j")), (1, boxed(applied(2, vec![])))]);
    one(&other, "an entry is executed as it is", &["Member 1", "`put j", "entry 2"]);
    let refused = AppliedEntry {
        error: Some(api::Error::Compacted),
        revisions: (1, 1),
        mine: true,
        ..applied(2, vec![])
    };
    let apart = found([(2, boxed(applied(2, vec![]))), (1, boxed(refused))]);
    one(&apart, "members apply an entry alike", &["Members 2 and 1", "member 1, its proposer, refused it"]);
}

#[test]
fn a_load_finds_every_row_and_no_other() {
    let base = |index: u64, rows: Vec<Row>, compaction: (i64, i64)| {
        let revision = index as i64;
        Inner::Loaded(Box::new(Loaded { by_start: true, index, revision, compaction, rows }))
    };
    let history = || {
        vec![
            (1, base(1, vec![], (-1, -1))),
            (1, boxed(applied(2, vec![row("a", 2, false)]))),
            (1, boxed(applied(3, vec![row("a", 3, true)]))),
            (1, boxed(applied(4, vec![row("b", 4, false)]))),
            (1, state(4, false)),
        ]
    };
    let load = |index, rows, compaction| {
        let mut all = history();
        all.push((1, base(index, rows, compaction)));
        found(all)
    };
    let (a, gone, b) = (row("a", 2, false), row("a", 3, true), row("b", 4, false));
    assert_eq!(load(4, vec![a.clone(), gone.clone(), b.clone()], (-1, -1)), []);
    assert_eq!(load(4, vec![gone.clone(), b.clone()], (3, 3)), [], "the put may be compacted");
    assert_eq!(load(4, vec![b.clone()], (4, 4)), [], "so may a deletion below");
    let rule = "a load finds every row";
    one(&load(4, vec![b.clone()], (3, 3)), rule, &["left out the deletion of a at revision 3"]);
    let late = load(3, vec![a.clone(), gone, b.clone()], (-1, -1));
    one(&late, rule, &["entries up to 3", "already has the put of b"]);
    let other = load(4, vec![a, row("c", 3, true), b], (-1, -1));
    let words = ["the deletion of c at revision 3 in place of the deletion of a at revision 3"];
    one(&other, rule, &words);
}

#[test]
fn a_compaction_keeps_what_a_watch_needs() {
    let history = |compacted, removed: Row| {
        found([
            (1, boxed(applied(2, vec![row("a", 2, false)]))),
            (1, boxed(applied(3, vec![row("a", 3, true)]))),
            (1, Inner::Removed { compacted, rows: vec![removed] }),
        ])
    };
    assert_eq!(history(3, row("a", 2, false)), []);
    assert_eq!(history(4, row("a", 3, true)), []);
    let rule = "a compaction keeps what can be read";
    one(&history(3, row("a", 3, true)), rule, &["compaction to revision 3", "deletion of a at revision 3"]);
    one(&history(2, row("a", 2, false)), rule, &["put of a"]);
}

#[test]
fn a_commit_has_its_index_with_its_rows() {
    let commit = |transactions: &[(usize, u64)]| {
        let (transactions, why) = (transactions.to_vec(), CommitCause::Due);
        found([(1, Inner::Commits { applied: 9, before: 7, transactions, why })])
    };
    assert_eq!(commit(&[(3, 9)]), []);
    let rule = "a commit has rows and index together";
    one(&commit(&[(3, 7), (0, 9)]), rule, &["consistent index still at 7", "from 8 on again"]);
    one(&commit(&[(0, 9), (3, 9)]), rule, &["ahead of the effects", "skips"]);
    one(&commit(&[(3, 7)]), rule, &["left the consistent index at 7"]);
    let back = found([(1, Inner::Copies { index: 5 }), (1, Inner::ReplacesByCopy { held: 9, holds: 5 })]);
    one(&back, "the backend never goes back", &["copy of a defragmentation"]);
}

#[test]
fn only_a_promotion_makes_a_voter() {
    let change = |deed| {
        let command = Command::Membership(vec![(MemberId::new(4), deed)]);
        let entry = AppliedEntry { command, ..applied(3, vec![]) };
        found([(1, state(2, true)), (1, boxed(entry)), (1, state(3, false))])
    };
    assert_eq!(change(MembershipDeed::Promote), []);
    let rule = "only a promotion makes a learner vote";
    one(
        &change(MembershipDeed::Update),
        rule,
        &["other addresses", "member 4, which was a learner, a voter"],
    );
}

#[test]
fn a_restart_agrees_with_the_others() {
    let loaded = Inner::Loaded(Box::new(Loaded {
        by_start: true,
        index: 3,
        revision: 3,
        compaction: (-1, -1),
        rows: vec![],
    }));
    let apart = found([(2, state(3, false)), (3, loaded), (3, state(3, true))]);
    one(
        &apart,
        "members agree on the state",
        &["Member 3 restarted", "member 4 as a learner", "member 2 had"],
    );
}

#[test]
fn a_linearizable_read_waits_for_its_index() {
    let read = |context| {
        let request = Box::new(Request::Range(RangeRequest::default()));
        What::Inner(Inner::Reads { operation: 0, request, context, applied: 5 })
    };
    let confirmed = |index| What::Fact(Fact::Own(EtcdFact::ReadIndexConfirmed { context: 7, index }));
    assert_eq!(found_in([(1, confirmed(5)), (1, read(Some(7)))]), []);
    let rule = "a read waits for its read index";
    one(&found_in([(1, read(None))]), rule, &["without asking"]);
    one(&found_in([(1, confirmed(6)), (1, read(Some(7)))]), rule, &["did not wait"]);
}

fn moved(from: (Group, i64), to: (Group, i64), why: WatcherCause) -> WatcherMove {
    let keys = ("a".into(), "".into());
    let (start, wants) = (1, (true, true));
    WatcherMove { stream: 0, id: 0, keys, start, wants, from, to, why, current: 3, compacted: 1 }
}

fn queued(what: Said, revision: i64) -> Queued {
    Queued { stream: 0, id: 0, serial: 1, revision, what, ahead: false, waiting: 0 }
}

#[test]
fn a_watcher_goes_on_where_it_was() {
    use Group::{Cancelled, Synced, Unsynced};
    use WatcherCause::{Compacted, CompactedWithoutRoom, Notified, Served};
    let step = |from, to, why, sent: &[i64]| {
        let events = sent.iter().map(|at| ("a".into(), *at, false)).collect();
        found([
            (1, boxed(applied(2, vec![row("a", 2, false)]))),
            (1, boxed(applied(3, vec![row("a", 3, false)]))),
            (1, Inner::Queued(Box::new(queued(Said::Events(events), 3)))),
            (1, Inner::Watcher(Box::new(moved(from, to, why)))),
        ])
    };
    assert_eq!(step((Unsynced, 2), (Synced, 4), Served, &[2, 3]), []);
    assert_eq!(step((Unsynced, 2), (Cancelled, 2), Compacted, &[]), []);
    let rule = "a watcher goes on where it was";
    one(
        &step((Unsynced, 2), (Synced, 4), Served, &[3]),
        rule,
        &["without sending it the put of a at revision 2"],
    );
    one(&step((Synced, 3), (Synced, 3), Notified, &[3]), rule, &["did not move its next revision"]);
    one(&step((Unsynced, 9), (Synced, 4), Served, &[]), rule, &["lowered", "from 9 to 4"]);
    one(&step((Unsynced, 2), (Unsynced, 2), Compacted, &[]), rule, &["left it in the group"]);
    one(&step((Unsynced, 0), (Synced, 4), CompactedWithoutRoom, &[]), rule, &["had to cancel"]);
}

#[test]
fn passes_go_in_order_and_in_turn() {
    let pass = |taken: &[(u64, i64)], rows: &[(i64, i64)]| {
        let (taken, rows) = (taken.to_vec(), rows.to_vec());
        (1, Inner::Pass(Box::new(Pass { lag: 2, taken, from: 1, rows, current: 3 })))
    };
    assert_eq!(found([pass(&[(0, 0)], &[(1, 0), (1, 1), (2, 0)])]), []);
    let twice = found([pass(&[(0, 0)], &[(1, 0), (1, 0)])]);
    one(&twice, "a pass reads the history in order", &["the row of revision 1 twice"]);
    let lags = || {
        let place = (Group::Unsynced, 2);
        (1, Inner::Watcher(Box::new(moved(place, place, WatcherCause::Created))))
    };
    let other = || pass(&[(5, 0)], &[]);
    assert_eq!(found([lags(), other(), pass(&[(0, 0)], &[]), other(), other()]), []);
    let starved = found([lags(), other(), other(), other()]);
    one(&starved, "passes take all watchers in turn", &["passed over watcher 0", "3rd time"]);
}

#[test]
fn responses_stay_in_order_and_as_they_are() {
    let progress = |ahead, waiting| {
        found([(1, Inner::Queued(Box::new(Queued { ahead, waiting, ..queued(Said::Progress, 3) })))])
    };
    assert_eq!(progress(false, 2), []);
    one(&progress(true, 2), "progress follows the events", &["ahead of 2 responses"]);
    let early = found([
        (
            1,
            Inner::Watcher(Box::new(WatcherMove {
                start: 9,
                ..moved((Group::Synced, 9), (Group::Synced, 9), WatcherCause::Created)
            })),
        ),
        (1, Inner::Queued(Box::new(queued(Said::Progress, 3)))),
    ]);
    one(&early, "progress follows the events", &["waits for a revision that is not reached"]);
    let events = |revision| Said::Events(vec![("a".into(), revision, false)]);
    let sent = |revision| {
        found([
            (1, Inner::Queued(Box::new(queued(events(2), 3)))),
            (1, Inner::HandedOut(Box::new(queued(events(revision), 3)))),
        ])
    };
    assert_eq!(sent(2), []);
    one(&sent(3), "a response is sent as it was queued", &["put a at 2 had put a at 3"]);
}

#[test]
fn leases_last_their_time_and_end_by_a_leader() {
    const SECOND: u64 = 1_000_000_000;
    let lease = |what, seconds: u64| (1, Inner::Lease { id: 7, what, clock: seconds * SECOND });
    let (granted, expired) = (LeaseDeed::Granted { ttl: 5 }, LeaseDeed::Expired { since: 0 });
    let (confirmed, revokes) = (LeaseDeed::Confirmed, LeaseDeed::Revokes);
    assert_eq!(found([lease(granted, 1), lease(expired, 6), lease(confirmed, 6), lease(revokes, 6)]), []);
    let early = found([lease(granted, 1), lease(expired, 3)]);
    one(&early, "a lease lasts its time", &["only 2.00 s had passed"]);
    let over = |left| found([lease(LeaseDeed::TakenOver { ttl: 20, checkpoint: 5, left }, 1)]);
    assert_eq!(over(5), []);
    one(&over(20), "a lease lasts its time", &["whole TTL of 20 s", "5 s were left"]);
    let rule = "only a leader revokes and renews";
    let unasked = found([lease(granted, 1), lease(expired, 6), lease(revokes, 6)]);
    one(&unasked, rule, &["proposed to revoke lease 7", "without confirming"]);
    one(&found([lease(LeaseDeed::Renewed { ttl: 5 }, 1)]), rule, &["renewed lease 7"]);
    let request = Box::new(Request::LeaseKeepAlive(LeaseKeepAliveRequest { id: 7 }));
    let asked = Inner::Reads { operation: 0, request, context: Some(3), applied: 1 };
    assert_eq!(found([(1, asked), lease(LeaseDeed::Renewed { ttl: 5 }, 1)]), []);
}

#[test]
fn a_lock_goes_to_a_key_that_exists() {
    let given = |gone: bool| {
        let mut all = vec![(1, boxed(applied(2, vec![row("l/1", 2, false)])))];
        if gone {
            all.push((1, boxed(applied(3, vec![row("l/1", 3, true)]))));
        }
        all.push((1, Inner::LockGiven { key: "l/1".into(), revision: 2 }));
        found(all)
    };
    assert_eq!(given(false), []);
    one(&given(true), "a lock goes to a key that exists", &["no longer existed", "entry 3"]);
}

#[test]
fn permissions_follow_a_snapshot() {
    let replaced = |follow| found([(3, Inner::UsersReplaced { revision: 8, permissions_follow: follow })]);
    assert_eq!(replaced(true), []);
    one(&replaced(false), "permissions follow users and roles", &["Member 3", "auth revision 8"]);
}

#[test]
fn a_start_finds_what_was_committed() {
    let commit = |rows, index| {
        let (transactions, why) = (vec![(rows, index)], CommitCause::Due);
        What::Inner(Inner::Commits { applied: index, before: index - 1, transactions, why })
    };
    let why = "its rows add up to a over 112 rows, but the last commit recorded b over 125 rows".to_string();
    let refused = What::Fact(Fact::Stopped(Stop::Refused(why)));
    let damage = What::Fact(Fact::Fault {
        fault: 1,
        what: "bit-rot",
        kind: 1,
        effect: FaultEffect::DAMAGE,
        begins: true,
    });
    let all = [(1, commit(13, 5)), (1, commit(4, 6)), (1, refused.clone())];
    let rule = "a start finds what was committed";
    one(&found_in(all), rule, &["the 2 commits", "13 rows are missing, as many as the first", "index 6"]);
    assert_eq!(found_in([(1, damage), (1, commit(13, 5)), (1, refused)]), []);
}

#[test]
fn keep_alives_are_answered_as_the_lease_is() {
    const SECOND: u64 = 1_000_000_000;
    let rule = "a keep-alive is answered as the lease is";
    let lease = |what, seconds: u64| (1, Inner::Lease { id: 7, what, clock: seconds * SECOND });
    let request = || Box::new(Request::LeaseKeepAlive(LeaseKeepAliveRequest { id: 7 }));
    let asked = || (1, Inner::Reads { operation: 0, request: request(), context: Some(3), applied: 1 });
    let (granted, expired) = (LeaseDeed::Granted { ttl: 5 }, LeaseDeed::Expired { since: 0 });
    let (renewed, alive) = (LeaseDeed::Renewed { ttl: 5 }, LeaseDeed::Answered { ttl: 5 });
    let gone = LeaseDeed::Answered { ttl: 0 };
    assert_eq!(found([lease(granted, 1), asked(), lease(renewed, 2), lease(alive, 2)]), []);
    assert_eq!(found([lease(granted, 1), asked(), lease(gone, 2)]), []);
    one(&found([lease(granted, 1), lease(gone, 2)]), rule, &["there is no lease 7", "without confirming"]);
    let expired = found([lease(granted, 1), lease(expired, 6), asked(), lease(alive, 6)]);
    one(&expired, rule, &["lease 7 has 5 s again, but did not renew it"]);
}

#[test]
fn a_streamed_range_stays_at_its_revision() {
    let chunk = |revision, first| (1, Inner::Chunk { stream: 1 << 59, revision, first });
    assert_eq!(found([chunk(5, true), chunk(5, false), chunk(5, false)]), []);
    let moved = found([chunk(5, true), chunk(5, false), chunk(7, false)]);
    one(&moved, "a streamed range stays at its revision", &["at revision 7", "first chunk at revision 5"]);
}
