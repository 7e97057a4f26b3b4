//! Z: each count is compared with its bound, and one more than that is a leak.

use api::etcdserverpb::{
    AuthenticateRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse, MemberPromoteRequest,
    MemberPromoteResponse,
};
use etcdsim::{Plan, expectations_of, monitors_of};
use etcdsim_verify::leaks::counts::COUNTS;
use etcdsim_verify::leaks::{Limits, compare};
use etcdsim_verify::musts::{Musts, Setup};
use etcdsim_verify::{Context, Oracle};
use record::{Kept, KeptByMember, MemberId};
use settings::Settings;

use super::build::*;
use super::evidence::header;

const SECOND: u64 = 1_000_000_000;

/// A key is put before the faults end and another one after that, and all is read. When the run is over, the only member
/// keeps so many of something; the counts that are left out are 0.
pub fn kept(counts: &[(&'static str, u64)]) -> Story {
    let story = Story::default().ok(1, put("a", "1"), (1, 2), done(2)).applied(0, 2);
    let story = story.ok(1, put("b", "1"), (30, 31), done(3)).applied(1, 3);
    let pairs = [kv("a", "1", 2, 2, 1), kv("b", "1", 3, 3, 1)];
    let mut story = story.ok(9, everything(), (50, 51), found(3, &pairs)).starts(&[]);
    story.record.applied[1].time = 31 * SECOND;
    (story.record.healed, story.record.stats.virtual_ns) = (20 * SECOND, 60 * SECOND);
    let all = COUNTS.iter().map(|count| (count.name, 0));
    let mut counts_of_all: Vec<(&'static str, u64)> = all.collect();
    for (name, number) in counts {
        counts_of_all.iter_mut().find(|(other, _)| other == name).expect("there is such a count").1 = *number;
    }
    story.record.kept = vec![Kept {
        time: 60 * SECOND,
        settled: true,
        all_healed: true,
        configured: vec![MemberId::new(1)],
        configured_at: 1,
        leader_since: 0,
        held_packets: 0,
        members: vec![KeptByMember {
            member: MemberId::new(1),
            core: true,
            incarnation: 1,
            applied: 2,
            counts: counts_of_all,
            ..KeptByMember::default()
        }],
    }];
    story
}

/// The only member of a story.
fn member(story: &mut Story) -> &mut KeptByMember {
    &mut story.record.kept[0].members[0]
}

/// How many of something the member may keep.
fn bound_of(story: &Story, name: &str) -> Option<u64> {
    let context = Context::new(&story.record, &story.expectations);
    compare(&context).iter().find(|one| one.count.name == name).map(|one| one.bound)
}

/// The names of the counts that Z reports.
fn leaks(story: &Story) -> Vec<String> {
    let verdict = story.verdict();
    let of_leaks = verdict.violations.iter().filter(|one| one.oracle == Oracle::Z);
    of_leaks.map(|one| one.title.clone()).collect()
}

#[test]
fn one_more_than_may_be_alive_is_a_leak() {
    for count in COUNTS {
        let elsewhere = [
            "log-segments-not-needed",
            "log-segments-not-full",
            "snapshot-files",
            "temporary-files",
            "inbox",
            "held-packets",
        ];
        if elsewhere.contains(&count.name) {
            continue; // These follow from the disk, the process and the network.
        }
        let bound =
            bound_of(&kept(&[]), count.name).unwrap_or_else(|| panic!("{} is not compared", count.name));
        kept(&[(count.name, bound)]).holds(Oracle::Z);
        let violation = kept(&[(count.name, bound + 1)]).breaks(Oracle::Z, count.what);
        assert!(violation.sentences[0].contains(count.name), "{violation:#?}");
    }
}

/// The member that asks the leader for a client sends its call again until the answer comes.
#[test]
fn a_copy_of_a_call_may_come_after_its_answer() {
    for (answered, holds) in [(59, true), (56, false)] {
        let renewal = LeaseKeepAliveRequest { id: 1 }.into();
        let answer = LeaseKeepAliveResponse { header: header(1), id: 1, ttl: 9 }.into();
        let story = kept(&[("reads", 1)]).ok(9, renewal, (55, answered), answer);
        assert_eq!(leaks(&story).is_empty(), holds, "answered at {answered} s");
    }
}

#[test]
fn files_that_nobody_needs_are_leaks() {
    let with_files = |files: &[String], applied| {
        let mut story = kept(&[]);
        story.expectations.bounds.snapshot_count = 10;
        story.expectations.bounds.wal_segment_bytes = 100;
        member(&mut story).files = files.iter().map(|path| (path.clone(), 100)).collect();
        member(&mut story).applied = applied;
        leaks(&story)
    };
    let snapshots = |number: u64| (1..=number).map(|index| format!("snap/{index:016x}-{index:016x}.snap"));
    assert!(with_files(&snapshots(5).collect::<Vec<_>>(), 2).is_empty());
    assert_eq!(with_files(&snapshots(6).collect::<Vec<_>>(), 2).len(), 1);
    let temporary = |number: u64| (1..=number).map(|index| format!("wal/{index}.tmp")).collect::<Vec<_>>();
    assert!(with_files(&temporary(2), 2).is_empty());
    assert_eq!(with_files(&temporary(3), 2).len(), 1);
    // At most ten entries were applied since the last snapshot, so a start reads from 0x14 - 10 = 0x0a on.
    let segments = ["wal/0-1.wal", "wal/1-5.wal", "wal/2-b.wal"].map(String::from);
    assert_eq!(with_files(&segments, 0x14).len(), 1);
    assert!(with_files(&segments[1..], 0x14).is_empty());
}

#[test]
fn only_the_last_segment_of_the_log_is_not_full() {
    let with_lengths = |lengths: &[u64]| {
        let mut story = kept(&[]);
        story.expectations.bounds.wal_segment_bytes = 100;
        let numbered = lengths.iter().enumerate();
        member(&mut story).files =
            numbered.map(|(number, length)| (format!("wal/{number:x}-1.wal"), *length)).collect();
        leaks(&story)
    };
    assert!(with_lengths(&[]).is_empty());
    assert!(with_lengths(&[99]).is_empty());
    assert!(with_lengths(&[100, 130, 99]).is_empty());
    assert_eq!(with_lengths(&[100, 99, 99]).len(), 1);
}

#[test]
fn inputs_of_a_process_that_runs_do_not_wait() {
    let mut story = kept(&[]);
    let bound = bound_of(&story, "inbox").expect("it is compared");
    member(&mut story).inbox = bound;
    story.holds(Oracle::Z);
    member(&mut story).inbox = bound + 1;
    assert_eq!(leaks(&story).len(), 1);
}

#[test]
fn packets_are_let_go_when_all_is_healed() {
    let mut story = kept(&[]);
    story.record.kept[0].held_packets = 1;
    assert_eq!(leaks(&story).len(), 1);
    story.record.kept[0].all_healed = false;
    assert!(leaks(&story).is_empty());
}

/// What a client holds may be kept.
#[test]
fn what_is_alive_is_no_leak() {
    let stream = Stream::default().at(1).create(from("a", "", 0)).created(0, 1).create(from("b", "", 0));
    let story = kept(&[("watch-streams", 1), ("watchers", 2)]).watch(stream);
    story.holds(Oracle::Z);
    // The client has seen the end of one of them.
    let stream = Stream::default().at(1).create(from("a", "", 0)).created(0, 1).create(from("b", "", 0));
    let story = kept(&[("watch-streams", 1), ("watchers", 2)]).watch(stream.cancel(0).cancelled(0, 0));
    story.breaks(Oracle::Z, "watchers");
    // It closed the stream long ago.
    let stream = Stream::default().at(1).create(from("a", "", 0)).created(0, 1).closed();
    kept(&[("watch-streams", 1)]).watch(stream).breaks(Oracle::Z, "watch streams");
    // A request that was given up lately may still be worked on.
    let mut story = kept(&[("proposals", 1)]).unknown(1, put("c", "1"), 52);
    story.holds(Oracle::Z);
    story.expectations.bounds.request_timeout = SECOND / 2;
    story.record.kept[0].time = 61 * SECOND;
    story.breaks(Oracle::Z, "requests");
}

/// It waits for ReadIndex up to a request timeout, and then for its entry up to another one. Here both are 7 s, and 3 s
/// each for what follows.
#[test]
fn a_login_may_wait_for_two_request_timeouts() {
    let given_up_before = |name, request: api::Request, seconds: u64| {
        let mut story = kept(&[(name, 1)]).unknown(1, request, 52);
        story.record.kept[0].time = (57 + seconds) * SECOND;
        story
    };
    let login: api::Request = AuthenticateRequest { name: "alice".into(), password: "p".into() }.into();
    given_up_before("logins", login.clone(), 19).holds(Oracle::Z);
    given_up_before("logins", login, 21).breaks(Oracle::Z, "logins");
    // A put is not served any more at the first of these times.
    given_up_before("proposals", put("c", "1"), 19).breaks(Oracle::Z, "requests");
}

#[test]
fn members_outside_of_the_core_and_clusters_that_did_not_settle_are_not_judged() {
    let mut story = kept(&[("progress", 9)]);
    member(&mut story).core = false;
    assert!(leaks(&story).is_empty());
    let mut story = kept(&[("progress", 9)]);
    story.record.kept[0].settled = false;
    assert!(leaks(&story).is_empty());
    // At the end of the calm phase, nothing has to have settled.
    story.record.kept[0].time = 40 * SECOND;
    assert_eq!(leaks(&story).len(), 1);
}

#[test]
fn a_member_that_has_not_applied_a_removal_may_keep_the_removed_member() {
    let mut story = kept(&[]);
    let bound = bound_of(&story, "progress").expect("it is compared");
    story.record.kept[0].configured_at = member(&mut story).applied + 1;
    assert_eq!(bound_of(&story, "progress"), None);
    story.record.kept[0].configured_at -= 1;
    assert_eq!(bound_of(&story, "progress"), Some(bound));
}

/// A promotion that is refused when its entry is applied waits until its deadline, after its client has the answer.
#[test]
fn promotions_may_be_kept_for_a_request_timeout() {
    let bound = |answered| {
        let answer = MemberPromoteResponse { header: header(1), members: Vec::new() };
        let mut story = kept(&[]).ok(9, MemberPromoteRequest { id: 4 }.into(), (52, answered), answer.into());
        story.record.kept[0].time = 70 * SECOND;
        bound_of(&story, "proposals").expect("it is compared")
    };
    // 7 s, and 3 s for what follows, before the 70 s.
    assert_eq!(bound(60), bound(59) + 2);
}

#[test]
fn the_usual_limits_are_those_of_etcd() {
    let mut plan = Plan::default();
    plan.cluster.settings = Settings::etcd();
    assert_eq!(expectations_of(&plan).bounds, Limits::default());
    let mut musts = Musts::new(plan.most_members());
    musts.configure(Setup { first_members: plan.cluster.members, ..Setup::default() });
    assert_eq!(format!("{musts:?}"), format!("{:?}", monitors_of(&plan).musts));
}

/// Two seconds, and twice as long as its batches and pauses take.
#[test]
fn a_compaction_is_done_in_time() {
    let bound = |time: u64| {
        let mut story = kept(&[]).ok(1, compact(2), (52, 53), compacted(3)).applied_idly(3, 3);
        story.record.applied[2].time = 53 * SECOND;
        story.record.kept[0].time = time * SECOND;
        story.expectations.bounds.compaction_pause = SECOND;
        member(&mut story).applied = 3;
        bound_of(&story, "scrubs")
    };
    assert_eq!([bound(57), bound(58)], [Some(1), Some(0)]);
}
